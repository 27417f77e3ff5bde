"""Several sessions on one task, side by side, as a page: what each changed, whether it holds, and what it took."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentos_lsp.domain import model_state, review

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from agentos_lsp.domain import events, policy
    from agentos_lsp.domain.state import SessionState


@dataclass(frozen=True, slots=True)
class Attempt:
    """One of the sessions. `files`, `additions` and `deletions` are None where nobody can look at its worktree.

    `checks` says of each required check whether it passed last; `findings` counts those of the whole change by action.
    """

    state: SessionState
    files: int | None = None
    additions: int = 0
    deletions: int = 0
    checks: Mapping[str, bool] | None = None
    findings: Mapping[policy.Action, int] | None = None


def checks(log: Iterable[events.AnyEvent]) -> dict[str, bool]:
    """Returns each check that ran, and whether it passed the last time."""
    return {event.name: event.passed for event in log if event.type == "check.finished"}


def page(attempts: Sequence[Attempt]) -> review.Page:
    """Shows the attempts, each on a line that leads to its page, and a line for each two that can be compared."""
    writer = review.Writer()
    task = attempts[0].state.task if attempts else ""
    writer.add("# Attempts", "", f"Task: {task.strip().splitlines()[0] if task.strip() else ''}", "")
    for one in attempts:
        writer.anchor("attempt", one.state.session, one.state.session)
        writer.add(f"- {one.state.session} [{one.state.status}]")
        writer.add(f"    change: {_size(one)}, {len(one.state.commits)} commits")
        writer.add(f"    checks: {_checks(one)}")
        writer.add(f"    policy: {_findings(one)}")
        writer.add(f"    cost: {_cost(one)}")
    writer.add("")
    there = [one.state.session for one in attempts if one.files is not None]
    if len(there) > 1:
        writer.add("## Differences", "")
        for here, other in itertools.combinations(there, 2):
            writer.anchor("versus", other, here)
            writer.add(f"- {here} and {other}")
        writer.add("")
    return writer.page()


def _size(one: Attempt) -> str:
    if one.files is None:
        return "its worktree is gone" if one.state.ended else "not there to look at"
    return f"{one.files} files, +{one.additions} -{one.deletions}"


def _checks(one: Attempt) -> str:
    rows = [f"{name} {'passed' if passed else 'did not pass'}" for name, passed in sorted((one.checks or {}).items())]
    return ", ".join(rows) or "none ran"


def _findings(one: Attempt) -> str:
    if one.findings is None:
        return "not looked at"
    told: list[tuple[policy.Action, str]] = [("refuse", "refused"), ("review", "to review"), ("note", "noted")]
    return ", ".join(f"{one.findings[key]} {word}" for key, word in told if one.findings.get(key)) or "nothing found"


def _cost(one: Attempt) -> str:
    return model_state.line(one.state.spent) if one.state.spent.replies else "no model was asked"
