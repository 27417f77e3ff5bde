"""The rules: what an effect is judged to be, why, and what to do instead.

The only place for the block list. It is code: nothing here takes a setting, so nothing can weaken it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from agentos_lsp.domain.command import paths, secrets
from agentos_lsp.domain.command.effects import (
    Adds,
    ChangesRepository,
    Connects,
    Deletes,
    Escalates,
    Executes,
    MovesOut,
    Persists,
    Pushes,
    Reads,
    ReadsOnly,
    Signals,
    Unrecognised,
    Writes,
)
from agentos_lsp.domain.command.invocation import Prefix, Unknown
from agentos_lsp.domain.command.verdict import Reason, Verdict

if TYPE_CHECKING:
    from agentos_lsp.domain.command.effects import Effect
    from agentos_lsp.domain.command.invocation import Argument, Target
    from agentos_lsp.domain.command.surroundings import Surroundings

# Places outside the worktree that hold nothing of a person's. Source: Filesystem Hierarchy Standard 3.0, proc(5).
_PUBLIC = (
    "/usr", "/bin", "/sbin", "/lib", "/lib64", "/opt/homebrew", "/etc/os-release", "/etc/debian_version",
    "/etc/lsb-release", "/etc/issue", "/proc/cpuinfo", "/proc/meminfo", "/proc/version", "/proc/uptime",
    "/proc/loadavg", "/proc/filesystems", "/sys/fs/cgroup", "/sys/devices/system/cpu",
)  # fmt: skip

# Source: Linux admin-guide/sysrq: a letter written here reboots, powers off or kills.
_TRIGGER = "/proc/sysrq-trigger"

_DELETE_INSIDE = "Delete inside the worktree or the session's scratch folder; leave the rest to a person."
_MOVE = "Move within the worktree, or copy to the outside, which a person can approve."
_STOP = "End a process that this session started by name, with the runtime's `stop`."
_PUSH = "Push to a branch of your own and let a person merge it."
_NETWORK = "Use a package manager or git, which a person can approve, or ask a person to fetch it."
_REVIEW = "Wait for a person's answer, or use a command that only reads the worktree."

# Rules that an exact line on the allowlist does not lift: what they are about is not certain on the next day either.
UNCERTAIN = frozenset(
    (
        "review.not-understood",
        "review.unknown-delete",
        "review.unknown-push",
        "review.unknown-host",
        "review.uncertain",
        "review.shell",
    )
)


def judge(  # noqa: C901, PLR0912 - one arm per effect
    effect: Effect, surroundings: Surroundings
) -> Reason | None:
    """Says what is to be said about an effect; None if it is harmless by itself."""
    match effect:
        case ReadsOnly():
            return None
        case Reads(target, content):
            return reads(target, content=content)
        case Writes(target):
            return _writes(target)
        case Adds(_, target):
            added = target is None or target.place in ("worktree", "scratch", "root")
            return None if added or target is None else _writes(target)
        case Deletes(target, recursive):
            return _deletes(target, recursive=recursive)
        case MovesOut(target, goal):
            text = f"It would move {_name(target)} out of the worktree, to {_name(goal)}."
            return _block("recursive-delete", text, _MOVE)
        case Pushes():
            return _pushes(effect, surroundings)
        case ChangesRepository(what, loses_work):
            lost = ", which may lose work" if loses_work else ""
            return _review("repository", f"It changes the repository: {what}{lost}.")
        case Signals(what, harmless):
            if harmless:
                return _review("signal", f"`{what}` looks at processes.")
            return _block("signal", f"`{what}` sends a signal to end a process or the machine.", _STOP)
        case Connects():
            return _connects(effect)
        case Escalates(by):
            return _review("privilege", f"{by} changes privilege, or enters another machine or container.")
        case Persists(what):
            return _review("persistence", f"It leaves something that acts later: {what}.")
        case Executes(what, _, _, danger):
            named = f"; it looks dangerous: {', '.join(danger)}" if danger else ""
            return _review("code", f"{what}{named}.")
        case Unrecognised(why):
            return _review("unrecognised", f"{why[:1].upper()}{why[1:]}.")
        case _:
            assert_never(effect)


def refused(why: str) -> Reason:
    """The reason for a line that the grammar does not vouch for."""
    return Reason(
        "review.not-understood", Verdict.REVIEWED, f"{why[:1].upper()}{why[1:]}.", "Write it as plain commands."
    )


def doubtful(why: str) -> Reason:
    """The reason for a part that is more than certain words."""
    if why.startswith("it is not understood"):
        return refused(why)
    return Reason("review.expansion", Verdict.REVIEWED, f"{why[:1].upper()}{why[1:]}.", _REVIEW)


def not_listed(name: str) -> Reason:
    """The reason for a program that does nothing worth naming, and is not known to be harmless either."""
    return Reason("review.not-listed", Verdict.REVIEWED, f"Nothing allows {name or 'this'} without review.", _REVIEW)


def other_shell(shell: str) -> Reason:
    """The reason for a line in a language that is not bash."""
    return Reason("review.shell", Verdict.REVIEWED, f"The line is for {shell}, which is not read with certainty.", "")


def uncertain(argument: Argument) -> Reason:
    """The reason for a word that cannot be known, given to a program that is harmless by itself."""
    shown = (
        argument.raw if isinstance(argument, Unknown) else f"{argument.text}…" if isinstance(argument, Prefix) else ""
    )
    return Reason(
        "review.uncertain", Verdict.REVIEWED, f"A word cannot be known before it runs: {shown}.", "Write the value out."
    )


def too_big(*, mentions: bool) -> Reason:
    """The reason for a line too big or too deep to be followed; blocked if it names a program that may be blocked."""
    text = "The line is too long or too deep to be understood"
    if mentions:
        return Reason(
            "block.too-complex", Verdict.BLOCKED, f"{text}, and it names a program that may be refused.", "Split it."
        )
    return Reason("review.not-understood", Verdict.REVIEWED, f"{text}.", "Split it.")


def is_public(target: Target) -> bool:
    """Tells whether a file outside the worktree holds nothing of a person's and may be read."""
    return target.place == "null" or (
        target.path is not None and any(paths.contains(folder, target.path) for folder in _PUBLIC)
    )


