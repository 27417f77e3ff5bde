"""Changes as values: what a change is called, where its hunks are, how a patch of it reads."""

import difflib
import os
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentos_lsp.domain import diff

FILE, PROGRAM, LINK, SUBMODULE = 0o100644, 0o100755, 0o120000, 0o160000


def side(text: str | bytes | None, mode: int = FILE) -> diff.Side:
    return diff.Side(mode, text.encode() if isinstance(text, str) else text)


def one(old: diff.Side | None, new: diff.Side | None, path: str = "f") -> diff.FileChange:
    (change,) = diff.compare([(path, old, new)])
    return change


def patch(old: str, new: str) -> str:
    return diff.unified(diff.compare([("f", side(old), side(new))]))


def lines(*numbers: int) -> str:
    return "".join(f"{number}\n" for number in numbers)


def applied(old: bytes, hunks: tuple[diff.Hunk, ...]) -> bytes:
    """Carries out hunks the way a reader would: by their lines and numbers alone."""
    source = old.decode("utf-8", "surrogateescape").split("\n")
    source = [line + "\n" for line in source[:-1]] + ([source[-1]] if source[-1] else [])
    result: list[str] = []
    at = 0
    for hunk in hunks:
        result += source[at : hunk.old_start]
        at = hunk.old_start
        assert len(result) == hunk.new_start
        assert sum(line.kind != "+" for line in hunk.lines) == hunk.old_lines
        assert sum(line.kind != "-" for line in hunk.lines) == hunk.new_lines
        for line in hunk.lines:
            text = line.text + ("\n" if line.newline else "")
            if line.kind != "+":
                assert source[at] == text
                at += 1
            if line.kind != "-":
                result.append(text)
    return "".join(result + source[at:]).encode("utf-8", "surrogateescape")


def test_a_changed_line_is_a_hunk_with_three_lines_around_it():
    assert one(side(lines(*range(9))), side(lines(0, 1, 2, 3, 40, 5, 6, 7, 8))) == diff.FileChange(
        "f",
        "modified",
        FILE,
        FILE,
        additions=1,
        deletions=1,
        hunks=(
            diff.Hunk(
                1,
                7,
                1,
                7,
                "",
                (
                    diff.Line(" ", "1"),
                    diff.Line(" ", "2"),
                    diff.Line(" ", "3"),
                    diff.Line("-", "4"),
                    diff.Line("+", "40"),
                    diff.Line(" ", "5"),
                    diff.Line(" ", "6"),
                    diff.Line(" ", "7"),
                ),
            ),
        ),
    )


def test_changes_far_apart_are_two_hunks_and_near_ones_are_one():
    old = list(range(30))
    far = one(side(lines(*old)), side(lines(-1, *old[1:20], -2, *old[21:])))
    near = one(side(lines(*old)), side(lines(-1, *old[1:7], -2, *old[8:])))
    assert [(hunk.old_start, hunk.old_lines) for hunk in far.hunks] == [(0, 4), (17, 7)]
    assert [(hunk.old_start, hunk.old_lines) for hunk in near.hunks] == [(0, 11)]


def test_a_hunk_is_headed_by_the_definition_it_is_in():
    old = "def f():\n" + "".join(f"    {number}\n" for number in range(10))
    change = one(side(old), side(old.replace("    8\n", "    80\n")))
    assert [hunk.heading for hunk in change.hunks] == ["def f():"]


@pytest.mark.parametrize(
    ("old", "new", "status"),
    [
        (None, side("x"), "added"),
        (side("x"), None, "deleted"),
        (side("x"), side("y"), "modified"),
        (side("x"), side("x", PROGRAM), "mode"),
        (side("x"), side("y", PROGRAM), "modified"),
        (side("x"), side("x", LINK), "type"),
        (None, side(b"", SUBMODULE), "added"),
    ],
)
def test_each_change_has_its_name(old, new, status):
    assert one(old, new).status == status


def test_what_is_equal_is_left_out():
    assert diff.compare([("f", side("x"), side("x")), ("g", None, None)]) == ()


def test_a_binary_file_has_no_hunks():
    change = one(side(b"a\0b"), side("text"))
    assert change == diff.FileChange("f", "modified", FILE, FILE, binary=True, content=change.content)
    assert change.content == one(side(b"c\0d"), side("text")).content != one(side("text"), side(b"a\0b")).content


