"""What the walker finds in a line: steps, and how each was reached."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentos_lsp.domain.command.value import value

if TYPE_CHECKING:
    from agentos_lsp.domain.command.effects import Effect
    from agentos_lsp.domain.command.invocation import Argument, Invocation
    from agentos_lsp.domain.command.syntax import Span


@value
class Step:
    """One simple command with what surrounds it.

    `invocations` holds one per folder that it may run in, none for a bare assignment or redirection; `effects` are
    those of redirections and assignments; `doubts` say why it is not merely words on a line. `wraps` tells that it
    starts other commands, which are steps of their own; `only_blocks` that it may tighten the verdict, no more.
    `spoken` are arguments that only repeat what other steps print, to a program that does nothing but print them.
    """

    invocations: tuple[Invocation, ...]
    effects: tuple[Effect, ...]
    doubts: tuple[str, ...]
    span: Span
    text: str
    words: tuple[str | None, ...]
    wraps: bool
    only_blocks: bool
    spoken: tuple[Argument, ...] = ()


@value
class Walked:
    """What was found; `exhausted` tells that the line was too big or too deep to be followed to its end."""

    steps: tuple[Step, ...]
    exhausted: bool


@value
class Context:
    """How a part of the line was reached."""

    source: str
    span: Span | None = None
    wrappers: tuple[str, ...] = ()
    depth: int = 0
    only_blocks: bool = False
    doubts: tuple[str, ...] = ()
    stdin: str | None = None
    reads_pipe: bool = False

    def piped(self, stdin: str | None) -> Context:
        """The context of a command that reads from the one before it."""
        # Written out, since `dataclasses.replace` is slow and this is a hot path.
        return Context(
            self.source, self.span, self.wrappers, self.depth, self.only_blocks, self.doubts, stdin, reads_pipe=True
        )
