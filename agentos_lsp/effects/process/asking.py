"""Asks one of the person's own programs for a word, such as a key: no shell, no agent, nothing kept."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from typing import TYPE_CHECKING

from agentos_lsp.domain.errors import EffectError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LIMIT_S = 60.0
MAX_BYTES = 64 << 10
_REAP_S = 1.0


async def ask(command: Sequence[str], environment: Mapping[str, str], attempted: str, limit_s: float = LIMIT_S) -> str:
    """Runs a program of the person's settings and returns what it prints, without the last line break.

    Args:
        command: The program and its words; no shell reads them.
        environment: All its variables: the person's own, as it may need their agent for secrets.
        attempted: What for, in words for an error, which never holds what the program printed.
        limit_s: How long it may take; a person may have to unlock a store of secrets.

    Raises:
        EffectError: It could not be started, failed, took too long, or printed nothing or too much.
    """

    def failed(reason: str) -> EffectError:
        return EffectError("process", attempted, f"`{command[0]}` {reason}", retry_may_help=False)

    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=dict(environment),
            start_new_session=True,
            limit=MAX_BYTES,
        )
    except (OSError, ValueError) as error:
        raise failed(f"cannot be started ({getattr(error, 'strerror', None) or type(error).__name__})") from error
    stream = process.stdout
    printed = b""
    try:
        async with asyncio.timeout(limit_s):
            while stream is not None and len(printed) <= MAX_BYTES and (piece := await stream.read(MAX_BYTES)):
                printed += piece
            code = await process.wait() if len(printed) <= MAX_BYTES else 0
    except TimeoutError as error:
        raise failed(f"did not end within {limit_s:.0f} s") from error
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await _reap(process)
    if code != 0:
        raise failed(f"ended with exit code {code}")
    if len(printed) > MAX_BYTES:
        raise failed("printed more than a key can be")
    text = printed.decode("utf-8", "replace").rstrip("\r\n")
    if not text:
        raise failed("printed nothing")
    return text


async def _reap(process: asyncio.subprocess.Process) -> None:
    """Sees a killed program off; asyncio tells of its end only once all that it printed was taken."""
    # Whoever left the program's process group may still hold its output: nobody waits for them.
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_REAP_S):
            while process.stdout is not None and await process.stdout.read(MAX_BYTES):
                pass
            await process.wait()
            return
    process._transport.close()  # type: ignore[attr-defined] # noqa: SLF001 - asyncio has no other way to let go
