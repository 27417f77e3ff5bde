"""Programs that make, copy, move and mark files.

Source: the manual pages of GNU coreutils 9 and BSD, attr(1), acl(5), patch(1).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentos_lsp.domain.command import options
from agentos_lsp.domain.command.effects import Adds, Deletes, Reads, ReadsOnly, Writes
from agentos_lsp.domain.command.families import persistence, rows
from agentos_lsp.domain.command.invocation import Known, Target

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agentos_lsp.domain.command.effects import Effect
    from agentos_lsp.domain.command.invocation import Argument, Invocation

_TABLE = """
touch | | write | -a -c,--no-create -d,--date= -f -h,--no-dereference -m -r,--reference=r -t= --time= -A=
mkfifo mknod | | write | -m,--mode= -Z --context?
mktemp | | write | -d,--directory -u,--dry-run -q,--quiet --suffix= -p,--tmpdir?w -t -V
tee | | write | -a,--append -i,--ignore-interrupts -p --output-error?
sponge | | write | -a
truncate | | write | -c,--no-create -o,--io-blocks -r,--reference=r -s,--size=
chmod | | first+write | -R,--recursive -c,--changes -f,--silent,--quiet -v,--verbose --no-preserve-root
  --preserve-root
  --reference=r -h,--no-dereference -H -L -P -rwxXstugoa
chown chgrp | | first+write | -R,--recursive -c,--changes -f,--silent,--quiet -v,--verbose --dereference
  -h,--no-dereference --from=
  --no-preserve-root --preserve-root --reference=r -H -L -P -n -x
chattr setfattr setfacl chflags xattr chcon setcap restorecon | | first+write | -R,--recursive -V -f -v= -p= -m= -x=
  -b -k -d -n= -h -w -c
dos2unix unix2dos | | write | -k,--keepdate -n,--newfile -o,--oldfile -q,--quiet -c,--convmode= -f,--force -ascii
patch | | write | -p,--strip= -i,--input=r -d,--directory=w -o,--output=w -r,--reject-file=w -N,--forward
  -R,--reverse -f,--force -s,--silent
  -t,--batch -u,--unified -b,--backup -z,--suffix= --dry-run -E,--remove-empty-files -l,--ignore-whitespace
  -F,--fuzz= --verbose --merge?
csplit | | write | -f,--prefix= -b,--suffix-format= -k,--keep-files -n,--digits= -s,--quiet -z,--elide-empty-files
rename prename | | first+write | -v,--verbose -n,--no-act -f,--force -e=x -s,--symlink -i,--interactive
  -o,--no-overwrite
"""
_COPY = """
 -a,--archive --attributes-only -b --backup? --copy-contents -d -f,--force -i,--interactive -H -l,--link
 -L,--dereference
 -n,--no-clobber -P,--no-dereference -p --preserve? --no-preserve= --parents -R,-r,--recursive --reflink?
 --remove-destination
 --sparse= --strip-trailing-slashes -s,--symbolic-link -S,--suffix= -t,--target-directory= -T,--no-target-directory
 -u,--update? -v,--verbose -x,--one-file-system -Z --context? --debug --no-copy --exchange -c -X -h
"""
_LINK = """
 -b --backup? -d,-F,--directory -f,--force -i,--interactive -L,--logical -n,--no-dereference -P,--physical
 -r,--relative
 -s,--symbolic -S,--suffix= -t,--target-directory= -T,--no-target-directory -v,--verbose -h -w
"""
_INSTALL = """
 -b --backup? -c -C,--compare -d,--directory -D -g,--group= -m,--mode= -o,--owner= -p,--preserve-timestamps -s,--strip
 --strip-program=x -S,--suffix= -t,--target-directory= -T,--no-target-directory -v,--verbose --preserve-context -Z
 --context?
"""


def _split(parsed: options.Parsed) -> tuple[tuple[Argument, ...], tuple[Argument, ...]]:
    """Tells sources from destinations: `-t` names the destination, else it is the last operand."""
    folders = parsed.values("--target-directory")
    if folders:
        return parsed.operands, folders
    return parsed.operands[:-1], parsed.operands[-1:]


def _into(invocation: Invocation, sources: tuple[Argument, ...], destination: Argument) -> Iterator[Effect]:
    """Writes to a destination, which may be a folder: then the sources' names in it count for what acts later."""
    yield from rows.write(invocation, destination)
    where = rows.target(invocation, destination)
    for source in sources:
        name = rows.text_of(source).rstrip("/").rpartition("/")[2]
        if where.path is None or not name or name in (".", ".."):
            continue
        inner = rows.target(invocation, Known(f"{where.path.rstrip('/')}/{name}"))
        lasting = persistence.judge(inner)
        if lasting is not None:
            yield lasting
        if inner.place != where.place:
            yield Writes(inner)


