"""A repository, a runtime over a state folder, a scripted agent, and a person who waits for events, never for time."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import itertools
import os
import subprocess
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from agentos_lsp.cli import wiring
from agentos_lsp.domain import approval, ids, state
from agentos_lsp.domain.errors import EffectError
from agentos_lsp.effects import trust
from agentos_lsp.effects.store import Store
from agentos_lsp.runtime import confining, ending, policies, supervisor
from tests import repositories

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

T0 = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
WAIT_S = 30.0


@functools.cache
def confiner() -> confining.Confiner:
    """What this machine can hold, found out once for all tests of a process."""
    return confining.Confiner(Path(os.environ["XDG_STATE_HOME"]) / "canaries")


FILES = {
    "a.txt": "one\ntwo\nthree\n",
    "tool.py": "import sys\nprint('tool', *sys.argv[1:])\n",
    ".gitignore": "__pycache__/\n",
}


class House:
    """Everything on disk that outlives a runtime: a repository, a state folder, scripts; and one clock for all."""

    def __init__(self, folder: Path, name: str = "repo") -> None:
        self.folder = folder
        self.root = folder / name
        self.state = folder / "state"
        self.user_policy = folder / "policy.toml"
        self._numbers = itertools.count(1)
        self._ticks = itertools.count(1)
        self._scripts = itertools.count(1)
        repositories.make(self.root, FILES)

    def git(self, *words: str, cwd: Path | None = None) -> str:
        done = subprocess.run(["git", *words], cwd=cwd or self.root, check=True, capture_output=True)
        return os.fsdecode(done.stdout).rstrip("\n")

    def commit(self, message: str, files: dict[str, str]) -> str:
        for path, text in files.items():
            (self.root / path).parent.mkdir(parents=True, exist_ok=True)
            (self.root / path).write_text(text, encoding="utf-8")
        self.git("add", "--all")
        self.git("commit", "--quiet", f"--message={message}")
        return self.git("rev-parse", "HEAD")

    def script(self, *turns: list[dict[str, Any]]) -> str:
        """Writes a script of turns, each a list of steps."""
        path = self.folder / f"script-{next(self._scripts)}.yaml"
        path.write_text(yaml.safe_dump({"turns": [{"steps": steps} for steps in turns]}), encoding="utf-8")
        return str(path)

    def worktrees(self) -> list[str]:
        """What `git worktree list` shows beside the checkout itself."""
        rows = self.git("worktree", "list", "--porcelain").split("\n\n")
        return [row.splitlines()[0].removeprefix("worktree ") for row in rows[1:]]

    def branches(self) -> list[str]:
        return self.git("branch", "--format=%(refname:short)").splitlines()

    def assert_nothing_left(self) -> None:
        """No worktree, no branch, no folder of any session is left."""
        assert self.worktrees() == []
        assert [name for name in self.branches() if name.startswith("agentos/")] == []
        for folder in ("worktrees", "scratch", "spool"):
            left = [path for path in (self.state / folder).rglob("*") if path.parent != self.state / folder]
            assert left == [], left

    def parts(self, store: Store, **changes: Any) -> supervisor.Parts:
        given: dict[str, Any] = {
            "store": store,
            "state_folder": self.state,
            "agent": wiring.agent,
            "policies": policies.Policies(self.user_policy, trust.Trust(self.state), lambda: T0),
            "now": lambda: T0 + timedelta(milliseconds=next(self._ticks)),
            "new_id": lambda: f"{next(self._numbers):04x}",
            "environment": dict(os.environ),
            "confiner": confiner(),
        }
        return supervisor.Parts(**{**given, **changes})

    @contextlib.asynccontextmanager
    async def open(self, store: Any = None, **changes: Any) -> AsyncIterator[Desk]:
        """Starts a runtime over the state folder, and ends it."""
        kept = store if store is not None else Store(self.state)
        try:
            runtime = supervisor.Runtime(self.parts(kept, **changes))
            desk = Desk(self, runtime)
            async with runtime:
                yield desk
        finally:
            kept.close()

    def log(self, session: str) -> list[Any]:
        """Reads a session's events as another process would."""
        store = Store(self.state)
        try:
            return store.read(ids.SessionId(session))
        finally:
            store.close()

    def verify(self, session: str) -> object:
        store = Store(self.state)
        try:
            return store.verify(ids.SessionId(session))
        finally:
            store.close()


class FailingStore:
    """A real store whose disk is full for some events; with `for_ever`, for all that follow too, as in a crash."""

    def __init__(self, folder: Path, fails: Callable[[Any], bool], *, for_ever: bool = False) -> None:
        self._store = Store(folder)
        self._for_ever = for_ever
        self.fails = fails
        self.failed = threading.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def append(self, event: Any, *, durable: bool) -> None:
        if self.fails(event):
            self.failed.set()
            if self._for_ever:
                self.fails = lambda _event: True
            raise EffectError("store", f"write event {event.sequence}", "the disk is full", retry_may_help=True)
        self._store.append(event, durable=durable)


