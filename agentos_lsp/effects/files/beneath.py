"""Opens what lies beneath a folder and nothing else, by walking directory descriptors; the only place that resolves.

Two ways with one behaviour: the kernel's `openat2` with RESOLVE_BENEATH where it exists (Linux 5.6), and a walk of our
own, one component at a time with O_NOFOLLOW, everywhere else. Neither ever asks the kernel to resolve a path that
somebody may change between the question and the answer: a name that is a folder now and a link a moment later is either
opened as the folder or refused.

What it cannot promise: a folder that we hold open may be moved elsewhere by a process that may write outside anyway.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
import sys
from typing import Protocol

_OPENAT2 = 437  # Source: Linux include/uapi/asm-generic/unistd.h; the same number on every architecture.
_NO_XDEV = 0x01
_NO_MAGICLINKS = 0x02
_NO_SYMLINKS = 0x04
_BENEATH = 0x08
_LINK_LIMIT = 40
_RACE_LIMIT = 64
_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0)
_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)
_CLOEXEC = getattr(os, "O_CLOEXEC", 0)


class LinkInTheWayError(OSError):
    """A symbolic link was met that may not be followed, or that leads outside."""


class OutsideError(OSError):
    """The way left the folder: through a link, a mount or another device."""


class Opener(Protocol):
    """Opens by components below a folder's descriptor."""

    name: str

    def open(self, root: int, parts: tuple[str, ...], flags: int, *, links: bool) -> int:
        """Returns a descriptor of what `parts` name below `root`.

        Args:
            root: An open folder's descriptor.
            parts: Components without '..' and without slashes; () is the folder itself.
            flags: As for `os.open`; O_CLOEXEC is added.
            links: Whether links that stay beneath are followed.

        Raises:
            LinkInTheWayError: A link was met and `links` is false, or it is absolute, magic, or climbs out.
            OutsideError: A component is on another file system.
            OSError: As for `os.open`.
        """
        ...


class Openat2:
    """The kernel resolves, in one call that races cannot deceive."""

    name = "openat2"

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._libc.syscall.restype = ctypes.c_long

    def open(self, root: int, parts: tuple[str, ...], flags: int, *, links: bool) -> int:
        """See `Opener.open`."""
        path = "/".join(parts) or "."
        resolve = _BENEATH | _NO_MAGICLINKS | _NO_XDEV | (0 if links else _NO_SYMLINKS)
        how = struct.pack("QQQ", flags | _CLOEXEC, 0, resolve)
        for _ in range(_RACE_LIMIT):
            descriptor = self._libc.syscall(
                ctypes.c_long(_OPENAT2), ctypes.c_int(root), os.fsencode(path), how, ctypes.c_size_t(len(how))
            )
            if descriptor >= 0:
                return int(descriptor)
            code = ctypes.get_errno()
            # Source: openat2(2): EAGAIN means that a rename raced with the resolution of a '..' in a link.
            if code not in {errno.EAGAIN, errno.EINTR}:
                break
        if code == errno.ELOOP:
            raise LinkInTheWayError(code, os.strerror(code), path)
        if code in {errno.EXDEV, errno.EAGAIN}:
            raise OutsideError(code, os.strerror(code), path)
        raise OSError(code, os.strerror(code), path)


class Walking:
    """We resolve, one component at a time; a link is read, never followed by the kernel."""

    name = "walking"

    def open(self, root: int, parts: tuple[str, ...], flags: int, *, links: bool) -> int:
        """See `Opener.open`."""
        device = os.fstat(root).st_dev
        todo = list(reversed(parts))
        held = [os.dup(root)]
        followed = 0
        try:
            while todo:
                part = todo.pop()
                if part == "..":
                    if len(held) == 1:
                        raise OutsideError(errno.EXDEV, "the link climbs out", "/".join(parts))
                    os.close(held.pop())
                    continue
                target = _link(held[-1], part)
                if target is None:
                    opened = _step(held[-1], part, flags if not todo else _FOLDER)
                    held.append(opened)
                    if os.fstat(opened).st_dev != device:
                        raise OutsideError(errno.EXDEV, "another file system", "/".join(parts))
                    continue
                followed += 1
                if not links or followed > _LINK_LIMIT:
                    raise LinkInTheWayError(errno.ELOOP, "a link", "/".join(parts))
                if target.startswith("/"):
                    raise OutsideError(errno.EXDEV, "the link is absolute", "/".join(parts))
                todo.extend(reversed([step for step in target.split("/") if step not in {"", "."}]))
            last = held.pop()
            if held:
                return last
            # The way ends where it began; a duplicate would share its reading position with `root`.
            try:
                return os.open(".", flags | _CLOEXEC, dir_fd=last)
            finally:
                os.close(last)
        finally:
            for descriptor in held:
                os.close(descriptor)


def best() -> Opener:
    """Returns the kernel's way where it works, our own elsewhere (also where a seccomp filter forbids it)."""
    if not sys.platform.startswith("linux"):
        return Walking()
    opener = Openat2()
    here = os.open("/", _FOLDER)
    try:
        os.close(opener.open(here, (), _FOLDER, links=False))
    except OSError:
        return Walking()
    finally:
        os.close(here)
    return opener


def folder(opener: Opener, root: int, parts: tuple[str, ...], *, links: bool) -> int:
    """Opens a folder beneath `root`; see `Opener.open`."""
    return opener.open(root, parts, _FOLDER, links=links)


def ensure_folder(opener: Opener, root: int, parts: tuple[str, ...]) -> int:
    """Opens a folder beneath `root` and makes those that are missing on the way, never through a link."""
    try:
        return opener.open(root, parts, _FOLDER, links=False)
    except FileNotFoundError:
        pass
    held = opener.open(root, (), _FOLDER, links=False)
    for part in parts:
        try:
            os.mkdir(part, 0o755, dir_fd=held)
        except FileExistsError:
            pass
        except OSError:
            os.close(held)
            raise
        try:
            deeper = opener.open(held, (part,), _FOLDER, links=False)
        finally:
            os.close(held)
        held = deeper
    return held


def link_target(root: int, name: str) -> str | None:
    """Returns where the link `name` in the folder `root` points, None if it is no link or is not there."""
    return _link(root, name)


def _step(folder_fd: int, part: str, flags: int) -> int:
    try:
        return os.open(part, flags | _NOFOLLOW | _CLOEXEC, dir_fd=folder_fd)
    except OSError as error:
        # It was no link a moment ago: somebody swaps names under our feet.
        if error.errno in {errno.ELOOP, getattr(errno, "EMLINK", errno.ELOOP)} or _link(folder_fd, part) is not None:
            raise LinkInTheWayError(errno.ELOOP, "a link", part) from error
        raise


def _link(folder_fd: int, part: str) -> str | None:
    try:
        return os.readlink(part, dir_fd=folder_fd)
    except OSError:
        return None
