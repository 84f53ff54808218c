# SPDX-License-Identifier: BSD-2-Clause
#
# Toklat. `make help` says what there is. One make reads everything; each part has a fragment:
#
#   el2.mk              the EL2 image                 build/toklat.elf, build/toklat.bin
#   guests/guests.mk    the guest images              build/guests/*.elf
#   tools/toklat.mk     the host's command            build/toklat
#   tools/slip.mk       the end of a serial uplink    build/toklat-slip
#   install.mk          make install, and the SDK that it installs
#   deploy.mk           device tree and archive       build/deploy/*.dtb, *.cpio
#   card.mk             for U-Boot, and for cards     build/toklat-*.itb, *.img
#   tests/unit/unit.mk  host programs under sanitizers, unit tests and fuzzers
#   tests/bench/bench.mk  the load generator          build/bench/load
#   tests/bench/codec   what pages take in the store
#   check.mk            what `make check` looks at
#
# Whatever a user may set on the command line is here, with its default.

MEM := 1G
CPU := cortex-a72
GIC := 3
SMP := 1
DEPLOY := dts/web.dts
IMAGES :=
VMS := 1000
STORE = build/store/$(basename $(notdir $(DEPLOY)))$(if $(filter uboot,$(BOOT)),-uboot).img
PORT := 8080
API_PORT := 8081
APPEND :=
# What boots it: direct (QEMU, the firmware of a board) or uboot. The board: virt, rpi3 or rpi4.
BOOT := direct
BOARD := virt
# Of the image of a card: a power of two.
CARD_SIZE := 256M
# Options of tools/bench-scale.
SCALE :=
# Boots of make soak.
SOAK := 1000
# For make power-cut; and options of tests/fault/power_cut.py.
CUTS := 200
POWER_CUT :=
CROSS := aarch64-linux-gnu-
# For make install and make uninstall.
PREFIX := /usr/local
DESTDIR :=
V := 0

export MEM CPU GIC SMP DEPLOY IMAGES VMS STORE PORT API_PORT APPEND BOOT BOARD CARD_SIZE CROSS

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SUFFIXES:
# Before MAKEFLAGS is added to: its first word is the letters of the options that were given.
DRY_RUN := $(findstring n,$(firstword -$(MAKEFLAGS)))
MAKEFLAGS += --no-builtin-rules --no-builtin-variables
ifeq ($(filter -j% --jobserver%,$(MAKEFLAGS)),)
MAKEFLAGS += -j$(shell nproc)
endif

# $(call say,CC,file) announces a step in one short line, or not at all when V=1 shows it whole.
ifeq ($(V),0)
Q := @
say = @printf '  %-7s %s\n' '$(1)' '$(2)';
else
Q :=
say =
endif

# $(call remember,text): the recipe of a file that holds `text` and is touched only when that
# changes. What is built with some flags or variables depends on such a file.
define remember
@mkdir -p $(@D)
@printf '%s\n' '$(strip $(1))' | cmp -s - $@ || printf '%s\n' '$(strip $(1))' >$@
endef

# Debian packages that the goals need are installed before anything else happens.
GOALS := $(or $(MAKECMDGOALS),all)
PACKAGE_GROUPS := build
RUN_GOALS := run debug footprint bench bench-scale bench-smp bench-control bench-codec power-cut \
	soak test
PACKAGE_GROUPS += $(if $(filter $(RUN_GOALS),$(GOALS)),run)
PACKAGE_GROUPS += $(if $(filter sdcard test,$(GOALS)),card)
PACKAGE_GROUPS += $(if $(filter uboot rpi3 rpi4,$(BOOT) $(BOARD)),card)
PACKAGE_GROUPS += $(if $(filter test unit fuzz model check bench-scale bench-smp,$(GOALS)),test)
PACKAGE_GROUPS += $(if $(filter bench-scale bench-smp,$(GOALS)),scale)
PACKAGE_GROUPS += $(if $(filter check,$(GOALS)),check)
PACKAGE_GROUPS += $(if $(filter debug,$(GOALS)),debug)
ifneq ($(if $(DRY_RUN),,$(filter-out help clean,$(GOALS))),)
ifneq ($(shell tools/install-packages $(PACKAGE_GROUPS) >&2 && echo installed),installed)
$(error the packages above are needed)
endif
endif

.PHONY: all boards run run-virt run-card test model check footprint bench bench-control power-cut \
	soak debug \
	clean help FORCE

include el2.mk
-include guests/guests.mk
include deploy.mk
include card.mk
include tools/toklat.mk
include tools/slip.mk
include install.mk
include tests/unit/unit.mk
include tests/bench/bench.mk
include tests/bench/codec/codec.mk
include check.mk

all: $(EL2_BIN) guests $(INITRD) $(TOOL) $(SLIP)

run: run-$(if $(filter virt,$(BOARD)),virt,card)

# U-Boot boots what its disk carries.
run-virt: $(EL2_BIN) $(INITRD) $(TOOL) $(if $(filter uboot,$(BOOT)),$(UBOOT_DISK))
	@TOKEN_FILE=$(TOKEN_FILE) RUN_FILE=build/run.json exec tools/run \
		$(if $(filter uboot,$(BOOT)),$(BOOT_INITRD),$(INITRD))

# What runs is a copy: the card that is flashed stays as it was made.
run-card: $(CARD)
	@mkdir -p build/store
	@cp --update --sparse=always $(CARD) build/store/$(notdir $(CARD))
	@exec tools/run-board build/store/$(notdir $(CARD))

debug: $(EL2_BIN) $(INITRD) $(TOOL) $(if $(filter uboot,$(BOOT)),$(UBOOT_DISK))
	@exec tools/debug $(if $(filter uboot,$(BOOT)),$(BOOT_INITRD),$(INITRD))

footprint: all
	@tools/footprint --deploy $(DEPLOY) --vms $(VMS)

bench: all
	@tools/bench

power-cut: all
	@tests/fault/power_cut.py --cuts $(CUTS) $(POWER_CUT)

bench-control: all
	@tools/bench-control

soak: all
	@tools/soak --boots $(SOAK)

test: all $(UBOOT_DISK) test-cards $(LOAD) $(UNIT_TESTS) $(FUZZ_TESTS)
	@tools/test-all --system tools/check-model $(UNIT_TESTS) $(FUZZ_TESTS)

model:
	@tools/test-all tools/check-model

# The matrix of docs/boards.md, from what the last make test printed.
boards:
	@tools/board-matrix build/system-tests-*.xml

clean:
	$(Q)[ ! -d build ] || find build -mindepth 1 -maxdepth 1 ! -name sources ! -name store \
		-exec rm -rf {} +

help:
	@tools/help
