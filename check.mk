# SPDX-License-Identifier: BSD-2-Clause
#
# make check: layout, warnings of two compilers, static analysis, and the tree's own rules. The
# build itself is the check with gcc. Files are looked at again only when they or their headers
# have changed.

CHECK_CC := clang --target=aarch64-linux-gnu
CHECK_CFLAGS := -std=gnu11 -ffreestanding $(EL2_MACHINE) $(WARNINGS) $(EL2_INCLUDE)
# A guest's lwIP options are in its own folder; the runtime is looked at with those of httpd.
CHECK_GUEST_CFLAGS = -std=gnu11 -ffreestanding $(EL2_MACHINE) $(WARNINGS) -I. -I$(<D) \
	-isystem guests/rt/libc $(LWIP_CFLAGS) -Iguests/httpd
CHECK_HOST_CFLAGS := -std=gnu11 $(WARNINGS) $(HOST_INCLUDE) -DDEBUG
CHECK_TOOL_CFLAGS := $(TOOL_CFLAGS) $(WARNINGS) $(TOOL_INCLUDE)

GUEST_C := $(sort $(wildcard guests/*/*.c guests/rt/libc/*.c tests/guests/*/*.c))
# Does wrong on purpose, and is found out.
GUEST_C := $(filter-out tests/guests/faulty/fatal.c,$(GUEST_C))
CHECK_EL2 := $(EL2_C:%.c=build/check/el2/%.ok)
HOST_C := $(sort $(wildcard arch/host/*.c tests/bench/*.c))
CHECK_HOST := $(HOST_C:%.c=build/check/host/%.ok)
CHECK_GUESTS := $(patsubst %.c,build/check/guest/%.ok,$(GUEST_C))
CHECK_TOOL := $(patsubst %.c,build/check/tool/%.ok,$(filter tools/%,$(TOOL_C) $(SLIP_C)))

CPPCHECK := cppcheck --quiet --std=c11 --platform=unix64 --error-exitcode=1 --inline-suppr \
	--enable=warning,portability,performance --suppressions-list=.cppcheck \
	-D__aarch64__ -D__SIZEOF_POINTER__=8 -I.

C_FOLDERS := abi arch core dev mm sched guests tests tools

.PHONY: check-format check-words check-layers check-size check-boot-code check-errata \
	check-cppcheck check-clang

check: all check-format check-words check-layers check-size check-boot-code check-errata \
	check-clang check-cppcheck
	@echo 'check: nothing found'

check-format:
	$(call say,CHECK,clang-format) find $(C_FOLDERS) -name '*.[ch]' -print0 | \
		xargs -0 clang-format --dry-run -Werror

check-words check-layers:
	$(call say,CHECK,$(@:check-%=%)) tools/$@

check-size: $(EL2_ELF)
	$(call say,CHECK,size) tools/$@ $<

check-boot-code: $(EL2_ELF)
	$(call say,CHECK,boot code) tools/$@ $<

check-errata: $(EL2_ELF) $(GUEST_IMAGES)
	$(call say,CHECK,errata) tools/$@ $^

check-cppcheck: build/check/cppcheck.ok
build/check/cppcheck.ok: $(shell find $(C_FOLDERS) -name '*.[ch]') .cppcheck check.mk
	@mkdir -p $(@D)
	$(call say,CHECK,cppcheck) $(CPPCHECK) -j$(shell nproc) $(EL2_C) $(HOST_C) \
		$(GUEST_C) $(filter tools/%,$(TOOL_C) $(SLIP_C))
	@touch $@

check-clang: $(CHECK_EL2) $(CHECK_HOST) $(CHECK_GUESTS) $(CHECK_TOOL)

# $(call examine,FLAGS): warnings of clang, then clang-tidy.
define examine
@mkdir -p $(@D)
$(call say,CHECK,$<) $(1) -fsyntax-only -MMD -MP -MT $@ -MF $(@:.ok=.d) $<
$(Q)clang-tidy --quiet $< -- $(wordlist 2,99,$(1)) 2>/dev/null
@touch $@
endef

build/check/el2/%.ok: %.c .clang-tidy build/check/flags | $(LIBRARY_HEADERS)
	$(call examine,$(CHECK_CC) $(CHECK_CFLAGS))

build/check/host/%.ok: %.c .clang-tidy build/check/flags | $(LIBRARY_HEADERS)
	$(call examine,clang $(CHECK_HOST_CFLAGS))

build/check/tool/%.ok: %.c .clang-tidy build/check/flags
	$(call examine,clang $(CHECK_TOOL_CFLAGS))

build/check/guest/%.ok: %.c .clang-tidy build/check/flags | guests
	$(call examine,$(CHECK_CC) $(CHECK_GUEST_CFLAGS))

build/check/flags: FORCE
	$(call remember,$(CHECK_CFLAGS) $(CHECK_HOST_CFLAGS) $(CHECK_TOOL_CFLAGS) $(LWIP_CFLAGS))

-include $(patsubst %.ok,%.d,$(CHECK_EL2) $(CHECK_HOST) $(CHECK_GUESTS) $(CHECK_TOOL))
