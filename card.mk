# SPDX-License-Identifier: BSD-2-Clause
#
# What U-Boot boots from, and images of cards (docs/flash.md).
#
#   dts/toklat.its    build/toklat-BOARD.itb   kernel, archive, device tree, each with its hash
#   dts/boot.cmd      build/uboot/boot.scr     U-Boot's part
#   dts/overlays      build/overlays/*.dtbo
#   dts/card          config.txt               the Raspberry Pi's firmware reads it
#
# and of these build/toklat-virt.img, the disk of make run BOOT=uboot, and build/toklat-rpi3.img or
# -rpi4.img, -uboot.img: a card. What others have made is fetched, and kept in build/ alone.

# Times in images are the commit's, so that the same tree makes the same bytes.
ifndef SOURCE_DATE_EPOCH
SOURCE_DATE_EPOCH := $(or $(shell git log -1 --format=%ct 2>/dev/null),1700000000)
endif
DATED := SOURCE_DATE_EPOCH=$(SOURCE_DATE_EPOCH)

BOARDS := rpi3 rpi4
BOARD_TREES := $(BOARDS:%=build/boards/%.dtb)
ifeq ($(filter $(BOARD),virt $(BOARDS)),)
$(error BOARD=$(BOARD): it is virt, rpi3 or rpi4)
endif
ifeq ($(filter $(BOOT),direct uboot),)
$(error BOOT=$(BOOT): it is direct or uboot)
endif

UBOOT_DISK := build/toklat-virt.img
CARD := build/toklat-$(BOARD)$(if $(filter uboot,$(BOOT)),-uboot).img
# Slots for VMs in a card's store; each takes 32 bytes of it.
CARD_VMS := 65536

.PHONY: sdcard sdcard-needs-a-board test-cards

sdcard: $(if $(filter $(BOARDS),$(BOARD)),$(CARD),sdcard-needs-a-board)

# What tests look at, of both boards.
test-cards: $(BOARD_TREES) $(foreach b,$(BOARDS), \
	build/toklat-$b.img build/toklat-$b-uboot.img build/toklat-$b.itb)

sdcard-needs-a-board:
	@echo 'make sdcard: say BOARD=rpi3 or BOARD=rpi4' >&2; false

# --- U-Boot ---------------------------------------------------------------------------------

build/uboot/boot.scr: dts/boot.cmd build/uboot/variables
	$(call say,MKIMAGE,$@) $(DATED) mkimage -A arm64 -O linux -T script -C none -n Toklat \
		-d $< $@ >/dev/null

FIT_PARTS := dts/toklat.its tools/make-fit $(EL2_BIN) $(BOOT_INITRD) build/uboot/variables

build/toklat-virt.itb: $(FIT_PARTS)
	$(call say,MKIMAGE,$@) $(DATED) tools/make-fit $@ virt $(EL2_BIN) $(BOOT_INITRD)

$(BOARDS:%=build/toklat-%.itb): build/toklat-%.itb: $(FIT_PARTS) build/trees/%-chosen.dtb
	$(call say,MKIMAGE,$@) $(DATED) tools/make-fit $@ $* $(EL2_BIN) $(BOOT_INITRD) \
		build/trees/$*-chosen.dtb

$(UBOOT_DISK): build/toklat-virt.itb build/uboot/boot.scr tools/make-card tools/make-boot-folder
	$(Q)tools/make-boot-folder build/uboot/virt virt uboot $(BOOT_INITRD)
	$(call say,CARD,$@) $(DATED) tools/make-card $@ build/uboot/virt --size 64M

build/uboot/variables: FORCE
	$(call remember,$(BOOT_INITRD) $(APPEND) $(SOURCE_DATE_EPOCH) $(CC) $(CARD_SIZE) \
		$(CARD_VMS))

# --- Device trees and overlays --------------------------------------------------------------

TREES_DIR := build/src/u-boot-trees
TREES_rpi3 := bcm2837-rpi-3-b bcm2837-rpi-3-b-plus
TREES_rpi4 := bcm2711-rpi-4-b
OVERLAYS := build/overlays/pl011.dtbo build/overlays/deployment-hello.dtbo

