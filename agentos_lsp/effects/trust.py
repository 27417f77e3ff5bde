"""Which policy files a person trusts: one row for each repository and content, in the user's state folder.

A plain JSON file that a person can read. Only the very bytes that were trusted count: a changed file is not.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import logging
import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Protocol

from agentos_lsp.domain.errors import EffectError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

LOG = logging.getLogger(__name__)

FILE = "trust.json"


@dataclass(frozen=True, slots=True)
class Trusted:
    """A person trusts these very bytes as the policy of a repository (its common git folder, absolute)."""

    repository: str
    digest: str
    at: str
    by: str


def digest_of(content: bytes) -> str:
    """Names the bytes of a policy file."""
    return hashlib.sha256(content).hexdigest()


class Trusts(Protocol):
    """Which policy files a person trusts, on the disk (`Trust`) or for as long as the process lives."""

    def covers(self, repository: str, content: bytes) -> bool:
        """Whether a person trusts these bytes as this repository's policy."""

    def add(self, repository: str, digest: str, by: str, at: datetime) -> None:
        """Trusts a content, instead of any other of the same repository."""

    def remove(self, repository: str) -> bool:
        """Takes all trust in a repository back; tells whether there was any."""


class Trust:
    """The person's trust, shared by all runtimes of this user.

    Args:
        folder: The state folder.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / FILE
        self._lock = folder / "locks" / "trust.lock"

    def covers(self, repository: str, content: bytes) -> bool:
        """Whether a person trusts these bytes as this repository's policy."""
        digest = digest_of(content)
        return any((one.repository, one.digest) == (repository, digest) for one in self.all())

    def all(self) -> tuple[Trusted, ...]:
        """Returns every row, the oldest first; nothing is trusted by a file that cannot be read."""
        try:
            rows = json.loads(self._file.read_bytes())
            return tuple(Trusted(**{name: str(row[name]) for name in Trusted.__slots__}) for row in rows)
        except FileNotFoundError:
            return ()
        except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
            LOG.warning("%s cannot be read, so no policy file is trusted: %s", self._file, error)
            return ()

    def add(self, repository: str, digest: str, by: str, at: datetime) -> None:
        """Trusts a content, instead of any other of the same repository.

        Raises:
            EffectError: It could not be written down.
        """
        with self._changing():
            kept = [one for one in self.all() if one.repository != repository]
            self._write([*kept, Trusted(repository, digest, at.isoformat(), by)])

    def remove(self, repository: str) -> bool:
        """Takes all trust in a repository back; tells whether there was any.

        Raises:
            EffectError: It could not be written down.
        """
        with self._changing():
            rows = self.all()
            kept = [one for one in rows if one.repository != repository]
            if len(kept) < len(rows):
                self._write(kept)
            return len(kept) < len(rows)

    @contextlib.contextmanager
    def _changing(self) -> Iterator[None]:
        """Keeps other runtimes from changing the file meanwhile."""
        try:
            self._lock.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._lock.open("ab") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield
        except OSError as error:
            reason = error.strerror or str(error)
            raise EffectError("config", "write down which policy is trusted", reason, retry_may_help=True) from error

    def _write(self, rows: list[Trusted]) -> None:
        following = self._file.with_suffix(".next")
        descriptor = os.open(following, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="surrogateescape") as file:
            json.dump([asdict(row) for row in rows], file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        following.replace(self._file)
