"""What a person should look at now, in editor words: the pages of sessions as text, with what stands on which line."""

from __future__ import annotations

import posixpath
import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from agentos_lsp.domain import confinement, model_state, orphan
from agentos_lsp.domain.command import classify

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from agentos_lsp.domain import events, state, tree_events
    from agentos_lsp.domain.approval import Question

SHOWN_CALLS = 40
SHOWN_TAIL_LINES = 12
SHOWN_CHECKPOINTS = 10

SHOWN_ENDED = 20

Group = Literal["needs-you", "running", "to-review", "ended"]
GROUPS: dict[Group, str] = {
    "needs-you": "Needs you",
    "running": "Running",
    "to-review": "To review",
    "ended": "Ended",
}
"""The headings of the lists of sessions, in the order of their urgency."""

AnchorKind = Literal[
    "approval",
    "attempt",
    "call",
    "checkpoint",
    "conflict",
    "document",
    "finding",
    "forecast",
    "model",
    "offer",
    "orphan",
    "session",
    "versus",
]

# Letters, marks and blanks that show nothing, beside the categories in `_shown`. Source: Unicode 16,
# DerivedCoreProperties.txt, Default_Ignorable_Code_Point; and U+2800, which is an empty braille cell.
_INVISIBLE = frozenset(
    (0x34F, 0x115F, 0x1160, 0x17B4, 0x17B5, *range(0x180B, 0x1810), 0x2800, 0x3164, *range(0xFE00, 0xFE10), 0xFFA0)
) | frozenset(range(0xE0100, 0xE01F0))

_MARKUP = re.compile(r"[\\\[\]<]")


@dataclass(frozen=True, slots=True)
class Anchor:
    """A line of a page that stands for something a person can act on or open; `name` is its id."""

    line: int
    kind: AnchorKind
    name: str
    session: str


@dataclass(frozen=True, slots=True)
class Page:
    """A document: its text ends with a line break, and its anchors are in the order of their lines."""

    text: str
    anchors: tuple[Anchor, ...]

    def at(self, line: int) -> Anchor | None:
        """Returns what stands on a line, counted from 0."""
        return next((anchor for anchor in self.anchors if anchor.line == line), None)


class Writer:
    """Gathers the lines of a page."""

    def __init__(self, banner: str = "") -> None:
        self.lines: list[str] = [f"> {banner}", ""] if banner else []
        self.anchors: list[Anchor] = []

    def add(self, *lines: str) -> None:
        """Adds lines, safe to decide by."""
        self.lines += [visible(line) for line in lines]

    def anchor(self, kind: AnchorKind, name: str, session: str) -> None:
        """Marks the line that is added next."""
        self.anchors.append(Anchor(len(self.lines), kind, name, session))

    def page(self) -> Page:
        """Returns what was gathered."""
        return Page("\n".join(self.lines) + "\n", tuple(self.anchors))


