"""A real Neovim, our plugin and the real server, on a clone of this repository. `make e2e` runs it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
NVIM = ROOT / ".cache" / "neovim" / "nvim"
PLUGIN = ROOT / "editors" / "nvim"

pytestmark = pytest.mark.timeout(180)


def git(folder: Path, *words: str) -> str:
    return subprocess.run(["git", "-C", str(folder), *words], check=True, capture_output=True, text=True).stdout


@dataclass(frozen=True)
class Desk:
    """A clone to work on, and a place of its own for everything that editor and server keep."""

    clone: Path
    home: Path

    def run(self, scenario: str, *, plugin: Path = PLUGIN, **more: str) -> dict[str, object]:
        """Plays a scenario in a new Neovim; returns what it saw, after the editor has ended."""
        report = self.home / f"{scenario}.json"
        environment = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "XDG_STATE_HOME": str(self.home / "state"),
            "XDG_DATA_HOME": str(self.home / "data"),
            "XDG_CONFIG_HOME": str(self.home / "config"),
            "XDG_CACHE_HOME": str(self.home / "cache"),
            "E2E": str(HERE),
            "E2E_REPORT": str(report),
            **more,
        }
        command = [
            str(NVIM),
            "--headless",
            "--clean",
            "--cmd",
            f"set runtimepath^={str(plugin).replace(' ', chr(92) + ' ')}",
        ]
        command += ["-c", f"luafile {str(HERE / scenario).replace(' ', chr(92) + ' ')}.lua"]
        done = subprocess.run(
            command,
            check=False,
            cwd=self.clone,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=150,
        )
        assert report.exists(), f"{done.returncode}\n{done.stdout}\n{done.stderr}\n{self.log()}"
        told: dict[str, object] = json.loads(report.read_text(encoding="utf-8"))
        assert told.get("failure") is None, f"{json.dumps(told, indent=2)}\n{self.log()}"
        assert done.returncode == 0, done.stderr
        return told

    def log(self) -> str:
        """Returns the end of what Neovim's client and the server's standard error said."""
        return "\n".join(file.read_text("utf-8", "replace")[-4000:] for file in self.home.rglob("lsp.log"))

    def worktrees(self) -> list[str]:
        return [
            line.partition(" ")[2]
            for line in git(self.clone, "worktree", "list", "--porcelain").splitlines()
            if line.startswith("worktree ")
        ]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    assert NVIM.exists(), "run `make e2e`: it installs Neovim first"
    clone = tmp_path / "a clone"
    git(tmp_path, "clone", "--quiet", str(ROOT), str(clone))
    git(clone, "checkout", "--quiet", "-B", "work")
    # An agent's push must not reach the repository that is tested.
    git(clone, "remote", "remove", "origin")
    return Desk(clone, tmp_path / "home")


def test_a_session_is_started_approved_by_a_code_action_looked_at_and_merged(desk: Desk) -> None:
    told = desk.run("merge")
    seen = told["seen"]
    assert isinstance(seen, dict)
    session = seen["session"]

    assert session.startswith("say-who-edited-the-licence-")
    assert seen["page_options"] == ["nofile", "markdown", False, False, False]
    approval = seen["approval"]
    line = "python3 -c \"print('cleared by a person')\""
    assert approval["message"].startswith(f"The agent asks to run: {line}\n")
    assert approval["line"].endswith(f"] {line}")
    assert seen["offered"][0] == "Approve once"
    assert {"Approve this line for this session", "Reject", "Reject with a comment"} < set(seen["offered"])
    assert set(seen["lens"]) == set(seen["offered"]) - {"Reject with a comment"}
    assert seen["completed"] == {
        "subcommands": [
            *(
                "changes",
                "check",
                "discard",
                "list",
                "merge",
                "open",
                "pause",
                "prompt",
                "resume",
                "start",
                "stop",
                "trace",
            )
        ],
        "sessions": [session],
        "documents": ["page", "changes", "trace", "overview"],
    }

    assert seen["changes"]["filetype"] == "diff"
    assert "-MIT License" in seen["changes"]["lines"]
    assert "+MIT License (edited by an agent)" in seen["changes"]["lines"]
    assert seen["base"] == "MIT License"
    trace = "\n".join(seen["trace"])
    for event in ("approval.requested", "approval.decided", "command.started", "command.finished", "commit.made"):
        assert f"**{event}**" in trace
    assert any(session in line for line in told["progress"])

    # What was merged is in the branch, on the disk, and in the buffer that was open all the time.
    assert seen["before_merge"] == "MIT License"
    assert seen["after_merge"] == "MIT License (edited by an agent)"
    assert (desk.clone / "LICENSE").read_text(encoding="utf-8").splitlines()[0] == "MIT License (edited by an agent)"
    assert git(desk.clone, "show", "work:LICENSE").splitlines()[0] == "MIT License (edited by an agent)"
    assert git(desk.clone, "status", "--porcelain") == ""
    assert desk.worktrees() == [str(desk.clone)]
    assert git(desk.clone, "branch", "--list", "agentos/*") == ""


def test_a_session_is_found_as_it_was_after_the_editor_was_closed(desk: Desk) -> None:
    before = desk.run("close")["seen"]
    assert isinstance(before, dict)
    session = before["session"]
    assert len(desk.worktrees()) == 2
    after = desk.run("reopen", E2E_SESSION=session)["seen"]
    assert isinstance(after, dict)

    assert any(session in line for line in after["overview"])
    # All of it, but for the name of the question, which was asked again, and the length of the trace, which tells so.
    names = re.compile(r"^- \[\w+\]|^Trace: \d+ events$")
    assert [names.sub("*", line) for line in after["page"]] == [names.sub("*", line) for line in before["page"]]
    assert after["approval"]["message"] == before["approval"]["message"]
    worktree = next(Path(path) for path in desk.worktrees() if path != str(desk.clone))
    assert (worktree / "LICENSE").read_text(encoding="utf-8").splitlines()[0] == "MIT License (edited by an agent)"


def test_a_rejection_with_a_comment_reaches_the_agent_and_a_discard_says_what_is_lost(desk: Desk) -> None:
    told = desk.run("reject")
    seen = told["seen"]
    assert isinstance(seen, dict)

    assert seen["asked"] == "What should the agent know? "
    decided = next(line for line in seen["trace"] if "**approval.decided**" in line)
    assert "outcome=rejected" in decided
    assert "comment=Read the licence instead" in decided
    refused = next(line for line in seen["trace"] if "**tool_call.refused**" in line)
    assert "Read the licence instead" in refused
    assert not any("**command.started**" in line for line in seen["trace"])

    notices = told["notices"]
    assert isinstance(notices, list)
    checked = next(notice for notice in notices if notice.startswith("blocked: "))
    assert checked.splitlines()[0] == 'blocked: rm -rf "/a  b"'
    assert '":AgentOS no-such-thing" does not exist; see :help :AgentOS.' in notices
    # The bell rings, and waits for no key.
    assert any("The agent asks to run" in notice for notice in notices)

    assert "uncommitted: left-behind.txt" in seen["discard"]
    assert desk.worktrees() == [str(desk.clone)]
    assert git(desk.clone, "branch", "--list", "agentos/*") == ""


def test_an_editor_that_does_not_trust_the_workspace_only_observes(desk: Desk) -> None:
    told = desk.run("untrusted")
    seen = told["seen"]
    assert isinstance(seen, dict)
    assert seen["overview"][0] == "# Sessions"
    assert seen["sessions"] == []
    assert any("may not steer" in notice for notice in told["notices"])


def test_checkhealth_names_what_is_there_and_what_is_wrong(desk: Desk, tmp_path: Path) -> None:
    # A plugin manager makes the tags of the help file.
    plugin = tmp_path / "plugin"
    shutil.copytree(PLUGIN, plugin)
    subprocess.run([NVIM, "--clean", "--headless", "-c", f"helptags {plugin}/doc", "-c", "qa"], check=True, timeout=60)
    seen = desk.run("health", plugin=plugin)["seen"]
    assert isinstance(seen, dict)
    health = "\n".join(seen["health"])
    assert re.search(r"OK Neovim 0\.\d+", health)
    assert re.search(r"OK \S+/agentos-lsp: .*0\.1\.0", health)
    assert "OK git version" in health
    assert re.search(r"OK Connected for .*a clone, attached to 1 buffers", health)
    assert "vim.g.agentos.colour is not an option" in health
    assert seen["help"] == "agentos.txt"


def test_the_configuration_file_alone_starts_the_server_and_carries_its_commands(desk: Desk, tmp_path: Path) -> None:
    alone = tmp_path / "alone"
    (alone / "lsp").mkdir(parents=True)
    (alone / "lsp" / "agentos.lua").write_bytes((PLUGIN / "lsp" / "agentos.lua").read_bytes())
    seen = desk.run("alone", plugin=alone)["seen"]
    assert seen == {
        "sessions": [],
        "options": {
            "permissions": ["observe", "steer", "approve", "merge"],
            "trusted": True,
            "virtualDocuments": False,
            "events": False,
            "askText": True,
            "bell": True,
        },
    }
