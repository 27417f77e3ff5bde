"""What editors may ask for and are told: commands with their permissions, and our own notification.

A promise to clients.

Field names are camelCase on the wire. `docs/protocol.md` describes each command; a test compares them.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from agentos_lsp.domain.approval import Outcome, Scope
from agentos_lsp.domain.events import MergeStrategy
from agentos_lsp.domain.ids import SESSION_ID

Permission = Literal["observe", "steer", "approve", "merge"]
PERMISSIONS: tuple[Permission, ...] = ("observe", "steer", "approve", "merge")

SessionName = Annotated[str, Field(pattern=f"^(?:{SESSION_ID.pattern})$")]
Name = Annotated[str, Field(min_length=1, max_length=100)]
Prose = Annotated[str, Field(max_length=200_000)]


class Wire(BaseModel):
    """A value on the wire: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, alias_generator=to_camel, populate_by_name=True, frozen=True)


class InitializationOptions(BaseModel):
    """What a connection asks for at `initialize`; an untrusted workspace gets `observe` only."""

    model_config = ConfigDict(extra="ignore", strict=True, alias_generator=to_camel, populate_by_name=True)

    permissions: list[Permission] = Field(default_factory=lambda: list(PERMISSIONS))
    trusted: bool = False
    virtual_documents: bool = False
    events: bool = False
    ask_text: bool = False
    bell: bool = False


class StartSession(Wire):
    """Starts a session; `workspace` is a folder's path or `file:` URI, the editor's first folder by default."""

    task: Prose
    workspace: str | None = None
    agent: Name = "scripted"
    script: str | None = None
    model: str | None = None


class Nothing(Wire):
    """No fields."""


class OneSession(Wire):
    """Names a session."""

    session: SessionName


class PromptSession(OneSession):
    """Says something to the agent."""

    text: Prose


class MergeSession(OneSession):
    """Merges; `into` is the branch that the session began from by default."""

    strategy: MergeStrategy = "merge"
    into: str | None = None
    message: Prose = ""


class DiscardSession(OneSession):
    """Discards; without `confirm` it only says what would be lost."""

    confirm: bool = False


class DecideApproval(OneSession):
    """Answers an approval that was shown with `digest`."""

    approval: Name
    digest: Name
    outcome: Outcome
    scope: Scope = "once"
    comment: Prose = ""


class CheckCommand(Wire):
    """Judges a line without running it."""

    line: Prose
    session: SessionName | None = None


class OpenDocument(Wire):
    """Opens one of the runtime's documents in the editor."""

    document: Literal["overview", "page", "changes", "trace"] = "page"
    session: SessionName | None = None


@dataclass(frozen=True, slots=True)
class CommandSpec:
    """One command: the object it takes, and the permission it needs."""

    argument: type[Wire]
    permission: Permission


COMMANDS: dict[str, CommandSpec] = {
    "agentos.session.start": CommandSpec(StartSession, "steer"),
    "agentos.session.list": CommandSpec(Nothing, "observe"),
    "agentos.session.show": CommandSpec(OneSession, "observe"),
    "agentos.session.open": CommandSpec(OpenDocument, "observe"),
    "agentos.session.prompt": CommandSpec(PromptSession, "steer"),
    "agentos.session.pause": CommandSpec(OneSession, "steer"),
    "agentos.session.resume": CommandSpec(OneSession, "steer"),
    "agentos.session.stop": CommandSpec(OneSession, "steer"),
    "agentos.session.merge": CommandSpec(MergeSession, "merge"),
    "agentos.session.discard": CommandSpec(DiscardSession, "merge"),
    "agentos.approval.decide": CommandSpec(DecideApproval, "approve"),
    "agentos.command.check": CommandSpec(CheckCommand, "observe"),
}
"""Everything that an editor can ask for, and nothing else."""

EVENT_NOTIFICATION = "agentos/event"
"""Sent to connections that asked for `events`: the event as it is in the trace."""

ASK_COMMENT = "agentos.client.askComment"
"""A command of the client: asks the person for text, then calls `agentos.approval.decide` with it as comment."""
