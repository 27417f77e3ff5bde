"""The session allowlist: what a prefix lets through, what it never does, and what may not be stored at all."""

# ruff: noqa: E501 - one example per line

from __future__ import annotations

from dataclasses import replace

import pytest

from agentos_lsp.domain.command import allowlist, classify
from agentos_lsp.domain.command.surroundings import Surroundings
from agentos_lsp.domain.errors import UserError

SURROUNDINGS = Surroundings(cwd="/w", worktree="/w", home="/home/dev", scratch=("/s",), links={"/w/away": "/srv"})


def judge(line: str, *prefixes: str, where: Surroundings = SURROUNDINGS) -> str:
    entries = tuple(allowlist.TokenPrefix(tuple(prefix.split())) for prefix in prefixes)
    return classify.classify(line, where, allowlist.Allowlist(entries)).verdict.word


@pytest.mark.parametrize(
    ("prefix", "line"),
    [
        ("npm test", "npm test -- --watch=false"),
        ("pytest", "pytest tests/*.py -q"),
        ("rm", "rm -rf build dist"),
        ("touch", "mkdir -p a/b && cd a && touch c"),
        ("touch", "touch /s/x"),
        ("git push", "git push origin feature"),
        ("git commit", "git commit -m 'rm -rf /'"),
        ("curl", "curl http://localhost:8000/"),
        ("curl", "curl http://127.1/x"),
        ("npm install", "npm install left-pad"),
        ("make test", "make test -j8 -s"),
        ("python -m pytest", "python -m pytest -x"),
        ("python tools/gen.py", "python tools/gen.py --all"),
        ("npx tsc", "npx tsc --noEmit"),
        ("uv run pytest", "uv run pytest -q"),
        ("docker compose up", "docker compose up -d"),
        ("./run.sh", "./run.sh a b"),
        ("kill -0", "kill -0 12"),
        ("unknown-tool", "unknown-tool --flag x"),
        ("unknown-tool", "CI=1 LC_ALL=C unknown-tool"),
    ],
)
def test_a_prefix_lets_this_through(prefix, line):
    assert judge(line) == "reviewed"
    assert judge(line, prefix, "cd") == "allowed"


@pytest.mark.parametrize(
    ("prefix", "line"),
    [
        ("npm test", "npm tests"),
        ("npm test", "npm"),
        ("npm test", "NPM test"),
        ("npm test", "./npm test"),
        ("npm test", "sudo npm test"),
        ("npm test", "npm test > out"),
        ("npm test", "npm test &"),
        ("npm test", "npm test $X"),
        ("npm test", "FOO=1 npm test"),
        ("npm test", "CI=$X npm test"),
        ("npm test", "cd / && npm test"),
        ("npm test", "cd away && npm test"),
        ("npm test", "cd .git && npm test"),
        ("npm test", "cd $X && npm test"),
        ("npm test", "npm test --prefix /x"),
        ("pytest", "pytest *.py"),
        ("rm", "rm /srv/x"),
        ("rm", "rm .git/index"),
        ("rm", "rm $X"),
        ("cat", "cat /home/dev/.ssh/id_rsa"),
        ("cp", "cp a /srv/a"),
        ("mkdir", "mkdir /srv/a"),
        ("touch", "touch .git/hooks/x"),
        ("touch", "touch /home/dev/.bashrc"),
        ("rg", "rg --pre ./x y"),
        ("sort", "sort --compress-program=./x y"),
        ("git push", "git push origin main"),
        ("git push", "git push --force origin feature"),
        ("git log", "git -c core.pager=./x log"),
        ("git", "git push origin feature"),
        ("make test", "make test install"),
        ("make test", "make test SHELL=./x"),
        ("make test", "make test -f x"),
        ("./run.sh", "cd a && ./run.sh"),
        ("curl", "curl $URL"),
        ("unknown-tool", "sudo unknown-tool"),
        ("python", "python -c 1"),
        ("python -m", "python -m http.server"),
        ("bash", "bash x.sh"),
        ("bash -c", "bash -c ls"),
        ("sudo", "sudo ls"),
        ("npx", "npx evil"),
        ("npx -y", "npx -y evil"),
        ("make", "make all"),
        ("docker run", "docker run image"),
        ("git -c", "git -c a=b status"),
        ("find", "find . -exec touch {} +"),
        ("xargs", "xargs ls"),
        ("uv run", "uv run x"),
        ("npm exec", "npm exec x"),
        ("poetry run", "poetry run python -c 1"),
    ],
)
def test_a_prefix_does_not_let_this_through(prefix, line):
    assert judge(line, prefix) == "reviewed"


def test_a_folder_limits_a_prefix():
    entry = allowlist.TokenPrefix(("unknown-tool",), folder="web")
    known = allowlist.Allowlist((entry,))
    found = [
        classify.classify(line, SURROUNDINGS, known).verdict.word
        for line in ("unknown-tool", "cd web && unknown-tool", "cd web/src && unknown-tool", "cd webs && unknown-tool")
    ]
    assert found == ["reviewed", "allowed", "allowed", "reviewed"]


def test_links_that_go_round_are_no_folder():
    where = replace(SURROUNDINGS, cwd="/w/a", links={"/w/a": "/w/b", "/w/b": "/w/a"})
    assert judge("unknown-tool", "unknown-tool", where=where) == "reviewed"


