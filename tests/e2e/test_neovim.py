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
from typing import TYPE_CHECKING

import pytest

from tests.e2e import neovim
from tests.e2e.neovim import HERE, PLUGIN, ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

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
        return self.finish(scenario, self.open(scenario, plugin=plugin, **more))

    def open(self, scenario: str, *, plugin: Path = PLUGIN, **more: str) -> subprocess.Popen[str]:
        """Begins a scenario in a new Neovim."""
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
        return neovim.start(scenario, self.clone, environment, plugin)

    def finish(self, scenario: str, editor: subprocess.Popen[str]) -> dict[str, object]:
        """Waits for the end of a scenario; returns what it saw."""
        report = self.home / f"{scenario}.json"
        said, _ = editor.communicate(timeout=150)
        assert report.exists(), f"{editor.returncode}\n{said}\n{self.log()}"
        told: dict[str, object] = json.loads(report.read_text(encoding="utf-8"))
        assert told.get("failure") is None, f"{json.dumps(told, indent=2)}\n{self.log()}"
        assert editor.returncode == 0, said
        return told

    def daemon(self, *words: str) -> str:
        """Asks the daemon that the editors of this desk share."""
        command = [
            sys.executable,
            "-m",
            "agentos_lsp",
            "--state",
            str(self.home / "state" / "agentos"),
            "daemon",
            *words,
        ]
        return subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True, timeout=60).stdout

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
def desk(tmp_path: Path) -> Iterator[Desk]:
    assert neovim.PROGRAM.exists(), "run `make e2e`: it installs Neovim first"
    clone = tmp_path / "a clone"
    git(tmp_path, "clone", "--quiet", str(ROOT), str(clone))
    git(clone, "checkout", "--quiet", "-B", "work")
    # An agent's push must not reach the repository that is tested.
    git(clone, "remote", "remove", "origin")
    one = Desk(clone, tmp_path / "home")
    yield one
    one.daemon("stop", "--now")


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
                "checkpoint",
                "commit",
                "discard",
                "keep",
                "list",
                "merge",
                "model",
                "open",
                "pause",
                "pick",
                "preview",
                "prompt",
                "providers",
                "restore",
                "resume",
                "since",
                "start",
                "stop",
                "trace",
                "undo",
                "waiting",
            )
        ],
        "sessions": [session],
        "documents": ["page", "changes", "trace", "overview"],
    }

    assert seen["changes"]["filetype"] == "diff"
    assert "-MIT License" in seen["changes"]["lines"]
    assert "+MIT License (edited by an agent)" in seen["changes"]["lines"]
    assert (seen["word"], seen["marked"], seen["unmarked"]) == (
        ["agentosAdded", " (edited by an agent)"],
        "DiffText",
        [],
    )
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
    assert seen["refused"] == 'There is no session "nobody-1".'


def test_a_change_is_reviewed_hunk_by_hunk_on_the_persons_own_files(desk: Desk) -> None:
    seen = desk.run("review")["seen"]
    assert isinstance(seen, dict)
    session = seen["session"]

    assert [(one["lnum"], one["code"], one["severity"]) for one in seen["moved"]] == [(1, "hunk", 3), (20, "hunk", 3)]
    assert seen["moved"][0]["message"] == (
        f"{session} would turn 1 line into 1 line here.\n- MIT License\n+ MIT License (edited by an agent)"
    )
    assert [title.removesuffix(f" ({session})") for title in seen["offered"]] == [
        "Accept hunk",
        "Reject hunk",
        "Accept LICENSE",
        "Reject LICENSE",
        "Ask for a change",
        "Show diff",
        "Mark as reviewed",
    ]
    # Accepted in the buffer, beside what was typed and not saved, and undone with one key.
    assert seen["accepted"] == ["Typed, not saved.", "MIT License (edited by an agent)"]
    assert seen["on_disk"] == "MIT License"
    assert seen["undone"] == "MIT License"

    assert seen["asked"] == "What should the agent know? "
    trace = "\n".join(seen["trace"])
    assert "They ask: Keep the wording." in trace
    worktree = next(Path(path) for path in desk.worktrees() if path != str(desk.clone))
    assert "ANY OTHER DEALINGS" not in (worktree / "LICENSE").read_text(encoding="utf-8")
    assert "**review.rejected**" in trace
    assert not any("ANY OTHER" in line for line in seen["changes"])
    assert seen["in_diff"][0] == "Accept NOTES"
    assert seen["note"] == "A note."
    assert (desk.clone / "LICENSE").read_text(encoding="utf-8").splitlines()[0] == "MIT License"


