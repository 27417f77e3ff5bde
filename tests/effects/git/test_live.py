"""What is kept current by path is what git itself would say, whatever is done to the files."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

import pytest

from agentos_lsp.domain import diff
from agentos_lsp.domain.errors import UserError
from agentos_lsp.effects.git import changes, commits, live
from tests.effects.git.conftest import write

ROUNDS = int(os.environ.get("LIVE_ROUNDS", "40"))
"""How many rounds of random work are compared with git; 10,000 take about ten minutes."""


class Work:
    """Somebody who does things to the files of a folder, and says which."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.dice = random.Random(seed)
        self.said: list[str] = []

    def name(self) -> str:
        folder = self.dice.choice(["", "", "d0/", "d1/", "d1/deep/", "src/", "build/", "Src/"])
        name = self.dice.choice(["a.txt", "A.txt", "b.py", "n.log", "kept.log", "tool.sh", "crlf.txt", "ü.txt", "x"])
        return folder + name

    def files(self) -> list[Path]:
        return sorted(path for path in self.folder.rglob("*") if ".git" not in path.parts and not path.is_dir())

    def parent(self, path: Path) -> None:
        """Makes room for a file: what stands where a folder should be goes."""
        for above in reversed(path.relative_to(self.folder).parents):
            if (self.folder / above).is_symlink() or (self.folder / above).is_file():
                (self.folder / above).unlink()
                self.said.append(str(above))
        path.parent.mkdir(parents=True, exist_ok=True)

    def act(self) -> None:
        dice = self.dice
        files = self.files()
        old = dice.choice(files) if files else self.folder / "a.txt"
        new = self.folder / self.name()
        self.said.append(str(new.relative_to(self.folder)))
        match dice.randrange(12):
            case 0 if old.is_file() or old.is_symlink():
                old.unlink()
                self.said.append(str(old.relative_to(self.folder)))
            case 1 if old.is_file() and not old.is_symlink():
                old.write_bytes(
                    dice.choice([b"one\ntwo\n", b"one\r\ntwo\r\n", b"\0\1", b"%d\n" % dice.randrange(9), b""])
                )
                self.said.append(str(old.relative_to(self.folder)))
            case 2 if old.is_file() and not old.is_symlink():
                old.chmod(dice.choice([0o644, 0o755]))
                self.said.append(str(old.relative_to(self.folder)))
            case 3 | 4 if not new.is_dir():
                self.parent(new)
                if new.is_symlink():
                    new.unlink()
                new.write_bytes(dice.choice([b"new\n", b"one\ntwo\n", b"new\r\n"]))
            case 5 if not new.is_dir() and (old.exists() or old.is_symlink()):
                self.parent(new)
                if old.exists() or old.is_symlink():
                    old.rename(new)
                self.said.append(str(old.relative_to(self.folder)))
            case 6 if not new.is_dir():
                self.parent(new)
                new.unlink(missing_ok=True)
                new.symlink_to(dice.choice(["a.txt", "src", "/nowhere"]))
            case 7:
                folder = self.folder / dice.choice(["d0", "d1", "src", "build"])
                if folder.is_dir() and not folder.is_symlink():
                    shutil.rmtree(folder)
                self.said.append(folder.name)
            case 8:
                one, other = (self.folder / dice.choice(["d0", "d1", "src", "moved"]) for _ in range(2))
                if one.is_dir() and not one.is_symlink() and not other.exists() and not other.is_symlink():
                    one.rename(other)
                self.said += [one.name, other.name]
            case 9:
                rules = dice.choice(["build/\n*.log\n", "build/\n*.log\n!kept.log\n", "", "d1/\n"])
                write(self.folder, ".gitignore", rules)
                self.said.append(".gitignore")
            case 10 if not new.is_dir() and not new.exists() and not new.is_symlink():
                # A folder in the place of a file, with a file of the same name in it.
                self.parent(new / "x")
                (new / "x").write_bytes(b"x\n")
                self.said.append(f"{new.relative_to(self.folder)}/x")
            case _:
                self.said.append(self.name())


