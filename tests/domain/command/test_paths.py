"""Path arithmetic: where an argument lies."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentos_lsp.domain.command import paths
from agentos_lsp.domain.command.invocation import Glob, Known, Prefix, Target, Unknown
from agentos_lsp.domain.command.surroundings import Surroundings

HERE = Surroundings(
    cwd="/code/tree",
    worktree="/code/tree",
    scratch=("/scratch", "/tmp/agent-7"),
    links={
        "/code/tree/out": "/etc",
        "/code/tree/in": "/code/tree/src",
        "/code/tree/round": "/code/tree/round",
        "/code/tree/deep": "/code/tree/out/deep",
        "/home/back": "/code/tree",
    },
)


def lies(text: str, cwd: str | None = "/code/tree", *, follow: bool = True) -> tuple[str | None, str]:
    found = paths.target(Known(text), cwd, HERE, follow=follow)
    return found.path, found.place


@pytest.mark.parametrize(
    ("text", "path", "place"),
    [
        ("a", "/code/tree/a", "worktree"),
        ("./a//b/../c", "/code/tree/a/c", "worktree"),
        (".", "/code/tree", "root"),
        ("/code/tree/", "/code/tree", "root"),
        ("a/..", "/code/tree", "root"),
        ("..", "/code", "outside"),
        ("../tree", "/code/tree", "root"),
        ("../tree2/a", "/code/tree2/a", "outside"),
        ("/", "/", "outside"),
        ("//etc//passwd", "/etc/passwd", "outside"),
        (".git", "/code/tree/.git", "git"),
        (".git/hooks/x", "/code/tree/.git/hooks/x", "git"),
        (".GIT/config", "/code/tree/.GIT/config", "git"),
        ("git~1", "/code/tree/git~1", "git"),
        (".git ./x", "/code/tree/.git ./x", "git"),
        (".g\u200cit", "/code/tree/.g\u200cit", "git"),
        (".github", "/code/tree/.github", "worktree"),
        ("sub/.git", "/code/tree/sub/.git", "worktree"),
        ("/scratch", "/scratch", "scratch"),
        ("/scratch/a", "/scratch/a", "scratch"),
        ("/scratchy", "/scratchy", "outside"),
        ("/tmp/agent-7/x", "/tmp/agent-7/x", "scratch"),
        ("/tmp", "/tmp", "outside"),
        ("/dev/null", "/dev/null", "null"),
        ("/dev/fd/1", "/dev/fd/1", "null"),
        ("/dev/fd/7", "/dev/fd/7", "unknown"),
        ("/dev/sda1", "/dev/sda1", "device"),
        ("/dev/disk/by-id/x", "/dev/disk/by-id/x", "device"),
        ("/dev/nvme0n1", "/dev/nvme0n1", "device"),
        ("/dev/nul", "/dev/nul", "outside"),
        ("/dev/shm/x", "/dev/shm/x", "outside"),
        ("/dev", "/dev", "outside"),
    ],
)
def test_a_path_is_normalised_and_placed_by_components(text: str, path: str, place: str) -> None:
    assert lies(text) == (path, place)


@pytest.mark.parametrize(
    ("text", "path", "place"),
    [
        ("out", "/etc", "outside"),
        ("out/passwd", "/etc/passwd", "outside"),
        ("out/../x", "/x", "outside"),
        ("OUT/passwd", "/etc/passwd", "outside"),
        ("in/a", "/code/tree/src/a", "worktree"),
        ("deep/a", "/etc/deep/a", "outside"),
        ("/home/back/a", "/code/tree/a", "worktree"),
        ("/home/BACK/a", "/home/BACK/a", "outside"),
        ("round", None, "unknown"),
        ("round/x", None, "unknown"),
    ],
)
def test_links_are_followed_component_by_component(text: str, path: str | None, place: str) -> None:
    assert lies(text) == (path, place)


def test_a_link_itself_is_named_without_a_trailing_slash_only() -> None:
    assert lies("out", follow=False) == ("/code/tree/out", "worktree")
    assert lies("out/", follow=False) == ("/etc", "outside")
    assert lies("out/x", follow=False) == ("/etc/x", "outside")


@pytest.mark.parametrize("text", ["a", ".", "..", "../.."])
def test_a_relative_path_from_an_unknown_folder_is_unknown(text: str) -> None:
    assert lies(text, cwd=None) == (None, "unknown")
    assert lies("/etc", cwd=None) == ("/etc", "outside")


def test_an_empty_and_an_endless_path_are_unknown() -> None:
    assert lies("") == (None, "unknown")
    assert lies("/" + "a/" * 5000) == (None, "unknown")


@pytest.mark.parametrize(
    ("pattern", "path", "place"),
    [
        ("*", "/code/tree", "worktree"),
        ("./*", "/code/tree", "worktree"),
        ("src/*.py", "/code/tree/src", "worktree"),
        (".*", "/code/tree", "git"),
        (".g?t", "/code/tree", "git"),
        (".[a-z]*/hooks", "/code/tree", "git"),
        ("../*", "/code", "outside"),
        ("/etc/*", "/etc", "outside"),
        ("/*", "/", "outside"),
        ("/scratch/*", "/scratch", "scratch"),
        ("*/../../x", "/code/tree", "outside"),
        ("*/../x", None, "unknown"),
        (".*/x", None, "unknown"),
        ("out/*", "/etc", "outside"),
        ("o*/passwd", "/code/tree", "outside"),
        ("o*", "/code/tree", "worktree"),
        ("round/*", None, "unknown"),
    ],
)
def test_what_a_pattern_matches_lies_below_its_folder(pattern: str, path: str | None, place: str) -> None:
    found = paths.target(Glob(pattern, ""), "/code/tree", HERE)
    assert found == Target(path, place, under=True, shown=pattern)


@pytest.mark.parametrize(
    ("text", "path", "place"),
    [
        ("/etc/", "/etc", "outside"),
        ("/etc/pass", "/etc", "outside"),
        ("/", "/", "outside"),
        ("/tmp/agent-", None, "unknown"),
        ("/cod", None, "unknown"),
        ("../", "/code", "outside"),
        ("src/", None, "unknown"),
        ("a", None, "unknown"),
        ("out/", "/etc", "outside"),
    ],
)
def test_a_prefix_outside_stays_outside_and_one_inside_may_climb_out(text: str, path: str | None, place: str) -> None:
    found = paths.target(Prefix(text, quoted=True), "/code/tree", HERE)
    assert found == Target(path, place, under=True, shown=text)


def test_a_word_of_which_nothing_is_known_is_unknown() -> None:
    found = paths.target(Unknown("$x", quoted=False), "/code/tree", HERE)
    assert found == Target(None, "unknown", under=False, shown="$x")


def test_a_folder_that_holds_the_worktree_is_outside_even_if_it_is_scratch() -> None:
    nested = Surroundings(cwd="/tmp/x/tree", worktree="/tmp/x/tree", scratch=("/tmp",))
    assert paths.target(Known("/tmp"), None, nested).place == "outside"
    assert paths.target(Known("/tmp/x"), None, nested).place == "outside"
    assert paths.target(Known("/tmp/y"), None, nested).place == "scratch"
    assert paths.target(Known("/tmp/x/tree/a"), None, nested).place == "worktree"


def test_containment_is_by_components() -> None:
    assert paths.contains("/a/b", "/a/b")
    assert paths.contains("/a/b", "/a/b/c")
    assert paths.contains("/", "/x")
    assert not paths.contains("/a/b", "/a/bc")
    assert not paths.contains("/a/b", "/a")


@given(st.lists(st.sampled_from(["a", "..", ".", "", "out", "in", ".git"]), max_size=8))
@settings(max_examples=200, deadline=None)
def test_a_path_said_to_be_inside_never_leaves_the_worktree(components: list[str]) -> None:
    found = paths.target(Known("/".join(["src", *components])), "/code/tree", HERE)
    inside = found.path is not None and paths.contains("/code/tree", found.path)
    assert inside == (found.place in ("worktree", "root", "git"))
