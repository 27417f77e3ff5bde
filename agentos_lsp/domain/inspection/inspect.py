"""The inspector: applies every rule to a change and says what it found. The only place that knows all rules."""

from __future__ import annotations

import hashlib
from functools import cache
from typing import TYPE_CHECKING

from agentos_lsp.domain import policy
from agentos_lsp.domain.errors import InternalError
from agentos_lsp.domain.inspection import contents, own, paths
from agentos_lsp.domain.inspection.rule import Change, Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

CHECK = Rule("check", "A command of `[[check]]` did not pass on the very tree that would be committed.")
"""Found by the gate, which runs the command; here it has its place in the table."""

RULES: tuple[Rule, ...] = (*paths.RULES, *contents.RULES, CHECK)
"""Every built-in rule."""


def inspect(
    files: Iterable[policy.ChangedFile],
    rules: policy.Policy,
    *,
    message: str | None = None,
    waived: Collection[str] = (),
) -> tuple[policy.Finding, ...]:
    """Checks a change against the policy.

    Args:
        files: As the commit would have them.
        rules: The policy in force.
        message: The commit's, None where there is none.
        waived: Digests of findings that a person waived: they become notes.

    Returns:
        Every finding, the refusals first, then by path and line.
    """
    change = Change(tuple(files), message)
    contents_of = {file.path: file for file in change.files}
    found: dict[policy.Finding, None] = {}
    for name, action, path, hit in _hits(change, rules):
        finding = policy.Finding(f"policy.{name}", action, path, hit.line, hit.message)
        digest = _digest(finding, contents_of.get(path), change)
        if digest in waived:
            said = f"{hit.message} (waived)"
            finding = policy.Finding(finding.rule, "note", path, hit.line, said)
        found[policy.Finding(finding.rule, finding.action, path, hit.line, finding.message, digest)] = None
    return tuple(
        sorted(found, key=lambda one: (-policy.STRICTNESS[one.action], one.path, one.line or 0, one.rule, one.message))
    )


def _hits(change: Change, rules: policy.Policy) -> Iterator[tuple[str, policy.Action, str, Hit]]:
    for rule in RULES:
        action = rules.actions.get(rule.name, rule.action)
        yield from ((rule.name, action, path, hit) for path, hit in _apply(rule, change, rules))
    for one in rules.own:
        yield from ((one.name, one.action, path, hit) for path, hit in own.apply(one, change))


def _apply(rule: Rule, change: Change, rules: policy.Policy) -> Iterator[tuple[str, Hit]]:
    if rule.of_change is not None:
        yield from (("", hit) for hit in rule.of_change(change, rules))
    if rule.of_file is not None:
        for file in change.files:
            yield from ((file.path, hit) for hit in rule.of_file(file, rules))


def _digest(finding: policy.Finding, file: policy.ChangedFile | None, change: Change) -> str:
    """Names a finding together with the content that it is about, so that a waiver of it holds for nothing else."""
    words = [finding.rule, finding.path, str(finding.line), finding.message]
    if file is not None:
        words += [_content(file), str(file.mode)]
    else:
        words += [str(change.message), *(f"{one.path} {_content(one)}" for one in change.files)]
    return digest_of("\0".join(words))


def digest_of(words: str) -> str:
    """Returns the name of a finding from all that it is about."""
    return hashlib.sha256(words.encode("utf-8", "surrogateescape")).hexdigest()[:32]


def _content(file: policy.ChangedFile) -> str:
    return "gone" if file.content is None else hashlib.sha256(file.content).hexdigest()


def failures(rule: Rule) -> list[str]:
    """Runs a built-in rule on its own examples; returns what went otherwise than it should, in words."""
    wrong = [f"does not find {_shown(example)}" for example in rule.finds if not any(_apply(rule, example, rule.given))]
    wrong += [f"finds {_shown(example)}" for example in rule.passes if any(_apply(rule, example, rule.given))]
    return [f"policy.{rule.name} {text}" for text in wrong]


def _shown(example: Change) -> str:
    return example.message or ", ".join(f"{file.path} {file.content!r}" for file in example.files)


@cache
def verify() -> None:
    """Runs every built-in rule on its own examples, once; the policy is loaded only if all hold.

    Raises:
        InternalError: A rule does not keep to its examples.
    """
    wrong = [text for rule in RULES for text in failures(rule)]
    if wrong:
        raise InternalError("; ".join(wrong))
