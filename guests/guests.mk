# SPDX-License-Identifier: BSD-2-Clause
# Builds the guests: $(BUILD)/guests/NAME.elf for every name below. Included by the top Makefile;
# works alone too (make -f guests/guests.mk), from the top of the tree.
#
# To add a guest, add a folder guests/NAME, or tests/guests/NAME, with its sources and one line at
# the end:
#   $(eval $(call guest,NAME,[net [httpd]]))
# "net" links lwIP and the network driver (the folder then has a net_config.h), "httpd" also
# lwIP's HTTP server.

BUILD ?= build
CROSS ?= aarch64-linux-gnu-
GUEST_CC ?= $(CROSS)gcc

guests: # the default goal when this file is used alone

LWIP_VERSION := 2.1.3
LWIP := $(BUILD)/guests/lwip-$(LWIP_VERSION)
LWIP_STAMP := $(LWIP)/.source

# What Cortex-A53 may execute wrongly, as in el2.mk.
CORTEX_A53 := -mfix-cortex-a53-835769 -mfix-cortex-a53-843419
# What the code of every guest needs, the SDK's users' as well (install.mk), but for the registers.
GUEST_CODE := $(CORTEX_A53) -ffreestanding -fbuiltin -march=armv8-a \
    -mstrict-align -mno-outline-atomics -fno-pie -fno-stack-protector -fno-common \
    -fno-asynchronous-unwind-tables -ffunction-sections -fdata-sections
GUEST_REGISTERS := -mgeneral-regs-only
GUEST_CFLAGS := -std=gnu11 -O2 -g $(GUEST_CODE) $(GUEST_REGISTERS) \
    -I. -nostdinc -isystem guests/rt/libc
GUEST_INCLUDE := -isystem $(shell $(GUEST_CC) -print-file-name=include 2>/dev/null)
GUEST_WARNINGS := -Wall -Wextra -Werror -Wshadow -Wundef -Wvla -Wmissing-prototypes -Wconversion
GUEST_LINK := -nostdlib -static -no-pie -Wl,--build-id=none -Wl,--gc-sections \
    -Wl,-z,max-page-size=4096 -Wl,-z,noexecstack -Wl,--fix-cortex-a53-843419=adr
GUEST_LDFLAGS := $(GUEST_LINK) -Wl,-T,guests/rt/guest.ld

# The runtime without and with the network.
RT_SOURCES := $(addprefix guests/rt/,start.S start.c console.c events.c heap.c http.c input.c \
    random.c time.c libc/memory.S libc/string.c libc/format.c)
RT_NET_SOURCES := $(addprefix guests/rt/,net.c nic.c tcp.c timers.c checksum.c)

# lwIP 2.1.3, as far as the options in guests/rt/lwip/lwipopts.h need it.
LWIP_NET_FILES := $(addprefix core/,def.c inet_chksum.c init.c ip.c mem.c memp.c netif.c pbuf.c \
    tcp.c tcp_in.c tcp_out.c udp.c ipv4/etharp.c ipv4/icmp.c ipv4/ip4.c ipv4/ip4_addr.c) \
    netif/ethernet.c
LWIP_HTTPD_FILES := apps/http/httpd.c apps/http/fs.c
LWIP_CFLAGS := -isystem $(LWIP)/src/include -Iguests/rt/lwip

$(LWIP_STAMP): tools/fetch-source | packages
	$(call say,FETCH,lwip) FETCH_CACHE=$(BUILD)/sources \
	    tools/fetch-source 'lwip=$(LWIP_VERSION)*' $(LWIP)

