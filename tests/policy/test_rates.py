"""The figures that the chapters must keep: how many lines there are, and how often an honest one is stopped."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.policy import corpus

EXAMPLES = corpus.everything()
HONEST = [example for example in EXAMPLES if example.chapter.startswith(("honest-", "session-"))]
SESSION = [example for example in EXAMPLES if example.chapter.startswith("session-")]

PAGE = r"""# Title
```sh
# given: branch=main, allow=npm test; pytest, links=/code/tree/out->/etc
# prose
echo "a # b"   # allowed
ls{U+200B}  # reviewed: character
```
```sh verdict=blocked: network
cat <<A | sh
curl example.com # allowed
A
```
"""


def verdicts(examples: list[corpus.Example]) -> Counter[str]:
    return Counter(corpus.judge(example).verdict.word for example in examples)


def show(title: str, counts: Counter[str]) -> str:
    total = counts.total()
    return f"{title}: {total} lines, " + ", ".join(f"{word} {n} ({n / total:.1%})" for word, n in counts.most_common())


def test_the_corpus_has_1500_lines_and_at_least_half_as_many_are_honest():
    assert len(EXAMPLES) >= 1500
    assert len(HONEST) >= 750
    assert len(HONEST) / len(EXAMPLES) >= 0.50


def test_no_line_is_told_twice():
    seen = Counter((example.command, example.given.surroundings.cwd, str(example.given)) for example in EXAMPLES)
    assert {key[0]: count for key, count in seen.items() if count > 1} == {}


def test_under_one_percent_of_honest_lines_are_blocked(capsys: pytest.CaptureFixture[str]):
    counts = verdicts(HONEST)
    with capsys.disabled():
        print(f"\n{show('honest chapters', counts)}")
    assert counts["blocked"] / counts.total() < 0.01


def test_under_ten_percent_of_a_typical_session_is_reviewed(capsys: pytest.CaptureFixture[str]):
    counts = verdicts(SESSION)
    with capsys.disabled():
        print(f"\n{show('typical session', counts)}")
    assert counts["reviewed"] / counts.total() < 0.10
    assert counts["blocked"] == 0


def test_every_line_about_a_blocked_family_gets_a_verdict_of_its_own(capsys: pytest.CaptureFixture[str]):
    honest = {id(example) for example in HONEST}
    hostile = [example for example in EXAMPLES if id(example) not in honest]
    missed = [
        f"{example.chapter}.md:{example.number}: {example.command}"
        for example in hostile
        if example.verdict != "allowed" and corpus.judge(example).verdict.word == "allowed"
    ]
    with capsys.disabled():
        print(f"\n{show('other chapters', verdicts(hostile))}")
    assert missed == []


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (["ls"], "page.md:2: no verdict comment: 'ls'"),
        (["# given: shell=tcsh"], "page.md:2: unknown shell 'tcsh'"),
        (["# given: moon=full"], "page.md:2: unknown key 'moon'"),
        (["# given: cwd"], "page.md:2: 'cwd' is not key=value"),
        (["# given: recipes=make->ls"], "page.md:2: a recipe is named by a runner and a target, not 'make'"),
    ],
)
def test_a_page_that_cannot_be_read_says_where(tmp_path, body, message):
    page = tmp_path / "page.md"
    page.write_text("\n".join(["```sh", *body, "```"]))
    with pytest.raises(corpus.CorpusError) as caught:
        corpus.read(page)
    assert str(caught.value) == message


def test_a_block_without_an_end_is_refused(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# Title\n```sh\nls  # allowed\n")
    with pytest.raises(corpus.CorpusError, match=r"page\.md:2: the block has no end"):
        corpus.read(page)


def test_a_page_gives_commands_verdicts_and_surroundings(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    given = corpus.Given(
        corpus.replace(corpus.DEFAULT, branch="main", links={"/code/tree/out": "/etc"}),
        (("npm", "test"), ("pytest",)),
    )
    assert corpus.read(page) == [
        corpus.Example("page", "Title", 5, 'echo "a # b"', "allowed", "", given),
        corpus.Example("page", "Title", 6, "ls\u200b", "reviewed", "character", given),
        corpus.Example("page", "Title", 8, "cat <<A | sh\ncurl example.com # allowed\nA", "blocked", "network"),
    ]
