"""What an editor shows while a person writes a policy file: explanations and suggestions, from the file's schema."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from typing import Any

from agentos_lsp.domain import policy_file, toml_places

_HEADER = re.compile(r"\s*\[{1,2}\s*[\w.-]*$")
_KEY = re.compile(r"\s*(?P<word>[\w-]*)$")
_VALUE = re.compile(r"\s*(?P<key>[\w-]+)\s*=\s*(?P<word>[^\[{#]*)$")


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What may stand at a place: `text` takes the place of the line from column `start`, in characters."""

    label: str
    text: str
    start: int
    kind: str
    """`table`, `key` or `value`."""
    says: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a key means, as Markdown, and where it stands."""

    place: toml_places.Place
    text: str


def explain(text: str, line: int, column: int) -> Explanation | None:
    """Explains the key, value or table at a place, None where there is none that a policy knows."""
    here = [
        place
        for place in toml_places.places(text)
        if (place.line, place.start) <= (line, column) <= (place.end_line, place.end)
    ]
    # The innermost comes last among those that begin latest.
    for place in sorted(here, key=lambda one: (one.line, one.start, len(one.path)), reverse=True):
        node = _node(place.path)
        if node is not None and node.get("description"):
            return Explanation(place, _markdown(place.path, node))
    return None


def suggest(text: str, line: int, column: int) -> tuple[Suggestion, ...]:
    """Returns what may stand at a place."""
    rows = text.split("\n")
    before = rows[line][:column] if line < len(rows) else ""
    if _HEADER.match(before):
        return _tables(len(before) - len(before.lstrip()))
    table = _table_at(text, line)
    if value := _VALUE.match(before):
        node = _node((*table, value["key"])) or {}
        return tuple(
            Suggestion(json.dumps(word), json.dumps(word), value.start("word"), "value", node.get("description", ""))
            for word in node.get("enum", ())
        )
    if key := _KEY.match(before):
        start = key.start("word")
        if not table:
            return _tables(start)
        return _keys(text, table, start, line)
    return ()


def _tables(start: int) -> tuple[Suggestion, ...]:
    found = []
    for name, raw in _schema()["properties"].items():
        node = _resolved(raw)
        header = f"[[{name}]]" if node.get("type") == "array" else f"[{name}]"
        found.append(Suggestion(header, header, start, "table", node.get("description", "")))
    return tuple(found)


def _keys(text: str, table: toml_places.Path, start: int, line: int) -> tuple[Suggestion, ...]:
    node = _node(table) or {}
    places = toml_places.places(text)
    width = len(table) + 1
    there = {one.path[-1] for one in places if one.path[:-1] == table and len(one.path) == width and one.line != line}
    found = []
    for name, raw in node.get("properties", {}).items():
        if name not in there:
            inner = _resolved(raw)
            found.append(Suggestion(name, f"{name} = {_beginning(inner)}", start, "key", inner.get("description", "")))
    return tuple(found)


def _table_at(text: str, line: int) -> toml_places.Path:
    """Returns the table that a line belongs to, empty for none."""
    above = [one for one in toml_places.places(text) if one.kind == "table" and one.line < line]
    return above[-1].path if above else ()


def _beginning(node: dict[str, Any]) -> str:
    """Returns how a value begins: its default, or the first of its words."""
    if node.get("enum"):
        return json.dumps(node.get("default") or node["enum"][0])
    return {"array": "[]", "string": '""'}.get(node.get("type", ""), "")


def _node(path: toml_places.Path) -> dict[str, Any] | None:
    """Returns what the schema says of a path, None where it knows none."""
    node = _schema()
    for step in path:
        node = _resolved(node)
        inner = node.get("items") if isinstance(step, int) else node.get("properties", {}).get(step)
        if inner is None:
            return None
        node = inner
    return _resolved(node)


def _resolved(node: dict[str, Any]) -> dict[str, Any]:
    """Follows a reference, and takes the choice that is not nothing; what stands beside them counts too."""
    beside = {name: value for name, value in node.items() if name not in {"$ref", "anyOf"}}
    if "$ref" in node:
        return {**_schema()["$defs"][node["$ref"].rpartition("/")[2]], **beside}
    if "anyOf" in node:
        return {**_resolved(next(one for one in node["anyOf"] if one.get("type") != "null")), **beside}
    return node


@cache
def _schema() -> dict[str, Any]:
    return policy_file.schema()


def _markdown(path: toml_places.Path, node: dict[str, Any]) -> str:
    key = ".".join(str(step) for step in path if isinstance(step, str))
    lines = [f"**{key}**", "", node["description"]]
    if node.get("enum"):
        lines += ["", "One of " + ", ".join(f"`{word}`" for word in node["enum"]) + "."]
    if node.get("default") not in (None, "", [], {}):
        lines += ["", f"Default: `{json.dumps(node['default'])}`."]
    return "\n".join(lines)
