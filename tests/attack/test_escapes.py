"""Every escape is tried in a real cage of each backend, and nothing arrives outside.

The attempts are in `tests/attack/inside`. Here are their aims: canaries of this test's own, looked at afterwards.
"""

# A test may look at small files, and waits for what another process does.
# ruff: noqa: ASYNC240

import contextlib
import ctypes
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from agentos_lsp.effects.process.sandbox import backends
from tests.attack.inside import run as inside
from tests.effects.process.sandbox.conftest import Jail, working

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the attempts are written for Linux")

ROOT = Path(__file__).resolve().parents[2]
SECRETS = (
    "home/.aws/credentials",
    "home/.config/gh/hosts.yml",
    "home/.npmrc",
    "home/.netrc",
    "home/.local/share/keyrings/login.keyring",
    "home/.mozilla/profile/logins.json",
    "home/.bash_history",
    "home/.claude/.credentials.json",
    "home/notes/diary",
    "home/dotfiles/kube/config",
    "state/events.db",
    "state/trace.key",
    "state/worktrees/repo/two/file",
)
TOOLS = {
    "bash": "exec 3<>/dev/tcp/127.0.0.1/{tcp}; echo x >&3",
    "bash by UDP": "echo x > /dev/udp/127.0.0.1/{udp}",
    "curl": "curl -s -m 2 http://127.0.0.1:{tcp}/",
    "curl by a socket": "curl -s -m 2 --unix-socket {socket} http://localhost/",
    "wget": "wget -q -T 2 -t 1 -O- http://127.0.0.1:{tcp}/",
    "nc": "echo x | nc -w 2 127.0.0.1 {tcp}",
    "socat": "echo x | socat - TCP:127.0.0.1:{tcp}",
    "telnet": "echo x | telnet 127.0.0.1 {tcp}",
    "openssl": "openssl s_client -connect 127.0.0.1:{tcp} < /dev/null",
    "ssh": "ssh -o BatchMode=yes -o ConnectTimeout=2 -p {tcp} 127.0.0.1 true",
    "git": "git ls-remote git://127.0.0.1:{tcp}/canary",
    "git by http": "git ls-remote http://127.0.0.1:{tcp}/canary",
    "perl": "perl -MIO::Socket::INET -e 'IO::Socket::INET->new(PeerAddr=>\"127.0.0.1:{tcp}\",Timeout=>2) or die'",
    "ruby": "ruby -rsocket -e 'TCPSocket.new(\"127.0.0.1\", {tcp})'",
    "php": "php -r 'fsockopen(\"127.0.0.1\", {tcp});'",
    "node": 'node -e \'require("net").connect({tcp}, "127.0.0.1").on("connect", () => process.exit())\'',
    "python": "python3 -c 'import socket; socket.create_connection((\"127.0.0.1\", {tcp}), 2)'",
    "rsync": "rsync --timeout=2 rsync://127.0.0.1:{tcp}/canary .",
    "pip": "pip download --no-deps --retries 0 --timeout 2 -i http://127.0.0.1:{tcp}/ canary",
    "npm": "npm view canary --registry http://127.0.0.1:{tcp}/ --fetch-retries 0",
}
"""How tools and languages would reach the network: each aims at a listener of ours."""


class Outside:
    """The canaries around a cage: what is planted, who listens, and whom an escape could hurt."""

    def __init__(self, jail: Jail, stack: contextlib.ExitStack) -> None:
        self.jail = jail
        for name in SECRETS:
            file = jail.folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("canary-secret\n")
        (jail.home / ".kube").symlink_to(jail.home / "dotfiles" / "kube")
        (jail.home / ".profile").write_text("kept\n")
        (jail.home / ".gitconfig").write_text("")
        (jail.home / ".config" / "tool").mkdir()
        (jail.outside / "empty").mkdir()
        os.mkfifo(jail.outside / "fifo")
        self.listeners = {
            "tcp": self._bound(stack, socket.AF_INET, socket.SOCK_STREAM, ("0.0.0.0", 0)),
            "udp": self._bound(stack, socket.AF_INET, socket.SOCK_DGRAM, ("0.0.0.0", 0)),
            "abstract": self._bound(stack, socket.AF_UNIX, socket.SOCK_STREAM, f"\0canary-{os.getpid()}-{id(self)}"),
            "abstract-datagram": self._bound(
                stack, socket.AF_UNIX, socket.SOCK_DGRAM, f"\0canary-datagram-{os.getpid()}-{id(self)}"
            ),
            "socket": self._bound(stack, socket.AF_UNIX, socket.SOCK_STREAM, str(jail.folder / "s")),
            "state-socket": self._bound(stack, socket.AF_UNIX, socket.SOCK_STREAM, str(jail.folder / "state" / "s")),
        }
        self.victim = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", "import time; time.sleep(600)", "canary-victim"],
            env={"CANARY": "canary-secret"},
            start_new_session=True,
        )
        stack.callback(self.victim.wait)
        stack.callback(self.victim.kill)
        libc = ctypes.CDLL(None)
        self.shm = libc.shmget(0, 4096, 0o1600)
        stack.callback(libc.shmctl, self.shm, 0, None)
        self.shm_file = Path(f"/dev/shm/agentos-canary-{os.getpid()}-{id(self):x}")
        self.shm_file.write_text("canary-secret\n")
        stack.callback(self.shm_file.unlink)

    def _bound(self, stack, family, kind, address):
        one = stack.enter_context(socket.socket(family, kind))
        one.bind(address)
        one.setblocking(False)
        if kind == socket.SOCK_STREAM:
            one.listen(64)
        return one

    def aims(self) -> dict[str, object]:
        jail = self.jail
        with contextlib.suppress(OSError):
            addresses = sorted({row[4][0] for row in socket.getaddrinfo(socket.gethostname(), None)})
        return {
            "all": str(jail.folder),
            "outside": str(jail.outside),
            "home": str(jail.home),
            "state": str(jail.folder / "state"),
            "other": str(jail.folder / "state/worktrees/repo/two"),
            "worktree": str(jail.worktree),
            "file": str(jail.worktree / "aims.json"),
            "tcp": self.listeners["tcp"].getsockname()[1],
            "udp": self.listeners["udp"].getsockname()[1],
            "addresses": addresses,
            "abstract": self.listeners["abstract"].getsockname()[1:].decode(),
            "abstract-datagram": self.listeners["abstract-datagram"].getsockname()[1:].decode(),
            "socket": str(jail.folder / "s"),
            "victim": self.victim.pid,
            "shm": self.shm,
            "shm-name": self.shm_file.name,
        }

    def heard(self) -> set[str]:
        """Who of the listeners heard anything."""
        found = set()
        for name, one in self.listeners.items():
            with contextlib.suppress(BlockingIOError):
                if one.type == socket.SOCK_DGRAM:
                    one.recv(100)
                else:
                    one.accept()[0].close()
                found.add(name)
        return found

    def look(self) -> dict[str, object]:
        """Everything that an escape could have changed: names, contents, modes, owners, times, attributes."""
        found: dict[str, object] = {}
        places = [self.jail.outside, self.jail.home, self.jail.folder / "state"]
        own = [self.jail.worktree, self.jail.scratch]
        for place in places:
            for path in (place, *place.rglob("*")):
                if any(path == one or one in path.parents for one in own):
                    continue
                status = path.lstat()
                content = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
                times = status.st_mtime_ns if not any(path in one.parents for one in own) else 0
                attributes = os.listxattr(path, follow_symlinks=False)
                found[str(path)] = (status.st_mode, status.st_uid, status.st_nlink, times, content, attributes)
        state = Path(f"/proc/{self.victim.pid}/stat").read_text().rpartition(")")[2].split()
        found["victim"] = (state[0] in "RS", state[16], self.victim.poll())
        return found


