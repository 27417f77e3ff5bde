"""Rebase as a strategy, what would stop a merge, and a merge undone; with git as the judge."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentos_lsp.domain.errors import UserError
from agentos_lsp.domain.ids import CommitId
from agentos_lsp.effects.git import commits, merges, repository
from tests.effects.git.conftest import AT, Place, write

WHO = repository.Identity("Test Person", "person@example.invalid")
AGENT = repository.Identity("An Agent", "agent@example.invalid")
NONE: frozenset[str] = frozenset()


def merge(place: Place, strategy: merges.Strategy = "rebase") -> merges.Merged | merges.Refused | merges.Conflicted:
    return merges.merge(place.checkout(), "agentos/fix-1", "main", strategy, "M", WHO, AT, protected_paths=NONE)


def work(place: Place, *steps: dict[str, str]) -> None:
    """Commits each step's files on a session's branch."""
    worktree = place.session()
    for number, files in enumerate(steps, start=1):
        for path, text in files.items():
            write(Path(worktree.folder), path, text)
        commits.commit(worktree, commits.stage_tree(worktree, None), f"Step {number}", AGENT, {}, AT)


def test_a_rebase_makes_each_commit_anew_as_git_would(place: Place) -> None:
    work(place, {"a.txt": "1\ntwo\nthree\n"}, {"new.txt": "x\n"}, {"a.txt": "1\ntwo\n3\n"})
    mine = place.commit("mine", **{"src/b.py": "mine\n"})
    made = merge(place)
    assert isinstance(made, merges.Merged)
    assert made.paths == ("a.txt", "new.txt")
    shown = "%an|%cn|%s|%(trailers:key=AgentOS-Session,valueonly,separator=%x2C)"
    rows = place.git("log", "--reverse", f"--format={shown}", f"{mine}..main")
    assert rows.splitlines() == [f"An Agent|Test Person|Step {number}|fix-1" for number in (1, 2, 3)]
    ours = place.git("rev-parse", "main^{tree}")
    # What git's own rebase makes of the same commits.
    place.git("worktree", "add", "-q", "--detach", str(place.root.parent / "git"), "agentos/fix-1")
    place.git("rebase", "-q", mine, cwd=place.root.parent / "git")
    assert place.git("rev-parse", "HEAD^{tree}", cwd=place.root.parent / "git") == ours
    assert place.git("status", "--porcelain") == ""


def test_a_rebase_without_anything_to_go_on_top_of_moves_the_branch_along(place: Place) -> None:
    work(place, {"a.txt": "1\n"})
    made = merge(place)
    assert isinstance(made, merges.Merged)
    assert made.commit == place.git("rev-parse", "agentos/fix-1")


def test_a_commit_that_is_there_already_is_left_out(place: Place) -> None:
    work(place, {"a.txt": "1\n"}, {"new.txt": "x\n"})
    mine = place.commit("the same", **{"a.txt": "1\n"})
    assert isinstance(merge(place), merges.Merged)
    assert place.git("log", "--format=%s", f"{mine}..main") == "Step 2"
    assert place.git("show", "--name-only", "--format=", "main") == "new.txt"


def test_all_commits_that_are_there_already_change_nothing(place: Place) -> None:
    work(place, {"a.txt": "1\n"})
    mine = place.commit("the same", **{"a.txt": "1\n", "mine.txt": "x\n"})
    assert merge(place) == merges.Merged(CommitId(mine), ())


def test_a_conflict_in_any_commit_changes_nothing(place: Place) -> None:
    work(place, {"new.txt": "x\n"}, {"a.txt": "theirs\n"})
    mine = place.commit("mine", **{"a.txt": "mine\n"})
    checkout = place.checkout()
    assert merges.preview(checkout, "agentos/fix-1", "main", "rebase") == merges.MergePreview(
        "merge", ("a.txt",), (), None
    )
    assert merge(place) == merges.Conflicted(("a.txt",))
    assert place.git("rev-parse", "main") == mine
    assert place.git("status", "--porcelain") == ""


def test_a_branch_with_a_merge_in_it_is_refused_with_what_to_do(place: Place) -> None:
    work(place, {"new.txt": "x\n"})
    place.commit("mine", **{"b.txt": "mine\n"})
    place.git("merge", "-q", "-m", "inner", "main", cwd=place.state / "fix-1")
    place.commit("more", **{"c.txt": "mine\n"})
    with pytest.raises(UserError, match="holds a merge") as caught:
        merge(place)
    assert "squash" in caught.value.hint


# --- what would stop a merge ---------------------------------------------------------------------------------------


def test_what_stands_in_the_way_is_told_before_and_nothing_is_touched(place: Place) -> None:
    work(place, {"a.txt": "1\n", "src/b.py": "1\n"})
    found = merges.preview(place.checkout(), "agentos/fix-1", "main")
    assert merges.hindrance(place.checkout(), found, "main", NONE) is None
    unsaved = merges.hindrance(place.checkout(), found, "main", frozenset({"a.txt"}))
    assert unsaved is not None
    assert unsaved.paths == ("a.txt",)
    place.write("src/b.py", "dirty\n")
    dirty = merges.hindrance(place.checkout(), found, "main", NONE)
    assert dirty is not None
    assert dirty.paths == ("src/b.py",)
    place.git("checkout", "-q", "-b", "other")
    assert merges.hindrance(place.checkout(), found, "main", NONE) is None
    place.git("worktree", "add", "-q", str(place.root.parent / "elsewhere"), "main")
    busy = merges.hindrance(place.checkout(), found, "main", NONE)
    assert busy is not None
    assert "checked out in" in busy.reason


# --- undoing -------------------------------------------------------------------------------------------------------


def undo(place: Place, made: str, before: str, protected: frozenset[str] = NONE) -> merges.Refused | None:
    return merges.undo(place.checkout(), "main", CommitId(made), CommitId(before), protected)


@pytest.mark.parametrize("strategy", ["merge", "squash", "rebase", "fast-forward"])
def test_an_undone_merge_leaves_branch_index_and_files_as_before(place: Place, strategy: merges.Strategy) -> None:
    work(place, {"a.txt": "1\n", "new/file.txt": "new\n"}, {"src/b.py": "1\n"})
    if strategy != "fast-forward":
        place.commit("mine", **{"mine.txt": "mine\n"})
    place.write("untracked.txt", "mine\n")
    before, index, status = place.git("rev-parse", "main"), place.git("ls-files", "-s"), place.git("status", "-s")
    made = merge(place, strategy)
    assert isinstance(made, merges.Merged)
    assert undo(place, made.commit, before) is None
    assert (place.git("rev-parse", "main"), place.git("ls-files", "-s"), place.git("status", "-s")) == (
        before,
        index,
        status,
    )
    assert not (place.root / "new").exists()
    assert undo(place, made.commit, before) is None


def test_a_merge_with_something_on_top_or_files_of_the_person_stays(place: Place) -> None:
    work(place, {"a.txt": "1\n"})
    before = place.git("rev-parse", "main")
    made = merge(place, "merge")
    assert isinstance(made, merges.Merged)
    place.write("a.txt", "edited since\n")
    refused = undo(place, made.commit, before)
    assert refused is not None
    assert refused.paths == ("a.txt",)
    assert (place.root / "a.txt").read_text() == "edited since\n"
    place.git("checkout", "-q", "a.txt")
    assert undo(place, made.commit, before, frozenset({"a.txt"})) is not None
    top = place.commit("on top", **{"b.txt": "x\n"})
    refused = undo(place, made.commit, before)
    assert refused is not None
    assert "on top" in refused.reason
    assert place.git("rev-parse", "main") == top
    place.git("reset", "-q", "--hard", before)
    moved = place.commit("elsewhere", **{"c.txt": "x\n"})
    refused = undo(place, made.commit, before)
    assert refused is not None
    assert "moved since" in refused.reason
    assert place.git("rev-parse", "main") == moved


def test_a_branch_that_is_not_checked_out_is_moved_back_alone(place: Place) -> None:
    work(place, {"a.txt": "1\n"})
    before = place.git("rev-parse", "main")
    place.git("checkout", "-q", "-b", "other")
    made = merge(place, "merge")
    assert isinstance(made, merges.Merged)
    assert undo(place, made.commit, before) is None
    assert place.git("rev-parse", "main") == before
    assert place.git("status", "--porcelain") == ""


def test_a_deleted_branch_cannot_be_moved_back(place: Place) -> None:
    work(place, {"a.txt": "1\n"})
    before = place.git("rev-parse", "main")
    place.git("checkout", "-q", "-b", "other")
    made = merge(place, "merge")
    assert isinstance(made, merges.Merged)
    place.git("branch", "-q", "-D", "main")
    with pytest.raises(UserError, match="no branch main"):
        undo(place, made.commit, before)


def test_a_branch_is_kept_only_at_its_own_commit(place: Place) -> None:
    checkout = place.checkout()
    head = checkout.head
    assert merges.keep_branch(checkout, "agentos/x", head)
    assert not merges.keep_branch(checkout, "agentos/x", head)
    other = CommitId(place.commit("more", **{"b.txt": "x\n"}))
    with pytest.raises(UserError, match="already"):
        merges.keep_branch(checkout, "agentos/x", other)
    merges.drop_branch(checkout, "agentos/x", other)
    assert place.git("rev-parse", "agentos/x") == head
    merges.drop_branch(checkout, "agentos/x", head)
    assert place.git("branch", "--list", "agentos/x") == ""
