"""Hostile bytes on the wire: one answer, or one error and a closed connection; never silence, nor harm to others."""

import asyncio
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentos_lsp.server import framing
from tests.server import support

PING = {"command": "ping", "arguments": [{}]}
HOVER = {"textDocument": {"uri": "file:///a"}, "position": {"line": 0, "character": 0}}


def request(identity=5, method="workspace/executeCommand", params=PING):
    return json.dumps({"jsonrpc": "2.0", "id": identity, "method": method, "params": params}).encode()


async def assert_alive(editor):
    assert await editor.command("ping") == "pong"


# Broken frames: nothing says where the next message begins, so the connection is closed after one error.


@pytest.mark.parametrize(
    "data",
    [
        b"Content-Length: 1000000000000\r\n\r\n{}",
        b"Content-Length: 2147483648\r\n\r\n" + b"x" * 500_000,
        b"Content-Length: -5\r\n\r\n" + request(),
        b"Content-Length: 0x10\r\n\r\n" + request(),
        b"Content-Length: %d\n\n" % len(request()) + request(),
        b"Content-Type: application/json\r\n\r\n" + request(),
        b"Content-Length: 5\r\nContent-Length: 500\r\n\r\n" + request(),
        b"X-Header: " + b"a" * 100_000 + b"\r\n" + framing.frame(request()),
        b"X-Header: a\r\n" * 10_000,
        request() + b"\n",
        b"\x00" * 5000 + b"\n",
        b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n",
    ],
)
async def test_a_broken_frame_gets_one_error_and_closes_only_its_own_connection(data):
    async with support.connected(support.Example) as other:
        async with support.connected(support.Example) as editor:
            editor.send_bytes(data)
            await editor.read_to_end()
            assert list(editor._answers) == [None]
            error = editor._answers.pop(None)["error"]
            assert (error["code"], error["data"]) == (-32700, {"kind": "protocol"})
        assert editor.exit_code == 1
        await assert_alive(other)


async def test_a_length_that_is_too_short_is_answered_and_then_closes_the_connection():
    async with support.connected(support.Example) as editor:
        body = request()
        editor.send_bytes(b"Content-Length: %d\r\n\r\n%b\n" % (len(body) - 5, body))
        with pytest.raises(support.RemoteError, match="-32700 The message is not JSON"):
            await editor.answer(None)
        await editor.read_to_end()
        assert editor._answers.pop(None)["error"]["code"] == -32700


async def test_a_body_that_never_ends_holds_up_nobody_else():
    async with support.connected(support.Example) as other, support.connected(support.Example) as editor:
        editor.send_bytes(b"Content-Length: 33554432\r\n\r\n" + b"x" * 100_000)
        await assert_alive(other)
        editor.writer.write_eof()
        await editor.read_to_end()
        assert editor._answers.pop(None)["error"]["message"].endswith("of 33554432 body bytes.")


# Broken messages in whole frames: one error, and the connection goes on.

