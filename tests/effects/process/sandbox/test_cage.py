"""A session in a cage works as one outside of it, and nothing of it outlives it."""

# A test may look at small files, and waits for what another process does.
# ruff: noqa: ASYNC110, ASYNC240

import asyncio
import contextlib
import dataclasses
import os
import shutil
import signal
import tempfile
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from agentos_lsp.domain.errors import EffectError, UserError
from agentos_lsp.effects.process import commands
from agentos_lsp.effects.process.sandbox import backends, landlock, plan
from tests.effects.process.sandbox.conftest import Jail


def is_there(mark: str) -> bool:
    """Tells whether any process carries a session's mark."""
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and mark.encode() in (entry / "environ").read_bytes():
                return True
    return False


async def test_a_command_runs_and_its_output_and_exit_code_are_told(jail):
    assert await jail.run("echo one; echo two >&2; exit 3") == (3, "one\ntwo\n")
    assert await jail.run("pwd") == (0, f"{jail.worktree}\n")


async def test_what_it_writes_in_the_worktree_and_its_scratch_folder_is_there(jail):
    assert await jail.run('echo made > made; echo tmp > "$TMPDIR/made"') == (0, "")

    assert (jail.worktree / "made").read_text() == "made\n"
    assert (jail.scratch / "made").read_text() == "tmp\n"


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="no memory is shared by name here")
async def test_a_session_and_its_repository_in_shared_memory_work_and_what_else_is_there_is_not_seen(backend):
    folder = Path(tempfile.mkdtemp(prefix="agentos-cage-", dir="/dev/shm"))
    try:
        one = Jail(folder / "mine", backend)
        repository = folder / "repository"
        repository.mkdir()
        (repository / "read me").write_text("read\n")
        one.place = dataclasses.replace(one.place, repository=str(repository))
        try:
            assert await one.run(f"echo made > made; cat '{repository}/read me'; touch {repository}/no") == (
                1,
                f"read\ntouch: cannot touch '{repository}/no': Read-only file system\n",
            )
            assert await one.run(f"cat {one.outside}/kept") == (
                1,
                f"cat: {one.outside}/kept: No such file or directory\n",
            )
            assert await one.run(f"ls -m {folder} {one.folder}/state") == (
                0,
                f"{folder}:\nmine, repository\n\n{one.folder}/state:\nscratch, worktrees\n",
            )
        finally:
            assert await one.processes.stop_all() == 0
        assert (one.worktree / "made").read_text() == "made\n"
        assert list(repository.iterdir()) == [repository / "read me"]
    finally:
        shutil.rmtree(folder)


async def test_devices_cannot_be_added_or_replaced(jail):
    for line in ("echo x > /dev/canary", "ln -sf /dev/zero /dev/stdin", "rm /dev/fd"):
        code, printed = await jail.run(line)
        assert (code, "Read-only file system" in printed) == (1, True), printed
    assert await jail.run("echo x > /dev/shm/mine && cat /dev/shm/mine") == (0, "x\n")


@pytest.mark.skipif(not (landlock.abi() and Path("/dev/shm").is_dir()), reason="neither Landlock nor shared memory")
async def test_where_landlock_is_alone_what_the_person_has_in_shared_memory_is_held_too():
    folder = Path(tempfile.mkdtemp(prefix="agentos-alone-", dir="/dev/shm"))
    try:
        one = Jail(folder, backends.LandlockAlone())
        try:
            assert await one.run("echo made > made; cat made") == (0, "made\n")
            for line in (f"echo x > {one.outside}/kept", f"cat {one.home}/.ssh/key", f"touch {folder}/new"):
                code, printed = await one.run(line)
                assert (code, "Permission denied" in printed) == (1, True), printed
        finally:
            assert await one.processes.stop_all() == 0
        assert (one.outside / "kept").read_text() == "kept\n"
    finally:
        shutil.rmtree(folder)


@pytest.mark.skipif(not (landlock.abi() and Path("/dev/shm").is_dir()), reason="neither Landlock nor shared memory")
def test_where_landlock_is_alone_something_hidden_in_shared_memory_closes_it():
    hidden = Path(tempfile.mkdtemp(prefix="agentos-hidden-", dir="/dev/shm"))
    home = Path(tempfile.mkdtemp(prefix="agentos-home-", dir="/var/tmp"))
    try:
        place = plan.Place(str(home), str(home), str(home / "state"), str(home))
        for paths, opens in (((), True), ((str(hidden),), False)):
            wish = backends.LandlockAlone().cage(dataclasses.replace(place, hidden=paths)).wish
            assert ("/dev/shm" in wish["landlock"]["writable"]) == opens
    finally:
        hidden.rmdir()
        shutil.rmtree(home)


async def test_temporary_files_are_kept_between_commands_and_seen_by_nobody_else(jail):
    name = f"agentos-canary-{os.getpid()}"
    assert await jail.run(f"echo kept > /tmp/{name}") == (0, "")

    assert await jail.run(f"cat /tmp/{name}") == (0, "kept\n")
    assert not Path(f"/tmp/{name}").exists()


