"""What the tests of the language server share: an editor in the same event loop, its transcript, and a server.

`python -m tests.server.support` runs `Example` over stdio, for tests that need a real process.
"""

import asyncio
import contextlib
import json
import os
import re
import socket
import sys
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

import pydantic
from lsprotocol import types as lsp
from pydantic import alias_generators
from pygls.lsp.server import LanguageServer

from agentos_lsp.domain import errors as domain_errors
from agentos_lsp.server import framing, rpc, stdio, wire

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 20
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)"


class RemoteError(Exception):
    """The server answered with an error."""

    def __init__(self, code, message, data=None):
        super().__init__(f"{code} {message}")
        self.code = code
        self.message = message
        self.data = data


class Transcript:
    """Every message of a connection as one line of text, with what differs between runs replaced.

    Args:
        texts: Literal text and its replacement: `{str(tmp_path): "$TMP"}`.
        patterns: A letter and a pattern: each new match of `{"A": "ap-[0-9a-f]+"}` becomes `$A1`, `$A2` and so on.
            Times become `$T1` and so on without being asked for.
    """

    def __init__(self, texts: Mapping[str, str] | None = None, patterns: Mapping[str, str] | None = None):
        self._texts = texts or {}
        self._patterns = {"T": TIME, **(patterns or {})}
        self._seen: dict[str, dict[str, str]] = {letter: {} for letter in self._patterns}
        self.lines: list[str] = []

    def record(self, arrow, message):
        what = message.get("method") or ("error" if "error" in message else "result")
        content = message.get("params", message.get("error", message.get("result")))
        identity = f" #{message['id']}" if "id" in message else ""
        self.lines.append(self._mask(f"{arrow} {what}{identity} {json.dumps(content, sort_keys=True)}"))

    def text(self, begin=0):
        return "\n".join(self.lines[begin:])

    def _mask(self, line):
        # The longest first, so that a folder does not hide the file in it.
        for text in sorted(self._texts, key=len, reverse=True):
            line = line.replace(json.dumps(text)[1:-1], self._texts[text])
        for letter, pattern in self._patterns.items():
            seen = self._seen[letter]
            line = re.sub(pattern, lambda found: seen.setdefault(found[0], f"${letter}{len(seen) + 1}"), line)  # noqa: B023  called at once
        return line


class Editor:
    """A client that knows frames and nothing else; it reads only when a test asks it to.

    What the server sends of its own accord waits in order; `finish` fails if something was left unread.
    """

    def __init__(self, reader, writer, transcript=None):
        self.reader = reader
        self.writer = writer
        self.transcript = transcript or Transcript()
        self.exit_code: int | None = None
        self._next_id = 0
        self._answers: dict[object, dict] = {}
        self._unread: deque[dict] = deque()
        self._finished = False

    # what the editor sends

    def send(self, message):
        self.transcript.record("->", message)
        self.send_bytes(framing.frame(json.dumps({"jsonrpc": "2.0", **message}).encode()))

    def send_bytes(self, data):
        self.writer.write(data)

    def notify(self, method, params=None):
        self.send({"method": method} if params is None else {"method": method, "params": params})

    def ask(self, method, params=None):
        """Sends a request and returns its id; `answer` waits for what comes back."""
        self._next_id += 1
        self.send({"id": self._next_id, "method": method, "params": params})
        return self._next_id

    def cancel(self, identity):
        self.notify("$/cancelRequest", {"id": identity})

    def reply(self, request, result=None, error=None):
        """Answers a request of the server."""
        self.send({"id": request["id"], **({"result": result} if error is None else {"error": error})})

    # what the editor receives

    async def answer(self, identity):
        while identity not in self._answers:
            self._sort(await self._read())
        message = self._answers.pop(identity)
        if "error" in message:
            raise RemoteError(message["error"]["code"], message["error"]["message"], message["error"].get("data"))
        return message["result"]

    async def receive(self, method=None):
        """Returns the server's next own message; checks its method if one is given."""
        while not self._unread:
            self._sort(await self._read())
        message = self._unread.popleft()
        assert method in {None, message["method"]}, f"expected {method}, got {message}"
        return message

    async def request(self, method, params=None):
        return await self.answer(self.ask(method, params))

    async def command(self, name, argument=None):
        return await self.request("workspace/executeCommand", {"command": name, "arguments": [argument or {}]})

    async def fails(self, method, params=None):
        """Returns the error with which the request is answered."""
        try:
            result = await self.request(method, params)
        except RemoteError as error:
            return error
        raise AssertionError(f"{method} was answered with {result}")

    # the life of a connection

    async def initialize(self, capabilities=None, options=None, process_id=None):
        params = {"processId": process_id, "rootUri": None, "capabilities": capabilities or {}}
        if options is not None:
            params["initializationOptions"] = options
        result = await self.request("initialize", params)
        self.notify("initialized", {})
        return result

    async def finish(self):
        """Shuts the connection down and fails if the server said anything that the test did not read."""
        await self.request("shutdown")
        self.notify("exit")
        await self.read_to_end()
        self.check_all_read()

    async def read_to_end(self):
        """Reads until the server closes the connection."""
        self._finished = True
        while (body := await self._read_body()) is not None:
            self._sort(self._recorded(body))

    def check_all_read(self):
        unread = [*self._answers.values(), *self._unread]
        assert not unread, f"left unread: {unread}"

    @property
    def is_finished(self):
        return self._finished

    async def _read(self):
        body = await self._read_body()
        assert body is not None, "the server closed the connection"
        return self._recorded(body)

    async def _read_body(self):
        async with asyncio.timeout(TIMEOUT_S):
            try:
                return await framing.read_message(self.reader)
            except ConnectionError:
                return None

    def _recorded(self, body):
        message = json.loads(body)
        assert message.pop("jsonrpc") == "2.0"
        self.transcript.record("<-", message)
        return message

    def _sort(self, message):
        if "method" in message:
            self._unread.append(message)
        else:
            identity = message.get("id")
            assert identity not in self._answers, f"answered twice: {message}"
            self._answers[identity] = message


