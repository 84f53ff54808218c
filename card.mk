# SPDX-License-Identifier: BSD-2-Clause
#
# What U-Boot boots from, and images of cards (docs/flash.md).
#
#   dts/toklat.its    build/toklat-BOARD.itb   kernel, archive, device tree, each with its hash
#   dts/boot.cmd      build/uboot/boot.scr     U-Boot's part
#                     build/toklat-virt.img    the disk of make run BOOT=uboot

# Times in images are the commit's, so that the same tree makes the same bytes.
SOURCE_DATE_EPOCH ?= $(or $(shell git log -1 --format=%ct 2>/dev/null),1700000000)
export SOURCE_DATE_EPOCH

UBOOT_DISK := build/toklat-virt.img

build/uboot/boot.scr: dts/boot.cmd
	@mkdir -p $(@D)
	$(call say,MKIMAGE,$@) mkimage -A arm64 -O linux -T script -C none -n Toklat -d $< $@ \
		>/dev/null

build/toklat-virt.itb: dts/toklat.its tools/make-fit $(EL2_BIN) $(INITRD) build/uboot/variables
	$(call say,MKIMAGE,$@) tools/make-fit $@ virt $(EL2_BIN) $(INITRD)

# The folder is what the disk's first partition will hold.
$(UBOOT_DISK): build/toklat-virt.itb build/uboot/boot.scr tools/make-card build/uboot/variables
	@rm -rf build/uboot/virt && mkdir -p build/uboot/virt
	@cp build/uboot/boot.scr build/uboot/virt/
	@cp build/toklat-virt.itb build/uboot/virt/toklat.itb
	@printf '%s\n' board_configuration=virt 'bootargs=$(APPEND)' >build/uboot/virt/toklat.env
	$(call say,CARD,$@) tools/make-card $@ build/uboot/virt --size 64M

build/uboot/variables: FORCE
	$(call remember,$(INITRD) $(APPEND) $(SOURCE_DATE_EPOCH) $(CC))