def visible(text: str) -> str:
    """Makes a line safe to decide by: control, bidirectional and invisible characters are shown by number."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(character) for character in text)


def readable(text: str) -> str:
    """Does the same for a text of many lines, whose tabs and line breaks stay as they are.

    A carriage return stays only before a line feed: alone, it begins a new line in some editors and none in others.
    """
    rows = text.split("\n")
    shown: list[str] = []
    for number, row in enumerate(rows, start=1):
        ended = row.endswith("\r") and number < len(rows)
        body = row[:-1] if ended else row
        shown.append("\t".join(visible(cell) for cell in body.split("\t")) + ("\r" if ended else ""))
    return "\n".join(shown)


def standing(one: state.SessionState) -> tuple[events.FindingRecord, ...]:
    """Returns the findings that may still hold: none of an ended session, none on files changed since."""
    if not one.is_live:
        return ()
    changed: set[str] = set()
    for call in reversed(list(one.calls.values())):
        if call.call == one.inspected_after:
            break
        if call.request.kind in {"write", "edit", "delete", "move"} and call.step == "done":
            named = (getattr(call.request, "path", ""), getattr(call.request, "to", ""))
            changed.update(posixpath.normpath(path) for path in named if path)
    return tuple(
        finding
        for finding in one.findings
        if finding.digest not in one.waived and (not finding.path or finding.path not in changed)
    )


def group(one: state.SessionState) -> Group:
    """Says under which heading a session stands in every list."""
    if not one.is_live:
        return "ended"
    if one.questions or one.interrupted or one.conflicts:
        return "needs-you"
    return "to-review" if one.turn is None else "running"


def overview(sessions: Sequence[state.SessionState], orphans: Sequence[orphan.Orphan] = (), banner: str = "") -> Page:
    """Lists all sessions: those that wait for a person first, ended ones last; then what was left behind."""
    page = Writer(banner)
    page.add("# Sessions", "")
    if not sessions:
        page.add("No sessions yet. Start one with `agentos.session.start`, in Neovim `:AgentOS start TASK`.", "")
    for title, group in _grouped(sessions):
        if not group:
            continue
        page.add(f"## {title}", "")
        for one in group:
            page.anchor("session", one.session, one.session)
            page.add(f"- {one.session} [{one.status}] {_first_line(one.task)}")
            for question in one.questions.values():
                page.anchor("approval", question.approval, one.session)
                page.add(f"    waits: `{_one_line(question.line)}`")
        page.add("")
    if orphans:
        page.add("## Left behind", "")
    for left in orphans:
        page.anchor("orphan", left.session, left.session)
        page.add(f"- {left.session} in {_one_line(left.repository)}: {_one_line(orphan.describe(left))}")
        page.add(f"    {_one_line(orphan.advise(left))}")
    return page.page()


def session(one: state.SessionState, unfinished: str = "", banner: str = "", disk: str = "") -> Page:
    """Shows one session: its task and state, what waits for a person, what happened last, and what is being said.

    `unfinished` stands last, so that no other line moves while the agent speaks; `banner`, if any, stands first. `disk`
    is the line on what its worktree takes.
    """
    page = Writer(banner)
    page.anchor("session", one.session, one.session)
    page.add(f"# {one.session}", "", f"Task: {_first_line(one.task)}", f"State: {one.status}")
    if one.worktree is not None:
        page.add(
            f"Branch: {one.worktree.branch}, from {one.base_branch or 'a detached HEAD'} at {one.base_commit[:10]}"
        )
        page.add(f"Worktree: {one.worktree.folder}", *([disk] if disk else []), *confinement.lines(one.confinement))
    page.anchor("document", "changes.diff", one.session)
    page.add(f"Changes: {len(one.commits)} commits")
    page.anchor("document", "trace.md", one.session)
    page.add(f"Trace: {one.sequence} events")
    if one.group is not None:
        page.anchor("document", "compare.md", one.session)
        page.add("Compare: with the other sessions on this task")
    for ref in one.aside:
        page.add(f"Set aside: {ref}")
    if one.spent.replies:
        page.add(f"Model: {model_state.line(one.spent)}")
    for kind, words in (("loss", one.spent.loss), ("loop", one.spent.loop)):
        if words:
            page.anchor("model", kind, one.session)
            page.add(f"Beware: {_one_line(words)}")
    if one.notice:
        page.add(f"Last word: {_first_line(one.notice)}")
    page.add("")
    _add_waiting(page, one)
    _add_findings(page, one)
    _add_forecasts(page, one)
    _add_calls(page, one)
    _add_offers(page, one)
    _add_checkpoints(page, one)
    _add_allowlist(page, one)
    if unfinished:
        page.add("## Says now", "", *(f"> {line}" for line in unfinished.splitlines()[-SHOWN_TAIL_LINES:]))
    return page.page()


def trace(log: Iterable[events.AnyEvent], banner: str = "") -> Page:
    """Shows a session's events, one a line, as Markdown, with a heading for each turn."""
    page = Writer(banner)
    page.add("# Trace", "", "## Start", "")
    turns, in_turn = 0, True
    for event in log:
        if event.type == "turn.started":
            turns, in_turn = turns + 1, True
            page.add("", f"## Turn {turns}: {_first_line(event.prompt)}", "")
        elif not in_turn:
            in_turn = True
            page.add("", f"## After turn {turns}", "")
        fields = event.model_dump(mode="json", exclude={"session", "sequence", "at", "version", "type"})
        told = ", ".join(
            f"{key}={_one_line(str(value))}" for key, value in fields.items() if value not in (None, "", [], {})
        )
        call = fields.get("call")
        if isinstance(call, str):
            page.anchor("call", call, event.session)
        page.add(f"- {event.sequence} {event.at:%Y-%m-%d %H:%M:%S} **{event.type}** {told}".rstrip())
        if event.type == "turn.finished":
            in_turn = False
    return page.page()


