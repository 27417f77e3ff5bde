"""Many editors on one real socket: each sees everything, none disturbs another, and strangers are sent away."""

import asyncio
import os

import pytest

from agentos_lsp import __version__
from agentos_lsp.cli import address
from agentos_lsp.effects.process import peers
from agentos_lsp.server import endpoint, framing, handshake, publish_diagnostics
from tests.daemon import support
from tests.server.runtime_support import TRUSTED, page


async def test_an_approval_is_shown_in_every_editor_and_answered_in_one_disappears_in_all(tmp_path):
    async with (
        support.served(tmp_path) as (house, _),
        support.connected(house, name="first") as first,
        support.connected(house, name="second") as second,
    ):
        session = await first.start(house, "touch made.txt")
        shown = [await one.approval(session) for one in (first, second)]
        assert shown[0] == shown[1]
        action = next(
            one
            for one in await second.actions(page(session), shown[1]["range"]["start"]["line"])
            if one["title"] == "Approve once"
        )
        assert await second.choose(action) == {"counted": True, "message": ""}
        for one in (first, second):
            await one.until(lambda one=one: one.diagnostics[page(session)] == [])
        await house.done(session)
        late = await first.choose(action)
        assert not late["counted"]
        decided = [event for event in await house.events(session) if event.type == "approval.decided"]
        assert [event.by for event in decided] == ["second (editor 2)"]


async def test_every_editor_is_told_every_event_in_order(tmp_path):
    options = {**TRUSTED, "events": True}
    async with (
        support.served(tmp_path) as (house, _),
        support.connected(house, options=options) as first,
        support.connected(house, options=options) as second,
    ):
        session = await first.start(house, "ls", {"edit": {"path": "a.txt", "old": "two", "new": "2"}}, {"commit": "C"})
        await house.done(session)
        wanted = [event.model_dump(mode="json") for event in await house.events(session)]
        for one in (first, second):
            await one.until(lambda one=one: len(one.events) >= len(wanted))
            assert one.events == wanted


async def test_what_all_editors_show_is_made_once(tmp_path, monkeypatch):
    made = []
    real = publish_diagnostics.of

    def of(now, *given):
        made.append((now.session, now.sequence))
        return real(now, *given)

    monkeypatch.setattr(publish_diagnostics, "of", of)
    async with (
        support.served(tmp_path) as (house, _),
        support.connected(house) as first,
        support.connected(house) as second,
    ):
        session = await first.start(house, "touch made.txt")
        shown = [await one.approval(session) for one in (first, second)]
        assert shown[0] == shown[1]
        assert made
        assert len(made) == len(set(made))


async def test_editors_with_the_same_environment_share_it(tmp_path):
    async with (
        support.served(tmp_path) as (house, daemon),
        support.connected(house, environment={"LANG": "C.UTF-8"}),
        support.connected(house, environment={"LANG": "C.UTF-8"}),
        support.connected(house, environment={"LANG": "de_DE.UTF-8"}),
    ):
        first, second, third = (one.client.environment for one in daemon._endpoint.clients)
        assert first is second
        assert (first, third) == ({"LANG": "C.UTF-8"}, {"LANG": "de_DE.UTF-8"})


async def test_an_editor_that_leaves_in_the_middle_ends_neither_the_session_nor_the_other_editor(tmp_path):
    async with support.served(tmp_path) as (house, daemon), support.connected(house) as stays:
        reader, writer, answer = await support.dial(house, support.hello(house))
        assert answer == "ok\n"
        writer.write(b"Content-Length: 100\r\n\r\n{")
        await support.close(writer)
        del reader
        session = await stays.start(house, "touch made.txt")
        await stays.approval(session)
        await stays.command("agentos.session.stop", {"session": session})
        assert len(daemon._endpoint.clients) == 1


async def test_an_editor_that_stops_reading_is_dropped_and_the_others_are_not(tmp_path, monkeypatch):
    monkeypatch.setattr(framing, "MAX_BACKLOG_BYTES", 1 << 16)
    options = {**TRUSTED, "events": True}
    async with support.served(tmp_path) as (house, daemon), support.connected(house, options=options) as reads:
        reader, writer, _ = await support.dial(house, support.hello(house))
        stuck = support.runtime_support.Screen(reader, writer)
        await stuck.request(
            "initialize", {"processId": None, "rootUri": None, "capabilities": {}, "initializationOptions": options}
        )
        stuck.notify("initialized", {})
        reader._transport.pause_reading()
        assert len(daemon._endpoint.clients) == 2
        session = await reads.start(house, *(["cat a.txt"] * 5))
        await house.done(session)
        text = "x" * 60_000
        while len(daemon._endpoint.clients) == 2:
            await reads.command("agentos.session.prompt", {"session": session, "text": text})
        await reads.command("agentos.session.list")
        await support.close(writer)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"Content-Length: 2\r\n\r\n{}", "This is no handshake that this version of agentos-lsp knows."),
        (b"agentos 2 connect 0\n", "This is no handshake that this version of agentos-lsp knows."),
        (b"agentos 1 dance 0\n", "This is no handshake that this version of agentos-lsp knows."),
        (b"agentos 1 connect -1\n", "This is no handshake that this version of agentos-lsp knows."),
        ("agentos 1 connect \u0661\n".encode(), "This is no handshake that this version of agentos-lsp knows."),
        (b"agentos 1 connect 99999999\n", "The handshake is longer than 1048576 bytes."),
        (b"agentos 1 connect 99999999999999999999\n", "The handshake is longer than 1048576 bytes."),
        (b"agentos 1 connect 3\na\0b", "The handshake lacks fields."),
        (b"a" * 70_000, "The handshake is too long."),
        (b"\xff\xfe\n", "This is no handshake that this version of agentos-lsp knows."),
    ],
)
async def test_what_is_no_handshake_is_refused_with_words(tmp_path, said, why):
    async with support.served(tmp_path) as (house, _):
        _, writer, answer = await support.dial(house, said)
        assert answer == f"no {why}\n"
        await support.close(writer)


