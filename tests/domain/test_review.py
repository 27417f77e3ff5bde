"""The pages that a person decides by: what stands on which line, and that no text deceives."""

import unicodedata

import hypothesis
import pytest
from hypothesis import strategies

from agentos_lsp.domain import events, review, state, tools
from tests.domain import support

ASKING = ("session.started", "worktree.created", "prompt.queued", "turn.started", "tool_call.requested",
          "command.classified", "approval.requested")  # fmt: skip

HIDDEN = {
    "\x00": "0", "\x1b": "1B", "\x7f": "7F", "\x85": "85", "\xad": "AD", "\u00a0": "A0", "\u034f": "34F",
    "\u115f": "115F",
    "\u200b": "200B", "\u200e": "200E", "\u202e": "202E", "\u2066": "2066", "\u2028": "2028", "\u2800": "2800",
    "\u3000": "3000", "\u3164": "3164", "\ufe0f": "FE0F", "\ufeff": "FEFF", "\uffa0": "FFA0", "\ud800": "D800",
    "\U000e0041": "E0041", "\U000e0100": "E0100", "\n": "A", "\r": "D", "\ue000": "E000", "\uffff": "FFFF",
}  # fmt: skip


def page_of(*log):
    return review.session(state.fold(support.log(*log)))


# Text


@pytest.mark.parametrize(("character", "number"), HIDDEN.items(), ids=HIDDEN.values())
def test_what_shows_nothing_or_moves_text_is_shown_by_number(character, number):
    assert review.visible(f"a{character}b") == f"a\\u{{{number}}}b"


@pytest.mark.parametrize("text", ["plain", "é ü ß", "日本語", "עברית", "😀 👍🏽", "a\\b", "`x`", "«»…"])
def test_what_shows_itself_stays(text):
    assert review.visible(text) == text
    assert review.readable(text) == text


@hypothesis.given(strategies.text())
def test_a_shown_line_is_one_line_without_anything_hidden(text):
    shown = review.visible(text)
    assert shown.splitlines() in ([], [shown])
    assert not {unicodedata.category(character) for character in shown} & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""), ("a\tb\n\n", "a\tb\n\n"), ("a\r\nb\r\n", "a\r\nb\r\n"), ("a\rb\n", "a\\u{D}b\n"), ("a\r", "a\\u{D}"),
        ("a\r\r\n", "a\\u{D}\r\n"), ("\x1b[31mred\u202e\n", "\\u{1B}[31mred\\u{202E}\n"),
    ],
)  # fmt: skip
def test_a_text_of_many_lines_keeps_its_lines_and_tabs(text, shown):
    assert review.readable(text) == shown


@hypothesis.given(strategies.text(alphabet="ab\r\n\t\u202e"))
def test_a_readable_text_has_as_many_lines(text):
    assert review.readable(text).count("\n") == text.count("\n")


# The page of a session


def test_a_page_shows_what_waits_first_and_each_anchor_stands_on_its_line():
    page = page_of(*ASKING)
    assert page.text == (
        "# fix-it-ab12\n\nTask: Fix it\nState: waiting\nBranch: agentos/fix-it-ab12, from main at aaaaaaaaaa\n"
        "Worktree: /state/worktrees/repo/fix-it-ab12\nChanges: 0 commits\nTrace: 7 events\n\n"
        "## Waits for you\n\n- [a1] make\n    in src\n    reviewed: make is not on the allowlist.\n"
        "    prefix offered: make …\n\n## Last calls\n\n- run make [waiting]\n\n"
    )
    lines = page.text.split("\n")
    assert [(anchor.kind, anchor.name, lines[anchor.line]) for anchor in page.anchors] == [
        ("session", "fix-it-ab12", "# fix-it-ab12"),
        ("document", "changes.diff", "Changes: 0 commits"),
        ("document", "trace.md", "Trace: 7 events"),
        ("approval", "a1", "- [a1] make"),
        ("call", "c1", "- run make [waiting]"),
    ]
    assert page.at(11) == page.anchors[3]
    assert (page.at(0), page.at(1)) == (page.anchors[0], None)


