"""Trees are read as the bytes they are: what could lead outside is refused, and what is kept of them is bounded."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pygit2.enums import ObjectType

from agentos_lsp.domain.errors import EffectError
from agentos_lsp.effects.git import trees

NAMES = [
    b"git",
    b".git",
    b".GIT",
    b".git ",
    b".git. .",
    b"git~1",
    b"GIT~1",
    b".gitignore",
    b"digit",
    b".",
    b"..",
    b"...",
]
NAMES += [
    b"a",
    b"a/b",
    b"/",
    "é".encode(),
    ".g\u200cit".encode(),
    "\ufeff.git".encode(),
    ".gi\u206at".encode(),
    b"\xff",
]


@given(st.lists(st.sampled_from(NAMES), max_size=4, unique=True))
def test_a_tree_is_refused_exactly_if_a_name_in_it_is(repository, names):
    data = b"".join(b"100644 " + name + b"\0" + b"n" * 20 for name in names)
    tree = repository.write(ObjectType.TREE, data).raw
    if any(trees.is_forbidden(name) for name in names):
        with pytest.raises(EffectError):
            trees.entries(repository, tree)
    else:
        for _ in range(2):
            assert list(trees.entries(repository, tree)) == names


@pytest.mark.parametrize(
    "data", [b"100644 a\0short", b"100644\0" + b"n" * 20, b"x44 a\0" + b"n" * 20, b"100644 \0" + b"n" * 20]
)
def test_bytes_that_are_no_tree_are_refused(repository, data):
    with pytest.raises(EffectError, match="not a tree"):
        trees.entries(repository, repository.write(ObjectType.TREE, data).raw)


def test_a_blob_is_no_tree(repository):
    with pytest.raises(EffectError, match="not a tree"):
        trees.entries(repository, repository.create_blob(b"").raw)


def test_a_long_text_that_is_no_tree_is_refused_in_one_go(repository):
    for text in (b"0", b"0 "):
        with pytest.raises(EffectError, match="not a tree"):
            trees.entries(repository, repository.write(ObjectType.TREE, text * 300_000).raw)


def test_a_tree_with_long_names_counts_for_as_much_as_it_takes(repository, monkeypatch):
    kept = trees._Read()
    monkeypatch.setattr(trees, "_READ", kept)
    for number in range(8):
        name = b"%d" % number + b"x" * (1 << 20)
        trees.entries(repository, trees.written(repository, {name: trees.Entry(trees.FILE, b"n" * 20)}))
    assert sum(len(name) for one in kept._trees.values() for name in one) <= 256 * trees.KEPT


def test_what_is_kept_is_bounded_and_what_was_dropped_is_read_again(repository, monkeypatch):
    kept = trees._Read()
    monkeypatch.setattr(trees, "_READ", kept)
    monkeypatch.setattr(trees, "KEPT", 10)
    made = [
        trees.written(repository, {b"%d-%d" % (number, one): trees.Entry(trees.FILE, b"n" * 20) for one in range(4)})
        for number in range(9)
    ]
    for _ in range(2):
        for number, tree in enumerate(made):
            assert min(trees.entries(repository, tree)) == b"%d-0" % number
            assert sum(len(one) for one in kept._trees.values()) <= 10
