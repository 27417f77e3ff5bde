"""Commits on a session's branch, byte for byte what was staged, and clean for git afterwards."""

import os
import shutil
import subprocess
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from agentos_lsp.domain.errors import EffectError, UserError
from agentos_lsp.effects.git import blobs, changes, commits, repository
from tests.effects.git.conftest import AT, write

WHO = repository.Identity("Test Person", "person@example.invalid")


def commit(worktree, paths=None, message="Do it", trailers=None):
    staged = commits.stage_tree(worktree, paths)
    return commits.commit(worktree, staged, message, WHO, trailers or {}, AT)


def test_a_commit_holds_the_whole_change(place):
    worktree = place.session()
    folder = Path(worktree.folder)
    write(folder, "a.txt", "edited\n")
    write(folder, "new dir/program", "#!/bin/sh\n").chmod(0o755)
    (folder / "src" / "deep" / "c.py").unlink()
    (folder / "link").unlink()
    (folder / "link").symlink_to("tool.sh")
    write(folder, "build/out", "ignored\n")
    made = commit(worktree, trailers={"AgentOS-Session": "fix-1"})
    assert place.git("show", "--format=%H%n%P%n%an <%ae> %aI%n%cn <%ce> %cI%n%B", "--raw", "--abbrev=4", made) == (
        f"{made}\n{worktree.base}\nTest Person <person@example.invalid> 2026-01-02T03:04:05+00:00\n"
        "Test Person <person@example.invalid> 2026-01-02T03:04:05+00:00\nDo it\n\nAgentOS-Session: fix-1\n\n\n"
        + place.git("diff", "--raw", "--abbrev=4", worktree.base, made)
    )
    assert place.git("diff", "--name-status", worktree.base, made).splitlines() == [
        "M\ta.txt",
        "M\tlink",
        "A\tnew dir/program",
        "D\tsrc/deep/c.py",
    ]
    assert place.git("ls-tree", made, "new dir/").split()[0] == "100755"
    assert place.git("status", "--porcelain", cwd=folder) == ""
    assert place.git("rev-parse", "agentos/fix-1") == made
    assert changes.changes(worktree, made) == ()
    assert place.git("fsck", "--strict", "--no-dangling") == ""
    assert place.git("reflog", "-1", "--format=%gs", "agentos/fix-1") == "commit: Do it"


def test_only_the_named_paths_are_committed_and_the_rest_stays(place):
    worktree = place.session()
    folder = Path(worktree.folder)
    write(folder, "a.txt", "edited\n")
    write(folder, "src/b.py", "edited\n")
    write(folder, "src/new.py", "new\n")
    write(folder, "staged.txt", "x\n")
    place.git("add", "staged.txt", cwd=folder)
    made = commit(worktree, ["src"])
    assert place.git("diff", "--name-only", worktree.base, made).splitlines() == ["src/b.py", "src/new.py"]
    assert place.git("status", "--porcelain", cwd=folder) == " M a.txt\nA  staged.txt"
    second = commit(worktree)
    assert place.git("rev-parse", f"{second}^") == made
    assert place.git("status", "--porcelain", cwd=folder) == ""


def test_what_was_staged_is_committed_even_if_the_file_changes_after(place):
    worktree = place.session()
    write(Path(worktree.folder), "a.txt", "inspected\n")
    staged = commits.stage_tree(worktree, None)
    shown = changes.between(worktree.common_dir, staged.parent, staged.tree)
    write(Path(worktree.folder), "a.txt", "swapped\n")
    made = commits.commit(worktree, staged, "Do it", WHO, {}, AT)
    assert [change.path for change in shown] == list(staged.paths) == ["a.txt"]
    assert changes.base_text(worktree.common_dir, made, "a.txt") == b"inspected\n"
    assert place.git("status", "--porcelain", cwd=Path(worktree.folder)) == " M a.txt"


def test_files_and_folders_that_took_each_others_place(place):
    worktree = place.session()
    folder = Path(worktree.folder)
    (folder / "a.txt").unlink()
    write(folder, "a.txt/inside.txt", "x\n")
    shutil.rmtree(folder / "src")
    write(folder, "src", "a file\n")
    made = commit(worktree)
    assert place.git("ls-tree", "-r", "--name-only", made, "a.txt", "src").splitlines() == ["a.txt/inside.txt", "src"]
    assert place.git("status", "--porcelain", cwd=folder) == ""


def test_everything_can_be_deleted(place):
    worktree = place.session()
    for name in place.git("ls-files", "-z").rstrip("\0").split("\0"):
        Path(worktree.folder, name).unlink()
    made = commit(worktree)
    assert place.git("ls-tree", made) == ""
    assert place.git("status", "--porcelain", cwd=Path(worktree.folder)) == ""


