"""Rules that look at what a change touches: its paths, sizes, modes and links.

The lists name what makes a person's own tools run code later: git, editors, shells, package managers, builds, CI.
"""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING

from agentos_lsp.domain import policy
from agentos_lsp.domain.inspection import globs
from agentos_lsp.domain.inspection.rule import Change, Hit, Rule, linked, touched, written

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PROGRAM, LINK, SUBMODULE = 0o100755, 0o120000, 0o160000

HOOKS = (
    *(".husky/", ".githooks/", ".git-hooks/", "githooks/", ".lefthook/"),
    *(".pre-commit-config.yaml", ".pre-commit-config.yml", ".pre-commit-hooks.yaml"),
    *("lefthook.yml", "lefthook.yaml", ".lefthook.yml", ".lefthook.yaml", "lefthook-local.yml", ".overcommit.yml"),
    *(".huskyrc", ".huskyrc.json", ".lintstagedrc", ".lintstagedrc.json", "lint-staged.config.js"),
    *(f"hooks/{name}" for name in ("pre-commit", "commit-msg", "post-checkout", "post-merge", "pre-push")),
)
"""What git runs for a person. Source: githooks(5), and the pages of husky, pre-commit, lefthook and overcommit."""

CI = (
    *(".github/workflows/", ".github/actions/", ".gitea/workflows/", ".forgejo/workflows/", ".circleci/"),
    *(".buildkite/", ".woodpecker/", ".teamcity/", ".gitlab-ci.yml", ".gitlab/ci/", "jenkinsfile", "*.jenkinsfile"),
    *("azure-pipelines.yml", "azure-pipelines.yaml", ".azure-pipelines/", "bitbucket-pipelines.yml", ".travis.yml"),
    *(".drone.yml", ".woodpecker.yml", "appveyor.yml", ".appveyor.yml", ".cirrus.yml", "cloudbuild.yaml"),
    *("buildspec.yml", ".semaphore/", "codemagic.yaml", "renovate.json", ".github/dependabot.yml"),
    *(".github/codeowners", "codeowners"),
)
"""What a service runs with a project's credentials. Source: each service's page on where its file lies."""

TOOL_SETTINGS = (
    *(".vscode/", ".vs/", ".idea/", ".zed/", ".fleet/", ".devcontainer/", ".devcontainer.json", "*.code-workspace"),
    *(".nvimrc", ".nvim.lua", ".exrc", ".vimrc", "_vimrc", ".lvimrc", ".local.vimrc", ".neoconf.json", ".nvim/"),
    *(".dir-locals.el", ".dir-locals-2.el", ".projectile", "*.sublime-project", ".helix/", ".kakrc"),
    *(".envrc", ".direnv/", ".mise.toml", "mise.toml", ".mise/", ".rtx.toml", "devbox.json", ".autoenv"),
    *(".bashrc", ".bash_profile", ".zshrc", ".zshenv", ".zprofile", ".profile", ".ripgreprc", ".tmux.conf"),
    *(".gitconfig", ".npmrc", ".yarnrc", ".yarnrc.yml", ".pnpmfile.cjs", "pip.conf", ".pypirc", ".gemrc", ".netrc"),
    *(".cargo/config", ".cargo/config.toml", ".bazelrc", ".mvn/", ".sbtopts", ".jvmopts", "gradle.properties"),
    *("sitecustomize.py", "usercustomize.py", "*.pth", ".pdbrc", ".pythonrc", ".gdbinit", ".lldbinit", ".irbrc"),
    *(".mcp.json", "mcp.json", ".claude/", ".cursor/", ".codex/", ".gemini/", ".aider.conf.yml", ".continue/"),
    *("conductor.json", "claude.md", "agents.md", "gemini.md", ".cursorrules", ".windsurfrules"),
)
"""What editors, shells, language runtimes and agents obey as soon as a folder is opened or a tool is started in it."""

