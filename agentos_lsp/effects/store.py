"""The event log: one SQLite database per user, and big contents in files beside it. The only place for sqlite3.

Every event is sealed: its row holds an HMAC over the event and over the seal of the event before it, keyed with a
per-user key that lies beside the database, outside any worktree. The newest seal of a session is kept apart, sealed
too, so that a dropped end is found as well. What this cannot show: somebody who can read the key can forge the log,
and somebody who restores an older copy of the whole folder takes the log back to that day.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import secrets
import sqlite3
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pydantic

from agentos_lsp.domain import events
from agentos_lsp.domain.errors import EffectError
from agentos_lsp.domain.ids import BlobId, SessionId

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

MIGRATIONS = (
    """
    CREATE TABLE events (
        session  TEXT    NOT NULL,
        sequence INTEGER NOT NULL,
        type     TEXT    NOT NULL,
        body     TEXT    NOT NULL,
        seal     BLOB    NOT NULL,
        PRIMARY KEY (session, sequence)
    ) WITHOUT ROWID, STRICT;
    CREATE TABLE heads (
        session  TEXT    NOT NULL PRIMARY KEY,
        sequence INTEGER NOT NULL,
        seal     BLOB    NOT NULL,
        proof    BLOB    NOT NULL
    ) WITHOUT ROWID, STRICT;
    """,
)
"""Step i takes a database from `user_version` i to i + 1; steps are only ever added."""


@dataclass(frozen=True, slots=True)
class Flaw:
    """The first place where a session's trace is not what was written; `sequence` is the event it is about."""

    sequence: int
    message: str


