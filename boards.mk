# SPDX-License-Identifier: BSD-2-Clause
#
# Device trees of boards, for QEMU and for cards: build/boards/NAME.dtb, from the sources that
# u-boot carries. What firmware puts into a tree at boot (memory, /chosen) is not in them.

BOARD_rpi3 := bcm2837-rpi-3-b
BOARD_rpi4 := bcm2711-rpi-4-b
BOARD_DTBS := build/boards/rpi3.dtb build/boards/rpi4.dtb

BOARDS_DIR := build/src/boards
BOARDS_DTS := $(BOARDS_DIR)/arch/arm/dts

$(BOARDS_DIR)/.source: tools/fetch-source build/libfdt/source
	$(call say,FETCH,device trees) tools/fetch-source "$(LIBFDT_SOURCE)" $(BOARDS_DIR) \
		arch/arm/dts include/dt-bindings
	@touch $@

# Labels stay (-@): a board's tree may be given overlays.
$(BOARD_DTBS): build/boards/%.dtb: $(BOARDS_DIR)/.source
	@mkdir -p $(@D)
	$(call say,DTC,$@) cpp -nostdinc -undef -D__DTS__ -x assembler-with-cpp -P \
		-I $(BOARDS_DIR)/include -I $(BOARDS_DTS) $(BOARDS_DTS)/$(BOARD_$*).dts -o $@.dts
	$(Q)dtc -q -@ -I dts -O dtb -o $@ $@.dts

.PHONY: boards
boards: $(BOARD_DTBS)
