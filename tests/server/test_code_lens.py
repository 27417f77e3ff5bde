"""The answers as lenses above an approval."""

from tests.server import runtime_support
from tests.server.runtime_support import OVERVIEW, TRUSTED, page


async def test_a_lens_for_every_answer_that_needs_no_text(tmp_path):
    async with runtime_support.sitting(tmp_path, options={**TRUSTED, "askText": True}) as (house, screen):
        session = await screen.start(house, "touch x")
        shown = await screen.approval(session)
        where = {"line": shown["range"]["start"]["line"], "character": 0}
        lenses = await screen.about("codeLens", page(session))
        assert [lens["range"] for lens in lenses] == [{"start": where, "end": where}] * 4
        actions = await screen.actions(page(session), where["line"])
        assert [lens["command"] for lens in lenses] == [action["command"] for action in actions[:4]]
        overview = await screen.about("codeLens", OVERVIEW)
        assert [lens["command"] for lens in overview] == [lens["command"] for lens in lenses]

        assert (await screen.choose(lenses[3]))["counted"] is True
        now = await house.done(session)
        assert [call.told for call in now.calls.values()] == ["A person rejected this."]
        assert await screen.about("codeLens", page(session)) == []
        assert await screen.about("codeLens", f"agentos://{session}/trace.md") == []
        assert await screen.about("codeLens", f"agentos://{session}/changes.diff") == []
