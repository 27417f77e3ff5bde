"""The commands on a session's files as a whole, asked for as an editor asks for them."""

from pathlib import Path

from tests.server import runtime_support
from tests.server.runtime_support import page


async def test_checkpoints_are_taken_listed_compared_and_restored(tmp_path):
    async with runtime_support.sitting(tmp_path) as (house, screen):
        session = await screen.start(house, {"write": {"path": "new.txt", "text": "new\n"}})
        folder = Path((await house.done(session)).worktree.folder)
        asked = {"session": session, "note": "Good so far"}
        assert await screen.command("agentos.checkpoint.take", asked) == {"checkpoint": 1, "made": True}
        assert await screen.command("agentos.checkpoint.take", asked) == {"checkpoint": 1, "made": False}
        listed = await screen.command("agentos.checkpoint.list", {"session": session})
        (row,) = listed["checkpoints"]
        assert (row["note"], row["files"], row["occasion"]) == ("Good so far", 1, "asked")
        opened = await screen.command("agentos.checkpoint.diff", {"session": session, "older": 0, "newer": 1})
        assert opened == {"uri": f"agentos://{session}/checkpoints/0..1.diff", "shown": True}
        assert "+new" in await screen.content(opened["uri"])
        assert await screen.content(f"agentos://{session}/checkpoints/1...diff") == "No changes.\n"
        (symbol,) = await screen.about("documentSymbol", opened["uri"])
        assert symbol["name"] == "new.txt"
        back = await screen.command("agentos.checkpoint.restore", {"session": session, "checkpoint": 0})
        assert back == {"checkpoint": 0, "undo": 1, "files": 1, "kept": []}
        assert not (folder / "new.txt").exists()


async def test_the_page_offers_to_restore_a_checkpoint(tmp_path):
    async with runtime_support.sitting(tmp_path) as (house, screen):
        session = await screen.start(house, {"write": {"path": "new.txt", "text": "new\n"}})
        await house.done(session)
        await screen.command("agentos.checkpoint.take", {"session": session})
        lines = (await screen.content(page(session))).split("\n")
        (number,) = [number for number, line in enumerate(lines) if line.startswith("- 1 at")]
        show, restore = await screen.actions(page(session), number)
        assert (show["title"], restore["title"]) == (
            "Show what changed since checkpoint 1",
            "Restore checkpoint 1",
        )
        async with runtime_support.connected(house, options={"trusted": True, "permissions": []}) as other:
            assert await other.actions(page(session), number) == []
        assert (await screen.choose(restore))["undo"] == 1
        links = await screen.about("documentLink", page(session))
        assert f"agentos://{session}/checkpoints/1...diff" in [link["target"] for link in links]


async def test_checkpoints_that_do_not_exist_are_refused_in_words(tmp_path):
    async with runtime_support.sitting(tmp_path) as (house, screen):
        session = await screen.start(house, "ls")
        await house.done(session)
        for command, fields in (
            ("agentos.checkpoint.restore", {"checkpoint": 4}),
            ("agentos.checkpoint.diff", {"older": 0, "newer": 9}),
        ):
            error = await screen.refusal(command, {"session": session, **fields})
            assert error.code == -32803
            assert error.data["hint"]
        error = await screen.fails(
            "workspace/textDocumentContent", {"uri": f"agentos://{session}/checkpoints/3...diff"}
        )
        assert error.data["hint"]


async def test_a_merge_is_previewed_made_and_undone(tmp_path):
    async with runtime_support.sitting(tmp_path) as (house, screen):
        change = {"edit": {"path": "a.txt", "old": "one", "new": "ONE"}}
        session = await screen.start(house, change, {"commit": "Shout"})
        await house.done(session)
        before = house.git("rev-parse", "main")
        assert await screen.command("agentos.session.previewMerge", {"session": session}) == {
            "possible": True,
            "into": "main",
            "kind": "fast-forward",
            "files": ["a.txt"],
            "conflicts": [],
            "findings": [],
            "uncommitted": [],
            "hindrance": "",
            "inTheWay": [],
            "checks": [],
        }
        merged = await screen.command("agentos.session.merge", {"session": session, "strategy": "rebase"})
        assert merged["merged"] is True
        undone = await screen.command("agentos.session.undoMerge", {"session": session})
        assert undone == {"undone": True, "into": "main", "commit": before, "branch": f"agentos/{session}"}
        assert (house.repository / "a.txt").read_text() == "one\ntwo\n"
        row = await screen.command("agentos.session.show", {"session": session})
        assert row["status"] == "undone"


