# SPDX-License-Identifier: BSD-2-Clause
#
# The load generator, a program of the build machine, and what drives it: make bench-scale,
# bench-smp.

LOAD := build/bench/load
LOAD_OBJ := $(patsubst %.c,build/bench/obj/%.o,$(sort $(wildcard tests/bench/*.c)))
LOAD_CFLAGS := -std=gnu11 -O2 -g $(WARNINGS) -I.

.PHONY: bench-scale bench-smp

bench-scale: all $(LOAD)
	@tools/bench-scale $(SCALE)

bench-smp: all $(LOAD)
	@tools/bench-smp

$(LOAD): $(LOAD_OBJ)
	$(call say,LINK,$@) $(HOST_CC) $(LOAD_CFLAGS) -o $@ $^ -lm

build/bench/obj/%.o: %.c build/bench/flags
	@mkdir -p $(@D)
	$(call say,HOSTCC,$<) $(HOST_CC) $(LOAD_CFLAGS) -MMD -MP -c -o $@ $<

build/bench/flags: FORCE
	$(call remember,$(HOST_CC) $(LOAD_CFLAGS) $(LOAD_OBJ))

-include $(LOAD_OBJ:.o=.d)
