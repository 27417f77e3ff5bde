"""What a terminal may ask of `agentos-lsp`, and which module carries it out."""

from __future__ import annotations

import argparse
import importlib
from typing import TYPE_CHECKING

from agentos_lsp import __version__
from agentos_lsp.cli import check

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MODULES = frozenset({"clean", "daemon", "demo", "doctor", "policy", "tour", "trace"})
"""The subcommands that are carried out by a module of the same name."""

DESCRIPTION = "Lets coding agents work inside a predictable blast radius, steered from your editor."


def run(words: Sequence[str], forward: Callable[[str | None], int]) -> int:
    """Reads the words after the program's name and carries them out.

    Args:
        words: The words.
        forward: Connects an editor to the daemon of a state folder.

    Returns:
        The exit code.
    """
    parser = _parser()
    chosen = parser.parse_args(words)
    if chosen.command == "check":
        return check.run(chosen)
    if chosen.command in MODULES:
        # The check must start without pydantic, and so must every other: each loads what it needs.
        code: int = importlib.import_module(f"agentos_lsp.cli.{chosen.command}").run(chosen)
        return code
    if chosen.stdio or chosen.command == "serve":
        from agentos_lsp.cli import serve  # noqa: PLC0415 - as above

        return serve.run(chosen)
    if chosen.demo:
        parser.error("--demo goes with --stdio; in the terminal, the demo is shown by: agentos-lsp demo")
    if chosen.log:
        parser.error("--log goes with --stdio; the daemon's log is shown by: agentos-lsp daemon log")
    return forward(chosen.state)


def _pace(text: str) -> float:
    pace = float(text)
    if not 0 <= pace <= 100:
        raise argparse.ArgumentTypeError("a factor from 0 to 100")
    return pace


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="agentos-lsp", description=DESCRIPTION)
    parser.add_argument("--version", action="version", version=f"agentos-lsp {__version__}")
    parser.add_argument(
        "--stdio",
        action="store_true",
        help="serve one editor in this process, without the daemon that editors share by default",
    )
    parser.add_argument("--state", metavar="FOLDER", help="where sessions are kept; default: the user's state folder")
    parser.add_argument(
        "--demo",
        action="store_true",
        help="with --stdio: a simulated repository, model and machine; nothing is touched",
    )
    parser.add_argument(
        "--pace",
        metavar="FACTOR",
        type=_pace,
        default=1.0,
        help="of the demo: how long its second takes; default: 1, and 0 for no time at all",
    )
    parser.add_argument("--log", metavar="FILE", help="with --stdio: write the log to a file, not to standard error")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    commands.add_parser("serve", help="the same as --stdio")
    check.add_parser(commands)
    trace = commands.add_parser("trace", help="show, export or verify a session's trace")
    trace.add_argument("action", choices=("show", "export", "verify"))
    trace.add_argument("session", metavar="SESSION")
    trace.add_argument("--format", choices=("jsonl", "md"), default="jsonl", help="of an export; default: jsonl")
    commands.add_parser("doctor", help="what this machine offers, what is missing, and what to do about it")
    rules = commands.add_parser("policy", help="examine the policy of a repository, or write the schema of its file")
    rules.add_argument("action", choices=("check", "schema"))
    rules.add_argument("--repository", metavar="PATH", help="a folder in the repository; default: the current one")
    clean = commands.add_parser("clean", help="what sessions take on the disk, and what of it can go without a loss")
    clean.add_argument("--yes", action="store_true", help="remove what can go")
    clean.add_argument("repository", metavar="REPOSITORY", nargs="?", help="whose remains are looked at; default: here")
    tour = commands.add_parser("tour", help="a whole supervised session on a throw-away repository")
    tour.add_argument("--yes", action="store_true", help="answer approvals without asking, even on a terminal")
    demo = commands.add_parser("demo", help="a whole session without a model, a repository or a trace: all is played")
    demo.add_argument("--pace", metavar="FACTOR", type=_pace, default=argparse.SUPPRESS, help="as above")
    demo.add_argument("--web", action="store_true", help="serve it on loopback as a page with an editor")
    demo.add_argument("--site", metavar="FOLDER", help="of --web: the page, as `make web` built it")
    demo.add_argument("--port", metavar="NUMBER", type=int, default=0, help="of --web; default: any that is free")
    demo.add_argument("--yes", action="store_true", help="answer approvals without asking, even on a terminal")
    daemon = commands.add_parser("daemon", help="show or stop the daemon that editors share, or show its log")
    daemon.add_argument("action", choices=("status", "stop", "log", "run"), help="`run` is what editors start")
    daemon.add_argument("--now", action="store_true", help="stop: also while sessions are at work")
    daemon.add_argument(
        "--idle",
        metavar="SECONDS",
        type=float,
        default=600.0,
        help="run: end so long after the last editor and session",
    )
    daemon.add_argument("--ready", metavar="DESCRIPTOR", type=int, help=argparse.SUPPRESS)
    return parser
