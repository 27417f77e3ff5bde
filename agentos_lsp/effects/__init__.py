"""What touches the world: one door for each outside thing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    from agentos_lsp.domain import events
    from agentos_lsp.domain.ids import BlobId, SessionId


class Log(Protocol):
    """The event log, on the disk (`store.Store`) or in memory; safe to call from any thread."""

    def close(self) -> None:
        """Lets go of it; what was appended is kept as long as it can be."""

    def append(self, event: events.AnyEvent, *, durable: bool) -> None:
        """Appends one event, whose sequence must follow the session's last one.

        Raises:
            EffectError: It does not, or it cannot be kept; nothing was written.
        """

    def read(self, session: SessionId, after: int = 0) -> list[events.AnyEvent]:
        """Returns a session's events, oldest first, from the one after sequence `after`."""

    def sessions(self) -> list[SessionId]:
        """Returns every session that was ever started, the oldest first."""

    def claim(self, session: SessionId) -> bool:
        """Takes the session for this process; false if another running agentos-lsp has it."""

    def release(self, session: SessionId) -> None:
        """Gives the session up."""

    def put_blob(self, content: bytes) -> BlobId:
        """Keeps content under its own hash."""

    def adopt_blob(self, spool: Path) -> BlobId:
        """Keeps a finished spool, which is gone then."""

    def read_blob(self, blob: BlobId, limit_bytes: int | None = None) -> bytes:
        """Returns kept content, or its first `limit_bytes`.

        Raises:
            EffectError: It is not there.
        """