def test_a_file_that_is_too_large_on_either_side_or_both_has_no_hunks():
    large = diff.FileChange("f", "modified", FILE, FILE, too_large=True)
    assert [one(side(None), side("x")), one(side("x"), side(None)), one(side(None), side(None))] == [large] * 3


def test_a_file_that_moved_unchanged_is_renamed():
    assert diff.compare([("new", None, side("x\n")), ("old", side("x\n"), None)]) == (
        diff.FileChange("new", "renamed", FILE, FILE, old_path="old"),
    )


def test_a_file_that_moved_and_changed_a_little_is_renamed():
    old = lines(*range(100))
    changes = diff.compare([("b", None, side(old + "more\n")), ("a", side(old), None), ("c", side("other\n"), None)])
    assert [(change.path, change.status, change.old_path, change.additions) for change in changes] == [
        ("b", "renamed", "a", 1),
        ("c", "deleted", None, 0),
    ]


def test_the_most_similar_file_is_the_origin():
    old = lines(*range(100))
    changes = diff.compare(
        [
            ("a", side(lines(*range(60))), None),
            ("b", side(old), None),
            ("new", None, side(old + "more\n")),
            ("other", None, side(lines(*range(65)))),
        ]
    )
    assert [(change.path, change.old_path) for change in changes] == [("new", "b"), ("other", "a")]


def test_files_with_little_in_common_are_not_renamed():
    changes = diff.compare([("a", side(lines(*range(10))), None), ("b", None, side(lines(*range(8, 18))))])
    assert [(change.path, change.status) for change in changes] == [("a", "deleted"), ("b", "added")]


def test_empty_files_are_never_renames():
    changes = diff.compare([("a", side(""), None), ("b", None, side(""))])
    assert [change.status for change in changes] == ["deleted", "added"]


def test_among_many_files_only_exact_moves_are_found(monkeypatch):
    monkeypatch.setattr(diff, "PAIRS", 0)
    old = lines(*range(100))
    changes = diff.compare(
        [
            ("a", side(old), None),
            ("b", None, side(old + "more\n")),
            ("c", side("same\n"), None),
            ("d", None, side("same\n")),
        ]
    )
    assert [(change.path, change.status) for change in changes] == [
        ("a", "deleted"),
        ("b", "added"),
        ("d", "renamed"),
    ]


def test_a_patch_reads_as_git_writes_it():
    old = lines(*range(9))
    assert patch(old, old.replace("4", "40")) == (
        "diff --git a/f b/f\n--- a/f\n+++ b/f\n@@ -2,7 +2,7 @@\n 1\n 2\n 3\n-4\n+40\n 5\n 6\n 7\n"
    )


def test_a_missing_last_newline_is_said():
    assert patch("a", "b\n") == (
        "diff --git a/f b/f\n--- a/f\n+++ b/f\n@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+b\n"
    )


def test_a_file_that_became_a_link_is_removed_and_added():
    assert diff.unified([one(side("x\n"), side("to", LINK))]) == (
        "diff --git a/f b/f\ndeleted file mode 100644\n--- a/f\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n"
        "diff --git a/f b/f\nnew file mode 120000\n--- /dev/null\n+++ b/f\n@@ -0,0 +1 @@\n+to\n"
        "\\ No newline at end of file\n"
    )


def test_an_empty_file_that_became_an_empty_link_target_has_no_lines():
    assert one(side(""), side("", LINK)).hunks == ()


def test_what_has_no_lines_is_only_named():
    changes = [one(side(b"\0"), side(b"\0\1")), one(None, side(None)), one(side(b"\0"), side(b"\0", LINK))]
    assert diff.unified(changes) == (
        "diff --git a/f b/f\nBinary files a/f and b/f differ\n"
        "diff --git a/f b/f\nnew file mode 100644\nBinary files /dev/null and b/f differ\n"
        "diff --git a/f b/f\ndeleted file mode 100644\nBinary files a/f and /dev/null differ\n"
        "diff --git a/f b/f\nnew file mode 120000\nBinary files /dev/null and b/f differ\n"
    )


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("plain/päth", "plain/päth"),
        ("with space", "with space"),
        ('quo"te', '"quo\\"te"'),
        ("tab\tnew\nline", '"tab\\tnew\\nline"'),
        ("bell\x01\x7f", '"bell\\001\\177"'),
        ("raw\udcff", '"raw\\377"'),
    ],
)
def test_paths_are_quoted_as_git_does(path, shown):
    assert diff.quoted(path) == shown