async def test_a_conflict_offers_to_have_the_agent_mend_it(tmp_path):
    async with runtime_support.sitting(tmp_path) as (house, screen):
        change = {"edit": {"path": "a.txt", "old": "one", "new": "ONE"}}
        session = await screen.start(house, change, {"commit": "Shout"})
        await house.done(session)
        (house.repository / "a.txt").write_text("mine\n")
        house.git("commit", "-qam", "mine")
        assert (await screen.command("agentos.session.merge", {"session": session}))["kind"] == "conflict"
        lines = (await screen.content(page(session))).split("\n")
        mend, sides = await screen.actions(page(session), lines.index("- a.txt"))
        assert mend["title"] == "Ask the agent to rebase onto main and mend this"
        assert mend["command"]["arguments"][0]["session"] == session
        assert "a.txt" in mend["command"]["arguments"][0]["text"]
        assert sides["title"] == "Open the three sides of a.txt"
        opened = await screen.choose(sides)
        assert opened.pop("shown") is True
        assert opened == {side: f"agentos://{session}/conflict/{side}/a.txt" for side in ("base", "ours", "theirs")}
        texts = {side: await screen.content(uri) for side, uri in opened.items()}
        assert texts == {"base": "one\ntwo\n", "ours": "mine\n", "theirs": "ONE\ntwo\n"}
        for wrong in ("ours/b.txt", "mine/a.txt"):
            error = await screen.fails(
                "workspace/textDocumentContent", {"uri": f"agentos://{session}/conflict/{wrong}"}
            )
            assert error.data["hint"]


async def test_a_side_without_the_file_is_not_opened(tmp_path):
    async with runtime_support.sitting(tmp_path) as (house, screen):
        session = await screen.start(house, {"delete": "a.txt"}, {"commit": "Remove it"})
        await house.done(session)
        (house.repository / "a.txt").write_text("mine\n")
        house.git("commit", "-qam", "mine")
        assert (await screen.command("agentos.session.merge", {"session": session}))["paths"] == ["a.txt"]
        opened = await screen.command("agentos.conflict.open", {"session": session, "path": "a.txt"})
        assert (opened["theirs"], opened["ours"]) == (None, f"agentos://{session}/conflict/ours/a.txt")
        error = await screen.fails(
            "workspace/textDocumentContent", {"uri": f"agentos://{session}/conflict/theirs/a.txt"}
        )
        assert "does not exist on this side" in error.message


async def test_two_sessions_at_the_same_lines_have_diagnostics_on_pages_and_files(tmp_path):
    async with runtime_support.sitting(tmp_path) as (house, screen):
        names = []
        for word in ("ONE", "Eins"):
            change = {"edit": {"path": "a.txt", "old": "one", "new": word}}
            names.append(await screen.start(house, change, task=word))
            await house.done(names[-1])
        for name, other in (names, reversed(names)):
            folder = Path((await house.done(name)).worktree.folder)
            file = (folder / "a.txt").as_uri()
            await screen.until(
                lambda file=file, name=name: screen.diagnostics.get(file) and screen.diagnostics[page(name)]
            )
            for uri in (file, page(name)):
                (shown,) = screen.diagnostics[uri]
                assert (shown["code"], shown["severity"]) == ("forecast", 2)
                assert shown["message"].startswith(f"{other} also changes these lines (a.txt)")
            assert screen.diagnostics[file][0]["range"]["start"] == {"line": 0, "character": 0}
            links = await screen.about("documentLink", page(name))
            assert file in [link["target"] for link in links]


async def test_the_setup_of_another_tool_is_offered_and_run_by_the_agent_through_the_gate(tmp_path):
    async with runtime_support.sitting(tmp_path) as (house, screen):
        (house.repository / "conductor.json").write_text('{"scripts": {"setup": "touch ran"}}')
        house.git("add", "-A")
        house.git("commit", "-qm", "conventions")
        session = await screen.start(house, "ls")
        await house.done(session)
        lines = (await screen.content(page(session))).split("\n")
        (offer,) = await screen.actions(page(session), lines.index("- conductor.json"))
        assert offer["title"] == "Ask the agent to run the setup of conductor.json"
        assert offer["command"]["arguments"][0]["text"].endswith("\ntouch ran")
