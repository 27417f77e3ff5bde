"""What is promised to editors: names, fields, defaults and permissions, as they stand."""

import pydantic
import pytest

from agentos_lsp.server import execute_command, protocol, wire

PROMISED = {
    "agentos.session.start": ("steer", ["task"], ["workspace", "agent", "script", "model", "show", "n", "models"]),
    "agentos.session.list": ("observe", [], []),
    "agentos.session.show": ("observe", ["session"], []),
    "agentos.session.files": ("observe", ["session"], []),
    "agentos.session.open": ("observe", [], ["document", "session"]),
    "agentos.session.prompt": ("steer", ["session", "text"], []),
    "agentos.session.model": ("steer", ["session", "model"], []),
    "agentos.session.pause": ("steer", ["session"], []),
    "agentos.session.resume": ("steer", ["session"], []),
    "agentos.session.stop": ("steer", ["session"], []),
    "agentos.session.merge": ("merge", ["session"], ["strategy", "into", "message", "runChecks"]),
    "agentos.session.previewMerge": ("observe", ["session"], ["strategy", "into"]),
    "agentos.session.undoMerge": ("merge", ["session"], []),
    "agentos.session.discard": ("merge", ["session"], ["confirm", "shown"]),
    "agentos.checkpoint.take": ("steer", ["session"], ["note"]),
    "agentos.checkpoint.list": ("observe", ["session"], []),
    "agentos.session.commit": ("approve", ["session"], ["message", "confirm", "shown"]),
    "agentos.session.keep": ("merge", ["session"], ["confirm", "shown"]),
    "agentos.conflict.open": ("observe", ["session", "path"], []),
    "agentos.checkpoint.diff": ("observe", ["session", "older"], ["newer"]),
    "agentos.checkpoint.restore": ("steer", ["session", "checkpoint"], []),
    "agentos.approval.decide": ("approve", ["session", "approval", "digest", "outcome"], ["scope", "comment"]),
    "agentos.orphan.list": ("observe", [], []),
    "agentos.orphan.recover": ("steer", ["orphan"], []),
    "agentos.orphan.remove": ("merge", ["orphan"], []),
    **{
        f"agentos.{what}.{verb}": (permission, ["session", "path", "digest", *more], some)
        for what in ("hunk", "file")
        for verb, permission, more, some in (
            ("accept", "merge", [], []),
            ("reject", "steer", [], []),
            ("ask", "steer", ["comment"], []),
            ("mark", "approve", [], ["reviewed"]),
            ("show", "observe", [], []),
        )
    },
    "agentos.provider.diagnose": ("steer", [], ["provider", "latency"]),
    "agentos.provider.pull": ("steer", [], ["provider", "model"]),
    "agentos.command.check": ("observe", ["line"], ["session"]),
    "agentos.policy.show": ("observe", [], ["workspace"]),
    "agentos.policy.trust": ("approve", ["digest"], ["workspace"]),
    "agentos.policy.untrust": ("approve", [], ["workspace"]),
    "agentos.policy.open": ("observe", ["session", "rule"], []),
    "agentos.finding.waive": ("approve", ["session", "digest", "reason"], []),
    "agentos.finding.mend": ("steer", ["session", "digest"], []),
}


def fields(model):
    schema = model.model_json_schema(by_alias=True)
    assert schema["additionalProperties"] is False
    required = schema.get("required", [])
    return required, [name for name in schema["properties"] if name not in required]


def test_no_command_loses_a_field_or_demands_another():
    assert {name: (spec.permission, *fields(spec.argument)) for name, spec in protocol.COMMANDS.items()} == PROMISED


def test_every_command_has_a_handler_and_no_other():
    assert set(execute_command._HANDLERS) == set(protocol.COMMANDS)


def test_an_untold_connection_may_ask_for_everything_but_is_not_trusted():
    assert protocol.InitializationOptions.model_validate({}).model_dump(by_alias=True) == {
        "permissions": ["observe", "steer", "approve", "merge"],
        "trusted": False,
        "virtualDocuments": False,
        "events": False,
        "askText": False,
        "bell": False,
        "stream": False,
        "files": False,
        "agent": None,
        "script": None,
        "model": None,
    }


def test_options_of_another_server_or_a_later_client_are_ignored():
    assert protocol.InitializationOptions.model_validate({"trusted": True, "colour": "red"}).trusted is True


@pytest.mark.parametrize("value", ["true", 1, None, [], {}])
def test_trust_is_a_boolean_and_nothing_like_one(value):
    with pytest.raises(pydantic.ValidationError):
        protocol.InitializationOptions.model_validate({"trusted": value})


@pytest.mark.parametrize("outcome", ["approve", "APPROVED", "yes", "", None, True, ["approved"]])
def test_an_outcome_is_one_of_two_words(outcome):
    with pytest.raises(Exception, match="outcome"):
        wire.validate(protocol.DecideApproval, {"session": "s", "approval": "a", "digest": "d", "outcome": outcome})
