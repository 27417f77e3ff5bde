"""What a connection offers, when it tells its editor what, and that editors do not disturb each other or a session."""

import contextlib

import pytest

from agentos_lsp.server import protocol
from tests.server import runtime_support
from tests.server.runtime_support import OVERVIEW, TRUSTED, page

SHOWS_DOCUMENTS = {**TRUSTED, "virtualDocuments": True}
KNOWS_DOCUMENTS = {"workspace": {"textDocumentContent": {"dynamicRegistration": True}}}


async def test_everything_is_advertised(tmp_path):
    async with runtime_support.opened(tmp_path) as house, runtime_support.connected(house) as screen:
        line = next(line for line in screen.transcript.lines if line.startswith("<- result #1 "))
        for words in (
            '"codeActionProvider": {"codeActionKinds": ["quickfix.agentos"]',
            '"codeLensProvider": {"resolveProvider": false}',
            '"documentLinkProvider": {"resolveProvider": false}',
            '"documentSymbolProvider": true',
            '"foldingRangeProvider": true',
            '"hoverProvider": true',
            '"textDocumentContent": {"schemes": ["agentos"]}',
            f'"commands": ["{next(iter(protocol.COMMANDS))}"',
        ):
            assert words in line


@pytest.mark.parametrize(
    ("options", "capabilities"), [(SHOWS_DOCUMENTS, {}), (TRUSTED, KNOWS_DOCUMENTS)], ids=["by option", "by capability"]
)
async def test_documents_are_refreshed_where_they_are_shown(tmp_path, options, capabilities):
    async with runtime_support.sitting(tmp_path, options=options, capabilities=capabilities) as (house, screen):
        session = await screen.start(house, "ls")
        call = next(iter((await house.done(session)).calls))
        wanted = {
            OVERVIEW,
            page(session),
            *(f"agentos://{session}/{name}" for name in ("changes.diff", "trace.md", f"output/{call}.txt")),
        }
        await screen.until(lambda: set(screen.refreshed) == wanted)


async def test_an_editor_that_shows_no_documents_is_never_told_of_one(tmp_path):
    async with runtime_support.sitting(tmp_path, capabilities={}) as (house, screen):
        session = await screen.start(house, "touch x")
        await screen.approval(session)
        await screen.command("agentos.session.stop", {"session": session})
        await screen.until(lambda: screen.diagnostics[page(session)] == [])
        assert screen.refreshed == []


async def test_an_editor_that_does_not_answer_refreshes_has_one_of_each_open_at_most(tmp_path):
    async with runtime_support.sitting(tmp_path, options=SHOWS_DOCUMENTS) as (house, screen):
        screen.answers_refreshes = False
        session = await screen.start(house, "touch x")
        await screen.approval(session)
        await screen.command("agentos.session.stop", {"session": session})
        await screen.until(lambda: screen.diagnostics[page(session)] == [])
        assert len(screen.refreshed) == len(set(screen.refreshed)) > 3


@pytest.mark.parametrize("wanted", [True, False])
async def test_events_are_sent_where_they_are_asked_for(tmp_path, wanted):
    async with runtime_support.sitting(tmp_path, options={**TRUSTED, "events": wanted}) as (house, screen):
        session = await screen.start(house, "ls")
        await house.done(session)
        await screen.command("agentos.session.list")
        recorded = [event.model_dump(mode="json") for event in await house.events(session)]
        assert screen.events == (recorded if wanted else [])


async def test_what_is_answered_in_one_editor_goes_in_the_other(tmp_path):
    async with runtime_support.sitting(tmp_path) as (house, first), runtime_support.connected(house) as second:
        session = await first.start(house, "touch x")
        shown = await first.approval(session)
        assert await second.approval(session) == shown
        line = shown["range"]["start"]["line"]
        stale = await first.actions(page(session), line)
        await second.choose((await second.actions(page(session), line))[0])
        await first.until(lambda: first.diagnostics[page(session)] == [])
        assert (await first.choose(stale[-1]))["counted"] is False
        now = await house.done(session)
        assert [call.step for call in now.calls.values()] == ["done"]


async def test_two_answers_at_once_count_once(tmp_path):
    async with runtime_support.sitting(tmp_path) as (house, first), runtime_support.connected(house) as second:
        session = await first.start(house, "touch x")
        data = (await first.approval(session))["data"]
        sent = [
            (
                screen,
                screen.ask("workspace/executeCommand", {"command": "agentos.approval.decide", "arguments": [given]}),
            )
            for given in ({**data, "outcome": "approved"}, {**data, "outcome": "rejected"})
            for screen in (first, second)
        ]
        counted = [(await screen.answer(identity))["counted"] for screen, identity in sent]
        assert sorted(counted) == [False, False, False, True]
        await house.done(session)
        kinds = [event.type for event in await house.events(session)]
        assert kinds.count("approval.decided") == 1


