"""The answers to an approval, where its diagnostic stands."""

import pytest

from agentos_lsp.domain import approval, ids
from agentos_lsp.server import code_action
from tests.server import runtime_support
from tests.server.runtime_support import OVERVIEW, TRUSTED, page


async def waiting(house, screen, line="touch x"):
    session = await screen.start(house, line)
    shown = await screen.approval(session)
    return session, shown["range"]["start"]["line"], shown["data"]


async def test_every_answer_is_a_command_that_names_what_was_seen(tmp_path):
    async with runtime_support.sitting(tmp_path, options={**TRUSTED, "askText": True}) as (house, screen):
        session, line, data = await waiting(house, screen)
        offered = await screen.actions(page(session), line)
        assert [
            (action["title"], action["command"]["command"], action["command"]["arguments"]) for action in offered
        ] == [
            ("Approve once", "agentos.approval.decide", [{**data, "outcome": "approved", "scope": "once"}]),
            (
                "Approve this line for this session",
                "agentos.approval.decide",
                [{**data, "outcome": "approved", "scope": "line"}],
            ),
            (
                "Approve `touch …` for this session",
                "agentos.approval.decide",
                [{**data, "outcome": "approved", "scope": "prefix"}],
            ),
            ("Reject", "agentos.approval.decide", [{**data, "outcome": "rejected", "scope": "once"}]),
            ("Reject with a comment", "agentos.client.askComment", [{**data, "outcome": "rejected", "scope": "once"}]),
        ]
        assert {action["kind"] for action in offered} == {"quickfix.agentos"}
        # An editor's key for preferred actions must not approve anything.
        assert not any("isPreferred" in action for action in offered)


async def test_a_prefix_is_offered_for_its_folder_too(tmp_path):
    async with runtime_support.sitting(tmp_path) as (house, screen):
        session = await screen.start(house, {"run": {"line": "touch x", "cwd": "dir ü"}})
        shown = await screen.approval(session)
        offered = await screen.actions(page(session), shown["range"]["start"]["line"])
        assert [(action["title"], action["command"]["arguments"][0]["scope"]) for action in offered[1:4]] == [
            ("Approve this line for this session", "line"),
            ("Approve `touch …` in dir ü for this session", "folder"),
            ("Approve `touch …` for this session", "prefix"),
        ]


async def test_a_comment_is_offered_only_where_the_editor_can_ask_for_text(tmp_path):
    async with runtime_support.sitting(tmp_path) as (house, screen):
        session, line, _ = await waiting(house, screen)
        titles = [action["title"] for action in await screen.actions(page(session), line)]
        assert titles[-1] == "Reject"


@pytest.mark.parametrize(
    ("only", "some"),
    [(None, True), ([], True), (["quickfix"], True), (["quickfix.agentos"], True), (["source", "quickfix"], True),
     ([""], True), (["source"], False), (["quickfix.other"], False), (["quick"], False), (["refactor"], False)],
)  # fmt: skip
async def test_an_editor_that_asks_for_a_kind_gets_that_kind(tmp_path, only, some):
    async with runtime_support.sitting(tmp_path) as (house, screen):
        session, line, _ = await waiting(house, screen)
        assert bool(await screen.actions(page(session), line, only)) is some


async def test_answers_are_on_the_line_of_the_approval_and_on_the_overview_and_nowhere_else(tmp_path):
    async with runtime_support.sitting(tmp_path) as (house, screen):
        session, line, _ = await waiting(house, screen)
        count = len((await screen.content(page(session))).split("\n"))
        offered = {number: await screen.actions(page(session), number) for number in range(count)}
        commands = {number: {one["command"]["command"] for one in acts} for number, acts in offered.items() if acts}
        assert commands == {0: {"agentos.session.pause", "agentos.session.stop"}, line: {"agentos.approval.decide"}}
        overview = (await screen.content(OVERVIEW)).split("\n")
        (number,) = [number for number, text in enumerate(overview) if text == "    waits: `touch x`"]
        (approve, *_) = await screen.actions(OVERVIEW, number)
        await screen.choose(approve)
        await house.done(session)
        assert await screen.actions(page(session), line) == []


async def test_an_answer_on_a_stale_screen_changes_nothing(tmp_path):
    async with runtime_support.sitting(tmp_path) as (house, screen):
        session, line, _ = await waiting(house, screen)
        offered = await screen.actions(page(session), line)
        rejected = await screen.choose(offered[-1])
        assert rejected["counted"] is True
        await house.done(session)
        for action in offered:
            assert (await screen.choose(action))["counted"] is False
        await screen.until(lambda: len(screen.told) == len(offered))
        assert next(iter((await house.done(session)).calls.values())).step == "refused"


def test_a_prefix_in_a_title_hides_nothing():
    question = approval.Question(ids.ApprovalId("a"), ids.CallId("c"), "d", "l", "", ("make", "\u202eevil\n"))
    titles = [command.title for command in code_action.answers("s", question, ask_text=False)]
    assert titles[2] == r"Approve `make \u{202E}evil\u{A} …` for this session"
