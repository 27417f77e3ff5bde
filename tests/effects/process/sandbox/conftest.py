"""A session in a cage, one for each backend that works on this machine, with a canary of its own outside."""

# A test may look at small files.
# ruff: noqa: ASYNC240

import functools
import itertools
import os
import sys
import tempfile
from datetime import timedelta
from pathlib import Path

import pytest

from agentos_lsp.domain.approval import Cleared
from agentos_lsp.domain.ids import CallId
from agentos_lsp.effects.process import commands, environment
from agentos_lsp.effects.process.sandbox import backends, plan, standing

_marks = itertools.count(1)


@functools.cache
def working() -> dict[str, backends.Backend]:
    """The backends that hold everything here, by a short name; found out once, by their canaries."""
    folder = Path(tempfile.mkdtemp(prefix="agentos-probe-", dir=os.environ["XDG_STATE_HOME"]))
    names = {
        backends.Namespaces: "own",
        backends.Bubblewrap: "bubblewrap",
    }
    found = {}
    for backend in backends.candidates():
        name = names.get(type(backend))
        if name is not None and name not in found and standing.look(folder, [backend]).holds_all:
            found[name] = backend
    return found


class Jail:
    """A session's processes in a cage: a worktree, a home with a secret, and a folder that is none of its business."""

    def __init__(self, folder: Path, backend: backends.Backend, limits: plan.Limits | None = None) -> None:
        self.folder = folder
        self.worktree = folder / "state" / "worktrees" / "repo" / "one"
        self.scratch = folder / "state" / "scratch" / "one"
        self.home = folder / "home"
        self.outside = folder / "outside"
        self.repository = Path(__file__).resolve().parents[4]
        for path in (self.worktree, self.scratch, self.home / ".ssh", self.outside, folder / "spool"):
            path.mkdir(parents=True)
        (self.home / ".ssh" / "key").write_text("canary-secret\n")
        (self.outside / "kept").write_text("kept\n")
        self.environment = environment.scrubbed({**os.environ, "HOME": str(self.home)}, scratch=str(self.scratch))
        self.place = plan.Place(
            worktree=str(self.worktree),
            scratch=str(self.scratch),
            state_folder=str(folder / "state"),
            home=str(self.home),
            repository=str(self.repository),
            path=self.environment["PATH"],
            hidden=("~/notes",),
            limits=limits or plan.Limits(),
        )
        self.processes = commands.Processes(f"jail-{os.getpid()}-{next(_marks)}", cage=lambda: backend.cage(self.place))
        self._spools = itertools.count(1)

    def cleared(self, line: str) -> Cleared:
        return Cleared(CallId(line), line, str(self.worktree), "test")

    async def run(self, line: str, seconds: float = 30) -> tuple[int | None, str]:
        """Runs a line; returns its exit code and what it printed."""
        finished = await self.finish(line, seconds)
        return finished.exit_code, Path(finished.output).read_text(errors="replace")

    async def finish(self, line: str, seconds: float = 30) -> commands.Finished:
        return await self.processes.run(
            self.cleared(line),
            self.environment,
            timeout=timedelta(seconds=seconds),
            output_limit_bytes=2**20,
            on_output=lambda piece: None,
            spool=str(self.folder / "spool" / str(next(self._spools))),
        )

    async def python(self, code: str, *words: object) -> tuple[int | None, str]:
        """Runs a Python program, which stands in a file, with words."""
        program = self.worktree / f"program-{next(self._spools)}.py"
        program.write_text(code)
        return await self.run(" ".join([sys.executable, "-I", "-S", program.name, *map(str, words)]))


@pytest.fixture(params=["own", "bubblewrap"])
def backend(request):
    found = working().get(request.param)
    if found is None:
        pytest.skip(f"this machine cannot make a cage: {request.param}")
    return found


@pytest.fixture
async def jail(backend, tmp_path):
    one = Jail(tmp_path.resolve(), backend)
    yield one
    assert await one.processes.stop_all() == 0
