"""Archives and compression: what they write, and the options that run programs.

Source: tar(1) 1.35 and bsdtar(1), zip(1) 3, unzip(1) 6, gzip(1), xz(1), zstd(1), 7z, cpio(1), ar(1).
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from agentos_lsp.domain.command import options, secrets
from agentos_lsp.domain.command.effects import Deletes, Executes, ReadsOnly, Writes
from agentos_lsp.domain.command.families import rows
from agentos_lsp.domain.command.invocation import Known

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from agentos_lsp.domain.command.effects import Effect
    from agentos_lsp.domain.command.invocation import Argument, Invocation

_TAR = """
 -A,--catenate,--concatenate -c,--create -d,--diff,--compare --delete -r,--append -t,--list --test-label -u,--update
 -x,--extract,--get
 --show-defaults --check-device -g,--listed-incremental=w -G,--incremental --ignore-failed-read --level= -n,--seek
 --no-check-device
 --no-seek --occurrence? --sparse-version= -S,--sparse --hole-detection= --backup? -k,--keep-old-files
 --keep-newer-files
 --no-overwrite-dir --one-top-level? --overwrite --overwrite-dir --recursive-unlink --remove-files --skip-old-files
 -U,--unlink-first
 -W,--verify --ignore-command-error --no-ignore-command-error -O,--to-stdout --to-command=x --atime-preserve?
 --delay-directory-restore
 --group= --group-map= --mode= --mtime= --clamp-mtime --set-mtime-command=x -m,--touch --no-delay-directory-restore
 --no-same-owner
 --no-same-permissions --numeric-owner --owner= --owner-map= -p,--preserve-permissions,--same-permissions --same-owner
 -s,--preserve-order,--same-order --sort= --acls --no-acls --selinux --no-selinux --xattrs --no-xattrs -f,--file=
 --force-local
 -F,--info-script=x --new-volume-script=x -L,--tape-length= -M,--multi-volume --rmt-command=x --rsh-command=x
 --volno-file=w
 -b,--blocking-factor= -B,--read-full-records -i,--ignore-zeros --record-size= -H,--format= --old-archive
 --portability --pax-option=
 --posix -V,--label= -a,--auto-compress -I,--use-compress-program=x -j,--bzip2 -J,--xz --lzip --lzma --lzop
 --no-auto-compress
 -z,--gzip,--gunzip --zstd -Z,--compress --add-file= -C,--directory= --exclude= --exclude-backups --exclude-caches
 --exclude-ignore=
 --exclude-tag= --exclude-vcs --exclude-vcs-ignores -h,--dereference --hard-dereference -K,--starting-file=
 --newer-mtime= --no-null
 --no-recursion --no-unquote --no-verbatim-files-from --null -N,--newer= --one-file-system -P,--absolute-names
 --recursion --suffix=
 -T,--files-from=r --unquote --verbatim-files-from -X,--exclude-from=r --strip-components= --transform=x --xform=x
 --anchored
 --ignore-case --no-anchored --no-ignore-case --no-wildcards --wildcards --checkpoint? --checkpoint-action=x
 --full-time --index-file=w
 -l,--check-links --no-quote-chars= --quote-chars= --quoting-style= -R,--block-number --show-omitted-dirs
 --show-transformed-names
 --totals? --utc -v,--verbose --warning= -w,--interactive -o -?,--help --usage --version
"""
_LONGEST_BUNDLE = 32
_TABLE = """
gzip pigz gunzip unpigz bzip2 bunzip2 pbzip2 xz unxz lzma unlzma lzip lz4 unlz4 zstd unzstd compress uncompress
  brotli snzip | | rewrite | -# -c,--stdout,--to-stdout
  -d,--decompress,--uncompress -f,--force -k,--keep -l,--list -n,--no-name -N,--name -q,--quiet -r,--recursive
  -S,--suffix= -t,--test -v,--verbose -T,--threads= -z,--compress
  -p,--processes= --rsyncable --fast --best -e,--extreme -o=w --rm -0 -a -s -i -b= -m -D=r --ultra --long? --adapt
zcat bzcat xzcat lzcat zstdcat gzcat lz4cat | safe | read | -fqv -f,--force
zgrep bzgrep xzgrep zstdgrep zdiff zcmp | | read | -#
unzip | | unzip | -Z -l -t -v -z -p -c -f -u -x= -d=w -n -o -q -j -a -b -C -L -K -V -M -W -P= -O= -I= -: -^
zip | | zip | -r,--recurse-paths -j,--junk-paths -q,--quiet -u,--update -f,--freshen -d,--delete -m,--move -9 -8 -7
  -6 -5 -4 -3 -2 -1 -0
  -x,--exclude= -i,--include= -T,--test -TT,--unzip-command=x -b=w -y,--symlinks -X,--no-extra -e,--encrypt -P= -n=
  -o -O=w -v -z -@ -F -FF -s= -g -D -A -k -l -ll -R -t= -tt= -c -h
