"""`agentos-lsp policy`: examines the policy files of a person and a repository, and writes the JSON Schema."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from agentos_lsp.cli import wiring
from agentos_lsp.domain import policy_file, review
from agentos_lsp.domain.errors import AgentosError
from agentos_lsp.domain.inspection import inspect
from agentos_lsp.runtime import policies

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from agentos_lsp.domain.policy import Policy


def run(arguments: argparse.Namespace) -> int:
    """Runs the subcommand; the exit code of `check` is 0, or 1 if a file cannot be used."""
    if arguments.action == "schema":
        print(json.dumps(policy_file.schema(), indent=2))
        return 0
    folder = str(Path(arguments.repository or ".").resolve())
    files = [wiring.user_policy(), Path(_root(folder), policies.REPOSITORY_FILE)]
    wrong = [line for file in files for line in problems(file)]
    if wrong:
        print("\n".join(wrong), file=sys.stderr)
        return 1
    try:
        looked = wiring.the_policies(wiring.state_folder(arguments)).look(folder)
    except AgentosError as error:
        print(error, file=sys.stderr)
        return 1
    print("\n".join(review.visible(line) for line in explained(looked)))
    return 0


def problems(file: Path) -> Iterator[str]:
    """Yields everything that is wrong with a file, a line each: `FILE:LINE:COLUMN: what`, counted from 1."""
    if not file.is_file():
        return
    for problem in policy_file.parse(file.read_bytes()).problems:
        where = f"{file}:{problem.place.line + 1}:{problem.place.start + 1}"
        yield review.visible(f"{where}: {problem.message}")


def explained(looked: policies.Looked) -> Iterator[str]:
    """Says which policy is in force, and where it came from."""
    rules = looked.in_force.rules
    for source in looked.in_force.sources:
        how = "counts in full" if source.trusted else "only tightens: you have not trusted it"
        yield f"{source.file}  {how}  ({source.digest[:12]})"
    if not looked.in_force.sources:
        yield "no policy file: the built-in rules"
    for key in looked.in_force.passed_over:
        yield f"  passed over, because it would loosen: {key}"
    yield ""
    width = max(len(name) for name in (*rules.actions, *(one.name for one in rules.own)))
    for rule in inspect.RULES:
        changed = "" if rules.actions[rule.name] == rule.action else f"  (built in: {rule.action})"
        yield f"{rule.name:<{width}}  {rules.actions[rule.name]:<6}  {rule.says}{changed}"
    for one in rules.own:
        yield f"{one.name:<{width}}  {one.action:<6}  {one.message or f'{one.on}: {one.pattern}'}"
    yield ""
    yield from _limits(rules)
    tried = sum(len(rule.finds) + len(rule.passes) for rule in inspect.RULES)
    own = sum(len(one.match) + len(one.not_match) for one in rules.own)
    yield f"examples: {tried} of the built-in rules and {own} of your own, all as they should be"


def _limits(rules: Policy) -> Iterator[str]:
    yield f"protected paths: {', '.join(rules.protected_paths)}"
    yield f"protected branches: {', '.join(rules.protected_branches)}"
    yield f"at most {rules.max_files} files in a commit, and {rules.max_file_bytes} bytes in a file"
    for check in rules.checks:
        yield f"check {check.name}: {check.run}" + ("" if check.vouched else "  (you are asked first)")
    for one in rules.allow:
        yield f"runs without a question: {' '.join(one.tokens)} …" + (f" in {one.folder}" if one.folder else "")


def _root(folder: str) -> str:
    """Returns the nearest folder above that holds a repository's policy, or the folder itself."""
    here = Path(folder)
    return str(next((up for up in (here, *here.parents) if (up / policies.REPOSITORY_FILE).is_file()), here))
