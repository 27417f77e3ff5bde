"""A worktree with a world outside it, opened by each way of resolving."""

import sys

import pytest

from agentos_lsp.effects.files import beneath, tree

WAYS = [beneath.Walking()]
if sys.platform == "linux" and beneath.best().name == "openat2":
    WAYS.append(beneath.Openat2())


@pytest.fixture(params=WAYS, ids=lambda way: way.name)
def opener(request):
    return request.param


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "worktree"
    folder.mkdir()
    (folder / ".git").write_text("gitdir: /elsewhere\n")
    return folder


@pytest.fixture
def outside(tmp_path):
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "secret").write_text("secret")
    return folder


@pytest.fixture
def worktree(root, outside, opener):
    with tree.ConfinedTree(str(root), opener) as confined:
        yield confined
