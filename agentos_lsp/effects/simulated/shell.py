"""The few programs that the demo's machine has, played over files in memory. Nothing is started, and nothing evaluated.

It understands words, quotes, `;`, `&&`, `||`, `> FILE` and `>> FILE`, which is what the played agent writes. What
else a person has it run ends with a sentence that says so.
"""

from __future__ import annotations

import fnmatch
import posixpath
import re
import shlex
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentos_lsp.domain import diff
from agentos_lsp.effects.simulated import unittests
from agentos_lsp.effects.simulated.objects import FILE, Folder, Objects, compared

if TYPE_CHECKING:
    from collections.abc import Sequence

Play = Generator[bytes | float, None, int]
"""What a command does, piece by piece: what it prints, or for how many seconds it is silent; its exit code at last."""

FOREVER = float("inf")
_JOINS = {";", "&&", "||", "\n"}
_REDIRECTIONS = {">", ">>", ">&", "<", "|", "&", "<<", "(", ")"}


@dataclass(frozen=True, slots=True)
class Call:
    """One program with its words, in a folder of the repository."""

    words: tuple[str, ...]
    objects: Objects
    root: str
    below: str

    @property
    def folder(self) -> Folder:
        """The files that it sees."""
        return self.objects.folder(self.root)

    def path(self, word: str) -> str:
        """Returns where a word leads, relative to the root; one that leads out of it names nothing there."""
        return posixpath.normpath(posixpath.join("/", self.below, word.removeprefix(f"{self.root}/"))).lstrip("/")


def play(line: str, objects: Objects, cwd: str) -> Play:
    """Plays a line.

    Args:
        line: What was cleared.
        objects: The repository.
        cwd: Where it begins, absolute, in one of its folders.
    """
    root = next((one for one in objects.folders if cwd == one or cwd.startswith(f"{one}/")), objects.root)
    below = cwd.removeprefix(root).strip("/")
    try:
        words = _words(line)
    except ValueError as error:
        yield f"bash: {error}\n".encode()
        return 2
    code = 0
    for join, simple, target in _simple(words):
        is_skipped = (join == "&&" and code != 0) or (join == "||" and code == 0)
        if is_skipped or not simple:
            continue
        if simple[0] == "exit":
            return int(simple[1]) % 256 if len(simple) > 1 and simple[1].isdigit() else code
        call = Call(tuple(simple), objects, root, below)
        code = yield from _run(call) if target is None else _redirected(call, target)
    return code


def _words(line: str) -> list[str]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars=";&|<>()\n")
    lexer.whitespace, lexer.whitespace_split, lexer.commenters = " \t", True, "#"
    return list(lexer)


def _simple(words: Sequence[str]) -> list[tuple[str, list[str], tuple[str, str] | None]]:
    """Splits a line into programs: each with what joins it to the one before, and where its output goes."""
    found: list[tuple[str, list[str], tuple[str, str] | None]] = [(";", [], None)]
    waiting = ""
    for word in words:
        join, simple, target = found[-1]
        if waiting:
            found[-1] = (join, simple, target if waiting == ">&" else (waiting, word))
            waiting = ""
        elif word in _JOINS:
            found.append((word, [], None))
        elif word in {">", ">>", ">&"}:
            if simple and simple[-1] in {"1", "2"}:
                simple.pop()
            waiting = word
        elif word in _REDIRECTIONS:
            return [(";", ["the demo's shell", word], None)]
        else:
            simple.append(word)
    return found


def _run(call: Call) -> Play:
    name = posixpath.basename(call.words[0])
    if call.words[0] == "the demo's shell":
        yield f"The demo's shell does not know {call.words[1]!r}.\n".encode()
        return 2
    program = PROGRAMS.get(name)
    if program is None:
        yield f"bash: {name}: command not found (the demo's machine has {', '.join(sorted(PROGRAMS))})\n".encode()
        return 127
    return (yield from program(call))


def _redirected(call: Call, target: tuple[str, str]) -> Play:
    printed = b""
    played = _run(call)
    code = 0
    while True:
        try:
            piece = next(played)
        except StopIteration as ended:
            code = int(ended.value)
            break
        if isinstance(piece, bytes):
            printed += piece
        else:
            yield piece
    if target[1] == "/dev/null":
        return code
    path = call.path(target[1])
    with call.objects.lock:
        folder = call.folder
        if folder.has_folder(path) or folder.above(path) is not None:
            yield f"bash: {target[1]}: is a directory\n".encode()
            return 1
        before = folder.files.get(path)
        kept = (before.data or b"") if before is not None and target[0] == ">>" else b""
        folder.put(path, diff.Side(FILE if before is None else before.mode, kept + printed))
    return code


# --- programs --------------------------------------------------------------------------------------------------


def _echo(call: Call) -> Play:
    words = call.words[1:]
    end = "" if words[:1] == ("-n",) else "\n"
    yield (" ".join(words[1:] if not end else words) + end).encode()
    return 0


def _true(call: Call) -> Play:
    del call
    yield from ()
    return 0


def _false(call: Call) -> Play:
    del call
    yield from ()
    return 1


def _pwd(call: Call) -> Play:
    yield (posixpath.join(call.root, call.below).rstrip("/") + "\n").encode()
    return 0


def _sleep(call: Call) -> Play:
    try:
        seconds = float(call.words[1])
    except (IndexError, ValueError):
        yield b"sleep: how long?\n"
        return 1
    yield FOREVER if seconds > 86_400 else seconds
    return 0


