"""Long work is shown with a cancel button, in editors that can, and only once they have said so."""

import pytest

from agentos_lsp.domain import ids, state
from agentos_lsp.runtime import telling
from tests.domain import support as examples
from tests.server import runtime_support
from tests.server.runtime_support import TRUSTED, page


def told(screen):
    """Returns the progress as text: a token's kind and what it says."""
    return [
        " ".join(str(value[key]) for key in ("kind", "title", "message") if value.get(key))
        for _, value in screen.progress
    ]


async def test_a_turn_is_shown_from_begin_to_end(tmp_path):
    async with runtime_support.sitting(tmp_path) as (house, screen):
        session = await screen.start(house, {"say": "Off we go\u202e"}, "touch x", "ls", "touch y")
        first = await screen.approval(session)
        await screen.until(lambda: f"begin {session} works" in " ".join(told(screen)))
        await screen.choose((await screen.actions(page(session), first["range"]["start"]["line"]))[0])
        await screen.approval(session, after=first)
        await screen.command("agentos.session.stop", {"session": session})
        await screen.until(lambda: told(screen)[-1] == "end Stopped.")
        token = screen.progress[-1][0]
        rows = [row for (one, _), row in zip(screen.progress, told(screen), strict=True) if one == token]
        assert rows[-4:] == ["report touch x", "report ls", "report waits for you: touch y", "end Stopped."]
        assert token in [creation["params"]["token"] for creation in screen.creations]
        assert {value["cancellable"] for _, value in screen.progress if value["kind"] == "begin"} == {True}


async def test_a_merge_is_shown_until_it_ends(tmp_path):
    async with runtime_support.sitting(tmp_path) as (house, screen):
        server = await house.server_of(screen)
        merging = state.fold(examples.log("session.started", "worktree.created", "merge.attempted"))
        server.reporter.follow(merging)
        await screen.until(lambda: screen.progress)
        server.reporter.follow(state.apply(merging, examples.event("merge.conflicted", 4)))
        await screen.until(lambda: len(screen.progress) == 2)
        assert told(screen) == ["begin Merging fix-it-ab12", "end"]


async def test_words_are_shown_without_tricks_and_not_at_length(tmp_path):
    async with runtime_support.sitting(tmp_path) as (house, screen):
        server = await house.server_of(screen)
        running = state.fold(examples.log("session.started", "worktree.created", "turn.started"))
        server.reporter.follow(running)
        await screen.until(lambda: screen.progress)
        for text in ("\n\u202e two\nthree", "", " \n ", "x" * 1000):
            server.reporter.on_event(examples.event("agent.message", 4, text=text), running)
        server.reporter.on_event(examples.event("turn.finished", 5, summary="All\ndone"), state.fold([]))
        await screen.until(lambda: len(screen.progress) == 3)
        assert told(screen)[1:] == [r"report \u{202E} two", "report " + "x" * 100]


async def test_a_worktree_s_progress_is_told_once_for_each_percent(tmp_path):
    async with runtime_support.sitting(tmp_path) as (house, screen):
        server = await house.server_of(screen)
        words = "Creating the worktree"
        server.reporter.on_progress(telling.Progress(ids.SessionId("s"), "worktree", 0, 0, words))
        await screen.until(lambda: screen.progress)
        for done in range(1001):
            server.reporter.on_progress(telling.Progress(ids.SessionId("s"), "worktree", done, 1000, words))
        server.reporter.on_progress(telling.Progress(ids.SessionId("s"), "worktree", 1, 1, ""))
        await screen.until(lambda: screen.progress[-1][1]["kind"] == "end")
        shown = [value["percentage"] for _, value in screen.progress[:-1]]
        assert shown == list(range(101))


async def test_cancel_ends_a_turn(tmp_path):
    async with runtime_support.sitting(tmp_path) as (house, screen):
        session = await screen.start(house, "touch x", "touch y")
        await screen.approval(session)
        token, _ = await screen.until(
            lambda: next((one for one in screen.progress if one[1].get("title") == f"{session} works"), None)
        )
        screen.notify("window/workDoneProgress/cancel", {"token": token})
        now = await house.until(session, lambda now: now.turn is None and now.notice == "Stopped.")
        assert [call.step for call in now.calls.values()] == ["refused"]
        await screen.until(lambda: (token, {"kind": "end", "message": "Stopped."}) in screen.progress)
        # The token is forgotten, and so are tokens that nobody gave out.
        for forgotten in (token, "agentos-999", 7):
            screen.notify("window/workDoneProgress/cancel", {"token": forgotten})
        await screen.command("agentos.session.list")
        assert len([event for event in await house.events(session) if event.type == "session.stopped"]) == 1


