"""Control groups of version 2: one per command where we may make them; standard library only, for the keeper.

Source: Linux Documentation/admin-guide/cgroup-v2.rst; `cgroup.kill` since Linux 5.14.
"""

# The keeper goes without pathlib: each module that it loads delays the first command of a session.
# ruff: noqa: PTH102, PTH106, PTH110, PTH208

from __future__ import annotations

import contextlib
import os

from agentos_lsp.effects.process import trees

_OWN = "agentos-"


def make_own() -> tuple[str | None, str | None]:
    """Makes a cgroup for the session below our own and enters it; (None, None) where we may not."""
    home = None
    with contextlib.suppress(OSError, ValueError, IndexError, StopIteration):
        path = next(
            line[3:] for line in trees.read("/proc/self/cgroup").decode().splitlines() if line.startswith("0::")
        )
        mounts = [line.split() for line in trees.read("/proc/self/mountinfo").decode().splitlines()]
        mount = next(fields for fields in mounts if fields[fields.index("-") + 1] == "cgroup2")
        home = mount[4] + (path if mount[3] == "/" else path.removeprefix(mount[3])).rstrip("/")
    if home is None:
        return None, None
    remove_abandoned(home)
    groups = f"{home}/{_OWN}{os.getpid()}"
    try:
        os.mkdir(groups)
        os.mkdir(f"{groups}/keeper")
    except OSError:
        remove(groups)
        return None, None
    if not os.path.exists(f"{groups}/cgroup.kill") or not enter(f"{groups}/keeper"):
        remove(groups)
        return None, None
    return home, groups


def remove_abandoned(home: str) -> None:
    """Removes the cgroups of keepers that were killed before they could."""
    with contextlib.suppress(OSError):
        for name in os.listdir(home):
            pid = name.removeprefix(_OWN)
            if pid != name and pid.isdigit() and not os.path.exists(f"/proc/{pid}"):
                remove(f"{home}/{name}")


def remove(groups: str) -> None:
    """Removes a session's cgroups as far as they are empty."""
    with contextlib.suppress(OSError):
        for entry in os.scandir(groups):
            if entry.is_dir(follow_symlinks=False):
                with contextlib.suppress(OSError):
                    os.rmdir(entry.path)
        os.rmdir(groups)


def enter(group: str) -> bool:
    """Moves this process into a cgroup."""
    return trees.write(f"{group}/cgroup.procs", b"0")


def kill(group: str | None) -> bool:
    """Kills all of a cgroup at once, those that are being born too."""
    return group is not None and trees.write(f"{group}/cgroup.kill", b"1")


def members(group: str | None) -> set[int]:
    """Returns the pids in a cgroup."""
    if group is None:
        return set()
    try:
        return {int(line) for line in trees.read(f"{group}/cgroup.procs").split()}
    except (OSError, ValueError):
        return set()


def session_group_of(pid: int) -> str | None:
    """Returns the name of the session's cgroup that a process is in, None if it is in none."""
    try:
        lines = trees.read(f"/proc/{pid}/cgroup").decode("utf-8", "replace").splitlines()
    except OSError:
        return None
    folders = [folder for line in lines if line.startswith("0::") for folder in line[3:].split("/")]
    found = [folder for folder in folders if folder.startswith(_OWN) and folder.removeprefix(_OWN).isdigit()]
    return found[-1] if found else None
