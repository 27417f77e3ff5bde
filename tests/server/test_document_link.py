"""Links from pages and diffs, each of which leads to a document that can be read."""

import asyncio
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from agentos_lsp.domain import diff, state
from agentos_lsp.server import document_link
from tests.domain import support as examples
from tests.server import runtime_support
from tests.server.runtime_support import OVERVIEW, SECRET, page


async def links(screen, uri):
    """Returns the links of a document by the text that they stand on; opens each as an editor would."""
    lines = (await screen.content(uri)).split("\n")
    found = []
    for link in await screen.about("documentLink", uri):
        start, end = link["range"]["start"], link["range"]["end"]
        assert start["line"] == end["line"]
        text = lines[start["line"]].encode("utf-16-le")[2 * start["character"] : 2 * end["character"]]
        found.append((text.decode("utf-16-le"), link["target"]))
        if link["target"].startswith("agentos:"):
            await screen.content(link["target"])
    return found


async def test_a_page_leads_to_its_files_outputs_and_documents(tmp_path):
    async with runtime_support.sitting(tmp_path) as (house, screen):
        session = await screen.start(
            house,
            "ls",
            {"read": "dir ü/naïve é.txt"},
            {"write": {"path": "../out.txt", "text": ""}, "expect": "refused"},
            {"read": "/etc/hosts", "expect": "refused"},
            {"move": {"path": "a.txt", "to": "b c.txt"}},
            {"delete": "dir ü/naïve é.txt"},
            {"write": {"path": "k.py", "text": f"'{SECRET}'"}},
            {"commit": "k"},
        )
        now = await house.done(session)
        folder = Path(now.worktree.folder)
        call = next(iter(now.calls))
        targets = dict(await links(screen, page(session)))
        finding = next(text for text in targets if text.startswith("- refuse: "))
        assert targets == {
            "Changes: 0 commits": f"agentos://{session}/changes.diff",
            f"Trace: {now.sequence} events": f"agentos://{session}/trace.md",
            finding: (folder / "k.py").as_uri(),
            "- write k.py [done]": (folder / "k.py").as_uri(),
            "- delete dir ü/naïve é.txt [done]": f"agentos://{session}/base/dir%20%C3%BC/na%C3%AFve%20%C3%A9.txt",
            "- move a.txt [done]": (folder / "b c.txt").as_uri(),
            "- read dir ü/naïve é.txt [done]": (folder / "dir ü/naïve é.txt").as_uri(),
            "- run ls [exit 0]": f"agentos://{session}/output/{call}.txt",
        }
        assert dict(await links(screen, OVERVIEW)) == {f"- {session} [idle] Do it": page(session)}


async def test_a_diff_leads_to_both_sides_of_each_file(tmp_path):
    files = {"dir ü/a b.txt": "1\n", "gone.txt": "--- a/x\n"}
    async with runtime_support.sitting(tmp_path, files=files) as (house, screen):
        session = await screen.start(
            house,
            {"edit": {"path": "dir ü/a b.txt", "old": "1", "new": "2"}},
            {"delete": "gone.txt"},
            {"write": {"path": 'new "q" é.txt', "text": "+++ b/x\n"}},
        )
        now = await house.done(session)
        folder = Path(now.worktree.folder)
        found = await links(screen, f"agentos://{session}/changes.diff")
        assert found == [
            ("--- a/dir ü/a b.txt\t", f"agentos://{session}/base/dir%20%C3%BC/a%20b.txt"),
            ("+++ b/dir ü/a b.txt\t", (folder / "dir ü/a b.txt").as_uri()),
            ("--- a/gone.txt", f"agentos://{session}/base/gone.txt"),
            ('+++ "b/new \\"q\\" é.txt"', (folder / 'new "q" é.txt').as_uri()),
        ]
        opened = [unquote(urlsplit(uri).path) for _, uri in found if uri.startswith("file:")]
        assert await asyncio.to_thread(lambda: all(Path(path).is_file() for path in opened))


@pytest.mark.parametrize(
    "path", ["a.txt", "ü é", 'a"b', "tab\there", "nl\nhere", "\x01\x7f", "back\\slash", "b\udcff", "\\101"]
)
def test_a_quoted_name_is_read_as_it_was(path):
    assert document_link.name_in_header(f"+++ {diff.quoted(f'b/{path}')}") == path


def test_lines_that_name_no_file_have_no_name():
    for line in ("--- /dev/null", "+++ /dev/null", "+added", "--- ", '--- "', "diff --git a/x b/x"):
        assert document_link.name_in_header(line) is None


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "..", "a/../../x", "", "a\0b", "/"])
def test_no_link_leads_out_of_the_worktree(path):
    now = state.fold(examples.log("session.started", "worktree.created"))
    assert document_link._file(now, path) is None
    assert document_link._file(now, "a/../b") == "file:///state/worktrees/repo/fix-it-ab12/b"
