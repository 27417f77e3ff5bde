"""The corpus of the classifier: reads Markdown chapters into examples, and judges one example.

It is the only place for the format of the chapters, which `docs/classifier.md` describes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from agentos_lsp.domain.command.surroundings import Surroundings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from agentos_lsp.domain.command.verdict import Assessment

FOLDER = Path(__file__).parent

FENCE = re.compile(r"^(?P<ticks>`{3,})(?P<info>.*)$")
LINE = re.compile(r"^(?P<command>.*\S)\s+# (?P<verdict>allowed|reviewed|blocked)(?:: (?P<why>.+))?$")
WHOLE = re.compile(r"^verdict=(?P<verdict>allowed|reviewed|blocked)(?:: (?P<why>.+))?$")
GIVEN = "# given: "
CHARACTER = re.compile(r"\{U\+([0-9A-F]{2,6})\}")

DEFAULT = Surroundings(
    cwd="/code/tree",
    worktree="/code/tree",
    home="/home/dev",
    scratch=("/scratch/task-1",),
    protected=("main", "master"),
    branch="agentos/task-1",
)


class CorpusError(ValueError):
    """A chapter that cannot be read; the message names the file and the line."""


@dataclass(frozen=True, slots=True)
class Given:
    """What a block assumes: where the line would run, and the token prefixes that the session allows."""

    surroundings: Surroundings = DEFAULT
    allow: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Example:
    """One shell line of a chapter with the verdict it must get; `number` is its one-based line in the file.

    `why` must occur, whatever its case, in the rule or the text of a reason; empty where only the verdict counts.
    """

    chapter: str
    heading: str
    number: int
    command: str
    verdict: str
    why: str = ""
    given: Given = field(default_factory=Given)


def chapters() -> list[Path]:
    """Lists the chapters in the order of their names."""
    return sorted(FOLDER.glob("*.md"))


def read(path: Path) -> list[Example]:
    """Reads one chapter.

    Raises:
        CorpusError: A line of a block has no verdict, or a `given` cannot be read.
    """
    return list(_examples(path.stem, path.read_text(encoding="utf-8").splitlines()))


def everything() -> list[Example]:
    """Reads all chapters."""
    return [example for path in chapters() for example in read(path)]


def judge(example: Example) -> Assessment:
    """Asks the classifier about one example."""
    # The classifier is imported here, so that collecting stays quick and says nothing about its health.
    from agentos_lsp.domain.command import allowlist, classify

    prefixes = tuple(allowlist.TokenPrefix(tokens) for tokens in example.given.allow)
    return classify.classify(example.command, example.given.surroundings, allowlist.Allowlist(prefixes))


def complaint(example: Example, assessment: Assessment) -> str | None:
    """Says how an assessment differs from what the example expects; None if it does not."""
    found = [*assessment.reasons, *(reason for part in assessment.parts for reason in part.reasons)]
    shown = "; ".join(dict.fromkeys(f"{reason.rule} ({reason.text})" for reason in found)) or "no reasons"
    if assessment.verdict.word != example.verdict:
        return f"{example.command!r}: expected {example.verdict}, got {assessment.verdict.word}: {shown}"
    if example.why and not any(example.why.lower() in f"{reason.rule} {reason.text}".lower() for reason in found):
        return f"{example.command!r}: no reason mentions {example.why!r}: {shown}"
    return None


def _examples(chapter: str, lines: list[str]) -> Iterator[Example]:
    heading, index = "", 0
    while index < len(lines):
        line = lines[index]
        index += 1
        if line.startswith("#"):
            heading = line.lstrip("# ")
        if not (fence := FENCE.match(line)):
            continue
        if fence["ticks"] not in lines[index:]:
            raise CorpusError(f"{chapter}.md:{index}: the block has no end")
        end = lines.index(fence["ticks"], index)
        language, *info = fence["info"].split(" ", 1)
        if language == "sh":
            yield from _block(chapter, heading, index, lines[index:end], info[0] if info else "")
        index = end + 1


def _block(chapter: str, heading: str, start: int, body: list[str], info: str) -> Iterator[Example]:
    given = Given()
    rest: list[tuple[int, str]] = []
    for number, line in enumerate(body, start=start + 1):
        if line.startswith(GIVEN):
            given = _given(given, line.removeprefix(GIVEN), f"{chapter}.md:{number}")
        else:
            rest.append((number, line))
    if info:
        if not (whole := WHOLE.match(info)):
            raise CorpusError(f"{chapter}.md:{start}: cannot read the info string {info!r}")
        text = "\n".join(line for _, line in rest)
        yield Example(chapter, heading, start, _characters(text), whole["verdict"], whole["why"] or "", given)
        return
    for number, line in rest:
        if not line or line.startswith("# "):
            continue
        if not (match := LINE.match(line)):
            raise CorpusError(f"{chapter}.md:{number}: no verdict comment: {line!r}")
        command = _characters(match["command"])
        yield Example(chapter, heading, number, command, match["verdict"], match["why"] or "", given)


def _characters(text: str) -> str:
    """Puts in the characters that a page cannot show: `{U+200B}` stands for a zero-width space."""
    return CHARACTER.sub(lambda match: chr(int(match[1], 16)), text)


def _given(given: Given, text: str, where: str) -> Given:
    surroundings, allow = given.surroundings, given.allow
    for item in text.split(", "):
        key, equals, value = item.partition("=")
        match key:
            case _ if not equals:
                raise CorpusError(f"{where}: {item!r} is not key=value")
            case "cwd":
                surroundings = replace(surroundings, cwd=value)
            case "worktree":
                surroundings = replace(surroundings, worktree=value)
            case "home":
                surroundings = replace(surroundings, home=value)
            case "shell":
                surroundings = replace(surroundings, shell=_shell(value, where))
            case "branch":
                surroundings = replace(surroundings, branch=value or None)
            case "protected":
                surroundings = replace(surroundings, protected=tuple(value.split()))
            case "scratch":
                surroundings = replace(surroundings, scratch=tuple(value.split()))
            case "links":
                surroundings = replace(surroundings, links=_arrows(value, " "))
            case "aliases":
                surroundings = replace(surroundings, aliases=_arrows(value, "; "))
            case "recipes":
                recipes = {_pair(name, where): recipe for name, recipe in _arrows(value, "; ").items()}
                surroundings = replace(surroundings, recipes=recipes)
            case "allow":
                allow = tuple(tuple(prefix.split()) for prefix in value.split("; "))
            case _:
                raise CorpusError(f"{where}: unknown key {key!r}")
    return Given(surroundings, allow)


def _shell(name: str, where: str) -> Literal["bash", "sh", "zsh", "fish", "powershell"]:
    match name:
        case "bash" | "sh" | "zsh" | "fish" | "powershell":
            return name
        case _:
            raise CorpusError(f"{where}: unknown shell {name!r}")


def _arrows(value: str, separator: str) -> Mapping[str, str]:
    pairs = (item.partition("->") for item in value.split(separator))
    return {left: right for left, _, right in pairs}


def _pair(name: str, where: str) -> tuple[str, str]:
    match name.split():
        case [runner, target]:
            return runner, target
        case _:
            raise CorpusError(f"{where}: a recipe is named by a runner and a target, not {name!r}")
