"""What the demo is about: the files of its repository, and what its played model says and asks for, turn by turn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = "/home/you/calculator"
"""Where the repository would be; nothing is ever looked for there."""

STATE = "/home/you/.local/state/agentos"
"""Where the user's state folder would be."""

TASK = "Mend the calculator: its test fails"

FILES = {
    "calculator.py": (
        '"""Sums and means."""\n\n\ndef add(one, two):\n    """Returns the sum."""\n    return one - two\n\n\n'
        'def mean(one, two):\n    """Returns what lies between."""\n    return (one + two) / 2\n'
    ),
    "test_calculator.py": (
        "import unittest\n\nimport calculator\n\n\nclass CalculatorTest(unittest.TestCase):\n"
        "    def test_two_and_two_are_four(self):\n        self.assertEqual(calculator.add(2, 2), 4)\n\n"
        "    def test_the_mean_lies_between(self):\n        self.assertEqual(calculator.mean(2, 4), 3)\n"
    ),
    "README.md": "# Calculator\n\n`add` and `mean`, for two numbers each.\n",
    "AGENTS.md": "Run the tests with `python3 -m unittest -q` before you commit.\n",
    ".gitignore": "__pycache__/\n",
}


@dataclass(frozen=True, slots=True)
class Step:
    """One reply of the played model: words, and the tools that it wants, each with its arguments.

    `otherwise` is said instead of `text` if the last tool use came to nothing.
    """

    text: str
    uses: tuple[tuple[str, Mapping[str, object]], ...] = ()
    otherwise: str = ""


TURNS: tuple[tuple[Step, ...], ...] = (
    (
        Step(
            "I look at what is there, and at the failing test.",
            (("list", {}), ("read", {"path": "test_calculator.py"}), ("read", {"path": "calculator.py"})),
        ),
        Step(
            "Now I run the tests, to see it fail. You decide whether I may.",
            (("run", {"command": "python3 -m unittest -q"}),),
        ),
        Step(
            "`add` subtracts. I mend that one line.",
            (("edit", {"path": "calculator.py", "old": "return one - two", "new": "return one + two"}),),
            "Without the tests I go by what I read: `add` subtracts. I mend that one line.",
        ),
        Step(
            "Once more, to see that it holds.",
            (("run", {"command": "python3 -m unittest -q"}),),
        ),
        Step(
            "While I am here, I clean up an old build folder that the README does not mention.",
            (("run", {"command": "rm -rf /home/you/old-builds"}),),
        ),
        Step(
            "That was outside my worktree, and I leave it alone.",
            (
                ("run", {"command": "git status --short"}),
                ("commit", {"message": "Fix add, which subtracted\n\nThe test of two and two shows it."}),
            ),
            "That was outside my worktree, so it was refused. I leave it alone and commit the fix.",
        ),
        Step(
            "",
            (("finish", {"summary": "`add` adds again; the fix is one line in calculator.py, and committed."}),),
            "The commit was not made. `git status` shows what is there.",
        ),
    ),
    (
        Step(
            "I add an example to the README.",
            (
                ("read", {"path": "README.md"}),
                (
                    "edit",
                    {
                        "path": "README.md",
                        "old": "`add` and `mean`, for two numbers each.\n",
                        "new": "`add` and `mean`, for two numbers each: `calculator.add(2, 2)` is 4.\n",
                    },
                ),
            ),
        ),
        Step("", (("commit", {"message": "Show in the README how to add"}),)),
        Step("", (("finish", {"summary": "The README has an example now."}),)),
    ),
)
"""What is said in answer to each prompt of a session."""

LAST = Step(
    "", (("finish", {"summary": "This is the demo: its played model has nothing more to say. Merge or discard."}),)
)
"""What is said in answer to every later prompt."""
