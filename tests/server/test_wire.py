"""Messages and the values in them: strict where they are ours, untouched where they are data."""

import json

import pydantic
import pytest
from lsprotocol import types as lsp

from agentos_lsp.server import errors, wire
from tests.server import support


async def test_quoted_messages_inside_arguments_stay_data():
    quoted = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"jsonrpc": 5}}
    async with support.talking() as (editor, _):
        assert await editor.command("echo", {"quoted": [quoted]}) == {"quoted": [quoted]}


async def test_our_own_models_are_read_strictly_and_written_with_their_aliases():
    async with support.talking() as (editor, _):
        assert await editor.request("example/count", {"upTo": 3}) == {"lastNumber": 3}
        reasons = {
            '{"upTo": "3"}': "upTo: Input should be a valid integer",
            '{"upTo": 3, "down": 1}': "down: Extra inputs are not permitted",
            '{"upTo": 3, "labels": ["a", 1]}': "labels.1: Input should be a valid string",
            "{}": "upTo: Field required",
            "[]": "the value: Input should be a valid dictionary or instance of Count",
        }
        for params, reason in reasons.items():
            error = await editor.fails("example/count", json.loads(params))
            assert (error.code, error.message) == (-32602, f"Invalid parameters: {reason}")


async def test_a_command_takes_exactly_one_object():
    async with support.talking() as (editor, _):
        assert await editor.command("count", {"upTo": 3}) == {"lastNumber": 3}
        for arguments in ([], [{}, {}], ["x"], [[{}]], None, {"upTo": 3}):
            error = await editor.fails("workspace/executeCommand", {"command": "count", "arguments": arguments})
            reason = "count takes exactly one object as its only argument."
            assert (error.code, error.message) == (-32602, f"Invalid parameters: {reason}")


def test_the_converter_is_built_once_for_all_connections():
    assert support.Example().protocol._converter is support.Example().protocol._converter


def test_prewarming_needs_no_connection():
    wire.prewarm()
    initialize = {"processId": None, "rootUri": None, "capabilities": {}}
    read = wire.structure(initialize, lsp.InitializeRequest, "params", wire.shared_converter())
    assert read == lsp.InitializeParams(lsp.ClientCapabilities())


def test_a_model_inside_an_lsp_type_is_read_and_written_too():
    converter = wire.shared_converter()
    read = converter.structure({"upTo": 2}, support.Count)
    assert read == support.Count(upTo=2)
    body = wire.encode({"params": lsp.Command("t", "c", arguments=[read, lsp.MessageType.Info])}, converter)
    assert json.loads(body) == {"params": {"title": "t", "command": "c", "arguments": [{"upTo": 2, "labels": []}, 3]}}


def test_many_reasons_are_cut_short():
    wanted = pydantic.create_model("Wanted", **{f"f{number}": (int, ...) for number in range(8)})
    with pytest.raises(errors.InvalidParamsError, match=r"f4: Field required; and 3 more$"):
        wire.validate(wanted, {})
