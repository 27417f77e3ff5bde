"""How far a review has come follows from its events; what the agent is told shows what it is about."""

from agentos_lsp.domain import diff, hunks, reviewed, state
from tests.domain import support


def review(*log):
    return state.fold(support.log("session.started", "worktree.created", *log)).review


D = "d" * 16


def test_marks_are_set_and_taken_back_by_name():
    assert review("review.marked").looked_at == {D}
    assert review("review.marked", ("review.marked", {"reviewed": False})).looked_at == frozenset()
    assert review("review.asked").asked == {D}


def test_an_attempt_is_open_until_its_end():
    assert review("review.attempted").attempts == (reviewed.Attempt("accept", "a.py", D),)
    assert review("review.attempted", "review.accepted").attempts == ()
    assert review("review.attempted", "review.accepted").accepted == {D}
    rejecting = ("review.attempted", {"wanted": "reject"})
    assert review(rejecting, "review.rejected").attempts == ()
    assert review(rejecting, "review.refused").attempts == ()
    assert len(review(rejecting, "review.accepted").attempts) == 1


def test_notes_wait_until_they_are_told():
    assert review("review.rejected", "review.rejected").notes == ("A person rejected it.",) * 2
    assert review("review.rejected", "review.told", "review.rejected").notes == ("A person rejected it.",)
    assert reviewed.prompt(review("review.rejected"), "Go on") == "A person rejected it.\n\nGo on"
    assert reviewed.prompt(reviewed.Review(), "Go on") == "Go on"
    assert reviewed.prompt(review("review.rejected"), "") == "A person rejected it."


def test_an_agent_is_shown_what_it_is_about_and_not_all_of_a_large_one():
    old, new = (diff.Side(0o100644, text) for text in (b"one\n", b"two\n"))
    (change,) = diff.compare([("a.txt", old, new)])
    (item,) = hunks.items(change)
    assert reviewed.request(item, "Why?") == (
        "A person reviewed this part of your change of a.txt:\n@@ -1 +1 @@\n-one\n+two\nThey ask: Why?"
    )
    assert reviewed.rejection(hunks.whole(change)).startswith("A person rejected your change of a.txt and put it back")
    (large,) = diff.compare([("b.txt", None, diff.Side(0o100644, b"x\n" * 500))])
    assert reviewed.rejection(hunks.whole(large)).endswith("… 421 more lines …")
    (mode,) = diff.compare([("c", old, diff.Side(0o100755, b"one\n"))])
    assert reviewed.rejection(hunks.whole(mode)).endswith("\n(mode)")
