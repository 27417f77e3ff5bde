"""Programs whose business is to delete: rm and its kin, in every spelling that takes a file or a tree away.

What goes to a trash folder can be taken back, so it counts as one file.

Source: the manual pages of GNU coreutils 9 and BSD rm, srm 1.2, trash-cli, gio(1); Microsoft's Remove-Item.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentos_lsp.domain.command import options
from agentos_lsp.domain.command.families import rows
from agentos_lsp.domain.command.invocation import Known

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agentos_lsp.domain.command.effects import Effect
    from agentos_lsp.domain.command.invocation import Invocation

# names | which of its options make a deletion recursive, `always` or `never` | options
# (`rmdir -p` deletes empty folders only; `shred` destroys beyond recovery what `rm` would.)
_TABLE = """
rm | --recursive | -f,--force -i -I --interactive? -r,-R,--recursive -d,--dir -v,--verbose --one-file-system
  --no-preserve-root
  --preserve-root? -P -W -x
rmdir | never | -p,--parents --ignore-fail-on-non-empty -v,--verbose
unlink | never | -f
shred | always | -f,--force -n,--iterations= --random-source=r -s,--size= -u --remove? -v,--verbose -x,--exact
  -z,--zero
srm | always | -d,--no-dereference -f,--force -i,--interactive -s,--simple -m,--medium -z,--zero -n,--nounlink
  -r,-R,--recursive -v,--verbose
  -D,--dod -E,--doe -l -G,--gutmann
wipe sfill sswap bleachbit secure-delete | always | -f -q -r -R -c -D -s -z
trash trash-put rip gtrash | never | -f -i -I -d -r -R -v --trash-dir= --force
trash-rm trash-empty | always |
rimraf del-cli | always | -g,--glob --preserve-root --no-preserve-root --tmp= --max-retries= --verbose -v -f --impl=
"""


def _reader(recursion: str, spec: str, name: str) -> rows.Family:
    def read(invocation: Invocation) -> Iterator[Effect]:
        parsed = options.parse(options.grammar(spec), invocation.arguments)
        recursive = recursion == "always" or parsed.has(recursion)
        for operand in parsed.operands:
            yield from rows.delete(invocation, operand, recursive=recursive)
        yield from rows.doubts(parsed, name, careful=True)

    return rows.special(name, read)


def _compile() -> rows.Family:
    family: rows.Family = {}
    for row in rows.table(_widened(_TABLE)).values():
        family |= _reader(row.operands, row.spec, row.name)
    return family


def _widened(text: str) -> str:
    """Gives the rows above the empty `does` cell that a table of families has."""
    return "\n".join(line if line.startswith(" ") else line.replace(" | ", " | | ", 1) for line in text.splitlines())


def _gio(invocation: Invocation) -> Iterator[Effect]:
    verb, operands = rows.text_of(invocation.arguments[0]) if invocation.arguments else "", invocation.arguments[1:]
    if verb in ("trash", "remove"):
        for operand in operands:
            if not rows.text_of(operand).startswith("-"):
                yield from rows.delete(invocation, operand, recursive=verb == "remove")


def _remove_item(invocation: Invocation) -> Iterator[Effect]:
    """PowerShell and cmd: `-Recurse` (any abbreviation) or `/s` make it recursive; names are not told from values."""
    words = [rows.text_of(argument).casefold() for argument in invocation.arguments]
    recursive = any(word == "/s" or (len(word) > 1 and "-recurse".startswith(word)) for word in words)
    for argument, word in zip(invocation.arguments, words, strict=True):
        flag = isinstance(argument, Known) and (word.startswith("-") or (len(word) == 2 and word.startswith("/")))
        if not flag:
            yield from rows.delete(invocation, argument, recursive=recursive)


ROWS = {
    **_compile(),
    **rows.special("gio", _gio),
    **rows.special("remove-item Remove-Item ri rd del erase", _remove_item),
}
