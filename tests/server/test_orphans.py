"""What sessions left behind, on the overview: shown with what only it holds, and with code actions."""

from tests.server import runtime_support
from tests.server.runtime_support import OVERVIEW, TRUSTED

WRITE = {"write": {"path": "new.txt", "text": "x\n"}}


async def left_behind(tmp_path, *steps):
    """Plays a session, then loses the log; returns the session's name."""
    async with runtime_support.sitting(tmp_path) as (house, screen):
        session = await screen.start(house, *steps)
        await house.done(session)
    for file in house.state_folder.glob("events.db*"):
        file.unlink()
    return session


async def shown(screen):
    """Waits for the diagnostic of an orphan."""
    return await screen.until(lambda: next((one for one in screen.diagnostics.get(OVERVIEW, [])), None))


async def test_an_editor_that_opens_the_repository_is_offered_to_recover_it(tmp_path):
    session = await left_behind(tmp_path, WRITE)
    async with runtime_support.sitting(tmp_path) as (house, screen):
        diagnostic = await shown(screen)
        assert diagnostic["message"] == (
            f"{session} in {house.repository}: 1 uncommitted file\nRecover it as a session, then merge or discard that."
        )
        line = diagnostic["range"]["start"]["line"]
        assert (await screen.content(OVERVIEW)).split("\n")[line - 2] == "## Left behind"
        (row,) = (await screen.command("agentos.orphan.list"))["orphans"]
        assert (row["orphan"], row["uncommitted"], row["isEmpty"]) == (session, ["new.txt"], False)
        (action,) = await screen.actions(OVERVIEW, line)
        assert action["title"] == "Recover it as a session"
        assert (await screen.choose(action))["status"] == "idle"
        await screen.until(lambda: screen.diagnostics[OVERVIEW] == [])
        await screen.until(lambda: {"uri": runtime_support.page(session), "takeFocus": True} in screen.documents)


async def test_what_holds_nothing_is_offered_to_be_removed(tmp_path):
    session = await left_behind(tmp_path, "ls")
    async with runtime_support.sitting(tmp_path) as (house, screen):
        line = (await shown(screen))["range"]["start"]["line"]
        (action,) = await screen.actions(OVERVIEW, line)
        assert action["title"] == "Remove it; nothing is lost"
        assert await screen.choose(action) == {"removed": True}
        await screen.until(lambda: screen.diagnostics[OVERVIEW] == [])
        assert house.git("branch", "--list", f"agentos/{session}") == ""


async def test_an_editor_that_may_only_observe_sees_it_and_is_offered_nothing(tmp_path):
    session = await left_behind(tmp_path, WRITE)
    options = {**TRUSTED, "permissions": ["observe"]}
    async with runtime_support.sitting(tmp_path, options=options) as (_, screen):
        line = (await shown(screen))["range"]["start"]["line"]
        assert await screen.actions(OVERVIEW, line) == []
        assert await screen.about("documentLink", OVERVIEW) == []
        for command in ("recover", "remove"):
            await screen.refusal(f"agentos.orphan.{command}", {"orphan": session})