DEEP = 100_000


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", -32700),
        (b'{"jsonrpc":"2.0","id":5,"method":', -32700),
        (b'{"jsonrpc":"2.0","id":5,"method":"\xff\xfe\x80"}', -32700),
        (request().decode().encode("utf-16"), -32700),
        (b"\xef\xbb\xbf" + request(), -32700),
        (b"[" * DEEP + b"]" * DEEP, -32700),
        (b'{"a":' * DEEP + b"1" + b"}" * DEEP, -32700),
        (b"9" * 100_000, -32700),
        (b'{"jsonrpc":"2.0","id":NaN,"method":"shutdown"}', -32700),
        (b'{"jsonrpc":"2.0","id":5,"method":"shutdown","params":[Infinity]}', -32700),
        (b"[" + request() + b"," + request(6) + b"]", -32600),
        (b"[]", -32600),
        (b"42", -32600),
        (b"null", -32600),
        (b'"text"', -32600),
        (b"{}", -32600),
        (b'{"jsonrpc":"2.0"}', -32600),
        (b'{"jsonrpc":"2.0","id":null,"method":"shutdown"}', -32600),
        (b'{"jsonrpc":"2.0","id":1.5,"method":"shutdown"}', -32600),
        (b'{"jsonrpc":"2.0","id":true,"method":"shutdown"}', -32600),
        (b'{"jsonrpc":"2.0","id":[5],"method":"shutdown"}', -32600),
        (b'{"jsonrpc":"2.0","method":5}', -32600),
        (b'{"jsonrpc":"2.0","method":"initialized","params":5}', -32600),
        (b'{"jsonrpc":"2.0","result":1}', -32600),
    ],
)
async def test_a_broken_message_is_answered_under_no_id_and_the_connection_goes_on(body, code):
    async with support.connected(support.Example) as editor:
        editor.send_bytes(framing.frame(body))
        with pytest.raises(support.RemoteError) as caught:
            await editor.answer(None)
        assert caught.value.code == code
        await assert_alive(editor)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"id":5,"method":"shutdown"}', -32600),
        (b'{"jsonrpc":"1.0","id":5,"method":"shutdown"}', -32600),
        (b'{"jsonrpc":2.0,"id":5,"method":"shutdown"}', -32600),
        (b'{"jsonrpc":"2.0","id":5}', -32600),
        (b'{"jsonrpc":"2.0","id":5,"method":5}', -32600),
        (b'{"jsonrpc":"2.0","id":5,"method":null,"result":1}', -32600),
        (b'{"jsonrpc":"2.0","id":5,"method":"shutdown","params":"text"}', -32600),
        (request(5, "foo/bar", {}), -32601),
        (request(5, "$/foo", {}), -32601),
        (request(5, "x" * 1_000_000, {}), -32601),
        (request(5, "exit", None), -32601),
        (request(5, "$/cancelRequest", {"id": 5}), -32601),
        (request(5, "__class__", {}), -32601),
        (request(5, "textDocument/hover", {}), -32602),
        (request(5, "textDocument/hover", [1, 2]), -32602),
        (request(5, "textDocument/hover", {"textDocument": {"uri": "x"}}), -32602),
        (request(5, "example/count", {"upTo": 1e400}).replace(b"Infinity", b"1e400"), -32602),
        (request(5, "workspace/executeCommand", {"command": ["ping"], "arguments": [{}]}), -32602),
        (request(5, "workspace/executeCommand", {"command": "__init__", "arguments": [{}]}), -32602),
        (request(5, "workspace/executeCommand", {"arguments": [{}]}), -32602),
        (request(5, "initialize", {"processId": None, "rootUri": None, "capabilities": {}}), -32600),
    ],
)
async def test_a_wrong_request_is_answered_under_its_id_and_the_connection_goes_on(body, code):
    async with support.connected(support.Example) as editor:
        editor.send_bytes(framing.frame(body))
        with pytest.raises(support.RemoteError) as caught:
            await editor.answer(5)
        assert caught.value.code == code
        assert len(caught.value.message) < 300
        await assert_alive(editor)


@pytest.mark.parametrize(
    "message",
    [
        {"method": "foo/bar", "params": {}},
        {"method": "$/cancelRequest", "params": {"id": {}}},
        {"method": "$/cancelRequest", "params": [1]},
        {"method": "textDocument/didChange", "params": {"textDocument": {"uri": "file:///x", "version": 1}}},
        {"method": "textDocument/didClose", "params": {"textDocument": {"uri": "file:///never-opened"}}},
        {"method": "initialize", "params": {"processId": None, "rootUri": None, "capabilities": {}}},
        {"method": "shutdown"},
        {"method": "textDocument/hover", "params": HOVER},
        {"method": "window/workDoneProgress/cancel", "params": {"token": "unknown"}},
        {"id": "nope", "result": 1},
        {"id": 1, "result": None},
        {"id": 99, "error": {"code": "x"}},
        {"id": None, "error": {"code": -32700, "message": "you said something odd"}},
    ],
)
async def test_what_needs_no_answer_gets_none_and_the_connection_goes_on(message):
    async with support.connected(support.Example) as editor:
        editor.send(message)
        await assert_alive(editor)


