"""The language models that a person configured, by name; the settings are read anew whenever they are asked for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from agentos_lsp.domain.errors import ProviderError, UserError
from agentos_lsp.effects import settings
from agentos_lsp.effects.providers import Puller
from agentos_lsp.runtime import keys

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping
    from datetime import datetime
    from pathlib import Path

    from agentos_lsp.domain.diagnosis import Report
    from agentos_lsp.effects.providers import Provider

OLLAMA_PORT = 11_434


@dataclass(frozen=True, slots=True)
class Chosen:
    """A model of a profile; `label` is how a session names it."""

    name: str
    profile: settings.Profile
    model: str

    @property
    def label(self) -> str:
        """The profile and the model, as `agentos.session.model` takes them."""
        return f"{self.name}/{self.model}"


class Models:
    """All configured models, and the connections to their servers.

    Args:
        file: The user's own `settings.toml`; None configures nothing.
        environment: Where keys may be, and `OLLAMA_HOST`.
        now: The clock.
        played: The demo's settings with what makes its servers; None for the file and real ones.
    """

    def __init__(
        self,
        file: Path | None,
        environment: Mapping[str, str],
        now: Callable[[], datetime],
        played: tuple[settings.Settings, Callable[[str, settings.Profile], Provider]] | None = None,
    ) -> None:
        self.file = file
        self._played = played
        self._environment = environment
        self._now = now
        self.reports: tuple[Report, ...] = ()
        """What was last found out about them."""
        self._open: dict[tuple[str, str], Provider] = {}

    def read(self) -> settings.Settings:
        """Reads the settings.

        Raises:
            ConfigError: They cannot be used.
        """
        if self._played is not None:
            return self._played[0]
        return settings.Settings() if self.file is None else settings.load(self.file)

    def choose(self, name: str | None) -> Chosen:
        """Finds a model: `PROFILE`, `PROFILE/MODEL`, or `MODEL` of the default profile; None for the default.

        Raises:
            UserError: No provider is configured.
            ConfigError: The settings cannot be used.
        """
        known = self.read()
        default = known.default
        if default is None:
            raise UserError("No language model is configured.", f"Name one in {self.file}:\n{EXAMPLE}")
        if not name:
            return Chosen(default, known.providers[default], known.providers[default].model)
        first, _, rest = name.partition("/")
        if first in known.providers:
            return Chosen(first, known.providers[first], rest or known.providers[first].model)
        return Chosen(default, known.providers[default], name)

    def choose_for(self, agent: str, name: str) -> Chosen:
        """Finds a model for the agent of a session that goes on.

        Raises:
            UserError: The agent asks no model, or no provider is configured.
            ConfigError: The settings cannot be used.
        """
        if agent != "builtin":
            raise UserError(f"The agent `{agent}` asks no model.", "Start a session with the agent `builtin`.")
        return self.choose(name)

    def provider(self, chosen: Chosen) -> Provider:
        """Returns the connection to a profile's server; the same one as long as the profile stays as it is."""
        # The headers are part of what makes a connection, though they are not shown.
        key = (chosen.name, chosen.profile.model_dump_json())
        if key not in self._open:
            make = self._make if self._played is None else self._played[1]
            self._open.setdefault(key, make(chosen.name, chosen.profile))  # sessions begin in threads
        return self._open[key]

    def pull(self, profile: str | None, model: str | None) -> tuple[Chosen, AsyncGenerator[tuple[str, int, int], None]]:
        """Pulls a model of a profile, the configured one unless another is named; see `Puller.pull`.

        Raises:
            UserError: Its provider cannot pull.
        """
        chosen = self.choose(profile)
        chosen = replace(chosen, model=model or chosen.model)
        provider = self.provider(chosen)
        if not isinstance(provider, Puller):
            raise UserError(f"{chosen.name} cannot pull a model.", "Only Ollama can; name such a provider.")
        return chosen, provider.pull(chosen.model)

    def line_of(self, profile: str, key: str) -> int:
        """Returns the zero-based line of the settings that a profile's key stands on."""
        return 0 if self.file is None else settings.line_of(self.file, profile, key)

    def address(self, profile: settings.Profile) -> str:
        """Returns where a profile's server is asked."""
        asked = "" if profile.kind != "ollama" or profile.base_url else self._environment.get("OLLAMA_HOST", "")
        return _ollama_host(asked) or profile.address

    def _make(self, name: str, profile: settings.Profile) -> Provider:
        from agentos_lsp.effects.providers import anthropic, ollama, openai, transport  # noqa: PLC0415 - httpx is slow

        address = self.address(profile)
        try:
            _ = urlsplit(address).port  # raises where it is no number
            http = transport.Transport(
                transport.Address(profile.kind, address, profile.headers),
                lambda: keys.key_of(name, profile, self._environment),
                self._now,
                transport.Limits(first_token_s=profile.first_token_s, idle_s=profile.idle_s),
            )
        except (ImportError, OSError, ValueError) as error:
            # What the environment says of hosts, proxies and certificates is no setting of ours, and may be unusable.
            hint = "Mend `OLLAMA_HOST`, `ALL_PROXY`, `HTTPS_PROXY` or `SSL_CERT_FILE` where your editor starts."
            raise ProviderError("unreachable", f"connect to {name}", str(error), hint) from error
        match profile.kind:
            case "ollama":
                return ollama.Ollama(http, profile.context)
            case "openai":
                return openai.OpenAI(http, profile.context)
            case "anthropic":
                return anthropic.Anthropic(http, profile.context)

    async def close(self) -> None:
        """Closes all connections."""
        while self._open:
            _, provider = self._open.popitem()
            await provider.close()


EXAMPLE = """\
[providers.local]
kind = "ollama"
model = "qwen3:8b"
"""
"""The least that a person has to write; `ollama pull qwen3:8b` gets the model."""


def _ollama_host(value: str) -> str:
    """Reads `OLLAMA_HOST` as Ollama does; what a server listens on everywhere is asked here. Empty if unset."""
    value = value.strip().strip("\"'").rstrip("/")
    if not value:
        return ""
    scheme, mark, rest = value.partition("://")
    if not mark:
        scheme, rest = "http", value
    place, slash, path = rest.partition("/")
    if place.count(":") > 1 and not place.startswith("["):
        place = f"[{place}]"
    try:
        parts = urlsplit(f"{scheme}://{place}")
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return f"{scheme}://{rest}"  # it is no address, which is said where it is asked
    host = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - an address to ask
    host = f"[{host}]" if ":" in host else host
    port = port if port is not None or mark else OLLAMA_PORT
    return f"{scheme}://{host}" + ("" if port is None else f":{port}") + slash + path
