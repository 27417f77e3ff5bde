"""Simple commands: their words resolved, their wrappers seen through, and each noted as a step.

The control flow around them is followed by `walk`, which extends the class here.
"""

from __future__ import annotations

import abc
import re
from dataclasses import replace
from typing import TYPE_CHECKING, assert_never

from agentos_lsp.domain.command import (
    inside,
    outputs,
    paths,
    redirections,
    shell_state,
    verbs,
    words,
    wrapper_table,
    wrappers,
)
from agentos_lsp.domain.command.effects import Reads
from agentos_lsp.domain.command.families import environment
from agentos_lsp.domain.command.invocation import Glob, Invocation, Known, Prefix, Unknown
from agentos_lsp.domain.command.steps import Context, Step
from agentos_lsp.domain.command.syntax import ProcessSubstitution, Text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from agentos_lsp.domain.command.effects import Effect
    from agentos_lsp.domain.command.invocation import Argument
    from agentos_lsp.domain.command.scope import Scope
    from agentos_lsp.domain.command.syntax import Assignment, Command, Redirection, Script, Simple, Span, Word, WordPart

# Bounds on the work for one line; beyond them it is not allowed, and blocked if it names a program that may be blocked.
_MOST_STEPS = 200
MOST_DEPTH = 40
# Shells and builtins that read a file of commands.
_READERS = wrapper_table.SHELLS | {"source", "."}
# Wrappers that run the inner command in the shell itself.
_IN_PLACE = frozenset(("command", "builtin", "noglob", "nocorrect"))
# Wrappers whose inner command a prefix may vouch for together with them.
_RUNNERS = frozenset(
    "npx bunx pnpx uvx uv poetry pipenv pdm rye hatch pixi pipx bundle npm pnpm yarn bun coverage".split()  # noqa: SIM905 - a table reads better
)
_MOVING = frozenset(("cd", "chdir", "pushd", "popd"))
_HOST_AFTER_HOLE = re.compile(r"\$\{_\}(?:\.[\w-]+)*\.(?!localhost)[A-Za-z]{2,}\.?(?=[/:?#]|\Z)")


