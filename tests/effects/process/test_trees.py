"""Nothing of a command's tree outlives it: not at its end, the time limit, a stop, a cancel, nor the server's death."""

# A test may look at small files, and waits for what another process does.
# ruff: noqa: ASYNC110, ASYNC240

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest

from agentos_lsp.domain.errors import EffectError
from agentos_lsp.effects.process import cgroups, commands, environment, link
from tests.effects.process.conftest import is_alive

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="whole trees can be found on Linux only")

DAEMONS = {
    "a background job": "sleep 1000 & echo $! > PID",
    "a job that ignores signals": "(trap '' HUP INT TERM; sleep 1000) & echo $! > PID",
    "a session of its own": "setsid sh -c 'echo $$ > PID; exec sleep 1000' &",
    "a double fork": "(setsid sh -c 'sleep 1000 & echo $! > PID' &)",
    "a daemon without output": "(setsid sh -c 'echo $$ > PID; exec sleep 1000' >/dev/null 2>&1 </dev/null &)",
    "a daemon with its environment wiped": "(env -i setsid sh -c 'echo $$ > PID; exec sleep 1000' >/dev/null 2>&1 &)",
    "a stopped process": "sleep 1000 & echo $! > PID; kill -STOP $!",
    "a subreaper of its own": (
        "setsid python3 -c 'import ctypes,os,time; ctypes.CDLL(None).prctl(36,1,0,0,0); os.fork() or os.setsid();"
        ' open("PID","w").write(str(os.getpid())); time.sleep(1000)\' &'
    ),
}  # fmt: skip
WAIT = " while [ ! -s PID ]; do sleep 0.01; done;"


@pytest.fixture(params=list(DAEMONS))
def daemon(request):
    return DAEMONS[request.param] + ("" if DAEMONS[request.param].endswith("&") else ";") + WAIT


async def test_a_daemon_ends_with_its_command(bench, daemon):
    finished = await bench.run(daemon)

    assert (finished.exit_code, finished.ended_by, finished.survivors) == (0, "itself", 0)
    assert not is_alive(bench.pid_from("PID"))


async def test_a_daemon_ends_at_the_time_limit(bench, daemon):
    async with asyncio.TaskGroup() as group:
        # One of them is a Python, which a loaded machine does not start within a moment.
        seconds = 3 if "python3" in daemon else 0.3
        run = group.create_task(bench.run(daemon + " sleep 1000", seconds=seconds))

    finished = run.result()
    assert (finished.exit_code, finished.signal, finished.ended_by, finished.survivors) == (None, 9, "time limit", 0)
    assert not is_alive(bench.pid_from("PID"))


async def test_a_daemon_ends_when_its_command_is_cancelled(bench, daemon):
    run = asyncio.ensure_future(bench.run(daemon + " sleep 1000"))
    pid = await asyncio.to_thread(bench.pid_from, "PID")

    run.cancel()

    with pytest.raises(asyncio.CancelledError):
        await run
    assert not is_alive(pid)


async def test_a_daemon_ends_when_its_call_is_stopped(bench, daemon):
    line = daemon + " sleep 1000"
    async with asyncio.TaskGroup() as group:
        run = group.create_task(bench.run(line))
        pid = await asyncio.to_thread(bench.pid_from, "PID")
        while not await bench.processes.stop_call(line):
            await asyncio.sleep(0.01)  # the command may be quicker than the word that it was started

    assert (run.result().ended_by, run.result().stopped, run.result().survivors) == ("stop", True, 0)
    assert not is_alive(pid)


async def test_a_daemon_ends_with_the_session(bench, daemon):
    async with asyncio.TaskGroup() as group:
        run = group.create_task(bench.run(daemon + " sleep 1000"))
        pid = await asyncio.to_thread(bench.pid_from, "PID")
        assert await bench.processes.stop_all() == 0
        assert await bench.processes.stop_all() == 0

    assert run.result().ended_by == "shutdown"
    assert not is_alive(pid)


async def test_ending_one_command_spares_the_others(bench):
    server = await bench.start("(setsid sh -c 'echo $$ > SERVER; exec sleep 1000' &); echo up; sleep 1000", "server")
    pid = await asyncio.to_thread(bench.pid_from, "SERVER")

    finished = await bench.run("(setsid sh -c 'echo $$ > PID; exec sleep 1000' &);" + WAIT)

    assert finished.survivors == 0
    assert not is_alive(bench.pid_from("PID"))
    assert is_alive(pid)
    assert server.alive


async def test_a_tree_that_forks_all_the_time_is_ended(bench):
    bomb = "hop() { :> LIFE; sleep 0.001; hop & }; hop & hop & hop & sleep 1000"

    finished = await bench.run(bomb, seconds=0.3)

    assert (finished.ended_by, finished.survivors) == ("time limit", 0)
    left = [pid for pid in _pids() if _is_in(pid, bench.folder)]
    assert left == []


HOPPER = """
import os
for _ in range(4):
    if not os.fork():
        while True:
            os.setsid() if os.getpid() != os.getsid(0) else None
            if os.fork():
                os._exit(0)
"""


