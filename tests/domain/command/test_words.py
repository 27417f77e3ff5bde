"""Words, from text to arguments: what is certain, and what is marked as not."""

# ruff: noqa: E501 - one example per line

from __future__ import annotations

import pytest

from agentos_lsp.domain.command import arithmetic, braces, grammar, outputs, scope, words
from agentos_lsp.domain.command.invocation import Glob, Known, Prefix, Unknown
from agentos_lsp.domain.command.surroundings import Surroundings
from agentos_lsp.domain.command.syntax import Script, Simple, Text

SURROUNDINGS = Surroundings(cwd="/w/tree", worktree="/w/tree", home="/home/dev", scratch=("/scratch/s",))


def at_w() -> scope.Scope:
    return scope.Scope(Surroundings(cwd="/w", worktree="/w", branch="topic"))


def shell(**variables: object) -> scope.Scope:
    found = scope.Scope(SURROUNDINGS)
    for name, value in variables.items():
        found.assign(name, value if not isinstance(value, str) else Known(value))
    return found


def command(line: str) -> Simple:
    script = grammar.parse(line)
    assert isinstance(script, Script), script
    found = script.items[0].pipelines[0].commands[0]
    assert isinstance(found, Simple)
    return found


def resolve(text: str, where: scope.Scope | None = None) -> tuple[object, ...]:
    return tuple(
        argument for word in command(f"prog {text}").words[1:] for argument in words.resolve(word, where or shell())
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", [Known("plain")]),
        ("'a b' \"c d\" e\\ f", [Known("a b"), Known("c d"), Known("e f")]),
        ("''", [Known("")]),
        ('""', [Known("")]),
        ("a''b", [Known("ab")]),
        ("r''m", [Known("rm")]),
        ("$'\\x72m'", [Known("rm")]),
        ("~", [Known("/home/dev")]),
        ("~/x", [Known("/home/dev/x")]),
        ("'~'/x", [Known("~/x")]),
        ("\\~/x", [Known("~/x")]),
        ("~+/x", [Known("/w/tree/x")]),
        ("~root/x", [Prefix("/root", quoted=True)]),
        ("~ann", [Prefix("/home/ann", quoted=True)]),
        ("~-", [Unknown("~-", quoted=True)]),
        ("~'x'", [Known("~x")]),
        ("of=~/x", [Known("of=/home/dev/x")]),
        ("--of=~/x", [Known("--of=~/x")]),
        ("a~b", [Known("a~b")]),
        ("'a'~", [Known("a~")]),
        ("x=a~", [Known("x=a~")]),
        ("$HOME/x", [Known("/home/dev/x")]),
        ('"${HOME}"', [Known("/home/dev")]),
        ("$PWD", [Known("/w/tree")]),
        ("$TMPDIR/a", [Known("/scratch/s/a")]),
        ("a${IFS}b", [Known("a"), Known("b")]),
        ("$X", [Unknown("$X", quoted=False)]),
        ('"$X"', [Unknown('"$X"', quoted=True)]),
        ("/etc/$X", [Prefix("/etc/", quoted=False)]),
        ('"/etc/$X.bak"', [Prefix("/etc/", quoted=True)]),
        ("*.py", [Glob("*.py", "")]),
        ("src/*/a?", [Glob("src/*/a?", "src")]),
        ("/*", [Glob("/*", "/")]),
        ("/etc/*", [Glob("/etc/*", "/etc")]),
        ("[ab]", [Glob("[ab]", "")]),
        ("[", [Known("[")]),
        ("a[b", [Known("a[b")]),
        ("'*'", [Known("*")]),
        ("'*'*", [Glob("[*]*", "")]),
        ("/e*/$X", [Prefix("/", quoted=False)]),
        ("*$X", [Unknown("*$X", quoted=False)]),
        ("{a,b}", [Known("a"), Known("b")]),
        ("x{a,b}y{1..3}", [Known(f"x{letter}y{number}") for letter in "ab" for number in "123"]),
        ("{}", [Known("{}")]),
        ("{a}", [Known("{a}")]),
        ("{a,b", [Known("{a,b")]),
        ("{{a,b}", [Known("{a"), Known("{b")]),
        ("{a b}", [Known("{a"), Known("b}")]),
        ("{{1..100},{1..100},{1..100}}", [Unknown("{…}", quoted=False)]),
        ("{a..9}", [Known("{a..9}")]),
        ("$(cat <<E\nhi\nE\n)", [Known("hi")]),
        ("{3..1}", [Known("3"), Known("2"), Known("1")]),
        ("{01..10..3}", [Known("01"), Known("04"), Known("07"), Known("10")]),
        ("{a..e..2}", [Known("a"), Known("c"), Known("e")]),
        ("{a,{b,c}}", [Known("a"), Known("b"), Known("c")]),
        ("{,x}", [Known("x")]),
        ("'{a,b}'", [Known("{a,b}")]),
        ('{"a b",c}', [Known("a b"), Known("c")]),
        ("{'a'..b}", [Known("{a..b}")]),
        ("/{etc,usr}/*", [Glob("/etc/*", "/etc"), Glob("/usr/*", "/usr")]),
        ("{1..100000}", [Unknown("{…}", quoted=False)]),
        ("/a{1..100000}", [Prefix("/a", quoted=False)]),
        ("{a,b}{1..200}", [Unknown("{…}", quoted=False)]),
        ("$((2 + 3 * 4))", [Known("14")]),
        ("a$((1))", [Known("a1")]),
        ("$((x + 1))", [Unknown("$((x + 1))", quoted=True)]),
        ("$?", [Known("1")]),
        ('"exit: $?"', [Known("exit: 1")]),
        ("$(echo rm)", [Known("rm")]),
        ("$(printf '%s' a b)", [Known("ab")]),
        ("`echo a b`", [Known("a"), Known("b")]),
        ('"$(echo a b)"', [Known("a b")]),
        ("$(date)", [Unknown("$(date)", quoted=False)]),
        ("$(pwd)/x", [Known("/w/tree/x")]),
        ("$(echo a; echo b)", [Unknown("$(echo a; echo b)", quoted=False)]),
        ("$(echo cm0= | base64 -d)", [Known("rm")]),
        ("$(A=1 echo x)", [Unknown("$(A=1 echo x)", quoted=False)]),
        ("$(echo x > f)", [Unknown("$(echo x > f)", quoted=False)]),
        ("$(cat <<< hi)", [Known("hi")]),
        ("$(echo hi 2>/dev/null)", [Known("hi")]),
        ("<(ls)", [Known("/dev/fd/<()")]),
        (">(ls)", [Prefix("/dev/fd/", quoted=True)]),
        ("$1", [Unknown("$1", quoted=False)]),
        ('"$@"', [Unknown('"$@"', quoted=True)]),
    ],
)
def test_a_word_becomes_these_arguments(text, expected):
    assert list(resolve(text)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$x", [Known("-rf"), Known("/")]),
        ('"$x"', [Known("-rf /")]),
        ("a${x}b", [Known("a-rf"), Known("/b")]),
        ('"${x: -2}"', [Known(" /")]),
        ('"${x: -9}"', [Known("")]),
        ('"${x:0:-2}"', [Known("-rf")]),
        ("${e:-1}", [Known("1")]),
        ("$s", [Known("a")]),
        ("$g", [Glob("/etc/*", "/etc")]),
        ('"$g"', [Known("/etc/*")]),
        ("${x:1}", [Known("rf"), Known("/")]),
        ('"${x:0:3}"', [Known("-rf")]),
        ('"${x: -1}"', [Known("/")]),
        ("${x:-y}", [Known("-rf"), Known("/")]),
        ("${e:-y}", [Known("y")]),
        ("${e-y}", []),
        ("${x:+y}", [Known("y")]),
        ("${e:+y}", []),
        ("${u:-y}", [Unknown("${u:-y}", quoted=False), Known("y")]),
        ("a${u-y}", [Prefix("a", quoted=False), Known("ay")]),
        ("${u:?no}", [Unknown("${u:?no}", quoted=False)]),
        ("${u%x}", [Unknown("${u%x}", quoted=False)]),
        ('"${p%/*}"', [Known("/etc")]),
        ('"${p%%/*}"', [Known("")]),
        ('"${p##*/}"', [Known("passwd")]),
        ('"${p#*/}"', [Known("etc/passwd")]),
        ('"${p#x}"', [Known("/etc/passwd")]),
        ('"${p#/etc/}"', [Known("passwd")]),
        ('"${p%wd}"', [Known("/etc/pass")]),
        ('"${p/a/b}"', [Unknown('"${p/a/b}"', quoted=True)]),
        ('"$many"', [Known("a"), Known("b")]),
        ('"x$many"', [Known("xa"), Known("b")]),
        ('"$name"', [Glob("src/*", "src")]),
        ('"$half/x"', [Prefix("/opt", quoted=True)]),
    ],
)
def test_a_variable_of_the_line_is_followed(text, expected):
    where = shell(
        x="-rf /",
        s=" a ",
        g="/etc/*",
        e="",
        p="/etc/passwd",
        name=Glob("src/*", "src"),
        half=Prefix("/opt", quoted=True),
    )
    where.vary("many", (Known("a"), Known("b")))
    assert list(resolve(text, where)) == expected


