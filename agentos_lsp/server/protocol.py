"""What editors may ask for and are told: commands with their permissions, and our own notification.

A promise to clients.

Field names are camelCase on the wire. `docs/protocol.md` describes each command; a test compares them.
"""

from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from agentos_lsp.domain.approval import Outcome, Scope
from agentos_lsp.domain.events import MergeStrategy
from agentos_lsp.domain.ids import SESSION_ID

Permission = Literal["observe", "steer", "approve", "merge"]
PERMISSIONS: tuple[Permission, ...] = ("observe", "steer", "approve", "merge")

SessionName = Annotated[str, Field(pattern=f"^(?:{SESSION_ID.pattern})$")]
Name = Annotated[str, Field(min_length=1, max_length=100)]
Path = Annotated[str, Field(min_length=1, max_length=4096)]
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
    stream: bool = False
    files: bool = False
    agent: Name | None = None
    script: str | None = None
    model: str | None = None


class StartSession(Wire):
    """Starts `n` sessions, or one for each of `models`; `workspace` is a path or `file:` URI, or the editor's."""

    task: Prose
    workspace: str | None = None
    agent: Name | None = None
    script: str | None = None
    model: str | None = None
    show: bool = False
    n: int = Field(default=1, ge=1, le=8)
    models: list[Name] = Field(default_factory=list, max_length=8)

    @model_validator(mode="after")
    def _says_once(self) -> Self:
        if self.models and (self.model is not None or self.n != 1):
            raise ValueError("`models` names one model for each session; leave `model` and `n` out")
        return self


class Nothing(Wire):
    """No fields."""


class OneSession(Wire):
    """Names a session."""

    session: SessionName


class PromptSession(OneSession):
    """Says something to the agent."""

    text: Prose


class ChooseModel(OneSession):
    """Chooses the model of a session: `PROFILE`, `PROFILE/MODEL`, or a model of the default profile."""

    model: Name


class MergeSession(OneSession):
    """Merges; `into` is the branch that the session began from by default, `runChecks` are lines that may run."""

    strategy: MergeStrategy = "merge"
    into: str | None = None
    message: Prose = ""
    run_checks: list[str] = Field(default_factory=list, max_length=100)


class PreviewMerge(OneSession):
    """Says what a merge would do; `into` is the branch that the session began from by default."""

    strategy: MergeStrategy = "merge"
    into: str | None = None


class DiscardSession(OneSession):
    """Discards; without `confirm` it only says what would be lost."""

    confirm: bool = False
    shown: str | None = None


class CommitSession(OneSession):
    """Commits what is not committed; `confirm` is given by who has seen what the policy asks about."""

    message: Prose = ""
    confirm: bool = False
    shown: str | None = None


class KeepSession(OneSession):
    """Keeps one of several sessions on a task; without `confirm` it only says what discarding the others loses."""

    confirm: bool = False
    shown: str | None = None


class TakeCheckpoint(OneSession):
    """Keeps the worktree's files as they are now."""

    note: Prose = ""


class CompareCheckpoints(OneSession):
    """Opens the diff between two checkpoints; without `newer`, up to now. 0 is the session's beginning."""

    older: int = Field(ge=0)
    newer: int | None = Field(default=None, ge=0)


class RestoreCheckpoint(OneSession):
    """Brings the worktree's files back to a checkpoint."""

    checkpoint: int = Field(ge=0)


class OpenConflict(OneSession):
    """Opens the three sides of a file over which the merge stopped; `path` is relative to the repository."""

    path: Path


class DecideApproval(OneSession):
    """Answers an approval that was shown with `digest`."""

    approval: Name
    digest: Name
    outcome: Outcome
    scope: Scope = "once"
    comment: Prose = ""


class AnswerHunk(OneSession):
    """Names a hunk, or a file, that was shown with `digest`; `path` is relative to the repository."""

    path: Path
    digest: Name


class AskForChange(AnswerHunk):
    """Says to the agent what should be different there."""

    comment: Prose


class MarkHunk(AnswerHunk):
    """Says that a person has looked at it, or takes that back."""

    reviewed: bool = True


class CheckCommand(Wire):
    """Judges a line without running it."""

    line: Prose
    session: SessionName | None = None


class OneOrphan(Wire):
    """Names what a session left behind."""

    orphan: SessionName


class DiagnoseProviders(Wire):
    """Looks at one configured provider, or at all; without `latency`, no model is asked anything."""

    provider: Name | None = None
    latency: bool = True


class PullModel(Wire):
    """Pulls a model of an Ollama provider: the configured one unless another is named."""

    provider: Name | None = None
    model: Name | None = None


class OpenDocument(Wire):
    """Opens one of the runtime's documents in the editor."""

    document: Literal["overview", "page", "changes", "trace"] = "page"
    session: SessionName | None = None


class ShowPolicy(Wire):
    """Shows the policy of a repository; `workspace` is a folder's path or URI, the editor's first folder by default."""

    workspace: str | None = None