async def test_a_tree_that_hops_from_process_to_process_is_ended(bench):
    (bench.folder / "hop.py").write_text(HOPPER)

    finished = await bench.run(f"env -i {sys.executable} -I -S hop.py & sleep 1000", seconds=0.5)

    assert (finished.ended_by, finished.survivors) == ("time limit", 0)
    assert [pid for pid in _pids() if _is_in(pid, bench.folder)] == []


async def test_no_zombie_is_left_behind(bench):
    await bench.run("for i in $(seq 20); do (setsid true &); done; sleep 0.05")

    keeper = bench.processes._link._process.pid
    children = [pid for pid in _pids() if _parent(pid) == keeper]
    assert children == []


async def test_the_keeper_and_its_groups_go_with_the_session(bench):
    await bench.run("true")
    keeper, group = bench.processes._link._process.pid, bench.processes._link._group

    await bench.processes.stop_all()

    assert not is_alive(keeper)
    assert group is None or not Path(group).exists()


async def test_a_command_after_the_end_of_all_runs(bench):
    await bench.run("true")
    await bench.processes.stop_all()

    assert (await bench.run("exit 5")).exit_code == 5


async def test_a_keeper_that_is_killed_takes_its_commands_with_it_and_is_replaced(bench):
    async with asyncio.TaskGroup() as group:
        run = group.create_task(bench.run("setsid sleep 1000 & echo $! > PID; sleep 1000"))
        pid = await asyncio.to_thread(bench.pid_from, "PID")
        while not any(running.pid for running in bench.processes._running):
            await asyncio.sleep(0.002)  # the command may be quicker than the word that it was started
        os.kill(bench.processes._link._process.pid, signal.SIGKILL)

    finished = run.result()
    assert (finished.exit_code, finished.signal, finished.survivors) == (None, None, 0)
    assert not is_alive(pid)
    assert (await bench.run("exit 6")).exit_code == 6


@pytest.mark.parametrize("delay", ["", "sleep 0.1;"])
async def test_a_command_that_kills_its_own_keeper_does_not_outlive_it(bench, delay):
    with contextlib.suppress(EffectError):
        finished = await bench.run(f"{delay} kill -9 $PPID; (setsid sleep 1000 &); exec sleep 1000", seconds=10)
        assert (finished.exit_code, finished.signal, finished.ended_by) == (None, None, "itself")
    assert [pid for pid in _pids() if _is_in(pid, bench.folder)] == []


async def test_a_keeper_that_is_stopped_is_replaced_and_its_commands_end(bench, monkeypatch):
    await bench.processes.open()
    monkeypatch.setattr(link, "_ANSWER_S", 0.5)

    line = "while [ ! -e GO ]; do sleep 0.01; done; kill -STOP $PPID; (setsid sleep 1000 &); exec sleep 1000"
    async with asyncio.TaskGroup() as group:
        run = group.create_task(bench.run(line, seconds=1))
        while not any(running.pid for running in bench.processes._running):
            await asyncio.sleep(0.01)
        (bench.folder / "GO").touch()
    finished = run.result()

    assert (finished.exit_code, finished.signal, finished.survivors) == (None, None, 0)
    assert [pid for pid in _pids() if _is_in(pid, bench.folder)] == []
    monkeypatch.undo()
    assert (await bench.run("exit 6")).exit_code == 6


@pytest.mark.parametrize("hold", ["groups", "descent"])
def test_nothing_survives_when_the_server_is_killed(tmp_path, hold):
    driver = tmp_path / "driver.py"
    driver.write_text(DRIVER)
    root = str(Path(commands.__file__).parents[3])
    server = subprocess.Popen(
        [sys.executable, str(driver), str(tmp_path), hold], env={**os.environ, "PYTHONPATH": root}
    )
    names = ("FRONT", "BACK", "DAEMON", "WIPED", "keeper.pid")
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and not all(_filled(tmp_path / name) for name in names):
        assert server.poll() is None
        time.sleep(0.005)
    pids = {name: int((tmp_path / name).read_text()) for name in names}
    assert {name: is_alive(pid) for name, pid in pids.items()} == dict.fromkeys(names, True)

    server.kill()
    server.wait()

    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and any(is_alive(pid) for pid in pids.values()):
        time.sleep(0.002)
    assert {name: is_alive(pid) for name, pid in pids.items()} == dict.fromkeys(names, False)


def test_the_groups_of_a_keeper_that_died_are_removed(tmp_path):
    dead = subprocess.Popen(["true"])
    dead.wait()
    for name in (f"agentos-{dead.pid}/keeper", f"agentos-{os.getpid()}/keeper", "agentos-mine", "other"):
        (tmp_path / name).mkdir(parents=True)

    cgroups.remove_abandoned(str(tmp_path))

    assert sorted(entry.name for entry in tmp_path.iterdir()) == sorted(
        [f"agentos-{os.getpid()}", "agentos-mine", "other"]
    )


