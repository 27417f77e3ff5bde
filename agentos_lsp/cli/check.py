"""`agentos-lsp check`: judges lines without a session, for people, corpora and policy tests.

It imports nothing but the domain, so that it starts quickly. Nothing that it is given is ever run.
"""

from __future__ import annotations

import gc
import json
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from agentos_lsp.domain.command import allowlist, classify
from agentos_lsp.domain.command.surroundings import Surroundings
from agentos_lsp.domain.command.verdict import Verdict
from agentos_lsp.domain.errors import UserError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator
    from typing import TextIO

    from agentos_lsp.domain.command.verdict import Assessment, Part, Reason

_quoted = json.encoder.encode_basestring
_WORDS = {verdict: verdict.word for verdict in Verdict}
_MARKS = {"allowed": "+", "reviewed": "?", "blocked": "!"}
_FIELDS = {
    "command",
    "cwd",
    "worktree",
    "home",
    "links",
    "protected",
    "branch",
    "scratch",
    "shell",
    "recipes",
    "aliases",
}
_MOST_LINKS = 64
# Source: path_resolution(7), PATH_MAX; a name in it is shorter still, but asking about a long one only says no.
_LONGEST_PATH = 4096
_MOST_KEPT = 1024
_SHELLS = ("bash", "sh", "zsh", "fish", "powershell")


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the subcommand."""
    parser = subparsers.add_parser("check", help="judge a command line without running it")
    parser.add_argument("line", nargs="?", help="the line, as a shell would read it")
    parser.add_argument("--cwd", help="the folder it would run in (default: the current one)")
    parser.add_argument("--worktree", help="the session's worktree (default: the folder it would run in)")
    parser.add_argument(
        "--allow",
        nargs="+",
        action="append",
        default=[],
        metavar="TOKEN",
        help="a token prefix that the session allows; repeat for more",
    )
    parser.add_argument("--jsonl", action="store_true", help="read one JSON object per line from standard input")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs the subcommand; the exit code is 0, 1 if a line of input was wrong, 2 if the call was."""
    if arguments.jsonl:
        # Verdicts hold no cycles, so looking for them often only costs time.
        gc.freeze()
        gc.set_threshold(100_000, 50, 50)
        return judge_lines(sys.stdin, sys.stdout)
    if arguments.line is None:
        print("Give a line to judge, or --jsonl.", file=sys.stderr)
        return 2
    cwd = os.path.realpath(arguments.cwd or ".")
    worktree = os.path.realpath(arguments.worktree) if arguments.worktree else cwd
    try:
        known = allowlist.Allowlist()
        for tokens in arguments.allow:
            known = known.with_entry(allowlist.TokenPrefix(tuple(tokens)))
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    surroundings = Surroundings(cwd=cwd, worktree=worktree, home=str(Path.home()))
    surroundings = _with_links(arguments.line, surroundings)
    print("\n".join(tree(classify.classify(arguments.line, surroundings, known))))
    return 0


def tree(assessment: Assessment) -> Iterator[str]:
    """Writes an assessment out for a person: the line, its parts, and the reasons of each."""
    yield f"{_MARKS[assessment.verdict.word]} {assessment.verdict.word}: {assessment.line}"
    for part in assessment.parts:
        yield f"  {_MARKS[part.verdict.word]} {part.text}"
        for reason in part.reasons:
            yield f"      {reason.rule}: {reason.text}"
            if reason.instead:
                yield f"        instead: {reason.instead}"
    if assessment.prefix is not None:
        yield f"  may be allowed for a session: {' '.join(assessment.prefix)}"
        yield "  which would let through, for example:"
        yield from (f"      {line}" for line in classify.let_through(assessment.prefix))