@pytest.mark.timeout(max(60, ROUNDS))
@pytest.mark.parametrize("autocrlf", ["false", "true"])
def test_it_is_what_git_says_after_any_work(place, autocrlf):
    place.write("crlf.txt", "one\r\ntwo\r\n")
    place.write("src/kept.log", "ignored and yet kept\n")
    place.git("add", "-A", "-f")
    place.git("commit", "-qm", "more")
    place.git("config", "core.autocrlf", autocrlf)
    worktree = place.session()
    tracked = live.Tracked(worktree, worktree.base)
    work = Work(Path(worktree.folder), 11)
    for number in range(ROUNDS // 2):
        for _ in range(work.dice.randrange(1, 5)):
            work.act()
        tracked.touch(*work.said)
        work.said.clear()
        current = tracked.current()
        rows = place.git("status", "--porcelain", "-uall", "--no-renames", "-z", cwd=work.folder).split("\0")
        assert sorted(current.rows) == sorted(row[3:] for row in rows if row), number
        if number % 10 == 0:
            # What was kept by path is what one sweep over everything finds.
            assert current.changes == changes.changes(worktree, worktree.base)
            assert commits.stage_tree(worktree, None, current.differing) == commits.stage_tree(worktree, None)
        if number % 25 == 24:
            tracked.distrust()
            assert tracked.current().changes == current.changes


def test_what_lies_in_an_ignored_folder_is_not_included_again(place):
    worktree = place.session()
    folder = Path(worktree.folder)
    tracked = live.Tracked(worktree, worktree.base)
    tracked.current()
    write(folder, ".gitignore", "build/\n*.log\n!kept.log\n")
    write(folder, "build/kept.log/x", "in a folder that is ignored\n")
    write(folder, "src/kept.log", "in one that is not\n")
    tracked.touch(".gitignore", "build/kept.log/x", "src/kept.log")
    assert sorted(tracked.current().rows) == [".gitignore", "src/kept.log"]
    tracked.distrust()
    assert sorted(tracked.current().rows) == [".gitignore", "src/kept.log"]


def test_what_is_written_in_a_submodules_folder_is_not_part_of_the_change(place):
    place.git("update-index", "--add", "--cacheinfo", f"160000,{place.git('rev-parse', 'HEAD')},libs/x")
    place.git("commit", "-qm", "a submodule")
    worktree = place.session()
    tracked = live.Tracked(worktree, worktree.base)
    write(Path(worktree.folder), "libs/x/README", "belongs to another repository\n")
    write(Path(worktree.folder), "new.txt", "new\n")
    tracked.touch("libs/x/README", "new.txt")
    current = tracked.current()
    assert current.differing == ("new.txt",)
    assert commits.stage_tree(worktree, None, current.differing).paths == ("new.txt",)


@pytest.mark.parametrize("path", ["nested", "a.txt"])
def test_a_repository_in_the_worktree_is_not_committed_by_what_is_known_either(place, path):
    worktree = place.session()
    made = Path(worktree.folder, path)
    made.unlink(missing_ok=True)
    made.mkdir()
    place.git("init", "-q", cwd=made)
    write(made, "x", "x\n")
    current = live.Tracked(worktree, worktree.base).current()
    assert current.differing == (f"{path}/",)
    for known in (None, current.differing):
        with pytest.raises(UserError, match="a git repository of its own"):
            commits.stage_tree(worktree, None, known)


def test_only_what_was_touched_is_looked_at(place, monkeypatch):
    worktree = place.session()
    folder = Path(worktree.folder)
    tracked = live.Tracked(worktree, worktree.base)
    assert tracked.current().changes == ()
    monkeypatch.setattr(changes, "swept", lambda *_: pytest.fail("swept"))
    write(folder, "a.txt", "one\n")
    write(folder, "src/b.py", "unnoticed\n")
    tracked.touch("a.txt")
    first = tracked.current()
    assert [change.path for change in first.changes] == ["a.txt"]
    assert tracked.current() is first
    tracked.touch("a.txt", "src")
    second = tracked.current()
    assert [change.path for change in second.changes] == ["a.txt", "src/b.py"]
    # What has not changed is described once.
    assert second.changes[0] is first.changes[0]
    write(folder, "a.txt", "one\ntwo\nthree\n")
    tracked.touch("./a.txt")
    assert [change.path for change in tracked.current().changes] == ["src/b.py"]


def test_what_failed_is_tried_again(place):
    worktree = place.session()
    folder = Path(worktree.folder)
    tracked = live.Tracked(worktree, worktree.base)
    write(folder, "a.txt", "changed\n")
    folder.rename(folder.with_name("away"))
    with pytest.raises(Exception, match="compare"):
        tracked.current()
    folder.with_name("away").rename(folder)
    assert [change.path for change in tracked.current().changes] == ["a.txt"]


def test_a_nested_repository_is_one_path_however_it_is_touched(place):
    worktree = place.session()
    folder = Path(worktree.folder)
    tracked = live.Tracked(worktree, worktree.base)
    assert tracked.current().changes == ()
    write(folder, "inner/file.txt", "x\n")
    place.git("init", "-q", cwd=folder / "inner")
    for path in ("inner", "inner/file.txt", "inner/.git/HEAD", ".git"):
        tracked.touch(path)
        assert [(change.path, change.new_mode) for change in tracked.current().changes] == [("inner", 0o160000)]
    shutil.rmtree(folder / "inner" / ".git")
    tracked.touch("inner")
    assert [change.path for change in tracked.current().changes] == ["inner/file.txt"]


def test_renames_come_and_go(place):
    worktree = place.session()
    folder = Path(worktree.folder)
    tracked = live.Tracked(worktree, worktree.base)
    tracked.current()
    (folder / "a.txt").rename(folder / "moved.txt")
    tracked.touch("a.txt", "moved.txt")
    assert [(one.path, one.old_path) for one in tracked.current().changes] == [("moved.txt", "a.txt")]
    write(folder, "a.txt", "another\n")
    tracked.touch("a.txt")
    assert [(one.path, one.status) for one in tracked.current().changes] == [
        ("a.txt", "modified"),
        ("moved.txt", "added"),
    ]


def test_contents_beyond_the_budget_are_summarised(place, monkeypatch):
    monkeypatch.setattr(live, "BUDGET_BYTES", 100)
    worktree = place.session()
    write(Path(worktree.folder), "one.txt", "x" * 60 + "\n")
    write(Path(worktree.folder), "two.txt", "y" * 60 + "\n")
    tracked = live.Tracked(worktree, worktree.base)
    assert [change.too_large for change in tracked.current().changes] == [False, True]
    assert tracked.current().rows["two.txt"] == live.Row(None, diff.Side(0o100644, None))
