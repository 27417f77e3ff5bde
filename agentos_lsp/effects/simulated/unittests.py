"""Judges small tests by reading them: `assertEqual(module.function(1, 2), 3)`, worked out as arithmetic. Pure.

Nothing is executed. What is no such assertion is an error that says so, as a test runner would.
"""

from __future__ import annotations

import ast
import operator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Number = int | float

_OPERATORS: dict[type[ast.operator], Callable[[Number, Number], Number]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_DEPTH = 20


class UnreadableError(Exception):
    """An expression that cannot be worked out here; caught in this module."""


@dataclass(frozen=True, slots=True)
class Done:
    """What a test runner would print, in pieces, and whether all tests passed."""

    printed: tuple[str, ...]
    well: bool


def run(files: Mapping[str, str]) -> Done:
    """Runs every test of the files `test*.py` at the root, in the order of their names."""
    marks, stories = [], []
    for path in sorted(path for path in files if path.startswith("test") and path.endswith(".py") and "/" not in path):
        try:
            tests = _tests(files[path])
        except SyntaxError as error:
            marks.append("E")
            stories.append(f"{'=' * 70}\nERROR: {path} (line {error.lineno}: {error.msg})\n")
            continue
        for name, test in tests:
            wrong = _wrong(test, files)
            marks.append("." if wrong is None else "F")
            if wrong is not None:
                stories.append(f"{'=' * 70}\nFAIL: {name} ({path})\n{'-' * 70}\n{wrong}\n")
    count = f"{'-' * 70}\nRan {len(marks)} test{'s' if len(marks) != 1 else ''}\n\n"
    well = not stories and bool(marks)
    end = "OK\n" if well else f"FAILED (failures={len(stories)})\n" if marks else "NO TESTS RAN\n"
    return Done((*marks, "\n", *stories, count, end), well)


def _tests(text: str) -> list[tuple[str, ast.FunctionDef]]:
    return [
        (one.name, one)
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.ClassDef)
        for one in node.body
        if isinstance(one, ast.FunctionDef) and one.name.startswith("test")
    ]


def _wrong(test: ast.FunctionDef, files: Mapping[str, str]) -> str | None:
    """Returns what is wrong with a test's outcome, None if it passes."""
    try:
        for line in test.body:
            match line:
                case ast.Expr(value=ast.Call(func=ast.Attribute(attr="assertEqual"), args=[found, wanted])):
                    one, other = _value(found, files, {}, 0), _value(wanted, files, {}, 0)
                    if one != other:
                        return f"AssertionError: {one} != {other}"
                case ast.Expr(value=ast.Constant()) | ast.Pass():
                    pass
                case _:
                    return f"The demo cannot judge line {line.lineno}."
    except (UnreadableError, ArithmeticError, SyntaxError) as error:
        return f"{type(error).__name__.removesuffix('Error')}: {error}"
    return None


def _value(node: ast.expr, files: Mapping[str, str], names: Mapping[str, Number], depth: int) -> Number:
    """Works out an expression of numbers, names, operators, and calls of functions that only return one."""
    if depth > _DEPTH:
        raise UnreadableError("it calls too deeply")
    match node:
        case ast.Constant(value=int() | float() as number):
            return number
        case ast.Name(id=name) if name in names:
            return names[name]
        case ast.BinOp(left=left, op=how, right=right) if type(how) in _OPERATORS:
            sides = _value(left, files, names, depth + 1), _value(right, files, names, depth + 1)
            return _OPERATORS[type(how)](*sides)
        case ast.Call(func=ast.Attribute(value=ast.Name(id=module), attr=name), args=given):
            values = [_value(one, files, names, depth + 1) for one in given]
            return _called(files.get(f"{module}.py", ""), name, values, files, depth)
        case _:
            raise UnreadableError(f"the demo cannot work out `{ast.unparse(node)}`")


def _called(text: str, name: str, values: list[Number], files: Mapping[str, str], depth: int) -> Number:
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef) and node.name == name and len(node.args.args) == len(values):
            last = node.body[-1]
            if isinstance(last, ast.Return) and last.value is not None:
                names = {argument.arg: value for argument, value in zip(node.args.args, values, strict=True)}
                return _value(last.value, files, names, depth + 1)
    raise UnreadableError(f"there is no function {name} that the demo can work out")
