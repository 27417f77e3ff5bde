"""Merging into a person's branch: everything of the session, nothing lost of theirs, or nothing at all."""

import os
import shutil
from pathlib import Path

import pytest

from agentos_lsp.domain.errors import EffectError, UserError
from agentos_lsp.effects.git import commits, merges, repository, updating
from tests.effects.git.conftest import AT, write

WHO = repository.Identity("Test Person", "person@example.invalid")
NONE: frozenset[str] = frozenset()


def merge(place, strategy="fast-forward", into="main", protected=NONE, branch="agentos/fix-1", inspected=None):
    how = {"protected_paths": protected, "inspected": inspected}
    return merges.merge(place.checkout(), branch, into, strategy, "Merge it", WHO, AT, **how)


def work(place, name="fix-1", **files):
    """Commits files on a session's branch."""
    worktree = place.session(name)
    for path, text in (files or {"a.txt": "one\n2\nthree\n", "new/file.txt": "new\n"}).items():
        if text is None:
            Path(worktree.folder, path).unlink()
        else:
            write(Path(worktree.folder), path, text)
    staged = commits.stage_tree(worktree, None)
    commits.commit(worktree, staged, "Work", WHO, {}, AT)
    return worktree


def everything(place):
    """What a refused merge must leave as it was: files, index, branches."""
    files = {
        str(path.relative_to(place.root)): path.read_bytes()
        for path in place.root.rglob("*")
        if ".git" not in path.parts and path.is_file()
    }
    return files, place.git("ls-files", "-s"), place.git("for-each-ref"), place.git("status", "--porcelain")


def test_a_fast_forward_updates_files_index_and_branch(place):
    work(place, **{"a.txt": "2\n", "new/file.txt": "new\n", "src/deep/c.py": None})
    assert merges.preview(place.checkout(), "agentos/fix-1", "main") == merges.MergePreview(
        "fast-forward", (), ("a.txt", "new/file.txt", "src/deep/c.py"), place.git("rev-parse", "agentos/fix-1^{tree}")
    )
    assert merge(place) == merges.Merged(
        place.git("rev-parse", "agentos/fix-1"), ("a.txt", "new/file.txt", "src/deep/c.py")
    )
    assert place.git("rev-parse", "main") == place.git("rev-parse", "agentos/fix-1")
    assert place.git("status", "--porcelain") == ""
    assert (place.root / "new" / "file.txt").read_text() == "new\n"
    assert not (place.root / "src" / "deep").exists()
    assert place.git("reflog", "-1", "--format=%gs") == "merge agentos/fix-1: fast-forward"
    assert [path for path in (place.root / ".git").iterdir() if "agentos" in path.name or "lock" in path.name] == []


@pytest.mark.parametrize(("strategy", "parents"), [("merge", 2), ("squash", 1)])
def test_a_merge_commit_and_a_squash_make_one_commit(place, strategy, parents):
    before = place.checkout().head
    work(place)
    theirs = place.git("rev-parse", "agentos/fix-1")
    made = merge(place, strategy)
    assert isinstance(made, merges.Merged)
    assert place.git("rev-parse", f"{made.commit}^@").splitlines() == [before, theirs][:parents]
    assert place.git("show", "-s", "--format=%an %cn %s", made.commit) == "Test Person Test Person Merge it"
    assert place.git("diff", "--name-only", made.commit, theirs) == ""
    assert place.git("status", "--porcelain") == ""


@pytest.mark.parametrize("strategy", ["merge", "fast-forward", "rebase", "squash"])
def test_only_the_commit_that_was_inspected_is_merged(place, strategy):
    work(place)
    seen = place.git("rev-parse", "agentos/fix-1")
    late = place.git("commit-tree", f"{seen}^{{tree}}", "-p", seen, "-m", "Late")
    place.git("update-ref", "refs/heads/agentos/fix-1", late)
    before = place.git("rev-parse", "main")
    assert isinstance(merge(place, strategy, inspected=seen), merges.Refused)
    assert place.git("rev-parse", "main") == before
    assert place.git("status", "--porcelain") == ""
    assert isinstance(merge(place, strategy, inspected=late), merges.Merged)


