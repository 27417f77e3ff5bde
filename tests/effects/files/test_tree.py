"""Files in a worktree are read, written, edited, deleted and moved as an agent expects."""

import errno
import os
import socket
import stat
from pathlib import Path

import pytest

from agentos_lsp.domain.errors import EffectError
from agentos_lsp.effects.files import outcomes, removal, tree


def test_a_new_file_is_written_with_its_folders_and_read_again(worktree, root):
    assert worktree.write("src/deep/new.py", b"x = 1\n") == outcomes.Written("src/deep/new.py", True, None, 6)
    assert worktree.read("src/deep/new.py", limit_bytes=100) == outcomes.FileContent(b"x = 1\n", False, 6, 0o644)
    assert sorted(str(path.relative_to(root)) for path in root.rglob("*")) == [
        ".git",
        "src",
        "src/deep",
        "src/deep/new.py",
    ]


def test_a_new_file_obeys_the_umask(worktree, root):
    before = os.umask(0o077)
    try:
        worktree.write("private", b"")
    finally:
        os.umask(before)
    assert stat.S_IMODE((root / "private").stat().st_mode) == 0o600


def test_folders_are_not_made_when_they_are_not_wanted(worktree, root):
    assert worktree.write("a/b", b"", create_parents=False) == outcomes.Refused(
        "missing", "'a/b' does not exist; list the folder to see what does."
    )
    assert not (root / "a").exists()


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o755, 0o700, 0o444])
def test_a_file_that_is_written_or_edited_keeps_its_mode(worktree, root, mode):
    (root / "run.sh").write_text("one")
    (root / "run.sh").chmod(mode)

    assert worktree.write("run.sh", b"two") == outcomes.Written("run.sh", False, b"one", 3)
    assert stat.S_IMODE((root / "run.sh").stat().st_mode) == mode
    assert worktree.edit("run.sh", "two", "three") == outcomes.Edited("run.sh", b"two", 5)
    assert stat.S_IMODE((root / "run.sh").stat().st_mode) == mode
    assert (root / "run.sh").read_text() == "three"


def test_a_set_user_bit_does_not_survive_a_write(worktree, root):
    (root / "tool").write_text("old")
    (root / "tool").chmod(0o4755)

    worktree.write("tool", b"new")

    assert stat.S_IMODE((root / "tool").stat().st_mode) == 0o755


def test_another_name_of_the_same_file_keeps_its_content(worktree, root, outside):
    (root / "link").hardlink_to(outside / "secret")

    assert worktree.write("link", b"changed") == outcomes.Written("link", False, b"secret", 7)

    assert ((outside / "secret").read_text(), (root / "link").read_text()) == ("secret", "changed")


def test_a_big_file_is_read_in_part(worktree, root):
    (root / "big").write_bytes(b"x" * 5000)

    assert worktree.read("big", limit_bytes=10) == outcomes.FileContent(b"x" * 10, True, 5000, 0o644)
    assert worktree.read("big", limit_bytes=5000) == outcomes.FileContent(b"x" * 5000, False, 5000, 0o644)
    assert worktree.read("big", limit_bytes=4999).truncated


def test_a_file_that_says_it_is_empty_is_read(worktree, root):
    """Files of the kernel have the size 0; whoever could put one here would see it read in part, never without end."""
    (root / "empty").touch()
    assert worktree.read("empty", limit_bytes=10) == outcomes.FileContent(b"", False, 0, 0o644)


def test_content_that_is_too_big_to_keep_is_not_kept(worktree, root, monkeypatch):
    monkeypatch.setattr(tree, "KEPT_LIMIT_BYTES", 3)
    (root / "small").write_bytes(b"123")
    (root / "big").write_bytes(b"1234")

    assert worktree.write("small", b"") == outcomes.Written("small", False, b"123", 0)
    assert worktree.write("big", b"") == outcomes.Written("big", False, None, 0)