@contextlib.asynccontextmanager
async def connected(build, *, transcript=None, initialize=True, **options) -> AsyncIterator[Editor]:
    """Connects an editor to a server over a socket pair in this event loop.

    At the end of the block the connection is shut down, unless the test has ended it, and nothing may be unread. The
    editor's `exit_code` is known afterwards.
    """
    ours, theirs = socket.socketpair()
    server_streams = await asyncio.open_connection(sock=theirs)
    reader, writer = await asyncio.open_connection(sock=ours)
    editor = Editor(reader, writer, transcript)
    try:
        async with asyncio.TaskGroup() as tasks:
            serving = tasks.create_task(rpc.serve_connection(*server_streams, build, **options))
            if initialize:
                await editor.initialize()
            yield editor
            if not editor.is_finished:
                await editor.finish()
            editor.check_all_read()
            async with asyncio.timeout(TIMEOUT_S):
                editor.exit_code = await serving
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


@contextlib.asynccontextmanager
async def unconnected():
    """Yields the server's streams of a connection on which no editor says anything."""
    ours, theirs = socket.socketpair()
    with ours:
        reader, writer = await asyncio.open_connection(sock=theirs)
        yield reader, writer
        writer.close()
        await writer.wait_closed()


@contextlib.asynccontextmanager
async def started(*arguments, **options):
    """Starts a stdio server as a process, by default `Example`; yields the editor and the process."""
    command = arguments or ("-m", "tests.server.support")
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=ROOT,
        **options,
    )
    editor = Editor(process.stdout, process.stdin)
    try:
        yield editor, process
    finally:
        if process.returncode is None:
            process.kill()
        process.stdin.close()
        await process.communicate()


class Count(pydantic.BaseModel):
    """The parameters of `example/count`, as a model of ours."""

    model_config = pydantic.ConfigDict(alias_generator=alias_generators.to_camel, strict=True)

    up_to: int
    labels: list[str] = []


class Counted(pydantic.BaseModel):
    """Its result."""

    model_config = pydantic.ConfigDict(alias_generator=alias_generators.to_camel, populate_by_name=True)

    last_number: int


class ExampleProtocol(rpc.SafeProtocol):
    """Knows one method that LSP does not."""

    custom_params = {"example/count": Count}  # noqa: RUF012  a test