BUILD_SCRIPTS = (
    *("makefile", "gnumakefile", "*.mk", "justfile", ".justfile", "taskfile.yml", "taskfile.yaml", "rakefile"),
    *("cmakelists.txt", "meson.build", "sconstruct", "build.rs", "build.zig", "setup.py", "noxfile.py", "tox.ini"),
    *("conftest.py", "gulpfile.js", "gruntfile.js", "webpack.config.js", "vite.config.js", "vite.config.ts"),
    *("build.gradle", "build.gradle.kts", "settings.gradle", "build.sbt", "pom.xml", "dockerfile", "containerfile"),
    *("docker-compose.yml", "compose.yaml", "vagrantfile", "procfile", "build.xml", "magefile.go", "dodo.py"),
)
"""What a person's next build or test run executes."""

LOCK_FILES = (
    *("package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml", "bun.lock", "bun.lockb", "deno.lock"),
    *("poetry.lock", "uv.lock", "pdm.lock", "pipfile.lock", "requirements.txt", "requirements-*.txt", "pylock.toml"),
    *("requirements/*.txt", "constraints.txt", "conda-lock.yml", "cargo.lock", "go.sum", "go.mod", "gemfile.lock"),
    *("composer.lock", "packages.lock.json", "gradle.lockfile", "pubspec.lock", "mix.lock", "flake.lock"),
    *("package.resolved", "podfile.lock", "gopkg.lock", ".terraform.lock.hcl", "module.bazel.lock"),
)
"""Where package managers write which code is fetched. Source: each manager's page on its lock file."""

GENERATED = (
    *("*.min.js", "*.min.css", "*.js.map", "*.css.map", "*_pb2.py", "*_pb2_grpc.py", "*.pb.go", "*.pb.cc", "*.pb.h"),
    *("*.g.dart", "*.freezed.dart", "*.generated.cs", "*.designer.cs", "*.snap", "node_modules/", "vendor/"),
    *("third_party/", "dist/", "__generated__/"),
)
"""What a program writes, or what comes from elsewhere. Source: linguist's `generated.rb`, by idea."""


def _protected(file: policy.ChangedFile, rules: policy.Policy) -> Iterator[Hit]:
    for path in file.paths:
        if glob := globs.first_match(path, rules.protected_paths):
            yield Hit(
                None, f"{path} is protected by the policy ({glob}). Leave it as it is and say what should change."
            )


def _too_large(file: policy.ChangedFile, rules: policy.Policy) -> Iterator[Hit]:
    if file.size_bytes > rules.max_file_bytes:
        allowed = f"the policy allows {rules.max_file_bytes:,}"
        yield Hit(None, f"{file.path} has {file.size_bytes:,} bytes; {allowed}. Leave it out, or make it smaller.")


def _too_many(change: Change, rules: policy.Policy) -> Iterator[Hit]:
    if len(change.files) > rules.max_files:
        allowed = f"the policy allows {rules.max_files}"
        yield Hit(None, f"{len(change.files)} files in one commit; {allowed}. Commit fewer paths at a time.")


def _binary(file: policy.ChangedFile, rules: policy.Policy) -> Iterator[Hit]:
    del rules
    if file.is_binary:
        yield Hit(None, f"{file.path} is binary, so nobody can review its lines.")


def _link_outside(file: policy.ChangedFile, rules: policy.Policy) -> Iterator[Hit]:
    del rules
    if file.mode != LINK or file.content is None:
        return
    target = file.content.decode("utf-8", "replace")
    landing = posixpath.normpath(posixpath.join(posixpath.dirname(file.path), target))
    if target.startswith("/") or landing == ".." or landing.startswith("../"):
        yield Hit(None, f"{file.path} is a link that leads out of the repository ({target}). Link inside it, or copy.")
    elif landing.casefold() == ".git" or landing.casefold().startswith(".git/"):
        yield Hit(None, f"{file.path} is a link into git's own folder ({target}). Leave it out.")


