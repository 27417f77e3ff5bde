"""Programs that delete, move, copy and mark files, and what they leave behind that acts later."""

# ruff: noqa: E501 - one example per line

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from agentos_lsp.domain.command.effects import Persists
from agentos_lsp.domain.command.families import persistence
from agentos_lsp.domain.command.invocation import Target

if TYPE_CHECKING:
    from collections.abc import Callable


def test_rm_is_recursive_in_every_spelling(check: Callable[[str], None]) -> None:
    check("""
        rm a                         => deletes worktree /code/tree/a
        rm -f /etc/a                 => deletes outside /etc/a
        rm -rf /etc                  => deletes the tree outside /etc
        rm /etc -rf                  => deletes the tree outside /etc
        rm --rec --force ..          => deletes the tree outside /code
        rm -R -- -x                  => deletes the tree worktree /code/tree/-x
        rm -- -r                     => deletes worktree /code/tree/-r
        rm -rf .git                  => deletes the tree git /code/tree/.git
        rm -rf .                     => deletes the tree root /code/tree
        rm -rf .*                    => deletes the tree git below /code/tree
        rm -rf src/*                 => deletes the tree worktree below /code/tree/src
        rm -rf ~~x~~                 => deletes the tree unknown None & not known
        rm -rf /var/~~x~~            => deletes the tree outside below /var
        rm -rf src/~~x~~             => deletes the tree unknown below None
        rm -rf out                   => deletes the tree worktree /code/tree/out
        rm -rf out/                  => deletes the tree outside /etc
        rm -Zrf /etc                 => deletes the tree outside /etc & not known
        RM -rf /etc                  => deletes the tree outside /etc & not known
        /bin/rm -r a                 => deletes the tree worktree /code/tree/a
        ./rm -r a                    => deletes the tree worktree /code/tree/a & runs
        rm                           => not known
    """)


def test_other_ways_to_delete(check: Callable[[str], None]) -> None:
    check("""
        rmdir -p a/b                 => deletes worktree /code/tree/a/b
        unlink /etc/a                => deletes outside /etc/a
        shred -u /etc/a              => deletes the tree outside /etc/a
        srm -r a                     => deletes the tree worktree /code/tree/a
        trash /etc/a                 => deletes outside /etc/a
        rimraf /etc                  => deletes the tree outside /etc
        Remove-Item -Rec -Force /etc => deletes the tree outside /etc
        truncate -s 0 /etc/a         => writes outside /etc/a & deletes outside /etc/a
        dd if=/dev/zero of=/dev/sda
            => reads null /dev/zero & writes device /dev/sda & deletes the tree device /dev/sda
        dd of=a bs=1                 => writes worktree /code/tree/a
        mkfs.ext4 /dev/sda1          => escalates & deletes the tree device /dev/sda1
        wipefs -a /dev/sda           => escalates & deletes the tree device /dev/sda
    """)


def test_what_is_moved_is_gone_from_where_it_was(check: Callable[[str], None]) -> None:
    check("""
        mv a b                       => deletes the tree worktree /code/tree/a & writes worktree /code/tree/b
        mv a /tmp
            => deletes the tree worktree /code/tree/a & moves out worktree /code/tree/a to outside /tmp & writes outside /tmp
        mv -t /tmp b
            => deletes the tree worktree /code/tree/b & moves out worktree /code/tree/b to outside /tmp & writes outside /tmp
        cp /dev/null a => reads null /dev/null & writes worktree /code/tree/a & deletes worktree /code/tree/a
        mv .git x                    => deletes the tree git /code/tree/.git & writes worktree /code/tree/x
        mv ../other .
            => deletes the tree outside /code/other & writes root /code/tree & writes worktree /code/tree/other
    """)


def test_copies_and_marks_are_written(check: Callable[[str], None]) -> None:
    check("""
        cp a b                       => reads worktree /code/tree/a & writes worktree /code/tree/b
        cp -t /tmp a                 => reads worktree /code/tree/a & writes outside /tmp
        cp x .git/hooks/pre-commit
            => reads worktree /code/tree/x & writes git /code/tree/.git/hooks/pre-commit & persists & persists
        cp .bashrc /home/dev         => reads worktree /code/tree/.bashrc & writes outside /home/dev & persists
        ln -s /etc x                 => writes worktree /code/tree/x & reads outside /etc
        ln /etc/passwd x             => writes worktree /code/tree/x & writes outside /etc/passwd
        install -m 755 a /usr/bin/a  => reads worktree /code/tree/a & writes outside /usr/bin/a
        tee -a out/x                 => writes outside /etc/x
        touch a                      => writes worktree /code/tree/a
        mkdir -p a/b                 => adds: mkdir worktree /code/tree/a/b
        chmod +x a                   => writes worktree /code/tree/a
        chmod -x a                   => writes worktree /code/tree/a
        chmod -R 777 /               => writes outside below /
        chown --reference=b a        => writes worktree /code/tree/a & reads worktree /code/tree/b
        tee /dev/null                => writes null /dev/null
    """)


@pytest.mark.parametrize(
    "path",
    [
        "/home/dev/.bashrc", "/home/dev/.config/fish/config.fish", "/home/dev/.gitconfig",
        "/home/dev/.ssh/authorized_keys",
        "/etc/cron.d/x", "/etc/profile.d/x.sh", "/var/spool/cron/dev", "/etc/systemd/system/x.service",
        "/code/tree/.envrc",
        "/code/tree/.vscode/tasks.json", "/code/tree/.husky/pre-commit", "/code/tree/sub/.git/hooks/x",
        "/code/tree/.npmrc",
        "/code/tree/sub/.git/config", "/home/dev/Library/LaunchAgents/x.plist", "/code/tree/.agentos/policy.toml",
        "/code/tree/.venv/lib/python3.12/site-packages/x.pth", "/home/dev/.BASHRC",
        "/code/tree/.pre-commit-config.yaml",
    ],
)  # fmt: skip
def test_files_that_act_later_are_known(path: str) -> None:
    assert isinstance(persistence.judge(Target(path, "outside", under=False, shown=path)), Persists)


@pytest.mark.parametrize(
    "path",
    ["/code/tree/src/config.py", "/code/tree/.gitignore", "/code/tree/bashrc", "/code/tree/.github/x.md", "/etc/x"],
)
def test_other_files_are_not(path: str) -> None:
    assert persistence.judge(Target(path, "worktree", under=False, shown=path)) is None


def test_deleting_with_other_words(check: Callable[[str], None]) -> None:
    check("""
        gio trash /etc/a => deletes outside /etc/a
        gio remove -f /etc/a => deletes the tree outside /etc/a
        gio info a => not known
        rd /s /etc => deletes the tree outside /etc
        dd ~~x~~ => not known
        mkfs -t ext4 /dev/sda
            => escalates & deletes the tree worktree /code/tree/ext4 & deletes the tree device /dev/sda
        ln -s /etc/a => writes root /code/tree & writes worktree /code/tree/a & reads outside /etc/a
        install -d /etc/x => writes outside /etc/x
        mv a/.. x => deletes the tree root /code/tree & writes worktree /code/tree/x
        chmod 600 .ssh/x => writes worktree /code/tree/.ssh/x & persists
        sync => reads only
        rename s/a/b/ x => writes worktree /code/tree/x
    """)
