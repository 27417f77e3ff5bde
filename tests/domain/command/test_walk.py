"""From a line to the programs it would start, where they run, and what surrounds them."""

# ruff: noqa: E501 - one example per line

from __future__ import annotations

import pytest

from agentos_lsp.domain.command import walk
from agentos_lsp.domain.command.surroundings import Surroundings

SURROUNDINGS = Surroundings(cwd="/w", worktree="/w", home="/home/dev", links={"/w/out": "/srv/data"})


def programs(line: str, where: Surroundings = SURROUNDINGS) -> list[str]:
    """Each command as `folder: words`; `…` is a word that cannot be known."""
    found = []
    for step in walk.walk(line, where).steps:
        if step.invocations and not step.only_blocks:
            folders = "|".join(invocation.cwd or "?" for invocation in step.invocations)
            found.append(f"{folders}: {' '.join('…' if word is None else word for word in step.words)}")
    return found


def doubts(line: str) -> list[str]:
    return [doubt for step in walk.walk(line, SURROUNDINGS).steps for doubt in step.doubts]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("a; b", ["/w: a", "/w: b"]),
        ("cd x; a", ["/w: cd x", "/w/x: a"]),
        ("cd x && a", ["/w: cd x", "/w/x: a"]),
        ("cd x/../.. && a", ["/w: cd x/../..", "/: a"]),
        ("cd && a", ["/w: cd", "/home/dev: a"]),
        ("cd ~/p; a", ["/w: cd /home/dev/p", "/home/dev/p: a"]),
        ("cd -- x; a", ["/w: cd -- x", "/w/x: a"]),
        ("cd x; cd -; a", ["/w: cd x", "/w/x: cd -", "/w: a"]),
        ("cd -; a", ["/w: cd -", "?: a"]),
        ("cd $X; a", ["/w: cd …", "?: a"]),
        ("cd ''; a", ["/w: cd ", "?: a"]),
        ("CDPATH=/x; cd a; b", ["/w: cd a", "?: b"]),
        ("cd out; cd ..; a", ["/w: cd out", "/w/out: cd ..", "/w: a"]),
        ("cd -P out; cd ..; a", ["/w: cd -P out", "/srv/data: cd ..", "/srv: a"]),
        ("(cd x; a); b", ["/w: cd x", "/w/x: a", "/w: b"]),
        ("{ cd x; a; }; b", ["/w: cd x", "/w/x: a", "/w/x: b"]),
        ("cd x | a; b", ["/w: cd x", "/w: a", "/w: b"]),
        ("cd x & a", ["/w: cd x", "/w: a"]),
        ("cd x || b; a", ["/w: cd x", "/w: b", "/w/x|/w: a"]),
        ("cd x || exit; a", ["/w: cd x", "/w: exit", "/w/x: a"]),
        ("cd x || cd y; a", ["/w: cd x", "/w: cd y", "/w/x|/w/y: a"]),
        ("b && cd x || c; a", ["/w: b", "/w: cd x", "/w|/w/x: c", "/w/x|/w: a"]),
        ("if cd x; then a; else b; fi; c", ["/w: cd x", "/w/x: a", "/w/x: b", "/w/x: c"]),
        ("if a; then cd x; fi; c", ["/w: a", "/w: cd x", "/w/x|/w: c"]),
        ("if a; then exit; else exit; fi; c", ["/w: a", "/w: exit", "/w: exit", "/w: c"]),
        ("cd x; a $OLDPWD", ["/w: cd x", "/w/x: a /w"]),
        ("if a; then exit; fi; c", ["/w: a", "/w: exit", "/w: c"]),
        ("case $X in a) cd a;; b|c) cd b;; esac; d", ["/w: cd a", "/w: cd b", "/w|/w/a|/w/b: d"]),
        ("while a; do cd x; done; b", ["/w|?: a", "/w|?: cd x", "/w|/w/x|?: b"]),
        ("until a; do b; done", ["/w: a", "/w: b"]),
        ("pushd x; a; popd; b", ["/w: pushd x", "/w/x: a", "/w/x: popd", "/w: b"]),
        ("pushd; a", ["/w: pushd", "?: a"]),
        ("popd; a", ["/w: popd", "?: a"]),
        ("popd +1; a", ["/w: popd +1", "?: a"]),
        ("command cd x; a", ["/w: command cd x", "/w: cd x", "/w/x: a"]),
        ("env -C x a; b", ["/w: env -C x a", "/w/x: a", "/w: b"]),
        ("source f; a", ["/w: source f", "/w|?: a"]),
        ("eval 'cd x'; a", ["/w: eval cd x", "/w: cd x", "/w/x: a"]),
        ("bash -c 'cd x; a'; b", ["/w: bash -c cd x; a", "/w: cd x", "/w/x: a", "/w: b"]),
    ],
)
def test_the_folder_is_followed(line, expected):
    assert programs(line) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("x=1; a $x", ["/w: a 1"]),
        ("x=1 a $x", ["/w: a …"]),
        ("CI=1; > /dev/null; a $CI", ["/w: a 1"]),
        ("eval *", ["/w: eval …", "/w: …"]),
        ("export -n x; unset -f *; read -r x; a $x", ["/w: export -n x", "/w: unset -f …", "/w: read -r x", "/w: a …"]),
        ("x=1; while b; do case $y in p) x=2;; esac; done; a $x", ["/w: b", "/w: a 1 … 2"]),
        ("x=1; while b; do for x in p; do c; done; done; a $x", ["/w: b", "/w: c", "/w: a 1 p"]),
        ("x=1; while b; do while c; do x=2; done; done; a $x", ["/w: b", "/w: c", "/w: a 1 … 2"]),
        ("x=1; while b; do if c; then x=2; else x=3; fi; done; a $x", ["/w: b", "/w: c", "/w: a 1 2 3"]),
        ("x=1; while b; do if c; then d; fi; { x=2; }; done; a $x", ["/w: b", "/w: c", "/w: d", "/w: a 1 2"]),
        ("x=1; while b; do (x=2); [[ -f c ]]; done; a $x", ["/w: b", "/w: a 1"]),
        ("x=1; while b; do f() { x=2; }; f; done; a $x", ["/w: b", "/w: f", "/w: a 1 2"]),
        ("f() { x=2; }; x=1; while b; do f; f; done; a $x", ["/w: b", "/w: f", "/w: f", "/w: a 1 2"]),
        ("x=1; while b; do export -p x=$y; done; a $x", ["/w: b", "/w: export -p …", "/w: a 1 …"]),
        ("x=1; while b; do $y; done; a $x", ["/w|?: b", "/w|?: …", "/w|?: a 1"]),
        ("x=1; x+=2; a $x", ["/w: a …"]),
        ("x=(1 2); a $x", ["/w: a …"]),
        ("export x=1; a $x", ["/w: export x=1", "/w: a 1"]),
        ("export x=$Y; a $x", ["/w: export …", "/w: a …"]),
        ('export x="p$Y"; a "$x"', ["/w: export …", "/w: a …"]),
        ("x=1; unset x; a $x", ["/w: unset x", "/w: a"]),
        ("x=1; read x; a $x", ["/w: read x", "/w: a …"]),
        ("x=1; printf -v x y; a $x", ["/w: printf -v x y", "/w: a y"]),
        ("x=1; (x=2); a $x", ["/w: a 1"]),
        ("x=1; if b; then x=2; fi; a $x", ["/w: b", "/w: a 2 1"]),
        ("x=1; while b; do a $x; x=2; done", ["/w: b", "/w: a …"]),
        ("x=1; while b; do eval c; done; a $x", ["/w|?: b", "/w|?: eval c", "/w|?: c", "/w|?: a 1"]),
        ("for x in 1 2; do a $x; done; b $x", ["/w: a 1", "/w: a 2", "/w: b 2"]),
        ("for x in 1 2; do for y in 3 4; do a $x$y; done; done", ["/w: a 13", "/w: a 14", "/w: a 23", "/w: a 24"]),
        ("for x in {1..13}; do a $x; done", [f"/w: a {' '.join(map(str, range(1, 14)))}"]),
        ("for x in *.c; do a $x; done", ["/w: a …"]),
        ("for x in $Y; do a $x; done", ["/w: a …"]),
        ("for x; do a $x; done", ["/w: a …"]),
        ("for x in; do a; done", []),
        ("set -- 1 2; a $1 $2 $3", ["/w: set -- 1 2", "/w: a 1 2"]),
        ("set -- 1 2; shift; a $1", ["/w: set -- 1 2", "/w: shift", "/w: a 2"]),
        ("set 1; a $1", ["/w: set 1", "/w: a …"]),
        ("set -- 1; set -e; a $1", ["/w: set -- 1", "/w: set -e", "/w: a 1"]),
        ("f() { a $1; }; f 1; f 2", ["/w: a …", "/w: f 1", "/w: a 1", "/w: f 2", "/w: a 2"]),
        ("f() { return; }; f; a", ["/w: return", "/w: f", "/w: return", "/w: a"]),
        ("f() { a; }; unset f; f", ["/w: a", "/w: unset f", "/w: f"]),
        ("bash -c 'a $0 $1' x y", ["/w: bash -c a $0 $1 x y", "/w: a x y"]),
    ],
)
def test_variables_are_followed(line, expected):
    assert programs(line) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('a "$(b)"', ["/w: b", "/w: a …"]),
        ("a `b`", ["/w: b", "/w: a …"]),
        ("a ${x:-$(b)}", ["/w: b", "/w: a …"]),
        ("a <(b) >(c)", ["/w: b", "/w: c", "/w: a /dev/fd/<() …"]),
        ("x=$(b)", ["/w: b"]),
        ("x=(1 $(b))", ["/w: b"]),
        ("a > $(b)", ["/w: b", "/w: a"]),
        ("a <<E\n$(b)\nE", ["/w: b", "/w: a"]),
        ("a <<'E'\n$(b)\nE", ["/w: a"]),
        ("a <<< $(b)", ["/w: b", "/w: a"]),
        ("case $(a) in $(b)) c;; esac", ["/w: a", "/w: b", "/w: c"]),
        ("[[ -n $(a) ]]", ["/w: a"]),
        ("for x in $(a); do b; done", ["/w: a", "/w: b"]),
        ("{ a; } > $(b)", ["/w: b", "/w: a"]),
        ("a | b |& c", ["/w: a", "/w: b", "/w: c"]),
        ("echo 'a b' | bash", ["/w: echo a b", "/w: bash", "/w: a b"]),
        ("echo 'a b' | cat | bash", ["/w: echo a b", "/w: cat", "/w: bash", "/w: a b"]),
        ("bash <<E\na $X\nE", ["/w: bash", "/w: a …"]),
        ("bash <(echo a)", ["/w: echo a", "/w: bash /dev/stdin", "/w: a"]),
        ("source <(echo a); b", ["/w: echo a", "/w: source /dev/stdin", "/w: a", "/w|?: b"]),
        ("bash <(a)", ["/w: a", "/w: bash /dev/fd/<()"]),
        ("{ bash; } <<< a", ["/w: bash", "/w: a"]),
    ],
)
def test_what_runs_inside_is_found(line, expected):
    assert programs(line) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("a", []),
        ("a &", ["it runs in the background"]),
        ("time a", []),
        ("a $(b)", ["$(b) is computed when the line runs"]),
        ("X=$(b) a", ["X is computed when the line runs"]),
        ("a $((1))", ["$((1)) is computed when the line runs"]),
        ("f() { a; }", ["it defines a function, f"]),
        ("[[ -f x ]]", []),
        ("[[ $X == y ]]", ["$X in a test is not certain"]),
        ("[[ 'a[$(b)]' -eq 1 ]]", ["it is not understood"]),
        ("source f; a", ["code that cannot be read ran before it"]),
        ("for x in $(a); do b; done", ["the loop's words are computed"]),
        ("for x in {1..13}; do b; done", ["the loop has many words"]),
        ("for PATH in x; do b; done", ["the loop sets PATH"]),
        ("coproc a", ["it is not understood: `coproc` is not one of the commands that we vouch for"]),
        ('bash -c "a $X"', ["what bash runs is not certain"]),
        ("bash -c $X", ["what bash runs is not certain"]),
        ("a | bash", ["what comes through the pipe is run, and cannot be known"]),
        ("cat <<E\n$X\nE", ["the here-document is not certain"]),
    ],
)  # fmt: skip
def test_what_is_more_than_words_is_told(line, expected):
    found = doubts(line)
    assert [doubt for doubt in expected if not any(doubt in told for told in found)] == []
    assert bool(found) == bool(expected)


