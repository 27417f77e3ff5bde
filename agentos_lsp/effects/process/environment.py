"""The environment of a command: an allow list of harmless variables, without secrets and without the user's git."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from agentos_lsp.domain import variables

if TYPE_CHECKING:
    from collections.abc import Mapping

_SECRET = re.compile(
    r"TOKEN|SECRET|PASSW|PASSPHRASE|CREDENTIAL|PRIVATE|API_?KEY|ACCESS_?KEY|AUTH|COOKIE|(?:^|_)(?:KEY|PAT|PWD)(?:_|$)",
    re.IGNORECASE,
)
# Each of these makes a program run or load code, or reach a server with the user's rights, before its first line.
_HARMFUL = re.compile(
    r"GIT_|SSH_|LD_|DYLD_|AWS_|AZURE_|GOOGLE_|GCLOUD_|CLOUDSDK_|KUBE|DOCKER_|GPG_|DBUS_|BASH_FUNC_|npm_config_"
    r"|(?:BASH_ENV|BASHOPTS|SHELLOPTS|ENV|IFS|CDPATH|PROMPT_COMMAND|PS4|PYTHON.*|NODE_.*|PERL5?.*|RUBY.*|JAVA_TOOL_OPTIONS"
    r"|_JAVA_OPTIONS|JDK_JAVA_OPTIONS|LESSOPEN|LESSCLOSE|MAVEN_OPTS|GLIBC_TUNABLES)$",
    re.IGNORECASE,
)

_PATH = "/usr/local/bin:/usr/bin:/bin"

# Source: git-config(1), GIT_CONFIG_COUNT. `core.hooksPath` keeps an agent's `git commit` from running the hooks of the
# person's repository: those are the person's programs, written for the person's hands. The commit inspector takes their
# place, and the hooks run when the person works with the branch.
_GIT_SETTINGS = (
    ("core.fsmonitor", "false"),
    ("core.hooksPath", "/dev/null"),
    ("core.askPass", ""),
    ("credential.helper", ""),
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
    # A folder with HEAD, objects and refs is a repository whose configuration an agent wrote, and which runs programs.
    ("safe.bareRepository", "explicit"),
)


def scrubbed(
    base: Mapping[str, str], *, scratch: str, extra: Mapping[str, str] | None = None, shell: str = "/bin/bash"
) -> dict[str, str]:
    """Returns the environment for an agent's command.

    Kept are names of the allow list, of the locale, and `extra`, unless a name looks like a secret or makes programs
    run code. Git asks nothing, opens no editor or pager, runs no hook and no file-system monitor.

    Args:
        base: The server's own environment; its PATH is kept.
        scratch: The session's own folder for temporary files, becomes TMPDIR.
        extra: What the policy grants on top; a secret's name is refused here too.
        shell: What SHELL says.
    """
    kept = variables.kept(base)
    kept.update(extra or {})
    kept = {name: value for name, value in kept.items() if is_harmless(name) and "\0" not in value}
    kept["PATH"] = _absolute_only(kept.get("PATH", ""))
    kept.update(
        TMPDIR=scratch,
        TERM="dumb",
        SHELL=shell,
        PAGER="cat",
        AGENTOS="1",
        GIT_TERMINAL_PROMPT="0",
        GIT_PAGER="cat",
        GIT_EDITOR="true",
        GIT_SEQUENCE_EDITOR="true",
        GIT_OPTIONAL_LOCKS="0",
        GIT_CONFIG_COUNT=str(len(_GIT_SETTINGS)),
    )
    for number, (key, value) in enumerate(_GIT_SETTINGS):
        kept[f"GIT_CONFIG_KEY_{number}"] = key
        kept[f"GIT_CONFIG_VALUE_{number}"] = value
    return kept


def is_harmless(name: str) -> bool:
    """Tells whether a variable of that name may be passed on: it is no secret and makes no program run code."""
    return (
        bool(name)
        and "=" not in name
        and "\0" not in name
        and _SECRET.search(name) is None
        and _HARMFUL.match(name) is None
    )


def _absolute_only(path: str) -> str:
    """Drops empty and relative folders: they would mean the worktree, where the agent puts programs."""
    return ":".join(folder for folder in path.split(":") if folder.startswith("/")) or _PATH
