"""What git runs besides itself: aliases, and the verbs that take a command."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from agentos_lsp.domain.command import inside
from agentos_lsp.domain.command.inside import Code, Command, Inner
from agentos_lsp.domain.command.invocation import Known

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from agentos_lsp.domain.command.invocation import Argument, Invocation


# Global options that take a value in the next word. Source: git(1), OPTIONS.
_VALUED = frozenset(
    (
        "-c",
        "-C",
        "--git-dir",
        "--work-tree",
        "--namespace",
        "--exec-path",
        "--config-env",
        "--super-prefix",
        "--attr-source",
    )
)
# Options whose value is shell text. Source: git-rebase(1), git-difftool(1), git-filter-branch(1).
_CODED = {
    "rebase": re.compile(r"-x|--exec"),
    "difftool": re.compile(r"-x|--extcmd"),
    "filter-branch": re.compile(r"--[a-z]+-filter"),
}


def git(invocation: Invocation, write: Callable[[Argument], str]) -> Iterator[Inner]:
    """Aliases, from the configuration or from `-c`, and the verbs that run commands."""
    arguments = invocation.arguments
    aliases = dict(invocation.surroundings.aliases)
    at = 0
    while at < len(arguments) and (text := inside.text_of(arguments[at])).startswith("-"):
        if text == "-c" and at + 1 < len(arguments):
            key, _, value = inside.text_of(arguments[at + 1]).partition("=")
            if key.casefold().startswith("alias."):
                aliases[key[6:]] = value
        at += 2 if text in _VALUED else 1
    if at >= len(arguments):
        return
    verb, rest = inside.text_of(arguments[at]), arguments[at + 1 :]
    if (alias := aliases.get(verb)) is not None:
        yield _aliased(alias, arguments[:at], rest, write)
    if verb in _CODED:
        yield from _coded(_CODED[verb], rest, write)
    if verb == "submodule":
        yield from _foreach(rest, write)


def _aliased(
    alias: str, options: tuple[Argument, ...], rest: tuple[Argument, ...], write: Callable[[Argument], str]
) -> Inner:
    """What an alias stands for. Source: git-config(1): after `!` it is given to a shell with `"$@"` added."""
    if alias.startswith("!"):
        text = " ".join((alias[1:], *(inside.quote(write(word)) for word in rest)))
        return Code(text, all(isinstance(word, Known) for word in rest))
    return Command((Known("git"), *options, *(Known(word) for word in _split(alias)), *rest))


def _coded(option: re.Pattern[str], rest: tuple[Argument, ...], write: Callable[[Argument], str]) -> Iterator[Inner]:
    """The values of an option, in the next word or attached."""
    for i, word in enumerate(rest):
        text = inside.text_of(word)
        match = option.match(text)
        if match is None:
            continue
        if match.end() == len(text):
            if i + 1 < len(rest):
                yield Code(write(rest[i + 1]), isinstance(rest[i + 1], Known))
        else:
            yield Code(text[match.end() :].removeprefix("="), isinstance(word, Known))


def _foreach(rest: tuple[Argument, ...], write: Callable[[Argument], str]) -> Iterator[Inner]:
    texts = [inside.text_of(word) for word in rest]
    if "foreach" in texts:
        words = rest[texts.index("foreach") + 1 :]
        inner = [word for word in words if inside.text_of(word) not in ("--recursive", "-q", "--quiet")]
        yield Code(" ".join(write(word) for word in inner), all(isinstance(word, Known) for word in inner))


def _split(text: str) -> list[str]:
    """Splits a git alias into words; quotes are honoured as git does."""
    words: list[str] = []
    word = quote = ""
    begun = False
    for character in text:
        if quote:
            if character == quote:
                quote = ""
            else:
                word += character
        elif character in "'\"":
            quote, begun = character, True
        elif character.isspace():
            if word or begun:
                words.append(word)
            word, begun = "", False
        else:
            word += character
    return [*words, word] if word or begun else words
