"""A block of port numbers for each session, so that two of them can run the same server side by side.

A block is a file named after its first port; whoever makes the file has the block until the session ends.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FIRST = 20_000
BLOCK = 10
BLOCKS = 1000


def take(state_folder: Path, session: str) -> int | None:
    """Returns the first port of the session's block, the same one as before if it has one already.

    Returns:
        None if every block is taken, or the folder cannot be written.
    """
    folder = state_folder / "ports"
    try:
        folder.mkdir(0o700, parents=True, exist_ok=True)
        for known in folder.iterdir():
            if known.name.isdigit() and known.read_text("ascii", "replace").strip() == session:
                return int(known.name)
        for start in _tried(session):
            if _are_free(start) and _made(folder / str(start), session):
                return start
    except OSError:
        return None
    return None


def _tried(session: str) -> Iterator[int]:
    """Yields every block, from one on that the session's name chooses, so that a restart finds most of them free."""
    first = int.from_bytes(hashlib.sha256(session.encode()).digest()[:4]) % BLOCKS
    for number in range(BLOCKS):
        yield FIRST + (first + number) % BLOCKS * BLOCK


def _made(file: Path, session: str) -> bool:
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return False
    with os.fdopen(descriptor, "w", encoding="ascii") as made:
        made.write(session)
    return True


def _are_free(start: int) -> bool:
    """Whether nobody listens on any port of a block now; somebody may later, which no reservation can stop."""
    for port in range(start, start + BLOCK):
        with socket.socket() as tried:
            try:
                tried.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True


def free(state_folder: Path, session: str) -> None:
    """Gives the session's block back."""
    with contextlib.suppress(OSError):
        for known in (state_folder / "ports").iterdir():
            if known.name.isdigit() and known.read_text("ascii", "replace").strip() == session:
                known.unlink(missing_ok=True)
