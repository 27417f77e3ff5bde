"""Makes `.venv`: the pinned dependencies from a cache outside the clone, and this clone beside them.

The dependencies go into `$XDG_CACHE_HOME/agentos-lsp/venv-KEY`, once for all clones; KEY names what they are made of.
`.venv` is thin and belongs to this clone alone: a path file leads to the clone first, then to that cache. Where that
cache cannot be written, the dependencies go into `.cache/`. Needs only a Python and its standard library.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Project = Mapping[str, Any]  # the `[project]` table, as TOML gives it

CLONE = Path(__file__).resolve().parent.parent
CONSTRAINTS = CLONE / ".ci" / "constraints.txt"
PROJECT = CLONE / "pyproject.toml"
THIN = CLONE / ".venv"
STAMP = THIN / "stamp"


def main() -> int:
    """Makes both environments where they are missing, broken or older than what they are made from."""
    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]
    key = fingerprint(project)
    if is_whole(STAMP, f"{key} {CLONE}"):
        return 0
    try:
        cached = dependencies(project, key)
        with one_at_a_time(CLONE / ".cache" / "environment.lock"):
            if not is_whole(STAMP, f"{key} {CLONE}"):
                make_thin(project, key, cached)
    except subprocess.CalledProcessError as error:
        sys.stderr.write(f"\nThe environment could not be made; this command failed:\n    {' '.join(error.cmd)}\n")
        return 1
    return 0


def fingerprint(project: Project) -> str:
    """Names everything that an environment is made from: what is asked for, the pins, this script, this Python."""
    parts = [
        repr(requirements(project)),
        repr(project.get("scripts")),
        CONSTRAINTS.read_text(encoding="utf-8"),
        Path(__file__).read_text(encoding="utf-8"),
        os.path.realpath(sys.executable),
        sys.version,
        platform.platform(),
    ]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def requirements(project: Project) -> list[str]:
    """Returns the run-time dependencies and those of every extra."""
    extras = project["optional-dependencies"]
    return [*project["dependencies"], *(line for lines in extras.values() for line in lines)]


def is_whole(stamp: Path, expected: str) -> bool:
    """Says whether an environment was finished, from the expected parts, and still has its interpreter."""
    try:
        return stamp.read_text(encoding="utf-8") == expected and (stamp.parent / "bin" / "python").exists()
    except OSError:
        return False


def dependencies(project: Project, key: str) -> Path:
    """Returns an environment that holds the dependencies, and makes it first if need be."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    for parent in (home / "agentos-lsp", CLONE / ".cache"):
        environment = parent / f"venv-{key}"
        try:
            parent.mkdir(parents=True, exist_ok=True)
            with one_at_a_time(parent / f"venv-{key}.lock"):
                if is_whole(environment / "stamp", key) and works(environment, project):
                    return environment
                install(project, environment)
                (environment / "stamp").write_text(key, encoding="utf-8")
        except OSError as error:
            sys.stderr.write(f"{parent} cannot hold the environment ({error.strerror}).\n")
            continue
        return environment
    raise SystemExit("There is no folder that can hold the environment: free some space, or set XDG_CACHE_HOME.")


def works(environment: Path, project: Project) -> bool:
    """Asks the environment itself whether each direct dependency is there."""
    names = [line.partition(">")[0].partition("<")[0].partition("=")[0].strip() for line in requirements(project)]
    asked = "import importlib.metadata as m, sys; [m.version(name) for name in sys.argv[1:]]; import pygit2, pydantic"
    done = subprocess.run([environment / "bin" / "python", "-c", asked, *names], capture_output=True, check=False)
    return done.returncode == 0


def install(project: Project, environment: Path) -> None:
    """Makes a fresh environment with every dependency at its pinned version."""
    shutil.rmtree(environment, ignore_errors=True)
    started = time.monotonic()
    version = platform.python_version()
    sys.stderr.write(f"Making the environment with Python {version} (once; cached in {environment}) ...\n")
    try:
        import ensurepip  # noqa: F401, PLC0415 - Debian leaves it out of python3, and venv then fails in a riddle
    except ImportError:
        minor = ".".join(platform.python_version_tuple()[:2])
        raise SystemExit(
            f"This Python has no venv. On Debian or Ubuntu: apt install python3-venv (or python{minor}-venv)."
        ) from None
    quiet = ["--quiet", "--disable-pip-version-check", "--no-input"]
    run([sys.executable, "-m", "venv", "--clear", str(environment)])
    run([str(environment / "bin" / "python"), "-m", "pip", "install", *quiet, "--constraint", str(CONSTRAINTS),
         *requirements(project)])  # fmt: skip
    sys.stderr.write(f"... made in {time.monotonic() - started:.0f} s.\n")


def make_thin(project: Project, key: str, cached: Path) -> None:
    """Makes the clone's own `.venv`: an interpreter, a path file, and every launcher, started by that interpreter."""
    if THIN.is_symlink() or THIN.is_file():
        THIN.unlink()
    run([sys.executable, "-m", "venv", "--clear", "--without-pip", str(THIN)])
    packages = next((THIN / "lib").glob("python*")) / "site-packages"
    shared = next((cached / "lib").glob("python*")) / "site-packages"
    (packages / "agentos_lsp.pth").write_text(f"{CLONE}\nimport site; site.addsitedir({str(shared)!r})\n", "utf-8")
    for script in (cached / "bin").iterdir():
        ours = THIN / "bin" / script.name
        if ours.exists() or ours.is_symlink() or script.name.startswith(("pip", "activate", "Activate")):
            continue
        content = script.read_bytes()
        if content.startswith(f"#!{cached}/bin/python".encode()):
            launcher(ours, content.partition(b"\n")[2])
        elif not script.is_symlink():
            ours.symlink_to(script)
    for name, target in project["scripts"].items():
        module, _, function = target.partition(":")
        launcher(THIN / "bin" / name, f"import sys\nfrom {module} import {function}\nsys.exit({function}())\n".encode())
    STAMP.write_text(f"{key} {CLONE}", encoding="utf-8")


def launcher(path: Path, body: bytes) -> None:
    """Writes a Python script that the clone's own interpreter runs; `sh` starts it, as that path may hold spaces."""
    start = f"#!/bin/sh\n'''exec' \"{THIN}/bin/python\" \"$0\" \"$@\"\n' '''\n"
    path.write_bytes(start.encode() + body)
    path.chmod(0o755)


def run(command: list[str]) -> None:
    """Runs a command and lets it speak; what it prints is no part of a target's own output."""
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=sys.stderr)


@contextlib.contextmanager
def one_at_a_time(lock: Path) -> Iterator[None]:
    """Waits for whoever makes the same environment; the kernel frees the lock when its holder dies."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w", encoding="utf-8") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    sys.exit(main())
