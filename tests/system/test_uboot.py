# SPDX-License-Identifier: BSD-2-Clause
"""Toklat booted by U-Boot from a FIT on a disk, and what becomes of a damaged one."""

import re
import shutil
import subprocess

import pytest

from machine import ROOT, Machine, make_deployment

pytestmark = pytest.mark.own_machine

VMS = 3
UBOOT_SECONDS = 60


def tool(name, *arguments):
    subprocess.run([ROOT / "tools" / name, *map(str, arguments)], check=True, timeout=UBOOT_SECONDS)


@pytest.fixture(scope="module", name="fit")
def fit_fixture(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fit")
    archive = make_deployment("dts/web.dts", folder, {"VMS": VMS})
    tool("make-fit", folder / "toklat.itb", "virt", ROOT / "build/toklat.bin", archive)
    return folder / "toklat.itb"


def disk_with(fit, folder, bootargs=""):
    """A disk as make run BOOT=uboot has it, with another FIT."""
    files = folder / "files"
    files.mkdir()
    shutil.copy(ROOT / "build/uboot/boot.scr", files)
    (files / "toklat.itb").write_bytes(fit)
    (files / "toklat.env").write_text(f"board_configuration=virt\nbootargs={bootargs}\n")
    tool("make-card", folder / "disk.img", files, "--size", "64M")
    return folder / "disk.img"


def booted(disk, archive=ROOT / "build/toklat.bin", **arguments):
    """A machine whose kernel and archive come from the disk: QEMU is given others."""
    return Machine(initrd=archive, kernel="/dev/null", disk=disk, **arguments)


@pytest.mark.parametrize("gic, mem, smp", [(2, "256M", 1), (3, "1G", 2)])
def test_boots_a_fit_and_answers(fit, tmp_path, gic, mem, smp):
    with booted(disk_with(fit.read_bytes(), tmp_path), gic=gic, mem=mem, smp=smp) as machine:
        machine.wait_until_serving(timeout=UBOOT_SECONDS)
        assert machine.get_json(f"/vm/{VMS}/status.json")["instance"] == VMS
        console = machine.console()
    assert "Using 'virt' configuration" in console
    assert console.count("sha256+ OK") == 2, "the kernel's and the archive's"
    assert re.search(r"^ +Description: +Toklat at EL2$", console, re.M), "which kernel"
    assert re.search(r"^toklat: Toklat on ", console, re.M)
    assert "not free RAM" not in console
    assert "boot argument" not in console


def test_boot_arguments_come_from_the_disk(fit, tmp_path):
    disk = disk_with(fit.read_bytes(), tmp_path, "events=never compensation=off")
    with booted(disk, mem="256M") as machine:
        machine.wait_for('boot argument "events=never" is none of', UBOOT_SECONDS)


def test_the_store_is_another_disk(fit, tmp_path):
    """U-Boot boots from one disk, and the VMs live on the other."""
    disk, store = disk_with(fit.read_bytes(), tmp_path), tmp_path / "store.img"
    subprocess.run([ROOT / "build/toklat", "store", "create", store, "--size", "256M", "--vms",
                    "1000"], check=True, timeout=UBOOT_SECONDS, stdout=subprocess.DEVNULL)
    with booted(disk, mem="256M", store=store) as machine:
        machine.wait_until_serving(timeout=UBOOT_SECONDS)
        assert "store device virtio-blk: 256 MiB" in machine.console()
        assert "VMs live in memory" not in machine.console()


@pytest.mark.parametrize("image", ["kernel", "initrd"])
def test_a_damaged_fit_is_refused(fit, tmp_path, image):
    """One byte of an image flipped: U-Boot's hash check stops there, and nothing else is booted."""
    start, size = where(fit, image)
    data = bytearray(fit.read_bytes())
    data[start + size // 2] ^= 1
    with booted(disk_with(data, tmp_path), mem="256M") as machine:
        machine.wait_for("Bad hash value for 'hash", UBOOT_SECONDS)
        machine.wait_for("toklat: error: U-Boot refused the image", UBOOT_SECONDS)
        machine.wait_for("^=> $", UBOOT_SECONDS)
        console = machine.console()
    assert "Starting kernel" not in console
    assert "BOOTP" not in console


def where(fit, image):
    """Where the data of an image begins in a FIT, and its length: its bytes occur once."""
    number = {"kernel": 0, "initrd": 1}[image]
    out = fit.with_name(f"{image}.data")
    subprocess.run(["dumpimage", "-T", "flat_dt", "-p", str(number), "-o", out, fit], check=True,
                   timeout=UBOOT_SECONDS, stdout=subprocess.DEVNULL)
    data = out.read_bytes()
    assert fit.read_bytes().count(data) == 1
    return fit.read_bytes().index(data), len(data)
