"""Whole sessions of the built-in agent over model servers of every wire format, through the real gate."""

from __future__ import annotations

import contextlib
import functools
import json
import logging
from datetime import UTC, datetime

import pytest

from agentos_lsp.cli import wiring
from agentos_lsp.domain import ids, review
from agentos_lsp.domain.conversation import ToolUse
from agentos_lsp.domain.errors import UserError
from agentos_lsp.effects import settings
from agentos_lsp.runtime import models, supervisor
from tests.effects.providers.model_server import MODEL, ModelServer, Refuse, Say, error_body
from tests.effects.providers.support import KEY, KINDS

EACH = pytest.mark.parametrize("kind", KINDS)
NUMBERS = iter(range(10_000))


def use(tool, /, **arguments):
    return ToolUse(f"call_{next(NUMBERS)}", tool, json.dumps(arguments))


def uses(*given):
    return Say("", tuple(given))


FINISH = uses(use("finish", summary="Done as asked."))
MENDED = "one\nzwei\nthree\n"
MEND = (
    Say("I look first.", (use("read", path="a.txt"),)),
    uses(use("edit", path="a.txt", old="two", new="zwei"), use("run", command="git diff --stat")),
    uses(use("commit", message="Say two in German")),
    FINISH,
)


@contextlib.asynccontextmanager
async def world(house, kind, *plays, more="", environment=None, **changes):
    """A model server of a kind, a person's settings that name it, and a runtime with the built-in agent."""
    async with ModelServer(kind, *plays) as server:
        file = house.folder / "settings.toml"
        file.write_text(f'[providers.test]\nkind = "{kind}"\nbase_url = "{server.url}"\nmodel = "{MODEL}"\n{more}')
        async with opened(house, file, environment or {}, **changes) as desk:
            yield server, desk


@contextlib.asynccontextmanager
async def opened(house, file, environment, **changes):
    known = models.Models(file, environment, lambda: datetime.now(UTC))
    agent = functools.partial(wiring.agent, known=known)
    async with house.open(agent=agent, models=known, **changes) as desk:
        # What is said wakes those who wait, as an event does.
        desk.runtime.streams.subscribe(lambda *_: desk._news.set())
        yield desk


async def start(house, desk, task="Mend it", model=None):
    wanted = supervisor.Start(str(house.root), task, "builtin", None, model, "a test")
    return await desk.runtime.start(wanted)


async def play(house, desk, task="Mend it"):
    name = await start(house, desk, task)
    await desk.event("turn.finished", session=name)
    return name


def told(desk):
    return [one.text for one in desk.of("model.told")]


def failures(desk):
    return [(one.message, one.hint) for one in desk.of("failure.recorded")]


@EACH
async def test_a_whole_session_mends_a_file_and_is_merged(house, kind):
    (house.root / "AGENTS.md").write_text("Speak German in a.txt.\n")
    house.commit("notes", {"AGENTS.md": "Speak German in a.txt.\n"})
    async with world(house, kind, *MEND) as (server, desk):
        name = await play(house, desk)
        assert failures(desk) == []
        assert desk.of("turn.finished")[0].summary == "Done as asked."
        merged = await desk.merge(name)
        assert (house.root / "a.txt").read_text() == MENDED
        assert type(merged).__name__ == "Merged"
    first = json.dumps(server.requests[0])
    assert "Speak German" in first
    assert "Reviewed: every other command" in first
    assert len(server.requests) == 4
    assert "zwei" in json.dumps(server.requests[3])  # what git printed was told
    assert house.verify(name) is None


