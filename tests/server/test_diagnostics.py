"""What waits for a person is a diagnostic on the line that shows it, and goes when it no longer holds."""

from agentos_lsp.domain import state
from agentos_lsp.server import publish_diagnostics
from tests.domain import support as examples
from tests.server import runtime_support
from tests.server.runtime_support import SECRET, page


async def line_of(screen, uri, diagnostic):
    text = await screen.content(uri)
    where = diagnostic["range"]
    line = text.split("\n")[where["start"]["line"]]
    units = line.encode("utf-16-le")
    assert where["start"]["line"] == where["end"]["line"]
    return units[2 * where["start"]["character"] : 2 * where["end"]["character"]].decode("utf-16-le")


async def test_an_approval_stands_on_the_line_that_shows_it_and_goes_with_the_answer(tmp_path):
    async with runtime_support.sitting(tmp_path) as (house, screen):
        session = await screen.start(house, "touch 'a 😀 b'")
        shown = await screen.approval(session)
        assert await line_of(screen, page(session), shown) == f"- [{shown['data']['approval']}] touch 'a 😀 b'"
        (action, *_) = await screen.actions(page(session), shown["range"]["start"]["line"])
        assert action["diagnostics"] == [shown]
        assert await screen.choose(action) == {"counted": True, "message": ""}
        await screen.until(lambda: screen.diagnostics[page(session)] == [])
        done = await house.done(session)
        assert [call.exit_code for call in done.calls.values()] == [0]
        assert [uri for uri, _ in screen.published] == [page(session), page(session)]


async def test_a_diagnostic_says_what_where_and_why_with_odd_characters_by_number(tmp_path):
    async with runtime_support.sitting(tmp_path) as (house, screen):
        session = await screen.start(
            house, {"run": {"line": "touch \u202egpj.exe # \x1b[2K\u200b\ufe0f", "cwd": "dir ü"}}
        )
        shown = await screen.approval(session)
        assert shown["source"] == "agentos"
        assert shown["severity"] == 2
        told = shown["message"].split("\n")[0]
        expected = r"touch \u{202E}gpj.exe # \u{1B}[2K\u{200B}\u{FE0F}"
        assert told == f"The agent asks to run in dir ü: {expected}"
        assert (await line_of(screen, page(session), shown)).endswith(expected)
        assert set("\u202e\x1b\u200b\ufe0f") & set(await screen.content(runtime_support.OVERVIEW)) == set()


async def test_an_editor_that_comes_later_or_opens_a_page_again_is_told_what_waits(tmp_path):
    async with runtime_support.sitting(tmp_path) as (house, first):
        session = await first.start(house, "touch x")
        shown = await first.approval(session)
        async with runtime_support.connected(house) as second:
            assert await second.approval(session) == shown
            second.diagnostics.clear()
            document = {"uri": page(session), "languageId": "markdown", "version": 1, "text": ""}
            second.notify("textDocument/didOpen", {"textDocument": document})
            assert await second.approval(session) == shown


async def test_findings_are_on_the_page_and_on_the_file_and_both_are_cleared(tmp_path):
    async with runtime_support.sitting(tmp_path) as (house, screen):
        session = await screen.start(
            house,
            {"write": {"path": "dir ü/keys é.py", "text": f"first = 1\nKEY = '{SECRET}'\n"}},
            {"commit": "Add keys", "expect": "refused"},
            "touch x",
            {"delete": "dir ü/keys é.py"},
            "touch y",
        )
        first = await screen.approval(session)
        worktree = (await house.until(session, lambda now: now.status == "waiting")).worktree.folder
        uri = await screen.until(lambda: next((uri for uri in screen.diagnostics if uri.startswith("file:")), None))
        assert uri == f"file://{worktree}/dir%20%C3%BC/keys%20%C3%A9.py"
        (finding,) = screen.diagnostics[uri]
        assert finding["range"] == {"start": {"line": 1, "character": 0}, "end": {"line": 2, "character": 0}}
        assert finding["severity"] == 1
        assert SECRET not in finding["message"]
        on_page = [one for one in screen.diagnostics[page(session)] if one["code"] != "approval"]
        assert [one["message"] for one in on_page] == [finding["message"]]

        await screen.choose((await screen.actions(page(session), first["range"]["start"]["line"]))[-1])
        await screen.until(lambda: screen.diagnostics[uri] == [])
        assert "its file was changed since" in await screen.content(page(session))
        await screen.until(lambda: [one["code"] for one in screen.diagnostics[page(session)]] == ["approval"])


async def test_a_session_that_ends_leaves_no_diagnostic(tmp_path):
    async with runtime_support.sitting(tmp_path) as (house, screen):
        session = await screen.start(
            house, {"write": {"path": "k.py", "text": f"'{SECRET}'\n"}}, {"commit": "Add", "expect": "refused"}
        )
        await screen.until(lambda: any(uri.endswith("/k.py") for uri in screen.diagnostics))
        await house.done(session)
        await screen.command("agentos.session.discard", {"session": session, "confirm": True})
        await screen.until(lambda: not any(screen.diagnostics.values()))
        assert {uri.rpartition("/")[2] for uri in screen.diagnostics} == {"session.md", "k.py"}


def test_conflicts_are_errors_on_the_page_until_the_next_merge():
    log = examples.log("session.started", "worktree.created", "merge.attempted", "merge.conflicted")
    (params,) = publish_diagnostics.of(state.fold(log))
    assert [(one.code, one.severity, one.message.split(" ")[0]) for one in params.diagnostics] == [
        ("conflict", 1, "a.py")
    ]
    (params,) = publish_diagnostics.of(state.fold([*log, examples.event("merge.attempted", 5)]))
    assert params.diagnostics == []


def test_only_what_changed_is_sent():
    sent = []
    publisher = publish_diagnostics.Publisher(sent.append)
    log = examples.log("session.started", "worktree.created", "tool_call.requested", "commit.refused")
    publisher.publish(state.fold(log))
    assert [(params.uri.rpartition("/")[2], len(params.diagnostics)) for params in sent] == [
        ("session.md", 1),
        ("a.py", 1),
    ]
    publisher.publish(state.fold(log))
    assert len(sent) == 2
    publisher.publish(state.fold([*log, examples.event("session.discarded", 5)]))
    assert [(params.uri.rpartition("/")[2], len(params.diagnostics)) for params in sent[2:]] == [
        ("session.md", 0),
        ("a.py", 0),
    ]
