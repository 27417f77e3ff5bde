"""What must hold for every line: nothing added, wrapped, renamed or quoted makes a line more allowed."""

# ruff: noqa: E501 - one example per line

from __future__ import annotations

import re
import shlex
import sys

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from agentos_lsp.domain.command import allowlist, classify
from agentos_lsp.domain.command.surroundings import Surroundings
from agentos_lsp.domain.command.verdict import Verdict

SURROUNDINGS = Surroundings(
    cwd="/code/tree/src",
    worktree="/code/tree",
    home="/home/dev",
    scratch=("/scratch/one",),
    links={"/code/tree/src/out": "/srv/data"},
    branch="feature",
)
NOTHING = allowlist.Allowlist()
TESTS = allowlist.Allowlist((allowlist.TokenPrefix(("npm", "test")), allowlist.TokenPrefix(("rm",))))

HONEST = (
    "ls -la", "cat main.py", "git status", "grep -rn needle .", "npm test", "rm a.txt", "rm -rf build", "unknown-program --flag",
    "git push origin feature", "curl http://localhost:8000/", "echo hello world", "find . -name x", "cat /home/dev/.ssh/id_rsa",
    "pip install x", "python x.py", "git commit -m 'kill it'", "touch a", "sort a b", "true",
)  # fmt: skip
REFUSED = (
    "rm -rf /etc", "rm -r -f ../../other", "rm -rf /code/tree", "rm -rf ../.git", "rm -rf out/", "kill -9 1", "pkill node", "shutdown now",
    "curl https://example.com", "wget example.com", "ssh example.com ls", "nc example.com 80", "git push --force origin main",
    "git push origin +main", "git push origin :main", "find /etc -delete", "killall node", "dd if=/dev/zero of=/dev/sda",
    "rsync -a --delete a/ /srv/b/", "find / -name x -exec rm -rf {} +", "shred -u /srv/a", "scp a example.com:b",
)  # fmt: skip
LINES = (*HONEST, *REFUSED)

# How a line may be run by something else; `{}` is the line, `{quoted}` the line as one word.
WRAPPERS = (
    "sudo {}", "sudo -u root -E {}", "doas {}", "env {}", "env -i A=1 {}", "env -u HOME {}", "nohup {}", "nice {}", "nice -n 5 {}", "nice -5 {}",
    "ionice -c 3 {}", "timeout 5 {}", "timeout -k 1 --signal=KILL 5s {}", "time {}", "time -p {}", "command {}", "command -p {}", "exec {}",
    "builtin {}", "setsid {}", "setsid -w {}", "stdbuf -oL {}", "chroot / {}", "flock /tmp/lock {}", "flock /tmp/lock -c {quoted}",
    "strace -f -o log {}", "ltrace {}", "xargs {}", "xargs -n 1 -P 4 {}", "xargs -0 {}", "watch {}", "watch -n 1 {quoted}", "script -c {quoted} log",
    "busybox {}", "toybox {}", "bash -c {quoted}", "sh -c {quoted}", "zsh -c {quoted}", "dash -ec {quoted}", "bash -lc {quoted}",
    "/bin/bash -c {quoted}", "eval {quoted}", "eval {}", "trap {quoted} EXIT", "su -c {quoted}", "su root -c {quoted}", "unshare -n {}",
    "parallel {} ::: a", "parallel ::: {quoted}", "find . -exec {} \\;", "find . -execdir {} \\;", "find . -ok {} \\;", "fd x -x {}",
    "ssh localhost {quoted}", "ssh -p 22 localhost {}", "docker exec web {}", "docker exec -it web sh -c {quoted}", "podman exec web {}",
    "kubectl exec web -- {}", "docker compose exec web {}", "docker run --rm image {}", "npx {}", "npx -c {quoted}", "uvx {}", "uv run {}",
    "poetry run {}", "pipx run {}", "bundle exec {}", "git rebase -x {quoted} main", "git submodule foreach {quoted}",
    "git bisect run {}", "git -c alias.x={alias} x", "nix-shell --run {quoted}", "runuser -u root -- {}", "systemd-run --user {}",
    "taskset -c 0 {}", "chrt 5 {}", "prlimit {}", "env -S {quoted}", "coproc {}", "concurrently {quoted}", "tmux new-session -d {}",
)  # fmt: skip
# How a line may stand among others.
PLACES = (
    "{}; true", "true; {}", "true && {}", "{} && true", "false || {}", "{} || true", "{} | cat", "echo x | {}", "({})", "{{ {}; }}", "! {}", "{} &",
    "if {}; then true; fi", "if true; then {}; fi", "if false; then true; else {}; fi", "while {}; do true; done", "for i in 1 2; do {}; done",
    "case x in x) {};; esac", 'echo "$({})"', "echo `{}`", "cat <({})", "f() {{ {}; }}; f", "A=$({})", "cat <<< $({})", "{}\ntrue", "true\n{}",
    "cat <<E\n$({})\nE", "[[ -n $({}) ]]", "echo ${{x:-$({})}}", "{} > /dev/null", "{} 2>&1", "{} # comment", "CI=1 {}", "true;\n\n{}\n", "{} >| log",
    "bash <<'E'\n{}\nE", "bash -s <<E\n{}\nE", "until {}; do true; done", "( ( ( {} ) ) )", "{} & wait",
)  # fmt: skip


