"""VS Code and Neovim at once, both attached to one daemon on one repository. `make e2e` runs it."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e import neovim, workbench
from tests.e2e.workbench import HERE, SCRIPTED, SERVER, Desk, git

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.timeout(400)


@pytest.fixture
def desk() -> Iterator[Desk]:
    with workbench.desk() as one:
        yield one


def begun(desk: Desk, scenario: str, shared: Path, **more: str) -> subprocess.Popen[str]:
    """Begins a scenario in a new Neovim."""
    environment = {
        **desk.environment(),
        "PATH": f"{SERVER.parent}{os.pathsep}{os.environ['PATH']}",
        "E2E": str(HERE),
        "E2E_PATIENCE_MS": "180000",
        "E2E_REPORT": str(desk.home / "neovim.json"),
        "E2E_SHARED": str(shared),
        **more,
    }
    return neovim.start(scenario, desk.clone, environment)


def told_by(desk: Desk, editor: subprocess.Popen[str]) -> dict[str, Any]:
    """Waits until Neovim has ended; returns what it saw."""
    try:
        said, _ = editor.communicate(timeout=240)
    finally:
        editor.kill()
        editor.wait()
    told: dict[str, Any] = json.loads((desk.home / "neovim.json").read_text(encoding="utf-8"))
    assert told.get("failure") is None, f"{json.dumps(told, indent=2)}\n{said}"
    seen: dict[str, Any] = told["seen"]
    return seen


def status_until(desk: Desk, *, has: str = "", lacks: str = "\0") -> str:
    """Asks the daemon until it says one thing, and no longer another."""
    for _ in range(600):
        command = [SERVER, "daemon", "status"]
        done = subprocess.run(command, check=False, env=desk.environment(), capture_output=True, text=True, timeout=60)
        if has in done.stdout and lacks not in done.stdout:
            return done.stdout
        time.sleep(0.1)
    raise AssertionError(done.stdout)


def test_what_is_asked_in_one_editor_is_answered_in_the_other_and_merged_for_both(desk: Desk) -> None:
    shared = desk.home / "shared"
    shared.mkdir()
    settings = {**SCRIPTED, "security.workspace.trust.enabled": False}
    other = begun(desk, "together", shared)
    try:
        with desk.workbench(settings, "vscode.yaml") as address:
            code = desk.run("vscode_together", address, E2E_SHARED=str(shared))
            seen = told_by(desk, other)
    finally:
        other.kill()
        other.wait()

    assert code["before"].strip() == "AgentOS: 1 waiting"
    asked = "The agent asks to run: python3 -c \"print('cleared by a person')\"\n"
    assert seen["approval"].startswith(asked)
    assert seen["before"] == "MIT License"
    assert seen["after"] == "MIT License (edited by an agent)"
    assert git(desk.clone, "show", "work:LICENSE").splitlines()[0] == "MIT License (edited by an agent)"
    assert git(desk.clone, "branch", "--list", "agentos/*") == ""


def test_the_turn_goes_on_when_both_editors_are_closed_in_its_middle_and_both_find_the_page_right(desk: Desk) -> None:
    shared = desk.home / "shared"
    shared.mkdir()
    loop = "[time.sleep(0.1) for _ in iter(lambda: os.path.exists('gate'), True)]; os.remove('gate')"
    steps: list[dict[str, object]] = [
        {"run": f'python3 -c "import os, time; {loop}"', "expect": "ok"},
        {"edit": {"path": "LICENSE", "old": "MIT License", "new": "MIT License (edited alone)"}, "expect": "ok"},
        {"commit": "Say who edited the licence", "expect": "ok"},
    ]
    script = desk.home / "alone.yaml"
    script.write_text(json.dumps({"turns": [{"summary": "Went on alone.", "steps": steps}]}), encoding="utf-8")
    settings = {**SCRIPTED, "security.workspace.trust.enabled": False}
    other = begun(desk, "together_first", shared)
    try:
        with desk.workbench(settings, str(script)) as address:
            session = desk.run("vscode_first", address, E2E_SHARED=str(shared))["session"]
        assert told_by(desk, other)["status"] == "running"
    finally:
        other.kill()
        other.wait()

    # Nobody is there, and the turn goes on, to its end.
    told = status_until(desk, has="editors  0\n")
    assert f"{session} (running)" in told
    worktree = git(desk.clone, "worktree", "list", "--porcelain").splitlines()
    (folder,) = [line[9:] for line in worktree if line.startswith("worktree ") and line[9:] != str(desk.clone)]
    Path(folder, "gate").touch()
    assert "editors  0\n" in status_until(desk, has="editors", lacks="(running)")

    again = begun(desk, "two_again", shared, E2E_SESSION=session)
    seen = told_by(desk, again)
    with desk.workbench(settings, str(script)) as address:
        code = desk.run("vscode_again", address)
    for page in (seen["page"], code["page"]):
        assert any("Went on alone." in line for line in page), page
        assert "State: idle" in page
    trace = "\n".join(seen["trace"])
    assert (trace.count("**approval.decided**"), trace.count("**commit.made**")) == (1, 1)
    assert "**session.recovered**" not in trace
    assert git(desk.clone, "show", f"agentos/{session}:LICENSE").startswith("MIT License (edited alone)")
