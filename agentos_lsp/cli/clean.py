"""`agentos-lsp clean`: what sessions take on the disk, what can go without a loss, and what cannot and why."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from agentos_lsp.cli import wiring
from agentos_lsp.domain import orphan, review, state, upkeep
from agentos_lsp.domain.errors import AgentosError
from agentos_lsp.effects import store
from agentos_lsp.effects.files import sizes
from agentos_lsp.effects.git import checkpoints, on_disk, repository, spares, trash
from agentos_lsp.runtime import orphans, policies

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

    from agentos_lsp.domain import ids

KEPT_FOR = timedelta(days=30)
"""How long what a discard removed is kept."""


@dataclass(frozen=True, slots=True)
class Row:
    """Something on the disk: its size, why it stays, or how it goes; `remove` is None exactly if it stays."""

    what: str
    size_bytes: int
    words: str
    remove: Callable[[], None] | None = None


def run(arguments: argparse.Namespace) -> int:
    """Prints the table, and with `--yes` removes what can go; returns 1 if something could not be looked at or go."""
    folder = wiring.state_folder(arguments)
    try:
        rows = list(_rows(folder, Path(arguments.repository or ".").resolve()))
    except AgentosError as error:
        print(f"agentos-lsp: {error}", file=sys.stderr)
        return 1
    failed = 0
    for row in rows:
        done = "stays" if row.remove is None else "can go"
        if row.remove is not None and arguments.yes:
            try:
                row.remove()
                done = "removed"
            except AgentosError as error:
                print(f"agentos-lsp: {error}", file=sys.stderr)
                failed, done = 1, "not removed"
        print(f"{done:11} {upkeep.shown(row.size_bytes):>9}  {review.visible(row.what)}: {review.visible(row.words)}")
    going = sum(row.size_bytes for row in rows if row.remove is not None)
    if not rows:
        print("Nothing is left of any session.")
    elif going and not arguments.yes:
        print(f"`agentos-lsp clean --yes` removes what can go, {upkeep.shown(going)}.")
    return failed


def _rows(folder: Path, place: Path) -> Iterator[Row]:
    """Looks at everything; the repository of the folder `place` too, if there is one."""
    log = store.Store(folder)
    try:
        yield from _sessions(log, folder)
        for found in sorted(folder.glob("worktrees/*/.trash*")):
            yield Row(str(found), sizes.size(found), "thrown away already", partial(trash.delete, str(found)))
        for found in sorted(folder.glob("spares/*/ready-*")):
            words = "a spare worktree, made again when it is needed"
            yield Row(str(found), sizes.size(found), words, partial(spares.remove, found))
        try:
            checkout = repository.probe(str(place))
        except AgentosError as error:
            yield Row(str(place), 0, f"not looked at. {error}")
            return
        yield from _left(log, folder, checkout)
        for name, since in sorted(checkpoints.removed(checkout.common_dir).items()):
            yield _kept(checkout, name, since)
        live = {name for name in log.sessions() if _may_be_live(log, name)}
        for name, (session, since) in sorted(checkpoints.set_aside(checkout.common_dir).items()):
            if session not in live:
                yield _set_aside(checkout, name, since)
    finally:
        log.close()


def _sessions(log: store.Store, folder: Path) -> Iterator[Row]:
    rules = wiring.the_policies(folder)
    for name in log.sessions():
        try:
            now = state.fold(log.read(name))
        except AgentosError as error:
            yield Row(name, 0, f"its trace cannot be read, so nobody knows whether it has ended. {error}")
            continue
        if now.worktree is not None:
            size_bytes = sizes.size(Path(now.worktree.folder))
            words = "ended; removed at the next start"
            if now.is_live:
                over = _beyond(rules, now, size_bytes)
                words = f"{now.status}; merge or discard it" + (f" ({over})" if over else "")
            yield Row(now.worktree.folder, size_bytes, words)


def _beyond(rules: policies.Policies, now: state.SessionState, size_bytes: int) -> str:
    """Says which limits of the policy a session is beyond."""
    try:
        in_force = rules.look(now.repository).in_force.rules
    except AgentosError as error:
        return f"its policy is not known: {error}"
    age = datetime.now(UTC) - (now.started_at or datetime.now(UTC))
    return upkeep.beyond(size_bytes, age, in_force)


def _left(log: store.Store, folder: Path, checkout: repository.Checkout) -> Iterator[Row]:
    """Yields what no session owns; only what holds nothing of its own can go."""
    known = orphans.Orphans(log, folder, on_disk.OnDisk())
    asyncio.run(known.look(checkout.root))
    for one in known.found():
        size_bytes = 0 if one.folder is None else sizes.size(Path(one.folder))
        what = one.folder or one.branch or one.session
        words = f"left behind, holds {orphan.describe(one)}. {orphan.advise(one)}"

        def remove(one: orphan.Orphan = one) -> None:
            asyncio.run(known.remove(one.session))

        yield Row(what, size_bytes, words, remove if one.is_empty else None)


def _may_be_live(log: store.Store, name: ids.SessionId) -> bool:
    try:
        return state.fold(log.read(name)).is_live
    except AgentosError:
        return True


def _set_aside(checkout: repository.Checkout, name: str, since: datetime) -> Row:
    """What was refused or replaced in a session that has ended goes when its time is over."""
    if since + KEPT_FOR <= datetime.now(UTC):
        words = f"set aside on {since:%Y-%m-%d}, longer ago than {KEPT_FOR.days} days"
        return Row(name, 0, words, lambda: checkpoints.forget(checkout.common_dir, [name]))
    until = since + KEPT_FOR
    words = f"set aside on {since:%Y-%m-%d} in a session that has ended, kept until {until:%Y-%m-%d}; `git log {name}`"
    return Row(name, 0, words)


def _kept(checkout: repository.Checkout, name: str, since: datetime) -> Row:
    """What a discard has kept goes when its time is over."""
    until = since + KEPT_FOR
    if until <= datetime.now(UTC):
        words = f"kept since {since:%Y-%m-%d}, longer than {KEPT_FOR.days} days"
        return Row(name, 0, words, lambda: checkpoints.forget(checkout.common_dir, [name]))
    words = f"discarded on {since:%Y-%m-%d}, kept until {until:%Y-%m-%d}; `git branch NAME {name}` has it back"
    return Row(name, 0, words)
