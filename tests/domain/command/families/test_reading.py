"""Programs that read, and the options with which they do more: text, search, edit."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def test_reading_programs_read_their_operands(check: Callable[[str], None]) -> None:
    check("""
        cat a /etc/passwd -          => reads only & reads worktree /code/tree/a & reads outside /etc/passwd
        cat -n -- -x                 => reads only & reads worktree /code/tree/-x
        cat ~x~                      => reads only & reads unknown None
        cat src/*.py                 => reads only & reads worktree below /code/tree/src
        ls                           => reads only & reads root /code/tree
        ls -lat src                  => reads only & reads worktree /code/tree/src
        head -20 a                   => reads only & reads worktree /code/tree/a
        head -n 20 a                 => reads only & reads worktree /code/tree/a
        echo ~x~ -rf                 => reads only
        sleep 5                      => reads only
        wc -l a b                    => reads only & reads worktree /code/tree/a & reads worktree /code/tree/b
        diff -u a b                  => reads only & reads worktree /code/tree/a & reads worktree /code/tree/b
        tail -5 out/log              => reads only & reads outside /etc/log
    """)


def test_an_option_that_is_not_known_is_told(check: Callable[[str], None]) -> None:
    check("""
        cat --frob a                 => reads worktree /code/tree/a & not known
        ls -j                        => reads root /code/tree & not known
        rg --frob x                  => reads root /code/tree & not known
    """)


def test_options_that_write_or_run_are_seen_in_every_spelling(check: Callable[[str], None]) -> None:
    check("""
        sort -o b a                  => writes worktree /code/tree/b & reads worktree /code/tree/a
        sort a -nob                  => writes worktree /code/tree/b & reads worktree /code/tree/a
        sort --out=b a               => writes worktree /code/tree/b & reads worktree /code/tree/a
        sort --compress-prog ./x a   => runs & reads worktree /code/tree/a
        sort ~x~                     => reads unknown None & not known
        sort *                       => reads worktree below /code/tree & not known
        uniq a b                     => reads worktree /code/tree/a & writes worktree /code/tree/b
        uniq *                       => reads worktree below /code/tree & writes worktree below /code/tree
        tree -o x                    => writes worktree /code/tree/x & reads root /code/tree
        file -C -m x                 => writes unknown None & runs
        date -s 2020-01-01           => runs
        wc --files0-from=list        => reads worktree /code/tree/list & not known
        rg --pre ./x foo src         => reads worktree /code/tree/src & runs
        rg -z foo src                => reads worktree /code/tree/src & runs
        rg --hostname-bin=./x foo    => reads root /code/tree & runs
        grep -f pats src             => reads only & reads worktree /code/tree/src & reads worktree /code/tree/pats
        fd -x rm                     => reads only & reads root /code/tree
        man -P ./x ls                => runs & not known
        less a                       => reads worktree /code/tree/a & not known
        ps auxe                      => not known
        printf -v x y                => runs
    """)


def test_find_reads_unless_its_expression_does_more(check: Callable[[str], None]) -> None:
    check("""
        find . -name x.py -type f    => reads only & reads root /code/tree
        find -L src /etc -print      => reads only & reads worktree /code/tree/src & reads outside /etc
        find . -name x -delete       => reads root /code/tree & deletes the tree worktree below /code/tree
        find . -delete -name x       => reads root /code/tree & deletes the tree root /code/tree
        find . -type f -delete       => reads root /code/tree & deletes the tree root /code/tree
        find . ! -name x -delete     => reads root /code/tree & deletes the tree root /code/tree
        find . -name x -o -delete    => reads root /code/tree & deletes the tree root /code/tree
        find . ( -name x.a -o -name x.b ) -delete
            => reads root /code/tree & deletes the tree worktree below /code/tree
        find . -path ./.git/x -delete => reads root /code/tree & deletes the tree root /code/tree
        find /etc -name x -delete    => reads outside /etc & deletes the tree outside /etc
        find . -fprint /etc/x => reads root /code/tree & writes outside /etc/x
        find . -fprintf x %p -print  => reads root /code/tree & writes worktree /code/tree/x
        find . -exec cat {} +        => reads only & reads root /code/tree
        find . -frob                 => reads root /code/tree & not known
        find * -name x               => reads worktree below /code/tree & not known
        find ~x~ -name y             => reads unknown None & not known
    """)


def test_sed_reads_unless_its_script_does_more(check: Callable[[str], None]) -> None:
    check("""
        sed -n 1,20p a               => reads only & reads worktree /code/tree/a
        sed -n '/x/,/y/p;$p' a       => reads only & reads worktree /code/tree/a
        sed -e s/a/b/g -e '/x/d' a   => reads only & reads worktree /code/tree/a
        sed 's|a|b|2;y/ab/cd/' a     => reads only & reads worktree /code/tree/a
        sed -i s/a/b/ a              => reads worktree /code/tree/a & writes worktree /code/tree/a
        sed -ni.bak s/a/b/ a         => reads worktree /code/tree/a & writes worktree /code/tree/a
        sed --in-pl s/a/b/ a         => reads worktree /code/tree/a & writes worktree /code/tree/a
        sed 's/a/b/w /etc/x' a       => reads worktree /code/tree/a & runs sed s/a/b/w /etc/x (danger)
        sed 'w out/x' a              => reads worktree /code/tree/a & writes outside /etc/x
        sed s/a/date/e a             => reads worktree /code/tree/a & runs sed s/a/date/e (danger)
        sed '1e date' a              => reads worktree /code/tree/a & runs sed 1e date (danger)
        sed 's/a/b/;1e date' a       => reads worktree /code/tree/a & runs sed s/a/b/;1e date (danger)
        sed -f script a              => reads worktree /code/tree/a & runs
        sed ~x~ a                    => reads worktree /code/tree/a & not known & not known
    """)


def test_awk_reads_unless_its_program_does_more(check: Callable[[str], None]) -> None:
    check(r"""
        awk -F: '{print NR}' a       => reads only & reads worktree /code/tree/a
        awk 'NR>1 && NF<5' a         => reads only & reads worktree /code/tree/a
        awk '{print "a | b > c"}' a  => reads only & reads worktree /code/tree/a
        awk -v n=1 'NR==n' x=2 a     => reads only & reads worktree /code/tree/a
        awk '{system("ls")}' a       => reads worktree /code/tree/a & runs awk {system("ls")} (danger)
        awk '{print > "x"}' a        => reads worktree /code/tree/a & runs awk {print > "x"} (danger)
        awk '{print | "sh"}' a       => reads worktree /code/tree/a & runs awk {print | "sh"} (danger)
        awk '/"/{print|"sh"}/"/' a   => reads worktree /code/tree/a & runs awk /"/{print|"sh"}/"/ (danger)
        awk -f prog a                => reads worktree /code/tree/a & runs
        gawk -i inplace 1 a          => reads worktree /code/tree/a & runs
    """)


def test_jq_and_yq_read_unless_told_otherwise(check: Callable[[str], None]) -> None:
    check("""
        jq -r .name package.json     => reads only & reads worktree /code/tree/package.json
        jq --arg x y .a a            => reads only & reads worktree /code/tree/a
        jq --slurpfile x /etc/y . a  => reads only & reads outside /etc/y & reads worktree /code/tree/a
        jq -L ./lib . a              => reads worktree /code/tree/a & runs
        jq env a                     => reads worktree /code/tree/a & not known
        yq -i .a=1 a                 => reads worktree /code/tree/a & writes worktree /code/tree/a
    """)


def test_editors_may_do_anything(check: Callable[[str], None]) -> None:
    check("""
        vim a => runs & writes worktree /code/tree/a
        vim -c :!date a => runs (danger) & writes worktree /code/tree/:!date & writes worktree /code/tree/a
        nvim scp://h/x => runs & may connect to h
    """)


def test_more_of_the_little_languages(check: Callable[[str], None]) -> None:
    check("""
        sed ~~x~~ => not known & not known
        sed 'a text; e date' a => reads only & reads worktree /code/tree/a
        awk ~~x~~ a => reads worktree /code/tree/a & not known & not known
        awk '/inet/' a => reads worktree /code/tree/a & runs awk /inet/ (danger)
        yq e .a a => reads only & reads worktree /code/tree/a
        yq 'load(1)' a => reads worktree /code/tree/a & not known
        find . -O3 -files0-from x => reads only & reads root /code/tree & reads unknown None
        find . -name ~x~ => reads root /code/tree & not known
        grep ~~x~~ a => reads worktree /code/tree/a & not known
        test -v 'a[$(date)]' => runs
        less +!date => runs & reads worktree /code/tree/+!date & not known
        tree -R => reads root /code/tree & writes root /code/tree
        date 01010000 => not known
        env => not known
        xxd -r a b => reads worktree /code/tree/a & writes worktree /code/tree/b
    """)
