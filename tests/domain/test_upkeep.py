"""What is said of a worktree's size and age: little, unless the policy has a limit that it is beyond."""

from datetime import timedelta

import pytest

from agentos_lsp.domain import policy, upkeep

MIB = 1 << 20


@pytest.mark.parametrize(
    ("size", "days", "rules", "line"),
    [
        (5 * MIB, 400, {}, ""),
        (2048 * MIB, 1, {}, "Disk: 2.0 GiB"),
        (20 * MIB, 1, {"disk_mb": 20}, "Disk: 20 MiB"),
        (21 * MIB, 1, {"disk_mb": 20}, "Disk: 21 MiB; more than the policy's 20 MiB; merge or discard it"),
        (1024, 8, {"age_days": 7}, "Disk: 1 KiB; 8 days old, more than the policy's 7; merge or discard it"),
        (100, 7, {"age_days": 7, "disk_mb": 1}, ""),
    ],
)
def test_the_line_of_the_page(size, days, rules, line):
    assert upkeep.line(size, timedelta(days=days), policy.Policy(**rules)) == line


def test_of_two_limits_the_lower_counts_and_a_higher_one_would_loosen():
    mine, theirs = policy.Policy(disk_mb=10), policy.Policy(disk_mb=20, age_days=3)
    both = policy.tighten(mine, theirs)
    assert (both.disk_mb, both.age_days) == (10, 3)
    assert policy.passed_over(mine, theirs) == ("worktree.disk_mb = 20",)
