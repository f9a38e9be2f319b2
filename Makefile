# Berth: a Docker / OCI registry spoken to over FastCGI.
#
#   make                  build/berth
#   make run              registry behind nginx in the foreground; Ctrl-C ends it
#                         (ADDRESS=127.0.0.1 PORT=5000 SERVER=nginx|lighttpd|apache MODE=fastcgi|cgi
#                         WORKERS=8 STATE=./storage CONFIGURATION=file)
#   make test             everything below that takes minutes; installs what it needs
#   make test-unit        the modules, one program per file in tests/unit
#   make test-end-to-end  the servers in deploy/ with real clients (ARGUMENTS='-k push' goes to pytest)
#   make test-sanitize    both again behind nginx, under the address and undefined-behaviour sanitizers
#   make test-long        the long campaigns: storms of kills, power cuts, fuzzing, soak
#   make lint             what lib/README.md asks and a tool can check
#   make bench            speed and memory beside docker-registry
#   make fuzz             each fuzz target for FUZZ_SECONDS=60, from FUZZ_SEED=1
#   make install          DESTDIR= PREFIX=/usr/local SYSCONFDIR=/etc; make uninstall keeps configuration and images
#   make bundle           build/bundle: what one uploads to a shared host
#   make deps, deps-test  the distribution's packages for building, and running behind SERVER=nginx; for the tests
#   make format, clean
#
# Packagers: CC, CPPFLAGS, CFLAGS, LDFLAGS are yours; WERROR= turns warnings back into warnings.

VERSION = 0.1.0
PREFIX = /usr/local
SYSCONFDIR = /etc
PYTHON = /usr/bin/python3
FUZZ_SECONDS = 60
# The same runs each time; another one, other runs.
FUZZ_SEED = 1
# How far the analyzer goes in each function; its own limit of 225000 takes six times as long.
ANALYZER_NODES = 30000
# For what is built on the way to something else; `make` itself does what -j says.
JOBS = $(shell nproc 2>/dev/null || echo 2)
build = $(MAKE) --no-print-directory -j$(JOBS)
# Half of what the servers' tests take is waiting: twice as many processes as there are processors. The tests of a file share
# its servers, so a file is one process's.
PROCESSES = $(shell echo $$((2 * $(JOBS))))
pytest = $(PYTHON) -m pytest -q -p no:cacheprovider
parallel = -n $(PROCESSES) --dist loadfile

# SANITIZE=1 and FUZZ=1 are the same rules with other flags, in a directory of their own.
ifdef FUZZ
BUILD = build-fuzz
CC = clang
HARDEN = -fsanitize=fuzzer-no-link,address,undefined -fno-omit-frame-pointer -fno-sanitize-recover=undefined
else ifdef SANITIZE
BUILD = build-sanitize
HARDEN = -fsanitize=address,undefined -fno-omit-frame-pointer -fno-sanitize-recover=undefined
else
BUILD = build
HARDEN = -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fPIE
LINK = -pie -Wl,-z,relro,-z,now
endif

WERROR = -Werror
WARN = -Wall -Wextra -Wshadow -Wvla -Wformat=2 -Wundef -Wstrict-prototypes -Wmissing-prototypes \
       -Wold-style-definition -Wpointer-arith -Wwrite-strings -Wimplicit-fallthrough -Wconversion \
       -Wsign-conversion $(WERROR)
# libcurl is loaded when somebody needs it (lib/http/library.h).
PACKAGES = libcrypto libcjson inih libpsl
CFLAGS ?= -O2 -g
# Recursive on purpose: pkg-config may itself be something that `make run` installs first.
compile = $(CC) -std=c17 -D_GNU_SOURCE -DBERTH_VERSION='"$(VERSION)"' \
          -DINSTALLED_CONFIGURATION='"$(SYSCONFDIR)/berth/configuration.ini"' -I. $(WARN) -fstack-protector-strong \
          $(HARDEN) $(shell pkg-config --cflags libcurl $(PACKAGES)) $(CPPFLAGS) $(CFLAGS) -MMD -MP
# What is compiled in; who changes it has it compiled anew.
settings := $(VERSION) $(SYSCONFDIR)
# One short line per file; none with make -s, the commands with V=1.
say = $(if $(V)$(findstring s,$(firstword -$(MAKEFLAGS))),$(if $(V),,@),@echo '  $(1) $@';)
link = $(call say,link)$(CC) $(HARDEN) $(CFLAGS) $(LINK) -Wl,--as-needed $(LDFLAGS) -o $@ $^
# A hundred test programs are linked whenever the library changes: mold takes a tenth of what ld takes.
fast_linker = $(if $(shell command -v mold),-fuse-ld=mold)
LIBS = -lfcgi -lcjose $(shell pkg-config --libs $(PACKAGES)) -lcrypt -ldl

