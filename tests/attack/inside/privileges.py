"""The kernel: namespaces, privileges, and calls that lead out."""

import contextlib
import ctypes
import errno
import fcntl
import os
import socket
import struct
import time
from pathlib import Path

from tests.attack.inside.common import X86, attempt, checked, libc, syscall


@attempt
def kernel_user_namespace(_aim):
    return checked(libc.unshare(0x10000000), "a user namespace")


@attempt
def kernel_user_and_mount_namespace(_aim):
    return checked(libc.unshare(0x10020000), "a user and a mount namespace")


@attempt
def kernel_other_namespaces(_aim):
    for flag in (0x00020000, 0x20000000, 0x40000000, 0x08000000, 0x04000000, 0x02000000, 0x80):
        if libc.unshare(flag) == 0:
            return f"a namespace {flag:x}"
    return None


@attempt
def kernel_namespace_by_clone(_aim):
    pid = syscall(56 if X86 else 220, 0x10000000 | 17, 0, 0, 0, 0)
    if pid == 0:
        os._exit(0)
    return checked(pid, "a user namespace by clone")


@attempt
def kernel_namespace_by_clone3(_aim):
    held = (ctypes.c_uint64 * 11)(0x10000000, 0, 0, 0, 17)
    pid = syscall(435, held, ctypes.sizeof(held))
    if pid == 0:
        os._exit(0)
    return checked(pid, "a user namespace by clone3")


@attempt
def kernel_enter_namespace(_aim):
    return checked(libc.setns(os.open("/proc/self/ns/user", os.O_RDONLY), 0), "entered a namespace")


@attempt
def kernel_enter_by_process(_aim):
    return checked(libc.setns(os.pidfd_open(os.getppid()), 0x00020000), "entered a namespace by a process")


@attempt
def kernel_keyring(_aim):
    number = 250 if X86 else 219
    return checked(syscall(number, 0, -3, 0), "a keyring")


@attempt
def kernel_add_key(_aim):
    return checked(syscall(248 if X86 else 217, b"user", b"canary", b"x", 1, -3), "added a key")


@attempt
def kernel_bpf(_aim):
    held = ctypes.create_string_buffer(128)
    if syscall(321 if X86 else 280, 0, held, 128) >= 0 or ctypes.get_errno() != errno.EPERM:
        return f"bpf answers {ctypes.get_errno()}"
    return None


@attempt
def kernel_perf(_aim):
    held = ctypes.create_string_buffer(struct.pack("II", 1, 128), 128)
    return checked(syscall(298 if X86 else 241, held, 0, -1, -1, 0), "performance events")


@attempt
def kernel_userfaultfd(_aim):
    return checked(syscall(323 if X86 else 282, 1), "userfaultfd")


@attempt
def kernel_io_uring(_aim):
    held = ctypes.create_string_buffer(120)
    return checked(syscall(425, 4, held), "io_uring")


@attempt
def kernel_file_handles(aim):
    held = ctypes.create_string_buffer(struct.pack("Ii", 128, 0) + bytes(128), 136)
    mount_id = ctypes.c_int()
    path = aim["outside"].encode()
    syscall(303 if X86 else 264, -100, path, held, ctypes.byref(mount_id), 0)
    descriptor = os.open(aim["outside"], os.O_RDONLY)
    return checked(syscall(304 if X86 else 265, descriptor, held, os.O_RDONLY), "opened by handle")


@attempt
def kernel_modules(_aim):
    if syscall(313 if X86 else 273, -1, b"", 0) >= 0 or ctypes.get_errno() != errno.EPERM:
        return f"modules answer {ctypes.get_errno()}"
    return None


@attempt
def kernel_kexec(_aim):
    if syscall(246 if X86 else 104, 0, 0, None, 0) >= 0 or ctypes.get_errno() != errno.EPERM:
        return f"kexec answers {ctypes.get_errno()}"
    return None


@attempt
def kernel_other_architecture(_aim):
    """The x32 calls have numbers of their own."""
    if not X86:
        return None
    found = syscall(0x40000000 + 39)
    return None if found < 0 else "an x32 call"


@attempt
def kernel_clock(_aim):
    # The time is set to what it is, should it work.
    time.clock_settime(time.CLOCK_REALTIME, time.clock_gettime(time.CLOCK_REALTIME))
    return "set the clock"


@attempt
def kernel_host_name(_aim):
    socket.sethostname(socket.gethostname())
    return "set the host's name"


@attempt
def kernel_capabilities(_aim):
    rows = dict(line.split(":\t") for line in Path("/proc/self/status").read_text().splitlines() if ":\t" in line)
    held = {name: rows[name] for name in ("CapInh", "CapPrm", "CapEff", "CapAmb") if int(rows[name], 16)}
    return f"capabilities {held}" if held else None


@attempt
def kernel_become_another(_aim):
    for uid in (0, 1, 65534):
        if uid != os.getuid():
            with contextlib.suppress(OSError):
                os.setuid(uid)
                return f"became {uid}"
    return None


@attempt
def kernel_drop_groups(_aim):
    os.setgroups([])
    return "changed its groups"


def counts_no_setuid(path):
    return os.statvfs(path).f_flag & os.ST_NOSUID != 0


@attempt
def kernel_setuid_program(_aim):
    for program in ("/usr/bin/su", "/usr/bin/sudo", "/usr/bin/passwd", "/usr/bin/mount", "/usr/bin/newgrp"):
        if os.path.exists(program) and os.stat(program).st_mode & 0o4000 and not counts_no_setuid(program):
            return f"{program} counts"
    return None


@attempt
def kernel_terminal_injection(_aim):
    primary, secondary = os.openpty()
    try:
        fcntl.ioctl(secondary, 0x5412, b"x")
    except OSError as error:
        return None if error.errno in {errno.EPERM, errno.EIO} else f"TIOCSTI answers {error}"
    finally:
        os.close(primary)
    return "typed into a terminal"


@attempt
def kernel_terminal_selection(_aim):
    _, secondary = os.openpty()
    try:
        fcntl.ioctl(secondary, 0x541C, b"\x02")
    except OSError as error:
        return None if error.errno == errno.EPERM else f"TIOCLINUX answers {error}"
    return "read a terminal"


@attempt
def kernel_limits_raised(_aim):
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    return f"raised a limit from {soft}, {hard}"


@attempt
def kernel_core_dump(_aim):
    import resource

    return "cores are dumped" if resource.getrlimit(resource.RLIMIT_CORE)[1] else None
