"""Path arithmetic for arguments: where the file that a word names would lie, without looking at any disk.

The only place that decides whether a path is inside the session's worktree.
"""

from __future__ import annotations

import fnmatch
import posixpath  # Pure text functions; nothing here asks the file system.
import re
from typing import TYPE_CHECKING, Literal

from agentos_lsp.domain.command.invocation import Glob, Known, Prefix, Target, Unknown

if TYPE_CHECKING:
    from agentos_lsp.domain.command.invocation import Argument
    from agentos_lsp.domain.command.surroundings import Surroundings

Place = Literal["worktree", "root", "git", "scratch", "outside", "device", "null", "unknown"]

# Source: path_resolution(7), SYMLOOP_MAX: Linux gives up after 40 links.
_MOST_LINKS = 40
# Source: limits.h(0p), PATH_MAX on Linux and macOS (1024 there).
_LONGEST = 4096
_HARMLESS_DEVICES = frozenset(
    f"/dev/{name}"
    for name in (
        "null",
        "zero",
        "full",
        "random",
        "urandom",
        "stdin",
        "stdout",
        "stderr",
        "tty",
        "fd/0",
        "fd/1",
        "fd/2",
    )
)
# Names of devices that hold data or memory. Source: Linux admin-guide/devices.txt, macOS hdiutil(1).
_DEVICES = re.compile(
    r"/dev/(?:[shvx]v?d[a-z]|nvme|mmcblk|mtd|r?disk|loop|dm-|md|mapper/|sr|st|nst|sg|nbd|z?ram|pmem|bcache|ubi|drbd|block/|bus/"
    r"|mem|kmem|port|kvm|tty[A-Z]|hd|ada|da[0-9]|vg)",
)
# `C:\\` and `C:/`: a drive of Windows is no folder of the worktree.
_DRIVE = re.compile(r"[A-Za-z]:[\\/]")
# What stands for the file behind `<(…)`, which is a pipe.
FED = "/dev/fd/<()"
_WILD = frozenset("*?[")
# Source: git's `is_hfs_dotgit` (utf8.c): code points that HFS+ ignores in names.
_IGNORED_BY_HFS = dict.fromkeys(
    [*range(0x200C, 0x2010), *range(0x202A, 0x202F), *range(0x206A, 0x2070), 0xFEFF],
)


def target(argument: Argument, cwd: str | None, surroundings: Surroundings, *, follow: bool = True) -> Target:
    """Says which file an argument names.

    Args:
        argument: The word, as far as it is certain.
        cwd: The folder that a relative path starts from; None if it cannot be known.
        surroundings: The worktree, the scratch folders and the links.
        follow: Whether a link in the last component is followed, as it is by everything but deleting and moving.
    """
    match argument:
        case Known(text):
            return _of_text(text, cwd, surroundings, follow=follow)
        case Glob(pattern, _):
            return _of_glob(pattern, cwd, surroundings)
        case Prefix(text, _):
            return _of_prefix(text, cwd, surroundings)
        case Unknown(raw, _):
            return Target(None, "unknown", under=False, shown=raw)


def contains(folder: str, path: str) -> bool:
    """Tells whether `path` is `folder` or lies below it, by components; both absolute and normalised."""
    return folder in (path, "/") or path.startswith(folder + "/")


def place(path: str, surroundings: Surroundings) -> Place:
    """Says where an absolute, normalised path with its links followed lies."""
    worktree = surroundings.worktree
    if path.startswith(worktree) and contains(worktree, path):
        if path == worktree:
            return "root"
        first = path[len(worktree) :].lstrip("/").partition("/")[0]
        return "git" if is_git_folder(first) else "worktree"
    if path.startswith("/dev/"):
        return _place_of_device(path)
    if contains(path, worktree):
        return "outside"
    if any(contains(folder, path) for folder in surroundings.scratch):
        return "scratch"
    return "outside"


def is_git_folder(name: str) -> bool:
    """Tells whether a file name means `.git` on some file system.

    Source: git's `is_ntfs_dotgit` and `is_hfs_dotgit`: case, short names, trailing dots and blanks, streams, ignored
    code points.
    """
    if name == ".git":
        return True
    if len(name) < 4:
        return False
    folded = name.translate(_IGNORED_BY_HFS).casefold().partition(":")[0].rstrip(". ")
    return folded in (".git", "git~1")


def resolve(path: str, surroundings: Surroundings, *, follow: bool = True) -> str | None:
    """Follows the known links in an absolute path, component by component, as the kernel does.

    Returns:
        An absolute, normalised path; None when links go round in circles.
    """
    links = surroundings.links
    if not links:
        return "/" + posixpath.normpath(path).lstrip("/")
    pending = path.split("/")[::-1]
    done = ""
    followed = 0
    while pending:
        component = pending.pop()
        if component in ("", "."):
            continue
        if component == "..":
            done = done.rpartition("/")[0]
            continue
        here = f"{done}/{component}"
        link = _link(here, surroundings) if follow or any(pending) else None
        if link is None:
            done = here
            continue
        followed += 1
        if followed > _MOST_LINKS:
            return None
        if link.startswith("/"):
            done = ""
        pending.extend(link.split("/")[::-1])
    return done or "/"