def test_both_sides_are_kept_when_the_branch_went_on(place):
    work(place)
    mine = place.commit(**{"src/b.py": "mine\n"})
    assert merge(place) == merges.Refused(
        "main has commits that agentos/fix-1 lacks; choose a merge commit, a rebase or a squash."
    )
    assert merges.preview(place.checkout(), "agentos/fix-1", "main").kind == "merge"
    made = merge(place, "merge")
    assert isinstance(made, merges.Merged)
    assert made.paths == ("a.txt", "new/file.txt")
    assert place.git("rev-parse", f"{made.commit}^1") == mine
    assert (place.root / "src" / "b.py").read_text() == "mine\n"
    assert place.git("status", "--porcelain") == ""


def test_a_conflict_is_listed_and_nothing_is_changed(place):
    work(place, **{"a.txt": "theirs\n", "src/b.py": None, "ok.txt": "x\n"})
    place.commit(**{"a.txt": "mine\n", "src/b.py": "mine\n"})
    before = everything(place)
    assert merges.preview(place.checkout(), "agentos/fix-1", "main") == merges.MergePreview(
        "merge", ("a.txt", "src/b.py"), (), None
    )
    assert merge(place, "merge") == merges.Conflicted(("a.txt", "src/b.py"))
    assert everything(place) == before


def test_merging_twice_changes_nothing_the_second_time(place):
    work(place)
    merge(place)
    head = place.git("rev-parse", "main")
    assert merges.preview(place.checkout(), "agentos/fix-1", "main").kind == "up-to-date"
    assert merge(place) == merges.Merged(head, ())


@pytest.mark.parametrize(
    ("prepare", "paths"),
    [
        (lambda place: place.write("a.txt", "mine\n"), ("a.txt",)),
        (lambda place: (place.root / "a.txt").unlink(), ("a.txt",)),
        (lambda place: (place.root / "a.txt").chmod(0o755), ("a.txt",)),
        (lambda place: (place.write("a.txt", "mine\n"), place.git("add", "a.txt")), ("a.txt",)),
        (
            lambda place: (place.write("a.txt", "x\n"), place.git("add", "a.txt"), place.git("restore", "a.txt")),
            ("a.txt",),
        ),
        (lambda place: place.git("rm", "-q", "--cached", "a.txt"), ("a.txt",)),
        (lambda place: place.write("new/file.txt", "untracked and mine\n"), ("new/file.txt",)),
        (lambda place: place.write("new", "a file where a folder is needed\n"), ("new",)),
        (lambda place: place.write("new/file.txt/mine.txt", "mine\n"), ("new/file.txt/mine.txt",)),
        (lambda place: (place.root / "new").symlink_to("src"), ("new",)),
        (
            lambda place: (place.write("a.txt", "x\n"), place.write("new/file.txt", "y\n")),
            ("a.txt", "new/file.txt"),
        ),
    ],
)
def test_uncommitted_work_in_the_way_refuses_the_merge_and_is_named(place, prepare, paths):
    work(place)
    prepare(place)
    before = everything(place)
    refused = merge(place)
    assert isinstance(refused, merges.Refused)
    assert refused.paths == paths
    assert everything(place) == before


def test_an_ignored_file_in_the_way_is_not_overwritten(place):
    worktree = place.session()
    write(Path(worktree.folder), "precious.log", "theirs\n")
    place.git("add", "-f", "precious.log", cwd=Path(worktree.folder))
    place.git("commit", "-qm", "x", cwd=Path(worktree.folder))
    place.write("precious.log", "mine\n")
    assert merge(place) == merges.Refused(
        "These files have changes that are not committed; commit, stash or move them first.", ("precious.log",)
    )
    assert (place.root / "precious.log").read_text() == "mine\n"


def test_a_file_with_unsaved_changes_in_an_editor_refuses_the_merge(place):
    work(place)
    before = everything(place)
    assert merge(place, protected=frozenset({"a.txt", "src/b.py"})) == merges.Refused(
        "These files have unsaved changes in an editor; save or undo them first.", ("a.txt",)
    )
    assert everything(place) == before


