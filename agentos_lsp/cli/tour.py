"""`agentos-lsp tour`: a whole supervised session on a real throw-away repository, from start to merge.

It exits 0 only if everything happened that it shows, and leaves nothing behind.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agentos_lsp.cli import telling
from agentos_lsp.cli.editor import Editor
from agentos_lsp.domain import ids
from agentos_lsp.domain.errors import AgentosError, InternalError, UserError
from agentos_lsp.effects import store

if TYPE_CHECKING:
    import argparse

STEP_TIMEOUT_S = 60.0

FILES = {
    "calculator.py": '"""Adds."""\n\n\ndef add(one, two):\n    """Returns the sum."""\n    return one - two\n',
    "test_calculator.py": (
        "import unittest\n\nimport calculator\n\n\nclass AddTest(unittest.TestCase):\n"
        "    def test_two_and_two_are_four(self):\n        self.assertEqual(calculator.add(2, 2), 4)\n"
    ),
    ".gitignore": "__pycache__/\n",
}

# The secret is made up, and written in two pieces so that no scanner finds one in this file.
_SECRET = "AKIA" + "Z7Q2M4N6P8R1S3T5"

SCRIPT = f"""\
turns:
  - summary: Fixed the subtraction; the test passes.
    steps:
      - say: I look at the failing test first.
      - read: test_calculator.py
      - run: python3 -m unittest -q
        expect: refused
      - edit: {{path: calculator.py, old: "one - two", new: "sum((one, two))"}}
        expect: ok
      - run: python3 -m unittest -q
        expect: ok
      - run: touch checked.txt
        expect: ok
      - run: rm -rf @OUTSIDE@
        expect: refused
      - write: {{path: ../escaped.txt, text: out}}
        expect: refused
      - write: {{path: settings.py, text: "KEY = '{_SECRET}'\\n"}}
        expect: ok
      - commit: Add settings
        expect: refused
      - delete: settings.py
        expect: ok
      - commit: Fix add, which subtracted
        expect: ok
"""

EXPECTED = {
    "command.started": 3,
    "approval.requested": 1,
    "approval.decided": 1,
    "file.refused": 1,
    "tool_call.refused": 1,
    "commit.refused": 1,
    "commit.made": 1,
    "turn.finished": 1,
}
"""How often each of these must have happened."""


@dataclass(frozen=True, slots=True)
class Place:
    """The tour's own folders; all of them go away."""

    repository: Path
    state: Path
    outside: Path
    script: Path
    log: Path


def run(arguments: argparse.Namespace) -> int:
    """Takes the tour; returns 0 if everything happened as it should."""
    asks = sys.stdin.isatty() and not arguments.yes
    failed = False
    with tempfile.TemporaryDirectory(prefix="agentos-tour-") as folder:
        place = _place_in(Path(folder))
        try:
            _fill(place)
            asyncio.run(_take(place, asks=asks))
        except* (AgentosError, TimeoutError) as group:
            reasons = " ".join(str(error) or "The server did not answer in time." for error in telling.leaves(group))
            print(f"\nThe tour failed: {reasons}", file=sys.stderr)
            if place.log.exists():
                print(f"The end of the server's log:\n{place.log.read_text()[-3000:]}", file=sys.stderr)
            failed = True
    if failed:
        return 1
    print("\nDone: everything happened as it should, and nothing is left behind.")
    return 0


def _place_in(folder: Path) -> Place:
    return Place(folder / "calculator", folder / "state", folder / "elsewhere", folder / "tour.yaml", folder / "log")


def _fill(place: Place) -> None:
    """Makes the repository, the script and the person's policy."""
    folder = place.state.parent
    place.repository.mkdir()
    place.outside.mkdir()
    (place.outside / "precious.txt").write_text("keep me\n")
    for name, text in FILES.items():
        (place.repository / name).write_text(text)
    place.script.write_text(SCRIPT.replace("@OUTSIDE@", str(place.outside)))
    policy = folder / "config" / "agentos" / "policy.toml"
    policy.parent.mkdir(parents=True)
    policy.write_text('[commands]\nallow = [["python3", "-m", "unittest"]]\n')
    for command in (
        ["git", "init", "--quiet", "--initial-branch=main"],
        ["git", "add", "--all"],
        [
            "git",
            "-c",
            "user.name=Tour",
            "-c",
            "user.email=tour@localhost",
            "commit",
            "--quiet",
            "--message=A calculator",
        ],
    ):
        try:
            subprocess.run(command, cwd=place.repository, check=True, capture_output=True)  # noqa: S603 - the lines above
        except FileNotFoundError as error:
            raise UserError("git is not installed.", "Install git, then take the tour again.") from error


