"""How escapes are written: what they share; standard library only, since they run inside a cage.

Every aim is a canary that the test made: files, sockets and processes of its own. What would be harmful if it worked is
only opened, never used. An attempt that got something returns words that say what; whoever was refused raises or
returns nothing. The test outside looks at its canaries all the same.
"""

import ctypes
import os
from pathlib import Path

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
X86 = os.uname().machine == "x86_64"
TRIES = {}


def attempt(function):
    TRIES[function.__name__] = function
    return function


def checked(result, words):
    """Turns the result of a call of C into words, or raises what went wrong."""
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return words


def syscall(number, *arguments):
    return libc.syscall(ctypes.c_long(number), *[ctypes.c_long(a) if isinstance(a, int) else a for a in arguments])


def read(path):
    data = Path(path).read_text(errors="replace")
    return f"read {path}" if "canary-secret" in data else None


def opens(path):
    os.close(os.open(path, os.O_WRONLY))
    return f"could write {path}"
