"""What an approved command may reach over the network: by names of hosts, and what happened is an event each.

A grant is part of what was cleared: a line whose verdict says that it reaches the network (package managers, `git
fetch`) gets one for as long as it runs, and nothing else does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from agentos_lsp.domain.event import Event
from agentos_lsp.domain.ids import CallId

if TYPE_CHECKING:
    from collections.abc import Iterable

    from agentos_lsp.domain.command.verdict import Assessment

RULE = "review.network"
"""The rule of the classifier whose approval includes the network."""

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
"""Hosts that are this machine."""

HOSTS = (
    # Python
    "pypi.org",
    "files.pythonhosted.org",
    # JavaScript
    "registry.npmjs.org",
    "registry.yarnpkg.com",
    "repo.yarnpkg.com",
    "jsr.io",
    "npm.jsr.io",
    # Rust
    "crates.io",
    "index.crates.io",
    "static.crates.io",
    "static.rust-lang.org",
    # Go
    "proxy.golang.org",
    "sum.golang.org",
    # Ruby, PHP, Elixir, Haskell, Perl, Dart
    "rubygems.org",
    "index.rubygems.org",
    "packagist.org",
    "repo.packagist.org",
    "hex.pm",
    "repo.hex.pm",
    "builds.hex.pm",
    "hackage.haskell.org",
    "cpan.metacpan.org",
    "pub.dev",
    # Java and .NET
    "repo.maven.apache.org",
    "repo1.maven.org",
    "plugins.gradle.org",
    "services.gradle.org",
    "api.nuget.org",
    # git
    "github.com",
    "codeload.github.com",
    "objects.githubusercontent.com",
    "raw.githubusercontent.com",
    "gitlab.com",
    "bitbucket.org",
    "codeberg.org",
    "git.sr.ht",
)
"""Package registries and git hosts, which every grant names; a person's own policy can add to them."""

PORTS = (80, 443)
"""The ports that can be reached there."""

Outcome = Literal["connected", "refused", "failed"]


class NetworkGranted(Event):
    """A command that was cleared to reach the network is about to start; only `hosts` can be reached."""

    type: Literal["network.granted"] = "network.granted"
    call: CallId
    hosts: tuple[str, ...]


class NetworkConnection(Event):
    """A command of a grant tried to reach a host, and that has ended; `reason` says why it was refused or failed."""

    type: Literal["network.connection"] = "network.connection"
    call: CallId
    host: str
    port: int
    outcome: Outcome
    reason: str = ""
    sent_bytes: int
    received_bytes: int
    duration_s: float


NetworkEvent = NetworkGranted | NetworkConnection


def is_included(assessment: Assessment) -> bool:
    """Tells whether whoever clears this line lets it reach the network; judged without an allowlist."""
    return any(reason.rule == RULE for reason in assessment.reasons)


def normal(host: str) -> str:
    """Returns a host's name as it is compared: lower case, ASCII, without the last dot; empty if it is none."""
    try:
        return host.strip().rstrip(".").lower().encode("idna").decode("ascii")
    except UnicodeError:
        return ""


def is_named(host: str, hosts: Iterable[str]) -> bool:
    """Tells whether a host is one of those named; `*.example.org` stands for all below `example.org`."""
    wanted = normal(host)
    for one in hosts:
        if one.startswith("*."):
            if wanted.endswith(f".{normal(one[2:])}"):
                return True
        elif wanted == normal(one) != "":
            return True
    return False
