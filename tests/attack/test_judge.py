"""An approved command tries to reach the daemon that judges it: each way fails, with the cage and without it.

Each program dials the socket of the test's own daemon, asks it for its status, and prints the first line of the answer.
"""

import sys
from pathlib import Path

import pytest

from agentos_lsp.effects.process import peers
from tests.daemon import support

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc to see who dials")

DIAL = """\
import os, socket, sys
def dial():
    found = socket.socket(socket.AF_UNIX)
    try:
        found.connect(sys.argv[1])
    except OSError as error:
        print("no", error, flush=True)
        os._exit(0)
    return found
def ask(found):
    fields = [b"0", b"python", b"state", b"/"]
    payload = b"\\0".join(fields)
    try:
        found.sendall(b"agentos 1 status %d\\n" % len(payload) + payload)
        print(found.recv(4096).decode().splitlines()[0], flush=True)
    except OSError as error:
        print("no", error, flush=True)
"""

PLAIN = "ask(dial())\n"

# Waits for the end of what it forked, which holds the pipe, so that the answer is part of the command's output.
DAEMON = """\
reads, writes = os.pipe()
if not os.fork():
    os.setsid()
    if os.fork():
        os._exit(0)
    os.environ.clear()
    ask(dial())
    os._exit(0)
os.close(writes)
os.read(reads, 1)
"""

# A wiped environment from the start, by a new program.
WIPED = """\
if len(sys.argv) == 2:
    os.execve(sys.executable, [sys.executable, __file__, sys.argv[1], "again"], {})
ask(dial())
"""

# The process that dialled is gone before anything is said; its child speaks.
HEIR = """\
reads, writes = os.pipe()
first = os.fork()
if not first:
    found = dial()
    if not os.fork():
        os.read(reads, 1)
        ask(found)
        os._exit(0)
    os._exit(0)
os.waitpid(first, 0)
os.write(writes, b"x")
os.close(writes)
while True:
    try:
        os.wait()
    except ChildProcessError:
        break
import time
time.sleep(0.2)
"""


OFF = '[confinement]\nlevel = "off"\n'

REFUSED = {f"no {reason}" for reason in (peers.OF_A_SESSION, peers.NOT_SEEN)}


async def printed(house, editor, line):
    """Runs a line, approved if need be, and returns what it printed."""
    session = await editor.start(house, line)
    asked = await editor.approval(session)
    await editor.command("agentos.approval.decide", {**asked["data"], "outcome": "approved"})
    await house.done(session)
    call = next(iter((await house.runtime.state(session)).calls))
    return await editor.content(f"agentos://{session}/output/{call}.txt")


@pytest.mark.parametrize("policy", ["", OFF], ids=["cage", "no cage"])
@pytest.mark.parametrize(
    "program", [PLAIN, DAEMON, WIPED, HEIR], ids=["plain", "daemon", "wiped environment", "heir of who dialled"]
)
async def test_a_command_that_dials_the_daemon_is_refused(tmp_path, program, policy):
    files = {"dial.py": DIAL + program}
    async with support.served(tmp_path, policy=policy, files=files) as (house, _), support.connected(house) as editor:
        told = (await printed(house, editor, f"python3 dial.py {house.where.socket}")).rstrip("\n")
        # In a cage that hides the socket there is nothing to dial.
        assert told in REFUSED or (not policy and told.startswith("no [Errno "))


async def test_a_command_that_starts_the_forwarder_answers_nothing(tmp_path):
    async with support.served(tmp_path, policy=OFF) as (house, daemon), support.connected(house) as editor:
        line = f"{sys.executable} -m agentos_lsp --state {house.state_folder} </dev/null"
        told = await printed(house, editor, line)
        assert told == f"agentos-lsp: the daemon refuses this connection: {peers.OF_A_SESSION}\n"
        assert len(daemon._endpoint.clients) == 1


@pytest.mark.parametrize("policy", ["", OFF], ids=["cage", "no cage"])
async def test_the_environment_of_a_command_says_nothing_of_the_socket(tmp_path, policy):
    async with support.served(tmp_path, policy=policy) as (house, _), support.connected(house) as editor:
        told = await printed(house, editor, "env")
        assert "TMPDIR=" in told
        for word in (house.where.socket, house.where.folder, "XDG_RUNTIME_DIR", "XDG_STATE_HOME"):
            assert word not in told
