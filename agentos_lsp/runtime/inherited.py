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
    from agentos_lsp.effects.files import Disk


def keep(disk: Disk, state_folder: Path, session: ids.SessionId, environment: Mapping[str, str]) -> None:
    """Writes the variables of a session that begins."""
    kept = variables.kept(environment)
    disk.write_file(_file(state_folder, session), json.dumps(kept).encode("ascii"))


def find(disk: Disk, state_folder: Path, session: ids.SessionId) -> dict[str, str] | None:
    """Returns the variables of a session, None if none were kept or they cannot be read."""
    content = disk.read_file(_file(state_folder, session))
    try:
        kept = None if content is None else json.loads(content.decode("ascii"))
    except ValueError:
        return None
    return {str(name): str(value) for name, value in kept.items()} if isinstance(kept, dict) else None


def forget(disk: Disk, state_folder: Path, session: ids.SessionId) -> None:
    """Removes the variables of a session that has ended."""
    disk.remove_file(_file(state_folder, session))


def _file(state_folder: Path, session: ids.SessionId) -> Path:
    return state_folder / "inherited" / f"{session}.json"
