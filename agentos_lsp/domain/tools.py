"""What an agent may ask for: one closed union of tool requests, which events keep for ever."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter


class Record(BaseModel):
    """A value that is written into events."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class RunCall(Record):
    """Run a line in the worktree and wait for its end; `cwd` is worktree-relative."""

    kind: Literal["run"] = "run"
    line: str
    cwd: str = ""
    timeout_s: float | None = Field(default=None, gt=0)


class StartCall(Record):
    """Start a line in the background under a name."""

    kind: Literal["start"] = "start"
    line: str
    name: str = Field(pattern=r"^[A-Za-z0-9_.-]{1,40}$")
    cwd: str = ""


class OutputCall(Record):
    """Read what a background process has printed."""

    kind: Literal["output"] = "output"
    name: str


class StopCall(Record):
    """End a background process that this session started."""

    kind: Literal["stop"] = "stop"
    name: str


class ReadCall(Record):
    """Read a file, or list a folder; `path` is worktree-relative, as in all calls."""

    kind: Literal["read"] = "read"
    path: str


class WriteCall(Record):
    """Create or replace a text file."""

    kind: Literal["write"] = "write"
    path: str
    text: str


class EditCall(Record):
    """Replace text that occurs exactly once."""

    kind: Literal["edit"] = "edit"
    path: str
    old: str
    new: str


class DeleteCall(Record):
    """Remove a file, or a whole folder if `recursive`."""

    kind: Literal["delete"] = "delete"
    path: str
    recursive: bool = False


class MoveCall(Record):
    """Rename a file or folder inside the worktree."""

    kind: Literal["move"] = "move"
    path: str
    to: str


class CommitCall(Record):
    """Commit the worktree's whole change, or only `paths`, on the session's branch."""

    kind: Literal["commit"] = "commit"
    message: str
    paths: tuple[str, ...] | None = None


ToolRequest = Annotated[
    RunCall | StartCall | OutputCall | StopCall | ReadCall | WriteCall | EditCall | DeleteCall | MoveCall | CommitCall,
    Field(discriminator="kind"),
]

_ADAPTER: TypeAdapter[ToolRequest] = TypeAdapter(ToolRequest)


def parse(value: Any) -> ToolRequest:  # noqa: ANN401 - whatever an agent's wire or script file holds
    """Reads a tool request from plain values.

    Raises:
        pydantic.ValidationError: It is no tool call, or its fields are wrong.
    """
    return _ADAPTER.validate_python(value)
