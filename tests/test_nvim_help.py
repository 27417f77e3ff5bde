"""What `:help agentos` says of options, functions and documents is held against the plugin's code and the server's."""

import re
from pathlib import Path

from agentos_lsp.server import protocol

PLUGIN = Path(__file__).resolve().parent.parent / "editors" / "nvim"
HELP = (PLUGIN / "doc" / "agentos.txt").read_text("utf-8")


def lua(name):
    return (PLUGIN / name).read_text("utf-8")


def test_every_option_is_declared_checked_and_described_with_its_default():
    declared = set(re.findall(r"^---@field (\w+)\?", lua("lsp/agentos.lua"), re.MULTILINE))
    checked = set(re.findall(r"(\w+) = '", re.search(r"local known = \{(.*)\}", lua("lua/agentos/health.lua"))[1]))
    described = set(
        re.findall(r"^      (\w+) = ", HELP.partition("vim.g.agentos = {")[2].partition("\n<")[0], re.MULTILINE)
    )
    assert declared == checked == described
    assert declared
    (command,) = re.findall(r"cmd = .*options\(\)\.cmd or (\{.*\}),", lua("lsp/agentos.lua"))
    assert f"      cmd = {command}," in HELP
    for permission in protocol.PERMISSIONS:
        assert f"'{permission}'" in HELP


def test_every_function_that_the_help_names_exists():
    named = set(re.findall(r"require'?\(?'(agentos\.\w+)'\)?\.(\w+)\(", HELP))
    assert named
    for module, function in named:
        assert f"function M.{function}(" in lua(f"lua/{module.replace('.', '/')}.lua")


def test_every_kind_of_document_is_described():
    described = set(re.findall(r"^    agentos://(\S+)", HELP, re.MULTILINE))
    rows = re.findall(
        r"^\| `agentos://(\S+)` \|", (PLUGIN.parent.parent / "docs" / "protocol.md").read_text("utf-8"), re.MULTILINE
    )
    assert described == set(rows)


def test_tags_are_unique_and_lead_somewhere():
    tags = re.findall(r"\*([^*\s]+)\*", HELP)
    assert len(tags) == len(set(tags))
    linked = set(re.findall(r"\|(:?agentos[\w-]*|:AgentOS[\w-]*)\|", HELP))
    assert linked <= set(tags)
    assert max(map(len, HELP.splitlines())) <= 78


def test_the_plugin_leaves_no_global_behind():
    for file in PLUGIN.rglob("*.lua"):
        text = file.read_text("utf-8")
        assert re.findall(r"^(?!local |---|return )(\w+) = ", text, re.MULTILINE) == [], file.name
        assert "_G." not in text
