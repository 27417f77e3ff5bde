"""Checkpoints: what they hold, what a restore does, and what it never touches."""

from __future__ import annotations

import random
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from agentos_lsp.domain.ids import CommitId
from agentos_lsp.effects.git import checkpoints, repository, worktrees
from tests.effects.git.conftest import AT, Place

if TYPE_CHECKING:
    import pytest

WHO = repository.Identity("A Person", "a@example.invalid")


def take(worktree: worktrees.Worktree, before: str, number: int = 1) -> checkpoints.Checkpoint | None:
    name = checkpoints.reference("fix-1", number)
    return checkpoints.take(worktree, CommitId(before), name, "Checkpoint", WHO, AT)


def picture(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Everything in a folder but git's own file: kind and executable bit, and content or target."""
    found: dict[str, tuple[int, bytes]] = {}
    for path in sorted(folder.rglob("*")):
        if path.name == ".git" or (path.is_dir() and not path.is_symlink()):
            continue
        kind = stat.S_IFMT(path.lstat().st_mode) | (0 if path.is_symlink() else path.stat().st_mode & 0o100)
        content = str(path.readlink()).encode() if path.is_symlink() else path.read_bytes()
        found[str(path.relative_to(folder))] = (kind, content)
    return found


def test_a_checkpoint_holds_untracked_files_and_not_ignored_ones(place: Place) -> None:
    worktree = place.session()
    folder = Path(worktree.folder)
    place.write("../state/fix-1/new/file.txt", "new\n")
    place.write("../state/fix-1/build/out.o", "ignored")
    (folder / "a.txt").write_text("changed\n")
    (folder / "tool.sh").unlink()
    made = take(worktree, worktree.base)
    assert made is not None
    assert (made.files, made.skipped) == (3, ())
    name = "refs/agentos/fix-1/checkpoints/1"
    assert place.git("rev-parse", name) == made.commit
    assert place.git("diff", "--name-status", worktree.base, name).splitlines() == [
        "M\ta.txt",
        "A\tnew/file.txt",
        "D\ttool.sh",
    ]
    assert place.git("fsck", "--strict") == ""
    # The session's branch, index and files are as they were.
    assert place.git("rev-parse", worktree.branch) == worktree.base
    assert place.git("diff", "--cached", "--name-only", cwd=folder) == ""


def test_nothing_is_made_where_nothing_changed(place: Place) -> None:
    worktree = place.session()
    assert take(worktree, worktree.base) is None
    Path(worktree.folder, "a.txt").write_text("changed\n")
    first = take(worktree, worktree.base)
    assert first is not None
    assert take(worktree, first.commit, 2) is None
    assert place.git("for-each-ref", "refs/agentos").count("\n") == 0


def test_a_restore_brings_back_every_kind_of_change_and_can_be_undone(place: Place) -> None:
    worktree = place.session()
    folder = Path(worktree.folder)
    before = picture(folder)
    (folder / "a.txt").unlink()
    place.write("../state/fix-1/a.txt/inside", "a file became a folder\n")
    (folder / "src/b.py").chmod(0o755)
    (folder / "link").unlink()
    (folder / "link").write_text("a link became a file\n")
    for path in ("src/deep/c.py",):
        (folder / path).unlink()
    (folder / "src/deep").rmdir()
    (folder / "src/deep").symlink_to("../dir ü")
    place.write("../state/fix-1/new/é\n.txt", b"\0binary")
    place.write("../state/fix-1/build/kept.o", "ignored")
    after = picture(folder)
    made = take(worktree, worktree.base)
    assert made is not None
    back = checkpoints.restore(worktree, made.commit, worktree.base)
    assert back.kept == ()
    assert picture(folder) == {**before, "build/kept.o": after["build/kept.o"]}
    again = checkpoints.restore(worktree, CommitId(worktree.base), made.commit)
    assert again.kept == ()
    assert picture(folder) == after


def test_what_changed_after_the_checkpoint_is_never_overwritten(place: Place) -> None:
    worktree = place.session()
    folder = Path(worktree.folder)
    for name in ("a.txt", "src/b.py", "new.txt"):
        (folder / name).write_text("checkpointed\n")
    made = take(worktree, worktree.base)
    assert made is not None
    (folder / "a.txt").write_text("written since\n")
    (folder / "new.txt").write_text("written since\n")
    done = checkpoints.restore(worktree, made.commit, worktree.base)
    assert done == checkpoints.Restored(1, ("a.txt", "new.txt"))
    assert (folder / "a.txt").read_text() == "written since\n"
    assert (folder / "new.txt").read_text() == "written since\n"
    assert (folder / "src/b.py").read_text() == "def b():\n    return 1\n"


def test_a_folder_with_ignored_files_in_the_way_stays(place: Place) -> None:
    worktree = place.session()
    folder = Path(worktree.folder)
    (folder / "a.txt").unlink()
    place.write("../state/fix-1/a.txt/x.log", "ignored, and nowhere else\n")
    made = take(worktree, worktree.base)
    assert made is not None
    assert checkpoints.restore(worktree, made.commit, worktree.base).kept == ("a.txt",)
    assert (folder / "a.txt/x.log").read_text() == "ignored, and nowhere else\n"


def test_a_restore_never_writes_through_a_link(place: Place, tmp_path: Path) -> None:
    worktree = place.session()
    folder = Path(worktree.folder)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "c.py").write_text("canary\n")
    (folder / "src/deep/c.py").write_text("changed\n")
    made = take(worktree, worktree.base)
    assert made is not None
    (folder / "src/deep").rename(folder / "moved")
    (folder / "src/deep").symlink_to(outside)
    assert checkpoints.restore(worktree, made.commit, worktree.base).kept == ("src/deep/c.py",)
    assert (outside / "c.py").read_text() == "canary\n"