# Source: git's path.c, validate_headref: a reference, a commit, or a link to a reference.
_HEAD = re.compile(rb"(?:ref:\s*)?refs/|[0-9a-f]{40}", re.IGNORECASE)


def _nested_repository(file: policy.ChangedFile, rules: policy.Policy) -> Iterator[Hit]:
    del rules
    if file.mode == SUBMODULE and file.old_mode != SUBMODULE:
        yield Hit(None, f"{file.path} is a git repository inside of this one. Leave it out; a person adds submodules.")
    elif globs.named(file.path, (".git", ".git/")):
        yield Hit(None, f"{file.path} belongs to a nested git repository, whose settings git obeys. Leave it out.")
    elif globs.named(file.path, ("head",)) and _HEAD.match(file.content or b""):
        yield Hit(None, f"{file.path} makes its folder a bare git repository, whose settings git obeys. Leave it out.")


def _executable(file: policy.ChangedFile, rules: policy.Policy) -> Iterator[Hit]:
    del rules
    if file.mode == PROGRAM and file.old_mode != PROGRAM:
        how = "is a new program" if file.old_mode is None else "became a program"
        yield Hit(None, f"{file.path} {how} (executable bit).")


def _filtered(file: policy.ChangedFile, rules: policy.Policy) -> Iterator[Hit]:
    del rules
    if file.held:
        what = "Leave it out of the commit; the person commits it in their own checkout."
        yield Hit(None, f"{file.path} passes through {file.held}, so a session cannot commit it. {what}")


def _hook(file: policy.ChangedFile, rules: policy.Policy) -> Iterator[Hit]:
    for path in file.paths:
        if globs.named(path, HOOKS) or globs.first_match(path, rules.hook_paths):
            yield Hit(None, f"{path} is run by git on a person's next commit, checkout or push.")


def _on_list(names: tuple[str, ...], what: str) -> Callable[[policy.ChangedFile, policy.Policy], Iterator[Hit]]:
    def check(file: policy.ChangedFile, rules: policy.Policy) -> Iterator[Hit]:
        del rules
        for path in file.paths:
            if globs.named(path, names):
                yield Hit(None, f"{path} {what}")

    return check


