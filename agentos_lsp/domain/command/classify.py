"""A line, judged: the strictest verdict of all its parts, with reasons.

The only way into the classifier. It is total: every string gets a verdict, and what cannot be understood is reviewed.
"""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import TYPE_CHECKING

from agentos_lsp.domain.command import allowlist, opaque, outputs, rules, verbs, walk, wrapper_table
from agentos_lsp.domain.command.effects import Deletes, Reads, ReadsOnly
from agentos_lsp.domain.command.families import table
from agentos_lsp.domain.command.invocation import Glob, Known, Prefix
from agentos_lsp.domain.command.surroundings import Surroundings
from agentos_lsp.domain.command.syntax import Span
from agentos_lsp.domain.command.verdict import Assessment, Part, Reason, Verdict
from agentos_lsp.domain.errors import UserError

if TYPE_CHECKING:
    from agentos_lsp.domain.command.allowlist import Allowlist
    from agentos_lsp.domain.command.effects import Effect
    from agentos_lsp.domain.command.invocation import Invocation
    from agentos_lsp.domain.command.steps import Step

_LONGEST = 1 << 16
_FEEDING = frozenset(("xargs", "gxargs"))
_CERTAIN = (Known, Glob)
_SOMEWHERE = Surroundings(cwd="/worktree", worktree="/worktree")
_EXAMPLES = 5
_OTHER_SHELLS = frozenset(("zsh", "fish", "powershell"))


def classify(line: str, surroundings: Surroundings, known: Allowlist) -> Assessment:
    """Judges a line.

    Args:
        line: What the shell would read.
        surroundings: Where it would run.
        known: What the session lets through besides the built-in set.
    """
    if len(line) > _LONGEST:
        return _too_big(line, ())
    found = walk.walk(line, surroundings)
    parts: list[Part] = []
    offered: set[tuple[str, ...] | None] = set()
    for step in found.steps:
        reasons, effects = _judge(step, surroundings, known)
        strictest = reasons[0].verdict if reasons else Verdict.ALLOWED
        if step.only_blocks and strictest is not Verdict.BLOCKED:
            continue
        if strictest is Verdict.REVIEWED:
            offered.add(_offer(step, effects))
        parts.append(Part(step.text, step.span, step.words, strictest, reasons))
    if found.exhausted:
        return _too_big(line, tuple(parts))
    if surroundings.shell in _OTHER_SHELLS:
        parts.append(_other_shell(line, surroundings.shell))
    return _assessed(line, _each_once(parts) if len(parts) > 1 else tuple(parts), offered, known)


@functools.lru_cache(maxsize=256)
def let_through(tokens: tuple[str, ...]) -> tuple[str, ...]:
    """Five lines that a prefix lets through, each of them judged, for the person who is about to allow it."""
    alone = allowlist.Allowlist((allowlist.TokenPrefix(tokens),))
    lines = allowlist.examples(tokens)
    return tuple(line for line in lines if classify(line, _SOMEWHERE, alone).verdict is Verdict.ALLOWED)[:_EXAMPLES]


def hold(entry: allowlist.TokenPrefix) -> None:
    """Holds a prefix to what may be stored, and to its own examples.

    Raises:
        UserError: It must not be stored, or one of its examples gets another answer than it says.
    """
    allowlist.check(entry.tokens)
    shown = " ".join(entry.tokens)
    where = replace(_SOMEWHERE, cwd=f"{_SOMEWHERE.worktree}/{entry.folder or ''}".rstrip("/"))
    for line in (*entry.match, *entry.not_match):
        found = classify(line, where, allowlist.Allowlist((entry,)))
        why = f": {found.reasons[0].text}" if found.reasons else ""
        if line in entry.match and found.verdict is not Verdict.ALLOWED:
            raise UserError(
                f"`{shown}` does not let its own example `{line}` through{why}",
                "Change the prefix or its `match`.",
            )
        if line in entry.not_match and found.verdict is Verdict.ALLOWED:
            raise UserError(
                f"`{line}` is let through, which `not_match` says it must not be.",
                f"Make `{shown}` longer, or change its `not_match`.",
            )


def _assessed(line: str, parts: tuple[Part, ...], offered: set[tuple[str, ...] | None], known: Allowlist) -> Assessment:
    """Puts the parts together: the strictest decides, unless this very line was let through."""
    gathered = [reason for part in parts for reason in part.reasons]
    if not gathered:
        return Assessment(line, Verdict.ALLOWED, parts, (), None)
    reasons = _sorted(gathered)
    worst = reasons[0].verdict
    if worst is not Verdict.REVIEWED:
        return Assessment(line, worst, parts, reasons, None)
    if known.names(line) and not any(reason.rule in rules.UNCERTAIN for reason in reasons):
        worst = Verdict.ALLOWED
    return Assessment(line, worst, parts, reasons, next(iter(offered)) if len(offered) == 1 else None)


def _judge(step: Step, surroundings: Surroundings, known: Allowlist) -> tuple[tuple[Reason, ...], tuple[Effect, ...]]:
    """The reasons why a part is not allowed, the strictest first, none if it is; and what its program would do."""
    found: list[Reason] = []
    if step.doubts or step.effects:
        found.extend(rules.doubtful(doubt) for doubt in step.doubts)
        found.extend(_reasons(step.effects, surroundings))
    effects: tuple[Effect, ...] = ()
    for invocation in step.invocations:
        effects = table.effects(invocation)
        if invocation.wrappers and not (wrapper_table.SWEEPING | _FEEDING).isdisjoint(invocation.wrappers):
            effects = tuple(_swept(effect) for effect in effects)
        if invocation.wrappers:
            invocation, effects = _found(invocation, effects)  # noqa: PLW2901 - what is known of it is sharper
        reasons = _reasons(effects, surroundings)
        if known.entries and _is_let_through(step, invocation, effects, reasons, known):
            continue
        found.extend(reasons or _why_not_built_in(invocation, effects, step))
    return (_sorted(found) if len(found) > 1 else tuple(found)), effects


