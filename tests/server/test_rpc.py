"""One connection, defect by defect: each test is named after what pygls 2.1.1 gets wrong, or what we promise."""

import asyncio
import contextlib
import gc
import json
import logging
import os
import weakref

import pytest
from lsprotocol import types as lsp

from agentos_lsp.domain.errors import InternalError
from agentos_lsp.server import errors, framing, rpc
from tests.server import support

DOCUMENT = {"uri": "file:///a.py", "languageId": "python", "version": 1, "text": "a = 1\n"}


def change(uri, text, version=2):
    return {"textDocument": {"uri": uri, "version": version}, "contentChanges": [{"text": text}]}


# Cancellation


async def test_cancelling_a_command_cancels_its_coroutine():
    async with support.talking() as (editor, server):
        identity = editor.ask("workspace/executeCommand", {"command": "wait", "arguments": [{}]})
        await editor.command("ping")
        editor.cancel(identity)
        with pytest.raises(support.RemoteError) as caught:
            await editor.answer(identity)
        assert caught.value.code == -32800
        assert server.seen == ["waiting", "cancelled"]


async def test_a_request_cancelled_before_it_starts_is_answered_and_never_runs():
    async with support.talking() as (editor, server):
        protocol = server.protocol
        request = {"jsonrpc": "2.0", "id": "early", "method": "workspace/executeCommand"}
        protocol._receive(json.dumps(request | {"params": {"command": "wait", "arguments": [{}]}}).encode())
        protocol._receive(b'{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":"early"}}')
        with pytest.raises(support.RemoteError) as caught:
            await editor.answer("early")
        assert caught.value.code == -32800
        assert server.seen == []


async def test_a_handler_that_withstands_its_cancellation_is_answered_with_its_result():
    async with support.talking() as (editor, _):
        identity = editor.ask("workspace/executeCommand", {"command": "stubborn", "arguments": [{}]})
        await editor.command("ping")
        editor.cancel(identity)
        assert await editor.answer(identity) == "finished all the same"


async def test_a_handler_that_cancels_itself_is_answered_as_cancelled():
    async with support.talking() as (editor, _):
        error = await editor.fails("workspace/executeCommand", {"command": "cancel", "arguments": [{}]})
        assert (error.code, error.message) == (-32800, "The request was cancelled.")


@pytest.mark.parametrize("identity", [77, "unknown", None, [1], {"a": 1}])
async def test_a_cancellation_of_nothing_is_ignored(identity):
    async with support.talking() as (editor, _):
        editor.cancel(identity)
        editor.notify("$/cancelRequest")
        assert await editor.command("ping") == "pong"


# Nothing is left behind


async def test_nothing_is_kept_about_messages_that_are_over():
    async with support.talking() as (editor, server):
        editor.notify("textDocument/didOpen", {"textDocument": DOCUMENT})
        for version in range(200):
            editor.notify("textDocument/didChange", change("file:///a.py", f"a = {version}\n", version))
            assert await editor.command("ping") == "pong"
        protocol = server.protocol
        kept = (protocol._answering, protocol._asked, protocol._request_futures, protocol._result_types)
        assert kept == ({}, {}, {}, {})
        assert len(protocol._running) == 1  # the reader


async def test_a_request_that_the_editor_never_answers_is_forgotten_at_the_end():
    async with support.talking() as (editor, server):
        identity = editor.ask("workspace/executeCommand", {"command": "ask", "arguments": [{}]})
        await editor.receive("window/showMessageRequest")
        assert len(server.protocol._asked) == 1
        editor.notify("exit")
        await editor.read_to_end()
        assert server.protocol._asked == {}
        assert identity not in editor._answers


async def test_progress_tokens_are_forgotten_when_the_work_ends():
    async with support.talking() as (editor, server):
        identity = editor.ask("workspace/executeCommand", {"command": "progress", "arguments": [{}]})
        editor.reply(await editor.receive("window/workDoneProgress/create"))
        kinds = [(await editor.receive("$/progress"))["params"]["value"]["kind"] for _ in range(2)]
        assert kinds == ["begin", "end"]
        assert await editor.answer(identity) is None
        assert server.work_done_progress.tokens == {}


