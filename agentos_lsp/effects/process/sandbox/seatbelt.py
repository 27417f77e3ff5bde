"""The profile for the sandbox of macOS, as text.

Source: the profiles that macOS itself keeps in /System/Library/Sandbox/Profiles; the language has no specification.
The last rule that fits counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agentos_lsp.effects.process.sandbox.plan import Plan

_ALWAYS = """\
(version 1)
(allow default)
(deny network*)
(allow network* (local ip "localhost:*"))
(allow network* (remote ip "localhost:*"))
(deny network* (remote unix-socket))
(deny signal)
(allow signal (target same-sandbox))
(deny process-info* (target others))
(deny mach-lookup
  (global-name "com.apple.SecurityServer")
  (global-name "com.apple.securityd.xpc")
  (global-name "com.apple.pasteboard.1")
  (global-name "com.apple.coreservices.launchservicesd"))
(deny appleevent-send)
(deny file-write*)
(allow file-write*
  (literal "/dev/null")
  (literal "/dev/zero")
  (literal "/dev/tty")
  (regex #"^/dev/ttys[0-9]+$"))
"""


def profile(plan: Plan) -> str:
    """Returns the profile that shows what a plan shows.

    Loopback is the machine's own: there are no network namespaces. Covered folders cannot be read but for what is
    shown in them.
    """
    rows = [_ALWAYS.rstrip("\n")]
    for what, path, _, more in plan.steps:
        match what:
            case "cover":
                rows.append(f"(deny file-read-data file-write* (subpath {_quoted(path)}))")
            case "show" if more:
                rows.append(f"(allow file-read* file-write* (subpath {_quoted(path)}))")
            case "show":
                rows.append(f"(allow file-read* (subpath {_quoted(path)}))")
                rows.append(f"(deny file-write* (subpath {_quoted(path)}))")
            case "empty":
                rows.append(f"(deny file-read-data file-write* (literal {_quoted(path)}))")
            case _:
                pass
    return "\n".join(rows) + "\n"


def _quoted(path: str) -> str:
    escaped = path.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
