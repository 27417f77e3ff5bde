"""What a person does with a session's change, hunk by hunk: take it over, take it back, ask for another, mark it.

The only place that writes single hunks: into the person's checkout when they accept, into the worktree when they
reject. What was shown is named by a digest, so that an answer to a stale screen changes nothing.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from agentos_lsp.domain import (
    change_page,
    described,
    diff,
    events,
    glance,
    hunks,
    ids,
    policy,
    policy_events,
    review_events,
    reviewed,
)
from agentos_lsp.domain.errors import AgentosError, UserError
from agentos_lsp.runtime import change, review_plan

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping, Sequence

    from agentos_lsp.domain.state import SessionState
    from agentos_lsp.effects.files import Disk
    from agentos_lsp.runtime.session import Session
    from agentos_lsp.runtime.workspace import Workspace

T = TypeVar("T")

STALE = "This was changed since it was shown; look at it again and answer what it says now."


@dataclass(frozen=True, slots=True)
class Answer:
    """What a person was shown, and who they are. `whole` if it is the file and not one of its hunks."""

    path: str
    digest: str
    whole: bool
    by: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an answer; `message` is a sentence for the person, empty if all is said by what they see."""

    counted: bool
    message: str = ""


@dataclass(frozen=True, slots=True)
class Shown:
    """What there is to review of a session, at one moment.

    Equal numbers of one session mean equal changes.
    """

    state: SessionState
    number: int
    changes: Sequence[diff.FileChange]
    writers: Mapping[str, change.Writer]
    _sides: Callable[[str], tuple[bytes | None, bytes | None]]

    def sides(self, path: str) -> tuple[bytes | None, bytes | None]:
        """Returns a file's content before and after, as git keeps it; None where there is none, or too much."""
        return self._sides(path)


