"""Daemons of their own: one in the test's event loop on a real socket, and real ones that forwarders start."""

import asyncio
import contextlib
import os
import sys
from pathlib import Path

from agentos_lsp.cli import address, daemon, forward
from agentos_lsp.cli.editor import Editor
from tests.server import runtime_support, support

TIMEOUT_S = support.TIMEOUT_S


# A daemon in this event loop.


@contextlib.asynccontextmanager
async def served(tmp_path, *, idle_s=600.0, policy="", files=None):
    """Yields a house and the daemon that serves it; the daemon is stopped at the end of the block."""
    async with runtime_support.opened(tmp_path, policy=policy, files=files) as house:
        where = address.Address(str(house.state_folder), os.environ)
        address.make_private(where.folder)
        one = daemon.Daemon(where, house.runtime, idle_s)
        house.where = where
        listening, says = os.pipe()
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(one.serve(says))
            assert await asyncio.to_thread(os.read, listening, 1) == b"1"
            os.close(listening)
            house.serving = task
            yield house, one
            one._stop.set()
            async with asyncio.timeout(TIMEOUT_S):
                await task


def hello(house, kind="connect", environment=None, version=None):
    said = forward.hello(kind, house.where, environment or {})
    said.version = version or said.version
    return said.encode()


async def dial(house, said):
    """Says something to the daemon and returns the streams and the first line of its answer."""
    reader, writer = await asyncio.open_unix_connection(house.where.socket, limit=1 << 22)
    if said:
        writer.write(said)
    async with asyncio.timeout(TIMEOUT_S):
        return reader, writer, (await reader.readline()).decode()


async def close(writer):
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


@contextlib.asynccontextmanager
async def connected(house, *, options=None, name="test", environment=None):
    """Connects a trusted editor over the socket, as a forwarder does."""
    reader, writer, answer = await dial(house, hello(house, environment=environment))
    assert answer == "ok\n"
    screen = runtime_support.Screen(reader, writer)
    params = {
        "processId": None,
        "rootUri": house.repository.as_uri(),
        "workspaceFolders": [{"uri": house.repository.as_uri(), "name": house.repository.name}],
        "clientInfo": {"name": name},
        "capabilities": runtime_support.SHOWS,
        "initializationOptions": runtime_support.TRUSTED if options is None else options,
    }
    await screen.request("initialize", params)
    screen.notify("initialized", {})
    try:
        yield screen
        if not screen.is_finished:
            await screen.finish()
    finally:
        await close(writer)


# Real ones.


class Forwarder(Editor):
    """An editor that starts what editors start: the forwarder, which dials or starts the daemon of a state folder."""

    def __init__(self, folder: Path, state: Path, environment=None):
        super().__init__(folder, state, Path(os.devnull), {**os.environ, **(environment or {})})
        self._command = [sys.executable, "-m", "agentos_lsp", "--state", str(state)]

    @property
    def process(self):
        return self._process


def asked(state: Path, kind: str) -> str | None:
    """What the daemon of a state folder answers to `status` or `stop`, None if there is none."""
    where = address.Address(str(state), os.environ)
    return daemon._ask(where.socket, kind, where)


def process_of(state: Path) -> int:
    told = asked(state, "status")
    assert told is not None
    return int(told.partition("process ")[2].split()[0])


@contextlib.contextmanager
def ending(state: Path):
    """Ends the daemon of a state folder after the block, and waits until it is gone."""
    try:
        yield
    finally:
        daemon._stop(address.Address(str(state), os.environ), "stop-now")


def text(path):
    return Path(path).read_text("utf-8")


def link(path):
    return str(Path(path).readlink())


def open_files(pid):
    """What the descriptors of a process lead to."""
    found = set()
    for file in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            found.add(link(file))
    return found
