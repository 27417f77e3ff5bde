"""`git push` and its plumbing, in every spelling: which branches it would change, and whether it may overwrite them.

Source: git-push(1), git-send-pack(1), git-config(1) push.default and remote.<name>.push, of git 2.51.
"""

from __future__ import annotations

import fnmatch
import re
import shlex
from typing import TYPE_CHECKING

from agentos_lsp.domain.command import hosts, options
from agentos_lsp.domain.command.effects import Connects, Executes, Pushes
from agentos_lsp.domain.command.families import rows
from agentos_lsp.domain.command.invocation import Glob, Known, Prefix

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agentos_lsp.domain.command.effects import Effect
    from agentos_lsp.domain.command.invocation import Argument, Invocation

SPEC = """
 -f,--force --no-force --force-with-lease? --no-force-with-lease --force-if-includes --no-force-if-includes
 -d,--delete --mirror
 --prune --all --branches --tags --follow-tags --no-follow-tags -n,--dry-run --porcelain -u,--set-upstream -q,--quiet
 -v,--verbose
 --progress --no-progress --no-verify --verify --thin --no-thin --receive-pack=x --exec=x -o,--push-option= --repo=
 --recurse-submodules? --no-recurse-submodules --signed? --no-signed --atomic --no-atomic -4,--ipv4 -6,--ipv6 --stdin
 --helper-status
"""
_OVERWRITING = ("--force", "--force-with-lease", "--force-if-includes", "--delete", "--mirror", "--prune")
_EVERY = ("--mirror", "--all", "--branches")


def effects(
    invocation: Invocation,
    arguments: tuple[Argument, ...],
    *,
    here: bool,
    settings: tuple[str, ...],
) -> Iterator[Effect]:
    """Says what a push would change: one `Pushes` for each refspec, since each may overwrite or not.

    A branch's name may hold `*`; for such a name, and for every branch at once, the protected branches that it covers
    are named beside it.

    Args:
        invocation: The whole invocation, for its surroundings.
        arguments: What follows `push`.
        here: Whether the push starts in the folder whose branch the surroundings tell.
        settings: What the line itself configures, as `key=value`: a bare push may then go anywhere.
    """
    parsed = options.parse(options.grammar(SPEC), arguments)
    operands = parsed.operands
    repositories = parsed.values("--repo") or operands[:1]
    refspecs = operands[1:]
    remote = repositories[0].text if repositories and isinstance(repositories[0], Known) else None
    spelling = shlex.join(["git", "push", *(rows.text_of(argument) for argument in arguments)])
    forced = parsed.has(*_OVERWRITING)
    yield from connections(repositories, "git push")
    yield from rows.of_options(parsed, invocation, "git push")
    yield from rows.doubts(parsed, "git push", careful=True)
    if parsed.has(*_EVERY):
        yield Pushes(remote, _covered("*", invocation), forced, spelling)
    refspecs = refspecs or _configured(settings)
    words = list(_merged(refspecs))
    for word in words:
        branches, overwrites = _of_refspec(word, invocation, here=here, deleting=parsed.has("--delete"))
        yield Pushes(remote, branches, forced or overwrites, spelling)
    if words or parsed.has(*_EVERY, "--stdin"):
        if parsed.has("--stdin"):
            yield Pushes(remote, None, forced, spelling)
        return
    if _pushes_every(settings):
        yield Pushes(remote, _covered("*", invocation), forced or _mirrors(settings), spelling)
        return
    branch = invocation.surroundings.branch
    protected = invocation.surroundings.protected
    certain = here and branch is not None and remote_is_plain(repositories)
    if parsed.has("--tags") and not certain:
        branches = None
    elif certain and branch is not None and (branch in protected or not settings):
        branches = (branch,)
    else:
        branches = None
    yield Pushes(remote, branches, forced, spelling)


def _configured(settings: tuple[str, ...]) -> tuple[Argument, ...]:
    """The refspecs that `-c remote.<name>.push=` gives to a push without any."""
    pairs = (setting.partition("=") for setting in settings)
    return tuple(Known(value) for key, _, value in pairs if re.fullmatch(r"(?i)remote\..*\.push", key))


def _pushes_every(settings: tuple[str, ...]) -> bool:
    return _mirrors(settings) or any(setting.casefold() == "push.default=matching" for setting in settings)


def _mirrors(settings: tuple[str, ...]) -> bool:
    return any(re.fullmatch(r"(?i)remote\..*\.mirror(?:=(?:true|1|yes|on))?", setting) for setting in settings)


def connections(repositories: tuple[Argument, ...], by: str) -> Iterator[Effect]:
    """The connection to a repository: a remote's name says nothing of its host; `ext::` runs a program."""
    for repository in repositories[:1]:
        text = rows.text_of(repository)
        if "::" in text.partition("/")[0]:
            yield Executes(f"{by} runs a remote helper: {text}", "sh", text.partition("::")[2], ("a remote helper",))
    host = None
    for repository in repositories[:1]:
        text = rows.text_of(repository)
        if isinstance(repository, Known) and hosts.is_remote(text):
            host = hosts.host_of(text)
    yield Connects(host, loopback=host is not None and hosts.is_loopback(host), direct=False, by=by)


def remote_is_plain(repositories: tuple[Argument, ...]) -> bool:
    """Tells whether the remote is none or a certain word, so that no refspec hides in it."""
    return all(isinstance(repository, (Known, Prefix)) for repository in repositories[:1])


def _merged(refspecs: tuple[Argument, ...]) -> Iterator[Argument]:
    """Joins the old form `tag <name>` into one refspec."""
    words = list(refspecs)
    while words:
        word = words.pop(0)
        if word == Known("tag") and words:
            name = words.pop(0)
            yield Known(f"refs/tags/{rows.text_of(name)}") if isinstance(name, Known) else name
            continue
        yield word


def _of_refspec(
    word: Argument,
    invocation: Invocation,
    *,
    here: bool,
    deleting: bool,
) -> tuple[tuple[str, ...] | None, bool]:
    """The destination branches of one refspec, and whether it may overwrite by itself."""
    text = rows.text_of(word)
    plus = text.startswith("+")
    # A pattern that matches no file is passed on as it is, which is what a refspec's wildcard wants.
    if not isinstance(word, (Known, Glob)):
        return None, plus or (isinstance(word, Prefix) and text.startswith(":"))
    text = text.removeprefix("+")
    source, colon, destination = text.partition(":")
    if not colon:
        destination = source
    elif not destination:
        # `:` alone pushes every branch that both sides have; `main:` means the name itself.
        return (_covered("*", invocation), plus) if not source else (_covered(_branch(source), invocation), plus)
    name = _branch(destination)
    if name in ("HEAD", "@") and (not colon or destination == name):
        branch = invocation.surroundings.branch
        return ((branch,) if here and branch is not None else None), plus or deleting
    return _covered(name, invocation), plus or deleting or (bool(colon) and not source)


def _branch(name: str) -> str:
    return name.removeprefix("refs/").removeprefix("heads/") if name.startswith(("refs/heads/", "heads/")) else name


def _covered(name: str, invocation: Invocation) -> tuple[str, ...]:
    """A name, and the protected branches that its wildcard covers."""
    pattern = name if "*" in name else None
    if pattern is None:
        return (name,)
    wide = "*" if pattern.startswith("refs/*") or pattern == "refs*" else pattern
    covered = (branch for branch in invocation.surroundings.protected if fnmatch.fnmatchcase(branch, wide))
    return (*covered, name)
