"""Patches as agents write them are read, placed on whole lines, or refused with words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentos_lsp.domain import patch

WHOLE = """\
diff --git a/a.py b/a.py
index 1..2 100644
--- a/a.py\t2026-01-01
+++ b/a.py
@@ -1,3 +1,3 @@ def f():
 one
-two
+2

--- /dev/null
+++ b/new.py
@@ -0,0 +1,2 @@
+x
+y
\\ No newline at end of file
--- a/old.py
+++ /dev/null
@@ -1 +0,0 @@
-gone
"""


def test_a_patch_of_three_files_is_read():
    assert patch.parse(WHOLE) == (
        patch.FilePatch("a.py", (patch.Hunk(("one", "two", ""), ("one", "2", ""), 1),)),
        patch.FilePatch("new.py", (patch.Hunk((), ("x", "y"), 0),), created=True),
        patch.FilePatch("old.py", (patch.Hunk(("gone",), (), 1),), deleted=True),
    )
    assert patch.created_text(patch.parse(WHOLE)[1]) == "x\ny\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no unified patch"),
        ("@@ -1 +1 @@\n-a\n+b\n", "before any file"),
        ("--- a/x\n+++ b/x\n", "has no hunk"),
        ("--- a/x\n+++ b/y\n@@ -1 +1 @@\n-a\n+b\n", "does not rename"),
        ("--- /dev/null\n+++ /dev/null\n@@ -1 +1 @@\n-a\n+b\n", "both sides"),
        ("--- a/x\n+++ b/x\n@@ -1 +1 @@\n a\n", "changes nothing"),
        ("--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\nwhat?\n", "begins with 'w'"),
    ],
)
def test_what_is_no_patch_is_refused_with_words(text, words):
    with pytest.raises(patch.BadPatchError, match=words):
        patch.parse(text)


def placed(text, hunk):
    old, new = patch.replacement(text, hunk)
    assert text.replace("\r\n", "\n").count(old) == 1
    return text.replace("\r\n", "\n").replace(old, new)


@pytest.mark.parametrize(
    ("text", "hunk", "after"),
    [
        ("a\nb\nc\n", patch.Hunk(("b",), ("x",), 2), "a\nx\nc\n"),
        ("b\na\nb\n", patch.Hunk(("b",), ("x",), 3), "b\na\nx\n"),
        ("x = 10\nx = 1\n", patch.Hunk(("x = 1",), ("x = 2",), 1), "x = 10\nx = 2\n"),
        ("a\r\nb\r\n", patch.Hunk(("b",), ("x",), 0), "a\nx\n"),
        ("a\nb", patch.Hunk(("b",), ("b", "c"), 2), "a\nb\nc"),
    ],
)
def test_a_hunk_is_placed_on_whole_lines_nearest_to_its_header(text, hunk, after):
    assert placed(text, hunk) == after


@pytest.mark.parametrize(
    ("text", "hunk", "words"),
    [
        ("a\n", patch.Hunk((), ("x",), 0), "lines of context"),
        ("b\nb\n", patch.Hunk(("b",), ("x",), 0), "stand 2 times"),
        ("    b\n", patch.Hunk(("b",), ("x",), 0), "mind the blanks"),
        ("a\n", patch.Hunk(("b",), ("x",), 0), "is not in the file"),
        ("a\nc\nb\n", patch.Hunk(("a", "b"), ("x",), 0), "not next to each other"),
    ],
)
def test_a_hunk_that_does_not_fit_is_refused_with_words(text, hunk, words):
    with pytest.raises(patch.BadPatchError, match=words):
        patch.replacement(text, hunk)


line = st.text("ab =", max_size=3)


@given(st.lists(line, min_size=1, max_size=8), st.data())
def test_any_change_of_lines_is_placed_where_it_was_made(lines, data):
    start = data.draw(st.integers(0, len(lines) - 1))
    stop = data.draw(st.integers(start + 1, len(lines)))
    new = data.draw(st.lists(line, max_size=3))
    if new == lines[start:stop]:
        return
    text = "\n".join(lines)
    old, replaced = patch.replacement(text, patch.Hunk(tuple(lines[start:stop]), tuple(new), start + 1))
    assert text.find(old) == text.rfind(old)
    after = [*lines[:start], *new, *lines[stop:]]
    assert text.replace(old, replaced, 1) == "\n".join(after)


@given(st.text("-+@ ab/\n\\", max_size=80))
def test_any_text_is_a_patch_or_refused(text):
    try:
        files = patch.parse(text)
    except patch.BadPatchError:
        return
    assert all(file.hunks for file in files)
