"""Opens repositories, one object per thread, and turns what git says went wrong into our own errors.

Invariant: a `pygit2.Repository` never crosses threads. Source: libgit2, docs/threading.md; two threads that read one
repository's index end in a double free.
"""

from __future__ import annotations

import contextlib
import errno
import threading
from typing import TYPE_CHECKING

import pygit2
from pygit2.enums import RepositoryOpenFlag
from pygit2.ffi import ffi

from agentos_lsp.domain.errors import AgentosError, EffectError

if TYPE_CHECKING:
    from collections.abc import Iterator

KEPT_PER_THREAD = 8

Repository = pygit2.Repository
"""One open repository; belongs to the thread that opened it."""


class _Kept(threading.local):
    """The repositories that this thread has open, the one used last at the end."""

    def __init__(self) -> None:
        self.repositories: dict[tuple[str, str], Repository] = {}


_KEPT = _Kept()


def repository(git_dir: str, folder: str = "") -> Repository:
    """Returns this thread's repository for a git directory, opened if need be.

    Args:
        git_dir: The git directory itself, absolute; nothing is searched for and no `.git` file is read.
        folder: The working folder whose ignore and attribute files count; "" for the repository's own.

    Raises:
        pygit2.GitError: It cannot be opened; callers are inside `attempting`.
    """
    key = (git_dir, folder)
    found = _KEPT.repositories.pop(key, None)
    if found is None:
        found = pygit2.Repository(git_dir, RepositoryOpenFlag.NO_SEARCH)
        if folder:
            found.workdir = folder
    while len(_KEPT.repositories) >= KEPT_PER_THREAD:
        _KEPT.repositories.pop(next(iter(_KEPT.repositories)))
    _KEPT.repositories[key] = found
    return found


def ignores(repository: Repository, path: str) -> bool:
    """Whether git would ignore a path that it does not track; a folder's ends with a slash.

    A file below an ignored folder cannot be included again. Source: gitignore(5); libgit2 asks for the path first and
    for its folders then, and takes the first rule that it finds for an answer, an including one too.
    """
    steps = path.rstrip("/").split("/")
    above = ("/".join(steps[:count]) + "/" for count in range(1, len(steps)))
    return any(repository.path_is_ignored(one) for one in (*above, path))


def forget(git_dir: str) -> None:
    """Closes what this thread has open of a git directory that goes away."""
    for key in [key for key in _KEPT.repositories if key[0] == git_dir]:
        del _KEPT.repositories[key]


class Index(pygit2.Index):
    """An index file that may turn out to be broken, which pygit2's own class cannot be garbage-collected after."""

    _index = ffi.NULL


@contextlib.contextmanager
def attempting(what: str) -> Iterator[None]:
    """Turns the exceptions of libgit2 and of the file system into an `EffectError` that says what was attempted.

    Raises:
        EffectError: git or the file system failed; a retry may help where a lock or a full disk was in the way.
    """
    try:
        yield
    except AgentosError:
        raise
    except OSError as error:
        retry = error.errno in {errno.EAGAIN, errno.EBUSY, errno.EEXIST, errno.ENOSPC, errno.EMFILE, errno.EINTR}
        raise EffectError("git", what, error.strerror or str(error), retry_may_help=retry) from error
    except (pygit2.GitError, LookupError, ValueError) as error:
        reason = str(error)
        raise EffectError("git", what, reason, retry_may_help="lock" in reason) from error
