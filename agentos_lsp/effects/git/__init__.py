"""The door to git: worktrees, changes, commits and merges, all in this process; the only place for pygit2."""
