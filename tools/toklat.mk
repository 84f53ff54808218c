# SPDX-License-Identifier: BSD-2-Clause
#
# The host's command, build/toklat: tools/toklat, and what it shares with EL2.

TOOL := build/toklat
TOOL_CC := gcc
TOOL_C := $(sort $(wildcard tools/toklat/*.c tools/toklat/client/*.c)) core/base/crc32c.c
TOOL_OBJ := $(TOOL_C:%.c=build/tool/%.o)
TOOL_CFLAGS := -std=gnu11 -O2 -g -fno-common -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64
TOOL_INCLUDE := -I.
TOOL_LIBS := -lcurl -ljansson -lncursesw -ltinfo -lfdt

$(TOOL): $(TOOL_OBJ)
	$(call say,LINK,$@) $(TOOL_CC) $(TOOL_CFLAGS) -o $@ $^ $(TOOL_LIBS)

build/tool/%.o: %.c build/tool/flags
	@mkdir -p $(@D)
	$(call say,HOSTCC,$<) $(TOOL_CC) $(TOOL_CFLAGS) $(WARNINGS) $(TOOL_INCLUDE) \
		-MMD -MP -c -o $@ $<

build/tool/flags: FORCE
	$(call remember,$(TOOL_CC) $(TOOL_CFLAGS) $(WARNINGS) $(TOOL_INCLUDE) $(TOOL_OBJ))

-include $(TOOL_OBJ:.o=.d)
