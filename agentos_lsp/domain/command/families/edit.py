"""Programs with a little language of their own that may write or run: sed, awk, jq, yq, ed, vim.

Source: the manual pages of GNU sed 4.9, POSIX awk, gawk 5.3, jq 1.7, yq 4, ed(1), vim(1).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from agentos_lsp.domain.command import options
from agentos_lsp.domain.command.effects import Connects, Executes, ReadsOnly, Unrecognised, Writes
from agentos_lsp.domain.command.families import rows
from agentos_lsp.domain.command.invocation import Known

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agentos_lsp.domain.command.effects import Effect
    from agentos_lsp.domain.command.invocation import Argument, Invocation

_SED = """
 -n,--quiet,--silent --debug -e,--expression= -f,--file=x -E,-r,--regexp-extended -i,--in-place? -I? --follow-symlinks
 -l,--line-length= --posix -s,--separate --sandbox -u,--unbuffered -z,--null-data -b,--binary -a
"""
_AWK = """
 -f,--file=x -F,--field-separator= -v,--assign= -e,--source= -i,--include=x -l,--load=x -b,--characters-as-bytes
 -c,--traditional
 -C,--copyright -d,--dump-variables?w -D,--debug?x -E,--exec=x -g,--gen-pot -h,--help -I,--trace -k,--csv -L,--lint?
 -M,--bignum -n,--non-decimal-data -N,--use-lc-numeric -o,--pretty-print?w -O,--optimize -p,--profile?w -P,--posix
 -r,--re-interval -s,--no-optimize -S,--sandbox -t,--lint-old -V,--version
"""
_JQ = """
 -n,--null-input -R,--raw-input -s,--slurp -c,--compact-output -r,--raw-output -j,--join-output -a,--ascii-output
 -S,--sort-keys
 -C,--color-output -M,--monochrome-output --tab --indent= --unbuffered --stream --stream-errors --seq -f,--from-file!x
 -L,--library-path=x -e,--exit-status --args --jsonargs --raw-output0 --arg --argjson --slurpfile --rawfile
 -V,--version -h,--help
"""
_YQ = """
 -i,--inplace,--in-place -P,--prettyPrint -o,--output-format= -p,--input-format= -r,--unwrapScalar? -N,--no-doc
 -e,--exit-status
 -n,--null-input -C,--colors -M,--no-colors -I,--indent= -j,--tojson -s,--split-exp!w --from-file=s -y,--yaml-output
 -v,--verbose
