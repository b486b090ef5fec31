# SPDX-License-Identifier: Apache-2.0
"""Tries every attack of attack_table.py: refused, by the expected word, and the service hears
nothing."""
import pathlib

import pytest
from attack_field import Field
from attack_table import ELSEWHERE, ROWS
from net import Backend

ROOT = pathlib.Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def field(mutual, tmp_path_factory):
    with Backend() as backend, Field(mutual, tmp_path_factory.mktemp("field"), backend) as one:
        yield one


@pytest.mark.parametrize("reason,act", [row[2:] for row in ROWS],
                         ids=[f"{lesson}: {name}" for lesson, name, *_ in ROWS])
def test_refused(field, reason, act):
    assert act(field) == reason


def test_the_list_is_whole():
    """Names are used once, and the tests that it points to are there."""
    names = [name for _, name, *_ in ROWS] + [name for _, name, *_ in ELSEWHERE]
    assert len(names) == len(set(names)) >= 60
    for _, _, path, test in ELSEWHERE:
        assert f"{test}(" in (ROOT / path).read_text(), (path, test)
