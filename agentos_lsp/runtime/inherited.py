"""What a session's commands inherit from the editor that started it, kept until the session's worktree is removed.

The process that runs them may have been started by another editor, or long before: its own environment says nothing
about the person who asked. Only variables of the list in `domain/variables` are kept, none of which is a secret.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from agentos_lsp.domain import variables

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from agentos_lsp.domain import ids


def keep(state_folder: Path, session: ids.SessionId, environment: Mapping[str, str]) -> None:
    """Writes the variables of a session that begins."""
    kept = {
        name: value
        for name, value in environment.items()
        if name in variables.KEPT or name.startswith(variables.KEPT_PREFIXES)
    }
    file = _file(state_folder, session)
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    file.touch(mode=0o600)
    file.write_text(json.dumps(kept), "ascii")


def find(state_folder: Path, session: ids.SessionId) -> dict[str, str] | None:
    """Returns the variables of a session, None if none were kept or they cannot be read."""
    try:
        kept = json.loads(_file(state_folder, session).read_text("ascii"))
    except (OSError, ValueError):
        return None
    return {str(name): str(value) for name, value in kept.items()} if isinstance(kept, dict) else None


def forget(state_folder: Path, session: ids.SessionId) -> None:
    """Removes the variables of a session that has ended."""
    _file(state_folder, session).unlink(missing_ok=True)


def _file(state_folder: Path, session: ids.SessionId) -> Path:
    return state_folder / "inherited" / f"{session}.json"
