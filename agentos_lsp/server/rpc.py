"""One LSP connection from the first byte to the last: `SafeProtocol` is pygls' protocol with its dispatch replaced.

pygls keeps its types, feature table, document sync and the generated `x_async()` requests to the editor; everything
between the stream and a handler is here, because pygls 2.1.1 loses replies, leaks futures, does not cancel commands and
ends the process at `exit`. `tests/server/test_rpc.py` has one test per defect.

What a server built on it must know:

- Handlers are `async def`, plain or bound, and run as tasks of their connection, started in the order of the messages.
  None of them stalls another, and none outlives the connection.
- `workspace/executeCommand` goes to the server's `on_execute_command`; pygls' own command table stays empty.
- A request to the editor that can no longer be answered raises `errors.EditorError`.
"""

import asyncio
import contextlib
import inspect
import itertools
import logging
from collections.abc import Callable, Coroutine, Generator, Mapping
from concurrent import futures
from functools import partial
from types import MappingProxyType
from typing import Any, Literal

import cattrs
import pydantic
from lsprotocol import types as lsp
from pygls.lsp.server import LanguageServer

from agentos_lsp.domain.errors import InternalError
from agentos_lsp.server import errors, flag, framing, lifecycle, wire

MAX_HANDLERS = 1024
CLOSE_TIMEOUT_S = 2.0

_log = logging.getLogger(__name__)

_Handler = Callable[..., Any]


async def serve_connection(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    build: Callable[[], LanguageServer],
    *,
    stop: asyncio.Event | None = None,
    on_process_id: Callable[[int], None] | None = None,
) -> int:
    """Serves one editor until it exits, disconnects, breaks the framing or stops reading.

    Whatever the connection started is cancelled at its end, and requests to its editor fail with `EditorError`; other
    connections on the same loop do not notice.

    Args:
        reader: Where the editor's frames arrive.
        writer: Where ours go; closed at the end.
        build: Makes the server of this connection; its protocol is a `SafeProtocol`.
        stop: Set to end the connection from outside.
        on_process_id: Called once with the process that the editor says it is.

    Returns:
        The exit code for a process that serves only this connection: 0 if the editor had asked for a shutdown, else 1.
    """
    protocol = build().protocol
    if not isinstance(protocol, SafeProtocol):
        raise InternalError("A connection must be built on SafeProtocol.")
    protocol.on_process_id = on_process_id
    return await protocol.serve(reader, writer, stop)