@EACH
async def test_a_session_killed_in_mid_stream_goes_on_from_its_log_alone(house, kind):
    file = house.folder / "settings.toml"
    async with world(house, kind, MEND[0], Say("I will now ch", end="hang")) as (_server, desk):
        name = await start(house, desk)
        await desk.until(lambda: desk.runtime.streams.of(ids.SessionId(name)).startswith("I will"))
    assert [one.type for one in house.log(name)].count("model.replied") == 1
    async with ModelServer(kind, *MEND[1:]) as server:
        file.write_text(f'[providers.test]\nkind = "{kind}"\nbase_url = "{server.url}"\nmodel = "{MODEL}"\n')
        async with opened(house, file, {}) as desk:
            await desk.runtime.resume(ids.SessionId(name), "a test")
            await desk.event("turn.finished", session=name)
            assert failures(desk) == []
            await desk.merge(name)
        asked = json.dumps(server.requests[0])
    assert "I look first." in asked
    assert "one\\\\ntwo" in asked or "one\\ntwo" in asked  # what was read before is known
    assert (house.root / "a.txt").read_text() == MENDED


async def test_a_tool_that_was_under_way_when_the_runtime_ended_is_judged_by_the_model(house):
    file = house.folder / "settings.toml"
    asks = uses(use("run", command="touch made.txt"))
    async with world(house, "openai", asks) as (_server, desk):
        name = await start(house, desk)
        await desk.question(name)
    async with ModelServer("openai", FINISH) as server:
        file.write_text(f'[providers.test]\nkind = "openai"\nbase_url = "{server.url}"\nmodel = "{MODEL}"\n')
        async with opened(house, file, {}) as desk:
            (state,) = desk.runtime.states()
            (question,) = state.questions.values()
            await desk.answer(name, question)
            await desk.event("turn.finished", session=name)
            assert failures(desk) == []
        assert "The runtime ended while this was under way" in told(desk)[0]
        assert "touch made.txt: [exit code 0]" in told(desk)[0].replace('"}', "").replace('{"line":"', "")
        assert len(server.requests) == 1


@EACH
async def test_a_model_that_uses_its_tools_wrongly_is_told_so_and_mends_it(house, kind):
    plays = (
        uses(ToolUse("a", "read", '{"path": ')),
        uses(use("read_file", path="a.txt")),
        uses(use("read", file="a.txt")),
        Say("I have read everything."),
        uses(use("read", path="a.txt")),
        FINISH,
    )
    async with world(house, kind, *plays) as (_server, desk):
        await play(house, desk)
    said = told(desk)
    # Ollama gives objects, so that a broken one is a string there.
    assert "no JSON" in said[0] or "arguments of read are wrong" in said[0]
    assert "no tool 'read_file'" in said[1]
    assert "path: Field required" in said[2]
    assert "You called no tool" in said[3]
    assert said[4] == "one\ntwo\nthree\n"
    assert desk.of("turn.finished")[0].reason == "done"


async def test_a_model_that_never_learns_ends_its_turn_with_words(house):
    async with world(house, "openai", *[uses(use("nonsense", n=n)) for n in range(9)]) as (_server, desk):
        await play(house, desk)
    ((message, _),) = failures(desk)
    assert "wrongly 6 times in a row" in message


async def test_words_without_a_tool_twice_are_the_end_of_the_turn(house):
    async with world(house, "openai", Say("It is 42."), Say("As I said: 42.")) as (_server, desk):
        await play(house, desk)
    assert desk.of("turn.finished")[0].summary == "As I said: 42."


async def test_the_same_call_three_times_is_a_loop_and_shown_as_one(house):
    again = [uses(use("list")) for _ in range(5)]
    async with world(house, "openai", *again) as (_server, desk):
        name = await play(house, desk)
        page = review.session(await desk.state(name)).text
    assert [one.times for one in desk.of("loop.found")] == [3, 4, 5]
    assert len(desk.of("file.read")) == 2
    assert "again and again" in failures(desk)[0][0]
    assert "The model asked 5 times in a row for the same: list" in page


async def test_a_call_whose_outcome_changes_is_no_loop(house):
    plays = []
    for word in ("1", "2", "3", "4"):
        plays += [uses(use("write", path="n.txt", text=word)), uses(use("read", path="n.txt"))]
    async with world(house, "openai", *plays, FINISH) as (_server, desk):
        await play(house, desk)
    assert desk.of("loop.found") == []


