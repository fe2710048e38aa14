#!/bin/sh
# static_libraries.sh ARCH DIR [CC]: libcurl.a and libisal.a for the Lambda package, into DIR.
#
# Debian's libcurl.a cannot be linked (it wants Kerberos, which has no static library) and its
# libisal-dev has no static library, so both are built from Debian's own source packages, with
# Debian's patches, and nothing in curl that the program does not use.  ARCH is x86_64 or arm64.
set -eu
arch=$1
[ -z "${3:-}" ] || export CC="$3"
mkdir -p "$2"
dir=$(cd "$2" && pwd)

case $arch in
x86_64)
    [ "$(uname -m)" = x86_64 ] && host= || host=x86_64-linux-gnu
    ;;
arm64)
    [ "$(uname -m)" = aarch64 ] && host= || host=aarch64-linux-gnu
    ;;
*)
    echo "unknown architecture $arch: x86_64 or arm64" >&2
    exit 2
    ;;
esac

fetch() { # SOURCE PACKAGE
    [ -d "$dir/../sources/$1" ] && return
    mkdir -p "$dir/../sources/parts" "$dir/../sources/lists/partial" "$dir/../sources/cache/archives/partial"
    sources=$(cd "$dir/../sources" && pwd)
    . /etc/os-release
    mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 2>/dev/null |
        grep -E 'debian|ubuntu' | grep -v security | head -1)
    components=main
    [ "$ID" = ubuntu ] && components="main universe"
    echo "deb-src $mirror $VERSION_CODENAME $components" >"$sources/parts/source.list"
    cat >"$sources/apt.conf" <<CONF
Dir::Etc::SourceParts "$sources/parts";
Dir::Etc::SourceList "/dev/null";
Dir::State::Lists "$sources/lists";
Dir::Cache "$sources/cache";
APT::Sandbox::User "root";
CONF
    export APT_CONFIG="$sources/apt.conf"
    apt-get update >"$sources/update.log" 2>&1
    (cd "$sources" && apt-get source -y --only-source "$1" >"$sources/$1.log" 2>&1 &&
        mv "$(ls -d "$1"-*/ | head -1)" "$1")
    unset APT_CONFIG
}

build_curl() {
    fetch curl
    rm -rf "$dir/curl" && cp -r "$dir/../sources/curl" "$dir/curl"
    cd "$dir/curl"
    [ -x configure ] || autoreconf -fi >"$dir/curl.log" 2>&1
    ./configure ${host:+--host=$host} --disable-shared --enable-static --with-openssl --with-zlib \
        --without-brotli --without-zstd --without-nghttp2 --without-libidn2 --without-libpsl \
        --without-librtmp --without-libssh2 --without-gssapi --disable-ldap --disable-ftp \
        --disable-file --disable-rtsp --disable-dict --disable-telnet --disable-tftp --disable-pop3 \
        --disable-imap --disable-smb --disable-smtp --disable-gopher --disable-mqtt \
        --disable-manual --disable-docs --disable-ntlm --disable-alt-svc --disable-hsts \
        --disable-cookies --disable-unix-sockets --disable-threaded-resolver --enable-threaded-resolver \
        --without-ca-bundle --without-ca-path CFLAGS="-O2 -fPIC" >"$dir/curl.log" 2>&1
    make -C lib -j"$(nproc)" libcurl.la >>"$dir/curl.log" 2>&1
    cp lib/.libs/libcurl.a "$dir/libcurl.a"
    cd - >/dev/null
    rm -rf "$dir/curl"
}

build_isal() {
    fetch libisal
    rm -rf "$dir/isal" && cp -r "$dir/../sources/libisal" "$dir/isal"
    cd "$dir/isal"
    ./autogen.sh >"$dir/isal.log" 2>&1
    ./configure ${host:+--host=$host} --disable-shared --enable-static CFLAGS="-O2 -fPIC" \
        >>"$dir/isal.log" 2>&1
    make -j"$(nproc)" libisal.la >>"$dir/isal.log" 2>&1
    cp .libs/libisal.a "$dir/libisal.a"
    cd - >/dev/null
    rm -rf "$dir/isal"
}

say() {
    echo "$1 for $arch (see $dir/*.log if this fails)"
}
[ -f "$dir/libcurl.a" ] || { say "Building libcurl" && build_curl; }
[ -f "$dir/libisal.a" ] || { say "Building ISA-L" && build_isal; }
