"""Repositories with one commit: made once in each process, then copied; a test that wants one has it in one command."""

from __future__ import annotations

import atexit
import functools
import itertools
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_numbers = itertools.count(1)


def make(root: Path, files: Mapping[str, str]) -> None:
    """Makes a repository at `root`, empty if it exists, whose branch `main` has these files in a commit `first`."""
    copy(_made(tuple(files.items())), root)


def copy(made: Path, root: Path) -> None:
    """Copies a repository that has nothing but files and commits."""
    shutil.copytree(made, root, symlinks=True, dirs_exist_ok=True)
    # Git knows its files by their inodes too, and would look into each of them again.
    _git(root, "update-index", "--refresh")


@functools.cache
def folder() -> Path:
    """Where the originals are kept: beside all homes, because a test may have one of its own."""
    made = tempfile.mkdtemp(prefix="agentos-repositories-")
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return Path(made)


@functools.cache
def _made(files: tuple[tuple[str, str], ...]) -> Path:
    root = folder() / str(next(_numbers))
    root.mkdir()
    _git(root, "init", "--quiet", "--initial-branch=main")
    for name, text in files:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(text.encode())
    _git(root, "add", "--all")
    _git(root, "commit", "--quiet", "--message=first")
    return root


def _git(root: Path, *words: str) -> None:
    subprocess.run(["git", *words], cwd=root, check=True, capture_output=True)
