"""The event log in memory, gone when the process ends; see `effects.Log`."""

from __future__ import annotations

import hashlib
import threading
from typing import TYPE_CHECKING

from agentos_lsp.domain import events
from agentos_lsp.domain.errors import EffectError
from agentos_lsp.domain.ids import BlobId, SessionId

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path


class Log:
    """See `effects.Log`. Events are kept as the text that the real log would hold.

    Args:
        spools: What commands have printed, by file.
    """

    def __init__(self, spools: dict[str, bytes]) -> None:
        self._spools = spools
        self._lock = threading.Lock()
        self._bodies: dict[SessionId, list[str]] = {}
        self._began: dict[SessionId, datetime] = {}
        self._blobs: dict[BlobId, bytes] = {}

    def close(self) -> None:
        """Has nothing to let go of."""

    def append(self, event: events.AnyEvent, *, durable: bool) -> None:
        """Appends one event."""
        del durable
        body = events.dump(event)
        with self._lock:
            rows = self._bodies.get(event.session, [])
            attempted = f"write event {event.sequence} of {event.session}"
            if event.sequence <= len(rows):
                reason = "another agentos-lsp writes this session"
                raise EffectError("store", attempted, reason, retry_may_help=False)
            if event.sequence != len(rows) + 1:
                raise EffectError("store", attempted, f"event {event.sequence - 1} is missing", retry_may_help=False)
            self._began.setdefault(event.session, event.at)
            self._bodies.setdefault(event.session, rows).append(body)

    def read(self, session: SessionId, after: int = 0) -> list[events.AnyEvent]:
        """Returns a session's events."""
        with self._lock:
            bodies = self._bodies.get(session, [])[after:]
        return [events.load(body) for body in bodies]

    def sessions(self) -> list[SessionId]:
        """Returns every session, the oldest first."""
        with self._lock:
            return sorted(self._began, key=self._began.__getitem__)

    def claim(self, session: SessionId) -> bool:
        """Gives a session to the only process that there is."""
        del session
        return True

    def release(self, session: SessionId) -> None:
        """Takes no notice."""

    def put_blob(self, content: bytes) -> BlobId:
        """Keeps content under its own hash."""
        name = BlobId(hashlib.sha256(content).hexdigest())
        with self._lock:
            self._blobs[name] = content
        return name

    def adopt_blob(self, spool: Path) -> BlobId:
        """Keeps a finished spool."""
        try:
            return self.put_blob(self._spools.pop(str(spool)))
        except KeyError as error:
            raise EffectError("store", "keep an output", "there is none", retry_may_help=False) from error

    def read_blob(self, blob: BlobId, limit_bytes: int | None = None) -> bytes:
        """Returns kept content."""
        try:
            return self._blobs[blob][:limit_bytes]
        except KeyError as error:
            raise EffectError("store", f"read output {blob[:12]}", "there is none", retry_may_help=False) from error
