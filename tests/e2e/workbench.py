"""A served workbench of VS Code with our packaged extension, a clone to work on, and a browser that plays scenarios."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
VSCODE = ROOT / ".cache" / "vscode"
NODE = VSCODE / "bin" / "node"
VSIX = VSCODE / "agentos-lsp.vsix"
SERVER = Path(sys.executable).parent / "agentos-lsp"

QUIET = {
    "workbench.startupEditor": "none",
    "workbench.secondarySideBar.defaultVisibility": "hidden",
    "workbench.tips.enabled": False,
    "chat.disableAIFeatures": True,
    "extensions.autoUpdate": False,
    "extensions.ignoreRecommendations": True,
    "telemetry.telemetryLevel": "off",
    "update.mode": "none",
    "window.commandCenter": False,
    "editor.minimap.enabled": False,
    "git.enabled": False,
    "diffEditor.renderSideBySideInlineBreakpoint": 600,
    "breadcrumbs.enabled": False,
    "window.title": "${activeEditorShort}${separator}${rootName}",
}
"""A workbench that shows what is tested and asks nobody about anything."""

SCRIPTED = {"agentos.path": str(SERVER), "agentos.agent": "scripted"}


def git(folder: Path, *words: str) -> str:
    return subprocess.run(["git", "-C", str(folder), *words], check=True, capture_output=True, text=True).stdout


@dataclass(frozen=True)
class Desk:
    """A clone to work on, and a place of its own for everything that workbench and server keep."""

    clone: Path
    home: Path

    @property
    def report(self) -> Path:
        """Where a scenario writes what it saw."""
        return self.home / "report.json"

    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "PATH": f"{NODE.parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(self.home),
            "TMPDIR": str(self.home),
            "XDG_STATE_HOME": str(self.home / "state"),
            "XDG_DATA_HOME": str(self.home / "data"),
            "XDG_CONFIG_HOME": str(self.home / "config"),
            "XDG_CACHE_HOME": str(self.home / "cache"),
        }

    @contextlib.contextmanager
    def workbench(
        self, settings: dict[str, object], script: str, *, hosts_tests: bool = False, more: dict[str, str] | None = None
    ) -> Iterator[str]:
        """Serves the workbench with the extension in it, whose agent plays a script; yields its address.

        For tests in its extension host it has the extension unpacked, and shows no notifications. Its environment has
        `more` in it.
        """
        data = self.home / "vscode"
        for kind in ("User", "Machine"):
            file = data / "data" / kind / "settings.json"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps({**QUIET, **settings, "agentos.script": str(HERE / script)}), encoding="utf-8")
        command = [NODE, VSCODE / "workbench" / "out" / "server-main.js", "--server-data-dir", data]
        command += ["--extensions-dir", data / "extensions", "--accept-server-license-terms"]
        installing = [*command, "--install-extension", VSIX]
        if not hosts_tests:
            subprocess.run(installing, check=True, capture_output=True, env=self.environment(), timeout=120)
        log = self.home / "vscode.log"
        serving = [*command, "--host", "127.0.0.1", "--port", "0", "--without-connection-token"]
        serving += ["--enable-smoke-test-driver"] if hosts_tests else []
        # The extension host, and the tests in it, get this environment too.
        environment = self.environment() | {"E2E_REPORT": str(self.report), "E2E_SCRIPT": str(HERE / script)}
        environment |= more or {}
        with log.open("wb") as output:
            server = subprocess.Popen(
                serving,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,
            )
        try:
            yield f"http://127.0.0.1:{self._port(log, server)}/?folder={quote(str(self.clone))}"
        finally:
            # Its own process group: the extension host and the language server go with it.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(server.pid, signal.SIGTERM)
            try:
                server.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(server.pid, signal.SIGKILL)
                server.wait()

    @staticmethod
    def _port(log: Path, server: subprocess.Popen[bytes]) -> str:
        for _ in range(600):
            text = log.read_text("utf-8", "replace")
            if listening := re.search(r"Extension host agent listening on (\d+)", text):
                return listening[1]
            assert server.poll() is None, text[-3000:]
            time.sleep(0.1)
        raise AssertionError(log.read_text("utf-8", "replace")[-3000:])

    def run(self, scenario: str, address: str, **more: str) -> dict[str, Any]:
        """Plays a scenario in a new browser; returns what it saw."""
        environment = {
            **self.environment(),
            "E2E_CHROMIUM": (VSCODE / "chromium").read_text(encoding="utf-8").strip(),
            "E2E_CLONE": str(self.clone),
            "E2E_DRIVER": str(VSCODE / "driver"),
            "E2E_EXTENSION": str(VSCODE / "extension"),
            "E2E_FAILURE": str(VSCODE / f"{scenario}.png"),
            # `PICTURES=1 make e2e` renews the pictures of the pages; else they go to a folder that git ignores.
            "E2E_IMAGES": str(ROOT / ("docs" if os.environ.get("PICTURES") else ".cache") / "images"),
            "E2E_REPORT": str(self.report),
            "E2E_SERVER": str(SERVER),
            "E2E_SETTINGS": str(self.home / "vscode" / "data" / "Machine" / "settings.json"),
            "E2E_URL": address,
            **more,
        }
        done = subprocess.run(
            [NODE, HERE / f"{scenario}.mjs"],
            check=False,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=280,
        )
        assert self.report.exists(), f"{done.returncode}\n{done.stdout}\n{done.stderr}"
        told: dict[str, Any] = json.loads(self.report.read_text(encoding="utf-8"))
        assert told["failure"] is None, (
            f"{told['failure']}\n{told.get('screen')}\n{self.log()}\nSee {VSCODE}/{scenario}.png"
        )
        seen: dict[str, Any] = told["seen"]
        return seen

    def log(self) -> str:
        """Returns the end of what the extension and the server said."""
        return "\n".join(file.read_text("utf-8", "replace")[-4000:] for file in self.home.rglob("*AgentOS*.log"))


@contextlib.contextmanager
def desk() -> Iterator[Desk]:
    """Makes a desk; what its editors share is ended with it."""
    assert VSIX.exists(), "run `make e2e`: it installs VS Code's workbench and packages the extension first"
    # Not in pytest's own folder: the paths of sockets may not be long.
    with tempfile.TemporaryDirectory(prefix="e2e-", ignore_cleanup_errors=True) as short:
        clone = Path(short) / "a clone"
        git(Path(short), "clone", "--quiet", str(ROOT), str(clone))
        git(clone, "checkout", "--quiet", "-B", "work")
        # An agent's push must not reach the repository that is tested.
        git(clone, "remote", "remove", "origin")
        one = Desk(clone, Path(short))
        yield one
        subprocess.run([SERVER, "daemon", "stop", "--now"], check=False, env=one.environment(), timeout=60)