class Reviews:
    """The review of every session of a runtime.

    Args:
        own: Finds a session that this runtime owns.
        owned: Those that it owns now, as they come and go.
        to_end: Carries an act out also when the connection that asked for it goes away.
        disk: Where the person's own files are.
    """

    def __init__(
        self,
        own: Callable[[ids.SessionId], Coroutine[Any, Any, Session]],
        owned: dict[ids.SessionId, Session],
        to_end: Callable[[Coroutine[Any, Any, Outcome]], Coroutine[Any, Any, Outcome]],
        disk: Disk,
    ) -> None:
        self._own = own
        self._owned = owned
        self._to_end = to_end
        self._disk = disk
        self._listeners: list[Callable[[ids.SessionId], None]] = []
        self._followed: set[ids.SessionId] = set()
        self._pages: dict[tuple[ids.SessionId, int], tuple[int, Mapping[str, str], change_page.Page]] = {}
        self._acting: defaultdict[ids.SessionId, asyncio.Lock] = defaultdict(asyncio.Lock)

    def heard(self, event: events.AnyEvent) -> None:
        """Takes notice of what may have changed files that nobody named: commands do."""
        one = self._owned.get(event.session)
        if one is None or one.workspace is None:
            return
        match event:
            case events.CommandStarted(cleared_by=by) if by != "own":
                one.workspace.change.command_began(event.call)
            case policy_events.CheckStarted():
                one.workspace.change.command_began(event.call, event.name)
            case policy_events.CheckFinished():
                one.workspace.change.command_ended(event.call, event.name)
            case events.CommandFinished() | events.ToolCallRefused() if _is_command(one, event.call):
                # A command that could not be started is refused after its beginning was recorded.
                one.workspace.change.command_ended(event.call)
            case events.SessionInterrupted() | events.TurnFinished():
                one.workspace.change.touched()
            case _:
                pass

    def subscribe(self, noticed: Callable[[ids.SessionId], None]) -> Callable[[], None]:
        """Tells of every session whose files were written without an event, until the returned function is called."""
        self._listeners.append(noticed)
        return lambda: self._listeners.remove(noticed)

    def _follow(self, one: Session, workspace: Workspace) -> None:
        """Hears of what happens to a session's files."""
        if one.id in self._followed:
            return
        self._followed.add(one.id)

        def noticed() -> None:
            for listener in list(self._listeners):
                listener(one.id)

        def edited(paths: tuple[str, ...]) -> None:
            note = reviewed.edit(paths)
            if one.state.is_live and note not in one.state.review.notes:
                one.beside(one.record(review_events.ReviewEdited, paths=paths, note=note))

        workspace.change.noticed = noticed
        workspace.change.edited = edited

    async def shown(self, name: ids.SessionId) -> Shown | None:
        """Returns what there is to review; None if the session has no worktree of this runtime.

        Raises:
            EffectError: The worktree cannot be read.
        """
        one = self._owned.get(name)
        if one is None or one.workspace is None or one.state.worktree is None:
            return None
        self._follow(one, one.workspace)
        # The session may end while its files are read, and its worktree go.
        change = one.workspace.change
        current = await change.current()

        def sides(path: str) -> tuple[bytes | None, bytes | None]:
            row = current.rows.get(path)
            if row is None:
                return None, None
            return (row.old.data if row.old else None), (row.new.data if row.new else None)

        return Shown(one.state, current.number, current.changes, change.writers, sides)

    async def page(self, name: ids.SessionId, number: int = 1) -> change_page.Page:
        """Returns a page of a session's diff with what stands on which line; empty without a worktree of this runtime.

        Args:
            name: The session.
            number: Which page, from 1.

        Raises:
            UserError: There is no such page.
        """
        shown = await self.shown(name)
        pages = 1 if shown is None else change_page.count(shown.changes)
        if number > pages:
            raise UserError(f"There is no page {number} of this diff.", f"It has {pages} by now.")
        if shown is None:
            return change_page.Page("", ())
        known = self._pages.get((name, number))
        if known is None or known[0] != shown.number or known[1] is not shown.writers:
            made = await asyncio.to_thread(self._made, shown, self._owned[name].rules, number)
            known = self._pages[(name, number)] = (shown.number, shown.writers, made)
        return known[2]

    def _made(self, shown: Shown, rules: policy.Policy, number: int) -> change_page.Page:
        seen = glance.glance(change_page.part(shown.changes, number), rules, shown.sides)
        return change_page.page(shown.changes, shown.writers, number, seen)

    async def patch(self, name: ids.SessionId, path: str) -> str:
        """Returns the patch of one file in full; empty if it has not changed."""
        shown = await self.shown(name)
        if shown is None:
            return ""
        return await asyncio.to_thread(lambda: diff.unified(described.of_path(shown.changes, path)))

    def pages(self, name: ids.SessionId) -> tuple[int, ...]:
        """Returns the pages of a session's diff that somebody has read."""
        return tuple(sorted(number for session, number in self._pages if session == name))

    async def page_with(self, name: ids.SessionId, path: str) -> int:
        """Returns the page that a file stands on; the first for one that does not."""
        shown = await self.shown(name)
        place = None if shown is None else described.position(shown.changes, path)
        return 1 if place is None else place // change_page.FILES + 1

    def own_text(self, root: str, path: str) -> bytes | None:
        """Returns what a file of the person's checkout holds; None if it cannot be read. For threads."""
        try:
            found = review_plan.read(self._disk, root, path)
        except AgentosError:
            return None  # the checkout is gone, or the disk fails
        return found if isinstance(found, bytes) else None

    # --- what a person does ------------------------------------------------------------------------------------

    async def accept(
        self, name: ids.SessionId, given: Answer, opened: Callable[[str], review_plan.OpenFile | None]
    ) -> Outcome:
        """Brings a hunk or file into the person's checkout.

        Args:
            name: The session.
            given: What was shown.
            opened: Finds a file of the checkout that is open in the editor, by its absolute path.
        """
        return await self._to_end(self._act(await self._own(name), "accept", given, opened))

    async def reject(self, name: ids.SessionId, given: Answer) -> Outcome:
        """Takes a hunk or file back in the worktree; the agent is told when its turn ends, or with the next prompt."""
        return await self._to_end(self._act(await self._own(name), "reject", given, lambda _path: None))

    async def mark(self, name: ids.SessionId, given: Answer, *, looked_at: bool) -> Outcome:
        """Notes that a person has looked at a hunk or file, or has yet to."""
        one = await self._own(name)
        item = await _find(_there(one), given)
        if item is None:
            return Outcome(counted=False, message=STALE)
        await one.record(
            review_events.ReviewMarked, path=item.path, digests=_digests(item), reviewed=looked_at, by=given.by
        )
        return Outcome(counted=True)

    async def ask(self, name: ids.SessionId, given: Answer, text: str) -> Outcome:
        """Asks the agent for a change where a hunk or file stands; it is queued to the end of its turn."""
        one = await self._own(name)
        if not text.strip():
            raise UserError("The comment is empty.", "Say what should be different.")
        item = await _find(_there(one), given)
        if item is None:
            return Outcome(counted=False, message=STALE)

        async def carry_out() -> Outcome:
            await one.record(
                review_events.ReviewAsked, durable=True, path=item.path, digest=item.digest, text=text, by=given.by
            )
            await one.prompt(reviewed.request(item, text), given.by)
            return Outcome(counted=True)

        return await self._to_end(carry_out())

    async def _act(
        self,
        one: Session,
        wanted: review_events.Wanted,
        given: Answer,
        opened: Callable[[str], review_plan.OpenFile | None],
    ) -> Outcome:
        async with self._acting[one.id]:
            workspace = _there(one)
            current = await workspace.change.current()
            item = hunks.find(
                described.of_path(current.changes, given.path), given.path, given.digest, as_file=given.whole
            )
            if item is None:
                return Outcome(counted=False, message=STALE)
            sides = review_plan.Sides(item, current.rows)
            if wanted == "accept":
                plan = await review_plan.accept(workspace, sides, opened)
            else:
                plan = await review_plan.reject(workspace, sides)
            if isinstance(plan, str):
                return Outcome(counted=False, message=plan)
            return await self._carry_out(one, workspace, wanted, item, plan, given.by)

    async def _carry_out(
        self,
        one: Session,
        workspace: Workspace,
        wanted: review_events.Wanted,
        item: hunks.Item,
        plan: review_plan.Plan,
        by: str,
    ) -> Outcome:
        """Records the intent, acts, and records what came of it."""
        before = None
        if plan.loses is not None:
            before = await asyncio.to_thread(workspace.runner.store.put_blob, plan.loses)
        await one.record(
            review_events.ReviewAttempted,
            durable=True,
            wanted=wanted,
            path=item.path,
            digest=item.digest,
            whole=item.hunk is None,
            through=plan.through,
            before=before,
            by=by,
        )
        if wanted == "reject":
            workspace.change.announce(*plan.paths)
        try:
            refused = await plan.act()
        except AgentosError as error:
            refused = str(error)
        except BaseException:
            await self._refuse(one, wanted, item, "It failed; look at the file.")
            raise
        finally:
            if wanted == "reject":
                workspace.change.touched(*plan.paths)
        if refused is not None:
            await self._refuse(one, wanted, item, refused)
            return Outcome(counted=False, message=refused)
        digests = _digests(item)
        if wanted == "accept":
            await one.record(
                review_events.ReviewAccepted, durable=True, path=item.path, digests=digests, through=plan.through, by=by
            )
        else:
            note = reviewed.rejection(item)
            await one.record(
                review_events.ReviewRejected, durable=True, path=item.path, digests=digests, note=note, by=by
            )
        return Outcome(counted=True)

    async def _refuse(self, one: Session, wanted: review_events.Wanted, item: hunks.Item, reason: str) -> None:
        await one.record(review_events.ReviewRefused, wanted=wanted, path=item.path, digest=item.digest, reason=reason)


def _there(one: Session) -> Workspace:
    if one.workspace is None or one.state.worktree is None or not one.state.is_live:
        raise UserError(f"Session {one.id} has no worktree to review.", "Its trace says what became of it.")
    if one.is_held:
        raise UserError(f"Session {one.id} is being merged or discarded.", "Wait until that has ended.")
    return one.workspace


def _is_command(one: Session, call: ids.CallId) -> bool:
    known = one.state.calls.get(call)
    return known is None or known.request.kind in {"run", "start"}


async def _find(workspace: Workspace, given: Answer) -> hunks.Item | None:
    found = described.of_path((await workspace.change.current()).changes, given.path)
    return hunks.find(found, given.path, given.digest, as_file=given.whole)


def _digests(item: hunks.Item) -> Sequence[str]:
    """Returns the names of all that an answer is about: a file's hunks are answered with it."""
    if item.hunk is not None:
        return (item.digest,)
    return (item.digest, *(one.digest for one in hunks.items(item.change) if one.hunk is not None))
