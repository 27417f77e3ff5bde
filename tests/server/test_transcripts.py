"""Whole conversations, message by message, as editors have them."""

import json

from tests.server import runtime_support, support
from tests.server.runtime_support import TRUSTED, page


def transcript_of(house, **texts):
    return support.Transcript(
        {str(house.tmp_path): "$TMP", **texts},
        {"S": r"do-it-\d{4}", "D": r"(?<=\")[0-9a-f]{16}(?=\")", "A": r"\b\d{4}\b"},
    )


async def test_a_session_that_asks_once(tmp_path):
    async with runtime_support.opened(tmp_path) as house:
        transcript = transcript_of(house)
        options = {**TRUSTED, "bell": False}
        async with runtime_support.connected(house, options=options, capabilities={}, transcript=transcript) as screen:
            begin = len(transcript.lines)
            script = house.script("touch x")
            started = await screen.command("agentos.session.start", {"task": "Do it", "script": script})
            session = started["session"]
            shown = await screen.approval(session)
            (approve, *_) = await screen.actions(page(session), shown["range"]["start"]["line"])
            await screen.choose(approve)
            await screen.until(lambda: screen.diagnostics[page(session)] == [])
            await house.done(session)
            lines = transcript.text(begin).splitlines()
    where = json.dumps(shown["range"], sort_keys=True)
    assert shown["range"]["end"]["character"] == len("- [0000] touch x")
    seen = '{"approval": "$A1", "digest": "$D1", "session": "$S1"}'
    assert lines[0] == (
        '-> workspace/executeCommand #2 {"arguments": [{"script": "$TMP/script-1.yaml", "task": "Do it"}], '
        '"command": "agentos.session.start"}'
    )
    assert lines[1] == '<- result #2 {"page": "agentos://$S1/session.md", "session": "$S1"}'
    assert lines[2].startswith(
        f'<- textDocument/publishDiagnostics {{"diagnostics": [{{"code": "approval", "data": {seen}, "message": '
        '"The agent asks to run: touch x\\n'
    )
    assert lines[2].endswith(
        f'"range": {where}, "severity": 2, "source": "agentos"}}], "uri": "agentos://$S1/session.md"}}'
    )
    assert lines[3].startswith("-> textDocument/codeAction #3 ")
    chosen = '{"approval": "$A1", "digest": "$D1", "outcome": "approved", "scope": "once", "session": "$S1"}'
    assert (
        '"command": {"arguments": [' + chosen + '], "command": "agentos.approval.decide", "title": "Approve once"}'
    ) in lines[4]
    # What is decided is told by the answer and by the diagnostics, in either order.
    assert sorted(lines[5:]) == sorted(
        [
            f'-> workspace/executeCommand #4 {{"arguments": [{chosen}], "command": "agentos.approval.decide"}}',
            '<- result #4 {"counted": true, "message": ""}',
            '<- textDocument/publishDiagnostics {"diagnostics": [], "uri": "agentos://$S1/session.md"}',
        ]
    )


async def test_an_editor_that_only_looks_on(tmp_path):
    async with runtime_support.sitting(tmp_path) as (house, owner):
        session = await owner.start(house, "touch x")
        shown = await owner.approval(session)
        transcript = transcript_of(house)
        async with runtime_support.connected(house, options={}, capabilities={}, transcript=transcript) as screen:
            await screen.approval(session)
            begin = len(transcript.lines)
            await screen.actions(page(session), shown["range"]["start"]["line"])
            await screen.refusal("agentos.approval.decide", {**shown["data"], "outcome": "approved"})
            lines = transcript.text(begin).splitlines()
    assert [lines[1], lines[3]] == [
        "<- result #2 []",
        (
            '<- error #3 {"code": -32803, "data": {"hint": "Trust the workspace, or grant the permission in the '
            'client\'s settings.", "kind": "user"}, "message": "This connection may not approve."}'
        ),
    ]
    assert len(lines) == 4


async def test_a_file_with_a_finding_and_its_end(tmp_path):
    async with runtime_support.opened(tmp_path) as house:
        transcript = transcript_of(house)
        async with runtime_support.connected(house, capabilities={}, transcript=transcript) as screen:
            steps = ({"write": {"path": "k.py", "text": f"'{runtime_support.SECRET}'\n"}}, {"commit": "Add"})
            session = await screen.start(house, *steps, task="Do it")
            await screen.until(lambda: any("/worktrees/" in uri for uri in screen.diagnostics))
            await house.done(session)
            await screen.command("agentos.session.discard", {"session": session, "confirm": True})
            await screen.until(lambda: not any(screen.diagnostics.values()))
    assert runtime_support.SECRET not in transcript.text()
    published = [
        line.split(" ")[1:]
        for line in transcript.lines
        # What there is to review may be shown before the session ends, or not.
        if line.startswith("<- textDocument/publishDiagnostics") and "file://$TMP/repo/k.py" not in line
    ]
    cleared = [
        line
        for line in transcript.lines
        if line.startswith('<- textDocument/publishDiagnostics {"diagnostics": [],')
        and "file://$TMP/repo/k.py" not in line
    ]
    assert cleared == [
        '<- textDocument/publishDiagnostics {"diagnostics": [], "uri": "agentos://$S1/session.md"}',
        '<- textDocument/publishDiagnostics {"diagnostics": [], "uri": "file://$TMP/state/worktrees/repo/$S1/k.py"}',
    ]
    # The page may be published more than once before: its lines move as events come.
    assert len({line[-1] for line in published}) == 2
