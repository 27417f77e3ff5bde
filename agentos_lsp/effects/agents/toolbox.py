"""The tools that the built-in agent offers a model: their names, their words, and what each asks of the gate."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import pydantic
from pydantic import BaseModel, ConfigDict, Field

from agentos_lsp.domain import conversation, patch, tools
from agentos_lsp.effects.agents import ToolResult

if TYPE_CHECKING:
    from collections.abc import Callable

    from agentos_lsp.effects.agents import Tools

LINES_A_READ = 400
NOTHING_FOUND = "Nothing was found."


class Arguments(BaseModel):
    """What a model gives a tool."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Read(Arguments):
    """Reads a text file of the worktree, from a line on."""

    path: str = Field(description="relative to the worktree")
    from_line: int = Field(default=1, ge=1, description="the first line, counted from 1")
    lines: int = Field(default=LINES_A_READ, ge=1, description="how many lines at most")


class List(Arguments):
    """Lists a folder of the worktree; folders end with a slash."""

    path: str = Field(default=".", description="relative to the worktree")


class Search(Arguments):
    """Searches the files of the worktree for a regular expression; gives path, line and text of each find."""

    pattern: str = Field(min_length=1)
    path: str = Field(default=".", description="a file or folder to search")
    literal: bool = Field(default=False, description="take the pattern as plain text")


class Write(Arguments):
    """Creates a text file or replaces a whole one. Prefer edit for a small change."""

    path: str
    text: str


class Edit(Arguments):
    """Replaces a text that stands exactly once in a file. Copy the old text exactly, blanks included."""

    path: str
    old: str = Field(min_length=1)
    new: str


class Patch(Arguments):
    """Applies a unified patch (--- a/PATH, +++ b/PATH, @@ hunks) to one or more files."""

    patch: str = Field(min_length=1)


class Delete(Arguments):
    """Deletes a file, or a whole folder with recursive."""

    path: str
    recursive: bool = False


class Move(Arguments):
    """Renames a file or folder inside the worktree."""

    path: str
    to: str


class Run(Arguments):
    """Runs a bash command line in the worktree and waits for its end. A person may have to approve it first."""

    command: str = Field(min_length=1)
    cwd: str = Field(default="", description="a folder, relative to the worktree")
    timeout_s: float | None = Field(default=None, gt=0)


class Start(Arguments):
    """Starts a command line in the background under a name, such as a server."""

    name: str
    command: str = Field(min_length=1)
    cwd: str = ""


class Output(Arguments):
    """Shows what a background process has printed so far."""

    name: str


class Stop(Arguments):
    """Stops a background process that this session started."""

    name: str


class Commit(Arguments):
    """Commits all changes of the worktree, or only some paths, on the session's branch."""

    message: str = Field(min_length=1)
    paths: list[str] | None = None


class Ask(Arguments):
    """Asks the person something that you cannot find out, and waits for the answer."""

    question: str = Field(min_length=1)


class Finish(Arguments):
    """Ends your work on the task. Say in a few sentences what you did and what is left."""

    summary: str = Field(min_length=1)


KINDS: dict[str, type[Arguments]] = {
    "read": Read,
    "list": List,
    "search": Search,
    "write": Write,
    "edit": Edit,
    "patch": Patch,
    "delete": Delete,
    "move": Move,
    "run": Run,
    "start": Start,
    "output": Output,
    "stop": Stop,
    "commit": Commit,
    "ask": Ask,
    "finish": Finish,
}
"""Every tool by its name."""


class WrongUseError(Exception):
    """A tool use that cannot be understood; the text tells the model what to mend."""


@dataclass(frozen=True, slots=True)
class Told:
    """What the model is told; `ends` says that the turn is over, with `summary`."""

    result: ToolResult
    ends: Literal["", "asked", "finished"] = ""
    summary: str = ""


def specs() -> tuple[conversation.ToolSpec, ...]:
    """Returns all tools as a model is told of them."""
    return tuple(
        conversation.ToolSpec(name, " ".join((kind.__doc__ or "").split()), _schema(kind.model_json_schema()))
        for name, kind in KINDS.items()
    )


def _schema(value: Any) -> Any:  # noqa: ANN401 - JSON
    """Takes out of a schema what only costs tokens."""
    if isinstance(value, dict):
        return {
            key: _schema(inner)
            for key, inner in value.items()
            if not (key in {"title", "description"} and isinstance(inner, str) and "properties" in value)
            and not (key == "title" and isinstance(inner, str))
        }
    return value


def understand(use: conversation.ToolUse) -> Arguments:
    """Reads what a model wrote.

    Raises:
        WrongUseError: There is no such tool, or its arguments are wrong.
    """
    kind = KINDS.get(use.name)
    if kind is None:
        raise WrongUseError(f"There is no tool {use.name!r}. The tools are: {', '.join(KINDS)}.")
    try:
        given = json.loads(use.arguments or "{}")
    except (ValueError, RecursionError) as error:
        shape = ", ".join(kind.model_fields)
        raise WrongUseError(
            f"The arguments of {use.name} are no JSON ({error}). Give one JSON object with: {shape}. You wrote:"
            f" {use.arguments[:300]}"
        ) from error
    try:
        return kind.model_validate(given)
    except pydantic.ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(step) for step in one['loc']) or 'the arguments'}: {one['msg']}"
            for one in error.errors()[:5]
        )
        needed = ", ".join(name + ("" if field.is_required() else "?") for name, field in kind.model_fields.items())
        raise WrongUseError(f"The arguments of {use.name} are wrong: {problems}. It takes: {needed}.") from error


