"""A shell tree as compact text, so that a test reads as "line in, tree out".

Words of plain characters stand for themselves and quoted text is in `'…'`; a value with an expansion shows it as
`$name`, `${name operation}`, `$(script)`, `<(script)` or `$((expression))`, with a `q` before it if it is quoted.
"""

from __future__ import annotations

from typing import assert_never

from agentos_lsp.domain.command import grammar, syntax


def rendered(line: str) -> str:
    """Reads a line and writes its tree; a line that is refused becomes `opaque START-END: reason`."""
    found = grammar.parse(line)
    if isinstance(found, syntax.Opaque):
        return f"opaque {found.span.start}-{found.span.end}: {found.reason}"
    return script(found)


def script(found: syntax.Script) -> str:
    return "; ".join(_item(item) for item in found.items)


def word(found: syntax.Word) -> str:
    return "".join(_part(part) for part in found.parts) or "-"


def _item(item: syntax.AndOr) -> str:
    text = _pipeline(item.pipelines[0])
    for operator, pipeline in zip(item.operators, item.pipelines[1:], strict=True):
        text += f" {operator} {_pipeline(pipeline)}"
    return text + (" &" if item.background else "")


def _pipeline(found: syntax.Pipeline) -> str:
    flags = ("time " if found.timed else "") + ("! " if found.negated else "")
    return flags + " | ".join(_command(command) for command in found.commands)


def _command(command: syntax.Command) -> str:
    match command:
        case syntax.Simple(assignments, words, redirections):
            pieces = [_assignment(assignment) for assignment in assignments]
            return " ".join([*pieces, *(word(one) for one in words), *(_redirection(one) for one in redirections)])
        case syntax.Subshell(body, redirections):
            text = f"( {script(body)} )"
        case syntax.Group(body, redirections):
            text = f"{{ {script(body)} }}"
        case syntax.If(branches, otherwise, redirections):
            text = " el".join(f"if [{script(condition)}] {{{script(body)}}}" for condition, body in branches)
            text += "" if otherwise is None else f" else {{{script(otherwise)}}}"
        case syntax.Loop(keyword, condition, body, redirections):
            text = f"{keyword} [{script(condition)}] {{{script(body)}}}"
        case syntax.For(name, words, body, redirections):
            given = "" if words is None else " in " + ",".join(word(one) for one in words)
            text = f"for {name}{given} {{{script(body)}}}"
        case syntax.Case(subject, arms, redirections):
            written = (f" {'|'.join(word(one) for one in patterns)}: {{{script(body)}}}" for patterns, body in arms)
            text = f"case {word(subject)}{''.join(written)}"
        case syntax.Test(words, redirections):
            text = f"test {','.join(word(one) for one in words)}"
        case syntax.Function(name, body):
            return f"function {name} = {_command(body)}"
        case _:
            assert_never(command)
    return " ".join([text, *(_redirection(one) for one in redirections)])


def _assignment(found: syntax.Assignment) -> str:
    sign = "+=" if found.append else "="
    if found.items is not None:
        return f"{found.name}{sign}({','.join(word(one) for one in found.items)})"
    return f"{found.name}{sign}{'' if found.value is None else word(found.value)}"


def _redirection(found: syntax.Redirection) -> str:
    number = "" if found.descriptor is None else str(found.descriptor)
    if found.document is None:
        return f"{number}{found.operator}{word(found.target)}"
    body = "".join(_part(part) for part in found.document.parts)
    return f"{number}{found.operator}{'raw' if found.document.quoted else 'live'}{body!r}"


def _part(part: syntax.WordPart) -> str:
    match part:
        case syntax.Text(value, quoted):
            return f"'{value}'" if quoted else value
        case syntax.Parameter(name, operation, quoted, scripts):
            inner = "".join(f" <{script(one)}>" for one in scripts)
            plain = f"${name}" if not operation else f"${{{name} {operation}{inner}}}"
            return f"q{plain}" if quoted else plain
        case syntax.Substitution(inside, quoted):
            return f"{'q' if quoted else ''}$({script(inside)})"
        case syntax.ProcessSubstitution(inside, direction):
            return f"{direction}({script(inside)})"
        case syntax.Arithmetic(expression, quoted, scripts):
            inner = "".join(f" <{script(one)}>" for one in scripts)
            return f"{'q' if quoted else ''}$(({expression}{inner}))"
        case _:
            assert_never(part)