def join(cwd: str | None, text: str) -> str | None:
    """Makes a path absolute, without normalising it.

    Returns:
        None if it is relative to a folder that cannot be known, empty, or longer than any kernel accepts.
    """
    if len(text) > _LONGEST:
        return None
    if text.startswith("/"):
        return text
    if text[1:2] == ":" and _DRIVE.match(text):
        return "/" + text.replace("\\", "/")
    if cwd is None or not text:
        return None
    return f"{cwd}/{text}"


def _of_text(text: str, cwd: str | None, surroundings: Surroundings, *, follow: bool) -> Target:
    absolute = join(cwd, text)
    if absolute is None:
        return Target(None, "unknown", under=False, shown=text)
    # A trailing slash names the folder behind a link.
    path = resolve(absolute, surroundings, follow=follow or text.endswith("/"))
    if path is None:
        return Target(None, "unknown", under=False, shown=text)
    return Target(path, place(path, surroundings), under=False, shown=text)


def _of_prefix(text: str, cwd: str | None, surroundings: Surroundings) -> Target:
    """Takes the rest of a word as unknown: it may climb out of the worktree, and rarely comes back into it."""
    unknown = Target(None, "unknown", under=True, shown=text)
    absolute = join(cwd, text)
    if absolute is None:
        return unknown
    folder, _, partial = absolute.rpartition("/")
    path = resolve(folder + "/", surroundings)
    if path is None or place(path, surroundings) not in ("outside", "device"):
        return unknown
    beginning = posixpath.join(path, partial)
    insides = (surroundings.worktree, *surroundings.scratch)
    if partial and any(inside.startswith(beginning) for inside in insides):
        return unknown
    return Target(path, "outside", under=True, shown=text)


def _of_glob(pattern: str, cwd: str | None, surroundings: Surroundings) -> Target:
    absolute = join(cwd, pattern)
    if absolute is None:
        return Target(None, "unknown", under=True, shown=pattern)
    components = absolute.split("/")
    start = len(components) - len(pattern.split("/"))
    first = next((i for i, part in enumerate(components) if i >= start and _WILD & set(part)), len(components) - 1)
    folder = resolve("/".join(components[:first]) + "/", surroundings)
    if folder is None:
        return Target(None, "unknown", under=True, shown=pattern)
    rest = [part for part in components[first:] if part not in ("", ".")]
    where = place(folder, surroundings)
    climbs = any(part == ".." for part in rest) or any(_matches("..", part) for part in rest[:-1])
    if climbs:
        reached = resolve(f"{folder}/{'/'.join(rest)}", surroundings) or "/"
        leaves = place(reached, surroundings) == "outside"
        return Target(folder if leaves else None, "outside" if leaves else "unknown", under=True, shown=pattern)
    if where in ("root", "worktree"):
        where = _place_of_matches(folder, rest, surroundings)
    return Target(folder, where, under=True, shown=pattern)


def _place_of_matches(folder: str, rest: list[str], surroundings: Surroundings) -> Place:
    """Says where what matches a pattern below a folder of the worktree lies: a match may be `.git` or a link."""
    if folder == surroundings.worktree and rest and _matches(".git", rest[0]):
        return "git"
    for link in surroundings.links:
        if not contains(folder, link):
            continue
        names = link[len(folder) :].strip("/").split("/")
        behind = len(rest) > len(names) and all(
            fnmatch.fnmatchcase(name, part) for name, part in zip(names, rest, strict=False)
        )
        real = resolve(link, surroundings)
        if behind and (real is None or place(real, surroundings) == "outside"):
            return "outside"
    return "worktree"


def _matches(name: str, pattern: str) -> bool:
    """Tells whether a pattern matches a name that begins with a dot: the dot must be written."""
    return pattern.startswith(".") and fnmatch.fnmatchcase(name, pattern.casefold())


def _link(path: str, surroundings: Surroundings) -> str | None:
    links = surroundings.links
    found = links.get(path)
    if found is not None or not contains(surroundings.worktree, path):
        return found
    # On a file system that ignores case another spelling is the same link; inside the worktree this can only tighten.
    folded = path.casefold()
    return next((links[link] for link in links if link.casefold() == folded), None)


def _place_of_device(path: str) -> Place:
    """Descriptors of the shell's own are nothing to keep; what a higher one leads to is not on the line."""
    if path in _HARMLESS_DEVICES or path == FED:
        return "null"
    if path.startswith("/dev/fd/"):
        return "unknown"
    return "device" if _DEVICES.match(path) else "outside"