async def test_a_server_on_its_own_loopback_can_be_reached(jail):
    code = """
import socket
with socket.create_server(("127.0.0.1", 0)) as server:
    with socket.create_connection(server.getsockname()):
        print("reached")
"""
    assert await jail.python(code) == (0, "reached\n")


async def test_a_daemon_with_its_environment_wiped_ends_with_its_command(jail):
    line = (
        "(env -i setsid sh -c 'echo up > UP; exec sleep 1000' >/dev/null 2>&1 &); until [ -s UP ]; do sleep 0.01; done"
    )

    assert (await jail.finish(line)).survivors == 0

    assert await jail.run("pgrep -c sleep") == (1, "0\n")


async def test_all_ends_with_the_session(jail):
    await jail.processes.start(
        jail.cleared("(setsid sleep 1000 &); echo up; sleep 1000"),
        "server",
        jail.environment,
        output_limit_bytes=1000,
        spool=str(jail.folder / "spool" / "server"),
    )
    while b"up" not in jail.processes.output("server"):
        await asyncio.sleep(0.01)
    mark = jail.processes._mark
    assert is_there(mark)

    assert await jail.processes.stop_all() == 0

    assert not is_there(mark)


async def test_all_ends_when_the_keeper_is_killed_and_the_next_command_gets_a_new_cage(jail):
    async with asyncio.TaskGroup() as group:
        run = group.create_task(jail.finish("(setsid sleep 1000 &); touch UP; sleep 1000"))
        while not (jail.worktree / "UP").exists():
            await asyncio.sleep(0.01)
        signal.pidfd_send_signal(jail.processes._link._first, signal.SIGKILL)

    assert (run.result().exit_code, run.result().signal, run.result().survivors) == (None, None, 0)
    assert not is_there(jail.processes._mark)
    assert await jail.run("exit 6") == (6, "")


async def test_a_command_cannot_end_or_stop_its_keeper(jail):
    assert await jail.run("kill -9 1; kill -STOP 1; kill -9 $PPID; kill -ABRT 1; true") == (0, "")
    first = jail.processes._link._first
    assert await jail.run("echo still here") == (0, "still here\n")
    assert jail.processes._link._first == first


async def test_a_time_limit_ends_a_tree_that_forks_all_the_time(jail):
    finished = await jail.finish("hop() { sleep 0.001; hop & }; hop & hop & hop & sleep 1000", seconds=0.5)

    assert (finished.ended_by, finished.survivors) == ("time limit", 0)
    assert await jail.run("pgrep -c sleep") == (1, "0\n")


async def test_a_cage_that_cannot_be_made_starts_nothing(jail):
    wish = {**jail.processes._cage().wish, "namespaces": True, "user": True, "steps": [["no such step", "/", "", 0]]}
    processes = commands.Processes("broken", cage=lambda: backends.Cage((), wish, sealed=True))

    with pytest.raises(EffectError, match="confine"):
        await processes.run(
            jail.cleared("touch STARTED"),
            jail.environment,
            timeout=timedelta(seconds=10),
            output_limit_bytes=1000,
            on_output=lambda piece: None,
            spool=str(jail.folder / "spool" / "broken"),
        )

    assert not (jail.worktree / "STARTED").exists()


async def test_a_refusal_starts_nothing_and_is_told(jail):
    def refuse():
        raise UserError("It cannot be confined.", "Mend it.")

    processes = commands.Processes("refused", cage=refuse)
    with pytest.raises(UserError, match="cannot be confined"):
        await processes.open()


async def test_who_is_cancelled_while_a_cage_is_made_waits_for_its_folders(tmp_path):
    begun, go_on = threading.Event(), threading.Event()

    def make():
        begun.set()
        go_on.wait()
        (tmp_path / "made").mkdir()
        raise UserError("It cannot be confined.", "Mend it.")

    processes = commands.Processes("cancelled", cage=make)
    opening = asyncio.get_running_loop().create_task(processes.open())
    await asyncio.to_thread(begun.wait)
    opening.cancel()
    await asyncio.sleep(0)
    assert not opening.done()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await opening
    assert (tmp_path / "made").is_dir()


async def test_what_vanishes_while_a_cage_is_made_is_not_missed(tmp_path, backend):
    one = Jail(tmp_path, backend)
    (one.home / "shown").write_text("now\n")
    (one.home / "folder").mkdir()
    (one.home / "notes").write_text("hidden\n")
    made = backend.cage(one.place)
    for path in (one.home / "shown", one.home / "notes"):
        path.unlink()
    (one.home / "folder").rmdir()
    one.processes = commands.Processes("vanishing", cage=lambda: made)
    try:
        assert await one.run(f"ls -A {one.home}; cat {one.home}/.ssh/key 2>&1 | wc -l") == (0, ".cache\n.npm\n1\n")
    finally:
        await one.processes.stop_all()
