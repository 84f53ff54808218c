# SPDX-License-Identifier: BSD-2-Clause
#
# Unit tests and fuzzers: host programs under the address and undefined-behaviour sanitizers. Each
# tests/unit/test_NAME.c or tests/fuzz/fuzz_NAME.c says in its first lines what it is linked with:
#
#   // sources: mm/frame.c arch/host/memory.c
#
# "machine" there means all that the machine of tests/unit/machine.h is made of, "supervisor" the
# supervisor without its network, and the machine of tests/unit/fake_control.h for it.
#
# libfdt and LZ4 are always at hand. Sources are compiled as those of EL2 are, with the same
# warnings.

UNIT_TESTS := $(patsubst tests/unit/%.c,build/unit/%,$(sort $(wildcard tests/unit/test_*.c)))
FUZZ_TESTS := $(patsubst tests/fuzz/%.c,build/fuzz/%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))

HOST_CC := gcc
FUZZ_CC := clang
HOST_CFLAGS := -std=gnu11 -O1 -g -fno-omit-frame-pointer -fno-common -DDEBUG \
	-fsanitize=address,undefined -fno-sanitize-recover=all $(WARNINGS)
# cmocka's macros convert between integers and pointers in ways that these two dislike.
UNIT_CFLAGS := -Wno-conversion -Wno-sign-conversion
HOST_INCLUDE := -I. -isystem build/libfdt/include -isystem build/lz4/include

.PHONY: unit fuzz
unit: $(UNIT_TESTS)
	@tools/test-all $(UNIT_TESTS)
fuzz: $(FUZZ_TESTS)
	@tools/test-all $(FUZZ_TESTS)

MACHINE_SOURCES := $(addprefix tests/unit/,machine.c machine_check.c fake_block.c) \
	$(addprefix core/,vm.c run.c ending.c hypercall.c fault.c group.c load.c network.c) \
	$(addprefix core/,identity.c archive.c arrival.c residence.c transit.c fetch.c) \
	$(addprefix core/,snapshot.c bringback.c shutdown.c mail.c move.c control.c) \
	$(addprefix core/,control_read.c operate.c journal.c deployment_check.c) \
	$(addprefix core/base/,error.c fmt.c log.c random.c string_copy.c crc32c.c) \
	$(addprefix mm/,frame.c frame_init.c buddy.c slab.c table.c space.c space_fault.c) \
	$(addprefix mm/,guest.c image.c codec.c record.c record_read.c store.c store_log.c) \
	$(addprefix mm/,store_index.c store_mount.c store_replay.c store_clean.c) \
	sched/mux.c sched/wheel.c sched/gatekeeper.c sched/gate_pool.c \
	$(addprefix dev/virtual/,console.c nic.c switch.c vring.c) \
	$(addprefix arch/host/,checksum.c context.c cpu.c irq.c memory.c stage2.c time.c)