def test_bytes_are_normalised_as_git_add_does(place):
    place.commit(**{".gitattributes": "*.txt text=auto\n*.id ident\n"})
    worktree = place.session()
    folder = Path(worktree.folder)
    write(folder, "a.txt", b"one\r\n2\r\n")
    write(folder, "binary.txt", b"\0\r\n")
    write(folder, "x.id", "$Id: 123 $\n")
    write(folder, "plain.py", b"a\r\n")
    made = commit(worktree)
    assert [
        changes.base_text(worktree.common_dir, made, name) for name in ("a.txt", "binary.txt", "x.id", "plain.py")
    ] == [b"one\n2\n", b"\0\r\n", b"$Id$\n", b"a\r\n"]
    assert place.git("status", "--porcelain", cwd=folder) == ""


def test_a_text_that_git_holds_with_crlf_stays_so(place):
    place.commit(**{"old.txt": "a\r\nb\r\n"})
    place.commit(**{".gitattributes": "* text=auto\n"})
    worktree = place.session()
    write(Path(worktree.folder), "old.txt", b"a\r\nB\r\n")
    made = commit(worktree)
    assert changes.base_text(worktree.common_dir, made, "old.txt") == b"a\r\nB\r\n"


def test_a_large_file_is_stored_as_git_stores_it(place):
    worktree = place.session()
    data = os.urandom(blobs.BIG + 12345)
    write(Path(worktree.folder), "big.bin", data)
    made = commit(worktree)
    assert changes.base_text(worktree.common_dir, made, "big.bin") == data
    assert place.git("fsck", "--strict", "--no-dangling") == ""
    write(Path(worktree.folder), "copy.bin", data)
    commit(worktree)
    assert place.git("rev-parse", "agentos/fix-1:big.bin") == place.git("rev-parse", "agentos/fix-1:copy.bin")


def test_a_folder_swapped_for_a_link_to_a_secret_is_committed_as_a_link(place):
    secret = place.root.parent / "secret"
    write(secret, "b.py", "TOKEN\n")
    worktree = place.session()
    folder = Path(worktree.folder)
    shutil.rmtree(folder / "src")
    (folder / "src").symlink_to(secret)
    made = commit(worktree)
    assert place.git("ls-tree", "-r", made, "src").split()[0] == "120000"
    assert place.git("cat-file", "-p", f"{made}:src") == str(secret)
    objects = place.git("cat-file", "--batch-all-objects", "--batch-check=%(objectname)").splitlines()
    assert all("TOKEN" not in place.git("cat-file", "-p", name) for name in objects)


def test_a_named_path_below_a_link_has_nothing_to_commit(place):
    secret = place.root.parent / "secret"
    write(secret, "new.py", "TOKEN\n")
    worktree = place.session()
    (Path(worktree.folder) / "out").symlink_to(secret)
    with pytest.raises(UserError, match="nothing to commit"):
        commits.stage_tree(worktree, ["out/new.py"])
    with pytest.raises(UserError, match="nothing to commit"):
        commits.stage_tree(worktree, ["../secret/new.py"])
    with pytest.raises(UserError, match="nothing to commit"):
        commits.stage_tree(worktree, [str(secret / "new.py")])


def test_a_nested_repository_is_refused_by_name(place):
    worktree = place.session()
    inner = Path(worktree.folder, "vendor", "inner")
    write(inner, "file.txt", "x\n")
    place.git("init", "-q", cwd=inner)
    with pytest.raises(UserError, match="vendor/inner is a git repository"):
        commits.stage_tree(worktree, None)
    write(Path(worktree.folder), "a.txt", "fine\n")
    assert commits.stage_tree(worktree, ["a.txt"]).paths == ("a.txt",)


@pytest.mark.parametrize("name", [".git/hooks/pre-commit", ".git"])
def test_the_git_file_is_never_staged(place, name):
    worktree = place.session()
    with pytest.raises(UserError, match="nothing to commit"):
        commits.stage_tree(worktree, [name])


def test_a_git_folder_in_the_worktrees_place_is_not_believed(place):
    worktree = place.session()
    folder = Path(worktree.folder)
    (folder / ".git").unlink()
    place.git("init", "-q", cwd=folder)
    place.git("commit", "-q", "--allow-empty", "-m", "forged", cwd=folder)
    write(folder, "a.txt", "edited\n")
    made = commit(worktree)
    assert place.git("rev-parse", "agentos/fix-1") == made
    assert place.git("diff", "--name-only", worktree.base, made) == "a.txt"


def test_nothing_to_commit_is_refused(place):
    worktree = place.session()
    with pytest.raises(UserError, match="nothing to commit"):
        commit(worktree)


@pytest.mark.parametrize("message", ["", "  \n", "a\0b"])
def test_a_message_is_needed(place, message):
    worktree = place.session()
    write(Path(worktree.folder), "a.txt", "edited\n")
    with pytest.raises(UserError, match="no usable message"):
        commit(worktree, message=message)


def test_a_branch_that_moved_after_staging_is_not_overwritten(place):
    worktree = place.session()
    folder = Path(worktree.folder)
    write(folder, "a.txt", "edited\n")
    staged = commits.stage_tree(worktree, None)
    place.git("commit", "-q", "--allow-empty", "-m", "meanwhile", cwd=folder)
    moved = place.git("rev-parse", "agentos/fix-1")
    before = Path(worktree.admin_dir, "index").read_bytes()
    with pytest.raises(UserError, match="moved while"):
        commits.commit(worktree, staged, "Do it", WHO, {}, AT)
    assert place.git("rev-parse", "agentos/fix-1") == moved
    assert Path(worktree.admin_dir, "index").read_bytes() == before
    assert [path.name for path in Path(worktree.admin_dir).iterdir() if "lock" in path.name or "next" in path.name] == [
        "locked"
    ]