async def test_a_forwarder_of_another_version_or_for_another_folder_is_refused_but_may_ask(tmp_path):
    async with support.served(tmp_path) as (house, _):
        _, writer, answer = await support.dial(house, support.hello(house, version="0.0.1"))
        assert answer == f"no this is agentos-lsp {__version__} for {house.where.state}.\n"
        await support.close(writer)
        reader, writer, answer = await support.dial(house, support.hello(house, "status", version="0.0.1"))
        assert answer == "ok\n"
        assert f"agentos-lsp {__version__}, process {os.getpid()}" in (await reader.read()).decode()
        await support.close(writer)


async def test_a_refused_peer_that_never_stops_talking_is_left(tmp_path, monkeypatch):
    monkeypatch.setattr(endpoint, "REFUSED_TIMEOUT_S", 0.01)
    async with support.served(tmp_path) as (house, daemon):
        _, writer, answer = await support.dial(house, b"what?\n")
        assert answer.startswith("no ")
        while not daemon._endpoint.is_alone:
            writer.write(b"more")
            await asyncio.sleep(0)
        await support.close(writer)


async def test_who_says_nothing_is_not_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr(endpoint, "HANDSHAKE_TIMEOUT_S", 0.01)
    async with support.served(tmp_path) as (house, daemon):
        _, writer, answer = await support.dial(house, b"agentos 1 conn")
        assert answer == ""
        assert daemon._endpoint.is_alone
        await support.close(writer)


async def test_more_editors_than_can_be_served_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(endpoint, "MAX_CLIENTS", 1)
    async with support.served(tmp_path) as (house, _), support.connected(house):
        _, writer, answer = await support.dial(house, support.hello(house))
        assert answer == "no 1 editors are connected already.\n"
        await support.close(writer)


async def test_a_refused_peer_is_told_why_and_served_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(peers, "refusal", lambda _pid, _pidfd: peers.OF_A_SESSION)
    async with support.served(tmp_path) as (house, daemon):
        for kind in handshake.KINDS:
            reader, writer, answer = await support.dial(house, support.hello(house, kind))
            assert answer == f"no {peers.OF_A_SESSION}\n"
            assert await reader.read() == b""
            await support.close(writer)
        assert daemon._endpoint.clients == []


async def test_the_commands_of_a_session_inherit_from_the_editor_that_started_it(tmp_path):
    ours, theirs = {"GOPATH": "/first", "PATH": os.environ["PATH"]}, {"GOPATH": "/second", "PATH": os.environ["PATH"]}
    async with (
        support.served(tmp_path) as (house, _),
        support.connected(house, environment=ours) as first,
        support.connected(house, environment={**theirs, "MY_TOKEN": "secret"}) as second,
    ):
        printed = []
        for one in (first, second):
            session = await one.start(house, "printenv GOPATH MY_TOKEN")
            asked = await first.approval(session)
            await first.command("agentos.approval.decide", {**asked["data"], "outcome": "approved"})
            await house.done(session)
            call = next(iter((await house.runtime.state(session)).calls))
            printed.append(await first.content(f"agentos://{session}/output/{call}.txt"))
        assert printed == ["/first\n", "/second\n"]


async def test_a_daemon_that_nobody_needs_ends_by_itself(tmp_path):
    async with support.served(tmp_path, idle_s=0.001) as (house, _):
        async with asyncio.timeout(support.TIMEOUT_S):
            await house.serving
        assert not address.is_our_socket(house.where.socket)


async def test_a_daemon_with_an_editor_or_a_live_session_stays(tmp_path):
    async with support.served(tmp_path, idle_s=600.0) as (house, daemon):
        daemon._idle_s = 0.001
        async with support.connected(house) as editor:
            assert daemon._timer is None
            session = await editor.start(house, "touch made.txt")
            await editor.approval(session)
        while not daemon._endpoint.is_alone:  # noqa: ASYNC110 - the end of a connection is no event of the session
            await asyncio.sleep(0.002)
        assert daemon._timer is None
        assert not house.serving.done()
        # The session ends without an editor: nobody needs the daemon any more.
        await house.runtime.discard(session, "a test")
        async with asyncio.timeout(support.TIMEOUT_S):
            await house.serving


@pytest.mark.parametrize("kind", ["stop", "stop-now"])
async def test_a_stop_interrupts_sessions_at_work_only_when_it_says_so(tmp_path, kind):
    async with support.served(tmp_path) as (house, _), support.connected(house) as editor:
        session = await editor.start(house, "touch made.txt")
        await editor.approval(session)
        reader, writer, answer = await support.dial(house, support.hello(house, kind))
        assert answer == "ok\n"
        told = (await reader.read()).decode()
        await support.close(writer)
        if kind == "stop":
            assert told.startswith("kept\n")
            assert f"  {session} (waiting)\n" in told
            await editor.command("agentos.session.list")
        else:
            assert told.startswith("stopping\n")
            await editor.read_to_end()
