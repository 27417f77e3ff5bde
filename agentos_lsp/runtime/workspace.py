"""The doors of one session, as the gate uses them: files, git and processes, each call in a thread of its own.

It holds no state of the session but its place on disk: that is in the log.
"""

from __future__ import annotations

import asyncio
import contextlib
import posixpath
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from agentos_lsp.domain import diff, ids, policy
from agentos_lsp.domain.command import surroundings as around
from agentos_lsp.domain.errors import AgentosError, EffectError, UserError
from agentos_lsp.domain.inspection import changed
from agentos_lsp.effects import config
from agentos_lsp.effects.files import outcomes
from agentos_lsp.effects.git import commits, repository, spares, worktrees
from agentos_lsp.runtime import agents_git, change, commands, inherited, uncut
from agentos_lsp.runtime import branch as branches

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from agentos_lsp.domain import state
    from agentos_lsp.domain.command import verdict
    from agentos_lsp.effects import Log
    from agentos_lsp.effects.files import Files
    from agentos_lsp.runtime.doors import Doors

TOLD_FILE_BYTES = 200_000
"""How much of a file an agent is told at once."""

KEPT_FILE_BYTES = 16 << 20
"""The largest file whose content is kept before a change, so that it can be brought back."""

Refused = outcomes.Refused


@dataclass(frozen=True, slots=True)
class Created:
    """Where a new session works."""

    folder: str
    admin: str
    branch: str
    scratch: str


@dataclass(frozen=True, slots=True)
class Staged:
    """A tree ready to be committed, and its files as the inspector sees them."""

    staged: commits.Staged
    files: tuple[policy.ChangedFile, ...]

    @property
    def tree(self) -> str:
        """The tree's name in git."""
        return self.staged.tree

    @property
    def paths(self) -> tuple[str, ...]:
        """What differs from the parent, under the old names and the new."""
        return tuple(path for file in self.files for path in file.paths)


@dataclass(frozen=True, slots=True)
class Losses:
    """What only this session has: commits that no branch holds, and files changed since."""

    commits: tuple[ids.CommitId, ...]
    uncommitted: tuple[str, ...]


def worktrees_folder(state_folder: Path, checkout: repository.Checkout) -> Path:
    """Returns where the worktrees of a repository's sessions lie."""
    name = Path(checkout.common_dir).parent.name if checkout.common_dir.endswith("/.git") else "repository"
    return state_folder / "worktrees" / name


