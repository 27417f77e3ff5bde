"""Starts: the console script `agentos-lsp`. Without a subcommand it is the forwarder, and loads nothing else."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a subcommand; without one, connects an editor on standard input and output to the user's daemon.

    Returns:
        The exit code: 0 if all is well, 1 if not, 2 for wrong usage.
    """
    match words := list(sys.argv[1:] if arguments is None else arguments):
        case []:
            return _forward(None)
        case ["--state", folder]:
            return _forward(folder)
        case _:
            # An editor waits for the forwarder: what terminals want is loaded for them only.
            from agentos_lsp.cli import arguments as terminal  # noqa: PLC0415 - see above

            return terminal.run(words, _forward)


def _forward(state: str | None) -> int:
    from agentos_lsp.cli import forward  # noqa: PLC0415 - the terminal's commands do without it

    return forward.main(state)


if __name__ == "__main__":
    sys.exit(main())
