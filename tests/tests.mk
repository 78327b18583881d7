# What is run rather than built. Included by the Makefile.

SAN_BUILD := build/address-undefined
TSAN_BUILD := build/thread

# Builds use all processors unless make was told how many (-j).
JOBS ?= $(shell nproc)
BUILD = $(MAKE) --no-print-directory $(if $(findstring -j,$(MAKEFLAGS)),,-j$(JOBS))

.PHONY: help deps demo check check-unit check-integration bench fuzz storm differential soak fault asan tsan lint \
        layers format install

help:
	@echo "make               authd, syncd and zonectl in build/release/bin"
	@echo "make demo          the main job end to end on loopback, data under ./run"
	@echo "make check         all tests (installs what they need when run as root)"
	@echo "make check-unit | check-integration     parts of it"
	@echo "make bench         measurements beside knot, nsd, bind9 and pdns-server (ONLY=queries,start SERVERS=nsd: parts)"
	@echo "make storm         millions of mutated inputs into every parser, under sanitizers (STORM=5000000 each)"
	@echo "make fuzz          fuzz every parser, FUZZ_SECONDS=60 each"
	@echo "make differential  questions to us, knot, nsd and bind9, COUNT=1000000 SEED=1 (20 seeds from there)"
	@echo "make fault         the stories of crashes and bad networks, unabridged: every system call, 1,000 kills, FAULTS=100"
	@echo "make soak          random kills for SOAK_MINUTES=60"
	@echo "make asan | tsan   the programs under sanitizers"
	@echo "make lint          compiler warnings of clang, clang-tidy, cppcheck, format, layers"
	@echo "make format        clang-format over all sources"
	@echo "make install       into PREFIX=/usr/local (DESTDIR works)"
	@echo "make deps          Debian packages to build with"

deps:
	@tests/deps.sh build

# The packages may be missing when make starts, and pkg-config with them: so each of these steps
# installs first and then calls make again.
demo:
	@tests/deps.sh build demo
	@$(BUILD) all
	@conf/demo/demo.sh build/release/bin

check:
	@tests/deps.sh build demo check
	@$(BUILD) SAN=address,undefined all unit-bins fuzz-bins test-bins
	@$(BUILD) SAN=thread tsan-bins
	@tests/run.py --san $(SAN_BUILD) --tsan $(TSAN_BUILD)

check-unit:
	@$(BUILD) SAN=address,undefined unit-bins fuzz-bins
	@tests/run.py --san $(SAN_BUILD) --only unit

check-integration:
	@$(BUILD) SAN=address,undefined all test-bins
	@tests/run.py --san $(SAN_BUILD) --only integration

.PHONY: tsan-bins
tsan-bins: $(addprefix $(B)/,$(shell cat tests/tsan.list))

asan:
	@$(BUILD) SAN=address,undefined all
tsan:
	@$(BUILD) SAN=thread all

bench:
	@tests/deps.sh build demo check bench
	@$(BUILD) all bench-bins test-bins
	@tests/bench/run.py build/release $(if $(ONLY),--only $(ONLY)) $(if $(SERVERS),--servers $(SERVERS)) $(if $(LIMIT),--limit $(LIMIT))

FUZZ_SECONDS ?= 60
fuzz:
	@tests/deps.sh build check
	@$(BUILD) CC=clang SAN=address,undefined VARIANT=fuzz FUZZER=yes fuzzers
	@tests/fuzz/run.sh build/fuzz $(FUZZ_SECONDS)