async def _take(place: Place, *, asks: bool) -> None:
    environment = {**os.environ, "XDG_CONFIG_HOME": str(place.state.parent / "config")}
    print("A small repository with a failing test, and an agent that is told to mend it.")
    if not asks:
        print("There is no terminal to ask on, so the tour answers approvals by itself, and says so.")
    async with Editor(place.repository, place.state, place.log, environment) as editor:
        started = await editor.command("agentos.session.start", task="Mend the calculator", script=str(place.script))
        session = started["session"]
        print(f"\n$ agentos.session.start -> {session}")
        seen = await _watch(editor, session, asks=asks)
        await _review(editor, session, place)
        merged = await editor.command("agentos.session.merge", session=session)
        if not merged["merged"]:
            raise UserError(f"It was not merged: {merged['message']}", "")
        print(f"\n$ agentos.session.merge -> {merged['commit'][:10]} on {merged['into']}")
        await _until(editor, seen, "worktree.removed")
    _check(place, session, seen)


async def _watch(editor: Editor, session: str, *, asks: bool) -> Counter[str]:
    """Shows the session as it goes, and answers what it asks."""
    seen: Counter[str] = Counter()
    while seen["turn.finished"] == 0:
        async with asyncio.timeout(None if asks else STEP_TIMEOUT_S):
            event = await editor.events.get()
        seen[event["type"]] += 1
        if event["type"] == "command.classified":
            seen[f"verdict {event['verdict']}"] += 1
        told = telling.line(event)
        if told:
            print(told)
        if event["type"] == "approval.requested":
            outcome = await telling.answer(event["line"], asks=asks)
            answer = {"approval": event["approval"], "digest": event["digest"], "outcome": outcome}
            await editor.command("agentos.approval.decide", session=session, **answer)
        if event["type"] == "failure.recorded":
            raise UserError(event["message"], event["hint"])
    return seen


async def _until(editor: Editor, seen: Counter[str], kind: str) -> None:
    while seen[kind] == 0:
        async with asyncio.timeout(STEP_TIMEOUT_S):
            seen[(await editor.events.get())["type"]] += 1


async def _review(editor: Editor, session: str, place: Place) -> None:
    diff = await editor.content(f"agentos://{session}/changes.diff")
    print(f"\n$ agentos://{session}/changes.diff\n" + "\n".join(f"  {line}" for line in diff.splitlines()))
    if "+    return sum((one, two))" not in diff:
        raise UserError("The diff does not show the fix.", "")
    if "one - two" not in (place.repository / "calculator.py").read_text():
        raise UserError("The person's checkout was changed before the merge.", "")


def _check(place: Place, session: str, seen: Counter[str]) -> None:
    """Looks at what is really there: files, branches, worktrees, and the trace."""
    for kind, count in {**EXPECTED, "verdict allowed": 2, "verdict reviewed": 1, "verdict blocked": 1}.items():
        if seen[kind] != count:
            raise UserError(f"{kind} happened {seen[kind]} times instead of {count}.", "")
    if "sum((one, two))" not in (place.repository / "calculator.py").read_text():
        raise UserError("The fix did not arrive in the checkout.", "")
    if (place.outside / "precious.txt").read_text() != "keep me\n":
        raise UserError("A file outside the worktree was touched.", "")
    listed = subprocess.run(
        ["git", "worktree", "list", "--porcelain"],  # noqa: S607 - the person's own git
        cwd=place.repository,
        check=True,
        capture_output=True,
        text=True,
    )
    if listed.stdout.count("worktree ") != 1:
        raise UserError("A worktree was left behind.", listed.stdout)
    log = store.Store(place.state)
    flaw = log.verify(ids.SessionId(session))
    count = len(log.read(ids.SessionId(session)))
    log.close()
    if flaw is not None:
        raise InternalError(flaw.message)
    print(f"\n$ agentos-lsp trace verify {session} -> whole, {count} events")
