"""Probing: which repositories a session can work on, and the words for those it cannot."""

import os
import subprocess
from pathlib import Path

import pytest

from agentos_lsp.domain.errors import UserError
from agentos_lsp.effects.git import features, repository


def refusal(path: Path) -> str:
    with pytest.raises(UserError) as caught:
        repository.probe(str(path))
    assert caught.value.hint
    return caught.value.message


def test_a_folder_inside_a_checkout_finds_it(place):
    head = place.git("rev-parse", "HEAD")
    assert repository.probe(str(place.root / "src" / "deep")) == repository.Checkout(
        root=str(place.root),
        git_dir=str(place.root / ".git"),
        common_dir=str(place.root / ".git"),
        branch="main",
        head=head,
        default_branch="main",
        shallow=False,
        submodules=(),
    )


def test_a_detached_head_has_no_branch(place):
    place.git("switch", "-q", "--detach")
    assert place.checkout().branch is None


def test_a_linked_worktree_shares_the_common_folder(place):
    place.git("worktree", "add", "-q", "-b", "other", "../other")
    found = repository.probe(str(place.root.parent / "other"))
    assert (found.common_dir, found.branch) == (str(place.root / ".git"), "other")
    assert found.git_dir == str(place.root / ".git" / "worktrees" / "other")


def test_the_default_branch_is_where_the_remote_points(place):
    place.git("update-ref", "refs/remotes/origin/devel", "HEAD")
    place.git("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/devel")
    assert place.checkout().default_branch == "devel"


def test_a_folder_without_a_repository_is_refused(tmp_path):
    assert "not inside a git repository" in refusal(tmp_path)


def test_a_bare_repository_is_refused(place):
    place.git("clone", "-q", "--bare", ".", "../bare.git")
    assert "bare repository" in refusal(place.root.parent / "bare.git")


def test_a_repository_without_a_commit_is_refused(tmp_path):
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    assert "no commit yet" in refusal(tmp_path)


def test_a_sha256_repository_is_refused(tmp_path):
    subprocess.run(["git", "init", "-q", "--object-format=sha256", str(tmp_path)], check=True)
    assert "SHA-256" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [("refStorage", "reftable", "reftable"), ("somethingNew", "1", "not supported")],
)
def test_an_extension_that_is_not_understood_is_refused(place, name, value, words):
    place.git("config", "core.repositoryFormatVersion", "1")
    with (place.root / ".git" / "config").open("a") as file:
        file.write(f"[extensions]\n\t{name} = {value}\n")
    assert words in refusal(place.root)


def test_a_split_index_is_refused(place):
    place.git("update-index", "--split-index")
    assert "split index" in refusal(place.root)


def test_a_sparse_index_is_refused(place):
    place.git("sparse-checkout", "set", "--cone", "--sparse-index", "dir ü")
    assert "sparse index" in refusal(place.root)
    place.git("sparse-checkout", "reapply", "--no-sparse-index")
    assert place.checkout().branch == "main"


def test_a_partial_clone_is_refused(place):
    place.git("config", "uploadpack.allowFilter", "true")
    place.git("clone", "-q", "--filter=blob:none", f"file://{place.root}", "../partial")
    assert "partial clone" in refusal(place.root.parent / "partial")


def test_another_owner_is_told_about_safe_directory(place):
    if os.getuid() == 0:
        for folder in (place.root, place.root / ".git"):
            os.chown(folder, 12345, 12345)
        assert "belongs to another user" in refusal(place.root)
    words = features.unopenable("/x/.git/", "repository path '/x/' is not owned by current user")
    assert str(words) == (
        "The repository at /x belongs to another user, so git does not trust it. "
        "If you trust it, run `git config --global --add safe.directory /x` and try again."
    )


def test_a_repository_that_cannot_be_opened_for_another_reason_is_an_effect_error():
    assert str(features.unopenable("/x/.git/", "disk on fire")) == (
        "Could not open the repository at /x/.git/: disk on fire"
    )


@pytest.mark.parametrize("part", ["clean", "smudge", "process"])
def test_filters_and_other_encodings_are_no_reason_to_refuse(place, part):
    place.commit(**{"src/.gitattributes": "*.bin filter=lfs diff=lfs -text\n*.txt working-tree-encoding=UTF-16\n"})
    place.git("config", f"filter.lfs.{part}", "git-lfs something")
    assert place.checkout().head == place.git("rev-parse", "HEAD")


def test_submodules_are_allowed_and_named(place):
    place.git("update-index", "--add", "--cacheinfo", f"160000,{place.git('rev-parse', 'HEAD')},sub")
    place.git("commit", "-qm", "sub")
    assert place.checkout().submodules == ("sub",)


def test_a_shallow_clone_is_allowed(place):
    place.commit(**{"a.txt": "later\n"})
    place.git("clone", "-q", "--depth=1", f"file://{place.root}", "../shallow")
    assert repository.probe(str(place.root.parent / "shallow")).shallow


def test_what_is_uncommitted_is_listed(place):
    assert repository.uncommitted(place.checkout()) == ()
    place.write("a.txt", "changed\n")
    place.write("new.txt", "untracked\n")
    place.write("staged.txt", "staged\n")
    place.git("add", "staged.txt")
    (place.root / "src" / "b.py").unlink()
    assert repository.uncommitted(place.checkout()) == ("a.txt", "src/b.py", "staged.txt")


def test_the_identity_is_that_of_git(place):
    assert repository.identity(place.checkout()) == repository.Identity("Test Person", "person@example.invalid")
    place.git("config", "user.name", "Somebody Else")
    assert repository.identity(place.checkout()) == repository.Identity("Somebody Else", "person@example.invalid")


def test_a_branch_is_resolved(place):
    assert repository.resolve(place.checkout(), "main") == place.git("rev-parse", "main")
    assert repository.resolve(place.checkout(), "nowhere") is None