def judge(line: str, known: allowlist.Allowlist = TESTS) -> Verdict:
    return classify.classify(line, SURROUNDINGS, known).verdict


def wrapped(wrapper: str, line: str) -> str:
    written = {"{}": line, "{quoted}": shlex.quote(line), "{alias}": shlex.quote("!" + line)}
    return re.sub(r"\{(?:quoted|alias)?\}", lambda match: written[match[0]], wrapper)


@pytest.mark.parametrize("line", LINES)
def test_the_lines_of_this_page_are_what_they_are_called(line):
    assert (judge(line, NOTHING) is Verdict.BLOCKED) == (line in REFUSED)


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_no_wrapper_loosens(wrapper):
    # A find inside a find ends at the first `;` or `+`, so it is another command.
    fitting = [line for line in LINES if not ("{}" in line and wrapper.startswith(("find", "parallel", "fd")))]
    looser = [line for line in fitting if judge(wrapped(wrapper, line)) < judge(line)]
    assert looser == []


@pytest.mark.parametrize(
    "outer", ["sudo {}", "env A=1 {}", "timeout 5 {}", "bash -c {quoted}", "xargs {}", "eval {quoted}"]
)
@pytest.mark.parametrize(
    "inner", ["nice {}", "nohup {}", "sh -c {quoted}", "busybox {}", "command {}", "find . -exec {} \\;"]
)
def test_no_wrapper_around_a_wrapper_loosens(outer, inner):
    fitting = [line for line in REFUSED if not ("{}" in line and inner.startswith("find"))]
    looser = [line for line in fitting if judge(wrapped(outer, wrapped(inner, line))) < Verdict.BLOCKED]
    assert looser == []


@pytest.mark.parametrize("place", PLACES)
def test_no_place_in_a_line_loosens(place):
    looser = [
        line
        for line in LINES
        if judge(place.replace("{{", "{").replace("}}", "}").replace("{}", line, 1)) < judge(line)
    ]
    assert looser == []


@given(
    st.lists(st.sampled_from(LINES), min_size=1, max_size=5),
    st.lists(st.sampled_from([";", "&&", "||", "|", "&", "\n"]), min_size=5),
)
@settings(max_examples=150, deadline=None)
def test_adding_a_part_never_loosens(lines, joints):
    line = lines[0]
    strictest = judge(line)
    for added, joint in zip(lines[1:], joints, strict=False):
        line = f"{line} {joint} {added}"
        now = judge(line)
        assert now >= max(strictest, judge(added) if judge(added) is Verdict.BLOCKED else Verdict.ALLOWED)
        strictest = now