"""
_LONGEST = 4096
# An address of sed: nothing, `12`, `$`, `/re/I`, `\,re,`, `first~step`, `0,/re/`, then a comma and another, then `!`.
_ADDRESS = r"(?:[0-9]+(?:~[0-9]+)?|\$|/(?:[^/\\]|\\.)*/[IM]*)"
_SED_PREFIX = rf"\s*(?:{_ADDRESS}(?:\s*,\s*(?:[+~]?[0-9]+|{_ADDRESS}))?)?\s*!?\s*"
_SED_PLAIN = re.compile(rf"{_SED_PREFIX}(?:[pdDgGhHnNPxlq=zQ][0-9]*|[{{}}])?\s*")
_SED_CHANGE = re.compile(
    rf"{_SED_PREFIX}(?P<verb>[sy])(?P<mark>[^\sA-Za-z0-9\\])"
    r"(?:(?!(?P=mark))[^\\\n]|\\.)*(?P=mark)(?:(?!(?P=mark))[^\\\n]|\\.)*(?P=mark)(?P<flags>[A-Za-z0-9]*)\s*",
)
_SED_TEXT = re.compile(rf"{_SED_PREFIX}[aic](?:\\|\s)[^\n]*")
_AWK_DANGERS = (
    (re.compile(r"\bsystem\s*\("), "system() runs a command"),
    (re.compile(r"\bgetline\b"), "getline reads files or commands"),
    (re.compile(r"@(?:load|include)\b"), "loads code"),
    (re.compile(r"\bENVIRON\b"), "reads the environment"),
    (re.compile(r"@[A-Za-z_]\w*\s*\("), "an indirect call"),
    (re.compile(r"\bARGV\b|\bARGC\b"), "changes which files are read"),
)


def _sed(invocation: Invocation) -> Iterator[Effect]:
    """A script of printing, deleting and substituting only reads; `e`, `w`, `r`, `-i` do more."""
    parsed = options.parse(options.grammar(_SED), invocation.arguments)
    scripts = parsed.values("--expression")
    operands = parsed.operands
    if not scripts and not parsed.has("--file"):
        scripts, operands = operands[:1], operands[1:]
    yield ReadsOnly()
    yield from rows.reads(invocation, operands)
    yield from rows.of_options(parsed, invocation, "sed")
    yield from rows.doubts(parsed, "sed", careful=True)
    if parsed.has("--in-place", "-I"):
        yield from rows.writes(invocation, operands)
    for script in scripts:
        yield from _of_sed_script(invocation, script)


def _of_sed_script(invocation: Invocation, script: Argument) -> Iterator[Effect]:
    if not isinstance(script, Known):
        yield Unrecognised("a sed script is not certain")
        return
    if len(script.text) > _LONGEST:
        yield Executes("sed runs a very long script", "sed", script.text, ("more code than is looked through",))
        return
    for piece in _pieces(script.text):
        if _SED_PLAIN.fullmatch(piece) or _SED_TEXT.fullmatch(piece):
            continue
        change = _SED_CHANGE.fullmatch(piece)
        if change is not None and set(change["flags"]) <= set("gpiIM0123456789"):
            continue
        if change is not None and "e" not in change["flags"].partition("w")[0] and "w" in change["flags"]:
            yield Executes(f"sed writes a file by {piece.strip()}", "sed", script.text, ("the flag w writes a file",))
            continue
        written = re.fullmatch(rf"{_SED_PREFIX}[wW]\s*(\S+)\s*", piece)
        if written is not None:
            yield from rows.write(invocation, Known(written[1]))
            continue
        yield Executes(f"sed runs {piece.strip()}", "sed", script.text, ("e, r and w run, read and write",))


def _pieces(script: str) -> list[str]:
    """Splits a sed script at `;`, newlines and braces that stand outside addresses and substitutions."""
    pieces: list[str] = []
    at = 0
    separator = re.compile(r"\s*[;\n}]\s*|\s*\Z|(?<=\{)")
    while at < len(script):
        for pattern in (_SED_CHANGE, _SED_TEXT, _SED_PLAIN):
            match = pattern.match(script, at)
            if match is not None and match.end() > at and separator.match(script, match.end()):
                end = match.end()
                break
        else:
            return [*pieces, script[at:]]
        pieces.append(script[at:end])
        after = separator.match(script, end)
        at = max(after.end() if after is not None else end, at + 1)
    return pieces


def _awk(invocation: Invocation) -> Iterator[Effect]:
    """A program that only selects and prints reads; what could do more is named."""
    parsed = options.parse(options.grammar(_AWK, permutes=False), invocation.arguments)
    programs = parsed.values("--source")
    operands = parsed.operands
    if not programs and not parsed.has("--file", "--exec"):
        programs, operands = operands[:1], operands[1:]
    yield ReadsOnly()
    files = tuple(word for word in operands if not re.match(r"[A-Za-z_]\w*=", rows.text_of(word)))
    yield from rows.reads(invocation, files)
    yield from rows.of_options(parsed, invocation, invocation.name)
    yield from rows.doubts(parsed, invocation.name, careful=True)
    for program in programs:
        if not isinstance(program, Known):
            yield Unrecognised("an awk program is not certain")
            continue
        dangers = _awk_dangers(program.text)
        if dangers:
            yield Executes(f"{invocation.name} runs a program", "awk", program.text, dangers)


def _awk_dangers(program: str) -> tuple[str, ...]:
    found = [why for pattern, why in _AWK_DANGERS if pattern.search(program)]
    # A quote in a regular expression would hide what follows it, so with a slash nothing is left out.
    bare = program.replace("||", "") if "/" in program else _without_strings(program)
    if "|" in bare:
        found.append("a pipe runs a command")
    if "/inet" in program:
        found.append("opens the network")
    for statement in re.split(r"[;{}\n]", bare):
        # A `>` after `print` writes; elsewhere it compares.
        if ">" in statement.partition("print")[2]:
            found.append("print > writes a file")
            break
    return tuple(found)


def _without_strings(program: str) -> str:
    """Leaves out what stands in double quotes, and `||`, so that only awk's own operators remain."""
    return re.sub(r'"(?:[^"\\\n]|\\[\s\S])*"', '""', program).replace("||", "")


