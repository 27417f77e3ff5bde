"""The tree of a shell line: what `grammar` makes and the classifier reads.

It models the subset of bash that we vouch for; everything else is one `Opaque` in place of the whole line.
"""

from __future__ import annotations

from typing import Literal

from agentos_lsp.domain.command.value import value


@value
class Span:
    """A half-open range of characters of the line that was parsed, `start <= end`.

    Inside backticks, and in here-document bodies, positions name the whole construct that holds the text.
    """

    start: int
    end: int


@value
class Text:
    """Characters that stand for themselves, quotes removed; unquoted ones may still hold glob, brace or tilde."""

    value: str
    quoted: bool


@value
class Parameter:
    """`$name`, `${name}` or `${name…}`: `operation` is the text after the name, empty for a plain value.

    The length `${#name}` has the name `#name`, which no variable can have.
    """

    name: str
    operation: str
    quoted: bool
    scripts: tuple[Script, ...] = ()


@value
class Substitution:
    """A command substitution, `$(…)` or backticks."""

    script: Script
    quoted: bool


@value
class ProcessSubstitution:
    """`<(…)` or `>(…)`."""

    script: Script
    direction: Literal["<", ">"]


@value
class Arithmetic:
    """`$((…))`, with the command substitutions inside it."""

    expression: str
    quoted: bool
    scripts: tuple[Script, ...] = ()


WordPart = Text | Parameter | Substitution | ProcessSubstitution | Arithmetic


@value
class Word:
    """One word before expansion; `raw` is its source text."""

    raw: str
    parts: tuple[WordPart, ...]
    span: Span


@value
class Assignment:
    """`name=value`, `name+=value` or `name=(…)`: an array's words are in `items`, and `value` is then None.

    `name[0]=value` appends one item: an element changes, and the others stay.
    """

    name: str
    value: Word | None
    items: tuple[Word, ...] | None
    append: bool
    span: Span


@value
class HereDocument:
    """The body of `<<` or `<<-` (tabs stripped); `parts` is one quoted `Text` when the delimiter was quoted."""

    parts: tuple[WordPart, ...]
    quoted: bool


@value
class Redirection:
    """`operator` is one of `< > >> <> >| &> &>> >& <& << <<- <<<`; `descriptor` is the number before it, if any."""

    operator: str
    descriptor: int | None
    target: Word
    document: HereDocument | None
    span: Span


@value
class Simple:
    """A simple command: assignments, then words (none for a bare assignment or redirection)."""

    assignments: tuple[Assignment, ...]
    words: tuple[Word, ...]
    redirections: tuple[Redirection, ...]
    span: Span


@value
class Pipeline:
    """One or more commands joined by `|` or `|&`, each in a subshell of its own if there are several."""

    commands: tuple[Command, ...]
    negated: bool
    timed: bool
    span: Span


@value
class AndOr:
    """Pipelines joined by `&&` and `||`: `operators[i]` stands between pipelines `i` and `i + 1`."""

    pipelines: tuple[Pipeline, ...]
    operators: tuple[Literal["&&", "||"], ...]
    background: bool
    span: Span


@value
class Script:
    """A list of and-or lists in the order in which the shell reads them."""

    items: tuple[AndOr, ...]


@value
class Subshell:
    """`( … )`."""

    body: Script
    redirections: tuple[Redirection, ...]
    span: Span


@value
class Group:
    """`{ …; }`."""

    body: Script
    redirections: tuple[Redirection, ...]
    span: Span


@value
class If:
    """`if`/`elif` conditions with their bodies in order, then the `else` body."""

    branches: tuple[tuple[Script, Script], ...]
    otherwise: Script | None
    redirections: tuple[Redirection, ...]
    span: Span


@value
class Loop:
    """`while` or `until`."""

    keyword: Literal["while", "until"]
    condition: Script
    body: Script
    redirections: tuple[Redirection, ...]
    span: Span


@value
class For:
    """`for name in words; do …`; `words` is None for `for name; do …` (the positional parameters)."""

    name: str
    words: tuple[Word, ...] | None
    body: Script
    redirections: tuple[Redirection, ...]
    span: Span


@value
class Case:
    """`case subject in pattern|pattern) body ;; …`."""

    subject: Word
    arms: tuple[tuple[tuple[Word, ...], Script], ...]
    redirections: tuple[Redirection, ...]
    span: Span


@value
class Test:
    """`[[ … ]]`: its words, with operators left out; it starts nothing but the substitutions in its words.

    `(( … ))` is one word of one `Arithmetic`.
    """

    words: tuple[Word, ...]
    redirections: tuple[Redirection, ...]
    span: Span


@value
class Function:
    """`name() body`: defined here, run wherever a later command is called `name`."""

    name: str
    body: Command
    span: Span


Command = Simple | Subshell | Group | If | Loop | For | Case | Test | Function


@value
class Opaque:
    """A line that we do not vouch for; never allowed. `span` is where reading stopped."""

    reason: str
    span: Span
