"""The real workbench of VS Code, our packaged extension and the real server, on a clone. `make e2e` runs it."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pydantic
import pytest

from tests.e2e import workbench
from tests.e2e.workbench import SCRIPTED, Desk, git

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def desk() -> Iterator[Desk]:
    with workbench.desk() as one:
        yield one


def test_a_session_is_started_approved_by_a_lens_compared_and_merged(desk: Desk) -> None:
    with desk.workbench({**SCRIPTED, "security.workspace.trust.enabled": False}, "vscode.yaml") as address:
        seen = desk.run("vscode_merge", address)

    line = "python3 -c \"print('cleared by a person')\""
    assert seen["lenses"] == ["Approve once", "Approve this line for this session", "Reject"]
    assert f"The agent asks to run: {line}" in seen["toast"]
    assert {"Approve once", "Reject", "Show"} < set(seen["toast"].splitlines())
    assert seen["problem"].startswith(f"The agent asks to run: {line}\n")
    assert seen["approval"] == line
    assert seen["group"] == "Needs You1"
    assert seen["badge"] == "1"
    assert seen["status"].strip() == "AgentOS: 1 waiting"

    assert seen["files"] == ["LICENSE+1 \N{MINUS SIGN}1", "editors of this file.txtdocs +1 \N{MINUS SIGN}0"]
    assert seen["hunk"] == "@@ line 1, +1 \N{MINUS SIGN}1"
    assert seen["menu"] == [
        "Accept the Hunk",
        "Reject the Hunk",
        "Ask for a Change of the Hunk\N{HORIZONTAL ELLIPSIS}",
        "Show the Hunk in the Patch",
        "Accept the File",
        "Reject the File",
        "Ask for a Change of the File\N{HORIZONTAL ELLIPSIS}",
    ]
    assert seen["left"] == "MIT License"
    assert seen["right"] == "MIT License (edited by an agent)"
    assert [row.partition("~")[0] for row in seen["multi"]] == ["LICENSE", "editors of this file.txt"]

    # What was merged is on the disk and in the branch, in one commit, and the open editor shows it.
    assert seen["before"] == "MIT License"
    assert seen["after"] == "MIT License (edited by an agent)"
    assert git(desk.clone, "show", "work:LICENSE").splitlines()[0] == "MIT License (edited by an agent)"
    assert git(desk.clone, "rev-list", "--count", "HEAD@{1}..HEAD") == "1\n"
    assert (desk.clone / "docs" / "editors of this file.txt").read_text(encoding="utf-8") == "An agent.\n"
    assert git(desk.clone, "status", "--porcelain") == ""
    assert git(desk.clone, "branch", "--list", "agentos/*") == ""


def test_inside_the_extension_host_every_contribution_does_what_it_says(desk: Desk) -> None:
    settings = {**SCRIPTED, "security.workspace.trust.enabled": False}
    with desk.workbench(settings, "vscode_host.yaml", hosts_tests=True) as address:
        seen = desk.run("vscode_host", address)

    answers = ["Approve once", "Approve this line for this session", "Reject"]
    assert seen.pop("hover").startswith("**reviewed**\n")
    assert "changes.diff" in seen.pop("links")
    assert any(name.startswith("say-who-edited-the-licence-") for name in seen.pop("symbols"))
    assert seen == {
        "unregistered": [],
        "language": "markdown",
        "diagnostic": {"source": "agentos", "code": "approval", "line": "- ["},
        "actions": [[title, "quickfix.agentos"] for title in [*answers, "Reject with a comment"]],
        "lenses": answers,
        "paused": "waiting",
        "files": [["LICENSE", "modified"], ["Makefile", "deleted"], ["docs/new file #1.txt", "added"]],
        "hunks": ["@@ line 1", "@@ line 20"],
        "unanswered": 4,
        "rejected": ["@@ line 1"],
        "stale": 1,
        "left": "agentos://SESSION/base/LICENSE",
        "base": "MIT License",
        "right": "LICENSE",
        "work": "MIT License (edited by an agent)",
        "patch": "diff",
        "words": [["agentosAdded", " (edited by an agent)"], ["agentosAdded", "ANY "]],
        "elsewhere": None,
        "merged": ["LICENSE", "Makefile", "docs/new file #1.txt"],
        "found": [[True, "merged", "ended"]],
    }


def test_requests_hunks_files_checkpoints_and_merges_are_answered_in_the_sessions_view(desk: Desk) -> None:
    policy = desk.clone / ".agentos" / "policy.toml"
    policy.parent.mkdir(exist_ok=True)
    line = "python3 -c 'print(1)'"
    policy.write_text(f'[[check]]\nname = "says-one"\nrun = "{line}"\n', encoding="utf-8")
    git(desk.clone, "add", "--all")
    git(desk.clone, "commit", "--quiet", "--message=policy")
    with desk.workbench({**SCRIPTED, "security.workspace.trust.enabled": False}, "vscode_tree.yaml") as address:
        seen = desk.run("vscode_tree", address)

    assert seen["accepted"].startswith("@@ line 1, ")
    assert seen["person"] == [False]
    assert seen["note"] == "A better note."
    assert "as checkpoint" in seen["taken"] or "since checkpoint" in seen["taken"]
    assert seen["checkpoints"] >= 2
    assert "Restored 0 files" in seen["restored"]
    assert f"check, ask: {line}" in seen["preview"].splitlines()
    assert "Run this check for the merge?" in seen["asked"]
    assert f"says-one: {line}" in seen["asked"].splitlines()
    assert seen["declined"] == "accepted"
    assert "by hand.txt" in seen["uncommitted"].splitlines()
    assert seen["byHand"] == "By hand.\n"
    assert seen["merged"] == "Change the licence and add a note"
    assert seen["undone"] == "accepted"
    assert git(desk.clone, "status", "--porcelain") == ""


def test_a_missing_server_is_installed_as_a_private_copy_once_a_person_has_agreed(desk: Desk) -> None:
    nowhere = str(desk.home / "agentos-lsp")
    settings: dict[str, object] = {
        **SCRIPTED,
        "agentos.path": nowhere,
        "agentos.python": str(desk.home / "python"),
        # What the copy depends on is lent to it by this environment, so that nothing is fetched.
        "agentos.arguments": ["--stdio"],
        "security.workspace.trust.enabled": False,
    }
    lent = {"PIP_NO_DEPS": "1", "PYTHONPATH": str(Path(pydantic.__file__).parent.parent)}
    with desk.workbench(settings, "vscode.yaml", more=lent) as address:
        python = {"E2E_PYTHON": str(desk.home / "python"), "E2E_REAL_PYTHON": sys.executable}
        seen = desk.run("vscode_install", address, **python)

    assert "agentos-lsp was not found" in seen["missing"]
    assert "run: pipx install --force ." in seen["missing"]
    assert "Install a Private Copy" in seen["welcome"]
    assert f"Python 3.11 to 3.13 is needed, and {desk.home}/python is Python 3.9.2." in seen["old"]
    assert "run: pipx install --force --python python3.13 '" in seen["old"]
    assert "The server was not installed: making a Python environment failed. no room" in seen["broken"]
    assert "run: pipx install --force '" in seen["broken"]
    assert seen["untouched"] == []
    assert seen["cancelled"] == []
    copies = sorted(file.parent for file in (desk.home / "vscode").rglob("server-*/complete"))
    assert len(copies) == 2
    asked = re.search(r"made in (\S+)-\d+ with (\S+)", seen["asked"])
    assert asked
    assert asked[2] == f"{desk.home}/python"
    for copy in copies:
        assert str(copy).startswith(f"{asked[1]}-")
        assert (copy / "bin" / "agentos-lsp").is_file()
        assert list(copy.glob("lib/python*/site-packages/agentos_lsp/server/protocol.py"))
    assert "The copy that is there stays" in seen["again"]
    assert seen["page"].startswith("# say-who-edited-the-licence-")


def test_a_missing_server_and_an_untrusted_workspace_are_said_plainly_and_mended_on_the_spot(desk: Desk) -> None:
    nowhere = str(desk.home / "agentos-lsp")
    settings = {**SCRIPTED, "agentos.path": nowhere, "security.workspace.trust.startupPrompt": "never"}
    with desk.workbench(settings, "reject.yaml") as address:
        seen = desk.run("vscode_trust", address)

    assert "agentos-lsp was not found in the setting agentos.path or on PATH." in seen["missing"]
    assert "run: pipx install --force ." in seen["missing"]
    assert seen["status"].strip() == "AgentOS"
    assert seen["welcome"].startswith("In a workspace that you do not trust, sessions can only be looked at.")
    assert "Task: Explain this" in seen["page"]
    assert "uncommitted: left-behind.txt" in seen["discard"].splitlines()
    assert seen["ended"] == "Ended1"
    assert "allowed: cat README.md" in seen["check"].splitlines()
    assert git(desk.clone, "branch", "--list", "agentos/*") == ""
    assert git(desk.clone, "worktree", "list").count("\n") == 1
