#!/usr/bin/env bash
# Leaves a Neovim of at least 0.12 at DIR/nvim: the one on PATH if that is new enough, else Debian's, beside the host's.
# Debian's is unpacked into DIR/root, and DIR/nvim starts it by its own loader; see `debian.sh`.
# usage: install_neovim.sh DIR
set -euo pipefail
SUITE=forky
FLOOR=0.12
dir=$(realpath -m "${1:?usage: install_neovim.sh DIR}")
. "$(dirname "$0")/debian.sh"

new_enough() { # program
    local version
    version=$("$1" --version 2>/dev/null | sed -n '1s/^NVIM v\([0-9.]*\).*/\1/p') || return 1
    [[ -n $version && $(printf '%s\n' "$FLOOR" "$version" | sort -V | head -n 1) == "$FLOOR" ]]
}

give_up() { # why
    echo "No Neovim $FLOOR or newer: $1" >&2
    echo "Put one on PATH (https://github.com/neovim/neovim/blob/master/INSTALL.md), then run \`make e2e\` again." >&2
    exit 1
}

mkdir -p "$dir"
exec 9>"$dir/lock"
flock 9

new_enough "$dir/nvim" && exit 0
if host=$(command -v nvim) && new_enough "$host"; then
    ln -sfn "$host" "$dir/nvim"
    exit 0
fi

rm -f "$dir/nvim"
unpack neovim
cat >"$dir/nvim" <<WRAPPER
#!/bin/sh
# Started by the loader it cannot tell where it lies, so it is told where its runtime files and its parsers are.
VIMRUNTIME='$root/usr/share/nvim/runtime' exec '$loader' --library-path '$libraries' '$root/usr/bin/nvim' \\
    --cmd "let &runtimepath .= ',' .. escape('$root/usr/lib/nvim', '\\\\,')" "\$@"
WRAPPER
chmod +x "$dir/nvim"
new_enough "$dir/nvim" || give_up "Debian $SUITE has an older one, or it does not start here."
"$dir/nvim" --version | head -n 1
