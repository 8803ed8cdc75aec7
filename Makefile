# Kist. `make help` says what there is to type.

BUILD   ?= build
PREFIX  ?= /usr/local
DESTDIR ?=
MESON_OPTIONS ?=

OBJ := $(BUILD)/obj
BIN := $(BUILD)/bin
# Hard links, so that /proc/self/exe of each program names the folder in which the others lie.
PROGRAMS := src/kistd/kistd src/monitor/kist-monitor src/init/kist-init src/oci/kist-runtime src/worker/kist-worker src/systemd/kist-systemd src/dns/kist-dns src/tls/kist-tls src/cli/kist

.PHONY: all run check bench install clean help deps

all: deps
	@test -f $(OBJ)/build.ninja || meson setup --prefix $(PREFIX) $(MESON_OPTIONS) $(OBJ)
	@ninja -C $(OBJ)
	@mkdir -p $(BIN) && for p in $(PROGRAMS); do test ! -e $(OBJ)/$$p || ln -f $(OBJ)/$$p $(BIN)/; done
	@mkdir -p $(BUILD)/data && ln -f $(OBJ)/data/busybox.oci.tar $(BUILD)/data/

# The test programs, which `make` alone has no use for.
.PHONY: tests
tests: all
	@ninja -C $(OBJ) meson-test-prereq attack-helpers vm-helpers src/kistd/kistd-faults
	@ln -f $(OBJ)/src/kistd/kistd-faults $(BIN)/

deps:
	@tools/install-deps build

run: all
	@tools/first-run $(BUILD)

check:
	@tools/install-deps build check
	@$(MAKE) --no-print-directory all tests
	@tests/run $(BUILD)

# Unit tests under AddressSanitizer and UndefinedBehaviorSanitizer, then under ThreadSanitizer.
.PHONY: check-sanitize
check-sanitize:
	@tools/install-deps build check
	@tests/run-sanitized

# Debian's own kernel, cgroup v2 only, in a virtual machine: the last suite of `make check`, by itself.
.PHONY: check-vm
check-vm:
	@tools/install-deps build check
	@$(MAKE) --no-print-directory all tests
	@tests/run $(BUILD) vm

bench:
	@tools/install-deps build check bench
	@$(MAKE) --no-print-directory all
	@bench/run $(BUILD)

install: all
	@DESTDIR="$(DESTDIR)" meson install -C $(OBJ) --no-rebuild

clean:
	rm -rf $(BUILD)

help:
	@echo "make            build the programs into $(BIN)"
	@echo "make run        build, start a private kistd under $(BUILD)/ and run a first container"
	@echo "make tests      build the test programs"
	@echo "make check      build and run all tests"
	@echo "make check-sanitize   the unit tests with the address, undefined-behaviour and thread sanitizers"
	@echo "make check-vm   the tests in a virtual machine: Debian's own kernel, cgroup v2 only"
	@echo "make bench      measure, beside crun, runc, podman and dockerd"
	@echo "make install    PREFIX=$(PREFIX), DESTDIR for packages"
	@echo "make clean      remove $(BUILD)/"