def _copy(invocation: Invocation) -> Iterator[Effect]:
    parsed = options.parse(options.grammar(_COPY), invocation.arguments)
    sources, destinations = _split(parsed)
    yield from rows.reads(invocation, sources)
    for destination in destinations:
        yield from _into(invocation, sources, destination)
        if Known("/dev/null") in sources:
            # What was in the file is gone.
            yield from rows.delete(invocation, destination, recursive=False)
    yield from rows.doubts(parsed, invocation.name, careful=True)


def _move(invocation: Invocation) -> Iterator[Effect]:
    """What is moved is gone from where it was: a tree, for all that is known."""
    parsed = options.parse(options.grammar(_COPY), invocation.arguments)
    sources, destinations = _split(parsed)
    for source in sources:
        yield from rows.delete(invocation, source, recursive=True)
        yield from rows.moves_out(invocation, source, destinations)
    for destination in destinations:
        yield from _into(invocation, sources, destination)
    yield from rows.doubts(parsed, invocation.name, careful=True)


def _link(invocation: Invocation) -> Iterator[Effect]:
    """The link is written; a hard link, or a link that leads outside, makes what it names reachable from here."""
    parsed = options.parse(options.grammar(_LINK), invocation.arguments)
    sources, destinations = _split(parsed)
    if not sources:
        sources, destinations = destinations, (Known("."),)
    for destination in destinations:
        yield Writes(rows.target(invocation, destination, follow=False))
        yield from _into(invocation, sources, destination)
    for source in sources:
        where = rows.target(invocation, source)
        yield Reads(where, content=False) if parsed.has("--symbolic") else Writes(where)
    yield from rows.doubts(parsed, invocation.name, careful=True)


def _install(invocation: Invocation) -> Iterator[Effect]:
    parsed = options.parse(options.grammar(_INSTALL), invocation.arguments)
    if parsed.has("--directory"):
        yield from rows.writes(invocation, parsed.operands)
    else:
        sources, destinations = _split(parsed)
        yield from rows.reads(invocation, sources)
        for destination in destinations:
            yield from _into(invocation, sources, destination)
    yield from rows.of_options(parsed, invocation, "install")
    yield from rows.doubts(parsed, "install", careful=True)


def _make_folder(invocation: Invocation) -> Iterator[Effect]:
    parsed = options.parse(options.grammar("-m,--mode= -p,--parents -v,--verbose -Z --context?"), invocation.arguments)
    for operand in parsed.operands:
        where = rows.target(invocation, operand)
        yield Adds("mkdir", where)
        lasting = persistence.judge(where)
        if lasting is not None:
            yield lasting
    yield from rows.doubts(parsed, "mkdir", careful=True)


def _truncate(invocation: Invocation) -> Iterator[Effect]:
    """Truncation to nothing loses the content of each file."""
    row = _PLAIN["truncate"]
    parsed = options.parse(options.grammar(row.spec), invocation.arguments)
    yield from rows.of_parsed(row, parsed, invocation)
    for operand in parsed.operands:
        yield Deletes(rows.target(invocation, operand), recursive=False)


def _mode(invocation: Invocation) -> Iterator[Effect]:
    """`chmod`, `chown`: the first operand is the mode unless `--reference` stands for it; `-R` reaches below."""
    row = _PLAIN[invocation.name if invocation.name in _PLAIN else invocation.name.casefold()]
    parsed = options.parse(options.grammar(row.spec), invocation.arguments)
    # A mode such as `-x` or `-w` reads like an option, and stands for the first operand.
    mode_is_option = any(len(given.name) == 2 and given.name[1] in "rwxXstugoa" for given in parsed.given)
    files = parsed.operands if mode_is_option or parsed.has("--reference") else parsed.operands[1:]
    for operand in files:
        where = rows.target(invocation, operand)
        yield Writes(Target(where.path, where.place, where.under or parsed.has("--recursive"), where.shown))
        lasting = persistence.judge(where)
        if lasting is not None:
            yield lasting
    yield from rows.of_options(parsed, invocation, row.name)
    yield from rows.doubts(parsed, row.name, careful=True)


def _sync(_: Invocation) -> Iterator[Effect]:
    yield ReadsOnly()


_PLAIN = rows.table(_TABLE)
ROWS = {
    **_PLAIN,
    **rows.special("cp gcp copy", _copy),
    **rows.special("mv gmv move", _move),
    **rows.special("ln link", _link),
    **rows.special("install ginstall", _install),
    **rows.special("mkdir gmkdir", _make_folder),
    **rows.special("truncate", _truncate),
    **rows.special(
        "chmod chown chgrp chattr setfattr setfacl chflags xattr chcon setcap restorecon",
        _mode,
    ),
    **rows.special("sync", _sync),
}