async def test_an_editor_that_leaves_does_not_end_a_session(tmp_path):
    async with runtime_support.sitting(tmp_path) as (house, stays):
        with contextlib.suppress(ExceptionGroup):
            async with runtime_support.connected(
                house, options={**SHOWS_DOCUMENTS, "bell": True, "events": True}
            ) as goes:
                session = await goes.start(house, "touch x")
                await goes.until(lambda: goes.bells)
                goes.writer.transport.abort()
                goes._finished = True
        shown = await stays.approval(session)
        await stays.choose((await stays.actions(page(session), shown["range"]["start"]["line"]))[0])
        assert (await house.done(session)).status == "idle"
        assert len(house.runtime._telling._listeners) == 1


async def test_a_defect_of_one_editor_does_not_reach_a_session(tmp_path, caplog):
    async with runtime_support.sitting(tmp_path) as (house, screen):
        server = await house.server_of(screen)

        def fail(*_):
            raise RuntimeError("a defect")

        server.reporter.on_event = fail
        server.reporter.on_progress = fail
        session = await screen.start(house, "ls")
        assert (await house.done(session)).status == "idle"
    assert "a defect" in caplog.text


async def test_initialized_twice_is_told_once(tmp_path):
    async with runtime_support.sitting(tmp_path, options={**TRUSTED, "events": True}) as (house, screen):
        screen.notify("initialized", {})
        session = await screen.start(house, "ls")
        await house.done(session)
        await screen.command("agentos.session.list")
        assert [event["sequence"] for event in screen.events] == list(range(1, len(screen.events) + 1))


async def test_an_editor_s_name_is_in_the_log_without_tricks(tmp_path):
    async with (
        runtime_support.opened(tmp_path) as house,
        runtime_support.connected(house, name="a\u202e\n" + "x" * 10_000) as screen,
    ):
        session = await screen.start(house, "ls")
        (first, *_) = await house.events(session)
        assert first.by == "a\\u{202E}\\u{A}" + "x" * 57 + " (editor 1)"


async def test_names_with_spaces_and_unicode_go_all_the_way(tmp_path):
    async with (
        runtime_support.opened(tmp_path, name="my répo ü 😀") as house,
        runtime_support.connected(house, options=SHOWS_DOCUMENTS) as screen,
    ):
        path = "späte dir/a «b» 😀.txt"
        session = await screen.start(
            house, {"write": {"path": path, "text": "é\n"}}, f"cat '{path}'", {"commit": "Späte Grüße 😀"}, task="Öl 😀"
        )
        now = await house.done(session)
        assert list(now.calls.values())[1].tail == "é\n"
        assert f"+++ b/{path}" in await screen.content(f"agentos://{session}/changes.diff")
        merged = await screen.command("agentos.session.merge", {"session": session})
        assert (merged["merged"], merged["files"]) == (True, [path])
        assert (house.repository / path).read_text() == "é\n"


async def test_a_session_is_found_again_by_the_next_server(tmp_path):
    async with runtime_support.sitting(tmp_path) as (house, screen):
        session = await screen.start(house, "touch x")
        before = await screen.approval(session)
    async with runtime_support.sitting(tmp_path) as (house, screen):
        after = await screen.approval(session)
        assert after["data"]["approval"] != before["data"]["approval"]
        assert after["message"] == before["message"]
        assert (await screen.command("agentos.approval.decide", {**before["data"], "outcome": "approved"}))[
            "counted"
        ] is False
        await screen.choose((await screen.actions(page(session), after["range"]["start"]["line"]))[0])
        now = await house.until(session, lambda now: now.turn is None)
        assert [call.step for call in now.calls.values()] == ["done"]


@pytest.mark.parametrize("what", ["state", "on_own_files"])
async def test_what_cannot_be_told_of_one_session_keeps_nothing_else_from_being_told(
    tmp_path, caplog, monkeypatch, what
):
    async with runtime_support.sitting(tmp_path) as (house, screen):
        broken = await screen.start(house, ["touch x"], ["touch y"])
        first = await screen.approval(broken)
        real = getattr(house.runtime, what)

        async def fails(session, *given):
            if session == broken:
                raise RuntimeError("a defect")
            return await real(session, *given)

        monkeypatch.setattr(house.runtime, what, fails)
        await screen.command("agentos.approval.decide", {**first["data"], "outcome": "rejected"})
        other = await screen.start(house, "touch x")
        assert await screen.approval(other)
        monkeypatch.undo()
        await screen.command("agentos.session.prompt", {"session": broken, "text": "Go on"})
        assert await screen.approval(broken, first)
    assert "a defect" in caplog.text
