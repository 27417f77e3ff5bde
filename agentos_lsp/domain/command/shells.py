"""Programs that are given shell text: shells themselves, `eval`, `trap`, `su`, `watch`, ssh."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentos_lsp.domain.command import inside, options, paths, prefixes, wrapper_table
from agentos_lsp.domain.command.inside import Code, Command, Hidden, Inner
from agentos_lsp.domain.command.invocation import Known

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from agentos_lsp.domain.command.invocation import Argument, Invocation


def shell(invocation: Invocation, write: Callable[[Argument], str]) -> Iterator[Inner]:
    """`bash -c TEXT name args`, or the text on standard input."""
    rest = list(invocation.arguments)
    takes_code = reads_stdin = False
    while rest and isinstance(rest[0], Known) and rest[0].text[:1] in "-+" and len(rest[0].text) > 1:
        text = rest.pop(0).text  # type: ignore[union-attr]  # the loop's condition says that it is known
        if text in ("--", "-"):
            break
        if text.startswith("--"):
            name = text[2:]
            if name in ("rcfile", "init-file", "emulate"):
                rest[:1] = []
            takes_code = takes_code or name == "command"
            continue
        takes_code = takes_code or "c" in text[1:]
        reads_stdin = reads_stdin or "s" in text[1:]
        if text[-1] in "oO":
            rest[:1] = []
    if takes_code:
        if not rest:
            return
        yield Code(write(rest[0]), isinstance(rest[0], Known), tuple(rest[2:]), zero=rest[1] if len(rest) > 1 else None)
        return
    if rest and (not isinstance(rest[0], Known) or rest[0] == Known(paths.FED)):
        yield Hidden("the script that the shell reads cannot be known")
        yield from inside.candidates(tuple(rest))
    names_stdin = bool(rest) and rest[0] in (Known("/dev/stdin"), Known("/dev/fd/0"), Known("/proc/self/fd/0"))
    if not rest or reads_stdin or names_stdin:
        positionals = tuple(rest[1:] if names_stdin else rest)
        yield from _fed(invocation, positionals, here=False)


def _fed(invocation: Invocation, positionals: tuple[Argument, ...], *, here: bool) -> Iterator[Inner]:
    if invocation.stdin is not None:
        yield Code(invocation.stdin, positionals=positionals, here=here)
    elif invocation.reads_pipe:
        yield Hidden("what comes through the pipe is run, and cannot be known")


def source(invocation: Invocation, _: Callable[[Argument], str]) -> Iterator[Inner]:
    """`. /dev/stdin` runs what is fed to it, in the shell itself."""
    first = invocation.arguments[:1]
    if first and inside.text_of(first[0]) in ("/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"):
        yield from _fed(invocation, invocation.arguments[1:], here=True)


def evaluate(invocation: Invocation, write: Callable[[Argument], str]) -> Iterator[Inner]:
    """`eval` joins its words and runs them in the shell itself."""
    words = invocation.arguments[1:] if invocation.arguments[:1] == (Known("--"),) else invocation.arguments
    if words:
        certain = all(isinstance(word, Known) for word in words)
        yield Code(" ".join(write(word) for word in words), certain, here=True)


def trap(invocation: Invocation, write: Callable[[Argument], str]) -> Iterator[Inner]:
    """`trap TEXT SIGNAL` runs the text later."""
    words = invocation.arguments[1:] if invocation.arguments[:1] == (Known("--"),) else invocation.arguments
    if len(words) > 1 and inside.text_of(words[0]) not in ("", "-", "-l", "-p"):
        yield Code(write(words[0]), isinstance(words[0], Known))


def enable_code(invocation: Invocation, write: Callable[[Argument], str]) -> Iterator[Inner]:
    """Programs that take shell text as operands: `concurrently "a" "b"`, `hyperfine "a"`, `entr -s "a"`, `at now`."""
    for argument in invocation.arguments:
        if not inside.text_of(argument).startswith("-"):
            yield Code(write(argument), isinstance(argument, Known))
    if invocation.stdin is not None:
        yield Code(invocation.stdin)


def embedded(invocation: Invocation, write: Callable[[Argument], str]) -> Iterator[Inner]:
    """Programs among whose words is a command, or a line as one word: `watchexec -- x y`, `tmux send-keys "x y"`.

    What is found may block; whether the program is allowed is not decided by it.
    """
    yield from inside.candidates(invocation.arguments)
    for argument in invocation.arguments:
        if any(blank in inside.text_of(argument).strip() for blank in " \n\t"):
            yield Code(write(argument), isinstance(argument, Known), recipe=True)


def alias(invocation: Invocation, write: Callable[[Argument], str]) -> Iterator[Inner]:
    """`alias name=TEXT`: what the name would stand for."""
    for argument in invocation.arguments:
        _, equals, text = write(argument).partition("=")
        if equals:
            yield Code(text, isinstance(argument, Known), recipe=True)


def nix_shell(invocation: Invocation, write: Callable[[Argument], str]) -> Iterator[Inner]:
    """`nix-shell --run TEXT`."""
    for option, text in zip(invocation.arguments, invocation.arguments[1:], strict=False):
        if inside.text_of(option) in ("--run", "--command", "-c"):
            yield Code(write(text), isinstance(text, Known))


def su(invocation: Invocation, write: Callable[[Argument], str]) -> Iterator[Inner]:
    """`su -c TEXT`, `runuser -u user -- command`."""
    parsed = options.parse(
        options.grammar(
            "-c,--command= --session-command= -u,--user= -g= -G= -l,--login -m -p -P -s,--shell= -w= -f -T= -"
        ),
        invocation.arguments,
    )
    for text in parsed.values("--command", "--session-command"):
        yield Code(write(text), isinstance(text, Known))
    if parsed.has("--user") and parsed.operands:
        yield Command(parsed.operands)
    yield from inside.candidates(parsed.operands)


def script(invocation: Invocation, write: Callable[[Argument], str]) -> Iterator[Inner]:
    """util-linux: `script -c TEXT file`; BSD: `script file command …`."""
    spec = "-c,--command= -a,--append -e,--return -f,--flush -q,--quiet -t? -T= -I= -O= -B= -m= -E= -o= -k -F -p -d -r"
    parsed = options.parse(options.grammar(spec), invocation.arguments)
    for text in parsed.values("--command"):
        yield Code(write(text), isinstance(text, Known))
    words = tuple(word for word in invocation.arguments if not inside.text_of(word).startswith("-"))
    if len(words) > 1 and not parsed.has("--command"):
        yield Command(words[1:])


def watch(invocation: Invocation, write: Callable[[Argument], str]) -> Iterator[Inner]:
    """The words are joined and given to `sh -c`."""
    skipped, spec = wrapper_table.PREFIXES["watch"]
    parsed = options.parse(options.grammar(spec, permutes=False), invocation.arguments)
    inner = parsed.operands[skipped:]
    if inner:
        yield Code(" ".join(write(word) for word in inner), all(isinstance(word, Known) for word in inner))
    if parsed.strange or parsed.unsure:
        yield from inside.candidates(invocation.arguments)


def joined(invocation: Invocation, write: Callable[[Argument], str]) -> Iterator[Inner]:
    """ssh: the words after the host are joined and given to the other side's shell."""
    skipped, spec = wrapper_table.PREFIXES["ssh"]
    parsed = options.parse(options.grammar(spec, permutes=False), invocation.arguments)
    inner = parsed.operands[skipped:]
    if inner:
        yield Code(" ".join(write(word) for word in inner), all(isinstance(word, Known) for word in inner))
    elif invocation.stdin is not None:
        yield Code(invocation.stdin)
    if parsed.strange or parsed.unsure:
        yield from inside.candidates(invocation.arguments)


def flock(invocation: Invocation, write: Callable[[Argument], str]) -> Iterator[Inner]:
    """`flock FILE command`, or `flock FILE -c TEXT`."""
    skipped, spec = wrapper_table.PREFIXES["flock"]
    inner = [*prefixes.prefixed(invocation.arguments, skipped, spec, write)]
    for found in inner:
        if (
            isinstance(found, Command)
            and inside.text_of(found.words[0]) in ("-c", "--command")
            and len(found.words) > 1
        ):
            yield Code(write(found.words[1]), isinstance(found.words[1], Known))
        else:
            yield found


def command(invocation: Invocation, write: Callable[[Argument], str]) -> Iterator[Inner]:
    """`command -v name` only tells where a program is."""
    first = inside.text_of(invocation.arguments[0]) if invocation.arguments else ""
    if not (first.startswith("-") and set(first[1:]) & {"v", "V"}):
        yield from prefixes.prefixed(invocation.arguments, *wrapper_table.PREFIXES["command"], write)
