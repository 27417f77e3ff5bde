"""The extension for VS Code says the same as the server and the documentation. `make e2e` runs it; this reads it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import pytest

from agentos_lsp import __version__
from agentos_lsp.domain import events, review, state
from agentos_lsp.server import protocol

if TYPE_CHECKING:
    from pydantic import BaseModel

ROOT = Path(__file__).resolve().parent.parent
EXTENSION = ROOT / "editors" / "vscode"
PACKAGE: dict[str, Any] = json.loads((EXTENSION / "package.json").read_text(encoding="utf-8"))
CONTRIBUTED: dict[str, Any] = PACKAGE["contributes"]
MIRROR = (EXTENSION / "src" / "protocol.ts").read_text(encoding="utf-8")
SOURCES = {file.name: file.read_text(encoding="utf-8") for file in sorted((EXTENSION / "src").glob("*.ts"))}
PAGE = (ROOT / "docs" / "editors.md").read_text(encoding="utf-8")


def mirrored(name: str) -> dict[str, tuple[bool, frozenset[str]]]:
    """Returns the fields of an interface of the mirror: whether each may be missing, and its alternatives."""
    head = re.search(rf"^export interface {name}(?: extends (\w+))? \{{(.*?)\}}$", MIRROR, re.MULTILINE | re.DOTALL)
    assert head, f"protocol.ts has no interface {name}"
    fields = mirrored(head[1]) if head[1] else {}
    for field, optional, kind in re.findall(r"^  (\w+)(\??): (.*);$", head[2], re.MULTILINE):
        fields[field] = (optional == "?", frozenset(kind.split(" | ")))
    return fields


def alternatives(schema: dict[str, Any]) -> frozenset[str]:
    """Says in TypeScript's words what a field may be; null is left out, as the client leaves out the field."""
    if "anyOf" in schema:
        return frozenset().union(*(alternatives(one) for one in schema["anyOf"] if one != {"type": "null"}))
    if "enum" in schema:
        return frozenset(f"'{value}'" for value in schema["enum"])
    if schema["type"] == "array":
        items = alternatives(schema["items"])
        return frozenset({"Permission[]"} if items == permissions() else (f"{item}[]" for item in items))
    return frozenset({"number" if schema["type"] == "integer" else schema["type"]})


def permissions() -> frozenset[str]:
    found = re.search(r"^export type Permission = (.*);$", MIRROR, re.MULTILINE)
    assert found
    return frozenset(found[1].split(" | "))


def offered(model: type[BaseModel]) -> dict[str, tuple[bool, frozenset[str]]]:
    schema = model.model_json_schema(by_alias=True)
    required = schema.get("required", [])
    return {name: (name not in required, alternatives(rest)) for name, rest in schema.get("properties", {}).items()}


def mirrored_commands() -> dict[str, str]:
    """Returns the interface of each command's argument."""
    return dict(re.findall(r"^  '([\w.]+)': \[(\w+), .*\];$", MIRROR, re.MULTILINE))


def test_the_mirror_names_every_command_and_no_other() -> None:
    assert set(mirrored_commands()) == set(protocol.COMMANDS)


@pytest.mark.parametrize("command", sorted(protocol.COMMANDS))
def test_the_mirror_has_the_fields_of_a_command(command: str) -> None:
    assert mirrored(mirrored_commands()[command]) == offered(protocol.COMMANDS[command].argument)


def test_the_mirror_has_the_options_of_a_connection() -> None:
    assert mirrored("InitializationOptions") == offered(protocol.InitializationOptions)
    assert permissions() == {f"'{name}'" for name in protocol.PERMISSIONS}


def test_the_mirror_has_the_names_and_groups_of_the_server() -> None:
    constants = dict(re.findall(r"^export const (\w+) = '(.*)';$", MIRROR, re.MULTILINE))
    assert constants == {name: value for name, value in vars(protocol).items() if name.isupper() and type(value) is str}
    client_commands = {name for name in constants if name.startswith("ASK_")}
    assert {name for name in client_commands if f"[{name}]: " not in SOURCES["commands.ts"]} == set()
    groups = re.search(r"^export type Group = (.*);$", MIRROR, re.MULTILINE)
    assert groups
    assert groups[1].split(" | ") == [f"'{name}'" for name in review.GROUPS]
    titles = re.search(r"TITLES.*?\{(.*?)\}", SOURCES["tree.ts"], re.DOTALL)
    assert titles
    shown = [title.lower() for title in re.findall(r": '(.*?)'", titles[1])]
    assert shown == [title.lower() for title in review.GROUPS.values()]


def test_every_status_of_a_session_has_its_icon() -> None:
    icons = re.search(r"ICONS.*?= \{(.*?)^\}", SOURCES["tree.ts"], re.MULTILINE | re.DOTALL)
    assert icons
    assert set(re.findall(r"^  (\w+): ", icons[1], re.MULTILINE)) == set(get_args(state.Status))


