"""The cage, made by ourselves: namespaces and a root of its own around the keeper; standard library only.

A plan, made by the server (see `plan`), says what is seen where. The process that is called here splits in two: the
outer one waits outside, and ends the inner one when it is told to; the inner one is the first process of a pid
namespace, so that nothing of it outlives it, and goes on as the keeper.

Source: unshare(2), pivot_root(2), open_tree(2), mount_setattr(2), user_namespaces(7), pid_namespaces(7).
"""

# The keeper goes without pathlib: each module that it loads delays the first command of a session.
# ruff: noqa: PTH102, PTH103, PTH110, PTH112, PTH120, PTH211

from __future__ import annotations

import contextlib
import os
import signal
import socket
import struct
from typing import TYPE_CHECKING, NoReturn

from agentos_lsp.effects.process.sandbox import kernel

if TYPE_CHECKING:
    from collections.abc import Sequence

_OLD, _NEW, _EMPTY = "/old", "/new", "/empty"
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_SEALED_PROC = ("sys", "sysrq-trigger", "irq", "bus", "fs", "acpi", "scsi")
_EMPTY_PROC = ("kcore", "keys", "kmsg", "timer_list", "kallsyms")
_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG
_PLAIN = kernel.ATTR_NOSUID | kernel.ATTR_NODEV
_INTERFACE_FLAGS, _UP_AND_RUNNING = 0x8914, 0x1 | 0x40  # SIOCSIFFLAGS, IFF_UP | IFF_RUNNING


def enter(steps: Sequence[Sequence[object]], processes: int, *, user: bool) -> None:
    """Goes on inside a cage, as its first process; the process that called stays outside and never returns.

    Args:
        steps: What is seen where; see `plan.Plan`.
        processes: How many processes and threads may be inside at once.
        user: Whether the cage gets a user namespace, without which only root can make one.

    Raises:
        OSError: The cage cannot be made; this process is of no use any more.
    """
    if user:
        uid, gid = os.geteuid(), os.getegid()
        kernel.unshare(kernel.NEW_USER)
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"{uid} {uid} 1")
        _write("/proc/self/gid_map", f"{gid} {gid} 1")
    kernel.unshare(kernel.NEW_PID | kernel.NEW_NET | kernel.NEW_IPC | kernel.NEW_UTS | kernel.NEW_CGROUP)
    waits, gate = os.pipe()
    inner = os.fork()
    if inner:
        os.close(waits)
        os.write(gate, b"1")
        os.close(gate)
        _stand_by(inner)
    kernel.prctl(_DEATH_SIGNAL, int(signal.SIGKILL))
    os.close(gate)
    if not os.read(waits, 1):
        os._exit(1)
    os.close(waits)
    # Not together with the others: the process outside would be moved to the new root too.
    kernel.unshare(kernel.NEW_NS)
    _build(steps)
    with contextlib.suppress(OSError):
        # Before Linux 6.14 it counts for all namespaces, and is not ours to write; 301 is the least it takes.
        _write("/proc/sys/kernel/pid_max", str(max(processes, 400)))
    with contextlib.suppress(OSError):
        _write("/proc/sys/user/max_user_namespaces", "0")
    for name in _SEALED_PROC:
        if os.path.exists(f"/proc/{name}"):
            _show(f"/proc/{name}", f"/proc/{name}", _PLAIN | kernel.ATTR_RDONLY)
    _raise_loopback()


def _stand_by(inner: int) -> NoReturn:
    """Waits for the first process, without any rights; SIGTERM ends it, and so does our own death."""

    def end(_number: int, _frame: object) -> None:
        with contextlib.suppress(OSError):
            os.kill(inner, signal.SIGKILL)

    code = 1
    try:
        signal.signal(signal.SIGTERM, end)
        os.closerange(3, 256)
        with contextlib.suppress(OSError):
            kernel.drop_capabilities()
            kernel.forbid_new_privileges()
        code = os.waitstatus_to_exitcode(os.waitpid(inner, 0)[1])
    finally:
        os._exit(code if code >= 0 else 1)


