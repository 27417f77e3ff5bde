"""A change under review is on the person's own files and in the diff, with what can be done about it."""

import json

from agentos_lsp.domain import change_page
from tests.server import runtime_support
from tests.server.runtime_support import SHOWS, TRUSTED
from tests.server.test_transcripts import transcript_of

TEXT = "".join(f"line {number}\n" for number in range(20))
NEW = TEXT.replace("line 2\n", "line two\n").replace("line 15\n", "line 15\nline 15 😀\n")
FILES = {"text.txt": TEXT, "other.txt": "o\n"}
ASKS = {**TRUSTED, "askText": True}
REFRESHES = {**SHOWS, "workspace": {"codeLens": {"refreshSupport": True}}}


def open_file(screen, file, text, version=1):
    document = {"uri": file.as_uri(), "languageId": "text", "version": version, "text": text}
    screen.notify("textDocument/didOpen", {"textDocument": document})


async def review(house, screen, *steps):
    """Starts a session and waits until its first hunk is shown; returns the file, and its diagnostics."""
    session = await screen.start(house, *(steps or ({"write": {"path": "text.txt", "text": NEW}},)))
    file = house.repository / "text.txt"
    return session, file, await screen.until(lambda: screen.diagnostics.get(file.as_uri()))


def lines(shown):
    return [(one["code"], one["range"]["start"]["line"], one["range"]["end"]["line"]) for one in shown]


async def choose(screen, uri, line, title):
    """Chooses the code action whose title begins so."""
    (action,) = [one for one in await screen.actions(uri, line) if one["title"].startswith(title)]
    return await screen.choose(action)


async def edit(screen):
    """Waits for the edit that the server asks for, and says that it was made."""
    request = await screen.receive("workspace/applyEdit")
    screen.reply(request, {"applied": True})
    return request["params"]["edit"]


async def test_each_hunk_is_an_information_where_the_persons_own_file_has_it(tmp_path):
    async with runtime_support.sitting(tmp_path, options=ASKS, files=FILES) as (house, screen):
        session, file, shown = await review(house, screen)
        assert lines(shown) == [("hunk", 2, 3), ("hunk", 15, 16)]
        assert {one["severity"] for one in shown} == {3}
        assert shown[0]["message"] == f"{session} would turn 1 line into 1 line here.\n- line 2\n+ line two"
        # The person types above the first hunk, and does not save.
        open_file(screen, file, "typed\n" + TEXT)
        moved = await screen.until(
            lambda: (
                screen.diagnostics[file.as_uri()]
                if lines(screen.diagnostics[file.as_uri()])[0] == ("hunk", 3, 4)
                else None
            )
        )
        assert lines(moved)[1] == ("hunk", 16, 17)
        offered = await screen.actions(file.as_uri(), 3)
        assert [one["title"] for one in offered] == [
            f"{title} ({session})"
            for title in (
                "Accept hunk",
                "Reject hunk",
                "Accept text.txt",
                "Reject text.txt",
                "Ask for a change",
                "Show diff",
                "Mark as reviewed",
            )
        ]
        assert [one["diagnostics"] for one in offered] == [[moved[0]]] * 7
        assert {one["kind"] for one in offered} == {"quickfix.agentos"}
        ask = offered[4]["command"]
        assert ask["command"] == "agentos.client.askComment"
        assert ask["arguments"] == [moved[0]["data"], "agentos.hunk.ask"]
        assert await screen.actions(file.as_uri(), 9) == []
        # An edit in the same place is a conflict, which says so.
        change = {"text": TEXT.replace("line 2\n", "my line\n")}
        screen.notify(
            "textDocument/didChange",
            {"textDocument": {"uri": file.as_uri(), "version": 2}, "contentChanges": [change]},
        )
        await screen.until(lambda: "You edited the same lines" in screen.diagnostics[file.as_uri()][0]["message"])


