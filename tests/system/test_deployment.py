# SPDX-License-Identifier: BSD-2-Clause
"""Wrong deployments and broken archives: each is refused with a reason, and the rest comes up."""

import re
import struct

import pytest

from groups import web_groups
from machine import Machine, make_deployment

GOOD = web_groups(3)

# Name of the node -> (what it says, and what must be on the line that refuses it, in order).
WRONG = {
    "too-many": ("instances = <2000000>;", ["instances", "2000000", "1048576"]),
    "unaligned": ("memory = <1048577>;", ["memory", "1048577", "4096"]),
    "too-large": ("memory = <0x4000000>;", ["memory", "67108864", "33554432"]),
    "too-heavy": ("weight = <70000>;", ["weight", "70000", r"\d+"]),
    "weightless": ("weight = <0>;", ["weight", "0", r"from \d+ to \d+"]),
    "two-cells": ("instances = <1 2>;", ["instances", "8 bytes", "4"]),
    "misspelt": ("instanses = <5>;", ["instanses", "unknown property"]),
    "no-word": ('network = "carrier-pigeon";', ["network", "carrier-pigeon", "uplink"]),
    "no-start": ('start = "tomorrow";', ["start", "tomorrow", "boot"]),
    "long-args": (f'args = "{"a" * 300}";', ["args", "300", "255"]),
    "name-of-more-than-23-characters": ("", ["name", "31", "23"]),
    "nested": ("inner { };", ["inner", "limit 0"]),
    "no-image": ('image = "";', ["image", "63"]),
    "lost-image": ('image = "lost.elf"; start = "boot";', ["image|lost.elf", "lost.elf|archive"]),
    "flag": ("supervisor = <1>;", ["supervisor", "4 bytes", "0"]),
}


def source(nodes):
    return '/dts-v1/;\n/ {\n    compatible = "toklat,deployment-v1";\n' + nodes + "};\n"


def wrong_nodes():
    for name, (text, _) in WRONG.items():
        image = "" if "image" in text else 'image = "httpd.elf";'
        # Properties come before nodes.
        yield f'    {name} {{ compatible = "toklat,group"; {image} {text} }};\n'


@pytest.fixture(scope="module", name="machine")
def machine_fixture():
    with Machine(source(GOOD + "".join(wrong_nodes())), allow_missing=True) as machine:
        machine.wait_until_serving()
        yield machine


@pytest.mark.any_board
@pytest.mark.parametrize("name", WRONG)
def test_wrong_node_is_refused_with_its_reason(machine, name):
    wanted = WRONG[name][1]
    lines = [line for line in machine.console().splitlines() if name in line]
    expression = ".*".join(f"(?:{part})" for part in wanted)
    assert any(re.search(expression, line) for line in lines), lines


def test_the_rest_comes_up(machine):
    for number in (1, 2, 3):
        assert machine.get_json(f"/vm/{number}/status.json")["instance"] == number
    assert machine.get("/vm/4/")[0] == 404


def answers_keys(machine):
    """The hypervisor came up, whatever it had to say about its archive."""
    start = machine.send_key("h")
    machine.wait_for(r"footprint", 60, start)


@pytest.fixture(scope="module", name="archive")
def archive_fixture(tmp_path_factory):
    folder = tmp_path_factory.mktemp("good")
    return make_deployment(source(GOOD), folder).read_bytes()


def damaged(archive, tmp_path, change):
    path = tmp_path / "initrd.cpio"
    path.write_bytes(change(archive))
    return path


DAMAGE = {
    "cut in its first header": lambda a: a[:50],
    "cut in the deployment": lambda a: a[:300],
    "cut in an image": lambda a: a[: len(a) // 2],
    "without its magic": lambda a: b"0" * 6 + a[6:],
    "with a wild size": lambda a: a[:54] + b"FFFFFFF0" + a[62:],
    "with a broken device tree": lambda a: a.replace(struct.pack(">I", 0xD00DFEED), b"\0" * 4),
}


@pytest.mark.any_board
@pytest.mark.parametrize("kind", DAMAGE)
def test_broken_archive(archive, tmp_path, kind):
    with Machine(initrd=damaged(archive, tmp_path, DAMAGE[kind]), mem="256M") as machine:
        machine.wait_for(r"toklat: (?:warning|error): ")
        answers_keys(machine)


@pytest.mark.any_board
def test_root_of_another_binding():
    text = '/dts-v1/;\n/ { compatible = "toklat,deployment-v9"; };\n'
    with Machine(text, mem="256M") as machine:
        machine.wait_for(r"compatible.*toklat,deployment-v1")
        answers_keys(machine)


@pytest.mark.any_board
def test_no_groups():
    with Machine(source(""), mem="256M") as machine:
        answers_keys(machine)


# A damaged ELF: what is changed, as (offset in the file, format, value), and a word of the reason.
ELF_DAMAGE = {
    "machine": (18, "<H", 62, "machine"),
    "class": (4, "<B", 1, "class|ELF"),
    "type": (16, "<H", 3, "type"),
    "phoff": (32, "<Q", 1 << 40, "header"),
    "phnum": (56, "<H", 0xFFFF, "header"),
    "entry": (24, "<Q", 1 << 50, "entry"),
}


@pytest.fixture(scope="module", name="broken")
def broken_fixture(tmp_path_factory):
    """A machine on which every group but the web and its portal has a damaged image."""
    folder = tmp_path_factory.mktemp("images")
    nodes = GOOD
    for name in ("portal.elf", "httpd.elf"):
        (folder / name).write_bytes((Machine.images() / name).read_bytes())
    for field, (offset, layout, value, _) in ELF_DAMAGE.items():
        image = bytearray((Machine.images() / "httpd.elf").read_bytes())
        struct.pack_into(layout, image, offset, value)
        (folder / f"{field}.elf").write_bytes(image)
        nodes += f'{field} {{ compatible = "toklat,group"; image = "{field}.elf"; '
        nodes += 'start = "boot"; };\n'
    with Machine(source(nodes), images=folder) as machine:
        machine.wait_until_serving()
        yield machine


@pytest.mark.any_board
@pytest.mark.parametrize("field", ELF_DAMAGE)
def test_broken_image_is_refused_with_its_reason(broken, field):
    broken.wait_for(rf"{field}.*(?:{ELF_DAMAGE[field][3]})", 10)


def test_broken_images_leave_the_others_alone(broken):
    assert broken.get_json("/vm/2/status.json")["instance"] == 2