@EACH
async def test_a_question_ends_the_turn_and_the_answer_goes_on(house, kind):
    ask = uses(use("ask", question="Tabs or blanks?"), use("read", path="a.txt"))
    async with world(house, kind, ask, FINISH) as (server, desk):
        name = await play(house, desk)
        assert desk.of("turn.finished")[0].summary == "Asks you: Tabs or blanks?"
        await desk.runtime.prompt(ids.SessionId(name), "Blanks.", "a test")
        await desk.event("turn.finished", 2)
        assert "Blanks." in json.dumps(server.requests[1])
    assert told(desk)[1].startswith("This was not done.")


async def test_what_the_person_says_meanwhile_steers_the_turn(house):
    plays = (uses(use("run", command="touch x")), FINISH)
    async with world(house, "openai", *plays) as (server, desk):
        name = await start(house, desk)
        question = await desk.question(name)
        await desk.runtime.prompt(ids.SessionId(name), "Do not touch anything else.", "a test")
        await desk.answer(name, question, "rejected", comment="No.")
        await desk.event("turn.finished", session=name)
        assert (await desk.state(name)).queued == ()
    assert len(desk.of("turn.started")) == 1
    asked = [message["content"] for message in server.requests[1]["messages"]]
    assert asked[-1] == "Do not touch anything else."
    assert "A person rejected this: No." in asked[-2]


async def test_a_turn_that_was_stopped_in_mid_stream_keeps_what_was_said_and_can_go_on(house):
    async with world(house, "anthropic", Say("I begin to th", end="hang"), FINISH) as (server, desk):
        name = ids.SessionId(await start(house, desk))
        await desk.until(lambda: "begin" in desk.runtime.streams.of(name))
        await desk.runtime.stop(name, "a test")
        await server.gone.wait()
        assert desk.runtime.streams.of(name) == ""
        assert desk.of("agent.message")[0].text.endswith("… (broken off)")
        await desk.runtime.prompt(name, "Go on.", "a test")
        await desk.event("turn.finished", 2)
    assert desk.of("turn.finished")[1].reason == "done"


async def test_a_reply_that_breaks_off_is_asked_for_again(house):
    async with world(house, "openai", Say("Half of", end="cut"), FINISH) as (_server, desk):
        await play(house, desk)
    assert [one.text for one in desk.of("agent.message")] == [
        "Half of … (broken off)",
        "The reply broke off (unreachable); the model is asked again.",
    ]
    assert failures(desk) == []


async def test_a_failure_of_the_provider_says_what_to_do(house):
    async with world(house, "openai", Refuse(401, error_body("openai", 401, "bad key"))) as (_server, desk):
        await play(house, desk)
    ((message, hint),) = failures(desk)
    assert "unauthorised" in message
    assert "key_env" in hint


async def test_without_a_provider_a_start_says_what_to_write(house):
    async with opened(house, house.folder / "none.toml", {}) as desk:
        with pytest.raises(UserError, match="No language model is configured"):
            await start(house, desk)
        assert desk.runtime.states() == ()


async def test_the_model_can_be_changed_between_turns(house):
    more = '\n[providers.other]\nkind = "openai"\nbase_url = "@"\nmodel = "second"\n'
    async with ModelServer("openai", FINISH) as other:
        other.models.append("second")
        more = more.replace("@", other.url)
        async with world(house, "ollama", MEND[0], FINISH, more=more) as (_server, desk):
            name = ids.SessionId(await play(house, desk))
            assert await desk.runtime.choose_model(name, "other", "a test") == "other/second"
            await desk.runtime.prompt(name, "And again.", "a test")
            await desk.event("turn.finished", 2)
            state = await desk.state(name)
    assert [one.model for one in desk.of("model.replied")] == ["test/tiny", "test/tiny", "other/second"]
    assert state.model == "other/second"
    assert "I look first." in json.dumps(other.requests[0])


