"""A hover explains a verdict, part by part."""

from tests.server import runtime_support
from tests.server.runtime_support import OVERVIEW, page


async def hover(screen, uri, text):
    lines = (await screen.content(uri)).split("\n")
    (number,) = [number for number, line in enumerate(lines) if text in line]
    return await screen.about("hover", uri, position={"line": number, "character": 3})


async def test_a_hover_explains_each_part_where_the_approval_or_the_call_stands(tmp_path):
    async with runtime_support.sitting(tmp_path) as (house, screen):
        session = await screen.start(house, {"run": "rm -rf /"}, "ls && touch 'a`b'")
        await screen.approval(session)
        waiting = await hover(screen, page(session), "- [0")
        text = waiting["contents"]["value"]
        assert waiting["contents"]["kind"] == "markdown"
        assert text.startswith("**reviewed**\n\n`ls` is allowed\n")
        assert "\n`` touch 'a`b' `` is reviewed\n- " in text
        offered = text.partition("Prefix offered for this session: `touch …`, which lets through, for example:\n\n")[2]
        assert offered.split("\n") == ["- `touch a.txt`", "- `touch src/new.py`", *offered.split("\n")[2:]]
        assert len(offered.split("\n")) == 5
        assert await hover(screen, page(session), "run ls && touch") == waiting
        assert await hover(screen, OVERVIEW, "waits: `ls && touch") == waiting
        blocked = await hover(screen, page(session), "run rm -rf /")
        assert blocked["contents"]["value"].startswith("**blocked**\n\n`rm -rf /` is blocked\n- ")
        in_trace = await hover(screen, f"agentos://{session}/trace.md", "**tool_call.refused**")
        assert in_trace == blocked
        for nothing in ("Task: ", "State: "):
            assert await hover(screen, page(session), nothing) is None