def test_uncommitted_work_elsewhere_is_kept(place):
    work(place)
    place.write("src/b.py", "mine\n")
    place.write("untracked.txt", "mine\n")
    place.write("staged.txt", "mine\n")
    place.git("add", "staged.txt")
    assert isinstance(merge(place), merges.Merged)
    assert place.git("status", "--porcelain").splitlines() == [" M src/b.py", "A  staged.txt", "?? untracked.txt"]
    assert (place.root / "src" / "b.py").read_text() == "mine\n"


def test_the_same_edit_made_by_hand_is_no_obstacle(place):
    work(place)
    place.write("a.txt", "one\n2\nthree\n")
    assert isinstance(merge(place), merges.Merged)
    assert place.git("status", "--porcelain") == ""


def test_files_folders_links_and_modes_change_into_each_other(place):
    worktree = place.session()
    folder = Path(worktree.folder)
    (folder / "a.txt").unlink()
    write(folder, "a.txt/inside.txt", "x\n")
    shutil.rmtree(folder / "src")
    write(folder, "src", "a file\n")
    (folder / "link").unlink()
    write(folder, "link", "a file\n")
    (folder / "tool.sh").chmod(0o644)
    shutil.rmtree(folder / "dir ü")
    (folder / "dir ü").symlink_to("src")
    commits.commit(worktree, commits.stage_tree(worktree, None), "Work", WHO, {}, AT)
    assert isinstance(merge(place), merges.Merged)
    assert place.git("status", "--porcelain") == ""
    place.git("reset", "-q", "--hard")
    assert place.git("diff", "agentos/fix-1") == ""


def test_a_branch_that_is_not_checked_out_moves_alone(place):
    work(place)
    place.git("branch", "-q", "other")
    before = everything(place)[0]
    assert isinstance(merge(place, into="other"), merges.Merged)
    assert place.git("rev-parse", "other") == place.git("rev-parse", "agentos/fix-1")
    assert everything(place)[0] == before
    assert place.git("status", "--porcelain") == ""


def test_a_branch_checked_out_in_another_worktree_is_refused(place):
    work(place)
    place.git("worktree", "add", "-q", "-b", "other", "../elsewhere")
    folder = place.root.parent / "elsewhere"
    assert merge(place, into="other") == merges.Refused(
        f"other is checked out in {folder}; merge from there, or switch that worktree away from it."
    )


def test_a_branch_under_rebase_is_refused(place):
    work(place)
    place.git("switch", "-q", "-c", "other")
    place.commit(**{"src/b.py": "mine\n"})
    place.git("switch", "-q", "main")
    place.commit(**{"src/b.py": "other\n"})
    place.git("switch", "-q", "other")
    with pytest.raises(Exception, match="rebase"):
        place.git("rebase", "-q", "main")
    refused = merge(place, "merge", into="other")
    assert isinstance(refused, merges.Refused)
    assert "rebased" in refused.reason


def test_a_merge_under_way_is_refused(place):
    work(place)
    place.git("branch", "-q", "other")
    place.commit(**{"src/b.py": "x\n"})
    place.git("switch", "-q", "other")
    place.commit(**{"tool.sh": "y\n"})
    place.git("merge", "--no-commit", "main")
    refused = merge(place, "merge", into="other")
    assert isinstance(refused, merges.Refused)
    assert "under way" in refused.reason


def test_a_missing_branch_is_told(place):
    work(place)
    with pytest.raises(UserError, match="no branch nowhere"):
        merge(place, into="nowhere")
    with pytest.raises(UserError, match="no branch agentos/gone"):
        merge(place, branch="agentos/gone")


def test_another_git_command_makes_it_wait(place):
    work(place)
    (place.root / ".git" / "index.lock").write_text("")
    before = everything(place)
    with pytest.raises(EffectError) as caught:
        merge(place)
    assert caught.value.retry_may_help
    assert everything(place) == before


