#!/usr/bin/env bash
# Offline checks of everything that deploys: bash tests/deploy/run.sh [NAME...]
# Tools and copies go below build/; the tree is not touched.  NAME chooses checks by name.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
venv=$root/build/venv-deploy
work=$root/build/deploy-tests
mkdir -p "$work"

# Run a step unless it was done before with the same files.
once() {
    local stamp=$1 sum
    shift
    sum=$(cat "${inputs[@]}" | cksum)
    if [ ! -f "$stamp" ] || [ "$(cat "$stamp")" != "$sum" ]; then
        if "$@" >"$work/install.log" 2>&1; then
            printf '%s\n' "$sum" >"$stamp"
        else
            tail -n 5 "$work/install.log" >&2
            return 1
        fi
    fi
}

make_venv() {
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" install -q --disable-pip-version-check -r "$here/requirements.txt"
}

# A copy of what the tools read, so that none of them writes into the tree.
copy_tree() {
    local part
    mkdir -p "$work/tree/cdk" "$work/tree/build"
    rm -rf "$work/tree/cdk/bin" "$work/tree/cdk/lib" "$work/tree/cdk/test" "$work/tree/cdk/dist"
    for part in bin lib test package.json package-lock.json cdk.json tsconfig.json; do
        cp -R "$root/cdk/$part" "$work/tree/cdk/"
    done
    rm -rf "$work/tree/deploy"
    cp -R "$root/deploy" "$root/template.yaml" "$root/serverless.yml" "$root/samconfig.toml" \
        "$work/tree/"
}

npm_ci() {
    npm ci --no-audit --no-fund --prefix "$1"
}

without=
inputs=("$here/requirements.txt")
once "$work/venv.stamp" make_venv || {
    printf 'deploy: the Python tools cannot be installed; nothing can be checked\n' >&2
    printf '0 passed, 1 failed\n'
    exit 1
}
copy_tree
if command -v npm >/dev/null; then
    mkdir -p "$work/serverless"
    cp "$here/package.json" "$here/package-lock.json" "$work/serverless/"
    inputs=("$here/package-lock.json")
    once "$work/serverless.stamp" npm_ci "$work/serverless" || without="$without serverless"
    inputs=("$root/cdk/package-lock.json")
    once "$work/cdk.stamp" npm_ci "$work/tree/cdk" || without="$without cdk"
else
    without="serverless cdk"
fi

export PATH="$venv/bin:$PATH" WITHOUT="$without"
exec "$venv/bin/python" "$here/checks.py" "$root" "$work" "$@"
