"""How long a verdict takes per line of the policy chapters, beside the peers that can be run.

Run as `make bench`, or `python -m tests.bench.bench_classifier`; `--no-peers` leaves the peers out, which are installed
into `.cache/` the first time. It prints; it asserts nothing about time. A peer that cannot be had is named and skipped.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import io
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[2]))

from agentos_lsp.cli import check
from agentos_lsp.domain.command import allowlist, classify, grammar
from tests.bench import peers
from tests.domain.command import test_classify_properties
from tests.policy import corpus

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ROUNDS = 5
SAMPLE = 20


def best(action: Callable[[str], object], lines: Sequence[str]) -> list[float]:
    """The best of some rounds for each line, in microseconds, sorted; a line that is refused counts as well."""
    times = [float("inf")] * len(lines)
    for _ in range(ROUNDS):
        for i, line in enumerate(lines):
            start = time.perf_counter()
            # Other people's parsers refuse in their own ways.
            with contextlib.suppress(Exception):
                action(line)
            times[i] = min(times[i], time.perf_counter() - start)
    return sorted(1e6 * seconds for seconds in times)


def show(name: str, times: Sequence[float]) -> None:
    p50, p99 = times[len(times) // 2], times[len(times) * 99 // 100]
    print(f"{name:<34} p50 {p50:9.1f} us   p99 {p99:9.1f} us   mean {statistics.mean(times):9.1f} us")


def safety_net(program: Path, lines: Sequence[str]) -> None:
    """Starts the peer once per line, as a hook does."""
    times = []
    for line in lines[:: max(1, len(lines) // SAMPLE)]:
        asked = json.dumps({"tool_name": "Bash", "tool_input": {"command": line}, "cwd": "/tmp"})
        start = time.perf_counter()
        subprocess.run([program, "hook", "--claude-code"], input=asked, capture_output=True, text=True, check=False)
        times.append(1e6 * (time.perf_counter() - start))
    show("cc-safety-net, a process per line", sorted(times))


def large() -> None:
    """The slowest kinds of line of 64 KiB: the aim is 50 ms."""
    times = {}
    for name, piece in test_classify_properties.BIG.items():
        line = (piece * (1 << 16))[: 1 << 16]
        times[name] = 1e6 * min(_spent(test_classify_properties.judge, line) for _ in range(ROUNDS))
    slowest = sorted(times.items(), key=lambda pair: -pair[1])[:3]
    print("64 KiB lines, slowest kinds:", ", ".join(f"{name} {spent / 1000:.1f} ms" for name, spent in slowest))


def _spent(action: Callable[..., object], *arguments: object) -> float:
    """Seconds of the processor: a long run is interrupted by whatever else the machine does."""
    start = time.process_time()
    action(*arguments)
    return time.process_time() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--no-peers", action="store_true")
    given = parser.parse_args()
    examples = corpus.everything()
    lines = [example.command for example in examples]
    print(f"{len(lines)} lines, median {statistics.median(map(len, lines)):.0f} characters, best of {ROUNDS} rounds")
    nothing = allowlist.Allowlist()
    show("grammar.parse", best(grammar.parse, lines))
    show("classify (whole verdict)", best(lambda line: classify.classify(line, corpus.DEFAULT, nothing), lines))
    large()
    objects = [json.dumps({"command": line, "cwd": "/w", "worktree": "/w", "links": {}}) + "\n" for line in lines]
    objects *= max(1, 20_000 // len(objects))
    # As `check --jsonl` does it; the best of some rounds, in time of the processor, since other things run as well.
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)
    spent = min(_spent(check.judge_lines, objects, io.StringIO()) for _ in range(ROUNDS))
    print(f"check --jsonl: {len(objects) / spent:,.0f} lines per second in one process")
    if given.no_peers:
        return
    for name, action in peers.parsers().items():
        show(name, best(action, lines))
    program = peers.safety_net()
    if program is not None:
        safety_net(program, lines)


if __name__ == "__main__":
    main()
