"""The ladder of a session's start: a spare from the shelf, copies by helpers, this process; with git as the judge."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from agentos_lsp.effects.git import changes, copying, filling, spares, trash, worktrees
from agentos_lsp.effects.process import helpers

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.effects.git.conftest import Place


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spares, "FEWEST", 1)
    monkeypatch.setattr(spares, "FREE_BYTES", 0)
    monkeypatch.setattr(filling, "HELPED_FROM", 1)


class Ladder:
    """A place whose files are old enough to be trusted by their index, a shelf, and which rung was used."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.shelf = spares.shelf_of(place.state, str(place.root / ".git"))
        self.helped = 0
        self.age()

    def age(self) -> None:
        """Files that were written in the same moment as the index are not trusted: write the index later."""
        later = (self.place.root / ".git/index").stat().st_mtime_ns + 10**10
        os.utime(self.place.root / ".git/index", ns=(later, later))

    def means(self, *, shelf: bool = True) -> filling.Means:
        def run(
            script: str, jobs: Sequence[bytes], heard: Callable[[int], None], cancelled: Callable[[], bool]
        ) -> list[bytes] | None:
            self.helped += len(jobs)
            return helpers.run(script, jobs, heard, cancelled)

        return filling.Means(helpers=run, shelf=self.shelf if shelf else None)

    def stock(self, count: int = 1) -> bool:
        return spares.make(self.place.checkout(), self.means(), count=count, cancelled=lambda: False)

    def session(self, name: str = "fix-1", *, shelf: bool = True) -> worktrees.Worktree:
        checkout = self.place.checkout()
        made = worktrees.create(
            checkout,
            str(self.place.state / "w" / name),
            f"agentos/{name}",
            checkout.head,
            lock_reason="live",
            progress=lambda _done, _total: None,
            cancelled=lambda: False,
            means=self.means(shelf=shelf),
        )
        assert made is not None
        return made

    def names(self) -> list[str]:
        return sorted(path.name.partition("-")[0] for path in Path(self.shelf).iterdir())

    def assert_as_git(self, worktree: worktrees.Worktree) -> None:
        """Everything is there and clean, also when git looks at contents only."""
        folder = Path(worktree.folder)
        assert changes.changes(worktree, worktree.base) == ()
        assert self.place.git("status", "--porcelain", cwd=folder) == ""
        assert self.place.git("fsck", "--no-dangling") == ""
        (Path(worktree.admin_dir) / "index").unlink()
        self.place.git("reset", "-q", cwd=folder)
        assert self.place.git("status", "--porcelain", cwd=folder) == ""
        assert self.place.git("ls-files", "-s", cwd=folder) == self.place.git("ls-tree", "-r", "HEAD").replace(
            " blob ", " "
        ).replace("\t", " 0\t")
        assert self.place.git("rev-parse", "--abbrev-ref", "HEAD", cwd=folder) == worktree.branch


@pytest.fixture
def ladder(place: Place) -> Ladder:
    return Ladder(place)


def test_a_spare_is_moved_into_place_and_the_next_session_copies(ladder: Ladder) -> None:
    assert ladder.stock()
    assert ladder.names() == ["lock", "ready"]
    inodes = {path.name: path.stat().st_ino for path in next(Path(ladder.shelf).glob("ready-*/tree")).iterdir()}
    first = ladder.session()
    assert {path.name: path.stat().st_ino for path in Path(first.folder).iterdir() if path.name != ".git"} == inodes
    assert ladder.names() == ["lock"]
    ladder.assert_as_git(first)
    helped = ladder.helped
    ladder.assert_as_git(ladder.session("fix-2"))
    assert ladder.helped > helped


def test_a_spare_is_brought_up_to_the_commit(ladder: Ladder) -> None:
    place = ladder.place
    assert ladder.stock()
    inode = next(Path(ladder.shelf).glob("ready-*/tree/tool.sh")).stat().st_ino
    place.git("rm", "-q", "src/deep/c.py")
    (place.root / "a.txt").chmod(0o755)
    place.commit(**{"src/b.py": "changed\n", "src/deep": "a file now\n", "new/dir/file": "new\n"})
    made = ladder.session()
    ladder.assert_as_git(made)
    assert Path(made.folder, "tool.sh").stat().st_ino == inode
    assert Path(made.folder, "src/deep").read_text() == "a file now\n"


def test_what_is_clean_after_bringing_up_needs_no_second_look_of_the_agent(ladder: Ladder) -> None:
    assert ladder.stock()
    ladder.place.commit(**{"src/b.py": "changed\n"})
    made = ladder.session()
    Path(made.folder, "src/b.py").write_text("edited\n")
    Path(made.folder, "a.txt").write_text("edited\n")
    assert changes.changed_paths(made, made.base) == ("a.txt", "src/b.py")


@pytest.mark.parametrize("stale", ["settings", "attributes", "commit", "broken", "many"])
def test_a_spare_that_does_not_fit_is_thrown_away_and_the_session_is_right(ladder: Ladder, stale: str) -> None:
    place = ladder.place
    assert ladder.stock()
    (ready,) = spares.ready(ladder.shelf)
    match stale:
        case "settings":
            place.git("config", "core.autocrlf", "true")
        case "attributes":
            place.commit(**{"src/.gitattributes": "*.py text eol=crlf\n"})
        case "commit":
            about = json.loads((ready / "about.json").read_text())
            (ready / "about.json").write_text(json.dumps({**about, "commit": "0" * 40}))
        case "broken":
            (ready / "index-copy").unlink()
        case _:
            place.commit(**{f"many/{number}.txt": "x\n" for number in range(worktrees.FAR + 1)})
    place.git("checkout", "-q", "--", ".")
    ladder.age()
    made = ladder.session()
    assert spares.ready(ladder.shelf) == ()
    assert ladder.names() == ["lock"]
    assert changes.changes(made, made.base) == ()
    assert place.git("status", "--porcelain", cwd=Path(made.folder)) == ""


