"""Patterns of attribute files, matched as git matches them and in a time that no pattern can make long.

Source: git's wildmatch.c (`dowild`) and dir.c (`match_basename`, `match_pathname`). Unlike there, nothing is tried
twice: what stands between two stars is taken at its first place, which is never wrong.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_FIXED = re.compile(rb"[^*?\[\\]*")
_CLASSES = {
    b"alnum": rb"0-9A-Za-z",
    b"alpha": rb"A-Za-z",
    b"blank": rb"\x20\x09",
    b"cntrl": rb"\x00-\x1f\x7f",
    b"digit": rb"0-9",
    b"graph": rb"\x21-\x7e",
    b"lower": rb"a-z",
    b"print": rb"\x20-\x7e",
    b"punct": rb"\x21-\x2f\x3a-\x40\x5b-\x60\x7b-\x7e",
    b"space": rb"\x20\x09-\x0d",
    b"upper": rb"A-Z",
    b"xdigit": rb"0-9A-Fa-f",
}


@dataclass(frozen=True, slots=True)
class Glob:
    """One pattern: a name anywhere (`anywhere`), or a fixed beginning and steps; None is `**`, any number of steps."""

    steps: tuple[re.Pattern[bytes] | None, ...]
    anywhere: bool = False
    beginning: bytes = b""
    ignore_case: bool = False

    def matches(self, path: bytes) -> bool:
        """Tells whether a file's path, relative to the folder of the attribute file, is meant."""
        if self.anywhere:
            return _fits(self.steps[0], path.rpartition(b"/")[2])
        first, rest = path[: len(self.beginning)], path[len(self.beginning) :]
        if self.ignore_case:
            first = first.lower()
        if first != self.beginning:
            return False
        return _walk(self.steps, rest.split(b"/")) if self.steps else not rest


def parse(text: bytes, *, ignore_case: bool) -> Glob | None:
    """Reads a pattern; None if it matches no file: it is broken, or means folders only."""
    if not text or text.endswith(b"/"):
        return None
    flags = re.DOTALL | (re.IGNORECASE if ignore_case else 0)
    if b"/" not in text:
        step = _step(text, flags)
        return None if step is None else Glob((step,), anywhere=True)
    # Source: dir.c, `match_pathname`: what stands before the first special character is compared by itself, so that
    # stars right after it count as being at the beginning.
    fixed = _FIXED.match(text.removeprefix(b"/"))
    beginning = b"" if fixed is None else fixed[0]
    steps: list[re.Pattern[bytes] | None] = []
    for part in _split(text.removeprefix(b"/")[len(beginning) :]):
        if len(part) > 1 and not part.strip(b"*"):
            # More than one star between slashes crosses them. Source: wildmatch.c, "leading or trailing or in between".
            steps.append(None)
            continue
        step = _step(part, flags)
        if step is None:
            return None
        steps.append(step)
    known = beginning.lower() if ignore_case else beginning
    return Glob(tuple(steps), beginning=known, ignore_case=ignore_case)


def _fits(step: re.Pattern[bytes] | None, name: bytes) -> bool:
    return step is None or step.fullmatch(name) is not None


def _walk(steps: tuple[re.Pattern[bytes] | None, ...], names: list[bytes]) -> bool:
    """Matches steps against names; where it fails, the last `**` takes one name more, which loses nothing."""
    at, name = 0, 0
    back: tuple[int, int] | None = None
    while name < len(names):
        if at < len(steps) and steps[at] is None:
            if at == len(steps) - 1:
                return True
            back = (at, name)
            at += 1
        elif at < len(steps) and _fits(steps[at], names[name]):
            at, name = at + 1, name + 1
        elif back is not None:
            at, name = back[0] + 1, back[1] + 1
            back = (back[0], name)
        else:
            return False
    return at == len(steps)


