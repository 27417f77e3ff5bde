"""The parts of a real runtime: the user's folders, the clock, fresh names, the agents that there are."""

from __future__ import annotations

import functools
import gc
import os
import secrets
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from agentos_lsp.cli import address, wall
from agentos_lsp.domain.errors import ConfigError, UserError
from agentos_lsp.effects import store, trust
from agentos_lsp.effects.agents import builtin, nobody, scripted
from agentos_lsp.runtime import confining, models, policies, supervisor

if TYPE_CHECKING:
    import argparse

    from agentos_lsp.effects.agents import Agent


def state_folder(arguments: argparse.Namespace) -> Path:
    """Returns where this user's sessions are kept."""
    return Path(address.state_folder(arguments.state, os.environ))


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
    known = user_models()
    return supervisor.Parts(
        store=store.Store(folder),
        state_folder=folder,
        agent=functools.partial(agent, known=known),
        policies=the_policies(folder),
        now=now,
        new_id=lambda: secrets.token_hex(6),
        environment=dict(os.environ),
        spares=1,
        models=known,
        confiner=confining.Confiner(folder),
    )


def settle() -> None:
    """Keeps the collector of cycles from looking at what is there by now: each look stops everything for 0.1 s."""
    gc.collect()
    gc.freeze()


def user_models() -> models.Models:
    """Returns the language models that this user configured, in `settings.toml` beside their policy."""
    return models.Models(user_policy().with_name("settings.toml"), dict(os.environ), now)


def agent(name: str, script: str | None, model: str | None, known: models.Models | None = None) -> Agent:
    """Makes a session's agent.

    Raises:
        UserError: There is no agent of that name, its script is missing, or no model is configured.
        ConfigError: Its script cannot be used.
    """
    if name == nobody.NAME:
        return nobody.Nobody()
    if name == "builtin":
        return _builtin(model, known or models.Models(None, {}, now))
    if name != "scripted":
        hint = "There are `builtin`, which asks a language model, `scripted`, which plays a YAML file, and `none`."
        raise UserError(f"There is no agent named {name!r}.", hint)
    if script is None:
        raise UserError("The scripted agent needs a script.", "Name a YAML file as `script`.")
    try:
        text = Path(script).read_text("utf-8")
    except OSError as error:
        raise UserError(f"The script {script} cannot be read: {error.strerror}.", "Name another file.") from error
    except UnicodeDecodeError as error:
        raise ConfigError(script, 0, "the script is not UTF-8 text") from error
    return scripted.ScriptedAgent(scripted.parse(script, text))


def _builtin(model: str | None, known: models.Models) -> Agent:
    def choose(name: str | None) -> builtin.Asked:
        chosen = known.choose(name)
        price = chosen.profile.price
        return builtin.Asked(
            known.provider(chosen),
            chosen.label,
            chosen.model,
            chosen.profile.reply_limit,
            None if price is None else (price.prompt, price.reply),
        )

    choose(model)  # so that the start of a session fails, and not its first turn
    return builtin.BuiltinAgent(choose, has_ripgrep=shutil.which("rg") is not None)


def the_policies(folder: Path) -> policies.Policies:
    """Returns what reads and trusts this user's policy files.

    Args:
        folder: The user's state folder.
    """
    return policies.Policies(user_policy(), trust.Trust(folder), now)


now = wall.now
