"""A terminal's own editor: the smallest LSP client that can steer a session, for the tour."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import TYPE_CHECKING, Any, Self

from agentos_lsp.domain.errors import InternalError, UserError
from agentos_lsp.server import framing, protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import TracebackType

ANSWER_TIMEOUT_S = 60.0


class Editor:
    """Starts a server over real standard input and output, asks it for things, and hears its events.

    Args:
        folder: The workspace.
        state: The state folder of the server.
        log: Where the server writes its log.
        environment: The server's whole environment.
    """

    def __init__(self, folder: Path, state: Path, log: Path, environment: Mapping[str, str]) -> None:
        self.events: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.diagnostics: dict[str, list[dict[str, Any]]] = {}
        self._folder = folder
        self._command = [sys.executable, "-m", "agentos_lsp", "--state", str(state), "--log", str(log), "--stdio"]
        self._environment = environment
        self._process: asyncio.subprocess.Process | None = None
        self._group = asyncio.TaskGroup()
        self._listening: asyncio.Task[None] | None = None
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._number = 0

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=dict(self._environment),
            limit=1 << 20,
        )
        self._listening = self._group.create_task(self._listen())
        options = {"trusted": True, "virtualDocuments": True, "events": True, "permissions": list(protocol.PERMISSIONS)}
        uri = self._folder.as_uri()
        await self.ask(
            "initialize",
            {
                "processId": None,
                "rootUri": uri,
                "workspaceFolders": [{"uri": uri, "name": self._folder.name}],
                "clientInfo": {"name": "tour"},
                "capabilities": {},
                "initializationOptions": options,
            },
        )
        await self.notify("initialized", {})
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        process = self._process
        try:
            if process is not None and process.returncode is None and kind is None:
                await self.ask("shutdown", None)
                await self.notify("exit", None)
                async with asyncio.timeout(ANSWER_TIMEOUT_S):
                    await process.wait()
        finally:
            if process is not None and process.returncode is None:
                process.terminate()
                await process.wait()
            if self._listening is not None:
                self._listening.cancel()
            await self._group.__aexit__(kind, error, trace)

    async def command(self, name: str, **argument: object) -> dict[str, Any]:
        """Asks for one of our commands.

        Raises:
            UserError: The server says no; its words and its hint.
        """
        found: dict[str, Any] = await self.ask("workspace/executeCommand", {"command": name, "arguments": [argument]})
        return found

    async def content(self, uri: str) -> str:
        """Reads one of the runtime's documents."""
        found = await self.ask("workspace/textDocumentContent", {"uri": uri})
        return str(found["text"])

    async def ask(self, method: str, params: object) -> Any:  # noqa: ANN401 - whatever the server answers
        """Sends a request and waits for its answer.

        Raises:
            UserError: The answer is an error.
        """
        self._number += 1
        number = self._number
        waiting = self._waiting[number] = asyncio.get_running_loop().create_future()
        await self._send({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            return await waiting

    async def notify(self, method: str, params: object) -> None:
        """Sends a notification."""
        await self._send({"jsonrpc": "2.0", "method": method, "params": params})

    async def _send(self, message: dict[str, object]) -> None:
        if self._process is None or self._process.stdin is None:
            raise InternalError("The server was not started.")
        self._process.stdin.write(framing.frame(json.dumps(message).encode()))
        await self._process.stdin.drain()

    async def _listen(self) -> None:
        if self._process is None or self._process.stdout is None:
            raise InternalError("The server was not started.")
        while (body := await framing.read_message(self._process.stdout)) is not None:
            message: dict[str, Any] = json.loads(body)
            if "method" not in message:
                self._settle(message)
            elif message["method"] == protocol.EVENT_NOTIFICATION:
                await self.events.put(message["params"])
            elif message["method"] == "textDocument/publishDiagnostics":
                self.diagnostics[message["params"]["uri"]] = message["params"]["diagnostics"]
            elif "id" in message:
                await self._send({"jsonrpc": "2.0", "id": message["id"], "result": None})
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(UserError("The server ended.", "Its log says why."))

    def _settle(self, message: dict[str, Any]) -> None:
        waiting = self._waiting.pop(message.get("id") or 0, None)
        if waiting is None or waiting.done():
            return
        if "error" in message:
            error = message["error"]
            hint = (error.get("data") or {}).get("hint", "")
            waiting.set_exception(UserError(str(error["message"]), str(hint)))
        else:
            waiting.set_result(message.get("result"))
