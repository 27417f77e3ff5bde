"""The canary: a process that really tries to get out, run inside a cage before anything else is; and who looks on.

Nothing is believed that a backend says of itself. Outside are a file, a listener of each kind and a process, made for
this; inside, each is attacked. What counts is what arrived outside. Standard library only: `attack` runs isolated.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agentos_lsp.effects.process.sandbox.backends import Backend

WORDS = {
    "write": "writes outside the worktree",
    "secret": "reading secrets",
    "tcp": "TCP to this machine and the network",
    "udp": "UDP",
    "abstract": "abstract sockets",
    "socket": "sockets with a path",
    "signal": "signals to other processes",
    "work": "writing in the worktree",
    "loopback": "servers on the session's own loopback",
}
"""What each attempt stands for, when it did not end as it should."""

_TIMEOUT_S = 20
_LONGEST = 85  # Source: unix(7), a path of at most 107 bytes, less what is added here.
_SECRET = "canary-6b1f"  # noqa: S105 - planted to be found
_PARENT = str(Path(__file__).resolve().parents[4])
_CODE = (
    f"import sys; sys.path.append({_PARENT!r}); from agentos_lsp.effects.process.sandbox import canary; canary.attack()"
)


def probe(backend: Backend, folder: Path) -> tuple[str, ...]:
    """Runs the canary in a cage, and returns the attempts that did not end as they should, by their keys in `WORDS`.

    Args:
        backend: Who makes the cage.
        folder: Where the canary's own files are made and removed; must be this user's alone.

    Raises:
        OSError: The cage could not be made, or nothing came back out of it; says why.
    """
    from agentos_lsp.effects.process.sandbox.plan import Place  # noqa: PLC0415 - the attacker starts without

    with contextlib.ExitStack() as stack:
        # The path of a socket is short: where the folder's is not, the canary lives with the other temporary files.
        near = folder if len(str(folder.resolve())) < _LONGEST else None
        at = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="canary-", dir=near))).resolve()
        for name in ("state/worktree", "state/scratch", "home/.ssh", "outside"):
            (at / name).mkdir(parents=True)
        (at / "home/.ssh/key").write_text(_SECRET)
        (at / "outside/kept").write_text("kept")
        listeners = {name: stack.enter_context(one) for name, one in _listeners(at).items()}
        victim = subprocess.Popen(["sleep", "60"], stdin=subprocess.DEVNULL)  # noqa: S607 - it only has to be there
        stack.callback(_end, victim)
        place = Place(f"{at}/state/worktree", f"{at}/state/scratch", f"{at}/state", f"{at}/home")
        aims = {
            "work": f"{at}/state/worktree/made",
            "write": [f"{at}/outside/made", f"{at}/outside/kept"],
            "secret": f"{at}/home/.ssh/key",
            "tcp": listeners["tcp"].getsockname()[1],
            "udp": listeners["udp"].getsockname()[1],
            "abstract": listeners["abstract"].getsockname()[1:].decode(),
            "socket": str(at / "s"),
            "signal": victim.pid,
        }
        told = _send(backend, place, aims)
        wrong = {name for name in ("work", "loopback") if not told.get(name)}
        if (at / "outside/made").exists() or (at / "outside/kept").read_text() != "kept":
            wrong.add("write")
        if told.get("secret") == _SECRET:
            wrong.add("secret")
        wrong |= {name for name, one in listeners.items() if _heard(one)}
        with contextlib.suppress(subprocess.TimeoutExpired):
            victim.wait(0.05 if told.get("signalled") else 0)
            wrong.add("signal")
        if not (at / "state/worktree/made").exists():
            wrong.add("work")
    return tuple(name for name in WORDS if name in wrong)


def _send(backend: Backend, place: Any, aims: dict[str, Any]) -> dict[str, Any]:  # noqa: ANN401 - a Place; see `probe`
    cage = backend.cage(place)
    try:
        done = subprocess.run(
            [*cage.wrapper, sys.executable, "-I", "-S", "-X", "utf8", "-c", _CODE],
            input=json.dumps({"wish": cage.wish, "aims": aims}).encode(),
            capture_output=True,
            timeout=_TIMEOUT_S,
            cwd="/",
            env={name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ},
            start_new_session=True,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise OSError("the canary did not come back") from error
    try:
        told: dict[str, Any] = json.loads(done.stdout)
    except ValueError as error:
        last = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:] or ["nothing came back"]
        raise OSError(last[0]) from error
    if "why" in told:
        raise OSError(str(told["why"]))
    return told


def _listeners(at: Path) -> dict[str, socket.socket]:
    found = {
        "tcp": socket.socket(socket.AF_INET, socket.SOCK_STREAM),
        "udp": socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
        "socket": socket.socket(socket.AF_UNIX, socket.SOCK_STREAM),
        "abstract": socket.socket(socket.AF_UNIX, socket.SOCK_STREAM),
    }
    found["tcp"].bind(("127.0.0.1", 0))
    found["udp"].bind(("127.0.0.1", 0))
    found["socket"].bind(str(at / "s"))
    found["abstract"].bind(f"\0agentos-canary-{os.getpid()}-{id(at):x}" if sys.platform == "linux" else "")
    for name, one in found.items():
        one.setblocking(False)
        if name != "udp":
            one.listen(8)
    return found


def _heard(listener: socket.socket) -> bool:
    with contextlib.suppress(BlockingIOError):
        if listener.type == socket.SOCK_DGRAM:
            return bool(listener.recv(16))
        listener.accept()[0].close()
        return True
    return False


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


def attack() -> None:
    """Enters the cage that standard input describes, tries everything, and says what it could see."""
    from agentos_lsp.effects.process.sandbox import inside  # noqa: PLC0415 - not for those who only look on

    given = json.load(sys.stdin)
    aims = given["aims"]
    try:
        inside.confine(given["wish"])
    except OSError as error:
        sys.stdout.write(json.dumps({"why": error.strerror or str(error)}))
        return
    told: dict[str, object] = {"work": False, "loopback": False, "signalled": False}
    with contextlib.suppress(OSError):
        _put(aims["work"])
        told["work"] = True
    for path in aims["write"]:
        with contextlib.suppress(OSError):
            _put(path)
    with contextlib.suppress(OSError):
        told["secret"] = Path(aims["secret"]).read_text("utf-8")
    _call(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", aims["tcp"]))
    _call(socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", aims["udp"]))
    _call(socket.AF_UNIX, socket.SOCK_STREAM, f"\0{aims['abstract']}")
    _call(socket.AF_UNIX, socket.SOCK_STREAM, aims["socket"])
    with contextlib.suppress(OSError):
        os.kill(aims["signal"], signal.SIGTERM)
        told["signalled"] = True
    with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname(), timeout=2).close()
        told["loopback"] = True
    sys.stdout.write(json.dumps(told))


def _put(path: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.write(descriptor, b"out")
    os.close(descriptor)


def _call(family: int, kind: int, address: object) -> None:
    with contextlib.suppress(OSError), socket.socket(family, kind) as one:
        one.settimeout(2)
        one.connect(address)  # type: ignore[arg-type]  # as each family takes it
        one.send(b"out")
