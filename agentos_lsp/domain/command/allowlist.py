"""The session allowlist: exact lines and token prefixes that a person has let through, and the built-in set.

The only place that decides whether something that is not blocked needs no review. It never sees a blocked part.
"""

# ruff: noqa: E501 - one row of a table per line

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from agentos_lsp.domain.command import paths, rules, wrapper_table
from agentos_lsp.domain.command.effects import (
    Adds,
    ChangesRepository,
    Connects,
    Deletes,
    Executes,
    Pushes,
    Reads,
    ReadsOnly,
    Signals,
    Unrecognised,
    Writes,
)
from agentos_lsp.domain.command.families import environment, table
from agentos_lsp.domain.command.invocation import Glob, Invocation, Known
from agentos_lsp.domain.command.surroundings import Surroundings
from agentos_lsp.domain.command.syntax import Span
from agentos_lsp.domain.errors import UserError

if TYPE_CHECKING:
    from agentos_lsp.domain.command.effects import Effect
    from agentos_lsp.domain.command.invocation import Argument, Target

_INTERPRETERS = frozenset(
    "python python2 python3 pypy pypy3 node nodejs deno bun perl ruby php lua luajit tclsh wish expect awk gawk mawk nawk Rscript R julia ghci"  # noqa: SIM905 - a table reads better
    " scala groovy irb ipython osascript pwsh powershell cmd elixir iex erl clojure bb sbcl guile racket swift jshell ts-node tsx".split(),
)
# Programs of many commands: one word of them is too wide to be offered.
_MANY = frozenset(
    "git npm yarn pnpm bun cargo go pip pip3 uv poetry pdm hatch docker podman kubectl helm gh glab make gmake just task gradle mvn ./gradlew ./mvnw"  # noqa: SIM905 - a table reads better
    " dotnet rails rake bundle mix composer brew apt apt-get dnf yum pacman conda mamba terraform aws gcloud az systemctl tox nox pre-commit npx uvx"
    " pipx pnpx bunx rustup nx turbo bazel docker-compose php artisan ng vercel heroku fly swift stack cabal zig flutter dart".split(),
)
# Those of which a second word is only half of the name of what they do.
_DEEP = frozenset(
    (("npm", "run"), ("yarn", "run"), ("pnpm", "run"), ("bun", "run"), ("uv", "run"), ("poetry", "run"), ("pdm", "run"), ("hatch", "run"),
     ("bundle", "exec"), ("pipenv", "run"), ("docker", "compose"), ("git", "stash"), ("git", "submodule"), ("git", "worktree"), ("git", "remote"),
     ("uv", "pip"), ("npm", "exec"), ("pnpm", "exec"), ("gh", "pr"), ("gh", "issue"), ("gh", "run"), ("pixi", "run"), ("rye", "run"), ("coverage", "run"))
)  # fmt: skip
_RUNNERS = frozenset("npx bunx pnpx uvx pipx".split())  # noqa: SIM905 - a table reads better
_TASKS = frozenset("make gmake just task rake ninja".split())  # noqa: SIM905 - a table reads better
_HARMLESS_TASK_FLAGS = frozenset(
    ("-s", "-k", "-B", "-n", "--silent", "--quiet", "--keep-going", "--dry-run", "--always-make", "-j")
)
# Programs that start others by themselves and may yet be allowed, by a prefix that says what they start.
_WRAPPING = (
    _RUNNERS
    | _TASKS
    | frozenset(
        [
            "npm",
            "yarn",
            "pnpm",
            "bun",
            "uv",
            "poetry",
            "pdm",
            "hatch",
            "pipenv",
            "bundle",
            "pixi",
            "rye",
            "coverage",
            "docker",
            "podman",
            "git",
        ]
    )
)
_INLINE = frozenset(("-c", "-e", "-E", "-p", "-r", "-", "--eval", "--print", "--command", "-x"))
_NEVER_WIDENED = frozenset(
    ("-C", "--git-dir", "--work-tree", "--exec-path", "--config-env", "--prefix", "--cwd", "--directory", "--project")
)


