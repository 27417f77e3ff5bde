"""A filter of system calls, made by hand; standard library only, for the keeper.

It takes away what a build or a test never needs and an escape does: new namespaces and mounts, keyrings, eBPF,
performance events, `userfaultfd`, `io_uring`, kernel modules, file handles, terminal injection, socket families that
no network namespace holds, and system calls of another architecture.

Source: Linux include/uapi/linux/{filter,seccomp,audit}.h, asm/unistd.h of x86-64 and of the generic table (aarch64).
"""

from __future__ import annotations

import ctypes
import struct

from agentos_lsp.effects.process.sandbox import kernel

_AUDIT = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
# The number on x86-64, and on aarch64.
_NUMBERS: dict[str, tuple[int, int]] = {
    "acct": (163, 89),
    "add_key": (248, 217),
    "bpf": (321, 280),
    "chroot": (161, 51),
    "delete_module": (176, 106),
    "fanotify_init": (300, 262),
    "finit_module": (313, 273),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fsopen": (430, 430),
    "fspick": (433, 433),
    "init_module": (175, 105),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "io_uring_setup": (425, 425),
    "kexec_file_load": (320, 294),
    "kexec_load": (246, 104),
    "keyctl": (250, 219),
    "lookup_dcookie": (212, 18),
    "mount": (165, 40),
    "mount_setattr": (442, 442),
    "move_mount": (429, 429),
    "open_by_handle_at": (304, 265),
    "open_tree": (428, 428),
    "perf_event_open": (298, 241),
    "pivot_root": (155, 41),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "reboot": (169, 142),
    "request_key": (249, 218),
    "setns": (308, 268),
    "swapoff": (168, 225),
    "swapon": (167, 224),
    "syslog": (103, 116),
    "umount2": (166, 39),
    "userfaultfd": (323, 282),
    "vhangup": (153, 58),
}
_CLONE = (56, 220)
_CLONE3 = (435, 435)
_UNSHARE = (272, 97)
_IOCTL = (16, 29)
_SOCKET = (41, 198)
_NEW_ANYTHING = (
    kernel.NEW_USER
    | kernel.NEW_NS
    | kernel.NEW_PID
    | kernel.NEW_NET
    | kernel.NEW_IPC
    | kernel.NEW_UTS
    | kernel.NEW_CGROUP
    | 0x80  # CLONE_NEWTIME, which `clone` takes for a part of the exit signal
)
_TERMINAL_INJECTIONS = (0x5412, 0x541C)  # TIOCSTI, TIOCLINUX
_FAMILIES = (1, 2, 10, 16)  # AF_UNIX, AF_INET, AF_INET6, AF_NETLINK

_EPERM, _ENOSYS, _EAFNOSUPPORT = 1, 38, 97
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _ERRNO, _KILL = 0x7FFF0000, 0x50000, 0x80000000
_NUMBER_AT, _ARCHITECTURE_AT, _FIRST_AT, _SECOND_AT = 0, 4, 16, 24


def is_known() -> bool:
    """Tells whether there is a filter for this machine's architecture."""
    return kernel.MACHINE in _AUDIT


def program() -> bytes:
    """Returns the filter for this machine.

    Raises:
        OSError: There is none for this architecture.
    """
    if not is_known():
        raise OSError(_ENOSYS, f"no system call filter for {kernel.MACHINE}")
    column = 0 if kernel.MACHINE == "x86_64" else 1
    parts = [
        _one(_LOAD, 0, 0, _ARCHITECTURE_AT),
        _one(_EQUAL, 1, 0, _AUDIT[kernel.MACHINE]),
        _one(_RETURN, 0, 0, _KILL),
        _one(_LOAD, 0, 0, _NUMBER_AT),
    ]
    if column == 0:
        # The x32 calls have numbers of their own, and would pass by all that follows.
        parts += [_one(_AT_LEAST, 0, 1, 0x40000000), _error(_ENOSYS)]
    # The only common call whose arguments are looked at comes first; the kernel remembers what it lets pass of others.
    injections = [row for request in _TERMINAL_INJECTIONS for row in (_one(_EQUAL, 0, 1, request), _error(_EPERM))]
    parts += _where(_IOCTL[column], _SECOND_AT, [*injections, _one(_RETURN, 0, 0, _ALLOW)])
    for numbers in _NUMBERS.values():
        parts += [_one(_EQUAL, 0, 1, numbers[column]), _error(_EPERM)]
    # Its flags are behind a pointer, where a filter cannot look; libraries fall back to `clone`.
    parts += [_one(_EQUAL, 0, 1, _CLONE3[column]), _error(_ENOSYS)]
    parts += _where(_CLONE[column], _FIRST_AT, [_one(_ANY_BIT, 0, 1, _NEW_ANYTHING & ~0x80), _error(_EPERM)])
    parts += _where(_UNSHARE[column], _FIRST_AT, [_one(_ANY_BIT, 0, 1, _NEW_ANYTHING), _error(_EPERM)])
    families = [_one(_EQUAL, len(_FAMILIES) - at, 0, family) for at, family in enumerate(_FAMILIES)]
    parts += _where(_SOCKET[column], _FIRST_AT, [*families, _error(_EAFNOSUPPORT)])
    return b"".join([*parts, _one(_RETURN, 0, 0, _ALLOW)])


def install() -> None:
    """Puts the filter on this process and all that it starts, for good; `no_new_privs` must be set.

    Raises:
        OSError: There is none for this architecture, or the kernel takes none.
    """
    rows = program()
    held = ctypes.create_string_buffer(rows, len(rows))
    header = struct.pack("@HP", len(rows) // 8, ctypes.addressof(held))
    kernel.prctl(22, 2, ctypes.create_string_buffer(header, len(header)))  # PR_SET_SECCOMP, SECCOMP_MODE_FILTER


def _where(number: int, at: int, rows: list[bytes]) -> list[bytes]:
    """Returns rows that are asked of one system call only, with one of its arguments loaded (its lower half)."""
    return [
        _one(_EQUAL, 0, len(rows) + 2, number),
        _one(_LOAD, 0, 0, at),
        *rows,
        _one(_LOAD, 0, 0, _NUMBER_AT),
    ]


def _error(number: int) -> bytes:
    return _one(_RETURN, 0, 0, _ERRNO | number)


def _one(code: int, if_true: int, if_false: int, value: int) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)