async def test_an_agent_without_a_model_has_none_to_change(house):
    async with world(house, "openai") as (_server, desk):
        name = await desk.play([{"say": "hm"}])
        with pytest.raises(UserError, match="asks no model"):
            await desk.runtime.choose_model(ids.SessionId(name), "test", "a test")


async def test_what_a_session_took_is_on_its_page(house):
    async with world(house, "openai", *MEND, more="price = {prompt = 10, reply = 100}\n") as (_server, desk):
        name = await play(house, desk)
        page = review.session(await desk.state(name)).text
    assert "Model: test/tiny, 4 replies, 400 + 28 tokens, context 0 % of 32768, cost 0.0068" in page


async def test_a_prompt_that_lost_its_front_is_told(house):
    shrunk = (Say("I look.", (use("list"),), prompt_tokens=3000), uses(use("read", path="a.txt")))
    shrunk[1].prompt_tokens = 1500
    async with world(house, "ollama", *shrunk, FINISH) as (_server, desk):
        name = await play(house, desk)
        page = review.session(await desk.state(name)).text
    (lost, *_) = desk.of("context.lost")
    assert (lost.read_tokens, lost.model) == (1500, "test/tiny")
    assert lost.sent_tokens >= 3000 or lost.sent_tokens > lost.read_tokens
    assert "the front of the conversation was dropped" in page


async def test_a_window_smaller_than_an_agent_needs_is_said_at_once(house):
    async with world(house, "ollama", FINISH, more="context = 2048\n") as (_server, desk):
        await play(house, desk)
    ((message, hint),) = failures(desk)
    assert "too small for an agent" in message
    assert "16384" in hint


async def test_a_conversation_is_kept_within_its_window_and_nothing_is_dropped_in_silence(house):
    house.commit("long", {"long.txt": "\n".join(f"line {n} of a long text" for n in range(1500)) + "\n"})
    reads = [uses(use("read", path="long.txt", from_line=1 + 100 * n, lines=100)) for n in range(14)]
    # The compactions come in between, wherever the window is full: each takes a summary.
    async with world(house, "openai", more="context = 9000\nreply_limit = 1000\n") as (server, desk):
        server.plays = [None] * 40
        for read in reads:
            read.prompt_tokens = None
        original = server._play

        async def answer(play, reader, writer):
            asked = server.requests[-1]
            if "tools" not in asked:
                return await original(Say("SUMMARY: long.txt was read in part.", prompt_tokens=700), reader, writer)
            return await original(reads.pop(0) if reads else FINISH, reader, writer)

        server._play = answer
        name = await play_long(house, desk)
        state = await desk.state(name)
    compacted = desk.of("context.compacted")
    assert compacted
    assert all(one.tokens_after < one.tokens_before for one in compacted)
    assert {one.by for one in compacted} == {"model"}
    assert "SUMMARY: long.txt" in compacted[0].summary
    assert "Read all of it" in compacted[-1].summary
    for request in server.requests:
        assert len(json.dumps(request["messages"])) / 3.5 < 9000
    assert state.spent.compactions == len(compacted)
    # What a summary takes is paid like any other reply.
    assert {one.prompt_tokens for one in compacted} == {700}
    paid = [*desk.of("model.replied"), *compacted]
    assert state.spent.prompt_tokens == sum(one.prompt_tokens or 0 for one in paid)
    assert state.spent.reply_tokens == sum(one.reply_tokens or 0 for one in paid)
    assert all(one.reply_tokens for one in compacted)
    assert desk.of("turn.finished")[0].reason == "done"
    assert len(desk.of("file.read")) == 14


async def play_long(house, desk):
    return await play(house, desk, "Read all of it")