# Every wire parser, millions of inputs that chance makes from the seeds; a failure names its seed.
STORM ?= 5000000
storm:
	@tests/deps.sh build check
	@$(BUILD) SAN=address,undefined all test-bins fuzz-bins unit-bins
	@ZL_STORM=$(STORM) ZL_SEED=$${SEED:-$$RANDOM} ZL_BIN=$(SAN_BUILD)/bin ZL_BUILD=$(SAN_BUILD) PYTHONDONTWRITEBYTECODE=1 \
	    /usr/bin/python3 -m pytest -q -p no:cacheprovider tests/integration/test_storm.py
	@set -e; for t in tests/fuzz/fuzz_*.c; do n=$$(basename $$t .c); seed=$${SEED:-$$RANDOM}; \
	    echo "$$n, seed $$seed"; \
	    $(SAN_BUILD)/tests/fuzz/$$n --storm $(STORM) $$seed tests/fuzz/corpus/$${n#fuzz_} | tail -1; \
	done

# Zones and questions from 20 seeds; a failure names its own, and SEED=N begins with it.
differential: COUNT ?= 1000000
differential: SEED ?= 1
differential:
	@tests/deps.sh build demo check
	@$(BUILD) all
	@for seed in $$(seq $(SEED) $$(($(SEED) + 19))); do \
	    ZL_SEED=$$seed ZL_DIFFERENTIAL=$$(($(COUNT) / 20)) ZL_BIN=build/release/bin ZL_BUILD=build/release \
	        PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 -m pytest -q -s -p no:cacheprovider \
	        tests/integration/test_differential_grown.py || exit 1; \
	done

# What `check` samples, unabridged: each system call of the journal, 1,000 kills, 100 network faults
# for each peer and direction, drawn by SEED, which the story prints.
FAULTS ?= 100
fault:
	@tests/deps.sh build demo check
	@$(BUILD) all
	@$(BUILD) SAN=address,undefined all test-bins unit-bins
	@ZL_STRIDE=1 $(SAN_BUILD)/tests/unit/journal/test_kill
	@ZL_KILLS=1000 ZL_BIN=$(SAN_BUILD)/bin ZL_BUILD=$(SAN_BUILD) PYTHONDONTWRITEBYTECODE=1 \
	    /usr/bin/python3 -m pytest -q -s -p no:cacheprovider tests/integration/test_kill.py
	@ZL_FAULTS=$(FAULTS) ZL_SEED=$${SEED:-$$RANDOM} ZL_BIN=$(SAN_BUILD)/bin ZL_BUILD=$(SAN_BUILD) PYTHONDONTWRITEBYTECODE=1 \
	    /usr/bin/python3 -m pytest -q -s -p no:cacheprovider tests/integration/test_impair.py

# The story of random kills with ever new seeds; a failure prints its seed (ZL_SEED=N runs it again).
SOAK_MINUTES ?= 60
soak:
	@tests/deps.sh build demo check
	@$(BUILD) SAN=address,undefined all test-bins
	@end=$$(($$(date +%s) + 60 * $(SOAK_MINUTES))); \
	while [ $$(date +%s) -lt $$end ]; do \
	    ZL_SEED=$$RANDOM$$RANDOM ZL_BIN=$(SAN_BUILD)/bin ZL_BUILD=$(SAN_BUILD) PYTHONDONTWRITEBYTECODE=1 \
	        /usr/bin/python3 -m pytest -q -s -p no:cacheprovider tests/integration/test_kill.py -k kills || exit 1; \
	done

SOURCES := $(shell git ls-files '*.c' '*.h' 2>/dev/null || find . -name '*.[ch]')

layers:
	@tests/layers.sh

format:
	@clang-format -i $(SOURCES)

lint:
	@tests/deps.sh build check lint
	@clang-format --dry-run -Werror $(SOURCES)
	@tests/layers.sh
	@$(BUILD) CC=clang VARIANT=clang all
	@cppcheck --quiet --error-exitcode=1 --std=c11 --enable=warning,performance,portability \
	    --inline-suppr --suppressions-list=tests/cppcheck.supp -I. -D_GNU_SOURCE lib journal authd syncd
	@clang-tidy --quiet $(filter-out tests/%,$(filter %.c,$(SOURCES))) -- -std=c17 $(CPPFLAGS) \
	    $$(pkg-config --cflags $(PKGS))

PREFIX ?= /usr/local
install: all
	install -d $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/man/man8 \
	    $(DESTDIR)$(PREFIX)/share/man/man1 $(DESTDIR)$(PREFIX)/share/man/man5 \
	    $(DESTDIR)$(PREFIX)/share/doc/zoneledger
	install -m 755 $(B)/bin/authd $(B)/bin/syncd $(DESTDIR)$(PREFIX)/sbin/
	install -m 755 $(B)/bin/zonectl $(DESTDIR)$(PREFIX)/bin/
	install -m 644 docs/man/authd.8 docs/man/syncd.8 $(DESTDIR)$(PREFIX)/share/man/man8/
	install -m 644 docs/man/zonectl.1 $(DESTDIR)$(PREFIX)/share/man/man1/
	install -m 644 docs/man/zoneledger.conf.5 $(DESTDIR)$(PREFIX)/share/man/man5/
	install -d $(DESTDIR)$(PREFIX)/lib/systemd/system
	install -m 644 conf/systemd/zoneledger-authd.service conf/systemd/zoneledger-syncd.service \
	    $(DESTDIR)$(PREFIX)/lib/systemd/system/
	install -m 644 conf/zoneledger.conf.example $(DESTDIR)$(PREFIX)/share/doc/zoneledger/