@pytest.fixture
def place():
    """A folder that no cage covers, so that it is the rules that hold and not the cover of `/tmp`."""
    near = ROOT / ".cache"
    near.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="a", dir=near))
    yield folder
    shutil.rmtree(folder)


async def attack(jail: Jail) -> tuple[dict[str, str], set[str], dict[str, object], dict[str, object]]:
    """Tries everything; returns what was got, who heard of it, and the canaries before and after."""
    with contextlib.ExitStack() as stack:
        outside = Outside(jail, stack)
        assert await jail.run("true") == (0, "")
        later = jail.home / ".azure" / "token"
        later.parent.mkdir()
        later.write_text("canary-secret\n")
        Path(outside.aims()["file"]).write_text(json.dumps(outside.aims()))
        before = outside.look()
        code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from tests.attack.inside import run; run.main()"
        (jail.worktree / "attack.py").write_text(code)
        done = await jail.run(f"{sys.executable} -I -S attack.py aims.json told.json", seconds=50)
        assert done == (0, "")
        told = json.loads((jail.worktree / "told.json").read_text())
        return {name: words for name, words in told.items() if words}, outside.heard(), before, outside.look()


@pytest.mark.parametrize("name", ["own", "bubblewrap"])
async def test_no_escape_gets_out(place, name):
    if name not in working():
        pytest.skip(f"this machine cannot make a cage: {name}")
    jail = Jail(place, working()[name])
    try:
        got, heard, before, after = await attack(jail)
    finally:
        assert await jail.processes.stop_all() == 0

    assert (got, heard) == ({}, set())
    assert after == before


@pytest.mark.parametrize("name", ["own", "bubblewrap"])
async def test_no_tool_reaches_the_network(place, name):
    if name not in working():
        pytest.skip(f"this machine cannot make a cage: {name}")
    jail = Jail(place, working()[name])
    with contextlib.ExitStack() as stack:
        outside = Outside(jail, stack)
        aims = outside.aims()
        tried = {tool: line for tool, line in TOOLS.items() if shutil.which(tool.split()[0])}
        try:
            for line in tried.values():
                await jail.run(f"timeout 3 {line.format(**aims)} > /dev/null 2>&1", seconds=10)
        finally:
            assert await jail.processes.stop_all() == 0
        assert outside.heard() == set()
    assert {"bash", "git"} <= set(tried)


async def test_the_attempts_work_where_nothing_holds_them(place):
    """An attempt that cannot succeed shows nothing: most must, in the weakest cage that they may be tried in."""
    backend = backends.LandlockAlone()

    class Open:
        """A cage without walls: no rights and no privileges, but everything can be seen and written."""

        def cage(self, where):
            cage = backend.cage(where)
            return backends.Cage((), {**cage.wish, "landlock": {}}, sealed=False)

    jail = Jail(place, Open())
    try:
        got, heard, before, after = await attack(jail)
    finally:
        assert await jail.processes.stop_all() == 0

    expected = {name for name in inside.TRIES if name.startswith(("write_", "attribute_", "read_"))}
    assert {"write_create", "attribute_chmod", "read_ssh_key", "network_tcp", "socket_abstract", "socket_path"} <= set(
        got
    )
    assert len(set(got) & expected) > 50
    assert {"tcp", "udp", "abstract", "abstract-datagram", "socket", "state-socket"} <= heard
    assert after["victim"] != before["victim"]
    assert after != before
