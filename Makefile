# Zoneledger. Plain GNU make; objects go to build/<variant>/, nothing is built in the source tree.
#
#   make                 both daemons and zonectl, optimised, in build/release/bin
#   make SAN=address,undefined | SAN=thread      the same under sanitizers, in build/<san>
#   make help            all targets

SHELL := /bin/bash
.DEFAULT_GOAL := all
MAKEFLAGS += --no-builtin-rules
CC ?= gcc
ifeq ($(origin CC),default)
CC := gcc
endif
SAN ?=
comma := ,
VARIANT ?= $(if $(SAN),$(subst $(comma),-,$(SAN)),release)
B := build/$(VARIANT)

PKGS := libevent libevent_openssl libevent_pthreads libssl libcrypto sqlite3 libgit2 liburcu \
        libconfuse jansson zlib libcurl libseccomp
VERSION := 0.1.0

ifneq ($(filter clean help deps format layers install-deps,$(MAKECMDGOALS)),$(MAKECMDGOALS))
NEED_LIBS := yes
endif
ifeq ($(MAKECMDGOALS),)
NEED_LIBS := yes
endif

WARN := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wswitch-enum -Wstrict-prototypes \
        -Wmissing-prototypes -Wformat=2 -Werror
CPPFLAGS += -I. -D_GNU_SOURCE -DZL_VERSION='"$(VERSION)"'
CFLAGS_BASE := -std=c17 -g $(WARN) -pthread -fno-strict-overflow -fno-omit-frame-pointer
ifeq ($(SAN),)
CFLAGS ?= -O2
HARDEN := -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fstack-clash-protection -fcf-protection \
          -fPIE $(if $(findstring clang,$(CC)),,-ftrivial-auto-var-init=zero)
LDHARDEN := -pie -Wl,-z,relro,-z,now,-z,noexecstack
else
CFLAGS ?= -O1
HARDEN := -fsanitize=$(SAN) -fno-sanitize-recover=all
LDHARDEN := -fsanitize=$(SAN)
CPPFLAGS += -DARENA_MALLOC -DFAULT_POINTS -DCLOCK_OFFSET_FILE
endif

# pkg-config runs once, after `make deps` had its chance (recursive make), see `need`.
PKG_CFLAGS = $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
PKG_LIBS = $(shell pkg-config --libs $(PKGS) 2>/dev/null)
ifdef NEED_LIBS
PKG_CFLAGS := $(PKG_CFLAGS)
PKG_LIBS := $(PKG_LIBS)
endif