def test_every_strategy_of_a_merge_is_offered() -> None:
    offered_strategies = set(re.findall(r"strategy: '([\w-]+)'", SOURCES["ending.ts"]))
    assert offered_strategies == set(get_args(events.MergeStrategy))


def contributed_commands() -> set[str]:
    return {one["command"] for one in CONTRIBUTED["commands"]}


def test_every_contributed_command_is_carried_out_and_no_other() -> None:
    handled = set(re.findall(r"^    '(agentos\.\w+)': ", SOURCES["commands.ts"], re.MULTILINE))
    assert handled == contributed_commands()
    # The server's own names are taken by the client library.
    assert handled.isdisjoint(protocol.COMMANDS)


def test_menus_keys_and_welcomes_name_commands_that_exist() -> None:
    named = {entry["command"] for entries in CONTRIBUTED["menus"].values() for entry in entries}
    named |= {key["command"] for key in CONTRIBUTED["keybindings"]}
    written = json.dumps([CONTRIBUTED["viewsWelcome"], CONTRIBUTED["walkthroughs"], SOURCES])
    named |= set(re.findall(r"command:(agentos\.\w+)", written))
    named |= set(re.findall(r"onCommand:(agentos\.\w+)", written))
    named |= set(re.findall(r"command: '(agentos\.\w+)'", written))
    assert named
    assert named - contributed_commands() == set()


def test_no_key_approves_what_was_not_looked_at() -> None:
    bound = {key["command"] for key in CONTRIBUTED["keybindings"]}
    assert {command for command in bound if "approve" in command.lower()} == set()


def test_every_setting_is_described_and_used() -> None:
    settings = CONTRIBUTED["configuration"]["properties"]
    assert all(setting["markdownDescription"] for setting in settings.values())
    described = set(re.findall(r"^\| `(agentos\.[\w.]+)` \|", PAGE, re.MULTILINE))
    assert described == set(settings)
    code = "\n".join(SOURCES.values())
    # The client library reads the trace setting of the client's own id.
    unused = {name for name in settings if f"'{name.removeprefix('agentos.')}'" not in code}
    assert unused == {"agentos.trace.server"}


def test_a_workspace_cannot_name_a_program_or_weaken_an_approval() -> None:
    settings = CONTRIBUTED["configuration"]["properties"]
    assert {name for name, setting in settings.items() if setting["scope"] != "machine"} == {
        "agentos.bell",
        "agentos.trace.server",
    }
    trust = PACKAGE["capabilities"]["untrustedWorkspaces"]
    assert trust["supported"] == "limited"
    assert trust["description"]
    steering = {one["command"] for one in CONTRIBUTED["commands"] if one.get("enablement") == "isWorkspaceTrusted"}
    acting = {
        "approve",
        "approveLine",
        "approvePrefix",
        "approveFolder",
        "discard",
        "merge",
        "pause",
        "prompt",
        "reject",
    }
    acting |= {f"{verb}{what}" for verb in ("accept", "reject", "askFor") for what in ("File", "Hunk")}
    acting |= {"chooseModel", "commit", "keep", "restoreCheckpoint", "startSeveral", "takeCheckpoint", "undoMerge"}
    acting |= {"reject", "rejectWithComment", "resume", "showProviders", "start", "startFromSelection", "stop"}
    assert steering == {f"agentos.{name}" for name in acting}


def test_the_page_lists_every_command_of_the_palette_with_its_keys() -> None:
    hidden = {one["command"] for one in CONTRIBUTED["menus"]["commandPalette"] if one["when"] == "false"}
    keys = {key["command"]: key["key"] for key in CONTRIBUTED["keybindings"]}
    rows = dict(re.findall(r"^\| AgentOS: ([^|]+?) \| ([^|]*?) ?\|", PAGE, re.MULTILINE))
    assert rows == {
        one["title"]: f"`{keys[one['command']].title()}`" if one["command"] in keys else ""
        for one in CONTRIBUTED["commands"]
        if one["command"] not in hidden
    }


def test_what_the_extension_is_built_from_is_pinned() -> None:
    loose = {
        name: version for name, version in PACKAGE["devDependencies"].items() if not re.fullmatch(r"[\d.]+", version)
    }
    assert loose == {}
    assert PACKAGE["engines"]["vscode"] == f"^{PACKAGE['devDependencies']['@types/vscode']}"
    assert PACKAGE["version"] == __version__
    # A lock file would record where this machine fetches packages.
    assert not list(EXTENSION.glob("*lock*"))


def test_the_extension_asks_for_no_server_newer_than_this_one() -> None:
    oldest = re.search(r"OLDEST = '([\d.]+)'", SOURCES["executable.ts"])
    assert oldest
    assert [int(part) for part in oldest[1].split(".")] <= [int(part) for part in __version__.split(".")]


def test_pictures_in_the_walkthrough_and_files_of_the_views_exist() -> None:
    named = set(re.findall(r'"(media/[\w.]+)"', json.dumps(PACKAGE)))
    assert named
    assert {name for name in named if not (EXTENSION / name).is_file()} == set()
