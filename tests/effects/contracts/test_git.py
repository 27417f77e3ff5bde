"""What every door to git holds, over a real repository and over one in memory."""

from __future__ import annotations

import pytest

from agentos_lsp.domain.errors import EffectError, UserError
from agentos_lsp.effects.git import checkpoints, merges, past, updating
from tests.effects.contracts.conftest import AT, WHO

MERGED = b"one\n2\nthree\n"


def changed(found):
    return [(change.path, change.status) for change in found]


def test_a_worktree_has_the_files_of_its_commit_and_a_branch_of_its_own(place):
    seen = []
    worktree = place.git.create_worktree(
        place.checkout,
        f"{place.state}/fix-1",
        "agentos/fix-1",
        place.checkout.head,
        lock_reason="a test",
        progress=lambda done, total: seen.append((done, total)),
        cancelled=lambda: False,
        shelf="",
    )
    assert seen[-1][0] == seen[-1][1]
    assert place.text(worktree.folder, "src/deep/c.py") == b"c = 1\n"
    assert place.git.resolve(place.checkout, "agentos/fix-1") == place.checkout.head == worktree.base
    assert place.git.branch_tip(worktree) == place.checkout.head
    assert place.git.changes(worktree, worktree.base) == ()
    place.git.remove_worktree(worktree, delete_branch=True)
    assert place.git.resolve(place.checkout, "agentos/fix-1") is None
    assert not place.disk.has_folder(worktree.folder)
    place.git.remove_worktree(worktree, delete_branch=True)


def test_a_worktree_that_is_not_wanted_any_more_leaves_nothing(place):
    made = place.git.create_worktree(
        place.checkout,
        f"{place.state}/fix-1",
        "agentos/fix-1",
        place.checkout.head,
        lock_reason="a test",
        progress=lambda _done, _total: None,
        cancelled=lambda: True,
        shelf="",
    )
    assert made is None
    assert place.git.resolve(place.checkout, "agentos/fix-1") is None


def test_a_name_is_taken_once(place):
    place.session()
    with pytest.raises(UserError):
        place.session()


def test_changes_are_seen_and_ignored_files_are_not(place):
    worktree = place.session()
    place.write(worktree.folder, **{"a.txt": "one\n2\nthree\n", "new.txt": "new\n", "build/x": "x", "y.log": "y"})
    place.write(worktree.folder, **{"src/b.py": None})
    assert changed(place.git.changes(worktree, worktree.base)) == [
        ("a.txt", "modified"),
        ("new.txt", "added"),
        ("src/b.py", "deleted"),
    ]
    assert place.git.changed_paths(worktree, worktree.base) == ("a.txt", "new.txt", "src/b.py")
    tracked = place.git.tracked(worktree, worktree.base)
    first = tracked.current()
    assert changed(first.changes) == changed(place.git.changes(worktree, worktree.base))
    assert first.rows["a.txt"].old.data == b"one\ntwo\nthree\n"
    assert first.rows["src/b.py"].new is None
    assert tracked.current() is first
    place.write(worktree.folder, **{"a.txt": "1\n"})
    tracked.touch("a.txt")
    second = tracked.current()
    assert second.number > first.number
    assert second.rows["new.txt"] is first.rows["new.txt"]
    assert second.rows["a.txt"].new.data == b"1\n"


def test_what_is_staged_is_what_is_committed(place):
    worktree = place.session()
    place.write(worktree.folder, **{"a.txt": "1\n", "new.txt": "new\n"})
    staged = place.git.stage_tree(worktree, ["new.txt"])
    assert (staged.paths, staged.parent) == (("new.txt",), worktree.base)
    made = place.git.commit(worktree, staged, "Add a file", WHO, {"AgentOS-Session": "fix-1"}, AT)
    assert place.git.branch_tip(worktree) == made
    assert place.git.since(place.checkout.common_dir, worktree.base, made) == (
        past.Made(made, worktree.base, "Add a file\n\nAgentOS-Session: fix-1\n"),
    )
    assert place.git.base_text(place.checkout.common_dir, made, "new.txt") == b"new\n"
    assert place.git.base_text(place.checkout.common_dir, made, "gone.txt") is None
    assert changed(place.git.between(place.checkout.common_dir, worktree.base, made)) == [("new.txt", "added")]
    assert place.git.paths_between(place.checkout.common_dir, worktree.base, made) == ("new.txt",)
    assert place.git.changed_paths(worktree, made) == ("a.txt",)
    lost = place.git.unmerged(worktree, None)
    assert (lost.commits, lost.uncommitted) == ((made,), ("a.txt",))