RULES = (
    Rule(
        "protected-path",
        "A path that `protected_paths` names is changed, deleted, or moved away.",
        of_file=_protected,
        finds=(
            touched(".agentos/policy.toml"),
            touched(".AgentOS/policy.toml"),
            Change((policy.ChangedFile("a.toml", b"", 0, old_path=".agentos/policy.toml"),)),
        ),
        passes=(touched("agentos/policy.toml"), touched(".github/CODEOWNERS")),
    ),
    Rule(
        "file-size",
        "A file is larger than `max_file_bytes`.",
        of_file=_too_large,
        finds=(written("a.txt", "x" * 20),),
        passes=(written("a.txt", "x"),),
        given=policy.Policy(max_file_bytes=10),
    ),
    Rule(
        "file-count",
        "A commit has more files than `max_files`.",
        of_change=_too_many,
        finds=(touched("a", "b", "c"),),
        passes=(touched("a", "b"),),
        given=policy.Policy(max_files=2),
    ),
    Rule(
        "binary",
        "A file is binary: it has a NUL byte near its beginning, as git sees it.",
        of_file=_binary,
        finds=(written("a.bin", "\0"),),
        passes=(written("a.txt", "plain"),),
    ),
    Rule(
        "link-outside",
        "A symbolic link leads out of the repository, or into git's own folder.",
        of_file=_link_outside,
        finds=(
            linked("a", "/etc/hosts"),
            linked("src/a", "../../x"),
            linked("a", ".git/config"),
            linked("a/b", "../.."),
        ),
        passes=(linked("src/a", "../x"), linked("a", "b/../c"), touched("../x")),
    ),
    Rule(
        "nested-repository",
        "A git repository inside of this one: a gitlink, a nested `.git`, or a bare repository's files.",
        of_file=_nested_repository,
        finds=(
            Change((policy.ChangedFile("lib", None, 0, mode=SUBMODULE),)),
            touched("sub/.git/config"),
            written("x/HEAD", "ref: refs/heads/main"),
            written("x/HEAD", "ref:\trefs/heads/main"),
            written("x/HEAD", "0123456789abcdef0123456789abcdef01234567\n"),
            written("x/head", "refs/heads/main"),
        ),
        passes=(written("HEAD", "of state"), touched(".github/x"), touched(".gitignore")),
    ),
    Rule(
        "git-attributes",
        "`.gitattributes`, `.gitmodules` or `.gitignore`'s kin: they make git run filters or fetch from elsewhere.",
        of_file=_on_list(
            (".gitattributes", ".gitmodules", ".lfsconfig"),
            "tells git which programs to run on files, or what to fetch.",
        ),
        finds=(touched(".gitattributes"), touched("docs/.gitattributes")),
        passes=(touched(".gitignore"),),
    ),
    Rule(
        "filtered",
        "A file that git passes through a filter (Git LFS) or recodes: a session has its bytes, not what git keeps.",
        of_file=_filtered,
        finds=(Change((policy.ChangedFile("a.psd", b"x", 1, held="the filter lfs"),)),),
        passes=(touched("a.psd"),),
    ),
    Rule(
        "hook",
        "A git hook (where `core.hooksPath` leads, too), or the settings of a program that installs hooks.",
        of_file=_hook,
        finds=(
            touched(".husky/pre-commit"),
            touched("web/.husky/pre-push"),
            touched("lefthook.yml"),
            touched("my/hook"),
        ),
        passes=(touched("src/hooks/useThing.ts"), touched("docs/husky.md")),
        given=policy.Policy(hook_paths=("my/*",)),
    ),
    Rule(
        "ci",
        "A pipeline, or who may approve one: a service runs it with the project's credentials.",
        of_file=_on_list(CI, "decides what a service runs with the project's credentials."),
        finds=(touched(".github/workflows/test.yml"), touched("Jenkinsfile"), touched(".gitlab-ci.yml")),
        passes=(touched(".github/ISSUE_TEMPLATE.md"), touched("workflows/a.yml")),
    ),
    Rule(
        "tool-settings",
        "Settings that editors, shells, language runtimes or agents obey as soon as they start in the folder.",
        of_file=_on_list(TOOL_SETTINGS, "is obeyed by a person's own tools as soon as they start here."),
        finds=(
            *(touched(".vscode/tasks.json"), touched("sub/.envrc"), touched(".nvimrc"), touched(".exrc")),
            *(touched(".idea/workspace.xml"), touched("x.pth"), touched(".cargo/config.toml")),
        ),
        passes=(touched("vscode/tasks.json"), touched("src/config.toml"), touched("envrc.md")),
    ),
    Rule(
        "build-script",
        "A file that a person's next build or test run executes.",
        of_file=_on_list(BUILD_SCRIPTS, "is executed by the next build or test run."),
        finds=(touched("Makefile"), touched("tests/conftest.py"), touched("rules.mk")),
        passes=(touched("src/make.py"),),
    ),
    Rule(
        "dependency",
        "A lock file, or a list of pinned packages: which code is fetched from elsewhere.",
        of_file=_on_list(LOCK_FILES, "decides which code is fetched from elsewhere."),
        finds=(touched("uv.lock"), touched("web/package-lock.json"), touched("requirements-dev.txt")),
        passes=(touched("src/lock.py"), touched("package.json")),
    ),
    Rule(
        "executable",
        "A file gains the executable bit.",
        of_file=_executable,
        finds=(written("run.sh", "x", mode=PROGRAM), written("run.sh", "x", mode=PROGRAM, old_mode=0o100644)),
        passes=(written("run.sh", "x", mode=PROGRAM, old_mode=PROGRAM), written("a.txt", "x")),
    ),
)
"""The rules on paths, sizes, modes and links."""