build/trees/.sources: tools/fetch-source tools/private-apt.sh build/libfdt/source
	$(call say,FETCH,trees) tools/fetch-source "$(LIBFDT_SOURCE)" $(TREES_DIR) \
		arch/arm/dts include/dt-bindings
	@mkdir -p $(@D)
	@touch $@

build/trees/%.dtb: build/trees/.sources tools/make-tree
	$(call say,DTC,$@) tools/make-tree $(TREES_DIR)/arch/arm/dts/$*.dts $@ \
		-I$(TREES_DIR)/include -I$(TREES_DIR)/arch/arm/dts

# A FIT's tree has the boot arguments in it.
build/trees/%-chosen.dtbo: dts/overlays/chosen.dts tools/make-tree build/uboot/variables
	$(call say,DTC,$@) tools/make-tree $< $@ -DBOOTARGS='"$(APPEND)"' \
		-DSTDOUT='"serial1:115200n8"'

build/trees/rpi3-chosen.dtb: build/trees/bcm2837-rpi-3-b.dtb
build/trees/rpi4-chosen.dtb: build/trees/bcm2711-rpi-4-b.dtb
$(BOARDS:%=build/trees/%-chosen.dtb): build/trees/%-chosen.dtb: build/trees/%-chosen.dtbo
	$(Q)fdtoverlay -i $(filter-out $<,$^) -o $@ $<

build/overlays/%.dtbo: dts/overlays/%.dts tools/make-tree
	$(call say,DTC,$@) tools/make-tree $< $@

build/overlays/deployment-%.dtbo: dts/overlays/deployment.dts tools/make-tree
	$(call say,DTC,$@) tools/make-tree $< $@ -DDEPLOYMENT='"$*"'

# A tree whose console is the PL011: QEMU's first serial line. The second is free for the uplink.
build/boards/rpi3.dtb: build/trees/bcm2837-rpi-3-b.dtb
build/boards/rpi4.dtb: build/trees/bcm2711-rpi-4-b.dtb
$(BOARD_TREES): build/overlays/pl011.dtbo
	@mkdir -p $(@D)
	$(call say,DTC,$@) fdtoverlay -i $(filter-out $<,$^) -o $@ $<

# --- Cards ----------------------------------------------------------------------------------

FIRMWARE_PACKAGE := raspi-firmware=1.20220830*
UBOOT_RPI_PACKAGE := u-boot-rpi=2023.01*

build/firmware/.source: tools/fetch-binary tools/private-apt.sh card.mk
	$(call say,FETCH,raspi-firmware) tools/fetch-binary "$(FIRMWARE_PACKAGE)" $(@D) \
		usr/lib/raspi-firmware

build/u-boot-rpi3/.source build/u-boot-rpi4/.source: build/u-boot-rpi%/.source: \
		tools/fetch-binary tools/private-apt.sh card.mk
	$(call say,FETCH,u-boot-rpi) tools/fetch-binary "$(UBOOT_RPI_PACKAGE)" $(@D) \
		usr/lib/u-boot/rpi_$*/u-boot.bin

# build/toklat is tools/toklat.mk's, which is read later.
CARD_PARTS := $(EL2_BIN) $(BOOT_INITRD) build/toklat \
	build/firmware/.source build/uboot/variables \
	$(OVERLAYS) dts/card/config.txt tools/make-card tools/make-boot-folder

# $(call card,BOARD,BOOT,more of what is needed)
define card
build/toklat-$(1)$(if $(filter uboot,$(2)),-uboot).img: $$(CARD_PARTS) dts/card/$(2).txt $(3) \
		$$(TREES_$(1):%=build/trees/%.dtb)
	$$(Q)tools/make-boot-folder build/card/$(1)-$(2) $(1) $(2) $$(BOOT_INITRD) \
		$$(TREES_$(1):%=build/trees/%.dtb)
	$$(call say,CARD,$$@) $(DATED) tools/make-card $$@ build/card/$(1)-$(2) \
		--size $$(CARD_SIZE) --store-vms $$(CARD_VMS)
endef
$(foreach b,$(BOARDS),$(eval $(call card,$b,direct,)))
$(foreach b,$(BOARDS),$(eval $(call card,$b,uboot,build/uboot/boot.scr build/u-boot-$b/.source)))
