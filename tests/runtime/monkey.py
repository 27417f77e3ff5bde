"""A monkey at a desk: an agent, a person and crashes at random on real git, and what must hold after each step.

Every line that the person writes holds a mark of its own (`<P17>`). What the monkey promises: bytes of the checkout and
of open buffers change only by what the person does there; accepts and merges add to them and lose no mark; a mark that
leaves a worktree can be found in git or among the kept contents; and the runtime's view of change, branch and state is
what git and the log say.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentos_lsp.domain import hunks, ids, state, tools
from agentos_lsp.domain.errors import AgentosError, UserError
from agentos_lsp.effects.git import changes
from agentos_lsp.runtime import checkpoints, committing, merging, reviewing, supervisor
from tests.runtime import support

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from agentos_lsp.effects.agents import Tools
    from agentos_lsp.runtime.review_plan import Replacement

MARK = re.compile(rb"<P\d+>")
NAMES = ["a.txt", "b.txt", "src/c.py", "src/deep/d.py", "e.md"]
NEW = ["new.txt", "src/new.py", "made/f.txt", "x.txt"]
POLICY = '[commands]\nallow = [["python3", "w.py"]]\n'
PROGRAM = "import pathlib, sys\npath = pathlib.Path(sys.argv[1])\npath.parent.mkdir(parents=True, exist_ok=True)\n"
LIVE = 3


class Puppet:
    """An agent that plays what its prompt names; it goes on after whatever fails."""

    def __init__(self, plans: dict[int, list[tools.ToolRequest]]) -> None:
        self._plans = plans

    async def turn(self, prompt: str, tools: Tools, history: tuple[Any, ...]) -> str:
        del history
        named = re.search(r"plan (\d+)$", prompt)
        for request in self._plans.get(int(named[1]), []) if named else []:
            await tools.call(request)
        return "Done."


@dataclass
class Buffer:
    """A file of the checkout that is open in an editor."""

    path: Path
    text: str

    @property
    def is_saved(self) -> bool:
        return self.path.exists() and self.path.read_text(encoding="utf-8") == self.text

    async def replace(self, changes: Sequence[Replacement]) -> bool:
        lines = self.text.splitlines(keepends=True)
        for one in sorted(changes, key=lambda one: one.start, reverse=True):
            lines[one.start : one.end] = [one.text]
        self.text = "".join(lines)
        return True


@dataclass
class Monkey:
    """One life at the desk; `seed` decides all of it but what time decides."""

    house: support.House
    seed: int
    dice: random.Random = field(init=False)
    plans: dict[int, list[tools.ToolRequest]] = field(default_factory=dict)
    buffers: dict[str, Buffer] = field(default_factory=dict)
    stale: list[tuple[str, reviewing.Answer]] = field(default_factory=list)
    did: list[str] = field(default_factory=list)
    marks: int = 0
    crash_after: int | None = None
    """How many more events are written until the log fails; None if it does not."""
    is_dead: bool = False

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)
        text = "".join(f"line {number}\n" for number in range(40))
        self.house.commit("files", {**dict.fromkeys(NAMES, text), "w.py": PROGRAM + "path.write_text(sys.argv[2])\n"})
        self.house.user_policy.write_text(POLICY)

    # --- life --------------------------------------------------------------------------------------------------

    async def live(self, steps: int) -> None:
        """Does so many things, and looks at everything after each."""
        left = steps
        while left:
            self.crash_after, self.is_dead = None, False
            store = support.FailingStore(self.house.state, self._fails, for_ever=True)
            async with self.house.open(store, agent=lambda *_given: Puppet(self.plans), spares=0) as desk:
                await self._wake(desk)
                while left:
                    left -= 1
                    if await self._step(desk):
                        break

    def _fails(self, event: Any) -> bool:
        del event
        if self.crash_after is None:
            return False
        self.crash_after -= 1
        self.is_dead = self.is_dead or self.crash_after < 0
        return self.is_dead

    async def _wake(self, desk: support.Desk) -> None:
        for one in self._live(desk):
            if one.interrupted:
                await desk.runtime.resume(one.session, "the monkey")
            await self._idle(desk, one.session)
        await self._look(desk, self._seen(desk))

    async def _step(self, desk: support.Desk) -> bool:
        """Does one thing; returns whether the runtime died of it."""
        acts: list[tuple[int, Callable[[support.Desk], Any]]] = [
            (8, self._agent_works),
            (6, self._person_edits),
            (4, self._person_edits_the_worktree),
            (2, self._person_commits),
            (2, self._person_opens_or_saves),
            (7, self._accepts),
            (5, self._rejects),
            (1, self._marks),
            (2, self._answers_a_stale_screen),
            (2, self._keeps),
            (3, self._restores),
            (2, self._commits_the_worktree),
            (3, self._merges),
            (1, self._undoes),
            (1, self._discards),
            (2, self._starts),
        ]
        crash = self.dice.random() < 0.06
        if crash:
            self.crash_after = self.dice.randint(0, 6)
        seen = self._seen(desk)
        act = self.dice.choices([act for _, act in acts], [weight for weight, _ in acts])[0]
        self.did.append(act.__name__)
        try:
            note = await act(desk)
        except UserError as error:
            note = f"refused: {error}"
        except AgentosError as error:
            if not crash:
                raise
            note = f"crashed: {error}"
        self.did[-1] += f" {note or ''}"
        await self._look(desk, seen, crash=crash)
        if crash:
            self.crash_after = 0
        return crash

    # --- what the agent does -----------------------------------------------------------------------------------

    async def _agent_works(self, desk: support.Desk) -> str:
        one = self._any(desk)
        number = len(self.plans)
        folder = Path(one.worktree.folder)
        self.plans[number] = [self._request(folder) for _ in range(self.dice.randint(1, 4))]
        await desk.runtime.prompt(one.session, f"plan {number}", "the monkey")
        await self._idle(desk, one.session)
        return f"{one.session}: {self.plans[number]}"

    def _request(self, folder: Path) -> tools.ToolRequest:
        path = self.dice.choice(NAMES + NEW)
        word = f"agent {self.dice.randrange(10**6)}"
        kind = self.dice.choices(["edit", "write", "delete", "move", "run", "commit"], [6, 3, 1, 1, 3, 5])[0]
        lines = _lines(folder / path)
        if kind == "edit" and lines:
            old = self.dice.choice(lines)
            return tools.EditCall(
                path=path, old=f"{old}\n", new=self.dice.choice([f"{word}\n", f"{old}\n{word}\n", ""])
            )
        if kind == "delete":
            return tools.DeleteCall(path=path)
        if kind == "move":
            return tools.MoveCall(path=path, to=self.dice.choice(NEW))
        if kind == "run":
            return tools.RunCall(line=f"python3 w.py {path} '{word}'")
        if kind == "commit":
            return tools.CommitCall(message=f"Commit {word}")
        return tools.WriteCall(path=path, text="".join(f"{line}\n" for line in [*lines[:20], word]))

    # --- what the person does ----------------------------------------------------------------------------------

    async def _person_edits(self, desk: support.Desk) -> str:
        del desk
        path = self.dice.choice(NAMES + NEW)
        if path in self.buffers:
            self.buffers[path].text = self._edited(self.buffers[path].text)
            return f"{path} in the editor"
        place = self.house.root / path
        if place.exists() and self.dice.random() < 0.1:
            place.unlink()
            return f"deletes {path}"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(self._edited(place.read_text() if place.exists() else ""))
        return path

    def _edited(self, text: str) -> str:
        lines = text.splitlines()
        self.marks += 1
        at = self.dice.randint(0, len(lines))
        lines[at : at + self.dice.randint(0, 1)] = [f"mine <P{self.marks}>"]
        return "".join(f"{line}\n" for line in lines)

    async def _person_edits_the_worktree(self, desk: support.Desk) -> str:
        place = Path(self._any(desk).worktree.folder) / self.dice.choice(NAMES + NEW)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(self._edited(place.read_text() if place.exists() else ""))
        return str(place)

    async def _person_commits(self, desk: support.Desk) -> None:
        del desk
        self.house.git("add", "--all")
        self.house.git("commit", "--quiet", "--allow-empty", "--message=mine")

    async def _person_opens_or_saves(self, desk: support.Desk) -> str:
        del desk
        if self.buffers and self.dice.random() < 0.6:
            path, buffer = self.dice.choice(sorted(self.buffers.items()))
            buffer.path.parent.mkdir(parents=True, exist_ok=True)
            buffer.path.write_text(buffer.text)
            del self.buffers[path]
            return f"saves {path}"
        path = self.dice.choice(NAMES)
        place = self.house.root / path
        if place.exists() and path not in self.buffers:
            self.buffers[path] = Buffer(place, place.read_text())
        return f"opens {path}"

    async def _answer(self, desk: support.Desk) -> tuple[ids.SessionId, reviewing.Answer]:
        one = self._any(desk)
        shown = await desk.runtime.reviews.shown(one.session)
        assert shown is not None
        rows = [item for change in shown.changes for item in (*hunks.items(change), hunks.whole(change))]
        if not rows:
            raise UserError("Nothing to review.", "")
        item = self.dice.choice(rows)
        given = reviewing.Answer(item.path, item.digest, item.hunk is None, "the monkey")
        self.stale.append((one.session, given))
        return one.session, given

    def _opened(self, path: str) -> Buffer | None:
        return self.buffers.get(os.path.relpath(path, self.house.root))

    async def _accepts(self, desk: support.Desk) -> str:
        name, given = await self._answer(desk)
        return f"{name}: {given}: {await desk.runtime.reviews.accept(name, given, self._opened)}"

    async def _rejects(self, desk: support.Desk) -> str:
        name, given = await self._answer(desk)
        return f"{name}: {given}: {await desk.runtime.reviews.reject(name, given)}"

    async def _marks(self, desk: support.Desk) -> str:
        name, given = await self._answer(desk)
        return f"{name}: {await desk.runtime.reviews.mark(name, given, looked_at=True)}"

    async def _answers_a_stale_screen(self, desk: support.Desk) -> str:
        if not self.stale:
            return "nothing"
        name, given = self.dice.choice(self.stale[-30:])
        if self.dice.random() < 0.5:
            return f"{name}: {given}: {await desk.runtime.reviews.accept(name, given, self._opened)}"
        return f"{name}: {given}: {await desk.runtime.reviews.reject(name, given)}"

    async def _keeps(self, desk: support.Desk) -> str:
        one = self._any(desk)
        return str(await desk.runtime.on(one.session, lambda it: checkpoints.take(it, it.place, "asked", "")))

    async def _restores(self, desk: support.Desk) -> str:
        one = self._any(desk)
        number = self.dice.choice([0, *(kept.number for kept in one.checkpoints)])
        done = await desk.holding(one.session, lambda it: checkpoints.restore(it, it.place, number, "the monkey"))
        return f"{one.session} {number}: {done}"

    async def _commits_the_worktree(self, desk: support.Desk) -> str:
        one = self._any(desk)
        done = await desk.holding(one.session, lambda it: committing.commit(it, "", "the monkey", confirmed=True))
        return f"{one.session}: {done}"

    async def _merges(self, desk: support.Desk) -> str:
        one = self._any(desk)
        strategy = self.dice.choice(["merge", "fast-forward", "squash", "rebase"])
        unsaved = [str(buffer.path) for buffer in self.buffers.values() if not buffer.is_saved]
        before = self._dirty()
        done = await desk.merge(one.session, strategy, unsaved=unsaved)
        self._still_dirty(before)
        return f"{one.session} {strategy}: {done}"

    async def _undoes(self, desk: support.Desk) -> str:
        merged = [one for one in await desk.runtime.all_states() if one.status == "merged"]
        if not merged:
            return "nothing"
        one = max(merged, key=lambda it: it.changed_at)
        unsaved = frozenset(str(buffer.path) for buffer in self.buffers.values() if not buffer.is_saved)
        before = self._dirty()
        ended = await desk.runtime.ended(one.session)
        done = await merging.undo(ended, desk.runtime.doors.git, unsaved, "the monkey")
        self._still_dirty(before)
        return f"{one.session}: {done}"

    async def _discards(self, desk: support.Desk) -> str:
        one = self._any(desk)
        await desk.runtime.discard(one.session, "the monkey")
        return one.session

    async def _starts(self, desk: support.Desk) -> str:
        if len(self._live(desk)) >= LIVE:
            return "enough"
        return await self._start(desk)

    async def _start(self, desk: support.Desk) -> ids.SessionId:
        wanted = supervisor.Start(str(self.house.root), "Play", "puppet", None, None, "the monkey")
        name = await desk.runtime.start(wanted)
        await _until(
            lambda: self.is_dead or any(one.type == "turn.finished" and one.session == name for one in desk.events)
        )
        return name

    # --- what must hold ----------------------------------------------------------------------------------------

    def _seen(self, desk: support.Desk) -> tuple[dict[str, bytes], dict[str, str], dict[str, set[bytes]]]:
        """What the person has now: the checkout's files, the editor's, and their marks in each worktree."""
        buffers = {path: buffer.text for path, buffer in self.buffers.items()}
        worktrees = {one.session: _marks_below(Path(one.worktree.folder)) for one in self._live(desk) if one.worktree}
        return _files(self.house.root), buffers, worktrees

    async def _look(
        self,
        desk: support.Desk,
        before: tuple[dict[str, bytes], dict[str, str], dict[str, set[bytes]]],
        *,
        crash: bool = False,
    ) -> None:
        now = self._seen(desk)
        act = self.did[-1].split()[0] if self.did else ""
        if act in {"_accepts", "_answers_a_stale_screen"}:
            self._nothing_of_theirs_went(before, now)
        elif act in {"_merges", "_undoes"}:
            assert now[1] == before[1]
        elif not act.startswith("_person"):
            assert now[:2] == before[:2], "the person's files are as they were"
        for session, marks in before[2].items():
            gone = marks - now[2].get(session, set())
            if gone and not act.startswith("_person"):
                self._can_be_found(session, gone)
        if not crash:
            for one in self._live(desk):
                await self._agrees(desk, one.session)

    def _nothing_of_theirs_went(self, before: Any, now: Any) -> None:
        """Nothing of the person's that git does not hold was lost by taking over what the agent did."""
        for was, is_now in ((before[0], now[0]), (_encoded(before[1]), _encoded(now[1]))):
            for path, data in was.items():
                own = _marks(data) - _marks(is_now.get(path, b""))
                if own:
                    assert own <= _marks(self._committed(path)), f"{own} of {path} is lost"

    def _committed(self, path: str) -> bytes:
        """Everything that was ever committed under a path, on any branch."""
        return self.house.git("log", "--all", "--patch", "--format=", "--", path).encode()

    def _can_be_found(self, session: str, marks: set[bytes]) -> None:
        """Marks that left a worktree are in git, under a reference, or among the contents that were kept."""
        everywhere = set(marks)
        for blob in (self.house.state / "blobs").rglob("*"):
            if blob.is_file():
                everywhere -= _marks(blob.read_bytes())
        for mark in sorted(everywhere):
            refs = self.house.git("for-each-ref", "--format=%(refname)").splitlines()
            found = subprocess.run(
                ["git", "grep", "--quiet", "--fixed-strings", mark.decode(), *refs], cwd=self.house.root, check=False
            )
            if found.returncode != 0 and mark.decode() not in self.house.git("log", "--all", "--patch", "--format="):
                raise AssertionError(f"{mark!r} of {session} is lost")

    async def _agrees(self, desk: support.Desk, name: ids.SessionId) -> None:
        """What the runtime says of a session is what the disk and the log say."""
        one = await desk.state(name)
        assert one.worktree is not None
        folder = Path(one.worktree.folder)
        shown = await desk.runtime.reviews.shown(name)
        assert shown is not None
        workspace = (await desk.runtime._own(name)).place
        fresh = await asyncio.to_thread(changes.changes, workspace.worktree, workspace.base_commit)
        assert [(it.path, it.status, it.hunks) for it in shown.changes] == [
            (it.path, it.status, it.hunks) for it in fresh
        ]
        assert {it.path for it in fresh} | {it.old_path for it in fresh if it.old_path} == self._by_git(folder, one)
        assert self.house.git("rev-parse", one.worktree.branch) == one.head
        if self.dice.random() < 0.1:
            one = await desk.state(name)
            assert support.assert_sound(self.house.log(name)[: one.sequence]) == one
            assert self.house.verify(name) is None
        if not one.interrupted:
            assert one.merging is None
            assert one.trial is None

    def _by_git(self, folder: Path, one: state.SessionState) -> set[str]:
        """The paths that differ from the base, as the git program says."""
        index = self.house.folder / "monkey-index"
        with contextlib.suppress(FileNotFoundError):
            index.unlink()
        environment = {**os.environ, "GIT_INDEX_FILE": str(index)}

        def git(*words: str) -> str:
            done = subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True, env=environment)
            return os.fsdecode(done.stdout)

        git("read-tree", one.base_commit)
        git("add", "--all")
        return set(git("diff", "--cached", "--name-only", "--no-renames", "-z", one.base_commit).split("\0")) - {""}

    def _still_dirty(self, before: dict[str, bytes | None]) -> None:
        """What was not committed is as it was, and no more; it may be committed now."""
        assert self._dirty().keys() <= before.keys()
        for path, data in before.items():
            place = self.house.root / path
            assert (place.read_bytes() if place.is_file() else None) == data

    def _dirty(self) -> dict[str, bytes | None]:
        """What is not committed in the checkout, byte for byte."""
        rows = self.house.git("status", "--porcelain", "-z", "--untracked-files=all", "--no-renames").split("\0")
        found: dict[str, bytes | None] = {}
        for row in rows:
            if row:
                place = self.house.root / row[3:]
                found[row[3:]] = place.read_bytes() if place.is_file() else None
        return found

    # --- looking -----------------------------------------------------------------------------------------------

    def _live(self, desk: support.Desk) -> list[Any]:
        return [one for one in desk.runtime.states() if one.is_live and one.worktree is not None]

    def _any(self, desk: support.Desk) -> Any:
        rows = self._live(desk)
        if not rows:
            raise UserError("There is no session.", "")
        return self.dice.choice(rows)

    async def _idle(self, desk: support.Desk, name: ids.SessionId) -> None:
        """Waits until a session has nothing to do, or the log is gone."""

        def holds() -> bool:
            now = next((one for one in desk.runtime.states() if one.session == name), None)
            return self.is_dead or now is None or not now.is_live or (now.turn is None and not now.queued)

        await _until(holds)


async def _until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(support.WAIT_S):
        while not holds():  # noqa: ASYNC110 - a dead log sends no events
            await asyncio.sleep(0.002)


def _marks(data: bytes) -> set[bytes]:
    return set(MARK.findall(data))


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.is_file() else []


def _files(root: Path) -> dict[str, bytes]:
    found = {}
    for folder, names, files in os.walk(root):
        if ".git" in names:
            names.remove(".git")
        for name in files:
            if name != ".git":
                path = Path(folder, name)
                found[str(path.relative_to(root))] = path.read_bytes()
    return found


def _marks_below(root: Path) -> set[bytes]:
    return {mark for data in _files(root).values() for mark in _marks(data)}


def _encoded(texts: dict[str, str]) -> dict[str, bytes]:
    return {path: text.encode() for path, text in texts.items()}
