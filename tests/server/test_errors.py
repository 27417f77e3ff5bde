"""What an editor is told, error by error."""

import logging

import pytest
from lsprotocol import types as lsp
from pygls.exceptions import JsonRpcInternalError

from agentos_lsp.domain.errors import ConfigError, EffectError, InternalError, UserError
from agentos_lsp.server import errors

USER = UserError("There is no session s1.", "Start one.")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (USER, (-32803, "There is no session s1.", {"kind": "user", "hint": "Start one."})),
        (
            ConfigError(".agentos/policy.toml", 3, "`allow` is not a list."),
            (-32803, ".agentos/policy.toml:4: `allow` is not a list.", {"kind": "config"}),
        ),
        (
            EffectError("store", "append the event", "the disk is full", retry_may_help=True),
            (-32803, "Could not append the event: the disk is full", {"kind": "effect", "retry": True}),
        ),
        (
            EffectError("git", "read HEAD", "it is damaged", retry_may_help=False),
            (-32803, "Could not read HEAD: it is damaged", {"kind": "effect", "retry": False}),
        ),
        (errors.ProtocolError(-32600, "Twice."), (-32600, "Twice.", {"kind": "protocol"})),
        (errors.InvalidParamsError("a: b"), (-32602, "Invalid parameters: a: b", {"kind": "protocol"})),
        (
            errors.EditorError("no such method", -32601),
            (-32803, "The editor did not do what was asked of it: no such method", {"kind": "editor"}),
        ),
        (
            ExceptionGroup("g", [ExceptionGroup("h", [USER])]),
            (-32803, USER.message, {"kind": "user", "hint": USER.hint}),
        ),
    ],
)
def test_an_error_for_a_person_is_told_in_its_own_words_and_not_logged(error, told, caplog):
    assert errors.response_error(error, "m") == lsp.ResponseError(*told)
    assert caplog.records == []


def raised(error):
    with pytest.raises(type(error)) as caught:
        raise error
    return caught.value


@pytest.mark.parametrize(
    "error",
    [
        InternalError("the secret assumption"),
        KeyError("the secret key"),
        OSError(2, "No such file", "/the/secret/path"),
        SystemExit("the secret message"),
        KeyboardInterrupt(),
        ExceptionGroup("g", [USER, ValueError("the secret value")]),
        JsonRpcInternalError("the secret", data={"traceback": ["/the/secret/path"]}),
    ],
)
def test_a_defect_is_told_by_a_reference_and_everything_else_is_in_the_log(error, caplog):
    told = errors.response_error(raised(error), "session/start")
    reference = told.data["reference"]
    message = f"internal error (reference {reference})"
    assert told == lsp.ResponseError(-32603, message, {"kind": "internal", "reference": reference})
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert record.getMessage() == f"internal error {reference} during session/start"
    assert record.exc_info[1] is error


def test_the_same_defect_has_the_same_reference_and_another_place_another(caplog):
    def here(text):
        return errors.log_defect(raised(ValueError(text)), "m")

    def there(text):
        try:
            int(text)
        except ValueError as error:
            return errors.log_defect(error, "m")

    assert here("a") == here("b")
    assert here("a") != there("a")
    assert len(caplog.records) == 4
