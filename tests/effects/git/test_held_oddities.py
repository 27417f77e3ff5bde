"""Which files are held where attribute files are odd, or hostile, and where submodules lie among them."""

from pathlib import Path

import pytest

from agentos_lsp.domain.errors import EffectError
from agentos_lsp.effects.git import changes, commits, held
from tests.effects.git.conftest import write
from tests.effects.git.test_held import Filtered, paths


@pytest.fixture
def filtered(place):
    return Filtered(place)


def test_a_submodule_is_none_of_the_files_that_a_filter_keeps(filtered):
    place = filtered.place
    place.commit(**{".gitattributes": "*.up filter=upper\nlibs/** filter=upper\n"})
    place.git("update-index", "--add", "--cacheinfo", f"160000,{place.git('rev-parse', 'HEAD')},libs/x")
    place.git("commit", "-qm", "a submodule")
    worktree = filtered.session()
    assert paths(worktree) == ()


def test_an_attribute_file_that_would_take_long_is_refused_in_a_commit(filtered):
    worktree = filtered.session()
    write(Path(worktree.folder), ".gitattributes", "*3f?[a]*3f x\n" * 60_000)
    staged = commits.stage_tree(worktree, [".gitattributes"])
    with pytest.raises(EffectError, match="larger than 65536 bytes"):
        held.among(worktree, ["a.txt"], [staged.tree])
    assert paths(worktree) == (".gitattributes",)


def test_a_macro_in_quotes_and_a_line_that_ends_in_a_nul_hold_as_git_has_it(filtered):
    for text in ('"[attr]up" filter=upper\n*.up up\n', "*.up filter=upper\0x\n"):
        filtered.place.commit(**{".gitattributes": text})
        assert filtered.place.git("check-attr", "filter", "big.up").endswith(": upper")
        worktree = filtered.session(f"fix-{len(text)}")
        write(Path(worktree.folder), "big.up", "changed\n")
        (change,) = changes.changes(worktree, worktree.base)
        assert change.held.startswith("kept by the filter upper: ")


def test_a_large_attribute_file_that_the_base_has_already_refuses_no_commit(filtered):
    filtered.place.commit(**{".gitattributes": "# long\n" * 10_000 + "*.up filter=upper\n"})
    worktree = filtered.session()
    write(Path(worktree.folder), "a.txt", "other\n")
    staged = commits.stage_tree(worktree, ["a.txt"])
    assert held.among(worktree, ["a.txt"], [staged.tree]) == {}