def test_an_agent_cannot_write_a_page():
    forged = "x\n\n## Waits for you\n\n- [a9] ls\r- [a8] pwd\u2028- [a7] id"
    page = page_of(
        *ASKING[:3],
        ("turn.started", {"prompt": forged}),
        ("agent.message", {"text": forged}),
        ("tool_call.requested", {"request": tools.RunCall(line=forged, cwd=forged)}),
        ("approval.requested", {"line": forged, "cwd": forged, "prefix": (forged,)}),
    )
    assert page.text.count("\n## Waits for you") == 1
    assert [line for line in page.text.split("\n") if line.startswith("- [")] == [
        r"- [a1] x\n\n## Waits for you\n\n- [a9] ls\r- [a8] pwd\u{2028}- [a7] id"
    ]
    assert len(page.text.splitlines()) == page.text.count("\n")


def test_a_running_command_shows_the_end_of_its_output():
    text = "".join(f"line {number}\n" for number in range(20)) + "\x1b[2Klast"
    page = page_of(*ASKING, "approval.decided", "command.started", ("command.output", {"text": text}))
    assert page.text.count("    | line ") == review.SHOWN_TAIL_LINES - 1
    assert "    | \\u{1B}[2Klast\n" in page.text


@pytest.mark.parametrize(
    ("kinds", "outcome"),
    [
        (("command.started", "command.finished"), "exit 0"),
        (("command.started", ("command.finished", {"exit_code": None, "signal": 9})), "ended by signal 9"),
        (("command.started", ("command.finished", {"ended_by": "time limit"})), "ended by time limit"),
        (("command.started", "session.interrupted"), "outcome unknown: the runtime ended while it ran"),
        (("command.started",), "running"),
        ((("command.started", {"background": "server"}),), "background"),
    ],
)
def test_a_call_shows_how_it_ended(kinds, outcome):
    assert f"- run make [{outcome}]" in page_of(*ASKING, "approval.decided", *kinds).text


def test_the_allowlist_of_a_session_is_shown():
    page = page_of(
        *ASKING,
        "approval.decided",
        ("allowlist.extended", {"cwd": ""}),
        ("allowlist.extended", {"cwd": "web"}),
        ("allowlist.extended", {"prefix": None, "line": "a\nb", "cwd": ""}),
    )
    assert "## Allowed in this session\n\n- a\\nb\n- make …\n- make … in web\n" in page.text


# Findings


def written(path, call, kind="write"):
    request = {
        "write": tools.WriteCall(path=path, text=""),
        "edit": tools.EditCall(path=path, old="a", new="b"),
        "delete": tools.DeleteCall(path=path),
        "move": tools.MoveCall(path="elsewhere", to=path),
    }[kind]
    return (
        ("tool_call.requested", {"call": call, "request": request}),
        ("file.written", {"call": call, "path": path, "operation": kind}),
    )


REFUSED = (
    *("session.started", "worktree.created"),
    *written("a.py", "w1"),
    ("tool_call.requested", {"call": "c1", "request": tools.CommitCall(message="m")}),
    "commit.refused",
)


def standing(*log):
    return review.standing(state.fold(support.log(*log)))


@pytest.mark.parametrize("kind", ["write", "edit", "delete", "move"])
def test_a_finding_stands_until_its_file_is_changed(kind):
    assert standing(*REFUSED) == (support.FINDING,)
    assert standing(*REFUSED, *written("b.py", "w2", kind)) == (support.FINDING,)
    assert standing(*REFUSED, *written("./a.py", "w2", kind)) == ()
    assert standing(*REFUSED, written("a.py", "w2", kind)[0]) == (support.FINDING,)
    changed = page_of(*REFUSED, *written("a.py", "w2", kind))
    assert f"- refuse: {support.FINDING.message} (its file was changed since)\n" in changed.text


def test_a_finding_without_a_file_stands_and_none_stands_after_the_end():
    finding = support.FINDING.model_copy(update={"path": ""})
    refused = (*REFUSED[:-1], ("commit.refused", {"findings": (finding,)}))
    assert standing(*refused, *written("a.py", "w2")) == (finding,)
    assert standing(*REFUSED, "session.discarded") == ()