@pytest.mark.parametrize("line", REFUSED)
@pytest.mark.parametrize(
    "spelling", ["/bin/{}", "/usr/bin/{}", "./{}", "bin/{}", "\\{}", "'{}'", '"{}"', "{}''", "$'{}'", "../{}"]
)
def test_another_path_to_a_program_never_loosens(spelling, line):
    program, blank, rest = line.partition(" ")
    assert judge(spelling.replace("{}", program) + blank + rest) is Verdict.BLOCKED


def quotings(word: str) -> st.SearchStrategy[str]:
    """Spellings of a word that mean the same; a word that the shell reads specially is left alone."""
    if not word.replace("-", "").replace(".", "").replace("/", "").replace("_", "").isalnum() or word == "time":
        return st.just(word)
    halves = st.integers(0, len(word)).map(lambda i: f"{word[:i]}''{word[i:]}")
    inner = st.integers(0, len(word) - 1).map(lambda i: f'{word[:i]}"{word[i]}"{word[i + 1 :]}')
    escaped = st.integers(0, len(word) - 1).map(lambda i: f"{word[:i]}\\{word[i:]}")
    ansi = st.just("$'" + "".join(f"\\x{ord(character):02x}" for character in word) + "'")
    octal = st.just("$'" + "".join(f"\\{ord(character):03o}" for character in word) + "'")
    return st.one_of(st.just(f"'{word}'"), st.just(f'"{word}"'), halves, inner, escaped, ansi, octal)


@given(st.data(), st.sampled_from([line for line in LINES if "'" not in line and "{" not in line]))
@settings(max_examples=250, deadline=None)
def test_quoting_a_word_differently_never_changes_a_verdict(data, line):
    respelled = " ".join(data.draw(quotings(word)) for word in line.split(" "))
    assert judge(respelled) is judge(line)


@given(st.lists(st.text("abcdefgh-./ ", min_size=1, max_size=8), min_size=1, max_size=4), st.sampled_from(REFUSED))
@settings(max_examples=150, deadline=None)
@example(["rm"], "rm -rf /etc")
@example(["bash", "-c"], "kill -9 1")
def test_a_blocked_line_stays_blocked_under_every_allowlist(tokens, line):
    words = tuple(line.split(" "))
    entries: list[allowlist.Entry] = [allowlist.ExactLine(line), allowlist.TokenPrefix(tuple(tokens))]
    entries += [allowlist.TokenPrefix(words[:size]) for size in range(1, len(words) + 1)]
    entries.append(allowlist.TokenPrefix(words, folder="src"))
    assert judge(line, allowlist.Allowlist(tuple(entries))) is Verdict.BLOCKED


PIECES = st.sampled_from(
    [*"'\"`$(){}[]<>|&;\\\n\t #!*?~=-/:", "$(", "${", "$((", "))", "<<E\n", "E\n", "<<<", "<(", "&&", "||", ";;", "if ", "then ", "fi", "for ", "do ",
     "done", "case ", "esac", "in ", "{ ", "[[ ", "]]", "function ", "coproc ", "rm -rf /", "kill 1", "sh -c ", "xargs ", "x=", "cd /", "\0", "\r",
     "é", "\u200b", "\ud800", "\U0001f600", "eval ", "$IFS", "${x:-", "@P}", "$'\\x", "2>&1", ">|", "{a,b}", "{1..9}", "alias ", "f() "]
)  # fmt: skip


@given(st.lists(PIECES, max_size=40).map("".join))
@settings(max_examples=400, deadline=None)
def test_no_shell_like_text_raises(line):
    found = classify.classify(line, SURROUNDINGS, TESTS)
    assert found.line == line
    assert found.verdict == max((reason.verdict for reason in found.reasons), default=Verdict.ALLOWED)


@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda data: data.decode("utf-8", "surrogateescape")))
@settings(max_examples=200, deadline=None)
def test_no_text_at_all_raises(line):
    assert isinstance(judge(line), Verdict)


