# tests.mk: everything that shows that the program works.  Included by the Makefile.
# tests/README.md says which question each suite answers.

VENV := build/venv
EMULATOR_valgrind := valgrind -q --error-exitcode=99 --leak-check=full
PROGRAMS := $(BINARY) $(SIM)

## @Tests

## test               what shows that a build works: unit tests, scenarios, independent counts, simulator
test: deps
	@$(MAKE) --no-print-directory test-run

test-run: $(PROGRAMS) $(UNIT) $(BUILD)/tests/prices/price_tool
	@PYTHON='$(PYTHON)' sh tests/run.sh $(BUILD)

## test-unit          the unit tests only; VARIANT=asan|tsan|valgrind|clang|arm64 for other builds
test-unit: $(UNIT)
	@EMULATOR='$(EMULATOR_$(VARIANT))' sh tests/run.sh $(BUILD) unit

unit-tests: $(UNIT)

## test-scenarios     input files and what one command line answers; ONLY=WORD chooses
test-scenarios: $(BINARY)
	@$(PYTHON) tests/scenarios/run.py --binary $(BINARY) --only '$(ONLY)' --show

## update-scenarios   writes their expected files from what the program answers now, and shows the difference
update-scenarios: $(BINARY)
	@$(PYTHON) tests/scenarios/update.py --binary $(BINARY) --only '$(ONLY)'

## test-differential  generated objects against the independent reader; SEEDS=FROM:TO
SEEDS ?= 0:4000
test-differential: $(BINARY)
	@$(PYTHON) tests/oracle/differential.py --binary $(BINARY) --seeds $(SEEDS)

## test-chunks        the same objects cut at every byte
test-chunks: $(BINARY)
	@$(PYTHON) tests/oracle/chunks.py --binary $(BINARY) --step 8

## test-docs          documents, sources and program agree; includes, file map, size and words of src/
test-docs: $(PROGRAMS)
	@$(PYTHON) tests/docs/check.py $(BUILD)

## test-plan          plan and dashboard against independent counts
test-plan: $(PROGRAMS)
	@sh tests/plan/run.sh $(BUILD)

## test-doctor        planted faults are named, and the named fixes fix them
test-doctor: $(BINARY)
	@sh tests/doctor/run.sh $(BINARY)

## test-aws           the AWS layer against botocore, moto and servers that misbehave
test-aws:
	@sh tests/aws/run.sh

# Programs that make one call after another with the AWS layer alone.
AWS_LAYER := $(filter $(BUILD)/src/aws/% $(BUILD)/src/base/%,$(OBJECTS))
AWS_TOOLS := $(BUILD)/tests/aws/aws_tool $(BUILD)/tests/aws/sign_tool
$(AWS_TOOLS): %: %.o $(AWS_LAYER)
	@echo "  LINK  $@"
	@$(CC) $(ALL_LDFLAGS) -o $@ $^ $(PACKAGE_LIBS) -lpthread -lm

aws-tools: $(AWS_TOOLS)
-include $(AWS_TOOLS:=.d)

## test-analysis      static analysers; tests/analysis/accepted.txt has the reports that are no faults
test-analysis:
	@$(PYTHON) tests/analysis/analyze.py

## test-pipeline      worker, lambda, enqueue, aggregate s3://, reconcile against their counterparts
test-pipeline: $(PROGRAMS)
	@sh tests/pipeline/run.sh $(BUILD)

## soak               ten minutes of a worker: memory and descriptors stay flat, sums exact; in no gate
SOAK_OBJECTS ?= 300000
soak: $(PROGRAMS)
	@SOAK_OBJECTS=$(SOAK_OBJECTS) sh tests/pipeline/run.sh $(BUILD) test_soak

## test-rie           the function under AWS's Lambda Runtime Interface Emulator
test-rie: $(PROGRAMS)
	@$(PYTHON) tests/pipeline/rie.py $(BUILD)

## test-ledger        the ledger in the real program: killed, on bad disks, as a fleet (LEDGER_ARGS=--all)
test-ledger: $(PROGRAMS)
	@BUILD=$(BUILD) sh tests/ledger/run.sh $(LEDGER_ARGS)

## test-ledger-worlds simulated worlds through the ledger's protocol; WORLDS=5000
WORLDS ?= 5000
test-ledger-worlds: $(BUILD)/ledger-sim
	@sh tests/ledger/worlds.sh $(BUILD)/ledger-sim $(WORLDS)

## test-ledger-dynamodb the DynamoDB ledger against a server of its own (moto)
test-ledger-dynamodb: $(BUILD)/tests/ledger/dynamodb_check
	@$(PYTHON) tests/ledger/test_dynamodb.py $<

