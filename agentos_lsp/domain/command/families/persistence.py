"""Files that act later: hooks, start-up files, schedules, services, editor tasks.

The only place that lists them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from agentos_lsp.domain.command.effects import Persists

if TYPE_CHECKING:
    from agentos_lsp.domain.command.invocation import Target

# Source: bash(1) FILES, zsh(1) FILES, git-config(1) FILES, ssh(1) FILES, crontab(5), systemd.unit(5), launchd.plist(5).
_TABLE = r"""
shell start-up file      | (.*/)?\.(bashrc|bash_profile|bash_login|bash_logout|bash_aliases|profile|inputrc)
shell start-up file      | (.*/)?\.(zshrc|zshenv|zprofile|zlogin|zlogout|kshrc|cshrc|tcshrc|login|xprofile|xinitrc|envrc)
shell start-up file      | .*/fish/(config\.fish|conf\.d/.*|functions/.*)|/etc/(profile|bash\.bashrc|profile\.d/.*|zsh/.*)
git configuration        | (.*/)?\.gitconfig|.*/\.config/git/.*|/etc/gitconfig
git hook                 | (.*/)?(\.git|[^/]+\.git)/(.*/)?hooks(/.*)?|(.*/)?\.(husky|githooks)(/.*)?
git configuration        | (.*/)?(\.git|[^/]+\.git)/(.*/)?(config|config\.worktree|info/attributes|commondir|gitdir)
tool start-up file       | (.*/)?\.(npmrc|yarnrc|yarnrc\.yml|pypirc|netrc|pythonrc|vimrc|gvimrc|exrc|emacs|gdbinit|lldbinit|tmux\.conf|screenrc|wgetrc|curlrc)
tool start-up file       | .*/\.config/(nvim|autostart|systemd|pip|fish|environment\.d)/.*|.*/\.cargo/config(\.toml)?
Python start-up file     | (.*/)?(sitecustomize|usercustomize)\.py|.*/site-packages/[^/]*\.pth
ssh configuration        | (.*/)?\.ssh(/.*)?|/etc/ssh/.*
schedule                 | /etc/(cron.*|anacrontab|at\..*)|/var/spool/(cron|at)(/.*)?
service                  | (/etc|/lib|/usr/lib|/run|.*/\.local/share|.*/\.config)/systemd/.*|/etc/(init\.d|rc.*|inittab|xinetd.*)(/.*)?
service                  | (.*/)?Library/Launch(Agents|Daemons)(/.*)?
system configuration     | /etc/(sudoers.*|pam\.d.*|ld\.so\..*|hosts|passwd|shadow|group|environment|udev/.*|modprobe\.d/.*|sysctl\..*)
editor task              | (.*/)?\.vscode/(tasks|settings|launch)\.json|(.*/)?\.idea/.*|(.*/)?\.exrc|(.*/)?\.nvim\.lua
commit hook              | (.*/)?\.pre-commit-config\.ya?ml|(.*/)?lefthook\.ya?ml
agent policy             | (.*/)?\.agentos(/.*)?
"""  # noqa: E501 - one row per line


def _compile() -> tuple[tuple[str, re.Pattern[str]], ...]:
    rows = (line.split("|", 1) for line in _TABLE.strip().splitlines())
    return tuple((what.strip(), re.compile(pattern.strip(), re.IGNORECASE)) for what, pattern in rows)


_ROWS = _compile()
_LONGEST = 4096
# One cheap look that nearly every ordinary path fails.
_HINT = re.compile(r"/\.|^\.|/etc/|cron|spool|systemd|Launch|customize|\.pth|\.git/|lefthook", re.IGNORECASE)


def judge(target: Target) -> Persists | None:
    """Says whether writing to a file leaves something that acts later; also to be asked about redirections."""
    if target.place == "git":
        return Persists(f"the repository's own files: {target.shown}")
    path = (target.path if target.path is not None else target.shown)[-_LONGEST:]
    if _HINT.search(path) is None:
        return None
    for what, pattern in _ROWS:
        if pattern.fullmatch(path):
            return Persists(f"{what}: {target.shown}")
    return None
