"""What every event is: a frozen record with its place in a session's log. The kinds of events are in `events`."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from agentos_lsp.domain.ids import SessionId
from agentos_lsp.domain.tools import Record

VERSION = 1
"""The version written into new events; old ones are read for ever."""


class Event(Record):
    """What every event carries: which session, its place in it (from 1), and when (UTC)."""

    session: SessionId
    sequence: int = Field(ge=1)
    at: datetime
    version: Literal[1] = 1