## test-serve         serve and report against aggregate, the simulator and kill -9; KILLS=200
KILLS ?= 200
test-serve: $(PROGRAMS)
	@KILLS=$(KILLS) sh tests/serve/run.sh $(BUILD)

## test-prometheus    a real Prometheus at both /metrics
test-prometheus: $(PROGRAMS)
	@sh tests/serve/prometheus.sh $(BUILD)

## test-browser       the page in Chromium
test-browser: $(PROGRAMS)
	@sh tests/browser/run.sh $(BUILD)

## test-deploy        everything that deploys, offline and against moto
test-deploy: $(PROGRAMS)
	@bash tests/deploy/run.sh

# What tests/prices/check_prices.py asks for prices.
PRICE_TOOL := $(BUILD)/tests/prices/price_tool
$(PRICE_TOOL): $(BUILD)/tests/prices/price_tool.o $(CORE)
	@echo "  LINK  $@"
	@$(CC) $(ALL_LDFLAGS) -o $@ $^ $(PACKAGE_LIBS) -lpthread -lm

# What the slower suites use besides; CI builds them before it starts those.
test-programs: $(PROGRAMS) $(UNIT) $(PRICE_TOOL) $(AWS_TOOLS) $(BUILD)/ledger-sim \
               $(BUILD)/tests/ledger/dynamodb_check

## @Slower tests

## check              all that CI runs, within 40 minutes on two cores
check:
	@.ci/run

## check-GATE         one gate of it: check-asan, check-tsan, check-valgrind, check-headers, ... (see .ci/run)
check-%:
	@.ci/run $*

## check-long         what does not fit there: every kill point, a million simulated worlds, long fuzzing
check-long: $(PROGRAMS) $(BUILD)/ledger-sim
	@sh tests/long.sh

# The program with calls that can be made to fail; see tests/torture/wrap.c.
TORTURE := $(BUILD)/tests/torture/torture
TORTURE_CALLS := malloc calloc realloc strdup strndup setenv realpath fdopendir fdopen \
                 fopen read open openat stat fstat fstatat readdir fread ferror fwrite fflush \
                 fclose mkstemp rename pthread_create
CFLAGS_wrap := -Wno-missing-prototypes
$(TORTURE): $(BUILD)/tests/torture/wrap.o $(OBJECTS)
	@echo "  LINK  $@"
	@$(CC) $(ALL_LDFLAGS) $(TORTURE_CALLS:%=-Wl,--wrap=%) -o $@ $^ $(PACKAGE_LIBS) -lpthread -lm

## torture            every allocation, read and write of aggregate made to fail in turn (VARIANT=asan)
torture: $(TORTURE)
	@$(PYTHON) tests/torture/torture.py --binary $(TORTURE)

## fuzz               each fuzz target for FUZZ_SECONDS (60)
FUZZ_SECONDS ?= 60
fuzz:
	@$(MAKE) --no-print-directory VARIANT=fuzz fuzz-run FUZZ_SECONDS=$(FUZZ_SECONDS)

fuzz-run: $(FUZZ)
	@sh tests/fuzz/run.sh $(BUILD) $(FUZZ_SECONDS)

## @Demonstrations and figures

## demo               simulated logs of a day, and who used what where
demo: deps
	@$(MAKE) --no-print-directory $(PROGRAMS)
	@sh tools/demo.sh $(BUILD)

## demo-aws           the whole pipeline against an AWS emulator (moto, in build/venv)
demo-aws: deps
	@$(MAKE) --no-print-directory $(PROGRAMS)
	@$(PYTHON) tools/demo-aws.py $(BUILD)

## bench              speed against inflating alone and against other tools; figures of docs come from it
bench: $(PROGRAMS)
	@sh tests/bench/bench.sh $(BUILD)

## bench-serve        answers of serve over ten million records; takes some minutes and 1.5 GB in build/
bench-serve: $(PROGRAMS)
	@$(PYTHON) tests/bench/serve.py --build $(BUILD) --scratch build/bench-serve

## @Sources

## map                the file map of docs/architecture.md, from the comments that open the files
map:
	@$(PYTHON) tests/docs/files.py

## house              the size and shape of src/, and how far that is from the goals
house:
	@$(PYTHON) tests/docs/house.py

## format             every C file as .clang-format has it
format:
	@find src tests -name '*.[ch]' ! -path '*/node_modules/*' ! -path '*/build/*' | \
	    xargs clang-format -i

.PHONY: test test-analysis test-run test-programs test-unit unit-tests test-scenarios update-scenarios test-differential \
        test-chunks test-docs test-plan test-doctor test-aws aws-tools test-pipeline test-rie test-ledger \
        test-ledger-worlds test-ledger-dynamodb test-serve test-prometheus test-browser \
        test-deploy check check-long torture fuzz fuzz-run demo demo-aws bench bench-serve map \
        house format
