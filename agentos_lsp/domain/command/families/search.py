"""Programs that look for files and for text in them.

Source: the manual pages of GNU grep 3, ripgrep 14, the_silver_searcher 2, fd 10, GNU findutils 4.9 and BSD find.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentos_lsp.domain.command import options
from agentos_lsp.domain.command.effects import Deletes, Reads, ReadsOnly, Unrecognised
from agentos_lsp.domain.command.families import rows
from agentos_lsp.domain.command.invocation import Glob, Known, Prefix, Target, Unknown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agentos_lsp.domain.command.effects import Effect
    from agentos_lsp.domain.command.invocation import Argument, Invocation

_GREP = """
 -# -E,--extended-regexp -F,--fixed-strings -G,--basic-regexp -P,--perl-regexp -e,--regexp= -f,--file=r
 -i,-y,--ignore-case
 --no-ignore-case -v,--invert-match -w,--word-regexp -x,--line-regexp -c,--count --color? --colour?
 -L,--files-without-match
 -l,--files-with-matches -m,--max-count= -o,--only-matching -q,--quiet,--silent -s,--no-messages -b,--byte-offset
 -H,--with-filename
 -h,--no-filename --label= -n,--line-number -T,--initial-tab -Z,--null -A,--after-context= -B,--before-context=
 -C,--context=
 -a,--text --binary-files= -D,--devices= -d,--directories= --exclude= --exclude-from=r --exclude-dir= -I --include=
 -r,--recursive
 -R,--dereference-recursive --line-buffered -U,--binary -z,--null-data -u,--unix-byte-offsets --group-separator=
 --no-group-separator
"""
_RG = """
 -# -e,--regexp= -f,--file=r --pre=x --pre-glob= -z,--search-zip!x --hostname-bin=x -s,--case-sensitive --crlf
 -E,--encoding=
 --engine= -F,--fixed-strings -i,--ignore-case -v,--invert-match -x,--line-regexp -m,--max-count= --mmap
 -U,--multiline
 --multiline-dotall --no-unicode --null-data -P,--pcre2 -S,--smart-case --stop-on-nonmatch -a,--text -j,--threads=
 -w,--word-regexp --binary -L,--follow -g,--glob= --iglob= --glob-case-insensitive -.,--hidden --ignore-file=r
 -d,--max-depth=
 --maxdepth= --max-filesize= --no-ignore --no-ignore-dot --no-ignore-exclude --no-ignore-files --no-ignore-global
 --no-ignore-parent
 --no-ignore-vcs --no-require-git --one-file-system -t,--type= -T,--type-not= --type-add= --type-clear=
 -u,--unrestricted
 -A,--after-context= -B,--before-context= -b,--byte-offset --color= --colors= --column -C,--context=
 --context-separator=
 --field-context-separator= --field-match-separator= --heading --no-heading -h,--help --hyperlink-format=
 --include-zero
 -n,--line-number -N,--no-line-number -M,--max-columns= --max-columns-preview -0,--null -o,--only-matching
 --path-separator=
 --passthru --passthrough -p,--pretty -q,--quiet -r,--replace= --sort= --sortr= --trim --vimgrep -H,--with-filename
 -I,--no-filename -c,--count --count-matches -l,--files-with-matches --files-without-match --json --debug --files
 --no-ignore-messages --no-messages --stats --trace --no-config --pcre2-version --type-list -V,--version --no-mmap
 --no-hidden
 --ignore-case --no-follow --no-pre --auto-hybrid-regex --dfa-size-limit= --regex-size-limit= --line-buffered
 --block-buffered
"""
_AG = """
 -# --ackmate -A,--after? -B,--before? --break --nobreak -c,--count --color --nocolor --column --filename
 --nofilename -H,--heading
 --noheading -C,--context? --group --nogroup -g,--filename-pattern= -l,--files-with-matches
 -L,--files-without-matches --numbers
 --nonumbers -o,--only-matching --passthrough --silent --stats --stats-only --vimgrep -0,--null -a,--all-types
 -D,--debug --depth= -f,--follow
 -F,--fixed-strings -G,--file-search-regex= --hidden -i,--ignore-case --ignore= --ignore-dir= -m,--max-count=
 --one-device
 -p,--path-to-ignore=r -Q,--literal -s,--case-sensitive -S,--smart-case --search-binary -t,--all-text
 -u,--unrestricted
 -U,--skip-vcs-ignores -v,--invert-match -w,--word-regexp -W,--width= -z,--search-zip --pager=x --python --js --html
 --cpp --cc
