"""From the tree of a line to the programs that it would start, in order, however deep they are.

The only place that follows the shell's control flow. Wherever a line may go two ways, both are followed.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, assert_never

from agentos_lsp.domain.command import commands, grammar, loops, opaque, verbs, words
from agentos_lsp.domain.command.effects import Executes
from agentos_lsp.domain.command.families import environment
from agentos_lsp.domain.command.invocation import Glob, Known, Prefix, Unknown
from agentos_lsp.domain.command.scope import Scope
from agentos_lsp.domain.command.steps import Context, Step, Walked
from agentos_lsp.domain.command.syntax import (
    Case,
    For,
    Function,
    Group,
    If,
    Loop,
    Opaque,
    Simple,
    Span,
    Subshell,
    Test,
)

if TYPE_CHECKING:
    from agentos_lsp.domain.command.invocation import Argument
    from agentos_lsp.domain.command.surroundings import Surroundings
    from agentos_lsp.domain.command.syntax import AndOr, Command, Pipeline, Redirection, Script

# Refused text that is longer is not searched.
_MOST_SEARCHED = 12_000
# A loop over more words than this is not followed round by round.
_MOST_ROUNDS = 12
_OTHER_SHELLS = frozenset(("zsh", "fish", "powershell"))


def walk(line: str, surroundings: Surroundings) -> Walked:
    """Finds every program that a line would start; never raises, whatever the line."""
    return _Walker().line(line, Scope(surroundings))


class _Walker(commands.CommandReader):
    """Follows the control flow of one line."""

    def __init__(self) -> None:
        super().__init__()
        self.rounds = 1

    def line(self, line: str, scope: Scope) -> Walked:
        """Follows a whole line."""
        self.code(line, scope, Context(line))
        return Walked(tuple(self.steps), self.exhausted)

    def code(self, text: str, scope: Scope, context: Context) -> None:
        """Reads shell text; what the grammar refuses is searched."""
        if context.depth > commands.MOST_DEPTH or self.left <= 0:
            self.exhausted = True
            return
        self.left -= len(text) // 100 if context.depth else 0
        found = grammar.parse(text)
        if scope.surroundings.shell in _OTHER_SHELLS:
            self._search(text, scope, context, Span(0, len(text)))
        if isinstance(found, Opaque):
            self._refused(text, found, scope, context)
        else:
            self.script(found, scope, context)

    def _refused(self, text: str, found: Opaque, scope: Scope, context: Context) -> None:
        span = context.span or found.span
        doubt = f"it is not understood: {found.reason}"
        self.steps.append(
            Step((), (), (doubt, *context.doubts), span, text, (), wraps=False, only_blocks=context.only_blocks)
        )
        self._search(text, scope, context, span)

    def _search(self, text: str, scope: Scope, context: Context, span: Span) -> None:
        """Looks for blocks in text that is not read with certainty."""
        span = context.span or span
        searching = replace(context, only_blocks=True, depth=context.depth + 1, span=span)
        text = opaque.plain(text)
        if not verbs.mentions(text):
            return
        if len(text) > _MOST_SEARCHED:
            self.exhausted = True
            return
        inner = scope.copy()
        seen: set[tuple[Argument, ...]] = set()
        for arguments in opaque.commands(text):
            if arguments in seen:
                continue
            seen.add(arguments)
            assignments, rest = _leading_assignments(arguments)
            for name, value in assignments:
                inner.assign(name, value)
            if rest:
                self.command(
                    rest, (), (), (), inner, searching, span, " ".join(commands.shown(word) or "…" for word in rest)
                )
            if self.exhausted:
                return

    def script(self, script: Script, scope: Scope, context: Context) -> None:
        """Follows a list of commands."""
        for item in script.items:
            if len(item.pipelines) == 1 and not item.background:
                self._pipeline(item.pipelines[0], scope, context)
            else:
                self._and_or(item, scope, context)

    def _and_or(self, item: AndOr, scope: Scope, context: Context) -> None:
        if item.background:
            context = replace(context, doubts=(*context.doubts, "it runs in the background"))
            scope = scope.copy()
        before = scope.copy() if "||" in item.operators else scope
        for i, pipeline in enumerate(item.pipelines):
            if i == 0 or item.operators[i - 1] == "&&":
                self._pipeline(pipeline, scope, context)
                continue
            succeeded = scope.copy()
            failed = before.copy()
            if i > 1:
                failed.join([before, scope])
            self._pipeline(pipeline, failed, context)
            scope.join([succeeded, failed])

    def _pipeline(self, pipeline: Pipeline, scope: Scope, context: Context) -> None:
        if pipeline.timed:
            context = replace(context, wrappers=(*context.wrappers, "time"))
        if len(pipeline.commands) == 1:
            self.part(pipeline.commands[0], scope, context)
            return
        stdin: str | None = context.stdin
        for i, command in enumerate(pipeline.commands):
            inner = context if i == 0 else context.piped(stdin)
            self.piped = i + 1 < len(pipeline.commands)
            stdin = self.part(command, scope.copy(), inner)

    def part(  # noqa: C901 - one arm per kind of command
        self, command: Command, scope: Scope, context: Context
    ) -> str | None:
        """Follows one command; gives back what it certainly prints."""
        if self.left <= 0 or context.depth > 4 * commands.MOST_DEPTH:
            self.exhausted = True
            return None
        match command:
            case Simple():
                return self.simple(command, scope, context)
            case Subshell(body, found, span):
                context = self._around(found, scope, context, span)
                self.script(body, scope.copy(), context)
            case Group(body, found, span):
                context = self._around(found, scope, context, span)
                self.script(body, scope, context)
            case If():
                self._if(command, scope, context)
            case Loop(_, condition, body, found, span):
                context = self._around(found, scope, context, span)
                before = self._varying((condition, body), scope)
                self.script(condition, scope, context)
                self.script(body, scope, context)
                scope.join([before, scope.copy()])
            case For():
                self._for(command, scope, context)
            case Case():
                self._case(command, scope, context)
            case Test():
                self._test(command, scope, context)
            case Function(name, body, span):
                scope.functions[name] = body
                self.note(f"it defines a function, {name}", span, context)
                self.part(body, scope.copy(), replace(context, depth=context.depth + 1))
            case _:
                assert_never(command)
        return None

    def _if(self, command: If, scope: Scope, context: Context) -> None:
        context = self._around(command.redirections, scope, context, command.span)
        ends: list[Scope] = []
        for condition, body in command.branches:
            self.script(condition, scope, context)
            taken = scope.copy()
            self.script(body, taken, context)
            ends.append(taken)
        last = scope.copy()
        if command.otherwise is not None:
            self.script(command.otherwise, last, context)
        scope.join([*ends, last])

    def _case(self, command: Case, scope: Scope, context: Context) -> None:
        context = self._around(command.redirections, scope, context, command.span)
        self.expansions(command.subject.parts, scope, context)
        ends = [scope.copy()]
        for patterns, body in command.arms:
            for pattern in patterns:
                self.expansions(pattern.parts, scope, context)
            taken = scope.copy()
            self.script(body, taken, context)
            ends.append(taken)
        scope.join(ends)

    def _for(self, command: For, scope: Scope, context: Context) -> None:
        context = self._around(command.redirections, scope, context, command.span)
        values: tuple[Argument, ...] = scope.positionals or (Unknown("$@", quoted=True),)
        if command.words is not None:
            for word in command.words:
                self.expansions(word.parts, scope, context)
            values = tuple(found for word in command.words for found in words.resolve(word, scope))
            if any(words.is_computed(word) for word in command.words):
                context = replace(context, doubts=(*context.doubts, "the loop's words are computed"))
        if not values:
            return
        judged = environment.judge(command.name)
        if isinstance(judged, Executes):
            # PATH, LD_PRELOAD, HOME and their like decide what every command of the body runs or reads.
            context = replace(context, doubts=(*context.doubts, f"the loop sets {command.name}"))
        rounds = self.rounds * len(values)
        if rounds <= _MOST_ROUNDS and all(isinstance(found, Known) for found in values):
            self.rounds = rounds
            for found in values:
                scope.assign(command.name, found)
                self.script(command.body, scope, context)
            self.rounds = rounds // len(values)
            scope.ended = False
            return
        before = self._varying((command.body,), scope)
        scope.vary(command.name, values)
        if len(values) > 1:
            context = replace(context, doubts=(*context.doubts, "the loop has many words"))
        self.script(command.body, scope, context)
        scope.join([before, scope.copy()])

    def _varying(self, bodies: tuple[Script, ...], scope: Scope) -> Scope:
        """Forgets what a loop changes; gives back the scope in case it never runs."""
        before = scope.copy()
        found = loops.changes(bodies, scope.functions)
        scope.forget(frozenset(found.names), moves=found.moves, everything=found.everything)
        return before

    def _test(self, command: Test, scope: Scope, context: Context) -> None:
        context = self._around(command.redirections, scope, context, command.span)
        doubts = list(context.doubts)
        for word in command.words:
            self.expansions(word.parts, scope, context)
            for found in words.resolve(word, scope):
                # Source: bash(1): the operands of -eq and kin, and of -v, are expressions, where a subscript runs code.
                text = found.text if isinstance(found, Known) else found.pattern if isinstance(found, Glob) else "$("
                certain = "$(" not in text and "`" not in text
                doubts.extend(() if certain else (f"{word.raw} in a test is not certain",))
        if len(doubts) > len(context.doubts):
            self._search(" ; ".join(word.raw for word in command.words), scope, context, command.span)
        if doubts:
            self.step((), (), tuple(doubts), command.span, context, self.slice(command.span, context), ())

    def _around(self, found: tuple[Redirection, ...], scope: Scope, context: Context, span: Span) -> Context:
        """Notes the redirections around a compound command; what they feed reaches the commands inside."""
        effects, fed = self.redirected(found, scope, context)
        if effects:
            self.step((), effects, context.doubts, span, context, self.slice(span, context), ())
        if fed is not None:
            context = replace(context, stdin=fed.text)
        return replace(context, depth=context.depth + 1)


def _leading_assignments(
    arguments: tuple[Argument, ...],
) -> tuple[list[tuple[str, Argument]], tuple[Argument, ...]]:
    found: list[tuple[str, Argument]] = []
    for i, argument in enumerate(arguments):
        text = argument.text if isinstance(argument, (Known, Prefix)) else ""
        name, equals, value = text.partition("=")
        if not equals or not name.isidentifier():
            return found, arguments[i:]
        found.append((name, Known(value) if isinstance(argument, Known) else Unknown(text, quoted=False)))
    return found, ()
