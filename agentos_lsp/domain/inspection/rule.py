"""What a built-in rule is: a name, a sentence, a check, and examples that it must find and some that it must not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentos_lsp.domain import policy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass(frozen=True, slots=True)
class Hit:
    """A place where a rule found something, and what to do about it in words for agent and person; lines from 0."""

    line: int | None
    message: str


@dataclass(frozen=True, slots=True)
class Change:
    """What a commit would do: its files, and its message (None where there is none, as at a merge)."""

    files: tuple[policy.ChangedFile, ...]
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """One built-in rule.

    Args:
        name: Its key in `[rules]`; findings call it `policy.NAME`.
        says: What it finds, in one sentence; the documentation and the editor show it.
        of_file: Looks at each file by itself.
        of_change: Looks at the whole change.
        finds: Changes that it must find, under `given`.
        passes: Changes that it must let pass.
        given: The policy of the examples.
    """

    name: str
    says: str
    of_file: Callable[[policy.ChangedFile, policy.Policy], Iterator[Hit]] | None = None
    of_change: Callable[[Change, policy.Policy], Iterator[Hit]] | None = None
    finds: tuple[Change, ...] = ()
    passes: tuple[Change, ...] = ()
    given: policy.Policy = policy.Policy()  # noqa: RUF009 - frozen, and nothing in it is changed

    @property
    def action(self) -> policy.Action:
        """What it does unless a policy file says otherwise."""
        return policy.BUILT_IN[self.name]


def touched(*paths: str) -> Change:
    """Returns an example that changes files."""
    return Change(tuple(policy.ChangedFile(path, b"x\n", 2, ((0, "x"),), unchanged_lines_known=True) for path in paths))


def written(path: str, *lines: str, mode: int = 0o100644, old_mode: int | None = None) -> Change:
    """Returns an example that adds lines to a file."""
    content = "".join(f"{line}\n" for line in lines).encode()
    file = policy.ChangedFile(
        path,
        content,
        len(content),
        tuple(enumerate(lines)),
        unchanged_lines_known=True,
        mode=mode,
        old_mode=old_mode,
    )
    return Change((file,))


def linked(path: str, target: str) -> Change:
    """Returns an example that makes a symbolic link."""
    content = target.encode()
    return Change((policy.ChangedFile(path, content, len(content), ((0, target),), mode=0o120000),))


def new_lines(file: policy.ChangedFile) -> list[tuple[int, str]]:
    """Returns the lines that are new, or all where nobody could say which those are."""
    if file.content is None or file.mode in {0o120000, 0o160000}:
        return []
    if file.added or file.unchanged_lines_known:
        return list(file.added)
    return list(enumerate(file.content.decode("utf-8", "replace").split("\n")))
