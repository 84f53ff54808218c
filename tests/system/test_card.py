# SPDX-License-Identifier: BSD-2-Clause
"""Images of cards: what is in them, that they are the same each time, and that they boot."""

import os
import shutil
import struct
import subprocess
import sys
import tempfile

import pytest

from machine import ROOT, Machine

pytestmark = pytest.mark.own_machine

MIB = 1 << 20
FAT_START, FAT_END = 4 * MIB, 64 * MIB
NOBODY = "65534"
TOOL_SECONDS = 120
BOOT_SECONDS = 120

TREES = {"rpi3": {"bcm2837-rpi-3-b.dtb", "bcm2837-rpi-3-b-plus.dtb"},
         "rpi4": {"bcm2711-rpi-4-b.dtb"}}
FIRMWARE = {"rpi3": {"bootcode.bin", "start.elf", "fixup.dat", "start_cd.elf", "fixup_cd.dat"},
            "rpi4": {"start4.elf", "fixup4.dat", "start4cd.elf", "fixup4cd.dat"}}
COMMON = {"config.txt", "cmdline.txt", "initrd.cpio", "copyright.raspi-firmware",
          "overlays/pl011.dtbo", "overlays/deployment-hello.dtbo"}
OWN = {"direct": {"kernel8.img"},
       "uboot": {"u-boot.bin", "boot.scr", "toklat.env", "toklat.bin", "copyright.u-boot-rpi"}}

both_boards = pytest.mark.parametrize("board", ["rpi3", "rpi4"])
both_boots = pytest.mark.parametrize("boot", ["direct", "uboot"])
needs_port = pytest.mark.skipif(not (ROOT / "arch/arm64/bcm2836.c").exists(),
                                reason="Toklat has no Raspberry Pi 3 yet")
READS_PARTITIONS = (ROOT / "dev/drivers/partition.c").exists()
needs_line = pytest.mark.skipif(not (ROOT / "tools/slip-namespace").exists() or subprocess.run(
    ["unshare", "--user", "--map-root-user", "--net", "true"], stderr=subprocess.DEVNULL,
    check=False, timeout=TOOL_SECONDS).returncode != 0, reason="no serial line or no namespaces")


def image_of(board, boot):
    return ROOT / f"build/toklat-{board}{'-uboot' if boot == 'uboot' else ''}.img"


def tool(*command, **how):
    return subprocess.run([str(word) for word in command], check=True, timeout=TOOL_SECONDS,
                          stdout=subprocess.PIPE, **how).stdout


def read(image, name):
    return tool("mtype", "-i", f"{image}@@{FAT_START}", f"::{name}")


def names(image):
    listed = tool("mdir", "-/", "-b", "-i", f"{image}@@{FAT_START}", "::").decode().split("\n")
    return {line.removeprefix("::/") for line in listed if line and not line.endswith("/")}


def partitions(image):
    """(active, type, first byte, bytes) of the four entries of the MBR."""
    with image.open("rb") as card:
        sector = card.read(512)
    assert sector[510:] == b"\x55\xaa"
    entries = [struct.unpack_from("<B3xB3xII", sector, 446 + 16 * i) for i in range(4)]
    return [(active == 0x80, kind, first * 512, count * 512)
            for active, kind, first, count in entries]


@both_boards
@both_boots
def test_layout(board, boot):
    image = image_of(board, boot)
    size = image.stat().st_size
    assert size & (size - 1) == 0, "QEMU's cards are powers of two"
    fat, store, *rest = partitions(image)
    assert fat == (True, 0x0C, FAT_START, FAT_END - FAT_START)
    assert store == (False, 0xDA, FAT_END, size - FAT_END)
    assert rest == [(False, 0, 0, 0)] * 2
    assert image.stat().st_blocks * 512 < 32 * MIB, "it is sparse"


@both_boards
@both_boots
def test_files(board, boot):
    image = image_of(board, boot)
    assert names(image) == COMMON | OWN[boot] | TREES[board] | FIRMWARE[board]
    kernel = "kernel8.img" if boot == "direct" else "toklat.bin"
    assert read(image, kernel) == (ROOT / "build/toklat.bin").read_bytes()
    assert read(image, "initrd.cpio")[:6] == b"070701"
    lines = read(image, "config.txt").decode().splitlines()
    assert {"arm_64bit=1", "enable_uart=1", "core_freq=250"} <= set(lines)
    assert [line for line in lines if line.startswith("kernel=")] == [
        "kernel=kernel8.img" if boot == "direct" else "kernel=u-boot.bin"]
    named = {line.partition("=")[2] for line in lines if line.startswith("device_tree=")}
    assert TREES[board] <= named


