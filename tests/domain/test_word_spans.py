"""The words that differ within changed lines: `{…}` marks them in a patch."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentos_lsp.domain import diff, word_spans
from agentos_lsp.domain.word_spans import Span


def rows(old: str, new: str) -> list[str]:
    sides = [diff.Side(0o100644, text.encode("utf-8", "surrogateescape")) for text in (old, new)]
    return diff.unified(diff.compare([("f", *sides)])).split("\n")


def marked(patch: list[str]) -> list[str]:
    """Returns the changed lines of a patch with what differs in braces."""
    shown = dict(enumerate(patch))
    for span in reversed(list(word_spans.spans(patch))):
        row = shown[span.line]
        assert row[0] == {"removed": "-", "added": "+"}[span.kind]
        shown[span.line] = f"{row[: span.start]}{{{row[span.start : span.end]}}}{row[span.end :]}"
    return [row for row in list(shown.values())[4:] if row[:1] in {"-", "+"}]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("return foo_bar\n", "return foo_baz\n", ["-return {foo_bar}", "+return {foo_baz}"]),
        ("f(a, b)\n", "f(a, b, c)\n", ["-f(a, b)", "+f(a, b{, c})"]),
        ("if x:\n", "    if x:\n", ["-if x:", "+{    }if x:"]),
        ("a b c d e f\n", "a b c d e f g\n", ["-a b c d e f", "+a b c d e f{ g}"]),
        ("one two three four\n", "one 2 3 four\n", ["-one {two three} four", "+one {2 3} four"]),
        ("call(first, second)\n", "call(eerste, tweede)\n", ["-call({first}, {second})", "+call({eerste}, {tweede})"]),
        ("# naïve cafe\u0301\n", "# naïve café\n", ["-# naïve {cafe\u0301}", "+# naïve {café}"]),
        # What has nothing in common is another line, and so is a blank one.
        ("one\n", "two\n", ["-one", "+two"]),
        ("return 1\n", "\n", ["-return 1", "+"]),
        ("short\n", "short, and then a lot of other words that were never there\n",
         ["-short", "+short, and then a lot of other words that were never there"]),
        # Lines are paired with what is like them, in order.
        ("x = compute(a)\nreturn x\n", "# new\nx = compute(b)\n# new too\nreturn x + 1\n",
         ["-x = compute({a})", "-return x", "+# new", "+x = compute({b})", "+# new too", "+return x{ + 1}"]),
        ("alpha beta 1\nalpha beta 2\n", "alpha beta 2!\n", ["-alpha beta 1", "-alpha beta 2", "+alpha beta 2{!}"]),
        # Only the end of the lines, or of the file, is another.
        ("one line\r\n", "one line\n", ["-one line\r", "+one line"]),
        ("one line\r\n", "one  line\n", ["-one{ }line\r", "+one{  }line"]),
        ("the last line", "the last line\n", ["-the last line", "+the last line"]),
        ("the last line", "the last row", ["-the last {line}", "+the last {row}"]),
        # Nothing was put in the place of what was removed.
        ("keep\ngone gone\n", "keep\n", ["-gone gone"]),
        ("keep\n", "keep\nnew new\n", ["+new new"]),
        # What looks like a header is content.
        ("-- a comment\n@@ -1 +1 @@\n", "-- a remark\n@@ -1 +1 @@\n", ["--- a {comment}", "+-- a {remark}"]),
    ],
)  # fmt: skip
def test_the_words_that_differ_are_marked(old: str, new: str, expected: list[str]) -> None:
    assert marked(rows(old, new)) == expected


def test_what_a_patch_says_between_its_hunks_is_none_of_its_lines() -> None:
    patch = [*rows("a 1\n", "a 2\n")[:-1], "-remark 1", "+remark 2", *rows("b 1\n", "b 2\n")]
    assert [(span.line, patch[span.line]) for span in word_spans.spans(patch)] == [
        *((4, "-a 1"), (5, "+a 2")),
        *((12, "-b 1"), (13, "+b 2")),
    ]


def test_a_header_without_its_lines_and_lines_without_a_header_have_none() -> None:
    for patch in ([], [""], ["@@ -1,9 +1,9 @@"], ["-a 1", "+a 2"], ["@@ -0,0 +0,0 @@", "-a 1", "+a 2"]):
        assert list(word_spans.spans(patch)) == []
    cut = ["@@ -1,9 +1,9 @@", "-a 1", "+a 2"]
    assert list(word_spans.spans(cut)) == [Span(1, 3, 4, "removed"), Span(2, 3, 4, "added")]


def test_only_the_lines_that_are_asked_for_are_compared() -> None:
    text = "".join(f"line {number}\n" for number in range(100))
    patch = rows(text, text.replace("line 5\n", "line five\n").replace("line 90\n", "line ninety\n"))
    every = list(word_spans.spans(patch))
    assert [patch[span.line] for span in every] == ["-line 5", "+line five", "-line 90", "+line ninety"]
    for asked in (range(0), range(every[1].line), range(every[1].line, every[3].line), range(every[3].line, 9999)):
        assert list(word_spans.spans(patch, asked)) == [span for span in every if span.line in asked]


def test_what_comes_after_too_much_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    patch = [*rows("a 1\n", "a 2\n")[:-1], *rows("b c d 1\n", "b c d 2\n")]
    monkeypatch.setattr(word_spans, "MOST", 40)
    assert {span.line for span in word_spans.spans(patch)} == {4, 5}
    monkeypatch.setattr(word_spans, "MOST", 12)
    assert list(word_spans.spans(patch)) == []
    monkeypatch.setattr(word_spans, "MOST", 0)
    assert list(word_spans.spans(patch)) == []


def test_lines_with_many_other_words_differ_from_the_first_to_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    patch = rows("same 1 same 2 same\n", "same 3 same 4 same\n")
    assert marked(patch) == ["-same {1} same {2} same", "+same {3} same {4} same"]
    monkeypatch.setattr(word_spans, "EFFORT", 5)
    assert marked(patch) == ["-same {1 same 2} same", "+same {3 same 4} same"]


@pytest.mark.parametrize(("fewer", "more"), [(40, 40), (5, 40), (40, 5), (1, 40), (40, 1)])
def test_the_more_lines_there_are_the_nearer_is_their_like(
    monkeypatch: pytest.MonkeyPatch, fewer: int, more: int
) -> None:
    monkeypatch.setattr(word_spans, "REACH", 0)
    olds = [f"-the line {number}" for number in range(fewer)]
    news = [f"+the line {number} is here" for number in range(more)]
    patch = [f"@@ -1,{fewer} +1,{more} @@", *olds, *news]
    found = {span.line for span in word_spans.spans(patch)}
    assert len(found) >= min(fewer, more)


def test_a_hunk_of_ten_thousand_lines_is_begun_and_not_followed_to_its_end() -> None:
    olds = [f"-row {number}" for number in range(5000)]
    news = [f"+row {number} here" for number in range(5000)]
    patch = ["@@ -1,5000 +1,5000 @@", *olds, *news]
    found = list(word_spans.spans(patch))
    assert {patch[span.line][span.start : span.end] for span in found} == {" here"}
    assert len(found) == 5000


LINE = st.text(alphabet=st.sampled_from([*"ab_ \t(é\u0301\U0001f600\r-+@\\"]), max_size=12)
TEXT = st.lists(LINE, max_size=8).map("\n".join)


@settings(deadline=None)
@given(TEXT, TEXT)
def test_spans_lie_within_their_lines_and_what_is_outside_them_is_on_both_sides(old: str, new: str) -> None:
    patch = rows(old, new)
    spans = list(word_spans.spans(patch))
    assert spans == sorted(spans, key=lambda span: (span.line, span.start))
    outside: dict[str, list[str]] = {"-": [], "+": []}
    for number, row in enumerate(patch):
        own = [span for span in spans if span.line == number]
        at, rest = 1, ""
        for span in own:
            assert at <= span.start < span.end <= len(row.removesuffix("\r"))
            rest, at = rest + row[at : span.start], span.end
        if own:
            outside[row[0]].append(rest + row[at:].removesuffix("\r"))
    # A pair may be marked on one side only: the other line is all shared.
    plain = {sign: {row[1:].removesuffix("\r") for row in patch if row[:1] == sign} for sign in "-+"}
    for sign, other in ("-+", "+-"):
        assert set(outside[sign]) <= set(outside[other]) | plain[other]


@given(st.lists(st.one_of(LINE, st.just("@@ -1,3 +1,3 @@"), LINE.map("-{}".format), LINE.map("+{}".format))))
def test_no_text_at_all_stops_the_reader(patch: list[str]) -> None:
    for span in word_spans.spans(patch):
        assert 1 <= span.start < span.end <= len(patch[span.line])