def test_a_branch_that_moves_at_the_last_moment_puts_everything_back(place, monkeypatch):
    work(place, **{"a.txt": "2\n", "new/file.txt": "new\n", "src/deep/c.py": None})
    place.write("src/b.py", "mine\n")
    before = everything(place)
    real = commits.move_branch

    def moved(repository_, branch, old, new, why):
        place.git("update-ref", "refs/heads/main", place.git("commit-tree", "-p", "main", "-m", "x", "main^{tree}"))
        real(repository_, branch, old, new, why)

    monkeypatch.setattr(commits, "move_branch", moved)
    with pytest.raises(UserError, match="moved while"):
        merge(place)
    files, index, _, _ = everything(place)
    assert (files, index) == before[:2]
    assert place.git("status", "--porcelain") == " M src/b.py"


@pytest.mark.parametrize("after", range(6))
def test_a_merge_that_is_cancelled_before_the_branch_moves_puts_everything_back(place, after):
    """After 0 looks nothing is written; after 1 to 4 some files are; the fifth look is the last."""
    work(place, **{"a.txt": "2\n", "new/file.txt": "new\n", "src/deep/c.py": None})
    before, looks = everything(place), []
    watch = updating.Watch(lambda done, total: looks.append((done, total)), lambda: len(looks) >= after)
    made = merges.merge(
        place.checkout(), "agentos/fix-1", "main", "merge", "Merge it", WHO, AT, protected_paths=NONE, watch=watch
    )
    if after == 5:
        assert isinstance(made, merges.Merged)
        assert looks == [(0, 0), (0, 3), (1, 3), (2, 3), (3, 3)]
    else:
        assert made == merges.Refused("The merge was cancelled; nothing was changed.")
        assert everything(place) == before


def test_a_file_saved_during_the_merge_is_kept_and_the_rest_put_back(place, monkeypatch):
    work(place, **{"a.txt": "2\n", "src/b.py": "theirs\n", "tool.sh": "theirs\n"})
    before = everything(place)
    real = updating.put

    def saved(repository_, root, path, entry):
        if path == b"a.txt":
            place.write("src/b.py", "saved by the person\n")
        return real(repository_, root, path, entry)

    monkeypatch.setattr(updating, "put", saved)
    assert merge(place) == merges.Refused(
        "This file was changed while the merge was under way; try again.", ("src/b.py",)
    )
    files, index, refs, status = everything(place)
    assert files == before[0] | {"src/b.py": b"saved by the person\n"}
    assert (index, refs, status) == (before[1], before[2], " M src/b.py")


@pytest.mark.parametrize("step", [1, 2, 3, 4])
def test_a_merge_cut_off_at_any_file_is_completed_by_the_next(place, monkeypatch, step):
    work(place, **{"a.txt": "2\n", "new/file.txt": "new\n", "src/deep/c.py": None, "tool.sh": "x\n"})
    pid = os.fork()
    if pid == 0:
        count = 0
        real = updating._take

        def cut(undo, repository_, root, one):
            nonlocal count
            count += 1
            if count > step:
                os._exit(9)
            real(undo, repository_, root, one)

        updating._take = cut
        updating._replace_index = lambda *_words: os._exit(9)
        merge(place)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 9
    assert (place.root / ".git" / "index.lock").exists()
    assert place.git("rev-parse", "main") != place.git("rev-parse", "agentos/fix-1")
    assert updating.recover(place.checkout())
    assert not updating.recover(place.checkout())
    assert isinstance(merge(place), merges.Merged)
    assert place.git("status", "--porcelain") == ""


def test_a_merge_cut_off_before_the_branch_moved_is_completed_by_the_next(place):
    work(place)
    pid = os.fork()
    if pid == 0:
        commits.move_branch = lambda *_words: os._exit(9)
        merge(place)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 9
    assert isinstance(merge(place), merges.Merged)
    assert place.git("status", "--porcelain") == ""


def test_a_lock_that_is_not_ours_or_whose_owner_lives_is_left(place):
    lock = place.root / ".git" / "index.lock"
    assert not updating.recover(place.checkout())
    lock.write_bytes(b"DIRC")
    assert not updating.recover(place.checkout())
    lock.write_bytes(updating.MARK + b"%d\n" % os.getpid())
    assert not updating.recover(place.checkout())
    assert lock.exists()