def test_only_as_many_are_made_as_are_wanted_and_by_one_process_at_a_time(ladder: Ladder) -> None:
    assert [ladder.stock(2), ladder.stock(2), ladder.stock(2)] == [True, True, False]
    assert ladder.names() == ["lock", "ready", "ready"]
    for found in spares.ready(ladder.shelf):
        trash.delete(str(found))
    with Path(ladder.shelf, "lock").open("r+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert not ladder.stock()
    assert ladder.stock()


def test_what_a_crash_left_on_the_shelf_is_cleared_and_what_lives_is_not(ladder: Ladder) -> None:
    assert ladder.stock()
    for name in ("making-dead", f"taken-{os.getpid()}-mine", "taken-999999999-dead", "taken-x-odd"):
        Path(ladder.shelf, name, "tree").mkdir(parents=True)
    assert not ladder.stock()
    assert ladder.names() == ["lock", "ready", "taken"]


def test_a_spare_that_is_cancelled_or_has_no_room_leaves_nothing(
    ladder: Ladder, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not spares.make(ladder.place.checkout(), ladder.means(), count=1, cancelled=lambda: True)
    monkeypatch.setattr(spares, "FREE_BYTES", 1 << 62)
    assert not ladder.stock()
    assert ladder.names() == ["lock"]


def test_a_failure_while_a_spare_is_moved_in_falls_back_to_copying(
    ladder: Ladder, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ladder.stock()
    ladder.place.commit(**{"src/b.py": "changed\n"})

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(worktrees, "_brought_up", full)
        made = ladder.session()
    ladder.assert_as_git(made)
    assert ladder.names() == ["lock"]


def test_two_sessions_never_get_the_same_spare(ladder: Ladder) -> None:
    assert ladder.stock(2)
    assert ladder.stock(2)
    checkout = ladder.place.checkout()
    taken = [spares.take(checkout, ladder.shelf) for _ in range(3)]
    assert taken[2] is None
    assert len({spare.folder for spare in taken if spare is not None}) == 2


# --- copying by helpers --------------------------------------------------------------------------------------------


def test_helpers_copy_only_what_is_surely_unchanged(ladder: Ladder) -> None:
    place = ladder.place
    place.write("src/b.py", "dirty\n")
    place.write("untracked.txt", "mine\n")
    made = ladder.session(shelf=False)
    assert ladder.helped == filling.HELPERS
    assert Path(made.folder, "src/b.py").read_text() == "def b():\n    return 1\n"
    assert not Path(made.folder, "untracked.txt").exists()
    ladder.assert_as_git(made)


def test_a_helper_follows_no_link_out_of_the_checkout(ladder: Ladder, tmp_path: Path) -> None:
    place = ladder.place
    elsewhere = tmp_path / "elsewhere"
    (place.root / "src/deep").rename(elsewhere)
    (place.root / "src/deep").symlink_to(elsewhere)
    (elsewhere / "c.py").write_text("canary")
    made = ladder.session(shelf=False)
    assert Path(made.folder, "src/deep/c.py").read_text() == "c = 1\n"


@pytest.mark.parametrize("part", [0.0, 0.3, 0.7])
def test_what_a_killed_helper_left_is_written_anew(ladder: Ladder, part: float) -> None:
    ladder.place.commit(**{f"many/{number}.txt": f"{number}\n" for number in range(300)})
    ladder.age()

    def killed(
        script: str, jobs: Sequence[bytes], heard: Callable[[int], None], cancelled: Callable[[], bool]
    ) -> list[bytes] | None:
        answers = helpers.run(script, jobs, heard, cancelled)
        assert answers is not None
        cut = [answer[: int(part * len(answer)) + 3] for answer in answers]
        assert all(len(copying.unpack(answer)[0]) >= copying.PIECE_BYTES for answer in cut) == (part > 0.5)
        return cut

    checkout = ladder.place.checkout()
    made = worktrees.create(
        checkout,
        str(ladder.place.state / "x"),
        "agentos/x",
        checkout.head,
        lock_reason="live",
        progress=lambda _done, _total: None,
        cancelled=lambda: False,
        means=filling.Means(helpers=killed),
    )
    assert made is not None
    ladder.assert_as_git(made)


def test_a_worker_for_a_spare_lets_all_other_sessions_of_the_machine_go_first() -> None:
    code = "from agentos_lsp.effects.git import copying; copying.yield_to_others(19); import os; print(os.nice(0))"
    group = Path("/proc/self/autogroup")
    code += f"; print(open({str(group)!r}).read())" if group.exists() else ""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, start_new_session=True)
    assert {line.rpartition(b" ")[2] for line in ran.stdout.split(b"\n") if line} == {b"19"}


def test_a_cancelled_copy_ends_its_helpers_and_leaves_nothing(ladder: Ladder) -> None:
    checkout = ladder.place.checkout()
    before = ladder.place.git("for-each-ref")
    made = worktrees.create(
        checkout,
        str(ladder.place.state / "x"),
        "agentos/x",
        checkout.head,
        lock_reason="live",
        progress=lambda _done, _total: None,
        cancelled=lambda: True,
        means=ladder.means(),
    )
    assert made is None
    assert ladder.place.git("for-each-ref") == before
    assert not (ladder.place.state / "x").exists()