async def test_cancel_gives_up_a_worktree_under_creation(tmp_path):
    async with runtime_support.sitting(tmp_path) as (house, screen):
        server = await house.server_of(screen)
        given_up = []
        house.runtime.cancel_start = given_up.append
        name = ids.SessionId("s-1")
        server.reporter.on_progress(telling.Progress(name, "worktree", 1, 2, "Creating the worktree"))
        token, value = await screen.until(lambda: screen.progress[0] if screen.progress else None)
        assert value["cancellable"] is True
        screen.notify("window/workDoneProgress/cancel", {"token": token})
        await screen.command("agentos.session.list")
        assert given_up == [name]


async def test_cancel_gives_up_a_merge_whose_percentage_was_shown(tmp_path):
    async with runtime_support.sitting(tmp_path) as (house, screen):
        server = await house.server_of(screen)
        given_up = []
        house.runtime.cancel_merge = given_up.append
        merging = state.fold(examples.log("session.started", "worktree.created", "merge.attempted"))
        server.reporter.follow(merging)
        token, value = await screen.until(lambda: screen.progress[0] if screen.progress else None)
        assert value["cancellable"] is True
        server.reporter.on_progress(telling.Progress(merging.session, "merge", 1, 4, "Merging"))
        await screen.until(lambda: (token, 25) in [(one, told.get("percentage")) for one, told in screen.progress])
        screen.notify("window/workDoneProgress/cancel", {"token": token})
        await screen.command("agentos.session.list")
        assert given_up == [merging.session]


async def test_an_editor_that_may_not_steer_cancels_nothing(tmp_path):
    async with (
        runtime_support.sitting(tmp_path) as (house, owner),
        runtime_support.connected(house, options={"trusted": True, "permissions": ["observe", "approve"]}) as other,
    ):
        session = await owner.start(house, "touch x")
        await owner.approval(session)
        for creation in await other.until(lambda: other.progress and other.creations):
            other.notify("window/workDoneProgress/cancel", {"token": creation["params"]["token"]})
        await other.command("agentos.session.list")
        assert (await house.until(session, lambda _: True)).status == "waiting"


async def test_work_that_is_over_before_the_editor_answered_is_never_shown(tmp_path):
    async with runtime_support.sitting(tmp_path) as (house, screen):
        screen.answers_creations = False
        session = await screen.start(house, ["ls"], ["touch x"])
        await house.done(session)
        await screen.until(lambda: len(screen.creations) == 2)
        for creation in screen.creations:
            screen.reply(creation)
        await screen.command("agentos.session.list")
        assert screen.progress == []
        # The next turn has a token of its own.
        screen.answers_creations = True
        await screen.command("agentos.session.prompt", {"session": session, "text": "more"})
        await screen.until(lambda: screen.progress)
        assert len({creation["params"]["token"] for creation in screen.creations}) == 3


async def test_an_editor_that_refuses_a_token_is_not_told_and_the_session_goes_on(tmp_path):
    async with runtime_support.sitting(tmp_path) as (house, screen):
        screen.answers_creations = False
        session = await screen.start(house, "touch x")
        for creation in await screen.until(lambda: len(screen.creations) == 2 and screen.creations):
            screen.reply(creation, error={"code": -32600, "message": "no"})
        shown = await screen.approval(session)
        await screen.choose(
            (await screen.actions(f"agentos://{session}/session.md", shown["range"]["start"]["line"]))[0]
        )
        await house.done(session)
        await screen.command("agentos.session.list")
        assert screen.progress == []


@pytest.mark.parametrize("capabilities", [{}, {"window": {}}, {"window": {"workDoneProgress": False}}])
async def test_an_editor_without_progress_is_never_asked_for_it(tmp_path, capabilities):
    async with runtime_support.sitting(tmp_path, capabilities=capabilities) as (house, screen):
        session = await screen.start(house, "ls")
        await house.done(session)
        await screen.command("agentos.session.list")
        assert (screen.creations, screen.progress) == ([], [])


async def test_an_editor_that_comes_during_a_turn_sees_it(tmp_path):
    async with runtime_support.sitting(tmp_path) as (house, first):
        session = await first.start(house, "touch x")
        await first.approval(session)
        async with runtime_support.connected(house, options=TRUSTED) as second:
            await second.until(lambda: second.progress)
            assert told(second) == [f"begin {session} works"]
