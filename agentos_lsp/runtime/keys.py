"""Gets the key of a provider: from the environment, one of the person's own programs, or the system's keyring.

A key is given to the provider's door and nowhere else: it is in no log, no event and no error.
"""

from __future__ import annotations

import asyncio
import importlib
from typing import TYPE_CHECKING

from agentos_lsp.domain.errors import EffectError, ProviderError
from agentos_lsp.effects.process import asking

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentos_lsp.effects.settings import Profile


async def key_of(name: str, profile: Profile, environment: Mapping[str, str]) -> str:
    """Returns a profile's key, empty where it names none.

    Raises:
        ProviderError: `unauthorised`: the key is not where the settings say.
    """
    attempted = f"get the key of {name}"
    if profile.key_env is not None:
        key = environment.get(profile.key_env, "")
        if not key:
            hint = f"Set {profile.key_env} in the environment that your editor starts from, or use `key_command`."
            raise ProviderError("unauthorised", attempted, f"the variable {profile.key_env} is empty", hint)
        return _usable(key, attempted)
    if profile.key_command is not None:
        try:
            return _usable(await asking.ask(profile.key_command, environment, attempted), attempted)
        except EffectError as error:
            if isinstance(error, ProviderError):
                raise
            hint = f"Try the `key_command` of [providers.{name}] in a terminal; its first line of output is the key."
            raise ProviderError("unauthorised", attempted, error.reason, hint) from error
    if profile.key_keyring is not None:
        service, _, user = profile.key_keyring.partition("/")
        return _usable(await asyncio.to_thread(_from_keyring, service, user, attempted), attempted)
    return ""


def _usable(key: str, attempted: str) -> str:
    """Lets only pass what can stand in a header."""
    key = key.strip()
    if not key or not key.isascii() or not key.isprintable():
        hint = "Give the key alone, on one line."
        raise ProviderError("unauthorised", attempted, "what was found is no key", hint)
    return key


def _from_keyring(service: str, user: str, attempted: str) -> str:
    try:
        found = importlib.import_module("keyring").get_password(service, user)
    except ImportError as error:
        hint = "Install the Python package `keyring` beside agentos-lsp, or use `key_env` or `key_command`."
        raise ProviderError("unauthorised", attempted, "the package keyring is not there", hint) from error
    except Exception as error:  # noqa: BLE001 - whatever the system's keyring fails with
        hint = "Unlock the keyring, or use `key_env` or `key_command`."
        raise ProviderError("unauthorised", attempted, f"the keyring failed: {type(error).__name__}", hint) from None
    if not found:
        hint = f"Store it: `keyring set {service} {user}`."
        raise ProviderError("unauthorised", attempted, "the keyring has no such entry", hint)
    return str(found)
