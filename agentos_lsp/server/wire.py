"""JSON-RPC messages and the values in them; the only place that parses and serialises JSON for an editor.

Only the top level of a message is read as JSON-RPC. What lies inside `params` and `result` is data, even if it has keys
such as `jsonrpc` because it quotes somebody else's messages.

Source: JSON-RPC 2.0, sections 4 and 5; LSP 3.18, Base Protocol.
"""

import enum
import functools
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Never, TypeGuard, TypeVar

import attrs
import cattrs
import pydantic
from lsprotocol import types as lsp
from pygls import protocol

from agentos_lsp.server import errors

MessageId = int | str
Model = TypeVar("Model", bound=pydantic.BaseModel)

_MAX_REASONS = 5
_SNAKE = re.compile(r"_([a-z])")


@dataclass(frozen=True, slots=True)
class Request:
    """Somebody waits for an answer under this id."""

    id: MessageId
    method: str
    params: object


@dataclass(frozen=True, slots=True)
class Notification:
    """Nobody waits for an answer."""

    method: str
    params: object


@dataclass(frozen=True, slots=True)
class Answer:
    """The peer's answer to our request: an error, or else a result."""

    id: MessageId
    result: object
    error: lsp.ResponseError | None


@dataclass(frozen=True, slots=True)
class Malformed:
    """Not a message; `id` is what to answer under, None if that could not be read."""

    id: MessageId | None
    code: int
    reason: str


