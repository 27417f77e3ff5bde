"""Linux calls that Python has no name for, through ctypes; standard library only, for the keeper.

Every function raises `OSError` with the call's name. Numbers are those of x86-64 and of aarch64, which differ only
where the table says so.

Source: Linux include/uapi/linux/{sched,mount,prctl,capability,landlock,seccomp,filter}.h and asm/unistd.h.
"""

from __future__ import annotations

import contextlib
import ctypes
import os

NEW_USER, NEW_NS, NEW_PID, NEW_NET, NEW_IPC, NEW_UTS, NEW_CGROUP = (
    0x10000000,
    0x00020000,
    0x20000000,
    0x40000000,
    0x08000000,
    0x04000000,
    0x02000000,
)

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REC, MS_PRIVATE = 1, 2, 4, 8, 0x4000, 0x40000
MNT_DETACH = 2
ATTR_RDONLY, ATTR_NOSUID, ATTR_NODEV = 1, 2, 4

_AT_FDCWD = -100
_AT_EMPTY_PATH = 0x1000
_AT_RECURSIVE = 0x8000
_AT_SYMLINK_NOFOLLOW = 0x100
_OPEN_TREE_CLONE = 1
_MOVE_MOUNT_F_EMPTY_PATH = 4

_NUMBERS = {
    "x86_64": {"pivot_root": 155, "capset": 126, "open_tree": 428, "move_mount": 429, "mount_setattr": 442},
    "aarch64": {"pivot_root": 41, "capset": 91, "open_tree": 428, "move_mount": 429, "mount_setattr": 442},
}
_LANDLOCK = {"landlock_create_ruleset": 444, "landlock_add_rule": 445, "landlock_restrict_self": 446}

MACHINE = os.uname().machine
_NUMBER = {**_NUMBERS.get(MACHINE, {}), **_LANDLOCK}

_libc = ctypes.CDLL(None, use_errno=True)
if hasattr(_libc, "syscall"):  # WebAssembly has none, and starts nothing that could be confined
    _libc.syscall.restype = ctypes.c_long


def call(name: str, *arguments: object) -> int:
    """Makes a system call by name; numbers are passed as longs, text as bytes."""
    number = _NUMBER.get(name)
    if number is None:
        raise OSError(38, f"{name}: not known for {MACHINE}")
    passed = [ctypes.c_long(one) if isinstance(one, int) else one for one in arguments]
    return _checked(name, _libc.syscall(ctypes.c_long(number), *passed))


def prctl(option: int, *arguments: object) -> int:
    """Changes or asks something of this process."""
    passed = [ctypes.c_ulong(one) if isinstance(one, int) else one for one in arguments]
    passed += [ctypes.c_ulong(0)] * (4 - len(passed))
    return _checked(f"prctl {option}", _libc.prctl(ctypes.c_int(option), *passed))


def unshare(flags: int) -> None:
    """Gives this process namespaces of its own."""
    _checked("unshare", _libc.unshare(ctypes.c_int(flags)))


def mount(source: str, target: str, kind: str | None, flags: int, options: str = "") -> None:
    """Mounts a new file system, or changes how one spreads."""
    done = _libc.mount(
        os.fsencode(source),
        os.fsencode(target),
        os.fsencode(kind) if kind else None,
        ctypes.c_ulong(flags),
        os.fsencode(options) if options else None,
    )
    _checked(f"mount {target}", done)


def unmount(target: str) -> None:
    """Lets go of a mount and all below it; what is in use goes when it is no longer."""
    _checked(f"umount {target}", _libc.umount2(os.fsencode(target), ctypes.c_int(MNT_DETACH)))


def pivot_root(new: str, old: str) -> None:
    """Makes `new` the root, and puts the old one at `old`."""
    call("pivot_root", os.fsencode(new), os.fsencode(old))


def clone_tree(path: str) -> int:
    """Returns a descriptor of a copy of all that is mounted at a path and below; a link is not followed."""
    flags = _OPEN_TREE_CLONE | os.O_CLOEXEC | _AT_RECURSIVE | _AT_SYMLINK_NOFOLLOW
    return call("open_tree", _AT_FDCWD, os.fsencode(path), flags)


def set_attributes(descriptor: int, on: int) -> None:
    """Adds attributes to a copy of mounts, the whole copy at once. Since Linux 5.12."""
    _set_attributes(descriptor, b"", _AT_EMPTY_PATH | _AT_RECURSIVE, on)


def seal(path: str) -> None:
    """Makes one mount read-only, not those below it."""
    _set_attributes(_AT_FDCWD, os.fsencode(path), 0, ATTR_RDONLY)


def _set_attributes(descriptor: int, path: bytes, flags: int, on: int) -> None:
    attributes = (ctypes.c_uint64 * 4)(on, 0, 0, 0)
    call("mount_setattr", descriptor, path, flags, ctypes.byref(attributes), ctypes.sizeof(attributes))


def attach(descriptor: int, path: str) -> None:
    """Puts a copy of mounts at a path."""
    call("move_mount", descriptor, b"", _AT_FDCWD, os.fsencode(path), _MOVE_MOUNT_F_EMPTY_PATH)


def drop_capabilities() -> None:
    """Gives up every capability for good: the bounding set, the ambient set, those that we have, and uid 0's."""
    highest = int(_read("/proc/sys/kernel/cap_last_cap")) if os.path.exists("/proc/sys/kernel/cap_last_cap") else 40  # noqa: PTH110 - no pathlib in the keeper
    for capability in range(highest + 1):
        try:
            prctl(24, capability)  # PR_CAPBSET_DROP
        except OSError:
            # Without CAP_SETPCAP none can be dropped, and none could be gained either: `no_new_privs` sees to that.
            break
    with contextlib.suppress(OSError):
        # SECBIT_NOROOT, NO_SETUID_FIXUP, KEEP_CAPS off, NO_CAP_AMBIENT_RAISE, each locked.
        prctl(28, 0b11101111)
    prctl(47, 4)  # PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # _LINUX_CAPABILITY_VERSION_3, ourselves
    call("capset", ctypes.byref(header), ctypes.byref((ctypes.c_uint32 * 6)()))


def forbid_new_privileges() -> None:
    """Keeps this process and all that it starts from gaining rights by starting a program."""
    prctl(38, 1)


def _read(path: str) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, 4096)
    finally:
        os.close(descriptor)


def _checked(name: str, result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
    return result
