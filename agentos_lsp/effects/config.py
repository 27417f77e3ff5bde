"""Reads the policy files: built-in, then the user's, then the repository's, which may only tighten until trusted."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from agentos_lsp.domain import confined, policy, policy_file
from agentos_lsp.domain.errors import ConfigError
from agentos_lsp.domain.inspection import inspect

if TYPE_CHECKING:
    from pathlib import Path

REPOSITORY_FILE = ".agentos/policy.toml"


def load_policy(repository: bytes | None, user: Path | None, *, trusted: bool = False) -> policy.Policy:
    """Combines the built-in policy with the user's file and the repository's.

    Args:
        repository: The bytes of the repository's own file, taken from the commit that a session began from, so that
            no agent can change the rules that it is judged by; None if it has none.
        user: Where the user's file would be; None for nobody's.
        trusted: Whether the person trusts these very bytes: then they may loosen too.

    Raises:
        ConfigError: A file cannot be read as a policy; names the file and the line.
        InternalError: A built-in rule does not keep to its own examples.
    """
    inspect.verify()
    combined = policy.Policy()
    if user is not None and user.is_file():
        combined = policy_file.loosened(combined, read(str(user), user.read_bytes()), vouched=True)
    if repository is not None:
        wanted = policy_file.loosened(combined, read(REPOSITORY_FILE, repository), vouched=trusted)
        # Whatever a person trusts a repository with, what the system holds of its commands is not among it.
        held = confined.tighten(combined.confinement, wanted.confinement)
        combined = replace(wanted, confinement=held) if trusted else policy.tighten(combined, wanted)
    return combined


def read(name: str, content: bytes) -> policy_file.PolicyFile:
    """Reads a policy file.

    Raises:
        ConfigError: It cannot be used; names the first thing that is wrong.
    """
    parsed = policy_file.parse(content)
    if parsed.file is None:
        first = min(parsed.problems, key=lambda one: one.place.line)
        raise ConfigError(name, first.place.line, first.message)
    return parsed.file
