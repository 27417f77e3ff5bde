"""git's commands that change something: the index, refs, files, configuration, another repository.

Source: the manual page of each subcommand, git 2.51.
"""

from __future__ import annotations

import itertools
import re
import shlex
from typing import TYPE_CHECKING

from agentos_lsp.domain.command import options, secrets
from agentos_lsp.domain.command.effects import (
    Adds,
    ChangesRepository,
    Deletes,
    Executes,
    Persists,
    ReadsOnly,
    Unrecognised,
    Writes,
)
from agentos_lsp.domain.command.families import git_push, git_reading, rows
from agentos_lsp.domain.command.invocation import Known, Target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from agentos_lsp.domain.command.effects import Effect
    from agentos_lsp.domain.command.invocation import Argument, Invocation

# verbs | what else they do: `connects`, `runs`, `persists` | options that lose work, `always` or `never` | options that
# matter, with their codes. Options that are not listed only steer the change, and do not hide one that is.
_TABLE = """
update-index read-tree write-tree commit-tree mktree mktag hash-object pack-refs pack-objects index-pack |
  | never | --pathspec-from-file=r
commit | | never | -m,--message= -F,--file=r -t,--template=r --pathspec-from-file=r --amend -a -C= -c=
merge revert cherry-pick | | never | -m= -F,--file=r -s,--strategy= -X= -S?
rebase | | never | -x,--exec=s --onto= -s= -X=
am apply | | never | --directory= --exclude= --include= --build-fake-ancestor=w -p= -C=
switch | | --discard-changes --force | -f,--force --discard-changes -c= -C= -b= -B=
reset | | --hard --merge --keep | --hard --merge --keep --soft --mixed -q --pathspec-from-file=r -N -p
stash | | never |
tag | | --delete --force | -d,--delete -f,--force -m= -F,--file=r -a -s -u= -n?
branch | | --delete --force -D -M -C | -d,--delete -f,--force -D -M -C -m -c -u=
notes replace rerere sparse-checkout multi-pack-index commit-graph merge-file merge-index merge-tree checkout-index |
  | never |
merge-one-file unpack-file unpack-objects fast-import fast-export mailinfo mailsplit interpret-trailers
  update-server-info | | never |
request-pull replay refs subtree absorb flow | | never | --output=w
gc prune prune-packed repack reflog update-ref symbolic-ref filter-repo | | always |
fetch | connects | --force --prune | -f,--force -p,--prune --upload-pack=x --depth= -j= -o= --refmap= --filter=
pull | connects | --force | -f,--force --upload-pack=x -s= -X= --depth= -j= -o=
fetch-pack clone-pack remote-http remote-https remote-ftp remote-ftps ls-remote | connects-only | never |
  --upload-pack=x --exec=x -o= --sort=
upload-pack receive-pack upload-archive shell http-backend http-fetch daemon remote-ext remote-fd | runs | never |
difftool mergetool | runs | never | -x,--extcmd=x -t,--tool=x
gui citool instaweb web--browse help hook for-each-repo bugreport diagnose | runs | never | -b=x --browser=x -d=x
  --httpd=x
svn p4 cvsimport cvsserver cvsexportcommit archimport quiltimport | connects | never |
send-email imap-send | connects | never | --smtp-server=x --sendmail-cmd=x --to-cmd=x --cc-cmd=x
lfs annex | connects | never |
maintenance | persists | never |
credential credential-cache credential-store credential-manager | runs | never |
"""
_ADD = """
 -n,--dry-run -v,--verbose -i,--interactive -p,--patch -e,--edit -f,--force -u,--update --renormalize -N,--intent-to-add
 -A,--all --no-all --ignore-removal --no-ignore-removal --refresh --ignore-errors --ignore-missing --chmod= --sparse
 --pathspec-from-file=r --pathspec-file-nul
"""
_CLONE = """
 -l,--local --no-hardlinks -s,--shared --reference=r --reference-if-able=r --dissociate -q,--quiet -v,--verbose
 --progress --no-progress
 --server-option= -n,--no-checkout --reject-shallow --bare --sparse --filter= --mirror -o,--origin= -b,--branch=
 --revision=
 -u,--upload-pack=x --template=x -c,--config=x --depth= --shallow-since= --shallow-exclude= --single-branch
 --no-single-branch --tags
 --no-tags --recurse-submodules? --recursive --shallow-submodules --remote-submodules --separate-git-dir=w
 --ref-format= -j,--jobs= -4 -6
 --also-filter-submodules --bundle-uri=x
"""
_CHECKOUT = """
 -q,--quiet --progress --no-progress -f,--force --ours --theirs -b= -B= -t,--track? --no-track --guess --no-guess -l
 -d,--detach
 --orphan= --ignore-skip-worktree-bits -m,--merge --conflict= -p,--patch --ignore-other-worktrees --overwrite-ignore
 --recurse-submodules? --overlay --no-overlay --pathspec-from-file=r --pathspec-file-nul
"""
_RESTORE = (
    "-s,--source= -p,--patch -W,--worktree -S,--staged -q --ours --theirs -m,--merge --conflict= --overlay --no-overlay"
)
_CLEAN = "-d -f,--force -i,--interactive -n,--dry-run -q,--quiet -e,--exclude= -x -X"
_RM = "-f,--force -n,--dry-run -r --cached --ignore-unmatch --sparse -q,--quiet --pathspec-from-file=r"
_FILE_LIKE = re.compile(r".*(?:\.[A-Za-z]\w{0,5}|[*?\[]|/)|\.|:/.*", re.DOTALL)