async def use(given: Arguments, desk: Tools, *, has_ripgrep: bool) -> Told:
    """Carries out a tool use through the gate."""
    match given:
        case Ask():
            result = ToolResult(ok=True, text="The person was asked; their answer is their next message.")
            return Told(result, ends="asked", summary=given.question)
        case Finish():
            return Told(ToolResult(ok=True, text="Done."), ends="finished", summary=given.summary)
        case Read():
            return Told(_lines(await desk.call(tools.ReadCall(path=given.path)), given))
        case Search():
            return Told(_found(await desk.call(tools.RunCall(line=search_line(given, has_ripgrep=has_ripgrep)))))
        case Patch():
            return Told(await _patch(given.patch, desk))
        case _:
            return Told(await desk.call(_request(given)))


def _request(given: Arguments) -> tools.ToolRequest:
    """Turns the arguments of a tool that is one call into that call.

    Raises:
        pydantic.ValidationError: The call does not take them.
    """
    match given:
        case List():
            return tools.ReadCall(path=given.path)
        case Run():
            return tools.RunCall(line=given.command, cwd=given.cwd, timeout_s=given.timeout_s)
        case Start():
            return tools.StartCall(line=given.command, name=given.name, cwd=given.cwd)
        case Commit():
            return tools.CommitCall(message=given.message, paths=None if given.paths is None else tuple(given.paths))
        case _:
            # The others have the names and the fields of their calls.
            return tools.parse({"kind": type(given).__name__.lower(), **given.model_dump()})


def search_line(given: Search, *, has_ripgrep: bool) -> str:
    """Returns the command line that searches, which the gate judges as any other."""
    pattern, path = shlex.quote(given.pattern), shlex.quote(given.path)
    if has_ripgrep:
        how = " --fixed-strings" if given.literal else ""
        return f"rg --line-number --no-heading --color=never --max-columns=300{how} -e {pattern} -- {path}"
    return f"git grep -nI --untracked {'-F' if given.literal else '-E'} -e {pattern} -- {path}"


def _found(result: ToolResult) -> ToolResult:
    """Says plainly that a search found nothing, which is no failure."""
    if result.text.strip() == "[exit code 1]":
        return ToolResult(ok=True, text=NOTHING_FOUND, call=result.call)
    return result


def _lines(result: ToolResult, given: Read) -> ToolResult:
    """Cuts what was read to the lines that were asked for, and says what is left."""
    if not result.ok:
        return result
    lines = result.text.split("\n")
    start, stop = given.from_line - 1, given.from_line - 1 + given.lines
    shown = lines[start:stop]
    if start and start >= len(lines):
        text = f"{given.path} has {len(lines)} lines; there is no line {given.from_line}."
        return ToolResult(ok=False, text=text, call=result.call)
    text = "\n".join(shown)
    if start or stop < len(lines):
        more = f"; read on with from_line={stop + 1}" if stop < len(lines) else ""
        text += f"\n[lines {start + 1} to {start + len(shown)} of {len(lines)}{more}]"
    return ToolResult(ok=True, text=text, call=result.call)


async def _patch(text: str, desk: Tools) -> ToolResult:
    """Applies a patch file by file, hunk by hunk; says which parts did not fit and leaves the others."""
    try:
        files = patch.parse(text)
    except patch.BadPatchError as error:
        return ToolResult(ok=False, text=str(error))
    done: list[str] = []
    wrong: list[str] = []
    for file in files:
        if file.created:
            results = [await desk.call(tools.WriteCall(path=file.path, text=patch.created_text(file)))]
        elif file.deleted:
            results = [await desk.call(tools.DeleteCall(path=file.path))]
        else:
            results = [await _hunk(file.path, hunk, desk) for hunk in file.hunks]
        for number, result in enumerate(results, start=1):
            where = file.path if len(results) == 1 else f"{file.path}, hunk {number}"
            (done if result.ok else wrong).append(where if result.ok else f"{where}: {result.text}")
    told = [f"Applied: {', '.join(done)}." if done else "Nothing was applied."]
    told += [f"Not applied: {one}" for one in wrong]
    return ToolResult(ok=not wrong, text="\n".join(told))


async def _hunk(path: str, hunk: patch.Hunk, desk: Tools) -> ToolResult:
    read = await desk.call(tools.ReadCall(path=path))
    if not read.ok:
        return read
    try:
        old, new = patch.replacement(read.text, hunk)
    except patch.BadPatchError as error:
        return ToolResult(ok=False, text=str(error))
    return await desk.call(tools.EditCall(path=path, old=old, new=new))


def shorten(text: str, limit: int, hint: Callable[[int], str]) -> str:
    """Keeps the two ends of a text that is longer than a model can be told; says between them what is left out."""
    if len(text) <= limit:
        return text
    half = limit // 2
    left_out = len(text) - 2 * half
    return f"{text[:half]}\n… {left_out} characters are left out here; {hint(left_out)} …\n{text[-half:]}"
