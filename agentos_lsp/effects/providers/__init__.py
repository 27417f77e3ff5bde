"""Language models behind HTTP: the only place for httpx. Each wire format is one module, and passes one test suite."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from agentos_lsp.domain.conversation import Model, Piece, Request, Window

Kind = Literal["ollama", "openai", "anthropic"]


class Provider(Protocol):
    """A server that runs language models; used from one event loop."""

    async def version(self) -> str:
        """Returns what the server calls itself, empty where it does not say; it is reachable then.

        Raises:
            ProviderError: It is not, or wants a key.
        """

    async def models(self) -> tuple[Model, ...]:
        """Returns the models that can be asked.

        Raises:
            ProviderError: The server cannot be asked.
        """

    async def describe(self, model: str) -> Model:
        """Returns what is known of one model.

        Raises:
            ProviderError: There is none of that name, or the server cannot be asked.
        """

    async def window(self, model: str) -> Window:
        """Returns how much text a model may be given, as allocated now.

        Raises:
            ProviderError: The server cannot be asked.
        """

    def chat(self, request: Request) -> AsyncGenerator[Piece, None]:
        """Asks a model; yields its reply piece by piece, and a `Done` at last. Closing it ends the request at once.

        What fails before the first piece is tried again, as far as that may help.

        Raises:
            ProviderError: There is no answer, or it broke off.
        """

    async def close(self) -> None:
        """Lets go of all connections."""


@runtime_checkable
class Puller(Protocol):
    """A provider that can get a model that it does not have yet."""

    def pull(self, model: str) -> AsyncGenerator[tuple[str, int, int], None]:
        """Pulls a model; yields what is done, with the bytes completed of a total, 0 of 0 where there are none."""
