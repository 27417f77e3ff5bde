"""Programs whose first word is a verb: tables of what each verb does.

A table has lines `programs | verbs | does | options`; `*` is every verb that no line names. `does` is `safe` (with the
options listed), `runs` (the project's code) or `tool` (a tool whose business includes the network).
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from agentos_lsp.domain.command import options
from agentos_lsp.domain.command.effects import Deletes, Executes, Reads, ReadsOnly, Unrecognised, Writes
from agentos_lsp.domain.command.families import rows
from agentos_lsp.domain.command.invocation import Known

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agentos_lsp.domain.command.effects import Effect
    from agentos_lsp.domain.command.invocation import Invocation

# Options with which the words on the line, and not the project, say which program runs.
# Source: cargo(1), go help build, pytest(1), npm config, cmake(1), ctest(1), mvn(1), gradle(1), eslint and jest pages.
_STEERING = """
cargo | --config -Z
go | -exec -toolexec -vettool -overlay -modfile -ldflags -gcflags
pytest py.test | -p --pyargs --confcutdir -c --config-file --override-ini -o --pastebin --rootdir
tox nox | --workdir --override -x
npm yarn pnpm | --registry --no-ignore-scripts --script-shell --node-options --prefix --globalconfig --userconfig
cmake | -P -E --toolchain -C
ctest | -S -SP -SS --build-and-test
ninja | -t
mvn mvnw | -f --file -s --settings -gs -t
gradle gradlew | -I --init-script -b --build-file -c --settings-file -g
eslint | --rulesdir --resolve-plugins-relative-to --plugin --parser -c --config
prettier stylelint | --plugin --config
jest vitest mocha | --globalSetup --setupFiles --require -r --testRunner --runner --transform --reporters
ruff black mypy pylint flake8 | --install-types --config --load-plugins --init-hook --python-executable
gcc g++ cc c++ clang clang++ rustc | -wrapper -B -specs -fplugin -C --linker -Xlinker
just task rake | -f --justfile --rakefile --taskfile -r --require --shell
git-lfs pre-commit | -c --config
"""
_STEERS = {
    name: frozenset(words.split())
    for names, words in (line.split("|") for line in _STEERING.strip().splitlines())
    for name in names.split()
}
Verbs = dict[str, tuple[str, str]]


def table(text: str) -> rows.Family:
    """Makes rows from a table of verbs; for one program the first line that names a verb decides."""
    programs: dict[str, Verbs] = {}
    joined = text.replace("\n  ", " ")
    for line in joined.splitlines():
        if not line.strip():
            continue
        names, named, does, spec = (cell.strip() for cell in line.split("|", 3))
        for name in names.split():
            known = programs.setdefault(name, {})
            for verb in named.split():
                if verb != "*" or "*" not in known:
                    known[verb] = known.get(verb, (does, spec)) if verb != "*" else (does, spec)
    family: rows.Family = {}
    for name, known in programs.items():
        family |= _reader(name, known)
    return family


def _reader(name: str, known: Verbs) -> rows.Family:
    def read(invocation: Invocation) -> Iterator[Effect]:
        yield from _of_verb(name, known, invocation)

    return rows.special(name, read)


def _of_verb(name: str, known: Verbs, invocation: Invocation) -> Iterator[Effect]:
    """The first word that is no option is taken for the verb; an option before it may hide another, so both count."""
    arguments = invocation.arguments
    first = arguments[0] if arguments else Known("")
    if len(arguments) == 1 and isinstance(first, Known) and first.text in ("-v", "-V") and first.text in known:
        yield ReadsOnly()
        return
    at = next((i for i, word in enumerate(arguments) if not rows.text_of(word).startswith("-")), None)
    verb = rows.text_of(arguments[at]) if at is not None else ""
    certain = at == 0 and isinstance(first, Known)
    default = known.get("*", ("runs", ""))
    does, spec = known.get(verb, default)
    what = name if set(known) == {"*"} else f"{name} {verb}".strip()
    if not certain and at is not None:
        # What stands before may take the word for its value.
        does = "tool" if "tool" in (does, default[0]) else "runs"
    match does:
        case "safe":
            parsed = options.parse(options.grammar(spec), arguments[1:])
            yield ReadsOnly()
            yield from rows.doubts(parsed, what, careful=True)
        case "tool":
            yield rows.tool(what)
        case _:
            yield Executes(f"{what} runs the project's code or configuration")
    yield from steered(name, what, invocation)
    if at is not None and not isinstance(arguments[at], Known):
        yield Unrecognised(f"what {name} is asked to do cannot be known")


def steered(name: str, what: str, invocation: Invocation) -> Iterator[Effect]:
    """What a builder's or test runner's words add: programs that its options name, and files outside."""
    steers = _STEERS.get(name, frozenset())
    if name in ("pytest", "py.test"):
        yield from _of_pytest(invocation)
    if name == "go" and any("@" in rows.text_of(word) for word in invocation.arguments):
        yield Executes(f"{what} of a version from elsewhere", danger=("a package@version is fetched and run",))
    words = (*invocation.arguments, Known(""))
    for argument, following in itertools.pairwise(words):
        text = rows.text_of(argument)
        if text.startswith("-pno:") or (text == "-p" and rows.text_of(following).startswith("no:")):
            # pytest: a plugin left out names nothing that runs.
            continue
        option, equals, value = text.partition("=")
        if text.startswith("-") and (option in steers or option[1:] in steers or text[:2] in steers):
            yield Executes(f"{what} {option}", danger=(f"{option} names what runs",))
        where = value if equals and text.startswith("-") else text
        if where.startswith(("/", "../")) or where == "..":
            yield Reads(rows.target(invocation, Known(where)))


def _of_pytest(invocation: Invocation) -> Iterator[Effect]:
    """What pytest's own options delete, write and read. Source: pytest and pytest-cov, command-line options."""
    words = (*invocation.arguments, Known(""))
    for argument, following in itertools.pairwise(words):
        text = rows.text_of(argument)
        option, equals, value = text.partition("=")
        where = Known(value) if equals else following
        if option.startswith("--baset"):
            # It is emptied before the first test.
            yield Deletes(rows.target(invocation, where), recursive=True)
        if option in ("--cov-report", "--junitxml", "--junit-xml", "--report-log", "--resultlog", "--html"):
            _, colon, path = rows.text_of(where).partition(":")
            place = Known(path) if option == "--cov-report" else where
            if colon or option != "--cov-report":
                yield Writes(rows.target(invocation, place))
        if text.startswith("@"):
            yield Executes(f"pytest {text}", danger=(f"{text} holds more options",))
        bundled = text[1:2] not in "-rkmnW" and text.startswith("-") and len(text) > 2
        if bundled and set("cop") & set(text[2:].partition("=")[0]):
            yield Executes(f"pytest {text}", danger=(f"{text} may name what runs",))
