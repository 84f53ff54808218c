# SPDX-License-Identifier: BSD-2-Clause
#
# make bench-codec: what pages take as the store keeps them. bench.c includes mm/codec.c; it is
# linked with EL2's own copies, checksums and LZ4, for a machine without EL2.

CODEC_BENCH := build/bench/codec.elf
CODEC_BENCH_C := tests/bench/codec/start.S tests/bench/codec/bench.c core/base/fmt.c \
	core/base/crc32c.c arch/arm64/page.S arch/arm64/checksum.S

.PHONY: bench-codec
bench-codec: $(CODEC_BENCH) all
	@tests/bench/codec/measure.py $<

$(CODEC_BENCH): $(CODEC_BENCH_C) mm/codec.c tests/bench/codec/codec.mk build/el2/lz4.o \
		build/el2/core/base/string.o
	@mkdir -p $(@D)
	$(call say,LINK,$@) $(CC) $(EL2_CFLAGS) -fno-lto $(WARNINGS) $(EL2_INCLUDE) -static \
		-no-pie -nostdlib -Wl,-Ttext=0x40080000,-e,start,--build-id=none,--gc-sections \
		-o $@ $(filter-out mm/codec.c,$(filter %.c %.S %.o,$^))