class CommandReader(abc.ABC):
    """Collects the steps of one line; `left` is how much work may still be done for it."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.left = _MOST_STEPS
        self.exhausted = False
        self.piped = False
        self.templates: dict[Prefix | Unknown | Glob, str] = {}

    @abc.abstractmethod
    def script(self, script: Script, scope: Scope, context: Context) -> None:
        """Follows a list of commands."""

    @abc.abstractmethod
    def part(self, command: Command, scope: Scope, context: Context) -> str | None:
        """Follows one command of a pipeline; gives back what it certainly prints."""

    @abc.abstractmethod
    def code(self, text: str, scope: Scope, context: Context) -> None:
        """Follows shell text."""

    def simple(self, command: Simple, scope: Scope, context: Context) -> str | None:
        """Follows a simple command; gives back what it certainly prints."""
        piped, self.piped = self.piped, False
        arguments, doubts, spoken = self._resolved(command.words, scope, context)
        assignments: tuple[tuple[str, Argument], ...] = ()
        if command.assignments:
            assignments, computed = self._assigned(command.assignments, scope, context)
            doubts = (*doubts, *computed)
        effects, fed = self.redirected(command.redirections, scope, context)
        if not arguments:
            self._bare(assignments, effects, doubts, scope, context, command.span)
            return None
        name = inside.text_of(arguments[0]).rpartition("/")[2]
        if name in _READERS and len(arguments) > 1:
            printed = self._script_file(command, arguments, scope)
            fed = fed if printed is None else redirections.Fed(printed, certain=True)
        if fed is not None:
            context = replace(context, stdin=fed.text, reads_pipe=False)
            if not fed.certain:
                doubts = (*doubts, "the here-document is not certain")
        text = context.source[command.span.start : command.span.end]
        self.command(tuple(arguments), assignments, effects, doubts, scope, context, command.span, text, spoken)
        if name not in outputs.NAMES or not (piped or command.redirections or name == "tee"):
            return None
        printed = outputs.printed(arguments, context.stdin, scope)
        if printed is not None:
            self._remember(command, arguments, printed, scope)
        return printed

    @staticmethod
    def _remember(command: Simple, arguments: list[Argument], printed: str, scope: Scope) -> None:
        """Notes the files into which a command certainly prints."""
        for redirection in command.redirections:
            if redirection.operator in (">", ">|", ">>", "&>") and redirection.descriptor in (None, 1):
                outputs.keep(arguments, words.one(redirection.target, scope), printed, scope)
        if inside.text_of(arguments[0]) == "tee":
            for argument in arguments[1:]:
                outputs.keep(arguments, argument, printed, scope)

    def _resolved(
        self, written: tuple[Word, ...], scope: Scope, context: Context
    ) -> tuple[list[Argument], tuple[str, ...], tuple[Argument, ...]]:
        """Resolves the words of a command, and says which of them are computed, and which of those are only printed."""
        arguments: list[Argument] = []
        doubts = context.doubts
        spoken: tuple[Argument, ...] = ()
        for word in written:
            found = words.resolve(word, scope)
            arguments.extend(found)
            if len(word.parts) == 1 and isinstance(word.parts[0], Text):
                continue
            self.expansions(word.parts, scope, context)
            if words.is_computed(word):
                if _prints(arguments, found) and words.is_spoken(word, scope):
                    spoken = (*spoken, *found)
                else:
                    doubts = (*doubts, f"{word.raw} is computed when the line runs")
            for argument in found:
                if not isinstance(argument, Known):
                    self.templates[argument] = words.template(word.parts, scope)
        return arguments, doubts, spoken

    def _assigned(
        self, written: tuple[Assignment, ...], scope: Scope, context: Context
    ) -> tuple[tuple[tuple[str, Argument], ...], list[str]]:
        """Resolves assignments, and says which of them are computed."""
        assignments: list[tuple[str, Argument]] = []
        doubts: list[str] = []
        for assignment in written:
            value = words.value(assignment.value, scope)
            held = assignment.items or (() if assignment.value is None else (assignment.value,))
            for word in held:
                self.expansions(word.parts, scope, context)
                if words.is_computed(word):
                    doubts.append(f"{assignment.name} is computed when the line runs")
            if assignment.items is not None:
                items = tuple(found for word in assignment.items for found in words.resolve(word, scope))
                before = scope.variables.get(f"{assignment.name}[@]", ()) if assignment.append else ()
                scope.vary(f"{assignment.name}[@]", (*before, *items))
            if assignment.items is not None or assignment.append:
                value = Unknown(f"${assignment.name}", quoted=False)
            assignments.append((assignment.name, value))
        return tuple(assignments), doubts

    def _script_file(self, command: Simple, arguments: list[Argument], scope: Scope) -> str | None:
        """What `bash <(echo …)` would run, if that is certain; the argument is then standard input."""
        for i, word in enumerate(command.words[1:], start=1):
            match word.parts:
                case (ProcessSubstitution(script, "<"),) if len(arguments) == len(command.words):
                    printed = words.output(script, scope)
                    if printed is not None:
                        arguments[i] = Known("/dev/stdin")
                        return printed
                case _:
                    pass
        return None

    def _bare(
        self,
        assignments: tuple[tuple[str, Argument], ...],
        effects: tuple[Effect, ...],
        doubts: tuple[str, ...],
        scope: Scope,
        context: Context,
        span: Span,
    ) -> None:
        """Assignments or redirections without a command."""
        for name, value in assignments:
            scope.assign(name, value)
            judged = environment.judge(name)
            if judged is not None:
                effects = (*effects, judged)
        if assignments or effects or doubts:
            written = tuple(f"{name}={shown(value) or '…'}" for name, value in assignments)
            self.step((), effects, doubts, span, context, self.slice(span, context), written)

    def command(  # noqa: PLR0913, PLR0917 - what surrounds a command, at the one place where all of it meets
        self,
        arguments: tuple[Argument, ...],
        assignments: tuple[tuple[str, Argument], ...],
        effects: tuple[Effect, ...],
        doubts: tuple[str, ...],
        scope: Scope,
        context: Context,
        span: Span,
        text: str,
        spoken: tuple[Argument, ...] = (),
    ) -> None:
        """Notes one command whose words are resolved, and follows what it starts."""
        if self.left <= 0 or context.depth > MOST_DEPTH:
            self.exhausted = True
            return
        program, rest = arguments[0], arguments[1:]
        name = program.text.rpartition("/")[2] if isinstance(program, Known) else ""
        stdin = context.stdin if context.stdin is None or "${_}" not in context.stdin else None
        invocations = tuple(
            [
                Invocation(
                    program, name, rest, assignments, folder, context.wrappers, context.reads_pipe, stdin, span, text,
                    scope.surroundings,
                )
                for folder in scope.cwds
            ]
        )  # fmt: skip
        first = invocations[0] if stdin is context.stdin else replace(invocations[0], stdin=context.stdin)
        started = wrappers.unwrap(first, self._written)
        if scope.tainted:
            doubts = (*doubts, "code that cannot be read ran before it")
        if name in _MOVING:
            shell_state.follow(name, rest, scope)
            reached = [
                Reads(paths.target(_folder(found), None, scope.surroundings), content=False) for found in scope.cwds
            ]
            effects = (*effects, *reached)
        wraps = bool(started) and any(not (isinstance(found, inside.Code) and found.recipe) for found in started)
        self.step(invocations, effects, doubts, span, context, text, _known(arguments), wraps=wraps, spoken=spoken)
        for found in started:
            self._inner(found, name, scope, context, span)
        if name == "git":
            scope.switch_branch(rest)
        if scope.files:
            self._written_before(program, name, rest, scope, context, span)
        if name in scope.functions and not context.wrappers:
            self._call(name, rest, scope, context)
        if name in shell_state.NAMES and name not in _MOVING:
            shell_state.follow(name, rest, scope, context.stdin)
        if name in verbs.NETWORK and not all(isinstance(argument, Known) for argument in rest):
            self._guessed(arguments, scope, context, span, text)

    def _written_before(
        self, program: Argument, name: str, rest: tuple[Argument, ...], scope: Scope, context: Context, span: Span
    ) -> None:
        """Looks into a script that the line itself wrote before it runs it; this may block, and allows nothing."""
        script = program if isinstance(program, Known) and "/" in program.text else None
        if name in _READERS:
            words = (word for word in rest if isinstance(word, Known))
            script = next((word for word in words if outputs.kept(word.text, scope) is not None), None)
        text = outputs.kept(script.text, scope) if script is not None else None
        if text is not None:
            self._inner(inside.Code(text, recipe=True), name, scope, context, span)

    def _guessed(self, arguments: tuple[Argument, ...], scope: Scope, context: Context, span: Span, text: str) -> None:
        """Judges `dig "$secret.example.com"`: whatever the hole holds, the end of the host is certain."""
        guessed = tuple(self._completed(argument) for argument in arguments)
        if guessed == arguments:
            return
        name = self._written(arguments[0]).rpartition("/")[2]
        found = tuple(
            Invocation(
                guessed[0],
                name,
                guessed[1:],
                (),
                folder,
                context.wrappers,
                reads_pipe=False,
                stdin=None,
                span=span,
                text=text,
                surroundings=scope.surroundings,
            )
            for folder in scope.cwds
        )
        self.step(found, (), (), span, replace(context, only_blocks=True), text, _known(guessed))

    def _completed(self, argument: Argument) -> Argument:
        if isinstance(argument, Known):
            return argument
        if isinstance(argument, Glob):
            # A pattern that matches no file stands for itself.
            return Known(argument.pattern)
        written = self._written(argument)
        return Known(written.replace("${_}", "x")) if _HOST_AFTER_HOLE.search(written) else argument

    def _inner(self, found: inside.Inner, name: str, scope: Scope, context: Context, span: Span) -> None:
        """Follows what a wrapper starts."""
        context = replace(
            context,
            wrappers=(*context.wrappers, name),
            depth=context.depth + 1,
            span=context.span or span,
            only_blocks=context.only_blocks or name in _RUNNERS,
        )
        match found:
            case inside.Command(command, assignments, folder):
                if name not in _IN_PLACE:
                    scope = scope.copy()
                if folder is not None:
                    scope.change_folder((folder,))
                text = " ".join(shown(word) or "…" for word in command)
                self.command(command, assignments, (), context.doubts, scope, context, context.span or span, text)
            case inside.Code():
                self._given_code(found, name, scope, context)
            case inside.Hidden(why):
                if why:
                    self.step((), (), (why,), span, context, why, ())
            case _:
                assert_never(found)

    def _given_code(self, found: inside.Code, name: str, scope: Scope, context: Context) -> None:
        """Follows shell text that a wrapper runs."""
        if not found.here:
            scope = scope.copy()
            scope.functions = {}
        if found.positionals is not None:
            scope.positionals = found.positionals
        if found.zero is not None:
            scope.variables["0"] = (found.zero,)
        doubts = context.doubts if found.certain else (*context.doubts, f"what {name} runs is not certain")
        only_blocks = context.only_blocks or found.recipe
        self.code(
            found.text, scope, replace(context, source=found.text, stdin=None, doubts=doubts, only_blocks=only_blocks)
        )

    def _call(self, name: str, arguments: tuple[Argument, ...], scope: Scope, context: Context) -> None:
        positionals, ended = scope.positionals, scope.ended
        scope.positionals = arguments
        self.part(scope.functions[name], scope, replace(context, depth=context.depth + 1))
        scope.positionals, scope.ended = positionals, ended

    def expansions(self, parts: Iterable[WordPart], scope: Scope, context: Context) -> None:
        """Follows the scripts that run while a word is expanded."""
        for script in words.scripts(parts):
            self.script(script, scope.copy(), replace(context, depth=context.depth + 1, stdin=None, reads_pipe=False))

    def redirected(
        self, found: tuple[Redirection, ...], scope: Scope, context: Context
    ) -> tuple[tuple[Effect, ...], redirections.Fed | None]:
        """Follows what runs inside redirections, and says what they do and feed."""
        if not found:
            return (), None
        for redirection in found:
            self.expansions(redirection.target.parts, scope, context)
            if redirection.document is not None:
                self.expansions(redirection.document.parts, scope, context)
        return redirections.read(found, scope)

    def note(self, doubt: str, span: Span, context: Context) -> None:
        """Notes something that is no command."""
        self.step((), (), (doubt, *context.doubts), span, context, self.slice(span, context), ())

    def step(  # noqa: PLR0913 - the fields of a step
        self,
        invocations: tuple[Invocation, ...],
        effects: tuple[Effect, ...],
        doubts: tuple[str, ...],
        span: Span,
        context: Context,
        text: str,
        known: tuple[str | None, ...],
        *,
        wraps: bool = False,
        spoken: tuple[Argument, ...] = (),
    ) -> None:
        """Notes one command."""
        self.left -= 1 + len(known) // 8
        self.steps.append(
            Step(invocations, effects, doubts, context.span or span, text, known, wraps, context.only_blocks, spoken)
        )

    def slice(self, span: Span, context: Context) -> str:
        """The source text of a span."""
        return context.source[span.start : span.end]

    def _written(self, argument: Argument) -> str:
        """Writes an argument as shell text; what is not certain becomes a variable that nobody knows."""
        match argument:
            case Known(text):
                return text
            case Prefix(text, _):
                return self.templates.get(argument, text + "${_}")
            case Unknown():
                return self.templates.get(argument, "${_}")
            case Glob(pattern, _):
                return pattern
            case _:
                assert_never(argument)


def _prints(arguments: list[Argument], found: tuple[Argument, ...]) -> bool:
    """Tells whether the last of these arguments are words that `echo` or, behind its format, `printf` only prints."""
    before = len(arguments) - len(found)
    program = arguments[0]
    if not isinstance(program, Known) or before == 0:
        return False
    return program.text == "echo" or (
        program.text == "printf" and before > 1 and isinstance(arguments[1], Known) and arguments[1].text[:1] != "-"
    )


def shown(argument: Argument) -> str | None:
    """The text of an argument that is certain."""
    match argument:
        case Known(text):
            return text
        case _:
            return None


def _known(arguments: tuple[Argument, ...]) -> tuple[str | None, ...]:
    """The texts of arguments, None for each that is not certain."""
    return tuple([argument.text if isinstance(argument, Known) else None for argument in arguments])


def _folder(folder: str | None) -> Argument:
    return Unknown("the folder", quoted=True) if folder is None else Known(folder)
