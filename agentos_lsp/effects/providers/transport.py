"""HTTP to one server: limits, retries, keys, and errors by name. No key or header of a person is ever in an error."""

from __future__ import annotations

import asyncio
import contextlib
import email.utils
import itertools
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar
from urllib.parse import urlsplit

import httpx

from agentos_lsp.domain import network
from agentos_lsp.domain.conversation import Waiting
from agentos_lsp.domain.errors import ProviderError
from agentos_lsp.effects.providers import failures, wire

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
    from datetime import datetime

    from agentos_lsp.domain.conversation import Piece
    from agentos_lsp.effects.providers import Kind

P = ParamSpec("P")
T = TypeVar("T")

_ERROR_BYTES = 64 << 10
_ANSWER_BYTES = 32 << 20
_REPLY_BYTES = 256 << 20
_SHOWN_CHARACTERS = 400


@dataclass(frozen=True, slots=True)
class Limits:
    """How long each part of an answer may take, and how often it is asked for; to load a model is part of the first."""

    connect_s: float = 10.0
    first_token_s: float = 300.0
    idle_s: float = 90.0
    answer_s: float = 30.0
    attempts: int = 4
    first_delay_s: float = 1.0
    longest_delay_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server is and how it is spoken to; `headers` are a person's own."""

    kind: Kind
    base_url: str
    headers: Mapping[str, str]


