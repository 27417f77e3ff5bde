"""VS Code and Neovim at once, both attached to one daemon on one repository. `make e2e` runs it."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.e2e import workbench
from tests.e2e.workbench import HERE, ROOT, SCRIPTED, SERVER, Desk, git

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NVIM = ROOT / ".cache" / "neovim" / "nvim"
PLUGIN = ROOT / "editors" / "nvim"

pytestmark = pytest.mark.timeout(400)


@pytest.fixture
def desk() -> Iterator[Desk]:
    with workbench.desk() as one:
        yield one


def neovim(desk: Desk, scenario: str, shared: Path) -> subprocess.Popen[str]:
    """Begins a scenario in a new Neovim."""
    environment = {
        **desk.environment(),
        "PATH": f"{SERVER.parent}{os.pathsep}{os.environ['PATH']}",
        "E2E": str(HERE),
        "E2E_PATIENCE_MS": "180000",
        "E2E_REPORT": str(desk.home / "neovim.json"),
        "E2E_SHARED": str(shared),
    }
    scripts = [word.replace(" ", r"\ ") for word in (str(PLUGIN), str(HERE / scenario))]
    command = [
        NVIM,
        "--headless",
        "--clean",
        "--cmd",
        f"set runtimepath^={scripts[0]}",
        "-c",
        f"luafile {scripts[1]}.lua",
    ]
    return subprocess.Popen(
        command,
        cwd=desk.clone,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_what_is_asked_in_one_editor_is_answered_in_the_other_and_merged_for_both(desk: Desk) -> None:
    shared = desk.home / "shared"
    shared.mkdir()
    settings = {**SCRIPTED, "security.workspace.trust.enabled": False}
    other = neovim(desk, "together", shared)
    try:
        with desk.workbench(settings, "vscode.yaml") as address:
            code = desk.run("vscode_together", address, E2E_SHARED=str(shared))
            said, _ = other.communicate(timeout=180)
    finally:
        other.kill()
        other.wait()
    told = json.loads((desk.home / "neovim.json").read_text(encoding="utf-8"))
    assert told.get("failure") is None, f"{json.dumps(told, indent=2)}\n{said}"

    assert code["before"].strip() == "AgentOS: 1 waiting"
    asked = "The agent asks to run: python3 -c \"print('cleared by a person')\"\n"
    assert told["seen"]["approval"].startswith(asked)
    assert told["seen"]["before"] == "MIT License"
    assert told["seen"]["after"] == "MIT License (edited by an agent)"
    assert git(desk.clone, "show", "work:LICENSE").splitlines()[0] == "MIT License (edited by an agent)"
    assert git(desk.clone, "branch", "--list", "agentos/*") == ""