def _build(steps: Sequence[Sequence[object]]) -> None:
    """Makes the new root out of what the old one shows, and moves in; nothing of the old one can be reached then."""
    # What is mounted outside later must not appear in here: it would come with its own rights, writable.
    kernel.mount("none", "/", None, kernel.MS_PRIVATE | kernel.MS_REC)
    base = "/tmp"  # noqa: S108 - any folder will do: what is mounted here is seen by this process only
    kernel.mount("tmpfs", base, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, "mode=755")
    for name in (_OLD, _NEW):
        os.mkdir(base + name)
    kernel.pivot_root(base, base + _OLD)
    os.chdir("/")
    os.close(os.open(_EMPTY, os.O_CREAT | os.O_WRONLY, 0o444))
    _show(f"{_OLD}/", _NEW, _PLAIN | kernel.ATTR_RDONLY)
    # Before the steps: a worktree or a repository may lie in /dev/shm.
    _make_devices()
    for what, path, detail, more in steps:
        _carry_out(str(what), str(path), str(detail), int(str(more)))
    kernel.seal(f"{_NEW}/dev")
    _make_proc()
    os.chdir(_NEW)
    # Stacks the old root on the new one, to be let go of with all below it; see pivot_root(2), "pivot_root(".", ".")".
    kernel.pivot_root(".", ".")
    kernel.unmount(".")
    os.chdir("/")


def _carry_out(what: str, path: str, detail: str, more: int) -> None:
    at = _NEW + path
    if _is_gone(what, path, detail, more):
        return
    match what:
        case "cover":
            os.makedirs(at, exist_ok=True)
            size = f",size={more}" if more else ""
            kernel.mount("tmpfs", at, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, f"mode={detail}{size}")
        case "show":
            _make_place(at, folder=os.path.isdir(_OLD + detail))
            _show(_OLD + detail, at, _PLAIN | (0 if more else kernel.ATTR_RDONLY))
        case "link":
            os.makedirs(os.path.dirname(at), exist_ok=True)
            with contextlib.suppress(FileExistsError):
                os.symlink(detail, at)
        case "empty":
            _make_place(at, folder=False)
            _show(_EMPTY, at, _PLAIN | kernel.ATTR_RDONLY)
        case "seal":
            kernel.seal(at)
        case _:
            raise OSError(22, f"unknown step {what}")


def _is_gone(what: str, path: str, detail: str, more: int) -> bool:
    """Whether what was to be hidden, or shown to be read, has vanished since the plan was made: there is nothing to do.

    Folders of other people's and of other programs change all the time. What can be written must be there.
    """
    match what:
        case "cover" | "empty":
            return not os.path.lexists(_OLD + path)
        case "show":
            return not more and not os.path.lexists(_OLD + detail)
        case "seal":
            return not os.path.lexists(_NEW + path)
        case _:
            return False


def _make_place(at: str, *, folder: bool) -> None:
    """Makes what something can be mounted on, where there is nothing yet; only our own tmpfs lets us."""
    if os.path.lexists(at):
        return
    os.makedirs(at if folder else os.path.dirname(at), exist_ok=True)
    if not folder:
        os.close(os.open(at, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o644))


def _show(source: str, target: str, attributes: int) -> None:
    tree = kernel.clone_tree(source)
    try:
        kernel.set_attributes(tree, attributes)
        kernel.attach(tree, target)
    finally:
        os.close(tree)


def _make_proc() -> None:
    at = f"{_NEW}/proc"
    kernel.mount("proc", at, "proc", kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC)
    for name in _EMPTY_PROC:
        if os.path.exists(f"{at}/{name}"):
            _show(_EMPTY, f"{at}/{name}", _PLAIN | kernel.ATTR_RDONLY)


def _make_devices() -> None:
    at = f"{_NEW}/dev"
    kernel.mount("tmpfs", at, "tmpfs", kernel.MS_NOSUID, "mode=755")
    for name in _DEVICES:
        if os.path.exists(f"{_OLD}/dev/{name}"):
            _make_place(f"{at}/{name}", folder=False)
            _show(f"{_OLD}/dev/{name}", f"{at}/{name}", kernel.ATTR_NOSUID)
    for name in ("pts", "shm"):
        os.mkdir(f"{at}/{name}")
    kernel.mount("devpts", f"{at}/pts", "devpts", kernel.MS_NOSUID | kernel.MS_NOEXEC, "newinstance,ptmxmode=0666")
    kernel.mount("tmpfs", f"{at}/shm", "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, "mode=1777,size=25%")
    for name, target in (
        ("ptmx", "pts/ptmx"),
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
    ):
        os.symlink(target, f"{at}/{name}")


def _raise_loopback() -> None:
    """Brings up the namespace's own loopback, the only network there is."""
    import fcntl  # noqa: PLC0415 - one call, on one system

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        fcntl.ioctl(one, _INTERFACE_FLAGS, struct.pack("16sh14x", b"lo", _UP_AND_RUNNING))


def _write(path: str, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)