def effects(verb: str, arguments: tuple[Argument, ...], invocation: Invocation, _call: object) -> Iterator[Effect]:
    """Says what a changing command would do; forms of it that only list are told from the others first."""
    sub = arguments[0].text if arguments and isinstance(arguments[0], Known) else ""
    forms = ((f"{verb}/{sub}", arguments[1:]), (verb, arguments))
    for form, rest in forms if arguments else ((f"{verb}/", arguments), (verb, arguments)):
        listed = git_reading.listing(form, rest, invocation)
        if listed is not None:
            yield from listed
            return
    if sub.startswith("-"):
        listed = git_reading.listing(f"{verb}/", arguments, invocation)
        if listed is not None:
            yield from listed
            return
    special = _SPECIAL.get(verb)
    if special is not None:
        yield from special(verb, arguments, invocation)
        return
    yield from _plain(verb, arguments, invocation)


def _plain(verb: str, arguments: tuple[Argument, ...], invocation: Invocation) -> Iterator[Effect]:
    row = _ROWS[verb]
    _, also, lossy, spec = row
    parsed = options.parse(options.grammar(spec), arguments)
    loses = lossy == "always" or (lossy != "never" and parsed.has(*lossy.split()))
    what = f"git {verb}"
    match also:
        case "connects":
            yield from git_push.connections(parsed.operands, what)
            yield ChangesRepository(what, loses)
        case "connects-only":
            yield from git_push.connections(parsed.operands, what)
        case "runs":
            yield Executes(f"{what} starts other programs")
        case "persists":
            yield Persists(what)
        case _:
            yield ChangesRepository(what, loses)
    yield from rows.of_options(parsed, invocation, what)
    if parsed.unsure:
        yield Unrecognised(f"an argument of {what} cannot be known and may be an option")


def _add(_verb: str, arguments: tuple[Argument, ...], invocation: Invocation) -> Iterator[Effect]:
    """Adds to the index, from which a commit is only what the gate lets it be; interactive forms start an editor."""
    parsed = options.parse(options.grammar(_ADD), arguments)
    if parsed.has("--patch", "--interactive", "--edit"):
        yield ChangesRepository("git add", loses_work=False)
    else:
        yield Adds("git add")
    yield from rows.of_options(parsed, invocation, "git add")
    yield from rows.doubts(parsed, "git add", careful=True)


def _clone(_verb: str, arguments: tuple[Argument, ...], invocation: Invocation) -> Iterator[Effect]:
    parsed = options.parse(options.grammar(_CLONE), arguments)
    yield from git_push.connections(parsed.operands, "git clone")
    if parsed.operands:
        name = rows.text_of(parsed.operands[0]).rstrip("/").removesuffix("/.git").removesuffix(".git")
        folder = parsed.operands[1:2] or (Known(re.split(r"[/:]", name)[-1] or "."),)
        yield from rows.writes(invocation, folder)
    yield from rows.of_options(parsed, invocation, "git clone")
    yield from rows.doubts(parsed, "git clone", careful=True)


def _init(_verb: str, arguments: tuple[Argument, ...], invocation: Invocation) -> Iterator[Effect]:
    spec = "-q,--quiet --bare --template=x --separate-git-dir=w --ref-format= -b,--initial-branch= --shared?"
    parsed = options.parse(options.grammar(spec), arguments)
    yield ChangesRepository("git init", loses_work=False)
    yield from rows.writes(invocation, parsed.operands or (Known("."),))
    yield from rows.of_options(parsed, invocation, "git init")


