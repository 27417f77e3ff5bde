"""A best effort at text that the grammar refused: it is cut where a command could begin.

What this finds can only make a verdict stricter: blocks are still found, and what is no command may be called one.
It must be quick on any input.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from agentos_lsp.domain.command import outputs
from agentos_lsp.domain.command.invocation import Known, Prefix, Unknown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agentos_lsp.domain.command.invocation import Argument

# Characters that a reader does not see, and those that look like a blank.
_UNSEEN = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\x00-\x08\x0e-\x1f\x7f]"
)
_BLANK = re.compile("[\x0b\x0c\r\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\x85]")
_ANSI = re.compile(r"\$'((?:[^'\\]|\\.)*)'", re.DOTALL)
_HERE = re.compile(r"<<-?[ \t]*(?P<quote>['\"]?)(?P<word>[A-Za-z_][A-Za-z0-9_]*)(?P=quote)")
_SHELL_BEFORE = re.compile(r"\b(?:ba|z|da|k|a)?sh\b[^|;&\n]*\Z|\bssh\b[^|;&\n]*\Z|\|[ \t]*(?:ba|z|da|k|a)?sh\b")
# A redirection with its target, a place where a command may begin, a piece of a word, or a blank.
_TOKEN = re.compile(
    r"""
    (?P<redirection>[0-9]*(?:&>>?|>>|>\||<>|<<<|[<>]&?)[ \t]*(?=[^\s(])|\{[A-Za-z_]\w*\}(?=[<>]))
    | (?P<cut>[;&|()\n]|\$\(\(?|[<>]\(|`)
    | '(?P<single>[^']*)'
    | \$?"(?P<double>(?:[^"\\]|\\.)*)"
    | \\(?P<escaped>[^\n])
    | (?P<joined>\\\n)
    | (?P<hole>\$\{[^}\s]*\}|\$[A-Za-z_0-9@*\#?$!-][A-Za-z_0-9]*)
    | (?P<blank>[ \t]+)
    | (?P<text>[^\s;&|()<>`'"\\$]+)
    | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_RESERVED = frozenset(
    [
        "if",
        "then",
        "elif",
        "else",
        "fi",
        "while",
        "until",
        "do",
        "done",
        "for",
        "select",
        "in",
        "case",
        "esac",
        "time",
        "coproc",
        "function",
        "!",
        "{",
        "}",
        "[[",
        "and",
        "or",
        "not",
        "begin",
        "end",
    ]
)
# `${x:-/etc}` and kin.
_DEFAULT = re.compile(r"\$\{\w+:?[-=]([^}$`]*)\}")
_CUTTING = frozenset(("{", "}", "do", "then", "else", "elif", "and", "or", "begin"))
# Variables that are known to be blanks.
_KNOWN_HOLES = frozenset(("$IFS", "${IFS}"))


def commands(text: str) -> Iterator[tuple[Argument, ...]]:
    """Cuts text into what could be commands, words unquoted; substitutions in quotes are cut out as well."""
    nested: list[str] = []
    yield from _cut(text, nested)
    for inner in nested:
        yield from _cut(inner, [])
    if text.count("'") % 2 or text.count('"') % 2:
        # An open quote hides what follows it; a shell that reads it otherwise would not be misled.
        yield from _cut(text.replace("'", " ").replace('"', " "), [])


def plain(text: str) -> str:
    """Makes text fit to be searched: what a reader does not see and the bodies of here-documents are taken out."""
    if not text.isascii() or _BLANK.search(text) or _UNSEEN.search(text):
        text = _BLANK.sub(" ", _UNSEEN.sub("", text))
    if "$'" in text:
        text = _ANSI.sub(lambda match: "'" + outputs.unescaped(match[1]).replace("'", " ") + "'", text)
    return _without_bodies(text) if "<<" in text else text


def _without_bodies(text: str) -> str:
    """Takes here-documents out, unless a shell reads them."""
    kept: list[str] = []
    lines = text.split("\n")
    last = {line.lstrip("\t"): i for i, line in enumerate(lines)}
    at = 0
    while at < len(lines):
        line = lines[at]
        kept.append(line)
        at += 1
        for match in _HERE.finditer(line):
            if last.get(match["word"], -1) < at:
                continue
            end = next(i for i in range(at, len(lines)) if lines[i].lstrip("\t") == match["word"])
            if _SHELL_BEFORE.search(line[: match.start()]) or _SHELL_BEFORE.search(line[match.end() :]):
                kept.extend(lines[at:end])
            at = end + 1
    return "\n".join(kept)


def _cut(text: str, nested: list[str]) -> list[tuple[Argument, ...]]:
    """Cuts text into commands; the texts of substitutions inside quotes are put into `nested`."""
    return _Cutter(nested).cut(text)


class _Cutter:
    """Puts the pieces of a text together to words, and words to commands."""

    def __init__(self, nested: list[str]) -> None:
        self.nested = nested
        self.found: list[tuple[Argument, ...]] = []
        self.words: list[Argument] = []
        self.word: list[str] = []
        self.begun = False
        self.holed = False
        self.aimed = False

    def cut(self, text: str) -> list[tuple[Argument, ...]]:
        for match in _TOKEN.finditer(text):
            self._take(match.lastgroup or "other", match)
        self._end_command()
        return self.found

    def _take(self, kind: str, match: re.Match[str]) -> None:
        match kind:
            case "blank":
                self._end_word()
            case "cut":
                self._end_command()
            case "redirection":
                self._end_word()
                self.aimed = not match[0].startswith("{")
            case "hole" if match[0] in _KNOWN_HOLES:
                self._end_word()
            case "hole":
                self._hole(_DEFAULT.fullmatch(match[0]))
            case "joined":
                pass
            case "double":
                self._quoted(match["double"])
            case _:
                self.begun = True
                if not self.holed:
                    self.word.append(match[kind])

    def _hole(self, default: re.Match[str] | None) -> None:
        """Takes an expansion: the text that may stand in for it, or something that cannot be known."""
        self.begun = True
        if default is not None and not self.holed:
            self.word.append(default[1])
        self.holed = self.holed or default is None

    def _quoted(self, text: str) -> None:
        """Takes text in double quotes; what follows an expansion in it cannot be known."""
        self.begun = True
        self.nested.extend(_substitutions(text))
        plain = re.split(r"[$`]", re.sub(r"\\([\"\\])", r"\1", text), maxsplit=1)
        if not self.holed:
            self.word.append(plain[0])
        self.holed = self.holed or len(plain) > 1

    def _end_word(self) -> None:
        text = "".join(self.word)
        if self.begun and self.aimed:
            self.aimed = False
        elif self.begun and self.holed:
            self.words.append(Prefix(text, quoted=False) if text else Unknown("$", quoted=False))
        elif self.begun and text in _CUTTING:
            self._keep()
        elif self.begun and (self.words or text not in _RESERVED):
            self.words.append(Known(text))
        self.word.clear()
        self.begun = self.holed = False

    def _end_command(self) -> None:
        self._end_word()
        self.aimed = False
        self._keep()

    def _keep(self) -> None:
        if self.words:
            self.found.append(tuple(self.words))
            self.words.clear()


def _substitutions(text: str) -> list[str]:
    """The texts of command substitutions inside double quotes, cut roughly."""
    return [first or second for first, second in re.findall(r"\$\(([^)]*)|`([^`]*)", text)]
