"""The environment variables that an editor's commands may inherit: the only list, for the forwarder and for the gate.

It imports nothing, because the forwarder, which each editor starts, has to be there at once.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

KEPT = frozenset(
    {
        "CI",
        "COLUMNS",
        "HOME",
        "LANG",
        "LANGUAGE",
        "LINES",
        "LOGNAME",
        "NO_COLOR",
        "PATH",
        "TZ",
        "USER",
        "XDG_CACHE_HOME",
        "XDG_CONFIG_HOME",
        "XDG_DATA_DIRS",
        "XDG_DATA_HOME",
        # Where tool chains live: without these, builds that work in a terminal do not work here.
        "CARGO_HOME",
        "GOMODCACHE",
        "GOPATH",
        "GOROOT",
        "JAVA_HOME",
        "NVM_DIR",
        "PYENV_ROOT",
        "RUSTUP_HOME",
        "VIRTUAL_ENV",
    }
)

KEPT_PREFIXES = ("LC_",)


def kept(environment: Mapping[str, str]) -> dict[str, str]:
    """Returns what of an environment may be inherited."""
    return {name: value for name, value in environment.items() if name in KEPT or name.startswith(KEPT_PREFIXES)}