def reads(target: Target, *, content: bool = True) -> Reason | None:
    """Says what is to be said about reading a file; None within the worktree and in public places.

    A file that is named like a secret is for a person to show, wherever it lies; `content` is false for a mere listing.
    """
    match target.place:
        case "worktree" | "scratch" | "git" if content and secrets.is_secret(target):
            return _review("secret", f"It reads {_name(target)}, which by its name may hold secrets.")
        case "worktree" | "root" | "scratch" | "null":
            return None
        case "git":
            if target.path is not None and target.path.rpartition("/")[2] in (
                "config",
                "config.worktree",
                "credentials",
            ):
                return _review("outside", f"It reads {_name(target)}, which may hold credentials.")
            return None
        case "outside" if is_public(target):
            return None
        case "outside":
            return _review("outside", f"It reads {_name(target)}, outside the worktree.")
        case "device":
            return _review("outside", f"It reads the device {_name(target)}.")
        case "unknown":
            return _review("unknown-path", f"What it reads cannot be known: {target.shown}.")
        case _:
            assert_never(target.place)


def _writes(target: Target) -> Reason | None:
    if target.path == _TRIGGER:
        return _block("signal", f"Writing to {target.path} ends the machine or its processes.", _STOP)
    match target.place:
        case "device":
            return _block(
                "device", f"It writes to the device {_name(target)}, which deletes what is on it.", _DELETE_INSIDE
            )
        case "null":
            return None
        case "outside":
            return _review("write-outside", f"It writes {_name(target)}, outside the worktree.")
        case "unknown":
            return _review("unknown-path", f"What it writes cannot be known: {target.shown}.")
        case "git":
            return _review("repository", f"It writes the repository's own file {_name(target)}.")
        case "worktree" | "root" | "scratch":
            return _review("write", f"It writes {_name(target)}.")
        case _:
            assert_never(target.place)


def _deletes(target: Target, *, recursive: bool) -> Reason:
    named = _name(target)
    match target.place:
        case "root" if recursive or not target.under:
            return _block("recursive-delete", f"It would delete the worktree itself ({named}).", _DELETE_INSIDE)
        case "git" if recursive or _is_whole_repository(target):
            return _block("recursive-delete", f"It would delete the repository ({named}).", _DELETE_INSIDE)
        case "outside" if recursive:
            return _block("recursive-delete", f"It would delete {named}, outside the worktree.", _DELETE_INSIDE)
        case "device":
            return _block("device", f"It would delete what is on {named}.", _DELETE_INSIDE)
        case "outside":
            return _review("delete-outside", f"It deletes {named}, outside the worktree.")
        case "unknown":
            return _uncertain("unknown-delete", f"What it deletes cannot be known: {target.shown}.", _DELETE_INSIDE)
        case "worktree" | "scratch" | "null" | "root" | "git":
            return _review("delete", f"It deletes {named}.")
        case _:
            assert_never(target.place)


def _is_whole_repository(target: Target) -> bool:
    """Tells whether it is `.git` itself, or all that is in it; one stale lock in it may be deleted."""
    return target.under or target.path is None or paths.is_git_folder(target.path.rpartition("/")[2])


def _pushes(effect: Pushes, surroundings: Surroundings) -> Reason:
    branches, spelling = effect.branches, effect.spelling
    if branches is None:
        kind = "overwrites" if effect.overwrites else "changes"
        text = f"`{spelling}` pushes over the network; which branches it {kind} cannot be known."
        return _uncertain("unknown-push", text, _PUSH)
    hit = [branch for branch in branches if branch in surroundings.protected]
    if effect.overwrites and hit:
        text = f"`{spelling}` would force or delete the protected branch {', '.join(hit)}."
        return _block("force-push", text, _PUSH)
    how = "overwriting" if effect.overwrites else "to"
    where = effect.remote or "a remote"
    return _review("push", f"It pushes {how} {', '.join(branches) or 'nothing'} at {where}, over the network.")


def _connects(effect: Connects) -> Reason:
    if effect.loopback:
        return _review("loopback", f"{effect.by} connects to {effect.host}, this machine.")
    if not effect.direct:
        return _review("network", f"{effect.by} reaches the network.")
    if effect.host is None:
        return _uncertain("unknown-host", f"The network host that {effect.by} connects to cannot be known.", _NETWORK)
    return _block("network", f"{effect.by} would connect to {effect.host} over the network.", _NETWORK)


def _block(rule: str, text: str, instead: str) -> Reason:
    return Reason(f"block.{rule}", Verdict.BLOCKED, text, instead)


def _uncertain(rule: str, text: str, instead: str) -> Reason:
    return Reason(f"review.{rule}", Verdict.REVIEWED, text, instead)


def _review(rule: str, text: str) -> Reason:
    return Reason(f"review.{rule}", Verdict.REVIEWED, text, _REVIEW)


def _name(target: Target) -> str:
    """A path as it was written, with where it leads if that differs."""
    if target.path is None or target.path == target.shown:
        return target.shown
    below = "what is below " if target.under else ""
    return f"{target.shown} ({below}{target.path})"
