# packages.mk: the Debian packages this is built from, and what happens when one is missing.
#
# `make` says which are missing and the one line that installs them; `make demo` and `make test`
# install them themselves where they may (as root, or with sudo that asks no password).

# A package, or COMMAND:PACKAGE where any program of that name will do.  node and npm build the page.
APT_BUILD := gcc:gcc libc6-dev make:make pkg-config:pkg-config libisal-dev libjansson-dev \
             zlib1g-dev libsqlite3-dev libcurl4-openssl-dev libssl-dev libmicrohttpd-dev \
             node:nodejs npm:npm
APT_TEST := libcmocka-dev python3:python3
# libcurl and libmicrohttpd are loaded when they are needed (src/aws/curl_library.h).
PACKAGES := libisal jansson zlib sqlite3 libcrypto
PKG_CONFIG ?= pkg-config
PKG_CONFIG_arm64 := aarch64-linux-gnu-pkg-config
ifneq ($(PKG_CONFIG_$(VARIANT)),)
PKG_CONFIG := PKG_CONFIG_LIBDIR=/usr/lib/aarch64-linux-gnu/pkgconfig:/usr/share/pkgconfig pkg-config
endif
PACKAGE_CFLAGS := $(shell $(PKG_CONFIG) --cflags $(PACKAGES) 2>/dev/null)
PACKAGE_LIBS := $(shell $(PKG_CONFIG) --libs $(PACKAGES) 2>/dev/null)

PACKAGES_CHECKED := build/packages-checked

$(PACKAGES_CHECKED): tools/packages.mk tools/packages.sh
	@sh tools/packages.sh check $(APT_BUILD)
	@mkdir -p build && touch $@

deps:
	@sh tools/packages.sh install $(APT_BUILD) $(APT_TEST)

.PHONY: deps
## deps               install the Debian packages that building and testing need
