"""A session's private git directory: what an agent's own git works in, and all of git that it can write.

It has a HEAD, refs, an index and settings of its own, and reads the repository's objects as its alternates. In a cage
the worktree's `.git` leads here, and the repository's own git directory is not seen but for its objects; see
`effects.process.sandbox.plan`. Outside of a cage nothing leads here: neither the person's git nor ours ever runs in it.

Invariant: after it was made, it belongs to the agent. It is read through `foreign` and written beneath its folder,
never through a link; `agreed`, beside it and out of the agent's reach, says where it and the repository last agreed.

Source: gitrepository-layout; git-config(1), "Syntax".
"""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

import pygit2

from agentos_lsp.domain.errors import EffectError, UserError
from agentos_lsp.domain.ids import CommitId
from agentos_lsp.effects.git import beneath, foreign, indexes, opening, staging, trash, trees, worktrees

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agentos_lsp.effects.git.repository import Checkout, Identity
    from agentos_lsp.effects.git.worktrees import Worktree

_COPIED_SETTINGS = (
    "core.filemode",
    "core.ignorecase",
    "core.symlinks",
    "core.precomposeunicode",
    "core.autocrlf",
    "core.eol",
    "core.safecrlf",
)
_LARGEST_INDEX = 64 << 20
_LARGEST_LIST = 1 << 20
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_FOLDERS = ("objects/info", "objects/pack", "refs/heads", "refs/tags", "info", "hooks", "logs")


@dataclass(frozen=True, slots=True)
class Private:
    """Where one session's is: `folder` is ours, `git_dir` in it the agent's, `file` is what `.git` says in a cage."""

    folder: str

    @property
    def git_dir(self) -> str:
        """The git directory itself."""
        return f"{self.folder}/git"

    @property
    def file(self) -> str:
        """The file that stands for the worktree's `.git`."""
        return f"{self.folder}/gitfile"

    @property
    def is_there(self) -> bool:
        """Whether it was made."""
        return Path(self.git_dir).is_dir()


@dataclass(frozen=True, slots=True)
class Position:
    """Where an agent's git is.

    Args:
        tip: The session's branch, None if the agent has no such branch.
        branch: What is checked out, without `refs/heads/`; None if nothing that can be understood.
        agreed: Where the branch last was the same as the repository's.
    """

    tip: CommitId | None
    branch: str | None
    agreed: CommitId | None


def make(private: Private, worktree: Worktree, checkout: Checkout, who: Identity) -> None:
    """Makes it as the worktree is now, if it is not there or of no use; nothing half made is found under its name.

    What an agent has broken is moved aside, and goes with the session.

    Raises:
        EffectError: git or the disk failed.
    """
    if private.is_there and _is_of_use(private):
        return
    with opening.attempting(f"make the git directory of {worktree.branch}"):
        if private.is_there:
            names = (f"{private.git_dir}.broken-{number}" for number in itertools.count())
            Path(private.git_dir).rename(next(one for one in names if not os.path.lexists(one)))
        half = Path(f"{private.git_dir}.new")
        Path(private.folder).mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.rmtree(half, ignore_errors=True)
        for name in _FOLDERS:
            (half / name).mkdir(parents=True)
        repository = opening.repository(checkout.common_dir)
        tip = str(repository.lookup_reference(f"refs/heads/{worktree.branch}").peel(pygit2.Commit).id)
        (half / "HEAD").write_text(f"ref: refs/heads/{worktree.branch}\n")
        (half / "config").write_bytes(os.fsencode(_settings(checkout, who)))
        (half / "packed-refs").write_bytes(os.fsencode(_refs(repository, worktree.branch, tip)))
        (half / "objects/info/alternates").write_bytes(os.fsencode(f"{checkout.common_dir}/objects\n"))
        for name in ("info/exclude", "info/attributes", "shallow"):
            known = Path(checkout.common_dir, name)
            if known.is_file() and known.stat().st_size <= _LARGEST_LIST:
                shutil.copyfile(known, half / name)
        with contextlib.suppress(FileNotFoundError):
            shutil.copyfile(f"{worktree.admin_dir}/index", half / "index", follow_symlinks=False)
        Path(private.file).write_bytes(os.fsencode(f"gitdir: {private.git_dir}\n"))
        _note_agreed(private, tip)
        half.rename(private.git_dir)


def _is_of_use(private: Private) -> bool:
    """Tells whether git can work in there: it has a HEAD that can be understood, and somewhere to put objects."""
    try:
        with foreign.Foreign(private.git_dir) as agents:
            head = agents.head()
    except OSError:
        return False
    folders = [Path(private.git_dir, name) for name in ("objects", "refs")]
    is_whole = all(one.is_dir() and not one.is_symlink() for one in folders)
    return is_whole and (head.ref is not None or head.commit is not None)