def test_what_is_too_big_is_not_written_and_not_edited(worktree, root, monkeypatch):
    monkeypatch.setattr(tree, "WRITE_LIMIT_BYTES", 3)
    monkeypatch.setattr(tree, "EDIT_LIMIT_BYTES", 3)
    (root / "big").write_bytes(b"1234")

    assert worktree.write("big", b"5678").reason == "large"
    assert worktree.edit("big", "1", "2").reason == "large"
    assert (root / "big").read_bytes() == b"1234"


def test_an_absolute_name_inside_the_worktree_is_understood(worktree, root):
    assert worktree.write(f"{root}/a", b"1") == outcomes.Written("a", True, None, 1)
    assert worktree.read(f"{root}//./a", limit_bytes=9).data == b"1"


def test_a_worktree_behind_a_link_is_known_by_both_names(tmp_path, root, opener):
    (tmp_path / "alias").symlink_to(root)
    with tree.ConfinedTree(str(tmp_path / "alias"), opener) as worktree:
        worktree.write(f"{tmp_path}/alias/a", b"1")
        assert worktree.read(f"{root}/a", limit_bytes=9).data == b"1"


def test_names_with_spaces_and_other_scripts_are_names(worktree):
    for name in (
        "a b",
        "ü/ñ.txt",
        "日本語",
        "-rf",
        "*",
        "a\u200db",
        "~",
        "$HOME",
        "...",
        ".gitignore",
        ".github/x",
        "git",
    ):
        assert worktree.write(name, b"1") == outcomes.Written(name, True, None, 1)
        assert worktree.read(name, limit_bytes=9).data == b"1"


def test_links_that_stay_inside_are_read_through(worktree, root):
    (root / "real").mkdir()
    (root / "real" / "file").write_text("found")
    (root / "folder").symlink_to("real")
    (root / "real" / "up").symlink_to("../folder/file")
    (root / "here").symlink_to(".")
    (root / "chain").symlink_to("here/here/folder/up")

    for name in ("folder/file", "real/up", "chain", "here/real/file", "here/here/chain"):
        assert worktree.read(name, limit_bytes=9).data == b"found"
    assert [entry.name for entry in worktree.list("here/folder").entries] == ["file", "up"]
    assert [entry.name for entry in worktree.list("here").entries] == [".git", "chain", "folder", "here", "real"]
    assert worktree.list("here") == worktree.list(".")


def test_a_link_in_the_way_of_a_write_is_named(worktree, root):
    (root / "packages").mkdir()
    (root / "packages" / "file").write_text("old")
    (root / "src").symlink_to("packages")
    (root / "packages" / "alias").symlink_to("file")

    assert worktree.write("src/file", b"new") == outcomes.Refused(
        "symlink", "'src/file' is written through no link: 'src' points to 'packages'; name the file itself."
    )
    assert worktree.write("packages/alias", b"new") == outcomes.Refused(
        "symlink",
        "'packages/alias' is written through no link: 'packages/alias' points to 'file'; name the file itself.",
    )
    assert worktree.edit("packages/alias", "old", "new").reason == "symlink"
    assert worktree.delete("src/file").reason == "symlink"
    assert worktree.move("src/file", "other").reason == "symlink"
    assert (root / "packages" / "file").read_text() == "old"


def test_a_link_is_itself_deleted_and_moved(worktree, root, outside):
    (root / "out").symlink_to(outside)

    assert worktree.move("out", "other") == outcomes.Moved("out", "other")
    assert (root / "other").readlink() == outside
    assert worktree.delete("other", recursive=True) == outcomes.Deleted("other", 1, None)
    assert (outside / "secret").read_text() == "secret"


def test_a_file_is_deleted_and_what_it_held_is_told(worktree, root):
    (root / "file").write_text("content")

    assert worktree.delete("file") == outcomes.Deleted("file", 1, b"content")
    assert worktree.delete("file").reason == "missing"


def test_a_folder_is_deleted_whole_only_when_asked(worktree, root, outside):
    (root / "folder" / "sub").mkdir(parents=True)
    (root / "folder" / "sub" / "file").touch()
    (root / "folder" / "link").symlink_to(outside)
    (root / "empty").mkdir()
    os.mkfifo(root / "folder" / "pipe")

    assert worktree.delete("empty") == outcomes.Deleted("empty", 1, None)
    assert worktree.delete("folder").reason == "directory"
    assert worktree.delete("folder", recursive=True) == outcomes.Deleted("folder", 5, None)
    assert [path.name for path in root.iterdir()] == [".git"]
    assert (outside / "secret").exists()


