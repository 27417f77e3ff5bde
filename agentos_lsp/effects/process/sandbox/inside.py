"""What the keeper does to itself before it starts anything: into the cage, then limits, then no way back.

A wish, made by the server, is a JSON object; see `plan.Plan.wish`. Standard library only, for the keeper.
"""

from __future__ import annotations

import contextlib
import resource
import sys
from typing import Any

from agentos_lsp.effects.process.sandbox import kernel, landlock, namespaces, seccomp

_LIMITS = {
    "core": resource.RLIMIT_CORE,
    "cpu_s": resource.RLIMIT_CPU,
    "data_bytes": resource.RLIMIT_DATA,
    "file_bytes": resource.RLIMIT_FSIZE,
    "files": resource.RLIMIT_NOFILE,
    "processes": getattr(resource, "RLIMIT_NPROC", None),
}


def confine(wish: dict[str, Any]) -> None:
    """Confines this process, and all that it will start, for good.

    Args:
        wish: What is to hold.

    Raises:
        OSError: Something that was wished for cannot be had; nothing may be started then.
    """
    if wish["namespaces"]:
        namespaces.enter(wish["steps"], wish["processes"], user=wish["user"])
    _limit(wish["limits"])
    if sys.platform != "linux":
        return
    kernel.drop_capabilities()
    kernel.forbid_new_privileges()
    if wish["landlock"]:
        _restrict(wish)
    if wish["seccomp"]:
        seccomp.install()


def _limit(limits: dict[str, int]) -> None:
    for name, wanted in limits.items():
        kind = _LIMITS.get(name)
        if kind is None or wanted < 0:
            continue
        _, hard = resource.getrlimit(kind)
        value = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        with contextlib.suppress(ValueError):
            resource.setrlimit(kind, (value, value))


def _restrict(wish: dict[str, Any]) -> None:
    asked = wish["landlock"]
    rules = landlock.Rules(asked["governs"], network=asked["network"])
    for path in asked["readable"]:
        rules.allow(path, landlock.READ)
    for path in asked["listable"]:
        rules.allow(path, landlock.LIST)
    for path in asked["writable"]:
        rules.allow(path)
    rules.enforce()
