"""Network and sockets."""

import contextlib
import os
import socket
from pathlib import Path

from tests.attack.inside.common import attempt


@attempt
def network_tcp(aim):
    socket.create_connection(("127.0.0.1", aim["tcp"]), timeout=2)
    return "connected"


@attempt
def network_tcp_all_addresses(aim):
    for address in ("0.0.0.0", "localhost", "127.1.2.3", "::1", "::ffff:127.0.0.1", *aim["addresses"]):
        with contextlib.suppress(OSError):
            socket.create_connection((address, aim["tcp"]), timeout=1)
            return f"connected to {address}"
    return None


@attempt
def network_udp(aim):
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"canary", ("127.0.0.1", aim["udp"]))


@attempt
def network_udp_other_addresses(aim):
    for address in aim["addresses"]:
        with contextlib.suppress(OSError):
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"canary", (address, aim["udp"]))


@attempt
def network_raw(_aim):
    socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    return "a raw socket"


@attempt
def network_packet(_aim):
    socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    return "a packet socket"


@attempt
def network_vsock(_aim):
    socket.socket(40, socket.SOCK_STREAM)
    return "a socket to the hypervisor"


@attempt
def network_bluetooth(_aim):
    socket.socket(31, socket.SOCK_RAW, 1)
    return "a bluetooth socket"


@attempt
def network_crypto(_aim):
    socket.socket(38, socket.SOCK_SEQPACKET)
    return "a socket into the kernel's cryptography"


@attempt
def network_other_families(_aim):
    for family in (3, 4, 5, 6, 9, 15, 17, 21, 29, 30, 37, 41, 42, 44):
        with contextlib.suppress(OSError):
            socket.socket(family, socket.SOCK_DGRAM)
            return f"a socket of family {family}"
    return None


@attempt
def network_interfaces(_aim):
    names = [name for _, name in socket.if_nameindex()]
    return None if names == ["lo"] else f"interfaces {names}"


@attempt
def network_routes(_aim):
    rows = Path("/proc/net/route").read_text().splitlines()[1:]
    return f"{len(rows)} routes" if rows else None


@attempt
def network_other_namespace(_aim):
    os.close(os.open("/proc/1/ns/net", os.O_RDONLY))
    return "opened the first process's network namespace"


@attempt
def socket_abstract(aim):
    socket.socket(socket.AF_UNIX).connect(f"\0{aim['abstract']}")
    return "connected to an abstract socket"


@attempt
def socket_abstract_datagram(aim):
    socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"canary", f"\0{aim['abstract-datagram']}")
    return "sent to an abstract socket"


@attempt
def socket_path(aim):
    socket.socket(socket.AF_UNIX).connect(aim["socket"])
    return "connected to a socket with a path"


@attempt
def socket_path_of_state(aim):
    socket.socket(socket.AF_UNIX).connect(f"{aim['state']}/s")
    return "connected to the daemon"


@attempt
def socket_path_through_link(aim):
    os.symlink(aim["socket"], "s")
    socket.socket(socket.AF_UNIX).connect("s")
    return "connected through a link"


@attempt
def socket_known_services(_aim):
    """Only whether the way is there; nothing is said to whoever might listen."""
    found = [path for path in ("/run/docker.sock", "/var/run/docker.sock", "/run/dbus/system_bus_socket",
                               "/run/systemd/private", "/run/containerd/containerd.sock", "/run/podman/podman.sock",
                               f"/run/user/{os.getuid()}/bus") if os.path.exists(path)]  # fmt: skip
    return f"sees {found}" if found else None


@attempt
def socket_agents_of_the_environment(_aim):
    names = ("SSH_AUTH_SOCK", "GPG_AGENT_INFO", "DBUS_SESSION_BUS_ADDRESS", "DISPLAY", "WAYLAND_DISPLAY", "NVIM",
             "VSCODE_IPC_HOOK_CLI", "TMUX")  # fmt: skip
    found = [name for name in names if name in os.environ]
    return f"knows {found}" if found else None
