"""Session start by each rung of the ladder, checkpoints, commits and merge previews, against git in the same run.

Run: python -m tests.bench.bench_trees [--files 5000 50000] [--rounds 5] [--folder /dev/shm]

AGENTOS_BENCH_LARGE=1 adds 100,000 files. Prints medians and ratios, asserts nothing; freezes of nothing are the noise.
some disks creating files is many times slower for minutes after a bulk delete.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from agentos_lsp.domain.ids import CommitId
from agentos_lsp.effects.git import checkpoints, commits, filling, live, merges, repository, spares, trash, worktrees
from agentos_lsp.effects.process import helpers
from tests.bench.bench_sessions import Clock, generate, git

AT = datetime(2026, 1, 1, tzinfo=UTC)
WHO = repository.Identity("Bench", "bench@example.invalid")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    sizes = [5_000, 50_000] + ([100_000] if os.environ.get("AGENTOS_BENCH_LARGE") else [])
    parser.add_argument("--files", type=int, nargs="+", default=sizes)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", default="/dev/shm" if Path("/dev/shm").is_dir() else tempfile.gettempdir())
    asked = parser.parse_args()
    for files in asked.files:
        place = Path(tempfile.mkdtemp(prefix="agentos-bench-", dir=asked.folder))
        try:
            _measure(place, files, asked.rounds)
        finally:
            shutil.rmtree(place)


def _measure(place: Path, files: int, rounds: int) -> None:
    root = place / "repository"
    generate(root, files)
    clock = Clock()
    for number in range(rounds):
        _starts(clock, place, number)
        _work(clock, place, number)
    clock.time("nothing, for half a second", lambda: time.sleep(0.5))
    print(f"{files} files, {rounds} rounds, {place.parent}, {os.cpu_count()} cores")
    clock.report(
        {
            "start, with a spare": "git worktree add",
            "start, spare 20 files behind": "git worktree add",
            "start, copied by helpers": "git worktree add",
            "start, in this process": "git worktree add",
            "discard": "git worktree remove",
            "checkpoint of one file": "git add -A && git commit",
            "commit of 1 file": "git commit -a, 1 file",
            "commit of 100 files": "git commit -a, 100 files",
            "merge preview, 100 files": "git merge-tree",
        }
    )


def _session(checkout: repository.Checkout, place: Path, name: str, means: filling.Means) -> worktrees.Worktree:
    made = worktrees.create(
        checkout,
        str(place / "state" / name),
        f"agentos/{name}",
        checkout.head,
        lock_reason="bench",
        progress=lambda _done, _total: None,
        cancelled=lambda: False,
        means=means,
    )
    assert made is not None
    return made


def _starts(clock: Clock, place: Path, number: int) -> None:
    root = place / "repository"
    checkout = repository.probe(str(root))
    shelf = spares.shelf_of(place / "state", checkout.common_dir)
    theirs = place / f"git-{number}"
    clock.time("git worktree add", lambda: git(root, "worktree", "add", "-q", "-b", f"git-{number}", str(theirs)))
    clock.time("git worktree remove", lambda: git(root, "worktree", "remove", "--force", str(theirs)))
    alone, helped = filling.ALONE, filling.Means(helpers=helpers.run)
    stocked = filling.Means(helpers=helpers.run, nice=19, shelf=shelf)
    rungs = {"start, in this process": alone, "start, copied by helpers": helped, "start, with a spare": stocked}
    for rung, means in rungs.items():
        if means.shelf is not None:
            clock.time("making a spare", lambda: spares.make(checkout, stocked, count=1, cancelled=lambda: False))
        name = f"{''.join(word for word in rung if word.isalpha())}-{number}"
        made: list[worktrees.Worktree] = []

        def start(name: str = name, means: filling.Means = means, made: list[worktrees.Worktree] = made) -> None:
            made.append(_session(repository.probe(str(root)), place, name, means))

        clock.time(rung, start)
        clock.time("discard", lambda made=made: worktrees.remove(made[0], delete_branch=True))
        trash.empty(str(place / "state"))
    spares.make(checkout, stocked, count=1, cancelled=lambda: False)
    for file in sorted(root.rglob("*.py"))[number : number + 20]:
        file.write_text(f"{number}\n")
    git(root, "commit", "-qam", "twenty files")
    late: list[worktrees.Worktree] = []
    clock.time(
        "start, spare 20 files behind",
        lambda: late.append(_session(repository.probe(str(root)), place, f"late-{number}", stocked)),
    )
    worktrees.remove(late[0], delete_branch=True)
    trash.empty(str(place / "state"))


def _work(clock: Clock, place: Path, number: int) -> None:
    root = place / "repository"
    checkout = repository.probe(str(root))
    made = _session(checkout, place, f"work-{number}", filling.Means(helpers=helpers.run))
    files = sorted(Path(made.folder).rglob("*.py"))
    theirs = place / f"work-git-{number}"
    git(root, "worktree", "add", "-q", "-b", f"work-git-{number}", str(theirs))
    files[-1].write_text(f"{number}\n")
    (theirs / files[-1].relative_to(made.folder)).write_text(f"{number}\n")

    def keep() -> None:
        checkpoints.take(made, CommitId(made.base), f"refs/agentos/b/checkpoints/{number}", "x", WHO, AT)

    def commit() -> None:
        git(theirs, "add", "-A")
        git(theirs, "commit", "-qm", "x")

    clock.time("checkpoint of one file", keep)
    clock.time("git add -A && git commit", commit)
    for count in (1, 100):
        noun = f"{count} file{'s' * (count > 1)}"
        for file in files[:count]:
            for folder in (Path(made.folder), theirs):
                (folder / file.relative_to(made.folder)).write_text(f"session {number} {count}\n")
        clock.time(f"git commit -a, {noun}", lambda: git(theirs, "commit", "-qam", "x"))
        known = live.Tracked(made, CommitId(made.base)).current().differing

        def ours(known: tuple[str, ...] = known) -> None:
            commits.commit(made, commits.stage_tree(made, None, known), "x", WHO, {}, AT)

        clock.time(f"commit of {noun}", ours)
    for file in files[200:300]:
        (root / file.relative_to(made.folder)).write_text(f"main {number}\n")
    git(root, "commit", "-qam", "hundred files")
    clock.time("git merge-tree", lambda: git(root, "merge-tree", "--write-tree", "main", made.branch))
    clock.time("merge preview, 100 files", lambda: merges.preview(checkout, made.branch, "main"))
    git(root, "worktree", "remove", "--force", str(theirs))
    worktrees.remove(made, delete_branch=True)
    trash.empty(str(place / "state"))


if __name__ == "__main__":
    main()