LIBRARY := $(patsubst %.c,$(BUILD)/%.o,$(wildcard lib/*.c lib/*/*.c lib/*/*/*.c))
PROGRAM := $(patsubst %.c,$(BUILD)/%.o,$(wildcard fcgi/*.c fcgi/*/*.c))
UNIT    := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/unit/test_*.c))
TARGETS := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
# And those that drive the program from outside.
DRIVERS := $(patsubst tests/fuzz/fuzz_%.py,%,$(wildcard tests/fuzz/fuzz_*.py))
FUZZERS := $(TARGETS:%=$(BUILD)/tests/fuzz/fuzz_%)
SOURCES := $(wildcard fcgi/*.[ch] fcgi/*/*.[ch] lib/*.[ch] lib/*/*.[ch] lib/*/*/*.[ch] tests/unit/*.[ch] tests/fuzz/*.[ch] tests/bench/*.c tests/end_to_end/harness/*.c)
# The tests' other files are helpers, linked into each program that needs them.
UNIT_HELPERS := $(patsubst %.c,$(BUILD)/%.o,$(filter-out tests/unit/test_%.c,$(wildcard tests/unit/*.c)))

.PHONY: all tests run test test-unit test-end-to-end test-sanitize test-long lint checked bench fuzz \
        fuzzers install uninstall bundle deps deps-test format clean
.DELETE_ON_ERROR:
.SECONDARY:

all: $(BUILD)/berth
	@:
tests: $(UNIT)
	@:
fuzzers: $(FUZZERS)
	@:

$(BUILD)/lib.a: $(LIBRARY)
$(BUILD)/fcgi.a: $(filter-out $(BUILD)/fcgi/main.o,$(PROGRAM))
$(BUILD)/%.a:
	@mkdir -p $(@D)
	$(call say,ar)rm -f $@ && $(AR) rcs $@ $^

$(BUILD)/berth: $(BUILD)/fcgi/main.o $(BUILD)/fcgi.a $(BUILD)/lib.a
	$(link) $(LIBS)

$(BUILD)/tests/unit/test_%: $(BUILD)/tests/unit/test_%.o $(UNIT_HELPERS) $(BUILD)/fcgi.a $(BUILD)/lib.a
	$(link) $(LIBS) -lcmocka $(fast_linker)

$(BUILD)/tests/bench/%: $(BUILD)/tests/bench/%.o $(BUILD)/lib.a
	$(link) $(LIBS)

$(BUILD)/tests/fuzz/fuzz_%: $(BUILD)/tests/fuzz/fuzz_%.o $(BUILD)/fcgi.a $(BUILD)/lib.a
	$(link) $(LIBS) -fsanitize=fuzzer $(fast_linker)

ifneq ($(settings),$(shell cat $(BUILD)/settings 2>/dev/null))
$(shell mkdir -p $(BUILD) && echo '$(settings)' >$(BUILD)/settings)
endif
$(BUILD)/fcgi/main.o $(BUILD)/fcgi/command/table.o $(BUILD)/fcgi/page/page.o: $(BUILD)/settings

$(BUILD)/fcgi/page/asset.o: fcgi/page/style.css fcgi/page/script.js fcgi/page/icon.svg

$(BUILD)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(call say,cc)$(compile) -c -o $@ $<

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)

deps:
	@deploy/dependencies run $(SERVER)
deps-test:
	@deploy/dependencies test

# What needs a package first and a compiler after is a make of its own: pkg-config is asked anew.
run: deps
	@$(build) all
	@ADDRESS='$(ADDRESS)' PORT='$(PORT)' SERVER='$(SERVER)' MODE='$(MODE)' WORKERS='$(WORKERS)' STATE='$(STATE)' \
	 CONFIGURATION='$(CONFIGURATION)' BERTH='$(BUILD)/berth' exec deploy/run

# All parts, also when one fails. Half of what the servers' tests take is waiting: what computes runs beside them, in two
# rows, and is heard of afterwards.
test: deps-test
	@$(build) all tests
	@row() { status=0; for part; do \
	    env --default-signal=INT $(MAKE) --no-print-directory $$part || status=1; \
	done; exit $$status; }; \
	row lint test-unit 'fuzz FUZZ_SECONDS=5' >build/test.log 2>&1 & first=$$!; \
	row test-sanitize >build/test-sanitize.log 2>&1 & second=$$!; \
	status=0; $(MAKE) --no-print-directory test-end-to-end || status=1; \
	wait $$first || status=1; cat build/test.log; wait $$second || status=1; cat build/test-sanitize.log; exit $$status

test-unit: deps-test
	@$(build) all tests
	@tests/lint/run-unit $(UNIT)

test-end-to-end: deps-test
	@$(build) all
	$(pytest) $(parallel) tests/lint tests/end_to_end $(ARGUMENTS)

test-sanitize: deps-test
	@$(build) SANITIZE=1 all tests
	@$(MAKE) --no-print-directory SANITIZE=1 test-unit
	BERTH=$(CURDIR)/build-sanitize/berth $(pytest) -n $(JOBS) --dist loadfile -m quick -k 'not lighttpd and not apache or lighttpd-cgi' tests/end_to_end \
	    $(ARGUMENTS)

test-long: deps-test
	@$(build) all
	$(pytest) -n $(PROCESSES) --dist loadgroup tests/long $(ARGUMENTS)
	@$(MAKE) --no-print-directory fuzz

# Objects and checks by clang in a directory of their own: what has not changed is not looked at again.
lint: deps-test
	@tests/lint/rules.py
	@clang-format --dry-run -Werror $(SOURCES)
	@$(build) -s -k CC=clang BUILD=build-lint checked
	@mkdir -p build-lint/cppcheck && cppcheck --quiet --enable=warning,performance,portability --inline-suppr \
	    --suppress=memleak --suppress=ctuuninitvar --error-exitcode=1 --std=c11 -D_GNU_SOURCE -I. --cppcheck-build-dir=build-lint/cppcheck $(filter fcgi/% lib/%,$(SOURCES))
	@shellcheck $$(git ls-files -co --exclude-standard | xargs grep -lE '^#!.*\b(ba)?sh\b')
	@echo "lint: nothing to say"

checked: $(patsubst %.c,$(BUILD)/%.tidy,$(filter fcgi/%.c lib/%.c,$(SOURCES))) \
         $(patsubst %.h,$(BUILD)/%.alone,$(filter %.h,$(SOURCES)))
# clang-tidy counts the warnings it does not show on standard error, its findings are on standard output.
$(BUILD)/%.tidy: %.c $(BUILD)/%.o .clang-tidy
	@clang-tidy --quiet $(patsubst %,--extra-arg=%,-Xclang -analyzer-config -Xclang max-nodes=$(ANALYZER_NODES)) $< -- -std=c17 -D_GNU_SOURCE -DBERTH_VERSION='""' -DINSTALLED_CONFIGURATION='""' -I. 2>$@.log && mv $@.log $@
$(BUILD)/%.alone: %.h Makefile
	@mkdir -p $(@D)
	@$(compile) -MF $@.d -Wno-unused-function -Wno-unused-const-variable -x c -c -o $@ $<

bench: deps-test
	@$(build) all
	$(PYTHON) tests/bench/bench.py $(ARGUMENTS)

# What a run finds that is new stays in build-fuzz/corpus; what is worth keeping goes to tests/fuzz/corpus. The paths
# are absolute because a target may run in a directory of its own.
fuzz: deps-test
	@$(build) FUZZ=1 fuzzers all
	@$(build) $(TARGETS:%=fuzzed-%) $(DRIVERS:%=driven-%)
	@echo "fuzz: $(words $(TARGETS) $(DRIVERS)) targets, $(FUZZ_SECONDS) s each, nothing found"

fuzzed-%:
	@mkdir -p build-fuzz/corpus/$*; kept=$(CURDIR)/tests/fuzz/corpus/$*; [ -d $$kept ] || kept=; \
	build-fuzz/tests/fuzz/fuzz_$* -max_total_time=$(FUZZ_SECONDS) -timeout=300 -seed=$(FUZZ_SEED) \
	    -artifact_prefix=$(CURDIR)/build-fuzz/$*- $(CURDIR)/build-fuzz/corpus/$* $$kept >build-fuzz/$*.log 2>&1 || \
	    { tail -40 build-fuzz/$*.log; echo "fuzz: $* failed"; exit 1; }
driven-%:
	@BERTH=$(CURDIR)/build-fuzz/berth $(PYTHON) -B tests/fuzz/fuzz_$*.py $(FUZZ_SECONDS) $(FUZZ_SEED) >build-fuzz/$*.log 2>&1 || \
	    { tail -40 build-fuzz/$*.log; echo "fuzz: $* failed"; exit 1; }

install: all
	@PREFIX='$(PREFIX)' SYSCONFDIR='$(SYSCONFDIR)' DESTDIR='$(DESTDIR)' BERTH='$(BUILD)/berth' deploy/install
uninstall:
	@PREFIX='$(PREFIX)' SYSCONFDIR='$(SYSCONFDIR)' DESTDIR='$(DESTDIR)' deploy/install remove

bundle: all
	@BERTH='$(BUILD)/berth' deploy/bundle $(BUILD)/bundle

format:
	clang-format -i $(SOURCES)

clean:
	rm -rf build build-sanitize build-fuzz build-lint
