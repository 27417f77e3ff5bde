"""`agentos-lsp --stdio`: one editor, one runtime, on standard input and output."""

from __future__ import annotations

import asyncio
import logging
import sys
from typing import TYPE_CHECKING

from agentos_lsp.cli import wiring
from agentos_lsp.domain.errors import AgentosError
from agentos_lsp.runtime import supervisor
from agentos_lsp.server import connection, stdio, wire

if TYPE_CHECKING:
    import argparse


def run(arguments: argparse.Namespace) -> int:
    """Serves until the editor leaves; returns the exit code."""
    channel = stdio.guard()
    where = {"filename": arguments.log} if arguments.log else {"stream": sys.stderr}
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", **where)
    logging.getLogger("pygls").setLevel(logging.WARNING)
    try:
        parts = _demo(arguments) if arguments.demo else wiring.parts(arguments)
    except AgentosError as error:
        print(f"agentos-lsp: {error}", file=sys.stderr)
        return 1
    wire.prewarm()
    wiring.settle()
    return asyncio.run(_serve(channel, parts))


def _demo(arguments: argparse.Namespace) -> supervisor.Parts:
    from agentos_lsp.cli import simulation  # noqa: PLC0415 - nobody else needs the demo's world

    return simulation.parts(arguments.pace, wiring.now)


async def _serve(channel: stdio.Channel, parts: supervisor.Parts) -> int:
    async with supervisor.Runtime(parts) as runtime:
        code = await stdio.serve(channel, connection.builder(runtime))
    parts.store.close()
    return code