def test_a_folder_nested_deeper_than_we_reach_is_an_error(worktree, root):
    here = os.open(root, os.O_RDONLY)
    for _ in range(300):
        os.mkdir("d", dir_fd=here)
        deeper = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = deeper
    os.close(here)

    with pytest.raises(EffectError, match="nested too deep"):
        worktree.delete("d", recursive=True)


def test_a_file_or_a_folder_is_moved_to_a_free_name(worktree, root):
    (root / "a").write_text("a")
    (root / "b").write_text("b")
    (root / "folder").mkdir()

    assert worktree.move("a", "new/place") == outcomes.Moved("a", "new/place")
    assert worktree.move("folder", "new/folder") == outcomes.Moved("folder", "new/folder")
    assert worktree.move("b", "new/place").reason == "exists"
    assert worktree.move("new", "new/folder/new").reason == "exists"
    assert worktree.move("b", "b").reason == "exists"
    assert worktree.move("gone", "x").reason == "missing"
    assert ((root / "new" / "place").read_text(), (root / "b").read_text()) == ("a", "b")


def test_a_move_does_not_replace_where_the_kernel_cannot_promise_it(worktree, root, monkeypatch):
    monkeypatch.setattr(removal.ctypes, "CDLL", lambda *_, **__: object())
    (root / "a").write_text("a")
    (root / "b").write_text("b")

    assert worktree.move("a", "b").reason == "exists"
    assert worktree.move("a", "c") == outcomes.Moved("a", "c")


def test_a_listing_tells_kinds_and_sizes(worktree, root, outside):
    (root / "file").write_text("1234")
    (root / "folder").mkdir()
    (root / "link").symlink_to(outside)
    os.mkfifo(root / "pipe")

    listing = worktree.list(".")

    assert [(entry.name, entry.kind) for entry in listing.entries] == [
        (".git", "file"),
        ("file", "file"),
        ("folder", "directory"),
        ("link", "symlink"),
        ("pipe", "special"),
    ]
    assert (listing.truncated, worktree.stat("file")) == (False, outcomes.Entry("file", "file", 4, 0o644))
    assert worktree.stat(".").kind == "directory"
    assert worktree.stat("link").kind == "symlink"
    assert worktree.list("file").reason == "missing"


def test_a_long_listing_is_cut(worktree, root, monkeypatch):
    monkeypatch.setattr(tree, "LISTING_LIMIT", 3)
    for number in range(5):
        (root / str(number)).touch()

    listing = worktree.list("")
    assert listing.reason == "name"
    listing = worktree.list("/".join([str(root)]))
    assert (len(listing.entries), listing.truncated) == (3, True)


@pytest.mark.parametrize("operation", ["read", "write", "edit"])
def test_a_folder_is_not_taken_for_a_file(worktree, root, operation):
    (root / "folder").mkdir()
    assert act(worktree, operation, "folder").reason == "directory"


@pytest.mark.parametrize("operation", ["read", "write", "edit"])
def test_a_pipe_or_socket_is_refused_and_nobody_waits_for_it(worktree, root, operation, monkeypatch):
    os.mkfifo(root / "pipe")
    monkeypatch.chdir(root)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
        assert act(worktree, operation, "pipe").reason == "special"
        assert act(worktree, operation, "socket").reason == "special"


def test_a_full_disk_loses_nothing(worktree, root, monkeypatch):
    (root / "file").write_text("old")
    real = os.write
    calls = []

    def full(descriptor, data):
        calls.append(descriptor)
        if len(calls) > 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(descriptor, bytes(data)[:1])

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(EffectError, match="No space left") as caught:
        worktree.write("file", b"new")
    monkeypatch.undo()

    assert caught.value.retry_may_help
    assert (root / "file").read_text() == "old"
    assert sorted(path.name for path in root.iterdir()) == [".git", "file"]


