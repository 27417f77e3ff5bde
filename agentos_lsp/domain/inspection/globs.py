"""Matches repository-relative paths: the person's globs, and our own lists of names and folders."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def first_match(path: str, globs: Iterable[str]) -> str | None:
    """Returns the first glob that a path matches; `*` crosses `/`, letter case does not matter."""
    folded = path.casefold()
    return next((glob for glob in globs if fnmatchcase(folded, glob.casefold())), None)


def named(path: str, names: tuple[str, ...]) -> bool:
    """Whether a path has one of our own names, wherever it lies; letter case does not matter.

    A name that ends in `/` is a folder on the way (`.vscode/`); one with `/` inside is the end of a path
    (`.circleci/config.yml`, or a folder: `.github/workflows/`); any other is a file's own name. `*` stays within one
    step of the path.
    """
    return _expression(names).search(path.casefold()) is not None


@cache
def _expression(names: tuple[str, ...]) -> re.Pattern[str]:
    """Returns one expression for a whole list: lists are long, and every changed file is held against all of them."""
    wanted = [
        re.escape(name.casefold()).replace(r"\*", "[^/]*") + ("" if name.endswith("/") else r"\Z") for name in names
    ]
    return re.compile(rf"(?:^|/)(?:{'|'.join(wanted)})")
