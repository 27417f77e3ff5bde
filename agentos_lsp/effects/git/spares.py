"""Worktrees made ahead of their sessions: files and indexes on a shelf, taken by a rename at any size.

A spare belongs to one repository and names its commit; git knows nothing of it until a session takes it. Each is a
folder on the repository's shelf, whose name says how far it has come:

    making-…     under creation, by whoever holds the shelf's lock
    ready-…      complete
    taken-PID-…  being taken by a process

Only a rename leads from one to the next, so two never take the same, and what a crash leaves is known by its name.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pygit2

from agentos_lsp.domain.ids import CommitId
from agentos_lsp.effects.git import collecting, conversions, drafts, features, filling, held, opening, trash, trees

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from agentos_lsp.effects.git.opening import Repository
    from agentos_lsp.effects.git.repository import Checkout

FEWEST = 200
"""Below this number of files a worktree is made as quickly as a spare is taken."""

FREE_BYTES = 2 << 30
"""No spare is made where less than this, and twice what it needs, is free."""

_VERSION = 1
_SETTINGS = ("core.autocrlf", "core.eol", "core.filemode", "core.symlinks", "core.ignorecase", "core.precomposeunicode")


@dataclass(frozen=True, slots=True)
class Spare:
    """A spare that this process has taken: its folder, what it was made from, and how many files it has."""

    folder: Path
    commit: CommitId
    files: int

    @property
    def tree(self) -> Path:
        """The files."""
        return self.folder / "tree"

    @property
    def indexes(self) -> tuple[Path, Path]:
        """Two copies of the index that fits the files, stat data included."""
        return self.folder / "index", self.folder / "index-copy"


def shelf_of(state_folder: Path, common_dir: str) -> str:
    """Returns where a repository's spares are kept."""
    return str(state_folder / "spares" / hashlib.sha256(os.fsencode(common_dir)).hexdigest()[:20])


def make(checkout: Checkout, means: filling.Means, *, count: int, cancelled: Callable[[], bool]) -> bool:
    """Makes one spare at the checkout's HEAD, unless there are enough, or another process is at it.

    What is stale (made under other settings, or from a commit that is gone) or left by a crash is removed first. None
    is made where files may be held: nobody could say whether a file that waited still is what its filter would write.

    Args:
        checkout: Whose repository, and whose clean files are copied.
        means: With a shelf, on the file system of the worktrees.
        count: How many are kept ready.
        cancelled: Asked now and then.

    Returns:
        Whether one was made.

    Raises:
        EffectError: git or the disk failed; nothing half-made is ever taken.
    """
    if means.shelf is None:
        return False
    what = f"make a spare worktree of {checkout.root}"
    with opening.attempting(what), _locked(means.shelf) as mine, collecting.held_back():
        if not mine:
            return False
        main = opening.repository(checkout.common_dir)
        print_now = fingerprint(main, checkout.common_dir)
        if _cleared(means.shelf, main, print_now) >= count:
            return False
        tree = trees.tree_of(main, checkout.head)
        texts = features.attributes(main, checkout.common_dir, tree)
        draft = drafts.of_tree(main, tree, checkout.root, f"{checkout.git_dir}/index")
        files = len(draft.starts)
        if files < FEWEST or held.may_hold(main.config, texts) or not _room(draft, means.shelf):
            return False
        making = Path(means.shelf, f"making-{secrets.token_hex(8)}")
        try:
            convert = conversions.may_change_checkouts(main, texts)
            if not _filled(checkout, draft, making, means, cancelled, convert=convert):
                return False
            about = {"version": _VERSION, "commit": checkout.head, "fingerprint": print_now, "files": files}
            (making / "about.json").write_text(json.dumps(about), "utf-8")
            making.rename(making.with_name(f"ready-{secrets.token_hex(8)}"))
        finally:
            trash.delete(str(making))
        return True