def test_a_command_that_reads_a_pipe_says_so():
    steps = walk.walk("echo text | a", SURROUNDINGS).steps
    assert [(step.invocations[0].reads_pipe, step.invocations[0].stdin) for step in steps] == [
        (False, None),
        (True, "text\n"),
    ]


def test_a_here_document_is_given_as_text():
    (step,) = walk.walk("a <<'E'\nline\nE", SURROUNDINGS).steps
    assert step.invocations[0].stdin == "line\n"


def test_wrappers_are_listed_outermost_first():
    steps = walk.walk("sudo env nice a", SURROUNDINGS).steps
    assert [step.invocations[0].wrappers for step in steps] == [(), ("sudo",), ("sudo", "env"), ("sudo", "env", "nice")]


def test_the_text_of_a_part_is_as_written():
    steps = walk.walk("a 'b c' && (d)", SURROUNDINGS).steps
    assert [step.text for step in steps] == ["a 'b c'", "d"]


def test_refused_text_is_followed_for_the_block_list_alone():
    steps = walk.walk("coproc A=/srv; rm -rf $A; rm -rf $A; B=$C D=1", SURROUNDINGS).steps
    assert [(step.words, step.only_blocks) for step in steps] == [((), False), (("rm", "-rf", None), True)]


@pytest.mark.parametrize(
    "line",
    [
        "eval " * 45 + "kill 1",
        "coproc x; " + "rm $a; rm b; kill 1; ls c; git d; cp e; " * 2 + "; ".join(f"rm {i}" for i in range(500)),
    ],
    ids=["evals", "searched"],
)
def test_deep_and_long_text_is_given_up(line):
    assert walk.walk(line, SURROUNDINGS).exhausted


@pytest.mark.parametrize("line", ["sudo " * 50 + "kill 1", "true;" * 500 + "kill 1", "f() { f; f; }; f"])
def test_a_line_too_deep_or_too_long_is_given_up(line):
    assert walk.walk(line, SURROUNDINGS).exhausted


def test_a_recipe_may_block_and_need_not_be_allowed():
    where = Surroundings(
        cwd="/w",
        worktree="/w",
        recipes={("make", "x"): "@a $(DIR)/b $$HOME\n\t-c \\\n d", ("npm", "test"): "jest", ("make", "all"): "e ${"},
    )
    steps = walk.walk("make x; gmake x; yarn test; pnpm run test; make; just y", where).steps
    found = [(" ".join(word or "…" for word in step.words), step.only_blocks) for step in steps]
    assert found == [
        ("make x", False), ("a … /home/user", True), ("c d", True), ("gmake x", False), ("a … /home/user", True), ("c d", True),
        ("yarn test", False), ("jest", True), ("pnpm run test", False), ("jest", True), ("make", False), ("", True), ("just y", False),
    ]  # fmt: skip
