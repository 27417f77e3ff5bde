"""What a session's commands may see and write, worked out as steps that any backend can follow.

The world is shown as it is, read-only, but for three kinds of places: *covered* ones begin empty (`/tmp`, `/run`, the
runtime's own state), *rebuilt* ones are put together anew from what they hold now without what is hidden (the home
folder), and the session's own ones can be written. A rebuilt folder cannot show a secret that is made or replaced
later; a mask over a file would fall off with the file.
"""

from __future__ import annotations

import os
import stat
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from agentos_lsp.domain.errors import UserError
from agentos_lsp.effects.process.sandbox import landlock, seccomp, secrets

if TYPE_CHECKING:
    from collections.abc import Iterable

Step = tuple[Literal["cover", "show", "link", "empty", "seal"], str, str, int]
"""What to do, where, with what, and how.

`cover`: an empty folder of mode `detail` (octal), at most `more` bytes. `show`: what is really at `detail`, writable if
`more`. `link`: a symbolic link to `detail`. `empty`: an empty file. `seal`: nothing can be made here from now on.
"""

Around = Literal["keeper", "wrapper", "nobody"]

PRIVATE = ("/tmp", "/var/tmp")  # noqa: S108 - covered, not used
DEVICES = tuple(f"/dev/{name}" for name in ["null", "zero", "full", "random", "urandom", "tty", "pts", "shm", "ptmx"])
_SEALED = ("/run",)
_DEV, _SHARED = "/dev", "/dev/shm"  # noqa: S108 - kept from the session, not used
_PRIVATE_CACHES = (".cache", ".npm")


@dataclass(frozen=True, slots=True)
class Limits:
    """What a session's commands may use up; a negative number is no limit.

    `processes` counts processes and threads of the whole session, all others each process. `data_bytes` is the
    memory that a process can write to; `tmp_bytes` the size of each private temporary folder.
    """

    processes: int = 4096
    data_bytes: int = -1
    file_bytes: int = 16 << 30
    files: int = 65536
    cpu_s: int = -1
    tmp_bytes: int = 2 << 30

    def wire(self) -> dict[str, int]:
        """Returns the limits as the keeper takes them."""
        names = ("processes", "data_bytes", "file_bytes", "files", "cpu_s")
        return {"core": 0, **{name: getattr(self, name) for name in names}}


@dataclass(frozen=True, slots=True)
class Place:
    """One session's place in the world; absolute paths.

    Args:
        worktree: The folder that its commands work in.
        scratch: Its `TMPDIR`, on disk.
        state_folder: The runtime's own, which is hidden but for the two above.
        home: What `HOME` says.
        repository: The person's checkout, which may be read.
        common_dir: Its git directory.
        admin_dir: Git's folder for this worktree, in the former.
        git_folder: Holds the session's private git directory `git`, and `gitfile`, what `.git` says then; empty if git
            works on the repository itself.
        path: What `PATH` says.
        granted: Further folders that may be written, from the person's own policy: absolute or `~/…`.
        hidden: Further paths that may not be read, the same.
        limits: What may be used up.
    """

    worktree: str
    scratch: str
    state_folder: str
    home: str
    repository: str = ""
    common_dir: str = ""
    admin_dir: str = ""
    git_folder: str = ""
    path: str = ""
    granted: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)


