"""git: reading, changing, pushing, and every way to make it run something."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def test_reading_commands_read(check: Callable[[str], None]) -> None:
    check("""
        git status -sb               => reads only
        git --no-pager log -5 --oneline -- src => reads only
        git diff --stat main...topic => reads only & reads worktree /code/tree/main...topic
        git show HEAD:a              => reads only
        git branch -a                => reads only
        git branch --list x          => reads only
        git tag -l                   => reads only
        git stash list               => reads only
        git remote -v                => reads only
        git config --get user.name   => reads only
        git reflog                   => reads only
        git worktree list            => reads only
        git rev-parse HEAD           => reads only
        git -c color.ui=never log    => reads only
        git st -s                    => reads only
        git --version                => reads only
    """)


def test_reading_commands_may_write_read_elsewhere_or_run(check: Callable[[str], None]) -> None:
    check("""
        git log --output=x           => writes worktree /code/tree/x
        git diff --output x          => writes worktree /code/tree/x
        git diff --ext-diff          => runs
        git diff --no-index a /etc/x => reads only & reads worktree /code/tree/a & reads outside /etc/x
        git diff ../x                => reads only & reads outside /code/x
        git grep -O foo              => runs
        git grep --open-files=x foo  => runs
        git archive -o x HEAD        => writes worktree /code/tree/x
        git cat-file --textconv x    => runs
        git log ~~x~~                => not known
        git log --frob               => not known
        git -C /other log            => reads only & reads outside /other
        git --git-dir=/x log         => runs & reads outside /x
        git -p log                   => runs
        git frob                     => not known
    """)


def test_changes_tell_whether_work_may_be_lost(check: Callable[[str], None]) -> None:
    check("""
        git add a                    => adds: git add
        git commit -am x             => changes: git commit
        git checkout main            => changes: git checkout
        git checkout -b new          => changes: git checkout
        git checkout -- .            => changes: git checkout, losing work
        git checkout src/a.py        => changes: git checkout, losing work
        git checkout -f main         => changes: git checkout, losing work
        git switch main              => changes: git switch
        git switch --disc main       => changes: git switch, losing work
        git restore --staged a       => changes: git restore
        git restore a                => changes: git restore, losing work
        git reset a                  => changes: git reset
        git reset --har              => changes: git reset, losing work
        git stash                    => changes: git stash push
        git stash drop               => changes: git stash drop, losing work
        git branch -D x              => changes: git branch, losing work
        git branch new               => changes: git branch
        git gc                       => changes: git gc, losing work
        git clean -n                 => changes: git clean --dry-run
        git clean -fdx               => deletes the tree worktree below /code/tree & changes: git clean, losing work
        git rm -r src                => changes: git rm & deletes the tree worktree /code/tree/src
        git worktree remove ../x     => changes: git worktree remove, losing work & deletes the tree outside /code/x
        git -C /other reset --hard   => changes: git reset, losing work & writes outside /other
        git -C /other clean -fd
            => deletes the tree outside below /other & changes: git clean, losing work & writes outside /other
        git --work-tree=/o clean -f
            => deletes the tree outside below /o & changes: git clean, losing work & writes outside /o
            & writes outside /o
    """)


def test_tools_of_the_network_are_told(check: Callable[[str], None]) -> None:
    check("""
        git fetch                    => may connect to None & changes: git fetch
        git pull --rebase origin x   => may connect to None & changes: git pull
        git ls-remote origin         => may connect to None
        git clone https://h.com/a/b  => may connect to h.com & writes worktree /code/tree/b
        git clone git@h.com:a/b c    => may connect to h.com & writes worktree /code/tree/c
        git clone ext::x b           => runs sh x (danger) & may connect to ext::x & writes worktree /code/tree/b
        git fetch --upload-pack=x o  => may connect to None & changes: git fetch & runs
        git submodule update --init  => may connect to None & changes: git submodule update
    """)


def test_every_spelling_of_a_forced_push(check: Callable[[str], None]) -> None:
    check("""
        git push                     => may connect to None & pushes topic at None
        git push origin main         => may connect to None & pushes main at origin
        git push -f origin main      => may connect to None & overwrites main at origin
        git push origin main --force => may connect to None & overwrites main at origin
        git push -uf origin main     => may connect to None & overwrites main at origin
        git push --force-with-lease=main:abc origin main => may connect to None & overwrites main at origin
        git push --force-i origin main => may connect to None & overwrites main at origin
        git push origin +main        => may connect to None & overwrites main at origin
        git push origin +HEAD:main   => may connect to None & overwrites main at origin
        git push origin x:refs/heads/main +y => may connect to None & pushes main at origin & overwrites y at origin
        git push origin :main        => may connect to None & overwrites main at origin
        git push --delete origin main => may connect to None & overwrites main at origin
        git push -d origin x main    => may connect to None & overwrites x at origin & overwrites main at origin
        git push --mirror origin     => may connect to None & overwrites main release * at origin
        git push --all -f            => may connect to None & overwrites main release * at None
        git push --prune origin      => may connect to None & overwrites topic at origin
        git push origin +refs/heads/*:refs/heads/* => may connect to None & overwrites main release * at origin
        git push origin +refs/heads/rel*:refs/heads/rel* => may connect to None & overwrites release rel* at origin
        git push origin :            => may connect to None & pushes main release * at origin
        git push origin +HEAD        => may connect to None & overwrites topic at origin
        git push origin @            => may connect to None & pushes topic at origin
        git push origin tag v1       => may connect to None & pushes refs/tags/v1 at origin
        git push --repo=origin -f    => may connect to None & overwrites topic at origin
        git shove origin main        => may connect to None & overwrites main at origin
        git push -f origin ~~x~~     => may connect to None & not known & overwrites unknown at origin
        git -C /other push -f        => may connect to None & overwrites unknown at None & reads outside /other
        git -c remote.o.push=+HEAD:main push
            => runs sh +HEAD:main (danger) & may connect to None & overwrites main at None
        git -c push.default=matching push -f
            => runs sh matching (danger) & may connect to None & overwrites main release * at None
        git -c remote.o.mirror=true push
            => runs sh true (danger) & may connect to None & overwrites main release * at None
        git push --exec=x origin a   => may connect to None & runs & pushes a at origin
    """)


def test_a_bare_forced_push_is_for_the_branch_that_is_checked_out(told: Callable[..., tuple[str, ...]]) -> None:
    assert told("git push -f", cwd="/elsewhere")[:2] == ("may connect to None", "overwrites unknown at None")
    assert told("git push -f", cwd=None)[:2] == ("may connect to None", "overwrites unknown at None")
    assert told("git push -f", cwd="/code/tree/src")[:2] == ("may connect to None", "overwrites topic at None")


def test_configuration_and_options_that_run_programs(check: Callable[[str], None]) -> None:
    check("""
        git -c core.pager=x log      => runs sh x (danger)
        git -ccore.sshCommand=x pull => runs sh x (danger) & may connect to None & changes: git pull
        git -c ~~x~~ log             => runs (danger)
        git --config-env=a=B log     => runs (danger)
        git --exec-path=/x log       => runs
        git -c alias.x=!date x       => runs sh date (danger)
        git -c alias.x=status x -s   => reads only
        git config user.name x       => persists
        git config alias.x !date     => persists & runs (danger)
        git config core.hooksPath x  => persists & runs (danger)
        git rebase -x date main      => changes: git rebase & runs sh date (danger)
        git rebase --ex=date main    => changes: git rebase & runs sh date (danger)
        git bisect run ./x           => runs sh ./x (danger) & changes: git bisect run
        git submodule foreach date   => runs sh date (danger)
        git filter-branch --tree-filter date => changes: git filter-branch, losing work & runs sh date (danger)
        git difftool -x ./x          => runs & runs
        git clone -c a=b --template=x h => may connect to None & writes worktree /code/tree/h & runs & runs
        GIT_SSH_COMMAND=x git status => runs (danger)
    """)


def test_the_rest_of_the_commands_that_change(check: Callable[[str], None]) -> None:
    check("""
        git init x => changes: git init & writes worktree /code/tree/x
        git mv a b => changes: git mv & writes worktree /code/tree/a & writes worktree /code/tree/b
        git config --file=/etc/x a b => persists & writes outside /etc/x
        git config -f x a b => persists & writes worktree /code/tree/x
        git remote add o u => changes: git remote add & persists
        git remote update => may connect to None & changes: git remote update
        git submodule deinit x => changes: git submodule deinit, losing work
        git worktree add ../x => changes: git worktree add & writes outside /code/x
        git worktree move a b => changes: git worktree move & deletes the tree worktree /code/tree/a
            & writes worktree /code/tree/b
        git bundle create x HEAD => writes worktree /code/tree/x & changes: git bundle
        git bundle verify x => reads only
        git format-patch -1 => writes root /code/tree
        git format-patch -1 --stdout => reads only
        git format-patch -o x -1 => writes worktree /code/tree/x
        git maintenance start => persists
        git gui => runs
        git send-email x => may connect to None & changes: git send-email
        git fsck --lost-found => writes unknown None & changes: writes lost objects
        git symbolic-ref HEAD => reads only
        git symbolic-ref HEAD x => changes: git symbolic-ref, losing work
        git config ~~x~~ => persists
        git rebase ~x~ => changes: git rebase & not known
        git clean -fd ../x => deletes the tree outside below /code/x & changes: git clean, losing work
        git clean ~~x~~ => deletes the tree unknown below None & changes: git clean, losing work & not known
        git ~~x~~ => not known & not known
        git => reads only
        git -C ~~x~~ push -f => may connect to None & overwrites unknown at None & reads unknown None
        git -C /x~y~ push -f => may connect to None & overwrites unknown at None & reads outside /
        git -C sub -C .. log => reads only & reads root /code/tree
        git shortlog ~~x~~ => not known
        git push --all --stdin => may connect to None & pushes main release * at None & pushes unknown at None
        git push --tags ~~x~~ => may connect to None & not known & pushes unknown at None
    """)
