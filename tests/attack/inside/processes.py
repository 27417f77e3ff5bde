"""Signals to other processes, looks at them, and what was left open."""

import contextlib
import ctypes
import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from tests.attack.inside.common import X86, attempt, checked, libc, read, syscall


@attempt
def signal_terminate(aim):
    os.kill(aim["victim"], signal.SIGTERM)


@attempt
def signal_group(aim):
    os.killpg(aim["victim"], signal.SIGTERM)


@attempt
def signal_stop(aim):
    os.kill(aim["victim"], signal.SIGSTOP)


@attempt
def signal_by_descriptor(aim):
    signal.pidfd_send_signal(os.pidfd_open(aim["victim"]), signal.SIGTERM)


@attempt
def signal_by_thread(aim):
    syscall(200 if X86 else 130, aim["victim"], 15)


@attempt
def signal_queued(aim):
    held = ctypes.create_string_buffer(128)
    syscall(129 if X86 else 138, aim["victim"], 15, held)


@attempt
def signal_by_owner_of_a_descriptor(aim):
    one, other = os.pipe()
    fcntl.fcntl(one, fcntl.F_SETOWN, aim["victim"])
    fcntl.fcntl(one, fcntl.F_SETFL, os.O_ASYNC)
    os.write(other, b"x")
    with socket.socket(socket.AF_UNIX) as channel:
        fcntl.fcntl(channel, fcntl.F_SETOWN, aim["victim"])
        fcntl.fcntl(channel, 10, signal.SIGTERM)  # F_SETSIG


@attempt
def signal_keeper(_aim):
    for number in (signal.SIGKILL, signal.SIGSTOP, signal.SIGABRT, signal.SIGSEGV):
        os.kill(1, number)


@attempt
def process_trace(aim):
    return checked(libc.ptrace(16, aim["victim"], 0, 0), "attached to a process")


@attempt
def process_seize(aim):
    return checked(libc.ptrace(0x4206, aim["victim"], 0, 0), "seized a process")


@attempt
def process_trace_keeper(_aim):
    return checked(libc.ptrace(0x4206, 1, 0, 0), "seized the keeper")


@attempt
def process_read_memory(aim):
    held = ctypes.create_string_buffer(16)
    local = (ctypes.c_size_t * 2)(ctypes.addressof(held), 16)
    remote = (ctypes.c_size_t * 2)(0x400000, 16)
    number = 310 if X86 else 270
    return checked(syscall(number, aim["victim"], local, 1, remote, 1, 0), "read a process's memory")


@attempt
def process_take_descriptor(aim):
    return checked(syscall(438, os.pidfd_open(aim["victim"]), 0, 0), "took a descriptor")


@attempt
def process_take_keepers_socket(_aim):
    for number in range(3, 20):
        taken = syscall(438, os.pidfd_open(1), number, 0)
        if taken >= 0:
            return f"took the keeper's descriptor {number}"
    return None


@attempt
def process_environment(aim):
    data = Path(f"/proc/{aim['victim']}/environ").read_bytes()
    return "read a process's environment" if b"canary-secret" in data else None


@attempt
def process_search_environments(_aim):
    for name in os.listdir("/proc"):
        with contextlib.suppress(OSError):
            if name.isdigit() and b"canary-secret" in Path(f"/proc/{name}/environ").read_bytes():
                return f"the environment of {name}"
    return None


@attempt
def process_see(_aim):
    seen = [Path(f"/proc/{n}/cmdline").read_bytes() for n in os.listdir("/proc") if n.isdigit()]
    return "saw the victim" if any(b"canary-victim" in line for line in seen) else None


@attempt
def process_priority(aim):
    os.setpriority(os.PRIO_PROCESS, aim["victim"], 19)
    return "changed a priority" if os.getpriority(os.PRIO_PROCESS, aim["victim"]) == 19 else None


@attempt
def process_limits(aim):
    held = (ctypes.c_uint64 * 2)(0, 0)
    return checked(syscall(302 if X86 else 261, aim["victim"], 1, held, None), "changed a process's limits")


@attempt
def process_affinity(aim):
    os.sched_setaffinity(aim["victim"], {0})
    return "moved a process"


@attempt
def process_shared_memory(aim):
    number = 30 if X86 else 196
    at = syscall(number, aim["shm"], 0, 0) if aim["shm"] >= 0 else -1
    return None if at == -1 else "attached to shared memory"


@attempt
def process_shared_memory_file(aim):
    return read(f"/dev/shm/{aim['shm-name']}")


@attempt
def inherited_descriptors(_aim):
    found = {int(name): os.readlink(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd") if int(name) > 2}
    odd = {number: path for number, path in found.items() if not path.startswith(("/proc/", _aim["worktree"]))}
    return f"descriptors {odd}" if odd else None


@attempt
def inherited_input(_aim):
    return None if os.readlink("/proc/self/fd/0") == "/dev/null" else "something to read"


@attempt
def inherited_terminal(_aim):
    os.close(os.open("/dev/tty", os.O_RDWR))
    return "a terminal"


@attempt
def inherited_folder(aim):
    """A working folder outside of the root would lead out by its dots."""
    os.chdir("/proc/1/cwd")
    return read(f".{aim['home']}/.ssh/key")


@attempt
def inherited_secret_variables(_aim):
    found = [name for name, value in os.environ.items() if "canary-secret" in value]
    return f"variables {found}" if found else None


@attempt
def inherited_preload(aim):
    """A library that is loaded before a program is still inside."""
    variables = {**os.environ, "LD_PRELOAD": "/nonexistent/canary.so", "LD_LIBRARY_PATH": "."}
    code = f"open({aim['outside']!r} + '/preloaded', 'w')"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], env=variables, capture_output=True, check=False)
    return "wrote from a program of its own" if done.returncode == 0 else None


@attempt
def race_of_links(aim):
    """Swaps a folder for a link while another process writes through it."""
    os.makedirs("race/real", exist_ok=True)
    swapper = os.fork()
    if not swapper:
        end = time.monotonic() + 0.3
        while time.monotonic() < end:
            with contextlib.suppress(OSError):
                os.rename("race/real", "race/aside")
                os.symlink(aim["outside"], "race/real")
                os.unlink("race/real")
                os.rename("race/aside", "race/real")
        os._exit(0)
    won = None
    end = time.monotonic() + 0.3
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            Path("race/real/raced").write_text("x")
    os.waitpid(swapper, 0)
    if os.path.exists(f"{aim['outside']}/raced"):
        won = "won a race"
    return won
