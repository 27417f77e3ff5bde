"""Reads the bytes of a TOML file that a person wrote; what is wrong with it is said with its line."""

from __future__ import annotations

import re
import tomllib
from typing import Any


class BadTomlError(Exception):
    """The bytes are no TOML; `line` is zero-based."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


def read(content: bytes) -> tuple[str, dict[str, Any]]:
    """Returns the text and what it holds.

    Raises:
        BadTomlError: It is no TOML.
    """
    try:
        text = content.decode("utf-8-sig")
        return text, tomllib.loads(text)
    except UnicodeDecodeError as error:
        raise BadTomlError(content[: error.start].count(b"\n"), "the file is not UTF-8 text") from error
    except RecursionError as error:
        raise BadTomlError(0, "the file is nested too deeply") from error
    except ValueError as error:
        # Also a number of more digits than Python reads, which is no TOMLDecodeError.
        where = re.search(r"line (\d+)", str(error))
        raise BadTomlError(int(where[1]) - 1 if where else content.rstrip().count(b"\n"), str(error)) from error
