"""Our own answer for filters and encodings against that of `git check-attr`."""

from __future__ import annotations

import itertools
import os
import random
import subprocess
import sys

import pytest

from agentos_lsp.effects.git import attributes, wildmatch

ROUNDS = int(os.environ.get("ATTRIBUTE_ROUNDS", "6"))
"""How many random repositories are compared."""


@pytest.mark.parametrize(
    ("pattern", "path", "meant"),
    [
        (b"*.psd", b"a/b/c.psd", True),
        (b"*.psd", b"a.psd.txt", False),
        (b"/a", b"a", True),
        (b"/a", b"b/a", False),
        (b"docs/*.txt", b"docs/a.txt", True),
        (b"docs/*.txt", b"docs/deep/a.txt", False),
        (b"docs/**", b"docs/deep/a.txt", True),
        (b"**/a", b"x/y/a", True),
        (b"**/a", b"a", True),
        (b"x/**/a", b"x/a", True),
        (b"x/**/a", b"x/1/2/a", True),
        (b"x/**/y/**/a", b"x/y/y/b/a", True),
        (b"docs/", b"docs/a", False),
        (b"[a-c]?[!x]", b"bzy", True),
        (b"[a-c]?[!x]", b"bzx", False),
        (b"[[:digit:]]*", b"7up", True),
        (b"a[/]b", b"a/b", False),
        (b"\\*", b"*", True),
        (b"\\*", b"a", False),
        (b"[a", b"a", False),
    ],
)
def test_a_pattern_means_what_it_means_to_git(pattern, path, meant):
    found = wildmatch.parse(pattern, ignore_case=False)
    assert (found is not None and found.matches(path)) is meant


@pytest.mark.parametrize("pattern", [b"*a" * 400 + b"b", b"**/*a/" * 300 + b"b"])
def test_no_pattern_takes_long(pattern):
    found = wildmatch.parse(pattern, ignore_case=False)
    assert found is not None
    assert not found.matches(b"a" * 3000)
    assert not found.matches(b"/".join([b"a"] * 1500))


def test_macros_quotes_and_the_order_of_files_count():
    files = {
        b"": b'[attr]big filter=lfs -text\n*.bin big\n"with\\040blank" filter=one\n'
        b"*.txt working-tree-encoding=UTF-16\n",
        b"plain": b"*.bin -filter\n*.txt !working-tree-encoding\n",
    }
    found = attributes.Attributes(files.get, above=[b"top.bin filter=above\n"], below=[b"* filter=below\n"])
    assert found.of(b"a.bin") == {b"filter": b"lfs"}
    assert found.of(b"plain/a.bin") == {b"filter": False}
    assert found.of(b"with blank") == {b"filter": b"one"}
    assert found.of(b"top.bin") == {b"filter": b"above"}
    assert found.of(b"x/a.txt") == {b"working-tree-encoding": b"UTF-16", b"filter": b"below"}
    assert found.of(b"plain/a.txt") == {b"filter": b"below"}


@pytest.mark.parametrize("ignore_case", [False, True])
def test_it_says_what_git_says_of_random_files(place, ignore_case):
    place.git("config", "core.ignoreCase", str(ignore_case).lower())
    seed = int(os.environ.get("ATTRIBUTE_SEED", "0")) or random.randrange(sys.maxsize)
    chance = random.Random(seed)
    names = ["a", "b", "A", "ab", "a.b", "x-y", "a b", "[a]", "a]", "7", "é", "*", "\\"]
    paths = ["/".join(steps) for size in (1, 2, 3) for steps in itertools.product(names[: 9 - 2 * size], repeat=size)]
    paths += names
    for _ in range(ROUNDS):
        files = {folder: "".join(_row(chance) for _ in range(8)) for folder in ("", "a", "b", "a/b", "A")}
        above = "".join(_row(chance) for _ in range(2))
        for folder, text in files.items():
            place.write(f"{folder}/.gitattributes".lstrip("/"), text)
        place.write(".git/info/attributes", above)
        told = subprocess.run(
            ["git", "check-attr", "-z", "--stdin", "filter", "working-tree-encoding"],
            cwd=place.root, input=b"\0".join(map(os.fsencode, paths)), check=True, capture_output=True,
        ).stdout.split(b"\0")  # fmt: skip
        said: dict[bytes, dict[bytes, object]] = {os.fsencode(path): {} for path in paths}
        for path, name, value in zip(*[iter(told[:-1])] * 3, strict=True):
            if value != b"unspecified":
                said[path][name] = {b"set": True, b"unset": False}.get(value, value)
        texts = {os.fsencode(folder): os.fsencode(text) for folder, text in files.items()}
        ours = attributes.Attributes(texts.get, above=[os.fsencode(above)], ignore_case=ignore_case)
        for path, expected in said.items():
            assert ours.of(path) == expected, (seed, path, files, above)


def _row(chance: random.Random) -> str:
    pieces = [
        "a",
        "b",
        "A",
        ".",
        "*",
        "**",
        "?",
        "/",
        "/**/",
        "[ab]",
        "[!a]",
        "[a-b",
        "[[:alpha:]]",
        "\\*",
        "]",
        "é",
        "**/",
        "[A]",
        "[^A]",
        "[[:a]",
        "[^[:upper:]]",
    ]
    pattern = "".join(chance.choice(pieces) for _ in range(chance.randint(1, 5)))
    if chance.random() < 0.15:
        pattern = '"' + pattern.replace("\\", "\\\\").replace("é", "\\303\\251") + '"'
    if chance.random() < 0.2:
        macro = f"[attr]{chance.choice('mn')}"
        pattern = chance.choice([macro, macro, f'"{macro}"', "[attr]"])
    given = ["filter=one", "filter=two", "-filter", "!filter", "filter", "m", "n", "-m", "working-tree-encoding=UTF-16"]
    given += ["text", "-text", "!working-tree-encoding", "-working-tree-encoding"]
    return f"{pattern} {' '.join(chance.choice(given) for _ in range(chance.randint(1, 3)))}\n"