def _is_let_through(
    step: Step, invocation: Invocation, effects: tuple[Effect, ...], reasons: list[Reason], known: Allowlist
) -> bool:
    """Tells whether the session's allowlist lets a command through; nothing lets a blocked one through."""
    if any(reason.verdict is Verdict.BLOCKED for reason in reasons):
        return False
    return any(allowlist.lets_through(entry, invocation, effects, wraps=step.wraps) for entry in known.entries)


def _why_not_built_in(invocation: Invocation, effects: tuple[Effect, ...], step: Step) -> list[Reason]:
    """Why a program with harmless effects is not in the built-in set all the same; nothing if it is."""
    if not allowlist.is_built_in(effects):
        return [rules.not_listed(invocation.name)]
    if step.wraps and not _hands_on(invocation):
        return [rules.doubtful(f"{invocation.name} starts other commands")]
    return [
        rules.uncertain(argument)
        for argument in invocation.arguments
        if not isinstance(argument, _CERTAIN) and not any(argument is spoken for spoken in step.spoken)
    ]


def _hands_on(invocation: Invocation) -> bool:
    """Tells whether a wrapper does nothing but start commands, each of them a part of its own, on what is here."""
    if invocation.name in wrapper_table.PLAIN:
        return True
    words = [argument.text if isinstance(argument, Known) else "" for argument in invocation.arguments]
    return invocation.name in wrapper_table.FINDING and not outputs.strays(words)


def _found(invocation: Invocation, effects: tuple[Effect, ...]) -> tuple[Invocation, tuple[Effect, ...]]:
    """Takes the names that find found, or that were fed apart by NULs, for what they are: files below a folder.

    That counts for reading in the worktree only; where anything else is done to them, nothing is taken for certain.
    """
    reached = frozenset(invocation.wrappers)
    if reached.isdisjoint(wrapper_table.FINDING | _FEEDING) or not reached.isdisjoint(("fd", "fdfind")):
        return invocation, effects
    arguments = tuple(
        Glob(f"{argument.text}*", argument.text)
        if isinstance(argument, Prefix) and argument.quoted and argument.text.endswith("/")
        else argument
        for argument in invocation.arguments
    )
    if arguments == invocation.arguments:
        return invocation, effects
    named = replace(invocation, arguments=arguments)
    reading = table.effects(named)
    if all(isinstance(effect, ReadsOnly) or _is_here(effect) for effect in reading):
        return named, reading
    return invocation, effects


def _is_here(effect: Effect) -> bool:
    return isinstance(effect, Reads) and effect.target.place in ("worktree", "scratch")


def _swept(effect: Effect) -> Effect:
    """Deleting whatever is found below a folder, one file after the other, deletes the tree."""
    if isinstance(effect, Deletes) and effect.target.under:
        return Deletes(effect.target, recursive=True)
    return effect


def _reasons(effects: tuple[Effect, ...], surroundings: Surroundings) -> list[Reason]:
    found: list[Reason] = []
    for effect in effects:
        reason = rules.judge(effect, surroundings)
        if reason is not None:
            found.append(reason)
    return found


def _sorted(reasons: list[Reason]) -> tuple[Reason, ...]:
    """Puts reasons in order, the strictest first, each once."""
    if len(reasons) == 1:
        return (reasons[0],)
    return tuple(sorted(dict.fromkeys(reasons), key=_strictness))


def _each_once(parts: list[Part]) -> tuple[Part, ...]:
    """Leaves out what was found twice, as in the rounds of a loop; cheap fields, which mostly differ, come first."""
    kept: dict[tuple[int, int, str], list[Part]] = {}
    found: list[Part] = []
    for part in parts:
        same = kept.setdefault((part.span.start, part.span.end, part.text), [])
        if part not in same:
            same.append(part)
            found.append(part)
    return tuple(found)


def _strictness(reason: Reason) -> int:
    return -reason.verdict


def _other_shell(line: str, shell: str) -> Part:
    reason = rules.other_shell(shell)
    return Part(line, Span(0, len(line)), (), reason.verdict, (reason,))


def _offer(step: Step, effects: tuple[Effect, ...]) -> tuple[str, ...] | None:
    """The prefix that would let this part through; None if none would."""
    if len(step.invocations) != 1 or step.doubts or step.effects:
        return None
    tokens = allowlist.suggest(step.words)
    if tokens is None:
        return None
    fits = allowlist.lets_through(allowlist.TokenPrefix(tokens), step.invocations[0], effects, wraps=step.wraps)
    return tokens if fits else None


def _too_big(line: str, parts: tuple[Part, ...]) -> Assessment:
    """Judges a line that was not followed to its end: whatever it may hold, it is not allowed."""
    reason = rules.too_big(mentions=verbs.mentions(opaque.plain(line)))
    whole = Part(line[:200], Span(0, len(line)), (), reason.verdict, (reason,))
    every = _sorted([*(found for part in parts for found in part.reasons), reason])
    return Assessment(line, every[0].verdict, (*parts, whole), every, None)
