# SPDX-License-Identifier: BSD-2-Clause
"""Ten thousand live web clones in one gibibyte, as make footprint shows them."""

import json
import subprocess

import pytest

from machine import ROOT

VMS = 10_000


@pytest.fixture(scope="module", name="footprint")
def footprint_fixture(tmp_path_factory):
    out = tmp_path_factory.mktemp("footprint") / "footprint.json"
    command = [ROOT / "tools/footprint", "--vms", str(VMS), "--out", out]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300,
                          check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(out.read_text()), done.stdout


def test_ten_thousand_are_live_and_small(footprint):
    web = footprint[0]["images"]["web"]
    assert web["count"] == VMS
    assert web["uss_bytes"]["median"] + web["stage2_bytes"]["median"] <= 32 * 1024


def test_the_parts_add_up(footprint):
    machine = dict(footprint[0]["machine"])
    assert machine.pop("ram_bytes") == sum(machine.values())


def test_layout_is_the_published_one(footprint):
    for image in footprint[0]["images"].values():
        kinds = ["uss", "pss", "rss", "stage2", "descriptor"]
        assert set(image) == {"count"} | {f"{kind}_bytes" for kind in kinds}
        assert all(set(image[f"{kind}_bytes"]) == {"min", "median", "max"} for kind in kinds)
    parts = ["ram", "el2", "stubs", "shared", "private", "stage2", "descriptors", "free"]
    assert set(footprint[0]["machine"]) == {f"{part}_bytes" for part in parts}


def test_the_table_says_the_same(footprint):
    assert f"{VMS}" in footprint[1]
    assert "portal" in footprint[1] and "= ram" in footprint[1]
