"""Runs every escape, each in a process of its own; the program that a test starts inside a cage."""

import contextlib
import json
import os
import signal
import sys
from pathlib import Path

from tests.attack.inside import mounts, privileges, processes, reading, talking, writing
from tests.attack.inside.common import TRIES

CHAPTERS = (writing, reading, talking, processes, mounts, privileges)
AT_THE_FIRST_PROCESS = {"signal_keeper", "process_trace_keeper", "process_take_keepers_socket"}


def is_powerless():
    """Tells whether the least holds, without which none of this may be tried on anybody's machine."""
    rows = dict(line.split(":\t") for line in Path("/proc/self/status").read_text().splitlines() if ":\t" in line)
    return int(rows["CapEff"], 16) == 0 and rows["NoNewPrivs"] == "1" and rows["Seccomp"] == "2"


def is_alone(aim):
    """Tells whether the first process is the cage's own."""
    try:
        return b"canary-victim" not in Path(f"/proc/{aim['victim']}/cmdline").read_bytes()
    except OSError:
        return not os.path.exists(f"/proc/{aim['victim']}")


def one(name, aim):
    """Runs an attempt in a process of its own, and returns what it got, empty if nothing."""
    result, say = os.pipe()
    pid = os.fork()
    if not pid:
        said = ""
        try:
            os.close(result)
            # The pipe itself is ours, and not what was left open.
            signal.alarm(10)
            os.set_inheritable(say, False)
            if name.startswith("inherited"):
                os.dup2(say, 1)
                os.close(say)
            said = TRIES[name](aim) or ""
        except BaseException:  # noqa: BLE001 - whatever refused it, it got nothing
            said = ""
        with contextlib.suppress(OSError):
            os.write(1 if name.startswith("inherited") else say, said.encode()[:4000])
        os._exit(0)
    os.close(say)
    pieces = b""
    while piece := os.read(result, 4096):
        pieces += piece
    os.close(result)
    os.waitpid(pid, 0)
    return pieces.decode()


def main():
    """Tries everything, and writes down what each attempt got."""
    aim = json.loads(Path(sys.argv[1]).read_text())
    if not is_powerless():
        sys.exit("This is not a cage; nothing was tried.")
    names = [name for name in TRIES if is_alone(aim) or name not in AT_THE_FIRST_PROCESS]
    Path(sys.argv[2]).write_text(json.dumps({name: one(name, aim) for name in names}))


if __name__ == "__main__":
    main()
