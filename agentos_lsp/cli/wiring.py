"""The parts of a real runtime: the user's folders, the clock, fresh names, the agents that there are."""

from __future__ import annotations

import os
import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from agentos_lsp.domain.errors import ConfigError, UserError
from agentos_lsp.effects import config, store
from agentos_lsp.effects.agents import scripted
from agentos_lsp.runtime import supervisor

if TYPE_CHECKING:
    import argparse

    from agentos_lsp.domain.policy import Policy
    from agentos_lsp.effects.agents import Agent


def state_folder(arguments: argparse.Namespace) -> Path:
    """Returns where this user's sessions are kept. Source: XDG Base Directory Specification."""
    if arguments.state:
        return Path(arguments.state).resolve()
    base = os.environ.get("XDG_STATE_HOME", "")
    return (Path(base) if Path(base).is_absolute() else Path.home() / ".local" / "state") / "agentos"


def user_policy() -> Path:
    """Returns where this user's own policy file would be."""
    base = os.environ.get("XDG_CONFIG_HOME", "")
    return (Path(base) if Path(base).is_absolute() else Path.home() / ".config") / "agentos" / "policy.toml"


def parts(arguments: argparse.Namespace) -> supervisor.Parts:
    """Opens the user's store and chooses the parts of the runtime.

    Raises:
        EffectError: The event log cannot be opened.
    """
    folder = state_folder(arguments)
    return supervisor.Parts(
        store=store.Store(folder),
        state_folder=folder,
        agent=agent,
        load_policy=_policy,
        now=lambda: datetime.now(UTC),
        new_id=lambda: secrets.token_hex(6),
        environment=dict(os.environ),
    )


def agent(name: str, script: str | None, model: str | None) -> Agent:
    """Makes a session's agent.

    Raises:
        UserError: There is no agent of that name, or its script is missing.
        ConfigError: Its script cannot be used.
    """
    del model  # the scripted agent asks no model
    if name != "scripted":
        raise UserError(f"There is no agent named {name!r}.", "There is `scripted`, which plays a YAML file.")
    if script is None:
        raise UserError("The scripted agent needs a script.", "Name a YAML file as `script`.")
    try:
        text = Path(script).read_text("utf-8")
    except OSError as error:
        raise UserError(f"The script {script} cannot be read: {error.strerror}.", "Name another file.") from error
    except UnicodeDecodeError as error:
        raise ConfigError(script, 0, "the script is not UTF-8 text") from error
    return scripted.ScriptedAgent(scripted.parse(script, text))


def _policy(repository: bytes | None) -> Policy:
    return config.load_policy(repository, user_policy())
