"""Where two changes would conflict, by text: the same rules as a three-way merge, which git is asked about."""

import random
import subprocess

import pytest

from agentos_lsp.domain import diff, forecast

BASE = "".join(f"line {number}\n" for number in range(10))


def change(old, new, path="f", mode=0o100644):
    sides = [(path, *(None if text is None else diff.Side(mode, text.encode()) for text in (old, new)))]
    return diff.compare(sides)


def with_lines(**lines):
    rows = BASE.splitlines(keepends=True)
    for name, text in lines.items():
        rows[int(name[1:])] = text
    return "".join(rows)


def clashes(mine, theirs, base=BASE):
    return forecast.clashes(change(base, mine), change(base, theirs))


def test_edits_of_the_same_line_clash_on_both_sides():
    mine = with_lines(_0="new\nnew\n", _4="mine\n")
    theirs = with_lines(_4="theirs\nmore\n")
    assert clashes(mine, theirs) == ((forecast.Place("f", 5, 1),), (forecast.Place("f", 4, 2),))


def test_edits_that_are_apart_or_the_same_do_not_clash():
    assert clashes(with_lines(_1="mine\n"), with_lines(_5="theirs\n")) == ((), ())
    assert clashes(with_lines(_4="same\n"), with_lines(_4="same\n")) == ((), ())


def test_edits_that_touch_clash_as_in_git():
    assert clashes(with_lines(_4="mine\n"), with_lines(_5="theirs\n"))[0] == (forecast.Place("f", 4, 1),)


@pytest.mark.parametrize(
    ("mine", "theirs", "clash"),
    [(None, "changed\n", True), (None, None, False), ("changed\n", None, True)],
)
def test_a_deletion_clashes_with_any_other_change(mine, theirs, clash):
    whole = (forecast.Place("f", None, 0),) if clash else ()
    assert clashes(mine, theirs) == (whole, whole)


def test_two_new_files_of_one_name_clash_unless_they_are_equal():
    assert clashes("a\n", "a\n", None) == ((), ())
    assert clashes("a\nb\n", "c\n", None) == ((forecast.Place("f", 0, 2),), (forecast.Place("f", 0, 1),))


def test_two_binaries_clash_as_a_whole():
    mine, theirs = change("a\0", "b\0"), change("a\0", "c\0")
    assert forecast.clashes(mine, theirs) == ((forecast.Place("f", None, 0),), (forecast.Place("f", None, 0),))


def test_a_renamed_file_is_compared_by_its_old_lines():
    moved = with_lines(_4="mine\n").encode()
    mine = diff.compare([("f", diff.Side(0o100644, BASE.encode()), None), ("g", None, diff.Side(0o100644, moved))])
    assert forecast.clashes(mine, change(BASE, with_lines(_4="theirs\n"))) == (
        (forecast.Place("g", 4, 1),),
        (forecast.Place("f", 4, 1),),
    )
    assert forecast.clashes(mine, change(BASE, with_lines(_9="theirs\n"))) == ((), ())


def test_other_files_never_clash():
    assert forecast.clashes(change("a\n", "b\n", "x"), change("a\n", "c\n", "y")) == ((), ())


def test_a_clash_is_told_exactly_where_git_would_conflict(tmp_path):
    dice = random.Random(11)
    files = {name: tmp_path / name for name in ("base", "mine", "theirs")}

    def edited():
        rows = BASE.splitlines(keepends=True)
        for _ in range(dice.randint(1, 2)):
            at = dice.randrange(len(rows))
            match dice.randrange(3):
                case 0:
                    rows[at] = f"{dice.choice('abc')}\n"
                case 1:
                    del rows[at]
                case _:
                    rows.insert(at, f"{dice.choice('abc')}\n")
        return "".join(rows)

    seen = set()
    for _ in range(60):
        mine, theirs = edited(), edited()
        for name, text in zip(files, (BASE, mine, theirs), strict=True):
            files[name].write_text(text)
        command = ["git", "merge-file", "-p", "-q", str(files["mine"]), str(files["base"]), str(files["theirs"])]
        conflicts = subprocess.run(command, capture_output=True, check=False).returncode > 0
        told = clashes(mine, theirs) != ((), ())
        # What git merges must not be told without need; the reverse would hide a conflict.
        assert told == conflicts, (mine, theirs)
        seen.add(told)
    assert seen == {True, False}
