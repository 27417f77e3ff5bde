"""The demo as a stranger takes it: the whole surface, and nothing written, started or dialled."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from agentos_lsp.cli.editor import Editor

# What a process says to the interpreter's audit hooks before it does it. The hook is set before anything of ours is
# loaded, cannot be taken away, and tells at the end what it saw: `W` for each.
WATCHED = """
import os, sys
SEEN = []
CHANGES = {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.symlink", "os.truncate", "os.chmod",
    "os.chown", "os.utime", "os.mkfifo", "os.mknod", "os.setxattr", "os.removexattr", "shutil.rmtree", "shutil.move",
    "tempfile.mkstemp", "tempfile.mkdtemp", "sqlite3.connect"}
STARTS = {"subprocess.Popen", "os.system", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn",
    "pty.spawn"}
DIALS = {"socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo",
    "socket.gethostbyname", "urllib.Request", "http.client.connect"}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
def hook(event, arguments):
    if event == "open":
        path, mode, flags = arguments
        if isinstance(path, int):
            return
        if (isinstance(mode, str) and set(mode) & set("wax+")) or (isinstance(flags, int) and flags & WRITING):
            SEEN.append(f"{event} {path!r} {mode!r}")
    elif event in CHANGES | STARTS | DIALS:
        SEEN.append(f"{event} {arguments!r}")
sys.addaudithook(hook)
import atexit
atexit.register(lambda: print("".join(f"SEEN {one}\\n" for one in SEEN) + "WATCHED", file=sys.__stderr__, flush=True))
from agentos_lsp import __main__
sys.exit(__main__.main(sys.argv[1:]))
"""


class Watched(Editor):
    """An editor on a server that tells what it did to the machine."""

    def __init__(self, tmp_path: Path, folder: Path, *words: str) -> None:
        environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
        super().__init__(folder, tmp_path / "state", tmp_path / "log", environment)
        self._command = [sys.executable, "-B", "-c", WATCHED, *words]
        self.complaint = ""

    async def _connect(self):
        process = self._process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=dict(self._environment),
            limit=1 << 20,
        )
        self._said = self._group.create_task(process.stderr.read())
        return process.stdout, process.stdin

    async def _await_end(self):
        await super()._await_end()
        self.complaint = (await self._said).decode()

    @property
    def seen(self) -> list[str]:
        rows = self.complaint.splitlines()
        assert "WATCHED" in rows, self.complaint
        return [row for row in rows if row.startswith("SEEN ")]


async def event(editor, kind):
    while True:
        async with asyncio.timeout(50):
            found = await editor.events.get()
        assert found["type"] != "failure.recorded", found
        if found["type"] == kind:
            return found


async def approve(editor, session):
    asked = await event(editor, "approval.requested")
    given = {"approval": asked["approval"], "digest": asked["digest"], "outcome": "approved"}
    await editor.command("agentos.approval.decide", session=session, **given)
    return asked["line"]


async def test_a_whole_session_writes_no_file_starts_no_process_and_dials_nothing(tmp_path):
    folder = tmp_path / "workspace"
    folder.mkdir()
    editor = Watched(tmp_path, folder, "--demo", "--pace", "0", "--stdio")
    async with editor:
        started = await editor.command("agentos.session.start", task="Mend the calculator")
        session = started["session"]
        assert await approve(editor, session) == "python3 -m unittest -q"
        assert await approve(editor, session) == "python3 -m unittest -q"
        refused = await event(editor, "tool_call.refused")
        assert refused["why"] == "blocked"
        await event(editor, "turn.finished")
        assert "+    return one + two" in await editor.content(f"agentos://{session}/changes.diff")
        for page in (f"agentos://{session}/session.md", f"agentos://{session}/trace.md", "agentos://sessions.md"):
            assert (await editor.content(page)).startswith("> Simulated: ")
        found = await editor.command("agentos.provider.diagnose")
        assert [one["standing"] for one in found["providers"]] == ["ok", "wrong", "wrong"]
        assert (await editor.content("agentos://providers.md")).startswith("> Simulated: ")
        changed = await editor.command("agentos.session.files", session=session)
        assert [one["path"] for one in changed["files"]] == ["calculator.py"]
        before, after = [await editor.content(changed["files"][0][side]) for side in ("base", "file")]
        assert ("one - two" in before, "one + two" in after) == (True, True)
        merged = await editor.command("agentos.session.merge", session=session)
        assert merged["merged"]
        await event(editor, "worktree.removed")
        undone = await editor.command("agentos.session.undoMerge", session=session)
        assert undone["undone"], undone
    assert editor.seen == []
    assert list(folder.iterdir()) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["workspace"]


async def test_the_watch_sees_what_a_real_server_does(tmp_path):
    repository = tmp_path / "repository"
    repository.mkdir()
    (repository / "a.txt").write_text("one\n")
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "first"]):
        await asyncio.to_thread(subprocess.run, ["git", *words], cwd=repository, check=True)
    script = tmp_path / "script.json"
    script.write_text(json.dumps({"turns": [{"steps": [{"run": "ls"}]}]}))
    editor = Watched(tmp_path, repository, "--state", str(tmp_path / "state"), "--stdio")
    async with editor:
        await editor.command("agentos.session.start", task="Look", script=str(script))
        await event(editor, "turn.finished")
    seen = " ".join(editor.seen)
    assert "sqlite3.connect" in seen
    assert "subprocess.Popen" in seen or "os.posix_spawn" in seen or "os.fork" in seen
    assert "open '" in seen


@pytest.mark.parametrize("words", [["demo", "--yes", "--pace", "0"]])
def test_the_demo_in_a_terminal_shows_everything_and_touches_nothing(words):
    done = subprocess.run(
        [sys.executable, "-B", "-c", WATCHED, *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert (done.returncode, done.stderr) == (0, "WATCHED\n")
    shown = [
        "Simulated: ",
        "## played [ok]",
        "## router [wrong]",
        "approved without asking",
        "reviewed: python3 -m unittest -q",
        " allowed: git status --short",
        " blocked: rm -rf ",
        "+    return one + two",
        "agentos.session.merge",
    ]
    assert [text for text in shown if text not in done.stdout] == []


def test_the_demo_of_an_editor_needs_its_server():
    done = subprocess.run([sys.executable, "-m", "agentos_lsp", "--demo"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "--demo goes with --stdio" in done.stderr
