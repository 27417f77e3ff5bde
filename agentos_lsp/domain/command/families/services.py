"""Clients of services, tunnels and name look-ups: programs that connect without being made for the network alone.

Source: psql(1), mysql(1), redis-cli(1), mongosh, sshfs(1), getent(1), Microsoft's Invoke-WebRequest.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from agentos_lsp.domain.command import hosts
from agentos_lsp.domain.command.effects import Connects, Escalates, Executes, Unrecognised
from agentos_lsp.domain.command.families import rows
from agentos_lsp.domain.command.invocation import Known

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agentos_lsp.domain.command.effects import Effect
    from agentos_lsp.domain.command.invocation import Argument, Invocation


def remote(operands: tuple[Argument, ...]) -> tuple[Argument, ...]:
    """The operands that name another machine's files."""
    return tuple(operand for operand in operands if hosts.is_remote(rows.text_of(operand)))


def _database(invocation: Invocation) -> Iterator[Effect]:
    """Database clients talk to this machine unless a host is named, and run statements and shell escapes."""
    words = list(invocation.arguments)
    host: Argument = Known("localhost")
    for i, word in enumerate(words):
        text = rows.text_of(word)
        if (
            text in ("-h", "--host", "-H", "--hostname", "-S", "-u")
            and i + 1 < len(words)
            and (text != "-u" or invocation.name == "redis-cli")
        ):
            host = words[i + 1]
        elif text.startswith(("--host=", "--hostname=")):
            host = Known(text.partition("=")[2])
        elif "://" in text or re.search(r"\bhost(?:addr)?=", text):
            found = re.search(r"\bhost(?:addr)?=(\S*)", text)
            host = Known(found[1]) if found else word
        elif re.match(r"-h[^-]", text):
            host = Known(text[2:])
    yield rows.connect(host, invocation.name)
    yield Executes(f"{invocation.name} runs statements")


def _powershell(invocation: Invocation) -> Iterator[Effect]:
    """`Invoke-WebRequest` and kin: any word may be the URL."""
    urls = tuple(word for word in invocation.arguments if not rows.text_of(word).startswith("-"))
    yield from rows.direct(urls[:1], invocation.name)


def _listens(invocation: Invocation) -> Iterator[Effect]:
    yield Connects(None, loopback=False, direct=True, by=invocation.name)


def _enters(invocation: Invocation) -> Iterator[Effect]:
    """Tunnels and remote folders; an operand such as `user@host:path` names where to."""
    yield Escalates(invocation.name)
    goals = remote(tuple(word for word in invocation.arguments if not rows.text_of(word).startswith("-")))
    yield from rows.direct(goals, invocation.name)


def _getent(invocation: Invocation) -> Iterator[Effect]:
    """`getent hosts NAME` asks the DNS; the other databases are this machine's."""
    words = tuple(word for word in invocation.arguments if not rows.text_of(word).startswith("-"))
    if words and rows.text_of(words[0]) in ("hosts", "ahosts", "ahostsv4", "ahostsv6"):
        yield from rows.direct(words[1:], "getent")
    else:
        yield Unrecognised("getent reads databases of the system")


ROWS = {
    **rows.special("getent", _getent),
    **rows.special("invoke-webrequest invoke-restmethod iwr irm", _powershell),
    **rows.special(
        "psql mysql mariadb redis-cli mongosh mongo pg_dump pg_restore mysqldump createdb dropdb mysqladmin", _database
    ),
    **rows.special(
        "tcpdump tshark wireshark ngrok cloudflared localtunnel lt bore frpc chisel tor proxychains torsocks",
        _listens,
    ),
    **rows.special("openvpn wg wg-quick tailscale zerotier-cli sshfs sshuttle", _enters),
}
