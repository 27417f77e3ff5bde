"""What agents are about to say, as it comes: shown, and kept nowhere. The event that follows is what counts."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from agentos_lsp.domain.ids import SessionId

    Listener = Callable[[SessionId, str, str], None]

LOG = logging.getLogger(__name__)

SHOWN_CHARACTERS = 4_000


class Streams:
    """The unfinished words of every session's agent, and who hears them; used from one event loop."""

    def __init__(self) -> None:
        self._texts: dict[SessionId, str] = {}
        self._listeners: list[Listener] = []

    def of(self, session: SessionId) -> str:
        """Returns the end of what a session's agent has begun to say, empty while it is silent."""
        return self._texts.get(session, "")

    def add(self, session: SessionId, text: str) -> None:
        """Takes a piece of what is being said; an empty one ends it."""
        if text:
            self._texts[session] = (self._texts.get(session, "") + text)[-SHOWN_CHARACTERS:]
        elif self._texts.pop(session, None) is None:
            return
        for listener in list(self._listeners):
            try:
                listener(session, text, self.of(session))
            except Exception:  # an editor's failure does not reach a session
                LOG.exception("a listener failed on what %s says", session)

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Tells a connection of every piece, until the returned function is called.

        A listener is given the session, the piece, and all that is unfinished; it must not wait or raise.
        """
        self._listeners.append(listener)

        def unsubscribe() -> None:
            self._listeners.remove(listener)

        return unsubscribe
