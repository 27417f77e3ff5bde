"""Hunks are named by their content, and found again in a text that a person has edited meanwhile."""

import hypothesis
import pytest
from hypothesis import strategies as st

from agentos_lsp.domain import change_page, diff, hunks

FILE = 0o100644
TEN = "".join(f"{number}\n" for number in range(10))


def change(old, new, path="a.txt"):
    sides = [diff.Side(FILE, text.encode()) if text is not None else None for text in (old, new)]
    (found,) = diff.compare([(path, *sides)])
    return found


def placed(old, new, text):
    where = hunks.places(change(old, new).hunks, old.encode(), new.encode(), text.encode())
    return [(place.start, place.end, place.state) for place in where]


def taken(old, new, text):
    """Returns a text with every hunk that fits it, and how many did not."""
    found = change(old, new)
    where = hunks.places(found.hunks, old.encode(), new.encode(), text.encode())
    edits = hunks.edits(found.hunks, new.encode(), where)
    return hunks.edited(text.encode(), edits).decode(), sum(place.state == "conflict" for place in where)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (TEN, (4, 5, "open")),
        ("x\n" + TEN, (5, 6, "open")),
        (TEN.replace("0\n", ""), (3, 4, "open")),
        (TEN + "more\n", (4, 5, "open")),
        (TEN.replace("4\n", "four\n"), (4, 5, "there")),
        ("x\n" + TEN.replace("4\n", "four\n"), (5, 6, "there")),
        (TEN.replace("4\n", "mine\n"), (4, 5, "conflict")),
        (TEN.replace("3\n", "mine\n"), (4, 5, "open")),
        (TEN.replace("3\n", "mine\n").replace("5\n", "mine\n"), (3, 6, "conflict")),
        (TEN.replace("4\n", ""), (4, 4, "conflict")),
        (TEN.replace("4\n", "4\nmine\n"), (4, 5, "open")),
        ("", (0, 0, "conflict")),
    ],
)
def test_a_changed_line_is_found_where_the_person_has_it_now(text, expected):
    assert placed(TEN, TEN.replace("4\n", "four\n"), text) == [expected]


def test_an_insertion_has_no_lines_of_its_own_and_a_deletion_leaves_none():
    assert placed(TEN, TEN.replace("4\n", "4\nx\n"), TEN) == [(5, 5, "open")]
    assert placed(TEN, TEN.replace("4\n", "4\nx\n"), TEN.replace("4\n", "4\ny\n")) == [(5, 6, "conflict")]
    assert placed(TEN, TEN.replace("4\n", ""), "y\n" + TEN) == [(5, 6, "open")]
    assert placed(TEN, TEN.replace("4\n", ""), TEN.replace("4\n", "")) == [(4, 4, "there")]
    assert placed("x\n", "x\nx\n", "x\nx\n") == [(1, 2, "there")]
    assert placed("", "new\n", "") == [(0, 0, "open")]
    assert placed("", "new\n", "mine\n") == [(0, 1, "conflict")]


def test_a_last_line_without_an_end_is_a_line_of_its_own():
    assert taken("a\nb", "a\nb\nc", "a\nb") == ("a\nb\nc", 0)
    assert taken("a\nb\n", "a\nb", "x\na\nb\n") == ("x\na\nb", 0)


def test_names_outlive_edits_elsewhere_and_tell_equal_hunks_apart():
    twice = "same\n" * 3 + TEN + TEN + "same\n" * 3
    new = twice.replace("4\n", "four\n")
    first, second = hunks.items(change(twice, new))
    assert first.digest != second.digest
    (again,) = [one for one in hunks.items(change(twice, "top\n" + new)) if one.digest == second.digest]
    assert again.hunk.new_start == second.hunk.new_start + 1
    assert hunks.items(change(twice, new, "b.txt"))[0].digest != first.digest
    assert hunks.file_digest(change(twice, new)) != hunks.file_digest(change(twice, new + "x\n"))


def test_what_is_no_edited_text_is_one_thing():
    for one in (change(None, "a\n"), change("a\n", None), change("\0a", "\0b")):
        (item,) = hunks.items(one)
        assert item.hunk is None
        assert hunks.find([one], "a.txt", item.digest, as_file=True) == item
    assert hunks.file_digest(change("\0a", "\0b")) != hunks.file_digest(change("\0a", "\0c"))
    assert hunks.find([], "a.txt", "d", as_file=False) is None


def test_a_text_is_brought_into_the_form_of_git_only_where_that_is_certain():
    assert hunks.plain(b"a\r\nb\r\n", b"a\nb\n") == (b"a\nb\n", hunks.Form(crlf=True, unmarked=False))
    assert hunks.plain(b"a\r\nb\n", b"a\nb\n")[0] == b"a\r\nb\n"
    assert hunks.plain(b"a\r\n", b"b\r\n")[0] == b"a\r\n"
    bare, form = hunks.plain(b"a\r\n", hunks.BOM + b"a\n")
    assert bare == hunks.BOM + b"a\n"
    assert form.restored(bare) == b"a\r\n"
    assert form.words(hunks.Edit(0, 1, (hunks.BOM + b"x\n",))) == b"x\r\n"
    assert form.words(hunks.Edit(1, 1, (b"x\n",))) == b"x\r\n"


LINES = st.lists(st.sampled_from(["a\n", "b\n", "c\n", "}\n", "\n"]), max_size=14).map("".join)
EDITS = st.tuples(LINES, LINES, LINES).filter(lambda texts: texts[0] != texts[1])


@hypothesis.given(EDITS)
def test_taking_every_hunk_into_the_base_makes_the_new_side_and_taking_one_back_undoes_it(texts):
    old, new, _ = texts
    assert taken(old, new, old) == (new, 0)
    text = new.encode()
    # From the last to the first, as each keeps the lines before it where they are.
    for hunk in reversed(change(old, new).hunks):
        text = hunks.reverted(hunk, old.encode(), text)
    assert text == old.encode()


@hypothesis.given(EDITS)
def test_what_has_all_of_it_is_left_as_it_is(texts):
    old, new, _ = texts
    assert taken(old, new, new) == (new, 0)


@hypothesis.given(EDITS)
def test_no_line_that_only_the_person_has_is_lost(texts):
    old, new, theirs = texts
    marked = "".join(f"{line[:-1]} mine {number}\n" for number, line in enumerate(theirs.splitlines(keepends=True)))
    mixed = old + marked
    text, _ = taken(old, new, mixed)
    assert [line for line in text.splitlines() if " mine " in line] == marked.splitlines()


def test_a_page_says_what_stands_on_each_line():
    new = TEN.replace("0\n", "zero\n").replace("9\n", "@@ nine\n")
    one, two = change(TEN, new), change(None, "x\n", "b.txt")
    page = change_page.page([one, two])
    assert page.text == diff.unified([one, two])
    lines = page.text.split("\n")
    starts = [(lines[section.line][:4], section.item.hunk is None) for section in page.sections]
    assert starts == [("diff", True), ("@@ -", False), ("@@ -", False), ("diff", True)]
    for number, line in enumerate(lines[:-1]):
        (section,) = page.at(number, number)
        assert section.item.change == (two if number >= page.sections[3].line else one), line
    assert page.at(0, 999) == page.sections
    item = page.sections[2].item
    assert page.find(item.path, item.digest) == page.sections[2]
    assert page.find("a.txt", "other") is None
    assert change_page.page([]) == change_page.Page("", ())
