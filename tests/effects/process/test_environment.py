"""The environment of a command holds what builds need, and nothing that is secret or that runs code."""

import pytest

from agentos_lsp.effects.process import environment

SECRETS = [
    "GITHUB_TOKEN", "OPENAI_API_KEY", "ANTHROPIC_APIKEY", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "DB_PASSWORD",
    "MYSQL_PWD", "NPM_CONFIG__AUTH", "npm_config_registry", "SSH_AUTH_SOCK", "GPG_AGENT_INFO", "LC_SECRET_TOKEN",
    "GOOGLE_APPLICATION_CREDENTIALS", "KUBECONFIG", "DOCKER_HOST", "CI_JOB_TOKEN", "SIGNING_KEY", "SESSION_COOKIE",
    "LC_API_KEY",
]  # fmt: skip
HARMFUL = [
    "BASH_ENV", "ENV", "IFS", "SHELLOPTS", "LD_PRELOAD", "LD_LIBRARY_PATH", "DYLD_INSERT_LIBRARIES", "PYTHONPATH",
    "PYTHONSTARTUP", "NODE_OPTIONS", "PERL5OPT", "RUBYOPT", "JAVA_TOOL_OPTIONS", "GIT_DIR", "GIT_WORK_TREE",
    "GIT_SSH_COMMAND", "GIT_CONFIG_GLOBAL", "GIT_EXTERNAL_DIFF", "BASH_FUNC_ls%%", "DBUS_SESSION_BUS_ADDRESS",
    "PROMPT_COMMAND", "LESSOPEN",
]  # fmt: skip


def test_the_whole_environment_is_what_the_list_says():
    base = {
        "PATH": "/usr/bin:/bin",
        "HOME": "/home/me",
        "LANG": "C.UTF-8",
        "LC_ALL": "C",
        "TZ": "UTC",
        "EDITOR": "vi",
        "X": "y",
    }

    assert environment.scrubbed(base, scratch="/scratch", extra={"CARGO_NET_OFFLINE": "true"}) == {
        "PATH": "/usr/bin:/bin",
        "HOME": "/home/me",
        "LANG": "C.UTF-8",
        "LC_ALL": "C",
        "TZ": "UTC",
        "CARGO_NET_OFFLINE": "true",
        "TMPDIR": "/scratch",
        "TERM": "dumb",
        "SHELL": "/bin/bash",
        "PAGER": "cat",
        "AGENTOS": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_PAGER": "cat",
        "GIT_EDITOR": "true",
        "GIT_SEQUENCE_EDITOR": "true",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_CONFIG_COUNT": "7",
        "GIT_CONFIG_KEY_0": "core.fsmonitor",
        "GIT_CONFIG_VALUE_0": "false",
        "GIT_CONFIG_KEY_1": "core.hooksPath",
        "GIT_CONFIG_VALUE_1": "/dev/null",
        "GIT_CONFIG_KEY_2": "core.askPass",
        "GIT_CONFIG_VALUE_2": "",
        "GIT_CONFIG_KEY_3": "credential.helper",
        "GIT_CONFIG_VALUE_3": "",
        "GIT_CONFIG_KEY_4": "gc.auto",
        "GIT_CONFIG_VALUE_4": "0",
        "GIT_CONFIG_KEY_5": "maintenance.auto",
        "GIT_CONFIG_VALUE_5": "false",
        "GIT_CONFIG_KEY_6": "safe.bareRepository",
        "GIT_CONFIG_VALUE_6": "explicit",
    }


@pytest.mark.parametrize("name", [*SECRETS, *HARMFUL])
def test_a_secret_or_harmful_variable_is_not_passed_on_even_when_it_is_granted(name):
    clean = environment.scrubbed({}, scratch="/scratch")

    assert environment.scrubbed({name: "value"}, scratch="/scratch", extra={name: "value"}) == clean


@pytest.mark.parametrize("name", ["HOME", "PATH", "KEYBOARD", "MONKEY", "CARGO_HOME", "LC_CTYPE", "MONOREPO_PATH"])
def test_an_ordinary_name_is_not_taken_for_a_secret(name):
    assert environment.is_harmless(name)


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        ("/opt/bin::/usr/bin", "/opt/bin:/usr/bin"),
        (".:/usr/bin", "/usr/bin"),
        ("node_modules/.bin:/usr/bin:", "/usr/bin"),
        ("", "/usr/local/bin:/usr/bin:/bin"),
        (".", "/usr/local/bin:/usr/bin:/bin"),
    ],
)
def test_a_folder_of_the_worktree_is_never_on_the_path(path, kept):
    assert environment.scrubbed({"PATH": path}, scratch="/scratch")["PATH"] == kept