# guest_objects NAME FEATURES: every guest has its own, because lwIP's options differ.
define guest_objects
guest_$(1)_folder := $$(firstword $$(wildcard guests/$(1) tests/guests/$(1)))
guest_$(1)_dir := $(BUILD)/guests/obj/$(1)
guest_$(1)_own := $$(RT_SOURCES) \
    $$(sort $$(wildcard $$(guest_$(1)_folder)/*.c $$(guest_$(1)_folder)/*.S)) \
    $$(if $$(filter net,$(2)),$$(RT_NET_SOURCES))
guest_$(1)_lwip := $$(if $$(filter net,$(2)),$$(LWIP_NET_FILES)) \
    $$(if $$(filter httpd,$(2)),$$(LWIP_HTTPD_FILES))
guest_$(1)_own_objects := $$(guest_$(1)_own:%=$$(guest_$(1)_dir)/%.o)
guest_$(1)_lwip_objects := $$(guest_$(1)_lwip:%=$$(guest_$(1)_dir)/lwip/%.o)
guest_$(1)_objects := $$(guest_$(1)_own_objects) $$(guest_$(1)_lwip_objects)
guest_$(1)_cflags := $$(if $$(filter net,$(2)),-I$$(guest_$(1)_folder) $$(LWIP_CFLAGS))

$$(guest_$(1)_own_objects): $$(guest_$(1)_dir)/%.o: % guests/guests.mk | \
    packages $$(if $$(filter net,$(2)),$$(LWIP_STAMP))
	@mkdir -p $$(@D)
	$$(call say,CC,$$<) $$(GUEST_CC) $$(GUEST_CFLAGS) $$(GUEST_INCLUDE) $$(GUEST_WARNINGS) \
	    $$(guest_$(1)_cflags) -MD -MP -c $$< -o $$@

# Third-party code is compiled as it is: its warnings are not ours.
$$(guest_$(1)_lwip_objects): $$(guest_$(1)_dir)/lwip/%.o: $$(LWIP_STAMP) guests/guests.mk
	@mkdir -p $$(@D)
	$$(call say,CC,lwip/$$*) $$(GUEST_CC) $$(GUEST_CFLAGS) $$(GUEST_INCLUDE) -w \
	    $$(guest_$(1)_cflags) -MD -MP -c $$(LWIP)/src/$$* -o $$@

-include $$(guest_$(1)_objects:.o=.d)
endef

# The image with its symbols stays beside the objects, for a debugger.
define guest
$(call guest_objects,$(1),$(2))
$$(guest_$(1)_dir)/$(1).elf: $$(guest_$(1)_objects) guests/rt/guest.ld
	$$(call say,LINK,$$@) $$(GUEST_CC) $$(GUEST_CFLAGS) $$(GUEST_LDFLAGS) \
	    -Wl,-Map,$$(guest_$(1)_dir)/$(1).map $$(guest_$(1)_objects) -o $$@

$$(BUILD)/guests/$(1).elf: $$(guest_$(1)_dir)/$(1).elf
	$$(call say,STRIP,$$@) $$(CROSS)objcopy --strip-all $$< $$@

guests: $$(BUILD)/guests/$(1).elf
GUEST_IMAGES += $$(BUILD)/guests/$(1).elf
endef

.PHONY: guests packages

$(eval $(call guest,hello,))
$(eval $(call guest,httpd,net httpd))
$(eval $(call guest,portal,net))
$(eval $(call guest,supervisor,net))

# The supervisor's page lies in it as it is sent. -n: no name and no time in it.
PAGE_DIR := $(BUILD)/guests/obj/supervisor
$(PAGE_DIR)/guests/supervisor/page.S.o: $(PAGE_DIR)/dashboard.html.gz
$(PAGE_DIR)/guests/supervisor/page.S.o: GUEST_CFLAGS += -Wa,-I$(PAGE_DIR)
$(PAGE_DIR)/dashboard.html.gz: guests/supervisor/page/dashboard.html
	@mkdir -p $(@D)
	$(call say,GZIP,$<) gzip -9nc $< >$@

# What only tests run.
$(eval $(call guest,faulty,))
$(eval $(call guest,stillborn,))
$(eval $(call guest,large,))
$(eval $(call guest,mmu,))
$(eval $(call guest,clones,))
$(eval $(call guest,echo,))
$(eval $(call guest,sleeper,))
$(eval $(call guest,spin,))
$(eval $(call guest,typist,))
$(eval $(call guest,bench,))
$(eval $(call guest,bench_http,net))
$(eval $(call guest,intruder,net))