def parse(body: bytes) -> Request | Notification | Answer | Malformed:
    """Reads one message; never raises, whatever the bytes."""
    try:
        message = json.loads(body.decode(), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        return Malformed(None, errors.PARSE_ERROR, f"The message is not JSON in UTF-8 ({type(error).__name__}).")
    if not isinstance(message, dict):
        reason = "A message must be one object; batches are not part of the Language Server Protocol."
        return Malformed(None, errors.INVALID_REQUEST, reason)
    identity = message.get("id")
    known = identity if _is_message_id(identity) else None
    if message.get("jsonrpc") != "2.0":
        return Malformed(known, errors.INVALID_REQUEST, 'The message lacks "jsonrpc": "2.0".')
    if "id" in message and known is None and not ("error" in message and identity is None):
        return Malformed(None, errors.INVALID_REQUEST, "An id must be an integer or a string.")
    method = message.get("method")
    params = message.get("params")
    if isinstance(method, str):
        if not isinstance(params, dict | list | None):
            return Malformed(known, errors.INVALID_REQUEST, "The parameters must be an object or an array.")
        return Notification(method, params) if known is None else Request(known, method, params)
    if "method" not in message and known is not None and ("result" in message or "error" in message):
        return Answer(known, message.get("result"), _parse_error(message.get("error")))
    if "method" not in message and "error" in message and identity is None:
        # The peer could not read something that we sent; there is nothing to answer, so it counts as a notification.
        return Notification("$/error", None)
    return Malformed(known, errors.INVALID_REQUEST, "The message is neither a request, a notification nor an answer.")


def encode(message: Mapping[str, object], converter: cattrs.Converter) -> bytes:
    """Serialises a message whose values may be LSP types, pydantic models, enumerations and plain JSON.

    Raises:
        TypeError, ValueError, RecursionError: If a value is something else.
    """
    default = functools.partial(_to_json, converter)
    return json.dumps(message, default=default, allow_nan=False, separators=(",", ":")).encode()


def structure(value: object, message_type: type[Any], field: str, converter: cattrs.Converter) -> Any:  # noqa: ANN401  the type is known only to the message class
    """Reads `params` or `result` as the type that the message class gives to that field.

    Raises:
        InvalidParamsError: If the value does not have that shape; names each field and what is wrong with it.
    """
    wanted = getattr(attrs.fields(message_type), field).type
    if wanted is type(None):
        return None
    if isinstance(wanted, type) and issubclass(wanted, pydantic.BaseModel):
        return validate(wanted, {} if value is None else value)
    if value is None and attrs.has(wanted):
        value = {}  # `initialized` and its like are sent without parameters by some editors
    try:
        return converter.structure(value, wanted)
    except Exception as error:  # cattrs and the hooks of lsprotocol raise anything
        raise errors.InvalidParamsError(_explain(error)) from error


def validate(model: type[Model], value: object) -> Model:
    """Reads a value as one of our own models; unknown fields are refused, in nested models too.

    Raises:
        InvalidParamsError: Names each field and what is wrong with it.
    """
    try:
        return model.model_validate(value, extra="forbid")
    except pydantic.ValidationError as error:
        reasons = [
            f"{'.'.join(str(part) for part in detail['loc']) or 'the value'}: {detail['msg']}"
            for detail in error.errors(include_url=False, include_context=False, include_input=False)
        ]
        raise errors.InvalidParamsError(_join(reasons)) from error


def command_argument(params: lsp.ExecuteCommandParams, model: type[Model]) -> Model:
    """Reads the one object that a command takes.

    Raises:
        InvalidParamsError: If there is not exactly one argument, or it does not have the model's shape.
    """
    arguments = params.arguments or ()
    if len(arguments) != 1 or not isinstance(arguments[0], dict):
        raise errors.InvalidParamsError(f"{params.command} takes exactly one object as its only argument.")
    return validate(model, arguments[0])


@functools.cache
def request_type(params: type[pydantic.BaseModel]) -> type[Any]:
    """Makes the message class of a custom method, for `get_message_type`."""
    return attrs.make_class(f"{params.__name__}Message", {"params": attrs.field(type=params)})


@functools.cache
def shared_converter() -> cattrs.Converter:
    """Returns the one converter of this process; building one takes longer than everything else a connection does."""
    converter: cattrs.Converter = protocol.default_converter()  # type: ignore[no-untyped-call]  # pygls' own

    def read_model(value: object, model: type[pydantic.BaseModel]) -> pydantic.BaseModel:
        return validate(model, value)

    converter.register_structure_hook_func(
        lambda type_: isinstance(type_, type) and issubclass(type_, pydantic.BaseModel), read_model
    )
    return converter


def prewarm() -> None:
    """Compiles what `initialize` needs, so that the first editor does not wait for it."""
    converter = shared_converter()
    params = {
        "processId": None,
        "rootUri": "file:///",
        "workspaceFolders": [{"uri": "file:///", "name": "root"}],
        "capabilities": {
            "general": {"positionEncodings": ["utf-16"]},
            "textDocument": {},
            "window": {},
            "workspace": {},
        },
    }
    structure(params, lsp.InitializeRequest, "params", converter)
    structure({"command": "warm", "arguments": [{}]}, lsp.ExecuteCommandRequest, "params", converter)
    capabilities = lsp.ServerCapabilities(execute_command_provider=lsp.ExecuteCommandOptions(["warm"]))
    encode({"result": lsp.InitializeResult(capabilities, lsp.ServerInfo("warm"))}, converter)


def _refuse_constant(name: str) -> Never:
    raise ValueError(f"{name} is not JSON")


def _is_message_id(value: object) -> TypeGuard[MessageId]:
    return isinstance(value, int | str) and not isinstance(value, bool)


def _parse_error(value: object) -> lsp.ResponseError | None:
    match value:
        case None:
            return None
        case {"code": int(code), "message": str(message)}:
            return lsp.ResponseError(code, message)
        case _:
            return lsp.ResponseError(errors.INTERNAL_ERROR, "an error without code and message")


def _to_json(converter: cattrs.Converter, value: object) -> object:
    if isinstance(value, pydantic.BaseModel):
        return value.model_dump(mode="json", by_alias=True)
    if attrs.has(type(value)):
        return converter.unstructure(value)
    if isinstance(value, enum.Enum):
        return value.value
    raise TypeError(f"{type(value).__qualname__} has no JSON form")


def _explain(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "nested too deeply"
    reasons = cattrs.transform_error(error, path="params", format_exception=_explain_field)
    return _join([_name_first(reason) for reason in reasons])


def _name_first(reason: str) -> str:
    what, _, where = reason.rpartition(" @ ")
    field = _SNAKE.sub(lambda found: found[1].upper(), where.removeprefix("params."))
    return f"{field}: {what}"


def _explain_field(error: BaseException, wanted: type | None) -> str:
    match error:
        case KeyError():
            return "required"
        case TypeError() | ValueError() if isinstance(wanted, type):
            return f"not a valid {wanted.__name__}"
        case _:
            return "not of a type allowed here"


def _join(reasons: list[str]) -> str:
    shown = "; ".join(reasons[:_MAX_REASONS])
    return f"{shown}; and {len(reasons) - _MAX_REASONS} more" if len(reasons) > _MAX_REASONS else shown
