"""A real Emacs with eglot and nothing else: files, diagnostics and code actions carry a whole session."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
EMACS = ROOT / ".cache" / "emacs" / "emacs"

pytestmark = pytest.mark.timeout(300)

LINE = "python3 -c \"print('cleared in Emacs')\""
STEPS = [
    {"run": LINE, "expect": "ok"},
    {"edit": {"path": "LICENSE", "old": "MIT License", "new": "MIT License (edited from Emacs)"}, "expect": "ok"},
    {"commit": "Say who edited the licence", "expect": "ok"},
]


def git(folder: Path, *words: str) -> str:
    return subprocess.run(["git", "-C", str(folder), *words], check=True, capture_output=True, text=True).stdout


def test_a_session_is_started_from_a_comment_and_approved_on_a_real_file(tmp_path: Path) -> None:
    assert EMACS.exists(), "run `make e2e`: it installs Emacs first"
    clone, home = tmp_path / "a clone", tmp_path / "home"
    clone.mkdir()
    home.mkdir()
    git(clone, "init", "--quiet")
    (clone / "LICENSE").write_text("MIT License\n", encoding="utf-8")
    (clone / "work.py").write_text("print(1)  # TODO: say who edited the licence\n", encoding="utf-8")
    git(clone, "add", "--all")
    git(clone, "commit", "--quiet", "--message=first")
    script, report = tmp_path / "script.yaml", tmp_path / "report.json"
    script.write_text(json.dumps({"turns": [{"summary": "Said it.", "steps": STEPS}]}), encoding="utf-8")
    state = home / "state" / "agentos"
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(home),
        "XDG_STATE_HOME": str(home / "state"),
        "E2E_SCRIPT": str(script),
        "E2E_REPORT": str(report),
    }
    try:
        command = [str(EMACS), "--batch", "--quick", "--load", str(HERE / "emacs.el")]
        done = subprocess.run(
            command,
            cwd=clone,
            env=environment,
            capture_output=True,
            text=True,
            timeout=250,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    finally:
        command = [sys.executable, "-m", "agentos_lsp", "--state", str(state), "daemon", "stop", "--now"]
        subprocess.run(command, check=False, cwd=ROOT, capture_output=True, timeout=60)
    assert report.exists(), done.stderr
    seen = json.loads(report.read_text(encoding="utf-8"))
    assert seen["failure"] is None, f"{seen}\n{done.stderr}"

    assert seen["offered"] == ["Let an agent do this: say who edited the licence", "Show all agent sessions"]
    page = Path(seen["page"])
    assert page.parent.parent == state / "mirror"
    session = page.parent.name
    assert seen["line"].endswith(f"] {LINE}")
    assert seen["answers"][:2] == ["Approve once", "Approve this line for this session"]
    assert session in seen["overview"]
    assert page.stat().st_mode & 0o222 == 0
    assert seen["endings"] == [
        f"Merge {session} into {git(clone, 'branch', '--show-current').strip()}",
        f"Discard {session} (1 commit)",
    ]
    assert (clone / "LICENSE").read_text(encoding="utf-8") == "MIT License (edited from Emacs)\n"
    assert git(clone, "log", "--format=%s").splitlines().count("Say who edited the licence") == 1
