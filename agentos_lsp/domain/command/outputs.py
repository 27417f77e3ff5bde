"""What a few programs certainly print, so that text which passes through them on its way to a shell can be read."""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING

from agentos_lsp.domain.command.invocation import Known

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agentos_lsp.domain.command.invocation import Argument

# Programs that `printed` may know the output of.
NAMES = frozenset(("echo", "printf", "cat", "tee", "pwd", "which", "command", "base64", "xxd", "rev"))
_ESCAPES = {"a": "\a", "b": "\b", "e": "\x1b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\"}
_ESCAPE = re.compile(r"\\(?:([abefnrtv\\])|x([0-9a-fA-F]{1,2})|0?([0-7]{1,3}))")
_DIRECTIVE = re.compile(r"%(?:%|[sdib])")
_MOST = 1 << 16


def printed(  # noqa: C901, PLR0912 - one arm per program
    arguments: Sequence[Argument], stdin: str | None, cwd: str | None
) -> str | None:
    """Says what a program prints.

    Args:
        arguments: The program's name and its arguments.
        stdin: The text fed to it; None if there is none or it is not certain.
        cwd: The folder it runs in.

    Returns:
        Its output; None if that is not certain.
    """
    words: list[str] = []
    for argument in arguments:
        if not isinstance(argument, Known):
            return None
        words.append(argument.text)
    if not words:
        return None
    name, rest = words[0].rpartition("/")[2], words[1:]
    match name:
        case "echo":
            return _echo(rest)
        case "printf":
            return _printf(rest)
        case "cat" | "tee" if not rest or rest == ["-"]:
            return stdin
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


def unescaped(text: str) -> str:
    """Reads the backslash escapes of `echo -e` and `printf`."""
    return _ESCAPE.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    if match[1]:
        return _ESCAPES[match[1]]
    return chr(int(match[2], 16) if match[2] else int(match[3], 8) & 0xFF)


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
