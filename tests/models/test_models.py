# SPDX-License-Identifier: Apache-2.0
"""Lets Spin look at every state of the models; and takes from each model one part after the other, for
each of which some property must then be violated. Otherwise the model would say nothing."""
import pathlib
import re
import shutil
import subprocess

import pytest

HERE = pathlib.Path(__file__).parent
MODELS = {name: re.findall(r"^ \*   (NO_\w+)", (HERE / f"{name}.pml").read_text(), re.MULTILINE)
          for name in ("reload", "keys")}


def errors(model, directory, *defines):
    """How many violations Spin finds before it stops: none, or the first."""
    if shutil.which("spin") is None or shutil.which("gcc") is None:
        pytest.skip("spin or gcc is not installed")

    def run(*command, seconds):
        done = subprocess.run(command, cwd=directory, capture_output=True, text=True,
                              timeout=seconds, check=False)
        assert done.returncode == 0, done
        return done.stdout
    run("spin", "-a", *(f"-D{one}" for one in defines), HERE / f"{model}.pml", seconds=30)
    run("gcc", "-w", "-O2" if not defines else "-O1", "-DSAFETY", "-o", "pan", "pan.c", seconds=120)
    said = run("./pan", "-m20000", seconds=240)
    assert "max search depth too small" not in said and "out of memory" not in said, said
    return int(re.search(r"errors: (\d+)", said)[1])


@pytest.mark.parametrize("model", MODELS)
def test_what_must_hold_does(model, tmp_path):
    assert errors(model, tmp_path) == 0


@pytest.mark.parametrize("model,part", [(model, part) for model, parts in MODELS.items()
                                        for part in parts])
def test_every_part_is_needed(model, part, tmp_path):
    assert errors(model, tmp_path, part) == 1