async def test_the_editor_can_cancel_progress_and_an_unknown_token_is_ignored():
    async with support.talking() as (editor, server):
        server.work_done_progress.begin("p", lsp.WorkDoneProgressBegin("Working"))
        await editor.receive("$/progress")
        token = server.work_done_progress.tokens["p"]
        editor.notify("window/workDoneProgress/cancel", {"token": "p"})
        editor.notify("window/workDoneProgress/cancel", {"token": "q"})
        await editor.command("ping")
        assert token.cancelled()


async def test_a_closed_connection_is_not_kept_alive_by_a_cache():
    servers = []
    async with support.connected(support.building(servers)) as editor:
        assert await editor.command("ping") == "pong"
    protocol = weakref.ref(servers.pop().protocol)
    gc.collect()
    assert protocol() is None


# Every request is answered


async def test_invalid_parameters_are_answered_with_the_fields_that_are_wrong():
    async with support.talking() as (editor, _):
        params = {"textDocument": {"uri": "file:///a.py"}, "position": {"line": "x", "character": 0}}
        error = await editor.fails("textDocument/hover", params)
        assert (error.code, error.message) == (-32602, "Invalid parameters: position.line: not a valid int")
        assert error.data == {"kind": "protocol"}
        error = await editor.fails("textDocument/hover", {})
        assert error.message == "Invalid parameters: textDocument: required; position: required"


async def test_a_result_that_cannot_be_serialised_is_answered_with_an_internal_error():
    async with support.talking() as (editor, _):
        for command in ("set", "loop"):
            error = await editor.fails("workspace/executeCommand", {"command": command, "arguments": [{}]})
            assert (error.code, error.data["kind"]) == (-32603, "internal")


async def test_a_defect_is_answered_without_its_text_its_place_or_its_traceback():
    async with support.talking() as (editor, _):
        error = await editor.fails("workspace/executeCommand", {"command": "boom", "arguments": [{}]})
        reference = error.data["reference"]
        assert (error.code, error.message) == (-32603, f"internal error (reference {reference})")
        assert error.data == {"kind": "internal", "reference": reference}
        again = await editor.fails("workspace/executeCommand", {"command": "boom", "arguments": [{}]})
        assert again.data == error.data


@pytest.mark.parametrize("command", ["exit", "interrupt"])
async def test_a_handler_that_ends_the_process_only_gets_an_error(command):
    async with support.talking() as (editor, _):
        error = await editor.fails("workspace/executeCommand", {"command": command, "arguments": [{}]})
        assert error.code == -32603
        assert await editor.command("ping") == "pong"


async def test_a_refusal_inside_a_task_group_is_answered_as_itself():
    async with support.talking() as (editor, _):
        error = await editor.fails("workspace/executeCommand", {"command": "group", "arguments": [{}]})
        assert (error.code, error.message) == (-32803, "There is no session s1.")
        assert error.data == {"kind": "user", "hint": "Start one."}


async def test_an_unknown_request_is_refused_and_an_unknown_notification_ignored():
    async with support.talking() as (editor, _):
        for method in ("no/such", "$/noSuch", "exit"):
            error = await editor.fails(method, {})
            assert (error.code, error.message) == (-32601, f"There is no method {method}.")
        editor.notify("no/such", {})
        assert await editor.command("ping") == "pong"


async def test_an_id_in_use_is_refused_and_the_first_request_goes_on():
    async with support.talking() as (editor, server):
        identity = editor.ask("workspace/executeCommand", {"command": "wait", "arguments": [{}]})
        editor.send({"id": identity, "method": "workspace/executeCommand", "params": {"command": "ping"}})
        with pytest.raises(support.RemoteError, match="-32600 This id is already in use"):
            await editor.answer(identity)
        server.release.set()
        assert await editor.answer(identity) == "released"


async def test_more_requests_than_can_be_held_are_refused(monkeypatch):
    async with support.talking() as (editor, server):
        assert await editor.command("ping") == "pong"
        monkeypatch.setattr(rpc, "MAX_HANDLERS", 3)
        waiting = [editor.ask("workspace/executeCommand", {"command": "wait", "arguments": [{}]}) for _ in range(2)]
        error = await editor.fails("workspace/executeCommand", {"command": "ping", "arguments": [{}]})
        assert (error.code, error.message) == (-32803, "Too many requests are in flight.")
        server.release.set()
        assert [await editor.answer(identity) for identity in waiting] == ["released", "released"]
        assert await editor.command("ping") == "pong"


