"""The real process over standard input and output, with the capabilities that real editors sent.

Source: pytest-lsp's captured clients, Neovim 0.11.0 and VS Code 1.65.2; both show documents through a shim.
"""

import asyncio
import sys

import pytest
import pytest_lsp
from lsprotocol import types as lsp

from tests.server import runtime_support, support

CLIENTS = ("neovim@v0.11.0", "visual-studio-code@v1.65.2")
COMMAND = ("-m", "agentos_lsp", "--stdio")


class Client:
    """An editor as pytest-lsp plays it, and what a test asks of it."""

    def __init__(self, house):
        self.house = house
        self.lsp = pytest_lsp.make_test_lsp_client()
        self.refreshed = asyncio.Queue()

        @self.lsp.feature(lsp.WORKSPACE_TEXT_DOCUMENT_CONTENT_REFRESH)
        def refresh(params: lsp.TextDocumentContentRefreshParams):
            self.refreshed.put_nowait(params.uri)

    async def start(self, capabilities):
        folder = self.house.tmp_path
        await self.lsp.start_io(
            sys.executable,
            *COMMAND,
            "--state",
            str(self.house.state_folder),
            "--log",
            str(folder / "log"),
            cwd=support.ROOT,
        )
        uri = self.house.repository.as_uri()
        params = lsp.InitializeParams(
            capabilities=capabilities,
            root_uri=uri,
            workspace_folders=[lsp.WorkspaceFolder(uri, "repo")],
            initialization_options={**runtime_support.TRUSTED, "virtualDocuments": True},
        )
        return await self.lsp.initialize_session(params)

    async def stop(self):
        async with asyncio.timeout(support.TIMEOUT_S):
            await self.lsp.shutdown_session()
            await self.lsp.stop()

    async def command(self, name, **argument):
        params = lsp.ExecuteCommandParams(name, [argument])
        return await self.lsp.workspace_execute_command_async(params)

    async def content(self, uri):
        params = lsp.TextDocumentContentParams(uri)
        return (await self.lsp.workspace_text_document_content_async(params)).text

    async def diagnostic(self, uri):
        """Waits for the only diagnostic of a document; a refresh is the sign that something changed."""
        async with asyncio.timeout(support.TIMEOUT_S):
            while not self.lsp.diagnostics.get(uri):
                await self.refreshed.get()
                await self.command("agentos.session.list")
        (found,) = self.lsp.diagnostics[uri]
        return found

    async def status(self, session, *wanted):
        async with asyncio.timeout(support.TIMEOUT_S):
            while (now := await self.command("agentos.session.show", session=session))["status"] not in wanted:
                await self.refreshed.get()
        return now


@pytest.mark.parametrize("editor", CLIENTS)
async def test_a_session_from_start_to_merge(tmp_path, editor):
    house = runtime_support.House(tmp_path, "my répo")
    house.make_repository()
    client = Client(house)
    result = await client.start(pytest_lsp.client_capabilities(editor))
    try:
        assert result.capabilities.workspace.text_document_content.schemes == ("agentos",)
        script = house.script(
            {"edit": {"path": "a.txt", "old": "one", "new": "1"}}, "touch new.txt", {"commit": "Count"}
        )
        started = await client.command("agentos.session.start", task="Count ü", script=script)
        session, page = started["session"], started["page"]
        found = await client.diagnostic(page)
        assert (found.source, found.code) == ("agentos", "approval")
        line = (await client.content(page)).split("\n")[found.range.start.line]
        assert line.endswith("] touch new.txt")

        # A lens, because lsprotocol's client side reads every code action with a command as a bare command.
        lenses = await client.lsp.text_document_code_lens_async(lsp.CodeLensParams(lsp.TextDocumentIdentifier(page)))
        (approve, *_) = [lens.command for lens in lenses if lens.range.start.line == found.range.start.line]
        assert approve.title == "Approve once"
        answer = lsp.ExecuteCommandParams(approve.command, approve.arguments)
        assert (await client.lsp.workspace_execute_command_async(answer))["counted"] is True
        await client.status(session, "idle")

        diff = await client.content(f"agentos://{session}/changes.diff")
        assert "-one\n+1\n" in diff
        merged = await client.command("agentos.session.merge", session=session)
        assert (merged["merged"], sorted(merged["files"])) == (True, ["a.txt", "new.txt"])
        assert (house.repository / "a.txt").read_text() == "1\ntwo\n"
        await client.status(session, "merged")
        assert not client.lsp.diagnostics[page]
    finally:
        await client.stop()
    assert house.git("worktree", "list", "--porcelain").count("worktree ") == 1
    assert "ERROR" not in (tmp_path / "log").read_text()
