"""The Lua of Neovim's plugin is annotated for lua-language-server, and makes no global. A reader tells."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import pytest

PLUGIN = Path(__file__).resolve().parent.parent / "editors" / "nvim"
FILES = {str(file.relative_to(PLUGIN)): file.read_text(encoding="utf-8") for file in sorted(PLUGIN.rglob("*.lua"))}


class Function(NamedTuple):
    """A function that stands at the left edge of a file: what it takes, what its annotations say, and its lines."""

    name: str
    parameters: list[str]
    described: list[str]
    returns: bool
    body: list[str]


def functions(text: str) -> list[Function]:
    lines = text.splitlines()
    found: list[Function] = []
    for number, line in enumerate(lines):
        head = re.match(r"(?:local )?function ([\w.:]+)\((.*?)\)", line) or re.match(
            r"local (\w+) = function\((.*?)\)", line
        )
        if head is None:
            continue
        above = number
        while above > 0 and lines[above - 1].startswith("---"):
            above -= 1
        notes = lines[above:number]
        described = [part[1] for note in notes if (part := re.match(r"---@param ([\w.]+)\??\s", note))]
        returns = any(re.match(r"---@return\s+\S", note) for note in notes)
        body = [] if line.rstrip().endswith(" end") else lines[number + 1 : lines.index("end", number)]
        names = [name for name in re.split(r",\s*", head[2]) if name and not name.startswith("_")]
        found.append(Function(head[1], names, described, returns, body))
    return found


def faults(text: str) -> list[str]:
    """Says what the annotations of a file lack, or have too much."""
    told: list[str] = []
    for one in functions(text):
        if one.parameters != one.described:
            told.append(f"{one.name} takes {one.parameters}, and describes {one.described}")
        gives = any(re.match(r"  return \S", line) for line in one.body)
        if gives and not one.returns:
            told.append(f"{one.name} does not say what it returns")
    return told


_TOKEN = re.compile(
    r"--\[\[.*?\]\]|--[^\n]*|'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"|\[\[.*?\]\]|[\w.:]+|[=~<>]=|\S", re.DOTALL
)


def globals_of(text: str) -> set[str]:
    """Returns the names that a file assigns without having made them local, and Neovim's variables that it names."""
    tokens = [token for token in _TOKEN.findall(text) if not token.startswith(("--", "'", '"', "[["))]
    code = " ".join(tokens)
    local = set(re.findall(r"\blocal function (\w+)", code))
    for names in re.findall(
        r"\blocal (?!function)(\w+(?: , \w+)*)|\bfor (\w+(?: , \w+)*)|function [\w.:]* ?\( ([^)]*)\)", code
    ):
        local |= set("".join(names).split(" , ")) | set("".join(names).split())
    found = {f"vim.g.{name}" for name in re.findall(r"\bvim\.g\.(\w+)", code)}
    inside: list[str] = []
    for at, token in enumerate(tokens):
        if token in {"{", "function", "if", "do", "repeat"}:
            inside.append(token)
        elif token in {"}", "end", "until"}:
            inside.pop()
        after = tokens[at + 1 : at + 2]
        # What has an equals sign in a table is a field of it.
        is_set = (after == ["="] and inside[-1:] != ["{"]) or (tokens[at - 1 : at] == ["function"] and token != "(")
        root = token.partition(".")[0].partition(":")[0]
        if is_set and re.match(r"[A-Za-z_]", token) and root not in local and not token.startswith("vim."):
            found.add(token)
    assert inside == [], "the reader has lost its way"
    return found


@pytest.mark.parametrize("file", FILES)
def test_every_function_says_what_it_takes_and_gives(file: str) -> None:
    assert faults(FILES[file]) == []


@pytest.mark.parametrize("file", FILES)
def test_there_is_no_global_but_one(file: str) -> None:
    assert globals_of(FILES[file]) <= {"vim.g.agentos"}


def test_what_is_missing_is_seen() -> None:
    text = "---@param one string\nlocal function f(one, two)\n  return one\nend\nfunction M.g(_, x) end\n"
    assert faults(text) == [
        "f takes ['one', 'two'], and describes ['one']",
        "f does not say what it returns",
        "M.g takes ['x'], and describes []",
    ]
    text = "local one = 1\none = 2\ntwo = 3\nfunction three() end\nvim.g.four = one\n_G.five = 1 -- six = 1\n"
    text += "function one.f(g)\n  g = { field = 1, h = function() seven = 'eight = 9' end }\nend\n"
    assert globals_of(text) == {"two", "three", "vim.g.four", "_G.five", "seven"}