async def test_an_editor_that_floods_with_notifications_is_disconnected(monkeypatch):
    async with support.talking() as (editor, server):
        assert await editor.command("ping") == "pong"
        monkeypatch.setattr(rpc, "MAX_HANDLERS", 2)
        editor.ask("workspace/executeCommand", {"command": "wait", "arguments": [{}]})
        editor.notify("textDocument/didOpen", {"textDocument": DOCUMENT})
        await editor.read_to_end()
    assert server.seen == ["waiting", "cancelled"]
    assert editor.exit_code == 1


# The life of a connection


async def test_nothing_is_served_before_initialize():
    async with support.connected(support.Example, initialize=False) as editor:
        error = await editor.fails("workspace/executeCommand", {"command": "ping", "arguments": [{}]})
        assert (error.code, error.message) == (-32002, "The server is not initialized.")
        editor.notify("textDocument/didOpen", {"textDocument": DOCUMENT})
        await editor.initialize()
        assert await editor.command("ping") == "pong"


async def test_a_failed_initialize_may_be_tried_again():
    async with support.connected(support.Example, initialize=False) as editor:
        error = await editor.fails("initialize", {})
        assert (error.code, error.message) == (-32602, "Invalid parameters: capabilities: required")
        await editor.initialize()
        assert await editor.command("ping") == "pong"


async def test_a_second_initialize_is_refused():
    async with support.talking() as (editor, _):
        error = await editor.fails("initialize", {"processId": None, "rootUri": None, "capabilities": {}})
        assert (error.code, error.message) == (-32600, "The server is already initialized.")


async def test_a_request_after_shutdown_is_refused():
    async with support.talking() as (editor, _):
        await editor.request("shutdown")
        error = await editor.fails("workspace/executeCommand", {"command": "ping", "arguments": [{}]})
        assert (error.code, error.message) == (-32600, "The server is shutting down.")
        editor.notify("exit")
        await editor.read_to_end()
    assert editor.exit_code == 0


async def test_exit_without_shutdown_has_exit_code_one():
    async with support.talking() as (editor, _):
        editor.notify("exit")
        await editor.read_to_end()
    assert editor.exit_code == 1


async def test_the_end_of_the_input_ends_the_connection():
    async with support.talking() as (editor, _):
        editor.writer.write_eof()
        await editor.read_to_end()
    assert editor.exit_code == 1


async def test_stop_ends_a_connection_from_outside():
    stop = asyncio.Event()
    async with support.talking(stop=stop) as (editor, _):
        stop.set()
        await editor.read_to_end()


async def test_the_end_of_a_connection_cancels_its_handlers_and_fails_its_questions():
    servers = []
    async with support.connected(support.building(servers)) as editor:
        editor.ask("workspace/executeCommand", {"command": "wait", "arguments": [{}]})
        await editor.command("ping")
        asked = servers[0].protocol.send_request_async("workspace/workspaceFolders")
        await editor.receive("workspace/workspaceFolders")
        editor.notify("exit")
        await editor.read_to_end()
    assert servers[0].seen == ["waiting", "cancelled"]
    with pytest.raises(errors.EditorError, match="the connection is closed"):
        await asked
    with pytest.raises(errors.EditorError, match="the connection is closed"):
        await servers[0].protocol.send_request_async("workspace/workspaceFolders")
    with pytest.raises(InternalError, match="There is no connection to work on"):
        servers[0].protocol.spawn(asyncio.sleep(0), "work")


async def test_the_exit_of_one_editor_leaves_the_others_alone():
    async with support.talking() as (first, _), support.talking() as (second, _):
        first.notify("exit")
        await first.read_to_end()
        assert await second.command("ping") == "pong"
    assert (first.exit_code, second.exit_code) == (1, 0)


async def test_a_slow_handler_stalls_neither_its_own_connection_nor_another():
    async with support.talking() as (first, server), support.talking() as (second, _):
        waiting = first.ask("workspace/executeCommand", {"command": "wait", "arguments": [{}]})
        assert await first.command("ping") == "pong"
        assert await second.command("ping") == "pong"
        server.release.set()
        assert await first.answer(waiting) == "released"


async def test_an_editor_that_does_not_read_stalls_no_other_and_is_dropped(monkeypatch):
    monkeypatch.setattr(framing, "MAX_BACKLOG_BYTES", 1 << 20)
    async with support.talking() as (stuck, _), support.talking() as (other, _):
        for _ in range(4):
            stuck.ask("workspace/executeCommand", {"command": "log", "arguments": [{"size": 1 << 20}]})
            assert await other.command("ping") == "pong"
        with contextlib.suppress(framing.FramingError):
            await stuck.read_to_end()
        stuck._unread.clear()
        stuck._answers.clear()
        assert await other.command("ping") == "pong"
    assert (stuck.exit_code, other.exit_code) == (1, 0)