class Plan:
    """The steps for one place, as the file system is now; every path in it is without links."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._homes = secrets.homes(place.home)
        self._hidden = frozenset(secrets.hidden(self._homes, place.hidden))
        self._covered: set[str] = {_DEV}  # every cage makes one of its own
        self._emptied: set[str] = set()
        self._shown: dict[str, bool] = {}
        self._folders: set[str] = set()
        self.steps: list[Step] = []
        self.replaced: list[str] = []
        self._make()

    @property
    def writable(self) -> tuple[str, ...]:
        """The places that can be written."""
        return tuple(path for path, writes in self._shown.items() if writes)

    @property
    def readable(self) -> tuple[str, ...]:
        """What can be read, for a backend that knows only what is allowed: every place but the hidden ones."""
        roots = [f"/{name}" for name in _names("/")]
        left = [one for one in roots if not self._is_split(one) and one not in self._covered]
        shown: list[str] = []
        for path in self._shown:
            # What is shown may hold what is covered: a repository that somebody's home folder lies in.
            if self._is_split(path):
                self._folders.add(path)
                shown += self._siblings(path)
            else:
                shown.append(path)
        return tuple(dict.fromkeys((*left, *self._siblings("/"), *shown)))

    @property
    def is_in_shared_memory(self) -> bool:
        """Whether the session, its repository, a home folder or something hidden lies in /dev/shm."""
        place = self._place
        kept = (place.worktree, place.state_folder, place.repository, place.common_dir, *self._homes, *self._hidden)
        return any(_is_below(os.path.realpath(one), _SHARED) for one in kept if one)

    @property
    def listable(self) -> tuple[str, ...]:
        """The folders whose names can be seen, and no more."""
        return tuple(sorted(self._folders))

    def _make(self) -> None:
        place = self._place
        state = os.path.realpath(place.state_folder)
        for path in PRIVATE:
            self._cover(path, "1777", place.limits.tmp_bytes)
        for path in _SEALED:
            self._cover(path, "755", 0)
        repository = [os.path.realpath(one) for one in (place.repository, place.common_dir) if one]
        needed = (*self._programs(), *repository)
        # First what may hold a home folder: it would hide one that was put together before.
        for path in needed:
            if not any(path == one or _is_below(path, one) for one in (*self._homes, state)):
                self._reveal(path)
        # What only root can read is hidden from it by building anew; others are kept out by its mode.
        for folder in (*sorted(self._homes), *(["/etc"] if os.geteuid() == 0 else [])):
            self._rebuild(folder)
        self._cover(state, "755", 0)
        for path in needed:
            self._reveal(path)
        self._mask_rest()
        for home in self._homes:
            for name in _PRIVATE_CACHES:
                self._make_cache(f"{home}/{name}")
        for path in self._writable():
            self._show(path, path, writes=True)
        self._protect_git()
        self.steps += [("seal", path, "", 0) for path in sorted(self._covered) if path not in {*PRIVATE, _DEV}]

    # --- steps ---------------------------------------------------------------------------------------------------

    def _cover(self, path: str, mode: str, size: int) -> None:
        real = os.path.realpath(path)
        if path == real and Path(path).is_dir():
            self._covered.add(path)
            self.steps.append(("cover", path, mode, size))

    def _show(self, path: str, source: str, *, writes: bool) -> None:
        self._shown[path] = writes
        self.steps.append(("show", path, source, int(writes)))

    def _rebuild(self, folder: str) -> None:
        """Covers a folder and shows in it what it holds, without what is hidden."""
        if not Path(folder).is_dir() or self._is_hidden(folder):
            return
        self._cover(folder, "755", 0)
        self._folders.add(folder)
        for name in _names(folder):
            path = f"{folder}/{name}"
            if path in self._hidden:
                continue
            try:
                mode = os.lstat(path).st_mode
            except OSError:
                continue
            if stat.S_ISLNK(mode):
                self.steps.append(("link", path, os.readlink(path), 0))  # noqa: PTH115 - the text, as it is
            elif stat.S_ISDIR(mode) and self._holds_hidden(path):
                self._rebuild(path)
            elif (stat.S_ISDIR(mode) or stat.S_ISREG(mode)) and path not in self._homes:
                self._show(path, path, writes=False)

    def _reveal(self, path: str) -> None:
        """Shows what a cover would hide, following links one by one; nothing to do where it is seen already."""
        at = ""
        for name in path.split("/")[1:]:
            at = f"{at}/{name}"
            if self._is_seen(at) or at in self._covered:
                continue
            if not os.path.lexists(at):
                return
            if Path(at).is_symlink():
                self.steps.append(("link", at, os.readlink(at), 0))  # noqa: PTH115 - as above
                self._shown[at] = False
                self._reveal(os.path.normpath(os.path.join(os.path.dirname(at), os.readlink(at))))  # noqa: PTH115, PTH118, PTH120 - as above
                return
            if at == path:
                self._show(at, at, writes=False)

    def _mask_rest(self) -> None:
        """Empties what is hidden and still seen: outside of what was rebuilt, and sockets that somebody listens on."""
        for path in sorted({*self._hidden, *_listening()}):
            if not self._is_seen(path):
                continue
            try:
                mode = os.lstat(path).st_mode
            except OSError:
                continue
            if stat.S_ISDIR(mode):
                self._covered.add(path)
                self.steps.append(("cover", path, "755", 0))
            elif not stat.S_ISLNK(mode):
                self._emptied.add(path)
                self.steps.append(("empty", path, "", 0))

    def _make_cache(self, path: str) -> None:
        """Gives the session a cache of its own in the place of the person's, unless that one was granted."""
        if path in self._granted() or (os.path.lexists(path) and not Path(path).is_dir()):
            return
        source = f"{self._place.scratch}/.{os.path.basename(path).lstrip('.')}"  # noqa: PTH119 - no folder is asked for
        Path(source).mkdir(mode=0o700, parents=True, exist_ok=True)
        self._show(path, os.path.realpath(source), writes=True)
        self.replaced.append(path)
        # What is there already can be read: some keep whole environments in their cache.
        for name in _names(path):
            one = f"{path}/{name}"
            secret = self._is_hidden(one) or self._holds_hidden(one)
            if Path(one).is_dir() and not Path(one).is_symlink() and not secret:
                Path(source, name).mkdir(exist_ok=True)
                self._show(one, one, writes=False)

    def _protect_git(self) -> None:
        """Lets git write what it needs for this worktree, and nothing that steers git."""
        place = self._place
        if place.git_folder:
            self._hide_git()
            return
        if not place.admin_dir:
            return
        common, admin = os.path.realpath(place.common_dir), os.path.realpath(place.admin_dir)
        # Git writes down there where the branch was, and refuses to move it if it cannot.
        Path(f"{common}/logs/refs/heads/agentos").mkdir(parents=True, exist_ok=True)
        for path in (f"{common}/objects", f"{common}/refs/heads/agentos", f"{common}/logs/refs/heads/agentos", admin):
            if Path(path).is_dir():
                self._show(path, path, writes=True)
        for name in ("commondir", "gitdir", "config.worktree", "agentos-base", "agentos-index", "locked"):
            if Path(admin, name).is_file():
                self._show(f"{admin}/{name}", f"{admin}/{name}", writes=False)
        if Path(place.worktree, ".git").is_file():
            file = f"{os.path.realpath(place.worktree)}/.git"
            self._show(file, file, writes=False)

    def _hide_git(self) -> None:
        """Leads git to the session's own directory, and hides the repository's but for its objects."""
        place = self._place
        common, folder = os.path.realpath(place.common_dir), os.path.realpath(place.git_folder)
        self._cover(common, "755", 0)
        self._show(f"{common}/objects", f"{common}/objects", writes=False)
        self._show(f"{folder}/git", f"{folder}/git", writes=True)
        self._show(f"{os.path.realpath(place.worktree)}/.git", f"{folder}/gitfile", writes=False)

    # --- what is where -------------------------------------------------------------------------------------------

    def _writable(self) -> list[str]:
        place = self._place
        for one in self._granted():
            self._refuse_ancestor(one)
        wanted = [place.worktree, place.scratch, *self._granted()]
        return [real for one in wanted if Path(real := os.path.realpath(one)).is_dir()]

    def _refuse_ancestor(self, path: str) -> None:
        """Refuses a grant that would show again what is hidden.

        Raises:
            UserError: It holds something that must stay hidden, or is itself that; says what to do.
        """
        real, state = os.path.realpath(path), os.path.realpath(self._place.state_folder)
        if not Path(real).is_dir():
            return
        inside = self._is_hidden(real) or _is_below(real, state)
        kept = (*self._homes, state, *(one for one in (*self._hidden, *self._emptied) if os.path.lexists(one)))
        hidden = [*([real] if inside else []), *sorted(one for one in kept if one == real or _is_below(one, real))]
        if hidden:
            holds = "is what" if hidden[0] == real else f"holds {hidden[0]}, which"
            raise UserError(
                f"The policy makes {path} writable, but it {holds} commands may not see, so none can start.",
                "Name folders below it under `writable` in [confinement] of your own policy.toml.",
            )

    def _granted(self) -> list[str]:
        found: list[str] = []
        for one in self._place.granted:
            found += [f"{home}/{one[2:]}" for home in self._homes] if one.startswith("~/") else [one]
        return found

    def _programs(self) -> list[str]:
        """Returns where programs are: folders of PATH, with the environment around them, and our own Python."""
        found = [one for one in self._place.path.split(":") if one.startswith("/")]
        for folder in list(found):
            above = os.path.dirname(folder)  # noqa: PTH120 - as text
            if Path(above, "pyvenv.cfg").is_file():
                found.append(above)
        found += [sys.prefix, sys.base_prefix, str(Path(__file__).resolve().parents[4])]
        return [os.path.normpath(one) for one in dict.fromkeys(found)]

    def _is_seen(self, path: str) -> bool:
        """Tells whether a path is shown as the steps so far stand."""
        at = path
        while at not in {"", "/"}:
            if at in self._shown:
                return True
            if at in self._covered:
                return False
            at = at.rpartition("/")[0]
        return True

    def _is_hidden(self, path: str) -> bool:
        return any(path == one or _is_below(path, one) for one in self._hidden)

    def _holds_hidden(self, path: str) -> bool:
        return any(_is_below(one, path) for one in self._hidden)

    def _is_split(self, path: str) -> bool:
        return any(_is_below(one, path) for one in (*self._covered, *self._emptied))

    def _siblings(self, folder: str) -> list[str]:
        """Returns what is below folders that hold covered ones, but is not covered."""
        found: list[str] = []
        for name in _names(folder):
            path = f"{folder.rstrip('/')}/{name}"
            if not self._is_split(path):
                if folder != "/" and path not in self._covered and path not in self._emptied:
                    found.append(path)
            elif path not in self._covered:
                self._folders.add(path)
                found += self._siblings(path)
        return found


