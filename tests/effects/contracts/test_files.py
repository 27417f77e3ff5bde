"""What every door to a worktree's files holds, on the disk and in memory."""

import pytest

from agentos_lsp.domain.errors import EffectError
from agentos_lsp.effects.files import outcomes


def names(found):
    return [(entry.name, entry.kind) for entry in found.entries if entry.name != ".git"]


def text(folder, path):
    return folder.read(path, limit_bytes=1000).data


def test_a_new_file_is_written_with_its_folders_and_read_again(folder):
    assert folder.write("new/deep/file.py", b"x = 1\n") == outcomes.Written("new/deep/file.py", True, None, 6)
    assert folder.read("new/deep/file.py", limit_bytes=100) == outcomes.FileContent(b"x = 1\n", False, 6, 0o644)
    assert folder.read(f"{folder_root(folder)}/new/deep/file.py", limit_bytes=3).data == b"x ="
    assert names(folder.list("new")) == [("deep", "directory")]


def folder_root(folder):
    return getattr(folder, "root", None) or folder._root


def test_a_file_is_replaced_and_what_it_held_is_told(folder):
    assert folder.write("a.txt", b"2\n") == outcomes.Written("a.txt", False, b"one\ntwo\nthree\n", 2)
    assert text(folder, "a.txt") == b"2\n"


def test_text_that_stands_once_is_replaced(folder):
    assert folder.edit("a.txt", "two", "2") == outcomes.Edited("a.txt", b"one\ntwo\nthree\n", 12)
    assert text(folder, "a.txt") == b"one\n2\nthree\n"


def test_a_file_whose_content_is_known_is_exchanged_and_no_other(folder):
    assert folder.exchange("a.txt", b"one\ntwo\nthree\n", b"1\n") == outcomes.Exchanged("a.txt", 2)
    assert folder.exchange("a.txt", b"something else\n", b"2\n").reason == "changed"
    assert folder.exchange("a.txt", None, b"2\n").reason == "exists"
    assert folder.exchange("gone.txt", b"1\n", b"2\n").reason == "changed"
    assert folder.exchange("fresh.txt", None, b"new\n", program=True) == outcomes.Exchanged("fresh.txt", 4)
    assert folder.stat("fresh.txt") == outcomes.Entry("fresh.txt", "file", 4, 0o755)
    assert folder.exchange("src/deep/c.py", b"c = 1\n", None) == outcomes.Exchanged("src/deep/c.py", None)
    assert folder.stat("src/deep").reason == "missing"
    assert text(folder, "a.txt") == b"1\n"


def test_files_and_folders_are_deleted(folder):
    assert folder.delete("src/deep").reason == "directory"
    assert folder.delete("src/deep/c.py") == outcomes.Deleted("src/deep/c.py", 1, b"c = 1\n")
    assert folder.stat("src/deep").kind == "directory"
    assert folder.delete("src/deep") == outcomes.Deleted("src/deep", 1, None)
    assert folder.delete("src", recursive=True) == outcomes.Deleted("src", 2, None)
    assert names(folder.list(".")) == [(".gitignore", "file"), ("a.txt", "file")]


def test_files_and_folders_are_moved_to_free_names(folder):
    assert folder.move("src", "lib/python") == outcomes.Moved("src", "lib/python")
    assert text(folder, "lib/python/deep/c.py") == b"c = 1\n"
    assert folder.stat("src").reason == "missing"
    assert folder.move("a.txt", "lib/python/b.py").reason == "exists"
    assert folder.move("lib", "lib/python/again").reason == "exists"
    assert folder.move("gone", "here").reason == "missing"
    assert text(folder, "a.txt") == b"one\ntwo\nthree\n"


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("", "name"),
        (".", "directory"),
        ("../out", "outside"),
        ("/etc/hostname", "outside"),
        (".git", "git"),
        ("src/.GIT/config", "git"),
        ("src", "directory"),
        ("a.txt/inside", "missing"),
        ("a\x00b", "name"),
        ("b\\c", "name"),
        ("x" * 300, "name"),
    ],
)
def test_what_cannot_be_written_is_refused_for_the_same_reason(folder, path, reason):
    assert folder.write(path, b"x").reason == reason


@pytest.mark.parametrize(
    ("path", "reason"),
    [("gone.txt", "missing"), ("src", "directory"), ("a.txt/inside", "missing"), ("../out", "outside"), ("", "name")],
)
def test_what_cannot_be_read_is_refused_for_the_same_reason(folder, path, reason):
    assert folder.read(path, limit_bytes=10).reason == reason


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [("four", "4", "occurrences"), ("o", "0", "occurrences"), ("two", "two", "occurrences"), ("", "x", "occurrences")],
)
def test_an_edit_that_fits_nowhere_or_twice_changes_nothing(folder, old, new, reason):
    assert folder.edit("a.txt", old, new).reason == reason
    assert text(folder, "a.txt") == b"one\ntwo\nthree\n"


def test_an_edit_of_what_is_no_text_or_not_there_is_refused(folder):
    folder.write("binary", b"a\0b")
    assert folder.edit("binary", "a", "b").reason == "binary"
    assert folder.edit("gone", "a", "b").reason == "missing"
    assert folder.list("a.txt").reason == "missing"
    assert folder.list("gone").reason == "missing"


def test_a_folder_that_is_closed_or_gone_is_an_error(place):
    worktree = place.session()
    held = place.disk.files(worktree.folder)
    place.git.remove_worktree(worktree, delete_branch=True)
    with pytest.raises(EffectError):
        held.read("a.txt", limit_bytes=10)
    held.close()
    with pytest.raises(EffectError):
        held.read("a.txt", limit_bytes=10)
    with pytest.raises(EffectError):
        place.disk.files(worktree.folder)
