"""Both sides of each door that the demo replaces: the real one over a temporary folder, and the played one.

A test of this folder takes one of these fixtures, and so holds for both.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agentos_lsp.domain.approval import Cleared
from agentos_lsp.domain.ids import CallId
from agentos_lsp.effects import store
from agentos_lsp.effects.files import disk
from agentos_lsp.effects.git import on_disk
from agentos_lsp.effects.git.repository import Identity
from agentos_lsp.effects.process import commands, environment
from agentos_lsp.effects.simulated import files, git, log, objects, processes

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
WHO = Identity("Test Person", "person@example.invalid")
FILES = {
    "a.txt": "one\ntwo\nthree\n",
    "src/b.py": "def b():\n    return 1\n",
    "src/deep/c.py": "c = 1\n",
    ".gitignore": "build/\n*.log\n",
}
KINDS = ("real", "played")


class Place:
    """A repository with a first commit, its doors to git and to files, and short ways to use them."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.kind = kind
        self.root = str(folder / "repo")
        self.state = str(folder / "state")
        if kind == "real":
            self._make()
            self.git = on_disk.OnDisk()
            self.disk = disk.OnDisk()
        else:
            held = objects.Objects(self.root, FILES, WHO, AT)
            self.git = git.Git(held)
            self.disk = files.Disk(held, {})

    def _make(self) -> None:
        for path, text in FILES.items():
            file = Path(self.root, path)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "first"]):
            subprocess.run(["git", *words], cwd=self.root, check=True)

    @property
    def checkout(self):
        return self.git.probe(self.root)

    def session(self, name="fix-1"):
        return self.git.create_worktree(
            self.checkout,
            f"{self.state}/{name}",
            f"agentos/{name}",
            self.checkout.head,
            lock_reason="a test",
            progress=lambda _done, _total: None,
            cancelled=lambda: False,
            shelf="",
        )

    def write(self, folder, **texts):
        """Writes files of a folder; None deletes one."""
        with self.disk.files(folder) as there:
            for path, text in texts.items():
                if text is None:
                    there.delete(path)
                else:
                    there.write(path, text.encode())

    def text(self, folder, path):
        with self.disk.files(folder) as there:
            found = there.read(path, limit_bytes=1 << 20)
        return getattr(found, "data", None)

    def commit(self, worktree, message="Work", **texts):
        self.write(worktree.folder, **texts)
        staged = self.git.stage_tree(worktree, None)
        return self.git.commit(worktree, staged, message, WHO, {"AgentOS-Session": "fix-1"}, AT)

    def merge(self, strategy="merge", name="fix-1", protected=frozenset(), watch=None):
        from agentos_lsp.effects.git import updating

        return self.git.merge(
            self.checkout,
            f"agentos/{name}",
            "main",
            strategy,
            "Merge it",
            WHO,
            AT,
            protected_paths=protected,
            watch=watch or updating.UNWATCHED,
        )


@pytest.fixture(params=KINDS)
def place(request, tmp_path):
    return Place(request.param, tmp_path)


@pytest.fixture(params=KINDS)
def folder(request, tmp_path):
    """Files of a fresh worktree."""
    one = Place(request.param, tmp_path)
    with one.disk.files(one.session().folder) as opened:
        yield opened


class Bench:
    """One session's processes, and where their output is kept."""

    def __init__(self, kind: str, folder: Path, pace: float = 1.0) -> None:
        self.folder = folder / "work"
        self.folder.mkdir()
        self._spools = folder
        self._numbers = itertools.count(1)
        self.printed: list[bytes] = []
        if kind == "real":
            self.processes = commands.Processes(f"contract-{os.getpid()}-{id(self)}")
            self.disk = disk.OnDisk()
        else:
            held = objects.Objects(str(self.folder), FILES, WHO, AT)
            spools: dict[str, bytes] = {}
            self.processes = processes.Processes(held, spools, pace)
            self.disk = files.Disk(held, spools)
        for path, text in FILES.items() if kind == "real" else ():
            (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / path).write_text(text)
        self.environment = environment.scrubbed(os.environ, scratch=str(folder))

    def cleared(self, line: str) -> Cleared:
        return Cleared(CallId(line), line, str(self.folder), "test")

    def spool(self) -> str:
        return str(self._spools / f"spool-{next(self._numbers)}")

    async def run(self, line: str, seconds: float = 20, limit: int = 1 << 20):
        return await self.processes.run(
            self.cleared(line),
            self.environment,
            timeout=timedelta(seconds=seconds),
            output_limit_bytes=limit,
            on_output=self.printed.append,
            spool=self.spool(),
        )

    async def start(self, line: str, name: str):
        return await self.processes.start(
            self.cleared(line), name, self.environment, output_limit_bytes=1 << 20, spool=self.spool()
        )

    async def until(self, holds) -> None:
        """Waits until something holds that no process tells of."""
        async with asyncio.timeout(20):
            while not holds():  # noqa: ASYNC110 - output comes from outside
                await asyncio.sleep(0.005)

    def kept(self, finished) -> bytes:
        return self.disk.ends(Path(finished.output), 1 << 20)[1]


@pytest.fixture(params=KINDS)
async def bench(request, tmp_path):
    one = Bench(request.param, tmp_path)
    yield one
    assert await one.processes.stop_all() == 0


@pytest.fixture(params=KINDS)
def kept(request, tmp_path):
    """An event log, and a way to make a finished spool."""
    spools: dict[str, bytes] = {}
    one = store.Store(tmp_path / "state") if request.param == "real" else log.Log(spools)

    def spool(content: bytes) -> Path:
        file = tmp_path / "spool"
        if request.param == "real":
            file.write_bytes(content)
        else:
            spools[str(file)] = content
        return file

    yield one, spool
    one.close()