def test_a_real_full_disk_loses_nothing(worktree, root):
    """The size limit of a process stands for a full disk: the kernel itself cuts the write short."""
    resource = pytest.importorskip("resource")
    signal = pytest.importorskip("signal")
    (root / "file").write_text("old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(EffectError, match="too large"):
            worktree.write("file", b"x" * 10_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert (root / "file").read_text() == "old"
    assert sorted(path.name for path in root.iterdir()) == [".git", "file"]


def test_an_edit_that_raced_with_another_writer_is_refused(worktree, root, monkeypatch):
    (root / "file").write_text("old")
    real = tree.text.replace

    def meanwhile(*args, **options):
        (root / "file").write_text("written by somebody else")
        return real(*args, **options)

    monkeypatch.setattr(tree.text, "replace", meanwhile)

    assert worktree.edit("file", "old", "new").reason == "changed"
    assert (root / "file").read_text() == "written by somebody else"


def test_an_edit_that_does_not_apply_changes_nothing(worktree, root):
    (root / "file").write_text("one one")

    assert worktree.edit("file", "one", "two") == outcomes.Refused(
        "occurrences",
        "'file': The text to replace is in the file 2 times, not 1; give more of the lines around it.",
    )
    assert worktree.edit("file", "one", "two", expected=2) == outcomes.Edited("file", b"one one", 7)
    assert worktree.edit("gone", "one", "two").reason == "missing"


def test_leftovers_of_a_crash_are_removed_and_nothing_else(worktree, root, outside):
    (root / "sub").mkdir()
    (root / "sub" / removal.leftover_name(7)).touch()
    (root / ".agentos-1-2.partial").touch()
    (root / ".agentos-mine").touch()
    (outside / ".agentos-1-2.partial").touch()
    (root / "out").symlink_to(outside)

    assert sorted(worktree.remove_leftovers()) == [".agentos-1-2.partial", f"sub/{removal.leftover_name(7)}"]
    assert sorted(path.name for path in root.iterdir()) == [".agentos-mine", ".git", "out", "sub"]
    assert (outside / ".agentos-1-2.partial").exists()


def test_a_name_that_a_leftover_holds_is_not_overwritten(worktree, root):
    number = next(tree._counter) + 1
    (root / removal.leftover_name(number)).write_text("precious")

    worktree.write("file", b"new")

    assert (root / removal.leftover_name(number)).read_text() == "precious"
    assert (root / "file").read_text() == "new"


def test_a_worktree_that_was_replaced_is_not_used(worktree, root):
    root.rename(root.with_name("moved"))
    root.mkdir()

    with pytest.raises(EffectError, match="removed or replaced"):
        worktree.write("file", b"")
    assert list(root.iterdir()) == []


def test_a_worktree_that_was_closed_is_not_used(worktree):
    worktree.close()
    worktree.close()

    with pytest.raises(EffectError, match="closed"):
        worktree.read("file", limit_bytes=1)


def test_a_worktree_that_is_missing_or_a_file_is_an_error(tmp_path, opener):
    (tmp_path / "file").touch()
    for name in ("gone", "file"):
        with pytest.raises(EffectError, match="open the worktree"):
            tree.ConfinedTree(str(tmp_path / name), opener)


def test_no_descriptor_is_left_open(worktree, root, outside):
    (root / "out").symlink_to(outside)
    (root / "in").symlink_to(".")
    before = len(list(Path("/dev/fd").iterdir()))
    for name in ("a/b", "../x", "out/secret", "in/a/b", ".git", "a", "nothing/here", "in/in/nothing"):
        for operation in ("write", "read", "edit", "list", "stat", "move", "delete"):
            act(worktree, operation, name)
    assert len(list(Path("/dev/fd").iterdir())) == before


def act(worktree, operation, name):
    match operation:
        case "read":
            return worktree.read(name, limit_bytes=100)
        case "write":
            return worktree.write(name, b"hacked")
        case "edit":
            return worktree.edit(name, "a", "b")
        case "delete":
            return worktree.delete(name, recursive=True)
        case "move":
            return worktree.move(name, "moved-away")
        case "list":
            return worktree.list(name)
        case _:
            return worktree.stat(name)
