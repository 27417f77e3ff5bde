"""Drafts of a new worktree's index: from what git has noted in the checkout's index, or from the trees themselves."""

from __future__ import annotations

import dataclasses
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from agentos_lsp.effects.git import drafts, filling, indexes, opening, trees
from agentos_lsp.effects.process import helpers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.effects.git.conftest import Place


def tree_of(place: Place, revision: str = "HEAD") -> bytes:
    return bytes.fromhex(place.git("rev-parse", f"{revision}^{{tree}}"))


def draft_of(place: Place, revision: str = "HEAD") -> drafts.Draft:
    main = opening.repository(str(place.root / ".git"))
    return drafts.of_tree(main, tree_of(place, revision), str(place.root), str(place.root / ".git/index"))


def check(place: Place, revision: str = "HEAD", clean: set[bytes] | None = None) -> None:
    """The draft has the files of the tree, and knows those that the index has as they are in the tree."""
    draft, tree = draft_of(place, revision), tree_of(place, revision)
    wanted = list(trees.walk(opening.repository(str(place.root / ".git")), tree))
    assert [(path, entry) for _, path, entry in draft.rows()] == wanted
    index = indexes.read(str(place.root / ".git/index"))
    same = {path for path, entry in wanted if path in index and index[path].entry == entry}
    known = {path: found for at, path, _ in draft.rows() if (found := draft.known(at)) is not None}
    assert {path for path in same if index[path].inode and index[path].entry.mode in trees.REGULAR} <= known.keys()
    assert {path: dataclasses.replace(index[path], absent=False) for path in known} == known
    assert clean is None or known.keys() == clean