def judge_lines(source: Iterable[str], out: TextIO) -> int:
    """Judges one JSON object per line, and writes one per line.

    Returns:
        0, or 1 if a line could not be read: its place is taken by `{"error": …}`.
    """
    code = 0
    judge = _Judge()
    write = out.write
    for text in source:
        if not text.strip():
            continue
        try:
            answer = judge.answer(text)
        except (TypeError, ValueError, RecursionError) as error:
            code = 1
            answer = f'{{"error":{_quoted(_explain(error))}}}\n'
        # A lone surrogate in a line is told as it was written in JSON.
        write(answer if answer.isascii() else answer.encode("utf-8", "backslashreplace").decode("utf-8"))
    out.flush()
    return code


class _Judge:
    """Judges objects; what many of them share, their surroundings and their allowlist, is made once."""

    def __init__(self) -> None:
        self.surroundings: dict[str, Surroundings] = {}
        self.allowlists: dict[str, tuple[allowlist.Allowlist, tuple[str, ...]]] = {}

    def answer(self, text: str) -> str:
        """Judges one line of input, and writes the line of output.

        Raises:
            TypeError: Something in the object has the wrong type.
            ValueError: It is no JSON, or holds what cannot be.
        """
        given = json.loads(text)
        if not isinstance(given, dict):
            raise TypeError("a line must be an object")
        line = _text(given, "command")
        del given["command"]
        known, ignored = self._known(given.pop("allow", None) or [])
        surroundings = self._surroundings(given)
        if "links" not in given:
            surroundings = _with_links(line, surroundings)
        return _written(classify.classify(line, surroundings, known), ignored)

    def _surroundings(self, given: dict[str, Any]) -> Surroundings:
        key = repr(given)
        found = self.surroundings.get(key)
        if found is None:
            if len(self.surroundings) >= _MOST_KEPT:
                self.surroundings.clear()
            found = self.surroundings[key] = _surroundings(given)
        return found

    def _known(self, prefixes: object) -> tuple[allowlist.Allowlist, tuple[str, ...]]:
        key = repr(prefixes)
        found = self.allowlists.get(key)
        if found is None:
            if len(self.allowlists) >= _MOST_KEPT:
                self.allowlists.clear()
            found = self.allowlists[key] = _allowlist(prefixes)
        return found


def _surroundings(given: dict[str, Any]) -> Surroundings:
    if unknown := given.keys() - _FIELDS:
        raise ValueError(f"unknown fields: {', '.join(sorted(unknown))}")
    cwd, worktree = (
        _text(given, "cwd", _text(given, "worktree", "/")),
        _text(given, "worktree", _text(given, "cwd", "/")),
    )
    branch = given.get("branch")
    if branch is not None and not isinstance(branch, str):
        raise TypeError("branch must be a string")
    shell = _text(given, "shell", "bash")
    if shell not in _SHELLS:
        raise ValueError(f"shell must be one of {', '.join(_SHELLS)}")
    return Surroundings(
        cwd=_normal(cwd),
        worktree=_normal(worktree),
        home=_normal(_text(given, "home", "/home/user")),
        scratch=tuple(_normal(folder) for folder in _list(given, "scratch")),
        links={_normal(path): target for path, target in _mapping(given, "links").items()},
        protected=_list(given, "protected") if "protected" in given else ("main", "master"),
        branch=branch,
        recipes={_pair(name): recipe for name, recipe in _mapping(given, "recipes").items()},
        aliases=_mapping(given, "aliases"),
        shell=cast("Any", shell),  # one of the five words, as checked above
    )


def _allowlist(prefixes: object) -> tuple[allowlist.Allowlist, tuple[str, ...]]:
    """Makes an allowlist; prefixes that may not be stored are left out and named."""
    known = allowlist.Allowlist()
    ignored: list[str] = []
    if not isinstance(prefixes, list) or not all(
        isinstance(tokens, list) and all(isinstance(token, str) for token in tokens) for tokens in prefixes
    ):
        raise TypeError("allow must be a list of lists of strings")
    for tokens in prefixes:
        try:
            known = known.with_entry(allowlist.TokenPrefix(tuple(tokens)))
        except UserError as error:
            ignored.append(str(error))
    return known, tuple(ignored)


