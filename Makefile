# Bedrock Metrics Aggregator.  `make help` lists the targets.
#
# One binary from all of src/; every variant (release, asan, tsan, ...) has its own folder below
# build/, so they never mix.  VARIANT=asan make ...  or the shorthands below.

CC ?= cc
VARIANT ?= release
BUILD := build/$(VARIANT)
VERSION := 0.1.0

CSTD := -std=c17 -D_GNU_SOURCE
WARN := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wstrict-prototypes \
        -Wmissing-prototypes -Wformat=2 -Wcast-qual -Wundef -Wvla -Wimplicit-fallthrough
WERROR ?= -Werror
HARDEN := -fstack-protector-strong -fPIE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
ARCH := $(shell $(CC) -dumpmachine | cut -d- -f1)
ifeq ($(ARCH),x86_64)
HARDEN += -fcf-protection=full
endif
ifeq ($(ARCH),aarch64)
HARDEN += -mbranch-protection=standard
endif
OPT_release := -O2 $(HARDEN)
OPT_asan := -O1 -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
OPT_tsan := -O1 -fsanitize=thread -fno-omit-frame-pointer
OPT_valgrind := -O1
OPT_coverage := -O0 --coverage
OPT_clang := $(OPT_release)
OPT := $(OPT_$(VARIANT))
LINK_release := -pie -Wl,-z,relro,-z,now,-z,noexecstack,--as-needed
LINK_clang := $(LINK_release)

PKG_CONFIG ?= pkg-config
# The first line of tools/packages.sh output names what is missing; see that file for the list.
PACKAGES := libisal jansson zlib
CFLAGS_PKG := $(shell $(PKG_CONFIG) --cflags $(PACKAGES) 2>/dev/null)
LIBS := $(shell $(PKG_CONFIG) --libs $(PACKAGES) 2>/dev/null) -lpthread -lm

CFLAGS ?= -g
ALL_CFLAGS := $(CSTD) -Isrc $(WARN) $(WERROR) $(OPT) $(CFLAGS) $(CFLAGS_PKG) -DBM_VERSION='"$(VERSION)"'
ALL_LDFLAGS := $(OPT) $(LINK_$(VARIANT)) $(LDFLAGS)

SOURCES := $(sort $(wildcard src/*/*.c))
OBJECTS := $(SOURCES:%.c=$(BUILD)/%.o)
MAIN := $(BUILD)/src/cli/main.o
CORE := $(filter-out $(MAIN),$(OBJECTS))

all: $(BUILD)/bedrock-metrics

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC    $<"
	@$(CC) $(ALL_CFLAGS) $(CFLAGS_$(basename $(notdir $<))) -MMD -MP -c $< -o $@

$(BUILD)/bedrock-metrics: $(OBJECTS)
	$(CC) $(ALL_LDFLAGS) -o $@ $(OBJECTS) $(LIBS)

clean:
	rm -rf build

CFLAGS_scan_avx2 := $(if $(filter x86_64,$(ARCH)),-mavx2 -mbmi -mbmi2 -mpopcnt -mpclmul)

SIM_SOURCES := $(sort $(wildcard tests/simulator/*.c))
SIM_OBJECTS := $(SIM_SOURCES:%.c=$(BUILD)/%.o)
$(BUILD)/bedrock-logs-sim: $(SIM_OBJECTS)
	$(CC) $(ALL_LDFLAGS) -o $@ $(SIM_OBJECTS) -lz -lm -lpthread

-include $(OBJECTS:.o=.d) $(SIM_OBJECTS:.o=.d)
.PHONY: all clean