class Transport:
    """Connections to one server; used from one event loop.

    Args:
        address: Where it is.
        key: Gives the key, empty for none; asked once, and again after the server refused it.
        now: The clock, for dates that say when to come back.
        limits: How long to wait.
        sleep: How to wait between attempts.
    """

    def __init__(
        self,
        address: Address,
        key: Callable[[], Awaitable[str]],
        now: Callable[[], datetime],
        limits: Limits | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._address = address
        self._ask_key = key
        self._key: str | None = None
        self._now = now
        self._limits = limits or Limits()
        self._sleep = sleep
        parts = urlsplit(address.base_url)
        self._client = httpx.AsyncClient(
            # To load the certificates takes long; where there is no TLS, and no redirection is followed, none are read.
            verify=parts.scheme != "http",
            timeout=httpx.Timeout(None, connect=self._limits.connect_s, pool=self._limits.connect_s),
            follow_redirects=False,
            trust_env=parts.hostname not in network.LOOPBACK,
            headers={"user-agent": "agentos-lsp", "accept": "*/*"},
        )

    async def close(self) -> None:
        """Closes all connections."""
        await self._client.aclose()

    def reading(self, read: Callable[P, T], *args: P.args, **options: P.kwargs) -> T:
        """Reads a part of an answer.

        Raises:
            ProviderError: It is not what the interface promises.
        """
        try:
            return read(*args, **options)
        except wire.BadAnswerError as error:
            raise self._failed("malformed answer", self._attempted("read the answer of"), str(error)) from error

    async def get(self, path: str, *, apart: bool = False) -> dict[str, Any]:
        """Gets a JSON object; `apart`: from the server's root and not from below the base URL.

        Raises:
            ProviderError: There is none.
        """
        return await self._whole("GET", path, None, from_root=apart)

    async def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Posts a JSON object and gets one.

        Raises:
            ProviderError: There is none.
        """
        return await self._whole("POST", path, body, from_root=False)

    async def chat(
        self, path: str, body: dict[str, Any], reader: Callable[[], wire.Reader]
    ) -> AsyncGenerator[Piece, None]:
        """Asks for a stream; before its first piece, what may pass is waited for. See `Provider.chat`."""
        for attempt in itertools.count(1):
            begun = False
            try:
                async with contextlib.aclosing(self._stream(path, body, reader())) as pieces:
                    async for piece in pieces:
                        begun = True
                        yield piece
                return
            except ProviderError as error:
                wait = error.retry_after_s if error.retry_after_s is not None else 0.0
                if begun or not error.retry_may_help or attempt >= self._limits.attempts:
                    raise
                if wait > self._limits.longest_delay_s:
                    raise
                delay = max(wait, min(self._limits.first_delay_s * 2 ** (attempt - 1), self._limits.longest_delay_s))
                waiting = Waiting(error.failure, delay)
            yield waiting
            await self._sleep(waiting.delay_s)

    async def lines(self, path: str, body: dict[str, Any]) -> AsyncGenerator[dict[str, Any], None]:
        """Posts, and yields each line of the answer as a JSON object.

        Raises:
            ProviderError: It cannot be asked, or a line tells of a failure.
        """
        lines = wire.Lines()
        model = str(body.get("model", ""))
        attempted = self._attempted("ask", model)
        async with contextlib.aclosing(self._chunks("POST", path, body, lambda: self._limits.idle_s)) as chunks:
            async for chunk in chunks:
                for line in self.reading(list, lines.feed(chunk)):
                    yield self._line(line, attempted, model)
        for line in self.reading(list, lines.end()):
            yield self._line(line, attempted, model)

    def _line(self, line: str, attempted: str, model: str) -> dict[str, Any]:
        value = self.reading(wire.json_object, line)
        told = wire.told_error(value)
        if told is not None:
            raise self._told(200, told, attempted, model, None)
        return value

    async def _stream(self, path: str, body: dict[str, Any], reader: wire.Reader) -> AsyncGenerator[Piece, None]:
        loop = asyncio.get_running_loop()
        first_at = loop.time() + self._limits.first_token_s
        begun = False
        taken = 0
        model = str(body.get("model", ""))
        attempted = self._attempted("ask", model)

        def left_s() -> float:
            return self._limits.idle_s if begun else max(0.0, first_at - loop.time())

        try:
            async with contextlib.aclosing(self._chunks("POST", path, body, left_s)) as chunks:
                async for chunk in chunks:
                    taken += len(chunk)
                    if taken > _REPLY_BYTES:
                        raise self._failed("malformed answer", attempted, f"more than {_REPLY_BYTES} bytes came")
                    for piece in reader.feed(chunk):
                        begun = True
                        yield piece
            for piece in reader.end():
                yield piece
        except wire.BadAnswerError as error:
            raise self._failed("malformed answer", attempted, str(error), model=model) from error
        except wire.ToldError as error:
            raise self._told(200, error, attempted, model, None) from error

    async def _chunks(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None,
        left_s: Callable[[], float],
        *,
        from_root: bool = False,
    ) -> AsyncGenerator[bytes, None]:
        """Sends a request and yields its answer's bytes as they come; every wait has its limit."""
        model = str((body or {}).get("model", ""))
        attempted = self._attempted("ask", model)
        response: httpx.Response | None = None
        try:
            request = await self._request(method, path, body, from_root=from_root)
            async with asyncio.timeout(left_s()):
                response = await self._client.send(request, stream=True)
            if response.status_code != httpx.codes.OK:
                raise await self._refusal(response, attempted, model)
            chunks = aiter(response.aiter_bytes())
            while True:
                async with asyncio.timeout(left_s()):
                    chunk = await anext(chunks, None)
                if chunk is None:
                    return
                if chunk:
                    yield chunk
        except TimeoutError as error:
            reason = "nothing came in time" if response is None else "the answer stood still"
            raise self._failed("unreachable", attempted, reason, model=model) from error
        except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, OSError) as error:
            malformed = isinstance(error, httpx.DecodingError | httpx.UnsupportedProtocol | httpx.InvalidURL)
            reason = str(error) or type(error).__name__
            raise self._failed(
                "malformed answer" if malformed else "unreachable", attempted, reason, model=model
            ) from error
        finally:
            if response is not None:
                await response.aclose()

    async def _whole(self, method: str, path: str, body: dict[str, Any] | None, *, from_root: bool) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + self._limits.answer_s
        data = b""
        attempted = self._attempted("ask", str((body or {}).get("model", "")))
        chunks = self._chunks(method, path, body, lambda: max(0.0, ends_at - loop.time()), from_root=from_root)
        async with contextlib.aclosing(chunks):
            async for chunk in chunks:
                data += chunk
                if len(data) > _ANSWER_BYTES:
                    raise self._failed("malformed answer", attempted, f"more than {_ANSWER_BYTES} bytes came")
        try:
            value = wire.json_object(data.decode("utf-8"))
        except (wire.BadAnswerError, UnicodeDecodeError) as error:
            raise self._failed("malformed answer", attempted, str(error)) from error
        told = wire.told_error(value)
        if told is not None:
            raise self._told(200, told, attempted, str((body or {}).get("model", "")), None)
        return value

    async def _request(self, method: str, path: str, body: dict[str, Any] | None, *, from_root: bool) -> httpx.Request:
        base = self._address.base_url.rstrip("/")
        if from_root:
            parts = urlsplit(base)
            base = f"{parts.scheme}://{parts.netloc}"
        headers = dict(self._address.headers)
        if self._key is None:
            self._key = await self._ask_key()
        if self._address.kind == "anthropic":
            headers.setdefault("anthropic-version", "2023-06-01")
        if self._key and self._address.kind == "anthropic":
            headers.setdefault("x-api-key", self._key)
        elif self._key:
            headers.setdefault("authorization", f"Bearer {self._key}")
        content = None if body is None else json.dumps(body, ensure_ascii=True).encode()
        if content is not None:
            headers["content-type"] = "application/json"
        return self._client.build_request(method, f"{base}/{path}", content=content, headers=headers)

    async def _refusal(self, response: httpx.Response, attempted: str, model: str) -> ProviderError:
        """Turns an answer that is not 200 into the failure that it tells of."""
        data = b""
        with contextlib.suppress(httpx.HTTPError, TimeoutError):
            async with asyncio.timeout(self._limits.answer_s):
                async for chunk in response.aiter_bytes():
                    data += chunk
                    if len(data) > _ERROR_BYTES:
                        break
        status = response.status_code
        if 300 <= status < 400:
            reason = f"the server sends on to {response.headers.get('location', 'another address')}"
            return self._failed("refused", attempted, reason, model=model)
        told: wire.ToldError | None = None
        with contextlib.suppress(wire.BadAnswerError, UnicodeDecodeError):
            value = wire.json_object(data.decode("utf-8"))
            told = wire.told_error(value) or wire.ToldError("", str(value.get("message") or value.get("detail") or ""))
        if told is None or not told.message:
            text = wire.whole(data.decode("utf-8", "replace")).strip() or response.reason_phrase
            told = wire.ToldError(told.kind if told else "", text)
        return self._told(status, told, attempted, model, self._retry_after_s(response))

    def _told(
        self, status: int, told: wire.ToldError, attempted: str, model: str, retry_after_s: float | None
    ) -> ProviderError:
        failure = failures.failure_of(status, told.kind, told.message)
        where = f"HTTP {status}: " if status != httpx.codes.OK else ""
        reason = f"{where}{told.message}"
        error = self._failed(failure, attempted, reason, model=model, retry_after_s=retry_after_s)
        if failure == "unauthorised":
            self._key = None  # The next request asks for it again: a person may have mended it.
        return error

    def _retry_after_s(self, response: httpx.Response) -> float | None:
        """Reads `retry-after`, in seconds or as a date. Source: RFC 9110, section 10.2.3."""
        value = response.headers.get("retry-after", "")
        try:
            seconds = float(value)
        except ValueError:
            try:
                seconds = (email.utils.parsedate_to_datetime(value) - self._now()).total_seconds()
            except (ValueError, TypeError, OverflowError):
                return None
        return min(max(seconds, 0.0), 86_400.0) if seconds == seconds else None  # noqa: PLR0124 - not a number

    def _failed(
        self,
        failure: Any,  # noqa: ANN401 - a ProviderFailure; the checker sees it in `failures.make`
        attempted: str,
        reason: str,
        *,
        model: str = "",
        retry_after_s: float | None = None,
    ) -> ProviderError:
        shown = self._without_secrets(reason)
        shown = " ".join(shown.split())[:_SHOWN_CHARACTERS]
        return failures.make(
            failure, attempted, shown, kind=self._address.kind, model=model or "the model", retry_after_s=retry_after_s
        )

    def _without_secrets(self, text: str) -> str:
        """Takes the key and the person's own header values out of what a server said."""
        for secret in (self._key or "", *self._address.headers.values()):
            if len(secret) > 3:
                text = text.replace(secret, "…")
        return text

    def _attempted(self, verb: str, model: str = "") -> str:
        parts = urlsplit(self._address.base_url)
        where = f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)
        return f"{verb} {model} at {where}" if model else f"{verb} {where}"
