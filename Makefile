# Bedrock Metrics Aggregator.  `make help` lists the targets.
#
# One binary from all of src/; every variant (release, asan, tsan, ...) has its own folder below
# build/, so they never mix: `make VARIANT=asan test-unit`.

.DEFAULT_GOAL := all
VERSION := 0.1.0
VARIANT ?= release
BUILD := build/$(VARIANT)
PYTHON ?= python3
prefix ?= /usr/local

ifeq ($(origin CC),default)
CC := cc
endif
CC_clang := clang
CC_fuzz := clang
CC_arm64 := aarch64-linux-gnu-gcc
ifneq ($(CC_$(VARIANT)),)
CC := $(CC_$(VARIANT))
endif
ifneq ($(findstring arm64,$(VARIANT)),)
ARCH := aarch64
endif
ARCH ?= $(shell $(CC) -dumpmachine 2>/dev/null | cut -d- -f1)
# The tests of another architecture's build run under emulation.
EMULATOR_arm64 := qemu-aarch64-static -L /usr/aarch64-linux-gnu
RUN := $(EMULATOR_$(VARIANT))

WARN := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wstrict-prototypes \
        -Wmissing-prototypes -Wformat=2 -Wcast-qual -Wundef -Wvla -Wimplicit-fallthrough
WERROR ?= -Werror
HARDEN := -fstack-protector-strong -fstack-clash-protection -fPIE -U_FORTIFY_SOURCE \
          -D_FORTIFY_SOURCE=2 \
          $(if $(filter x86_64,$(ARCH)),-fcf-protection=full) \
          $(if $(filter aarch64,$(ARCH)),-mbranch-protection=standard)
SANITIZE_asan := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
OPT_release := -O2 -flto=auto $(HARDEN)
OPT_clang := $(OPT_release)
OPT_arm64 := $(OPT_release)
# The Lambda package: everything static but libc, so that nothing has to be loaded at the start.
OPT_lambda-x86_64 := $(OPT_release) -DBM_STATIC_CURL
OPT_lambda-arm64 := $(OPT_lambda-x86_64)
LINK_lambda-x86_64 := $(LINK_release)
LINK_lambda-arm64 := $(LINK_release)
OPT_asan := -O1 $(SANITIZE_asan)
OPT_fuzz := -O1 -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
OPT_tsan := -O1 -fsanitize=thread -fno-omit-frame-pointer
OPT_valgrind := -O1
OPT_coverage := -O0 --coverage
LINK_release := -pie -Wl,-z,relro,-z,now,-z,noexecstack,--as-needed
LINK_clang := $(LINK_release)
LINK_arm64 := $(LINK_release)

include tools/packages.mk

CFLAGS ?= -g
ALL_CFLAGS := -std=c17 -D_GNU_SOURCE -Isrc $(WARN) $(WERROR) $(OPT_$(VARIANT)) $(CFLAGS) \
              $(PACKAGE_CFLAGS) -DBM_VERSION='"$(VERSION)"'
ALL_LDFLAGS := $(OPT_$(VARIANT)) $(LINK_$(VARIANT)) $(LDFLAGS)

