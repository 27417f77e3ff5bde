"""What sessions left behind is found, with what would be lost, and never removed unasked."""

import os
import shutil
from pathlib import Path

from agentos_lsp.effects.git import changes, orphans, repository, worktrees
from tests.effects.git.conftest import write


def found(place, *live):
    return {row.session: row for row in orphans.orphans(str(place.state), place.checkout(), set(live))}


def test_what_a_discard_would_lose(place):
    worktree = place.session()
    folder = Path(worktree.folder)
    assert orphans.unmerged(worktree, "main").is_nothing
    write(folder, "a.txt", "edited\n")
    place.git("commit", "-qam", "one", cwd=folder)
    place.git("commit", "-q", "--allow-empty", "-m", "two", cwd=folder)
    write(folder, "new.txt", "x\n")
    newest, older = place.git("rev-list", "main..agentos/fix-1").splitlines()
    assert orphans.unmerged(worktree, "main") == orphans.Unmerged((newest, older), ("new.txt",))
    assert orphans.unmerged(worktree, None) == orphans.unmerged(worktree, "main")
    place.git("branch", "-q", "kept", older)
    assert orphans.unmerged(worktree, None).commits == (newest,)
    place.git("merge", "-q", "agentos/fix-1")
    assert orphans.unmerged(worktree, "main") == orphans.Unmerged((), ("new.txt",))


def test_a_vanished_folder_and_a_deleted_branch_lose_nothing_more(place):
    worktree = place.session()
    shutil.rmtree(worktree.folder)
    assert orphans.unmerged(worktree, "main").is_nothing
    place.git("update-ref", "-d", "refs/heads/agentos/fix-1")
    assert orphans.unmerged(worktree, "main").is_nothing


def test_worktrees_without_a_live_session_are_found(place):
    live, idle, busy = place.session("live"), place.session("idle"), place.session("busy")
    write(Path(busy.folder), "new.txt", "x\n")
    assert found(place, "live") == {
        "busy": orphans.Orphan("busy", busy, busy.branch, busy.folder, orphans.Unmerged((), ("new.txt",))),
        "idle": orphans.Orphan("idle", idle, idle.branch, idle.folder, orphans.Unmerged((), ())),
    }
    assert {name: row.may_be_removed for name, row in found(place).items()} == {
        "live": True,
        "idle": True,
        "busy": False,
    }
    assert Path(live.folder).exists()


def test_a_creation_that_was_cut_off_may_be_removed(place):
    worktree = place.session()
    Path(worktree.admin_dir, worktrees.BASE).unlink()
    Path(worktree.folder, "a.txt").unlink()
    (row,) = found(place).values()
    assert row.may_be_removed
    assert row.worktree is not None
    worktrees.remove(row.worktree, delete_branch=True)
    assert found(place) == {}


def test_a_branch_alone_and_a_folder_alone_are_found(place):
    worktree = place.session("branch")
    write(Path(worktree.folder), "a.txt", "edited\n")
    place.git("commit", "-qam", "one", cwd=Path(worktree.folder))
    worktrees.remove(worktree, delete_branch=False)
    write(place.state, "folder/file.txt", "x\n")
    rows = found(place)
    assert {name: (row.branch, row.folder, row.may_be_removed) for name, row in rows.items()} == {
        "branch": ("agentos/branch", None, False),
        "folder": (None, str(place.state / "folder"), False),
    }
    assert len(rows["branch"].unmerged.commits) == 1


def test_a_worktree_that_cannot_be_read_is_kept(place):
    worktree = place.session()
    shutil.rmtree(worktree.folder)
    Path(worktree.folder).symlink_to(place.root)
    assert [row.may_be_removed for row in found(place).values()] == [False]


def test_history_in_a_shallow_clone_ends_without_an_error(place):
    place.commit(**{"a.txt": "later\n"})
    place.git("clone", "-q", "--depth=1", f"file://{place.root}", "../shallow")
    checkout = repository.probe(str(place.root.parent / "shallow"))
    made = worktrees.create(
        checkout,
        str(place.state / "x"),
        "agentos/x",
        checkout.head,
        lock_reason="",
        progress=lambda _done, _total: None,
        cancelled=lambda: False,
    )
    assert made is not None
    write(Path(made.folder), "a.txt", "edited\n")
    place.git("commit", "-qam", "one", cwd=Path(made.folder))
    assert len(orphans.unmerged(made, "main").commits) == 1
    place.git("-C", checkout.root, "update-ref", "-d", "refs/heads/main")
    assert len(orphans.unmerged(made, None).commits) == 2


def test_the_main_repository_needs_no_worktree_folder(place):
    assert found(place) == {}
    assert not os.path.lexists(place.root / ".git" / "worktrees")
    assert changes.changed_paths(place.session(), place.checkout().head) == ()