@pytest.mark.parametrize("paths", [["src/b.py"], ["gone.txt"]])
def test_what_has_not_changed_cannot_be_staged_by_name(place, paths):
    with pytest.raises(UserError, match="has nothing to commit"):
        place.git.stage_tree(place.session(), paths)


def test_nothing_and_no_message_make_no_commit(place):
    worktree = place.session()
    staged = place.git.stage_tree(worktree, None)
    with pytest.raises(UserError, match="nothing to commit"):
        place.git.commit(worktree, staged, "Nothing", WHO, {}, AT)
    with pytest.raises(UserError, match="no usable message"):
        place.git.commit(worktree, staged, " ", WHO, {}, AT)


def test_a_branch_that_moved_meanwhile_is_left_alone(place):
    worktree = place.session()
    place.write(worktree.folder, **{"a.txt": "1\n"})
    staged = place.git.stage_tree(worktree, None)
    made = place.git.commit(worktree, staged, "One", WHO, {}, AT)
    with pytest.raises(UserError, match="moved"):
        place.git.commit(worktree, staged, "Other", WHO, {}, AT)
    assert place.git.branch_tip(worktree) == made
    assert not place.git.put_back(worktree, worktree.base, worktree.base)
    assert place.git.keep(worktree, "refused", made) == f"refs/agentos/fix-1/refused/{made[:12]}"
    assert place.git.put_back(worktree, made, worktree.base)
    assert place.git.branch_tip(worktree) == worktree.base
    place.git.advance(worktree, worktree.base, made, "a test")
    assert place.git.branch_tip(worktree) == made
    with pytest.raises(UserError, match="moved"):
        place.git.advance(worktree, worktree.base, made, "a test")
    assert place.git.put_back(worktree, made, worktree.base)
    assert not place.git.agents_git(f"{place.state}/git").is_there
    assert place.git.since(place.checkout.common_dir, made, worktree.base) is None


def test_a_fast_forward_moves_the_branch_and_the_checkout(place):
    made = place.commit(place.session(), **{"a.txt": MERGED.decode(), "src/deep/c.py": None})
    found = place.git.preview(place.checkout, "agentos/fix-1", "main")
    assert (found.kind, found.paths) == ("fast-forward", ("a.txt", "src/deep/c.py"))
    assert place.git.hindrance(place.checkout, found, "main", frozenset()) is None
    assert place.merge("fast-forward") == merges.Merged(made, ("a.txt", "src/deep/c.py"))
    assert place.checkout.head == made
    assert place.text(place.root, "a.txt") == MERGED
    assert place.text(place.root, "src/deep/c.py") is None
    assert place.merge("fast-forward") == merges.Merged(made, ())


@pytest.mark.parametrize("strategy", ["merge", "squash", "rebase"])
def test_both_sides_are_kept_when_the_branch_went_on(place, strategy):
    other = place.session("other-1")
    worktree = place.session()
    place.commit(other, "Theirs", **{"a.txt": "one\ntwo\nthree\nfour\nfive\n"})
    place.commit(worktree, "Ours", **{"a.txt": "0\none\ntwo\nthree\n", "new.txt": "new\n"})
    assert isinstance(place.merge("fast-forward", "other-1"), merges.Merged)
    before = place.checkout.head
    refused = place.merge("fast-forward")
    assert isinstance(refused, merges.Refused)
    assert "choose a merge commit" in refused.reason
    made = place.merge(strategy)
    assert made.paths == ("a.txt", "new.txt")
    assert place.checkout.head == made.commit != before
    assert place.text(place.root, "a.txt") == b"0\none\ntwo\nthree\nfour\nfive\n"
    tip = place.git.resolve(place.checkout, "agentos/fix-1")
    settled = place.git.merged_commit(
        place.checkout, "main", before, tip, "AgentOS-Session: fix-1", rebased=strategy == "rebase"
    )
    assert settled == (made.commit if strategy == "rebase" else settled)
    assert place.git.common_ancestor(place.checkout, made.commit, before) == before


def test_a_conflict_changes_nothing(place):
    other, worktree = place.session("other-1"), place.session()
    place.commit(other, "Theirs", **{"a.txt": "one\nzwei\nthree\n"})
    place.commit(worktree, "Ours", **{"a.txt": "one\n2\nthree\n"})
    place.merge("fast-forward", "other-1")
    before = place.checkout.head
    for strategy in ("merge", "squash", "rebase"):
        assert place.git.preview(place.checkout, "agentos/fix-1", "main", strategy).conflicts == ("a.txt",)
        assert place.merge(strategy) == merges.Conflicted(("a.txt",))
    assert place.checkout.head == before
    assert place.text(place.root, "a.txt") == b"one\nzwei\nthree\n"


