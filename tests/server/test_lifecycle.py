"""What every connection offers, what it keeps of documents, and what a server on it must be."""

import logging

import pytest
from lsprotocol import types as lsp
from pygls.lsp.server import LanguageServer

from agentos_lsp.domain.errors import InternalError
from agentos_lsp.server import rpc, wire
from tests.server import support

DOCUMENT = {"uri": "file:///a.py", "languageId": "python", "version": 1, "text": "a = 1\n"}


def change(uri, text, version=2):
    return {"textDocument": {"uri": uri, "version": version}, "contentChanges": [{"text": text}]}


# What is offered


async def test_virtual_documents_are_advertised():
    async with support.connected(support.Example, initialize=False) as editor:
        result = await editor.initialize()
        assert result["capabilities"]["workspace"]["textDocumentContent"] == {"schemes": ["example"]}


async def test_commands_are_advertised_though_pygls_has_no_table_of_them():
    async with support.connected(support.Example, initialize=False) as editor:
        result = await editor.initialize()
        assert result["capabilities"]["executeCommandProvider"] == {"commands": list(support.Example.command_names)}
        assert result["serverInfo"] == {"name": "example", "version": "1"}


async def test_a_server_without_commands_advertises_none_and_refuses_them():
    def build():
        return LanguageServer("bare", "1", protocol_cls=rpc.SafeProtocol, converter_factory=wire.shared_converter)

    async with support.connected(build, initialize=False) as editor:
        result = await editor.initialize()
        assert "executeCommandProvider" not in result["capabilities"]
        error = await editor.fails("workspace/executeCommand", {"command": "x", "arguments": [{}]})
        assert (error.code, error.message) == (-32602, "Invalid parameters: there is no command x")


# Documents


async def test_a_change_of_a_document_that_is_not_open_is_ignored():
    async with support.talking() as (editor, server):
        editor.notify("textDocument/didChange", change("file:///closed.py", "b"))
        editor.notify("textDocument/didOpen", {"textDocument": DOCUMENT})
        editor.notify("textDocument/didChange", change("file:///a.py", "a = 2\n"))
        assert await editor.command("open", {"uri": "file:///a.py"}) == "a = 2\n"
        assert server.seen == ["opened file:///a.py", "changed file:///a.py"]


async def test_a_document_that_is_not_open_is_not_read_from_disk(tmp_path):
    (tmp_path / "secret").write_text("s")
    async with support.talking() as (editor, _):
        argument = {"uri": (tmp_path / "secret").as_uri()}
        error = await editor.fails("workspace/executeCommand", {"command": "open", "arguments": [argument]})
        assert error.code == -32603


async def test_an_invalid_notification_is_ignored_without_a_popup():
    async with support.talking() as (editor, server):
        editor.notify("textDocument/didOpen", {"textDocument": 5})
        editor.notify("textDocument/didChange", {"textDocument": {"uri": "file:///a.py"}})
        assert await editor.command("ping") == "pong"
        assert server.seen == []


async def test_folders_are_added_and_removed():
    async with support.talking() as (editor, server):
        folder = {"uri": "file:///f", "name": "f"}
        editor.notify("workspace/didChangeWorkspaceFolders", {"event": {"added": [folder], "removed": []}})
        await editor.command("ping")
        assert list(server.workspace.folders) == ["file:///f"]
        editor.notify("workspace/didChangeWorkspaceFolders", {"event": {"added": [], "removed": [folder]}})
        await editor.command("ping")
        assert list(server.workspace.folders) == []


async def test_payloads_are_not_logged(caplog):
    caplog.set_level(logging.DEBUG)
    async with support.talking() as (editor, _):
        await editor.command("echo", {"text": "a-secret-argument"})
        editor.notify("textDocument/didOpen", {"textDocument": DOCUMENT | {"text": "a-secret-text"}})
        editor.notify("textDocument/didChange", change("file:///a.py", "a-secret-change"))
        await editor.fails("example/count", {"a-secret-key": 1})
        folder = {"uri": "file:///a-secret-folder", "name": "f"}
        editor.notify("workspace/didChangeWorkspaceFolders", {"event": {"added": [folder], "removed": []}})
        await editor.command("ping")
    assert "a-secret" not in caplog.text


# What a server must be


def a_server(protocol=rpc.SafeProtocol):
    return LanguageServer("x", "1", protocol_cls=protocol, converter_factory=wire.shared_converter)


def with_an_exit_handler():
    server = a_server()

    @server.feature(lsp.EXIT)
    async def leave(_):
        """Would never be called."""

    return server


def with_an_untyped_method():
    server = a_server()

    @server.feature("example/untyped")
    async def untyped(_):
        """Would get anything."""

    return server


def with_a_pygls_command():
    server = a_server()

    @server.command("x")
    async def command(_):
        """Would be read by pygls."""

    return server


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (with_an_exit_handler, "has no handler"),
        (with_an_untyped_method, "example/untyped has no parameter type"),
        (with_a_pygls_command, "Commands go to on_execute_command"),
        (lambda: LanguageServer("stock", "1"), "must be built on SafeProtocol"),
    ],
)
async def test_a_server_that_would_break_the_promises_is_not_started(build, words):
    async with support.unconnected() as (reader, writer):
        with pytest.raises(InternalError, match=words):
            await rpc.serve_connection(reader, writer, build)


def test_a_handler_that_would_stall_everybody_is_not_registered():
    register = a_server().feature(lsp.TEXT_DOCUMENT_HOVER)
    with pytest.raises(InternalError, match="textDocument/hover must be async"):
        register(lambda _: None)


async def test_a_handler_may_be_a_plain_function_that_takes_the_server():
    def build():
        server = a_server()

        @server.feature(lsp.TEXT_DOCUMENT_HOVER)
        async def hover(ls, params: lsp.HoverParams):
            return lsp.Hover(f"{ls.name}, line {params.position.line}")

        return server

    async with support.connected(build) as editor:
        params = {"textDocument": {"uri": "file:///a.py"}, "position": {"line": 3, "character": 0}}
        assert await editor.request("textDocument/hover", params) == {"contents": "x, line 3"}