class Workspace:
    """One session's place on disk.

    Args:
        session: Its name.
        checkout: The person's checkout that it began from.
        state_folder: Where worktrees lie.
        base: The branch and commit that it began from.
        now: The clock, for commits.
        runner: Its processes.
        doors: Git and the disk.
    """

    def __init__(
        self,
        session: ids.SessionId,
        checkout: repository.Checkout,
        state_folder: Path,
        base: tuple[str | None, ids.CommitId],
        now: Callable[[], datetime],
        runner: commands.Runner,
        doors: Doors,
    ) -> None:
        self.session = session
        self.git, self.disk, self.ports = doors.git, doors.disk, doors.ports
        self.base_branch, self.base_commit = base
        self.runner = runner
        self.checkout = checkout
        self.now = now
        self.checkpointing = asyncio.Lock()
        self._folder = worktrees_folder(state_folder, checkout) / session
        self.state_folder = state_folder
        self._scratch = state_folder / "scratch" / session
        self.shelf = spares.shelf_of(state_folder, checkout.common_dir)
        self._worktree: worktrees.Worktree | None = None
        self._tree: Files | None = None
        self.branch = branches.Branch(self.git, lambda: self.worktree)
        folder = str(state_folder / "git" / session)
        self.agents_git = agents_git.AgentsGit(self.git, folder, lambda: self.worktree, checkout)
        self.change = change.Change(doors, lambda: self.worktree, self.base_commit)

    @classmethod
    async def probe(
        cls,
        folder: str,
        session: ids.SessionId,
        state_folder: Path,
        store: Log,
        environment: Mapping[str, str],
        now: Callable[[], datetime],
        doors: Doors,
    ) -> Workspace:
        """Finds the repository that a new session begins from.

        Raises:
            UserError: There is none that a session can begin from; says what to do.
        """
        checkout = await asyncio.to_thread(doors.git.probe, folder)
        runner = commands.Runner(session, state_folder, store, environment, doors)
        return cls(session, checkout, state_folder, (checkout.branch, checkout.head), now, runner, doors)

    @classmethod
    async def reopen(
        cls,
        known: state.SessionState,
        state_folder: Path,
        store: Log,
        environment: Mapping[str, str],
        now: Callable[[], datetime],
        doors: Doors,
    ) -> Workspace:
        """Finds the place of a session that a former runtime left behind.

        Raises:
            UserError: Its repository is gone.
        """
        checkout = await asyncio.to_thread(doors.git.probe, known.repository)
        runner = commands.Runner(known.session, state_folder, store, environment, doors)
        base = (known.base_branch, known.base_commit)
        one = cls(known.session, checkout, state_folder, base, now, runner, doors)
        if known.worktree is not None:
            at = known.worktree
            one._worktree = worktrees.Worktree(at.folder, at.admin, at.branch, known.base_commit)
            one._scratch = Path(at.scratch)
            if await one.is_there():
                one._tree = await asyncio.to_thread(doors.disk.files, at.folder)
        return one

    @property
    def repository(self) -> str:
        """The person's checkout, absolute."""
        return self.checkout.root

    @property
    def common_dir(self) -> str:
        """The git folder that all checkouts of the repository share, absolute."""
        return self.checkout.common_dir

    @property
    def root(self) -> str:
        """The worktree's folder, absolute."""
        return self.worktree.folder

    def relative(self, folder: str) -> str:
        """Returns an absolute folder of the worktree relative to its root, empty for the root itself."""
        return "" if folder == self.root else posixpath.relpath(folder, self.root)

    async def is_there(self) -> bool:
        """Whether the worktree's folder is still on disk."""
        return self._worktree is not None and await asyncio.to_thread(self.disk.has_folder, self._worktree.folder)

    async def policy_file(self) -> bytes | None:
        """Returns the repository's own policy as it was in the commit that the session began from."""
        return await asyncio.to_thread(
            self.git.base_text, self.checkout.common_dir, self.base_commit, config.REPOSITORY_FILE
        )

    async def create(self, progress: Callable[[int, int], None], cancelled: Callable[[], bool]) -> Created:
        """Makes the worktree on its own branch.

        Raises:
            UserError: It was cancelled, or its name is taken.
            EffectError: git or the disk failed; nothing is left behind.
        """

        def make() -> worktrees.Worktree | None:
            self.disk.make_folder(self._scratch)
            return self.git.create_worktree(
                self.checkout,
                str(self._folder),
                ids.branch_name(self.session),
                self.base_commit,
                lock_reason=f"agentos session {self.session}",
                progress=progress,
                cancelled=cancelled,
                shelf=self.shelf,
            )

        try:
            made = await uncut.finish(asyncio.to_thread(make))
        except BaseException:
            await self._empty()
            raise
        if made is not None and cancelled():
            # The wish came after the last look.
            await self.remove_half_made()
            made = None
        if made is None:
            await self._empty()
            raise UserError("The start was cancelled; nothing is left behind.", "Start the session again if you like.")
        self._worktree = made
        self._tree = await asyncio.to_thread(self.disk.files, made.folder)
        return Created(made.folder, made.admin_dir, made.branch, str(self._scratch))

    async def remove_half_made(self) -> None:
        """Removes what a creation left that was cut off; no agent was ever in it."""
        branch = ids.branch_name(self.session)
        admin = f"{self.checkout.common_dir}/worktrees/{self.session}"
        half = worktrees.Worktree(str(self._folder), admin, branch, self.base_commit)
        tip = await asyncio.to_thread(self.git.resolve, self.checkout, branch)
        unmoved = tip is None or tip == self.base_commit
        await asyncio.to_thread(lambda: self.git.remove_worktree(half, delete_branch=unmoved))
        await self._empty()

    async def remove(self, merged: ids.CommitId | None) -> bool:
        """Removes the worktree at once, and its branch; the disk is freed afterwards.

        Args:
            merged: The commit that was merged: a branch that has moved on since is kept. None if all may go.

        Returns:
            Whether the branch was kept.
        """
        known = self.worktree
        kept = merged is not None and await self.tip() not in {None, merged}
        await self.close()
        await asyncio.to_thread(lambda: self.git.remove_worktree(known, delete_branch=not kept))
        await self._empty()
        return kept

    async def clear_remains(self) -> None:
        """Removes what a killed runtime left half done in a worktree that this one has taken over."""
        lock = Path(self.worktree.admin_dir, "index.lock")
        await asyncio.to_thread(self.disk.remove_file, lock)
        await asyncio.to_thread(self.agents_git.clear_remains)
        await asyncio.to_thread(self.runner.clear_remains)

    async def close(self) -> None:
        """Lets go of the worktree's folder."""
        self.change.close()
        held, self._tree = self._tree, None
        if held is not None:
            await asyncio.to_thread(held.close)

    async def _empty(self) -> None:
        await asyncio.to_thread(self.git.empty_trash, str(self._folder.parent))
        await asyncio.to_thread(self.disk.remove_folder, self._scratch)
        await asyncio.to_thread(self.agents_git.remove)
        await asyncio.to_thread(self.ports.free, self.state_folder, self.session)
        await asyncio.to_thread(inherited.forget, self.disk, self.state_folder, self.session)
        await asyncio.to_thread(self.runner.clear_remains)

    async def read(self, path: str) -> tuple[str, int] | Refused:
        """Returns a file's text, or a folder's names, with its size in bytes."""
        content = await asyncio.to_thread(lambda: self._files.read(path or ".", limit_bytes=TOLD_FILE_BYTES))
        if isinstance(content, Refused):
            return await self._listing(path) if content.reason == "directory" else content
        if b"\0" in content.data[:8000]:
            return Refused("binary", f"{path} is binary ({content.size_bytes} bytes).")
        text = content.data.decode("utf-8", "replace")
        if content.truncated:
            text += f"\n… {content.size_bytes} bytes in all; the first {len(content.data)} are shown …\n"
        return text, content.size_bytes

    async def _listing(self, path: str) -> tuple[str, int] | Refused:
        found = await asyncio.to_thread(lambda: self._files.list(path or "."))
        if isinstance(found, Refused):
            return found
        names = [f"{entry.name}/" if entry.kind == "directory" else entry.name for entry in found.entries]
        text = "\n".join([*names, "…"] if found.truncated else names)
        return text, len(text)

    async def keep(self, path: str) -> ids.BlobId | None:
        """Keeps what a file holds before it is changed; None if there is nothing to keep."""
        content = await asyncio.to_thread(lambda: self._files.read(path, limit_bytes=KEPT_FILE_BYTES))
        if isinstance(content, Refused) or content.truncated:
            return None
        return await asyncio.to_thread(self.runner.store.put_blob, content.data)

    async def bytes_of(self, path: str, limit_bytes: int) -> bytes | None:
        """Returns what a file holds, None if it is none or larger than a limit."""
        content = await asyncio.to_thread(lambda: self._files.read(path, limit_bytes=limit_bytes))
        return None if isinstance(content, Refused) or content.truncated else content.data

    async def write(self, path: str, text: str) -> int | Refused | None:
        """Creates or replaces a file; returns its size in bytes."""
        data = text.encode("utf-8", "surrogatepass")
        written = await self.change.touching(lambda: self._files.write(path, data), path)
        return written if isinstance(written, Refused) else written.size_bytes

    async def edit(self, path: str, old: str, new: str) -> int | Refused | None:
        """Replaces text that stands once in a file; returns the file's size in bytes."""
        edited = await self.change.touching(lambda: self._files.edit(path, old, new), path)
        return edited if isinstance(edited, Refused) else edited.size_bytes

    async def delete(self, path: str, *, recursive: bool) -> int | Refused | None:
        """Removes a file or a folder."""
        deleted = await self.change.touching(lambda: self._files.delete(path, recursive=recursive), path)
        return deleted if isinstance(deleted, Refused) else None

    async def move(self, path: str, to: str) -> int | Refused | None:
        """Renames a file or a folder."""
        moved = await self.change.touching(lambda: self._files.move(path, to), path, to)
        return moved if isinstance(moved, Refused) else None

    async def folder(self, cwd: str) -> str | Refused:
        """Returns the absolute path of a folder of the worktree, where a command can start."""
        if cwd in {"", "."}:
            return self.root
        found = await asyncio.to_thread(lambda: self._files.stat(cwd))
        if isinstance(found, Refused):
            return found
        if found.kind != "directory":
            return Refused("directory", f"{cwd} is not a folder.")
        return posixpath.normpath(posixpath.join(self.root, cwd))

    async def surroundings(self, cwd: str, protected: tuple[str, ...]) -> around.Surroundings:
        """Describes where a line would run."""
        branches = (*protected, *(name for name in (self.checkout.default_branch, self.base_branch) if name))
        return around.Surroundings(
            cwd=cwd,
            worktree=self.root,
            home=self.runner.home,
            scratch=(str(self._scratch),),
            protected=tuple(dict.fromkeys(branches)),
            branch=self.worktree.branch,
        )

    async def links(self, judged: verdict.Assessment, given: around.Surroundings) -> dict[str, str]:
        """Finds the symbolic links that the words of a line may lead through."""
        return await asyncio.to_thread(commands.links, self.disk, judged, given.cwd, self.root)

    def with_links(self, given: around.Surroundings, links: Mapping[str, str]) -> around.Surroundings:
        """Returns the surroundings with links made known."""
        return replace(given, links=dict(links))

    async def changed_files(self) -> tuple[diff.FileChange, ...]:
        """Returns the whole change against the base, by file."""
        current = await self.change.current()
        return await asyncio.to_thread(tuple, current.changes)

    async def base_text(self, path: str) -> bytes | None:
        """Returns a file as it was where the session began."""
        return await asyncio.to_thread(self.git.base_text, self.checkout.common_dir, self.base_commit, path)

    async def stage(self, paths: tuple[str, ...] | None) -> Staged:
        """Captures the tree that a commit would have; what is inspected is byte for byte what is committed."""
        return await asyncio.to_thread(self._stage, paths, await self.change.differing())

    def _stage(self, paths: tuple[str, ...] | None, known: tuple[str, ...] | None) -> Staged:
        staged = self.git.stage_tree(self.worktree, paths, known)
        return Staged(staged, self._between(staged.parent, ids.CommitId(staged.tree), ""))

    def _between(self, older: ids.CommitId, newer: ids.CommitId, git_dir: str) -> tuple[policy.ChangedFile, ...]:
        common = git_dir or self.checkout.common_dir
        found = self.git.between(common, older, newer)
        names = {name for one in found for name in (one.path, one.old_path) if name is not None}
        held = self.git.held(self.worktree, names, (older, newer), git_dir)
        return tuple(
            changed.file(
                one,
                self.git.base_text(common, newer, one.path),
                held.get(one.path) or held.get(one.old_path or "", ""),
            )
            for one in found
        )

    async def commit(self, staged: Staged, message: str) -> ids.CommitId:
        """Commits what was staged, in the person's name, with the session in a trailer; the agent's git follows."""

        def make() -> ids.CommitId:
            who = self.git.identity(self.checkout)
            trailers = {"AgentOS-Session": self.session}
            with self.agents_git.following(staged.staged.parent) as follow:
                made = self.git.commit(self.worktree, staged.staged, message, who, trailers, self.now())
                with contextlib.suppress(AgentosError):
                    # The commit is made; the agent's git is brought after it when it is looked at next.
                    follow(made)
            return made

        return await asyncio.to_thread(make)

    async def lost(self) -> Losses:
        """Says what a discard would lose."""
        unmerged = await asyncio.to_thread(self.git.unmerged, self.worktree, None)
        return Losses(unmerged.commits, unmerged.uncommitted)

    async def tip(self) -> ids.CommitId | None:
        """Returns where the session's branch is, None if it is gone."""
        return await asyncio.to_thread(self.git.resolve, self.checkout, self.worktree.branch)

    async def change_between(
        self, older: ids.CommitId, newer: ids.CommitId, git_dir: str = ""
    ) -> tuple[policy.ChangedFile, ...]:
        """Returns what changed from one commit to another, as the inspector sees it."""
        return await asyncio.to_thread(self._between, older, newer, git_dir)

    async def own_commit_after(self, head: ids.CommitId) -> ids.CommitId | None:
        """Returns the commit on the session's branch that the gate made on top of `head`, None if there is none."""
        return await self.merged_commit(self.worktree.branch, head, ids.CommitId(""))

    async def branch_commit(self, branch: str) -> ids.CommitId:
        """Returns where a branch is.

        Raises:
            UserError: There is no such branch.
        """
        found = await asyncio.to_thread(self.git.resolve, self.checkout, branch)
        if found is None:
            raise UserError(f"There is no branch {branch}.", "Name another as `into`; `git branch` lists them.")
        return found

    async def merged_commit(
        self, into: str, before: ids.CommitId, source: ids.CommitId, *, rebased: bool = False
    ) -> ids.CommitId | None:
        """Tells, after a crash, how a merge ended; see `settling.merged_commit`."""
        mark = f"AgentOS-Session: {self.session}"
        return await asyncio.to_thread(
            lambda: self.git.merged_commit(self.checkout, into, before, source, mark, rebased=rebased)
        )

    async def stop_all(self) -> None:
        """Ends every process of the session."""
        await self.runner.stop_all()

    @property
    def scratch(self) -> str:
        """The session's own folder for temporary files, its `TMPDIR`."""
        return str(self._scratch)

    @property
    def worktree(self) -> worktrees.Worktree:
        """The worktree, for the functions of the door to git; it is an error to ask while there is none."""
        if self._worktree is None:
            raise UserError("The session has no worktree.", "Wait until it has started, or start a new one.")
        return self._worktree

    @property
    def _files(self) -> Files:
        if self._tree is None:
            message = "the worktree is gone"
            raise EffectError("files", f"use the files of {self.session}", message, retry_may_help=False)
        return self._tree