async def test_a_keeper_that_cannot_start_is_an_error_with_words(tmp_path):
    processes = commands.Processes("nobody", wrapper=("/nonexistent/sandbox",))

    with pytest.raises(EffectError, match="keeper"):
        await processes.open()


async def test_a_wrapper_that_refuses_is_an_error_with_words(tmp_path):
    processes = commands.Processes("nobody", wrapper=("/bin/false",))

    with pytest.raises(EffectError, match="keeper"):
        await processes.open()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
@pytest.mark.parametrize("hold", ["groups", "descent"])
def test_an_ordinary_user_is_served_too(tmp_path, hold):
    """The keeper falls back to descent where the user may not make cgroups."""
    python = next((one for one in (sys.executable, "/usr/bin/python3") if _is_reachable(Path(one))), None)
    if python is None or not _is_reachable(Path(commands.__file__)):
        pytest.skip("every interpreter, or the package, is in a folder that others may not enter")
    driver = Path("/tmp") / f"agentos-user-{os.getpid()}-{hold}"
    driver.mkdir(mode=0o777)
    driver.chmod(0o777)
    (driver / "driver.py").write_text(USER_DRIVER)
    try:
        done = subprocess.run(
            [python, str(driver / "driver.py"), str(driver), hold],
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(Path(commands.__file__).parents[3]),
                "PYTHONDONTWRITEBYTECODE": "1",
            },
            user=65534,
            group=65534,
            extra_groups=[],
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
        assert (done.stdout.split(), done.stderr) == (["0", "itself", "0"], "")
        assert not is_alive(int((driver / "PID").read_text()))
    finally:
        subprocess.run(["rm", "-rf", str(driver)], check=True)


async def test_the_environment_names_the_session_of_a_process(bench):
    finished = await bench.run("printf %s $AGENTOS_MARK")

    assert Path(finished.output).read_text() == f"{bench.mark}:1"
    assert "AGENTOS_MARK" not in environment.scrubbed(os.environ, scratch="/scratch")


async def test_a_stop_that_is_polite_lets_a_command_end_itself(bench):
    running = await bench.start("trap 'echo bye; exit 7' TERM; echo up; while :; do sleep 0.01; done", "server")
    while b"up" not in bench.processes.output("server"):
        await asyncio.sleep(0.01)

    finished = await bench.processes.stop("server", timedelta(seconds=10))

    assert (finished.exit_code, finished.ended_by) == (7, "stop")
    assert bench.processes.output("server").endswith(b"bye\n")
    assert await running.wait() == finished


def _filled(file):
    return file.exists() and file.read_text().endswith("\n")


def _pids():
    return [entry.name for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _is_in(pid, folder):
    try:
        return str(Path(f"/proc/{pid}/cwd").readlink()) == str(folder)
    except OSError:
        return False


def _parent(pid):
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def _is_reachable(path):
    return path.exists() and all(folder.stat().st_mode & 0o005 == 0o005 for folder in path.resolve().parents)


DRIVER = """
import asyncio, os, sys
from datetime import timedelta
from agentos_lsp.domain.approval import Cleared
from agentos_lsp.effects.process import commands, environment

folder, hold = sys.argv[1:]

async def main():
    env = environment.scrubbed(os.environ, scratch=folder)
    processes = commands.Processes(f"killed-{os.getpid()}", hold=hold)
    await processes.open()
    with open(f"{folder}/keeper.pid", "w") as file:
        file.write(f"{processes._link._process.pid}\\n")
    back = Cleared("back", "trap '' TERM; echo $$ > BACK; sleep 1000; :", folder, "test")
    await processes.start(back, "back", env, output_limit_bytes=1000, spool=f"{folder}/spool-back")
    front = (
        "setsid sh -c 'echo $$ > DAEMON; exec sleep 1000' & (env -i setsid sh -c 'echo $$ > WIPED; exec sleep 1000' &);"
        " echo $$ > FRONT; sleep 1000; :"
    )
    await processes.run(Cleared("front", front, folder, "test"), env, timeout=timedelta(seconds=500),
        output_limit_bytes=1000, on_output=lambda piece: None, spool=f"{folder}/spool-front")

asyncio.run(main())
"""

USER_DRIVER = """
import asyncio, os, sys
from datetime import timedelta
from agentos_lsp.domain.approval import Cleared
from agentos_lsp.effects.process import commands, environment

folder, hold = sys.argv[1:]

async def main():
    env = environment.scrubbed(os.environ, scratch=folder)
    processes = commands.Processes(f"user-{os.getpid()}", hold=hold)
    daemon = "(env -i setsid sh -c 'echo $$ > PID; exec sleep 1000' >/dev/null 2>&1 &);"
    line = daemon + " while [ ! -s PID ]; do sleep 0.01; done"
    finished = await processes.run(Cleared("one", line, folder, "test"), env, timeout=timedelta(seconds=20),
        output_limit_bytes=1000, on_output=lambda piece: None, spool=f"{folder}/spool")
    await processes.stop_all()
    print(finished.exit_code, finished.ended_by, finished.survivors)

asyncio.run(main())
"""