def explain(call: state.Call) -> str:
    """Explains a verdict part by part, as Markdown for a hover, in which nothing of the agent's words is markup."""
    lines = [f"**{call.verdict or 'not judged yet'}**"]
    for part in call.parts:
        lines += ["", f"{_code(part.text)} is {part.verdict}"]
        lines += [
            f"- {_prose(reason.text)}" + (f" {_prose(reason.instead)}" if reason.instead else "")
            for reason in part.reasons
        ]
    if not call.parts:
        lines += ["", *(f"- {_prose(reason.text)}" for reason in call.reasons)]
    if call.prefix is not None:
        through = classify.let_through(call.prefix)
        colon = ", which lets through, for example:" if through else ""
        lines += ["", f"Prefix offered for this session: {_code(prefix_text(call.prefix))}{colon}"]
        lines += ["", *(f"- {_code(line)}" for line in through)] if through else []
    return "\n".join(lines)


def question_text(question: Question, call: state.Call | None) -> str:
    """Says in one line what waits, and why; it is a diagnostic's message."""
    why = " ".join(visible(reason.text) for reason in call.reasons[:3]) if call is not None else ""
    where = f" in {visible(_one_line(question.cwd))}" if question.cwd else ""
    return f"The agent asks to run{where}: {visible(_one_line(question.line))}" + (f"\n{why}" if why else "")


def prefix_text(prefix: tuple[str, ...]) -> str:
    """Shows a token prefix that may be allowed for the session."""
    return f"{visible(' '.join(prefix))} …"


def _code(text: str) -> str:
    """Returns a Markdown code span that the text cannot end. Source: CommonMark 0.31.2, section 6.1."""
    shown = visible(_one_line(text))
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", shown)), default=0))
    space = " " if len(fence) > 1 or not shown.strip() else ""
    return f"{fence}{space}{shown}{space}{fence}"


def _prose(text: str) -> str:
    """Returns a sentence as Markdown without links, images and HTML."""
    return _MARKUP.sub(lambda found: f"\\{found[0]}", visible(text))


def _add_waiting(page: Writer, one: state.SessionState) -> None:
    if not one.questions:
        return
    page.add("## Waits for you", "")
    for question in one.questions.values():
        call = one.calls.get(question.call)
        page.anchor("approval", question.approval, one.session)
        page.add(f"- [{question.approval}] {_one_line(question.line)}")
        if question.cwd:
            page.add(f"    in {question.cwd}")
        for reason in call.reasons if call is not None else ():
            page.add(f"    {reason.verdict}: {reason.text}")
        if question.prefix is not None:
            page.add(f"    prefix offered: {prefix_text(question.prefix)}")
    page.add("")


def _add_findings(page: Writer, one: state.SessionState) -> None:
    if one.conflicts:
        page.add("## Conflicts", "")
        for path in one.conflicts:
            page.anchor("conflict", path, one.session)
            page.add(f"- {path}")
        page.add("")
    if one.findings:
        still = standing(one)
        page.add("## Findings of the last inspection", "")
        for number, finding in enumerate(one.findings):
            page.anchor("finding", str(number), one.session)
            since = "" if finding in still else " (its file was changed since)" if one.is_live else ""
            if finding.digest in one.waived:
                since = f" (waived: {_first_line(one.waived[finding.digest].reason)})"
            page.add(f"- {finding.action}: {finding.message}{since}")
        page.add("")


def _add_calls(page: Writer, one: state.SessionState) -> None:
    calls = list(one.calls.values())[-SHOWN_CALLS:]
    if not calls:
        return
    page.add("## Last calls", "")
    for call in reversed(calls):
        page.anchor("call", call.call, one.session)
        page.add(f"- {_describe(call)} [{_outcome(call)}]")
        if call.step == "refused" and call.told:
            page.add(f"    {_first_line(call.told)}")
        if call.step in {"running", "background"} and call.tail:
            page.add(*(f"    | {line}" for line in call.tail.splitlines()[-SHOWN_TAIL_LINES:]))
    page.add("")