"""
_FD = """
 -# -H,--hidden -I,--no-ignore -u,--unrestricted --no-ignore-vcs --no-ignore-parent -s,--case-sensitive
 -i,--ignore-case
 -g,--glob --regex -F,--fixed-strings --and= -a,--absolute-path -l,--list-details -L,--follow -p,--full-path
 -d,--max-depth=
 --maxdepth= --min-depth= --exact-depth= -E,--exclude= --prune -t,--type= -e,--extension= -S,--size= --changed-within=
 --changed-before= -o,--owner= --format= -x,--exec!x -X,--exec-batch!x --batch-size= --ignore-file=r -c,--color=
 -j,--threads= -0,--print0
 --max-results= -1 -q,--quiet --show-errors --base-directory=r --path-separator= --search-path=r --strip-cwd-prefix?
 --one-file-system --xdev --no-require-git --gen-completions?
"""

# Primaries of find(1) by the number of values they take.
_FIND_FLAGS_TEXT = """
    -daystart -depth -d -follow -ignore_readdir_race -noignore_readdir_race -mount -noleaf -xdev -x -empty
    -executable -nogroup -nouser -readable -writable -true -false -print -print0 -prune -quit -ls -not -and
    -or -a -o ! ( ) , -help -version -nowarn -warn -H -L -P -E -X -s
"""
_FIND_FLAGS = frozenset(_FIND_FLAGS_TEXT.split())
_FIND_VALUES_TEXT = """
    -maxdepth -mindepth -amin -anewer -atime -cmin -cnewer -context -ctime -fstype -gid -group -ilname -iname
    -inum -ipath -iregex -iwholename -links -lname -mmin -mtime -name -newer -path -perm -regex -regextype
    -samefile -size -type -uid -used -user -wholename -xtype -printf -D -flags -depth -Bmin -Btime -since
"""
_FIND_VALUES = frozenset(_FIND_VALUES_TEXT.split())
_NAMING = frozenset(("-name", "-iname", "-path", "-ipath", "-wholename", "-regex", "-iregex"))
_FIND_RUNS = frozenset(("-exec", "-execdir", "-ok", "-okdir"))
_FIND_WRITES = {"-fprint": 1, "-fprint0": 1, "-fls": 1, "-fprintf": 2}


def _grep(invocation: Invocation) -> Iterator[Effect]:
    """The first operand is a pattern, unless one came with `-e` or `-f` (or, for rg, `--files`)."""
    spec = {"rg": _RG, "ag": _AG, "ack": _AG}.get(invocation.name, _GREP)
    parsed = options.parse(options.grammar(spec), invocation.arguments)
    bare = parsed.has("--regexp", "--file", "--files", "--type-list")
    searched = parsed.operands if bare else parsed.operands[1:]
    recursive = spec is not _GREP or parsed.has("--recursive", "--dereference-recursive") or invocation.name == "rgrep"
    if not searched and recursive and not invocation.reads_pipe:
        searched = (Known("."),)
    yield ReadsOnly()
    yield from rows.reads(invocation, searched)
    yield from rows.of_options(parsed, invocation, invocation.name)
    yield from rows.doubts(parsed, invocation.name, careful=rows.has_dangers(spec))
    if spec is _GREP and parsed.unsure:
        yield Unrecognised(f"an argument of {invocation.name} cannot be known and may be an option")


def _fd(invocation: Invocation) -> Iterator[Effect]:
    """What follows `-x` is an invocation of its own, which the wrappers see through."""
    runs = (Known("-x"), Known("-X"), Known("--exec"), Known("--exec-batch"))
    own = next((i for i, word in enumerate(invocation.arguments) if word in runs), len(invocation.arguments))
    parsed = options.parse(options.grammar(_FD), invocation.arguments[:own])
    yield from rows.of_parsed(rows.Row(invocation.name, "safe", "inert", _FD), parsed, invocation)
    yield from rows.looks(invocation, parsed.operands[1:] or (Known("."),))


def _find(invocation: Invocation) -> Iterator[Effect]:
    """Reads find's expression word by word; what `-exec` runs is looked at by whoever unwraps it."""
    arguments = list(invocation.arguments)
    places, consumed = _starting_points(arguments)
    starts = places or [Known(".")]
    yield ReadsOnly()
    yield from rows.looks(invocation, tuple(starts))
    if any(options.may_be_option(start) for start in places):
        yield Unrecognised("a starting point of find cannot be known and may be an expression")
    expression = arguments[consumed:]
    at = 0
    while at < len(expression):
        word = expression[at]
        at += 1
        match word:
            case Known("-delete"):
                yield from _deletions(invocation, starts, expression[: at - 1])
            case Known(text) if text in _FIND_RUNS:
                # What it runs is an invocation of its own, which the wrappers see through.
                at = _end_of_command(expression, at)
            case Known(text) if text in _FIND_WRITES:
                yield from rows.write(invocation, expression[at] if at < len(expression) else Unknown("", quoted=True))
                at += _FIND_WRITES[text]
            case Known("-files0-from"):
                yield Reads(rows.target(invocation, Unknown("-files0-from", quoted=True)))
                at += 1
            case Known(text) if text in _FIND_VALUES or text.startswith("-newer"):
                value = expression[at] if at < len(expression) else None
                if isinstance(value, Glob) or (isinstance(value, (Unknown, Prefix)) and not value.quoted):
                    yield Unrecognised("a value of find's expression is not certain")
                at += 1
            case Known(text) if text in _FIND_FLAGS or (text.startswith("-O") and text[2:].isdecimal()):
                pass
            case _:
                yield Unrecognised(f"{rows.text_of(word)} of find is not known")