SUPERVISOR_SOURCES := guests/rt/http.c tests/unit/fake_control.c \
	$(filter-out $(addprefix guests/supervisor/,connection.c control.c main.c server.c), \
	$(sort $(wildcard guests/supervisor/*.c)))

# $(call sources_of,FILE)
sources_of = $(patsubst supervisor,$(SUPERVISOR_SOURCES),$(call machine_sources_of,$(1)))
machine_sources_of = $(patsubst machine,$(MACHINE_SOURCES), \
	$(shell sed -n '1,20s|^// sources: *||p' $(1)))

# $(call host_program,PROGRAM,MAIN,KIND): KIND is unit or fuzz, and names the folder of objects.
define host_program
$(1): $$(patsubst %.c,build/$(3)/obj/%.o,$(2) $$(call sources_of,$(2))) build/$(3)/libfdt.a \
	build/$(3)/liblz4.a
endef
$(foreach p,$(UNIT_TESTS),$(eval $(call host_program,$(p),$(p:build/%=tests/%).c,unit)))
$(foreach p,$(FUZZ_TESTS),$(eval $(call host_program,$(p),$(p:build/%=tests/%).c,fuzz)))

$(UNIT_TESTS):
	$(call say,LINK,$@) $(HOST_CC) $(HOST_CFLAGS) -o $@ $^ -lcmocka -lm

$(FUZZ_TESTS):
	$(call say,LINK,$@) $(FUZZ_CC) -fsanitize=fuzzer $(HOST_CFLAGS) -o $@ $^

# Prometheus is unpacked and not installed: Debian's package would start a service.
build/prometheus/.source: tools/fetch-binary tools/private-apt.sh tests/unit/unit.mk
	$(call say,FETCH,prometheus) FETCH_ARCHITECTURE=native tools/fetch-binary \
		'prometheus=2.*' $(@D) usr/bin/prometheus usr/bin/promtool
build/unit/test_supervisor_metrics: | build/prometheus/.source

build/unit/obj/tests/unit/%.o: UNIT_ONLY = $(UNIT_CFLAGS)

build/unit/obj/%.o: %.c build/unit/flags | $(LIBRARY_HEADERS)
	@mkdir -p $(@D)
	$(call say,HOSTCC,$<) $(HOST_CC) $(HOST_CFLAGS) $(UNIT_ONLY) \
		$(HOST_INCLUDE) -MD -MP -c -o $@ $<

build/fuzz/obj/%.o: %.c build/fuzz/flags | $(LIBRARY_HEADERS)
	@mkdir -p $(@D)
	$(call say,FUZZCC,$<) $(FUZZ_CC) -fsanitize=fuzzer-no-link $(HOST_CFLAGS) $(HOST_INCLUDE) \
		-MD -MP -c -o $@ $<

build/unit/flags: FORCE
	$(call remember,$(HOST_CC) $(HOST_CFLAGS) $(UNIT_CFLAGS) $(HOST_INCLUDE))
build/fuzz/flags: FORCE
	$(call remember,$(FUZZ_CC) $(HOST_CFLAGS) $(HOST_INCLUDE))

# The libraries for the host: not ours to warn about. One part of libfdt drags others in that write.
HOST_LIBFDT_C := $(LIBFDT_C) fdt_rw fdt_wip
build/unit/libfdt.a: $(HOST_LIBFDT_C:%=build/unit/libfdt/%.o)
build/fuzz/libfdt.a: $(HOST_LIBFDT_C:%=build/fuzz/libfdt/%.o)
build/unit/liblz4.a: build/unit/lz4/lz4.o
build/fuzz/liblz4.a: build/fuzz/lz4/lz4.o
build/unit/libfdt.a build/fuzz/libfdt.a build/unit/liblz4.a build/fuzz/liblz4.a:
	@rm -f $@
	$(Q)ar rcsD $@ $^

build/unit/libfdt/%.o: build/libfdt/.headers build/unit/flags
	@mkdir -p $(@D)
	$(Q)$(HOST_CC) $(HOST_CFLAGS) -w -I$(LIBFDT_DIR) -c -o $@ $(LIBFDT_DIR)/$*.c

build/fuzz/libfdt/%.o: build/libfdt/.headers build/fuzz/flags
	@mkdir -p $(@D)
	$(Q)$(FUZZ_CC) -fsanitize=fuzzer-no-link $(HOST_CFLAGS) -w -I$(LIBFDT_DIR) -c -o $@ \
		$(LIBFDT_DIR)/$*.c

build/unit/lz4/lz4.o: build/lz4/.headers mm/lz4.h build/unit/flags
	@mkdir -p $(@D)
	$(Q)$(HOST_CC) $(HOST_CFLAGS) $(HOST_INCLUDE) -w -include mm/lz4.h -c -o $@ \
		$(LZ4_DIR)/lz4.c

build/fuzz/lz4/lz4.o: build/lz4/.headers mm/lz4.h build/fuzz/flags
	@mkdir -p $(@D)
	$(Q)$(FUZZ_CC) -fsanitize=fuzzer-no-link $(HOST_CFLAGS) $(HOST_INCLUDE) -w \
		-include mm/lz4.h -c -o $@ $(LZ4_DIR)/lz4.c

-include $(shell find build/unit build/fuzz -name '*.d' 2>/dev/null)