async def test_a_file_that_no_system_can_know_is_open_and_hides_no_hunk_of_others(tmp_path):
    async with runtime_support.sitting(tmp_path) as (house, screen):
        screen.notify(
            "textDocument/didOpen",
            {"textDocument": {"uri": "file:///a%00b", "languageId": "text", "version": 1, "text": "x"}},
        )
        session = await screen.start(house, {"edit": {"path": "a.txt", "old": "one", "new": "1"}})
        await house.done(session)
        await screen.until(lambda: screen.diagnostics.get((house.repository / "a.txt").as_uri()))


async def test_a_hunk_is_accepted_through_the_editor_where_the_file_is_open(tmp_path):
    async with runtime_support.opened(tmp_path, files=FILES) as house:
        transcript = transcript_of(house)
        capabilities = {"workspace": {"workspaceEdit": {"documentChanges": True}}}
        async with runtime_support.connected(house, capabilities=capabilities, transcript=transcript) as screen:
            session, file, _ = await review(house, screen)
            open_file(screen, file, TEXT.rstrip("\n"), version=7)
            await screen.command("agentos.session.list")
            begin = len(transcript.lines)
            offered = await screen.actions(file.as_uri(), 15)
            command = offered[0]["command"]
            identity = screen.ask(
                "workspace/executeCommand", {"command": command["command"], "arguments": command["arguments"]}
            )
            asked = await edit(screen)
            assert await screen.answer(identity) == {"counted": True, "message": ""}
            assert file.read_text() == TEXT
            told = transcript.text(begin)
    where = {"start": {"line": 16, "character": 0}, "end": {"line": 16, "character": 0}}
    assert asked == {
        "documentChanges": [
            {
                "textDocument": {"uri": file.as_uri(), "version": 7},
                "edits": [{"range": where, "newText": "line 15 😀\n"}],
            }
        ]
    }
    requests = [line for line in told.splitlines() if "executeCommand" in line or "applyEdit" in line]
    assert (
        requests[0].endswith(
            '{"arguments": [{"digest": "$D1", "path": "text.txt", "session": "$S1"}], "command": "agentos.hunk.accept"}'
        )
        or '"agentos.hunk.accept"' in requests[0]
    )
    assert requests[1].startswith("<- workspace/applyEdit #1 ")
    assert json.dumps("Accept a change of an agent") in requests[1]
    assert [event.type for event in house_log(house, session)][-2:] == ["review.attempted", "review.accepted"]


def house_log(house, session):
    from agentos_lsp.effects import store

    kept = store.Store(house.state_folder)
    try:
        return kept.read(session)
    finally:
        kept.close()


async def test_a_hunk_is_accepted_on_the_disk_where_the_file_is_closed_and_its_mark_goes(tmp_path):
    async with runtime_support.sitting(tmp_path, files=FILES, capabilities=REFRESHES) as (house, screen):
        session, file, shown = await review(house, screen)
        assert (await choose(screen, file.as_uri(), 2, "Accept hunk"))["counted"] is True
        assert file.read_text() == TEXT.replace("line 2\n", "line two\n")
        left = await screen.until(
            lambda: screen.diagnostics[file.as_uri()] if len(screen.diagnostics[file.as_uri()]) == 1 else None
        )
        assert left == [shown[1]]
        assert (await choose(screen, file.as_uri(), 15, "Mark as reviewed"))["counted"] is True
        await screen.until(lambda: screen.diagnostics[file.as_uri()] == [])
        assert [one["title"] for one in await screen.actions(file.as_uri(), 15)][-1].startswith("Mark as not reviewed")
        assert (await house.runtime.state(session)).review.looked_at == {shown[1]["data"]["digest"]}


async def test_a_click_on_a_stale_screen_changes_nothing_and_says_so(tmp_path):
    async with runtime_support.sitting(tmp_path, files=FILES) as (house, screen):
        _, file, _ = await review(house, screen)
        offered = await screen.actions(file.as_uri(), 2)
        assert (await screen.choose(offered[1]))["counted"] is True
        for action in offered[:4]:
            assert (await screen.choose(action))["counted"] is False
        await screen.until(lambda: len(screen.told) == 4)
        assert set(screen.told) == {
            "This was changed since it was shown; look at it again and answer what it says now."
        }
        assert file.read_text() == TEXT


