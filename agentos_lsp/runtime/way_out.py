"""The way out of one session's cage: opened when the first grant needs it, with one grant for each such command."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agentos_lsp.domain import network
from agentos_lsp.domain.errors import AgentosError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from agentos_lsp.domain.ids import CallId
    from agentos_lsp.effects.process import Processes, proxy
    from agentos_lsp.runtime.journal import Journal

LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Granted:
    """What a command has of the network: variables by which its programs find it; none if it has none of ours."""

    variables: Mapping[str, str] = field(default_factory=dict)
    end: Callable[[], None] = lambda: None


class WayOut:
    """The proxy of one session, as long as its keeper lives.

    Args:
        processes: The session's, which know where their cage's loopback is.
    """

    def __init__(self, processes: Processes) -> None:
        self._processes = processes
        self._opening = asyncio.Lock()
        self._proxy: proxy.Proxy | None = None

    async def grant(self, journal: Journal, call: CallId, own: tuple[str, ...]) -> Granted:
        """Grants a cleared command its network, and records that, and each of its connections.

        Args:
            journal: The session.
            call: The command's call.
            own: Hosts from the person's own policy, on top of those that every grant names.

        Raises:
            EffectError: There is a cage, and no way out of it.
        """
        way = await self._ready()
        if way is None:
            return Granted()

        def tell(one: proxy.Connection) -> None:
            journal.beside(_record(journal, call, one))

        made, variables = way.grant(network.HOSTS, own, tell)
        try:
            await journal.record(network.NetworkGranted, durable=True, call=call, hosts=(*own, *network.HOSTS))
        except BaseException:
            way.revoke(made)
            raise
        return Granted(variables, lambda: way.revoke(made))

    async def close(self) -> None:
        """Ends all grants."""
        async with self._opening:
            await self._drop()

    async def _ready(self) -> proxy.Proxy | None:
        async with self._opening:
            listener = await self._processes.listen()
            if self._proxy is not None and self._proxy.listener is not listener:
                # The keeper was replaced, and its network with it.
                await self._drop()
            if self._proxy is None and listener is not None:
                from agentos_lsp.effects.process import proxy  # noqa: PLC0415 - the demo has no network in a browser

                self._proxy = proxy.Proxy(listener)
                await self._proxy.open()
            return self._proxy

    async def _drop(self) -> None:
        held, self._proxy = self._proxy, None
        if held is not None:
            await held.close()


async def _record(journal: Journal, call: CallId, one: proxy.Connection) -> None:
    try:
        await journal.record(
            network.NetworkConnection,
            call=call,
            host=one.host,
            port=one.port,
            outcome=one.outcome,
            reason=one.reason,
            sent_bytes=one.sent_bytes,
            received_bytes=one.received_bytes,
            duration_s=round(one.duration_s, 3),
        )
    except AgentosError as error:
        # The connection is over; what the command does next is looked at as ever.
        LOG.warning("a connection to %s was not recorded: %s", one.host, error)
