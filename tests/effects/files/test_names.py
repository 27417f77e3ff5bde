"""Every name that some file system reads as `.git` is known as such, and no other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentos_lsp.effects.files import names

GIT = [
    ".git", ".GIT", ".Git", "git~1", "GIT~1", "git~2", ".git.", ".git ", ".git . .", ".git::$INDEX_ALLOCATION",
    ".git:stream",
    ".g\u200cit", "\ufeff.git", ".git\u202e", ".gi\u206at", ".git\\config",
]  # fmt: skip
NOT_GIT = [
    "git",
    ".gitignore",
    ".gitattributes",
    ".github",
    ".git2",
    "..git",
    ".gi",
    "a.git",
    "x.git",
    "git~",
    ".git-x",
    " .git",
]


@pytest.mark.parametrize("name", GIT)
def test_a_disguise_of_git_is_seen_through(name):
    assert names.is_git_name(name)


@pytest.mark.parametrize("name", NOT_GIT)
def test_an_ordinary_name_is_not_taken_for_git(name):
    assert not names.is_git_name(name)


@given(st.text(max_size=60))
def test_components_never_climb_nor_hold_a_slash(path):
    parts = names.components(path, ["/root"])
    if isinstance(parts, tuple):
        assert all(part not in {"", ".", ".."} and "/" not in part and "\0" not in part for part in parts)
        assert not path.startswith("/") or path == "/root" or path.startswith("/root/")