ALPHABET = st.sampled_from(["a\n", "b\n", "c\n", "{\n", "}\n", "\r\n", "x", "\udcff\n"])
TEXT = st.lists(ALPHABET, max_size=30).map(lambda parts: "".join(parts).encode("utf-8", "surrogateescape"))


@settings(max_examples=300)
@given(TEXT, TEXT)
def test_hunks_turn_the_old_text_into_the_new(old, new):
    assert applied(old, diff.hunks_between(old, new)) == new


def test_a_small_edit_in_a_large_file_is_as_short_as_it_can_be():
    old = ["}" if number % 3 == 0 else f"line {number}" for number in range(20_000)]
    new = [*old[:5000], "inserted", *old[5000:15_000], *old[15_003:]]
    change = one(side("\n".join(old)), side("\n".join(new)))
    assert (change.additions, change.deletions) == (1, 3)


def test_texts_that_share_only_common_lines_are_shown_as_replaced():
    old, new = "{\n" * 900 + "}\n" * 900, "x\n" + "}\n" * 900 + "{\n" * 900 + "y\n"
    change = one(side(old), side(new))
    assert (change.additions, change.deletions) == (1802, 1800)
    assert applied(old.encode(), change.hunks) == new.encode()


def test_edits_are_about_as_short_as_those_of_difflib():
    old = [f"    value_{number} = {number % 9}\n" for number in range(300)]
    new = [line for number, line in enumerate(old) if number % 37] + ["tail\n"]
    change = one(side("".join(old)), side("".join(new)))
    theirs = [line for line in difflib.ndiff(old, new) if line[0] in "+-"]
    assert change.additions + change.deletions == len(theirs)


def check_applies(tmp_path, changes, before, after):
    """Applies a patch with the git program and compares every file."""
    for path, (text, mode) in before.items():
        place = tmp_path / path
        place.parent.mkdir(parents=True, exist_ok=True)
        if mode == LINK:
            place.symlink_to(text.decode())
        else:
            place.write_bytes(text)
            place.chmod(mode & 0o777)
    text = diff.unified(changes).encode("utf-8", "surrogateescape")
    done = subprocess.run(["git", "apply", "-"], cwd=tmp_path, input=text, capture_output=True, check=False)
    assert done.stderr.decode() == ""
    found = {}
    for place in tmp_path.rglob("*"):
        if place.is_symlink():
            found[str(place.relative_to(tmp_path))] = (os.fsencode(place.readlink()), LINK)
        elif place.is_file():
            mode = PROGRAM if os.access(place, os.X_OK) else FILE
            found[str(place.relative_to(tmp_path))] = (place.read_bytes(), mode)
    assert found == after


def test_git_applies_a_patch_of_every_kind(tmp_path):
    long = "".join(f"{number}\n" for number in range(50)).encode()
    before = {
        "edited.txt": (long, FILE),
        "a b/spaced.txt": (b"one\r\ntwo\r\n", FILE),
        "mode.sh": (b"#!\n", FILE),
        "gone.txt": (b"bye", FILE),
        "empty-gone.txt": (b"", FILE),
        "moved.txt": (long + b"x\n", FILE),
        "type.txt": (b"was a file\n", FILE),
        'quo"te\t.txt': (b"q\n", FILE),
        "raw\udcff.txt": (b"\xff\n", FILE),
        "retarget": (b"a", LINK),
    }
    after = {
        "edited.txt": (b"first\n" + long.replace(b"\n25\n", b"\ntwenty-five\n") + b"no newline", FILE),
        "a b/spaced.txt": (b"one\r\n2\r\n", FILE),
        "mode.sh": (b"#!\n", PROGRAM),
        "b c/moved.txt": (long + b"y\n", FILE),
        "type.txt": (b"edited.txt", LINK),
        'quo"te\t.txt': (b"Q\n", FILE),
        "raw\udcff.txt": (b"\xfe\n", FILE),
        "retarget": (b"b", LINK),
        "new/empty.txt": (b"", FILE),
        "new/program": (b"#!/bin/sh\n", PROGRAM),
    }
    sides = [
        (
            path,
            diff.Side(before[path][1], before[path][0]) if path in before else None,
            diff.Side(after[path][1], after[path][0]) if path in after else None,
        )
        for path in sorted(before.keys() | after.keys())
    ]
    check_applies(tmp_path, diff.compare(sides), before, after)
