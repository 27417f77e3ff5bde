"""Finds credentials in lines of text: known forms by their shape, and random values under telling names.

Why not a kept library: `docs/decisions`. Every expression runs in time linear in the line.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from agentos_lsp.domain.inspection import patterns

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ALLOW_MARKS = ("agentos: allow-secret", "pragma: allowlist secret", "gitleaks:allow")
"""A line that holds one of these is test data, somebody says: a person is asked instead of refusing it."""

RANDOM_BITS = 3.5
"""A value with more entropy than this, in bits a character, may be a key; words have less."""

SHORTEST_VALUE = 16
LONGEST_LINE = 4000
"""Lines are searched for values under telling names only so far; known forms are found anywhere."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A known form of credential, with examples that it must find and some that it must not.

    The examples are written in two pieces, so that no scanner finds them in our own source.

    Args:
        name: In words, for messages.
        pattern: In re2's syntax; a group, if it has one, is the part that must not be a placeholder.
        source: Where the form is described.
        finds: Lines that hold one.
        passes: Lines that look alike and hold none.
    """

    name: str
    pattern: str
    source: str
    finds: tuple[str, ...]
    passes: tuple[str, ...]


KINDS = (
    Kind(
        "a private key",
        r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----",
        "RFC 7468 and RFC 4880, section 6.2",
        ("-----BEGIN RSA " + "PRIVATE KEY-----", "-----BEGIN PGP " + "PRIVATE KEY BLOCK-----"),
        ("-----BEGIN PUBLIC KEY-----",),
    ),
    Kind(
        "a PuTTY private key",
        r"PuTTY-User-Key-File-[23]:",
        "PuTTY manual, appendix C",
        ("PuTTY-User-Key-" + "File-3: ssh-ed25519",),
        ("PuTTY-User-Key",),
    ),
    Kind(
        "an age secret key",
        r"\bAGE-SECRET-KEY-1[0-9A-Z]{58}\b",
        "the age format, native identities",
        ("AGE-SECRET-" + "KEY-1" + "Q7X2M9K4P1" * 5 + "Q7X2M9K4",),
        ("AGE-SECRET-KEY-1…",),
    ),
    Kind(
        "an AWS access key",
        r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
        "AWS IAM user guide, unique identifiers",
        ("key = AKIA" + "Z7Q2M4N6P8R1S3T5",),
        ("AKIA is a prefix",),
    ),
    Kind(
        "a GitHub token",
        r"\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{40})",
        "GitHub docs, token formats",
        ("ghp_" + "a1B2c3D4" * 5, "github_" + "pat_" + "a1B2c3D4" * 5),
        ("ghp_short",),
    ),
    Kind(
        "a GitLab token",
        r"\bgl(?:pat|dt|rt|cbt|ptt|ft|soat)-[A-Za-z0-9_-]{20}",
        "GitLab docs, token prefixes",
        ("glpat-" + "a1B2c3D4e5F6g7H8i9J0",),
        ("glpat-x",),
    ),
    Kind(
        "a Slack token",
        r"\bxox[abeoprs]-[A-Za-z0-9-]{10}",
        "Slack docs, token types",
        ("xoxb-" + "123456789012-abcdef",),
        ("xoxb-",),
    ),
    Kind(
        "a Slack webhook",
        r"https://hooks\.slack\.com/(?:services|workflows)/T[A-Z0-9]+/[A-Z0-9]+/[A-Za-z0-9]{16}",
        "Slack docs, incoming webhooks",
        ("https://hooks.slack.com/" + "services/T0AB12CD3/B0EF45GH6/a1B2c3D4e5F6g7H8i9J0k1L2",),
        ("https://hooks.slack.com/services/…",),
    ),
    Kind(
        "a Discord webhook",
        r"https://(?:\w+\.)?discord(?:app)?\.com/api/webhooks/[0-9]{17,20}/[A-Za-z0-9_-]{60}",
        "Discord docs, webhooks",
        ("https://discord.com/api/" + "webhooks/123456789012345678/" + "a1B2c3D4" * 8,),
        ("https://discord.com/api/webhooks/ID/TOKEN",),
    ),
    Kind(
        "a Stripe key",
        r"\b[rs]k_live_[A-Za-z0-9]{16}",
        "Stripe docs, API keys",
        ("sk_live_" + "a1B2c3D4e5F6g7H8",),
        ("sk_test_a1B2c3D4e5F6g7H8",),
    ),
    Kind(
        "an Anthropic or OpenAI key",
        r"\bsk-(?:ant-|proj-|svcacct-)?[A-Za-z0-9_-]{32}",
        "the vendors' consoles",
        ("sk-ant-" + "a1B2c3D4" * 5,),
        ("sk-learn", "class sk-button-primary"),
    ),
    Kind(
        "a Google API key",
        r"\bAIza[A-Za-z0-9_-]{35}\b",
        "Google Cloud docs, API keys",
        ("AIza" + "a1B2c3D" * 5,),
        ("AIzaShort",),
    ),
    Kind(
        "a Google client secret",
        r"\bGOCSPX-[A-Za-z0-9_-]{28}",
        "Google identity docs",
        ("GOCSPX-" + "a1B2c3D" * 4,),
        ("GOCSPX-",),
    ),
    Kind(
        "a package registry token",
        r"\b(?:npm_[A-Za-z0-9]{36}|pypi-AgE[A-Za-z0-9_-]{50}|rubygems_[0-9a-f]{48}|dckr_pat_[A-Za-z0-9_-]{27})",
        "the registries' documentation",
        ("npm_" + "a1B2c3D4" * 4 + "a1B2", "pypi-" + "AgE" + "a1B2c3D4e5" * 5),
        ("npm_config_cache",),
    ),
    Kind(
        "a Hugging Face token",
        r"\bhf_[A-Za-z]{34}\b",
        "Hugging Face docs, access tokens",
        ("hf_" + "aBcDeFgHiJ" * 3 + "aBcD",),
        ("hf_hub_download",),
    ),
    Kind(
        "a SendGrid key",
        r"\bSG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}",
        "SendGrid docs, API keys",
        ("SG." + "a1B2c3D4e5F" * 2 + "." + "a1B2c3D4e5" * 4 + "a1B",),
        ("SG.x.y",),
    ),
    Kind(
        "a Shopify token",
        r"\bshp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}",
        "Shopify docs, access tokens",
        ("shpat_" + "0a1b2c3d" * 4,),
        ("shpat_x",),
    ),
    Kind(
        "a DigitalOcean token",
        r"\bdo[opr]_v1_[0-9a-f]{64}",
        "DigitalOcean docs, tokens",
        ("dop_v1_" + "0a1b2c3d" * 8,),
        ("dop_v1_x",),
    ),
    Kind(
        "a Vault token",
        r"\bhv[sbr]\.[A-Za-z0-9_-]{24}",
        "HashiCorp Vault docs, token prefixes",
        ("hvs." + "a1B2c3D4" * 4,),
        ("hvs.md",),
    ),
    Kind(
        "an Azure storage key",
        r"AccountKey=[A-Za-z0-9+/]{86}==",
        "Azure docs, connection strings",
        ("AccountKey=" + "a1B2c3D4" * 10 + "a1B2c3==",),
        ("AccountKey=…",),
    ),
    Kind(
        "a Telegram bot token",
        r"\b[0-9]{8,10}:AA[A-Za-z0-9_-]{33}\b",
        "Telegram bot API, authorizing",
        ("123456789:" + "AA" + "a1B2c3D4e5F" * 3,),
        ("12:30:45",),
    ),
    Kind(
        "a signed web token",
        r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{20}",
        "RFC 7519 and RFC 7515, section 3.1",
        ("eyJhbGciOiJIUzI1NiJ9." + "eyJzdWIiOiIxMjM0NTY3ODkwIn0" + ".a1B2c3D4e5F6g7H8i9J0k1L2",),
        ("eyJhbGciOiJIUzI1NiJ9",),
    ),
    Kind(
        "a password in an address",
        r"\b[a-z][a-z0-9+.-]{1,20}://[^\s:/@'\"${}<>]{1,100}:([^\s:/@'\"${}<>]{6,200})@",
        "RFC 3986, section 3.2.1",
        ("postgres://admin:" + "hunter2hunter@db.internal/app",),
        ("https://user@example.com/", "postgres://user:${PASSWORD}@db/app", "ftp://user:password@host"),
    ),
)

_NAMES = r"(?:secret|token|passw(?:or)?d|passphrase|api[_-]?key|access[_-]?key|private[_-]?key|credential)"
_QUOTED = rf"(?i)[\w.-]{{0,60}}{_NAMES}[\w.-]{{0,60}}[\"']?\s*(?::=|=>|[:=])\s*[\"']([^\"'\s]{{16,500}})[\"']"
_BARE = rf"(?i)^\s*(?:export\s+|-\s+)?[\w.-]{{0,60}}{_NAMES}[\w.-]{{0,60}}\s*[:=]\s*([^\"'\s#$<>{{}}()]{{16,500}})\s*$"
_SETTINGS = (".env", ".ini", ".cfg", ".conf", ".properties", ".yml", ".yaml", ".tfvars")
_PLACEHOLDER = re.compile(
    r"(?i)example|sample|placeholder|changeme|your[_-]|xxxx|\*{3}|^(?:password|pass)$|\$\{|<[^>]+>"
)
_WORDS = re.compile(r"^[a-z]+(?:[_.-][a-z]+){0,20}$")


@dataclass(frozen=True, slots=True)
class Secret:
    """What a line seems to hold, in words; `marked` where the line says that it is none."""

    kind: str
    marked: bool


def search(lines: Iterable[tuple[int, str]], path: str = "") -> Iterator[tuple[int, Secret]]:
    """Yields every line that seems to hold a credential, with its number.

    Args:
        lines: To search, each with its number.
        path: Of the file; in one that holds settings, a value needs no quotes to count.
    """
    rows = [(number, text) for number, text in lines if len(text) >= SHORTEST_VALUE]
    # One pass over everything tells the common case, in which there is nothing, at once.
    whole = "\n".join(text for _, text in rows)
    known = patterns.compiled(_any_kind()).search(whole) is not None
    named = patterns.compiled(f"(?i){_NAMES}").search(whole) is not None
    for number, text in rows if known or named else ():
        kind = (_known_kind(text) if known else "") or (_named_value(text, path) if named else "")
        if kind:
            yield number, Secret(kind, any(mark in text for mark in ALLOW_MARKS))


def secret_in(line: str, path: str = "") -> str:
    """Says what credential a line seems to hold, in words (`a private key`), whatever its marks; empty if none."""
    return next((found.kind for _, found in search([(0, line)], path)), "")


def entropy_bits(text: str) -> float:
    """Returns the Shannon entropy of a text's characters, in bits a character; 0 for an empty one."""
    total = len(text)
    return -sum(n / total * math.log2(n / total) for n in Counter(text).values()) if total else 0.0


