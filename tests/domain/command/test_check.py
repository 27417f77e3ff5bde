"""The `check` subcommand: the tree for a person, and one JSON object per line for programs."""

# ruff: noqa: E501 - one example per line

from __future__ import annotations

import argparse
import io
import json
import subprocess
import sys

import pytest

from agentos_lsp.cli import check
from agentos_lsp.domain.command import allowlist, classify
from agentos_lsp.domain.command.surroundings import Surroundings


def call(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    check.add_parser(parser.add_subparsers())
    return parser.parse_args(["check", *arguments])


def answers(*lines: object) -> tuple[int, list[dict[str, object]]]:
    out = io.StringIO()
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    code = check.judge_lines(texts, out)
    return code, [json.loads(line) for line in out.getvalue().splitlines()]


def verdict(**given: object) -> object:
    code, (answer,) = answers({"cwd": "/w", "worktree": "/w", "links": {}, **given})
    assert code == 0
    return answer["verdict"]


def test_the_tree_shows_parts_with_their_reasons(capsys, tmp_path):
    code = check.run(call("ls && rm -rf ../x && npm test", "--cwd", str(tmp_path), "--allow", "npm", "test"))
    assert code == 0
    folder = tmp_path.resolve().parent / "x"
    assert capsys.readouterr().out.splitlines() == [
        "! blocked: ls && rm -rf ../x && npm test",
        "  + ls",
        "  ! rm -rf ../x",
        f"      block.recursive-delete: It would delete ../x ({folder}), outside the worktree.",
        "        instead: Delete inside the worktree or the session's scratch folder; leave the rest to a person.",
        "  + npm test",
    ]


def test_the_tree_offers_a_prefix(capsys, tmp_path):
    assert check.run(call("unknown-tool $(x)", "--cwd", str(tmp_path))) == 0
    assert "may be allowed" not in capsys.readouterr().out
    assert check.run(call("unknown-tool x", "--cwd", str(tmp_path))) == 0
    offered = capsys.readouterr().out.splitlines()[-7:]
    assert offered[:3] == [
        "  may be allowed for a session: unknown-tool",
        "  which would let through, for example:",
        "      unknown-tool",
    ]


def test_a_link_on_disk_is_followed(capsys, tmp_path):
    (tmp_path / "tree").mkdir()
    (tmp_path / "away").mkdir()
    (tmp_path / "tree" / "out").symlink_to(tmp_path / "away")
    check.run(call("rm -rf 'out/a'", "--cwd", str(tmp_path / "tree")))
    assert capsys.readouterr().out.startswith("! blocked")
    check.run(call("rm -rf 'in/a'", "--cwd", str(tmp_path / "tree"), "--worktree", str(tmp_path)))
    assert capsys.readouterr().out.startswith("? reviewed")


def test_a_prefix_that_may_not_be_stored_is_refused(capsys):
    assert check.run(call("ls", "--allow", "bash")) == 2
    assert "`bash` cannot be allowed as a prefix" in capsys.readouterr().err


def test_a_call_without_a_line_is_refused(capsys):
    assert check.run(call()) == 2
    assert capsys.readouterr().err == "Give a line to judge, or --jsonl.\n"


def test_one_object_per_line_is_answered_by_one(monkeypatch, capsys):
    monkeypatch.setattr("sys.stdin", io.StringIO('{"command": "ls", "cwd": "/w", "worktree": "/w", "links": {}}\n\n'))
    assert check.run(call("--jsonl")) == 0
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == [
        {
            "verdict": "allowed",
            "reasons": [],
            "parts": [{"text": "ls", "span": [0, 2], "words": ["ls"], "verdict": "allowed", "reasons": []}],
        }
    ]


def test_reasons_are_sentences_that_begin_with_their_rule():
    _, (answer,) = answers({"command": "kill 1", "cwd": "/w", "worktree": "/w", "links": {}})
    assert answer["reasons"] == [
        "block.signal: `kill 1` sends a signal to end a process or the machine. End a process that this session started by name, with the runtime's `stop`."
    ]


def test_a_prefix_is_offered():
    _, (answer,) = answers({"command": "unknown-tool a", "cwd": "/w", "worktree": "/w", "links": {}})
    assert answer["prefix"] == ["unknown-tool"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"command": "npm test"}, "reviewed"),
        ({"command": "npm test", "allow": [["npm", "test"]]}, "allowed"),
        ({"command": "cat ~/x", "home": "/w/home"}, "allowed"),
        ({"command": "cat out/x", "links": {"/w/out": "/etc"}}, "reviewed"),
        ({"command": "git push -f origin dev", "protected": ["dev"]}, "blocked"),
        ({"command": "git push -f origin main", "protected": []}, "reviewed"),
        ({"command": "git push -f", "branch": "main"}, "blocked"),
        ({"command": "rm -rf /s/x", "scratch": ["/s"]}, "reviewed"),
        ({"command": "make x", "recipes": {"make x": "kill 1"}}, "blocked"),
        ({"command": "git x", "aliases": {"x": "push -f origin main"}}, "blocked"),
        ({"command": "ls", "shell": "fish"}, "reviewed"),
        ({"command": "cat ../a", "cwd": "/w/b/../c"}, "allowed"),
        ({"command": "ls", "cwd": None, "worktree": "/w"}, "allowed"),
    ],
)
def test_the_surroundings_are_taken_from_the_object(given, expected):
    assert verdict(**given) == expected


