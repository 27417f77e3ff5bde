"""Commands over standard input and output, approvals, and the event log: prints medians and noise, asserts nothing.

Run: python -m tests.bench.bench_commands [--rounds 5] [--folder FOLDER]

- round trip: `agentos.session.list`, from the request to its answer, with one session in the list
- approval: from sending `agentos.approval.decide` to the first instruction of the approved program, which prints the
  time (by GNU `date`), and until the editor is told of what it printed
- log: events appended one after the other, as a session does it, and durable ones (on the disk before they count)

The noise is what an empty wait of a millisecond really took: read the figures against it.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from agentos_lsp.cli import editor
from agentos_lsp.domain import events, ids
from agentos_lsp.effects import store
from tests import conftest
from tests.server import runtime_support

CALLS = 200
APPENDS = 500
DURABLE_APPENDS = 50


def report(what, samples, unit="ms", scale=1e3):
    """Prints the median of samples in seconds, and the range in which nine of ten lie."""
    cuts = statistics.quantiles(samples, n=20)
    middle = statistics.median(samples) * scale
    print(f"{what:34} median {middle:9.3f} {unit}   p5 {cuts[0] * scale:9.3f}   p95 {cuts[-1] * scale:9.3f}")


def noise():
    """Returns how much longer than a millisecond a wait of one took, in seconds."""
    samples = []
    for _ in range(100):
        begin = time.perf_counter()
        time.sleep(0.001)
        samples.append(time.perf_counter() - begin - 0.001)
    return samples


async def round_trips(client, rounds):
    samples = []
    for number in range(rounds + 1):
        for _ in range(CALLS):
            begin = time.perf_counter()
            await client.command("agentos.session.list")
            if number:  # the first round warms up
                samples.append(time.perf_counter() - begin)
    return samples


async def approvals(client, house, rounds):
    """Returns the times from an answer to the start of what it let start, and to the news of its output."""
    starts, outputs = [], []
    script = house.script(*(f"touch file-{number} && date +%s%N" for number in range(rounds)))
    started = await client.command("agentos.session.start", task="Measure", script=script)
    while len(outputs) < rounds:
        event = await client.events.get()
        if event["type"] != "approval.requested":
            continue
        answer = {"approval": event["approval"], "digest": event["digest"], "outcome": "approved"}
        begin, begin_ns = time.perf_counter(), time.time_ns()
        await client.command("agentos.approval.decide", session=started["session"], **answer)
        while (event := await client.events.get())["type"] != "command.output":
            pass
        outputs.append(time.perf_counter() - begin)
        starts.append((int(event["text"]) - begin_ns) / 1e9)
    return starts, outputs


def appends(folder, count, *, durable):
    """Returns the time that each append took, in seconds."""
    log = store.Store(folder)
    name = ids.SessionId("bench-1" if durable else "bench-0")
    log.claim(name)
    samples = []
    for sequence in range(1, count + 1):
        event = events.AgentMessage(
            session=name, sequence=sequence, at=datetime.now(UTC), turn=ids.TurnId("t1"), text="x" * 100
        )
        begin = time.perf_counter()
        log.append(event, durable=durable)
        samples.append(time.perf_counter() - begin)
    log.release(name)
    log.close()
    return samples


async def over_stdio(house, rounds):
    state, log = house.tmp_path / "served", house.tmp_path / "log"
    async with editor.Editor(house.repository, state, log, dict(os.environ)) as client:
        starts, outputs = await approvals(client, house, rounds * 5)
        report("approve to process start", starts)
        report("approve to news of its output", outputs)
        report("agentos.session.list round trip", await round_trips(client, rounds))


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", type=Path, help="where to work; default: the system's temporary folder")
    chosen = parser.parse_args()
    print(f"Python {sys.version.split()[0]}, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}")
    report("noise of a wait of 1 ms", noise())
    with tempfile.TemporaryDirectory(dir=chosen.folder) as folder:
        # As in a test: a home of its own, so that no setting of this machine is in the figures.
        conftest.isolate(Path(folder) / "home")
        house = runtime_support.House(Path(folder))
        house.make_repository()
        asyncio.run(over_stdio(house, chosen.rounds))
        for what, count, durable in (("append", APPENDS, False), ("durable append", DURABLE_APPENDS, True)):
            samples = [
                sample
                for number in range(chosen.rounds)
                for sample in appends(house.tmp_path / f"log-{durable}-{number}", count, durable=durable)
            ]
            report(what, samples)
            print(f"{'':34} {len(samples) / sum(samples):9.0f} events/s")
    report("noise of a wait of 1 ms", noise())


if __name__ == "__main__":
    main()
