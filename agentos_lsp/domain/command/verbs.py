"""Names of programs that the block list may be about, for texts that can only be searched.

A name that is missing here is still judged wherever the line is understood; this list serves the search in what is not.
"""

# ruff: noqa: E501 - one row of a table per line

from __future__ import annotations

import re

_NAMES = """
    rm rmdir unlink shred srm wipe trash trash-put rip del erase rd ri remove-item rimraf find fd fdfind bfs rsync mv dd mkfs truncate
    wipefs blkdiscard fdisk sfdisk parted sgdisk badblocks tee cp git
    kill pkill killall killall5 skill snice slay xkill taskkill tskill pskill killproc stop-process fuser shutdown reboot halt
    poweroff telinit init systemctl loginctl launchctl service start-stop-daemon ss stop-computer restart-computer
    curl wget nc ncat netcat socat ssh scp sftp rsh rlogin telnet ftp lftp tftp ping ping6 fping hping3 dig nslookup host drill
    traceroute tracepath mtr nmap masscan openssl aria2c axel http https httpie xh curlie lynx links elinks w3m whois finger
    getent lwp-request lwp-download gnutls-cli sshfs mosh autossh rclone websocat wscat grpcurl swaks mail sendmail invoke-webrequest invoke-restmethod iwr irm
"""
NAMES = frozenset(_NAMES.split())
NETWORK = frozenset(
    "curl wget nc ncat netcat socat ssh scp sftp telnet ftp lftp ping ping6 fping dig nslookup host drill traceroute tracepath mtr openssl"  # noqa: SIM905 - a table reads better
    " aria2c http https httpie xh lynx links w3m whois rsync".split(),
)
_WORD = re.compile(r"[a-z0-9_][a-z0-9_-]*")
_QUOTES = str.maketrans("", "", "\\'\"\n")


def mentions(text: str) -> bool:
    """Tells whether a text names one of these programs, however it is quoted or broken."""
    folded = text.casefold()
    return _names_one(folded) or _names_one(folded.translate(_QUOTES))


def is_one(name: str) -> bool:
    """Tells whether a program's name is one of these, in any case."""
    folded = name.casefold().removesuffix(".exe")
    return folded in NAMES or folded.startswith("mkfs.")


def _names_one(text: str) -> bool:
    if "/dev/tcp/" in text or "/dev/udp/" in text or "mkfs." in text:
        return True
    return not NAMES.isdisjoint(_WORD.findall(text))
