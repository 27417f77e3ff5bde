"""One example of every event, as a session might have them, for goldens and folds."""

from datetime import UTC, datetime, timedelta

from agentos_lsp.domain import events, model_events, policy_events, tools, tree_events

T0 = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SESSION = "fix-it-ab12"

REASON = events.ReasonRecord(rule="review.unknown", verdict="reviewed", text="make is not on the allowlist.")
PART = events.PartRecord(text="make", words=("make", None), verdict="reviewed", reasons=(REASON,))
FINDING = events.FindingRecord(rule="policy.secret", action="refuse", path="a.py", line=3, message="It looks secret.")

USE = model_events.UseRecord(id="call_1", name="read", arguments='{"path": "a.py"}')

FIELDS = {
    "session.started": {
        "task": "Fix it",
        "agent": "scripted",
        "script": "/s.yaml",
        "model": None,
        "repository": "/repo",
        "base_branch": "main",
        "base_commit": "a" * 40,
        "by": "editor 1",
    },
    "session.adopted": {
        "task": "Recovered: fix-it-ab12",
        "agent": "none",
        "repository": "/repo",
        "base_branch": "main",
        "base_commit": "a" * 40,
        "folder": "/state/worktrees/repo/fix-it-ab12",
        "admin": "/repo/.git/worktrees/fix-it-ab12",
        "branch": "agentos/fix-it-ab12",
        "scratch": "/state/scratch/fix-it-ab12",
        "by": "editor 1",
    },
    "worktree.created": {
        "folder": "/state/worktrees/repo/fix-it-ab12",
        "admin": "/repo/.git/worktrees/fix-it-ab12",
        "branch": "agentos/fix-it-ab12",
        "commit": "a" * 40,
        "scratch": "/state/scratch/fix-it-ab12",
    },
    "confinement.chosen": {
        "level": "best-effort",
        "by": "Landlock, seccomp",
        "missing": ("UDP",),
        "refusal": "",
    },
    "worktree.removed": {"folder": "/state/worktrees/repo/fix-it-ab12"},
    "turn.started": {"turn": "t1", "prompt": "Fix it", "by": "editor 1"},
    "turn.finished": {"turn": "t1", "reason": "done", "summary": "Fixed."},
    "prompt.queued": {"prompt": "Fix it", "by": "editor 1"},
    "agent.message": {"turn": "t1", "text": "I look."},
    "tool_call.requested": {"call": "c1", "turn": "t1", "request": tools.RunCall(line="make", cwd="src")},
    "tool_call.refused": {"call": "c1", "why": "blocked", "message": "Blocked: no.", "instead": "Do that."},
    "command.classified": {
        "call": "c1",
        "line": "make",
        "verdict": "reviewed",
        "reasons": (REASON,),
        "parts": (PART,),
        "prefix": ("make",),
    },
    "approval.requested": {
        "approval": "a1",
        "call": "c1",
        "digest": "d" * 16,
        "line": "make",
        "cwd": "src",
        "head": "a" * 40,
        "prefix": ("make",),
    },
    "approval.decided": {
        "approval": "a1",
        "outcome": "approved",
        "scope": "prefix",
        "by": "editor 1",
        "comment": "fine",
    },
    "approval.withdrawn": {"approval": "a1", "reason": "The turn ended."},
    "allowlist.extended": {"approval": "a1", "prefix": ("make",)},
    "command.started": {"call": "c1", "line": "make", "cwd": "src", "cleared_by": "approval a1"},
    "command.output": {"call": "c1", "text": "ok\n"},
    "command.finished": {
        "call": "c1",
        "exit_code": 0,
        "signal": None,
        "ended_by": "itself",
        "duration_s": 0.25,
        "output": "b" * 64,
        "output_bytes": 3,
    },
    "file.read": {"call": "c1", "path": "a.py", "size_bytes": 3},
    "file.write_attempted": {"call": "c1", "path": "a.py", "operation": "write", "before": "b" * 64},
    "file.written": {"call": "c1", "path": "a.py", "operation": "write", "size_bytes": 3},
    "file.refused": {
        "call": "c1",
        "path": "../x",
        "operation": "write",
        "reason": "outside",
        "message": "../x leads out of the worktree.",
    },
    "diff.inspected": {"call": "c1", "files": 1, "findings": (FINDING,)},
    "commit.attempted": {"call": "c1", "message": "Fix", "files": 1},
    "commit.made": {"call": "c1", "commit": "c" * 40, "message": "Fix", "files": ("a.py",)},
    "commit.refused": {"call": "c1", "findings": (FINDING,), "message": "The commit was refused."},
    "check.started": {"call": "c1", "name": "tests", "line": "make test", "tree": "f" * 40, "cleared_by": "allowlist"},
    "check.finished": {
        "call": "c1",
        "name": "tests",
        "line": "make test",
        "tree": "f" * 40,
        "passed": True,
        "exit_code": 0,
        "ended_by": "itself",
        "duration_s": 1.5,
        "output": "b" * 64,
        "output_bytes": 3,
    },
    "policy.loaded": {
        "sources": (policy_events.PolicySource(file=".agentos/policy.toml", digest="d" * 64, trusted=False),),
        "passed_over": ("commands.allow",),
    },
    "finding.waived": {
        "digest": "d" * 32,
        "rule": "policy.secret",
        "path": "a.py",
        "reason": "it is test data",
        "by": "editor 1",
    },
    "commits.found": {
        "call": "c1",
        "head": "e" * 40,
        "commits": ("c" * 40, "e" * 40),
        "files": ("a.py",),
        "findings": (),
    },
    "commits.set_aside": {
        "call": "c1",
        "ref": "refs/agentos/fix-it-ab12/refused/eeeeeeeeeeee",
        "tip": "e" * 40,
        "head": "c" * 40,
        "findings": (FINDING,),
        "message": "Set aside.",
    },
    "merge.attempted": {
        "into": "main",
        "strategy": "merge",
        "source_commit": "c" * 40,
        "target_commit": "a" * 40,
        "by": "editor 1",
    },
    "merge.made": {"into": "main", "commit": "e" * 40, "files": ("a.py",)},
    "merge.conflicted": {"into": "main", "paths": ("a.py",)},
    "merge.refused": {"into": "main", "reason": "a.py has unsaved changes.", "paths": ("a.py",)},
    "discard.attempted": {"commits": ("c" * 40,), "uncommitted": ("b.py",), "by": "editor 1"},
    "session.discarded": {},
    "session.paused": {"by": "editor 1"},
    "session.stopped": {"by": "editor 1"},
    "session.interrupted": {"during": "a turn"},
    "session.resumed": {"by": "editor 1"},
    "checkpoint.made": {
        "number": 1,
        "commit": "f" * 40,
        "occasion": "asked",
        "note": "It works.",
        "files": 2,
        "skipped": ("big.bin",),
    },
    "checkpoint.restore_attempted": {"number": 0, "undo": 1, "by": "editor 1"},
    "checkpoint.restored": {"number": 0, "undo": 1, "files": 2, "kept": ("c.py",)},
    "merge.undo_attempted": {"into": "main", "commit": "e" * 40, "back_to": "a" * 40, "by": "editor 1"},
    "merge.undone": {"into": "main", "commit": "a" * 40, "branch": "agentos/fix-it-ab12"},
    "merge.undo_refused": {"into": "main", "reason": "main has commits on top.", "paths": ("a.py",)},
    "merge.trial_began": {"commit": "c" * 40, "tree": "f" * 40},
    "merge.trial_ended": {"kept": ("a.py",)},
    "conflict.forecast": {
        "other": "other-cd34",
        "places": (tree_events.ForecastPlace(path="a.py", line=3, lines=2),),
    },
    "worktree.readied": {
        "copied": (".env",),
        "left": ("big.bin",),
        "offered": (tree_events.OfferRecord(file="conductor.json", lines=("npm ci",)),),
    },
    "session.kept": {
        "reference": "refs/agentos/removed/fix-it-ab12",
        "commit": "f" * 40,
        "skipped": ("big.bin",),
    },
    "review.attempted": {
        "wanted": "accept",
        "path": "a.py",
        "digest": "d" * 16,
        "whole": False,
        "through": "disk",
        "before": "b" * 64,
        "by": "editor 1",
    },
    "review.accepted": {"path": "a.py", "digests": ("d" * 16,), "through": "editor", "by": "editor 1"},
    "review.rejected": {"path": "a.py", "digests": ("d" * 16,), "note": "A person rejected it.", "by": "editor 1"},
    "review.refused": {"wanted": "reject", "path": "a.py", "digest": "d" * 16, "reason": "It was changed."},
    "review.marked": {"path": "a.py", "digests": ("d" * 16,), "reviewed": True, "by": "editor 1"},
    "review.asked": {"path": "a.py", "digest": "d" * 16, "text": "Shorter, please.", "by": "editor 1"},
    "review.edited": {"paths": ("a.py",), "note": "A person edited a.py."},
    "review.told": {"notes": 1},
    "model.chosen": {"model": "local/qwen3:8b", "by": "editor 1"},
    "turn.steered": {"turn": "t1", "prompt": "And hurry", "by": "editor 1"},
    "model.replied": {
        "turn": "t1",
        "model": "local/qwen3:8b",
        "text": "I look.",
        "uses": (USE,),
        "stop": "calls",
        "prompt_bytes": 7000,
        "prompt_tokens": 2000,
        "reply_tokens": 50,
        "window": 16384,
        "cost": 0.5,
    },
    "model.told": {"turn": "t1", "use": "call_1", "name": "read", "ok": True, "text": "one", "call": "c1"},
    "context.compacted": {
        "turn": "t1",
        "summary": "It was read.",
        "through": 12,
        "tokens_before": 14000,
        "tokens_after": 4000,
        "prompt_tokens": 12000,
        "reply_tokens": 400,
        "cost": 0.02,
    },
    "context.lost": {
        "turn": "t1",
        "model": "local/qwen3:8b",
        "sent_tokens": 16000,
        "read_tokens": 4095,
        "window": 4096,
    },
    "loop.found": {"turn": "t1", "name": "read", "arguments": '{"path": "a.py"}', "times": 3},
    "failure.recorded": {"where": "turn", "message": "It broke.", "hint": "Prompt it again."},
    "network.granted": {"call": "c1", "hosts": ("pypi.org",)},
    "network.connection": {
        "call": "c1",
        "host": "pypi.org",
        "port": 443,
        "outcome": "refused",
        "reason": "it is not among the hosts of the grant",
        "sent_bytes": 0,
        "received_bytes": 0,
        "duration_s": 0.0,
    },
    "review.commit_attempted": {
        "tree": "f" * 40,
        "parent": "a" * 40,
        "message": "Fix it",
        "files": ("a.py",),
        "by": "editor 1",
    },
    "review.committed": {"commit": "e" * 40, "message": "Fix it", "files": ("a.py",), "by": "editor 1"},
}


def event(kind, sequence=1, **fields):
    """Makes an event of a type, its fields those of the example where they are not given."""
    return events.EVENT_TYPES[kind](
        session=SESSION, sequence=sequence, at=T0 + timedelta(seconds=sequence), **{**FIELDS[kind], **fields}
    )


def log(*kinds):
    """Makes a log of examples in order; a kind may be a pair with fields of its own."""
    pairs = [(kind, {}) if isinstance(kind, str) else kind for kind in kinds]
    return [event(kind, number, **fields) for number, (kind, fields) in enumerate(pairs, start=1)]
