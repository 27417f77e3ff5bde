"""Constant arithmetic: the value of `$((…))` when nothing but numbers is in it.

Source: bash(1), ARITHMETIC EVALUATION.
"""

from __future__ import annotations

import re

_TOKEN = re.compile(r"\s*(?:(0[xX][0-9a-fA-F]+|[0-9]+)|(\*\*|[-+*/%()]))")
_MOST = 200
_LIMIT = 1 << 62


def value(expression: str) -> int | None:
    """Computes a constant expression of `+ - * / %` and parentheses; None if it is anything else."""
    if len(expression) > _MOST:
        return None
    tokens: list[str] = []
    at = 0
    text = expression.strip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            return None
        tokens.append(match[1] or match[2])
        at = match.end()
    reader = _Reader(tokens)
    try:
        found = reader.sum()
    except (IndexError, ValueError, ZeroDivisionError, RecursionError):
        return None
    return found if reader.at == len(tokens) and abs(found) < _LIMIT else None


class _Reader:
    """Reads tokens by precedence."""

    def __init__(self, tokens: list[str]) -> None:
        self.tokens = tokens
        self.at = 0

    def sum(self) -> int:
        found = self._product()
        while self._peek() in ("+", "-"):
            found = found + self._product() if self._take() == "+" else found - self._product()
        return found

    def _product(self) -> int:
        found = self._unary()
        while (operator := self._peek()) in ("*", "/", "%"):
            self._take()
            other = self._unary()
            # The shell's division drops the fraction, towards zero.
            quotient = 0 if operator == "*" else abs(found) // abs(other) * (1 if found * other >= 0 else -1)
            found = found * other if operator == "*" else quotient if operator == "/" else found - quotient * other
            if abs(found) > _LIMIT:
                raise ValueError
        return found

    def _unary(self) -> int:
        read = self._take()
        if read == "-":
            return -self._unary()
        if read == "+":
            return self._unary()
        if read == "(":
            found = self.sum()
            if self._take() != ")":
                raise ValueError
            return found
        if read[:2] in ("0x", "0X"):
            return int(read, 16)
        return int(read, 8) if len(read) > 1 and read[0] == "0" else int(read)

    def _peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def _take(self) -> str:
        self.at += 1
        return self.tokens[self.at - 1]
