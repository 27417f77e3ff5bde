"""The live diff against `git diff HEAD`, and the review of many files: prints medians and ratios, asserts nothing.

Run: python -m tests.bench.bench_review [--files 10000] [--rounds 9] [--changed 10000] [--folder /dev/shm]

It says how long after one tool write, and after a command that touched 100 files, the change is current (wanted are a
ratio under 0.05 to `git diff HEAD` at 100,000 files, and 100 ms), and how long the first page of many changed files,
and one answer in it, take (1 s, 100 ms).
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from agentos_lsp.domain import change_page, hunks
from agentos_lsp.effects.files import watch
from agentos_lsp.effects.git import live, repository, worktrees
from tests.bench.bench_sessions import GIT, generate

if TYPE_CHECKING:
    from collections.abc import Callable

    from agentos_lsp.effects.git.worktrees import Worktree


def timed(act: Callable[[], object]) -> float:
    """Returns how long something takes, in milliseconds."""
    start = time.perf_counter()
    act()
    return (time.perf_counter() - start) * 1000


def session(root: Path, state: Path) -> Worktree:
    checkout = repository.probe(str(root))
    made = worktrees.create(
        checkout,
        str(state / "bench-1"),
        "agentos/bench-1",
        checkout.head,
        lock_reason="bench",
        progress=lambda _done, _total: None,
        cancelled=lambda: False,
    )
    assert made is not None
    return made


def one_write(worktree: Worktree, tracked: live.Tracked, rounds: int) -> None:
    """Measures one file written by a tool, and `git diff HEAD` for the same."""
    folder = Path(worktree.folder)
    target = sorted(folder.rglob("*.py"))[7]
    ours: list[float] = []
    theirs: list[float] = []
    for number in range(rounds):
        target.write_text(f"round {number}\n{target.name}\n")
        name = str(target.relative_to(folder))

        def write(name: str = name) -> None:
            tracked.touch(name)
            tracked.current()

        ours.append(timed(write))
        command = ["git", "diff", "HEAD"]
        environment = os.environ | GIT
        theirs.append(
            timed(lambda: subprocess.run(command, cwd=folder, check=True, capture_output=True, env=environment))  # noqa: B023
        )
    mine, git = statistics.median(ours), statistics.median(theirs)
    print(f"current after one tool write   {mine:8.2f} ms   git diff HEAD {git:8.2f} ms   ratio {mine / git:.4f}")


def after_a_command(worktree: Worktree, tracked: live.Tracked, rounds: int) -> None:
    """Measures what a command of 100 files takes to be current, by notices and by a sweep."""
    folder = Path(worktree.folder)
    watching = watch.Watch(worktree.folder, tracked.is_interesting)
    targets = sorted(folder.rglob("*.py"))[100:200]
    by_notice: list[float] = []
    by_sweep: list[float] = []
    for number in range(rounds):
        for target in targets:
            target.write_text(f"command {number}\n{target.name}\n")

        def notice() -> None:
            tracked.touch(*watching.read().paths)
            tracked.current()

        by_notice.append(timed(notice))

        def sweep() -> None:
            tracked.distrust()
            tracked.current()

        by_sweep.append(timed(sweep))
    watching.close()
    print(f"current after 100 files        {statistics.median(by_notice):8.2f} ms by notices")
    print(f"                               {statistics.median(by_sweep):8.2f} ms by a sweep")


def many(worktree: Worktree, count: int, rounds: int) -> None:
    """Measures the page of a change of many files, and one answer in it."""
    folder = Path(worktree.folder)
    for number in range(count):
        file = folder / "many" / str(number // 200) / f"{number}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{number}\n" * 20)
    tracked = live.Tracked(worktree, worktree.base)
    first = timed(tracked.current)
    pages = [timed(lambda: change_page.page(tracked.current().changes)) for _ in range(3)]
    page = change_page.page(tracked.current().changes)
    name = f"many/0/{min(7, count - 1)}.txt"
    answers: list[float] = []
    for number in range(rounds):

        def answer(number: int = number) -> None:
            (folder / name).write_text(f"again {number}\n")
            tracked.touch(name)
            current = tracked.current()
            item = hunks.whole(next(change for change in current.changes if change.path == name))
            assert hunks.find(current.changes, name, item.digest, as_file=True) is not None

        answers.append(timed(answer))
    print(f"{count} files: first look        {first:8.2f} ms")
    print(f"    page of {len(page.text) >> 10:6} KiB          {statistics.median(pages):8.2f} ms")
    print(f"    one more write and answer  {statistics.median(answers):8.2f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=5000)
    parser.add_argument("--changed", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--folder", type=Path, default=Path("/dev/shm") if Path("/dev/shm").is_dir() else None)
    given = parser.parse_args()
    place = Path(tempfile.mkdtemp(prefix="agentos-bench-", dir=given.folder))
    try:
        generate(place / "repository", given.files)
        worktree = session(place / "repository", place / "state")
        tracked = live.Tracked(worktree, worktree.base)
        print(f"{given.files} files; the first sweep {timed(tracked.current):.0f} ms")
        one_write(worktree, tracked, given.rounds)
        after_a_command(worktree, tracked, given.rounds)
        many(worktree, given.changed, given.rounds)
    finally:
        shutil.rmtree(place, ignore_errors=True)


if __name__ == "__main__":
    main()