def _with_links(line: str, surroundings: Surroundings) -> Surroundings:
    """Looks up the links behind the words of a line that could be paths, so that what they lead to is judged."""
    links: dict[str, str] = {}
    inside = surroundings.worktree.rstrip("/") + "/"
    for word in dict.fromkeys(re.split(r"[\s'\"=;&|()<>]+", line.replace("\0", " "))):
        written = surroundings.home + word[1:] if word.startswith("~/") else word
        path = os.path.normpath(f"{surroundings.cwd}/{written}" if not written.startswith("/") else written)
        if len(path) > _LONGEST_PATH or not path.startswith(inside):
            continue
        # Only links are looked at, and what they lead to; all are named by the line itself.
        names = path[len(inside) :].split("/")
        for end in range(1, len(names) + 1):
            link = Path(inside, *names[:end])
            if len(links) < _MOST_LINKS and _is_link(link):
                links[str(link)] = os.path.realpath(link)
    if not links:
        return surroundings
    return Surroundings(**{name: getattr(surroundings, name) for name in Surroundings.__slots__} | {"links": links})


def _is_link(path: Path) -> bool:
    try:
        return path.is_symlink()
    except OSError:
        return False


def _written(found: Assessment, ignored: tuple[str, ...]) -> str:
    """Writes an assessment as a line of JSON: by hand, since the general encoder took as long as a short verdict."""
    texts: dict[int, str] = {}
    for part in found.parts:
        for reason in part.reasons:
            texts[id(reason)] = _said(reason)
    for reason in found.reasons:
        if id(reason) not in texts:
            texts[id(reason)] = _said(reason)
    reasons = ",".join([texts[id(reason)] for reason in found.reasons])
    parts = ",".join([_part(part, texts) for part in found.parts])
    prefix = f',"prefix":{_listed(found.prefix)}' if found.prefix is not None else ""
    rest = f',"ignored":{_listed(ignored)}' if ignored else ""
    return f'{{"verdict":"{_WORDS[found.verdict]}","reasons":[{reasons}],"parts":[{parts}]{prefix}{rest}}}\n'


def _said(reason: Reason) -> str:
    return _quoted(f"{reason.rule}: {reason.text} {reason.instead}".rstrip())


def _part(part: Part, texts: dict[int, str]) -> str:
    span = part.span
    reasons = ",".join([texts[id(reason)] for reason in part.reasons])
    return (
        f'{{"text":{_quoted(part.text)},"span":[{span.start},{span.end}],"words":{_listed(part.words)}'
        f',"verdict":"{_WORDS[part.verdict]}","reasons":[{reasons}]}}'
    )


def _listed(words: tuple[str | None, ...]) -> str:
    return f"[{','.join(['null' if word is None else _quoted(word) for word in words])}]"


def _normal(path: str) -> str:
    if not path.startswith("/"):
        raise ValueError(f"{path!r} is not an absolute path")
    return "/" + os.path.normpath(path).lstrip("/")


def _text(given: dict[str, Any], name: str, otherwise: str | None = None) -> str:
    found = given.get(name)
    if found is None and otherwise is not None:
        return otherwise
    if not isinstance(found, str):
        raise TypeError(f"{name} must be a string")
    return found


def _list(given: dict[str, Any], name: str) -> tuple[str, ...]:
    found = given.get(name) or []
    if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
        raise TypeError(f"{name} must be a list of strings")
    return tuple(found)


def _mapping(given: dict[str, Any], name: str) -> dict[str, str]:
    found = given.get(name) or {}
    if not isinstance(found, dict) or not all(isinstance(item, str) for item in found.values()):
        raise TypeError(f"{name} must map strings to strings")
    return found


def _pair(name: str) -> tuple[str, str]:
    runner, blank, target = name.partition(" ")
    if not blank:
        raise ValueError(f"a recipe is named by a runner and a target, not {name!r}")
    return runner, target


def _explain(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"not JSON: {error.msg} at column {error.colno}"
    return str(error) or type(error).__name__
