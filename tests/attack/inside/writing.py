"""Writes outside of the worktree, and changes of what is there."""

import array
import ctypes
import fcntl
import mmap
import os
import socket
from pathlib import Path

from tests.attack.inside.common import X86, attempt, checked, libc, syscall


@attempt
def write_create(aim):
    Path(aim["outside"], "made").write_text("x")
    return "made a file"


@attempt
def write_overwrite(aim):
    Path(aim["outside"], "kept").write_text("x")
    return "overwrote"


@attempt
def write_append(aim):
    with Path(aim["outside"], "kept").open("a") as file:
        file.write("x")
    return "appended"


@attempt
def write_truncate(aim):
    os.truncate(f"{aim['outside']}/kept", 0)
    return "truncated"


@attempt
def write_by_open_truncate(aim):
    os.close(os.open(f"{aim['outside']}/kept", os.O_RDONLY | os.O_TRUNC))
    return "truncated by opening"


@attempt
def write_unlink(aim):
    os.unlink(f"{aim['outside']}/kept")
    return "removed"


@attempt
def write_rmdir(aim):
    os.rmdir(f"{aim['outside']}/empty")
    return "removed a folder"


@attempt
def write_mkdir(aim):
    os.mkdir(f"{aim['outside']}/made-folder")
    return "made a folder"


@attempt
def write_rename_inside(aim):
    os.rename(f"{aim['outside']}/kept", f"{aim['outside']}/moved")
    return "renamed"


@attempt
def write_rename_out(aim):
    Path("leaves").write_text("x")
    os.rename("leaves", f"{aim['outside']}/arrived")
    return "renamed out of the worktree"


@attempt
def write_rename_in(aim):
    os.rename(f"{aim['outside']}/kept", "taken")
    return "renamed into the worktree"


@attempt
def write_exchange(aim):
    Path("swap").write_text("x")
    number = 316 if X86 else 276
    return checked(syscall(number, -100, b"swap", -100, f"{aim['outside']}/kept".encode(), 2), "exchanged")


@attempt
def write_hardlink_in(aim):
    os.link(f"{aim['outside']}/kept", "linked")
    Path("linked").write_text("x")
    return "wrote through a hard link"


@attempt
def write_hardlink_out(aim):
    Path("source").write_text("x")
    os.link("source", f"{aim['outside']}/linked-out")
    return "linked out"


@attempt
def write_symlink_made_outside(aim):
    os.symlink("/", f"{aim['outside']}/made-link")
    return "made a link"


@attempt
def write_through_symlink(aim):
    os.symlink(f"{aim['outside']}/kept", "through")
    Path("through").write_text("x")
    return "wrote through a link"


@attempt
def write_through_dangling_symlink(aim):
    os.symlink(f"{aim['outside']}/dangling", "dangles")
    Path("dangles").write_text("x")
    return "made a file through a dangling link"


@attempt
def write_through_folder_symlink(aim):
    os.symlink(aim["outside"], "folder")
    Path("folder/made-through").write_text("x")
    return "wrote through a folder's link"


@attempt
def write_by_dotdot(aim):
    Path(os.path.relpath(aim["outside"]), "dotdot").write_text("x")
    return "wrote by .."


@attempt
def write_through_proc_self_root(aim):
    Path(f"/proc/self/root{aim['outside']}/by-root").write_text("x")
    return "wrote through /proc/self/root"


@attempt
def write_through_proc_self_cwd(aim):
    os.chdir(aim["outside"])
    Path("/proc/self/cwd/by-cwd").write_text("x")
    return "wrote through /proc/self/cwd"


@attempt
def write_by_folder_descriptor(aim):
    folder = os.open(aim["outside"], os.O_RDONLY | os.O_DIRECTORY)
    os.close(os.open("by-descriptor", os.O_CREAT | os.O_WRONLY, dir_fd=folder))
    return "wrote by a folder's descriptor"


@attempt
def write_reopen_through_proc_fd(aim):
    descriptor = os.open(f"{aim['outside']}/kept", os.O_RDONLY)
    os.write(os.open(f"/proc/self/fd/{descriptor}", os.O_WRONLY), b"x")
    return "opened again for writing"


@attempt
def write_mapped(aim):
    descriptor = os.open(f"{aim['outside']}/kept", os.O_RDONLY)
    with mmap.mmap(descriptor, 4, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE) as mapped:
        mapped[:1] = b"x"
    return "wrote through a mapping"


