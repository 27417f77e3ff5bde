"""The outline of a diff, a page and a trace."""

import pytest

from agentos_lsp.domain import diff
from agentos_lsp.server import document_symbol
from tests.server import runtime_support
from tests.server.runtime_support import OVERVIEW, page

TWO_HUNKS = "".join(f"{number}\n" for number in range(40))


def drawn(symbols, depth=0):
    """Draws symbols as text, a line each: its name and its lines, counted from 0."""
    rows = []
    for symbol in symbols:
        start, end = symbol["range"]["start"], symbol["range"]["end"]
        assert symbol["selectionRange"] == {"start": start, "end": start}
        rows.append(f"{'  ' * depth}{symbol['name']} {start['line']}-{end['line']}")
        rows += drawn(symbol.get("children", ()), depth + 1)
    return rows


async def test_a_diff_has_files_and_hunks(tmp_path):
    files = {"a b.txt": TWO_HUNKS, "ü é.txt": "gone\n", "old.txt": "x\n" * 9}
    async with runtime_support.sitting(tmp_path, files=files) as (house, screen):
        session = await screen.start(
            house,
            {"edit": {"path": "a b.txt", "old": "\n3\n", "new": "\nthree\n"}},
            {"edit": {"path": "a b.txt", "old": "\n33\n", "new": "\n@@ 33\ndiff --git a/x b/x\n"}},
            {"write": {"path": "empty.txt", "text": ""}},
            {"delete": "ü é.txt"},
        )
        await house.done(session)
        symbols = await screen.about("documentSymbol", f"agentos://{session}/changes.diff")
        assert drawn(symbols) == [
            "a b.txt 0-22",
            "  @@ -1,7 +1,7 @@ 3-12",
            "  @@ -31,7 +31,8 @@ 12-22",
            "empty.txt 22-24",
            "ü é.txt 24-30",
            "  @@ -1 +0,0 @@ 28-30",
        ]
        last = (await screen.content(f"agentos://{session}/changes.diff")).count("\n")
        assert symbols[-1]["range"]["end"]["line"] == last


async def test_a_page_has_headings_and_a_trace_has_turns(tmp_path):
    async with runtime_support.sitting(tmp_path) as (house, screen):
        session = await screen.start(house, ["ls", "touch x"], task="Do it\nwell")
        await screen.approval(session)
        symbols = await screen.about("documentSymbol", page(session))
        assert [symbol["name"] for symbol in symbols] == [session]
        assert [symbol["name"] for symbol in symbols[0]["children"]] == ["Waits for you", "Last calls"]
        trace = f"agentos://{session}/trace.md"
        (whole,) = await screen.about("documentSymbol", trace)
        assert [symbol["name"] for symbol in whole["children"]] == ["Start", "Turn 1: Do it"]
        (overview,) = await screen.about("documentSymbol", OVERVIEW)
        assert [symbol["name"] for symbol in overview["children"]] == ["Needs you"]
        folds = await screen.about("foldingRange", trace)
        ranges = [symbol["range"] for symbol in (whole, *whole["children"])]
        assert [(fold["startLine"], fold["endLine"]) for fold in folds] == [
            (where["start"]["line"], where["end"]["line"] - 1) for where in ranges
        ]


@pytest.mark.parametrize(
    "path", ["a.txt", "a b/c d.txt", "x b/y", "ü/é.txt", 'say "hi".txt', "tab\there", "back\\slash", "not\udcffutf8"]
)
@pytest.mark.parametrize("kind", ["changed", "added", "deleted", "empty"])
def test_a_file_is_named_by_its_name(path, kind):
    sides = {
        "changed": (diff.Side(0o100644, b"a\n"), diff.Side(0o100644, b"b\n")),
        "added": (None, diff.Side(0o100644, b"b\n")),
        "deleted": (diff.Side(0o100644, b"a\n"), None),
        "empty": (None, diff.Side(0o100644, b"")),
    }[kind]
    text = diff.unified(diff.compare([(path, *sides)]))
    (symbol,) = document_symbol.outline(text.split("\n"), "diff --git ", "@@ ")
    shown = path.replace("\t", "    ").replace("\udcff", "\\u{DCFF}")
    assert symbol.name in {shown, diff.quoted(f"a/{path}")}
    assert kind == "empty" or symbol.name == shown
