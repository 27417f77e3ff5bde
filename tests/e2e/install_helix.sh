#!/usr/bin/env bash
# Leaves a Helix at DIR/hx: the one on PATH if there is one, else Debian's, beside the host's; see `debian.sh`.
# usage: install_helix.sh DIR
set -euo pipefail
SUITE=forky
dir=$(realpath -m "${1:?usage: install_helix.sh DIR}")
. "$(dirname "$0")/debian.sh"

is_helix() { # program
    [[ $("$1" --version 2>/dev/null) == helix\ * ]]
}

give_up() { # why
    echo "No Helix: $1" >&2
    echo "Put hx on PATH (https://docs.helix-editor.com/install.html), then run \`make e2e\` again." >&2
    exit 1
}

mkdir -p "$dir"
exec 9>"$dir/lock"
flock 9

is_helix "$dir/hx" && exit 0
if host=$(command -v hx) && is_helix "$host"; then
    ln -sfn "$host" "$dir/hx"
    exit 0
fi

rm -f "$dir/hx"
unpack hx
cat >"$dir/hx" <<WRAPPER
#!/bin/sh
# Started by the loader it cannot tell where it lies, so it is told where its runtime files are.
HELIX_RUNTIME='$root/usr/lib/hx/runtime' exec '$loader' --library-path '$libraries' '$root/usr/bin/hx' "\$@"
WRAPPER
chmod +x "$dir/hx"
is_helix "$dir/hx" || give_up "Debian $SUITE's does not start here."
"$dir/hx" --version