class Example(LanguageServer):
    """A server with one feature and command for each thing that a handler can do, good or bad."""

    command_names = (
        "ask", "boom", "cancel", "count", "echo", "exit", "group", "interrupt", "log", "loop", "missing", "open",
        "ping", "print", "progress", "set", "stubborn", "wait",
    )  # fmt: skip

    def __init__(self):
        super().__init__("example", "1", protocol_cls=ExampleProtocol, converter_factory=wire.shared_converter)
        self.seen: list[str] = []
        self.release = asyncio.Event()
        self.feature(lsp.TEXT_DOCUMENT_HOVER)(self.on_hover)
        self.feature(lsp.TEXT_DOCUMENT_DID_OPEN)(self.on_open)
        self.feature(lsp.TEXT_DOCUMENT_DID_CHANGE)(self.on_change)
        self.feature("example/count")(self.on_count)
        schemes = lsp.TextDocumentContentOptions(schemes=["example"])
        self.feature(lsp.WORKSPACE_TEXT_DOCUMENT_CONTENT, schemes)(self.on_content)

    async def on_hover(self, params: lsp.HoverParams):
        return lsp.Hover(contents=f"line {params.position.line}")

    async def on_open(self, params: lsp.DidOpenTextDocumentParams):
        self.seen.append(f"opened {params.text_document.uri}")

    async def on_change(self, params: lsp.DidChangeTextDocumentParams):
        self.seen.append(f"changed {params.text_document.uri}")

    async def on_count(self, params: Count):
        return Counted(last_number=params.up_to)

    async def on_content(self, params: lsp.TextDocumentContentParams):
        return lsp.TextDocumentContentResult(text=params.uri)

    async def on_execute_command(self, params: lsp.ExecuteCommandParams):
        if params.command == "count":
            return await self.on_count(wire.command_argument(params, Count))
        return await getattr(self, f"do_{params.command}")(params.arguments[0])

    async def do_ping(self, _):
        return "pong"

    async def do_echo(self, argument):
        return argument

    async def do_wait(self, _):
        self.seen.append("waiting")
        try:
            await self.release.wait()
        except asyncio.CancelledError:
            self.seen.append("cancelled")
            raise
        return "released"

    async def do_stubborn(self, _):
        self.seen.append("waiting")
        with contextlib.suppress(asyncio.CancelledError):
            await self.release.wait()
        return "finished all the same"

    async def do_cancel(self, _):
        raise asyncio.CancelledError

    async def do_boom(self, _):
        secret = "the content of a file"
        raise KeyError(secret)

    async def do_group(self, _):
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.do_missing(None))

    async def do_missing(self, _):
        raise domain_errors.UserError("There is no session s1.", "Start one.")

    async def do_exit(self, _):
        sys.exit(3)

    async def do_interrupt(self, _):
        raise KeyboardInterrupt

    async def do_set(self, _):
        return {1, 2}

    async def do_loop(self, _):
        loop: list[object] = []
        loop.append(loop)
        return loop

    async def do_print(self, _):
        print("printed")
        os.write(1, b"written\n")
        child = await asyncio.create_subprocess_exec("echo", "said by a child")
        await child.wait()
        return os.read(0, 100).decode()

    async def do_open(self, argument):
        return self.workspace.get_text_document(argument["uri"]).source

    async def do_ask(self, _):
        params = lsp.ShowMessageRequestParams(lsp.MessageType.Info, "Well?", [lsp.MessageActionItem("Yes")])
        chosen = await self.window_show_message_request_async(params)
        return chosen and chosen.title

    async def do_progress(self, _):
        await self.work_done_progress.create_async("p1")
        self.work_done_progress.begin("p1", lsp.WorkDoneProgressBegin("Working", cancellable=True))
        self.work_done_progress.end("p1", lsp.WorkDoneProgressEnd())

    async def do_log(self, argument):
        self.window_log_message(lsp.LogMessageParams(lsp.MessageType.Log, "x" * argument["size"]))


def building(servers: list[Example]) -> Callable[[], Example]:
    """Returns a `build` that lets the test see the servers that were built."""

    def build():
        servers.append(Example())
        return servers[-1]

    return build


@contextlib.asynccontextmanager
async def talking(**options):
    """Yields an editor that is connected to an `Example`, and the example."""
    servers: list[Example] = []
    async with connected(building(servers), **options) as editor:
        yield editor, servers[0]


def main():
    channel = stdio.guard()
    sys.exit(asyncio.run(stdio.serve(channel, Example)))


if __name__ == "__main__":
    main()
