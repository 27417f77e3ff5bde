"""An oracle that executes nothing: bash parses a line and prints it in its own layout; we read that and compare.

`bash --pretty-print FILE` (5.2 and later) only reads. Many lines go to one process, each followed by a marker command;
a line that bash rejects, or that swallows its marker, is found by what is missing from the output.
Nothing here may ever execute a line: no `-c`, no `eval`, no trap, no function around it.

It sees: what bash accepts; where every command, word, redirection and here-document begins and ends, and how they are
nested, because all that decides the layout. It does not see: what quotes make of a word, and what is inside parameters,
since bash prints those as they were written and both sides are then read by the same code (`quotes` sees a part of it);
and a misreading that bash's layout happens to keep. Two things lessen that: a line of simple commands alone is also
compared letter by letter with the layout that our tree predicts, without our grammar reading bash's text; and the
inside of backticks, which bash does not read yet, is given to it as a line of its own.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from dataclasses import fields, is_dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from agentos_lsp.domain.command import grammar, lexer, syntax

if TYPE_CHECKING:
    from collections.abc import Sequence

_MARKER = ":::marker-{}:::"
_MARKERS = re.compile(r"^:::marker-([0-9]+):::\n", re.MULTILINE)
_DOCUMENT = re.compile(r"(<<-?('?)([\w.-]+)\2)\n((?:.*\n)*?\3)\n( [&|;)][^\n]*)\n?")
_JOINS = frozenset(("text", "Assignment", "Script", "AndOr", "pipeline", "Simple", "&&", "||"))
_DUPLICATED = ("redirection", ">&", 2, (("text", "1", False),))


class Difference(NamedTuple):
    """A line that we accept and bash reads otherwise; `printed` is bash's layout, empty if it rejects the line."""

    line: str
    printed: str
    ours: object
    theirs: object


class Comparison(NamedTuple):
    """What a comparison found; `flat` lines were compared letter by letter, `unclear` ones bash prints ambiguously."""

    differences: list[Difference]
    flat: int
    unclear: int


@lru_cache(maxsize=1)
def bash() -> str | None:
    """The path of a bash that can print without executing; None if there is none."""
    found = shutil.which("bash")
    if found is None:
        return None
    with tempfile.NamedTemporaryFile("w", suffix=".sh") as file:
        file.write(":;:\n")
        file.flush()
        command = [found, "--norc", "--noprofile", "--pretty-print", file.name]
        probe = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    return found if probe.returncode == 0 and probe.stdout.strip() == ":; :" else None


def layouts(lines: Sequence[str]) -> list[str | None]:
    """bash's layout of each line; None for one that it rejects."""
    results: list[str | None] = []
    while len(results) < len(lines):
        found = _batch(lines[len(results) :])
        results.extend(found)
        if len(results) < len(lines):
            results.append(_alone(lines[len(results)]))
    return results


def _batch(lines: Sequence[str]) -> list[str | None]:
    """The layouts up to the first line that does not end where its text ends."""
    text = "".join(f"{line}\n{_MARKER.format(i)}\n" for i, line in enumerate(lines))
    pieces = _MARKERS.split(_printed(text)[1])
    found: list[str | None] = []
    for i in range(len(lines)):
        if 2 * i + 1 >= len(pieces) or pieces[2 * i + 1] != str(i):
            break
        found.append(pieces[2 * i])
    return found


def _alone(line: str) -> str | None:
    code, printed = _printed(f"{line}\n")
    return printed if code == 0 else None