def test_positional_parameters_are_those_of_the_call():
    where = shell()
    where.positionals = (Known("a b"), Known("c"))
    assert resolve('"$@" $1 "$2" $3 "$0"', where) == (
        Known("a b"), Known("c"), Known("a"), Known("b"), Known("c"), Unknown('"$0"', quoted=True),
    )  # fmt: skip


def test_a_changed_ifs_says_where_words_are_split():
    assert resolve('$x "$x"', shell(IFS=",", x="a,b")) == (Known("a"), Known("b"), Known("a,b"))


def test_an_unknown_ifs_makes_splitting_uncertain():
    where = shell(IFS=Unknown("$y", quoted=True), x="a,b")
    assert resolve('$x "$x"', where) == (Unknown("$x", quoted=False), Known("a,b"))


def test_another_shell_may_leave_braces_alone():
    where = scope.Scope(Surroundings(cwd="/w", worktree="/w", shell="sh"))
    assert resolve("{a,b} {} c", where) == (
        Known("a"),
        Known("b"),
        Unknown("{a,b}", quoted=True),
        Known("{}"),
        Known("c"),
    )


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("x=a", Known("a")),
        ("x=", Known("")),
        ("x=~/a", Known("/home/dev/a")),
        ("x=*", Known("*")),
        ("x={a,b}", Known("{a,b}")),
        ("x='a b'", Known("a b")),
        ("x=$Y", Unknown("$Y", quoted=True)),
        ("x=a$Y", Prefix("a", quoted=True)),
    ],
)
def test_the_value_of_an_assignment_is_neither_split_nor_expanded(line, expected):
    assert words.value(command(line).assignments[0].value, shell()) == expected


