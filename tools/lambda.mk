# lambda.mk: the package for AWS Lambda, one executable `bootstrap` for provided.al2023.
#
# Everything but libc is linked statically: nothing has to be found or loaded in the sandbox, and
# start-up takes a few milliseconds.  glibc must not be newer than that of Amazon Linux 2023 (2.34),
# which the check below proves by the symbols' versions.

APT_LAMBDA := dpkg-dev autoconf automake libtool nasm zip
LAMBDA_ARCH := $(patsubst lambda-%,%,$(filter lambda-%,$(VARIANT)))
ifneq ($(LAMBDA_ARCH),)
LAMBDA_DIR := build/lambda/$(LAMBDA_ARCH)
PACKAGE_LIBS := $(LAMBDA_DIR)/libcurl.a $(LAMBDA_DIR)/libisal.a -Wl,-Bstatic -lsqlite3 -ljansson \
                -lssl -lcrypto -lz -Wl,-Bdynamic
$(BINARY): $(LAMBDA_DIR)/libcurl.a $(LAMBDA_DIR)/libisal.a
endif


# The other architecture is built against its Debian packages, unpacked below build/.
ARM64_ROOT := $(CURDIR)/build/arm64-root
ifeq ($(LAMBDA_ARCH),arm64)
CC := aarch64-linux-gnu-gcc --sysroot=$(ARM64_ROOT)
endif

build/lambda/%/libcurl.a build/lambda/%/libisal.a &: tools/static_libraries.sh
	@sh tools/packages.sh install $(APT_LAMBDA)
	@sh tools/static_libraries.sh $* build/lambda/$* '$(if $(filter arm64,$*),$(CC))'

## lambda             build/lambda-x86_64.zip, the package for AWS Lambda
lambda: deps
	@$(MAKE) --no-print-directory build/lambda-x86_64.zip

## lambda-arm64       build/lambda-arm64.zip, cross-built
lambda-arm64: deps
	@sh tools/packages.sh install $(APT_LAMBDA) gcc-aarch64-linux-gnu
	@sh tools/arm64_root.sh $(ARM64_ROOT) >build/arm64-root.log 2>&1
	@$(MAKE) --no-print-directory build/lambda-arm64.zip

build/lambda-%.zip: $(SOURCES) Makefile tools/lambda.mk data/bedrock-prices.json
	@sh tools/packages.sh install $(APT_LAMBDA)
	@$(MAKE) --no-print-directory VARIANT=lambda-$* CFLAGS= all
	@sh tools/pack_lambda.sh build/lambda-$*/bedrock-metrics $@ \
	    $(if $(filter arm64,$*),aarch64-linux-gnu-)

.PHONY: lambda lambda-arm64