def _cat(call: Call) -> Play:
    code = 0
    for word in call.words[1:]:
        side = call.folder.files.get(call.path(word))
        if side is None:
            yield f"cat: {word}: No such file or directory\n".encode()
            code = 1
        else:
            yield side.data or b""
    return code


def _ls(call: Call) -> Play:
    named = [word for word in call.words[1:] if not word.startswith("-")] or ["."]
    for word in named:
        path = call.path(word)
        folder = call.folder
        if path in folder.files:
            yield f"{word}\n".encode()
        elif folder.has_folder(path):
            inside = f"{path}/" if path else ""
            below = [one[len(inside) :] for one in (*folder.files, *folder.empty) if one.startswith(inside)]
            names = sorted({one.partition("/")[0] for one in below if one and not one.startswith(".")})
            yield "".join(f"{name}\n" for name in names).encode()
        else:
            yield f"ls: cannot access {word!r}: No such file or directory\n".encode()
            return 2
    return 0


def _touch(call: Call) -> Play:
    yield from ()
    with call.objects.lock:
        for word in call.words[1:]:
            path = call.path(word)
            if path not in call.folder.files and not call.folder.has_folder(path):
                call.folder.put(path, diff.Side(FILE, b""))
    return 0


def _rm(call: Call) -> Play:
    words = [word for word in call.words[1:] if not word.startswith("-")]
    recursive = any("r" in word.lower() for word in call.words[1:] if word.startswith("-"))
    with call.objects.lock:
        for word in words:
            path, folder = call.path(word), call.folder
            if path in folder.files:
                folder.drop(path)
            elif path and recursive and folder.has_folder(path):
                for one in [one for one in folder.files if one.startswith(f"{path}/")]:
                    del folder.files[one]
                folder.empty = {one for one in folder.empty if not f"{one}/".startswith(f"{path}/")}
            else:
                yield f"rm: cannot remove {word!r}\n".encode()
                return 1
    return 0


def _python(call: Call) -> Play:
    words = call.words[1:]
    if words[:2] == ("-m", "http.server"):
        yield b"Serving HTTP on 127.0.0.1 port 8000 (played: nothing listens) ...\n"
        yield FOREVER
    if words[:2] != ("-m", "unittest"):
        yield b"The demo's Python runs only `python3 -m unittest` and `python3 -m http.server`.\n"
        return 2
    yield 0.6
    with call.objects.lock:
        files = {path: (side.data or b"").decode("utf-8", "replace") for path, side in call.folder.files.items()}
    done = unittests.run(files)
    for piece in done.printed:
        yield piece.encode()
        yield 0.15
    return 0 if done.well else 1


def _git(call: Call) -> Play:
    words = [word for word in call.words[1:] if word != "--no-pager"]
    objects = call.objects
    with objects.lock:
        branch = _branch_of(call)
        tip = objects.branches[branch]
        there, held = objects.present(call.root, tip), objects.tree(tip)
    match words[:1]:
        case ["status"]:
            for change in compared(held, there):
                mark = {"added": "??", "deleted": " D", "renamed": " R"}.get(change.status, " M")
                yield f"{mark} {change.path}\n".encode()
            return 0
        case ["diff"]:
            tracked = [change for change in compared(held, there) if change.status != "added"]
            yield diff.unified(tracked).encode("utf-8", "surrogateescape")
            return 0
        case ["log"]:
            for one in objects.ancestors(tip):
                yield f"{one[:10]} {objects.commits[one].message.splitlines()[0]}\n".encode()
            return 0
        case ["grep"]:
            return (yield from _grep(call, words[1:], there))
        case _:
            yield f"git: the demo knows status, diff, log and grep, and not {' '.join(words[:1])!r}.\n".encode()
            return 1


def _branch_of(call: Call) -> str:
    """Returns the branch of the folder that a program runs in."""
    own = f"agentos/{posixpath.basename(call.root)}"
    return own if own in call.objects.branches else call.objects.branch


def _grep(call: Call, words: Sequence[str], files: dict[str, diff.Side]) -> Play:
    """Plays what the agent's `search` asks for: `git grep -nI --untracked -E -e PATTERN -- PATH`."""
    at = words.index("-e") + 1 if "-e" in words else len(words)
    if at >= len(words):
        yield b"fatal: no pattern given\n"
        return 128
    try:
        wanted = re.compile(re.escape(words[at]) if "-F" in words else words[at])
    except re.error as error:
        yield f"fatal: {error}\n".encode()
        return 128
    named = list(words[words.index("--") + 1 :]) if "--" in words else ["."]
    prefixes = [call.path(word) for word in named]
    code = 1
    for path, side in sorted(files.items()):
        if not any(
            not one or path == one or path.startswith(f"{one}/") or fnmatch.fnmatch(path, one) for one in prefixes
        ):
            continue
        for number, text in enumerate((side.data or b"").decode("utf-8", "replace").splitlines(), start=1):
            if len(text) < 2_000 and wanted.search(text):
                code = 0
                yield f"{path}:{number}:{text}\n".encode()
    return code


PROGRAMS: dict[str, Callable[[Call], Play]] = {
    "cat": _cat,
    "echo": _echo,
    "false": _false,
    "git": _git,
    "ls": _ls,
    "pwd": _pwd,
    "python3": _python,
    "rm": _rm,
    "sleep": _sleep,
    "touch": _touch,
    "true": _true,
}
