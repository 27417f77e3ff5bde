"""The harness itself: what it writes down, what it replaces, and what it does not let pass."""

import asyncio

import pytest
from lsprotocol import types as lsp

from tests.server import support


async def test_a_connection_is_written_down_line_by_line(tmp_path):
    transcript = support.Transcript({str(tmp_path): "$TMP"}, {"A": r"ap-[0-9a-f]{4}"})
    async with support.connected(support.Example, transcript=transcript) as editor:
        begin = len(transcript.lines)
        argument = {
            "file": f"{tmp_path}/a",
            "ids": ["ap-00ff", "ap-1234", "ap-00ff"],
            "at": "2026-01-02T03:04:05.6+00:00",
        }
        await editor.command("echo", argument)
        await editor.fails("no/such")
        identity = editor.ask("workspace/executeCommand", {"command": "ask", "arguments": [{}]})
        editor.reply(await editor.receive("window/showMessageRequest"), {"title": "Yes"})
        assert await editor.answer(identity) == "Yes"
    masked = '{"at": "$T1", "file": "$TMP/a", "ids": ["$A1", "$A2", "$A1"]}'
    question = '{"actions": [{"title": "Yes"}], "message": "Well?", "type": 3}'
    assert transcript.text(begin).splitlines() == [
        f'-> workspace/executeCommand #2 {{"arguments": [{masked}], "command": "echo"}}',
        f"<- result #2 {masked}",
        "-> no/such #3 null",
        '<- error #3 {"code": -32601, "data": {"kind": "protocol"}, "message": "There is no method no/such."}',
        '-> workspace/executeCommand #4 {"arguments": [{}], "command": "ask"}',
        f"<- window/showMessageRequest #1 {question}",
        '-> result #1 {"title": "Yes"}',
        '<- result #4 "Yes"',
        "-> shutdown #5 null",
        "<- result #5 null",
        "-> exit null",
    ]
    assert editor.exit_code == 0


async def test_a_message_left_unread_fails_the_test():
    with pytest.raises(ExceptionGroup) as caught:
        async with support.connected(support.Example) as editor:
            await editor.command("log", {"size": 3})
    assert caught.group_contains(AssertionError, match="left unread: .*window/logMessage")


async def test_an_answer_left_unread_fails_the_test():
    with pytest.raises(ExceptionGroup) as caught:
        async with support.connected(support.Example) as editor:
            editor.ask("workspace/executeCommand", {"command": "ping", "arguments": [{}]})
    assert caught.group_contains(AssertionError, match="left unread: .*pong")


async def test_a_message_of_another_method_fails_the_test():
    servers = []
    async with support.connected(support.building(servers)) as editor:
        servers[0].window_log_message(lsp.LogMessageParams(lsp.MessageType.Log, "x"))
        with pytest.raises(AssertionError, match="expected window/showMessage"):
            await editor.receive("window/showMessage")


async def test_two_editors_have_a_transcript_each():
    async with support.connected(support.Example) as first, support.connected(support.Example) as second:
        await asyncio.gather(first.command("ping"), second.command("ping"))
    assert first.transcript.lines == second.transcript.lines