def test_files_of_the_person_stop_a_merge(place):
    place.commit(place.session(), **{"a.txt": "2\n"})
    before = place.checkout.head
    unsaved = place.merge(protected=frozenset({"a.txt"}))
    assert (unsaved.paths, "unsaved" in unsaved.reason) == (("a.txt",), True)
    place.write(place.root, **{"a.txt": "mine\n"})
    edited = place.merge()
    assert (edited.paths, "not committed" in edited.reason) == (("a.txt",), True)
    found = place.git.preview(place.checkout, "agentos/fix-1", "main")
    assert place.git.hindrance(place.checkout, found, "main", frozenset()) == edited
    assert place.checkout.head == before
    assert place.text(place.root, "a.txt") == b"mine\n"


def test_a_merge_that_is_cancelled_changes_nothing(place):
    place.commit(place.session(), **{"a.txt": "2\n"})
    refused = place.merge(watch=updating.Watch(lambda _done, _total: None, lambda: True))
    assert refused == merges.Refused("The merge was cancelled; nothing was changed.")
    assert place.text(place.root, "a.txt") == b"one\ntwo\nthree\n"


def test_a_merge_is_undone_as_long_as_nothing_came_on_top(place):
    worktree = place.session()
    tip = place.commit(worktree, **{"a.txt": "2\n", "new.txt": "new\n"})
    before = place.checkout.head
    made = place.merge("squash").commit
    assert place.git.undo(place.checkout, "main", made, before, frozenset({"a.txt"})).paths == ("a.txt",)
    assert place.git.undo(place.checkout, "main", made, before, frozenset()) is None
    assert place.checkout.head == before
    assert place.text(place.root, "a.txt") == b"one\ntwo\nthree\n"
    assert place.text(place.root, "new.txt") is None
    assert place.git.undo(place.checkout, "main", made, before, frozenset()) is None
    place.merge("fast-forward")
    later = place.git.undo(place.checkout, "main", made, before, frozenset())
    assert "moved" in later.reason
    place.git.remove_worktree(worktree, delete_branch=True)
    assert place.git.keep_branch(place.checkout, "agentos/fix-1", tip)
    assert not place.git.keep_branch(place.checkout, "agentos/fix-1", tip)
    with pytest.raises(UserError):
        place.git.keep_branch(place.checkout, "agentos/fix-1", before)
    place.git.drop_branch(place.checkout, "agentos/fix-1", tip)
    assert place.git.resolve(place.checkout, "agentos/fix-1") is None


def test_a_checkpoint_brings_files_back_and_overwrites_nothing_unknown(place):
    worktree = place.session()
    place.write(worktree.folder, **{"a.txt": "1\n", "new.txt": "new\n"})
    first = place.git.take_checkpoint(
        worktree, worktree.base, checkpoints.reference("fix-1", 1), "Checkpoint 1", WHO, AT
    )
    assert (first.files, first.skipped) == (2, ())
    assert (
        place.git.take_checkpoint(worktree, first.commit, checkpoints.reference("fix-1", 2), "Again", WHO, AT) is None
    )
    place.write(worktree.folder, **{"a.txt": "2\n", "new.txt": None, "src/b.py": "changed\n"})
    second = place.git.take_checkpoint(
        worktree, first.commit, checkpoints.reference("fix-1", 2), "Checkpoint 2", WHO, AT
    )
    place.write(worktree.folder, **{"src/b.py": "changed since\n"})
    done = place.git.restore(worktree, second.commit, first.commit)
    assert (done.files, done.kept) == (2, ("src/b.py",))
    assert place.text(worktree.folder, "a.txt") == b"1\n"
    assert place.text(worktree.folder, "new.txt") == b"new\n"
    kept = place.git.keep_removed(worktree, worktree.base, f"{checkpoints.REMOVED}fix-1", WHO, AT)
    assert place.git.base_text(place.checkout.common_dir, kept.commit, "src/b.py") == b"changed since\n"
    place.git.prune(place.checkout.common_dir, "fix-1", range(5))


def test_what_does_not_exist_is_an_error(place):
    worktree = place.session()
    assert place.git.resolve(place.checkout, "gone") is None
    with pytest.raises(UserError, match="no branch gone"):
        place.git.preview(place.checkout, "agentos/fix-1", "gone")
    with pytest.raises(EffectError):
        place.git.between(place.checkout.common_dir, "1" * 40, worktree.base)
    place.git.remove_worktree(worktree, delete_branch=True)
    with pytest.raises(EffectError):
        place.git.changes(worktree, worktree.base)
    assert place.git.branch_tip(worktree) is None
