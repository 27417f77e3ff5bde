"""Chooses the parts, wires them, and starts: the console script `agentos-lsp`."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from agentos_lsp import __version__
from agentos_lsp.cli import check

if TYPE_CHECKING:
    from collections.abc import Sequence

DESCRIPTION = "Lets coding agents work inside a predictable blast radius, steered from your editor."


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a subcommand; without one, serves an editor on standard input and output.

    Returns:
        The exit code: 0 if all is well, 1 if not, 2 for wrong usage.
    """
    parser = _parser()
    chosen = parser.parse_args(sys.argv[1:] if arguments is None else arguments)
    if chosen.command == "check":
        return check.run(chosen)
    if chosen.command == "trace":
        from agentos_lsp.cli import trace  # noqa: PLC0415 - the check must start without pydantic

        return trace.run(chosen)
    if chosen.command == "tour":
        from agentos_lsp.cli import tour  # noqa: PLC0415 - as above

        return tour.run(chosen)
    from agentos_lsp.cli import serve  # noqa: PLC0415 - as above

    return serve.run(chosen)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="agentos-lsp", description=DESCRIPTION)
    parser.add_argument("--version", action="version", version=f"agentos-lsp {__version__}")
    parser.add_argument("--stdio", action="store_true", help="serve one editor on standard input and output (default)")
    parser.add_argument("--state", metavar="FOLDER", help="where sessions are kept; default: the user's state folder")
    parser.add_argument("--log", metavar="FILE", help="write the server's log to a file instead of standard error")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    commands.add_parser("serve", help="serve one editor on standard input and output (default)")
    check.add_parser(commands)
    trace = commands.add_parser("trace", help="show, export or verify a session's trace")
    trace.add_argument("action", choices=("show", "export", "verify"))
    trace.add_argument("session", metavar="SESSION")
    trace.add_argument("--format", choices=("jsonl", "md"), default="jsonl", help="of an export; default: jsonl")
    tour = commands.add_parser("tour", help="a whole supervised session on a throw-away repository")
    tour.add_argument("--yes", action="store_true", help="answer approvals without asking, even on a terminal")
    return parser


if __name__ == "__main__":
    sys.exit(main())
