# SPDX-License-Identifier: BSD-2-Clause
#
# build/toklat-slip, the other end of a serial uplink: tools/slip, and the codec of EL2.

SLIP := build/toklat-slip
SLIP_C := $(sort $(wildcard tools/slip/*.c)) core/base/slip.c
SLIP_OBJ := $(SLIP_C:%.c=build/tool/%.o)

$(SLIP): $(SLIP_OBJ)
	$(call say,LINK,$@) $(TOOL_CC) $(TOOL_CFLAGS) -o $@ $^

-include $(SLIP_OBJ:.o=.d)
