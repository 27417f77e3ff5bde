"""What no agent's command may read: a list in code, which a policy can make longer and nothing can make shorter."""

from __future__ import annotations

import contextlib
import os
import pwd
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

IN_HOME = (
    # keys and agents
    ".ssh",
    ".gnupg",
    ".pki",
    ".password-store",
    ".local/share/keyrings",
    ".local/share/kwalletd",
    ".kde/share/apps/kwallet",
    ".config/age",
    ".config/sops",
    ".vault-token",
    # clouds and clusters
    ".aws",
    ".azure",
    ".config/gcloud",
    ".config/doctl",
    ".config/hcloud",
    ".config/linode-cli",
    ".config/scw",
    ".config/rclone",
    ".config/openstack",
    ".oci",
    ".kube",
    ".docker/config.json",
    ".docker/run",
    ".config/containers/auth.json",
    ".terraform.d/credentials.tfrc.json",
    ".fly",
    ".config/heroku",
    ".config/netlify",
    ".config/op",
    ".config/Bitwarden",
    ".config/Bitwarden CLI",
    # git hosts and registries
    ".netrc",
    ".git-credentials",
    ".config/git/credentials",
    ".config/gh",
    ".config/glab-cli",
    ".config/hub",
    ".config/tea",
    ".npmrc",
    ".yarnrc.yml",
    ".pypirc",
    ".config/pip/pip.conf",
    ".pip/pip.conf",
    ".config/uv/credentials.toml",
    ".local/share/uv/credentials",
    ".cargo/credentials",
    ".cargo/credentials.toml",
    ".gem/credentials",
    ".bundle/config",
    ".composer/auth.json",
    ".config/composer/auth.json",
    ".m2/settings.xml",
    ".m2/settings-security.xml",
    ".gradle/gradle.properties",
    ".nuget/NuGet/NuGet.Config",
    ".subversion/auth",
    ".hgrc",
    # our own settings, with what they say of model providers
    ".config/agentos",
    # databases
    ".pgpass",
    ".my.cnf",
    ".mylogin.cnf",
    ".dbshell",
    # coding agents and model providers
    ".claude.json",
    ".claude/.credentials.json",
    ".codex/auth.json",
    ".gemini",
    ".config/github-copilot",
    ".config/io.datasette.llm/keys.json",
    ".config/openai",
    ".config/anthropic",
    ".cache/huggingface/token",
    ".huggingface",
    ".kaggle",
    # browsers and mail
    ".mozilla",
    ".thunderbird",
    ".config/google-chrome",
    ".config/google-chrome-beta",
    ".config/chromium",
    ".config/BraveSoftware",
    ".config/microsoft-edge",
    ".config/opera",
    ".config/vivaldi",
    ".config/Signal",
    ".config/Slack",
    ".config/discord",
    "snap",
    ".var/app",
    # what was typed
    ".bash_history",
    ".zsh_history",
    ".zhistory",
    ".local/share/fish/fish_history",
    ".python_history",
    ".node_repl_history",
    ".psql_history",
    ".mysql_history",
    ".sqlite_history",
    ".rediscli_history",
    ".lesshst",
    ".viminfo",
    ".local/state/nvim",
    # macOS
    "Library/Keychains",
    "Library/Cookies",
    "Library/Mail",
    "Library/Messages",
    "Library/Safari",
    "Library/Application Support/Google",
    "Library/Application Support/Firefox",
    "Library/Application Support/BraveSoftware",
    "Library/Application Support/com.apple.TCC",
)
"""Relative to a home folder; a folder stands for all below it."""

OF_THE_SYSTEM = (
    "/etc/shadow",
    "/etc/shadow-",
    "/etc/gshadow",
    "/etc/gshadow-",
    "/etc/sudoers",
    "/etc/sudoers.d",
    "/etc/krb5.keytab",
    "/etc/ssl/private",
    "/etc/pki/tls/private",
    "/etc/letsencrypt",
    "/etc/kubernetes",
    "/etc/rancher",
    "/etc/wireguard",
    "/etc/openvpn",
    "/etc/NetworkManager/system-connections",
    "/etc/docker/key.json",
    "/etc/ppp",
    "/etc/ipsec.secrets",
    "/etc/security/opasswd",
    "/etc/pip.conf",
    "/etc/npmrc",
)
"""What the system keeps from ordinary users, and registry settings that may hold a password."""


def homes(environment_home: str) -> tuple[str, ...]:
    """Returns the user's home folders: where the environment says, and where the system says."""
    found = [environment_home]
    with contextlib.suppress(KeyError):
        found.append(pwd.getpwuid(os.geteuid()).pw_dir)
    real = [os.path.realpath(one) for one in found if one.startswith("/")]
    return tuple(dict.fromkeys(one for one in real if one != "/" and Path(one).is_dir()))


def hidden(home_folders: Iterable[str], further: Iterable[str]) -> tuple[str, ...]:
    """Returns every path that must not be read, absolute, each with where it leads if it is a link.

    Args:
        home_folders: See `homes`.
        further: What the policy adds: absolute, or `~/…`.
    """
    folders = tuple(home_folders)
    paths = [f"{home}/{name}" for home in folders for name in IN_HOME]
    paths += OF_THE_SYSTEM
    paths += [str(one) for one in Path("/etc/ssh").glob("ssh_host_*key")]
    for one in further:
        paths += [f"{home}/{one[2:]}" for home in folders] if one.startswith("~/") else [one]
    known = [os.path.normpath(one) for one in paths if one.startswith("/")]
    return tuple(dict.fromkeys([*known, *(os.path.realpath(one) for one in known if os.path.lexists(one))]))