@pytest.mark.parametrize(
    ("line", "verdict"),
    [
        ("unknown-tool > out", "allowed"),
        ("sudo make install", "allowed"),
        ("cat /home/dev/x", "allowed"),
        ("rm -rf build", "allowed"),
        ("rm -rf /srv", "blocked"),
        ("rm -rf $DIR", "reviewed"),
        ("curl $URL", "reviewed"),
        ("git push -f origin $B", "reviewed"),
        ("echo 'open", "reviewed"),
        ("echo $X", "reviewed"),
    ],
)
def test_an_exact_line_lets_through_what_is_certain(line, verdict):
    known = allowlist.Allowlist((allowlist.ExactLine(line),))
    assert classify.classify(line, SURROUNDINGS, known).verdict.word == verdict
    assert classify.classify(line + " ", SURROUNDINGS, known).verdict.word != "allowed"


@pytest.mark.parametrize(
    "prefix",
    [
        "", "python", "python3 -c", "python3.12 -c", "node -e", "perl", "bash", "bash -c", "sh", "sudo", "sudo rm", "env", "env X=1", "xargs", "timeout 5",
        "nohup", "npx", "npx -p x", "npx python -c", "pipx run", "pipx", "uvx", "make", "make -f x", "make A=b", "just", "docker run", "docker exec web",
        "kubectl exec pod", "git -c", "git -C x status", "find . -exec", "fd -x rm", "uv run", "uv run -p x", "npm exec", "poetry run python",
        "poetry run bash -c", "npm run", "watch", "eval", "source", "ssh", "awk", "/usr/bin/python3", "parallel", "conda run", "bundle exec",
    ],
)  # fmt: skip
def test_a_prefix_that_runs_anything_may_not_be_stored(prefix):
    tokens = tuple(prefix.split())
    with pytest.raises(UserError) as caught:
        allowlist.Allowlist().with_entry(allowlist.TokenPrefix(tokens))
    assert caught.value.hint == "Allow the exact line, or a longer prefix that names what runs."


@pytest.mark.parametrize(
    "prefix",
    [
        "npm test", "npm run build", "pytest", "python -m pytest", "python x.py", "make test", "npx tsc", "pipx run black", "uv run pytest", "cargo test",
        "git commit", "git stash pop", "poetry run pytest", "poetry run python -m pytest", "docker compose up", "find", "gh pr view", "rm", "./gradlew test",
    ],
)  # fmt: skip
def test_a_prefix_that_says_what_runs_may_be_stored(prefix):
    entry = allowlist.TokenPrefix(tuple(prefix.split()))
    assert allowlist.Allowlist().with_entry(entry) == allowlist.Allowlist((entry,))


def test_exact_lines_are_stored_as_they_are():
    entry = allowlist.ExactLine("python -c 1")
    assert allowlist.Allowlist().with_entry(entry).names("python -c 1")
    assert not allowlist.Allowlist((entry,)).names("python -c 2")


@pytest.mark.parametrize(
    ("line", "prefix"),
    [
        ("git commit -m x", "git commit"),
        ("npm test -- a", "npm test"),
        ("npm run build:prod --silent", "npm run build:prod"),
        ("pytest -q tests", "pytest"),
        ("python -m pytest -x", "python -m pytest"),
        ("python tools/gen.py a", "python tools/gen.py"),
        ("make test", "make test"),
        ("touch a", "touch"),
        ("uv run pytest", "uv run pytest"),
        ("cargo build --release", "cargo build"),
        ("ruff check .", "ruff"),
        ("cd src && pytest", "pytest"),
        ("pytest; git status", "pytest"),
        ("pytest && pytest -q", "pytest"),
        ("pytest && mypy .", None),
        ("python -c 1", None),
        ("npm", None),
        ("npm --version x", None),
        ("npm $X", None),
        ("$X a", None),
        ("sudo make install", None),
        ("bash x.sh", None),
        ("pytest > out", None),
        ("pytest $X", None),
        ("rm -rf $X", None),
        ("rm /srv/x", None),
        ("rm -rf /srv", None),
        ("ls", None),
        ("x=1", None),
        ("git push --force origin main", None),
    ],
)
def test_the_prefix_offered_is_neither_wide_nor_narrow(line, prefix):
    found = classify.classify(line, SURROUNDINGS, allowlist.Allowlist()).prefix
    assert found == (None if prefix is None else tuple(prefix.split()))


def test_nothing_is_offered_for_no_words():
    assert allowlist.suggest(()) is None


@pytest.mark.parametrize(
    "prefix",
    [
        "git commit",
        "git add",
        "git push",
        "npm test",
        "npm run build",
        "pytest",
        "rm",
        "mkdir",
        "make test",
        "python -m pytest",
        "unknown-tool",
        "cargo test",
        "go test",
        "uv run pytest",
        "docker compose up",
        "ls",
        "./run.sh",
        "just check",
    ],
)
def test_the_five_examples_are_let_through(prefix):
    lines = classify.let_through(tuple(prefix.split()))
    assert len(set(lines)) == 5
    assert [judge(line, prefix) for line in lines] == ["allowed"] * 5


def test_examples_quote_what_needs_it():
    assert allowlist.examples(("tool", "a b", "it's"))[0] == "tool 'a b' 'it'\\''s'"


def test_an_entry_is_held_to_its_examples():
    entry = allowlist.TokenPrefix(("npm", "test"), match=("npm test -s",), not_match=("npm run x", "npm test > y"))
    classify.hold(entry)
    with pytest.raises(UserError, match="does not let its own example `npm run test` through"):
        classify.hold(replace(entry, match=("npm run test",)))
    with pytest.raises(UserError, match="`npm test -s` is let through, which `not_match`"):
        classify.hold(replace(entry, not_match=("npm test -s",)))


def test_an_entry_for_a_folder_is_held_to_its_examples_there():
    entry = allowlist.TokenPrefix(
        ("make", "test"), folder="web", match=("make test",), not_match=("cd .. && make test",)
    )
    classify.hold(entry)
    with pytest.raises(UserError, match=r"its own example `cd \.\. && make test`"):
        classify.hold(replace(entry, match=("cd .. && make test",), not_match=()))