@attempt
def write_mapped_later(aim):
    descriptor = os.open(f"{aim['outside']}/kept", os.O_RDONLY)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
    at = libc.mmap(None, 4096, 1, 1, descriptor, 0)
    checked(libc.mprotect(ctypes.c_void_p(at), ctypes.c_size_t(4096), 3), "")
    return "made a mapping writable"


@attempt
def write_fallocate(aim):
    descriptor = os.open(f"{aim['outside']}/kept", os.O_RDONLY)
    os.posix_fallocate(descriptor, 0, 100)
    return "allocated"


@attempt
def write_copy_file_range(aim):
    Path("from").write_text("x")
    target = os.open(f"{aim['outside']}/kept", os.O_WRONLY)
    os.copy_file_range(os.open("from", os.O_RDONLY), target, 1)
    return "copied"


@attempt
def write_temporary_file_linked(aim):
    descriptor = os.open(aim["outside"], os.O_TMPFILE | os.O_RDWR)
    return f"an unnamed file {descriptor}"


@attempt
def write_fifo(aim):
    os.mkfifo(f"{aim['outside']}/made-fifo")
    return "made a fifo"


@attempt
def write_into_fifo(aim):
    os.write(os.open(f"{aim['outside']}/fifo", os.O_WRONLY | os.O_NONBLOCK), b"x")
    return "wrote into a fifo"


@attempt
def write_socket_file(aim):
    os.chdir(aim["outside"])
    socket.socket(socket.AF_UNIX).bind("made-socket")
    return "bound a socket"


@attempt
def write_in_home(aim):
    Path(aim["home"], ".profile").write_text("x")
    return "wrote a start-up file"


@attempt
def write_new_in_home(aim):
    Path(aim["home"], ".bash_aliases").write_text("x")
    return "made a start-up file"


@attempt
def write_in_home_config(aim):
    Path(aim["home"], ".config", "autostart").mkdir()
    return "made an autostart folder"


@attempt
def write_git_settings(aim):
    with Path(aim["home"], ".gitconfig").open("a") as file:
        file.write("x")
    return "wrote the person's git settings"


@attempt
def write_state(aim):
    Path(aim["state"], "made").write_text("x")
    return "wrote the runtime's state"


@attempt
def write_database(aim):
    Path(aim["state"], "events.db").write_text("x")
    return "wrote the database"


@attempt
def write_other_session(aim):
    Path(aim["other"], "file").write_text("x")
    return "wrote another session's worktree"


@attempt
def write_etc(_aim):
    # It has no name, and is gone when the process is.
    os.close(os.open("/etc", os.O_TMPFILE | os.O_RDWR))
    return "could make a file in /etc"


@attempt
def write_usr(_aim):
    os.close(os.open("/usr", os.O_TMPFILE | os.O_RDWR))
    return "could make a file in /usr"


@attempt
def attribute_chmod(aim):
    os.chmod(f"{aim['outside']}/kept", 0o777)
    return "changed a mode"


@attempt
def attribute_fchmod(aim):
    os.fchmod(os.open(f"{aim['outside']}/kept", os.O_RDONLY), 0o777)
    return "changed a mode by descriptor"


@attempt
def attribute_chmod_through_link(aim):
    os.symlink(f"{aim['outside']}/kept", "chmod-link")
    os.chmod("chmod-link", 0o777)
    return "changed a mode through a link"


@attempt
def attribute_chown(aim):
    os.chown(f"{aim['outside']}/kept", os.getuid(), os.getgid())
    return "changed an owner"


@attempt
def attribute_utime(aim):
    os.utime(f"{aim['outside']}/kept", (1, 1))
    return "changed a time"


@attempt
def attribute_setxattr(aim):
    os.setxattr(f"{aim['outside']}/kept", "user.canary", b"x")
    return "set an attribute"


@attempt
def attribute_flags(aim):
    descriptor = os.open(f"{aim['outside']}/kept", os.O_RDONLY)
    held = array.array("i", [0])
    fcntl.ioctl(descriptor, 0x80086601, held, True)
    fcntl.ioctl(descriptor, 0x40086602, held, False)
    return "set the file's flags"


@attempt
def attribute_setuid_program(_aim):
    Path("program").write_bytes(Path("/bin/true").read_bytes())
    os.chmod("program", 0o6755)
    if os.stat(".").st_dev and os.statvfs(".").f_flag & os.ST_NOSUID == 0:
        return "setuid programs count in the worktree"
    return None
