"""Several sessions on one task, as an editor sees them: started together, compared, one of them kept."""

import asyncio
from pathlib import Path

from agentos_lsp.domain import ids
from agentos_lsp.domain.errors import UserError
from agentos_lsp.runtime import attempts
from tests.server import runtime_support

CHANGE = {"edit": {"path": "a.txt", "old": "one", "new": "ONE"}}


async def started(house, screen, count, *steps):
    wanted = {"task": "Shout", "script": house.script(*steps), "n": count}
    answer = await screen.command("agentos.session.start", wanted)
    for session in answer["sessions"]:
        await house.done(session)
    return answer


async def test_they_are_compared_on_one_page_and_pairwise(tmp_path):
    async with runtime_support.sitting(tmp_path) as (house, screen):
        answer = await started(house, screen, 2, CHANGE, {"commit": "Shout"})
        first, second = answer["sessions"]
        assert answer["page"] == f"agentos://{first}/compare.md"
        folder = Path((await house.done(second)).worktree.folder)
        (folder / "key.txt").write_text("AKIA" + "Z7Q2M4N6P8R1S3T5\n")
        lines = (await screen.content(answer["page"])).split("\n")
        assert lines == [
            "# Attempts",
            "",
            "Task: Shout",
            "",
            f"- {first} [idle]",
            "    change: 1 files, +1 -1, 1 commits",
            "    checks: none ran",
            "    policy: nothing found",
            "    cost: no model was asked",
            f"- {second} [idle]",
            "    change: 2 files, +2 -1, 1 commits",
            "    checks: none ran",
            "    policy: 1 refused",
            "    cost: no model was asked",
            "",
            "## Differences",
            "",
            f"- {first} and {second}",
            "",
            "",
        ]
        links = [link["target"] for link in await screen.about("documentLink", answer["page"])]
        versus = f"agentos://{first}/versus/{second}.diff"
        assert links == [runtime_support.page(first), runtime_support.page(second), versus]
        patch = await screen.content(versus)
        assert "+++ b/key.txt" in patch
        assert "a.txt" not in patch
        for session in (first, second):
            targets = [link["target"] for link in await screen.about("documentLink", runtime_support.page(session))]
            assert answer["page"] in targets


async def test_one_is_kept_and_what_the_others_lose_is_said_before(tmp_path):
    async with runtime_support.sitting(tmp_path) as (house, screen):
        answer = await started(house, screen, 3, CHANGE, {"commit": "Shout"})
        kept, *others = answer["sessions"]
        told = await screen.command("agentos.session.keep", {"session": kept})
        assert (told["discarded"], [row["session"] for row in told["sessions"]]) == (False, others)
        assert all(len(row["commits"]) == 1 for row in told["sessions"])
        lines = (await screen.content(answer["page"])).split("\n")
        (keep,) = await screen.actions(answer["page"], lines.index(f"- {kept} [idle]"))
        assert keep["title"] == f"Keep {kept} and discard {', '.join(f'{other} (1 commit)' for other in others)}"
        assert (await screen.choose(keep))["discarded"] is True
        statuses = {one.session: one.status for one in await house.runtime.all_states()}
        assert statuses == {kept: "idle", others[0]: "discarded", others[1]: "discarded"}
        assert len(house.git("for-each-ref", "refs/agentos/removed").splitlines()) == 2
        assert (await screen.refusal("agentos.session.keep", {"session": kept, "confirm": True})).data["hint"]
        assert "its worktree is gone" in await screen.content(answer["page"])


async def test_of_two_that_are_kept_at_once_one_is(tmp_path):
    async with runtime_support.sitting(tmp_path) as (house, screen):
        answer = await started(house, screen, 2, CHANGE, {"commit": "Shout"})
        both = [attempts.keep(house.runtime, ids.SessionId(name), "x") for name in answer["sessions"]]
        done = await asyncio.gather(*both, return_exceptions=True)
        assert sorted(type(one).__name__ for one in done) == ["UserError", "dict"]
        statuses = sorted(one.status for one in await house.runtime.all_states())
        assert statuses == ["discarded", "idle"]


async def test_a_session_that_is_alone_has_nobody_to_be_compared_with(tmp_path):
    async with runtime_support.sitting(tmp_path) as (house, screen):
        session = await screen.start(house, CHANGE)
        await house.done(session)
        assert "Compare" not in await screen.content(runtime_support.page(session))
        assert "## Differences" not in await screen.content(f"agentos://{session}/compare.md")
        assert (await screen.refusal("agentos.session.keep", {"session": session})).data["hint"]
        error = await screen.fails(
            "workspace/textDocumentContent", {"uri": f"agentos://{session}/versus/nobody-0001.diff"}
        )
        assert error.data["hint"]


async def test_no_more_than_eight_are_started_at_once(tmp_path):
    async with runtime_support.sitting(tmp_path) as (house, screen):
        wanted = {"task": "Shout", "script": house.script(CHANGE), "n": 9}
        assert (await screen.refusal("agentos.session.start", wanted)).code == -32602
        assert house.runtime.states() == ()


async def test_where_one_cannot_start_those_before_it_are_named_and_go_on(tmp_path, monkeypatch):
    async with runtime_support.sitting(tmp_path) as (house, screen):
        start, begun = house.runtime.start, []

        async def failing(wanted):
            if len(begun) == 2:
                raise UserError("There is no room.", "Make some.")
            begun.append(await start(wanted))
            return begun[-1]

        monkeypatch.setattr(house.runtime, "start", failing)
        wanted = {"task": "Shout", "script": house.script(CHANGE), "n": 3}
        error = await screen.refusal("agentos.session.start", wanted)
        assert error.message.startswith(
            f"2 of 3 sessions were started ({', '.join(begun)}), and no more: There is no room"
        )
        assert error.data["hint"] == "Those go on. Make some."
        for session in begun:
            assert (await house.done(session)).group == begun[0]


async def test_a_keep_that_was_offered_before_more_came_is_refused(tmp_path):
    async with runtime_support.sitting(tmp_path) as (house, screen):
        answer = await started(house, screen, 2, {"read": "a.txt"})
        kept, other = answer["sessions"]
        lines = (await screen.content(answer["page"])).split("\n")
        (offered,) = await screen.actions(answer["page"], lines.index(f"- {kept} [idle]"))
        assert offered["title"] == f"Keep {kept} and discard {other} (nothing of its own)"
        precious = Path((await house.done(other)).worktree.folder, "precious.txt")
        precious.write_text("mine\n")  # noqa: ASYNC240 - a test
        refused = await screen.refusal("agentos.session.keep", offered["command"]["arguments"][0])
        assert "1 uncommitted file" in refused.message
        assert precious.exists()  # noqa: ASYNC240
