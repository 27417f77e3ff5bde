"""Starts, watches and ends child processes; the only place that spawns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import timedelta
    from socket import socket

    from agentos_lsp.domain.approval import Cleared
    from agentos_lsp.effects.process.commands import EndedBy, Finished


class Running(Protocol):
    """A command that was started in the background; see `commands.Running`."""

    @property
    def finished(self) -> Finished | None:
        """How it ended, None while it runs."""

    @property
    def alive(self) -> bool:
        """Whether it runs."""

    async def wait(self) -> Finished:
        """Waits for its end."""

    def output(self, since: int) -> bytes:
        """Returns what it printed from a byte on."""


class Processes(Protocol):
    """All commands of one session, real (`commands.Processes`) or played; only what was cleared is started."""

    async def open(self) -> None:
        """Makes ready what starts commands, ahead of the first; idempotent.

        Raises:
            EffectError: It cannot be had.
        """

    async def run(
        self,
        cleared: Cleared,
        environment: Mapping[str, str],
        *,
        timeout: timedelta,  # noqa: ASYNC109 - the limit of a command is part of what was asked
        output_limit_bytes: int,
        on_output: Callable[[bytes], None],
        spool: str,
    ) -> Finished:
        """Runs a line to its end, to its time limit, or until it is cancelled."""

    async def start(
        self,
        cleared: Cleared,
        name: str,
        environment: Mapping[str, str],
        *,
        output_limit_bytes: int,
        spool: str,
    ) -> Running:
        """Starts a line in the background under a name.

        Raises:
            UserError: The name is taken or unusable, or too many run already.
        """

    async def stop(self, name: str, grace: timedelta) -> Finished:
        """Stops a background process.

        Raises:
            UserError: No process of that name was started.
        """

    async def listen(self) -> socket | None:
        """Returns a socket that listens on the session's own loopback, None where it has none."""

    async def end_running(self, by: EndedBy) -> None:
        """Ends all that runs, and says by what."""

    async def stop_all(self) -> int:
        """Ends all that the session started; returns how many could not be ended."""