async def test_a_summary_that_the_model_cannot_give_is_made_by_rule(house):
    house.commit("long", {"long.txt": "\n".join(f"line {n} of a long text" for n in range(1500)) + "\n"})
    async with world(house, "openai", more="context = 9000\nreply_limit = 1000\n") as (server, desk):
        reads = [uses(use("read", path="long.txt", from_line=1 + 100 * n, lines=100)) for n in range(14)]
        for read in reads:
            read.prompt_tokens = None
        original = server._play

        async def answer(play, reader, writer):
            if "tools" not in server.requests[-1]:
                return await original(Refuse(400, error_body("openai", 400, "no")), reader, writer)
            return await original(reads.pop(0) if reads else FINISH, reader, writer)

        server.plays = [None] * 40
        server._play = answer
        await play(house, desk, "Read all of it")
    (compacted, *_) = desk.of("context.compacted")
    assert compacted.by == "rule"
    assert "Read all of it" in compacted.summary
    assert 'read {"path": "long.txt"' in compacted.summary


async def test_a_long_output_is_shortened_with_a_pointer_to_the_whole(house):
    house.commit("long", {"long.txt": "x" * 100_000})
    async with world(house, "openai", uses(use("run", command="cat long.txt")), FINISH) as (_server, desk):
        name = await play(house, desk)
    (said, _) = told(desk)
    assert len(said) < 17_000
    assert f"agentos://{name}/output/{desk.of('command.started')[0].call}.txt" in said


async def test_every_tool_reaches_the_gate(house):
    patch = "--- a/a.txt\n+++ b/a.txt\n@@ -1,3 +1,3 @@\n one\n-two\n+2\n three\n"
    patch += "--- /dev/null\n+++ b/n.txt\n@@ -0,0 +1 @@\n+new\n"
    plays = (
        uses(use("search", pattern="tw[o]"), use("search", pattern="nowhere at all", literal=True)),
        uses(use("list"), use("patch", patch=patch), use("move", path="n.txt", to="m.txt")),
        uses(use("start", name="job", command="cat a.txt"), use("output", name="job"), use("stop", name="nobody")),
        uses(use("delete", path="m.txt"), use("patch", patch=patch), use("write", path="../out.txt", text="x")),
        uses(use("patch", patch="--- a/a.txt\n+++ /dev/null\n@@ -1,3 +0,0 @@\n-one\n-2\n-three\n")),
        FINISH,
    )
    async with world(house, "openai", *plays) as (_server, desk):
        await play(house, desk)
    said = told(desk)
    assert "a.txt:2:two" in said[0]
    assert said[1] == "Nothing was found."
    assert "a.txt\ntool.py" in said[2]
    assert said[3] == "Applied: a.txt, n.txt."
    assert said[4] == "Moved n.txt to m.txt."
    assert "job is running" in said[5]
    assert "no process named nobody" in said[7]
    assert said[8] == "Deleted m.txt."
    assert said[9].startswith("Applied: n.txt.\nNot applied: a.txt: 'two' is not in the file")
    assert "climbs with '..'" in said[10]
    assert said[11] == "Applied: a.txt."
    kinds = {one.request.kind for one in desk.of("tool_call.requested")}
    assert kinds == {"run", "read", "edit", "write", "move", "start", "output", "stop", "delete"}
    assert failures(desk) == []


async def test_a_key_is_nowhere_but_in_the_request(house, caplog):
    caplog.set_level(logging.DEBUG)
    echo = Refuse(401, error_body("openai", 401, f"You sent Bearer {KEY}."))
    more = 'key_env = "CANARY_KEY"\n'
    async with world(house, "openai", MEND[0], echo, more=more, environment={"CANARY_KEY": KEY}) as (server, desk):
        name = await play(house, desk)
        page = review.session(await desk.state(name)).text + review.trace(await desk.runtime.trace(name)).text
        assert server.headers[-1]["authorization"] == f"Bearer {KEY}"
        assert KEY not in repr(desk.runtime.models.choose(None))
    assert "You sent Bearer …" in failures(desk)[0][0]
    assert KEY not in page
    assert KEY not in caplog.text
    files = [file for file in house.state.rglob("*") if file.is_file()]
    assert any(file.name == "events.db" for file in files)
    assert [file for file in files if KEY.encode() in file.read_bytes()] == []
    assert settings.load(house.folder / "settings.toml").providers["test"].key_env == "CANARY_KEY"
