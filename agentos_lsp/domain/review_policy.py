"""The page that shows which policy governs a session: each rule, what it does, and what it finds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentos_lsp.domain import review
from agentos_lsp.domain.inspection import inspect

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from agentos_lsp.domain import policy, policy_events


@dataclass(frozen=True, slots=True)
class RulePage:
    """A page, and on which of its lines each rule stands, by its name."""

    text: str
    lines: Mapping[str, int]


def page(rules: policy.Policy, loaded: policy_events.PolicyLoaded | None) -> RulePage:
    """Shows a policy, as Markdown.

    Args:
        rules: What is in force.
        loaded: Which files it came from, None for the built-in rules alone.
    """
    written: list[str] = []
    lines: dict[str, int] = {}
    for name, text in _rows(rules, loaded):
        if name:
            lines[name] = len(written)
        written += [review.visible(row) for row in text.split("\n")]
    return RulePage("\n".join(written) + "\n", lines)


def _rows(rules: policy.Policy, loaded: policy_events.PolicyLoaded | None) -> Iterator[tuple[str, str]]:
    yield "", "# The policy in force\n"
    for source in () if loaded is None else loaded.sources:
        how = "counts in full" if source.trusted else "only tightens; you have not trusted it"
        yield "", f"- {source.file}: {how}"
    for key in () if loaded is None else loaded.passed_over:
        yield "", f"    passed over, because it would loosen: {key}"
    yield "", "\n## Built-in rules\n"
    for rule in inspect.RULES:
        yield rule.name, f"### {rule.name}: {rules.actions[rule.name]}\n\n{rule.says}{_more(rule.name, rules)}\n"
    if rules.own:
        yield "", "## Your rules\n"
    for one in rules.own:
        said = [one.message] if one.message else []
        said += [f"on: {one.on}", f"pattern: {one.pattern}" if one.pattern else "", f"paths: {', '.join(one.paths)}"]
        yield one.name, f"### {one.name}: {one.action}\n\n" + "\n".join(f"- {row}" for row in said if row) + "\n"


def _more(name: str, rules: policy.Policy) -> str:
    """Says what a rule takes from the other tables."""
    match name:
        case "protected-path":
            return "\n\n" + "\n".join(f"- {glob}" for glob in rules.protected_paths)
        case "file-size":
            return f"\n\n- at most {rules.max_file_bytes:,} bytes"
        case "file-count":
            return f"\n\n- at most {rules.max_files:,} files"
        case "check" if rules.checks:
            return "\n\n" + "\n".join(f"- {one.name}: {one.run}" for one in rules.checks)
        case "licence-header" if rules.licences:
            return "\n\n" + "\n".join(f"- {', '.join(one.paths)}: {one.text}" for one in rules.licences)
        case _:
            return ""
