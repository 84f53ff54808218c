# SPDX-License-Identifier: BSD-2-Clause
#
# The deployment: a device tree (docs/deployment.md) and the guest images that it names, in one
# archive that is handed over as the initrd.

INITRD := build/deploy/$(basename $(notdir $(DEPLOY))).cpio

# What the supervisor's API asks for: one for each store, and like the archive that holds it for its
# owner's eyes.
TOKEN_FILE := build/store/$(basename $(notdir $(DEPLOY))).token

$(TOKEN_FILE):
	@mkdir -p $(@D)
	@umask 077; od -An -v -tx1 -N32 /dev/urandom | tr -d ' \n' >$@

$(INITRD): $(DEPLOY) $(TOKEN_FILE) build/deploy/variables \
		tools/make-deployment tools/make-initrd \
		$(GUEST_IMAGES) $(if $(IMAGES),$(wildcard $(IMAGES)/*.elf))
	$(call say,DEPLOY,$(DEPLOY)) umask 077; \
		tools/make-deployment $(DEPLOY) $@ -DVMS=$(VMS) \
		"-DTOKEN=\"token=$$(cat $(TOKEN_FILE))\""

# What U-Boot and cards carry is the same each time that it is made: without a token, and so without
# a supervisor.
BOOT_INITRD := build/deploy/boot/$(notdir $(INITRD))

$(BOOT_INITRD): $(DEPLOY) build/deploy/variables tools/make-deployment tools/make-initrd \
		$(GUEST_IMAGES) $(if $(IMAGES),$(wildcard $(IMAGES)/*.elf))
	$(call say,DEPLOY,$(DEPLOY)) tools/make-deployment $(DEPLOY) $@ -DVMS=$(VMS)

build/deploy/variables: FORCE
	$(call remember,$(DEPLOY) $(VMS) $(IMAGES))
