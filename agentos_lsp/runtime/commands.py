"""A session's commands as the gate starts them: output told in pieces and kept whole, named ones in the background."""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import logging
import posixpath
import re
import secrets
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from agentos_lsp.domain.command import allowlist, classify
from agentos_lsp.domain.command.surroundings import Surroundings
from agentos_lsp.domain.errors import AgentosError, InternalError
from agentos_lsp.effects.process import environment as environments
from agentos_lsp.runtime import quota, uncut, way_out

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Mapping
    from typing import Any

    from agentos_lsp.domain import approval, ids
    from agentos_lsp.domain.command import verdict
    from agentos_lsp.effects import Log
    from agentos_lsp.effects.files import Disk
    from agentos_lsp.effects.process import Running
    from agentos_lsp.effects.process import commands as processes
    from agentos_lsp.effects.process.sandbox.backends import Cage
    from agentos_lsp.runtime.doors import Doors
    from agentos_lsp.runtime.policies import Looked

LOG = logging.getLogger(__name__)

KEPT_OUTPUT_BYTES = 256 << 20
TOLD_OUTPUT_BYTES = 1 << 20
"""How much of one command's output becomes events; all that is kept is in its blob."""

TELL_EVERY_S = 0.1
AHEAD_AFTER_S = 0.2
"""An agent that is done sooner has perhaps no need of commands at all."""

STOP_GRACE = timedelta(seconds=3)
_ENDS = 20_000
_NO_NETWORK = way_out.Granted()

_PATHLIKE = re.compile(r"[^\0\s\"'`$;|&<>(){}\[\],=:]+")


@dataclass(frozen=True, slots=True)
class Finished:
    """How a command ended; `start` and `tail` are the ends of what it printed, `output` holds the whole."""

    exit_code: int | None
    signal: int | None
    ended_by: processes.EndedBy
    duration: timedelta
    output: ids.BlobId | None
    output_bytes: int
    truncated: bool
    start: str
    tail: str


class Runner:
    """Starts the commands of one session.

    Args:
        session: Its name.
        state_folder: Where spools and the session's scratch folder lie.
        store: Where outputs are kept.
        environment: What commands inherit, before it is stripped.
        doors: What starts them, and where spools lie.
    """

    def __init__(
        self, session: ids.SessionId, state_folder: Path, store: Log, environment: Mapping[str, str], doors: Doors
    ) -> None:
        self.store = store
        self._disk = doors.disk
        self.home = environment.get("HOME", "/")
        self._spools = state_folder / "spool" / session
        scratch = state_folder / "scratch" / session
        self._environment = environments.scrubbed(environment, scratch=str(scratch))
        self._scratch = scratch
        self._processes = doors.processes(secrets.token_hex(8), self._caged)
        self.way_out = way_out.WayOut(self._processes)
        self.path = self._environment["PATH"]
        self._place: Callable[[], Cage | None] | None = None
        self._quota = quota.Quota(self._disk, lambda: self._processes.end_running("disk limit"))
        self._background: dict[str, Running] = {}

    def surround(self, names: Mapping[str, str]) -> None:
        """Adds variables of ours to what commands find; they are no secrets, and make no program run code."""
        self._environment = {**self._environment, **names}

    def confine(self, cage: Callable[[], Cage | None], folders: tuple[Path, ...], disk_bytes: int | None) -> None:
        """Says what confines all that is started from here on; nothing can be started before.

        Args:
            cage: Works out the cage.
            folders: Where the session's files lie; the first is there always.
            disk_bytes: How much they may take, None for no limit.
        """
        self._place = cage
        self._quota.set(folders, disk_bytes)

    def _caged(self) -> Cage | None:
        if self._place is None:
            raise InternalError("A command was to start before it was decided what confines it.")
        return self._place()

    @property
    def background(self) -> dict[str, Running]:
        """The background processes that run, by name."""
        return {name: running for name, running in self._background.items() if running.alive}

    async def ahead(self) -> None:
        """Makes ready what starts commands while an agent thinks, so that its first is as quick as all others.

        What stands in the way is told by the first command.
        """
        await asyncio.sleep(AHEAD_AFTER_S)
        with contextlib.suppress(AgentosError, OSError):
            # A turn that ends meanwhile may be followed by the end of all: nobody would end what is half begun.
            await uncut.finish(self._processes.open())

    async def run(
        self,
        cleared: approval.Cleared,
        *,
        limit: timedelta,
        on_output: Callable[[str], Awaitable[None]],
        granted: way_out.Granted = _NO_NETWORK,
    ) -> Finished:
        """Runs a cleared line to its end, or to its time limit; what it was granted of the network ends with it.

        Raises:
            EffectError: It could not be started.
        """
        spool = await self._spool()
        told = _Told()
        finished: processes.Finished | None = None
        failure: BaseException | None = None
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(told.pump(on_output))
                watch = group.create_task(self._quota.watch())
                try:
                    finished = await self._processes.run(
                        cleared,
                        {**self._environment, **granted.variables},
                        timeout=limit,
                        output_limit_bytes=KEPT_OUTPUT_BYTES,
                        on_output=told.add,
                        spool=str(spool),
                    )
                except BaseException:
                    # What it printed so far was told; nobody will ask for the rest.
                    await asyncio.to_thread(self._disk.remove_file, spool)
                    raise
                finally:
                    watch.cancel()
                    granted.end()
                    told.close()
        except* AgentosError as errors:
            # A group hides what failed from those who know what to do about it.
            failure = errors.exceptions[0]
        if failure is not None:
            raise failure
        if finished is None:
            raise InternalError("A command ended without an outcome.")
        return await self._kept(finished)

    async def start(
        self,
        cleared: approval.Cleared,
        name: str,
        on_end: Callable[[Finished], Awaitable[None]],
        granted: way_out.Granted = _NO_NETWORK,
    ) -> Coroutine[Any, Any, None]:
        """Starts a cleared line in the background; what it was granted of the network ends with it.

        Returns:
            What waits for its end and reports it; the caller runs it beside the session.

        Raises:
            UserError: The name cannot be used, or too many run.
            EffectError: It could not be started.
        """
        try:
            running = await self._processes.start(
                cleared,
                name,
                {**self._environment, **granted.variables},
                output_limit_bytes=KEPT_OUTPUT_BYTES,
                spool=str(await self._spool()),
            )
        except BaseException:
            granted.end()
            raise
        self._background[name] = running

        async def report() -> None:
            try:
                async with asyncio.TaskGroup() as group:
                    watch = group.create_task(self._quota.watch())
                    finished = await running.wait()
                    watch.cancel()
            finally:
                granted.end()
            await on_end(await self._kept(finished))

        return report()

    def background_output(self, name: str) -> str | None:
        """Returns the last of what a background process has printed, None if there was never one of that name."""
        running = self._background.get(name)
        if running is None:
            return None
        size = running.finished.size_bytes if running.finished is not None else None
        since = 0 if size is None else max(0, size - _ENDS)
        return running.output(since).decode("utf-8", "replace")

    async def stop(self, name: str) -> None:
        """Ends a background process and everything that it had started."""
        await self._processes.stop(name, STOP_GRACE)

    async def stop_all(self) -> None:
        """Ends every process of the session, and its way out."""
        await self._processes.stop_all()
        await self.way_out.close()

    def clear_remains(self) -> None:
        """Removes the spools of commands that nobody waits for any more."""
        self._disk.remove_folder(self._spools)

    async def _spool(self) -> Path:
        def make() -> Path:
            self._disk.make_folder(self._spools)
            self._disk.make_folder(self._scratch)
            return self._spools / secrets.token_hex(12)

        # A folder that is made after the session has gone would stay for ever.
        return await uncut.finish(asyncio.to_thread(make))

    async def _kept(self, finished: processes.Finished) -> Finished:
        spool = Path(finished.output)

        def keep() -> tuple[ids.BlobId | None, bytes, bytes]:
            size, start, tail = self._disk.ends(spool, _ENDS)
            if size == 0:
                self._disk.remove_file(spool)
                return None, b"", b""
            return self.store.adopt_blob(spool), start, tail

        blob, start, tail = await asyncio.to_thread(keep)
        return Finished(
            finished.exit_code,
            finished.signal,
            finished.ended_by,
            finished.duration,
            blob,
            finished.size_bytes,
            finished.truncated,
            start.decode("utf-8", "replace"),
            tail.decode("utf-8", "replace"),
        )


