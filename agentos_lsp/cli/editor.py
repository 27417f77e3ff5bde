"""A terminal's own editor: the smallest LSP client that can steer a session, for the tour and the demo."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from typing import TYPE_CHECKING, Any, Self

from agentos_lsp.domain.errors import InternalError, UserError
from agentos_lsp.runtime import supervisor
from agentos_lsp.server import connection, framing, memory, protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import TracebackType

ANSWER_TIMEOUT_S = 60.0

Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


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
        self._ends: Ends | None = None
        self._group = asyncio.TaskGroup()
        self._listening: asyncio.Task[None] | None = None
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._number = 0

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        self._ends = await self._connect()
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
        try:
            if kind is None and self._is_connected():
                await self.ask("shutdown", None)
                await self.notify("exit", None)
                async with asyncio.timeout(ANSWER_TIMEOUT_S):
                    await self._await_end()
        finally:
            await self._disconnect()
            if self._listening is not None:
                self._listening.cancel()
            await self._group.__aexit__(kind, error, trace)

    async def _connect(self) -> Ends:
        process = self._process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=dict(self._environment),
            limit=1 << 20,
        )
        if process.stdin is None or process.stdout is None:
            raise InternalError("The server has no pipes.")
        return process.stdout, process.stdin

    def _is_connected(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def _await_end(self) -> None:
        if self._process is not None:
            await self._process.wait()

    async def _disconnect(self) -> None:
        process = self._process
        if process is not None and process.returncode is None:
            process.terminate()
            await process.wait()

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
        if self._ends is None:
            raise InternalError("The server was not started.")
        self._ends[1].write(framing.frame(json.dumps(message).encode()))
        await self._ends[1].drain()

    async def _listen(self) -> None:
        if self._ends is None:
            raise InternalError("The server was not started.")
        while (body := await framing.read_message(self._ends[0])) is not None:
            message: dict[str, Any] = json.loads(body)
            if "method" not in message:
                self._settle(message)
            elif message["method"] == protocol.EVENT_NOTIFICATION:
                await self.events.put(message["params"])
            elif message["method"] == "textDocument/publishDiagnostics":
                self.diagnostics[message["params"]["uri"]] = message["params"]["diagnostics"]
            elif "id" in message:
                # A server that ends does not wait for its answers.
                with contextlib.suppress(ConnectionError):
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


class Within(Editor):
    """Asks a server in this very process, over the same protocol and no pipe.

    Args:
        folder: The workspace.
        parts: Of the server's runtime.
    """

    def __init__(self, folder: Path, parts: supervisor.Parts) -> None:
        super().__init__(folder, folder, folder, {})
        self._runtime = supervisor.Runtime(parts)
        self._serving: asyncio.Task[int] | None = None

    async def _connect(self) -> Ends:
        wire = memory.Wire()
        runtime = await self._runtime.__aenter__()
        self._serving = self._group.create_task(wire.serve(connection.builder(runtime)))
        return wire.outward, wire.editor

    def _is_connected(self) -> bool:
        return self._serving is not None and not self._serving.done()

    async def _await_end(self) -> None:
        if self._serving is not None:
            await asyncio.wait([self._serving])

    async def _disconnect(self) -> None:
        if self._ends is not None:
            self._ends[1].close()
            await self._await_end()
            await self._runtime.__aexit__(None, None, None)
