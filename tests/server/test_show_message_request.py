"""The bell: one for each approval, in editors that want it, and never the only way to answer."""

import pytest

from tests.server import runtime_support
from tests.server.runtime_support import TRUSTED, page

BELL = {**TRUSTED, "bell": True}


async def rung(house, screen, line="touch x"):
    session = await screen.start(house, line)
    (bell,) = await screen.until(lambda: screen.bells)
    return session, bell


async def test_a_bell_says_what_the_diagnostic_says(tmp_path):
    async with runtime_support.sitting(tmp_path, options=BELL) as (house, screen):
        session, bell = await rung(house, screen, "touch 'x \u202e'")
        shown = await screen.approval(session)
        assert bell["params"] == {
            "type": 2,
            "message": f"{session}: {shown['message']}",
            "actions": [{"title": "Approve once"}, {"title": "Reject"}, {"title": "Show"}],
        }
        assert "\u202e" not in bell["params"]["message"]
        screen.reply(bell, {"title": "Approve once"})
        now = await house.done(session)
        assert [call.step for call in now.calls.values()] == ["done"]
        assert (screen.told, len(screen.bells)) == ([], 1)


async def test_a_bell_may_reject(tmp_path):
    async with runtime_support.sitting(tmp_path, options=BELL) as (house, screen):
        session, bell = await rung(house, screen)
        screen.reply(bell, {"title": "Reject"})
        assert [call.step for call in (await house.done(session)).calls.values()] == ["refused"]


async def test_a_bell_may_lead_to_the_page(tmp_path):
    async with runtime_support.sitting(tmp_path, options=BELL) as (house, screen):
        session, bell = await rung(house, screen)
        screen.reply(bell, {"title": "Show"})
        assert await screen.until(lambda: screen.documents) == [{"uri": page(session), "takeFocus": True}]
        assert (await house.until(session, lambda _: True)).status == "waiting"


@pytest.mark.parametrize("answer", [None, {"title": "approve once"}, {"title": "Approve once "}, {"title": ""}])
async def test_a_bell_that_is_dismissed_leaves_the_approval_as_it_is(tmp_path, answer):
    async with runtime_support.sitting(tmp_path, options=BELL) as (house, screen):
        session, bell = await rung(house, screen)
        screen.reply(bell, answer)
        await screen.command("agentos.session.list")
        assert (await house.until(session, lambda _: True)).status == "waiting"
        shown = await screen.approval(session)
        assert await screen.actions(page(session), shown["range"]["start"]["line"])


async def test_a_bell_that_fails_leaves_the_approval_as_it_is(tmp_path):
    async with runtime_support.sitting(tmp_path, options=BELL) as (house, screen):
        session, bell = await rung(house, screen)
        screen.reply(bell, error={"code": -32601, "message": "what bell?"})
        await screen.command("agentos.session.list")
        assert (await house.until(session, lambda _: True)).status == "waiting"


async def test_a_bell_that_was_overtaken_has_no_effect_and_says_so(tmp_path):
    async with runtime_support.sitting(tmp_path, options=BELL) as (house, first):
        async with runtime_support.connected(house, options=BELL, name="second") as second:
            session, _ = await rung(house, first)
            (bell,) = await second.until(lambda: second.bells)
            shown = await first.approval(session)
            assert await second.approval(session) == shown
            line = shown["range"]["start"]["line"]
            await first.choose((await first.actions(page(session), line))[-1])
            await second.until(lambda: second.diagnostics[page(session)] == [])
            second.reply(bell, {"title": "Approve once"})
            assert await second.until(lambda: second.told) == [
                "This request was already answered or withdrawn; nothing was changed."
            ]
        now = await house.done(session)
        assert [call.step for call in now.calls.values()] == ["refused"]
        decided = [event for event in await house.events(session) if event.type == "approval.decided"]
        assert [(event.outcome, event.by) for event in decided] == [("rejected", "test (editor 1)")]


async def test_nobody_rings_where_it_is_not_wanted_or_not_allowed(tmp_path):
    async with (
        runtime_support.sitting(tmp_path) as (house, quiet),
        runtime_support.connected(house, options={**BELL, "permissions": ["observe", "steer"]}) as may_not,
        runtime_support.connected(house, options={**BELL, "trusted": False}) as untrusted,
    ):
        session = await quiet.start(house, "touch x")
        for screen in (quiet, may_not, untrusted):
            await screen.approval(session)
            await screen.command("agentos.session.list")
            assert screen.bells == []


async def test_an_answer_to_the_bell_of_a_discarded_session_is_told_so(tmp_path):
    async with runtime_support.sitting(tmp_path, options=BELL) as (house, screen):
        session, bell = await rung(house, screen)
        await screen.command("agentos.session.discard", {"session": session, "confirm": True})
        screen.reply(bell, {"title": "Approve once"})
        assert len(await screen.until(lambda: screen.told)) == 1