def test_an_assignment_without_a_value_is_empty():
    assert words.value(None, shell()) == Known("")


def test_a_target_is_one_word_or_unknown():
    assert words.one(command("p {a,b}").words[1], shell()) == Unknown("{a,b}", quoted=True)
    assert words.one(command("p a").words[1], shell()) == Known("a")


def test_a_here_document_is_read_where_it_is_certain():
    certain = command("cat <<E\nhome: $HOME\nE").redirections[0].document
    open_ended = command("cat <<E\n$X\nE").redirections[0].document
    assert certain is not None
    assert open_ended is not None
    assert words.document(certain, shell()) == "home: /home/dev\n"
    assert words.document(open_ended, shell()) is None
    assert words.template(open_ended.parts, shell()) == "${_}\n"


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("1", 1), ("1+2*3", 7), ("(1+2)*3", 9), ("-4", -4), ("+4", 4), ("7/2", 3), ("-7/2", -3), ("-7%2", -1), ("0x1F", 31), ("010", 8),
        ("1-2-3", -4), ("", None), ("x", None), ("9999999999*9999999999*3", None), ("-(3)", -3), ("1/0", None), ("1+", None), ("(1 2)", None), ("(1", None), ("1)", None), ("09", None), ("1 2", None),
        ("1**2", None), ("9" * 300, None), ("9999999999*9999999999", None),
    ],
)  # fmt: skip
def test_constant_arithmetic_is_computed(expression, expected):
    assert arithmetic.value(expression) == expected


