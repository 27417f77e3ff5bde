"""What every test stands on: a home of its own, a git that reads nothing of this machine, and repeatable examples."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pygit2

if TYPE_CHECKING:
    import pytest

ROOM_BYTES = 4 << 30
"""How much must be free in memory for all folders of a run; those of passed tests are deleted at once."""

GIT_CONFIG = """\
[user]
	name = Test Person
	email = person@example.invalid
[init]
	defaultBranch = main
	templateDir = ~/.template
[commit]
	gpgSign = false
[gc]
	auto = 0
[maintenance]
	auto = false
"""

hypothesis.settings.register_profile(
    "ci",
    derandomize=True,
    deadline=None,
    database=None,
    print_blob=True,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.register_profile(
    "search", parent=hypothesis.settings.get_profile("ci"), derandomize=False, max_examples=2000
)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


def isolate(home: Path) -> None:
    """Points everything that programs look up per user into `home`; called before any test module is imported.

    libgit2 reads `HOME` when it is loaded, maybe before this, and knows no `GIT_CONFIG_GLOBAL`; so it is told as well.
    """
    for name in [name for name in os.environ if name.startswith(("GIT_", "XDG_", "AGENTOS_"))]:
        del os.environ[name]
    folders = {
        "XDG_CONFIG_HOME": home / ".config",
        "XDG_STATE_HOME": home / ".local" / "state",
        "XDG_DATA_HOME": home / ".local" / "share",
        "XDG_CACHE_HOME": home / ".cache",
        "XDG_RUNTIME_DIR": home / "run",
    }
    # Some hundred Pythons start here: where each had to compile all of ours, half the time would go into that.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False
    for folder in folders.values():
        folder.mkdir(parents=True, mode=0o700)
    (home / ".gitconfig").write_text(GIT_CONFIG, encoding="utf-8")
    # What git puts into a new repository, but for the sample hooks: some thousand repositories are made here.
    (home / ".template" / "hooks").mkdir(parents=True)
    (home / ".template" / "info").mkdir()
    (home / ".template" / "info" / "exclude").write_text("# Files that git ignores here.\n", encoding="utf-8")
    os.environ.update({name: str(folder) for name, folder in folders.items()})
    os.environ.update(
        HOME=str(home),
        GIT_CONFIG_GLOBAL=str(home / ".gitconfig"),
        GIT_CONFIG_NOSYSTEM="1",
        GIT_TERMINAL_PROMPT="0",
        LC_ALL="C.UTF-8",
        TZ="UTC",
    )
    pygit2.settings.search_path[pygit2.enums.ConfigLevel.GLOBAL] = str(home)


def _use_memory() -> None:
    """Has temporary folders in memory where it has room for files and lets programs run: a third of the time less."""
    shared = "/dev/shm"
    if "TMPDIR" in os.environ or not Path(shared).is_dir() or not os.access(shared, os.W_OK):
        return
    room = os.statvfs(shared)
    if not room.f_flag & os.ST_NOEXEC and room.f_bavail * room.f_frsize >= ROOM_BYTES:
        os.environ["TMPDIR"] = tempfile.tempdir = shared


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("numprocesses", None):
        _use_memory()
    home = Path(tempfile.mkdtemp(prefix="agentos-"))
    isolate(home)
    config.add_cleanup(lambda: shutil.rmtree(home, ignore_errors=True))
