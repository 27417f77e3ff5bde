"""The words that come before the first LSP byte on the daemon's socket, for both ends; see `docs/daemon.md`.

A line `agentos 1 KIND LENGTH`, then LENGTH bytes: version, Python, state folder, the editor's folder, and the
variables of its environment, with a NUL between each two. The answer is one line: `ok`, or `no` and why. To `status`
and `stop` it is followed by text for a terminal.

It imports nothing, because the forwarder, which each editor starts, has to be there at once. This form is a promise to
daemons and forwarders of other versions: a new one gets a new number.
"""

MAX_FRAME_BYTES = 1 << 20
MAX_LINE_BYTES = 4096
KINDS = ("connect", "status", "stop", "stop-now")

_GREETING = "agentos 1 "


class Malformed(Exception):  # noqa: N818  the frame is what is malformed; its text is one sentence
    """What came is no handshake."""


class Hello:
    """What a forwarder says of itself and of its editor."""

    __slots__ = ("environment", "folder", "kind", "python", "state", "version")

    def __init__(
        self, kind: str, version: str, python: str, state: str, folder: str, environment: dict[str, str]
    ) -> None:
        self.kind = kind
        self.version = version
        self.python = python
        self.state = state
        self.folder = folder
        self.environment = environment

    def encode(self) -> bytes:
        """Returns the whole frame."""
        fields = [self.version, self.python, self.state, self.folder]
        fields += [f"{name}={value}" for name, value in self.environment.items()]
        payload = "\0".join(fields).encode("utf-8", "surrogateescape")
        return f"{_GREETING}{self.kind} {len(payload)}\n".encode() + payload


def read_line(line: bytes) -> tuple[str, int]:
    """Returns kind and length from the first line of a frame.

    Raises:
        Malformed: It is none.
    """
    words = line.decode("utf-8", "replace").removesuffix("\n")
    kind, _, length = words.removeprefix(_GREETING).partition(" ")
    if not words.startswith(_GREETING) or kind not in KINDS or not (length.isascii() and length.isdigit()):
        raise Malformed("This is no handshake that this version of agentos-lsp knows.")
    if len(length) > 9 or int(length) > MAX_FRAME_BYTES:
        raise Malformed(f"The handshake is longer than {MAX_FRAME_BYTES} bytes.")
    return kind, int(length)


def decode(kind: str, payload: bytes) -> Hello:
    """Returns what a frame says.

    Raises:
        Malformed: Fields are missing.
    """
    fields = payload.decode("utf-8", "surrogateescape").split("\0")
    if len(fields) < 4:
        raise Malformed("The handshake lacks fields.")
    version, python, state, folder, *variables = fields
    pairs = [variable.partition("=") for variable in variables if variable]
    return Hello(kind, version, python, state, folder, {name: value for name, _, value in pairs if name})
