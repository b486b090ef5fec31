# SPDX-License-Identifier: Apache-2.0
"""Finds the program under test and the helpers; fixtures that every story uses."""
import os
import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "support" / "python"))

from gateway import starting  # noqa: E402
from net import Backend  # noqa: E402
from pki import Pki  # noqa: E402


@pytest.fixture(scope="session")
def mutual():
    path = pathlib.Path(os.environ.get("MUTUAL", ROOT / "build" / "mutual"))
    if not path.exists():
        pytest.fail(f"there is no program at {path}; build it with ./dev build")
    return str(path)


@pytest.fixture(scope="session")
def pki(tmp_path_factory):
    """The authorities and certificates of most stories: made once."""
    return Pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture
def backend():
    with Backend() as server:
        yield server


@pytest.fixture
def gateway(mutual, tmp_path):
    """Starts gateways; all of them are ended with the test."""
    with starting(mutual, tmp_path) as start:
        yield start
