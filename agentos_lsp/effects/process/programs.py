"""Runs the git program on the person's own repository, for what only it can do: no shell, no agent, no question asked.

It starts the filters that the person's settings name, as their own `git checkout` does, so it has their environment.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentos_lsp.domain.errors import EffectError, UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

LIMIT_S = 900.0
"""How long it may take: a filter may have to fetch what it writes."""

_LOOK_S = 0.05
_TOLD_BYTES = 4000

# Source: git's environment.c, `local_repo_env`: what would make git work on another repository than that of its folder.
_OF_ONE_REPOSITORY = {
    *("GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_CONFIG", "GIT_CONFIG_PARAMETERS", "GIT_CONFIG_COUNT"),
    *("GIT_OBJECT_DIRECTORY", "GIT_DIR", "GIT_WORK_TREE", "GIT_IMPLICIT_WORK_TREE", "GIT_GRAFT_FILE"),
    *("GIT_INDEX_FILE", "GIT_NO_REPLACE_OBJECTS", "GIT_REPLACE_REF_BASE", "GIT_PREFIX", "GIT_SHALLOW_FILE"),
    *("GIT_COMMON_DIR", "GIT_NAMESPACE", "GIT_ATTR_SOURCE", "GIT_INTERNAL_SUPER_PREFIX"),
}
_ASKING = {"GIT_ASKPASS", "SSH_ASKPASS"}
_SETTINGS = (
    *("-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "core.askPass="),
    *("-c", "gc.auto=0", "-c", "maintenance.auto=false", "-c", "advice.detachedHead=false"),
)


@dataclass(frozen=True, slots=True)
class Ended:
    """How it ended: its exit code, None if it took too long, and the last that it said on its standard error."""

    code: int | None
    words: str


def run_git(
    words: Sequence[str], folder: str, given: bytes, cancelled: Callable[[], bool], limit_s: float = LIMIT_S
) -> Ended | None:
    """Runs git in a folder, with hooks off, and waits for it; blocks, so call it in a thread.

    Args:
        words: Its command and options.
        folder: Where it runs.
        given: Its standard input.
        cancelled: Asked now and then; then it and all that it started are ended.
        limit_s: How long it may take.

    Returns:
        How it ended, None if it was cancelled.

    Raises:
        UserError: There is no git program.
        EffectError: It could not be started.
    """
    with tempfile.TemporaryFile() as stdin, tempfile.TemporaryFile() as stderr:
        stdin.write(given)
        stdin.seek(0)
        environment = _environment(os.environ)
        program = shutil.which("git", path=environment.get("PATH"))
        if program is None:
            raise UserError(
                "Files of this repository pass through filters, which takes the git program, and there is none.",
                "Install git so that `git --version` works where the editor starts, and try again.",
            )
        try:
            process = subprocess.Popen(
                [program, *_SETTINGS, *words],
                stdin=stdin,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                cwd=folder,
                env=environment,
                start_new_session=True,
            )
        except OSError as error:
            raise EffectError("process", "start git", str(error), retry_may_help=True) from error
        end = time.monotonic() + limit_s
        try:
            while process.poll() is None:
                if cancelled():
                    return None
                if time.monotonic() > end:
                    return Ended(None, _last(stderr.fileno()))
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(_LOOK_S)
            return Ended(process.returncode, _last(stderr.fileno()))
        finally:
            if process.poll() is None:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _last(descriptor: int) -> str:
    size = os.fstat(descriptor).st_size
    said = os.pread(descriptor, _TOLD_BYTES, max(0, size - _TOLD_BYTES))
    return said.decode("utf-8", "replace").strip()


def _environment(own: Mapping[str, str]) -> dict[str, str]:
    """Returns the person's environment without what leads git elsewhere, and without whoever would ask a question."""
    kept = {name: value for name, value in own.items() if name not in _OF_ONE_REPOSITORY | _ASKING}
    return kept | {"GIT_TERMINAL_PROMPT": "0", "SSH_ASKPASS_REQUIRE": "never"}
