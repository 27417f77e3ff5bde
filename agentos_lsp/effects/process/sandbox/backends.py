"""The ways to confine a session, behind one small interface: our own, bubblewrap, Landlock alone, macOS Seatbelt."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

from agentos_lsp.effects.process.sandbox import landlock, seatbelt
from agentos_lsp.effects.process.sandbox import plan as plans

if TYPE_CHECKING:
    from agentos_lsp.effects.process.sandbox.plan import Place


@dataclass(frozen=True, slots=True)
class Cage:
    """How a keeper is started so that it is confined.

    Args:
        wrapper: What it is started by.
        wish: What it does to itself first; see `inside.confine`.
        sealed: Whether it is the first process of a pid namespace, so that all ends with it.
    """

    wrapper: tuple[str, ...]
    wish: dict[str, Any]
    sealed: bool


class Backend(Protocol):
    """One way to confine."""

    @property
    def name(self) -> str:
        """What it is called on pages."""
        ...

    @property
    def gaps(self) -> tuple[str, ...]:
        """What it never holds, in words, whatever the canary saw."""
        ...

    @property
    def hides(self) -> bool:
        """Whether something else can be shown in a place than what is there."""
        ...

    def cage(self, place: Place) -> Cage:
        """Works out the cage for one session, as the file system is now.

        Raises:
            OSError: It cannot be had on this machine.
        """
        ...


_DISK = "what is written to the worktree's disk in the quarter of a second before a limit (`disk_mb`) is noticed"
_COUNT = "how many processes there are"
_SOCKETS = "a socket with a path that is made after the session's start, outside of /tmp, /run and the home folder"


class Namespaces:
    """Our own cage of namespaces, with Landlock and a system call filter inside; needs nothing but the kernel."""

    hides = True

    def __init__(self, *, user: bool = True) -> None:
        self._user = user

    @property
    def name(self) -> str:
        """What it is called on pages."""
        layers = ["namespaces", *(["Landlock"] if landlock.abi() >= landlock.SCOPED_SINCE else []), "seccomp"]
        return ", ".join(layers) if self._user else ", ".join([*layers, "as root without a user namespace"])

    @property
    def gaps(self) -> tuple[str, ...]:
        """What it never holds."""
        return (_DISK, _SOCKETS)

    def cage(self, place: Place) -> Cage:
        """Works out the cage; the keeper makes it."""
        plan = plans.Plan(place)
        wish = plans.wish(plan, place.limits, "keeper", user=self._user)
        return Cage((), wish, sealed=True)


class Bubblewrap:
    """The same cage, made by bubblewrap around the keeper; Landlock and the filter are the keeper's own."""

    hides = True

    def __init__(self, program: str, empty: str | None = None) -> None:
        self._program = program
        self._empty = empty

    @property
    def name(self) -> str:
        """What it is called on pages."""
        return ", ".join(["bubblewrap", *(["Landlock"] if landlock.abi() else []), "seccomp"])

    @property
    def gaps(self) -> tuple[str, ...]:
        """What it never holds."""
        # Nobody counts the processes of root, and the limit of the pid namespace is not within reach in there.
        late = "reading" if landlock.abi() else "reading and writing"
        mounted = f"{late} what is mounted on this machine after the session's start"
        return (_DISK, _SOCKETS, mounted, *([_COUNT] if os.geteuid() == 0 else []))

    def cage(self, place: Place) -> Cage:
        """Works out the cage as arguments of `bwrap`. Source: bwrap(1), 0.8."""
        plan = plans.Plan(place)
        wish = plans.wish(plan, place.limits, "wrapper", user=False)
        arguments = [self._program, "--unshare-user", "--disable-userns", "--unshare-pid", "--unshare-net"]
        arguments += ["--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try", "--die-with-parent", "--as-pid-1"]
        arguments += ["--cap-drop", "ALL", "--ro-bind", "/", "/", "--dev", "/dev"]
        arguments += ["--perms", "1777", "--tmpfs", "/dev/shm"]  # noqa: S108 - a part of /dev else, which is sealed
        for what, path, detail, more in plan.steps:
            match what:
                case "cover":
                    arguments += ["--perms", detail.zfill(4), *(["--size", str(more)] if more else []), "--tmpfs", path]
                case "show":
                    # What is only read may have vanished since the plan was made.
                    arguments += ["--bind" if more else "--ro-bind-try", detail, path]
                case "link":
                    arguments += ["--symlink", detail, path]
                case "empty":
                    arguments += ["--ro-bind", self._empty_file(), path]
                case "seal":
                    arguments += ["--remount-ro", path]
        arguments += ["--remount-ro", "/dev", "--proc", "/proc"]
        for name in ("sys", "sysrq-trigger", "irq", "bus", "fs", "acpi", "scsi"):
            if os.path.exists(f"/proc/{name}"):  # noqa: PTH110 - a name of the kernel's
                arguments += ["--ro-bind", f"/proc/{name}", f"/proc/{name}"]
        return Cage((*arguments, "--chdir", "/", "--"), wish, sealed=True)

    def _empty_file(self) -> str:
        if self._empty is None:
            descriptor, self._empty = tempfile.mkstemp(prefix="agentos-empty-")
            os.close(descriptor)
        return self._empty


class LandlockAlone:
    """What can be had where namespaces are forbidden, in most containers: Landlock and a system call filter."""

    hides = False

    @property
    def name(self) -> str:
        """What it is called on pages."""
        return "Landlock, seccomp"

    @property
    def gaps(self) -> tuple[str, ...]:
        """What it never holds."""
        return (
            "UDP, and sockets with a path",
            "mode, owner, times and attributes of your files",
            "the list of your processes",
            "what you have in `/dev/shm`, unless your repository, home, state or something hidden lies there",
            _COUNT,
            "servers on the session's own loopback cannot be reached",
            _DISK,
        )

    def cage(self, place: Place) -> Cage:
        """Works out what the keeper restricts itself to."""
        if not landlock.abi():
            raise OSError("the kernel has no Landlock")
        wish = plans.wish(plans.Plan(place), place.limits, "nobody", user=False)
        return Cage((), wish, sealed=False)


class Seatbelt:
    """The sandbox of macOS, with a profile of our own; written from its documentation, and never seen to run by us."""

    name = "Seatbelt"
    hides = False
    gaps = (
        "what the sandbox of macOS holds was not tried by us beyond the canary",
        "how many processes there are, and memory",
        "a daemon that leaves its process group",
    )

    def cage(self, place: Place) -> Cage:
        """Works out the profile."""
        plan = plans.Plan(place)
        wish = plans.wish(plan, place.limits, "nobody", user=False)
        return Cage(("/usr/bin/sandbox-exec", "-p", seatbelt.profile(plan)), {**wish, "seccomp": False}, sealed=False)


Candidate = Literal["own", "bubblewrap", "landlock", "seatbelt"]


def candidates() -> tuple[Backend, ...]:
    """Returns what may work on this machine, the best first."""
    if sys.platform == "darwin":
        return (Seatbelt(),)
    if sys.platform != "linux":
        return ()
    found: list[Backend] = [Namespaces()]
    program = shutil.which("bwrap", path="/usr/local/bin:/usr/bin:/bin")
    if program is not None:
        found.append(Bubblewrap(program))
    if os.geteuid() == 0:
        found.append(Namespaces(user=False))
    found.append(LandlockAlone())
    return tuple(found)