class Store:
    """Appends and reads events; never updates and never deletes one. Safe to call from any thread.

    Args:
        folder: Where the database, its key and the blobs live; made with mode 0700 if missing.
        writes: Without it nothing is made or brought up to date, and nothing can be appended.

    Raises:
        EffectError: The folder cannot be made, or the database is damaged or from another version.
    """

    def __init__(self, folder: Path, *, writes: bool = True) -> None:
        self._folder = folder
        self._blobs = folder / "blobs"
        self._locks = folder / "locks"
        self._claims: dict[SessionId, int] = {}
        self._lock = threading.Lock()
        self._seals: dict[SessionId, tuple[int, bytes]] = {}
        with _translated(f"open the event log in {folder}"):
            if writes:
                self._blobs.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._key = _load_key(folder / "trace.key", writes=writes)
            where = _address(folder / "events.db", writes=writes)
            self._connection = sqlite3.connect(where, uri=True, check_same_thread=False, isolation_level=None)
            try:
                self._connection.execute("PRAGMA busy_timeout = 5000")
                if writes:
                    self._connection.execute("PRAGMA journal_mode = WAL")
                    self._connection.execute("PRAGMA synchronous = NORMAL")
                self._migrate(writes=writes)
            except BaseException:
                self._connection.close()
                raise

    def close(self) -> None:
        """Closes the database; what was appended is kept."""
        with self._lock:
            self._connection.close()
            for descriptor in self._claims.values():
                os.close(descriptor)
            self._claims.clear()

    def append(self, event: events.AnyEvent, *, durable: bool) -> None:
        """Appends one event.

        Args:
            event: Its sequence must follow the session's last one.
            durable: Whether it must be on the disk, not only in the system's cache, before this returns.

        Raises:
            EffectError: Another process wrote this sequence first, or the disk is full or gone. Nothing was written.
        """
        body = events.dump(event)
        with self._lock, _translated(f"write event {event.sequence} of {event.session}"):
            self._connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                previous = self._last_seal(event.session, event.sequence)
                seal = self._seal(previous, event.session, event.sequence, body)
                self._connection.execute(
                    "INSERT INTO events VALUES (?, ?, ?, ?, ?)",
                    (event.session, event.sequence, event.type, body, seal),
                )
                self._connection.execute(
                    "INSERT INTO heads VALUES (?, ?, ?, ?) ON CONFLICT (session) DO UPDATE"
                    " SET sequence = excluded.sequence, seal = excluded.seal, proof = excluded.proof",
                    (event.session, event.sequence, seal, self._proof(event.session, event.sequence, seal)),
                )
                self._connection.execute("COMMIT")
            except BaseException:
                self._seals.pop(event.session, None)
                with contextlib.suppress(sqlite3.Error):
                    self._connection.execute("ROLLBACK")
                raise
            self._seals[event.session] = (event.sequence, seal)

    def read(self, session: SessionId, after: int = 0) -> list[events.AnyEvent]:
        """Returns a session's events, oldest first, from the one after sequence `after`.

        Raises:
            EffectError: The database, or an event in it, cannot be read.
        """
        with self._lock, _translated(f"read the trace of {session}"):
            rows = self._connection.execute(
                "SELECT sequence, body FROM events WHERE session = ? AND sequence > ? ORDER BY sequence",
                (session, after),
            ).fetchall()
        return [_load(session, sequence, body) for sequence, body in rows]

    def sessions(self) -> list[SessionId]:
        """Returns every session that was ever started, the oldest first."""
        with self._lock, _translated("list the sessions"):
            rows = self._connection.execute(
                "SELECT session FROM events WHERE sequence = 1 ORDER BY json_extract(body, '$.at')"
            ).fetchall()
        return [SessionId(row[0]) for row in rows]

    def verify(self, session: SessionId) -> Flaw | None:
        """Looks for an edited, dropped, inserted or reordered event.

        Returns:
            The first flaw, or None if the trace is whole.
        """
        with self._lock, _translated(f"verify the trace of {session}"):
            rows = self._connection.execute(
                "SELECT sequence, type, body, seal FROM events WHERE session = ? ORDER BY sequence", (session,)
            ).fetchall()
            head = self._connection.execute(
                "SELECT sequence, seal, proof FROM heads WHERE session = ?", (session,)
            ).fetchone()
        previous = b""
        for expected, (sequence, kind, body, seal) in enumerate(rows, start=1):
            if sequence != expected:
                return Flaw(expected, f"event {expected} is missing: the next one is {sequence}")
            if not hmac.compare_digest(seal, self._seal(previous, session, sequence, body)):
                return Flaw(sequence, f"event {sequence} ({kind}) is not what was written in this place")
            flaw = _misfit(session, sequence, kind, body)
            if flaw is not None:
                return flaw
            previous = seal
        return self._head_flaw(session, len(rows), previous, head)

    def claim(self, session: SessionId) -> bool:
        """Takes the session for this process, until `release` or the process's end.

        Returns:
            False if another running agentos-lsp has it.
        """
        with self._lock, _translated(f"take session {session}"):
            if session in self._claims:
                return True
            self._locks.mkdir(mode=0o700, exist_ok=True)
            descriptor = os.open(self._locks / session, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
            if not _lock_file(descriptor):
                os.close(descriptor)
                return False
            self._claims[session] = descriptor
            return True

    def release(self, session: SessionId) -> None:
        """Gives the session up, so that another process may take it."""
        with self._lock:
            descriptor = self._claims.pop(session, None)
            if descriptor is not None:
                os.close(descriptor)

    def put_blob(self, content: bytes) -> BlobId:
        """Keeps content under its own hash; keeping the same again costs nothing."""
        name = hashlib.sha256(content).hexdigest()
        target = self._blob_path(BlobId(name))
        if not target.exists():
            with _translated("keep an output"):
                target.parent.mkdir(mode=0o700, exist_ok=True)
                spool = target.with_name(f"{name}.{secrets.token_hex(4)}.part")
                try:
                    spool.write_bytes(content)
                    spool.replace(target)
                finally:
                    spool.unlink(missing_ok=True)
        return BlobId(name)

    def adopt_blob(self, spool: Path) -> BlobId:
        """Moves a finished file into the blobs, without reading it into memory at once."""
        with _translated("keep an output"):
            with spool.open("rb") as stream:
                name = hashlib.file_digest(stream, "sha256").hexdigest()
            target = self._blob_path(BlobId(name))
            target.parent.mkdir(mode=0o700, exist_ok=True)
            spool.replace(target)
        return BlobId(name)

    def read_blob(self, blob: BlobId, limit_bytes: int | None = None) -> bytes:
        """Returns kept content, or its first `limit_bytes`.

        Raises:
            EffectError: It is not there.
        """
        with _translated(f"read output {blob[:12]}"), self._blob_path(blob).open("rb") as stream:
            return stream.read(-1 if limit_bytes is None else limit_bytes)

    def _blob_path(self, blob: BlobId) -> Path:
        if len(blob) != 64 or not all(digit in "0123456789abcdef" for digit in blob):
            raise EffectError("store", "read an output", f"{blob!r} names no output", retry_may_help=False)
        return self._blobs / blob[:2] / blob

    def _migrate(self, *, writes: bool) -> None:
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        if version > len(MIGRATIONS):
            message = f"the event log has format {version}; this agentos-lsp knows {len(MIGRATIONS)}. Upgrade it"
            raise EffectError("store", "open the event log", message, retry_may_help=False)
        if not writes:
            if version < len(MIGRATIONS):
                message = f"the event log has format {version}; the next server makes it {len(MIGRATIONS)}"
                raise EffectError("store", "open the event log", message, retry_may_help=True)
            return
        self._connection.execute("BEGIN EXCLUSIVE")
        try:
            # Another process may have migrated while this one waited for the lock.
            (version,) = self._connection.execute("PRAGMA user_version").fetchone()
            for step in MIGRATIONS[version:]:
                for statement in step.split(";"):
                    self._connection.execute(statement)
            self._connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
            self._connection.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
            raise

    def _last_seal(self, session: SessionId, sequence: int) -> bytes:
        if sequence == 1:
            return b""
        known = self._seals.get(session)
        if known is not None and known[0] == sequence - 1:
            return known[1]
        row = self._connection.execute(
            "SELECT seal FROM events WHERE session = ? AND sequence = ?", (session, sequence - 1)
        ).fetchone()
        if row is None:
            raise EffectError(
                "store", f"write event {sequence}", f"event {sequence - 1} is missing", retry_may_help=False
            )
        return bytes(row[0])

    def _seal(self, previous: bytes, session: str, sequence: int, body: str) -> bytes:
        message = previous + f"\n{session}\n{sequence}\n".encode() + body.encode("utf-8", "surrogatepass")
        return hmac.new(self._key, message, hashlib.sha256).digest()

    def _proof(self, session: str, sequence: int, seal: bytes) -> bytes:
        return hmac.new(self._key, f"head\n{session}\n{sequence}\n".encode() + seal, hashlib.sha256).digest()

    def _head_flaw(self, session: str, count: int, last: bytes, head: tuple[int, bytes, bytes] | None) -> Flaw | None:
        if head is None:
            return Flaw(count, "the record of the newest event is missing") if count else None
        sequence, seal, proof = head
        if not hmac.compare_digest(proof, self._proof(session, sequence, seal)):
            return Flaw(count, "the record of the newest event was changed")
        if sequence > count:
            return Flaw(count + 1, f"events {count + 1} to {sequence} are missing from the end")
        if sequence != count or not hmac.compare_digest(seal, last):
            return Flaw(count, f"event {count} was added after the newest recorded one")
        return None


def _load(session: SessionId, sequence: int, body: str) -> events.AnyEvent:
    try:
        return events.load(body)
    except pydantic.ValidationError as error:
        reason = f"event {sequence} is damaged; `agentos-lsp trace verify {session}` says more"
        raise EffectError("store", f"read the trace of {session}", reason, retry_may_help=False) from error


def _misfit(session: SessionId, sequence: int, kind: str, body: str) -> Flaw | None:
    """A row whose columns were swapped with another's keeps its seal but not its sense."""
    try:
        event = events.load(body)
    except pydantic.ValidationError:
        return Flaw(sequence, f"event {sequence} ({kind}) cannot be read")
    if (event.session, event.sequence, event.type) != (session, sequence, kind):
        return Flaw(sequence, f"event {sequence} ({kind}) was moved here from another place")
    return None


def _address(file: Path, *, writes: bool) -> str:
    """Returns how SQLite is to open a database; one that nobody has open is read without laying files beside it."""
    is_open = file.with_name(f"{file.name}-wal").exists()
    mode = "rwc" if writes else "ro" if is_open else "ro&immutable=1"
    return f"{file.absolute().as_uri()}?mode={mode}"


def _load_key(path: Path, *, writes: bool) -> bytes:
    """Reads the user's trace key, or makes one that only the user can read."""
    for _ in range(2):
        with contextlib.suppress(FileNotFoundError):
            key = path.read_bytes()
            if len(key) != 32:
                raise EffectError("store", "read the trace key", f"{path} is damaged", retry_may_help=False)
            return key
        if not writes:
            raise EffectError("store", "read the trace key", f"{path} is not there", retry_may_help=False)
        spool = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
        descriptor = os.open(spool, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.write(descriptor, secrets.token_bytes(32))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        # Two servers may start at once: the first link wins, and both read it.
        with contextlib.suppress(FileExistsError):
            os.link(spool, path)
        spool.unlink()
    return path.read_bytes()


def _lock_file(descriptor: int) -> bool:
    """Locks an open file for this process; where files cannot be locked, the sequence's key still admits one writer."""
    try:
        import fcntl  # noqa: PLC0415 - not there on Windows
    except ImportError:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextlib.contextmanager
def _translated(attempted: str) -> Iterator[None]:
    try:
        yield
    except sqlite3.IntegrityError as error:
        reason = "another agentos-lsp writes this session; close it, or use that one"
        raise EffectError("store", attempted, reason, retry_may_help=False) from error
    except sqlite3.OperationalError as error:
        raise EffectError("store", attempted, str(error), retry_may_help=True) from error
    except sqlite3.DatabaseError as error:
        reason = f"{error}; the file was left as it is, move it away to begin a new log"
        raise EffectError("store", attempted, reason, retry_may_help=False) from error
    except OSError as error:
        raise EffectError("store", attempted, error.strerror or str(error), retry_may_help=True) from error


def jsonl(log: Sequence[events.AnyEvent]) -> str:
    """Returns a trace as one JSON object per line, for `trace export`."""
    return "".join(f"{events.dump(event)}\n" for event in log)
