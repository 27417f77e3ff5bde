"""Real repositories for the git door: made with the git program, looked at with the git program."""

from __future__ import annotations

import functools
import os
import subprocess
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from tests import repositories

if TYPE_CHECKING:
    from pathlib import Path

    from agentos_lsp.effects.git import filling, opening, repository, worktrees

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class Place:
    """A repository with a first commit, and how to work on it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.state = root.parent / "state"

    def git(self, *words: str, cwd: Path | None = None) -> str:
        done = subprocess.run(
            ["git", *words], cwd=cwd or self.root, check=True, capture_output=True, env=os.environ | {"LC_ALL": "C"}
        )
        return os.fsdecode(done.stdout).rstrip("\n")

    def write(self, path: str, text: str | bytes) -> Path:
        return write(self.root, path, text)

    def commit(self, message: str = "more", **files: str) -> str:
        for path, text in files.items():
            self.write(path, text)
        self.git("add", "-A")
        self.git("commit", "-qm", message)
        return self.git("rev-parse", "HEAD")

    def checkout(self) -> repository.Checkout:
        # libgit2 reads HOME when it is loaded, and a conftest may be loaded before the tests have a home of their own.
        from agentos_lsp.effects.git import repository

        return repository.probe(str(self.root))

    def odd_tree(self, raw: bytes) -> str:
        """Writes a tree that no git command would make; returns its name."""
        return os.fsdecode(
            subprocess.run(
                ["git", "hash-object", "-w", "-t", "tree", "--literally", "--stdin"],
                cwd=self.root,
                input=raw,
                capture_output=True,
                check=True,
            ).stdout
        ).strip()

    def session(
        self, name: str = "fix-1", *, lock_reason: str = "a live session", means: filling.Means | None = None
    ) -> worktrees.Worktree:
        from agentos_lsp.effects.git import filling, worktrees

        checkout = self.checkout()
        made = worktrees.create(
            checkout,
            str(self.state / name),
            f"agentos/{name}",
            checkout.head,
            lock_reason=lock_reason,
            progress=lambda _done, _total: None,
            cancelled=lambda: False,
            means=means or filling.ALONE,
        )
        assert made is not None
        return made


def write(root: Path, path: str, text: str | bytes) -> Path:
    place = root / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(text.encode() if isinstance(text, str) else text)
    return place


@pytest.fixture(scope="module", name="repository")
def bare_repository(tmp_path_factory: pytest.TempPathFactory) -> opening.Repository:
    """A bare repository with nothing in it, for tests of what only objects are needed for."""
    import pygit2

    from agentos_lsp.effects.git import opening

    folder = tmp_path_factory.mktemp("bare")
    pygit2.init_repository(str(folder), bare=True)
    return opening.repository(str(folder))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    root = tmp_path / "my repo"
    repositories.copy(first(), root)
    return Place(root)


@functools.cache
def first() -> Path:
    """The repository that every place is a copy of."""
    root = repositories.folder() / "place"
    root.mkdir()
    made = Place(root)
    made.git("init", "-q")
    made.write("a.txt", "one\ntwo\nthree\n")
    made.write("src/b.py", "def b():\n    return 1\n")
    made.write("src/deep/c.py", "c = 1\n")
    made.write("tool.sh", "#!/bin/sh\n").chmod(0o755)
    (made.root / "link").symlink_to("a.txt")
    made.write(".gitignore", "build/\n*.log\n")
    made.write("dir ü/naïve.txt", "é\n")
    made.commit("first")
    return root
