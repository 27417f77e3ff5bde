"""Several sessions on one task: started together, compared, and one of them kept."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from agentos_lsp.domain import comparison, diff
from agentos_lsp.domain.errors import AgentosError, UserError
from agentos_lsp.domain.inspection import changed, inspect

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from agentos_lsp.domain.ids import SessionId
    from agentos_lsp.domain.state import SessionState
    from agentos_lsp.runtime.session import Session
    from agentos_lsp.runtime.supervisor import Runtime, Start
    from agentos_lsp.runtime.workspace import Losses, Workspace


async def start(runtime: Runtime, wanted: Sequence[Start]) -> tuple[SessionId, ...]:
    """Starts one session or several on one task.

    Args:
        runtime: Where.
        wanted: What each begins with, at least one; they may differ in their model.

    Raises:
        UserError: See `Runtime.start`; names those that were started, which go on.
        ConfigError: The same, of the first one.
    """
    first, *others = wanted
    if not others:
        return (await runtime.start(first),)
    started = [await runtime.start(replace(first, group=""))]
    for other in others:
        try:
            started.append(await runtime.start(replace(other, group=started[0])))
        except AgentosError as error:
            so_far = f"{len(started)} of {len(wanted)} sessions were started ({', '.join(started)})"
            hint = f"Those go on. {error.hint if isinstance(error, UserError) else 'Discard them, or start others.'}"
            raise UserError(f"{so_far}, and no more: {error}", hint) from error
    return tuple(started)


async def members(runtime: Runtime, name: SessionId) -> tuple[SessionState, ...]:
    """Returns all sessions on the task of one, the oldest first; that one alone if it was started alone.

    Raises:
        UserError: There is no such session.
    """
    one = await runtime.state(name)
    if one.group is None:
        return (one,)
    return tuple(other for other in await runtime.all_states() if other.group == one.group)


async def compare(runtime: Runtime, name: SessionId) -> tuple[comparison.Attempt, ...]:
    """Looks at each session on the task of one.

    Raises:
        UserError: There is no such session.
    """
    return tuple([await _look(runtime, state) for state in await members(runtime, name)])


async def _look(runtime: Runtime, state: SessionState) -> comparison.Attempt:
    checks = comparison.checks(await runtime.trace(state.session))
    seen = comparison.Attempt(state, checks=checks)
    one = runtime.owned(state.session)
    if one is None or one.workspace is None or state.worktree is None:
        return seen
    try:
        current = await one.workspace.change.current()
    except AgentosError:
        # Its worktree goes away at this moment.
        return seen

    def look() -> comparison.Attempt:
        files = [
            changed.file(change, row.new.data if (row := current.rows.get(change.path)) and row.new else None)
            for change in current.changes
        ]
        found = inspect.inspect(files, one.rules, waived=state.waived)
        return replace(
            seen,
            files=len(current.changes),
            additions=sum(change.additions for change in current.changes),
            deletions=sum(change.deletions for change in current.changes),
            findings=Counter(one.action for one in found),
        )

    return await asyncio.to_thread(look)


async def between(here: Session, there: Session) -> str:
    """Returns what differs between the worktrees of two sessions, as a patch from the first to the second.

    Raises:
        UserError: One has no worktree, or they belong to two repositories.
        EffectError: git failed.
    """
    one, other = here.place, there.place
    if one.common_dir != other.common_dir:
        raise UserError(f"{here.id} and {there.id} work in two repositories.", "Compare sessions on one task.")

    def tree(place: Workspace) -> str:
        return place.git.stage_tree(place.worktree, None).tree

    def look() -> str:
        return diff.unified(one.git.between(one.common_dir, tree(one), tree(other)))

    return await asyncio.to_thread(look)


async def rest(runtime: Runtime, name: SessionId) -> dict[SessionId, Losses]:
    """Says what would be lost if one session were kept, and the others on its task discarded.

    Raises:
        UserError: It has ended without a merge, or there are no others that are live.
    """
    rows = await members(runtime, name)
    kept = next(one for one in rows if one.session == name)
    others = [one.session for one in rows if one.is_live and one.session != name]
    if not others:
        raise UserError(f"There is no other live session on the task of {name}.", "Merge it, or discard it.")
    if not kept.is_live and kept.ended != "merged":
        raise UserError(f"{name} has ended ({kept.status}).", "Keep one that is live or merged.")
    return {other: await runtime.losses(other) for other in others}


async def keep(runtime: Runtime, name: SessionId, by: str, seen: str | None = None) -> dict[SessionId, Losses]:
    """Keeps one session and discards the others on its task; each can be had back for 30 days.

    Args:
        runtime: Where they are.
        name: The one to keep.
        by: Who asks.
        seen: What `shown` said of the losses that they have been shown; None for who has been shown none.

    Raises:
        UserError: See `rest`; or it ended while others were discarded.
    """
    group = (await runtime.state(name)).group
    async with runtime.keeping[group or name]:
        lost = await rest(runtime, name)
        if seen not in {None, shown(lost)}:
            message = f"Keeping {name} would discard something else by now: {words(lost)}."
            raise UserError(message, "Look at the comparison again.")
        for other in lost:
            kept = await runtime.state(name)
            if not kept.is_live and kept.ended != "merged":
                message = f"{name} has ended ({kept.status}) meanwhile, so {other} was not discarded."
                raise UserError(message, "Look at the comparison again.")
            await runtime.discard(other, by)
        return lost


def shown(lost: Mapping[SessionId, Losses]) -> str:
    """Returns what stands for exactly these losses: a person who confirms says with it what they have been shown."""
    rows = [(name, it.commits, it.uncommitted) for name, it in sorted(lost.items())]
    return hashlib.sha256(repr(rows).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def words(lost: Mapping[SessionId, Losses]) -> str:
    """Says in a few words what discarding sessions loses."""
    told: list[str] = []
    for name, it in lost.items():
        sizes = ((len(it.commits), "commit"), (len(it.uncommitted), "uncommitted file"))
        what = ", ".join(f"{count} {noun}{'s' * (count > 1)}" for count, noun in sizes if count)
        told.append(f"{name} ({what or 'nothing of its own'})")
    return ", ".join(told)
