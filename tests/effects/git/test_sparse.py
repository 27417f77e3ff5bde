"""A sparse checkout: a session has every file of the commit, and a merge writes none that the checkout leaves out."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentos_lsp.effects.git import changes, commits, merges, repository
from tests.effects.git.conftest import AT, write

WHO = repository.Identity("Agent", "agent@example.invalid")


@pytest.fixture(params=["its own settings", "settings of all worktrees"])
def sparse(request, place):
    """A checkout with `src` and the files of the root, but not `dir ü`."""
    place.git("sparse-checkout", "set", "--cone", "src")
    if request.param == "settings of all worktrees":
        place.git("config", "core.sparseCheckout", "true")
        place.git("config", "--unset", "extensions.worktreeConfig")
    assert not (place.root / "dir ü").exists()
    return place


def work(worktree, **files: str) -> None:
    for path, text in files.items():
        write(Path(worktree.folder), path, text)
    staged = commits.stage_tree(worktree, None)
    commits.commit(worktree, staged, "work", WHO, {}, AT)


def merged(place, strategy="merge"):
    return merges.merge(
        place.checkout(), "agentos/fix-1", "main", strategy, "merged", WHO, AT, protected_paths=frozenset()
    )


def test_a_session_has_every_file_of_the_commit(sparse):
    worktree = sparse.session()
    assert Path(worktree.folder, "dir ü/naïve.txt").read_text() == "é\n"
    assert Path(worktree.folder, "src/b.py").is_file()
    assert changes.changed_paths(worktree, worktree.base) == ()
    assert sparse.git("status", "--porcelain", cwd=worktree.folder) == ""
    assert not (sparse.root / "dir ü").exists()


def test_files_that_the_checkout_has_are_merged_and_undone(sparse):
    before = sparse.git("rev-parse", "HEAD")
    left_out = [row for row in sparse.git("ls-files", "-t").splitlines() if row.startswith("S ")]
    work(sparse.session(), **{"src/b.py": "merged\n", "src/new.py": "new\n", "top.txt": "top\n"})
    made = merged(sparse)
    assert isinstance(made, merges.Merged)
    assert (sparse.root / "src/b.py").read_text() == "merged\n"
    assert sparse.git("status", "--porcelain") == ""
    assert not (sparse.root / "dir ü").exists()
    rows = sparse.git("ls-files", "-t").splitlines()
    assert [row for row in rows if row.startswith("S ")] == left_out != []
    assert merges.undo(sparse.checkout(), "main", made.commit, repository.CommitId(before), frozenset()) is None
    assert sparse.git("status", "--porcelain") == ""
    assert not (sparse.root / "src/new.py").exists()


@pytest.mark.parametrize("path", ["dir ü/naïve.txt", "dir ü/new.txt", "dir ü/deeper/new.txt"])
def test_files_that_the_checkout_leaves_out_are_not_written(sparse, path):
    worktree = sparse.session()
    work(worktree, **{path: "merged\n", "src/b.py": "merged\n"})
    refused = merged(sparse)
    assert isinstance(refused, merges.Refused)
    assert refused.paths == (path,)
    assert "`git merge agentos/fix-1`" in refused.reason
    found = merges.preview(sparse.checkout(), "agentos/fix-1", "main")
    assert isinstance(merges.hindrance(sparse.checkout(), found, "main", frozenset()), merges.Refused)
    assert sparse.git("status", "--porcelain") == ""
    assert not (sparse.root / "dir ü").exists()
    # What the refusal names does it.
    sparse.git("merge", "-q", "agentos/fix-1")
    assert sparse.git("show", f"HEAD:{path}") == "merged"
    assert not (sparse.root / "dir ü").exists()


def test_a_removal_of_a_file_that_the_checkout_leaves_out_is_refused_too(sparse):
    worktree = sparse.session()
    Path(worktree.folder, "dir ü/naïve.txt").unlink()
    work(worktree)
    assert isinstance(merged(sparse), merges.Refused)
