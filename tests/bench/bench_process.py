"""How long /bin/true takes through our door and through `asyncio.create_subprocess_exec`, in the same run.

`python -m tests.bench.bench_process [ROUNDS]` prints the medians and 90th percentiles of both, and their ratio, which
is what can be compared between machines. Both run bash, which runs true; the rounds alternate, so that noise of the
machine falls on both. The first start of a session is told apart: with its keeper, and as sessions do it, whose keeper
is started while the agent thinks; the median of FIRSTS sessions each. Then what a cage costs while a command runs: one
that only computes, and one that makes, reads and removes files.
"""

import asyncio
import os
import statistics
import sys
import tempfile
import time
from datetime import timedelta
from functools import partial
from pathlib import Path

from agentos_lsp.domain.approval import Cleared
from agentos_lsp.domain.ids import CallId
from agentos_lsp.effects.process import commands, environment, link
from agentos_lsp.effects.process.sandbox import backends, plan, standing

ROUNDS = 200
FIRSTS = 15
WORKS = 11

COMPUTES = "print(sum(one * one for one in range(2_000_000)))"
FILES = """\
import os
for number in range(3000):
    with open(f"file-{number}", "w") as file:
        file.write("text" * 200)
for number in range(3000):
    with open(f"file-{number}") as file:
        file.read()
    os.stat(f"file-{number}")
    os.unlink(f"file-{number}")
"""


async def ours(processes, variables, folder, number, line="/bin/true"):
    finished = await processes.run(
        Cleared(CallId(str(number)), line, folder, "bench"),
        variables,
        timeout=timedelta(seconds=30),
        output_limit_bytes=1000,
        on_output=bytes,
        spool=f"{folder}/{number}",
    )
    assert finished.exit_code == 0


async def plain(variables, folder, line="/bin/true"):
    process = await asyncio.create_subprocess_exec(
        *link.shell_argv(line),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=folder,
        env=variables,
        start_new_session=True,
    )
    await process.communicate()
    assert process.returncode == 0


async def timed(work):
    begin = time.perf_counter()
    await work
    return (time.perf_counter() - begin) * 1000


def told(name, times_ms):
    quantiles = statistics.quantiles(times_ms, n=10)
    print(f"{name:36} median {statistics.median(times_ms):7.2f} ms   90th {quantiles[-1]:7.2f} ms")
    return statistics.median(times_ms)


def in_a_cage(folder):
    """Makes sessions confined as real ones are, None where this machine cannot hold everything."""
    found = standing.look(folder, backends.candidates())
    if not found.holds_all:
        print(f"not confined: {', '.join(found.passed_over)}")
        return None
    print(f"{'confined by':34} {found.backend.name}")
    home = folder.parents[1] / "home"
    home.mkdir()
    place = plan.Place(str(folder), str(folder), str(folder.parent), str(home), path=os.environ["PATH"])
    return lambda: commands.Processes("bench-confined", cage=lambda: found.backend.cage(place))


async def firsts(make, variables, folder, name):
    """Times what sessions start first, in turn without and with a keeper that is there already."""
    cold_ms, ahead_ms = [], []
    for number in range(FIRSTS):
        for times_ms in (cold_ms, ahead_ms):
            processes = make()
            if times_ms is ahead_ms:
                await processes.open()
            times_ms.append(await timed(ours(processes, variables, folder, f"{name}-{number}-{id(times_ms)}")))
            await processes.stop_all()
    told(f"first, with its keeper ({name})", cold_ms)
    return told(f"first, made ready ({name})", ahead_ms)


async def works(make, variables, folder):
    """Times commands that do something, in turn in a cage and without one."""
    processes = make()
    await processes.open()
    for name, text in (("computes", COMPUTES), ("makes files", FILES)):
        program = Path(folder, f"{name.split()[0]}.py")
        program.write_text(text)  # noqa: ASYNC240 - before any timing
        line = f"{sys.executable} {program.name}"
        plain_ms, caged_ms = [], []
        for number in range(WORKS):
            plain_ms.append(await timed(plain(variables, folder, line)))
            caged_ms.append(await timed(ours(processes, variables, folder, f"{program.stem}-{number}", line)))
        base = told(f"a command that {name}, plain", plain_ms)
        median = told(f"a command that {name}, confined", caged_ms)
        print(f"{'':34} ratio  {median / base:7.3f}")
    await processes.stop_all()


async def main(rounds):
    with tempfile.TemporaryDirectory() as temporary:
        folder = os.path.join(os.path.realpath(temporary), "state", "work")  # noqa: ASYNC240, PTH118 - before any timing
        os.makedirs(folder)  # noqa: PTH103 - as above
        variables = environment.scrubbed(os.environ, scratch=folder)
        await plain(variables, folder)
        asyncio_ms = []
        makers = {hold: partial(commands.Processes, f"bench-{hold}", hold=hold) for hold in ("groups", "descent")}
        caged = in_a_cage(Path(folder))
        if caged is not None:
            makers["confined"] = caged
        first_ms = {hold: await firsts(make, variables, folder, hold) for hold, make in makers.items()}
        held = {hold: make() for hold, make in makers.items()}
        times_ms = {hold: [] for hold in held}
        for processes in held.values():
            await processes.open()
        for number in range(rounds):
            asyncio_ms.append(await timed(plain(variables, folder)))
            for hold, processes in held.items():
                times_ms[hold].append(await timed(ours(processes, variables, folder, f"{hold}-{number}")))
        base = told("asyncio.create_subprocess_exec", asyncio_ms)
        for hold, processes in held.items():
            median = told(f"our door, {hold}", times_ms[hold])
            print(f"{'':34} ratio  {median / base:7.2f}      difference {median - base:+.2f} ms")
            print(f"{'':34} first  {first_ms[hold] / base:7.2f}      difference {first_ms[hold] - base:+.2f} ms")
            await processes.stop_all()
        if caged is not None:
            await works(caged, variables, folder)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS))