def _names(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))  # noqa: PTH208 - names are what is wanted
    except OSError:
        return []


def _is_below(path: str, folder: str) -> bool:
    return path.startswith(f"{folder}/")


def _listening() -> Iterable[str]:
    """Returns the paths of all sockets that this machine's programs have bound. Source: proc_net(5), /proc/net/unix."""
    try:
        rows = Path("/proc/net/unix").read_text("utf-8", "replace").splitlines()[1:]
    except OSError:
        return ()
    paths = {fields[7] for row in rows if len(fields := row.split(None, 7)) == 8}
    return sorted(os.path.realpath(path) for path in paths if path.startswith("/"))


def wish(plan: Plan, limits: Limits, around: Around, *, user: bool) -> dict[str, Any]:
    """Returns what the keeper is to do to itself; see `inside.confine`.

    Args:
        plan: What is seen and written.
        limits: What may be used up.
        around: Who makes the namespaces: the keeper, somebody around it, or nobody.
        user: Whether the keeper makes a user namespace.
    """
    caged = around != "nobody"
    # Without a namespace of their own, the processes of the whole user would be counted.
    counted = limits.wire() if caged else {**limits.wire(), "processes": -1}
    return {
        "namespaces": around == "keeper",
        "user": user,
        "steps": plan.steps if around == "keeper" else [],
        "processes": limits.processes,
        "limits": counted,
        "landlock": _second_layer(plan, around, user=user),
        "seccomp": seccomp.is_known(),
    }


def _second_layer(plan: Plan, around: Around, *, user: bool) -> dict[str, Any]:
    """Returns what Landlock is to hold, nothing where the kernel's can hold nothing of it.

    Alone it holds all that it can. In a cage, what can be read is what is there, and what can be written is what was
    mounted so. Writes are held twice only for root in no user namespace, and in a cage that somebody else makes, in
    which what is mounted outside later may appear: each holding costs a microsecond a file.
    """
    caged = around != "nobody"
    # The person's own, where nothing else is around: what lies in there is theirs.
    devices = [one for one in DEVICES if caged or one != _SHARED or not plan.is_in_shared_memory]
    ours = around == "keeper" and user
    governs = landlock.NO_FILES if ours else landlock.WRITES if caged else landlock.EVERYTHING
    if landlock.abi() < (1 if governs else landlock.SCOPED_SINCE):
        return {}
    return {
        "governs": governs,
        "network": not caged,
        "readable": [] if caged else list(plan.readable),
        "listable": [] if caged else list(plan.listable),
        "writable": [
            *(one for one in plan.writable if caged or one not in plan.replaced),
            *(PRIVATE if caged else ()),
            *devices,
        ],
    }
