# SPDX-License-Identifier: BSD-2-Clause
#
# U-Boot's part of the boot, on every board; mkimage makes boot.scr of it, and U-Boot's own
# bootcmd looks for that on each medium. Beside it lies toklat.env, with the name of the board's
# configuration and, perhaps, boot arguments.
#
# A FIT (toklat.itb) is taken where U-Boot can: bootm checks the hash of each image first. Where it
# cannot, booti takes the three files; nothing checks those.
#
# The device tree is the one that U-Boot was given, at fdt_addr: the firmware has put memory in it,
# and whatever config.txt asks for. Where U-Boot was given none, the FIT's is taken, or U-Boot's own,
# which was built into it.

setenv from "${devtype} ${devnum}:${distro_bootpart}"
load ${from} ${kernel_addr_r} toklat.env
env import -t ${kernel_addr_r} ${filesize} board_configuration bootargs

# The configuration is named: without a name bootm looks for one by the device tree.
if test -e ${from} toklat.itb; then
	setenv fit "${ramdisk_addr_r}#${board_configuration}"
	if test -n "${fdt_addr}"; then setenv tree ${fdt_addr}; else setenv tree ${fit}; fi
	load ${from} ${ramdisk_addr_r} toklat.itb && bootm ${fit} ${fit} ${tree}
else
	setenv tree ${fdtcontroladdr}
	if test -n "${fdt_addr}"; then setenv tree ${fdt_addr}; fi
	# An overlay may have chosen another archive (dts/overlays/deployment.dts).
	fdt addr ${tree}
	fdt get value deployment /chosen toklat,deployment || setenv deployment initrd
	if load ${from} ${kernel_addr_r} toklat.bin; then
		load ${from} ${ramdisk_addr_r} ${deployment}.cpio && setenv archive ${filesize}
	fi
	test -n "${archive}" && booti ${kernel_addr_r} ${ramdisk_addr_r}:${archive} ${tree}
fi

# Nothing else is booted instead, not from another medium and not from the network.
echo "toklat: error: U-Boot refused the image on ${from}; this machine stops here"
for target in ${boot_targets}; do setenv bootcmd_${target} true; done