@pytest.mark.parametrize(
    ("argv", "stdin", "expected"),
    [
        (["echo", "a", "b"], None, "a b\n"),
        (["echo", "-n", "a"], None, "a"),
        (["echo", "-e", "a\\tb\\x41\\0101"], None, "a\tbAA\n"),
        (["/bin/echo", "-x"], None, "-x\n"),
        (["printf", "a\\nb"], None, "a\nb"),
        (["printf", "--", "%s-%%", "x"], None, "x-%"),
        (["printf", "%s\\n", "a", "b"], None, "a\nb\n"),
        (["printf", "%b", "a\\tb"], None, "a\tb"),
        (["printf", "%s%s", "a"], None, "a"),
        (["printf", "%5d", "1"], None, None),
        (["printf", "-v", "x"], None, None),
        (["printf"], None, None),
        (["cat"], "text", "text"),
        (["cat", "-"], "text", "text"),
        (["cat", "file"], "text", None),
        (["tee"], "text", "text"),
        (["pwd"], None, "/w\n"),
        (["which", "rm"], None, "rm\n"),
        (["command", "-v", "rm"], None, "rm\n"),
        (["base64", "-d"], "cm0=\n", "rm"),
        (["base64", "-d"], "cm0", "rm"),
        (["base64", "-d"], "/////w==", None),
        (["base64", "-d"], None, None),
        (["xxd", "-r", "-p"], "72 6d", "rm"),
        (["xxd", "-r", "-p"], "zz", None),
        (["rev"], "mr\n", "rm\n"),
        (["tr", "a-z", "n-za-m"], "ez\n", "rm\n"),
        (["tr", "-d", "x"], "rxm", "rm"),
        (["tr", "-s", "x"], "rxm", None),
        (["tr", "", "x"], "rm", None),
        (["dirname", "/etc/x"], None, "/etc\n"),
        (["dirname", "/"], None, "/\n"),
        (["basename", "/etc/x/"], None, "x\n"),
        (["type", "-P", "rm"], None, "rm\n"),
        (["find", "/etc", "-name", "x"], None, "/etc/${_}\n"),
        (["find", "-name", "x"], None, "./${_}\n"),
        (["find", ".", "-printf", "x"], None, None),
        (["ls", "-d", "/etc", "b"], None, "/etc\nb\n"),
        (["ls", "-d"], None, None),
        (["ls", "/etc"], None, None),
        (["git", "rev-parse", "--show-toplevel"], None, "/w\n"),
        (["git", "branch", "--show-current"], None, "topic\n"),
        (["git", "log"], None, None),
        (["date"], None, None),
        ([], None, None),
    ],
)
def test_what_a_few_programs_print_is_known(argv, stdin, expected):
    assert outputs.printed([Known(word) for word in argv], stdin, at_w()) == expected


def test_an_unknown_argument_makes_output_unknown():
    assert outputs.printed([Known("echo"), Unknown("$x", quoted=True)], None, at_w()) is None
    moved = at_w()
    moved.cwds = (None,)
    assert outputs.printed([Known("pwd")], None, moved) is None


def test_printf_does_not_repeat_for_ever():
    found = outputs.printed([Known("printf"), Known("%s" + "x" * 100), *[Known("y")] * 5000], None, at_w())
    assert found is not None
    assert len(found) < 70_000


def test_braces_beyond_reason_are_not_expanded():
    with pytest.raises(braces.TooManyError):
        braces.expand((Text("{" * 40, quoted=False),))
    with pytest.raises(braces.TooManyError):
        braces.expand((Text("{a,b}" * 20, quoted=False),))
