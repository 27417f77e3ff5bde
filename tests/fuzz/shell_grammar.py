"""The fuzz target of the shell grammar: mutated lines, read by us and by the real bash, must mean the same.

Run `python tests/fuzz/shell_grammar.py --lines 1000000 --seed 1`; it prints a summary and every difference, and exits
with 1 if there is one. The short run of the test suite is `test_shell_grammar.py`.
"""

from __future__ import annotations

import argparse
import random
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))

from agentos_lsp.domain.command import grammar, syntax
from tests.fuzz import mutations, printed, quotes

if TYPE_CHECKING:
    from collections.abc import Iterator

_BATCH = 400
_REFUSED_SAMPLE = 40


@dataclass
class Summary:
    """What a run found."""

    lines: int = 0
    accepted: int = 0
    words: int = 0
    flat: int = 0
    refused: int = 0
    unclear: int = 0
    refused_sample: int = 0
    refused_sample_valid: int = 0
    layout: list[printed.Difference] = field(default_factory=list)
    values: list[quotes.Difference] = field(default_factory=list)

    @property
    def rejected(self) -> int:
        """Lines that we accept and bash rejects."""
        return sum(1 for difference in self.layout if difference.theirs == "rejected")

    def text(self) -> str:
        """The summary for a person."""
        share = 100 * self.refused / max(self.lines, 1)
        valid = 100 * self.refused_sample_valid / max(self.refused_sample, 1)
        silent = len(self.layout) - self.rejected
        return (
            f"{self.lines} lines: {self.accepted} accepted, {self.refused} refused ({share:.1f} %;"
            f" bash accepts {valid:.0f} % of {self.refused_sample} of them);"
            f" {self.rejected} accepted by us and rejected by bash, {silent} silent differences in layout"
            f" ({self.flat} lines compared to the letter, {self.unclear} that bash prints ambiguously),"
            f" {len(self.values)} in quotes ({self.words} words)"
        )


def batches(count: int, chance: random.Random) -> Iterator[list[str]]:
    """Mutated lines that bash can be given: valid Unicode without NUL."""
    lines = mutations.seeds()
    left = count
    while left > 0:
        yield [mutations.mutated(lines, chance) for _ in range(min(left, _BATCH))]
        left -= _BATCH


def run(count: int, seed: int, *, samples_refused: bool) -> Iterator[Summary]:
    """Compares mutated lines, giving the summary so far after each batch."""
    chance = random.Random(seed)
    summary = Summary()
    for i, batch in enumerate(batches(count, chance)):
        accepted: list[tuple[str, syntax.Script]] = []
        refused: list[str] = []
        for line in batch:
            match grammar.parse(line):
                case syntax.Script() as script:
                    accepted.append((line, script))
                case syntax.Opaque():
                    refused.append(line)
        summary.lines += len(batch)
        summary.accepted += len(accepted)
        summary.refused += len(refused)
        compared = printed.compare([*accepted, *printed.backticks(accepted)])
        summary.layout += compared.differences
        summary.unclear += compared.unclear
        summary.flat += compared.flat
        values, words = quotes.differences(accepted)
        summary.values += values
        summary.words += words
        if samples_refused and i % 50 == 0:
            sample = refused[:_REFUSED_SAMPLE]
            summary.refused_sample += len(sample)
            summary.refused_sample_valid += sum(1 for line in sample if printed.layouts([line]) != [None])
        yield summary


def main() -> int:
    """Runs the long comparison."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--examples", type=int, default=50)
    options = parser.parse_args()
    if printed.bash() is None:
        print("bash 5.2 or later is needed")
        return 2
    summary = Summary()
    shown = [0, 0]
    for summary in run(options.lines, options.seed, samples_refused=True):
        for kind, found in enumerate((summary.layout, summary.values)):
            for difference in found[shown[kind] : options.examples]:
                print(repr(difference.line), *(f"    {value!r}" for value in difference[1:]), sep="\n", flush=True)
            shown[kind] = len(found)
        if summary.lines % (_BATCH * 250) == 0:
            print(summary.text(), flush=True)
    print(summary.text(), flush=True)
    return 1 if summary.layout or summary.values else 0


if __name__ == "__main__":
    sys.exit(main())
