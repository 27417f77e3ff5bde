"""Each stream reader, held to its properties: splits change nothing, and corruption is told by name."""

from __future__ import annotations

import itertools
import json

import hypothesis
import pytest
from hypothesis import strategies as st

from agentos_lsp.domain.conversation import Done, Text, Thought, ToolUse
from agentos_lsp.effects.providers import failures, wire
from tests.effects.providers import support
from tests.effects.providers.model_server import Say, stream

EXAMPLES = hypothesis.settings(max_examples=hypothesis.settings.default.max_examples // 6)
"""Few in every run; `HYPOTHESIS_PROFILE=search` tries hundreds."""

KINDS = pytest.mark.parametrize("kind", support.KINDS)

uses = st.lists(
    st.builds(
        ToolUse,
        st.from_regex(r"call_[0-9]{1,3}", fullmatch=True),
        st.sampled_from(["read", "run", "unknown"]),
        st.dictionaries(st.text(max_size=5), st.text(max_size=10) | st.integers(), max_size=3).map(json.dumps),
    ),
    max_size=3,
    unique_by=lambda use: use.id,
)
says = st.builds(
    Say, text=st.text(max_size=60), uses=uses.map(tuple), end=st.sampled_from(["well", "well", "error", "cut"])
)


def read(kind, chunks):
    """Reads chunks to the end; returns the messages that they held, and how it ended."""
    reader = support.READERS[kind]()
    found = []
    ended = "well"
    try:
        for chunk in chunks:
            found += reader.feed(chunk)
        found += reader.end()
    except (wire.BadAnswerError, wire.ToldError) as error:
        ended = f"{type(error).__name__} {error}"
    text = "".join(piece.text for piece in found if isinstance(piece, Text))
    thought = "".join(piece.text for piece in found if isinstance(piece, Thought))
    rest = [piece for piece in found if not isinstance(piece, Text | Thought)]
    return text, thought, rest, ended


def cut(data, places):
    edges = [0, *sorted({place % (len(data) + 1) for place in places}), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(edges)]


@KINDS
@hypothesis.given(say=says, places=st.lists(st.integers(0, 10_000), max_size=12))
@EXAMPLES
def test_however_a_stream_is_split_it_says_the_same(kind, say, places):
    data = stream(kind, say)
    assert read(kind, cut(data, places)) == read(kind, [data])
    assert read(kind, [bytes([byte]) for byte in data]) == read(kind, [data])


@KINDS
@hypothesis.given(say=says.filter(lambda say: say.end == "well"))
@EXAMPLES
def test_what_was_written_is_what_is_read(kind, say):
    text, _, rest, ended = read(kind, [stream(kind, say)])
    assert (text, ended) == (say.text, "well")
    assert [(use.name, json.loads(use.arguments)) for use in rest if isinstance(use, ToolUse)] == [
        (use.name, json.loads(use.arguments)) for use in say.uses
    ]
    assert isinstance(rest[-1], Done)


@KINDS
@hypothesis.given(
    say=says,
    damage=st.lists(
        st.tuples(st.integers(0, 10_000), st.binary(max_size=4), st.integers(0, 4)), min_size=1, max_size=4
    ),
)
@EXAMPLES
def test_any_corruption_is_an_answer_or_a_named_error(kind, say, damage):
    data = stream(kind, say)
    for place, inserted, dropped in damage:
        at = place % (len(data) + 1)
        data = data[:at] + inserted + data[at + dropped :]
    text, _, rest, _ended = read(kind, [data])
    text.encode()  # no half characters reach the log
    for use in rest:
        if isinstance(use, ToolUse):
            f"{use.id}{use.name}{use.arguments}".encode()


def walk(value):
    """Yields a JSON value and all inside it, with a way to replace each."""
    if isinstance(value, dict):
        for key in value:
            yield value, key
            yield from walk(value[key])
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield value, index
            yield from walk(inner)


@KINDS
@hypothesis.given(data=st.data())
@EXAMPLES
def test_any_value_in_the_wrong_place_is_an_answer_or_a_named_error(kind, data):
    lines = stream(kind, Say("Hello", (support.USE,))).split(b"\n")
    numbered = [(number, line.partition(b"{")) for number, line in enumerate(lines) if b"{" in line]
    number, (head, _, body) = data.draw(st.sampled_from(numbered))
    value = json.loads(b"{" + body)
    holder, key = data.draw(st.sampled_from(list(walk(value))))
    odd = st.sampled_from([None, True, -1, 10**400, 1.5, "", "x", [], [1], {}, {"a": 1}, "\ud83d", float("inf")])
    holder[key] = data.draw(odd)
    lines[number] = head + json.dumps(value).encode()
    text, _, _, ended = read(kind, [b"\n".join(lines)])
    text.encode()
    assert ended == "well" or ended.startswith(("BadAnswerError", "ToldError"))


def test_an_emoji_in_two_halves_in_two_pieces_is_whole():
    rows = [{"choices": [{"delta": {"content": half}}]} for half in ("a\ud83d", "\udc0db", "\ud83d")]
    rows.append({"choices": [{"delta": {}, "finish_reason": "stop"}]})
    data = b"".join(b"data: " + json.dumps(row).encode() + b"\r\n\r\n" for row in rows)
    assert read("openai", [data])[0] == "a🐍b\ufffd"


def test_servers_that_do_not_number_their_tool_calls_are_understood():
    calls = [
        {"id": "a", "function": {"name": "read", "arguments": '{"path": '}},
        {"function": {"arguments": '"x"}'}},
        {"id": "b", "function": {"name": "run", "arguments": "{}"}},
    ]
    rows = [{"choices": [{"delta": {"tool_calls": [call]}}]} for call in calls]
    rows.append({"choices": [{"delta": {}, "finish_reason": "stop"}]})
    data = b"".join(b"data: " + json.dumps(row).encode() + b"\n\n" for row in rows)
    _, _, rest, ended = read("openai", [data])
    assert ended == "well"
    assert rest[:2] == [ToolUse("a", "read", '{"path": "x"}'), ToolUse("b", "run", "{}")]
    assert rest[2].stop == "calls"


def test_an_answer_in_one_piece_is_read_where_a_stream_was_asked_for():
    whole = {"choices": [{"message": {"content": "All at once."}, "finish_reason": "stop"}], "usage": {}}
    assert read("openai", [json.dumps(whole, indent=1).encode()])[0] == "All at once."


def test_thoughts_are_no_part_of_the_reply():
    rows = [{"message": {"thinking": "hm"}}, {"message": {"content": "Yes"}}, {"done": True}]
    data = "\n".join(json.dumps(row) for row in rows).encode()
    assert read("ollama", [data])[:2] == ("Yes", "hm")


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("qwen3", "Did you mean qwen3:8b"),
        ("llama-3", "Did you mean meta/llama-3.1"),
        ("zzz", "There are qwen3:8b, meta/llama-3.1."),
    ],
)
def test_near_names_are_suggested(wanted, expected):
    assert failures.near(wanted, ["qwen3:8b", "meta/llama-3.1"]).startswith(expected)


def test_an_event_of_many_lines_is_bounded_however_short_they_are(monkeypatch):
    monkeypatch.setattr(wire, "MAX_LINE_BYTES", 1000)
    for line in (b"data:\n", b"x\n"):
        with pytest.raises(wire.BadAnswerError, match="longer"):
            list(wire.Events().feed(line * 1001))
    events = wire.Events()
    assert list(events.feed(b"data: x\n\n" * 1001)) == ["x"] * 1001