def _printed(text: str) -> tuple[int, str]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "lines.sh")
        file.write_bytes(text.encode("utf-8"))
        found = subprocess.run(
            [bash() or "bash", "--norc", "--noprofile", "--pretty-print", str(file)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=60,
            cwd=folder,
            env={"LC_ALL": "C.UTF-8", "PATH": "/nonexistent"},
        )
    code = found.returncode or (1 if b"here-document" in found.stderr and b"delimited" in found.stderr else 0)
    return code, found.stdout.decode("utf-8", "surrogateescape")


def compare(accepted: Sequence[tuple[str, syntax.Script]]) -> Comparison:
    """Compares what we read with what bash reads."""
    found = Comparison([], 0, 0)
    for (line, script), printed in zip(accepted, layouts([line for line, _ in accepted]), strict=True):
        ours = canonical(script)
        if printed is None:
            found.differences.append(Difference(line, "", ours, "rejected"))
            continue
        theirs = _read(printed)
        if ours != theirs and _is_ambiguous(line, printed, ours, theirs):
            found = found._replace(unclear=found.unclear + 1)
        elif ours != theirs:
            found.differences.append(Difference(line, printed, ours, theirs))
        pattern = flat_layout(script)
        if pattern is not None:
            found = found._replace(flat=found.flat + 1)
            if re.fullmatch(pattern, printed.rstrip("\n") + "\n") is None:
                found.differences.append(Difference(line, printed, pattern, "another layout"))
    return found


def flat_layout(script: syntax.Script) -> str | None:
    """The layout of a script of simple commands alone, as a pattern; None if something else is in it."""
    pieces: list[str] = []
    if not script.items:
        return r"\n*"
    for i, item in enumerate(script.items):
        pipelines = [_flat_pipeline(pipeline) for pipeline in item.pipelines]
        if None in pipelines:
            return None
        text = pipelines[0] or ""
        for operator, pipeline in zip(item.operators, pipelines[1:], strict=True):
            text += re.escape(f" {operator} ") + (pipeline or "")
        last = i + 1 == len(script.items)
        pieces.append(
            text + (r" &\n" if last else r" &(?: |\n+)")
            if item.background
            else text + (r"\n" if last else r"(?:; |\n+)")
        )
    return r"\n*" + "".join(pieces)


def _flat_pipeline(pipeline: syntax.Pipeline) -> str | None:
    texts: list[str] = []
    if pipeline.timed:
        return None
    for command in pipeline.commands:
        if not isinstance(command, syntax.Simple) or command.redirections:
            return None
        words: list[str] = []
        for assignment in command.assignments:
            if assignment.items is not None:
                return None
            words.append(
                f"{assignment.name}{'+' * assignment.append}={assignment.value.raw if assignment.value else ''}"
            )
        words.extend(word.raw for word in command.words)
        text = " ".join(words)
        if "$(" in text or "<(" in text or ">(" in text or "$'" in text or "\\\n" in text:
            return None
        texts.append(re.escape(text))
    return ("! " if pipeline.negated else "") + r" (?:2>&1 )?\| ".join(texts)


class _Insides(grammar._Parser):
    """Notes the outermost substitutions of a line: the inside of backticks with its script, the text of the others."""

    __slots__ = ("backquoted", "parenthesised")

    def __init__(self, text: str, budget: lexer.Budget, depth: int = 0, outer: syntax.Span | None = None) -> None:
        super().__init__(text, budget, depth, outer)
        self.backquoted: list[tuple[str, syntax.Script]] = []
        self.parenthesised: list[str] = []

    def backticks(self, *, quoted: bool) -> syntax.Substitution:
        start = self.at
        found = super().backticks(quoted=quoted)
        self.backquoted.append((re.sub(r"\\([$`\\])", r"\1", self.text[start + 1 : self.at - 1]), found.script))
        return found

    def inside(self, opening: int) -> syntax.Script:
        start = self.at
        found = super().inside(opening)
        self.parenthesised.append(self.text[start : self.at])
        return found


def _insides(line: str) -> _Insides:
    reader = _Insides(line, lexer.Budget())
    reader.whole()
    return reader


def backticks(accepted: Sequence[tuple[str, syntax.Script]]) -> list[tuple[str, syntax.Script]]:
    """The insides of backticks, which bash reads only when it runs them, each with what we made of it."""
    return [found for line, _ in accepted if "`" in line for found in _insides(line).backquoted]


def _read(printed: str) -> object:
    """Reads bash's layout, in which control characters may stand where our line has an escape."""
    try:
        return canonical(grammar._Parser(_documents_last(printed), lexer.Budget()).whole())
    except lexer.OpaqueError as error:
        return f"unreadable: {error.reason}"


def _documents_last(printed: str) -> str:
    """Moves what bash writes behind a here-document's end (` && ls`) back to the line that begins it."""
    if "<<" not in printed:
        return printed
    return _DOCUMENT.sub(r"\1\5\n\4\n", printed)


def canonical(node: object) -> object:
    """A tree without what bash's layout may change: positions, source text, and forms that mean the same."""
    match node:
        case syntax.Text(value, quoted):
            return ("text", value, quoted)
        case syntax.Parameter(name, operation, quoted, scripts):
            return ("parameter", name, "" if scripts else operation, quoted, canonical(scripts))
        case syntax.Arithmetic(expression, quoted, scripts):
            return ("arithmetic", "" if scripts else expression.strip(), quoted, canonical(scripts))
        case syntax.Word(_, parts, _):
            return canonical(parts)
        case syntax.Redirection(operator, descriptor, target, document, _):
            number = (0 if operator.startswith("<") else 1) if descriptor is None else descriptor
            if document is not None:
                return ("document", number, canonical(document))
            if operator == "<>" and number in (0, 1):
                number = 0  # bash writes the descriptor 1 as none here.
            # `<&-` and `>&-` close a descriptor alike; bash writes the second.
            written = ">&" if operator == "<&" and target.raw == "-" else operator
            if written in ("<&", ">&") and target.raw.isdigit():
                return ("redirection", written, number, (("text", str(int(target.raw)), False),))
            return ("redirection", written, number, canonical(target))
        case syntax.Pipeline(commands, negated, timed, _):
            return ("pipeline", negated, timed, _piped(tuple(canonical(command) for command in commands)))
        case syntax.If(branches, otherwise, redirections, _):
            rest = canonical(otherwise)
            for condition, body in reversed(branches[1:]):
                rest = _only(("if", canonical(condition), canonical(body), rest, ()))
            return ("if", canonical(branches[0][0]), canonical(branches[0][1]), rest, canonical(redirections))
        case syntax.For(name, None, body, redirections, _):
            words = ((("parameter", "@", "", True, ()),),)
            return ("For", name, words, canonical(body), canonical(redirections))
        case syntax.Function(name, body, _):
            return ("Function", name, canonical(_bare(body)))
        case tuple():
            return tuple(canonical(part) for part in node)
        case _ if is_dataclass(node):
            values = (getattr(node, field.name) for field in fields(node) if field.name != "span")
            return (type(node).__name__, *(canonical(value) for value in values))
        case _:
            return node


def _bare(body: syntax.Command) -> syntax.Command:
    """The one compound command that is all of a function's group: bash writes a group around every other body.

    A lone `2>&1` of the group is dropped: it is what bash writes for `f() … |& …`.
    """
    if not isinstance(body, syntax.Group) or any(canonical(found) != _DUPLICATED for found in body.redirections):
        return body
    match body.body.items:
        case (syntax.AndOr((syntax.Pipeline((only,), False, False),), (), False),) if not isinstance(
            only, syntax.Simple | syntax.Function
        ):
            return _bare(only)
        case _:
            return body


def _only(command: object) -> object:
    return ("Script", (("AndOr", (("pipeline", False, False, (command,)),), (), False),))


def _piped(commands: tuple[object, ...]) -> tuple[object, ...]:
    """Commands of a pipeline without the `2>&1` that bash writes for `|&`."""
    return (*(_without_duplication(command) for command in commands[:-1]), commands[-1])


def _without_duplication(command: object) -> object:
    if not isinstance(command, tuple):
        return command
    if command[0] == "Function":
        return (*command[:-1], _without_duplication(command[-1]))
    redirections = command[-1]
    while isinstance(redirections, tuple) and redirections and redirections[-1] == _DUPLICATED:
        redirections = redirections[:-1]
    return (*command[:-1], redirections)


def _is_ambiguous(line: str, printed: str, ours: object, theirs: object) -> bool:
    """Whether bash's layout, which differs, is one of those that are not the shell's language.

    bash forgets a `;` behind the end of a here-document and behind a word that ends in `&`, writes some here-documents
    further down than they belong, and writes a backslash and a newline out of `$'…'`. All characters are there still.
    Inside a substitution nothing is ambiguous: bash runs what it printed of it.
    """
    if not _substitutions_are_kept(line):
        return False
    if isinstance(theirs, str):
        return "<<" in line or "\\&" in line or ("$'" in line and "\\\n" in printed)
    return ("<<" in line or "\\&" in line) and sorted(_spelled(ours)) == sorted(_spelled(theirs))


def _substitutions_are_kept(line: str) -> bool:
    """Whether every substitution of a line, printed alone, is what we read."""
    for text in _insides(line).parenthesised:
        alone = f"a {text}"
        script = grammar.parse(alone)
        (printed,) = layouts([alone])
        if printed is None or not isinstance(script, syntax.Script) or _read(printed) != canonical(script):
            return False
    return True


def _spelled(node: object) -> str:
    """The characters of a canonical tree without blanks, whatever joins them into words and commands."""
    if not isinstance(node, tuple):
        return "".join(node.replace("=", "").split()) if isinstance(node, str) and node not in _JOINS else ""
    flags = ("!" * node[1] + "time" * node[2]) if node[:1] == ("pipeline",) else ""
    return flags + "".join(_spelled(part) for part in node)