_NOWHERE = Surroundings(cwd="/", worktree="/")
_TAILS: dict[tuple[str, ...], tuple[str, ...]] = {
    ("git", "add"): (" .", " -A", " src/main.py", " -u", " -p src"),
    ("git", "commit"): (" -m 'Fix it'", " -am 'Fix it'", " --allow-empty -m x", " -F message.txt", " --signoff -m x"),
    ("git", "push"): (
        " origin feature",
        " -u origin feature",
        " origin HEAD:feature",
        " -v origin feature",
        " origin a b",
    ),
    ("npm", "test"): ("", " --silent", " -- --watch=false", " -- src/a.test.js", " -w web"),
    ("npm", "run"): ("", " --silent", " -- --fix", " -- src", " -w web"),
    ("pytest",): ("", " -q", " tests/test_main.py", " -k name", " -x --maxfail=3"),
    ("python", "-m"): ("", " -q", " tests", " -v src", " --help"),
    ("cargo", "test"): ("", " --release", " name", " -p crate", " -- --nocapture"),
    ("go", "test"): (" ./...", " -run Name ./...", " -race ./pkg", " -v ./...", " -count=1 ./pkg"),
    ("mkdir",): (" build", " -p src/new", " a b c", " -v out", " -m 700 private"),
    ("touch",): (" a.txt", " src/new.py", " a b", " -c a.txt", " -d yesterday a.txt"),
    ("cp",): (" a.txt b.txt", " -r src copy", " a b folder", " -n a b", " -p a b"),
    ("mv",): (" a.txt b.txt", " src/a.py src/b.py", " a b folder", " -n a b", " -v a b"),
    ("rm",): (" a.txt", " -r build", " -rf dist", " -f a b", " -v out/*.log"),
}