@both_boards
def test_the_second_partition_is_an_empty_store(board, tmp_path):
    store = tmp_path / "store.img"
    with image_of(board, "direct").open("rb") as card:
        card.seek(FAT_END)
        store.write_bytes(card.read())
    tool(ROOT / "build/toklat", "store", "verify", store)
    assert b"65536" in tool(ROOT / "build/toklat", "store", "info", store)


@both_boards
def test_the_trees_take_the_overlays(board, tmp_path):
    image = image_of(board, "direct")
    for name in TREES[board] | {"overlays/pl011.dtbo", "overlays/deployment-hello.dtbo"}:
        (tmp_path / name.rpartition("/")[2]).write_bytes(read(image, name))
    for name in TREES[board]:
        tool("fdtoverlay", "-i", tmp_path / name, "-o", tmp_path / "out.dtb",
             tmp_path / "pl011.dtbo", tmp_path / "deployment-hello.dtbo")
        for key, value in ("stdout-path", "serial0:115200n8"), ("toklat,deployment", "hello"):
            assert tool("fdtget", tmp_path / "out.dtb", "/chosen", key).decode().strip() == value
        with pytest.raises(subprocess.CalledProcessError):
            tool("fdtget", tmp_path / "out.dtb", "/chosen", "rng-seed", stderr=subprocess.DEVNULL)


def make_card(out, folder, zone, mask, *command):
    """Makes a card of a folder, in another time zone, with another umask, from another place."""
    environment = {**os.environ, "SOURCE_DATE_EPOCH": "1700000001", "TZ": zone}
    tool(*command, ROOT / "tools/make-card", out, folder, "--store-vms", "1000",
         env=environment, cwd=out.parent, umask=mask)
    return out.read_bytes()


def copy_backwards(folder, to):
    """The same files, made in another order and at another time."""
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_file():
            (to / path.relative_to(folder)).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, to / path.relative_to(folder))
            os.utime(to / path.relative_to(folder), (1_000_000_000, 1_000_000_000))


@pytest.fixture(name="open_folder")
def open_folder_fixture():
    """A folder that everybody may write to."""
    with tempfile.TemporaryDirectory(prefix="toklat-card-") as folder:
        os.chmod(folder, 0o777)
        yield type(ROOT)(folder)


def test_the_same_each_time_and_without_root(tmp_path, open_folder):
    folder = ROOT / "build/card/rpi3-direct"
    first = make_card(tmp_path / "card.img", folder, "UTC", 0o022)

    other = open_folder / "files"
    copy_backwards(folder, other)
    as_nobody = ["setpriv", "--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"]
    if os.geteuid() != 0 or not may_be_read_by_all(ROOT / "tools/make-card"):
        as_nobody = []
    assert make_card(open_folder / "another.img", other, "Asia/Tokyo", 0o077, *as_nobody) == first

    (other / "cmdline.txt").write_text("idle=no-timeout\n")
    changed = make_card(open_folder / "changed.img", other, "UTC", 0o022)
    assert changed[440:444] != first[440:444], "the disk's identity"
    assert changed[FAT_END:FAT_END + 512] != first[FAT_END:FAT_END + 512], "the store's"


def may_be_read_by_all(path):
    return all(part.stat().st_mode & 0o005 == 0o005 for part in [path, *path.parents])


def test_a_package_that_was_changed_is_not_unpacked(tmp_path):
    cache = tmp_path / "raspi-firmware-arm64"
    shutil.copytree(ROOT / "build/sources" / cache.name, cache)
    with next(cache.glob("*.deb")).open("ab") as package:
        package.write(b"x")
    done = subprocess.run(
        [ROOT / "tools/fetch-binary", "raspi-firmware=1*", tmp_path / "out",
         "usr/lib/raspi-firmware"], env={**os.environ, "FETCH_CACHE": str(tmp_path)},
        capture_output=True, text=True, timeout=TOOL_SECONDS, check=False)
    assert done.returncode != 0 and "does not match its hash" in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("size", ["100M", "63M", "32M", "abc"])
