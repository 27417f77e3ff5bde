"""A question and its answer: which answers count, and what a digest names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentos_lsp.domain import approval
from agentos_lsp.domain.approval import Answer, Question, Stale

QUESTION = Question("a1", "c1", "d" * 16, "make test", "", ("make", "test"))
TEXT = st.text(max_size=20)


def answer(**fields):
    return Answer(**{"approval": "a1", "digest": "d" * 16, "outcome": "approved", "scope": "once", "by": "x", **fields})


@pytest.mark.parametrize("outcome", ["approved", "rejected"])
@pytest.mark.parametrize("scope", ["once", "line", "prefix"])
def test_an_answer_to_what_is_asked_counts_as_it_was_given(outcome, scope):
    given_answer = answer(outcome=outcome, scope=scope, comment="fine")
    assert approval.answer(QUESTION, given_answer) == given_answer


def test_an_answer_to_a_question_that_is_not_open_is_stale():
    assert approval.answer(None, answer()) == Stale(
        "This request was already answered or withdrawn; nothing was changed."
    )


@pytest.mark.parametrize("digest", ["", "e" * 16, "d" * 15, "D" * 16])
def test_an_answer_given_on_another_screen_is_stale(digest):
    assert isinstance(approval.answer(QUESTION, answer(digest=digest)), Stale)


def test_a_prefix_counts_only_where_one_was_offered():
    without = Question("a1", "c1", "d" * 16, "make", "", None)
    assert isinstance(approval.answer(without, answer(scope="prefix")), Stale)
    assert approval.answer(without, answer(scope="line")) == answer(scope="line")


@pytest.mark.parametrize(
    ("cwd", "prefix", "folder"),
    [
        ("web", ("make",), "web"),
        ("web/", ("make",), "web"),
        ("", ("make",), None),
        (".", ("make",), None),
        ("web", None, None),
    ],
)
def test_a_folder_counts_only_below_the_root_and_with_a_prefix(cwd, prefix, folder):
    question = Question("a1", "c1", "d" * 16, "make", cwd, prefix)
    assert question.folder == folder
    found = approval.answer(question, answer(scope="folder"))
    assert found == answer(scope="folder") if folder else isinstance(found, Stale)


@pytest.mark.parametrize("scope", ["once", "line", "prefix", "folder"])
def test_an_answer_that_was_kept_is_no_wider_than_what_is_offered_now(scope):
    given_answer = answer(scope=scope)
    assert approval.narrowed(QUESTION, given_answer, QUESTION.prefix) == given_answer
    other = approval.narrowed(QUESTION, given_answer, ("make", "install"))
    assert other == answer(scope={"once": "once", "line": "line"}.get(scope, "once"))


def test_a_digest_is_sixteen_hexadecimal_digits_and_stays_the_same_for_ever():
    assert approval.digest(line="make test", cwd="src", head="a" * 40) == "f70cbb1ed6ccf573"


@given(TEXT, TEXT, TEXT, TEXT, TEXT, TEXT)
def test_two_things_that_a_person_may_see_have_two_digests(line, cwd, head, line2, cwd2, head2):
    one, two = (line, cwd, head), (line2, cwd2, head2)
    if any("\0" in text for text in one + two):
        return
    same = approval.digest(line=line, cwd=cwd, head=head) == approval.digest(line=line2, cwd=cwd2, head=head2)
    assert same == (one == two)
