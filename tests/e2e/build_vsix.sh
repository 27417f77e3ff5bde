#!/usr/bin/env bash
# Leaves the packaged extension at DIR/agentos-lsp.vsix, type-checked and built from a copy, so that the clone stays clean.
# Needs what install_vscode.sh left in DIR. usage: build_vsix.sh DIR [PYTHON]
set -euo pipefail
dir=$(realpath -m "${1:?usage: build_vsix.sh DIR [PYTHON]}")
root=$(realpath "$(dirname "${BASH_SOURCE[0]}")/../..")
python=${2:-python3}
[[ $python == */* ]] && python=$(cd "$(dirname "$python")" && pwd)/$(basename "$python")
source=$root/editors/vscode copy=$dir/extension
export PATH=$dir/bin:$PATH npm_config_cache=$dir/npm npm_config_update_notifier=false

exec 9>"$dir/lock"
flock 9
parts=(package.json tsconfig.json README.md .vscodeignore .npmrc src media)
key=$({
    (cd "$source" && find "${parts[@]}" -type f -print0 | sort -z | xargs -0 sha256sum)
    # The package carries the server's wheel.
    (cd "$root" && find agentos_lsp pyproject.toml -type f -not -name '*.pyc' -print0 | sort -z | xargs -0 sha256sum)
} | sha256sum)
[[ -f $dir/agentos-lsp.vsix && $(cat "$dir/vsix.key" 2>/dev/null) == "$key" ]] && exit 0
rm -f "$dir/vsix.key"

mkdir -p "$copy"
if ! cmp -s "$source/package.json" "$copy/package.json" || [[ ! -d $copy/node_modules ]]; then
    cp "$source/package.json" "$source/.npmrc" "$copy"
    for attempt in 1 2 3; do
        npm install --prefix "$copy" --ignore-scripts --no-audit --no-fund >"$dir/log" 2>&1 && break
        if ((attempt == 3)); then
            tail -n 20 "$dir/log" >&2
            echo "The extension's tools could not be fetched from npm; see above, then run \`make e2e\` again." >&2
            rm "$copy/package.json"
            exit 1
        fi
        sleep 5
    done
fi
rm -rf "$copy"/{src,media,dist}
(cd "$source" && cp -r "${parts[@]}" "$copy")
cp "$root/LICENSE" "$copy"
(cd "$copy" && AGENTOS_CLONE=$root PYTHON=$python npm run --silent package) >"$dir/log" 2>&1 || {
    cat "$dir/log" >&2
    exit 1
}
mv "$copy/agentos-lsp.vsix" "$dir"
echo "$key" >"$dir/vsix.key"