def clear_remains(private: Private, worktree: Worktree) -> None:
    """Removes what a killed runtime has left half done in it; nothing of the agent may be running."""
    with contextlib.suppress(OSError):
        root = beneath.open_folder(private.git_dir)
        try:
            for name in (f"refs/heads/{worktree.branch}.lock", "index.lock"):
                _unlock(root, name)
        finally:
            os.close(root)


def remove(private: Private) -> None:
    """Removes it, and what was read from it, however deep an agent has nested folders there."""
    trash.delete(private.folder)


def look(private: Private, worktree: Worktree) -> Position:
    """Returns where the agent's git is.

    Raises:
        EffectError: Its folder is gone, or a link.
    """
    with (
        opening.attempting(f"look at the agent's git directory of {worktree.branch}"),
        foreign.Foreign(private.git_dir) as agents,
    ):
        head = agents.head()
        tip = agents.ref(f"refs/heads/{worktree.branch}")
        agreed = _agreed(private)
        return Position(
            None if tip is None else CommitId(tip),
            head.ref.removeprefix("refs/heads/") if head.ref is not None else None,
            None if agreed is None else CommitId(agreed),
        )


def agree(private: Private, commit: CommitId) -> None:
    """Notes that both are at a commit."""
    with opening.attempting("note where the agent's git is"):
        _note_agreed(private, commit)


def put_back(private: Private, worktree: Worktree, tip: CommitId, to: CommitId) -> None:
    """Moves the agent's branch back from a commit, whatever it has checked out, and nothing else; see `past.put_back`.

    Raises:
        EffectError: Another git command is at work there (a retry may help); or what is there cannot be used.
    """
    what = f"move the agent's {worktree.branch} back"
    with opening.attempting(what), contextlib.ExitStack() as undo:
        root = beneath.open_folder(private.git_dir)
        undo.callback(os.close, root)
        name = f"refs/heads/{worktree.branch}.lock"
        _lock(root, name, what)
        undo.callback(_unlock, root, name)
        if look(private, worktree).tip == tip:
            Hold(private, worktree, root).move(to)


@contextlib.contextmanager
def held(private: Private, worktree: Worktree, at: CommitId) -> Iterator[Hold]:
    """Keeps the agent's git from moving its branch and from changing its index, as git itself would.

    Args:
        private: Whose.
        worktree: Its worktree.
        at: Where its branch must be.

    Raises:
        UserError: It is elsewhere, or another branch is checked out.
        EffectError: Another git command is at work there (a retry may help); or what is there cannot be used.
    """
    branch = worktree.branch
    what = f"keep the agent's git directory of {branch} in step"
    with opening.attempting(what), contextlib.ExitStack() as undo:
        root = beneath.open_folder(private.git_dir)
        undo.callback(os.close, root)
        ref = f"refs/heads/{branch}"
        for name in (f"{ref}.lock", "index.lock"):
            _lock(root, name, what)
            undo.callback(_unlock, root, name)
        found = look(private, worktree)
        if found.branch != branch:
            raise UserError(
                f"The worktree is no longer on its branch {branch}.",
                f"Run `git switch {branch}` in it and commit again; a branch that was renamed is renamed back with "
                f"`git branch -m {branch}`.",
            )
        if found.tip != at:
            raise UserError(
                f"The branch {branch} moved while this was under way; nothing was changed on it.",
                "Look at what is new on it and try again.",
            )
        yield Hold(private, worktree, root)


class Hold:
    """An agent's git directory that stands still; see `held`."""

    def __init__(self, private: Private, worktree: Worktree, root: int) -> None:
        self._private = private
        self._worktree = worktree
        self._root = root

    def follow(self, old: CommitId, new: CommitId) -> None:
        """Stages what differs between two commits, and moves the branch; what else was staged is kept.

        Raises:
            EffectError: Something is in the way; the branch did not move.
        """
        with opening.attempting(f"bring the agent's {self._worktree.branch} after a commit"):
            self._follow(old, new)

    def _follow(self, old: CommitId, new: CommitId) -> None:
        repository = opening.repository(self._worktree.common_dir)
        before, after = trees.tree_of(repository, old), trees.tree_of(repository, new)
        seen = beneath.read(self._root, b"index", _LARGEST_INDEX)
        data = seen.data if seen is not None and seen.mode != trees.LINK else None
        if data is not None and not _is_index(data):
            data = None
        was = beneath.look(self._root, b"index")
        _put(self._root, "index", staging.staged(repository, data, before, after))
        if was is not None:
            # What changed since git last looked must not seem older than the index now.
            os.utime(b"index", ns=(was.st_mtime_ns, was.st_mtime_ns), dir_fd=self._root, follow_symlinks=False)
        self.move(new)

    def move(self, to: CommitId) -> None:
        """Moves the branch alone, as `git reset --soft` does."""
        _put(self._root, f"refs/heads/{self._worktree.branch}", os.fsencode(f"{to}\n"))
        _note_agreed(self._private, to)


