"""Who may dial: processes of a session may not, nor who cannot be seen; all others may."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from agentos_lsp.effects.process import cgroups, peers, trees

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc to see who dials")


def test_a_process_beside_us_may_dial():
    # Our own ancestor stands for an editor: it does not descend from us.
    assert peers.refusal(os.getppid()) is None
    assert peers.refusal(os.getpid()) is None


async def test_what_descends_from_us_may_not():
    process = await asyncio.create_subprocess_exec("cat", stdin=subprocess.PIPE, env={})
    assert peers.refusal(process.pid) == peers.OF_A_SESSION
    assert peers.ancestors(process.pid)[:2] == [process.pid, os.getpid()]
    process.stdin.close()
    await process.wait()
    assert peers.refusal(process.pid) == peers.NOT_SEEN
    assert peers.ancestors(process.pid) == []


def test_nobody_and_another_namespace_may_not():
    for pid in (0, -1, 1 << 30):
        assert peers.refusal(pid) == peers.NOT_SEEN


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="needs pidfds")
async def test_who_ended_meanwhile_may_not_though_its_number_is_in_use():
    process = await asyncio.create_subprocess_exec("cat", stdin=subprocess.PIPE)
    held = os.pidfd_open(process.pid)
    process.stdin.close()
    await process.wait()
    # The number of an innocent process stands for the one that was given anew.
    assert peers.refusal(os.getppid(), held) == peers.NOT_SEEN
    os.close(held)


def test_who_carries_the_mark_of_another_session_may_not(monkeypatch):
    marks = {os.getppid(): b"theirs", os.getpid(): b"ours"}
    monkeypatch.setattr(peers, "_mark", marks.get)
    assert peers.refusal(os.getppid()) == peers.OF_A_SESSION
    marks[os.getppid()] = b"ours"  # we all run in one session: agents work on this project too
    assert peers.refusal(os.getppid()) is None


def test_who_is_in_the_group_of_another_session_may_not(monkeypatch):
    groups = {os.getppid(): "agentos-1"}
    monkeypatch.setattr(cgroups, "session_group_of", groups.get)
    assert peers.refusal(os.getppid()) == peers.OF_A_SESSION
    groups[os.getpid()] = "agentos-1"
    assert peers.refusal(os.getppid()) is None


def test_who_descends_from_the_keeper_of_another_server_may_not(monkeypatch):
    real = peers._chain
    monkeypatch.setattr(
        peers, "_chain", lambda pid: [7_000_001, 7_000_000, *real(os.getpid())[1:]] if pid == 7_000_001 else real(pid)
    )
    keepers = set()
    monkeypatch.setattr(peers, "_is_keeper", keepers.__contains__)
    monkeypatch.setattr(peers, "_mark", lambda _pid: None)
    monkeypatch.setattr(cgroups, "session_group_of", lambda _pid: None)
    assert peers.refusal(7_000_001) is None
    keepers.add(7_000_000)
    assert peers.refusal(7_000_001) == peers.OF_A_SESSION


def test_a_parent_that_is_younger_than_its_child_is_another_process(monkeypatch):
    real = trees.look

    def look(pid):
        found = real(pid)
        if found is not None and pid == os.getppid():
            found.started = 1 << 60
        return found

    monkeypatch.setattr(trees, "look", look)
    assert peers.ancestors(os.getpid()) == []
    assert peers.refusal(os.getpid()) == peers.NOT_SEEN


async def test_a_keeper_is_known_by_its_command_line(bench):
    await bench.run(f"{sys.executable} -c 'pass'")
    children = [pid for pid, found in trees.processes().items() if found.parent == os.getpid()]
    assert [pid for pid in children if peers._is_keeper(pid)] != []
    assert not peers._is_keeper(os.getpid())