def test_two_editors_share_a_session_and_it_goes_on_when_both_are_closed(desk: Desk, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    ask = "python3 -c \"print('cleared by the second editor')\""
    loop = "[time.sleep(0.1) for _ in iter(lambda: os.path.exists('gate'), True)]; os.remove('gate')"
    wait = f'python3 -c "import os, time; {loop}"'
    steps: list[dict[str, object]] = [
        {"run": ask, "expect": "ok"},
        {"run": wait, "expect": "ok"},
        {"edit": {"path": "LICENSE", "old": "MIT License", "new": "MIT License (edited alone)"}, "expect": "ok"},
        {"commit": "Say who edited the licence", "expect": "ok"},
    ]
    script = tmp_path / "two.yaml"
    script.write_text(json.dumps({"turns": [{"summary": "Went on alone.", "steps": steps}]}), encoding="utf-8")
    around = {"E2E_SHARED": str(shared), "E2E_SCRIPT": str(script)}
    editors = {name: desk.open(name, **around) for name in ("two_first", "two_second")}
    seen = {name: desk.finish(name, editor)["seen"] for name, editor in editors.items()}
    first, second = seen["two_first"], seen["two_second"]
    assert isinstance(first, dict)
    assert isinstance(second, dict)
    session = first["session"]

    # Each saw both questions, and each answered one.
    assert first["first"] == second["first"]
    assert first["first"].startswith(f"The agent asks to run: {ask}\n")
    assert first["second"] == second["second"]
    assert first["second"].startswith(f"The agent asks to run: {wait}\n")
    assert (first["status"], first["status_after"]) == ("agentos: 1 waiting", "")
    assert first["quickfix"] == [[f"agentos://{session}/session.md", f"{session}: The agent asks to run: {wait}"]]
    assert second["picked"] == [f"{session} [waiting] Say who edited the licence", "Open its page"]

    # Nobody is there, and the turn goes on.
    told = desk.daemon("status")
    assert "editors  0\n" in told
    assert f"{session} (running)" in told
    worktree = next(path for path in desk.worktrees() if path != str(desk.clone))
    Path(worktree, "gate").touch()
    again = desk.run("two_again", E2E_SESSION=session)["seen"]
    assert isinstance(again, dict)
    assert any("Went on alone." in line for line in again["page"])
    trace = "\n".join(again["trace"])
    assert trace.count("**approval.decided**") == 2
    assert trace.count("**commit.made**") == 1
    for word in ("interrupted", "**session.recovered**"):
        assert word not in trace
    assert git(desk.clone, "show", f"agentos/{session}:LICENSE").startswith("MIT License (edited alone)")


def test_without_the_daemon_a_session_is_found_as_it_was_after_the_editor_was_closed(desk: Desk) -> None:
    before = desk.run("close", E2E_ALONE="yes")["seen"]
    assert isinstance(before, dict)
    session = before["session"]
    assert len(desk.worktrees()) == 2
    after = desk.run("reopen", E2E_ALONE="yes", E2E_SESSION=session)["seen"]
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


def test_a_check_of_an_untrusted_policy_runs_for_a_merge_only_if_a_person_says_so(desk: Desk) -> None:
    policy = desk.clone / ".agentos" / "policy.toml"
    policy.parent.mkdir(exist_ok=True)
    line = "python3 -c 'print(1)'"
    policy.write_text(f'[[check]]\nname = "says-one"\nrun = "{line}"\n', encoding="utf-8")
    git(desk.clone, "add", "--all")
    git(desk.clone, "commit", "--quiet", "--message=policy")
    seen = desk.run("checks")["seen"]
    assert isinstance(seen, dict)

    uncommitted, commit = seen["uncommitted"]
    assert uncommitted == "A merge takes only what is committed. Not committed:\nby-hand.txt"
    assert commit == "Commit 1 files first"
    assert seen["asked"].splitlines() == [
        "The policy wants these checks to pass on the merged files, and you have not trusted it:",
        f"says-one: {line}",
    ]
    assert seen["offered"] == ["Do not merge", "Run them and merge"]
    told = [event for text in seen["trace"] if (event := text.partition("**")[2].partition("**")[0])]
    assert told.count("check.started") == 2
    assert told.count("merge.attempted") == 1
    assert told[-1] == "merge.undone"
    assert git(desk.clone, "log", "-1", "--format=%s") == "meanwhile\n"


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
    tags = [neovim.PROGRAM, "--clean", "--headless", "-c", f"helptags {plugin}/doc", "-c", "qa"]
    subprocess.run(tags, check=True, timeout=60)
    seen = desk.run("health", plugin=plugin)["seen"]
    assert isinstance(seen, dict)
    health = "\n".join(seen["health"])
    assert re.search(r"OK Neovim 0\.\d+", health)
    assert re.search(r"OK \S+/agentos-lsp: .*0\.1\.0", health)
    assert re.search(r"OK Daemon: agentos-lsp 0\.1\.0, process \d+", health)
    assert re.search(r"editors\s+1", health)
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


def test_the_demo_shows_the_whole_surface_where_there_is_no_repository_and_no_model(desk: Desk, tmp_path: Path) -> None:
    empty = Desk(tmp_path / "nothing here", desk.home)
    empty.clone.mkdir()
    told = empty.run("demo")
    seen = told["seen"]
    assert isinstance(seen, dict)

    assert seen["page"].startswith("> Simulated: ")
    assert seen["providers"].startswith("> Simulated: ")
    assert seen["models"] == ["## played [ok]", "## cramped [wrong]", "## router [wrong]"]
    assert "+    return one + two" in seen["diff"]
    notices = told["notices"]
    assert isinstance(notices, list)
    assert f"{seen['session']} asks cramped/played-small:1b from its next turn on." in notices
    assert "Merged 1 files into main." in notices
    assert list(empty.clone.iterdir()) == []
    assert not (desk.home / "state" / "agentos").exists()