def _filled(
    checkout: Checkout,
    draft: drafts.Draft,
    making: Path,
    means: filling.Means,
    cancelled: Callable[[], bool],
    *,
    convert: bool,
) -> bool:
    tree = making / "tree"
    making.mkdir(0o700)
    tree.mkdir()
    if not filling.fill(
        opening.repository(checkout.common_dir, str(tree)),
        str(tree),
        draft,
        convert=convert,
        progress=lambda _done, _total: None,
        cancelled=cancelled,
        means=means,
    ):
        return False
    draft.write(str(making / "index"), str(making / "index-copy"))
    return True


def fingerprint(main: Repository, common_dir: str) -> str:
    """Returns what, beside a commit, decides how its files look in a folder; a spare made under another is stale."""
    parts = [f"{name}={conversions.setting(main, name)}".encode() for name in _SETTINGS]
    parts += [text for texts in features.attribute_files(main.config, common_dir) for text in (b"", *texts)]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def take(checkout: Checkout, shelf: str) -> Spare | None:
    """Takes a spare off the shelf; whoever takes it moves its parts away, or drops it.

    Returns:
        None if there is none that fits.
    """
    main = opening.repository(checkout.common_dir)
    for ready in _named(shelf, "ready-"):
        taken = ready.with_name(f"taken-{os.getpid()}-{secrets.token_hex(8)}")
        try:
            ready.rename(taken)
        except FileNotFoundError:
            continue
        spare = _read(taken, main, fingerprint(main, checkout.common_dir))
        if spare is not None:
            return spare
        drop(taken)
    return None


def drop(folder: Path) -> None:
    """Throws away a spare that was taken; the next `make` deletes it if this process has no time for it."""
    with contextlib.suppress(OSError):
        shutil.rmtree(folder)


def remove(ready: Path) -> None:
    """Removes a spare that waits, unless somebody takes it at this moment."""
    mine = ready.with_name(f"taken-{os.getpid()}-{secrets.token_hex(8)}")
    with contextlib.suppress(FileNotFoundError):
        ready.rename(mine)
        trash.delete(str(mine))


def ready(shelf: str) -> tuple[Path, ...]:
    """Returns the spares that wait on a shelf."""
    return tuple(_named(shelf, "ready-"))


def _read(folder: Path, main: Repository, print_now: str) -> Spare | None:
    """Reads what a spare says about itself; None if it is stale or was tampered with."""
    try:
        about = json.loads((folder / "about.json").read_bytes())
        fits = about["version"] == _VERSION and about["fingerprint"] == print_now
        commit, files = CommitId(str(about["commit"])), int(about["files"])
        whole = (folder / "tree").is_dir() and all((folder / name).is_file() for name in ("index", "index-copy"))
        return Spare(folder, commit, files) if fits and whole and pygit2.Oid(hex=commit) in main else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _cleared(shelf: str, main: Repository, print_now: str) -> int:
    """Removes what is stale or left by a crash; returns how many good spares there are. Needs the shelf's lock."""
    good = 0
    for found in _named(shelf, ""):
        kind, _, rest = found.name.partition("-")
        if kind == "ready" and _read(found, main, print_now) is not None:
            good += 1
        elif kind in {"making", "ready"} or (kind == "taken" and not _lives(rest.partition("-")[0])):
            trash.delete(str(found))
    return good


def _lives(process: str) -> bool:
    try:
        os.kill(int(process), 0)
    except (ProcessLookupError, ValueError):
        return False
    except PermissionError:
        return True
    return True


def _named(shelf: str, prefix: str) -> list[Path]:
    try:
        return sorted(found for found in Path(shelf).iterdir() if found.name.startswith(prefix) and found.is_dir())
    except OSError:
        return []


def _room(draft: drafts.Draft, shelf: str) -> bool:
    """Whether the disk has room for a spare: what the checkout's index says its files take, twice, and some more."""
    return shutil.disk_usage(shelf).free > FREE_BYTES + 2 * draft.known_bytes()


@contextlib.contextmanager
def _locked(shelf: str) -> Iterator[bool]:
    """Holds a shelf's lock, which the system lets go of when the process ends; yields whether it could be had."""
    Path(shelf).mkdir(0o700, parents=True, exist_ok=True)
    descriptor = os.open(f"{shelf}/lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)
