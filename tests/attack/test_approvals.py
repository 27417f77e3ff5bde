"""Decisions that nobody may give: forged, stale, foreign, too wide, or given by the agent itself."""

import asyncio
import dataclasses

import pytest

from agentos_lsp.domain import approval, events, ids, model_events
from agentos_lsp.domain.errors import InternalError, UserError
from agentos_lsp.effects import agents
from agentos_lsp.runtime import session, tool_call
from tests.runtime import support


@pytest.fixture
def house(tmp_path):
    return support.House(tmp_path)


async def nothing_happened(desk, name):
    now = await desk.state(name)
    assert len(now.questions) == 1
    assert now.status == "waiting"
    for kind in ("approval.decided", "command.started", "allowlist.extended"):
        assert [event for event in desk.of(kind) if event.session == name] == []


@pytest.mark.parametrize(
    "forged",
    [
        {"digest": "0" * 16},
        {"digest": ""},
        {"approval": "ffff"},
        {"approval": ""},
        {"approval": "a' OR 1=1 --"},
        {"scope": "prefix"},
    ],
    ids=str,
)
async def test_a_forged_answer_changes_nothing(house, forged):
    async with house.open() as desk:
        name = await desk.begin([{"run": "make"}])
        asked = await desk.question(name)
        fields = {"approval": asked.approval, "digest": asked.digest, "outcome": "approved", "scope": "once", "by": "x"}
        told = await desk.runtime.decide(ids.SessionId(name), approval.Answer(**{**fields, **forged}))
        assert isinstance(told, approval.Stale)
        await nothing_happened(desk, name)


async def test_an_answer_for_one_sessions_question_does_not_count_in_another(house):
    async with house.open() as desk:
        one = await desk.begin([{"run": "touch x"}], task="One")
        two = await desk.begin([{"run": "touch x"}], task="Two")
        asked = await desk.event("approval.requested", session=one)
        other = await desk.event("approval.requested", session=two)
        assert asked.digest == other.digest
        assert isinstance(await desk.answer(two, asked), approval.Stale)
        await nothing_happened(desk, one)
        await nothing_happened(desk, two)


async def test_an_answer_to_a_session_that_does_not_exist_is_refused(house):
    async with house.open() as desk:
        name = await desk.begin([{"run": "touch x"}])
        asked = await desk.question(name)
        with pytest.raises(UserError):
            await desk.answer("missing", asked)
        await nothing_happened(desk, name)


async def test_of_many_answers_at_once_exactly_one_counts(house):
    async with house.open() as desk:
        name = await desk.begin([{"run": "touch x"}])
        asked = await desk.question(name)
        told = await asyncio.gather(*(desk.answer(name, asked, outcome) for outcome in ["approved", "rejected"] * 10))
        assert len([one for one in told if isinstance(one, approval.Answer)]) == 1
        await desk.event("turn.finished")
        assert len(desk.of("approval.decided")) == 1
    support.assert_sound(house.log(name))


async def test_an_answer_from_before_a_restart_does_not_count_after_it(house):
    async with house.open() as desk:
        name = await desk.begin([{"run": "touch x"}])
        asked = await desk.question(name)
    async with house.open() as desk:
        assert isinstance(await desk.answer(name, asked), approval.Stale)
        await nothing_happened(desk, name)


ALIKE = ["touch  x", "touch x ", "touch x;touch y", "touch x\ttouch y", "TOUCH x", "touch\u00a0x"]
MORE = ["touch y && make", "touch y; rm tool.py", "touch $(make)", "touch y > a.txt", "FOO=1 touch y | make"]


