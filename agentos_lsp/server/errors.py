"""What an editor is told when something went wrong; the only place that turns an error into an LSP code.

| raised | code | `data` |
| --- | --- | --- |
| `UserError` | -32803 RequestFailed | `{kind: "user", hint}` |
| `ConfigError` | -32803 RequestFailed | `{kind: "config"}` |
| `EffectError` | -32803 RequestFailed | `{kind: "effect", retry}` |
| `EditorError` | -32803 RequestFailed | `{kind: "editor"}` |
| `ProtocolError` | its own | `{kind: "protocol"}` |
| `InternalError` and anything else | -32603 InternalError | `{kind: "internal", reference}` |

Whatever is not written for a person (the last row) stays in the log, under the reference that the editor shows.

Source: LSP 3.18, Base Protocol, ErrorCodes and LSPErrorCodes.
"""

import hashlib
import logging
import traceback
from typing import Final

from lsprotocol import types as lsp
from pygls.exceptions import JsonRpcException

from agentos_lsp.domain import errors

PARSE_ERROR: Final = lsp.ErrorCodes.ParseError.value
INVALID_REQUEST: Final = lsp.ErrorCodes.InvalidRequest.value
METHOD_NOT_FOUND: Final = lsp.ErrorCodes.MethodNotFound.value
INVALID_PARAMS: Final = lsp.ErrorCodes.InvalidParams.value
INTERNAL_ERROR: Final = lsp.ErrorCodes.InternalError.value
SERVER_NOT_INITIALIZED: Final = lsp.ErrorCodes.ServerNotInitialized.value
REQUEST_FAILED: Final = lsp.LSPErrorCodes.RequestFailed.value
REQUEST_CANCELLED: Final = lsp.LSPErrorCodes.RequestCancelled.value

_log = logging.getLogger(__name__)


class ProtocolError(JsonRpcException):
    """A message that breaks the protocol; its text says how, and goes to the editor as it is."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message, code)


class InvalidParamsError(ProtocolError):
    """Parameters that do not have the shape that their method asks for."""

    def __init__(self, reason: str) -> None:
        super().__init__(INVALID_PARAMS, f"Invalid parameters: {reason}")


class EditorError(JsonRpcException):
    """The editor answered one of our requests with an error, unreadably, or not at all because it is gone."""


def response_error(error: BaseException, attempted: str) -> lsp.ResponseError:
    """Says what the editor is told about the error, and logs what it is not told.

    Args:
        error: What was raised; a group of one stands for the one.
        attempted: The method that was being served, for the log.
    """
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    match error:
        case ProtocolError():
            return lsp.ResponseError(error.code, error.message, {"kind": "protocol"})
        case EditorError():
            message = f"The editor did not do what was asked of it: {error.message}"
            return lsp.ResponseError(REQUEST_FAILED, message, {"kind": "editor"})
        case errors.UserError():
            return lsp.ResponseError(REQUEST_FAILED, error.message, {"kind": "user", "hint": error.hint})
        case errors.ConfigError():
            return lsp.ResponseError(REQUEST_FAILED, str(error), {"kind": "config"})
        case errors.EffectError():
            data = {"kind": "effect", "retry": error.retry_may_help}
            return lsp.ResponseError(REQUEST_FAILED, str(error), data)
        case _:
            reference = log_defect(error, attempted)
            message = f"internal error (reference {reference})"
            return lsp.ResponseError(INTERNAL_ERROR, message, {"kind": "internal", "reference": reference})


def log_defect(error: BaseException, attempted: str) -> str:
    """Logs the whole error and returns the reference under which it stands there.

    The reference names the place and type of the error, so the same defect has the same reference every time.
    """
    frames = traceback.extract_tb(error.__traceback__)
    place = [f"{type(error).__qualname__}", *(f"{frame.filename}:{frame.lineno}" for frame in frames)]
    reference = hashlib.sha256("\n".join(place).encode(errors="replace")).hexdigest()[:8]
    _log.error("internal error %s during %s", reference, attempted, exc_info=error)
    return reference
