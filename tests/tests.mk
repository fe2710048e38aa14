# tests.mk: everything that shows that the program works.  Included by the Makefile.

VENV := build/venv
EMULATOR_valgrind := valgrind -q --error-exitcode=99 --leak-check=full

## make test          unit tests, scenarios, differential and simulator tests
test: deps
	@$(MAKE) --no-print-directory test-run

test-run: $(BINARY) $(SIM) $(UNIT) $(BUILD)/tests/prices/price_tool
	@PYTHON='$(PYTHON)' sh tests/run.sh $(BUILD)

## make test-unit     the unit tests only; VARIANT=asan|tsan|valgrind|clang|arm64 for other builds
test-unit: $(UNIT)
	@EMULATOR='$(EMULATOR_$(VARIANT))' sh tests/run.sh $(BUILD) unit

unit-tests: $(UNIT)

# What tests/prices/check_prices.py asks for prices.
PRICE_TOOL := $(BUILD)/tests/prices/price_tool
$(PRICE_TOOL): $(BUILD)/tests/prices/price_tool.o $(CORE)
	@echo "  LINK  $@"
	@$(CC) $(ALL_LDFLAGS) -o $@ $^ $(PACKAGE_LIBS) -lpthread -lm

## make demo          simulated logs of a day, and who used what where
demo: deps
	@$(MAKE) --no-print-directory $(BINARY) $(SIM)
	@sh tools/demo.sh $(BUILD)

## make demo-aws      the whole pipeline against an AWS emulator (moto, in build/venv)
demo-aws: deps
	@$(MAKE) --no-print-directory $(BINARY) $(SIM)
	@$(PYTHON) tools/demo-aws.py $(BUILD)

## make test-pipeline worker, lambda, enqueue, aggregate s3:// against their counterparts
test-pipeline: $(BINARY) $(SIM)
	@sh tests/pipeline/run.sh $(BUILD)

## make bench         speed against inflating alone and against other tools; figures of docs come from it
bench: $(BINARY) $(SIM)
	@sh tests/bench/bench.sh $(BUILD)

## make bench-serve answers of serve over ten million records; takes some minutes and 1.5 GB in build/
bench-serve: $(BINARY) $(SIM)
	@$(PYTHON) tests/bench/serve.py --build $(BUILD) --scratch build/bench-serve

## make fuzz          each fuzz target for FUZZ_SECONDS (60)
FUZZ_SECONDS ?= 60
fuzz:
	@$(MAKE) --no-print-directory VARIANT=fuzz fuzz-run FUZZ_SECONDS=$(FUZZ_SECONDS)

fuzz-run: $(FUZZ)
	@sh tests/fuzz/run.sh $(BUILD) $(FUZZ_SECONDS)

.PHONY: bench-serve demo-aws test-pipeline test test-run test-unit unit-tests demo bench fuzz fuzz-run

# The program with calls that can be made to fail; see tests/torture/wrap.c.
TORTURE := $(BUILD)/tests/torture/torture
TORTURE_CALLS := malloc calloc realloc strdup strndup setenv __getdelim realpath fdopendir fdopen \
                 fopen read open openat stat fstat fstatat readdir fread ferror fwrite fflush \
                 fclose mkstemp rename pthread_create
CFLAGS_wrap := -Wno-missing-prototypes
$(TORTURE): $(BUILD)/tests/torture/wrap.o $(OBJECTS)
	@echo "  LINK  $@"
	@$(CC) $(ALL_LDFLAGS) $(TORTURE_CALLS:%=-Wl,--wrap=%) -o $@ $^ $(PACKAGE_LIBS) -lpthread -lm

## make torture       every allocation, read and write made to fail in turn (VARIANT=asan)
torture-binary: $(TORTURE)
torture: torture-binary
	@$(PYTHON) tests/torture/torture.py --binary $(TORTURE)

## make map           the file map of docs/architecture.md, from the comments that open the files
map:
	@$(PYTHON) tests/docs/files.py

## make format        every C file as .clang-format has it
format:
	@find src tests -name '*.[ch]' ! -path '*/node_modules/*' ! -path '*/build/*' | \
	    xargs clang-format -i

.PHONY: torture torture-binary format map
