"""The kernel: its settings, devices and mounts."""

import contextlib
import os

from tests.attack.inside.common import X86, attempt, checked, libc, opens, syscall


@attempt
def kernel_core_pattern(_aim):
    return opens("/proc/sys/kernel/core_pattern")


@attempt
def kernel_modprobe(_aim):
    return opens("/proc/sys/kernel/modprobe")


@attempt
def kernel_any_setting(_aim):
    for folder, _, names in os.walk("/proc/sys"):
        for name in names:
            with contextlib.suppress(OSError):
                return opens(f"{folder}/{name}")
    return None


@attempt
def kernel_sysrq(_aim):
    return opens("/proc/sysrq-trigger")


@attempt
def kernel_uevent_helper(_aim):
    return opens("/sys/kernel/uevent_helper")


@attempt
def kernel_binary_formats(_aim):
    return opens("/proc/sys/fs/binfmt_misc/register")


@attempt
def kernel_sys_files(_aim):
    for path in (
        "/sys/power/state",
        "/sys/kernel/mm/transparent_hugepage/enabled",
        "/sys/module/kernel/parameters/panic",
    ):
        with contextlib.suppress(OSError):
            return opens(path)
    return None


@attempt
def kernel_cgroups(_aim):
    for folder, _, names in os.walk("/sys/fs/cgroup"):
        for name in names:
            if name in {"cgroup.procs", "release_agent", "notify_on_release", "memory.max", "pids.max"}:
                with contextlib.suppress(OSError):
                    return opens(f"{folder}/{name}")
    return None


@attempt
def kernel_block_devices(_aim):
    for name in os.listdir("/dev"):
        if name.startswith(("sd", "vd", "nvme", "xvd", "loop", "dm-", "mem", "kvm", "fuse")):
            with contextlib.suppress(OSError):
                os.close(os.open(f"/dev/{name}", os.O_RDONLY))
                return f"opened /dev/{name}"
    return None


@attempt
def kernel_make_device(_aim):
    os.mknod("device", 0o600 | 0o060000, os.stat("/").st_dev)
    return "made a device"


@attempt
def kernel_make_device_in_shm(_aim):
    os.mknod("/dev/shm/device", 0o600 | 0o020000, os.makedev(1, 1))
    return "made a memory device"


@attempt
def kernel_mount(_aim):
    os.makedirs("mounted", exist_ok=True)
    return checked(libc.mount(b"tmpfs", b"mounted", b"tmpfs", 0, None), "mounted")


@attempt
def kernel_bind(aim):
    os.makedirs("bound", exist_ok=True)
    return checked(libc.mount(aim["outside"].encode(), b"bound", None, 4096, None), "bound")


@attempt
def kernel_remount(aim):
    return checked(libc.mount(None, aim["outside"].encode(), None, 32 | 4096, None), "remounted")


@attempt
def kernel_unmount(aim):
    return checked(libc.umount2(aim["state"].encode(), 2), "unmounted a cover")


@attempt
def kernel_new_mount_calls(_aim):
    for number in (428, 430, 433, 442):
        if syscall(number, -100, b"/", 0, 0, 0) >= 0:
            return f"call {number} of the new mount interface"
    return None


@attempt
def kernel_pivot(_aim):
    return checked(syscall(155 if X86 else 41, b".", b"."), "changed the root")


@attempt
def kernel_chroot(_aim):
    os.chroot(".")
    return "changed the root"
