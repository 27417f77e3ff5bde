"""Bytes of a stream into lines, events and JSON, however they are split. Pure; readers fail with two errors only."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from agentos_lsp.domain.conversation import Piece, ToolSpec

MAX_LINE_BYTES = 16 << 20


class BadAnswerError(Exception):
    """The bytes are not the format that was agreed; the text says what is wrong."""


class ToldError(Exception):
    """The server said, in its format, that it failed: `kind` by its own name for that, and in words."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message or kind)
        self.kind = kind
        self.message = message or kind


class Reader(Protocol):
    """Turns the bytes of one answer into pieces."""

    def feed(self, data: bytes) -> Iterator[Piece]:
        """Takes the next bytes; what came before a failure is given before it is raised.

        Raises:
            BadAnswerError: They are not the format.
            ToldError: The server says that it failed.
        """

    def end(self) -> Iterator[Piece]:
        """Says that no more will come.

        Raises:
            BadAnswerError: The answer broke off.
            ToldError: As for `feed`.
        """


class Lines:
    """Gathers bytes into lines of text, which end with LF, CRLF or CR."""

    def __init__(self) -> None:
        self._rest = b""
        self._after_return = False
        self._first = True

    def feed(self, data: bytes) -> Iterator[str]:
        """Yields the lines that are now whole."""
        if self._after_return and data:
            data = data.removeprefix(b"\n")
            self._after_return = False
        whole = self._rest + data
        if whole.endswith(b"\r"):
            self._after_return = True
        *lines, self._rest = whole.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        yield from map(self._decoded, lines)
        if len(self._rest) > MAX_LINE_BYTES:
            raise BadAnswerError(f"a line is longer than {MAX_LINE_BYTES} bytes")

    def end(self) -> Iterator[str]:
        """Yields the last line, if no line break ended it."""
        rest, self._rest = self._rest, b""
        if rest:
            yield self._decoded(rest)

    def _decoded(self, line: bytes) -> str:
        if self._first:
            line, self._first = line.removeprefix(b"\xef\xbb\xbf"), False
        try:
            return line.decode("utf-8")
        except UnicodeDecodeError as error:
            raise BadAnswerError("the text is not UTF-8") from error


class Events:
    """Gathers lines into server-sent events: the data of each.

    What is no event, such as a plain JSON body, is kept in `other`. Source: HTML, section 9.2.6.
    """

    def __init__(self) -> None:
        self._lines = Lines()
        self._data: list[str] = []
        self._other: list[str] = []
        self._held = 0

    @property
    def other(self) -> str:
        """What was no event."""
        return "".join(f"{line}\n" for line in self._other)

    def feed(self, data: bytes) -> Iterator[str]:
        """Yields the data of the events that are now whole."""
        return self._take(self._lines.feed(data))

    def end(self) -> Iterator[str]:
        """Yields what the stream still held: an event whose last empty line is missing counts."""
        yield from self._take(self._lines.end())
        yield from self._take([""])

    def _take(self, lines: Iterable[str]) -> Iterator[str]:
        for line in lines:
            name, colon, value = line.partition(":")
            if not line:
                self._held -= sum(len(one) + 1 for one in self._data)
                data, self._data = self._data, []
                if data:
                    yield "\n".join(data)
            elif name == "data":
                self._hold(self._data, value.removeprefix(" "))
            elif name not in {"event", "id", "retry"} and not (colon and not name):
                self._hold(self._other, line)

    def _hold(self, lines: list[str], line: str) -> None:
        lines.append(line)
        self._held += len(line) + 1
        if self._held > MAX_LINE_BYTES:
            raise BadAnswerError(f"an event is longer than {MAX_LINE_BYTES} bytes")


class Halves:
    """Joins characters that JSON spells in two halves, in two pieces; a half without its other becomes U+FFFD."""

    def __init__(self) -> None:
        self._high = ""

    def feed(self, text: str) -> str:
        """Returns the text up to a half that may still find its other."""
        text = self._high + text
        self._high = ""
        if text and "\ud800" <= text[-1] <= "\udbff":
            text, self._high = text[:-1], text[-1]
        return whole(text)

    def end(self) -> str:
        """Returns what was kept back."""
        rest, self._high = self._high, ""
        return whole(rest)


def whole(text: str) -> str:
    """Returns a text that any encoder takes."""
    return text if text.isascii() else text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def json_object(text: str) -> dict[str, Any]:
    """Reads a JSON object.

    Raises:
        BadAnswerError: It is none.
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadAnswerError(f"this is no JSON: {text[:80]!r}") from error
    if not isinstance(value, dict):
        raise BadAnswerError(f"an object was expected, not {text[:80]!r}")
    return value


def part(value: dict[str, Any], key: str) -> dict[str, Any]:
    """Returns an object inside another, an empty one where there is none."""
    found = value.get(key)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise BadAnswerError(f"`{key}` is no object")
    return found


def rows(value: dict[str, Any], key: str) -> list[dict[str, Any]]:
    """Returns a list of objects, an empty one where there is none."""
    found = value.get(key)
    if found is None:
        return []
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise BadAnswerError(f"`{key}` is no list of objects")
    return found


def text(value: dict[str, Any], key: str) -> str:
    """Returns a string, an empty one where there is none."""
    found = value.get(key)
    if found is None:
        return ""
    if not isinstance(found, str):
        raise BadAnswerError(f"`{key}` is no text")
    return found


def count(value: dict[str, Any], key: str) -> int | None:
    """Returns a number that is not negative, None where there is none."""
    found = value.get(key)
    if found is None:
        return None
    if isinstance(found, bool) or not isinstance(found, int) or found < 0:
        raise BadAnswerError(f"`{key}` is no count")
    return found


def answer(text: str) -> dict[str, Any]:
    """Reads an object of an answer.

    Raises:
        BadAnswerError: It is none.
        ToldError: It tells of a failure.
    """
    value = json_object(text)
    told = told_error(value)
    if told is not None:
        raise told
    return value


def object_of(arguments: str) -> dict[str, Any]:
    """Returns a tool's arguments as an object; an empty one for what the model wrote wrongly, which it was told."""
    try:
        return json_object(arguments)
    except BadAnswerError:
        return {}


def functions(tools: Iterable[ToolSpec]) -> list[dict[str, Any]]:
    """Returns tools as functions, in the form that OpenAI began and others took over."""
    return [
        {
            "type": "function",
            "function": {"name": tool.name, "description": tool.description, "parameters": dict(tool.parameters)},
        }
        for tool in tools
    ]


def told_error(value: dict[str, Any]) -> ToldError | None:
    """Returns the failure that an object of any of the formats tells of, None if it tells of none."""
    found = value.get("error")
    if found is None:
        return None
    if isinstance(found, dict):
        kinds = [str(found[key]) for key in ("code", "type", "status") if found.get(key) not in (None, "")]
        return ToldError(whole(" ".join(kinds)), whole(str(found.get("message") or found)))
    return ToldError("", whole(str(found)))
