"""A person's own rules: an expression on new lines, files, paths or the commit's words, with examples of both kinds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentos_lsp.domain import policy
from agentos_lsp.domain.inspection import globs, patterns
from agentos_lsp.domain.inspection.rule import Change, Hit, new_lines, written

if TYPE_CHECKING:
    from collections.abc import Iterator

EXAMPLE_PATH = "example.txt"


def apply(rule: policy.OwnRule, change: Change) -> Iterator[tuple[str, Hit]]:
    """Yields what a rule finds, with the path that it is about (empty for the commit's words)."""
    if rule.on in {"subject", "message"}:
        if change.message is None:
            return
        text = change.message.strip()
        if _speaks(rule, text.split("\n")[0] if rule.on == "subject" else text):
            yield "", Hit(None, _told(rule, "the commit message"))
        return
    for file in change.files:
        where = file.paths if rule.on == "path" else (file.path,)
        touched = [path for path in where if not rule.paths or globs.first_match(path, rule.paths)]
        if touched:
            yield from ((file.path, hit) for hit in _in_file(rule, file, touched))


def _in_file(rule: policy.OwnRule, file: policy.ChangedFile, touched: list[str]) -> Iterator[Hit]:
    if rule.on == "path":
        for path in touched:
            if not rule.pattern or _speaks(rule, path):
                yield Hit(None, _told(rule, path))
    elif file.content is None or file.is_binary:
        return
    elif rule.on == "file":
        if _speaks(rule, file.content.decode("utf-8", "replace")):
            yield Hit(None, _told(rule, file.path))
    else:
        for number, line in new_lines(file):
            if _speaks(rule, line):
                yield Hit(number, _told(rule, f"{file.path}:{number + 1}"))


def _speaks(rule: policy.OwnRule, text: str) -> bool:
    found = patterns.compiled(rule.pattern).search(text) is not None
    return found if rule.expect == "absent" else not found


def _told(rule: policy.OwnRule, where: str) -> str:
    return f"{where}: {rule.message or f'the rule {rule.name} of the policy speaks against it'}"


def finds(rule: policy.OwnRule, example: str) -> bool:
    """Whether a rule finds something in one of its examples: a line, a file's text, a path, or a commit message."""
    path = next((one for one in rule.paths if "*" not in one and "?" not in one and "[" not in one), EXAMPLE_PATH)
    if rule.on in {"subject", "message"}:
        return any(apply(rule, Change((), example)))
    if rule.on == "path":
        return any(apply(rule, written(example, "x")))
    # Which files it looks at is not what a line's example is about.
    anywhere = policy.OwnRule(rule.name, rule.action, rule.on, rule.pattern, rule.expect, (), rule.message)
    return any(apply(anywhere, written(path, *example.split("\n"))))
