#!/bin/sh
# The arm64 packages that the program is built from, unpacked below a folder: arm64_root.sh ROOT
#
# Nothing of the machine is changed: apt keeps its lists for this in the folder too, and nothing is
# installed.  Build with
#     make VARIANT=arm64 CC="aarch64-linux-gnu-gcc --sysroot=ROOT" \
#         PKG_CONFIG="env PKG_CONFIG_SYSROOT_DIR=ROOT PKG_CONFIG_LIBDIR=ROOT/usr/lib/\
# aarch64-linux-gnu/pkgconfig:ROOT/usr/share/pkgconfig pkg-config"
# and run with qemu-aarch64-static -L ROOT.
set -eu

root=$1
packages="libc6-dev libgcc-s1 libisal-dev libjansson-dev zlib1g-dev libsqlite3-dev
    libcurl4-openssl-dev libssl-dev libmicrohttpd-dev libcmocka-dev"

mkdir -p "$root"
root=$(cd "$root" && pwd)
apt=$root/.apt
if [ -e "$root/.complete" ]; then
    exit 0
fi
mkdir -p "$apt/lists/partial" "$apt/archives/partial"
: >"$apt/status"

arm64_apt() {
    apt-get -q -y -o APT::Architecture=arm64 -o APT::Architectures=arm64 \
        -o Dir::State::Lists="$apt/lists" -o Dir::State::status="$apt/status" \
        -o Dir::Cache="$apt" -o Dir::Cache::Archives="$apt/archives" -o Debug::NoLocking=1 \
        -o APT::Sandbox::User=root "$@"
}

arm64_apt update
# shellcheck disable=SC2086 # the words are package names
arm64_apt install --download-only --no-install-recommends $packages

mkdir -p "$root/usr/lib"
[ -e "$root/lib" ] || ln -s usr/lib "$root/lib"
for package in "$apt"/archives/*.deb; do
    dpkg-deb --fsys-tarfile "$package" | tar -x -C "$root" --keep-directory-symlink --no-same-owner
done
# Links that name a place from the root of the file system have to name it from here.
find "$root/usr/lib" -type l | while read -r link; do
    target=$(readlink "$link")
    case $target in
    /*) ln -sf "$root$target" "$link" ;;
    esac
done
rm -rf "$apt"
touch "$root/.complete"
