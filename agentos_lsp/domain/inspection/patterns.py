"""Regular expressions on text that an agent or a repository wrote; the only place for re2.

Matching takes time linear in the text, whatever the expression: neither a hostile line nor a hostile policy file can
stall the runtime. The price is re2's syntax: no look-around and no back-references.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import re2

LONGEST_PATTERN = 2_000
_MOST_MEMORY_BYTES = 8 << 20


class Pattern:
    """A compiled expression; it searches anywhere in a text unless it says otherwise.

    Raises:
        ValueError: The text is no expression that re2 can take; says why.
    """

    def __init__(self, text: str) -> None:
        if len(text) > LONGEST_PATTERN:
            raise ValueError(f"the expression is longer than {LONGEST_PATTERN} characters")
        options = re2.Options()
        options.log_errors = False
        options.max_mem = _MOST_MEMORY_BYTES
        try:
            self._compiled: Any = re2.compile(text, options)
        except (re2.error, UnicodeEncodeError) as error:
            reason = error.args[0] if error.args else error
            shown = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(error)
            raise ValueError(shown) from error
        self.text = text

    def search(self, text: str) -> tuple[int, int] | None:
        """Returns where the first match begins and ends, in characters."""
        found = self._compiled.search(clean(text))
        return None if found is None else found.span()

    def groups(self, text: str) -> tuple[str | None, ...] | None:
        """Returns what the groups of the first match hold."""
        found = self._compiled.search(clean(text))
        return None if found is None else found.groups()

    def all_groups(self, text: str) -> list[tuple[str | None, ...]]:
        """Returns the groups of every match."""
        return [found.groups() for found in self._compiled.finditer(clean(text))]


def clean(text: str) -> str:
    """Returns a text that has a UTF-8 form: what stands for stray bytes becomes a question mark of equal length."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


@lru_cache(maxsize=512)
def compiled(text: str) -> Pattern:
    """Compiles an expression, once.

    Raises:
        ValueError: As `Pattern`.
    """
    return Pattern(text)