def _starting_points(arguments: list[Argument]) -> tuple[list[Argument], int]:
    """The words before the expression, after options such as `-L`; and how many words that are."""
    points: list[Argument] = []
    for i, argument in enumerate(arguments):
        text = argument.text if isinstance(argument, Known) else None
        if text in ("-H", "-L", "-P", "-E", "-X", "-s", "--") and not points:
            continue
        if text is not None and (text.startswith("-") or text in ("", "(", "!")):
            return points, i
        points.append(argument)
    return points, len(arguments)


def _deletions(invocation: Invocation, starts: list[Argument], before: list[Argument]) -> Iterator[Effect]:
    """`-delete` deletes below the starting points, and these too, unless a test before it spares them.

    What is below the worktree's root holds its `.git`, so the root counts as spared only where a name is asked for.
    """
    narrowed = _narrows(before)
    for start in starts:
        where = rows.target(invocation, start)
        if narrowed and where.place == "root":
            where = Target(where.path, "worktree", under=True, shown=where.shown)
        yield Deletes(where, recursive=True)


def _narrows(before: list[Argument]) -> bool:
    """Tells whether a test by name, or for emptiness, holds for all that reaches the end of an expression."""
    words = [rows.text_of(word) for word in before]
    depth = 0
    found = False
    for i, word in enumerate(words):
        depth += (word == "(") - (word == ")")
        if word in ("!", "-not", ",") or (word in ("-o", "-or") and depth == 0):
            return False
        value = words[i + 1] if i + 1 < len(words) else ""
        if word == "-empty" or (word in _NAMING and value.strip("*./") and ".git" not in value.split("/")):
            found = True
    return found


def _end_of_command(expression: list[Argument], at: int) -> int:
    """The position after the `;` or `+` that ends what `-exec` runs."""
    for i in range(at, len(expression)):
        word = expression[i]
        if isinstance(word, Known) and (word.text == ";" or (word.text == "+" and expression[i - 1] == Known("{}"))):
            return i + 1
    return len(expression)


ROWS = {
    **rows.special("grep egrep fgrep rgrep rg ag ack ugrep", _grep),
    **rows.special("fd fdfind", _fd),
    **rows.special("find gfind bfs", _find),
    **rows.table(
        "locate mlocate plocate | safe | inert | -bceilLnpqrSsw -n,--limit= -i,--ignore-case --regex -c,--count"
    ),
}
