"""How much a folder takes on the disk."""

from __future__ import annotations

import os
import stat
from pathlib import Path


def size(folder: Path) -> int:
    """Returns how many bytes a folder takes on the disk; links are not followed, what cannot be read counts nothing."""
    total = 0
    waiting = [folder]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as rows:
                for row in rows:
                    seen = row.stat(follow_symlinks=False)
                    total += seen.st_blocks * 512
                    if stat.S_ISDIR(seen.st_mode):
                        waiting.append(Path(row.path))
        except OSError:
            continue
    return total
