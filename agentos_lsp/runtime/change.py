"""One session's change against its base, kept current: who wrote what is said here, and everybody reads it here."""

from __future__ import annotations

import asyncio
import logging
import posixpath
from collections import Counter
from typing import TYPE_CHECKING, Literal, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from agentos_lsp.domain.ids import CommitId
    from agentos_lsp.effects.files import watch
    from agentos_lsp.effects.git import Tracked, live
    from agentos_lsp.effects.git.worktrees import Worktree
    from agentos_lsp.runtime.doors import Doors

LOG = logging.getLogger(__name__)

T = TypeVar("T")

Writer = Literal["tool", "command", "person"]
"""Who wrote a file last, as far as it was seen: the agent through the runtime, a command of its, or somebody else."""

MANY = 20_000
"""So many paths at once are not told apart: everything is swept."""


class Change:
    """What a session changed so far.

    Args:
        doors: Git and the disk.
        worktree: Finds its worktree; raises where there is none.
        base: The commit that it began from.
    """

    def __init__(self, doors: Doors, worktree: Callable[[], Worktree], base: CommitId) -> None:
        self._doors = doors
        self._worktree = worktree
        self._base = base
        self._tracked: Tracked | None = None
        self._last: live.Current | None = None
        self._watch: watch.Watch | None = None
        self._folders: set[str] = set()
        self._is_whole = True
        self._looking = asyncio.Lock()
        self._looks_begun = 0
        self._look_done = 0
        self._own: set[str] = set()
        self._announced: Counter[str] = Counter()
        self._commands: set[tuple[str, str]] = set()
        self._has_run = False
        self.writers: Mapping[str, Writer] = {}
        """The last writer of each file that was written while somebody looked; files from before have none."""
        self.noticed: Callable[[], None] = lambda: None
        """Called on the loop when files were written that nobody announced."""
        self.edited: Callable[[tuple[str, ...]], None] = lambda _paths: None
        """Called on the loop with files that were written, and by no tool and no command of the agent."""

    async def current(self) -> live.Current:
        """Returns the whole change, brought up to date at a cost that follows the change.

        Raises:
            UserError: There is no worktree.
            EffectError: It cannot be read.
        """
        # Invariant: who asks gets a look that began after they asked. All who ask during one share the next.
        asked = self._looks_begun
        async with self._looking:
            if self._last is not None and self._look_done > asked:
                return self._last
            self._looks_begun += 1
            if self._tracked is None:
                self._tracked = self._doors.git.tracked(self._worktree(), self._base)
                await self._begin_to_watch(self._tracked)
            self._take_notice()
            own, self._own = self._own, set()
            ran, self._has_run = self._has_run or bool(self._commands), bool(self._commands)
            try:
                await asyncio.to_thread(self._look_into_new_folders, self._tracked)
                current = await asyncio.to_thread(self._tracked.current)
            except BaseException:
                self._own |= own
                self._has_run = self._has_run or ran
                raise
            last, self._last = self._last, current
            if current is not last:
                # What was written meanwhile, or is being written, may be seen already.
                self._attribute(last, current, {*own, *self._own, *self._announced}, has_run=ran)
            self._look_done = self._looks_begun
            return current

    async def differing(self) -> tuple[str, ...] | None:
        """Returns the paths that differ, as `live.Current` has them; None where only a sweep could tell.

        Raises:
            EffectError: As for `current`.
        """
        current = await self.current()
        return current.differing if self._watch is not None and self._is_whole else None

    def _attribute(self, last: live.Current | None, current: live.Current, own: set[str], *, has_run: bool) -> None:
        """Notes who wrote what differs from the last look. What was there at the first one may be anybody's."""
        before = {} if last is None else last.rows
        differing = [path for path, row in current.rows.items() if before.get(path) is not row]
        differing += [path for path in before if path not in current.rows]
        writers: dict[str, Writer] = {path: who for path, who in self.writers.items() if path in current.rows}
        edited: list[str] = []
        for path in differing:
            if path in own or any(above in own for above in _above(path)):
                who: Writer | None = "tool"
            elif has_run:
                who = "command"
            else:
                who = None if last is None else "person"
            if who == "person":
                edited.append(path)
            if who is not None and path in current.rows:
                writers[path] = who
        self.writers = writers
        if edited:
            self.edited(tuple(sorted(edited)))

    async def touching(self, act: Callable[[], T], *paths: str) -> T:
        """Does something to files of the worktree for the agent; they are compared again, whatever came of it."""
        self.announce(*paths)
        try:
            return await asyncio.to_thread(act)
        finally:
            self.touched(*paths)

    def announce(self, *paths: str) -> None:
        """Says which files the runtime is about to write, so that nobody else is taken for their writer."""
        self._announced.update(self._relative(paths))

    def _relative(self, paths: tuple[str, ...]) -> list[str]:
        root = self._worktree().folder
        found = [posixpath.relpath(path, root) if path.startswith("/") else path for path in paths]
        return [posixpath.normpath(path) for path in found]

    def touched(self, *paths: str) -> None:
        """Says which files the runtime wrote, relative or absolute; with none, that a command may have written any."""
        if paths:
            relative = self._relative(paths)
            self._own.update(relative)
            self._announced -= Counter(relative)
            if self._tracked is not None:
                self._tracked.touch(*relative)
        elif self._tracked is not None:
            self._tracked.distrust()

    def command_began(self, call: str, check: str = "") -> None:
        """Takes notice that what is written from now on may be written by a call's command, or one of its checks."""
        self._commands.add((call, check))
        self._has_run = True

    def command_ended(self, call: str, check: str = "") -> None:
        """Takes notice that a command has ended: it may have written anything, also what was not noticed."""
        self._commands.discard((call, check))
        self.touched()

    # --- watching ----------------------------------------------------------------------------------------------

    async def _begin_to_watch(self, tracked: Tracked) -> None:
        """Watches the worktree where that can be done; elsewhere, sweeps have to do."""
        root = self._worktree().folder
        try:
            self._watch = await asyncio.to_thread(self._doors.disk.watch, root, tracked.is_interesting)
        except OSError as error:
            LOG.info("%s is not watched: %s", root, error)
            return
        asyncio.get_running_loop().add_reader(self._watch.descriptor, self._hear)

    def _hear(self) -> None:
        if self._take_notice():
            self.noticed()

    def _take_notice(self) -> bool:
        """Takes in what happened since the last call; returns whether anything did."""
        if self._watch is None or self._tracked is None:
            return False
        found = self._watch.read()
        if found.lost or len(found.paths) > MANY:
            self._tracked.distrust()
            self._folders.add("")
        if any(posixpath.basename(path) == ".gitignore" for path in found.paths):
            # A folder that was ignored until now is not watched yet.
            self._folders.add("")
        self._tracked.touch(*found.paths)
        self._folders |= found.folders
        return found.lost or bool(found.paths)

    def _look_into_new_folders(self, tracked: Tracked) -> None:
        """Watches folders that were made, and has all in them compared: they were filled before they were watched."""
        folders, self._folders = self._folders, set()
        watching = self._watch
        if watching is None or not folders:
            return
        for folder in _outermost(folders):
            try:
                watching.add(folder)
            except OSError as error:
                LOG.warning("not everything in %s is watched: %s", self._worktree().folder, error)
                tracked.distrust()
                self._is_whole = False
                return
        tracked.touch(*folders)

    def close(self) -> None:
        """Ends watching; idempotent."""
        held, self._watch = self._watch, None
        if held is not None:
            asyncio.get_running_loop().remove_reader(held.descriptor)
            held.close()


def _above(path: str) -> list[str]:
    """Returns the folders that a path lies in."""
    names = path.split("/")
    return ["/".join(names[:count]) for count in range(1, len(names))]


def _outermost(folders: Iterable[str]) -> list[str]:
    """Leaves out folders that lie in another one."""
    found: list[str] = []
    for folder in sorted(folders):
        if not found or not folder.startswith(f"{found[-1]}/"):
            found.append(folder)
    return [""] if "" in found else found