def forecasts(one: state.SessionState) -> list[tuple[str, tree_events.ForecastPlace]]:
    """Returns where merging this session and another live one would conflict: the other, and the place here."""
    return [(other, place) for other, places in one.forecasts.items() for place in places] if one.is_live else []


def forecast_text(other: str, place: tree_events.ForecastPlace) -> str:
    """Says in one line what would conflict; it is a diagnostic's message."""
    what = "this file" if place.line is None else "these lines"
    return f"{other} also changes {what} ({visible(place.path)}); merging both would conflict."


def _add_forecasts(page: Writer, one: state.SessionState) -> None:
    found = forecasts(one)
    if not found:
        return
    page.add("## Other sessions at the same place", "")
    for number, (other, place) in enumerate(found):
        page.anchor("forecast", str(number), one.session)
        where = place.path if place.line is None else f"{place.path}:{place.line + 1}"
        page.add(f"- {where} is also changed by {other}")
    page.add("")


def _add_offers(page: Writer, one: state.SessionState) -> None:
    if not one.offered or not one.is_live:
        return
    page.add("## Setup that other tools would run; not run here", "")
    for offer in one.offered:
        page.anchor("offer", offer.file, one.session)
        page.add(f"- {offer.file}", *(f"    {line}" for line in offer.lines))
    page.add("")


def _add_checkpoints(page: Writer, one: state.SessionState) -> None:
    if not one.checkpoints or not one.is_live:
        return
    page.add("## Checkpoints", "")
    for kept in reversed(one.checkpoints[-SHOWN_CHECKPOINTS:]):
        page.anchor("checkpoint", str(kept.number), one.session)
        why = {"turn": "before a turn", "asked": "asked for", "restore": "before a restore"}[kept.occasion]
        note = f": {_first_line(kept.note)}" if kept.note and kept.occasion != "restore" else ""
        page.add(f"- {kept.number} at {kept.at:%Y-%m-%d %H:%M:%S} UTC, {why}, {kept.files} files{note}")
        page.add(*(f"    not in it: {path}" for path in kept.skipped[:3]))
    page.anchor("checkpoint", "0", one.session)
    page.add("- 0 the beginning", "")


def _add_allowlist(page: Writer, one: state.SessionState) -> None:
    if not one.lines and not one.prefixes:
        return
    page.add("## Allowed in this session", "")
    page.add(*(f"- {_one_line(line)}" + (f" in {cwd}" if cwd else "") for line, cwd in sorted(one.lines)))
    page.add(*(f"- {prefix_text(one.tokens)}" + (f" in {one.folder}" if one.folder else "") for one in one.prefixes))
    page.add("")


def _describe(call: state.Call) -> str:
    request = call.request
    for name in ("line", "path", "name", "message"):
        value = getattr(request, name, None)
        if isinstance(value, str):
            return f"{request.kind} {_one_line(value)}"
    return request.kind


def _outcome(call: state.Call) -> str:
    if call.step == "unknown":
        return "outcome unknown: the runtime ended while it ran"
    if call.step != "done":
        return call.step
    if call.ended_by not in {"", "itself"}:
        return f"ended by {call.ended_by}"
    if call.signal is not None:
        return f"ended by signal {call.signal}"
    return "done" if call.exit_code is None else f"exit {call.exit_code}"


def _grouped(
    sessions: Sequence[state.SessionState],
) -> tuple[tuple[str, list[state.SessionState]], ...]:
    groups: dict[Group, list[state.SessionState]] = {name: [] for name in GROUPS}
    for one in sessions:
        groups[group(one)].append(one)
    groups["ended"] = list(reversed(groups["ended"]))[:SHOWN_ENDED]
    return tuple((GROUPS[name], found) for name, found in groups.items())


def _first_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[0] if lines else ""


def _one_line(text: str) -> str:
    return text.replace("\r", "\\r").replace("\n", "\\n")


def _shown(character: str) -> str:
    if character == "\t":
        return "    "
    hidden = unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    odd_blank = character.isspace() and character != " "
    return f"\\u{{{ord(character):X}}}" if hidden or odd_blank or ord(character) in _INVISIBLE else character
