"""Wrappers of the common form: options, then some operands, then assignments, then the command."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentos_lsp.domain.command import inside, options, wrapper_table
from agentos_lsp.domain.command.inside import Code, Command, Inner
from agentos_lsp.domain.command.invocation import Known, Unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from agentos_lsp.domain.command.invocation import Argument
# Flags of sudo and doas that give the words to a shell.
_SHELL_FLAGS = frozenset(("--shell", "--login", "-s"))


def prefixed(
    arguments: tuple[Argument, ...], skipped: int, spec: str, write: Callable[[Argument], str]
) -> Iterator[Inner]:
    """The common form: options, then some operands, then assignments, then the command."""
    parsed = options.parse(options.grammar(spec, permutes=False), arguments)
    inner = parsed.operands[skipped:]
    for option in ("--command", "--call"):
        for text in parsed.values(option):
            yield Code(write(text), isinstance(text, Known))
    for text in parsed.values("--split-string"):
        yield Code(" ".join((write(text), *(inside.quote(write(word)) for word in inner))), isinstance(text, Known))
        inner = ()
    if inner[:1] == (Known("--"),):
        inner = inner[1:]
    assignments, inner = _assignments(inner)
    folders = parsed.values("--chdir", "--cd", "--wd", "--directory")
    if inner:
        yield Command(inner, assignments, folders[-1] if folders else None)
        if any(option.name in _SHELL_FLAGS and option.value is None for option in parsed.given):
            yield Code(" ".join(write(word) for word in inner), all(isinstance(word, Known) for word in inner))
    if parsed.strange or parsed.unsure or parsed.globbed or (inner and inside.text_of(inner[0]).startswith("-")):
        yield from inside.candidates(arguments)


def _assignments(words: tuple[Argument, ...]) -> tuple[tuple[tuple[str, Argument], ...], tuple[Argument, ...]]:
    """Takes `NAME=value` words from the front."""
    found: list[tuple[str, Argument]] = []
    for i, word in enumerate(words):
        text = inside.text_of(word)
        name, equals, rest = text.partition("=")
        if not equals or not name.isidentifier():
            return tuple(found), words[i:]
        found.append((name, Known(rest) if isinstance(word, Known) else Unknown(text, quoted=True)))
    return tuple(found), ()


def subcommands(name: str, arguments: tuple[Argument, ...], write: Callable[[Argument], str]) -> Iterator[Inner]:
    """`docker exec`, `uv run` and kin; global options before the verb are skipped."""
    texts = [name, *[inside.text_of(argument) for argument in arguments]]
    for words, skipped, spec in wrapper_table.VERBS_OF[name]:
        if words[1] not in texts:
            continue
        at = 1
        for word in words[1:]:
            while (
                at < len(texts) and texts[at] != word and (texts[at].startswith("-") or texts[at - 1].startswith("-"))
            ):
                at += 1
            if at >= len(texts) or texts[at] != word:
                break
            at += 1
        else:
            if not (name == "git" and at != len(words)):
                yield from prefixed(arguments[at - 1 :], skipped, spec, write)
