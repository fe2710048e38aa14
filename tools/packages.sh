#!/bin/sh
# packages.sh check|install WORD...: are these Debian packages installed?
#
# A WORD is a package, or COMMAND:PACKAGE, which counts as installed if the command exists.
#
# check:   prints what is missing and the command that installs it; exit 2.
# install: installs what is missing if that needs no password; otherwise as check.
set -eu

action=$1
shift
missing=
for word in "$@"; do
    package=${word#*:}
    if [ "$package" != "$word" ] && command -v "${word%%:*}" >/dev/null; then
        continue
    fi
    dpkg-query -W -f '${Status}\n' "$package" 2>/dev/null | grep -q '^install ok installed$' ||
        missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$action" = install ]; then
    as_root=
    if [ "$(id -u)" -ne 0 ]; then
        as_root=no
        if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
            as_root="sudo -n"
        fi
    fi
    if [ "$as_root" != no ]; then
        echo "Installing with apt-get:$missing"
        log=$(mktemp)
        # shellcheck disable=SC2086 # the words are package names
        if $as_root apt-get update >"$log" 2>&1 &&
            $as_root env DEBIAN_FRONTEND=noninteractive \
                apt-get install -y --no-install-recommends $missing >>"$log" 2>&1; then
            rm -f "$log"
            exit 0
        fi
        tail -5 "$log" >&2
        rm -f "$log"
    fi
fi
echo "Missing Debian packages:$missing" >&2
echo "Install them with:" >&2
echo "  sudo apt-get install -y$missing" >&2
exit 2