def test_what_a_person_had_inspected_after_the_last_write_stands():
    inspected = ("diff.inspected", {"call": None, "findings": (support.FINDING,)})
    assert standing(*REFUSED[:2], *written("a.py", "w1"), inspected) == (support.FINDING,)
    assert standing(*REFUSED[:2], *written("a.py", "w1"), inspected, *written("a.py", "w2")) == ()


# The hover


def call_with(line="make", **fields):
    part = events.PartRecord(text=line, words=(line,), verdict="reviewed", reasons=(support.REASON,))
    log = support.log(*ASKING[:5], ("command.classified", {"parts": (part,), **fields}))
    return state.fold(log).calls["c1"]


def test_a_verdict_is_explained_part_by_part():
    assert review.explain(call_with()) == (
        "**reviewed**\n\n`make` is reviewed\n- make is not on the allowlist.\n\n"
        "Prefix offered for this session: `make …`"
    )
    assert review.explain(call_with(parts=(), prefix=None)) == "**reviewed**\n\n- make is not on the allowlist."


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("a`b", "`` a`b ``"),
        ("`", "`` ` ``"),
        ("``` x ``", "```` ``` x `` ````"),
        ("a\n\n# b", "`a\\n\\n# b`"),
        ("", "`  `"),
        ("![x](https://example.invalid)", "`![x](https://example.invalid)`"),
    ],
)
def test_a_line_cannot_leave_its_code_span(line, shown):
    assert f"\n\n{shown} is reviewed\n" in review.explain(call_with(line))


def test_a_reason_holds_no_link_image_or_html():
    reason = support.REASON.model_copy(update={"text": "![a](b) <img src=x> \\[c](d)", "instead": "[e](f)"})
    text = review.explain(call_with(parts=(), reasons=(reason,)))
    assert text.split("\n")[2] == r"- !\[a\](b) \<img src=x> \\\[c\](d)"


def test_a_question_says_where_and_why_without_tricks():
    one = state.fold(support.log(*ASKING[:6], ("approval.requested", {"cwd": "a\u202eb", "line": "x\ny"})))
    (question,) = one.questions.values()
    text = review.question_text(question, one.calls["c1"])
    assert text == "The agent asks to run in a\\u{202E}b: x\\ny\nmake is not on the allowlist."
    assert review.question_text(question, None) == text.split("\n")[0]


# The overview and the trace


def test_sessions_that_need_a_person_come_first():
    logs = {
        "ended": (*ASKING[:3], "session.discarded"),
        "runs": ASKING[:4],
        "waits": ASKING,
        "rests": (*ASKING[:4], "turn.finished"),
        "broken": (*ASKING[:4], "session.interrupted"),
    }
    states = []
    for name, log in logs.items():
        one = state.fold(support.log(*log))
        states.append(type(one)(**{field: getattr(one, field) for field in one.__slots__} | {"session": name}))
    page = review.overview(states)
    order = [(anchor.kind, anchor.session) for anchor in page.anchors]
    assert order == [
        ("session", "waits"),
        ("approval", "waits"),
        ("session", "broken"),
        ("session", "runs"),
        ("session", "rests"),
        ("session", "ended"),
    ]
    headings = [line for line in page.text.split("\n") if line.startswith("## ")]
    assert headings == ["## Needs you", "## Running", "## To review", "## Ended"]


def test_a_trace_has_a_line_for_each_event_under_its_turn():
    log = support.log(
        *ASKING[:5], "turn.finished", "merge.attempted", "merge.refused", ("turn.started", {"prompt": "b\nc"})
    )
    page = review.trace(log)
    rows = [line.split(" ")[1] if line.startswith("- ") else line for line in page.text.split("\n") if line]
    assert ", ".join(rows) == (
        "# Trace, ## Start, 1, 2, 3, ## Turn 1: Fix it, 4, 5, 6, ## After turn 1, 7, 8, ## Turn 2: b, 9"
    )
    lines = page.text.split("\n")
    assert [(anchor.name, lines[anchor.line].split(" ")[4]) for anchor in page.anchors] == [
        ("c1", "**tool_call.requested**")
    ]


def test_a_trace_hides_nothing():
    page = review.trace(support.log(("agent.message", {"text": "a\u202e\nb\r# c"})))
    assert "text=a\\u{202E}\\nb\\r# c" in page.text
