"""A monkey at a desk loses no byte of the person's work, and the runtime's view agrees with git at every step.

A short life in every run; `MONKEY_STEPS=5000 MONKEY_SEED=1` (`make monkey`) takes a whole one.
"""

import os

import pytest

from tests.runtime.monkey import Monkey

STEPS = int(os.environ.get("MONKEY_STEPS", "60"))
SEED = int(os.environ.get("MONKEY_SEED", "1"))


@pytest.mark.timeout(max(60, STEPS * 3))
async def test_whatever_a_monkey_does_nothing_of_the_persons_is_lost(house):
    monkey = Monkey(house, SEED)
    try:
        await monkey.live(STEPS)
    except BaseException as error:
        error.add_note("\n".join([f"seed {SEED}, step {len(monkey.did)}:", *monkey.did[-12:]]))
        raise
    assert len(monkey.did) == STEPS