async def test_files_that_are_one_thing_are_on_their_first_line(tmp_path):
    steps = [{"write": {"path": path, "text": text}} for path, text in (("text.txt", NEW), ("é.txt", "x\n"))]
    steps.append({"delete": "other.txt"})
    async with runtime_support.sitting(tmp_path, files=FILES) as (house, screen):
        session, _, _ = await review(house, screen, *steps)
        (added,) = await screen.until(lambda: screen.diagnostics.get((house.repository / "é.txt").as_uri()))
        (deleted,) = await screen.until(lambda: screen.diagnostics.get((house.repository / "other.txt").as_uri()))
        assert (added["message"], deleted["message"]) == (
            f"{session} would add é.txt (1 line added).",
            f"{session} would delete other.txt (1 line removed).",
        )
        assert {one["code"] for one in (added, deleted)} == {"file"}
        uri = (house.repository / "é.txt").as_uri()
        assert [one["command"]["command"] for one in await screen.actions(uri, 0)] == [
            f"agentos.file.{name}" for name in ("accept", "reject", "show", "mark")
        ]


async def test_two_sessions_may_have_something_to_say_about_one_file(tmp_path):
    async with runtime_support.sitting(tmp_path, files=FILES) as (house, screen):
        first, file, _ = await review(house, screen)
        second = await screen.start(house, {"write": {"path": "text.txt", "text": "all new\n"}})
        both = await screen.until(
            lambda: screen.diagnostics[file.as_uri()] if len(screen.diagnostics[file.as_uri()]) == 3 else None
        )
        assert [one["data"]["session"] for one in both] == [first, first, second]
        await screen.command("agentos.session.discard", {"session": first, "confirm": True})
        await screen.until(lambda: [one["data"]["session"] for one in screen.diagnostics[file.as_uri()]] == [second])


async def test_the_diff_offers_the_same_on_its_hunks_and_headers(tmp_path):
    async with runtime_support.sitting(tmp_path, options=ASKS, files=FILES) as (house, screen):
        session, file, shown = await review(house, screen)
        uri = f"agentos://{session}/changes.diff"
        text = (await screen.content(uri)).split("\n")
        header = text.index("--- a/text.txt")
        assert [one["title"] for one in await screen.actions(uri, header)] == [
            "Accept text.txt", "Reject text.txt", "Ask for a change", "Mark as reviewed",
        ]  # fmt: skip
        hunk = text.index("+line 15 😀")
        offered = await screen.actions(uri, hunk)
        assert [one["title"] for one in offered][:2] == ["Accept hunk", "Reject hunk"]
        assert offered[0]["command"]["arguments"] == [shown[1]["data"]]
        lenses = await screen.about("codeLens", uri)
        marked = sorted({text[one["range"]["start"]["line"]][:4] for one in lenses})
        assert marked == ["@@ -", "diff"]
        assert (await screen.choose(offered[1]))["counted"] is True
        await screen.until(lambda: len(screen.diagnostics[file.as_uri()]) == 1)
        assert "+line 15 😀" not in await screen.content(uri)

        where = (await choose(screen, file.as_uri(), 2, "Show diff"))["uri"]
        assert where == uri
        (document,) = await screen.until(lambda: screen.documents)
        line = document["selection"]["start"]["line"]
        assert (await screen.content(uri)).split("\n")[line].startswith("@@ ")


