"""A session's processes in a temporary folder, and a look at what is alive."""

import itertools
import os
import time
from datetime import timedelta
from pathlib import Path

import pytest

from agentos_lsp.domain.approval import Cleared
from agentos_lsp.domain.ids import CallId
from agentos_lsp.effects.process import commands, environment

_marks = itertools.count(1)


class Bench:
    """One session's processes and short ways to use them."""

    def __init__(self, folder: Path, hold: str) -> None:
        self.folder = folder
        self.mark = f"test-{os.getpid()}-{next(_marks)}"
        self.processes = commands.Processes(self.mark, hold=hold)
        self.environment = environment.scrubbed(os.environ, scratch=str(folder))
        self.printed = []
        self._spools = itertools.count(1)

    def cleared(self, line: str) -> Cleared:
        return Cleared(CallId(line), line, str(self.folder), "test")

    def spool(self) -> str:
        return str(self.folder / f"spool-{next(self._spools)}")

    async def run(self, line: str, seconds: float = 20, limit: int = 2**20) -> commands.Finished:
        return await self.processes.run(
            self.cleared(line),
            self.environment,
            timeout=timedelta(seconds=seconds),
            output_limit_bytes=limit,
            on_output=self.printed.append,
            spool=self.spool(),
        )

    async def start(self, line: str, name: str) -> commands.Running:
        return await self.processes.start(
            self.cleared(line), name, self.environment, output_limit_bytes=2**20, spool=self.spool()
        )

    def pid_from(self, name: str, seconds: float = 10) -> int:
        """Waits until a command has written its pid to a file."""
        deadline = time.monotonic() + seconds
        file = self.folder / name
        while time.monotonic() < deadline:
            if file.exists() and (said := file.read_text().strip()):
                return int(said)
            time.sleep(0.002)
        raise AssertionError(f"{name} was not written")


def is_alive(pid: int) -> bool:
    """Tells whether a process runs; a zombie does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in {"Z", "X"}


@pytest.fixture(params=["groups", "descent"])
async def bench(request, tmp_path):
    one = Bench(tmp_path, request.param)
    yield one
    assert await one.processes.stop_all() == 0
