"""What a model is told of a session: folded from the log, and kept within its window. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentos_lsp.domain import conversation, events, model_events
from agentos_lsp.domain.conversation import Answered, Message, Prompted, Replied, ToolUse

if TYPE_CHECKING:
    from collections.abc import Iterable

    from agentos_lsp.domain.events import AnyEvent
    from agentos_lsp.domain.ids import CallId

FULL = 0.85
"""How much of its share a prompt may fill before it is compacted."""

KEPT = 0.3
"""How much of it the newest messages may keep, word for word."""

LOOP_MARK = "[loop] "

CUT_OFF = "This was not done: the turn had ended before."
SUMMARY = (
    "The conversation had grown too long for you. This summary stands for its beginning; the files are as they are, so"
    " read again what you need.\n\n"
)


@dataclass(frozen=True, slots=True)
class Entry:
    """A message with its place in the log."""

    sequence: int
    message: Message


class Context:
    """The conversation so far. It is what `take` made of the events, and nothing else."""

    def __init__(self) -> None:
        self.sequence = 0
        self.entries: list[Entry] = []
        self.open: list[ToolUse] = []
        """What the model wants done and was not told of yet, in order."""
        self.calls: list[CallId] = []
        """What was asked of the gate since the model was last told something."""
        self.last: model_events.ModelReplied | None = None
        """The last reply, where what follows only adds to what it was given."""
        self.bytes_a_token = conversation.BYTES_A_TOKEN
        self.without_tools = 0
        """How many replies in a row asked for no tool."""
        self.wrong = 0
        """How many tool uses in a row could not be understood."""
        self._told: list[tuple[str, str, str]] = []
        self._ids: set[str] = set()

    def take(self, log: Iterable[AnyEvent]) -> None:
        """Takes the next events of the session's log."""
        for event in log:
            self._take(event)
            self.sequence = event.sequence

    def _take(self, event: AnyEvent) -> None:
        match event:
            case events.TurnStarted() | model_events.TurnSteered():
                self._close(event.sequence)
                self._add(event.sequence, Prompted(event.prompt))
                self.without_tools = self.wrong = 0
                self._told.clear()
            case events.TurnFinished():
                self._close(event.sequence)
            case events.ToolCallRequested():
                self.calls.append(event.call)
            case model_events.ModelReplied():
                uses = tuple(ToolUse(use.id, use.name, use.arguments) for use in event.uses)
                self._add(event.sequence, Replied(event.text, uses))
                self.open, self.calls, self.last = list(uses), [], event
                self._ids.update(use.id for use in uses)
                self.without_tools = 0 if uses else self.without_tools + 1
                if event.prompt_tokens:
                    measured = event.prompt_bytes / event.prompt_tokens
                    self.bytes_a_token = min(max(measured, 1.5), 6.0)
            case model_events.ModelTold():
                self._tell(event)
            case model_events.ContextCompacted():
                rest = [entry for entry in self.entries if entry.sequence > event.through]
                self.entries = [Entry(event.through, Prompted(SUMMARY + event.summary)), *rest]
                self.last = None
            case model_events.ModelChosen():
                self.last = None
            case _:
                pass

    def _tell(self, event: model_events.ModelTold) -> None:
        self.calls = []
        if not event.use:
            self._add(event.sequence, Prompted(event.text))
            return
        use = next((one for one in self.open if one.id == event.use), None)
        if use is not None:
            self.open.remove(use)
            self._told.append((use.name, _canonical(use.arguments), event.text))
        self._add(event.sequence, Answered(event.use, event.name, event.text, event.ok))

    def _close(self, sequence: int) -> None:
        """Answers what a turn left open: every interface wants an answer to each use."""
        for use in self.open:
            self._add(sequence, Answered(use.id, use.name, CUT_OFF, ok=False))
        self.open, self.calls = [], []

    def _add(self, sequence: int, message: Message) -> None:
        self.entries.append(Entry(sequence, message))

    def times(self, use: ToolUse) -> int:
        """Counts how often in a row, with this time, the same was asked for and came to the same."""
        wanted, count, text = (use.name, _canonical(use.arguments)), 1, None
        for name, arguments, told in reversed(self._told):
            if (name, arguments) != wanted:
                break
            if not told.startswith(LOOP_MARK):
                if text is not None and told != text:
                    break
                text = told
            count += 1
        return count

    def fresh_id(self, wanted: str) -> str:
        """Returns a tool use's id that no other has: some servers count from one in every reply."""
        found, number = wanted or "call", 2
        while found in self._ids:
            found = f"{wanted or 'call'}_{number}"
            number += 1
        self._ids.add(found)
        return found

    @property
    def messages(self) -> tuple[Message, ...]:
        """What the model is given."""
        return tuple(entry.message for entry in self.entries)

    @property
    def size_bytes(self) -> int:
        """How much text that is."""
        return sum(conversation.size_bytes(message) for message in self.messages)

    def tokens(self, bytes_count: int, messages: int) -> int:
        """Estimates tokens as the model's own replies have shown."""
        return conversation.tokens(bytes_count, messages, bytes_a_token=self.bytes_a_token)

    def cut(self, share_tokens: int) -> int:
        """Returns how many of the first messages a summary should stand for, 0 if none can go.

        The newest are kept, and no result is parted from what it answers.
        """
        left = share_tokens * KEPT
        at = len(self.entries)
        while at > 0:
            left -= self.tokens(conversation.size_bytes(self.entries[at - 1].message), 1)
            if left < 0:
                break
            at -= 1
        while at < len(self.entries) and isinstance(self.entries[at].message, Answered):
            at += 1
        if self.open and at == len(self.entries):
            return 0
        return at

    def transcript(self, count: int, limit_bytes: int) -> str:
        """Returns the first messages as text for a summary, each shortened to its share."""
        share = max(200, limit_bytes // max(1, count) // 2)
        rows: list[str] = []
        for entry in self.entries[:count]:
            match entry.message:
                case Prompted(text):
                    rows.append(f"PERSON: {_short(text, share * 4)}")
                case Replied(text, uses):
                    rows += [f"AGENT: {_short(text, share)}"] if text.strip() else []
                    rows += [f"AGENT USES {use.name}: {_short(use.arguments, share)}" for use in uses]
                case Answered():
                    rows.append(f"RESULT of {entry.message.name}: {_short(entry.message.text, share)}")
        text = "\n".join(rows)
        return text if len(text) <= limit_bytes else _short(text, limit_bytes)

    def plain_summary(self, count: int) -> str:
        """Summarises by rule, for when the model cannot: what the person said, and what was done."""
        said = [_short(one.message.text, 2000) for one in self.entries[:count] if isinstance(one.message, Prompted)]
        done = [
            f"{use.name} {_short(use.arguments, 120)}"
            for one in self.entries[:count]
            if isinstance(one.message, Replied)
            for use in one.message.uses
        ]
        return "\n".join(
            ["What the person said:", *(f"- {one}" for one in said), "Tools used, the last ones:", *done[-60:]]
        )

    def said(self, count: int) -> str:
        """Returns what the person said in the first messages, each on a line of its own."""
        texts = [one.message.text for one in self.entries[:count] if isinstance(one.message, Prompted)]
        return "\n".join(f"- {_short(text, 2000)}" for text in texts)


def _short(text: str, limit: int) -> str:
    half = limit // 2
    return text if len(text) <= limit else f"{text[:half]} … {text[-half:]}"


def _canonical(arguments: str) -> str:
    """Returns arguments so that the same ones are the same text."""
    try:
        return json.dumps(json.loads(arguments), sort_keys=True)
    except (ValueError, RecursionError):
        return arguments
