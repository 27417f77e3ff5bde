"""Session start and delete against `git worktree add` and `remove`: prints medians and ratios, asserts nothing.

Run: python -m tests.bench.bench_sessions [--files 10000] [--rounds 5] [--folder /dev/shm]

The folder should be in memory: on some disks creating files is many times slower for minutes after a bulk delete.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import statistics
import subprocess
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

from agentos_lsp.cli import wiring
from agentos_lsp.effects.git import changes, commits, repository, trash, worktrees

GIT = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_AUTHOR_NAME": "Bench",
    "GIT_AUTHOR_EMAIL": "bench@example.invalid",
    "GIT_COMMITTER_NAME": "Bench",
    "GIT_COMMITTER_EMAIL": "bench@example.invalid",
}


def git(root: Path, *words: str, text: bytes = b"") -> None:
    subprocess.run(["git", *words], cwd=root, check=True, capture_output=True, input=text, env=os.environ | GIT)


def generate(root: Path, files: int) -> None:
    """Makes a repository of source-like files, about 5 KB each and 20 to a folder, through `git fast-import`."""
    dice = random.Random(42)
    words = ["".join(dice.choices("abcdefghijklmnopqrstuvwxyz", k=dice.randint(2, 11))) for _ in range(5000)]
    root.mkdir()
    git(root, "init", "-q", "-b", "main")
    stream, names = bytearray(), bytearray()
    for number in range(1, files + 1):
        lines = [
            "    " * dice.randint(0, 3) + " ".join(dice.choices(words, k=dice.randint(1, 9)))
            for _ in range(int(min(max(dice.lognormvariate(4.3, 1.1), 2), 5000)))
        ]
        data = "\n".join(lines).encode() + b"\n"
        folder = f"src{number // 20 % 25:02}/mod{number // 500 % 20:02}/sub{number // 20 % 10}"
        stream += b"blob\nmark :%d\ndata %d\n%s\n" % (number, len(data), data)
        names += f"M 100644 :{number} {folder}/file_{number:06}.py\n".encode()
    stream += b"commit refs/heads/main\ncommitter Bench <b@example.invalid> 1700000000 +0000\ndata 4\ninit\n" + names
    git(root, "fast-import", "--quiet", text=bytes(stream))
    git(root, "reset", "-q", "--hard")


class Clock:
    """Times pieces of work, and the longest moment in which no other thread could run, in a process like a server's."""

    def __init__(self) -> None:
        wiring.settle()
        self.took: dict[str, list[float]] = {}
        self.froze: dict[str, float] = {}

    def time(self, name: str, work: Callable[[], object]) -> None:
        stop = threading.Event()
        longest = 0.0

        def watch() -> None:
            nonlocal longest
            last = time.perf_counter()
            while not stop.is_set():
                time.sleep(0.001)
                now = time.perf_counter()
                longest = max(longest, now - last)
                last = now

        watcher = threading.Thread(target=watch)
        watcher.start()
        began = time.perf_counter()
        work()
        self.took.setdefault(name, []).append((time.perf_counter() - began) * 1000)
        stop.set()
        watcher.join()
        self.froze[name] = max(self.froze.get(name, 0.0), longest * 1000)

    def report(self, pairs: dict[str, str]) -> None:
        for name, times in self.took.items():
            middle = statistics.median(times)
            line = f"{name:42} median {middle:9.2f} ms   min {min(times):9.2f}   max {max(times):9.2f}"
            against = pairs.get(name)
            if against is not None:
                line += f"   {middle / statistics.median(self.took[against]):6.3f} x {against}"
            print(f"{line}   longest freeze {self.froze[name]:.1f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", default="/dev/shm" if Path("/dev/shm").is_dir() else tempfile.gettempdir())
    asked = parser.parse_args()
    place = Path(tempfile.mkdtemp(prefix="agentos-bench-", dir=asked.folder))
    try:
        root, state = place / "repository", place / "state"
        generate(root, asked.files)
        checkout = repository.probe(str(root))
        clock = Clock()
        for number in range(asked.rounds):
            _round(clock, checkout, root, state, number)
        print(f"{asked.files} files, {asked.rounds} rounds, {asked.folder}, {os.cpu_count()} cores")
        clock.report(
            {
                "session start": "git worktree add",
                "session delete": "git worktree remove",
                "diff, nothing changed": "git status",
                "commit of one file": "git add -A && git commit",
            }
        )
    finally:
        shutil.rmtree(place)


def _round(clock: Clock, checkout: repository.Checkout, root: Path, state: Path, number: int) -> None:
    theirs = state.parent / f"git-{number}"
    clock.time("git worktree add", lambda: git(root, "worktree", "add", "-q", "-b", f"git-{number}", str(theirs)))
    clock.time("git status", lambda: git(theirs, "status", "--porcelain"))
    file = next(theirs.rglob("*.py")).relative_to(theirs)
    (theirs / file).write_text(f"{number}\n")

    def commit_theirs() -> None:
        git(theirs, "add", "-A")
        git(theirs, "commit", "-qm", "x")

    clock.time("git add -A && git commit", commit_theirs)
    clock.time("git worktree remove", lambda: git(root, "worktree", "remove", "--force", str(theirs)))
    made: list[worktrees.Worktree] = []

    def start() -> None:
        worktree = worktrees.create(
            checkout,
            str(state / f"ours-{number}"),
            f"agentos/ours-{number}",
            checkout.head,
            lock_reason="bench",
            progress=lambda _done, _total: None,
            cancelled=lambda: False,
        )
        if worktree is not None:
            made.append(worktree)

    clock.time("session start", start)
    ours = made[0]
    clock.time("diff, nothing changed", lambda: changes.changes(ours, ours.base))
    (Path(ours.folder) / file).write_text(f"{number}\n")
    clock.time("diff, one file changed", lambda: changes.changes(ours, ours.base))

    def commit_ours() -> None:
        staged = commits.stage_tree(ours, None)
        who = repository.Identity("Bench", "bench@example.invalid")
        commits.commit(ours, staged, "x", who, {}, datetime(2026, 1, 1, tzinfo=UTC))

    clock.time("commit of one file", commit_ours)
    clock.time("session delete", lambda: worktrees.remove(ours, delete_branch=True))
    clock.time("trash emptied", lambda: trash.empty(str(state)))


if __name__ == "__main__":
    main()