def test_a_wrong_size_is_refused(size, tmp_path):
    command = [ROOT / "tools/make-card", tmp_path / "x.img", tmp_path, "--size", size]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TOOL_SECONDS,
                          check=False)
    assert done.returncode != 0
    assert f"size {size}: a power of two" in done.stderr
    assert not (tmp_path / "x.img").exists()


@pytest.fixture(name="card")
def card_fixture(request, tmp_path):
    """A copy of a card, for QEMU to write to."""
    card = tmp_path / "card.img"
    tool("cp", "--sparse=always", image_of("rpi3", request.param), card)
    return card


@pytest.mark.parametrize("card", ["uboot"], indirect=True)
def test_uboot_starts_the_kernel_of_its_card(card):
    with Machine(card=card) as machine:
        machine.wait_for("Starting kernel", BOOT_SECONDS)
        console = machine.console()
    assert "Found U-Boot script /boot.scr" in console
    assert "Moving Image from 0x80000 to 0x200000" in console, "off what the firmware keeps there"


@pytest.mark.parametrize("card", ["uboot"], indirect=True)
def test_uboot_takes_the_deployment_that_an_overlay_names(card):
    """The archive of that name is not on the card: U-Boot says so, and boots nothing else."""
    config = read(card, "config.txt") + b"dtoverlay=deployment-hello\n"
    tool("mcopy", "-o", "-i", f"{card}@@{FAT_START}", "-", "::config.txt", input=config)
    with Machine(card=card) as machine:
        machine.wait_for("Failed to load 'hello.cpio'", BOOT_SECONDS)
        machine.wait_for("toklat: error: U-Boot refused the image", BOOT_SECONDS)
        assert "Starting kernel" not in machine.console()


@needs_port
@pytest.mark.parametrize("card", ["direct", "uboot"], indirect=True)
def test_a_card_boots_as_it_was_made(card):
    """Kernel, tree, archive and, where partitions are read, the store: all from the card."""
    with Machine(card=card) as machine:
        machine.wait_for("^toklat: Toklat on Raspberry Pi 3 Model B", BOOT_SECONDS)
        machine.wait_for(r"^toklat: group portal: template of", BOOT_SECONDS)
        console = machine.console()
    assert "no initrd" not in console and "not free RAM" not in console
    if READS_PARTITIONS:
        assert "toklat: store device " in console and "VMs live in memory" not in console


ASK = """
import http.client, time
deadline = time.monotonic() + 90
while True:
    try:
        connection = http.client.HTTPConnection("10.64.0.1", timeout=20)
        connection.request("GET", "/vm/7/status.json")
        print(connection.getresponse().read().decode())
        break
    except (OSError, http.client.HTTPException):
        assert time.monotonic() < deadline
        time.sleep(0.2)
"""


@needs_port
@needs_line
@pytest.mark.parametrize("card", ["direct"], indirect=True)
def test_the_vms_of_a_card_answer_over_its_serial_line(card, tmp_path, monkeypatch):
    """cmdline.txt makes the pins' UART the network; nothing else of the card is changed."""
    tool("mcopy", "-o", "-i", f"{card}@@{FAT_START}", "-", "::cmdline.txt", input=b"slip=serial1\n")
    line = f"unix:{tmp_path}/line"
    monkeypatch.setenv("LINE", f"{line},server=on,wait=off")
    with Machine(card=card):
        answer = tool(ROOT / "tools/slip-namespace", line, "--", sys.executable, "-c", ASK)
    assert b'"instance":7' in answer.replace(b" ", b"")


@both_boards
def test_a_fit_for_the_board(board, tmp_path):
    """For a U-Boot that knows FITs: a configuration of the board's name, everything hashed."""
    fit = ROOT / f"build/toklat-{board}.itb"
    listed = tool("dumpimage", "-l", fit).decode()
    assert f"Default Configuration: '{board}'" in listed
    assert listed.count("Hash algo:    sha256") == 3
    assert "Load Address: 0x00200000" in listed
    tool("dumpimage", "-T", "flat_dt", "-p", "2", "-o", tmp_path / "tree", fit)
    stdout = tool("fdtget", tmp_path / "tree", "/chosen", "stdout-path").decode().strip()
    assert stdout == "serial1:115200n8"