def test_prefixes_that_may_not_be_stored_are_named_and_left_out():
    _, (answer,) = answers(
        {"command": "bash -c ls", "cwd": "/w", "worktree": "/w", "links": {}, "allow": [["bash"], ["ls"]]}
    )
    assert answer["verdict"] == "reviewed"
    assert answer["ignored"] == [
        "`bash` cannot be allowed as a prefix: bash runs any command it is given. Allow the exact line, or a longer prefix that names what runs."
    ]


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("{", "not JSON: Expecting property name enclosed in double quotes at column 2"),
        ("[]", "a line must be an object"),
        ({}, "command must be a string"),
        ({"command": 1}, "command must be a string"),
        ({"command": "ls", "cwd": "w"}, "'w' is not an absolute path"),
        ({"command": "ls", "colour": "red"}, "unknown fields: colour"),
        ({"command": "ls", "allow": ["npm"]}, "allow must be a list of lists of strings"),
        ({"command": "ls", "allow": {"a": 1}}, "allow must be a list of lists of strings"),
        ({"command": "ls", "branch": 1}, "branch must be a string"),
        ({"command": "ls", "scratch": "/s"}, "scratch must be a list of strings"),
        ({"command": "ls", "links": []}, None),
        ({"command": "ls", "links": [1]}, "links must map strings to strings"),
        ({"command": "ls", "shell": "cmd"}, "shell must be one of bash, sh, zsh, fish, powershell"),
        ({"command": "ls", "recipes": {"make": "x"}}, "a recipe is named by a runner and a target, not 'make'"),
    ],
)
def test_a_line_that_cannot_be_read_is_answered_by_an_error(line, error):
    code, (answer, last) = answers(line, {"command": "ls", "links": {}})
    assert code == (0 if error is None else 1)
    assert answer.get("error") == error
    assert last["verdict"] == "allowed"


def test_text_that_no_file_could_hold_is_answered_too():
    _, (answer,) = answers('{"command": "ls \\ud800 \\u0000", "links": {}}')
    assert answer["verdict"] == "reviewed"


def test_nothing_is_looked_up_on_disk_when_links_are_given(monkeypatch):
    def touch(*_: object) -> None:
        raise AssertionError("the disk was asked")

    monkeypatch.setattr("os.path.realpath", touch)
    monkeypatch.setattr("os.lstat", touch)
    monkeypatch.setattr("pathlib.Path.is_symlink", touch)
    assert verdict(command="rm -rf out/x", links={"/w/out": "/etc"}) == "blocked"


def test_it_starts_without_the_heavy_libraries():
    code = (
        "import sys, io\n"
        "from agentos_lsp.cli import check\n"
        'check.judge_lines([\'{"command": "ls", "links": {}}\'], io.StringIO())\n'
        "print(sorted({'pydantic', 'pygls', 'lsprotocol', 'pygit2', 'asyncio', 'sqlite3', 'yaml'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_what_is_kept_between_lines_is_bounded(monkeypatch):
    monkeypatch.setattr(check, "_MOST_KEPT", 2)
    given = [
        {"command": "x a", "cwd": f"/w{i}", "worktree": f"/w{i}", "links": {}, "allow": [["x", "a"], [f"y{i}"]]}
        for i in range(9)
    ]
    _, found = answers(*given, given[-1])
    assert [answer["verdict"] for answer in found] == ["allowed"] * 10


def test_a_name_too_long_for_the_disk_is_no_link(tmp_path):
    folder = str(tmp_path.resolve())
    _, (answer,) = answers({"command": "cat " + "a" * 500, "cwd": folder, "worktree": folder})
    _, (other,) = answers({"command": "cat x" + "/a" * 9000, "cwd": folder, "worktree": folder})
    assert (answer["verdict"], other["verdict"]) == ("allowed", "reviewed")


def test_many_links_are_looked_up_no_further(tmp_path):
    for i in range(70):
        (tmp_path / f"l{i}").symlink_to("/etc")
    folder = str(tmp_path.resolve())
    _, (answer,) = answers(
        {"command": "cat " + " ".join(f"l{i}/x" for i in range(70)), "cwd": folder, "worktree": folder}
    )
    assert answer["verdict"] == "reviewed"


def test_a_reason_without_advice_is_shown_without_it():
    where = Surroundings(cwd="/w", worktree="/w", shell="fish")
    assert list(check.tree(classify.classify("ls", where, allowlist.Allowlist()))) == [
        "? reviewed: ls",
        "  + ls",
        "  ? ls",
        "      review.shell: The line is for fish, which is not read with certainty.",
    ]
