"""Environment variables that change what a program does.

The only place that lists which variables are harmless and which are dangerous.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from agentos_lsp.domain.command.effects import Executes, Unrecognised

if TYPE_CHECKING:
    from agentos_lsp.domain.command.effects import Effect

_HARMLESS = """
    CI NODE_ENV FORCE_COLOR NO_COLOR CLICOLOR CLICOLOR_FORCE LANG LANGUAGE TZ COLUMNS LINES TERM COLORTERM
    PYTHONDONTWRITEBYTECODE PYTHONUNBUFFERED PYTHONHASHSEED PYTHONIOENCODING PYTHONUTF8 PY_COLORS PYTHONFAULTHANDLER
    RUST_BACKTRACE RUST_LOG CARGO_TERM_COLOR CARGO_INCREMENTAL DEBUG VERBOSE LOG_LEVEL LOGLEVEL GOMAXPROCS CGO_ENABLED
    NPM_CONFIG_LOGLEVEL DEBIAN_FRONTEND SOURCE_DATE_EPOCH GIT_PAGER_IN_USE GIT_TERMINAL_PROMPT GIT_OPTIONAL_LOCKS
    DOCKER_BUILDKIT TURBO_TELEMETRY_DISABLED NEXT_TELEMETRY_DISABLED DO_NOT_TRACK
"""
HARMLESS = frozenset(_HARMLESS.split())
_HARMLESS_FAMILIES = re.compile(r"LC_[A-Z]+")

# Source: ld.so(8), dyld(1), bash(1) ENVIRONMENT, git(1) ENVIRONMENT, python(1), node(1), perlrun(1), ruby(1), less(1),
# man(1), gcc(1), go-help-environment, cargo's environment variables, make(1).
_DANGEROUS = r"""
loads foreign code | LD_.* DYLD_.* GLIBC_TUNABLES GCONV_PATH LOCPATH NLSPATH RESOLV_HOST_CONF HOSTALIASES
changes which programs are found | PATH CDPATH FPATH MANPATH PATHEXT EXECIGNORE
changes what the shell does | BASH_ENV ENV ZDOTDIR SHELLOPTS BASHOPTS IFS PS[0-4] PROMPT_COMMAND PROMPT RPROMPT
changes what the shell does | GLOBIGNORE BASH_FUNC_.* BASH_ALIASES.* BASH_CMDS.* BASH_XTRACEFD BASH_LOADABLES_PATH
changes what the shell does | INPUTRC HISTFILE COMSPEC SHELL
steers git or ssh | GIT_.* SSH_ASKPASS SUDO_ASKPASS SSH_AUTH_SOCK RSYNC_.* CVS_RSH SVN_SSH HGRCPATH EMAIL
names a program | .*PAGER LESS.* MORE MANOPT MANROFFOPT BAT_.* .*EDITOR VISUAL BROWSER VIMINIT EXINIT
steers Python | PYTHON.* VIRTUAL_ENV UV_.* PIP_.* PYTEST_.* TOX_.* COVERAGE_PROCESS_.* DJANGO_SETTINGS_MODULE
steers Node | NODE_.* NPM_CONFIG_.* YARN_.* PNPM_.* BUN_.* DENO_.* BABEL_.* TS_NODE_.* ELECTRON_.*
steers an interpreter | PERL.* RUBY.* GEM_.* BUNDLE_.* LUA_.* PHP.* AWKPATH AWKLIBPATH JAVA_.* JDK_.* _JAVA_OPTIONS
steers an interpreter | MAVEN_.* GRADLE_.* CLASSPATH SBT_.*
steers a build | CC CXX CPP LD AR AS NM FC MAKE MAKEFLAGS MFLAGS GNUMAKEFLAGS MAKEFILES CFLAGS CXXFLAGS CPPFLAGS
steers a build | LDFLAGS LIBRARY_PATH CPATH C_INCLUDE_PATH CPLUS_INCLUDE_PATH COMPILER_PATH GCC_.* CMAKE_.*
steers a build | PKG_CONFIG.* GO.* RUSTC.* RUSTFLAGS RUSTDOC.* CARGO.* CONFIG_SHELL CONFIG_SITE DISTCC_.* CCACHE_.*
redirects connections | (HTTPS?|FTP|ALL|NO|RSYNC|SOCKS)_PROXY CURL_.* WGETRC SSL_.* SSLKEYLOGFILE REQUESTS_CA_BUNDLE
changes where files are found | HOME USER LOGNAME PWD OLDPWD TMPDIR TEMP TMP XDG_.* APPDATA
steers a tool | DOCKER_.* KUBECONFIG AWS_.* AZURE_.* GOOGLE_.* CLOUDSDK_.* TAR_OPTIONS GZIP ZIPOPT UNZIP XZ_.*
steers a tool | GREP_OPTIONS JQ_.* RIPGREP_CONFIG_PATH FZF_.* ACKRC TERMINFO.* TERMCAP GNUPGHOME OPENSSL_.*
"""


def _compile() -> tuple[tuple[re.Pattern[str], str], ...]:
    rows = (line.split(" | ") for line in _DANGEROUS.strip().splitlines())
    return tuple((re.compile("|".join(names.split()), re.IGNORECASE), why) for why, names in rows)


_DANGERS = _compile()


def judge(name: str) -> Effect | None:
    """Says what setting a variable may do to the program that sees it; None if it is known to be harmless."""
    if name in HARMLESS or _HARMLESS_FAMILIES.fullmatch(name):
        return None
    for pattern, why in _DANGERS:
        if pattern.fullmatch(name):
            return Executes(f"{name}= {why}", danger=(f"{name} {why}",))
    return Unrecognised(f"what the variable {name} changes is not known")
