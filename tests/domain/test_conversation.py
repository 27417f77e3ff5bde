"""What is estimated of a conversation, and when something of it was lost."""

import pytest

from agentos_lsp.domain import conversation
from agentos_lsp.domain.conversation import Answered, Done, Gathered, Prompted, Replied, Text, Thought, ToolUse, Usage


@pytest.mark.parametrize(
    ("sent_bytes", "read", "grown_from", "allocated", "lost"),
    [
        (560_000, 16_387, None, None, True),  # Source: ollama#3839, 160,689 tokens sent
        (4_000, 1_000, None, 4_096, False),
        (4_000, 1_000, 990, None, False),
        (4_000, 500, 1_000, None, True),
        (40_000, 4_090, None, 4_096, True),
        (20_000, 4_090, None, 4_096, False),
        (0, 0, None, None, False),
    ],
)
def test_a_prompt_that_lost_its_front_is_noticed(sent_bytes, read, grown_from, allocated, lost):
    assert conversation.is_truncated(sent_bytes, read, grown_from=grown_from, allocated=allocated) is lost


def test_the_size_of_a_message_is_its_text_in_bytes():
    use = ToolUse("1", "read", "{}")
    assert conversation.size_bytes(Prompted("ä")) == 2
    assert conversation.size_bytes(Answered("1", "read", "abc", ok=True)) == 3
    assert conversation.size_bytes(Replied("a", (use,))) == 7
    assert conversation.tokens(350) == 108


def test_a_reply_is_gathered_from_its_pieces():
    gathered = Gathered()
    use, end = ToolUse("1", "read", "{}"), Done("calls", Usage())
    for piece in (Text("a"), Thought("hm"), Text("b"), use, conversation.Waiting("busy", 1), end):
        gathered.add(piece)
    assert (gathered.reply, gathered.done) == (Replied("ab", (use,)), end)