def _jq(invocation: Invocation) -> Iterator[Effect]:
    """`--arg`, `--slurpfile` and their kin take two values, so they are taken out first."""
    left: list[Argument] = []
    arguments = list(invocation.arguments)
    yield ReadsOnly()
    while arguments:
        word = arguments.pop(0)
        text = word.text if isinstance(word, Known) else ""
        if text in ("--arg", "--argjson", "--slurpfile", "--rawfile"):
            if text in ("--slurpfile", "--rawfile"):
                yield from rows.reads(invocation, tuple(arguments[1:2]))
            del arguments[:2]
            continue
        left.append(word)
    parsed = options.parse(options.grammar(_JQ), tuple(left))
    program = parsed.operands[:1]
    if not parsed.has("--args", "--jsonargs"):
        yield from rows.reads(invocation, parsed.operands[1:])
    yield from rows.of_options(parsed, invocation, "jq")
    yield from rows.doubts(parsed, "jq", careful=True)
    for word in program:
        if re.search(r"\b(?:import|include|input_filename|env|\$ENV)\b|\$ENV|\$__prog", rows.text_of(word)):
            yield Unrecognised("a jq program that reads the environment or other programs")


def _yq(invocation: Invocation) -> Iterator[Effect]:
    arguments = invocation.arguments
    if arguments[:1] in ((Known("eval"),), (Known("e"),), (Known("eval-all"),), (Known("ea"),)):
        arguments = arguments[1:]
    parsed = options.parse(options.grammar(_YQ), arguments)
    yield ReadsOnly()
    yield from rows.reads(invocation, parsed.operands[1:])
    yield from rows.of_options(parsed, invocation, "yq")
    yield from rows.doubts(parsed, "yq", careful=True)
    if parsed.has("--in-place"):
        yield from rows.writes(invocation, parsed.operands[1:])
    for word in parsed.operands[:1]:
        if re.search(r"\b(?:env|strenv|load\w*|envsubst|system)\b", rows.text_of(word)):
            yield Unrecognised("a yq program that reads the environment or other files")


def _editor(invocation: Invocation) -> Iterator[Effect]:
    """An editor may write any file and run any program."""
    yield Executes(f"{invocation.name} is an editor that can run programs", danger=_editor_dangers(invocation))
    for argument in invocation.arguments:
        text = rows.text_of(argument)
        if re.match(r"(?:scp|sftp|https?|ftp|rsync)://", text):
            host = rows.host_of(argument)
            yield Connects(host, loopback=False, direct=False, by=invocation.name)
        elif not text.startswith(("-", "+")):
            yield Writes(rows.target(invocation, argument))


def _editor_dangers(invocation: Invocation) -> tuple[str, ...]:
    return tuple(
        f"{rows.text_of(argument)} is a command of the editor"
        for argument in invocation.arguments
        if "!" in rows.text_of(argument) or "system(" in rows.text_of(argument)
    )


ROWS = {
    **rows.special("sed gsed", _sed),
    **rows.special("awk gawk mawk nawk", _awk),
    **rows.special("jq gojq jaq", _jq),
    **rows.special("yq", _yq),
    **rows.special("ed ex red vi vim view rvim nvim emacs emacsclient nano pico code micro helix hx kak joe", _editor),
}
