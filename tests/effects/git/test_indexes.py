"""Index files as git writes them, in each version, read as a mapping; git itself is the judge."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from agentos_lsp.effects.git import indexes, trees

if TYPE_CHECKING:
    from tests.effects.git.conftest import Place


def staged(place: Place) -> dict[bytes, trees.Entry]:
    """What git says is staged and in no conflict."""
    rows = (row.partition("\t") for row in place.git("ls-files", "-sz").split("\0") if row)
    found = {path.encode("utf-8", "surrogateescape"): fixed.split(" ") for fixed, _, path in rows}
    return {
        path: trees.Entry(int(mode, 8), bytes.fromhex(oid)) for path, (mode, oid, side) in found.items() if side == "0"
    }


@pytest.mark.parametrize("version", [2, 3, 4])
def test_an_index_holds_what_git_says_of_it(place: Place, version: int) -> None:
    place.write("long/" + "x" * 200 + "/" + "y" * 200, "x\n")
    place.write("bad\udcff name\n.txt", "x\n")
    place.commit(**{f"many/{number}": "x\n" for number in range(20)})
    if version == 3:
        place.git("update-index", "--skip-worktree", "many/7")
    else:
        place.git("update-index", "--index-version", str(version))
    assert (place.root / ".git/index").read_bytes()[7] == version
    index = indexes.read(str(place.root / ".git/index"))
    wanted = staged(place)
    assert {path: row.entry for path, row in index.items()} == wanted
    assert dict(index.rows()) == dict(index.items())
    assert len(index) == len(wanted)
    assert [path for path, row in index.rows() if row.absent] == ([b"many/7"] if version == 3 else [])
    assert all(row.describes(Path(place.root, "a.txt").stat()) == (path == b"a.txt") for path, row in index.rows())
    assert index.get(b"many") is None
    assert index.get(b"\xff") is None
    assert index.get(b"") is None


def test_what_is_in_conflict_is_not_merged(place: Place) -> None:
    place.git("checkout", "-qb", "other")
    place.commit(**{"src/b.py": "theirs\n"})
    place.git("checkout", "-q", "-")
    place.commit(**{"src/b.py": "mine\n"})
    subprocess.run(["git", "merge", "-q", "other"], cwd=place.root, check=False, capture_output=True)
    index = indexes.read(str(place.root / ".git/index"))
    assert b"src/b.py" not in index
    assert {path: row.entry for path, row in index.items()} == staged(place)
    assert len(index) == len(staged(place)) == 6


@pytest.mark.parametrize(
    "data", [b"", b"DIRC", b"DIRC\0\0\0\5\0\0\0\0", b"DIRC\0\0\0\2\xff\xff\xff\xff", b"nonsense" * 9]
)
def test_an_index_that_cannot_be_read_holds_nothing(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "index"
    assert dict(indexes.read(str(path))) == {}
    path.write_bytes(data)
    assert dict(indexes.read(str(path))) == {}


@pytest.mark.parametrize("version", [2, 4])
def test_an_index_that_was_cut_anywhere_holds_nothing_or_less(place: Place, version: int) -> None:
    place.git("update-index", "--index-version", str(version))
    index = place.root / ".git/index"
    whole = index.read_bytes()
    for end in range(0, len(whole), 7):
        index.write_bytes(whole[:end])
        read = indexes.read(str(index))
        assert {row.entry for row in read.values()} <= set(staged_of(whole, index))
        assert isinstance(read.noted(), dict)


def staged_of(whole: bytes, index: Path) -> list[trees.Entry]:
    index.write_bytes(whole)
    return [row.entry for _, row in indexes.read(str(index)).rows()]
