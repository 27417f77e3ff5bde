"""Programs that end processes or the machine: the verb alone decides.

Source: kill(1) of util-linux and procps, bash(1) kill, pkill(1), killall(1), skill(1), fuser(1), systemctl(1), init(8),
shutdown(8), launchctl(1), start-stop-daemon(8); Microsoft's taskkill and Stop-Process.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentos_lsp.domain.command.effects import Executes, Persists, Signals, Unrecognised
from agentos_lsp.domain.command.families import rows
from agentos_lsp.domain.command.invocation import Known

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agentos_lsp.domain.command.effects import Effect
    from agentos_lsp.domain.command.invocation import Argument, Invocation

_KILLERS = (
    "kill pkill killall killall5 skill snice slay xkill taskkill tskill pskill killproc bkill gkill"
    " stop-process Stop-Process spps"
)
_MACHINE = "shutdown reboot halt poweroff telinit stop-computer Stop-Computer restart-computer Restart-Computer"
_LISTS = frozenset(("-l", "-L", "--list", "--table"))
_ZERO = frozenset(("0", "EXIT", "SIGEXIT"))

# Verbs of service managers, by what they are. Source: systemctl(1), loginctl(1), launchctl(1), service(8).
_ENDING_TEXT = """
    poweroff reboot halt kexec soft-reboot suspend hibernate hybrid-sleep suspend-then-hibernate emergency
    rescue exit kill kill-session kill-user terminate-session terminate-user terminate-seat isolate
"""
_ENDING = frozenset(_ENDING_TEXT.split())

_LASTING_TEXT = """
    enable reenable link edit mask unmask preset set-default load bootstrap enable-linger add-wants
"""
_LASTING = frozenset(_LASTING_TEXT.split())

_LOOKING_TEXT = """
    status show cat is-active is-enabled is-failed list-units list-unit-files list-timers list list-sessions
"""
_LOOKING = frozenset(_LOOKING_TEXT.split())


def _kill(invocation: Invocation) -> Iterator[Effect]:
    yield Signals(_shown(invocation), harmless=_is_harmless(invocation.arguments))


def _machine(invocation: Invocation) -> Iterator[Effect]:
    yield Signals(_shown(invocation), harmless=False)


def _init(invocation: Invocation) -> Iterator[Effect]:
    """`init 0` and `init 6` end the machine; every other run level ends services."""
    yield Signals(_shown(invocation), harmless=False)


def _fuser(invocation: Invocation) -> Iterator[Effect]:
    """`-k` in any bundle kills; `fuser` is read without options' values, so that no bundle hides it."""
    words = [rows.text_of(argument) for argument in invocation.arguments]
    kills = any(
        ("k" in word[1:] and not word.startswith("--")) or (len(word) > 2 and "--kill".startswith(word))
        for word in words
        if word.startswith("-")
    )
    if kills:
        yield Signals(_shown(invocation), harmless=False)
    else:
        yield Unrecognised("fuser looks at other people's processes")


def _sockets(invocation: Invocation) -> Iterator[Effect]:
    """`ss -K` closes sockets."""
    words = [rows.text_of(argument) for argument in invocation.arguments]
    if any(
        word.startswith("-") and (word == "--kill" or ("K" in word and not word.startswith("--"))) for word in words
    ):
        yield Signals(_shown(invocation), harmless=False)
        return
    spec = (
        "-n,--numeric -r -a,--all -l,--listening -o,--options -e,--extended -m,--memory -p,--processes -i,--info"
        " -s,--summary -4,--ipv4 -6,--ipv6 -0 -t,--tcp -u,--udp -w,--raw -x,--unix -H,--no-header -O,--oneline"
        " -f,--family= -A,--query= -F,--filter=r -D=w --diag=w -E -b -Z -z -N=x --net=x"
    )
    yield from rows.effects(rows.Row("ss", "unknown", "inert", spec), invocation)


def _manager(invocation: Invocation) -> Iterator[Effect]:
    """Service managers: the first word that is no option is the verb; every word is looked at for an ending one."""
    words = [rows.text_of(argument) for argument in invocation.arguments if isinstance(argument, Known)]
    verbs = [word for word in words if not word.startswith("-")]
    verb = verbs[0] if verbs else ""
    if verb in _ENDING:
        yield Signals(_shown(invocation), harmless=False)
    elif verb in _LASTING:
        yield Persists(_shown(invocation))
    elif verb in _LOOKING:
        yield Executes(f"{invocation.name} {verb} asks the service manager")
    elif invocation.name == "start-stop-daemon" and any(word in ("-K", "--stop") for word in words):
        yield Signals(_shown(invocation), harmless=False)
    else:
        yield Executes(f"{_shown(invocation)} changes a service")


def _is_harmless(arguments: tuple[Argument, ...]) -> bool:
    """Tells whether nothing is signalled: a list of names, or signal 0 and no other option."""
    texts = [argument.text if isinstance(argument, Known) else None for argument in arguments]
    first = texts[0] if texts else None
    if first is None:
        return False
    if first in _LISTS or first.startswith(("--list=", "-l=")):
        return len(texts) == 1 or (len(texts) == 2 and texts[1] is not None and not texts[1].startswith("-"))
    if first in ("-s", "-n", "--signal"):
        zero, rest = len(texts) > 1 and texts[1] in _ZERO, arguments[2:]
    else:
        zero, rest = first in ("-0", "-s0", "-n0", "--signal=0"), arguments[1:]
    return zero and not any(rows.text_of(word).startswith("-") for word in rest)


def _shown(invocation: Invocation) -> str:
    words = (invocation.name, *(rows.text_of(argument) for argument in invocation.arguments[:4]))
    return " ".join(words)


ROWS = {
    **rows.special(_KILLERS, _kill),
    **rows.special(_MACHINE, _machine),
    **rows.special("init", _init),
    **rows.special("fuser", _fuser),
    **rows.special("ss", _sockets),
    **rows.special(
        "systemctl loginctl launchctl service rc-service invoke-rc.d sv initctl start-stop-daemon", _manager
    ),
}
