"""The diff of a session as a page: the patch, and which hunk or file stands on which line."""

from __future__ import annotations

import itertools
from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentos_lsp.domain import diff, glance, hunks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Section:
    """The lines from `line` on, up to the next section, are about one item."""

    line: int
    item: hunks.Item


@dataclass(frozen=True, slots=True)
class Page:
    """A text, and its sections in the order of their lines; empty if nothing changed.

    `folded` are the files whose hunks are not in it.
    """

    text: str
    sections: tuple[Section, ...]
    folded: frozenset[str] = frozenset()

    def at(self, first: int, last: int) -> tuple[Section, ...]:
        """Returns the sections that lines are in, from `first` to `last`, counted from 0."""
        starts = [section.line for section in self.sections]
        begin = max(0, bisect_right(starts, first) - 1)
        return self.sections[begin : bisect_right(starts, last)]

    def find(self, path: str, digest: str) -> Section | None:
        """Returns where an item stands, None if it is not shown; a hunk of a folded file stands where the file does."""
        if path in self.folded:
            return next((one for one in self.sections if one.item.path == path), None)
        return next((one for one in self.sections if (one.item.path, one.item.digest) == (path, digest)), None)


REMARKS = {
    "command": "Written by a command, not by a tool:",
    "person": "Edited by a person:",
}
"""What is said before a file's patch of its last writer; a patch may have any text there."""


FILES = 300
"""How many files a page shows."""

MORE = "More: "
"""How the last line of a page begins that is not the last one; a patch may have any text there."""


def count(changes: Sequence[diff.FileChange]) -> int:
    """Returns how many pages a change has."""
    return max(1, -(-len(changes) // FILES))


FOLDED = "Folded: "
"""How the line begins that stands for the hunks of a file that need not be read line by line."""


def part(changes: Sequence[diff.FileChange], number: int) -> Sequence[diff.FileChange]:
    """Returns the changes of a page."""
    return changes[(number - 1) * FILES : number * FILES]


def page(
    changes: Sequence[diff.FileChange],
    writers: Mapping[str, str] | None = None,
    number: int = 1,
    seen: glance.Glance = glance.NOTHING,
) -> Page:
    """Shows a page of a change as one patch. A file's header is about the file, each hunk about itself.

    Args:
        changes: All that changed, in order.
        writers: Who wrote a file last, by path; see `REMARKS`.
        number: Which page, from 1.
        seen: What is said before a file's lines, and which files' lines are folded away.
    """
    rows: list[str] = []
    sections: list[Section] = []
    for change in part(changes, number):
        sections.append(Section(len(rows), hunks.whole(change)))
        remark = REMARKS.get((writers or {}).get(change.path, ""))
        if remark is not None:
            rows.append(f"{remark} {diff.quoted(change.path)}")
        rows += [_one_line(words) for words in seen.remarks.get(change.path, ())]
        own = diff.unified([change]).split("\n")[:-1]
        if change.path in seen.folded:
            rows += itertools.takewhile(lambda row: not row.startswith("@@ "), own)
            rows.append(f"{FOLDED}{seen.folded[change.path]}; +{change.additions} -{change.deletions}")
            continue
        parts = iter(hunks.items(change))
        for line, row in enumerate(own):
            # Lines of content begin with a blank, a sign or a backslash: this is a header.
            if row.startswith("@@ ") and (item := next(parts, None)) is not None and item.hunk is not None:
                sections.append(Section(len(rows) + line, item))
        rows += own
    left = len(changes) - number * FILES
    if left > 0:
        rows.append(f"{MORE}{left} files, from page {number + 1} of {count(changes)} on")
    return Page("\n".join([*rows, ""]) if rows else "", tuple(sections), frozenset(seen.folded))


def _one_line(text: str) -> str:
    return text.replace("\r", "\\r").replace("\n", "\\n")