def _is_index(data: bytes) -> bool:
    """Tells whether git has written these bytes whole, before a parser in C sees them. Source: gitformat-index."""
    whole = indexes.checksum([memoryview(data)[:-20]])
    return data[:4] == b"DIRC" and len(data) >= 32 and data[-20:] in {whole, bytes(20)}


def _lock(root: int, name: str, what: str) -> None:
    """Takes one of git's own locks. Source: git's lockfile protocol, api-lockfile."""
    try:
        with beneath.folder_of(root, os.fsencode(name), create=True) as (folder, last):
            os.close(os.open(last, _CREATE, 0o666, dir_fd=folder))
    except FileExistsError as error:
        reason = f"another git command is at work in the worktree; if none is, delete {name} in its git directory"
        raise EffectError("git", what, reason, retry_may_help=True) from error


def _put(root: int, name: str, data: bytes) -> None:
    """Puts a file in place; what a crash has left of an earlier try is no obstacle."""
    path = os.fsencode(name)
    with contextlib.suppress(FileNotFoundError), beneath.folder_of(root, path) as (folder, _):
        os.unlink(beneath.TEMPORARY, dir_fd=folder)
    beneath.write(root, path, data, trees.FILE, beneath.TEMPORARY)


def _unlock(root: int, name: str) -> None:
    with contextlib.suppress(OSError), beneath.folder_of(root, os.fsencode(name)) as (folder, last):
        os.unlink(last, dir_fd=folder)


def _agreed(private: Private) -> str | None:
    try:
        return Path(private.folder, "agreed").read_text("ascii").strip()
    except FileNotFoundError:
        return None


def _note_agreed(private: Private, commit: str) -> None:
    half = Path(private.folder, "agreed.new")
    half.write_text(f"{commit}\n")
    half.rename(Path(private.folder, "agreed"))


def _settings(checkout: Checkout, who: Identity) -> str:
    """Writes what the agent's git needs to know of the person's; remotes without what may be a password."""
    config = opening.repository(checkout.git_dir).config
    rows = ["[core]", "\trepositoryformatversion = 0", "\tbare = false", "\tlogallrefupdates = true"]
    for name in _COPIED_SETTINGS:
        with contextlib.suppress(KeyError):
            rows.append(f"\t{name.partition('.')[2]} = {_quoted(str(config[name]))}")
    rows += ["[user]", f"\tname = {_quoted(who.name)}", f"\temail = {_quoted(who.email)}"]
    # The person's keys are out of reach, and no question can be answered.
    rows += ["[commit]", "\tgpgsign = false", "[tag]", "\tgpgsign = false"]
    for remote in opening.repository(checkout.common_dir).remotes:
        if remote.name and remote.url:
            rows += [f"[remote {_quoted(remote.name)}]", f"\turl = {_quoted(_without_password(remote.url))}"]
            rows += [f"\tfetch = {_quoted(spec)}" for spec in remote.fetch_refspecs if spec]
    return "\n".join(rows) + "\n"


def _quoted(text: str) -> str:
    """Returns a value as git reads it back."""
    inner = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\0", "")
    return f'"{inner}"'


def _without_password(url: str) -> str:
    """Leaves out who logs in, where there is a scheme: `https://name:token@host/…`."""
    if "://" not in url:
        return url
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    host = parts.netloc.rpartition("@")[2]
    who = "git@" if parts.scheme == "ssh" and parts.netloc.startswith("git@") else ""
    return urlunsplit(parts._replace(netloc=who + host))


def _refs(repository: opening.Repository, branch: str, tip: str) -> str:
    """Writes the branches, tags and remote branches as they are now; of sessions, only its own."""
    found = {f"refs/heads/{branch}": tip}
    for one in repository.references.iterator():
        name = one.name
        is_sessions = name.startswith(f"refs/heads/{worktrees.PREFIX}")
        if name.startswith(("refs/heads/", "refs/tags/", "refs/remotes/")) and not is_sessions:
            target = one.target
            if isinstance(target, pygit2.Oid):
                found[name] = str(target)
    rows = [f"{oid} {name}\n" for name, oid in sorted(found.items(), key=lambda row: os.fsencode(row[0]))]
    return "# pack-refs with: sorted \n" + "".join(rows)