async def test_an_editor_that_may_less_is_offered_less_and_refused_the_rest(tmp_path):
    async with runtime_support.opened(tmp_path, files=FILES) as house, runtime_support.connected(house) as owner:
        _, file, shown = await review(house, owner)
        answer = shown[0]["data"]
        for permissions, titles in (
            (["observe"], ["Show diff"]),
            (["observe", "steer"], ["Reject hunk", "Reject text.txt", "Show diff"]),
            (["observe", "merge"], ["Accept hunk", "Accept text.txt", "Show diff"]),
            (["observe", "approve"], ["Show diff", "Mark as reviewed"]),
        ):
            options = {"trusted": True, "permissions": permissions}
            async with runtime_support.connected(house, options=options) as screen:
                await screen.until(lambda screen=screen: screen.diagnostics.get(file.as_uri()))
                offered = await screen.actions(file.as_uri(), 2)
                assert [one["title"].rpartition(" (")[0] for one in offered] == titles
                for what in ("hunk", "file"):
                    for verb, needs in (("accept", "merge"), ("reject", "steer"), ("mark", "approve")):
                        if needs not in permissions:
                            refused = await screen.refusal(f"agentos.{what}.{verb}", answer)
                            assert refused.message == f"This connection may not {needs}."
        assert file.read_text() == TEXT


async def test_a_review_in_a_repository_behind_a_link_is_on_the_files_as_the_editor_knows_them(tmp_path):
    async with runtime_support.sitting(tmp_path, files=FILES) as (house, screen):
        link = tmp_path / "link"
        link.symlink_to(house.repository)
        open_file(screen, link / "text.txt", TEXT)
        await screen.start(house, {"write": {"path": "text.txt", "text": NEW}})
        shown = await screen.until(lambda: screen.diagnostics.get((link / "text.txt").as_uri()))
        assert lines(shown) == [("hunk", 2, 3), ("hunk", 15, 16)]
        assert len(await screen.actions((link / "text.txt").as_uri(), 2)) == 6
        assert (house.repository / "text.txt").as_uri() not in screen.diagnostics


async def test_a_long_diff_has_pages_that_lead_to_the_next(tmp_path, monkeypatch):
    monkeypatch.setattr(change_page, "FILES", 2)
    async with runtime_support.sitting(tmp_path) as (house, screen):
        steps = [{"write": {"path": f"{name}.txt", "text": f"{name}\n"}} for name in "bcde"]
        session = await screen.start(house, *steps)
        await house.done(session)
        first = f"agentos://{session}/changes.diff"
        lines = (await screen.content(first)).split("\n")
        assert lines[-2] == "More: 2 files, from page 2 of 2 on"
        second = f"agentos://{session}/changes/2.diff"
        assert [link["target"] for link in await screen.about("documentLink", first)][-1] == second
        lines = (await screen.content(second)).split("\n")
        assert [symbol["name"] for symbol in await screen.about("documentSymbol", second)] == ["d.txt", "e.txt"]
        at = lines.index("diff --git a/e.txt b/e.txt")
        offered = {action["title"]: action for action in await screen.actions(second, at)}
        shown = next(action for title, action in offered.items() if "e.txt" in title or "file" in title.lower())
        argument = shown["command"]["arguments"][0]
        assert argument["path"] == "e.txt"
        opened = await screen.command(
            "agentos.file.show", {key: argument[key] for key in ("session", "path", "digest")}
        )
        assert opened["uri"] == second
        assert (
            await screen.fails("workspace/textDocumentContent", {"uri": f"agentos://{session}/changes/3.diff"})
        ).data["hint"]


async def test_a_folded_file_leads_to_its_own_patch(tmp_path):
    async with runtime_support.sitting(tmp_path) as (house, screen):
        session = await screen.start(house, {"write": {"path": "dist/app.min.js", "text": "x()\n"}})
        await house.done(session)
        uri = f"agentos://{session}/changes.diff"
        lines = (await screen.content(uri)).split("\n")
        assert lines[-2] == "Folded: written by a program, or from elsewhere; +1 -0"
        patch = f"agentos://{session}/patch/dist/app.min.js.diff"
        assert [link["target"] for link in await screen.about("documentLink", uri)][-1] == patch
        assert "\n+x()\n" in await screen.content(patch)
        assert await screen.content(f"agentos://{session}/patch/other.txt.diff") == "No changes.\n"
