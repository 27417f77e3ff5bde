"""How long an `executeCommand` takes through our loop and through stock pygls, in the same run.

`python -m tests.bench.bench_rpc [ROUNDS]` prints the median and the 99th percentile of both, and their ratio, which is
what can be compared between machines. The rounds alternate, so that noise of the machine falls on both.
"""

import asyncio
import contextlib
import json
import socket
import statistics
import sys
import threading
import time

from lsprotocol import types as lsp
from pygls.io_ import run_async
from pygls.lsp.server import LanguageServer

from agentos_lsp.server import framing, rpc, stdio, wire
from tests.server import support

CALLS = 400
SIZES_BYTES = (0, 4000)


class Ours(LanguageServer):
    command_names = ("echo",)

    def __init__(self):
        super().__init__("ours", "1", protocol_cls=rpc.SafeProtocol, converter_factory=wire.shared_converter)

    async def on_execute_command(self, params: lsp.ExecuteCommandParams):
        return params.arguments[0]


def build_stock():
    server = LanguageServer("stock", "1")

    @server.command("echo")
    async def echo(argument: dict):
        return argument

    return server


async def serve_stock(reader, writer):
    server = build_stock()
    server.protocol.set_writer(writer)
    with contextlib.suppress(SystemExit):
        await run_async(threading.Event(), reader, server.protocol)


async def call(reader, writer, identity, argument):
    params = {"command": "echo", "arguments": [argument]}
    message = {"jsonrpc": "2.0", "id": identity, "method": "workspace/executeCommand", "params": params}
    body = json.dumps(message).encode()
    begin = time.perf_counter()
    writer.write(framing.frame(body))
    answer = await framing.read_message(reader)
    taken = time.perf_counter() - begin
    assert json.loads(answer)["result"] == argument
    return taken


async def measure(reader, writer, size_bytes):
    argument = {"text": "x" * size_bytes}
    return [await call(reader, writer, identity, argument) for identity in range(1, CALLS + 1)]


async def initialize(reader, writer):
    await support.Editor(reader, writer).initialize()


@contextlib.asynccontextmanager
async def over_sockets(serve):
    ours, theirs = socket.socketpair()
    streams = await asyncio.open_connection(sock=theirs)
    reader, writer = await asyncio.open_connection(sock=ours)
    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(serve(*streams))
        await initialize(reader, writer)
        yield reader, writer
        serving.cancel()
    for stream in (writer, streams[1]):
        stream.close()


@contextlib.asynccontextmanager
async def over_stdio(kind):
    async with support.started("-m", "tests.bench.bench_rpc", kind) as (editor, _):
        await editor.initialize()
        yield editor.reader, editor.writer


def report(what, size_bytes, stock, ours):
    def figures(samples):
        return statistics.median(samples) * 1e3, statistics.quantiles(samples, n=100)[98] * 1e3

    (stock_median, stock_tail), (our_median, our_tail) = figures(stock), figures(ours)
    print(
        f"{what:8} {size_bytes:5} B   stock p50 {stock_median:.3f} p99 {stock_tail:.3f} ms"
        f"   ours p50 {our_median:.3f} p99 {our_tail:.3f} ms"
        f"   ours/stock p50 {our_median / stock_median:.2f} p99 {our_tail / stock_tail:.2f}"
    )


async def compare(what, stock, ours, rounds):
    async with stock as stock_streams, ours as our_streams:
        for size_bytes in SIZES_BYTES:
            taken = {"stock": [], "ours": []}
            for number in range(rounds + 1):
                for name, streams in (("stock", stock_streams), ("ours", our_streams)):
                    samples = await measure(*streams, size_bytes)
                    if number > 0:  # the first round warms up
                        taken[name] += samples
            report(what, size_bytes, taken["stock"], taken["ours"])


async def main(rounds):
    def serve_ours(reader, writer):
        return rpc.serve_connection(reader, writer, Ours)

    await compare("sockets", over_sockets(serve_stock), over_sockets(serve_ours), rounds)
    await compare("stdio", over_stdio("stock"), over_stdio("ours"), rounds)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["stock"]:
            build_stock().start_io()
        case ["ours"]:
            sys.exit(asyncio.run(stdio.serve(stdio.guard(), Ours)))
        case arguments:
            asyncio.run(main(int(arguments[0]) if arguments else 5))