class TrustPolicy(ShowPolicy):
    """Trusts a repository's policy file, by the digest of the bytes that the person saw."""

    digest: Name


class OpenRule(OneSession):
    """Opens what governs a session at one of its rules, by the code that findings have."""

    rule: Name


class OneFinding(OneSession):
    """Names a finding by its digest, which names the content that it is about too."""

    digest: Name


class WaiveFinding(OneFinding):
    """Lets exactly this finding on exactly this content pass, for a reason that the trace keeps."""

    reason: Prose


@dataclass(frozen=True, slots=True)
class CommandSpec:
    """One command: the object it takes, and the permission it needs."""

    argument: type[Wire]
    permission: Permission


# To accept writes into the person's checkout, as a merge does. To reject takes back what only the worktree has, keeps
# it, and tells the agent: no more than a prompt can bring about. That something was looked at is a person's judgement.
_ANSWERS: tuple[tuple[str, type[AnswerHunk], Permission], ...] = (
    ("accept", AnswerHunk, "merge"),
    ("reject", AnswerHunk, "steer"),
    ("ask", AskForChange, "steer"),
    ("mark", MarkHunk, "approve"),
    ("show", AnswerHunk, "observe"),
)

COMMANDS: dict[str, CommandSpec] = {
    "agentos.session.start": CommandSpec(StartSession, "steer"),
    "agentos.session.list": CommandSpec(Nothing, "observe"),
    "agentos.session.show": CommandSpec(OneSession, "observe"),
    "agentos.session.files": CommandSpec(OneSession, "observe"),
    "agentos.session.open": CommandSpec(OpenDocument, "observe"),
    "agentos.session.prompt": CommandSpec(PromptSession, "steer"),
    "agentos.session.model": CommandSpec(ChooseModel, "steer"),
    "agentos.session.pause": CommandSpec(OneSession, "steer"),
    "agentos.session.resume": CommandSpec(OneSession, "steer"),
    "agentos.session.stop": CommandSpec(OneSession, "steer"),
    "agentos.session.merge": CommandSpec(MergeSession, "merge"),
    "agentos.session.previewMerge": CommandSpec(PreviewMerge, "observe"),
    "agentos.session.undoMerge": CommandSpec(OneSession, "merge"),
    "agentos.session.discard": CommandSpec(DiscardSession, "merge"),
    "agentos.session.commit": CommandSpec(CommitSession, "approve"),
    "agentos.session.keep": CommandSpec(KeepSession, "merge"),
    "agentos.checkpoint.take": CommandSpec(TakeCheckpoint, "steer"),
    "agentos.checkpoint.list": CommandSpec(OneSession, "observe"),
    "agentos.checkpoint.diff": CommandSpec(CompareCheckpoints, "observe"),
    "agentos.checkpoint.restore": CommandSpec(RestoreCheckpoint, "steer"),
    "agentos.conflict.open": CommandSpec(OpenConflict, "observe"),
    "agentos.approval.decide": CommandSpec(DecideApproval, "approve"),
    "agentos.orphan.list": CommandSpec(Nothing, "observe"),
    "agentos.orphan.recover": CommandSpec(OneOrphan, "steer"),
    "agentos.orphan.remove": CommandSpec(OneOrphan, "merge"),
    **{
        f"agentos.{what}.{verb}": CommandSpec(argument, permission)
        for what in ("hunk", "file")
        for verb, argument, permission in _ANSWERS
    },
    "agentos.provider.diagnose": CommandSpec(DiagnoseProviders, "steer"),
    "agentos.provider.pull": CommandSpec(PullModel, "steer"),
    "agentos.command.check": CommandSpec(CheckCommand, "observe"),
    "agentos.policy.show": CommandSpec(ShowPolicy, "observe"),
    "agentos.policy.trust": CommandSpec(TrustPolicy, "approve"),
    "agentos.policy.untrust": CommandSpec(ShowPolicy, "approve"),
    "agentos.policy.open": CommandSpec(OpenRule, "observe"),
    "agentos.finding.waive": CommandSpec(WaiveFinding, "approve"),
    "agentos.finding.mend": CommandSpec(OneFinding, "steer"),
}
"""Everything that an editor can ask for, and nothing else."""

EVENT_NOTIFICATION = "agentos/event"
"""Sent to connections that asked for `events`: the event as it is in the trace."""

STREAM_NOTIFICATION = "agentos/stream"
"""Sent to connections that asked for `stream`: a piece of what an agent is about to say, which is no event."""

ASK_COMMENT = "agentos.client.askComment"
"""A command of the client: asks the person for text, and calls a command of the server with it as `comment`.

Its arguments are the object, and the command's name: `agentos.approval.decide` where there is none.
"""

ASK_REASON = "agentos.client.askReason"
"""A command of the client: asks the person why, then calls `agentos.finding.waive` with it as reason."""
