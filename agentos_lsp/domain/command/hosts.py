"""Hosts in URLs and operands: which one a network client would talk to, and whether it certainly is this machine.

The only place that decides what is loopback.
"""

from __future__ import annotations

import ipaddress
import re
import urllib.parse

# Source: curl(1) accepts one to three slashes after these schemes.
_LOOSE_SCHEME = re.compile(
    r"(?:https?|ftps?|wss?|sftp|scp|imaps?|smtps?|pop3s?|ldaps?|telnet|gopher):/{1,3}", re.IGNORECASE
)
_SCHEME = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*)://", re.IGNORECASE)
# Without a scheme, curl guesses one and takes what follows two slashes for the host.
_RELATIVE = re.compile(r"//(?=[^/])")
_NUMBER = re.compile(r"0x[0-9a-f]*|[0-9]+", re.IGNORECASE)
_PORT = re.compile(r":[0-9]*\Z")


def is_loopback(host: str) -> bool:
    """Tells whether a host, in any spelling, certainly is this machine.

    Source: RFC 6761 section 6.3 (localhost), RFC 1122 section 3.2.1.3 (127/8), RFC 4291 section 2.5 (::1, mapped
    addresses), inet_aton(3) (short, octal and hexadecimal numbers; Linux connects to itself for 0.0.0.0).
    """
    name = host.strip().lower()
    if not name.isascii():
        return False
    if name.startswith("[") and name.endswith("]"):
        name = name[1:-1]
    if ":" in name:
        return _is_loopback_v6(name)
    name = name.removesuffix(".")
    if name == "localhost" or name.endswith(".localhost"):
        return re.fullmatch(r"[a-z0-9._-]+", name) is not None
    address = _ipv4(name)
    return address is not None and (address == 0 or address >> 24 == 127)


def host_of(operand: str) -> str | None:
    """Finds the host in a URL, a `host[:port][/path]` operand, or an scp-like `user@host:path`.

    Where clients disagree (backslashes, several `@`), the host that is not loopback wins.

    Returns:
        The host without port, user and brackets; None if there is none (`file:///x`, an empty string).
    """
    loose = _LOOSE_SCHEME.match(operand)
    strict = _SCHEME.match(operand)
    match = loose or strict or _RELATIVE.match(operand)
    rest = operand[match.end() :] if match is not None else operand
    if strict is not None and strict["scheme"].lower() == "file":
        return None
    candidates = [_host_in(re.split(r"[/?#]", rest, maxsplit=1)[0])]
    if "\\" in rest:
        candidates.append(_host_in(re.split(r"[/?#\\]", rest, maxsplit=1)[0]))
    found = [host for host in candidates if host]
    return next((host for host in found if not is_loopback(host)), found[0] if found else None)


def host_of_prefix(text: str) -> str | None:
    """Finds the host in an operand of which only the beginning is certain: it must be followed by `/`, `?` or `#`."""
    match = _LOOSE_SCHEME.match(text) or _SCHEME.match(text)
    rest = text[match.end() :] if match is not None else text
    if re.search(r"[/?#]", rest) is None or "\\" in rest:
        return None
    return host_of(text)


def is_remote(operand: str) -> bool:
    """Tells whether scp, rsync or git would take an operand for another machine's: `host:path`, `scheme://…`.

    Source: scp(1), rsync(1), git-clone(1): a colon before the first slash.
    """
    if _SCHEME.match(operand):
        return not operand.lower().startswith("file://")
    if operand.startswith("["):
        return "]:" in operand
    return ":" in operand.partition("/")[0] and not operand.startswith(":")


def _host_in(authority: str) -> str:
    """Takes user and port from an authority."""
    user, at, host = authority.rpartition("@")
    host = urllib.parse.unquote(host) if "%" in host else host
    if at and "@" in user:
        # Clients differ on which `@` ends the user name.
        first = _host_in(authority.partition("@")[2].partition("@")[0])
        if first and not is_loopback(first):
            return first
    if host.startswith("["):
        return host[1:].partition("]")[0]
    if host.count(":") > 1 and _PORT.sub("", host).count(":") > 1:
        return host
    return host.partition(":")[0]


def _ipv4(name: str) -> int | None:
    """Reads an IPv4 address as inet_aton(3) does; None if it is a name."""
    parts = name.split(".")
    if not 1 <= len(parts) <= 4 or not all(_NUMBER.fullmatch(part) for part in parts) or len(name) > 64:
        return None
    numbers: list[int] = []
    for part in parts:
        octal = len(part) > 1 and part.startswith("0") and part[1] != "x"
        if octal and not set(part) <= set("01234567"):
            return None
        base = 16 if part[1:2] == "x" else 8 if octal else 10
        numbers.append(int(part[2:] or "0", 16) if base == 16 else int(part, base))
    *heads, last = numbers
    if any(number > 255 for number in heads) or last >= 256 ** (5 - len(parts)):
        return None
    return sum(number << (24 - 8 * i) for i, number in enumerate(heads)) + last


def _is_loopback_v6(name: str) -> bool:
    try:
        address = ipaddress.IPv6Address(name.partition("%")[0])
    except ValueError:
        return False
    if address.ipv4_mapped is not None:
        return int(address.ipv4_mapped) == 0 or int(address.ipv4_mapped) >> 24 == 127
    return address.is_loopback or address.is_unspecified
