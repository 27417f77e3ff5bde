"""Real forwarders and real daemons: started once, shared, found again after a crash, stopped, and safe places."""

import asyncio
import itertools
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from agentos_lsp import __version__
from agentos_lsp.__main__ import main
from agentos_lsp.cli import address, daemon, forward
from agentos_lsp.domain.errors import UserError
from tests.daemon import support
from tests.runtime.support import House, is_alive
from tests.server.support import ROOT

FORWARDERS = 10


def run(*words, **environment):
    done = subprocess.run(
        [sys.executable, "-m", "agentos_lsp", *words],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=support.TIMEOUT_S * 2,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    return done.returncode, done.stdout + done.stderr


async def gone(pid):
    async with asyncio.timeout(support.TIMEOUT_S):
        while is_alive(pid):  # noqa: ASYNC110 - it is nobody's child: no end can be waited for
            await asyncio.sleep(0.01)


async def test_ten_forwarders_at_once_share_one_daemon_and_find_another_when_it_was_killed(tmp_path, short, capsys):
    house = House(tmp_path)
    with support.ending(house.state):
        # Editors that were started in different ways share it all the same.
        folders = itertools.cycle([os.environ["XDG_RUNTIME_DIR"], str(short)])
        environments = [{"XDG_RUNTIME_DIR": next(folders)} for _ in range(FORWARDERS)]
        editors = [support.Forwarder(house.root, house.state, environment) for environment in environments]
        await asyncio.gather(*(one.__aenter__() for one in editors))
        first = support.process_of(house.state)
        told = support.asked(house.state, "status")
        assert f"editors  {FORWARDERS}\n" in told
        where = address.Address(str(house.state), os.environ)
        assert support.text(where.log).count(" listens on ") == 1

        # One leaves as editors do, one by closing its streams, and the others see the daemon die.
        await editors[0].ask("shutdown", None)
        await editors[0].notify("exit", None)
        assert await editors[0].process.wait() == 0
        editors[1].process.stdin.close()
        assert await editors[1].process.wait() == 1
        os.kill(first, signal.SIGKILL)
        async with asyncio.timeout(support.TIMEOUT_S):
            assert [await one.process.wait() for one in editors[2:]] == [1] * (FORWARDERS - 2)
        for one in editors:
            await one.__aexit__(None, None, None)

        # Its socket is still there; nobody listens.
        assert forward.dial(where.socket) is None
        assert address.is_our_socket(where.socket)
        async with support.Forwarder(house.root, house.state) as again:
            assert (await again.command("agentos.session.list"))["sessions"] == []
            assert support.process_of(house.state) != first

        def terminal(action):
            return main(["--state", str(house.state), "daemon", action]), capsys.readouterr().out

        second = support.process_of(house.state)
        code, told = terminal("status")
        assert (code, told.splitlines()[0]) == (0, f"agentos-lsp {__version__}, process {second}")
        code, told = terminal("stop")
        assert (code, told.startswith(f"The daemon ends (process {second}).")) == (0, True)
        await gone(second)
        code, told = terminal("status")
        assert (code, told.startswith("No daemon of agentos-lsp ")) == (1, True)
        code, told = terminal("log")
        assert (code, told.splitlines()[0], told.count(" listens on ")) == (0, where.log, 2)


def test_a_daemon_that_does_not_answer_keeps_no_other_from_being_named(tmp_path, monkeypatch, capsys):
    for name in ("0", "1"):
        (tmp_path / f"daemon-{name}.at").symlink_to(f"/nowhere/{name}.sock")

    def asked(path, _kind, _where):
        if path == "/nowhere/0.sock":
            raise forward.UnreachableError("the daemon broke its answer off.")
        return "agentos-lsp 1, process 1\n"

    monkeypatch.setattr(daemon, "_ask", asked)
    assert main(["--state", str(tmp_path), "daemon", "status"]) == 1
    told = capsys.readouterr().out.splitlines()
    assert told[:2] == ["/nowhere/0.sock: the daemon broke its answer off.", "agentos-lsp 1, process 1"]


async def test_an_older_daemon_is_named_and_never_ended_and_followed_when_it_ends(tmp_path):
    # The older version is a copy of this one with another number: a daemon is named by both.
    older = tmp_path / "older"
    shutil.copytree(ROOT / "agentos_lsp", older / "agentos_lsp", ignore=shutil.ignore_patterns("__pycache__"))
    file = older / "agentos_lsp" / "__init__.py"
    file.write_text(file.read_text("utf-8").replace(f'"{__version__}"', '"0.0.9"'), "utf-8")
    environment = {"PYTHONPATH": str(older), "PYTHONSAFEPATH": "1"}
    house = House(tmp_path / "house")
    with support.ending(house.state):
        editor = support.Forwarder(house.root, house.state, environment)
        async with editor:
            started = await editor.command(
                "agentos.session.start", task="Mend it", script=house.script([{"run": "touch made.txt"}])
            )
            while (await editor.command("agentos.session.show", session=started["session"]))["status"] != "waiting":
                await editor.events.get()
        try:
            async with support.Forwarder(house.root, house.state) as newer:
                told = run("--state", str(house.state), "daemon", "status")[1]
                assert re.findall(r"^agentos-lsp (\S+), process", told, re.MULTILINE) in (
                    [["0.0.9", __version__], [__version__, "0.0.9"]]
                )
                (row,) = (await newer.command("agentos.session.list"))["sessions"]
                assert (row["session"], row["status"]) == (started["session"], "waiting")
                with pytest.raises(UserError, match="not one that this server runs"):
                    await newer.command("agentos.session.stop", session=started["session"])
                code, told = run("--state", str(house.state), "daemon", "stop", "--now", **environment)
                assert (code, "They are interrupted" in told) == (0, True), told
                await newer.command("agentos.session.resume", session=started["session"])
                shown = await newer.command("agentos.session.show", session=started["session"])
                while not shown["approvals"]:
                    await newer.events.get()
                    shown = await newer.command("agentos.session.show", session=started["session"])
                assert [one["line"] for one in shown["approvals"]] == ["touch made.txt"]
        finally:
            run("--state", str(house.state), "daemon", "stop", "--now", **environment)


async def test_a_daemon_outlives_its_editor_and_inherits_none_of_its_streams(tmp_path):
    house = House(tmp_path)
    with support.ending(house.state):
        async with support.Forwarder(house.root, house.state) as editor:
            pid = support.process_of(house.state)
            streams = support.open_files(editor.process.pid)
        held = support.open_files(pid)
        assert [one for one in held & streams if one.startswith(("pipe:", "/dev/pts"))] == []
        assert os.getsid(pid) not in {os.getsid(0), os.getpid()}
        assert support.link(f"/proc/{pid}/cwd") == "/"


def test_a_daemon_that_cannot_start_says_why(tmp_path):
    state = tmp_path / "state"
    state.mkdir()
    (state / "events.db").write_text("this is no database", encoding="utf-8")
    code, told = run("--state", str(state))
    assert code == 1
    assert told.startswith("agentos-lsp: the daemon did not start; it said:\n")
    assert "Its log: " in told


def test_a_state_folder_that_is_a_file_is_refused_with_its_name(tmp_path):
    (tmp_path / "state").write_text("", encoding="utf-8")
    code, told = run("--state", str(tmp_path / "state"))
    assert (code, told) == (1, f"agentos-lsp: {tmp_path}/state cannot be used: File exists\n")


def test_a_log_file_without_stdio_is_refused():
    code, told = run("--log", "x")
    assert code == 2
    assert "--log goes with --stdio" in told


# Safe places


@pytest.fixture
def short():
    """A folder whose path leaves room for a socket's name, which one that is named by a test may not."""
    with tempfile.TemporaryDirectory(dir=os.environ["XDG_RUNTIME_DIR"]) as name:
        yield Path(name)


@pytest.fixture
def where(short):
    return address.Address(str(short / "state"), {"XDG_RUNTIME_DIR": str(short)})


def test_a_folder_that_others_can_enter_is_refused(where):
    os.mkdir(where.folder, 0o755)  # noqa: PTH102 - as the code does
    os.chmod(where.folder, 0o755)  # noqa: PTH101 - whatever the umask is
    with pytest.raises(address.UnsafeError, match="mode 0700"):
        address.make_private(where.folder)


def test_a_folder_that_is_a_link_is_refused(where, short):
    (short / "elsewhere").mkdir(mode=0o700)
    Path(where.folder).symlink_to(short / "elsewhere")
    with pytest.raises(address.UnsafeError, match="mode 0700"):
        address.make_private(where.folder)


def test_only_a_socket_is_dialled(where):
    address.make_private(where.folder)
    assert forward.dial(where.socket) is None
    Path(where.socket).write_text("", encoding="utf-8")
    with pytest.raises(address.UnsafeError, match="is not a socket of yours; remove it"):
        forward.dial(where.socket)


def test_a_socket_on_which_nobody_listens_is_no_daemon(where):
    address.make_private(where.folder)
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(where.socket)
    assert forward.dial(where.socket) is None


def test_the_folder_is_the_first_that_is_ours_alone_and_short_enough(short):
    state = str(short / "s")
    ours, open_to_all = short / "ours", short / "open"
    ours.mkdir(mode=0o700)
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    system = f"/run/user/{os.geteuid()}"
    fallback = f"{system}/agentos" if address._is_private(system) else f"{state}/run"
    assert address.Address(state, {"XDG_RUNTIME_DIR": str(ours)}).folder == f"{ours}/agentos"
    for base in (str(open_to_all), "relative", "", str(short / "missing"), str(short / ("x" * 100))):
        assert address.Address(state, {"XDG_RUNTIME_DIR": base}).folder == fallback
    if fallback.startswith(state):
        far = address.Address(f"{state}/{'y' * 90}", {})
        assert far.folder == f"/tmp/agentos-{os.geteuid()}"


def test_a_daemon_is_named_by_version_python_package_and_state_folder(tmp_path, monkeypatch):
    state = str(tmp_path)
    keys = {address.Address(state, {}).key, address.Address(f"{state}/other", {}).key}
    monkeypatch.setattr(address, "__version__", "9.9.9")
    keys.add(address.Address(state, {}).key)
    monkeypatch.setattr(sys, "executable", "/another/python")
    keys.add(address.Address(state, {}).key)
    assert len(keys) == 4
    (tmp_path / "link").symlink_to(tmp_path)
    assert address.Address(f"{state}/link", {}).key == address.Address(state, {}).key
    # Source: FNV-1a test vectors, draft-eastlake-fnv, appendix C.
    assert [address._key(text) for text in ("", "a", "foobar")] == [
        "cbf29ce484222325",
        "af63dc4c8601ec8c",
        "85944171f73967e8",
    ]


# The forwarder


def test_the_forwarder_loads_no_more_than_it_needs():
    told = "import agentos_lsp.__main__, agentos_lsp.cli.forward, sys; print(*sys.modules)"
    loaded, bare = (
        set(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split())
        for code in (told, "import sys; print(*sys.modules)")
    )
    ours = {name for name in loaded - bare if name.startswith("agentos_lsp")}
    assert loaded - bare - ours <= {"_socket", "fcntl", "select", "time", "__future__"}
    assert ours == {
        "agentos_lsp",
        "agentos_lsp.__main__",
        "agentos_lsp.cli",
        "agentos_lsp.cli.address",
        "agentos_lsp.cli.forward",
        "agentos_lsp.domain",
        "agentos_lsp.domain.variables",
        "agentos_lsp.server",
        "agentos_lsp.server.handshake",
    }


@pytest.mark.parametrize(
    ("tail", "says"),
    [
        (b'{"jsonrpc":"2.0","method":"exit"}', True),
        (b'{"jsonrpc": "2.0", "method" : "exit", "params": null}', True),
        (b'{"method":"exit","jsonrpc":"2.0"}', True),
        (b'{"jsonrpc":"2.0","id":1,"method":"shutdown"}', False),
        (b"", False),
    ],
)
def test_an_exit_is_known_however_it_is_written(tail, says):
    assert forward.says_exit(tail) is says


async def test_an_editor_and_a_daemon_that_both_talk_before_they_listen_do_not_lock_each_other_out():
    ours, theirs = socket.socketpair()
    code = (
        "import _socket, sys; from agentos_lsp.cli import forward;"
        " sys.exit(forward.carry(_socket.socket(fileno=int(sys.argv[1]))))"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, str(theirs.fileno()),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, pass_fds=[theirs.fileno()], cwd=ROOT,
    )  # fmt: skip
    theirs.close()
    said, answered = os.urandom(4 << 20), os.urandom(4 << 20)
    reader, writer = await asyncio.open_connection(sock=ours)
    async with asyncio.timeout(support.TIMEOUT_S):
        writer.write(answered)
        process.stdin.write(said)
        # All that the editor says arrives, though it has read nothing of what the daemon says.
        assert await reader.readexactly(len(said)) == said
        assert await process.stdout.readexactly(len(answered)) == answered
        process.stdin.close()
        assert await reader.read() == b""
        await support.close(writer)
        assert await process.wait() == 1
