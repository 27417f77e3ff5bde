"""What a few programs certainly print, so that text which passes through them on its way to a shell can be read."""

from __future__ import annotations

import base64
import binascii
import itertools
import posixpath  # Pure text functions; nothing here asks the file system.
import re
from typing import TYPE_CHECKING

from agentos_lsp.domain.command import secrets
from agentos_lsp.domain.command.invocation import Glob, Known

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agentos_lsp.domain.command.invocation import Argument
    from agentos_lsp.domain.command.scope import Scope
    from agentos_lsp.domain.command.surroundings import Surroundings

# Programs that `printed` may know the output of.
NAMES = frozenset(
    (
        *("echo", "printf", "cat", "tee", "pwd", "which", "command", "type", "base64", "xxd", "rev", "tr"),
        *("dirname", "basename", "git", "find", "ls"),
    )
)
# With these, what find finds may lie behind a link, or a command runs where it was found.
_STRAYING = frozenset(
    ("-L", "-H", "-follow", "-execdir", "-ok", "-okdir", "-lname", "-ilname", "-xtype", "-files0-from")
)
# What stands in a text for what is not certain.
HOLE = "${_}"
_ESCAPES = {"a": "\a", "b": "\b", "e": "\x1b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\"}
_ESCAPE = re.compile(r"\\(?:([abefnrtv\\])|x([0-9a-fA-F]{1,2})|0?([0-7]{1,3}))")
_DIRECTIVE = re.compile(r"%(?:%|[sdib])")
_MOST = 1 << 16
_MOST_FILES = 16


def printed(  # noqa: C901, PLR0912 - one arm per program
    arguments: Sequence[Argument], stdin: str | None, scope: Scope
) -> str | None:
    """Says what a program prints.

    Args:
        arguments: The program's name and its arguments.
        stdin: The text fed to it; None if there is none or it is not certain.
        scope: Where it runs.

    Returns:
        Its output, a hole (`${_}`) for each part that is not certain; None if nothing is known of it.
    """
    words: list[str] = []
    for argument in arguments:
        match argument:
            case Known(text):
                words.append(text)
            case Glob(_, folder) if words and words[0] == "ls":
                words.append(f"{folder}/{HOLE}".replace("//", "/") if folder else HOLE)
            case _:
                return None
    if not words:
        return None
    name, rest = words[0].rpartition("/")[2], words[1:]
    cwd = scope.cwds[0] if len(scope.cwds) == 1 else None
    match name:
        case "echo":
            return _echo(rest)
        case "printf":
            return _printf(rest)
        case "cat" if not rest or rest == ["-"]:
            return stdin
        case "cat" if all(not word.startswith("-") for word in rest):
            return _kept(rest, cwd, scope)
        case "tee":
            return stdin
        case "find":
            return _found(rest)
        case "ls" if any(word.startswith("-") and "d" in word and not word.startswith("--") for word in rest):
            named = [word for word in rest if not word.startswith("-")]
            return "".join(f"{word}\n" for word in named) if named else None
        case "git" if cwd is not None:
            return _of_git(rest, cwd, scope.surroundings)
        case "tr" if stdin is not None:
            return _translated(rest, stdin)
        case "dirname" if len(rest) == 1:
            return f"{posixpath.dirname(rest[0].rstrip('/')) or ('/' if rest[0].startswith('/') else '.')}\n"
        case "basename" if len(rest) == 1:
            return f"{posixpath.basename(rest[0].rstrip('/')) or '/'}\n"
        case "type" if len(rest) == 2 and rest[0] in ("-P", "-p"):
            return f"{rest[1]}\n"
        case "pwd" if not rest:
            return None if cwd is None else f"{cwd}\n"
        case "which" if len(rest) == 1 and not rest[0].startswith("-"):
            return f"{rest[0]}\n"
        case "command" if len(rest) == 2 and rest[0] == "-v":
            return f"{rest[1]}\n"
        case "base64" if rest in (["-d"], ["-D"], ["--decode"], ["-di"], ["-d", "-i"]) and stdin is not None:
            return _decoded(stdin)
        case "xxd" if "".join(rest) in ("-r-p", "-p-r", "-rp", "-ps-r", "-r-ps", "-plain-r") and stdin is not None:
            return _from_hex(stdin)
        case "rev" if not rest and stdin is not None:
            return "".join(line[::-1] + "\n" for line in stdin.splitlines())
        case _:
            return None


def keep(arguments: Sequence[Argument], target: Argument, text: str, scope: Scope) -> None:
    """Remembers what the line writes into a file, so that a script that it makes can be read when it runs it."""
    if isinstance(target, Known) and arguments and len(scope.files) < _MOST_FILES and HOLE not in text:
        path = _path(target.text, scope.cwds[0] if len(scope.cwds) == 1 else None)
        if path is not None:
            scope.files[path] = text[:_MOST]


def kept(name: str, scope: Scope) -> str | None:
    """The text of a file that the line itself wrote; None if it did not."""
    path = _path(name, scope.cwds[0] if len(scope.cwds) == 1 else None) if scope.files else None
    return None if path is None else scope.files.get(path)


def unescaped(text: str) -> str:
    """Reads the backslash escapes of `echo -e` and `printf`."""
    return _ESCAPE.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    if match[1]:
        return _ESCAPES[match[1]]
    return chr(int(match[2], 16) if match[2] else int(match[3], 8) & 0xFF)


def _path(name: str, cwd: str | None) -> str | None:
    if name.startswith("/"):
        return posixpath.normpath(name)
    return None if cwd is None else posixpath.normpath(f"{cwd}/{name}")


def _kept(names: list[str], cwd: str | None, scope: Scope) -> str | None:
    texts = [scope.files.get(_path(name, cwd) or "") for name in names] if scope.files else [None]
    known = [text for text in texts if text is not None]
    return "".join(known) if len(known) == len(texts) else None


def _found(words: list[str]) -> str | None:
    """Find prints names below its starting points."""
    starts: list[str] = []
    for word in words:
        if word[:1] in ("-", "(", "!"):
            break
        starts.append(word)
    if any(word.startswith(("-printf", "-exec", "-ok", "-ls")) for word in words):
        return None
    below = "".join(f"{start.rstrip('/')}/{HOLE}\n" for start in starts or ["."])
    # Where names may be links, or are asked for as secrets, what they lead to may be anything.
    return f"{below}{HOLE}\n" if strays(words) else below


def strays(words: Sequence[str]) -> bool:
    """Tells whether what find finds may lie behind a link, is git's own or a secret, or is not at its folder's path."""
    return any(word in _STRAYING or ".git" in word or secrets.is_named(word) for word in words) or any(
        first == "-type" and "l" in second for first, second in itertools.pairwise(words)
    )


def _of_git(words: list[str], cwd: str, surroundings: Surroundings) -> str | None:
    """What git says of the worktree and its branch."""
    match words:
        case ["rev-parse", "--show-toplevel"] if f"{cwd}/".startswith(f"{surroundings.worktree}/"):
            return f"{surroundings.worktree}\n"
        case ["branch", "--show-current"] | ["rev-parse", "--abbrev-ref", "HEAD"] | ["symbolic-ref", "--short", "HEAD"]:
            here = cwd == surroundings.cwd or f"{cwd}/".startswith(f"{surroundings.worktree}/")
            return f"{surroundings.branch}\n" if here and surroundings.branch is not None else None
        case _:
            return None


def _translated(words: list[str], text: str) -> str | None:
    """`tr`: one set deleted, or one put in place of another; what a hole would become nobody knows."""
    if HOLE in text:
        return None
    if len(words) == 2 and words[0] == "-d":
        return text.translate(dict.fromkeys(map(ord, _set(words[1]))))
    if len(words) != 2 or words[0].startswith("-"):
        return None
    old, new = _set(words[0]), _set(words[1])
    if not old or not new:
        return None
    return text.translate(str.maketrans(old, (new + new[-1] * len(old))[: len(old)]))


def _set(text: str) -> str:
    """The characters of a set of `tr`: ranges and a few escapes. Source: tr(1)."""
    text = unescaped(text)
    return re.sub(
        r"(.)-(.)",
        lambda found: "".join(map(chr, range(ord(found[1]), min(ord(found[2]), ord(found[1]) + 256) + 1))),
        text[:512],
        flags=re.DOTALL,
    )


def _echo(words: list[str]) -> str:
    flags = ""
    while words and re.fullmatch(r"-[neE]+", words[0]):
        flags += words[0][1:]
        words = words[1:]
    text = " ".join(words)
    if "e" in flags:
        text = unescaped(text)
    return text if "n" in flags else f"{text}\n"


def _printf(words: list[str]) -> str | None:
    if words[:1] == ["--"]:
        words = words[1:]
    if not words or words[0].startswith("-"):
        return None
    form, *values = words
    if "%" in _DIRECTIVE.sub("", form):
        return None
    fields = sum(found != "%%" for found in _DIRECTIVE.findall(form))
    text: list[str] = []
    size = 0
    while True:
        filled = _DIRECTIVE.sub(lambda match: "%" if match[0] == "%%" else _field(match[0], values), unescaped(form))
        text.append(filled)
        size += len(filled)
        if not values or not fields or size > _MOST:
            return "".join(text)


def _field(directive: str, values: list[str]) -> str:
    found = values.pop(0) if values else ""
    return unescaped(found) if directive == "%b" else found


def _decoded(text: str) -> str | None:
    kept = re.sub(r"[^A-Za-z0-9+/]", "", text)
    kept = kept[: len(kept) - 1] if len(kept) % 4 == 1 else kept
    try:
        return base64.b64decode(kept + "=" * (-len(kept) % 4)).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        return None


def _from_hex(text: str) -> str | None:
    try:
        return bytes.fromhex("".join(text.split())).decode("utf-8")
    except ValueError:
        return None