class Desk:
    """A person at a runtime: starts sessions, waits for what happens, answers."""

    def __init__(self, house: House, runtime: supervisor.Runtime) -> None:
        self.house = house
        self.runtime = runtime
        self.events: list[Any] = []
        self._news = asyncio.Event()
        runtime.subscribe(self._heard, lambda _progress: None)

    def _heard(self, event: Any, _state: state.SessionState) -> None:
        self.events.append(event)
        self._news.set()

    async def until(self, holds: Callable[[], Any]) -> Any:
        """Waits until something holds, looking again at every event; returns what it is."""
        async with asyncio.timeout(WAIT_S):
            while not (found := holds()):
                self._news.clear()
                await self._news.wait()
        return found

    async def event(self, kind: str, count: int = 1, session: str | None = None) -> Any:
        """Waits for the n-th event of a kind."""

        def find() -> Any:
            found = [one for one in self.events if one.type == kind and session in {None, one.session}]
            return found[count - 1] if len(found) >= count else None

        return await self.until(find)

    async def begin(self, *turns: list[dict[str, Any]], task: str = "Mend it", workspace: Path | None = None) -> str:
        """Starts a session that plays a script."""
        folder = str(workspace or self.house.root)
        wanted = supervisor.Start(folder, task, "scripted", self.house.script(*turns), None, "a test")
        return await self.runtime.start(wanted)

    async def play(self, *turns: list[dict[str, Any]], task: str = "Mend it") -> str:
        """Starts a session and waits until its first turn has ended."""
        name = await self.begin(*turns, task=task)
        await self.event("turn.finished", session=name)
        return name

    async def question(self, session: str, count: int = 1) -> Any:
        """Waits for the n-th request for approval."""
        return await self.event("approval.requested", count, session)

    async def answer(self, session: str, asked: Any, outcome: str = "approved", **fields: Any) -> Any:
        given = {"digest": asked.digest, "scope": "once", "by": "a test", **fields}
        answer = approval.Answer(approval=asked.approval, outcome=outcome, **given)  # type: ignore[arg-type]
        return await self.runtime.decide(ids.SessionId(session), answer)

    async def merge(self, session: str, strategy: str = "merge", **fields: Any) -> Any:
        unsaved = frozenset(fields.pop("unsaved", ()))
        wanted = ending.Merge(**{"strategy": strategy, "into": None, "message": "", "by": "a test", **fields})
        return await self.runtime.merge(ids.SessionId(session), wanted, unsaved)

    async def holding(self, session: str, act: Callable[[Any], Any]) -> Any:
        """Does something to a session that is kept from working meanwhile."""

        async def work(one: Any) -> Any:
            with one.hold():
                return await act(one)

        return await self.runtime.on(ids.SessionId(session), work)

    async def state(self, session: str) -> state.SessionState:
        return await self.runtime.state(ids.SessionId(session))

    def of(self, kind: str) -> list[Any]:
        """The events of a kind so far."""
        return [one for one in self.events if one.type == kind]

    def told(self) -> list[str]:
        """What agents were told when a call of theirs was refused."""
        kinds = {"tool_call.refused", "file.refused", "commit.refused"}
        return [one.message for one in self.events if one.type in kinds]


def pid_outside(pid: int, scratch: Path) -> int:
    """Returns our own number of a process that a confined command knows by `pid`, by its temporary folder."""
    for folder in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if folder.name.isdigit() and f"TMPDIR={scratch}/".encode() in (folder / "environ").read_bytes():
                numbers = (folder / "status").read_text(encoding="utf-8").partition("NSpid:")[2].splitlines()[0].split()
                if int(numbers[-1]) == pid:
                    return int(folder.name)
    raise AssertionError(f"no process {pid} in {scratch}")


def is_alive(pid: int) -> bool:
    """Tells whether a process runs; a zombie does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in {"Z", "X"}


def kinds(log: list[Any]) -> list[str]:
    return [event.type for event in log]


def assert_sound(log: list[Any]) -> state.SessionState:
    """What must hold of every trace: nothing ran uncleared, one answer for each question; returns the fold."""
    verdicts: dict[str, Any] = {}
    asked: dict[str, str] = {}
    approved: dict[str, str] = {}
    answers: dict[str, int] = {}
    assert [event.sequence for event in log] == list(range(1, len(log) + 1))
    for event in log:
        match event.type:
            case "command.classified":
                verdicts[event.call] = event
            case "approval.requested":
                asked[event.approval] = event.call
            case "approval.decided":
                answers[event.approval] = answers.get(event.approval, 0) + 1
                if event.outcome == "approved":
                    approved[asked[event.approval]] = event.approval
            case "command.started" if event.cleared_by != "own":
                judged = verdicts[event.call]
                assert judged.line == event.line
                assert judged.verdict != "blocked"
                if judged.verdict == "reviewed" or event.call in approved:
                    # A question that was put is for a person to answer, whatever the allowlist says by then.
                    assert event.cleared_by == f"approval {approved[event.call]}"
                else:
                    assert event.cleared_by == "allowlist"
    assert set(answers.values()) <= {1}
    assert set(answers) <= set(asked)
    return state.fold(log)
