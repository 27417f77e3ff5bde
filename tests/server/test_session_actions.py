"""A session as a whole is dealt with on its heading, by code actions alone."""

from pathlib import Path

from agentos_lsp.domain import ids
from tests.server import runtime_support
from tests.server.runtime_support import page

EDIT = {"edit": {"path": "a.txt", "old": "one", "new": "ONE"}}


def titles(actions):
    return [one["title"] for one in actions]


async def act(screen, session, title):
    actions = await screen.actions(page(session), 0)
    (chosen,) = [one for one in actions if one["title"].startswith(title)]
    return await screen.choose(chosen)


async def test_a_session_is_committed_and_merged_and_the_merge_undone(tmp_path):
    async with runtime_support.sitting(tmp_path) as (house, screen):
        session = await screen.start(house, EDIT)
        await house.done(session)
        assert titles(await screen.actions(page(session), 0)) == [
            f"Commit 1 file of {session}",
            f"Discard {session} (1 uncommitted file)",
        ]
        assert (await act(screen, session, "Commit"))["committed"] is True
        assert titles(await screen.actions(page(session), 0)) == [
            f"Merge {session} into main",
            f"Discard {session} (1 commit)",
        ]
        assert (await act(screen, session, "Merge"))["merged"] is True
        assert (house.repository / "a.txt").read_text() == "ONE\ntwo\n"
        await house.until(session, lambda now: now.worktree is None)
        assert (await act(screen, session, "Undo"))["undone"] is True
        assert (house.repository / "a.txt").read_text() == "one\ntwo\n"
        assert await screen.actions(page(session), 0) == []


async def test_a_session_that_works_is_paused_resumed_and_stopped(tmp_path):
    async with runtime_support.sitting(tmp_path) as (house, screen):
        session = await screen.start(house, {"run": "touch x"})
        await screen.approval(session)
        assert titles(await screen.actions(page(session), 0)) == [f"Pause {session}", f"Stop {session}"]
        await act(screen, session, "Pause")
        assert titles(await screen.actions(page(session), 0)) == [f"Resume {session}", f"Stop {session}"]
        await act(screen, session, "Stop")
        assert titles(await screen.actions(page(session), 0)) == [f"Discard {session} (nothing of its own)"]
        assert (await act(screen, session, "Discard"))["discarded"] is True
        assert (await house.runtime.state(ids.SessionId(session))).status == "discarded"


async def test_what_the_policy_asks_about_is_committed_once_it_was_seen(tmp_path):
    secret = {"write": {"path": "k.py", "text": "KEY = 'AKIA" + "Z7Q2M4N6P8R1S3T5'\n"}}
    async with runtime_support.sitting(tmp_path, policy='[rules]\nsecret = "review"\n') as (house, screen):
        session = await screen.start(house, secret)
        await house.done(session)
        assert (await act(screen, session, "Commit 1 file"))["kind"] == "unconfirmed"
        assert [one["code"] for one in await screen.until(lambda: screen.diagnostics.get(page(session)))] == [
            "policy.secret"
        ]
        assert (await act(screen, session, f"Commit 1 file of {session}, with 1 finding"))["committed"] is True


async def test_a_discard_that_was_offered_before_more_came_is_refused(tmp_path):
    async with runtime_support.sitting(tmp_path) as (house, screen):
        session = await screen.start(house, {"read": "a.txt"})
        now = await house.done(session)
        (offered,) = await screen.actions(page(session), 0)
        assert offered["title"] == f"Discard {session} (nothing of its own)"
        precious = Path(now.worktree.folder) / "precious.txt"
        precious.write_text("mine\n")
        arguments = offered["command"]["arguments"][0]
        refused = await screen.refusal("agentos.session.discard", arguments)
        assert "1 uncommitted file" in refused.message
        told = await screen.command("agentos.session.discard", {"session": session})
        precious.rename(precious.with_name("another.txt"))  # as many files, and others
        again = {"session": session, "confirm": True, "shown": told["shown"]}
        assert "something else by now" in (await screen.refusal("agentos.session.discard", again)).message
        assert precious.with_name("another.txt").exists()


async def test_an_editor_that_may_only_look_is_offered_nothing(tmp_path):
    options = {**runtime_support.TRUSTED, "permissions": ["observe"]}
    async with runtime_support.opened(tmp_path) as house:
        async with runtime_support.connected(house) as screen:
            session = await screen.start(house, EDIT)
            await house.done(session)
        async with runtime_support.connected(house, options=options) as screen:
            assert await screen.actions(page(session), 0) == []


async def test_a_commit_that_was_offered_before_more_came_is_refused(tmp_path):
    async with runtime_support.sitting(tmp_path) as (house, screen):
        session = await screen.start(house, EDIT)
        now = await house.done(session)
        offered, _ = await screen.actions(page(session), 0)
        assert offered["title"] == f"Commit 1 file of {session}"
        (Path(now.worktree.folder) / "later.txt").write_text("later\n")
        refused = await screen.refusal("agentos.session.commit", offered["command"]["arguments"][0])
        assert "2 files" in refused.message
