"""On an operating system that has no folder descriptors, nothing crashes at import and the words say what to do."""

import subprocess
import sys
from pathlib import Path

from agentos_lsp.effects.files import tree

SCRIPT = """
import asyncio, ctypes, json, os, select, signal, socket, subprocess, sys
for name in ("O_NOFOLLOW", "O_DIRECTORY", "O_CLOEXEC", "O_NONBLOCK", "O_NOCTTY", "fchmod", "mkfifo", "posix_spawn"):
    delattr(os, name)
for name in ("SIGCHLD", "SIGHUP", "SIGKILL", "SIGSTOP", "SIGPIPE", "SIGQUIT", "SIGTSTP", "SIGTTIN", "SIGXFSZ"):
    delattr(signal, name)
for name in ("send_fds", "recv_fds"):
    delattr(socket, name)
os.supports_dir_fd = set()
sys.platform = "win32"
from agentos_lsp.domain.errors import UserError
from agentos_lsp.effects.files import beneath, names, outcomes, removal, text, tree
from agentos_lsp.effects.process import commands, environment, keeper, link, output
try:
    tree.ConfinedTree(".")
except UserError as error:
    print(error)
try:
    asyncio.run(commands.Processes("mark").open())
except UserError as error:
    print(error)
"""


def test_an_operating_system_without_folder_descriptors_is_refused_with_words():
    done = subprocess.run(
        [
            sys.executable,
            "-I",
            "-c",
            f"import sys; sys.path.insert(0, {str(Path(tree.__file__).parents[3])!r})" + SCRIPT,
        ],
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout == (
        "Confined file access is not supported on this operating system yet. "
        "Run agentos-lsp on Linux or macOS, or under WSL.\n"
        "Commands are not supported on Windows yet. Run agentos-lsp on Linux or macOS, or under WSL.\n"
    )
