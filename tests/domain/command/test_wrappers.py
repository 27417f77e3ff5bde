"""Wrappers, taken apart: which words, or which text, they would run."""

from __future__ import annotations

import pytest

from agentos_lsp.domain.command import walk, wrapper_table, wrappers
from agentos_lsp.domain.command.surroundings import Surroundings

SURROUNDINGS = Surroundings(
    cwd="/w", worktree="/w", home="/home/dev", aliases={"lg": "log --oneline 'a b'", "x": "!tool", "e": '""'}
)


def inner(line: str) -> list[str]:
    """What runs besides the commands that stand on the line itself; `…` is a word that cannot be known."""
    return [
        " ".join("…" if word is None else word for word in step.words)
        for step in walk.walk(line, SURROUNDINGS).steps
        if step.invocations and step.invocations[0].wrappers
    ]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("sudo a b", ["a b"]),
        ("sudo -u root -g wheel -E a -x", ["a -x"]),
        ("sudo --user=root -- a", ["a"]),
        ("sudo X=1 a", ["a"]),
        ("sudo -s a b", ["a b", "a b"]),
        ("sudo -l", []),
        ("/usr/bin/sudo a", ["a"]),
        ("doas -u root a", ["a"]),
        ("env X=1 Y=$Z a b", ["a b"]),
        ("env -i -u X a", ["a"]),
        ("env -S 'a b' c", ["a b c"]),
        ("env --split-string='a b'", ["a b"]),
        ("env", []),
        ("env X=1", []),
        ("nohup a", ["a"]),
        ("nice a", ["a"]),
        ("nice -n 5 a", ["a"]),
        ("nice -5 a", ["a"]),
        ("timeout 5 a", ["a"]),
        ("timeout -s KILL --kill-after=1 5 a", ["a"]),
        ("timeout 5", []),
        ("/usr/bin/time -v a", ["a"]),
        ("ionice -c 2 -n 7 a", ["a"]),
        ("chrt -r 5 a", ["a"]),
        ("taskset -c 0-3 a", ["a"]),
        ("stdbuf -oL -eL a", ["a"]),
        ("setsid -f a", ["a"]),
        ("chroot /x a", ["a"]),
        ("strace -f -e trace=open -o log a", ["a"]),
        ("command a", ["a"]),
        ("command -p a", ["a"]),
        ("command -v a", []),
        ("command -V a", []),
        ("builtin a", ["a"]),
        ("exec -a name a", ["a"]),
        ("exec 3> x", []),
        ("busybox a b", ["a b"]),
        ("flock lock a", ["a"]),
        ("flock -w 5 lock -c 'a b'", ["a b"]),
        ("watch -n 1 a b", ["a b"]),
        ("watch 'a; b'", ["a", "b"]),
        ("watch -n 1", []),
        ("script -c 'a b' log", ["a b"]),
        ("script -q log a b", ["a b"]),
        ("su -c 'a b'", ["a b"]),
        ("su - root -c a", ["a"]),
        ("runuser -u ann -- a b", ["a b"]),
        ("npx a b", ["a b"]),
        ("npx -y -p pkg a", ["a"]),
        ("npx -c 'a b'", ["a b"]),
        ("uvx --from pkg a", ["a"]),
        ("uv run a b", ["a b"]),
        ("uv run --with pkg a", ["a"]),
        ("uv -q run a", ["a"]),
        ("uv pip install a", []),
        ("poetry run a", ["a"]),
        ("pipx run a", ["a"]),
        ("bundle exec a", ["a"]),
        ("npm exec -- a", ["a"]),
        ("docker exec web a b", ["a b"]),
        ("docker exec -it -u root web a", ["a"]),
        ("docker run --rm -v x:/y image a", ["a"]),
        ("docker compose exec web a", ["a"]),
        ("docker compose -f x.yml run web a", ["a"]),
        ("docker ps", []),
        ("kubectl exec -n x pod -- a b", ["a b"]),
        ("kubectl -n x exec pod -- a", ["a"]),
        ("conda run -n env a", ["a"]),
        ("direnv exec . a", ["a"]),
        ("tmux new-session -d -s x a b", ["a b"]),
        ("systemd-run --user a", ["a"]),
        ("nix-shell -p x --run 'a b'", ["a b"]),
        ("nix develop -c a b", ["a"]),
    ],
)
def test_a_prefix_is_seen_through(line, expected):
    assert inner(line) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("bash -c 'a; b'", ["a", "b"]),
        ("bash -ec 'a'", ["a"]),
        ("bash -c", []),
        ("bash --norc --rcfile x -c a", ["a"]),
        ("bash -o pipefail -c a", ["a"]),
        ("bash -O extglob -c a", ["a"]),
        ("bash +x -c a", ["a"]),
        ("bash -c 'a $1' x y", ["a y"]),
        ('bash -c "a $X"', ["a …"]),
        ('bash -c "a; b $X | c"', ["a", "b …", "c"]),
        ("bash -x script", []),
        ("bash -", []),
        ("bash -- x", []),
        ("bash", []),
        ("bash -s x <<< 'a $1'", ["a x"]),
        ("bash <<< a", ["a"]),
        ("echo a | sh", ["a"]),
        ("printf 'a\\nb\\n' | sh -x", ["a", "b"]),
        ("bash /dev/stdin <<< a", ["a"]),
        ("zsh -c a", ["a"]),
        ("fish -c a", ["a"]),
        ("fish --command a", ["a"]),
        ("eval a b", ["a b"]),
        ("eval 'a;' b", ["a", "b"]),
        ("eval -- a", ["a"]),
        ("eval", []),
        ("trap 'a; b' EXIT", ["a", "b"]),
        ("trap -- a EXIT", ["a"]),
        ("trap - EXIT", []),
        ("trap '' INT", []),
        ("trap", []),
        ("source /dev/stdin <<< a", ["a"]),
        (". ./x", []),
        ("bash -c 'bash -c \"eval a\"'", ["bash -c eval a", "eval a", "a"]),
        ("ssh host a b", ["a b"]),
        ("ssh -p 22 -o X=y host 'a; b'", ["a", "b"]),
        ("ssh host <<< a", ["a"]),
        ("ssh host", []),
        ("concurrently a 'b c' -k", ["a", "b c"]),
        ("hyperfine 'a b'", ["a b"]),
        ("at now <<< a", ["now", "a"]),
        ("rbash -c a", ["a"]),
    ],
)  # fmt: skip
def test_shell_text_is_read(line, expected):
    assert inner(line) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("xargs a", ["a", "a …"]),
        ("xargs -n 1 -P 4 a b", ["a b", "a b …"]),
        ("xargs -I{} a {} b", ["a … b"]),
        ("xargs -I % a x/% b", ["a … b"]),
        ("xargs -I% a b", ["a b …", "a b"]),
        ("xargs -i a {}", ["a …"]),
        ("echo 'x y' | xargs a", ["a", "a x y"]),
        ("echo x | xargs -I{} a {}/b", ["a x/b"]),
        ("printf 'x\\ny\\n' | xargs -I{} a {}", ["a x", "a y"]),
        ("xargs -a list a", ["a", "a …"]),
        ("xargs a <<E\nx $Y\nE", ["a", "a x …"]),
        ("xargs", []),
        ("parallel a ::: x y", ["a", "a x", "a x", "a y", "a y"]),
        ("parallel a {} b ::: x", ["a {} b", "a x b", "a x b"]),
        ("parallel ::: 'a b'", ["a b"]),
        ("parallel a", ["a", "a …", "a …"]),
        ("echo a | parallel", ["a"]),
        ("parallel a :::: list", ["a", "a …", "a …"]),
        ("find . -exec a {} \\;", ["a …"]),
        ("find x y -name z -execdir a {} +", ["a …", "a …"]),
        ("find -ok a \\; -okdir b \\;", ["a", "b"]),
        ("find /srv/* $X /opt/$Y -exec a {} \\;", ["a …", "a …", "a …"]),
        ("find -L / -exec a b{} \\;", ["a …"]),
        ("find . -exec \\;", []),
        ("find . -exec kill", ["kill", "kill"]),
        ("find . -name x", []),
        ("fd x -x a", ["a", "a …"]),
        ("fd x dir -X a {}", ["a {}", "a …"]),
        ("fd x --exec a \\; ", ["a", "a …"]),
        ("fd x -x", []),
        ("fd -xkill x", []),
        ("fd -xx kill", ["kill"]),
        ("fd x", []),
    ],
)
def test_what_runs_for_each_item_is_found(line, expected):
    assert inner(line) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("git lg -3", ["git log --oneline a b -3"]),
        ("git x a b", ["tool a b"]),
        ("git x $Y", ["tool …"]),
        ("git e", ["git "]),
        ("git -c alias.y=!a y b", ["a b"]),
        ("git -c alias.y='status -s' y", ["git -c alias.y=status -s status -s"]),
        ("git -C x -p lg", ["git -C x -p log --oneline a b"]),
        ("git -c", []),
        ("git", []),
        ("git rebase -x 'a b' main", ["a b"]),
        ("git rebase --exec a --exec=b -xc main", ["a", "b", "c"]),
        ("git rebase -i", []),
        ("git submodule foreach --recursive 'a b'", ["a b"]),
        ("git submodule update", []),
        ("git bisect run a b", ["a b"]),
        ("git bisect start", []),
        ("git -C x bisect run a", []),
        ("git rebase -x", []),
        ("git -c alias.y='  a  b ' y", ["git -c alias.y=  a  b  a b"]),
        ("git filter-branch --tree-filter 'a b' HEAD", ["a b"]),
        ("git filter-branch --index-filter=a", ["a"]),
        ("git difftool -x a", ["a"]),
        ("git difftool --extcmd=a", ["a"]),
        ("git mergetool --tool=a", []),
        ("git status", []),
    ],
)
def test_what_git_runs_is_found(line, expected):
    assert inner(line) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("sudo --strange kill 1", ["kill 1", "kill 1"]),
        ("env --strange a kill 1", ["a kill 1", "kill 1"]),
        ("env A=1 -u B kill 1", ["-u B kill 1", "kill 1"]),
        ("timeout $X kill 1", ["kill 1", "kill 1"]),
        ("nice * rm x", ["… rm x", "rm x", "rm x"]),
        ("$X kill 1", ["kill 1"]),
        ("ssh --strange h kill 1", ["kill 1", "kill 1"]),
        ("watch --strange kill 1", ["kill 1", "kill 1"]),
        ("nice --strange" + " rm" * 30, ["rm" + " rm" * (29 - i) for i in (0, *range(24))]),
        ("xargs --strange rm", ["rm", "rm …", "rm …"]),
        ("parallel --strange rm ::: x", ["rm", "rm x", "rm x", "rm ::: x"]),
        ("bash $X rm y", ["rm y"]),
        ("sudo --strange a b", ["a b"]),
    ],
)
def test_where_the_inner_command_begins_is_guessed_for_the_block_list_alone(line, expected):
    assert inner(line) == expected


def test_every_reader_has_its_name_in_the_table():
    assert set(wrappers.READERS) == wrapper_table.SPECIAL


def test_a_versioned_or_capital_name_is_the_same_wrapper():
    assert inner("BASH -c a") == ["a"]
    assert inner("bash5.2 -c a") == ["a"]
    assert inner("unknown-1 -c a") == []
