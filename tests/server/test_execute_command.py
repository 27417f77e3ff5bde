"""Every command, asked for as an editor asks for it."""

import pytest

from tests.server import runtime_support
from tests.server.runtime_support import OVERVIEW, page


async def test_a_session_goes_from_start_to_merge(tmp_path):
    async with runtime_support.sitting(tmp_path) as (house, screen):
        change = {"edit": {"path": "a.txt", "old": "one", "new": "ONE"}}
        session = await screen.start(house, change, {"commit": "Shout"}, task="Shout: één")
        now = await house.done(session)
        row = {"session": session, "task": "Shout: één", "status": "idle", "group": "to-review", "waiting": 0}
        assert await screen.command("agentos.session.list") == {"sessions": [row]}
        assert await screen.command("agentos.session.show", {"session": session}) == {
            **row,
            "branch": f"agentos/{session}",
            "worktree": now.worktree.folder,
            "baseBranch": "main",
            "baseCommit": now.base_commit,
            "head": now.head,
            "notice": "Done.",
            "approvals": [],
            "conflicts": [],
            "findings": [],
        }
        merged = await screen.command("agentos.session.merge", {"session": session, "strategy": "squash"})
        assert merged == {
            "merged": True,
            "into": "main",
            "commit": house.git("rev-parse", "main"),
            "files": ["a.txt"],
        }
        assert (house.repository / "a.txt").read_text() == "ONE\ntwo\n"
        ended = await house.until(session, lambda now: now.worktree is None)
        assert ended.status == "merged"


async def test_the_first_answer_counts_and_a_stale_digest_does_not(tmp_path):
    async with runtime_support.sitting(tmp_path) as (house, screen):
        session = await screen.start(house, "touch $(cat a.txt)")
        data = (await screen.approval(session))["data"]
        answer = {**data, "outcome": "approved"}
        stale = await screen.command("agentos.approval.decide", {**answer, "digest": "0" * 16})
        assert stale == {
            "counted": False,
            "message": "The request changed since it was shown; look at it again and answer what it says now.",
        }
        assert await screen.until(lambda: screen.told) == [stale["message"]]
        forged = await screen.command("agentos.approval.decide", {**answer, "approval": "9999"})
        assert forged["counted"] is False
        (open_question,) = (await screen.command("agentos.session.show", {"session": session}))["approvals"]
        assert open_question["prefix"] is None
        not_offered = await screen.command("agentos.approval.decide", {**answer, "scope": "prefix"})
        assert not_offered["counted"] is False
        assert (await screen.command("agentos.approval.decide", answer))["counted"] is True
        late = await screen.command("agentos.approval.decide", {**answer, "outcome": "rejected"})
        assert late == {
            "counted": False,
            "message": "This request was already answered or withdrawn; nothing was changed.",
        }
        await house.done(session)
        decided = [event for event in await house.events(session) if event.type == "approval.decided"]
        assert [(event.outcome, event.by.partition(" ")[0]) for event in decided] == [("approved", "test")]


async def test_an_approval_of_a_line_asks_no_second_time_and_a_comment_reaches_the_agent(tmp_path):
    async with runtime_support.sitting(tmp_path) as (house, screen):
        session = await screen.start(house, "touch x", "touch x", "touch y")
        first = await screen.approval(session)
        await screen.command("agentos.approval.decide", {**first["data"], "outcome": "approved", "scope": "line"})
        second = (await screen.approval(session, after=first))["data"]
        rejected = {**second, "outcome": "rejected", "comment": "use z ü"}
        await screen.command("agentos.approval.decide", rejected)
        now = await house.done(session)
        assert [call.step for call in now.calls.values()] == ["done", "done", "refused"]
        assert list(now.calls.values())[-1].told == "A person rejected this: use z ü"
        assert now.lines == frozenset([("touch x", "")])


async def test_a_turn_is_paused_resumed_stopped_and_prompted(tmp_path):
    async with runtime_support.sitting(tmp_path) as (house, screen):
        session = await screen.start(house, ["touch x"], ["ls"])
        await screen.approval(session)
        one = {"session": session}
        assert (await screen.command("agentos.session.pause", one))["status"] == "waiting"
        assert (await screen.command("agentos.session.resume", one))["status"] == "waiting"
        assert (await screen.command("agentos.session.stop", one))["status"] == "idle"
        await screen.until(lambda: screen.diagnostics[page(session)] == [])
        await screen.command("agentos.session.prompt", {**one, "text": "go on"})
        now = await house.until(session, lambda now: now.notice == "Done.")
        assert [call.step for call in now.calls.values()] == ["refused", "done"]


async def test_a_discard_shows_first_what_would_be_lost(tmp_path):
    async with runtime_support.sitting(tmp_path) as (house, screen):
        session = await screen.start(
            house,
            {"write": {"path": "n.txt", "text": "n\n"}},
            {"commit": "n"},
            {"write": {"path": "m.txt", "text": "m"}},
        )
        now = await house.done(session)
        lost = {"commits": [now.head], "uncommitted": ["m.txt"]}
        one = {"session": session}
        told = await screen.command("agentos.session.discard", one)
        lost["shown"] = told["shown"]
        assert told == {"discarded": False, **lost}
        assert (await screen.command("agentos.session.show", one))["status"] == "idle"
        assert await screen.command("agentos.session.discard", {**one, "confirm": True, "shown": told["shown"]}) == {
            "discarded": True,
            **lost,
        }
        await house.until(session, lambda now: now.worktree is None)
        assert house.git("worktree", "list", "--porcelain").count("worktree ") == 1
        error = await screen.refusal("agentos.session.merge", one)
        assert error.code == -32803


