"""The tour as a stranger takes it: the whole session in a real server, and nothing left behind."""

import os
import subprocess
import sys
from collections import Counter

import pytest

from agentos_lsp.cli import tour
from agentos_lsp.domain.errors import UserError


def take(tmp_path, **environment):
    """Takes the tour with a folder of its own for everything temporary."""
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "agentos_lsp", "tour", "--yes"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "TMPDIR": str(temporary), **environment},
    )
    return done, temporary


def test_the_tour_shows_a_whole_session_and_leaves_nothing_behind(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    done, temporary = take(tmp_path, HOME=str(home), XDG_STATE_HOME=str(home / "state"))
    assert (done.returncode, done.stderr) == (0, "")
    shown = [
        "approved without asking",
        " allowed: python3 -m unittest -q",
        "reviewed: touch checked.txt",
        " blocked: rm -rf ",
        "looks like an AWS access key",
        "+    return sum((one, two))",
        "agentos.session.merge",
        "-> whole, ",
        "Done: everything happened as it should, and nothing is left behind.",
    ]
    assert [text for text in shown if text not in done.stdout] == []
    assert list(temporary.iterdir()) == []
    assert list(home.iterdir()) == []


def test_the_tour_fails_with_words_when_git_is_missing(tmp_path):
    (tmp_path / "bin").mkdir()
    done, temporary = take(tmp_path, PATH=str(tmp_path / "bin"))
    assert done.returncode == 1
    assert "git is not installed" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("kind", [*tour.EXPECTED, "verdict blocked"])
def test_the_tour_fails_when_something_that_it_shows_did_not_happen(tmp_path, kind):
    seen = Counter({**tour.EXPECTED, "verdict allowed": 2, "verdict reviewed": 1, "verdict blocked": 1})
    seen[kind] -= 1
    place = tour.Place(tmp_path, tmp_path, tmp_path, tmp_path, tmp_path)
    with pytest.raises(UserError, match=f"{kind} happened"):
        tour._check(place, "a-session", seen)