@pytest.mark.parametrize(("scope", "lines"), [("line", ALIKE), ("prefix", MORE)])
async def test_an_approval_lets_nothing_through_that_only_looks_alike_or_does_more(house, scope, lines):
    async with house.open() as desk:
        name = await desk.begin([{"run": "touch x"}, *({"run": line} for line in lines)])
        await desk.answer(name, await desk.question(name), scope=scope)
        for count, line in enumerate(lines, start=2):
            asked = await desk.question(name, count)
            assert asked.line == line
            await desk.answer(name, asked, "rejected")
        await desk.event("turn.finished")
        assert [start.line for start in desk.of("command.started")] == ["touch x"]


async def test_no_approval_lifts_the_block_list(house):
    outside = house.folder / "outside"
    outside.mkdir()
    async with house.open() as desk:
        name = await desk.begin([{"run": "rm -rf build"}, {"run": f"rm -rf {outside}"}])
        asked = await desk.question(name)
        await desk.answer(name, asked, scope="prefix" if asked.prefix else "line")
        await desk.event("turn.finished")
        assert [start.line for start in desk.of("command.started")] == ["rm -rf build"]
        assert [refused.why for refused in desk.of("tool_call.refused")] == ["blocked"]
    assert outside.is_dir()


async def test_what_runs_is_byte_for_byte_what_was_shown(house):
    line = "touch 'a b'  $'c\\td' \u00e9 # all of it"
    async with house.open() as desk:
        name = await desk.begin([{"run": line}])
        asked = await desk.question(name)
        assert asked.line == line
        await desk.answer(name, asked)
        await desk.event("turn.finished")
        assert [start.line for start in desk.of("command.started")] == [line]
        worktree = house.folder / (await desk.state(name)).worktree.folder
        assert {"a b", "c\td", "\u00e9"} <= {path.name for path in worktree.iterdir()}


class Thief:
    """An agent that looks for a way to answer its own question."""

    def __init__(self):
        self.found = []

    async def turn(self, prompt, tools, history):
        self.found = [name for name in dir(agents.Tools) if not name.startswith("_")]
        self.refused = []
        for kind in events.EVENT_TYPES.values():
            if kind not in model_events.OWN_WORK:
                try:
                    await tools.note(kind, approval="a1", outcome="approved", scope="once", by="a person")
                except InternalError:
                    self.refused.append(kind)
        return ""


async def test_an_agent_is_given_no_way_to_answer(house):
    """Beside `call` it can speak, hear what it was told, and note what models said; no other event can be noted."""
    thief = Thief()
    async with house.open(agent=lambda *_: thief) as desk:
        name = await desk.play([])
    assert thief.found == ["call", "heard", "log", "note", "say", "stream", "surroundings"]
    assert events.ApprovalDecided in thief.refused
    assert set(thief.refused) == set(events.EVENT_TYPES.values()) - set(model_events.OWN_WORK)
    assert {"approval.decided", "command.started", "allowlist.extended"}.isdisjoint(support.kinds(house.log(name)))
    kinds = {"run", "start", "output", "stop", "read", "write", "edit", "delete", "move", "commit"}
    from agentos_lsp.effects.agents import scripted

    assert set(scripted.MAIN_FIELD) == kinds


async def test_a_file_that_an_agent_writes_is_no_answer(house):
    """The event log lies outside of the worktree, and no path leads there."""
    async with house.open() as desk:
        name = await desk.begin(
            [
                {"write": {"path": "../../../events.db", "text": "x"}, "expect": "refused"},
                {"write": {"path": str(house.state / "events.db"), "text": "x"}, "expect": "refused"},
                {"delete": {"path": "../../..", "recursive": True}, "expect": "refused"},
                {"run": "touch x"},
            ]
        )
        await desk.question(name)
        await nothing_happened(desk, name)
    assert house.verify(name) is None


def test_a_proof_of_clearance_cannot_be_changed():
    cleared = approval.Cleared(ids.CallId("c1"), "ls", "/", "allowlist")
    with pytest.raises(dataclasses.FrozenInstanceError):
        cleared.line = "rm"
    assert not hasattr(tool_call.Gate, "decide")
    assert not hasattr(session.Session.call, "decide")
