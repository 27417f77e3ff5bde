"""Two live sessions that change the same lines are both told, and told again when it no longer holds."""

from agentos_lsp.domain import ids
from tests.runtime import support

FIRST = [{"edit": {"path": "a.txt", "old": "two", "new": "2"}}]
SECOND = [{"run": "sed -i s/two/TWO/ a.txt"}]


async def meeting(desk, more=()):
    """Two sessions at the same line, the second one by a command and without a commit."""
    first = await desk.play([*FIRST, *more], task="First")
    second = await desk.begin(SECOND, task="Second")
    await desk.answer(second, await desk.question(second))
    for name in (first, second):
        await desk.event("conflict.forecast", session=name)
    return first, second


def told(state):
    return {
        other: [(place.path, place.line, place.lines) for place in places] for other, places in state.forecasts.items()
    }


async def test_both_sessions_are_told_where_they_meet(house):
    async with house.open() as desk:
        first, second = await meeting(desk)
        assert told(await desk.state(first)) == {second: [("a.txt", 1, 1)]}
        assert told(await desk.state(second)) == {first: [("a.txt", 1, 1)]}
    assert support.assert_sound(house.log(first)).forecasts


async def test_it_is_withdrawn_when_one_gives_way(house):
    async with house.open() as desk:
        back = [{"edit": {"path": "a.txt", "old": "2", "new": "two"}}]
        first = await desk.begin(FIRST, back, task="First")
        await desk.event("turn.finished", session=first)
        second = await desk.play(FIRST, task="Second")
        assert desk.of("conflict.forecast") == []
        other = [{"edit": {"path": "a.txt", "old": "2", "new": "zwei"}}]
        third = await desk.play([*FIRST, *other], task="Third")
        await desk.event("conflict.forecast", session=first)
        await desk.runtime.prompt(ids.SessionId(first), "Back", "a test")
        await desk.until(lambda: desk.of("conflict.forecast")[-1:] and told_to(desk, first)[-1] == ())
        assert (await desk.state(first)).forecasts == {}
        assert set((await desk.state(second)).forecasts) == {third}


def told_to(desk, name):
    return [one.places for one in desk.of("conflict.forecast") if one.session == name]


async def test_it_is_withdrawn_when_one_ends(house):
    async with house.open() as desk:
        first, second = await meeting(desk, more=[{"commit": "Two"}])
        await desk.merge(first)
        await desk.until(lambda: told_to(desk, second)[-1] == ())
        assert (await desk.state(second)).forecasts == {}


async def test_sessions_of_other_repositories_and_other_lines_are_not_told(house, tmp_path):
    other = support.House(tmp_path / "other")
    async with house.open() as desk:
        first = await desk.play(FIRST, task="First")
        name = await desk.begin(SECOND, task="Elsewhere", workspace=other.root)
        await desk.answer(name, await desk.question(name))
        await desk.event("turn.finished", session=name)
        await desk.play([{"write": {"path": "b.txt", "text": "b\n"}}], task="Third")
        fourth = await desk.play([{"edit": {"path": "a.txt", "old": "two", "new": "3"}}], task="Fourth")
        for one in (first, fourth):
            await desk.event("conflict.forecast", session=one)
        assert {one.session for one in desk.of("conflict.forecast")} == {first, fourth}
