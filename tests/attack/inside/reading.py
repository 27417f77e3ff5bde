"""Reads of what nobody may read."""

import contextlib
import ctypes
import os
from pathlib import Path

from tests.attack.inside.common import X86, attempt, checked, read, syscall


@attempt
def read_ssh_key(aim):
    return read(f"{aim['home']}/.ssh/key")


@attempt
def read_cloud(aim):
    return read(f"{aim['home']}/.aws/credentials")


@attempt
def read_git_host(aim):
    return read(f"{aim['home']}/.config/gh/hosts.yml")


@attempt
def read_registry(aim):
    return read(f"{aim['home']}/.npmrc")


@attempt
def read_netrc(aim):
    return read(f"{aim['home']}/.netrc")


@attempt
def read_keyring(aim):
    return read(f"{aim['home']}/.local/share/keyrings/login.keyring")


@attempt
def read_browser(aim):
    return read(f"{aim['home']}/.mozilla/profile/logins.json")


@attempt
def read_history(aim):
    return read(f"{aim['home']}/.bash_history")


@attempt
def read_agent_login(aim):
    return read(f"{aim['home']}/.claude/.credentials.json")


@attempt
def read_policy_hidden(aim):
    return read(f"{aim['home']}/notes/diary")


@attempt
def read_linked_settings(aim):
    return read(f"{aim['home']}/dotfiles/kube/config") or read(f"{aim['home']}/.kube/config")


@attempt
def read_database(aim):
    return read(f"{aim['state']}/events.db")


@attempt
def read_trace_key(aim):
    return read(f"{aim['state']}/trace.key")


@attempt
def read_other_session(aim):
    return read(f"{aim['other']}/file")


@attempt
def read_through_dotdot(aim):
    return read(f"{aim['worktree']}/../two/file")


@attempt
def read_through_link(aim):
    os.symlink(f"{aim['home']}/.ssh/key", "key-link")
    return read("key-link")


@attempt
def read_through_hard_link(aim):
    os.link(f"{aim['home']}/.ssh/key", "key-hard")
    return read("key-hard")


@attempt
def read_through_proc_root(aim):
    return read(f"/proc/1/root{aim['home']}/.ssh/key")


@attempt
def read_through_own_proc_root(aim):
    return read(f"/proc/self/root{aim['home']}/.ssh/key")


@attempt
def read_through_keepers_descriptors(_aim):
    for entry in os.listdir("/proc/1/fd"):
        if os.readlink(f"/proc/1/fd/{entry}").startswith("/"):
            return f"the keeper's descriptor {entry}"
    return None


@attempt
def read_keepers_memory(_aim):
    os.close(os.open("/proc/1/mem", os.O_RDONLY))
    return "opened the keeper's memory"


@attempt
def read_keepers_environment(_aim):
    return f"{len(Path('/proc/1/environ').read_bytes())} bytes of the keeper's environment"


@attempt
def read_by_search(aim):
    """Looks for the words in everything below the canaries' own folder that can be seen."""
    for folder, _, names in os.walk(aim["all"]):
        for name in names:
            with contextlib.suppress(OSError):
                path = Path(folder, name)
                if path.is_file() and path != Path(aim["file"]) and b"canary-secret" in path.read_bytes():
                    return f"found {path}"
    return None


@attempt
def read_shadow(_aim):
    return f"read {len(Path('/etc/shadow').read_bytes())} bytes of /etc/shadow"


@attempt
def read_kernel_memory(_aim):
    for path in ("/dev/mem", "/dev/kmem", "/dev/port", "/proc/kcore"):
        with contextlib.suppress(OSError):
            if os.read(os.open(path, os.O_RDONLY), 1):
                return f"read {path}"
    return None


@attempt
def read_kernel_log(_aim):
    return f"{len(os.read(os.open('/dev/kmsg', os.O_RDONLY | os.O_NONBLOCK), 8000))} bytes of the kernel's log"


@attempt
def read_kernel_log_by_call(_aim):
    held = ctypes.create_string_buffer(4096)
    return checked(syscall(103 if X86 else 116, 3, held, 4096), "read the kernel's log")


@attempt
def read_secret_that_came_later(aim):
    return read(f"{aim['home']}/.azure/token")