def test_an_agent_that_left_its_branch_is_told(place):
    worktree = place.session()
    write(Path(worktree.folder), "a.txt", "edited\n")
    place.git("switch", "-q", "-c", "mine", cwd=Path(worktree.folder))
    with pytest.raises(UserError, match="no longer on its branch"):
        commit(worktree)


def test_a_deleted_branch_is_told(place):
    worktree = place.session()
    place.git("update-ref", "-d", "refs/heads/agentos/fix-1")
    with pytest.raises(UserError, match="is gone"):
        commits.stage_tree(worktree, None)


def test_another_git_command_in_the_worktree_makes_it_wait(place):
    worktree = place.session()
    write(Path(worktree.folder), "a.txt", "edited\n")
    Path(worktree.admin_dir, "index.lock").touch()
    with pytest.raises(EffectError) as caught:
        commit(worktree)
    assert caught.value.retry_may_help
    assert place.git("rev-parse", "agentos/fix-1") == worktree.base
    Path(worktree.admin_dir, "index.lock").unlink()
    commit(worktree)


def test_a_broken_index_is_replaced(place):
    worktree = place.session()
    write(Path(worktree.folder), "a.txt", "edited\n")
    Path(worktree.admin_dir, "index").write_bytes(b"rubbish")
    commit(worktree)
    assert place.git("status", "--porcelain", cwd=Path(worktree.folder)) == ""


def test_an_index_swapped_for_a_link_is_not_written_through(place):
    outside = write(place.root.parent, "outside", "precious")
    worktree = place.session()
    write(Path(worktree.folder), "a.txt", "edited\n")
    Path(worktree.admin_dir, "index").unlink()
    Path(worktree.admin_dir, "index").symlink_to(outside)
    commit(worktree)
    assert outside.read_text() == "precious"
    assert place.git("status", "--porcelain", cwd=Path(worktree.folder)) == ""


def test_the_time_zone_and_a_strange_name_are_kept_as_git_can(place):
    worktree = place.session()
    write(Path(worktree.folder), "a.txt", "edited\n")
    staged = commits.stage_tree(worktree, None)
    at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=-3, minutes=-30)))
    made = commits.commit(worktree, staged, "Do it", repository.Identity("<Ü>\n", " "), {}, at)
    assert place.git("show", "-s", "--format=%an <%ae> %aI", made) == "Ü <agentos@localhost> 2026-01-02T03:04:05-03:30"


@pytest.mark.parametrize(
    ("message", "whole"),
    [
        ("Fix\n", "Fix\n\nAgentOS-Session: s\n"),
        ("Fix\n\nBecause.", "Fix\n\nBecause.\n\nAgentOS-Session: s\n"),
        ("Fix\n\nSigned-off-by: A\nCloses: #1", "Fix\n\nSigned-off-by: A\nCloses: #1\nAgentOS-Session: s\n"),
        ("Key: value", "Key: value\n\nAgentOS-Session: s\n"),
    ],
)
def test_trailers_are_one_block_at_the_end(message, whole):
    assert commits.with_trailers(message, {"AgentOS-Session": "s"}) == whole


def test_a_trailer_stays_on_one_line():
    assert commits.with_trailers("x", {"Key": "a\nForged: b"}) == "x\n\nKey: a Forged: b\n"
    assert commits.with_trailers("x", {}) == "x\n"


def test_git_commit_in_the_worktree_still_works_after_ours(place):
    worktree = place.session()
    folder = Path(worktree.folder)
    write(folder, "a.txt", "one\n")
    commit(worktree)
    write(folder, "a.txt", "two\n")
    subprocess.run(["git", "commit", "-qam", "by git"], cwd=folder, check=True)
    write(folder, "a.txt", "three\n")
    made = commit(worktree)
    assert place.git("rev-list", "--count", f"{worktree.base}..{made}") == "3"


def test_a_name_that_git_keeps_for_itself_is_refused(place):
    worktree = place.session()
    write(Path(worktree.folder), "git~1/config", "x\n")
    with pytest.raises(UserError, match="a name that git keeps for itself"):
        commits.stage_tree(worktree, None)


def test_an_index_swapped_for_a_link_to_the_persons_index_leaves_that_alone(place):
    worktree = place.session()
    write(Path(worktree.folder), "a.txt", "edited\n")
    before = (place.root / ".git" / "index").read_bytes()
    Path(worktree.admin_dir, "index").unlink()
    Path(worktree.admin_dir, "index").symlink_to(place.root / ".git" / "index")
    commit(worktree)
    assert (place.root / ".git" / "index").read_bytes() == before
    assert place.git("status", "--porcelain", cwd=Path(worktree.folder)) == ""