class _Told:
    """Gathers pieces of output and tells them together, up to a bound."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._left = TOLD_OUTPUT_BYTES
        self._wake = asyncio.Event()
        self._closed = False

    def add(self, piece: bytes) -> None:
        """Takes a piece; what is over the bound is left to the blob."""
        if self._left > 0:
            self._pieces.append(piece[: self._left])
            self._left -= len(piece)
            self._wake.set()

    def close(self) -> None:
        """Tells the rest, and ends."""
        self._closed = True
        self._wake.set()

    async def pump(self, on_output: Callable[[str], Awaitable[None]]) -> None:
        """Tells what comes until it is closed."""
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        while True:
            await self._wake.wait()
            if not self._closed:
                await asyncio.sleep(TELL_EVERY_S)
            self._wake.clear()
            pieces, self._pieces = self._pieces, []
            text = decoder.decode(b"".join(pieces), final=self._closed)
            if text:
                try:
                    await on_output(text)
                except AgentosError as error:
                    # The command goes on; all that it prints is in its blob.
                    LOG.warning("some output was not told: %s", error)
            if self._closed and not self._pieces:
                return


def links(disk: Disk, judged: verdict.Assessment, cwd: str, worktree: str) -> dict[str, str]:
    """Finds the symbolic links on the way of every word of a line that could be a path.

    Args:
        disk: Where they may be.
        judged: The line as it was understood; words that are not certain are read from its text.
        cwd: Where it would start.
        worktree: Words are tried from here too, since a line may change folder.

    Returns:
        Each link's path with its final target, both absolute.
    """
    words = {word for part in judged.parts for word in part.words if word}
    words |= set(_PATHLIKE.findall(judged.line))
    starts = {cwd, worktree, *(posixpath.normpath(posixpath.join(cwd, word)) for word in words if "/" not in word)}
    found: dict[str, str] = {}
    seen: set[str] = set()
    for word in words:
        for start in starts if not word.startswith("/") else {"/"}:
            path = posixpath.join(start, word)
            _add_links(disk, path, seen, found)
    return found


def judge_anew(disk: Disk, line: str, looked: Looked, home: str) -> verdict.Assessment:
    """Judges a line as a session would that began in a repository now, in a worktree like its checkout."""
    rules = looked.in_force.rules
    known = allowlist.Allowlist(rules.allow)
    around = Surroundings(cwd=looked.root, worktree=looked.root, home=home, protected=rules.protected_branches)
    first = classify.classify(line, around, known)
    found = links(disk, first, looked.root, looked.root)
    return classify.classify(line, replace(around, links=found), known) if found else first


def _add_links(disk: Disk, path: str, seen: set[str], found: dict[str, str]) -> None:
    steps = [step for step in path.split("/") if step not in {"", "."}]
    at = ""
    for step in steps[:64]:
        at = posixpath.normpath(f"{at}/{step}")
        if at in seen:
            continue
        seen.add(at)
        target = disk.links(at)
        if target is not None:
            found[at] = target