7z 7za 7zr 7zz p7zip rar unrar unar lsar | | archive |
cpio pax | | archive |
zipinfo | safe | read | -12slmvhMtTzZC
ditto hdiutil asar | | archive |
"""


def _tar(invocation: Invocation) -> Iterator[Effect]:
    """The first word may be a bundle without a dash; `-C` moves where later files lie."""
    arguments = invocation.arguments
    first = arguments[0].text if arguments and isinstance(arguments[0], Known) else "-"
    if not first.startswith("-") and len(first) <= _LONGEST_BUNDLE:
        arguments = _with_dashes(arguments)
    parsed = options.parse(options.grammar(_TAR), arguments)
    yield from rows.of_options(parsed, invocation, "tar")
    yield from rows.doubts(parsed, "tar", careful=True)
    archives = parsed.values("--file")
    if any(":" in rows.text_of(archive).partition("/")[0] for archive in archives) and not parsed.has("--force-local"):
        yield rows.tool("tar")
    if parsed.has("--get"):
        yield from rows.reads(invocation, archives)
        yield from _extraction(parsed, invocation)
    elif parsed.has("--list", "--compare"):
        yield ReadsOnly()
        yield from rows.reads(invocation, (*archives, *parsed.values("--directory")))
    else:
        yield from rows.writes(invocation, archives)
        yield from rows.reads(invocation, (*parsed.operands, *parsed.values("--directory")))
        if parsed.has("--remove-files"):
            for operand in parsed.operands:
                yield Deletes(rows.target(invocation, operand), recursive=True)
                yield from rows.moves_out(invocation, operand, archives)


def _extraction(parsed: options.Parsed, invocation: Invocation) -> Iterator[Effect]:
    """Where the members go: below `-C`, or anywhere with absolute names."""
    if parsed.has("--to-stdout"):
        yield ReadsOnly()
        yield from _shown(invocation, parsed.operands)
        return
    folders = parsed.values("--directory") or (Known("."),)
    yield from (Writes(rows.target(invocation, folder)) for folder in folders)
    if parsed.has("--absolute-names"):
        yield Writes(rows.target(invocation, Known("/")))
    if parsed.has("--recursive-unlink"):
        yield Deletes(rows.target(invocation, folders[0]), recursive=True)


def _shown(invocation: Invocation, members: Iterable[Argument]) -> Iterator[Effect]:
    """Members that are printed: those named like secrets count as files that are read."""
    return rows.reads(invocation, tuple(one for one in members if secrets.is_named(rows.text_of(one))))


def _with_dashes(arguments: tuple[Argument, ...]) -> tuple[Argument, ...]:
    """Turns `xfC a.tar dir` into `-x -f a.tar -C dir`: the values of an old bundle follow in order."""
    rest = list(arguments[1:])
    words: list[Argument] = []
    shorts = options.grammar(_TAR).shorts
    for letter in rows.text_of(arguments[0]):
        words.append(Known(f"-{letter}"))
        rule = shorts.get(letter)
        if rule is not None and rule.kind == "value" and rest:
            words.append(rest.pop(0))
    return (*words, *rest)


def _compressor(invocation: Invocation) -> Iterator[Effect]:
    """Replaces each file by its other form, unless it prints, lists or tests."""
    parsed = options.parse(options.grammar(_ROWS["gzip"].spec), invocation.arguments)
    yield from rows.of_options(parsed, invocation, invocation.name)
    yield from rows.doubts(parsed, invocation.name, careful=True)
    yield from rows.reads(invocation, parsed.operands)
    if not parsed.operands or parsed.has("--to-stdout", "--list", "--test"):
        yield ReadsOnly()
        return
    yield from rows.writes(invocation, parsed.operands)
    if not parsed.has("--keep"):
        yield from (Deletes(rows.target(invocation, operand), recursive=False) for operand in parsed.operands)


def _unzip(invocation: Invocation) -> Iterator[Effect]:
    parsed = options.parse(options.grammar(_ROWS["unzip"].spec), invocation.arguments)
    yield from rows.of_options(parsed, invocation, "unzip")
    yield from rows.doubts(parsed, "unzip", careful=True)
    yield from rows.reads(invocation, parsed.operands[:1])
    if parsed.has("-l", "-t", "-v", "-p", "-c", "-Z", "-z"):
        yield ReadsOnly()
        if parsed.has("-p", "-c"):
            yield from _shown(invocation, parsed.operands[1:])
    elif not parsed.has("-d"):
        yield Writes(rows.target(invocation, Known(".")))


def _zip(invocation: Invocation) -> Iterator[Effect]:
    for word, following in itertools.pairwise((*invocation.arguments, Known(""))):
        if rows.text_of(word).startswith(("-TT", "--unzip-c")):
            yield Executes(
                f"zip {rows.text_of(word)} {rows.text_of(following)}",
                "sh",
                rows.text_of(following),
                ("runs a command",),
            )
    parsed = options.parse(options.grammar(_ROWS["zip"].spec), invocation.arguments)
    yield from rows.writes(invocation, parsed.operands[:1])
    yield from rows.reads(invocation, parsed.operands[1:])
    if parsed.has("--move"):
        for operand in parsed.operands[1:]:
            yield Deletes(rows.target(invocation, operand), recursive=True)
            yield from rows.moves_out(invocation, operand, parsed.operands[:1])


def _archive(invocation: Invocation) -> Iterator[Effect]:
    """Archivers of which only this is said: they read their operands and write where they stand."""
    operands = tuple(argument for argument in invocation.arguments if not rows.text_of(argument).startswith("-"))
    yield from rows.reads(invocation, operands[1:])
    yield Writes(rows.target(invocation, Known(".")))
    for word in invocation.arguments:
        if rows.text_of(word).startswith("-o") and len(rows.text_of(word)) > 2:
            yield Writes(rows.target(invocation, Known(rows.text_of(word)[2:])))
    yield Executes(f"{invocation.name} is not known in all its options")


_ROWS = rows.table(_TABLE)
_ROLES = {"rewrite": _compressor, "unzip": _unzip, "zip": _zip, "archive": _archive}
ROWS: rows.Family = dict(_ROWS)
for _row in _ROWS.values():
    if _row.operands in _ROLES:
        ROWS |= rows.special(_row.name, _ROLES[_row.operands])
ROWS |= rows.special("tar gtar bsdtar", _tar)