@given(st.sampled_from(REFUSED), st.lists(PIECES, max_size=12).map("".join))
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
def test_what_follows_on_another_line_never_loosens(line, tail):
    if tail.startswith(("\\", "\n")):
        tail = " " + tail
    assert judge(f"{line}\n{tail}") is Verdict.BLOCKED


BIG = {
    "separators": "a;", "words": "a ", "deletions": "rm x;", "braces": "{a,b}", "openings": "{", "substitutions": "$(", "closed": "$(a) ",
    "quotes": "'", "double quotes": '"', "backticks": "`", "pipes": "a|", "backslashes": "\\", "dollars": "$", "parentheses": "(", "nice": "nice ",
    "shells": "bash -c ", "xargs": "xargs ", "eval": "eval ", "globs": "*", "brackets": "[a]", "background": "a&", "zeros": "\0",
    "unseen": "\u200b", "here-documents": "<<A ", "assignments": "a=b ", "ifs": "if a; then ", "redirections": ">b ", "tildes": "~/a ",
    "folders": "cd a;", "either": "cd a||", "watch": "watch ", "sudo": "sudo ", "parallel": "parallel ", "find": "find . -exec rm {} \\; ",
    "coproc": "coproc ", "git": "git -c a=b ", "loops": "for i in a b; do ", "cases": "case a in ", "ands": "(cd a||cd b)&&",
}  # fmt: skip


# What a machine that judges a large line in 0.05 s does in that time, in calls of functions: a count does not depend on
# what else the machine does. `tests/bench/bench_classifier.py` measures the time itself.
MOST_CALLS = 400_000


@pytest.mark.parametrize("piece", BIG.values(), ids=BIG.keys())
def test_the_largest_lines_take_a_bounded_number_of_steps(piece):
    assert calls((piece * (1 << 16))[: 1 << 16]) < MOST_CALLS


@given(
    st.lists(PIECES | st.sampled_from([*BIG.values(), *LINES]), min_size=1, max_size=6).map("".join), st.integers(0, 3)
)
@settings(max_examples=25, deadline=None)
def test_no_large_line_takes_more_steps_or_raises(piece, words):
    line = (piece + " x" * words + "\n" * (words % 2)) * ((1 << 16) // len(piece))
    assert calls(line[: 1 << 16]) < MOST_CALLS


@pytest.mark.parametrize("many", [300, 990, 1100, 2500])
@pytest.mark.parametrize(
    ("head", "decoy", "danger"),
    [
        ("rm -rf", "a{}", "/etc"), ("rm -rf", "/scratch/one/{}", "/srv/data"), ("rm", "a{}", "-rf /etc"), ("curl", "http://127.0.0.1/{}", "http://example.com/"),
        ("curl", "http://localhost/{}", "-x example.com:1"), ("curl -o", "localhost:{}", "-o x example.com"), ("git push -f origin", "topic{}", "main"),
        ("git push origin", "mainline{}", "+main"), ("git push origin", "main:t{}", ":main"), ("find", "a{}", "/etc -delete"), ("shred", "a{}", "/srv/data"),
        ("mv", "a{}", "/tmp"), ("scp", "a{}", "example.com:x"), ("ping", "127.0.0.{}", "example.com"), ("dd", "if=a{}", "of=/dev/sda"), ("env", "A{}=1", "kill 1"),
        ("nice rm -rf", "a{}", "/etc"), ("echo x | xargs rm -rf", "a{}", "/etc"),
    ],
)  # fmt: skip
def test_no_number_of_harmless_words_hides_a_dangerous_one(head, decoy, danger, many):
    decoys = " ".join(decoy.format(i % 250 if "127.0" in decoy else i) for i in range(many))
    assert judge(f"{head} {decoys} {danger}") is Verdict.BLOCKED


def calls(line: str) -> int:
    """How many functions are called while a line is judged."""
    count = 0

    def note(_frame: object, event: str, _argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        judge(line)
    finally:
        sys.setprofile(before)
    return count
