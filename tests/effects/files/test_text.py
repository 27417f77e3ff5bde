"""An edit replaces exactly what it names, and keeps line endings and byte-order mark."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentos_lsp.effects.files import text


def check(before, old, new, after, expected=1):
    assert text.replace(before, old, new, expected=expected) == after


@pytest.mark.parametrize(
    ("before", "old", "new", "after"),
    [
        (b"a\nb\nc\n", "b", "x", b"a\nx\nc\n"),
        (b"a\nb\nc\n", "b\n", "", b"a\nc\n"),
        (b"a\r\nb\r\nc\r\n", "a\nb\n", "x\ny\nz\n", b"x\r\ny\r\nz\r\nc\r\n"),
        (b"a\r\nb\r\n", "b", "x\ny", b"a\r\nx\r\ny\r\n"),
        (b"a\r\nb\r\n", "a\r\nb", "x\r\ny", b"x\r\ny\r\n"),
        (b"a\nb\n", "a\r\nb", "x\r\ny", b"x\ny\n"),
        (b"a\r\nb\nc\n", "a\nb", "x\ny", b"x\r\ny\nc\n"),
        (b"a\r\nb\nc\n", "b\nc", "x\ny", b"a\r\nx\ny\n"),
        (b"\xef\xbb\xbfa\n", "a", "b", b"\xef\xbb\xbfb\n"),
        ("größe → ∞\n".encode(), "→", "=", "größe = ∞\n".encode()),
        (b"no end", "end", "end\n", b"no end\n"),
        (b"a.c abc", "a.c", r"\g<0>\1", rb"\g<0>\1 abc"),
        (b"one\rtwo\r", "one\rtwo", "1\r2", b"1\r2\r"),
    ],
)
def test_text_is_replaced_and_endings_stay(before, old, new, after):
    check(before, old, new, after)


@pytest.mark.parametrize(
    "data", [b"a\0b", b"\xff\xfea\0", b"\xfe\xff\0a", b"\xff\xfe\0\0a\0\0\0", b"\xe4\xf6", b"\xc3"]
)
def test_what_is_not_utf_8_is_not_edited(data):
    assert text.replace(data, "a", "b", expected=1).reason == "binary"


@pytest.mark.parametrize(
    ("data", "old", "new", "expected"),
    [(b"a", "", "b", 1), (b"a", "b", "c", 1), (b"aa", "a", "b", 1), (b"a", "a", "b", 2), (b"a", "a", "a", 1)],
)
def test_what_is_not_there_as_often_as_expected_is_not_replaced(data, old, new, expected):
    assert text.replace(data, old, new, expected=expected).reason == "occurrences"


def test_text_that_no_file_can_hold_is_refused():
    assert text.replace(b"a", "a", "\ud800", expected=1).reason == "binary"


lines = st.lists(st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]), max_size=8), max_size=8)


@given(lines, st.sampled_from(["\n", "\r\n"]), st.text("xy\n", min_size=1, max_size=6))
def test_a_file_keeps_its_endings_whatever_is_put_in(around, ending, new):
    before = ending.join([*around, "MARKER", *around])
    after = text.replace(before.encode(), "MARKER", new, expected=1)
    wanted = before.replace("MARKER", new.replace("\n", ending if ending in before else "\n"))
    assert after == wanted.encode()