@cache
def _any_kind() -> str:
    # The whole text is one string here, so that a group's content must not reach over lines; no kind allows blanks.
    return "|".join(f"(?:{kind.pattern})" for kind in KINDS)


def _known_kind(line: str) -> str:
    for kind in KINDS:
        expression = patterns.compiled(kind.pattern)
        if expression.search(line) is None:
            continue
        values = [value for groups in expression.all_groups(line) for value in groups if value is not None]
        if not values or any(not _PLACEHOLDER.search(value) for value in values):
            return kind.name
    return ""


def _named_value(line: str, path: str) -> str:
    text = line[:LONGEST_LINE]
    values = [value for (value,) in patterns.compiled(_QUOTED).all_groups(text) if value is not None]
    name = path.rpartition("/")[2].casefold()
    if name.startswith(".env") or name.endswith(_SETTINGS):
        values += [value for (value,) in patterns.compiled(_BARE).all_groups(text) if value is not None]
    return "a secret value" if any(_is_random(value) for value in values) else ""


def _is_random(value: str) -> bool:
    mixed = any(c.isdigit() for c in value) and any(c.isalpha() for c in value)
    return mixed and not _PLACEHOLDER.search(value) and not _WORDS.match(value) and entropy_bits(value) > RANDOM_BITS
