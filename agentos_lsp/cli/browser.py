"""The demo's server in a browser: the same code, in a worker under Pyodide, which speaks LSP by messages.

Libraries that have no build for it stand behind doors that the demo replaces; `absent` gives their names to nothing.
"""

from __future__ import annotations

import asyncio
import re
import sys
import types
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

ABSENT = (
    *("pygit2", "pygit2.enums", "pygit2.ffi", "re2", "yaml", "httpx"),
    *("sqlite3", "fcntl", "pwd", "grp", "resource", "termios", "ssl"),
)
"""What the demo does without; a test runs a whole session so."""


class _Nothing:
    """A name of a library that is not there: it may be named while modules are loaded, and never be used."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> _Nothing:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Nothing(f"{self._name}.{name}")

    def __mro_entries__(self, bases: tuple[object, ...]) -> tuple[type, ...]:
        return ()

    def __or__(self, other: object) -> _Nothing:
        return self

    def __ror__(self, other: object) -> _Nothing:
        return self

    def __call__(self, *given: object, **named: object) -> _Nothing:
        raise NotImplementedError(f"The demo has no {self._name}.")


def absent(names: tuple[str, ...] = ABSENT) -> None:
    """Gives the names of libraries that cannot be had to nothing; has to come before anything of ours is loaded.

    Python's own expressions take the place of re2's.
    """
    for name in names:
        module = types.ModuleType(name)
        nothing = _Nothing(name)
        # Exceptions are named by `except` clauses, which want classes.
        vars(module)["__getattr__"] = lambda wanted, nothing=nothing: (
            type(wanted, (Exception,), {}) if wanted.endswith(("Error", "Exception")) else getattr(nothing, wanted)
        )
        sys.modules[name] = module
    vars(sys.modules["re2"]).update(compile=_compile, Options=types.SimpleNamespace, error=re.error)


def _compile(text: str, options: object) -> re.Pattern[str]:
    """Compiles an expression of re2 as one of Python: here all lines and all policies are the demo's own."""
    del options
    return re.compile(text)


class Page:
    """The connection of one page to a server in this process.

    Args:
        send: Is given each message to the page, as text.
        pace: How long a second of the demo's takes.
    """

    def __init__(self, send: Callable[[str], None], pace: float) -> None:
        from agentos_lsp.server import framing, memory  # noqa: PLC0415 - the stand-ins come first

        self._send = send
        self._pace = pace
        self._framing = framing
        self._wire = memory.Wire()

    def hear(self, text: str) -> None:
        """Takes a message of the page."""
        self._wire.editor.write(self._framing.frame(text.encode()))

    async def serve(self) -> int:
        """Serves the page until it leaves."""
        from agentos_lsp.cli import simulation, wall  # noqa: PLC0415 - the stand-ins come first
        from agentos_lsp.runtime import supervisor  # noqa: PLC0415 - as above
        from agentos_lsp.server import connection  # noqa: PLC0415 - as above

        async with (
            supervisor.Runtime(simulation.parts(self._pace, wall.now)) as runtime,
            asyncio.TaskGroup() as group,
        ):
            group.create_task(self._tell())
            return await self._wire.serve(connection.builder(runtime))

    async def _tell(self) -> None:
        while (body := await self._framing.read_message(self._wire.outward)) is not None:
            self._send(body.decode())