def _checkout(_verb: str, arguments: tuple[Argument, ...], _invocation: Invocation) -> Iterator[Effect]:
    """Restoring files over changed ones loses them; switching branches does not."""
    parsed = options.parse(options.grammar(_CHECKOUT), arguments)
    makes = parsed.has("-b", "-B", "--orphan")
    files = Known("--") in arguments and bool(parsed.operands)
    several = len(parsed.operands) > 1 and not makes
    named = any(_FILE_LIKE.fullmatch(rows.text_of(operand)) for operand in parsed.operands[-1:]) and not makes
    loses = files or several or named or parsed.has("--force", "--ours", "--theirs", "--pathspec-from-file")
    yield ChangesRepository("git checkout", loses)
    yield from rows.doubts(parsed, "git checkout", careful=True)


def _restore(_verb: str, arguments: tuple[Argument, ...], _invocation: Invocation) -> Iterator[Effect]:
    parsed = options.parse(options.grammar(_RESTORE), arguments)
    yield ChangesRepository("git restore", loses_work=not parsed.has("--staged") or parsed.has("--worktree"))


def _clean(_verb: str, arguments: tuple[Argument, ...], invocation: Invocation) -> Iterator[Effect]:
    """Deletes what is not tracked below a folder; the folder itself and its `.git` stay."""
    parsed = options.parse(options.grammar(_CLEAN), arguments)
    if parsed.has("--dry-run") and not parsed.unsure:
        yield ChangesRepository("git clean --dry-run", loses_work=False)
    else:
        for operand in parsed.operands or (Known("."),):
            where = rows.target(invocation, operand)
            inside = "worktree" if where.place in ("root", "git") else where.place
            yield Deletes(Target(where.path, inside, under=True, shown=where.shown), recursive=True)
        yield ChangesRepository("git clean", loses_work=True)
    yield from rows.doubts(parsed, "git clean", careful=True)


def _rm(_verb: str, arguments: tuple[Argument, ...], invocation: Invocation) -> Iterator[Effect]:
    """Deletes only what git tracks, so the root and its `.git` survive `git rm -r .`."""
    parsed = options.parse(options.grammar(_RM), arguments)
    yield ChangesRepository("git rm", loses_work=parsed.has("--force"))
    if not parsed.has("--cached", "--dry-run"):
        for operand in parsed.operands:
            where = rows.target(invocation, operand)
            kept = Target(where.path, "worktree", under=True, shown=where.shown) if where.place == "root" else where
            yield Deletes(kept, recursive=parsed.has("-r"))
    yield from rows.doubts(parsed, "git rm", careful=True)


def _mv(_verb: str, arguments: tuple[Argument, ...], invocation: Invocation) -> Iterator[Effect]:
    parsed = options.parse(options.grammar("-f,--force -k -n,--dry-run -v,--verbose --sparse"), arguments)
    yield ChangesRepository("git mv", loses_work=parsed.has("--force"))
    yield from rows.writes(invocation, parsed.operands)


def _stash(_verb: str, arguments: tuple[Argument, ...], _invocation: Invocation) -> Iterator[Effect]:
    sub = rows.text_of(arguments[0]) if arguments else "push"
    yield ChangesRepository(f"git stash {sub}", loses_work=sub in ("drop", "clear"))


def _config(_verb: str, arguments: tuple[Argument, ...], invocation: Invocation) -> Iterator[Effect]:
    """Configuration is shared by every worktree of a repository and may name programs."""
    words = [rows.text_of(argument) for argument in arguments]
    dangers = tuple(
        word
        for word in words
        if re.match(r"(?:alias|core\.|filter|diff\..*(?:command|textconv)|include|credential|url)", word, re.IGNORECASE)
    )
    yield Persists(shlex.join(["git", "config", *words]))
    for i, word in enumerate(words):
        if word in ("-f", "--file") and i + 1 < len(arguments):
            yield from rows.write(invocation, arguments[i + 1])
        elif word.startswith("--file="):
            yield from rows.write(invocation, Known(word[7:]))
    if dangers:
        yield Executes(f"git config {dangers[0]} may make git run a program", danger=dangers)


def _remote(_verb: str, arguments: tuple[Argument, ...], _invocation: Invocation) -> Iterator[Effect]:
    sub = rows.text_of(arguments[0]) if arguments else ""
    if sub in ("show", "update", "prune") or any(rows.text_of(word) in ("-f", "--fetch") for word in arguments):
        yield rows.tool(f"git remote {sub}")
    yield ChangesRepository(f"git remote {sub}", loses_work=False)
    if sub in ("add", "set-url"):
        yield Persists(f"git remote {sub} changes where git connects to")


