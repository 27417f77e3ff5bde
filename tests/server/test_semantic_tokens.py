"""The words that differ inside changed lines, as tokens of the diff documents, counted as each editor counts."""

import pytest

from tests.server import runtime_support
from tests.server.runtime_support import OVERVIEW, SHOWS, page

FILES = {"a.txt": "".join(f"line {number}\n" for number in range(40)) + "smile 😀 é old\n"}
NEW = FILES["a.txt"].replace("line 3\n", "line three\n").replace("old", "new")
WIDTHS = {"utf-8": ("utf-8", 1), "utf-16": ("utf-16-le", 2), "utf-32": ("utf-32-le", 4)}


def knows(encoding="utf-16"):
    tokens = {
        "requests": {"full": True, "range": True},
        "tokenTypes": [],
        "tokenModifiers": [],
        "formats": ["relative"],
    }
    return {**SHOWS, "textDocument": {"semanticTokens": tokens}, "general": {"positionEncodings": [encoding]}}


def decoded(text, data, encoding="utf-16"):
    """Returns the token types and words that an editor would show, with the lines that they stand on."""
    codec, size = WIDTHS[encoding]
    rows = text.split("\n")
    found, line, start = [], 0, 0
    for at in range(0, len(data), 5):
        down, right, length, kind, modifiers = data[at : at + 5]
        line, start = line + down, right if down else start + right
        row = rows[line].encode(codec)
        word = row[start * size : (start + length) * size].decode(codec)
        found.append((rows[line], ["agentosRemoved", "agentosAdded"][kind], word))
        assert modifiers == 0
    return found


EVERY = [
    ("-line 3", "agentosRemoved", "3"),
    ("+line three", "agentosAdded", "three"),
    ("-smile 😀 é old", "agentosRemoved", "old"),
    ("+smile 😀 é new", "agentosAdded", "new"),
]


async def changed(house, screen):
    session = await screen.start(house, {"write": {"path": "a.txt", "text": NEW}})
    await house.done(session)
    return f"agentos://{session}/changes.diff", session


@pytest.mark.parametrize("encoding", sorted(WIDTHS))
async def test_words_of_every_diff_are_tokens_counted_as_the_editor_counts(tmp_path, encoding):
    async with runtime_support.sitting(tmp_path, files=FILES, capabilities=knows(encoding)) as (house, screen):
        uri, session = await changed(house, screen)
        await screen.command("agentos.checkpoint.take", {"session": session})
        for diff in (uri, f"agentos://{session}/patch/a.txt.diff", f"agentos://{session}/checkpoints/0..1.diff"):
            tokens = await screen.about("semanticTokens/full", diff)
            assert decoded(await screen.content(diff), tokens["data"], encoding) == EVERY
        for other in (page(session), OVERVIEW, f"agentos://{session}/base/a.txt", "file:///a.diff", "agentos://no/"):
            # Nothing is another answer than no tokens: it lets those of other servers stand.
            assert await screen.about("semanticTokens/full", other) is None


async def test_a_part_of_a_diff_has_the_tokens_on_its_lines(tmp_path):
    async with runtime_support.sitting(tmp_path, files=FILES, capabilities=knows()) as (house, screen):
        uri, _ = await changed(house, screen)
        text = await screen.content(uri)
        line = text.split("\n").index("-smile 😀 é old")
        for first, last, expected in ((0, line - 1, EVERY[:2]), (line, line, EVERY[2:3]), (line + 1, 9999, EVERY[3:])):
            where = {"start": {"line": first, "character": 0}, "end": {"line": last, "character": 0}}
            tokens = await screen.about("semanticTokens/range", uri, range=where)
            assert decoded(text, tokens["data"]) == expected


async def test_what_the_editor_shows_is_what_is_answered_about(tmp_path):
    async with runtime_support.sitting(tmp_path, files=FILES, capabilities=knows()) as (house, screen):
        uri, _ = await changed(house, screen)
        shown = "@@ -1 +1 @@\n-half \ud800 one\n+half \ud800 two\n"
        document = {"uri": uri, "languageId": "diff", "version": 1, "text": shown}
        screen.notify("textDocument/didOpen", {"textDocument": document})
        tokens = await screen.about("semanticTokens/full", uri)
        assert tokens["data"] == [1, 8, 3, 0, 0, 1, 8, 3, 1, 0]


async def test_tokens_are_offered_to_editors_that_know_of_them(tmp_path):
    async with runtime_support.opened(tmp_path) as house:
        for capabilities, offered in ((knows(), True), (SHOWS, False), ({"textDocument": {}}, False)):
            async with runtime_support.connected(house, capabilities=capabilities) as screen:
                line = next(line for line in screen.transcript.lines if line.startswith("<- result #1 "))
                legend = '{"tokenModifiers": [], "tokenTypes": ["agentosRemoved", "agentosAdded"]}'
                scheme = '"documentSelector": [{"scheme": "agentos"}]'
                told = f'"semanticTokensProvider": {{{scheme}, "full": true, "legend": {legend}, "range": true}}'
                assert (told in line, "semanticTokens" in line) == (offered, offered)
