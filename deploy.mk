# SPDX-License-Identifier: BSD-2-Clause
#
# The deployment: a device tree (docs/deployment.md) and the guest images that it names, in one
# archive that is handed over as the initrd.

INITRD := build/deploy/$(basename $(notdir $(DEPLOY))).cpio

$(INITRD): $(DEPLOY) tools/make-deployment tools/make-initrd build/deploy/variables \
		$(GUEST_IMAGES) $(if $(IMAGES),$(wildcard $(IMAGES)/*.elf))
	$(call say,DEPLOY,$(DEPLOY)) tools/make-deployment $(DEPLOY) $@ -DVMS=$(VMS)

build/deploy/variables: FORCE
	$(call remember,$(DEPLOY) $(VMS) $(IMAGES))