SOURCES := $(sort $(wildcard src/*/*.c src/*/*/*.c))
OBJECTS := $(SOURCES:%.c=$(BUILD)/%.o)
CORE := $(filter-out $(BUILD)/src/cli/main.o,$(OBJECTS))
SIM_OBJECTS := $(patsubst %.c,$(BUILD)/%.o,$(sort $(wildcard tests/simulator/*.c)))
UNIT := $(patsubst %.c,$(BUILD)/%,$(sort $(wildcard tests/unit/test_*.c)))
FUZZ := $(patsubst %.c,$(BUILD)/%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))
BINARY := $(BUILD)/bedrock-metrics
SIM := $(BUILD)/bedrock-logs-sim

## @Building
## all                the program, build/release/bedrock-metrics: what make does without words
all: $(BINARY)

# ---- compiling ----

CFLAGS_scan_avx2 := $(if $(filter x86_64,$(ARCH)),-mavx2 -mbmi -mbmi2 -mpopcnt -mpclmul)
$(BUILD)/src/price/price_builtin.o: data/bedrock-prices.json
$(BUILD)/src/report/page_builtin.o: build/web/index.html
$(BUILD)/src/cli/cmd_explain.o: docs/troubleshooting.md

# The page is built in a copy, so that nothing generated stands among the sources.
build/web/index.html: $(wildcard web/*.mjs web/*.json web/.npmrc web/src/*)
	@echo "  PAGE  $@"
	@rm -rf build/web/source && mkdir -p build/web/source
	@cp -R web/build.mjs web/package.json web/package-lock.json web/.npmrc web/src build/web/source/
	@cd build/web/source && npm ci --loglevel=error --no-audit --no-fund || { \
	    echo "npm could not fetch what the page is built from (web/package.json); see above" >&2; \
	    exit 1; }
	@node build/web/source/build.mjs --out $@

$(BUILD)/%.o: %.c $(PACKAGES_CHECKED)
	@mkdir -p $(@D)
	@echo "  CC    $<"
	@$(CC) $(ALL_CFLAGS) $(CFLAGS_$(basename $(notdir $<))) -MMD -MP -c $< -o $@

$(BINARY): $(OBJECTS)
	@echo "  LINK  $@"
	@$(CC) $(ALL_LDFLAGS) -o $@ $(OBJECTS) $(PACKAGE_LIBS) -lpthread -lm

$(SIM): $(SIM_OBJECTS)
	@echo "  LINK  $@"
	@$(CC) $(ALL_LDFLAGS) -o $@ $(SIM_OBJECTS) -lz -lm -lpthread

LEDGER_CONTRACT := $(BUILD)/tests/ledger/ledger_contract.o $(BUILD)/tests/ledger/ledger_memory.o
$(BUILD)/tests/unit/test_ledger_%: $(BUILD)/tests/unit/test_ledger_%.o $(LEDGER_CONTRACT) $(CORE)
	@echo "  LINK  $@"
	@$(CC) $(ALL_LDFLAGS) -o $@ $^ $(PACKAGE_LIBS) -lcmocka -lpthread -lm

$(BUILD)/tests/ledger/dynamodb_check: $(BUILD)/tests/ledger/dynamodb_check.o $(LEDGER_CONTRACT) $(CORE)
	@echo "  LINK  $@"
	@$(CC) $(ALL_LDFLAGS) -o $@ $^ $(PACKAGE_LIBS) -lcmocka -lpthread -lm

PROTOCOL := $(patsubst %.c,$(BUILD)/%.o,$(sort $(wildcard src/ledger/protocol_*.c)))
$(BUILD)/ledger-sim: $(PROTOCOL) $(BUILD)/tests/ledger/simulator.o
	@echo "  LINK  $@"
	@$(CC) $(ALL_LDFLAGS) -o $@ $^

$(BUILD)/tests/unit/%: $(BUILD)/tests/unit/%.o $(CORE)
	@echo "  LINK  $@"
	@$(CC) $(ALL_LDFLAGS) -o $@ $^ $(PACKAGE_LIBS) -lcmocka -lpthread -lm

$(BUILD)/tests/fuzz/%: $(BUILD)/tests/fuzz/%.o $(CORE)
	@echo "  LINK  $@"
	@$(CC) $(ALL_LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(PACKAGE_LIBS) -lpthread -lm

-include $(OBJECTS:.o=.d) $(SIM_OBJECTS:.o=.d) $(UNIT:=.d) $(FUZZ:=.d) \
         $(LEDGER_CONTRACT:.o=.d) $(BUILD)/tests/ledger/simulator.d \
         $(BUILD)/tests/ledger/dynamodb_check.d
.SECONDARY:

include tools/lambda.mk
include tests/tests.mk

## install            into $(prefix)/bin
install: $(BINARY)
	install -D -m 755 $(BINARY) $(DESTDIR)$(prefix)/bin/bedrock-metrics

## clean              everything that was built
clean:
	rm -rf build

# Lines of the form "## TARGET what it makes", in groups that begin with "## @TITLE".
help:
	@sed -n -e 's/^## @\(.*\)/\n\1/p' -e 's/^## \([a-z]\)/  make \1/p' Makefile tools/packages.mk \
	    tools/lambda.mk tests/tests.mk

.PHONY: all install clean help