async def test_the_process_of_the_editor_is_reported_once():
    seen = []
    async with support.connected(support.Example, initialize=False, on_process_id=seen.append) as editor:
        await editor.initialize(process_id=os.getpid())
    assert seen == [os.getpid()]


async def test_work_beside_the_handlers_ends_with_the_connection_and_its_failure_reaches_nobody(caplog):
    async def fail():
        raise ValueError("beside")

    async def follow():
        try:
            await asyncio.Event().wait()
        finally:
            server.seen.append("cleaned up")

    async with support.talking() as (editor, server):
        server.protocol.spawn(fail(), "failing work")
        server.protocol.spawn(follow(), "follow events")
        assert await editor.command("ping") == "pong"
    assert server.seen == ["cleaned up"]
    assert [record.getMessage().split()[-2:] for record in caplog.records if record.levelno >= logging.ERROR] == [
        ["failing", "work"]
    ]


# Questions to the editor


async def test_the_editor_is_asked_and_answers():
    async with support.talking() as (editor, _):
        for result, expected in (({"title": "Yes"}, "Yes"), (None, None)):
            identity = editor.ask("workspace/executeCommand", {"command": "ask", "arguments": [{}]})
            editor.reply(await editor.receive("window/showMessageRequest"), result)
            assert await editor.answer(identity) == expected


async def test_an_error_of_the_editor_is_not_passed_off_as_our_own():
    async with support.talking() as (editor, _):
        identity = editor.ask("workspace/executeCommand", {"command": "ask", "arguments": [{}]})
        question = await editor.receive("window/showMessageRequest")
        editor.reply(question, error={"code": -32601, "message": "no such method"})
        with pytest.raises(support.RemoteError) as caught:
            await editor.answer(identity)
        assert caught.value.code == -32803
        assert caught.value.message == "The editor did not do what was asked of it: no such method"


async def test_an_unreadable_answer_of_the_editor_fails_the_question():
    async with support.talking() as (editor, _):
        identity = editor.ask("workspace/executeCommand", {"command": "ask", "arguments": [{}]})
        editor.reply(await editor.receive("window/showMessageRequest"), {"titel": "Yes"})
        with pytest.raises(support.RemoteError, match="its answer to window/showMessageRequest is unreadable"):
            await editor.answer(identity)


async def test_a_cancelled_command_withdraws_its_question():
    async with support.talking() as (editor, server):
        identity = editor.ask("workspace/executeCommand", {"command": "ask", "arguments": [{}]})
        question = await editor.receive("window/showMessageRequest")
        editor.cancel(identity)
        with pytest.raises(support.RemoteError, match="-32800"):
            await editor.answer(identity)
        assert (await editor.receive("$/cancelRequest"))["params"] == {"id": question["id"]}
        editor.reply(question, None)
        assert await editor.command("ping") == "pong"
        assert server.protocol._asked == {}


async def test_a_callback_gets_the_answer_and_is_not_called_for_an_error():
    async with support.talking() as (editor, server):
        got = []
        for error in (None, {"code": 1, "message": "no"}):
            server.protocol.send_request("workspace/workspaceFolders", callback=got.append)
            editor.reply(await editor.receive("workspace/workspaceFolders"), [], error)
        await editor.command("ping")
        assert got == [()]


async def test_messages_from_worker_threads_arrive_whole():
    async with support.talking() as (editor, server):
        text = "x" * 100_000

        def speak():
            for _ in range(5):
                server.protocol.notify("window/logMessage", lsp.LogMessageParams(lsp.MessageType.Log, text))

        async with asyncio.TaskGroup() as tasks:
            for _ in range(4):
                tasks.create_task(asyncio.to_thread(speak))
            for _ in range(20):
                assert (await editor.receive("window/logMessage"))["params"]["message"] == text


async def test_what_cannot_be_serialised_is_the_caller_s_error():
    async with support.talking() as (_, server):
        for send in (server.protocol.notify, server.protocol.send_request):
            with pytest.raises(TypeError, match="object has no JSON form"):
                send("example/odd", {"value": object()})
        assert server.protocol._asked == {}
