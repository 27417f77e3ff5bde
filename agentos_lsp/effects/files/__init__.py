"""Confined reads and writes in a worktree; the only door through which agents' file tools pass."""
