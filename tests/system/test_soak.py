# SPDX-License-Identifier: BSD-2-Clause
"""make soak, for a few boots of four CPUs; and that it tells of those that fail."""

import subprocess

import pytest

from machine import ROOT

pytestmark = pytest.mark.own_machine

BOOTS = 6  # with each interrupt controller and each CPU model
SECONDS = 300


def soak(folder, *options):
    command = [ROOT / "tools/soak", "--logs", folder / "logs", *options]
    return subprocess.run(list(map(str, command)), cwd=ROOT, capture_output=True, text=True,
                          timeout=SECONDS, check=False)


def test_every_boot_of_a_few_works(tmp_path):
    done = soak(tmp_path, "--boots", BOOTS)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"soak: {BOOTS} boots of 4 CPUs, 0 failed" in done.stdout
    assert not (tmp_path / "logs").exists()


def test_a_boot_that_fails_is_told_and_kept(tmp_path):
    """One CPU more than there may be."""
    done = soak(tmp_path, "--boots", 1, "--smp", 9)
    assert done.returncode == 1
    assert "soak: 1 boots of 9 CPUs, 1 failed" in done.stdout
    log = (tmp_path / "logs/boot-00001.log").read_text()
    assert log.startswith("boot 1, GICv3, cortex-a53: ")
    assert "toklat: Toklat on " in log  # its console
    assert "CPU#7" in log or "QEMU ended" in log  # what QEMU says of the CPUs
