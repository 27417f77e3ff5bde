"""Heavy ignored folders are cloned: their own on each side, their links kept, and nothing that could be committed."""

from __future__ import annotations

import fcntl
import os
import shutil
import struct
from typing import TYPE_CHECKING

import pytest

from agentos_lsp.effects.git import cloning

if TYPE_CHECKING:
    from pathlib import Path

    from tests.effects.git.conftest import Place


@pytest.fixture
def heavy(place: Place) -> Place:
    place.commit(**{".gitignore": "node_modules/\n.venv/\nbuild/\n"})
    place.write("node_modules/left-pad/index.js", "module.exports = 1\n")
    place.write("node_modules/left-pad/cli.js", "#!/usr/bin/env node\n").chmod(0o755)
    (place.root / "node_modules/.bin").mkdir()
    (place.root / "node_modules/.bin/left-pad").symlink_to("../left-pad/cli.js")
    (place.root / "node_modules/empty").mkdir()
    return place


def clone(place: Place, *folders: str) -> tuple[cloning.Cloned, Path]:
    worktree = place.session()
    return cloning.clone(place.checkout(), worktree, folders), place.state / "fix-1"


def test_a_folder_is_cloned_with_modes_times_links_and_empty_folders(heavy: Place) -> None:
    done, folder = clone(heavy, "node_modules/")
    assert done == cloning.Cloned(("node_modules/",), ())
    for name in ("left-pad/index.js", "left-pad/cli.js"):
        mine, theirs = heavy.root / "node_modules" / name, folder / "node_modules" / name
        assert theirs.read_bytes() == mine.read_bytes()
        assert theirs.stat().st_mode == mine.stat().st_mode
        assert theirs.stat().st_mtime_ns == mine.stat().st_mtime_ns
        assert theirs.stat().st_ino != mine.stat().st_ino
    assert (folder / "node_modules/.bin/left-pad").readlink().as_posix() == "../left-pad/cli.js"
    assert (folder / "node_modules/empty").is_dir()
    assert heavy.git("status", "--porcelain", cwd=folder) == ""


def shares_its_blocks(path: Path) -> bool:
    """Asks the file system. Source: Linux fiemap.h: FS_IOC_FIEMAP, FIEMAP_FLAG_SYNC, FIEMAP_EXTENT_SHARED."""
    asked = bytearray(struct.pack("=QQLLLL", 0, 1 << 62, 1, 0, 1, 0) + bytes(56))
    with path.open("rb") as file:
        fcntl.ioctl(file, 0xC020660B, asked)
    return struct.unpack_from("=L", asked, 32 + 40)[0] & 0x2000 != 0


def test_where_the_disk_can_share_blocks_a_clone_takes_no_room_and_is_one_of_its_own(heavy: Place) -> None:
    big = heavy.write("node_modules/big.bin", b"x" * (1 << 20))
    try:
        with (heavy.root.parent / "probe").open("wb") as probe, big.open("rb") as source:
            fcntl.ioctl(probe, cloning._FICLONE, source.fileno())
    except OSError:
        pytest.skip("no file system that shares blocks here; pytest --basetemp on Btrfs or XFS tries it")
    _, folder = clone(heavy, "node_modules")
    made = folder / "node_modules/big.bin"
    assert shares_its_blocks(made)

    made.write_bytes(b"y")
    assert big.read_bytes() == b"x" * (1 << 20)


def test_what_is_written_on_one_side_does_not_show_on_the_other(heavy: Place) -> None:
    _, folder = clone(heavy, "node_modules")
    (folder / "node_modules/left-pad/index.js").write_text("changed\n")
    assert (heavy.root / "node_modules/left-pad/index.js").read_text() == "module.exports = 1\n"


def test_a_virtual_environment_becomes_the_worktrees_own(heavy: Place) -> None:
    root = heavy.root
    heavy.write(".venv/bin/tool", f"#!{root}/.venv/bin/python\nprint(1)\n").chmod(0o755)
    heavy.write(".venv/bin/program", b"\0ELF " + os.fsencode(root) + b"/x")
    heavy.write(".venv/lib/site-packages/me.pth", f"{root}/src\n")
    heavy.write(".venv/lib/site-packages/readme.txt", f"{root}/src\n")
    heavy.write(".venv/pyvenv.cfg", f"home = /usr/bin\ncommand = python -m venv {root}/.venv\n")
    (root / ".venv/bin/python").symlink_to("/usr/bin/python3")
    (root / ".venv/own").symlink_to(root / ".venv" / "lib")
    _, folder = clone(heavy, ".venv")
    assert (folder / ".venv/bin/tool").read_text() == f"#!{folder}/.venv/bin/python\nprint(1)\n"
    assert (folder / ".venv/bin/program").read_bytes() == b"\0ELF " + os.fsencode(root) + b"/x"
    assert (folder / ".venv/lib/site-packages/me.pth").read_text() == f"{folder}/src\n"
    assert (folder / ".venv/lib/site-packages/readme.txt").read_text() == f"{root}/src\n"
    assert f"{folder}/.venv" in (folder / ".venv/pyvenv.cfg").read_text()
    assert (folder / ".venv/bin/python").readlink().as_posix() == "/usr/bin/python3"
    assert (folder / ".venv/own").readlink() == folder / ".venv" / "lib"


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("src", "there already"),
        ("missing", "not in your checkout"),
        ("loose", "not ignored by git, so it could be committed by accident"),
        ("linked", "no folder"),
        ("../elsewhere", "no folder of the repository"),
        (".git/hooks", "no folder of the repository"),
        ("", "no folder of the repository"),
    ],
)
def test_what_is_no_ignored_folder_of_the_checkout_is_left(heavy: Place, name: str, why: str) -> None:
    (heavy.root / "loose").mkdir()
    (heavy.root.parent / "elsewhere").mkdir()
    (heavy.root / "linked").symlink_to(heavy.root.parent / "elsewhere")
    done, folder = clone(heavy, name)
    assert done == cloning.Cloned((), (f"{name}/: {why}",))
    assert not (folder / "loose").exists()


def test_one_that_does_not_fit_leaves_nothing_behind(heavy: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cloning, "LIMIT_FILES", 2)
    done, folder = clone(heavy, "node_modules")
    assert done.left == ("node_modules/: it is too large for this disk",)
    assert not (folder / "node_modules").exists()


def test_where_the_disk_would_run_full_nothing_is_copied(heavy: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    free = shutil.disk_usage(heavy.root).free
    monkeypatch.setattr(cloning, "SPARE_BYTES", free + (1 << 30))
    monkeypatch.setattr(cloning, "_shared", lambda *_given: False)
    done, folder = clone(heavy, "node_modules")
    assert done.made == ()
    assert not (folder / "node_modules").exists()


def test_one_that_is_cancelled_or_cut_off_is_never_half_there(heavy: Place) -> None:
    asked: list[Path] = []
    worktree = heavy.session()
    folder = heavy.state / "fix-1"

    def cancelled() -> bool:
        asked.append(folder / "node_modules")
        assert not asked[-1].exists()
        return len(asked) > 3

    done = cloning.clone(heavy.checkout(), worktree, ["node_modules"], cancelled)
    assert done.left == ("node_modules/: the start was cancelled",)
    assert not (folder / "node_modules").exists()
    assert list((heavy.state / cloning.PARTS).iterdir()) == []
    left = heavy.state / cloning.PARTS / "left"
    left.mkdir()
    os.utime(left, (0, 0))
    assert cloning.clone(heavy.checkout(), worktree, ["node_modules"]).made == ("node_modules/",)
    assert not left.exists()
