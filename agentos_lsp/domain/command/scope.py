"""What a shell knows at one point of a line: its folder, variables, functions and positional parameters.

The only place that follows `cd` and its kin. A scope changes as the walker moves on; a subshell gets a copy.
"""

from __future__ import annotations

import posixpath  # Pure text functions; nothing here asks the file system.
from dataclasses import replace
from typing import TYPE_CHECKING

from agentos_lsp.domain.command import paths
from agentos_lsp.domain.command.invocation import Known, Unknown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from agentos_lsp.domain.command.invocation import Argument
    from agentos_lsp.domain.command.surroundings import Surroundings
    from agentos_lsp.domain.command.syntax import Command

Folder = str | None
# More possible folders than this count as "not known".
_MOST_FOLDERS = 4
_MOST_VALUES = 16


class Scope:
    """The state of a shell. `cwds` are the folders it may be in, None among them for one that cannot be known.

    `variables` maps a name to the values it may have, one after the other in a loop with many words; `positionals` is
    None if `$1` and the others cannot be known. `tainted` tells that code which we cannot read ran in this shell,
    `unset` that variables of which nothing is known count as unset. `files` are those that the line itself writes, by
    path, where their text is certain: all copies share them, for the file system is one.
    """

    __slots__ = (
        "cwds",
        "ended",
        "files",
        "functions",
        "positionals",
        "previous",
        "stack",
        "surroundings",
        "tainted",
        "unset",
        "variables",
    )

    def __init__(self, surroundings: Surroundings) -> None:
        self.surroundings = surroundings
        self.cwds: tuple[Folder, ...] = (surroundings.cwd,)
        self.previous: tuple[Folder, ...] = (None,)
        self.stack: tuple[tuple[Folder, ...], ...] | None = ()
        self.variables: dict[str, tuple[Argument, ...]] = {}
        self.functions: dict[str, Command] = {}
        self.files: dict[str, str] = {}
        self.positionals: tuple[Argument, ...] | None = None
        self.tainted = False
        self.ended = False
        self.unset = False

    def copy(self) -> Scope:
        """Makes the scope of a subshell, or of a branch that may not run."""
        other = Scope.__new__(Scope)
        other.surroundings = self.surroundings
        other.cwds = self.cwds
        other.previous = self.previous
        other.stack = self.stack
        other.variables = dict(self.variables)
        other.functions = dict(self.functions)
        other.files = self.files
        other.positionals = self.positionals
        other.tainted = self.tainted
        other.ended = self.ended
        other.unset = self.unset
        return other

    def join(self, others: list[Scope]) -> None:
        """Becomes what is true whichever of these scopes was reached; scopes that ended were left, not reached."""
        reached = [scope for scope in others if not scope.ended]
        if not reached:
            self.ended = bool(others)
            return
        first = reached[0]
        self.cwds = _together(folder for scope in reached for folder in scope.cwds)
        self.previous = _together(folder for scope in reached for folder in scope.previous)
        self.stack = first.stack if all(scope.stack == first.stack for scope in reached) else None
        names = {name for scope in reached for name in scope.variables}
        self.variables = {name: _either(name, reached) for name in names}
        self.functions = {name: body for scope in reached for name, body in scope.functions.items()}
        self.positionals = first.positionals if all(s.positionals == first.positionals for s in reached) else None
        self.tainted = any(scope.tainted for scope in reached)
        self.ended = False

    def forget(self, names: frozenset[str], *, moves: bool, everything: bool) -> None:
        """Forgets what a loop changes, so that what is left holds in every round."""
        for name in names:
            self.variables[name] = (Unknown(f"${name}", quoted=False),)
        if moves:
            self.cwds = _together((*self.cwds, None))
            self.previous = (None,)
            self.stack = None
        if everything:
            self.taint()

    def taint(self) -> None:
        """Notes that code which we cannot read ran here; values are kept for the block list, but vouch for nothing."""
        self.tainted = True
        self.cwds = _together((*self.cwds, None))
        self.previous = _together((*self.previous, None))
        self.stack = None

    def lookup(self, name: str) -> tuple[Argument, ...] | None:
        """The values that a variable may have; None if nothing is known of it."""
        found = self.variables.get(name)
        if found is not None:
            return found
        if name.isdecimal():
            position = int(name)
            if self.positionals is None or position == 0:
                return None
            return self.positionals[position - 1 : position] or (Known(""),)
        return self._given(name)

    def assign(self, name: str, value: Argument) -> None:
        """Sets a variable."""
        self.variables[name] = (value,)

    def vary(self, name: str, values: tuple[Argument, ...]) -> None:
        """Sets a variable to one of many values, it is not known which."""
        self.variables[name] = values

    @property
    def home(self) -> Argument:
        """What `~` means here."""
        found = self.lookup("HOME")
        return found[0] if found is not None and len(found) == 1 else Unknown("~", quoted=True)

    def change_folder(self, arguments: tuple[Argument, ...], *, push: bool = False) -> None:
        """Follows `cd` or `pushd`."""
        physical = False
        operands = list(arguments)
        while operands and isinstance(operands[0], Known) and operands[0].text[:1] == "-" and len(operands[0].text) > 1:
            text = operands.pop(0).text  # type: ignore[union-attr]  # the loop's condition says that it is known
            if text == "--":
                break
            physical = physical or "P" in text
        goal = operands[0] if operands else self.home
        before = self.cwds
        if push and not operands:
            self.cwds, self.stack = (None,), None
        elif goal == Known("-"):
            self.cwds = self.previous
        else:
            self.cwds = _together(self._step(folder, goal, physical=physical) for folder in before)
        if push and self.stack is not None:
            self.stack = (*self.stack, before)
        self.previous = before

    def switch_branch(self, arguments: tuple[Argument, ...]) -> None:
        """Follows git to another branch; from a protected one nothing is followed, since git may refuse."""
        branch = self.surroundings.branch
        texts = [argument.text if isinstance(argument, Known) else "" for argument in arguments]
        verb = next((text for text in texts if text in ("checkout", "switch", "branch", "symbolic-ref")), None)
        if verb is None or branch is None or branch in self.surroundings.protected:
            return
        named = [text for text in texts[texts.index(verb) + 1 :] if text[:1] != "-" or text == "-"]
        if not named or (verb == "branch" and not {"-m", "-M", "--move"} & set(texts)):
            return
        goal = named[0] if verb in ("checkout", "switch") else named[-1].removeprefix("refs/heads/")
        self.surroundings = replace(self.surroundings, branch=None if goal in ("", "-") else goal)

    def pop_folder(self, arguments: tuple[Argument, ...]) -> None:
        """Follows `popd`."""
        before = self.cwds
        if self.stack and not arguments:
            self.cwds, self.stack = self.stack[-1], self.stack[:-1]
        else:
            self.cwds, self.stack = (None,), None
        self.previous = before

    def _given(self, name: str) -> tuple[Argument, ...] | None:
        surroundings = self.surroundings
        match name:
            case "HOME":
                return (Known(surroundings.home),)
            case "PWD" if len(self.cwds) == 1 and self.cwds[0] is not None:
                return (Known(self.cwds[0]),)
            case "OLDPWD" if len(self.previous) == 1 and self.previous[0] is not None:
                return (Known(self.previous[0]),)
            case "TMPDIR" if surroundings.scratch:
                return (Known(surroundings.scratch[0]),)
            case "IFS":
                return (Known(" \t\n"),)
            case _:
                return None

    def _step(self, folder: Folder, goal: Argument, *, physical: bool) -> Folder:
        """The folder reached from one folder.

        Source: bash(1), `cd -L`: `..` is taken from the text of the path, before links are followed.
        """
        if not isinstance(goal, Known) or not goal.text or "CDPATH" in self.variables:
            return None
        absolute = paths.join(folder, goal.text)
        if absolute is None:
            return None
        if physical:
            return paths.resolve(absolute, self.surroundings)
        return "/" + posixpath.normpath(absolute).lstrip("/")


def _either(name: str, scopes: list[Scope]) -> tuple[Argument, ...]:
    """The values that a variable may have in any of these scopes."""
    unset: tuple[Argument, ...] = (Unknown(f"${name}", quoted=False),)
    values = tuple(dict.fromkeys(value for scope in scopes for value in scope.variables.get(name, unset)))
    return values if len(values) <= _MOST_VALUES else unset


def _together(folders: Iterable[Folder]) -> tuple[Folder, ...]:
    """Puts possible folders together, each once."""
    found = tuple(dict.fromkeys(folders))
    return found if len(found) <= _MOST_FOLDERS else (*found[: _MOST_FOLDERS - 1], None)
