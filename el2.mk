# SPDX-License-Identifier: BSD-2-Clause
#
# The EL2 image: every source of the rooms and of arch/arm64, with the read-only part of libfdt.
# It is position-independent and relocates itself, so it is linked at 0 without a dynamic linker.

EL2_ELF := build/toklat.elf
EL2_BIN := build/toklat.bin
EL2_LD := arch/arm64/toklat.ld

CC := $(CROSS)gcc
OBJCOPY := $(CROSS)objcopy
# Knows what -flto leaves in an object.
AR := $(CROSS)gcc-ar

EL2_ROOMS := core core/base sched mm dev dev/drivers dev/virtual arch/arm64
EL2_C := $(sort $(wildcard $(EL2_ROOMS:=/*.c)))
EL2_S := $(sort $(wildcard $(EL2_ROOMS:=/*.S)))
EL2_OBJ := $(patsubst %,build/el2/%.o,$(basename $(EL2_C) $(EL2_S)))

WARNINGS := -Wall -Wextra -Werror -Wshadow -Wundef -Wvla -Wmissing-prototypes -Wconversion
# What clang needs as well to read the sources as gcc does.
EL2_MACHINE := -march=armv8-a -mgeneral-regs-only -mstrict-align -mno-outline-atomics
EL2_CFLAGS := -std=gnu11 -O2 -g -ffreestanding -fpie -fvisibility=hidden $(EL2_MACHINE) \
	-fno-stack-protector -fno-common -fno-asynchronous-unwind-tables -fno-strict-aliasing \
	-ffixed-x18 -ffunction-sections -fdata-sections -flto=auto
EL2_INCLUDE := -I. -isystem core/base/libc -isystem build/libfdt/include
EL2_LDFLAGS := -static-pie -nostdlib -Wl,--no-dynamic-linker -Wl,--gc-sections \
	-Wl,-z,max-page-size=4096 -Wl,-z,noexecstack -Wl,--build-id=none -Wl,-T,$(EL2_LD)

$(EL2_BIN): $(EL2_ELF)
	$(call say,OBJCOPY,$@) $(OBJCOPY) -O binary $< $@

$(EL2_ELF): $(EL2_OBJ) build/el2/libfdt.a $(EL2_LD) build/el2/flags
	$(call say,LINK,$@) $(CC) $(EL2_CFLAGS) $(EL2_LDFLAGS) -Wl,-Map,build/toklat.map -o $@ \
		$(EL2_OBJ) build/el2/libfdt.a

build/el2/%.o: %.c build/el2/flags | build/libfdt/.headers
	@mkdir -p $(@D)
	$(call say,CC,$<) $(CC) $(EL2_CFLAGS) $(WARNINGS) $(EL2_INCLUDE) -MMD -MP -c -o $@ $<

build/el2/%.o: %.S build/el2/flags
	@mkdir -p $(@D)
	$(call say,AS,$<) $(CC) $(EL2_CFLAGS) $(EL2_INCLUDE) -MMD -MP -c -o $@ $<

# gcc would turn the loop of memcpy() into a call of memcpy(), and calls it where none is written.
build/el2/core/base/string.o: EL2_CFLAGS += -fno-tree-loop-distribute-patterns -fno-lto

build/el2/flags: FORCE
	$(call remember,$(CC) $(EL2_CFLAGS) $(WARNINGS) $(EL2_INCLUDE) $(EL2_LDFLAGS) $(EL2_OBJ))

# libfdt, from the source of u-boot that Debian has, which carries it unchanged.
LIBFDT_SOURCE := u-boot=2023.01*
LIBFDT_DIR := build/src/u-boot/scripts/dtc/libfdt
LIBFDT_C := fdt fdt_ro fdt_addresses fdt_strerror
LIBFDT_H := fdt.h libfdt.h libfdt_env.h

build/libfdt/source: FORCE
	$(call remember,$(LIBFDT_SOURCE) $(LIBFDT_H))

build/libfdt/.headers: tools/fetch-source build/libfdt/source
	$(call say,FETCH,libfdt) tools/fetch-source \
		"$(LIBFDT_SOURCE)" build/src/u-boot scripts/dtc/libfdt
	@mkdir -p build/libfdt/include
	@cp $(addprefix $(LIBFDT_DIR)/,$(LIBFDT_H)) build/libfdt/include/
	@touch $@

build/el2/libfdt.a: $(LIBFDT_C:%=build/el2/libfdt/%.o)
	@rm -f $@
	$(Q)$(AR) rcsD $@ $^

build/el2/libfdt/%.o: build/libfdt/.headers build/el2/flags
	@mkdir -p $(@D)
	$(call say,CC,libfdt/$*.c) $(CC) $(EL2_CFLAGS) -w $(EL2_INCLUDE) -c -o $@ $(LIBFDT_DIR)/$*.c

-include $(EL2_OBJ:.o=.d)
