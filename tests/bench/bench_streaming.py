"""How long a piece of a reply takes from a model server's socket to the editor's `agentos/stream`.

`python -m tests.bench.bench_streaming [PIECES]` prints the median and the 99th percentile for each wire format. Server,
runtime and editor share one process and one loop, so all their work is in the number. The bound is 5 ms.
"""

import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path

from tests import conftest
from tests.effects.providers.model_server import MODEL, ModelServer, Say, stream
from tests.effects.providers.support import KINDS
from tests.server import runtime_support as rt

PIECES = 300
BOUND_MS = 5.0


async def measure(kind, folder, pieces):
    """Sends piece after piece, each when the one before has arrived; returns the times in seconds."""
    heard = asyncio.Event()
    times = []
    # A piece of five letters is one token batch; what ends the reply comes after the last.
    whole = stream(kind, Say("abcde" * pieces))
    separator = b"\n" if kind == "ollama" else b"\n\n"
    rows = [row + separator for row in whole.split(separator) if row]
    marks = [b'"abcde"' in row for row in rows]

    async with ModelServer(kind, None) as server:

        async def play(_play, _reader, writer):
            writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
            for row, is_piece in zip(rows, marks, strict=True):
                heard.clear()
                began = time.perf_counter()
                writer.write(f"{len(row):x}\r\n".encode() + row + b"\r\n")
                await writer.drain()
                if is_piece:
                    await heard.wait()
                    times.append(time.perf_counter() - began)
            writer.write(b"0\r\n\r\n")
            await writer.drain()
            return True

        server._play = play
        text = f'[providers.test]\nkind = "{kind}"\nbase_url = "{server.url}"\nmodel = "{MODEL}"\n'
        (folder / "settings.toml").write_text(text)
        options = {**rt.TRUSTED, "stream": True, "virtualDocuments": True}
        async with rt.sitting(folder, options=options) as (_house, screen):
            await screen.command("agentos.session.start", {"task": "Speak"})
            seen = 0
            while len(times) < pieces:
                await screen.until(lambda seen=seen: len(screen.streamed) > seen)
                seen = len(screen.streamed)
                heard.set()
                await asyncio.sleep(0)
            assert [one["text"] for one in screen.streamed[:pieces]] == ["abcde"] * pieces
    return times


async def main():
    pieces = int(sys.argv[1]) if len(sys.argv) > 1 else PIECES
    worst = 0.0
    for kind in KINDS:
        with tempfile.TemporaryDirectory() as folder:
            times = sorted(await measure(kind, Path(folder), pieces))
        median, late = statistics.median(times) * 1000, times[int(len(times) * 0.99) - 1] * 1000
        worst = max(worst, median)
        print(f"{kind:>10}: median {median:.2f} ms, 99th percentile {late:.2f} ms of {len(times)} pieces")
    print(f"The median is {'under' if worst < BOUND_MS else 'OVER'} {BOUND_MS:g} ms.")


if __name__ == "__main__":
    # As in a test: a home of its own, so that no setting of this machine is in the number.
    with tempfile.TemporaryDirectory(prefix="agentos-bench-") as own:
        conftest.isolate(Path(own))
        asyncio.run(main())
