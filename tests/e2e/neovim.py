"""Starts a real Neovim that plays a scenario of this folder."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PROGRAM = ROOT / ".cache" / "neovim" / "nvim"
PLUGIN = ROOT / "editors" / "nvim"


def start(scenario: str, folder: Path, environment: Mapping[str, str], plugin: Path = PLUGIN) -> subprocess.Popen[str]:
    """Begins a scenario in a folder; what Neovim says on its own goes to its standard output."""
    words = [str(path).replace(" ", r"\ ") for path in (plugin, HERE / scenario)]
    command = [str(PROGRAM), "--headless", "--clean", "--cmd", f"set runtimepath^={words[0]}"]
    return subprocess.Popen(
        [*command, "-c", f"luafile {words[1]}.lua"],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
