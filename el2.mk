# SPDX-License-Identifier: BSD-2-Clause
#
# The EL2 image: every source of the rooms and of arch/arm64, with the read-only part of libfdt and
# with LZ4.
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
# Sequences that Cortex-A53 may execute wrongly are avoided by gcc, and by ld, which gcc tells.
# All of EL2 is within the reach of an ADR; the sections for what is not ("full") move the code that
# ld has looked at already. tools/check-errata looks.
CORTEX_A53 := -mfix-cortex-a53-835769 -mfix-cortex-a53-843419
EL2_CFLAGS := $(CORTEX_A53) \
	-std=gnu11 -O2 -g -ffreestanding -fpie -fvisibility=hidden $(EL2_MACHINE) \
	-fno-stack-protector -fno-common -fno-asynchronous-unwind-tables -fno-strict-aliasing \
	-ffixed-x18 -ffunction-sections -fdata-sections -flto=auto \
	-falign-functions=4 -falign-jumps=4 -falign-loops=4
EL2_INCLUDE := -I. -isystem core/base/libc -isystem build/libfdt/include \
	-isystem build/lz4/include
LIBRARY_HEADERS := build/libfdt/.headers build/lz4/.headers
EL2_LDFLAGS := -static-pie -nostdlib -Wl,--no-dynamic-linker -Wl,--gc-sections \
	-Wl,-z,max-page-size=4096 -Wl,-z,noexecstack -Wl,--build-id=none \
	-Wl,--fix-cortex-a53-843419=adr -Wl,-T,$(EL2_LD)

$(EL2_BIN): $(EL2_ELF)
	$(call say,OBJCOPY,$@) $(OBJCOPY) -O binary $< $@

$(EL2_ELF): $(EL2_OBJ) build/el2/libfdt.a build/el2/lz4.o $(EL2_LD) build/el2/flags
	$(call say,LINK,$@) $(CC) $(EL2_CFLAGS) $(EL2_LDFLAGS) -Wl,-Map,build/toklat.map -o $@ \
		$(EL2_OBJ) build/el2/lz4.o build/el2/libfdt.a

# -MD, not -MMD: what libfdt.h includes of ours would be a system header's.
build/el2/%.o: %.c build/el2/flags | $(LIBRARY_HEADERS)
	@mkdir -p $(@D)
	$(call say,CC,$<) $(CC) $(EL2_CFLAGS) $(WARNINGS) $(EL2_INCLUDE) -MD -MP -c -o $@ $<
	$(Q)$(TO_BOOT)

build/el2/%.o: %.S build/el2/flags
	@mkdir -p $(@D)
	$(call say,AS,$<) $(CC) $(EL2_CFLAGS) $(EL2_INCLUDE) -MD -MP -c -o $@ $<

# gcc would turn the loop of memcpy() into a call of memcpy(), and calls it where none is written.
build/el2/core/base/string.o: EL2_CFLAGS += -fno-tree-loop-distribute-patterns -fno-lto

# Files whose code and read-only data are needed at boot alone, but for what RESIDENT marks
# (core/base/types.h), and are given back after it: arch/arm64/toklat.ld. -flto would mix their code
# with that of others. libfdt is one of them.
EL2_BOOT := \
	$(addprefix core/,archive deployment deployment_group deployment_node devices main) \
	$(addprefix core/,options base/devicetree) \
	$(addprefix mm/,frame_init store_mount store_replay) \
	$(addprefix arch/arm64/,boot boot_tree firmware mmu) \
	$(addprefix dev/drivers/,partition rtc_pl031 rng)
$(EL2_BOOT:%=build/el2/%.o): EL2_CFLAGS += -Os -fno-lto
$(EL2_BOOT:%=build/el2/%.o): TO_BOOT = $(OBJCOPY) --prefix-alloc-sections=.boot $@

# What runs at shutdown, for somebody at the console, or once while a record is read or
# written, is made small, not fast.
EL2_COLD := \
	$(addprefix core/,arrival bringback control_read deployment_check ending fetch) \
	$(addprefix core/,footprint group keys keys_store load operate residence) \
	$(addprefix core/,shutdown snapshot start transit base/fmt base/log) \
	$(addprefix mm/,buddy image record record_read space store store_clean store_index) \
	mm/store_log \
	dev/virtual/console \
	$(addprefix arch/arm64/,irq gicv2 gicv3 smp bcm2835_pm bcm2836) \
	$(addprefix dev/drivers/,virtio_blk virtio_mmio uart pl011 sd_card sdhci sdhost) \
	$(addprefix dev/drivers/,block_request mini_uart slip genet genet_phy)
$(EL2_COLD:%=build/el2/%.o): EL2_CFLAGS += -Os

build/el2/flags: FORCE
	$(call remember,$(CC) $(EL2_CFLAGS) $(EL2_COLD) $(EL2_BOOT) $(WARNINGS) \
	 $(EL2_INCLUDE) $(EL2_LDFLAGS) $(EL2_OBJ))

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
	$(call say,CC,libfdt/$*.c) $(CC) $(EL2_CFLAGS) -Os -fno-lto -w $(EL2_INCLUDE) \
		-c -o $@ $(LIBFDT_DIR)/$*.c
	$(Q)$(OBJCOPY) --prefix-alloc-sections=.boot $@

# LZ4, as mm/lz4.h has it. EL2 calls it with the MMU on, so it may load words where they lie; joined
# with its callers by -flto it would not. Its body once, not for each way of calling it.
LZ4_SOURCE := lz4=1.9.4*
LZ4_DIR := build/src/lz4/lib

build/lz4/source: FORCE
	$(call remember,$(LZ4_SOURCE))

build/lz4/.headers: tools/fetch-source build/lz4/source
	$(call say,FETCH,lz4) tools/fetch-source "$(LZ4_SOURCE)" build/src/lz4 lib/lz4.c lib/lz4.h
	@mkdir -p build/lz4/include
	@cp $(LZ4_DIR)/lz4.h build/lz4/include/
	@touch $@

build/el2/lz4.o: build/lz4/.headers mm/lz4.h build/el2/flags
	@mkdir -p $(@D)
	$(call say,CC,lz4.c) $(CC) $(EL2_CFLAGS) -mno-strict-align -fno-lto -Os \
		-DLZ4_FORCE_INLINE=static -w $(EL2_INCLUDE) \
		-include mm/lz4.h -c -o $@ $(LZ4_DIR)/lz4.c

-include $(EL2_OBJ:.o=.d)
