"""Short-lived processes of our own that do file work beside the runtime, so that its interpreter is not held up.

They run one of our own scripts, never a command of anybody else: nothing here takes a line.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING

from agentos_lsp.domain.errors import EffectError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_LOOK_S = 0.05
_PIECE = 1 << 18
_START = "import sys; sys.path.append(sys.argv[1]); __import__(sys.argv[2]).main()"
"""A module that is imported is compiled once, a script each time."""


def run(
    script: str, jobs: Sequence[bytes], heard: Callable[[int], None], cancelled: Callable[[], bool]
) -> list[bytes] | None:
    """Runs a script once for each job, all at once, and returns what they wrote; blocks, so call it in a thread.

    Args:
        script: A file of this package that needs only the standard library, and has a `main`.
        jobs: What each finds on its standard input.
        heard: Told now and then how many bytes have come from all of them.
        cancelled: Asked now and then; then all of them are ended.

    Returns:
        The whole standard output of each, as far as it came; None if it was cancelled.

    Raises:
        EffectError: One could not be started.
    """
    with contextlib.ExitStack() as stack:
        started = [stack.enter_context(_started(script, job)) for job in jobs]
        answers = [bytearray() for _ in jobs]
        selector = stack.enter_context(selectors.DefaultSelector())
        for process, answer in zip(started, answers, strict=True):
            if process.stdout is not None:
                selector.register(process.stdout, selectors.EVENT_READ, answer)
        while selector.get_map():
            if cancelled():
                return None
            for key, _ in selector.select(_LOOK_S):
                piece = os.read(key.fd, _PIECE)
                if piece:
                    key.data.extend(piece)
                else:
                    selector.unregister(key.fileobj)
            heard(sum(map(len, answers)))
        return [bytes(answer) for answer in answers]


@contextlib.contextmanager
def _started(script: str, job: bytes) -> Iterator[subprocess.Popen[bytes]]:
    """Starts one; it is ended and waited for when the block is left."""
    with tempfile.TemporaryFile() as given:
        given.write(job)
        given.seek(0)
        try:
            process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-X", "utf8", "-c", _START, *os.path.split(script.removesuffix(".py"))],
                stdin=given,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                cwd="/",
                env={name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ},
                start_new_session=True,
            )
        except OSError as error:
            raise EffectError("process", "start a helper", str(error), retry_may_help=True) from error
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
