"""Long work that a person may cancel: what is under way, and what is no longer wanted."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from agentos_lsp.effects.git import updating

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from agentos_lsp.domain.ids import SessionId


class Cancellable:
    """One kind of long work, at most one of it for each session. A wish counts only for what is under way."""

    def __init__(self) -> None:
        self._under_way: set[SessionId] = set()
        self._unwanted: set[SessionId] = set()

    def __contains__(self, session: SessionId) -> bool:
        """Whether it is under way for a session."""
        return session in self._under_way

    def begin(self, session: SessionId) -> None:
        """Notes that it is under way."""
        self._under_way.add(session)

    def end(self, session: SessionId) -> None:
        """Forgets it, with the wish that it stop."""
        self._under_way.discard(session)
        self._unwanted.discard(session)

    def cancel(self, session: SessionId) -> None:
        """Notes that it is not wanted any more."""
        if session in self._under_way:
            self._unwanted.add(session)

    def cancel_all(self) -> None:
        """Notes that none of it is wanted any more."""
        self._unwanted |= self._under_way

    def is_cancelled(self, session: SessionId) -> bool:
        """Whether it should stop; may be asked from any thread."""
        return session in self._unwanted

    @contextlib.contextmanager
    def watched(self, session: SessionId, report: Callable[[int, int], None]) -> Iterator[updating.Watch]:
        """Notes that it is under way until the block ends; what is yielded follows it, from any thread."""
        self.begin(session)
        try:
            yield updating.Watch(report, lambda: self.is_cancelled(session))
        finally:
            self.end(session)
