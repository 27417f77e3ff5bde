"""The demo in a real Chromium: Monaco, and this repository's Python under Pyodide behind it. `make e2e` runs it."""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from agentos_lsp.cli import web
from tests.e2e.workbench import SERVER, Desk

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.timeout(300)


@contextlib.contextmanager
def served() -> Iterator[str]:
    """Serves the page that was built as a person would; yields its address."""
    assert (web.built() / "index.html").exists(), "run `make e2e`: it builds the page first"
    command = [SERVER, "demo", "--web"]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            yield server.stdout.readline().split()[0]
        finally:
            server.terminate()


def test_a_whole_session_is_played_in_a_page_without_any_network() -> None:
    with tempfile.TemporaryDirectory(prefix="e2e-", ignore_cleanup_errors=True) as home, served() as address:
        seen = Desk(Path(home), Path(home)).run("demo_page", f"{address}?pace=0")

    assert seen["hosts"] == ["127.0.0.1"]
    assert seen["errors"] == []
    assert seen["overview"].replace("\N{NO-BREAK SPACE}", " ").startswith("No sessions yet.")
    assert {"Approve once", "Approve this line for this session", "Reject"} <= set(seen["lenses"])
    assert seen["top"].startswith("> Simulated: the repository, the commands and the model are played in memory")
    assert seen["left"].replace("\N{NO-BREAK SPACE}", " ") == "    return one - two"
    assert seen["models"] == ["## played [ok]", "## cramped [wrong]", "## router [wrong]"]
    assert "[merged]" in seen["merged"]
