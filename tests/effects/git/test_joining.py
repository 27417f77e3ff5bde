"""Where two sides changed different paths, joining them gives what libgit2's merge gives; elsewhere it gives way."""

from __future__ import annotations

import pygit2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentos_lsp.effects.git import joining, trees

PATHS = ["a", "b", "d/a", "d/b", "d/e/a", "d/e/b", "f/a", "d", "d/e"]
TEXTS = [f"{word} {'x' * 40}\n" * 8 for word in ("one", "two", "three")]
Files = dict[str, str]


def sound(files: Files) -> Files:
    """Leaves out files that stand where others need a folder."""
    return {path: text for path, text in files.items() if not any(other.startswith(f"{path}/") for other in files)}


def commit(repository, files: Files, *parents) -> pygit2.Commit:
    edits = {
        path.encode(): trees.Entry(trees.FILE, repository.create_blob(text.encode()).raw)
        for path, text in sound(files).items()
    }
    tree = trees.edited(repository, None, edits) or trees.empty(repository)
    who = pygit2.Signature("T", "t@example.invalid", 0, 0)
    made = repository.create_commit(None, who, who, "x", pygit2.Oid(raw=tree), [parent.id for parent in parents])
    return repository[made].peel(pygit2.Commit)


sides = st.dictionaries(st.sampled_from(PATHS), st.sampled_from(TEXTS), max_size=6)


@given(base=sides, ours=sides, theirs=sides)
@settings(max_examples=300)
def test_it_gives_what_libgit2_gives_or_gives_way(repository, base, ours, theirs):
    common = commit(repository, base)
    mine, yours = commit(repository, ours, common), commit(repository, theirs, common)
    found = joining.joined(repository, common, mine, yours)
    if found is None:
        return
    index = repository.merge_commits(mine, yours)
    assert index.conflicts is None
    assert index.write_tree(repository).raw == found[0]
    assert list(found[1]) == [path for path, _, _ in trees.difference(repository, mine.tree_id.raw, found[0])]


def test_it_joins_changes_of_different_files(repository):
    common = commit(repository, {"a": TEXTS[0], "d/b": TEXTS[0]})
    mine = commit(repository, {"a": TEXTS[1], "d/b": TEXTS[0]}, common)
    yours = commit(repository, {"a": TEXTS[0], "d/e/a": TEXTS[1]}, common)
    tree, paths = joining.joined(repository, common, mine, yours)
    assert paths == (b"d/b", b"d/e/a")
    assert tree == commit(repository, {"a": TEXTS[1], "d/e/a": TEXTS[1]}).tree_id.raw


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({"a": TEXTS[1]}, {"a": TEXTS[2]}),
        ({}, {"b": TEXTS[0]}),
        ({"a": TEXTS[0], "b": TEXTS[0]}, {"b": TEXTS[0]}),
        ({"moved": TEXTS[0]}, {"a": TEXTS[1]}),
        ({"a": TEXTS[0], "x": TEXTS[1]}, {"a": TEXTS[0], "x/y": TEXTS[1]}),
    ],
)
def test_it_gives_way_where_both_sides_meet(repository, ours, theirs):
    common = commit(repository, {"a": TEXTS[0]})
    mine, yours = commit(repository, ours, common), commit(repository, theirs, common)
    assert joining.joined(repository, common, mine, yours) is None
    assert joining.joined(repository, common, yours, mine) is None


def test_it_gives_way_where_more_than_one_commit_may_be_the_last_in_common(repository):
    common = commit(repository, {"a": TEXTS[0]})
    one, two = (commit(repository, {"a": TEXTS[0], name: TEXTS[1]}, common) for name in ("b", "f/a"))
    both = {"a": TEXTS[0], "b": TEXTS[1], "f/a": TEXTS[1]}
    mine, yours = commit(repository, both, one, two), commit(repository, {**both, "d/a": TEXTS[1]}, two, one)
    assert joining.joined(repository, repository[one.id].peel(pygit2.Commit), mine, yours) is None