async def test_a_merge_names_the_file_that_is_open_with_unsaved_changes(tmp_path):
    async with runtime_support.sitting(tmp_path) as (house, screen):
        session = await screen.start(
            house, {"edit": {"path": "dir ü/naïve é.txt", "old": "é", "new": "e"}}, {"commit": "c"}
        )
        await house.done(session)
        link = tmp_path / "by another name"
        link.symlink_to(house.repository)
        uri = (link / "dir ü" / "naïve é.txt").as_uri()
        document = {"uri": uri, "languageId": "text", "version": 1, "text": "é and more\n"}
        screen.notify("textDocument/didOpen", {"textDocument": document})
        refused = await screen.command("agentos.session.merge", {"session": session})
        assert (refused["merged"], refused["kind"], refused["paths"]) == (False, "refused", ["dir ü/naïve é.txt"])
        changes = {"textDocument": {"uri": uri, "version": 2}, "contentChanges": [{"text": "é\n"}]}
        screen.notify("textDocument/didChange", changes)
        merged = await screen.command("agentos.session.merge", {"session": session})
        assert merged["merged"] is True, merged


async def test_a_line_is_judged_part_by_part_without_running(tmp_path):
    async with runtime_support.sitting(tmp_path) as (house, screen):
        session = await screen.start(house, "ls")
        await house.done(session)
        judged = await screen.command("agentos.command.check", {"line": "ls && rm -rf /", "session": session})
        assert judged["verdict"] == "blocked"
        assert [(part["text"], part["verdict"]) for part in judged["parts"]] == [
            ("ls", "allowed"),
            ("rm -rf /", "blocked"),
        ]
        assert (await screen.command("agentos.command.check", {"line": "ls"}))["verdict"] == "allowed"
        assert len((await house.until(session, lambda _: True)).calls) == 1


async def test_documents_are_opened_in_editors_that_can(tmp_path):
    async with runtime_support.sitting(tmp_path) as (house, screen):
        opened = await screen.command("agentos.session.open", {"document": "overview"})
        assert opened == {"uri": OVERVIEW, "shown": True}
        session = await screen.start(house, "ls")
        for document, ending in (("page", "session.md"), ("changes", "changes.diff"), ("trace", "trace.md")):
            opened = await screen.command("agentos.session.open", {"document": document})
            assert opened == {"uri": f"agentos://{session}/{ending}", "shown": True}
        await screen.until(lambda: len(screen.documents) == 4)
        assert screen.documents[-1] == {"uri": f"agentos://{session}/trace.md", "takeFocus": True}
        error = await screen.refusal("agentos.session.open", {"session": "no-such"})
        assert error.code == -32803
        async with runtime_support.connected(house, capabilities={}) as plain:
            opened = await plain.command("agentos.session.open", {"session": session})
            assert opened == {"uri": page(session), "shown": False}


async def test_a_line_is_judged_before_there_is_a_session(tmp_path):
    async with runtime_support.sitting(tmp_path) as (house, screen):
        (house.repository / "out").symlink_to("/etc")
        lines = ("ls", "touch x", "mkdir out/x", f"ls {house.repository}", "rm -rf /elsewhere")
        found = [(await screen.command("agentos.command.check", {"line": line}))["verdict"] for line in lines]
        assert found == ["allowed", "reviewed", "reviewed", "allowed", "blocked"]
        assert (await screen.command("agentos.session.list"))["sessions"] == []


async def test_which_session_is_asked_for_where_there_are_two(tmp_path):
    async with runtime_support.sitting(tmp_path) as (house, screen):
        for _ in range(2):
            await screen.start(house, "ls")
        error = await screen.refusal("agentos.session.open", {"document": "trace"})
        assert (error.code, error.message) == (-32803, "Which session?")


async def test_a_session_may_begin_in_a_folder_named_by_path_or_uri(tmp_path):
    async with runtime_support.sitting(tmp_path) as (house, screen):
        for workspace in (str(house.repository / "dir ü"), (house.repository / "dir ü").as_uri()):
            argument = {"task": "t", "script": house.script("ls"), "workspace": workspace}
            started = await screen.command("agentos.session.start", argument)
            now = await house.done(started["session"])
            assert now.repository == str(house.repository)


@pytest.mark.parametrize(
    "workspace",
    ["relative", "", "file:relative", "/tmp/\0", "file:///tmp/%00", "/\ud800", "file://[", "/" + "x" * 100_000],
)
async def test_what_is_no_path_is_refused_in_words(tmp_path, workspace):
    async with runtime_support.sitting(tmp_path, capabilities={}) as (house, screen):
        screen.notify(
            "workspace/didChangeWorkspaceFolders",
            {"event": {"added": [], "removed": [{"uri": house.repository.as_uri(), "name": "repo"}]}},
        )
        argument = {"task": "t", "script": house.script("ls"), "workspace": workspace}
        error = await screen.refusal("agentos.session.start", argument)
        assert error.code == -32803, error
        assert error.data["hint"]
        assert len(error.message) < 600
        assert await screen.command("agentos.session.list") == {"sessions": []}