async def test_a_lone_surrogate_comes_back_as_it_came():
    async with support.connected(support.Example) as editor:
        assert await editor.command("echo", {"text": "\ud800"}) == {"text": "\ud800"}


async def test_an_argument_of_any_depth_is_answered_or_refused_by_the_parser():
    async with support.connected(support.Example) as editor:
        for depth in (100, 300, 900, 960, *range(975, 1000, 3), 3000):
            deep = '{"a":' * depth + "1" + "}" * depth
            params = '{"command":"echo","arguments":[' + deep + "]}"
            body = f'{{"jsonrpc":"2.0","id":{depth},"method":"workspace/executeCommand","params":{params}}}'
            editor.send_bytes(framing.frame(body.encode()))
            await assert_alive(editor)
            if (refused := editor._answers.pop(None, None)) is not None:
                assert refused["error"]["code"] == -32700
                continue
            answer = editor._answers.pop(depth)
            assert "result" in answer or answer["error"]["code"] in {-32602, -32603}


async def test_a_thousand_broken_messages_leave_nothing_behind():
    servers = []
    async with support.connected(support.building(servers)) as editor:
        for identity in range(1000, 1250):
            editor.send_bytes(framing.frame(request(identity, "foo/bar", {})))
            editor.send_bytes(framing.frame(request(identity + 1000, "textDocument/hover", {})))
            editor.send_bytes(framing.frame(b'{"jsonrpc":"2.0","id":"%d","result":1}' % identity))
        for identity in range(1000, 1250):
            for answered in (identity, identity + 1000):
                with pytest.raises(support.RemoteError):
                    await editor.answer(answered)
        protocol = servers[0].protocol
        assert (protocol._answering, protocol._asked, len(protocol._running)) == ({}, {}, 1)


# Anything at all

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
METHODS = st.sampled_from([
    "initialize", "initialized", "textDocument/didOpen", "textDocument/didChange", "textDocument/didClose",
    "textDocument/hover", "workspace/executeCommand", "workspace/textDocumentContent", "example/count",
    "notebookDocument/didOpen", "notebookDocument/didChange", "workspace/didChangeWorkspaceFolders",
    "$/cancelRequest", "$/setTrace", "odd",
])  # fmt: skip
MESSAGES = st.fixed_dictionaries(
    {},
    optional={
        "jsonrpc": st.just("2.0") | JSON,
        "id": st.integers(1000, 1003) | JSON,
        "method": METHODS | JSON,
        "params": JSON | st.fixed_dictionaries({"command": st.sampled_from(["ping", "echo"]), "arguments": JSON}),
        "result": JSON,
        "error": JSON,
    },
)


@settings(max_examples=60, deadline=None, database=None)
@given(st.lists(MESSAGES, max_size=8))
def test_no_message_ends_the_connection_or_leaves_anything_behind(messages):
    async def attack():
        servers = []
        async with support.connected(support.building(servers)) as editor:
            for message in messages:
                editor.send_bytes(framing.frame(json.dumps(message).encode()))
                editor._answers.clear()
                await assert_alive(editor)
            editor._answers.clear()
            protocol = servers[0].protocol
            assert (protocol._answering, protocol._asked, len(protocol._running)) == ({}, {}, 1)

    asyncio.run(attack())


@settings(max_examples=60, deadline=None, database=None)
@given(st.binary(max_size=80))
def test_no_bytes_reach_another_connection(data):
    async def attack():
        async with support.connected(support.Example) as other, support.connected(support.Example) as editor:
            editor.send_bytes(data)
            editor.writer.write_eof()
            await editor.read_to_end()
            editor._answers.clear()
            await assert_alive(other)

    asyncio.run(attack())
