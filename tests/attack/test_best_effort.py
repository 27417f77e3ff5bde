"""Which of the escapes Landlock alone holds: printed as a table, and as it stands in the documentation."""

import re
import sys
from pathlib import Path

import pytest

from agentos_lsp.effects.process.sandbox import backends, landlock
from tests.attack.inside import run as inside
from tests.attack.test_escapes import attack
from tests.attack.test_escapes import place as place  # noqa: PLC0414 - a fixture
from tests.effects.process.sandbox.conftest import Jail

PAGE = Path(__file__).resolve().parents[2] / "docs" / "escapes.md"
_ROW = re.compile(r"\| `([a-z0-9_]+)` \| held \| (held|gets out|depends) \|")

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or landlock.abi() < 6, reason="the table is that of a kernel with Landlock 6 or newer"
)


def table(got):
    """The rows of the page, for what got out."""
    return [f"| `{name}` | held | {'gets out' if name in got else 'held'} |" for name in sorted(inside.TRIES)]


async def test_what_gets_out_at_best_effort_is_in_the_table(place):
    jail = Jail(place, backends.LandlockAlone())
    try:
        got, _, _, _ = await attack(jail)
    finally:
        assert await jail.processes.stop_all() == 0
    print("\n".join(table(got)))
    said = dict(_ROW.findall(PAGE.read_text(encoding="utf-8")))
    assert sorted(said) == sorted(inside.TRIES)
    assert {name for name in got if said[name] == "held"} == set()
