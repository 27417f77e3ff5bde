"""Trees of processes that do all to outlive their command, in real cages: none survives, whatever ends it.

A few by default; HOSTILE_TREES=1000 carries out the measurement of the security page.
"""

# It waits for what other processes do, and looks at small files.
# ruff: noqa: ASYNC110, ASYNC240

import asyncio
import collections
import contextlib
import itertools
import os
import socket
import sys
import time
from pathlib import Path

import pytest

from agentos_lsp.effects.process.sandbox import plan
from tests.effects.process.sandbox.conftest import Jail, working

TREES = int(os.environ.get("HOSTILE_TREES", "14"))
AT_MOST_S = 10.0

pytestmark = pytest.mark.timeout(60 + 3 * TREES)

# Harmless when it works: what survives sleeps, and would be found and counted; each is bounded in number and in time.
PROGRAM = """\
import os, signal, sys, time
kind, up = sys.argv[1], sys.argv[2]
end = time.monotonic() + 30

def deaf():
    for number in range(1, signal.NSIG):
        try:
            signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError):
            pass

def ready():
    open(up, "w").close()

def daemon():
    if os.fork(): os._exit(0)
    os.setsid()
    if os.fork(): os._exit(0)

def hop():
    while time.monotonic() < end:
        if os.fork(): os._exit(0)
        os.setsid() if os.getpid() % 2 else None

def wiped():
    os.execve(sys.executable, ["x", "-I", "-S", "-c", f"import time; open({up!r}, 'w').close(); time.sleep(30)"], {})

first = os.fork()
if first == 0:
    if kind == "daemon":
        daemon(); deaf(); ready(); time.sleep(30)
    elif kind == "wiped":
        daemon(); wiped()
    elif kind == "hopping":
        daemon(); ready(); hop()
    elif kind == "crowd":
        daemon()
        for number in range(150):
            if os.fork() == 0:
                os.setsid(); deaf(); time.sleep(30); os._exit(0)
        ready(); time.sleep(30)
    elif kind == "bomb":
        daemon(); ready()
        made = 0
        while time.monotonic() < end and made < 3000:
            try:
                os.fork(); made += 1
            except OSError:
                time.sleep(0.001)
    elif kind == "stopped":
        daemon(); ready(); os.kill(os.getpid(), signal.SIGSTOP); time.sleep(30)
    elif kind == "traced":
        daemon(); child = os.fork()
        if child == 0:
            time.sleep(30)
        import ctypes
        ctypes.CDLL(None).ptrace(16, child, 0, 0); ready(); time.sleep(30)
    os._exit(0)
while not os.path.exists(up):
    time.sleep(0.002)
if sys.argv[3] != "by itself":
    time.sleep(30)
"""
KINDS = ("daemon", "wiped", "hopping", "crowd", "bomb", "stopped", "traced")
ENDS = ("by itself", "time limit", "stop", "cancel", "shutdown", "keeper killed", "server gone")


def inhabitants(namespace):
    """Returns the living processes of a pid namespace, as seen from outside."""
    found = set()
    for one in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if one.name.isdigit() and (one / "ns" / "pid").stat().st_ino == namespace:
                state = (one / "stat").read_text().rpartition(")")[2].split()[0]
                found |= {int(one.name)} - ({int(one.name)} if state in "ZX" else set())
    return found


async def emptied(namespace, most):
    """Waits until a namespace has no more inhabitants than it may have; returns how many it has."""
    until = time.monotonic() + AT_MOST_S
    while len(left := inhabitants(namespace)) > most and time.monotonic() < until:
        await asyncio.sleep(0.01)
    return len(left)


async def grown(jail, kind, end, number):
    """Lets one tree grow, ends it in one way, and returns how many of it survive."""
    up = f"up-{number}"
    (jail.worktree / "tree.py").write_text(PROGRAM)
    line = f"{sys.executable} -I -S tree.py {kind} {up} '{end}'"
    await jail.run("true")
    link = jail.processes._link
    first = next(int(one.name) for one in Path("/proc").iterdir() if is_first(link, one.name))
    namespace = Path(f"/proc/{first}/ns/pid").stat().st_ino
    run = asyncio.ensure_future(jail.finish(line, seconds=0.4 if end == "time limit" else 25))
    while end != "time limit" and not run.done() and not (jail.worktree / up).exists():
        await asyncio.sleep(0.005)
    match end:
        case "stop":
            await jail.processes.stop_call(line)
        case "cancel":
            run.cancel()
        case "shutdown":
            await jail.processes.stop_all()
        case "keeper killed":
            os.kill(first, 9)
        case "server gone":
            # All that a keeper hears of a server that was killed: the socket ends.
            link._channel.shutdown(socket.SHUT_RDWR)
    await asyncio.wait([run], timeout=AT_MOST_S)
    assert run.done()
    gone = end in {"shutdown", "keeper killed", "server gone"}
    return await emptied(namespace, 0 if gone else 1) - (0 if gone else 1)


def is_first(link, pid):
    """Tells whether a process is the first of the cage, which the link holds by a descriptor."""
    with contextlib.suppress(OSError):
        told = Path(f"/proc/self/fdinfo/{link._first}").read_text()
        return f"Pid:\t{pid}\n" in told
    return False


@pytest.mark.parametrize("name", ["own", "bubblewrap"])
async def test_no_hostile_tree_survives_its_end(tmp_path, name):
    if name not in working():
        pytest.skip(f"this machine cannot make a cage: {name}")
    jail = Jail(tmp_path.resolve(), working()[name], plan.Limits(processes=1000))
    count, survivors, began = collections.Counter(), {}, time.monotonic()
    pairs = itertools.cycle(itertools.product(KINDS, ENDS) if TREES > 100 else zip(KINDS, ENDS, strict=True))
    try:
        for number, (kind, end) in zip(range(TREES // 2), pairs, strict=False):
            left = await grown(jail, kind, end, number)
            count[end] += 1
            if left:
                survivors[number, kind, end] = left
    finally:
        assert await jail.processes.stop_all() == 0
    took_s = time.monotonic() - began
    print(f"\n{name}: {count.total()} trees in {took_s:.0f} s, {dict(count)}, survived: {survivors}")
    assert survivors == {}
