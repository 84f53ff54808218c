# SPDX-License-Identifier: BSD-2-Clause
#
# make install: the host's command with its manual page and completions, and what guests are built
# with outside this tree, the SDK. make uninstall removes the same files.
#
#   PREFIX/bin/toklat
#   PREFIX/include/toklat   abi/, guests/rt/ and lwIP's headers: an include root like this tree's
#   PREFIX/lib/toklat       libtoklat-rt.a, libtoklat-net.a, guest.ld
#   PREFIX/share            pkgconfig, man, completions of bash and zsh, licences
#
# The libraries are made of the objects of a guest named sdk, whose lwIP is that of
# guests/sdk/net_config.h. That file is installed beside lwipopts.h, where it is found first.

SDK := build/sdk
SDK_FILES := $(addprefix $(SDK)/,libtoklat-rt.a libtoklat-net.a toklat-guest.pc \
	toklat-guest-net.pc toklat.bash toklat.zsh)
$(eval $(call guest_objects,sdk,net))

SDK_RT := $(RT_SOURCES:%=$(guest_sdk_dir)/%.o)
$(SDK)/libtoklat-rt.a: $(SDK_RT)
$(SDK)/libtoklat-net.a: $(filter-out $(SDK_RT),$(guest_sdk_objects))
$(SDK)/%.a:
	@mkdir -p $(@D)
	@rm -f $@
	$(call say,AR,$@) $(CROSS)ar qcsD $@ $^
	$(Q)$(CROSS)objcopy --enable-deterministic-archives --strip-debug $@

# The files of pkg-config. Their version is the ABI's.
ABI_VERSION := $(shell sed -n 's/^.define TOKLAT_ABI_M[AI][JN]OR //p' abi/hypercall.h | paste -sd.)
define PC_GUEST
prefix=$(abspath $(PREFIX))
includedir=$${prefix}/include/toklat
libdir=$${prefix}/lib/toklat
# Empty for a guest that uses FP and SIMD registers.
registers=$(GUEST_REGISTERS)

Name: toklat-guest
Description: Runtime for guests of Toklat
Version: $(ABI_VERSION)
Cflags: -I$${includedir} -isystem $${includedir}/guests/rt/libc $(GUEST_CODE) $${registers}
Libs: -L$${libdir} $(CORTEX_A53) $(GUEST_LINK) -Wl,-T,$${libdir}/guest.ld -ltoklat-rt -lgcc
endef
define PC_GUEST_NET
prefix=$(abspath $(PREFIX))
includedir=$${prefix}/include/toklat
libdir=$${prefix}/lib/toklat

Name: toklat-guest-net
Description: Network for guests of Toklat: lwIP $(LWIP_VERSION), raw API
Version: $(ABI_VERSION)
Requires: toklat-guest = $(ABI_VERSION)
Cflags: -isystem $${includedir}/lwip -I$${includedir}/guests/rt/lwip
Libs: -L$${libdir} -ltoklat-net
endef
export PC_GUEST PC_GUEST_NET

$(SDK)/toklat-guest.pc: $(SDK)/variables
	$(call say,MAKE,$@) printf '%s\n' "$$PC_GUEST" >$@
$(SDK)/toklat-guest-net.pc: $(SDK)/variables
	$(call say,MAKE,$@) printf '%s\n' "$$PC_GUEST_NET" >$@
$(SDK)/variables: FORCE
	$(call remember,$(PC_GUEST) $(PC_GUEST_NET))

$(SDK)/toklat.%: $(TOOL)
	@mkdir -p $(@D)
	$(call say,MAKE,$@) $(TOOL) completion $* >$@

# What goes where: FILE:PLACE, below PREFIX. A folder's headers keep their names.
ROOT_FOLDER = $(DESTDIR)$(abspath $(PREFIX))
LWIP_INCLUDE := $(LWIP)/src/include
RT_PUBLIC := console events http hypercall image memory net random tcp time
# $(call into,FOLDER,FILES)
into = $(foreach f,$(2),$(f):$(1)/$(notdir $(f)))
# Those that uninstall names one by one; the rest is in folders that are Toklat's alone.
OUTSIDE := $(TOOL):bin/toklat docs/toklat.1:share/man/man1/toklat.1 \
	$(SDK)/toklat.bash:share/bash-completion/completions/toklat \
	$(SDK)/toklat.zsh:share/zsh/site-functions/_toklat \
	$(call into,share/pkgconfig,$(filter %.pc,$(SDK_FILES)))
# What lwIP has is known when it has been fetched.
INSIDE = $(call into,lib/toklat,$(filter %.a,$(SDK_FILES)) guests/rt/guest.ld) \
	$(call into,include/toklat/abi,$(wildcard abi/*.h)) \
	$(call into,include/toklat/guests/rt,$(RT_PUBLIC:%=guests/rt/%.h)) \
	$(call into,include/toklat/guests/rt/libc,$(wildcard guests/rt/libc/*.h)) \
	$(call into,include/toklat/guests/rt/lwip,$(wildcard guests/rt/lwip/*.h guests/sdk/*.h)) \
	$(call into,include/toklat/guests/rt/lwip/arch,$(wildcard guests/rt/lwip/arch/*.h)) \
	$(foreach f,$(shell cd $(LWIP_INCLUDE) && find lwip netif -name '*.h' ! -path '*/apps/*'), \
		$(LWIP_INCLUDE)/$(f):include/toklat/lwip/$(f)) \
	LICENSE:share/doc/toklat/LICENSE $(LWIP)/COPYING:share/doc/toklat/COPYING.lwip

.PHONY: sdk install uninstall
sdk: $(TOOL) $(SDK_FILES)

install: sdk
	$(Q)for f in $(OUTSIDE) $(INSIDE); do \
		case $$f in *:bin/*) mode=755 ;; *) mode=644 ;; esac; \
		install -D -m $$mode "$${f%%:*}" "$(ROOT_FOLDER)/$${f#*:}" || exit; \
	done
	@echo 'installed in $(ROOT_FOLDER)'

uninstall:
	$(Q)cd '$(ROOT_FOLDER)' && rm -rf include/toklat lib/toklat share/doc/toklat && \
		rm -f $(foreach f,$(OUTSIDE),$(lastword $(subst :, ,$(f))))
	@echo 'removed from $(ROOT_FOLDER)'
