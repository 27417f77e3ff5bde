"""A real Helix in a terminal of its own, set up as docs/editors.md says: code actions carry a whole session."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
HELIX = ROOT / ".cache" / "helix" / "hx"

pytestmark = pytest.mark.timeout(300)

PATIENCE_S = 90.0
LINE = "python3 -c \"print('cleared in Helix')\""
STEPS = [
    {"run": LINE, "expect": "ok"},
    {"edit": {"path": "LICENSE", "old": "MIT License", "new": "MIT License (edited from Helix)"}, "expect": "ok"},
    {"commit": "Say who edited the licence", "expect": "ok"},
]
_ESCAPE = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b.")


class Terminal:
    """A program with a terminal; what it has drawn since the last keys can be read."""

    def __init__(self, command: list[str], folder: Path, environment: dict[str, str]) -> None:
        self._end, inside = pty.openpty()
        fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 140, 0, 0))
        self.process = subprocess.Popen(
            command, cwd=folder, env=environment, stdin=inside, stdout=inside, stderr=inside, start_new_session=True
        )
        os.close(inside)
        self.drawn = ""

    def press(self, keys: str) -> None:
        self._read(0.0)
        self.drawn = ""
        os.write(self._end, keys.encode())

    def escape(self) -> None:
        """Presses Escape, which only the pause after it tells from Alt and another key."""
        self.press("\x1b")
        self._read(0.5)

    def shows(self, words: str, patience_s: float) -> bool:
        """Waits until words were drawn; blanks may have been there before."""
        deadline = time.monotonic() + patience_s
        wanted = "".join(words.split())
        while wanted not in "".join(_ESCAPE.sub("", self.drawn).split()):
            if time.monotonic() > deadline or self.process.poll() is not None:
                return False
            self._read(0.1)
        return True

    def until(self, what: str, holds: Callable[[], object]) -> None:
        """Waits for a condition, and lets the program draw meanwhile."""
        deadline = time.monotonic() + PATIENCE_S
        while not holds():
            assert time.monotonic() < deadline, f"waited in vain for {what}:\n{_ESCAPE.sub(' ', self.drawn)[-3000:]}"
            self._read(0.1)

    def _read(self, patience_s: float) -> None:
        deadline = time.monotonic() + patience_s
        while self.process.poll() is None:
            if not select.select([self._end], [], [], max(0.0, deadline - time.monotonic()))[0]:
                return
            with contextlib.suppress(OSError):
                self.drawn += os.read(self._end, 65536).decode("utf-8", "replace")

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._end)


def git(folder: Path, *words: str) -> str:
    return subprocess.run(["git", "-C", str(folder), *words], check=True, capture_output=True, text=True).stdout


@contextlib.contextmanager
def helix(clone: Path, home: Path, script: Path) -> Iterator[Terminal]:
    """Opens the file with the comment; ends the daemon at the end."""
    page = (ROOT / "docs" / "editors.md").read_text("utf-8")
    found = re.search(r"### Helix.*?```toml\n(.*?)```", page, re.DOTALL)
    assert found
    # No other server is needed for the file that the test opens.
    settings = found[1].replace("/absolute/path/to/script.yaml", str(script)).replace('"pylsp", ', "")
    (home / "helix").mkdir(parents=True)
    (home / "helix" / "languages.toml").write_text(settings, "utf-8")
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(home),
        "TERM": "xterm-256color",
        "XDG_CONFIG_HOME": str(home),
        "XDG_CACHE_HOME": str(home / "cache"),
        "XDG_STATE_HOME": str(home / "state"),
    }
    terminal = Terminal([str(HELIX), "work.py"], clone, environment)
    try:
        yield terminal
    finally:
        terminal.close()
        command = [sys.executable, "-m", "agentos_lsp", "--state", str(home / "state" / "agentos"), "daemon", "stop"]
        subprocess.run([*command, "--now"], check=False, cwd=ROOT, capture_output=True, timeout=60)


def choose(terminal: Terminal, title: str) -> None:
    """Carries out the first code action on the line, which has that title."""
    for _ in range(20):
        terminal.escape()
        terminal.press(" a")
        if terminal.shows(title, 5):
            terminal.press("\t\r")
            return
    raise AssertionError(f"no code action {title}:\n{_ESCAPE.sub(' ', terminal.drawn)[-3000:]}")


def test_a_session_is_started_from_a_comment_and_approved_on_a_real_file(tmp_path: Path) -> None:
    assert HELIX.exists(), "run `make e2e`: it installs Helix first"
    clone, home, script = tmp_path / "a clone", tmp_path / "home", tmp_path / "script.yaml"
    clone.mkdir()
    git(clone, "init", "--quiet")
    (clone / "LICENSE").write_text("MIT License\n", encoding="utf-8")
    (clone / "work.py").write_text("print(1)  # TODO: say who edited the licence\n", encoding="utf-8")
    git(clone, "add", "--all")
    git(clone, "commit", "--quiet", "--message=first")
    script.write_text(json.dumps({"turns": [{"summary": "Said it.", "steps": STEPS}]}), encoding="utf-8")
    mirror = home / "state" / "agentos" / "mirror"

    def page() -> str:
        return "".join(file.read_text("utf-8") for file in mirror.glob("*/session.md"))

    with helix(clone, home, script) as terminal:
        choose(terminal, "Let an agent do this: say who edited the licence")
        terminal.until("the question", lambda: "\n- [" in page())
        # The page is opened by the server; what it says since then is read again.
        terminal.until("the page to be opened", lambda: terminal.shows("session.md", 1))
        line = page().split("\n- [")[0].count("\n") + 2
        terminal.escape()
        terminal.press(f":reload-all\r:{line}\r")
        choose(terminal, "Approve once")
        terminal.until("the end of the turn", lambda: "\nState: idle\n" in page())
        (file,) = mirror.glob("*/session.md")
        assert file.stat().st_mode & 0o222 == 0
        session = file.parent.name
        assert git(clone, "show", f"agentos/{session}:LICENSE") == "MIT License (edited from Helix)\n"
        assert "+MIT License (edited from Helix)" in (file.parent / "changes.diff").read_text("utf-8")