class SafeProtocol(lifecycle.Lifecycle):
    """The protocol of one connection, and of no other.

    Invariant: every request is answered exactly once while the connection lasts, and nothing is kept about a message
    after it has been answered.
    """

    custom_params: Mapping[str, type[pydantic.BaseModel]] = MappingProxyType({})
    """The parameters of methods that LSP does not know; a feature without standard types must be listed."""

    def __init__(self, server: LanguageServer, converter: cattrs.Converter) -> None:
        super().__init__(server, converter)
        self.inward: Callable[[object], object] = _as_it_is
        """What becomes of the parameters of a message before anything reads them."""
        self.outward: Callable[[bytes], bytes] = _as_it_is
        """What becomes of a message's body before it is sent."""
        self._phase: Literal["new", "initializing", "ready", "shut down"] = "new"
        self._ended = flag.Flag()
        self._tasks: asyncio.TaskGroup | None = None
        self._running: set[asyncio.Task[None]] = set()
        self._answering: dict[wire.MessageId, asyncio.Task[None]] = {}
        self._asked: dict[wire.MessageId, tuple[futures.Future[Any], str]] = {}
        self._ids = itertools.count(1)

    # ---------------------------------------------------------------------------------------------- the connection

    async def serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, stop: asyncio.Event | None
    ) -> int:
        """Serves the connection to its end; see `serve_connection`."""
        self._check_features()
        loop = asyncio.get_running_loop()
        self.set_writer(framing.LoopWriter(writer, loop, self.close, framing.MAX_BACKLOG_BYTES))
        async with asyncio.TaskGroup() as self._tasks:
            self._tasks.create_task(self._await_loss(writer), name="await loss of the editor")
            self.spawn(self._read(reader), "read")
            if stop is not None:
                self.spawn(self._await_stop(stop), "await stop")
            try:
                await self._ended.wait()
            finally:
                self.close()
                for task in tuple(self._running):
                    task.cancel()
                # The last answers are still sent, but an editor that does not read them cannot keep us here. The group
                # waits until the writer is closed.
                writer.close()
                abort = loop.call_later(CLOSE_TIMEOUT_S, writer.transport.abort)
        abort.cancel()
        return 0 if self._phase == "shut down" else 1

    def close(self) -> None:
        """Ends the connection; may be called at any time and more than once, on the loop."""
        self._ended.set()
        for asked, _ in tuple(self._asked.values()):
            _fail(asked, "the connection is closed")

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Runs work beside the handlers until the connection ends; its failure is logged and reaches nobody else.

        Raises:
            InternalError: If the connection has not begun or is over.
        """
        if self._tasks is None or self._ended.is_set():
            work.close()
            raise InternalError(f"There is no connection to {name} on.")
        task = self._tasks.create_task(_log_failure(work, name), name=name)
        self._running.add(task)
        task.add_done_callback(partial(self._forget_work, work))
        return task

    def _forget_work(self, work: Coroutine[Any, Any, None], task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        work.close()  # Cancelled before its first step, a task never looks at its work.

    async def _read(self, reader: asyncio.StreamReader) -> None:
        try:
            while not self._ended.is_set() and (body := await framing.read_message(reader)) is not None:
                self._receive(body)
                # A peer with much to say lets handlers start in order, and other connections have their turn.
                await asyncio.sleep(0)
        except framing.FramingError as error:
            _log.warning("closing the connection: %s", error)
            self._answer_error(None, lsp.ResponseError(errors.PARSE_ERROR, str(error), {"kind": "protocol"}))
        except OSError as error:
            _log.info("the connection was lost: %s", error)
        finally:
            self.close()

    async def _await_loss(self, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        self.close()

    async def _await_stop(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self.close()

    def _check_features(self) -> None:
        for method in self.fm.features:
            if method == lsp.EXIT:
                raise InternalError("The end of a connection has no handler; clean up in spawned work.")
            if self.get_message_type(method) is None:
                raise InternalError(f"{method} has no parameter type in custom_params.")
        if self.fm.commands:
            raise InternalError("Commands go to on_execute_command.")

    # ---------------------------------------------------------------------------------------------- what comes in

    def _receive(self, body: bytes) -> None:
        try:
            match wire.parse(body):
                case wire.Request(identity, method, params):
                    self._receive_request(identity, method, self.inward(params))
                case wire.Notification(method, params):
                    self._receive_notification(method, self.inward(params))
                case wire.Answer() as answer:
                    self._receive_answer(answer)
                case wire.Malformed(identity, code, reason):
                    self._answer_error(identity, lsp.ResponseError(code, reason, {"kind": "protocol"}))
        except Exception as error:  # noqa: BLE001  the connection goes on without this message
            errors.log_defect(error, "reading a message")

    def _receive_request(self, identity: wire.MessageId, method: str, params: object) -> None:
        try:
            self._check_lifecycle(identity, method)
            handler = self._find_handler(method)
            arguments = self._structure_params(method, params)
        except Exception as error:  # noqa: BLE001  every request is answered
            self._answer_error(identity, errors.response_error(error, method))
            return
        if method == lsp.INITIALIZE:
            self._phase = "initializing"
        if method == lsp.SHUTDOWN:
            self._phase = "shut down"
        task = self.spawn(self._answer(identity, method, handler, arguments), method)
        self._answering[identity] = task
        task.add_done_callback(partial(self._forget_request, identity))

    def _check_lifecycle(self, identity: wire.MessageId, method: str) -> None:
        if identity in self._answering:
            raise errors.ProtocolError(errors.INVALID_REQUEST, "This id is already in use.")
        match self._phase, method == lsp.INITIALIZE:
            case ("new", False) | ("initializing", False):
                raise errors.ProtocolError(errors.SERVER_NOT_INITIALIZED, "The server is not initialized.")
            case ("initializing", True) | ("ready", True):
                raise errors.ProtocolError(errors.INVALID_REQUEST, "The server is already initialized.")
            case "shut down", _:
                raise errors.ProtocolError(errors.INVALID_REQUEST, "The server is shutting down.")
            case _:
                pass
        if len(self._running) >= MAX_HANDLERS:
            raise errors.ProtocolError(errors.REQUEST_FAILED, "Too many requests are in flight.")

    def _receive_notification(self, method: str, params: object) -> None:
        if method == lsp.EXIT:
            self.close()
            return
        if method == lsp.CANCEL_REQUEST:
            identity = params.get("id") if isinstance(params, dict) else None
            if isinstance(identity, int | str) and (task := self._answering.get(identity)) is not None:
                task.cancel()
            return
        if self._phase != "ready":
            _log.info("ignored %s: the connection is %s", method, self._phase)
            return
        try:
            handler = self._find_handler(method)
            arguments = self._structure_params(method, params)
        except errors.ProtocolError as error:
            _log.info("ignored %s: %s", method, error)
            return
        if len(self._running) >= MAX_HANDLERS:
            # A lost change would leave a document wrong for ever, which the editor can only repair by connecting anew.
            _log.error("closing the connection: %d handlers are still running", len(self._running))
            self.close()
            return
        self.spawn(self._invoke(handler, arguments), method)

    def _receive_answer(self, answer: wire.Answer) -> None:
        asked, method = self._asked.pop(answer.id, (None, ""))
        if asked is None:
            _log.info("ignored an answer to nothing that was asked")
        elif answer.error is not None:
            _fail(asked, answer.error.message, answer.error.code)
        else:
            try:
                result_type = self.get_result_type(method)
                result = answer.result
                if result_type is not None:
                    result = wire.structure(result, result_type, "result", self._converter)
            except errors.InvalidParamsError as error:
                _fail(asked, f"its answer to {method} is unreadable: {error}")
            else:
                with contextlib.suppress(futures.InvalidStateError):
                    asked.set_result(result)

    def _find_handler(self, method: str) -> _Handler:
        handler: _Handler | None = self.fm.builtin_features.get(method) or self.fm.features.get(method)
        if handler is None:
            raise errors.ProtocolError(errors.METHOD_NOT_FOUND, f"There is no method {method[:100]}.")
        return handler

    def _structure_params(self, method: str, params: object) -> object:
        message_type = self.get_message_type(method)
        return params if message_type is None else wire.structure(params, message_type, "params", self._converter)

    async def _answer(self, identity: wire.MessageId, method: str, handler: _Handler, params: object) -> None:
        self._ctx_msg_id.set(identity)
        try:
            result = await self._invoke(handler, params)
            if method == lsp.INITIALIZE:
                self._phase = "ready"
            body = wire.encode({"jsonrpc": "2.0", "id": identity, "result": result}, self._converter)
        # A handler that raises SystemExit, KeyboardInterrupt or a group of them must not end the other connections.
        except (Exception, SystemExit, KeyboardInterrupt, BaseExceptionGroup) as error:  # noqa: BLE001  one answer per request
            self._answer_error(identity, errors.response_error(error, method))
        else:
            self._write(body)

    def _forget_request(self, identity: wire.MessageId, task: asyncio.Task[None]) -> None:
        del self._answering[identity]
        if self._phase == "initializing":
            self._phase = "new"
        if task.cancelled():  # whether it had begun or not
            error = lsp.ResponseError(errors.REQUEST_CANCELLED, "The request was cancelled.", {"kind": "protocol"})
            self._answer_error(identity, error)

    async def _invoke(self, handler: _Handler, *arguments: object) -> Any:  # noqa: ANN401  whatever the handler returns
        if not inspect.isgeneratorfunction(handler):
            return await handler(*arguments)
        # pygls writes its own handlers as generators that yield the handler to call next.
        steps: Generator[tuple[_Handler, tuple[object, ...], None], Any, Any] = handler(*arguments)
        try:
            called, called_with, _ = next(steps)
            while True:
                called, called_with, _ = steps.send(await called(*called_with))
        except StopIteration as end:
            return end.value

    # ---------------------------------------------------------------------------------------------- what goes out

    def notify(self, method: str, params: object = None) -> None:
        """Sends a notification, from any thread.

        Raises:
            TypeError, ValueError: If the parameters cannot be serialised.
        """
        self._write(self._encode_call({"jsonrpc": "2.0", "method": method}, params))

    def send_request(
        self,
        method: str,
        params: object = None,
        callback: Callable[[Any], None] | None = None,
        msg_id: wire.MessageId | None = None,
    ) -> futures.Future[Any]:
        """Asks the editor, from any thread; cancelling the future tells the editor so.

        Returns:
            A future with the result, or with `EditorError`. To wait for it on the loop would stall everybody: await
            `send_request_async` there.

        Raises:
            TypeError, ValueError: If the parameters cannot be serialised.
        """
        identity = next(self._ids) if msg_id is None else msg_id
        body = self._encode_call({"jsonrpc": "2.0", "id": identity, "method": method}, params)
        asked: futures.Future[Any] = futures.Future()
        asked.add_done_callback(partial(self._forget_asked, identity))
        if callback is not None:
            asked.add_done_callback(partial(_call_back, callback, method))
        self._asked[identity] = (asked, method)
        if self._ended.is_set():
            _fail(asked, "the connection is closed")
        self._write(body)
        return asked

    def get_message_type(self, method: str) -> type[Any] | None:  # type: ignore[override]  # pygls caches it
        """Returns the message class of a method; its `params` field says how parameters are read."""
        # Not cached as in pygls: a cache on a method keeps the protocols of closed connections alive.
        if (custom := self.custom_params.get(method)) is not None:
            return wire.request_type(custom)
        return lsp.METHOD_TO_TYPES.get(method, (None,))[0]

    def get_result_type(self, method: str) -> type[Any] | None:  # type: ignore[override]  # pygls caches it
        """Returns the answer class of a method; its `result` field says how results are read."""
        return lsp.METHOD_TO_TYPES.get(method, (None, None))[1]

    def _forget_asked(self, identity: wire.MessageId, asked: futures.Future[Any]) -> None:
        self._asked.pop(identity, None)
        if asked.cancelled():
            self.notify(lsp.CANCEL_REQUEST, lsp.CancelParams(identity))

    def _encode_call(self, message: dict[str, object], params: object) -> bytes:
        if params is not None:
            message["params"] = params
        return wire.encode(message, self._converter)

    def _answer_error(self, identity: wire.MessageId | None, error: lsp.ResponseError) -> None:
        self._write(wire.encode({"jsonrpc": "2.0", "id": identity, "error": error}, self._converter))

    def _write(self, body: bytes) -> None:
        # The writer of a connection that is over would send answers that nobody waits for.
        if self.writer is not None and not self._ended.is_set():
            self.writer.write(framing.frame(self.outward(body)))


def _as_it_is(value: Any) -> Any:  # noqa: ANN401  the same value
    return value


async def _log_failure(work: Coroutine[Any, Any, None], name: str) -> None:
    try:
        await work
    except (Exception, SystemExit, KeyboardInterrupt, BaseExceptionGroup) as error:  # noqa: BLE001  reaches nobody else
        errors.log_defect(error, name)


def _fail(asked: futures.Future[Any], message: str, code: int = errors.REQUEST_FAILED) -> None:
    with contextlib.suppress(futures.InvalidStateError):
        asked.set_exception(errors.EditorError(message, code))


def _call_back(callback: Callable[[Any], None], method: str, asked: futures.Future[Any]) -> None:
    if asked.cancelled():
        return
    if (error := asked.exception()) is not None:
        _log.info("the editor did not answer %s: %s", method, error)
    else:
        callback(asked.result())