def _submodule(_verb: str, arguments: tuple[Argument, ...], _invocation: Invocation) -> Iterator[Effect]:
    words = [rows.text_of(argument) for argument in arguments]
    sub = next((word for word in words if not word.startswith("-")), "")
    if sub == "foreach":
        code = " ".join(word for word in words[words.index(sub) + 1 :] if word not in ("--recursive", "-q", "--quiet"))
        yield Executes("git submodule foreach runs a shell line", "sh", code, ("runs a shell line in each submodule",))
        return
    if sub in ("add", "update", "sync", "init"):
        yield rows.tool(f"git submodule {sub}")
    yield ChangesRepository(f"git submodule {sub}", loses_work=sub == "deinit")


def _worktree(_verb: str, arguments: tuple[Argument, ...], invocation: Invocation) -> Iterator[Effect]:
    sub = rows.text_of(arguments[0]) if arguments else ""
    spec = "-f,--force -b= -B= -d,--detach --checkout --no-checkout --lock --reason= --orphan --track -q,--quiet -v -n"
    parsed = options.parse(options.grammar(spec), arguments[1:])
    yield ChangesRepository(f"git worktree {sub}", loses_work=sub in ("remove", "prune"))
    if sub == "remove":
        for operand in parsed.operands:
            yield from rows.delete(invocation, operand, recursive=True)
    elif sub == "add":
        yield from rows.writes(invocation, parsed.operands[:1])
    elif sub == "move":
        for operand in parsed.operands[:1]:
            yield from rows.delete(invocation, operand, recursive=True)
        yield from rows.writes(invocation, parsed.operands[1:])


def _bisect(_verb: str, arguments: tuple[Argument, ...], _invocation: Invocation) -> Iterator[Effect]:
    words = [rows.text_of(argument) for argument in arguments]
    if words[:1] == ["run"]:
        yield Executes("git bisect run starts a program", "sh", shlex.join(words[1:]), ("runs a command",))
    yield ChangesRepository(f"git bisect {' '.join(words[:1])}".rstrip(), loses_work=False)


def _filter_branch(_verb: str, arguments: tuple[Argument, ...], _invocation: Invocation) -> Iterator[Effect]:
    words = [rows.text_of(argument) for argument in arguments]
    yield ChangesRepository("git filter-branch", loses_work=True)
    for option, code in itertools.pairwise(words):
        if option.endswith("-filter") or option == "--setup":
            yield Executes(f"git filter-branch {option}", "sh", code, ("runs a shell line for each commit",))


def _bundle(verb: str, arguments: tuple[Argument, ...], invocation: Invocation) -> Iterator[Effect]:
    if verb == "bundle" and arguments[:1] == (Known("create"),):
        files = [argument for argument in arguments[1:] if not rows.text_of(argument).startswith("-")]
        yield from rows.writes(invocation, tuple(files[:1]))
    yield ChangesRepository(f"git {verb}", loses_work=False)


def _format_patch(_verb: str, arguments: tuple[Argument, ...], invocation: Invocation) -> Iterator[Effect]:
    spec = "-o,--output-directory=w --output=w --stdout -n -N -k -s --base= -v= --cover-letter -M -#"
    parsed = options.parse(options.grammar(spec), arguments)
    yield from rows.of_options(parsed, invocation, "git format-patch")
    yield from rows.reads(invocation, tuple(one for one in parsed.operands if secrets.is_named(rows.text_of(one))))
    if parsed.has("--stdout") and not parsed.strange:
        yield ReadsOnly()
    elif not parsed.has("--output-directory", "--output"):
        yield Writes(rows.target(invocation, Known(".")))


def _compile() -> dict[str, tuple[str, ...]]:
    lines = [[cell.strip() for cell in line.split("|", 3)] for line in _TABLE.strip().replace("\n  ", " ").splitlines()]
    return {verb: (verb, *cells[1:]) for cells in lines for verb in cells[0].split()}


_ROWS = _compile()
_SPECIAL: dict[str, Callable[[str, tuple[Argument, ...], Invocation], Iterator[Effect]]] = {
    "add": _add,
    "stage": _add,
    "clone": _clone,
    "init": _init,
    "checkout": _checkout,
    "restore": _restore,
    "clean": _clean,
    "rm": _rm,
    "mv": _mv,
    "stash": _stash,
    "config": _config,
    "remote": _remote,
    "submodule": _submodule,
    "worktree": _worktree,
    "bisect": _bisect,
    "filter-branch": _filter_branch,
    "bundle": _bundle,
    "format-patch": _format_patch,
}
VERBS = frozenset((*_ROWS, *_SPECIAL))
