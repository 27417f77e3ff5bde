"""Programs that run a command once for each of many items: xargs, parallel, find, fd."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, assert_never

from agentos_lsp.domain.command import inside, options, wrapper_table
from agentos_lsp.domain.command.inside import Code, Command, Hidden, Inner
from agentos_lsp.domain.command.invocation import Glob, Known, Prefix, Unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from agentos_lsp.domain.command.invocation import Argument, Invocation

# Source: GNU parallel(1).
_PARALLEL = """
 -0 -a,--arg-file= -C,--colsep= -d,--delimiter= -I= -i? -j,--jobs= -P= -k,--keep-order -L= -l? -m -N= -n= -q,--quote
 -r -s= -S= -t -u -v -X --dry-run --bar --eta --halt= --joblog= --timeout= --will-cite --tag --progress --retries=
 --delay= --results= --no-notice --pipe --group
"""


def xargs(invocation: Invocation, _: Callable[[Argument], str]) -> Iterator[Inner]:
    """What comes in is added at the end, or put in place of a mark."""
    skipped, spec = wrapper_table.PREFIXES["xargs"]
    parsed = options.parse(options.grammar(spec, permutes=False), invocation.arguments)
    inner = parsed.operands[skipped:]
    added: tuple[Argument, ...] = (Unknown("what xargs reads", quoted=False),)
    if invocation.stdin is not None and not parsed.has("--arg-file"):
        added = tuple(inside.item(text) for text in invocation.stdin.replace("\0", " ").split())
        if not _is_fed_apart(invocation.arguments[: len(invocation.arguments) - len(inner)]):
            # A blank in a name makes two words of it.
            added = tuple(replace(item, quoted=False) if isinstance(item, Prefix) else item for item in added)
    marks = [inside.text_of(mark) for mark in parsed.values("-I", "-J", "--replace")]
    if parsed.has("--replace") and not marks:
        marks = ["{}"]
    if marks:
        for item in added or ():
            words = tuple(inside.placed(word, marks[0], item) for word in inner)
            if inner and words != inner:
                yield Command(words)
            elif inner:
                # Without the mark nothing is put in; but `-i` is not the same in every xargs.
                yield Command((*inner, item))
        yield Command(inner) if inner and not any(marks[0] in inside.text_of(word) for word in inner) else Hidden("")
    elif inner:
        # Nothing may come in: then the command runs as it stands.
        yield Command(inner)
        yield Command((*inner, *added))
    if parsed.strange or parsed.unsure or parsed.globbed:
        yield from inside.candidates((*invocation.arguments, *added))


def _is_fed_apart(given: tuple[Argument, ...]) -> bool:
    """Tells whether xargs takes names apart at NULs, and has no option that could say otherwise."""
    texts = [inside.text_of(argument) for argument in given]
    plain = {"-0", "--null", "-r", "--no-run-if-empty", "-t", "-n", "-P", "-L"}
    return texts[:1] in (["-0"], ["--null"]) and all(text in plain or text.isdecimal() for text in texts)


def parallel(invocation: Invocation, write: Callable[[Argument], str]) -> Iterator[Inner]:
    """GNU parallel: the words before `:::` are joined and run by a shell, once for each word after it."""
    texts = [inside.text_of(argument) for argument in invocation.arguments]
    at = next((i for i, text in enumerate(texts) if text in (":::", "::::", ":::+", "::::+")), len(texts))
    parsed = options.parse(options.grammar(_PARALLEL, permutes=False), invocation.arguments[:at])
    inner = parsed.operands
    items = tuple(
        argument for argument in invocation.arguments[at + 1 :] if not inside.text_of(argument).startswith(":::")
    )
    if at == len(texts) or texts[at].startswith("::::"):
        items = tuple(inside.item(text) for text in (invocation.stdin or "").splitlines())
        items = items or (Unknown("what parallel reads", quoted=False),)
    if not inner:
        for item in items:
            yield (
                Code(write(item), isinstance(item, Known))
                if isinstance(item, Known)
                else Hidden("parallel runs what it reads, which cannot be known")
            )
        return
    yield Command(inner)
    for item in items:
        placed = tuple(inside.placed(word, "{}", item) for word in inner)
        words = (*inner, item) if placed == inner else placed
        yield Code(" ".join(write(word) for word in words), all(isinstance(word, Known) for word in words))
        yield Command(words)
    if parsed.strange or parsed.unsure:
        yield from inside.candidates(invocation.arguments)


def find(invocation: Invocation, _: Callable[[Argument], str]) -> Iterator[Inner]:
    """`-exec` and kin: `{}` stands for something at or below a starting point."""
    arguments = invocation.arguments
    texts = [inside.text_of(argument) for argument in arguments]
    first = next(
        (i for i, text in enumerate(texts) if text[:1] in ("-", "(", "!") and text not in ("-H", "-L", "-P")),
        len(texts),
    )
    starts = [argument for argument in arguments[:first] if inside.text_of(argument) not in ("-H", "-L", "-P")] or [
        Known(".")
    ]
    found = tuple(_below(start) for start in starts)
    for i, text in enumerate(texts):
        if text not in ("-exec", "-execdir", "-ok", "-okdir"):
            continue
        end = next(
            (j for j in range(i + 1, len(texts)) if texts[j] == ";" or (texts[j] == "+" and texts[j - 1] == "{}")),
            len(texts),
        )
        inner = arguments[i + 1 : end]
        if not inner:
            continue
        for item in found:
            yield Command(tuple(inside.placed(word, "{}", item) for word in inner))
        if end == len(texts):
            yield from inside.candidates(inner)
            return


def _below(start: Argument) -> Argument:
    """Something at or below a starting point of find."""
    match start:
        case Known(text):
            return Prefix(text if text.endswith("/") else f"{text}/", quoted=True)
        case Glob(_, folder) if folder:
            return Prefix(f"{folder}/".replace("//", "/"), quoted=True)
        case Prefix(text, _):
            return Prefix(text, quoted=True)
        case Glob() | Unknown():
            return Unknown("{}", quoted=True)
        case _:
            assert_never(start)


def fd(invocation: Invocation, _: Callable[[Argument], str]) -> Iterator[Inner]:
    """`-x` and kin: `{}` stands for what was found; without it the name is added at the end."""
    arguments = invocation.arguments
    texts = [inside.text_of(argument) for argument in arguments]
    at = next((i for i, text in enumerate(texts) if text in ("-x", "-X", "--exec", "--exec-batch")), None)
    if at is None:
        if any(text.startswith(("-x", "-X", "--exec")) for text in texts):
            yield from inside.candidates(arguments)
        return
    operands = [argument for argument in arguments[:at] if not inside.text_of(argument).startswith("-")]
    places = [_below(place) for place in operands[1:]] or [_below(Known("."))]
    end = texts.index(";", at) if ";" in texts[at:] else len(texts)
    inner = arguments[at + 1 : end]
    if inner:
        yield Command(inner)
    for place in places:
        placed = tuple(inside.placed(word, mark, place) for word in inner for mark in ("{}",))
        if placed:
            yield Command(placed if placed != inner else (*inner, place))