def test_large_files_and_nested_repositories_are_left_out_and_named(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "LIMIT", 100)
    worktree = place.session()
    folder = Path(worktree.folder)
    (folder / "big.bin").write_bytes(b"x" * 101)
    (folder / "small.bin").write_bytes(b"x" * 100)
    (folder / "inner").mkdir()
    place.git("init", "-q", cwd=folder / "inner")
    place.write("../state/fix-1/inner/f", "f")
    made = take(worktree, worktree.base)
    assert made is not None
    assert (made.files, made.skipped) == (1, ("big.bin", "inner"))
    assert checkpoints.restore(worktree, made.commit, worktree.base) == checkpoints.Restored(1, ())
    assert (folder / "big.bin").exists()
    assert (folder / "inner/f").exists()


def test_line_endings_come_back_as_the_folder_should_have_them(place: Place) -> None:
    place.commit(**{".gitattributes": "*.bat text eol=crlf\n", "run.bat": "one\r\n"})
    worktree = place.session()
    script = Path(worktree.folder, "run.bat")
    assert script.read_bytes() == b"one\r\n"
    script.write_bytes(b"two\r\n")
    made = take(worktree, worktree.base)
    assert made is not None
    checkpoints.restore(worktree, made.commit, worktree.base)
    assert script.read_bytes() == b"one\r\n"
    checkpoints.restore(worktree, CommitId(worktree.base), made.commit)
    assert script.read_bytes() == b"two\r\n"


def test_any_walk_through_random_changes_comes_back_to_every_checkpoint(place: Place) -> None:
    worktree = place.session()
    folder = Path(worktree.folder)
    dice = random.Random(7)
    names = ["a.txt", "src/b.py", "src/x/y", "src/x", "p/q/r", "p", "tool.sh", "link"]
    commits, pictures = [CommitId(worktree.base)], [picture(folder)]
    for number in range(1, 13):
        for _ in range(4):
            path = folder / dice.choice(names)
            if path.is_symlink() or path.is_file():
                path.unlink()
            elif not path.exists() and not any(part.is_file() or part.is_symlink() for part in path.parents):
                path.parent.mkdir(parents=True, exist_ok=True)
                if dice.random() < 0.2:
                    path.symlink_to("a.txt")
                else:
                    path.write_text(f"{dice.random()}\n")
                    path.chmod(dice.choice([0o644, 0o755]))
        made = take(worktree, commits[-1], number)
        if made is not None:
            commits.append(made.commit)
            pictures.append(picture(folder))
    here = len(commits) - 1
    for _ in range(20):
        there = dice.randrange(len(commits))
        assert checkpoints.restore(worktree, commits[here], commits[there]).kept == ()
        assert picture(folder) == pictures[there]
        here = there


def test_pruning_lets_go_of_the_named_ones_only(place: Place) -> None:
    worktree = place.session()
    last = CommitId(worktree.base)
    for number in range(1, 4):
        Path(worktree.folder, "a.txt").write_text(f"{number}\n")
        made = take(worktree, last, number)
        assert made is not None
        last = made.commit
    checkpoints.prune(worktree.common_dir, "fix-1", [1, 3, 9])
    assert place.git("for-each-ref", "--format=%(refname)", "refs/agentos") == "refs/agentos/fix-1/checkpoints/2"