def _split(text: bytes) -> list[bytes]:
    """Splits a pattern at its slashes, but for those in brackets, which match nothing there; nothing has no parts."""
    if not text:
        return []
    parts, at, start = list[bytes](), 0, 0
    while at < len(text):
        if text[at : at + 1] == b"[":
            at = _bracket_end(text, at) or len(text)
        elif text[at : at + 2] == b"\\/":
            parts.append(text[start:at])
            at = start = at + 2
        elif text[at : at + 1] == b"\\":
            at += 2
        elif text[at : at + 1] == b"/":
            parts.append(text[start:at])
            at = start = at + 1
        else:
            at += 1
    return [*parts, text[start:]]


def _step(text: bytes, flags: int) -> re.Pattern[bytes] | None:
    """Returns the expression of one step; None if nothing can match it."""
    runs: list[list[bytes]] = [[]]
    at = 0
    while at < len(text):
        char = text[at : at + 1]
        if char == b"*":
            if runs[-1] or len(runs) == 1:
                runs.append([])
            at += 1
        elif char == b"?":
            runs[-1].append(b".")
            at += 1
        elif char == b"[":
            end = _bracket_end(text, at)
            if end is None:
                return None
            runs[-1].append(_bracket(text[at + 1 : end - 1], ignore_case=bool(flags & re.IGNORECASE)))
            at = end
        elif char == b"\\":
            if at + 1 == len(text):
                return None
            runs[-1].append(re.escape(text[at + 1 : at + 2]))
            at += 2
        else:
            runs[-1].append(re.escape(char))
            at += 1
    pieces = [b"".join(run) for run in runs]
    if len(pieces) == 1:
        return re.compile(pieces[0], flags)
    # An atomic group keeps the place that it has found, so that nothing is tried twice.
    middle = b"".join(b"(?>.*?%s)" % piece for piece in pieces[1:-1])
    return re.compile(pieces[0] + middle + b".*" + pieces[-1], flags)


def _bracket_end(text: bytes, at: int) -> int | None:
    """Returns where the bracket that opens at a place has ended, None if it never does."""
    at += 1
    if text[at : at + 1] in {b"!", b"^"}:
        at += 1
    first = True
    while at < len(text):
        char = text[at : at + 1]
        if char == b"]" and not first:
            return at + 1
        first = False
        if char == b"\\":
            at += 2
        elif (end := _class_end(text, at)) is not None:
            at = end
        else:
            at += 1
    return None


def _class_end(text: bytes, at: int) -> int | None:
    """Returns where a class like `[:alpha:]` that begins at a place has ended; None if none does."""
    end = text.find(b"]", at + 2) if text[at : at + 2] == b"[:" else -1
    return end + 1 if end > at + 2 and text[end - 1 : end] == b":" else None


def _bracket(inside: bytes, *, ignore_case: bool) -> bytes:
    """Returns the expression of what stands between brackets."""
    negated = inside[:1] in {b"!", b"^"}
    at = 1 if negated else 0
    parts: list[bytes] = []
    last: int | None = None
    while at < len(inside):
        if (end := _class_end(inside, at)) is not None:
            known = _CLASSES.get(inside[at + 2 : end - 2])
            if known is None:
                return b"(?!)"
            parts.append(known)
            at, last = end, None
            continue
        ranged = inside[at : at + 1] == b"-" and last is not None and at + 1 < len(inside)
        at += ranged
        if inside[at : at + 1] == b"\\" and at + 1 < len(inside):
            at += 1
        code = inside[at]
        at += 1
        if ranged and last is not None:
            if last <= code:
                parts.append(b"\\x%02x-\\x%02x" % (last, code))
            last = None
        else:
            # Git compares with the letter in lower case then, so that a capital alone fits nothing.
            if not (ignore_case and 65 <= code <= 90):
                parts.append(b"\\x%02x" % code)
            last = code
    if not parts:
        return b"." if negated else b"(?!)"
    return b"(?!/)[%s%s]" % (b"^" if negated else b"", b"".join(parts))