# The rooms. Each directory's sources make one archive; main.c of a daemon stays outside, so that
# tests can link everything else.
LIB_SRC := $(wildcard lib/*/*.c)
JOURNAL_SRC := $(wildcard journal/*.c)
AUTHD_SRC := $(filter-out %/main.c,$(wildcard authd/*.c))
SYNCD_SRC := $(filter-out %/main.c,$(wildcard syncd/*.c))
ZONECTL_SRC := $(filter-out %/main.c,$(wildcard syncd/zonectl/*.c))
TESTLIB_SRC := $(wildcard tests/tools/*.c)
objs = $(patsubst %.c,$(B)/obj/%.o,$(1))

LIBZL := $(B)/libzl.a
LIBJOURNAL := $(B)/libjournal.a
LIBAUTHD := $(B)/libauthd.a
LIBSYNCD := $(B)/libsyncd.a
LIBZONECTL := $(B)/libzonectl.a
LIBTEST := $(B)/libtest.a
BIN := $(B)/bin/authd $(B)/bin/syncd $(B)/bin/zonectl

.PHONY: all
all: $(BIN)

.PHONY: libs
libs: $(LIBZL) $(LIBJOURNAL) $(LIBAUTHD) $(LIBSYNCD) $(LIBZONECTL)

$(LIBZL): $(call objs,$(LIB_SRC))
$(LIBJOURNAL): $(call objs,$(JOURNAL_SRC))
$(LIBAUTHD): $(call objs,$(AUTHD_SRC))
$(LIBSYNCD): $(call objs,$(SYNCD_SRC))
$(LIBZONECTL): $(call objs,$(ZONECTL_SRC))
$(LIBTEST): $(call objs,$(TESTLIB_SRC))
%.a:
	@mkdir -p $(@D)
	@rm -f $@
	@ar rcs $@ $^

LINK = @mkdir -p $(@D); echo "  LD $@"; $(CC) $(CFLAGS_BASE) $(CFLAGS) $(HARDEN) $(LDHARDEN) $(LDFLAGS) -o $@

$(B)/bin/authd: $(B)/obj/authd/main.o $(LIBAUTHD) $(LIBZL)
	$(LINK) $^ $(PKG_LIBS) -lm
$(B)/bin/syncd: $(B)/obj/syncd/main.o $(LIBSYNCD) $(LIBJOURNAL) $(LIBZL)
	$(LINK) $^ $(PKG_LIBS) -lm
$(B)/bin/zonectl: $(B)/obj/syncd/zonectl/main.o $(LIBZONECTL) $(LIBZL)
	$(LINK) $^ $(PKG_LIBS) -lm

$(B)/obj/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC $<"
	@$(CC) $(CPPFLAGS) $(PKG_CFLAGS) $(CFLAGS_BASE) $(CFLAGS) $(HARDEN) -MMD -MP -c -o $@ $<

ALL_OBJ := $(call objs,$(LIB_SRC) $(JOURNAL_SRC) $(AUTHD_SRC) $(SYNCD_SRC) $(ZONECTL_SRC) \
           $(TESTLIB_SRC) authd/main.c syncd/main.c syncd/zonectl/main.c)

# Tests in C: each tests/unit/**/test_*.c, tests/scenario/test_*.c and tests/fuzz/fuzz_*.c is a
# program; benchmarks are tests/bench/bench_*.c; tests/bin/*.c are what tests of ours run.
UNIT_SRC := $(shell find tests/unit tests/scenario -name 'test_*.c' 2>/dev/null | sort)
FUZZ_SRC := $(wildcard tests/fuzz/fuzz_*.c)
BENCH_SRC := $(wildcard tests/bench/bench_*.c)
TESTBIN_SRC := $(wildcard tests/bin/*.c)
UNIT_BIN := $(patsubst %.c,$(B)/%,$(UNIT_SRC))
FUZZ_BIN := $(patsubst %.c,$(B)/%,$(FUZZ_SRC))
BENCH_BIN := $(patsubst %.c,$(B)/%,$(BENCH_SRC))
TESTBIN_BIN := $(patsubst %.c,$(B)/%,$(TESTBIN_SRC))
LIBS_ALL := $(LIBTEST) $(LIBAUTHD) $(LIBSYNCD) $(LIBZONECTL) $(LIBJOURNAL) $(LIBZL)
ALL_OBJ += $(call objs,$(UNIT_SRC) $(FUZZ_SRC) $(BENCH_SRC) $(TESTBIN_SRC))

$(UNIT_BIN): $(B)/%: $(B)/obj/%.o $(LIBS_ALL)
	$(LINK) $< -Wl,--start-group $(LIBS_ALL) -Wl,--end-group $(PKG_LIBS) -lcmocka -lm
$(FUZZ_BIN): $(B)/%: $(B)/obj/%.o $(B)/obj/tests/fuzz/corpus_main.o $(LIBS_ALL)
	$(LINK) $< $(B)/obj/tests/fuzz/corpus_main.o -Wl,--start-group $(LIBS_ALL) -Wl,--end-group $(PKG_LIBS) -lm
$(BENCH_BIN) $(TESTBIN_BIN): $(B)/%: $(B)/obj/%.o $(LIBS_ALL)
	$(LINK) $< -Wl,--start-group $(LIBS_ALL) -Wl,--end-group $(PKG_LIBS) -lm

# The same targets with libFuzzer instead of the driver that only runs seeds (clang; make fuzz).
ifeq ($(FUZZER),yes)
HARDEN += -fsanitize=fuzzer-no-link
FUZZER_BIN := $(patsubst %.c,$(B)/fuzzers/%,$(notdir $(FUZZ_SRC)))
$(FUZZER_BIN): $(B)/fuzzers/%: $(B)/obj/tests/fuzz/%.o $(LIBS_ALL)
	$(LINK) -fsanitize=fuzzer $< -Wl,--start-group $(LIBS_ALL) -Wl,--end-group $(PKG_LIBS) -lm
.PHONY: fuzzers
fuzzers: $(FUZZER_BIN)
endif

.PHONY: unit-bins fuzz-bins bench-bins test-bins
unit-bins: $(UNIT_BIN)
fuzz-bins: $(FUZZ_BIN)
bench-bins: $(BENCH_BIN)
test-bins: $(TESTBIN_BIN)

.SECONDARY: $(ALL_OBJ)
-include $(ALL_OBJ:.o=.d)

include tests/tests.mk

.PHONY: clean
clean:
	rm -rf build run