def read_trees(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Notes which trees are read."""
    read: list[bytes] = []
    entries = trees.entries

    def noting(repository: opening.Repository, tree: bytes) -> Mapping[bytes, trees.Entry]:
        read.append(tree)
        return entries(repository, tree)

    monkeypatch.setattr(trees, "entries", noting)
    return read


def test_for_a_clean_checkout_no_tree_is_read(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    check(place)
    read = read_trees(monkeypatch)
    assert len(draft_of(place).starts) == 7
    assert read == []


def test_where_something_is_staged_only_the_folders_on_its_way_are_read(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.write("src/b.py", "staged\n")
    place.write("src/new.py", "staged\n")
    place.git("add", "src/b.py", "src/new.py")
    check(place, clean={b"a.txt", b"tool.sh", b".gitignore", "dir ü/naïve.txt".encode(), b"src/deep/c.py"})
    read = read_trees(monkeypatch)
    draft_of(place)
    assert read == [tree_of(place), bytes.fromhex(place.git("rev-parse", "HEAD:src"))]


def _removed(place: Place) -> None:
    place.git("rm", "-q", "--cached", "src/deep/c.py")


def _conflict(place: Place) -> None:
    place.git("checkout", "-qb", "other")
    place.commit(**{"src/b.py": "theirs\n", "a.txt": "theirs\n"})
    place.git("checkout", "-q", "-")
    place.commit(**{"src/b.py": "mine\n"})
    subprocess.run(["git", "merge", "-q", "other"], cwd=place.root, check=False, capture_output=True)
    assert place.git("ls-files", "-u") != ""


def _intended(place: Place) -> None:
    place.git("add", "--intent-to-add", str(place.write("src/later.py", "x\n")))


def _left_out(place: Place) -> None:
    place.git("update-index", "--skip-worktree", "src/deep/c.py")


def _fourth(place: Place) -> None:
    place.git("update-index", "--index-version", "4")


def _fourth_and_staged(place: Place) -> None:
    place.write("src/b.py", "staged\n")
    place.git("add", "src")
    _fourth(place)


def _nothing_noted(place: Place) -> None:
    index = place.root / ".git/index"
    index.write_bytes(index.read_bytes().replace(b"TREE", b"EERT"))


def _noted_wrongly(place: Place) -> None:
    index = place.root / ".git/index"
    index.write_bytes(
        index.read_bytes().replace(b"\x007 3\n", b"\x006 3\n").replace(b"deep\x001 0\n", b"deep\x009 0\n")
    )


def _noted_without_end(place: Place) -> None:
    index = place.root / ".git/index"
    index.write_bytes(index.read_bytes().replace(b"deep\x001 0\n", b"deep\x001 0 "))


def _no_index(place: Place) -> None:
    (place.root / ".git/index").unlink()


def _nonsense(place: Place) -> None:
    (place.root / ".git/index").write_bytes(b"DIRC\0\0\0\2\xff\xff\xff\xffnonsense")


@pytest.mark.parametrize(
    "how",
    [
        _removed,
        _conflict,
        _intended,
        _left_out,
        _fourth,
        _fourth_and_staged,
        _nothing_noted,
        _noted_wrongly,
        _noted_without_end,
        _no_index,
        _nonsense,
    ],
)
def test_a_draft_is_the_tree_whatever_the_index_holds(place: Place, how: Callable[[Place], None]) -> None:
    place.commit(**{"src/deep.py": "between\n", "src.txt": "before\n", "z/last": "z\n"})
    place.git("branch", "-q", "later")
    place.git("rm", "-qr", "src.txt", "z")
    place.git("commit", "-qm", "fewer")
    how(place)
    check(place)
    check(place, "later")
    check(place, "HEAD~1")


def test_what_a_person_told_git_of_their_own_files_does_not_count_elsewhere(place: Place) -> None:
    place.git("update-index", "--assume-unchanged", "a.txt", "src/b.py")
    place.git("update-index", "--skip-worktree", "src/deep/c.py")
    folder = Path(place.session().folder)
    assert {row[0] for row in place.git("ls-files", "-v", cwd=folder).splitlines()} == {"H"}
    (folder / "a.txt").write_text("edited\n")
    assert place.git("status", "--porcelain", cwd=folder) == "M a.txt".rjust(8)


@pytest.mark.parametrize("name", [b".git", b".GIT", b"Git~1", b".git. ", b"..", b".", b".g\xe2\x80\x8cit", b"ok.git"])
def test_a_note_is_not_believed_of_an_index_that_holds_a_dangerous_name(
    place: Place, monkeypatch: pytest.MonkeyPatch, name: bytes
) -> None:
    place.commit(**{f"{'x' * len(name)}/file": "x\n"})
    index = place.root / ".git/index"
    index.write_bytes(index.read_bytes().replace(b"x" * len(name) + b"/file\0", name + b"/file\0"))
    read = read_trees(monkeypatch)
    paths = [path for _, path, _ in draft_of(place).rows()]
    if name == b"ok.git":
        assert b"ok.git/file" in paths
        assert read == []
    else:
        assert b"x" * len(name) + b"/file" in paths
        assert name + b"/file" not in paths


def test_a_tree_out_of_order_makes_an_index_in_order(place: Place) -> None:
    blob = bytes.fromhex(place.git("hash-object", "-w", "a.txt"))
    rows = b"".join(b"100644 %s\0%s" % (name, blob) for name in (b"b", b"c", b"a"))
    place.git("reset", "-q", "--soft", place.git("commit-tree", "-m", "odd", place.odd_tree(rows)))
    folder = Path(place.session().folder)
    assert place.git("ls-files", cwd=folder).split() == ["a", "b", "c"]
    assert (folder / "c").read_text() == "one\ntwo\nthree\n"


def test_modes_of_old_histories_are_those_of_a_checkout(place: Place) -> None:
    blob = bytes.fromhex(place.git("hash-object", "-w", "a.txt"))
    rows = b"".join(b"%s %s\0%s" % (*row, blob) for row in ((b"100664", b"f"), (b"100775", b"p")))
    place.git("reset", "-q", "--soft", place.git("commit-tree", "-m", "old", place.odd_tree(rows)))
    folder = Path(place.session().folder)
    assert [bool((folder / name).stat().st_mode & 0o100) for name in ("f", "p")] == [False, True]
    assert place.git("status", "--porcelain", cwd=folder) == ""


@pytest.mark.parametrize("means", [filling.ALONE, filling.Means(helpers=helpers.run)], ids=["alone", "helped"])
def test_folders_of_any_depth_are_copied(place: Place, monkeypatch: pytest.MonkeyPatch, means: filling.Means) -> None:
    monkeypatch.setattr(filling, "HELPED_FROM", 1)
    deep = "/".join(["deep"] * 40)
    files = [f"{deep}/{'/'.join('x' * turn)}/file" for turn in range(1, 4)] + [f"{deep}/y/file", "deep/z/file"]
    place.commit(**dict.fromkeys(files, "x\n"))
    later = (place.root / ".git/index").stat().st_mtime_ns + 10**10
    os.utime(place.root / ".git/index", ns=(later, later))
    read: list[bytes] = []
    monkeypatch.setattr(filling.blobs, "read", lambda _repository, oid: read.append(oid) or b"a.txt")
    made = place.session(means=means)
    assert read == [bytes.fromhex(place.git("rev-parse", "HEAD:link"))]
    assert place.git("status", "--porcelain", cwd=Path(made.folder)) == ""
