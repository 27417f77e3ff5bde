"""Other people's parsers and guards, for the benchmark to stand beside; installed into `.cache/`, never the project.

The only place that installs them. bashlex is under the GPL: it is measured here, and nothing of the project imports it.
"""

from __future__ import annotations

import importlib
import shlex
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

CACHE = Path(__file__).parents[2] / ".cache" / "bench-peers"
# Measured with these; another version is another peer.
PYTHON = ("bashlex==0.18", "tree-sitter==0.26.1", "tree-sitter-bash==0.25.1")
NODE = "cc-safety-net@2.4.5"


def parsers() -> dict[str, Callable[[str], object]]:
    """Parsers that run in this process; what cannot be installed is named and left out."""
    found: dict[str, Callable[[str], object]] = {"shlex.split (tokens only)": shlex.split}
    folder = _site_packages()
    if folder is None:
        return found
    sys.path.append(str(folder))
    found["bashlex.parse"] = importlib.import_module("bashlex").parse
    tree_sitter, bash = importlib.import_module("tree_sitter"), importlib.import_module("tree_sitter_bash")
    parser = tree_sitter.Parser(tree_sitter.Language(bash.language()))
    found["tree-sitter-bash parse"] = lambda line: parser.parse(line.encode())
    return found


def safety_net() -> Path | None:
    """The peer's command, which a hook starts for each line; None, with the reason printed, where it cannot be had."""
    program = CACHE / "node_modules" / ".bin" / "cc-safety-net"
    if program.exists():
        return program
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        print(f"{NODE}: skipped, since npm and node are not installed")
        return None
    CACHE.mkdir(parents=True, exist_ok=True)
    call = [npm, "install", "--prefix", str(CACHE), "--no-audit", "--no-fund", "--ignore-scripts", "--silent", NODE]
    return program if _ran(call, NODE) and program.exists() else None


def _site_packages() -> Path | None:
    """Where the Python peers are, in an environment of their own made by the interpreter that runs this."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    home = CACHE / version
    folder = home / "lib" / version / "site-packages"
    if not (folder / "bashlex").is_dir():
        venv.create(home, with_pip=True)
        pip = [str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PYTHON]
        if not _ran(pip, ", ".join(PYTHON)):
            return None
    return folder


def _ran(call: list[str], what: str) -> bool:
    try:
        done = subprocess.run(call, capture_output=True, text=True, check=False, timeout=300)
    except subprocess.TimeoutExpired:
        print(f"{what}: skipped, since installing it took too long")
        return False
    if done.returncode:
        print(f"{what}: skipped, since it cannot be installed here: {done.stderr.strip()[-200:]}")
    return done.returncode == 0