def test_a_folder_of_the_checkout_that_is_a_link_is_not_written_through(place):
    outside = place.root.parent / "outside"
    write(outside, "b.py", "def b():\n    return 1\n")
    work(place, **{"src/b.py": "theirs\n"})
    shutil.rmtree(place.root / "src")
    (place.root / "src").symlink_to(outside)
    refused = merge(place)
    assert isinstance(refused, merges.Refused)
    assert (outside / "b.py").read_text() == "def b():\n    return 1\n"


def test_line_endings_are_those_of_the_checkout(place):
    place.commit(**{".gitattributes": "*.bat text eol=crlf\n", "x.bat": "a\nb\n"})
    work(place, **{"x.bat": "a\r\nB\r\n", "new.bat": "x\r\n"})
    assert isinstance(merge(place), merges.Merged)
    assert (place.root / "x.bat").read_bytes() == b"a\r\nB\r\n"
    assert (place.root / "new.bat").read_bytes() == b"x\r\n"
    assert place.git("status", "--porcelain") == ""


def test_a_detached_checkout_can_still_merge_into_a_branch(place):
    work(place)
    place.git("switch", "-q", "--detach")
    before = everything(place)[0]
    assert isinstance(merge(place), merges.Merged)
    assert everything(place)[0] == before


def test_a_submodule_moves_in_the_index_only(place):
    head = place.git("rev-parse", "HEAD")
    worktree = place.session()
    folder = Path(worktree.folder)
    place.git("update-index", "--add", "--cacheinfo", f"160000,{head},sub", cwd=folder)
    place.git("commit", "-qm", "sub", cwd=folder)
    assert isinstance(merge(place), merges.Merged)
    assert place.git("ls-files", "-s", "sub") == f"160000 {head} 0\tsub"
    assert place.git("diff", "--cached") == ""


def test_a_merge_from_a_linked_worktree_of_the_persons(place):
    place.git("worktree", "add", "-q", "-b", "other", "../elsewhere")
    work(place)
    elsewhere = repository.probe(str(place.root.parent / "elsewhere"))
    made = merges.merge(elsewhere, "agentos/fix-1", "other", "merge", "Merge it", WHO, AT, protected_paths=NONE)
    assert isinstance(made, merges.Merged)
    assert place.git("status", "--porcelain", cwd=Path(elsewhere.root)) == ""
    assert (Path(elsewhere.root) / "new" / "file.txt").read_text() == "new\n"
    assert place.git("status", "--porcelain") == ""


def crafted(place, *names):
    """Puts a tree on the session's branch that no git command would write: a file below each folder name."""
    tree = place.git("hash-object", "-w", "a.txt")
    mode = "100644"
    for name in reversed(names):
        raw = f"{mode} {name}\0".encode() + bytes.fromhex(tree)
        tree, mode = place.odd_tree(raw), "40000"
    commit = place.git("commit-tree", "-p", "main", "-m", "crafted", tree)
    place.git("update-ref", "refs/heads/agentos/fix-1", commit)


@pytest.mark.parametrize(
    "names",
    [
        (".git", "hooks", "post-commit"),
        (".GIT", "config"),
        ("..", "outside.txt"),
        ("sub", ".git", "config"),
        (".git ", "config"),
        (".g\u200cit", "config"),
        ("git~1", "config"),
        (".", "a.txt"),
    ],
)
def test_a_crafted_tree_writes_nothing_outside_or_into_git(place, names):
    place.session()
    crafted(place, *names)
    before = everything(place)
    hooks = sorted((place.root / ".git").rglob("*"))
    with pytest.raises(EffectError, match="forbidden name"):
        merge(place)
    assert everything(place) == before
    assert sorted((place.root / ".git").rglob("*")) == hooks
    assert not (place.root.parent / "outside.txt").exists()


def test_a_crafted_tree_is_not_merged_into_a_branch_that_is_not_checked_out(place):
    place.session()
    place.git("branch", "-q", "other")
    crafted(place, ".git", "config")
    with pytest.raises(EffectError, match="forbidden name"):
        merge(place, into="other")
    assert place.git("rev-parse", "other") == place.git("rev-parse", "main")
