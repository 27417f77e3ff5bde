"""Programs that change the machine, its users, its schedule, or enter other places.

Source: crontab(1), at(1), systemd-run(1), useradd(8), passwd(1), sudo(8), iptables(8), sysctl(8), ssh-keygen(1),
tmux(1), nsenter(1), gdb(1), strace(1), update-alternatives(1), defaults(1).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentos_lsp.domain.command.effects import Escalates, Executes, Persists, ReadsOnly, Signals, Unrecognised
from agentos_lsp.domain.command.families import rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agentos_lsp.domain.command.effects import Effect
    from agentos_lsp.domain.command.invocation import Argument, Invocation

# programs | `escalates`, `persists`, `runs` or `unknown`
_TABLE = """
sudo doas su pkexec runuser sudoedit visudo run0 gosu su-exec setpriv capsh newgrp sg nsenter unshare chroot
  machinectl systemd-nspawn
  bwrap firejail lxc lxc-attach lxc-exec incus multipass limactl colima virsh qemu-system-x86_64 | escalates
crontab at batch atq atrm anacron systemd-run systemd-tmpfiles update-rc.d chkconfig launchd schtasks | persists
useradd userdel usermod groupadd groupdel groupmod adduser deluser addgroup delgroup passwd chpasswd chsh chfn
  gpasswd vipw dscl
  pwck grpck faillock | persists
iptables ip6tables nft ufw firewall-cmd pfctl ipset sysctl setenforce setsebool auditctl aa-enforce aa-disable
  hostnamectl timedatectl localectl hwclock update-alternatives update-grub grub-install efibootmgr bootctl ldconfig
  depmod
  update-initramfs defaults nvram csrutil spctl pmset networksetup scutil security reg regedit netsh bcdedit |
  persists
ssh-keygen ssh-add ssh-agent gpg gpg2 gpgconf age pass secret-tool keyring op bw | persists
ip ifconfig route iwconfig nmcli brctl bridge tc ethtool arp rfkill | unknown
tmux screen zellij byobu dtach abduco xdotool ydotool | runs
gdb lldb rr strace ltrace dtrace dtruss bpftrace sysdig ptrace pstack gcore cgdb frida objection r2 radare2 | runs
netstat lsof dmesg journalctl vmstat iostat mpstat sar top htop btop atop iotop glances nvidia-smi sensors | unknown
clear reset tput stty tabs setterm | unknown
logger wall write mesg talk dbus-send gdbus busctl qdbus | runs
"""


def _compile() -> rows.Family:
    family: rows.Family = {}
    for line in _TABLE.strip().replace("\n  ", " ").splitlines():
        names, does = line.split("|")
        for name in names.split():
            family |= _reader(name, does.strip())
    return family


def _reader(name: str, does: str) -> rows.Family:
    def read(invocation: Invocation) -> Iterator[Effect]:
        shown = " ".join((name, *(rows.text_of(argument) for argument in invocation.arguments[:3])))
        match does:
            case "escalates":
                yield Escalates(name)
            case "persists":
                yield Persists(shown)
            case "runs":
                yield Executes(f"{shown} starts or steers other programs")
            case _:
                yield Unrecognised(f"{shown} is not known in all its options")

    return rows.special(name, read)


def _clear(invocation: Invocation) -> Iterator[Effect]:
    arguments: tuple[Argument, ...] = invocation.arguments
    if arguments:
        yield Unrecognised(f"{invocation.name} with arguments is not known")
    else:
        yield ReadsOnly()


def _wsl(invocation: Invocation) -> Iterator[Effect]:
    """`--shutdown` and `--terminate` end whole systems. Source: Microsoft's basic commands for WSL."""
    words = [rows.text_of(argument) for argument in invocation.arguments]
    if any(word in ("--shutdown", "--terminate", "-t", "--unregister") for word in words[:1]):
        yield Signals(" ".join(("wsl", *words[:2])), harmless=False)
    else:
        yield Escalates("wsl")


_SAFE = rows.table("""
netstat | safe | inert | -abceglnopFsrtuvwWxiMC46 -I= -f= -p=
vmstat iostat mpstat | safe | inert | -acdDfhHikKmnNpPstwxy -#
nvidia-smi sensors | safe | inert | -L -q -u -j
tput | safe | inert | -T=
gofmt | safe | read | -ldse -r=x -w!w
""")
ROWS = {**_compile(), **_SAFE, **rows.special("clear hostname", _clear), **rows.special("wsl", _wsl)}
