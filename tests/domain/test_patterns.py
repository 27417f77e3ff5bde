"""Patterns choose paths as git's own ignore files do, which git is asked about."""

import subprocess

import pytest

from agentos_lsp.domain import patterns

PATHS = [
    ".env", ".env.local", "a/.env", "a/b/.env", "config/local.json", "config/x/local.json", "x/config/local.json",
    "logs/a.log", "logs/deep/b.log", "a/logs/c.log", "secret.txt", "Secret.txt", "a b.txt", "!odd", "#odd",
    "x1", "x2", "xa",
]  # fmt: skip


@pytest.mark.parametrize(
    "lines",
    [
        [".env"], ["/.env"], [".env*", "!.env.local"], ["config/local.json"], ["config/**/local.json"], ["**/config/*"],
        ["logs/"], ["/logs"], ["logs/**"], ["*.log"], ["a/*/.env"], ["a/**"], ["x[12]"], ["x[!12]"], ["x?"], ["\\#odd"],
        ["\\!odd"], ["# nothing", "", "   "], ["a b.txt"], ["a\\ b.txt"], ["*", "!x1"], ["["], ["[x"],
    ],
)  # fmt: skip
def test_a_path_is_chosen_exactly_where_git_would_ignore_it(tmp_path, lines):
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    (tmp_path / ".gitignore").write_text("\n".join(lines) + "\n")
    asked = subprocess.run(
        ["git", "check-ignore", "--no-index", "--stdin", "-z"],
        cwd=tmp_path,
        input="\0".join(PATHS).encode(),
        capture_output=True,
        check=False,
    )
    ignored = {name for name in asked.stdout.decode().split("\0") if name}
    rules = patterns.parse(lines)
    assert {path for path in PATHS if patterns.chosen(path, rules)} == ignored


@pytest.mark.parametrize(
    ("lines", "below"),
    [
        ([".env"], False),
        (["node_modules/x/.env"], True),
        (["node_modules/"], True),
        (["/node_modules"], True),
        (["node_modules/**/y"], True),
        (["other/x"], False),
        (["!node_modules/x"], False),
    ],
)
def test_an_ignored_folder_is_entered_only_where_a_pattern_names_it(lines, below):
    assert patterns.may_be_below("node_modules", patterns.parse(lines)) is below
