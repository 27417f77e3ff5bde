"""What all servers of language models have in common, whatever they speak."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from agentos_lsp.domain.errors import ProviderError
from agentos_lsp.effects.providers import failures, wire

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from agentos_lsp.domain.conversation import Model
    from agentos_lsp.effects.providers.transport import Transport


class Server:
    """A server at the other end of a transport; see `Provider`.

    Args:
        transport: How it is reached.
        context: The window that a person configured, None if they did not.
    """

    def __init__(self, transport: Transport, context: int | None = None) -> None:
        self._http = transport
        self._context = context

    async def _listed(self, path: str, key: str, read: Callable[[dict[str, Any]], Model]) -> tuple[Model, ...]:
        """Returns the models of a list, each read from its row."""
        found = await self._http.get(path)
        return tuple(self._http.reading(read, row) for row in self._http.reading(wire.rows, found, key))

    async def close(self) -> None:
        """Lets go of all connections."""
        await asyncio.shield(self._http.close())


def named(model: str, known: Sequence[Model]) -> Model:
    """Returns the model of a name out of those that a server lists.

    Raises:
        ProviderError: It lists none of that name; says which are near.
    """
    found = next((one for one in known if one.name == model), None)
    if found is None:
        near = failures.near(model, [one.name for one in known])
        raise ProviderError("no such model", f"find {model}", f"the server does not list {model}", near)
    return found
