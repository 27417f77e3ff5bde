"""The demo's machine: a few programs, and words for everything else. Nothing that stands in a file is executed."""

from datetime import UTC, datetime

import pytest

from agentos_lsp.effects.git.repository import Identity
from agentos_lsp.effects.simulated import objects, shell, unittests

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
FILES = {
    "calculator.py": "def add(one, two):\n    return one - two\n",
    "docs/a.md": "# A\nadd\n",
    ".gitignore": "*.log\n",
}
TEST = "import unittest\nimport calculator\n\nclass T(unittest.TestCase):\n    def test_it(self):\n        {}\n"


def run(line, cwd="/r", **files):
    held = objects.Objects("/r", FILES, Identity("A", "a@example.invalid"), AT)
    for path, text in files.items():
        held.folder("/r").put(path, objects.diff.Side(objects.FILE, text.encode()))
    printed = b""
    played = shell.play(line, held, cwd)
    while True:
        try:
            piece = next(played)
        except StopIteration as ended:
            return printed.decode(), ended.value
        if isinstance(piece, bytes):
            printed += piece


@pytest.mark.parametrize(
    ("line", "printed", "code"),
    [
        ("git status --short", " M calculator.py\n?? new.txt\n", 0),
        ("git log --oneline", "A calculator", 0),
        ("git grep -nI --untracked -E -e 'one - (two)' -- .", "", 1),
        ("git grep -nI --untracked -F -e 'add' -- docs", "docs/a.md:2:add\n", 0),
        ("git grep -nI -e 'a[' -- .", "fatal: ", 128),
        ("git grep -n", "fatal: no pattern", 128),
        ("git push", "git: the demo knows ", 1),
        ("pwd", "/r\n", 0),
        ("ls docs calculator.py", "a.md\ncalculator.py\n", 0),
        ("ls gone", "ls: cannot access 'gone'", 2),
        ("cat gone", "cat: gone: No such file", 1),
        ("rm gone", "rm: cannot remove", 1),
        ("sleep", "sleep: how long?", 1),
        ("echo a | cat", "The demo's shell does not know '|'", 2),
        ("echo 'a", "bash: No closing quotation", 2),
        ("echo a > docs", "bash: docs: is a directory", 1),
        ("python3 -c 'print(1)'", "The demo's Python runs only ", 2),
        ("# nothing", "", 0),
    ],
)
def test_a_line_says_what_it_does_or_that_it_is_not_known(line, printed, code):
    said, ended = run(
        line, **{"calculator.py": "def add(one, two):\n    return one + two\n", "new.txt": "", "x.log": ""}
    )
    assert ended == code
    assert printed in said


def test_a_folder_is_where_a_line_begins():
    assert run("cat a.md ../calculator.py", "/r/docs")[0].startswith("# A\nadd\ndef add")
    assert run("cat ../../../etc/passwd", "/r/docs")[1] == 1


@pytest.mark.parametrize(
    ("assertion", "well", "words"),
    [
        ("self.assertEqual(calculator.add(2, 2), 0)", True, "OK"),
        ("self.assertEqual(calculator.add(2, 2), 4)", False, "AssertionError: 0 != 4"),
        ("self.assertEqual(calculator.add(1 + 2 * 3, calculator.add(2, 1)), 6)", True, "OK"),
        ("self.assertEqual(calculator.gone(1), 1)", False, "no function gone"),
        ("self.assertEqual(calculator.add(1, 1) / calculator.add(1, 1), 1)", False, "ZeroDivision"),
        ("__import__('os').getpid()", False, "cannot judge line 6"),
        ("self.assertEqual(open('x'), 1)", False, "cannot work out `open('x')`"),
        ("pass", True, "OK"),
    ],
)
def test_a_test_is_judged_by_reading_it(assertion, well, words):
    done = unittests.run({"calculator.py": FILES["calculator.py"], "test_it.py": TEST.format(assertion)})
    assert done.well is well
    assert words in "".join(done.printed)


def test_a_function_that_calls_itself_and_a_file_that_is_no_python_are_failures():
    loop = {"calculator.py": "import calculator\ndef add(a, b):\n    return calculator.add(a, b)\n"}
    done = unittests.run({**loop, "test_it.py": TEST.format("self.assertEqual(calculator.add(1, 1), 2)")})
    assert (done.well, "calls too deeply" in "".join(done.printed)) == (False, True)
    broken = unittests.run({"test_it.py": "def ("})
    assert (broken.well, "ERROR: test_it.py" in "".join(broken.printed)) == (False, True)
    assert unittests.run({}).printed[-1] == "NO TESTS RAN\n"
