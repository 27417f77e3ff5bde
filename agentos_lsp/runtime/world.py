"""What every session of a runtime shares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Coroutine
    from datetime import datetime

    from agentos_lsp.domain import events, ids, state
    from agentos_lsp.effects import Log


@dataclass(frozen=True, slots=True)
class World:
    """The log, the clock, names for new things, and who is told."""

    store: Log
    now: Callable[[], datetime]
    new_id: Callable[[], str]
    publish: Callable[[events.AnyEvent, state.SessionState], None]
    spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]
    stream: Callable[[ids.SessionId, str], None] = lambda _session, _text: None
