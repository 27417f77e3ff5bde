"""The way out of a cage: a proxy that listens on the session's own loopback and connects to the hosts of a grant.

Its listening socket is made by the session's keeper, in the network namespace of the cage, and handed out; what it
accepts is served here, outside. So nothing of the cage gets a socket that leads anywhere else. Who has no grant's word
is turned away; a grant ends with its command, and all its connections with it. What is said inside of a connection is
not looked at: TLS stays between the command and the host.

Source: RFC 9110 section 9.3.6 (CONNECT), RFC 9112 section 3.2.2 (absolute-form), RFC 7617 (Basic).
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ipaddress
import re
import secrets
import socket
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from agentos_lsp.domain import network

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

MOST_CONNECTIONS = 2000
"""How many connections one grant may make, one after another."""

MOST_AT_ONCE = 100
"""How many may be open on one proxy at once."""

_HEAD_BYTES = 32 << 10
_HEAD_S = 20.0
_DIAL_S = 20.0
_IDLE_S = 300.0
_PIECE = 1 << 16
_NAME = "agentos"
_HANDSHAKE = 22  # Source: RFC 8446 section 5.1, ContentType.
_HOST = re.compile(r"[a-z0-9._:-]+")
_DISGUISES = tuple(
    ipaddress.IPv6Network(one) for one in ("::/96", "::ffff:0:0/96", "2002::/16", "64:ff9b::/32", "fec0::/10")
)
_HOP_BY_HOP = {"connection", "proxy-connection", "proxy-authorization", "keep-alive", "te", "upgrade", "host"}

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(frozen=True, slots=True)
class Connection:
    """How one attempt to reach a host ended."""

    host: str
    port: int
    outcome: network.Outcome
    reason: str
    sent_bytes: int
    received_bytes: int
    duration_s: float


@dataclass(frozen=True, slots=True)
class Aim:
    """What a request is for; `path` is None for a tunnel."""

    host: str
    port: int
    path: str | None


@dataclass(eq=False, slots=True)
class Grant:
    """What one command may reach.

    Args:
        hosts: Names that everybody knows; they may be reached at public addresses and on the usual ports.
        own: Names from the person's own policy: any address, any port.
        tell: Is told of every connection when it has ended; must not block.
    """

    hosts: tuple[str, ...]
    own: tuple[str, ...]
    tell: Callable[[Connection], None]
    word: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    made: int = 0
    open: set[asyncio.StreamWriter] = field(default_factory=set)

    def objection(self, aim: Aim) -> str:
        """Returns why a host cannot be reached, empty if it can."""
        if self.made > MOST_CONNECTIONS:
            return f"more than {MOST_CONNECTIONS} connections"
        if _HOST.fullmatch(aim.host) is None:
            return "it names no host"
        if network.is_named(aim.host, self.own):
            return ""
        if not network.is_named(aim.host, self.hosts):
            return "it is not among the hosts of the grant; a person can add it under [confinement] network"
        if aim.port not in network.PORTS:
            return f"port {aim.port} is not one of the grant"
        is_open = aim.path is None and aim.port == network.PORTS[0]
        return "a tunnel to port 80 could be for any host" if is_open else ""


async def resolved(host: str, port: int) -> list[str]:
    """Returns the addresses of a host.

    Raises:
        OSError: It is not known.
    """
    rows = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(row[4][0]) for row in rows))


class Proxy:
    """Serves one listening socket; used from one event loop.

    Args:
        listener: The socket; closed with the proxy.
        resolve: Finds the addresses of a host.
    """

    def __init__(self, listener: socket.socket, resolve: Callable[[str, int], Awaitable[list[str]]] = resolved) -> None:
        self.listener = listener
        self._resolve = resolve
        self._grants: dict[str, Grant] = {}
        self._server: asyncio.Server | None = None
        self._serving: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def open(self) -> None:
        """Begins to serve."""
        self.listener.setblocking(False)
        self._server = await asyncio.start_server(self._serve, sock=self.listener, limit=_HEAD_BYTES)

    def grant(
        self, hosts: tuple[str, ...], own: tuple[str, ...], tell: Callable[[Connection], None]
    ) -> tuple[Grant, dict[str, str]]:
        """Lets a command reach hosts; returns the grant, and the variables by which its programs find the proxy."""
        made = Grant(hosts, own, tell)
        self._grants[made.word] = made
        url = f"http://{_NAME}:{made.word}@127.0.0.1:{self.listener.getsockname()[1]}"
        variables = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), url)
        return made, {**variables, **dict.fromkeys(("no_proxy", "NO_PROXY"), "localhost,127.0.0.1,::1")}

    def revoke(self, grant: Grant) -> None:
        """Ends a grant with all its connections; idempotent."""
        self._grants.pop(grant.word, None)
        for writer in list(grant.open):
            writer.transport.abort()

    async def close(self) -> None:
        """Ends serving, and all connections."""
        for grant in list(self._grants.values()):
            self.revoke(grant)
        if self._server is not None:
            self._server.close()
        for writer in self._serving.values():
            writer.transport.abort()
        if self._serving:
            await asyncio.wait(self._serving)
        self.listener.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serves one connection from inside; whatever is sent there, nothing but this connection ends."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - the server makes one for each connection
        self._serving[task] = writer
        try:
            if len(self._serving) > MOST_AT_ONCE:
                _answer(writer, "503 Service Unavailable")
                return
            async with asyncio.timeout(_HEAD_S):
                head = await reader.readuntil(b"\r\n\r\n")
            await self._follow(head, reader, writer)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
            _answer(writer, "400 Bad Request")
        finally:
            await _closed(writer)
            del self._serving[task]

    async def _follow(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first, *rows = head.decode("latin-1").split("\r\n")
        if any(one in row for row in (first, *rows) for one in "\r\n\0"):
            raise ValueError("a line of the request holds the end of another")
        method, target, _ = first.split(" ")
        headers = [(name.strip(), value.strip()) for name, _, value in (row.partition(":") for row in rows) if name]
        grant = self._grants.get(_word(headers))
        if grant is None:
            _answer(writer, "407 Proxy Authentication Required", f'Proxy-Authenticate: Basic realm="{_NAME}"\r\n')
            return
        aim = _aim(method, target)
        grant.made += 1
        if objection := grant.objection(aim):
            _answer(writer, "403 Forbidden", body=f"agentos-lsp: {aim.host}:{aim.port}: {objection}.\n")
            # That there are too many is told once; the rest would only fill the trace.
            if grant.made <= MOST_CONNECTIONS + 1:
                grant.tell(Connection(aim.host, aim.port, "refused", objection, 0, 0, 0.0))
            return
        most, data = (None, b"") if aim.path is None else (_length(headers), _forwarded(method, aim, headers))
        began = time.monotonic()
        outcome: network.Outcome = "connected"
        reason, counted = "", [0, 0]
        grant.open.add(writer)
        try:
            await self._pass_on(grant, aim, (reader, writer), data, most, counted)
        except PermissionError as error:
            outcome, reason = "refused", str(error)
        except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
            outcome, reason = "failed", str(error) or "it took too long"
            _answer(writer, "502 Bad Gateway", body=f"agentos-lsp: {aim.host}:{aim.port}: {reason}.\n")
        finally:
            grant.open.discard(writer)
            took_s = time.monotonic() - began
            grant.tell(Connection(aim.host, aim.port, outcome, reason, counted[0], counted[1], took_s))

    async def _pass_on(
        self, grant: Grant, aim: Aim, inner: Streams, data: bytes, most: int | None, counted: list[int]
    ) -> None:
        """Connects to a host, and passes on what is said, counting what goes out and comes in.

        Raises:
            PermissionError: What is said in a tunnel is not for this host.
            OSError: It cannot be reached, or the grant has ended.
        """
        upstream = await self._dialled(grant, aim.host, aim.port)
        try:
            if self._grants.get(grant.word) is not grant:
                raise ConnectionAbortedError("the grant ended meanwhile")
            if aim.path is None:
                inner[1].write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                if not network.is_named(aim.host, grant.own):
                    counted[0] += await _greeted(inner[0], upstream[1], aim.host)
            upstream[1].write(data)
            sent, received = await _joined(inner, upstream, most)
            counted[0] += len(data) + sent
            counted[1] += received
        finally:
            grant.open.discard(upstream[1])
            await _closed(upstream[1])

    async def _dialled(self, grant: Grant, host: str, port: int) -> Streams:
        """Connects to a host, at an address that a name which everybody knows may have."""
        async with asyncio.timeout(_DIAL_S):
            addresses = await self._resolve(host, port)
            if not network.is_named(host, grant.own):
                # A name that leads to this machine, its network or a cloud's metadata is an attack, or a mistake.
                addresses = [one for one in addresses if is_public(one)]
            failure: OSError = OSError("it has no public address")
            for address in addresses:
                try:
                    reader, writer = await asyncio.open_connection(address, port)
                except OSError as error:
                    failure = error
                else:
                    grant.open.add(writer)
                    return reader, writer
            raise failure


def is_public(address: str) -> bool:
    """Tells whether an address is one of the public network, and leads to no other one in disguise.

    Source: IANA's registries of special-purpose addresses; RFC 4291, 3056 and 6052 for those that hold others.
    """
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if ip.is_multicast or ip.is_reserved or ip.is_unspecified or not ip.is_global:
        return False
    return not (isinstance(ip, ipaddress.IPv6Address) and any(ip in one for one in _DISGUISES))


async def _greeted(reader: asyncio.StreamReader, upstream: asyncio.StreamWriter, host: str) -> int:
    """Passes on the first record of a tunnel, if it is TLS for this very host; returns its size.

    Raises:
        PermissionError: It is not: behind an address there may be other hosts than the one that was looked at.
    """
    async with asyncio.timeout(_HEAD_S):
        head = await reader.readexactly(5)
        if head[0] != _HANDSHAKE:
            raise PermissionError("what is said in the tunnel is not TLS")
        body = await reader.readexactly(int.from_bytes(head[3:5], "big"))
    if network.normal(_server_name(body)) != host:
        raise PermissionError("TLS in the tunnel names another host, or none")
    upstream.write(head + body)
    return len(head) + len(body)


def _server_name(hello: bytes) -> str:
    """Returns the host that a ClientHello names, empty if none. Source: RFC 8446 section 4.1.2, RFC 6066 section 3."""
    try:
        at = 4 + 2 + 32
        at += 1 + hello[at]
        at += 2 + int.from_bytes(hello[at : at + 2], "big")
        at += 1 + hello[at]
        end = at + 2 + int.from_bytes(hello[at : at + 2], "big")
        at += 2
        while at + 4 <= min(end, len(hello)):
            kind, size = int.from_bytes(hello[at : at + 2], "big"), int.from_bytes(hello[at + 2 : at + 4], "big")
            if kind == 0:
                length = int.from_bytes(hello[at + 7 : at + 9], "big")
                return hello[at + 9 : at + 9 + length].decode("ascii")
            at += 4 + size
    except (IndexError, UnicodeDecodeError):
        return ""
    return ""


def _length(headers: list[tuple[str, str]]) -> int:
    """Returns how long the body of a request is.

    Raises:
        ValueError: It cannot be said in advance.
    """
    given = {value for name, value in headers if name.lower() == "content-length"}
    if any(name.lower() == "transfer-encoding" for name, _ in headers) or len(given) > 1:
        raise ValueError("the length of the request is not certain")
    text = given.pop() if given else "0"
    if not text.isdecimal():
        raise ValueError("the length of the request is not a number")
    return int(text)


def _word(headers: list[tuple[str, str]]) -> str:
    """Returns the word that a request names, empty if none."""
    for name, value in headers:
        kind, _, given = value.partition(" ")
        if name.lower() == "proxy-authorization" and kind.lower() == "basic":
            with contextlib.suppress(ValueError):
                return base64.b64decode(given.strip()).decode("latin-1").partition(":")[2]
    return ""


def _aim(method: str, target: str) -> Aim:
    """Returns what a request is for; no host if that is not understood."""
    if method == "CONNECT":
        parts = urlsplit(f"//{target}")
        return Aim(network.normal(parts.hostname or ""), parts.port or 443, None)
    parts = urlsplit(target)
    if parts.scheme != "http":
        return Aim("", 0, None)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Aim(network.normal(parts.hostname or ""), parts.port or 80, path)


def _forwarded(method: str, aim: Aim, headers: list[tuple[str, str]]) -> bytes:
    """Returns a request as it is sent on, one for each connection, with the host that was looked at."""
    host = aim.host if aim.port == network.PORTS[0] else f"{aim.host}:{aim.port}"
    rows = [f"{method} {aim.path} HTTP/1.1", f"Host: {host}"]
    rows += [f"{name}: {value}" for name, value in headers if name.lower() not in _HOP_BY_HOP]
    return ("\r\n".join([*rows, "Connection: close"]) + "\r\n\r\n").encode("latin-1")


async def _joined(inner: Streams, outer: Streams, most: int | None) -> tuple[int, int]:
    """Passes bytes on in both directions until both have ended; returns how many went out and came in.

    Args:
        inner: The command.
        outer: The host.
        most: How many may go out; None for all.
    """
    async with asyncio.TaskGroup() as group:
        out = group.create_task(_passed(inner[0], outer[1], most))
        back = group.create_task(_passed(outer[0], inner[1]))
    return out.result(), back.result()


async def _passed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, most: int | None = None) -> int:
    count = 0
    with contextlib.suppress(OSError, TimeoutError):
        while True:
            if most is not None and count >= most:
                # What follows would be another request, perhaps for another host.
                return count
            async with asyncio.timeout(_IDLE_S):
                piece = await reader.read(_PIECE if most is None else min(_PIECE, most - count))
            if not piece:
                break
            count += len(piece)
            writer.write(piece)
            async with asyncio.timeout(_IDLE_S):
                await writer.drain()
        if writer.can_write_eof() and not writer.is_closing():
            writer.write_eof()
        return count
    # One direction that broke takes the other with it.
    writer.transport.abort()
    return count


def _answer(writer: asyncio.StreamWriter, status: str, headers: str = "", body: str = "") -> None:
    if writer.is_closing():
        return
    data = body.encode("utf-8", "replace")
    head = f"HTTP/1.1 {status}\r\n{headers}Content-Length: {len(data)}\r\nConnection: close\r\n\r\n"
    with contextlib.suppress(OSError):
        writer.write(head.encode("latin-1") + data)


async def _closed(writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError, TimeoutError):
        writer.close()
        async with asyncio.timeout(_HEAD_S):
            await writer.wait_closed()
