"""Who dials the daemon: whether a process belongs to a session, which must never reach its own judge.

Asked once for each connection, before anything of it is served. A process of a session descends from its keeper, which
is a child of the server and a subreaper: also after a double fork it stays below it. What this cannot see is written
in `docs/security.md`.
"""

from __future__ import annotations

import os
import select
from typing import Final

from agentos_lsp.effects.process import cgroups, trees

ATTEMPTS: Final = 5
_MAX_DEPTH: Final = 512

NOT_SEEN = "The process that dials cannot be seen from here, so nobody can say that it is no agent's."
OF_A_SESSION = "It is dialled by a process of a session: an agent cannot steer itself or answer its own approvals."


class _BrokenError(Exception):
    """A process ended, or its number was given anew, while its ancestors were looked at."""


def refusal(pid: int, pidfd: int | None = None) -> str | None:
    """Says why a process may not be served, None if it may.

    A process that ends while it is looked at is refused: its number could mean another one by then.

    Args:
        pid: The process that dialled, as the socket says.
        pidfd: What holds on to it, if the system can give that; it stays the caller's.
    """
    if not os.path.isdir("/proc/self"):  # noqa: PTH112  a system that shows no ancestors
        return None
    for _ in range(ATTEMPTS):
        try:
            reason = _judge(pid)
        except _BrokenError:
            continue
        return NOT_SEEN if pidfd is not None and has_ended(pidfd) else reason
    return NOT_SEEN


def ancestors(pid: int) -> list[int]:
    """Returns a process and all that it descends from, the nearest first; empty if it cannot be seen."""
    try:
        return _chain(pid)
    except _BrokenError:
        return []


def has_ended(pidfd: int) -> bool:
    """Whether the process behind a descriptor has ended. Source: pidfd_open(2), it polls as readable then."""
    return bool(select.select([pidfd], [], [], 0)[0])


def _judge(pid: int) -> str | None:
    own = os.getpid()
    chain = _chain(pid)
    if pid == own:
        return None
    if own in chain:
        return OF_A_SESSION
    # Under a session of another server, unless we run there ourselves: agents work on this project too.
    around_us = set(_chain(own))
    if any(ancestor not in around_us and _is_keeper(ancestor) for ancestor in chain[1:]):
        return OF_A_SESSION
    mark = _mark(pid)
    if mark is not None and mark != _mark(own):
        return OF_A_SESSION
    group = cgroups.session_group_of(pid)
    if group is not None and group != cgroups.session_group_of(own):
        return OF_A_SESSION
    return None


def _chain(pid: int) -> list[int]:
    chain: list[int] = []
    started: int | None = None
    while pid > 0 and len(chain) < _MAX_DEPTH:
        found = trees.look(pid)
        if found is None and chain and _is_hidden(pid):
            return [*chain, pid]
        if found is None or (started is not None and found.started > started):
            raise _BrokenError
        chain.append(pid)
        started, pid = found.started, found.parent
    if pid or not chain:
        raise _BrokenError
    return chain


def _is_hidden(pid: int) -> bool:
    """Whether a process is another user's and /proc keeps it from us. Source: proc(5), hidepid; kill(2), EPERM."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except OSError:
        return False
    return False


def _is_keeper(pid: int) -> bool:
    try:
        return b"import keeper; keeper.main()" in trees.read(f"/proc/{pid}/cmdline")
    except OSError:
        return False


def _mark(pid: int) -> bytes | None:
    """Returns the session in a process's environment, None if it names none."""
    try:
        variables = trees.read(f"/proc/{pid}/environ").split(b"\0")
    except OSError:
        return None
    wanted = f"{trees.MARK}=".encode()
    found = next((variable for variable in variables if variable.startswith(wanted)), None)
    return None if found is None else found.removeprefix(wanted).partition(b":")[0]