_COMMON_TAILS = (
    "", " --verbose", " src", " --help", " src tests", " -v", " -q", " a b", " --quiet", " src/main", " a.txt", " x",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ExactLine:
    """Lets one line through, character by character, for as long as what it does is certain."""

    line: str


@dataclass(frozen=True, slots=True)
class TokenPrefix:
    """Lets through commands that begin with these words; `folder` is worktree-relative, None for the whole worktree.

    `match` and `not_match` are lines that must and must not be let through; `classify.hold` holds it to them.
    """

    tokens: tuple[str, ...]
    folder: str | None = None
    match: tuple[str, ...] = ()
    not_match: tuple[str, ...] = ()


Entry = ExactLine | TokenPrefix


@dataclass(frozen=True, slots=True)
class Allowlist:
    """What a session lets through besides the built-in set. An entry that must not be stored lets nothing through."""

    entries: tuple[Entry, ...] = ()

    def with_entry(self, entry: Entry) -> Allowlist:
        """Adds an entry.

        Raises:
            UserError: The prefix would let through code that it does not name.
        """
        if isinstance(entry, TokenPrefix):
            check(entry.tokens)
        return replace(self, entries=(*self.entries, entry))

    def names(self, line: str) -> bool:
        """Tells whether this very line was let through."""
        return any(isinstance(entry, ExactLine) and entry.line == line for entry in self.entries)


def check(tokens: tuple[str, ...]) -> None:
    """Holds a prefix to what may be stored.

    Raises:
        UserError: It is empty, or names an interpreter, a wrapper or a package runner without saying what that runs.
    """
    why = _objection(tokens)
    if why:
        shown = " ".join(tokens)
        raise UserError(
            f"`{shown}` cannot be allowed as a prefix: {why}.",
            "Allow the exact line, or a longer prefix that names what runs.",
        )


def examples(tokens: tuple[str, ...]) -> tuple[str, ...]:
    """Lines that begin with a prefix, likely ones first; `classify.let_through` says which it lets through."""
    shown = " ".join(_quoted(token) for token in tokens)
    tails = _TAILS.get(tokens[:2]) or _TAILS.get(tokens[:1]) or ()
    if tokens[0] in _TASKS:
        tails = ("", " -s", " -j4", " -k", " -n")
    return tuple(f"{shown}{tail}" for tail in dict.fromkeys((*tails, *_COMMON_TAILS)))


@functools.lru_cache(maxsize=4096)
def suggest(words: tuple[str | None, ...]) -> tuple[str, ...] | None:
    """Chooses a prefix to offer for a command, neither too wide nor so narrow that it fits one line only.

    Args:
        words: The command's words as far as they are certain, the program first.

    Returns:
        The prefix; None if none would be right.
    """
    if not words or words[0] is None:
        return None
    wanted = 1
    if words[0] in _MANY or words[0] in _INTERPRETERS:
        wanted = 3 if words[:2] in _DEEP or words[1:2] == ("-m",) else 2
    tokens: list[str] = []
    for word in words[:wanted]:
        if word is None:
            return None
        tokens.append(word)
    found = tuple(tokens)
    flagged = len(found) > 1 and found[-1].startswith("-")
    if len(found) < wanted or flagged or _objection(found):
        return None
    return found


def is_built_in(effects: tuple[Effect, ...]) -> bool:
    """Tells whether a program of which no effect needs a word is in the built-in set: it certainly only reads or adds."""
    return any(isinstance(effect, (ReadsOnly, Adds)) for effect in effects)


def lets_through(entry: Entry, invocation: Invocation, effects: tuple[Effect, ...], *, wraps: bool) -> bool:
    """Tells whether an entry lets one command through.

    Args:
        entry: What was allowed.
        invocation: The command; nothing around it is looked at here.
        effects: What it would do.
        wraps: Whether it starts other commands.
    """
    if not isinstance(entry, TokenPrefix) or not _fits(entry.tokens, invocation) or _objection(entry.tokens):
        return False
    if invocation.wrappers or (wraps and entry.tokens[0] not in _WRAPPING) or not _is_at(entry, invocation):
        return False
    if any(
        environment.judge(name) is not None or not isinstance(value, Known) for name, value in invocation.assignments
    ):
        return False
    if not all(_is_certain(argument) for argument in invocation.arguments):
        return False
    rest = tuple(
        argument.text for argument in invocation.arguments[len(entry.tokens) - 1 :] if isinstance(argument, Known)
    )
    if not _may_follow(entry.tokens, rest):
        return False
    return all(
        _is_lifted(effect, entry.tokens, invocation) and _stays(effect, entry.folder, invocation) for effect in effects
    )


def _stays(effect: Effect, folder: str | None, invocation: Invocation) -> bool:
    """Tells whether what an effect changes in the worktree lies in the folder to which a prefix is held."""
    if not folder or not isinstance(effect, (Writes, Deletes, Adds)) or effect.target is None:
        return True
    inside = f"{invocation.surroundings.worktree}/{folder}".rstrip("/")
    path = effect.target.path
    return effect.target.place != "worktree" or (path is not None and paths.contains(inside, path))


def _fits(tokens: tuple[str, ...], invocation: Invocation) -> bool:
    if not tokens or invocation.program != Known(tokens[0]) or len(invocation.arguments) < len(tokens) - 1:
        return False
    return all(argument == Known(token) for token, argument in zip(tokens[1:], invocation.arguments, strict=False))


def _is_at(entry: TokenPrefix, invocation: Invocation) -> bool:
    """Tells whether a command runs in the entry's folder; one in the worktree for which none is given."""
    root = invocation.surroundings.worktree
    folder = f"{root}/{entry.folder}".rstrip("/") if entry.folder else root
    cwd = invocation.cwd
    if cwd is None:
        return False
    real = paths.resolve(cwd, invocation.surroundings)
    if real is None or not paths.contains(folder, real) or paths.place(real, invocation.surroundings) == "git":
        return False
    # A program given by a relative path is another one in another folder.
    relative = "/" in entry.tokens[0] and not entry.tokens[0].startswith("/")
    return real == folder if relative else True


def _is_certain(argument: Argument) -> bool:
    match argument:
        case Known(text):
            return text != paths.FED
        case Glob(pattern, _):
            return pattern[:1] not in "-*?["
        case _:
            return False


def _may_follow(tokens: tuple[str, ...], rest: tuple[str, ...]) -> bool:
    """Tells whether these words may follow a prefix: a task runner takes flags only, so that no other task is added."""
    program = tokens[0]
    if program in _TASKS:
        return all(word in _HARMLESS_TASK_FLAGS or (word[:2] == "-j" and word[2:].isdecimal()) for word in rest)
    if program in _RUNNERS or program in _INTERPRETERS:
        return not (len(tokens) < 3 and rest and rest[0] in _INLINE)
    ends = rest.index("--") if "--" in rest else len(rest)
    return not (program in _MANY and any(word.partition("=")[0] in _NEVER_WIDENED for word in rest[:ends]))


@functools.lru_cache(maxsize=1024)
def _objection(tokens: tuple[str, ...]) -> str:
    """Says why a prefix must not be stored; empty if it may."""
    if not tokens or not all(tokens):
        return "it names nothing"
    program = tokens[0].rpartition("/")[2]
    row, _ = table.find(program)
    names = {program, program.casefold(), row.name if row is not None else program}
    if names & _RUNNERS:
        inner = tokens[2:] if tokens[1:2] == ("run",) else tokens[1:]
        return _of_runner(program, inner)
    if names & _INTERPRETERS:
        sure = (len(tokens) > 2 and tokens[1] == "-m") or (len(tokens) > 1 and not tokens[1].startswith("-"))
        return "" if sure else f"{program} runs any code it is given"
    if names & _TASKS:
        return (
            ""
            if len(tokens) > 1 and not tokens[1].startswith("-") and "=" not in tokens[1]
            else f"{program} runs any task"
        )
    if tokens[:2] in (
        ("docker", "run"),
        ("podman", "run"),
        ("docker", "exec"),
        ("podman", "exec"),
        ("kubectl", "exec"),
    ):
        return "it runs any program in a container"
    if tokens[:2] == ("git", "-c") or (program == "git" and any(token in _NEVER_WIDENED for token in tokens)):
        return "git runs programs that its options name"
    if tokens[:2] in _DEEP or tokens[:2] in (("npm", "x"), ("conda", "run"), ("mise", "exec"), ("npm", "exec")):
        return _of_runner(" ".join(tokens[:2]), tokens[2:]) if tokens[1] in ("run", "exec", "x") else ""
    if names & wrapper_table.NAMES and not names & (_WRAPPING | {"find", "fd", "git"}):
        return f"{program} runs any command it is given"
    if program in ("find", "fd") and any(token.startswith(("-exec", "-ok", "-x", "-X", "--exec")) for token in tokens):
        return f"{program} runs any command it is given"
    return ""


def _of_runner(shown: str, inner: tuple[str, ...]) -> str:
    if not inner or inner[0].startswith("-"):
        return f"{shown} runs any program or script"
    if shown.split(maxsplit=1)[0] in ("npm", "yarn", "pnpm", "bun") and shown.endswith("run"):
        return ""
    return _objection(inner)


def _is_lifted(effect: Effect, tokens: tuple[str, ...], invocation: Invocation) -> bool:
    """Tells whether allowing a prefix covers an effect: one that the prefix has by itself, or one within the worktree."""
    match effect:
        case Reads() | Writes() | Deletes():
            return not _is_unlifted(effect)
        case Adds(_, target):
            return target is None or not _is_unlifted(Writes(target))
        case ReadsOnly() | Unrecognised():
            return True
        case _:
            return _is_own(effect, _effects_of(tokens), invocation)


@functools.lru_cache(maxsize=1024)
def _effects_of(tokens: tuple[str, ...]) -> tuple[Effect, ...]:
    """What the words of a prefix would do by themselves, in a worktree of no consequence."""
    words = tuple(Known(token) for token in tokens)
    name = tokens[0].rpartition("/")[2]
    return table.effects(
        Invocation(
            words[0],
            name,
            words[1:],
            (),
            "/",
            (),
            reads_pipe=False,
            stdin=None,
            span=Span(0, 0),
            text="",
            surroundings=_NOWHERE,
        )
    )


def _is_own(effect: Effect, own: tuple[Effect, ...], invocation: Invocation) -> bool:
    """Tells whether the prefix alone, whose effects are `own`, does the same kind of thing."""
    match effect:
        case Pushes(remote, branches, overwrites):
            protected = invocation.surroundings.protected
            mine = branches is not None and not any(branch in protected for branch in branches)
            # A person who allows `git push` means the repository's remotes, by name.
            mine = mine and not set("/:\\") & set(remote or "")
            return mine and not overwrites and any(isinstance(found, Pushes) for found in own)
        case ChangesRepository(_, loses_work):
            return effect in own or (not loses_work and any(isinstance(found, ChangesRepository) for found in own))
        case Connects(_, loopback, direct):
            return (loopback or not direct) and any(isinstance(found, Connects) for found in own)
        case Signals(_, True):
            return any(isinstance(found, Signals) and found.harmless for found in own)
        case Executes(what, _, _, ()) if " runs " in what:
            # A program that runs the project's code by itself is no wider for naming which.
            kind = what.rpartition(" runs ")[2]
            return any(isinstance(found, Executes) and found.what.rpartition(" runs ")[2] == kind for found in own)
        case _:
            return effect in own


def _is_unlifted(effect: Reads | Writes | Deletes) -> bool:
    """Tells whether an effect on a file is one that no prefix covers."""
    target: Target = effect.target
    if isinstance(effect, Reads):
        return rules.reads(target) is not None
    return target.place not in ("worktree", "scratch", "null")


def _quoted(token: str) -> str:
    plain = (
        token.replace("-", "")
        .replace("_", "")
        .replace(".", "")
        .replace("/", "")
        .replace(":", "")
        .replace("=", "")
        .isalnum()
    )
    return token if plain else "'" + token.replace("'", "'\\''") + "'"
