"""Hosts: who a client would talk to, and whether that is certainly this machine."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentos_lsp.domain.command import hosts


@pytest.mark.parametrize(
    "host",
    [
        "localhost", "LOCALHOST", "localhost.", "app.localhost", "a.b.localhost.", "127.0.0.1", "127.255.1.2",
        "127.1",
        "127.0.1", "2130706433", "0x7f000001", "0x7f.1", "0x7F.0.0.0x1", "017700000001", "0177.0.0.1", "127.0.0.1.",
        "0", "0.0.0.0", "00", "0x0", "::1", "[::1]", "0:0:0:0:0:0:0:1", "::ffff:127.0.0.1", "[::ffff:7f00:1]", "::",
        "[::]", "::1%lo",
    ],
)  # fmt: skip
def test_every_spelling_of_this_machine_is_loopback(host: str) -> None:
    assert hosts.is_loopback(host)


@pytest.mark.parametrize(
    "host",
    [
        "", "example.com", "127.0.0.1.evil.com", "localhost.evil.com", "localhost.com", "mylocalhost",

        "127.0.0.1.nip.io",
        "128.0.0.1", "126.255.255.255", "10.0.0.1", "192.168.1.1", "2130706432.1", "0x80000000", "127.0.0.256",

        "127.0.0.0.1",
        "089.0.0.1", "1", "::2", "fe80::1", "::ffff:8.8.8.8", "[2001:db8::1]", "::127.0.0.1", "\u217cocalhost",
        "localho\u0455t",
        "\uff11\uff12\uff17.0.0.1", "127\u30020\u30020\u30021", "localhost..", "evil .localhost", "1_27.0.0.1",
        "-127.0.0.1",
    ],
)  # fmt: skip
def test_nothing_else_is_loopback(host: str) -> None:
    assert not hosts.is_loopback(host)


@pytest.mark.parametrize(
    ("operand", "host"),
    [
        ("http://localhost:3000/x", "localhost"),
        ("HTTPS://Example.COM", "Example.COM"),
        ("http://127.0.0.1@evil.com/", "evil.com"),
        ("http://user:pass@evil.com:80/a@b", "evil.com"),
        ("http://a@localhost@evil.com", "evil.com"),
        ("http://a@evil.com@localhost", "evil.com"),
        ("http://evil.com#@localhost", "evil.com"),
        ("http://evil.com?@localhost", "evil.com"),
        ("http:/evil.com", "evil.com"),
        ("http:///evil.com", "evil.com"),
        ("http://%6cocalhost/", "localhost"),
        ("http://[::1]:8080/x", "::1"),
        ("http://{a,b}.com", "{a,b}.com"),
        ("localhost:8080/path", "localhost"),
        ("evil.com", "evil.com"),
        ("evil.com:80", "evil.com"),
        ("user@host:path/x", "host"),
        ("git@github.com:a/b.git", "github.com"),
        ("ssh://git@github.com:22/a", "github.com"),
        ("rsync://h/x", "h"),
        ("2001:db8::1", "2001:db8::1"),
        ("file:///etc/passwd", None),
        ("", None),
        ("http://", None),
    ],
)
def test_the_host_is_found_behind_every_trick(operand: str, host: str | None) -> None:
    assert hosts.host_of(operand) == host


@pytest.mark.parametrize("operand", ["http://evil.com\\@127.0.0.1/", "http://127.0.0.1\\@evil.com/"])
def test_where_clients_disagree_the_host_elsewhere_counts(operand: str) -> None:
    assert hosts.host_of(operand) == "evil.com"


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("http://localhost:3000/", "localhost"),
        ("http://evil.com/a?b=", "evil.com"),
        ("http://localhost", None),
        ("http://localhost:", None),
        ("http://", None),
        ("local", None),
    ],
)
def test_the_host_of_a_beginning_is_known_once_something_follows_it(text: str, host: str | None) -> None:
    assert hosts.host_of_prefix(text) == host


@pytest.mark.parametrize("operand", ["host:path", "u@h:/x", "ssh://h/x", "[::1]:x", "rsync://h/m", "C:\\x"])
def test_a_colon_before_the_first_slash_names_another_machine(operand: str) -> None:
    assert hosts.is_remote(operand)


@pytest.mark.parametrize("operand", ["a/b:c", "./h:x", "path", "/x", "file:///x", ":x", ""])
def test_everything_else_is_a_path(operand: str) -> None:
    assert not hosts.is_remote(operand)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=200, deadline=None)
def test_a_number_is_loopback_exactly_if_its_address_is(number: int) -> None:
    address = ipaddress.IPv4Address(number)
    for spelling in (str(address), str(number), hex(number), f"0{number:o}"):
        assert hosts.is_loopback(spelling) == (address.is_loopback or number == 0)


@given(st.text(max_size=60))
@settings(max_examples=300, deadline=None)
def test_any_text_has_an_answer(text: str) -> None:
    host = hosts.host_of(text)
    assert host is None or isinstance(hosts.is_loopback(host), bool)
    hosts.host_of_prefix(text)
    hosts.is_remote(text)
