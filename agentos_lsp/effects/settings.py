"""Reads the user's own `settings.toml`: which language models there are. No repository's file is ever asked."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import pydantic
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from agentos_lsp.domain import toml_places, toml_text
from agentos_lsp.domain.errors import ConfigError
from agentos_lsp.effects import providers

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import Self

DEFAULT_URLS: Mapping[providers.Kind, str] = {
    "ollama": "http://127.0.0.1:11434",
    "openai": "https://api.openai.com/v1",
    "anthropic": "https://api.anthropic.com",
}

MAX_FILE_BYTES = 1 << 20

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


class Price(BaseModel):
    """What a million tokens cost, in whatever currency the person thinks in."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    prompt: float = Field(ge=0)
    reply: float = Field(ge=0)


class Profile(BaseModel):
    """`[providers.NAME]`: one server, and the model that is asked there unless a session names another.

    Invariant: it holds no key, only where to get one.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    kind: providers.Kind
    base_url: str = ""
    model: str = Field(min_length=1, max_length=200)
    key_env: str | None = None
    key_command: Annotated[list[str], Field(min_length=1)] | None = None
    key_keyring: str | None = Field(default=None, pattern=r"^[^/]+/[^/]+$")
    context: int | None = Field(default=None, ge=1024)
    reply_limit: int = Field(default=4096, ge=64)
    headers: dict[str, str] = Field(default_factory=dict, repr=False)
    price: Price | None = None
    first_token_s: float = Field(default=300.0, gt=0)
    idle_s: float = Field(default=90.0, gt=0)

    @field_validator("base_url")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        if not value:
            return value
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("an address begins with http:// or https:// and names a host")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError("an address holds no key; name one with `key_env` or `key_command`")
        _ = parts.port  # raises where it is no number
        return value.rstrip("/")

    @field_validator("headers")
    @classmethod
    def _are_headers(cls, value: dict[str, str]) -> dict[str, str]:
        for name, text in value.items():
            if not _TOKEN.fullmatch(name) or not text.isascii() or not text.isprintable():
                raise ValueError(f"{name!r} is no header of printable ASCII")
        return value

    @model_validator(mode="after")
    def _has_one_way_to_its_key(self) -> Self:
        ways = [self.key_env, self.key_command, self.key_keyring]
        if sum(way is not None for way in ways) > 1:
            raise ValueError("give one of `key_env`, `key_command` and `key_keyring`")
        return self

    @property
    def address(self) -> str:
        """The server's address."""
        return self.base_url or DEFAULT_URLS[self.kind]


class Settings(BaseModel):
    """The whole file. `provider` names the profile of sessions that name none; without it, the first one is."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    provider: str | None = None
    providers: dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,40}$")], Profile] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _names_a_profile(self) -> Self:
        if self.provider is not None and self.provider not in self.providers:
            raise ValueError(f"`provider` names {self.provider!r}, but there is no [providers.{self.provider}]")
        return self

    @property
    def default(self) -> str | None:
        """The name of the profile that sessions use, None where there is none."""
        return self.provider or next(iter(self.providers), None)


def load(file: Path) -> Settings:
    """Reads the settings; a file that is not there configures nothing.

    Raises:
        ConfigError: It cannot be used; names the line.
    """
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        return Settings()
    except OSError as error:
        raise ConfigError(str(file), 0, f"it cannot be read ({error.strerror})") from error
    return _parse(str(file), content)


def line_of(file: Path, profile: str, key: str) -> int:
    """Returns the zero-based line of a profile's key, of its table where the key is not written."""
    try:
        text = file.read_bytes().decode("utf-8", "replace")
    except OSError:
        return 0
    return toml_places.find(text, ("providers", profile, key)).line


def _parse(name: str, content: bytes) -> Settings:
    """Reads the file's bytes; an error names a line, and none of the values."""
    if len(content) > MAX_FILE_BYTES:
        raise ConfigError(name, 0, "the file is larger than settings can be")
    try:
        text, table = toml_text.read(content)
    except toml_text.BadTomlError as error:
        raise ConfigError(name, error.line, str(error)) from error
    try:
        return Settings.model_validate(table)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(step) for step in first["loc"])
        words = first["msg"].removeprefix("Value error, ")
        line = toml_places.find(text, first["loc"]).line
        raise ConfigError(name, line, f"{key}: {words}" if key else words) from None
