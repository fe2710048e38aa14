#!/bin/sh
# pack_lambda.sh BINARY ZIP [PREFIX]: BINARY as `bootstrap` in ZIP; PREFIX is that of its binutils.
set -eu
binary=$1
zip=$2
prefix=${3:-}
newest=$("${prefix}objdump" -T "$binary" | grep -oE 'GLIBC_[0-9.]+' | sed 's/GLIBC_//' |
    sort -Vu | tail -1)
if [ "$(printf '%s\n2.34\n' "$newest" | sort -V | tail -1)" != 2.34 ]; then
    echo "$binary requires glibc $newest; Amazon Linux 2023 has 2.34" >&2
    exit 1
fi
needed=$("${prefix}objdump" -p "$binary" | awk '/NEEDED/ {print $2}' |
    grep -vE '^(libc|libm|libpthread|libdl|ld-linux[-a-z0-9_]*)\.so' || true)
if [ -n "$needed" ]; then
    echo "$binary needs libraries that Lambda does not have: $needed" >&2
    exit 1
fi
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
"${prefix}strip" -o "$stage/bootstrap" "$binary"
chmod 755 "$stage/bootstrap"
# The same binary always gives the same package.
touch -d 2026-01-01T00:00:00Z "$stage/bootstrap"
rm -f "$zip"
(cd "$stage" && zip -X -q -9 bootstrap.zip bootstrap)
mv "$stage/bootstrap.zip" "$zip"
echo "$zip: $(wc -c <"$zip") bytes, glibc $newest or newer"
