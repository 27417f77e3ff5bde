"""How long a verdict takes per line of the policy chapters, beside parsers that can be imported here.

Run as `python tests/bench/bench_classifier.py [--safety-net PATH]`. It prints; it asserts nothing about time.
`PATH` is an installed `cc-safety-net` command, which is started once per line for a sample of the lines.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import json
import shlex
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[2]))

from agentos_lsp.cli import check
from agentos_lsp.domain.command import allowlist, classify, grammar
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


def peers() -> dict[str, Callable[[str], object]]:
    """Parsers that are installed in this interpreter."""
    found: dict[str, Callable[[str], object]] = {"shlex.split (tokens only)": shlex.split}
    try:
        found["bashlex.parse"] = importlib.import_module("bashlex").parse
    except ImportError:
        print("bashlex is not installed")
    try:
        tree_sitter, bash = importlib.import_module("tree_sitter"), importlib.import_module("tree_sitter_bash")
        parser = tree_sitter.Parser(tree_sitter.Language(bash.language()))
        found["tree-sitter-bash parse"] = lambda line: parser.parse(line.encode())
    except ImportError:
        print("tree-sitter-bash is not installed")
    return found


def safety_net(program: str, lines: Sequence[str]) -> None:
    """Starts the peer once per line, as a hook does."""
    times = []
    for line in lines[:: max(1, len(lines) // SAMPLE)]:
        asked = json.dumps({"tool_name": "Bash", "tool_input": {"command": line}, "cwd": "/tmp"})
        start = time.perf_counter()
        subprocess.run([program, "hook", "--claude-code"], input=asked, capture_output=True, text=True, check=False)
        times.append(1e6 * (time.perf_counter() - start))
    show("cc-safety-net, a process per line", sorted(times))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--safety-net", metavar="PATH")
    given = parser.parse_args()
    examples = corpus.everything()
    lines = [example.command for example in examples]
    print(f"{len(lines)} lines, median {statistics.median(map(len, lines)):.0f} characters, best of {ROUNDS} rounds")
    nothing = allowlist.Allowlist()
    show("grammar.parse", best(grammar.parse, lines))
    show("classify (whole verdict)", best(lambda line: classify.classify(line, corpus.DEFAULT, nothing), lines))
    for name, action in peers().items():
        show(name, best(action, lines))
    objects = [json.dumps({"command": line, "cwd": "/w", "worktree": "/w", "links": {}}) + "\n" for line in lines]
    objects *= max(1, 20_000 // len(objects))
    start = time.perf_counter()
    check.judge_lines(objects, io.StringIO())
    spent = time.perf_counter() - start
    print(f"check --jsonl: {len(objects) / spent:,.0f} lines per second in one process")
    if given.safety_net:
        safety_net(given.safety_net, lines)


if __name__ == "__main__":
    main()
