import pytest

from agentos_lsp.domain import tools
from agentos_lsp.domain.errors import ConfigError, EffectError
from agentos_lsp.effects.agents import Exchange, ToolResult, scripted

SCRIPT = """
turns:
  - summary: Looked.
    steps:
      - say: I look.
      - read: a.py
      - run: {line: make test, timeout_s: 5}
  - steps:
      - commit: Fix it
        expect: ok
"""


class Recording:
    def __init__(self, ok=True):
        self.did = []
        self.ok = ok

    async def call(self, request):
        self.did.append(request)
        return ToolResult(ok=self.ok, text="so it went")

    async def say(self, text):
        self.did.append(text)


READ = tools.ReadCall(path="a.py")
RUN = tools.RunCall(line="make test", timeout_s=5)
COMMIT = tools.CommitCall(message="Fix it")


def history(*requests):
    return tuple(Exchange(request, ToolResult(ok=True, text="")) for request in requests)


@pytest.mark.parametrize(
    ("done", "expected", "summary"),
    [
        ((), ["I look.", READ, RUN], "Looked."),
        ((READ,), [RUN], "Looked."),
        ((READ, RUN), [COMMIT], "Done."),
        ((READ, RUN, COMMIT), [], "The script has no further turn."),
    ],
)
async def test_a_turn_goes_on_after_the_calls_that_have_ended(done, expected, summary):
    tools_given = Recording()
    agent = scripted.ScriptedAgent(scripted.parse("s.yaml", SCRIPT))
    assert await agent.turn("go", tools_given, history(*done)) == summary
    assert tools_given.did == expected


async def test_an_outcome_that_was_not_expected_ends_the_script_with_words():
    agent = scripted.ScriptedAgent(scripted.parse("s.yaml", SCRIPT))
    with pytest.raises(EffectError, match="step 3 was expected to be ok, but: so it went"):
        await agent.turn("go", Recording(ok=False), history(READ, RUN))


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("turns: [", 0, "expected the node content"),
        ("[]", 0, "a mapping with a list named `turns`"),
        ("turns:\n  - 3", 0, "turn 1: a turn is a mapping"),
        ("turns:\n  - steps: [{say: x}]\n    other: 1", 0, "unknown key 'other'"),
        ("turns:\n  - steps: [{fly: x}]", 0, "there is no tool 'fly'"),
        ("turns:\n  - steps: [{run: x, read: y}]", 0, "one tool a step, not 2"),
        ("turns:\n  - steps: [{run: x, expect: maybe}]", 0, "`expect` is `ok` or `refused`"),
        ("turns:\n  - steps: [{edit: a.py}]", 0, "old: Field required"),
        ("turns:\n  - steps: [3]", 0, "a step is `say: …` or a tool call"),
        ("!!python/object/apply:os.getcwd []", 0, "could not determine a constructor"),
    ],
)
def test_a_broken_script_is_named_with_what_is_wrong(text, line, words):
    with pytest.raises(ConfigError) as caught:
        scripted.parse("s.yaml", text)
    assert (caught.value.file, caught.value.line) == ("s.yaml", line)
    assert words in caught.value.message
