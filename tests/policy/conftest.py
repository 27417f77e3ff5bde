"""Any Markdown file here is a test suite: one test per shell line with a verdict comment."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.policy import corpus

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    return Chapter.from_parent(parent, path=file_path) if file_path.suffix == ".md" else None


class DisagreementError(AssertionError):
    """The classifier said something else than the chapter."""


class Chapter(pytest.File):
    """One page of the specification."""

    def collect(self) -> Iterator[pytest.Item]:
        for example in corpus.read(self.path):
            shown = example.command.encode("unicode_escape").decode("ascii")
            yield Line.from_parent(self, name=f"{example.number}: {shown[:100]}", example=example)


class Line(pytest.Item):
    """One example of a page."""

    def __init__(self, *, example: corpus.Example, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.example = example
        # pytest-lsp 1.0.1 breaks every item that has no fixtures, by a hook that does not yield.
        self.funcargs: dict[str, object] = {}

    def runtest(self) -> None:
        if found := corpus.complaint(self.example, corpus.judge(self.example)):
            raise DisagreementError(found)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: object = None) -> object:
        if isinstance(excinfo.value, DisagreementError):
            return f"{self.path}:{self.example.number}: {excinfo.value}"
        return super().repr_failure(excinfo)

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, self.example.number - 1, f"{self.example.heading} > {self.name}"
