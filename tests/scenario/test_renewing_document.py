# SPDX-License-Identifier: Apache-2.0
"""docs/renewing.md, command by command, and the numbers it names."""
import pathlib
import re
import shlex
import shutil
import subprocess

from est import Est
from pki import Pki

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PAGE = (ROOT / "docs" / "renewing.md").read_text()


def commands():
    return [shlex.split(line.strip()) for line in re.findall(r"^    (mutual .*)$", PAGE, re.M)]


def test_the_commands_of_the_document(mutual, tmp_path):
    (tmp_path / "pki").mkdir()
    pki = Pki(tmp_path / "pki")
    pair = pki.pair("web", eku="serverAuth,clientAuth", sans=["DNS:localhost"])
    directory = tmp_path / "tls" / "web"
    directory.mkdir(parents=True)
    for source, name in ((pair.chain, "tls.crt"), (pair.key, "tls.key"), (pki.bundle, "ca.crt")):
        shutil.copy(source, directory / name)
    marker = tmp_path / "reloaded"
    said = []
    with Est(pki, days=60) as est:
        for words in commands():
            words = [est.url if word.startswith("https://ca.example.org") else
                     f"/usr/bin/touch {marker}" if word.startswith("/usr/bin/systemctl") else word
                     for word in words[1:]]
            done = subprocess.run([mutual, *words], cwd=tmp_path, capture_output=True, text=True,
                                  timeout=60)
            said.append((words, done))
            est.days += 1
    assert len(said) == 3 and all(done.returncode == 0 for _, done in said), said
    form = re.compile(r"^tls/web: not due, ends \S+Z, next renewal \S+Z$")
    assert form.match(said[0][1].stdout.strip()) and form.match(said[1][1].stdout.strip())
    assert form.match(re.search(r"`(tls/web: not due[^`]*)`", PAGE).group(1))
    assert "renewed" in said[2][1].stdout and marker.exists()
    assert (directory / "enroll.json").exists()


def test_the_chart_is_of_the_program_that_there_is():
    """What the picture says of itself is what the program says now."""
    import csv
    import io
    import os
    program = ROOT / "build" / "tests" / "unit" / "enroll" / "test_enroll_week"
    if "MUTUAL" in os.environ:
        program = pathlib.Path(os.environ["MUTUAL"]).parent / "tests/unit/enroll/test_enroll_week"
    rows = list(csv.DictReader(io.StringIO(subprocess.run(
        [program, "--table"], check=True, capture_output=True, text=True, timeout=60).stdout)))
    chart = (ROOT / "docs" / "renewing.svg").read_text()
    for fleet in {row["fleet"] for row in rows}:
        mine = [row for row in rows if row["fleet"] == fleet]
        back = max(int(row["minute"]) for row in mine if row["down"] == "1") + 1
        peak = max(int(row["asked"]) for row in mine[back:back + 1440])
        assert f"at most {peak} requests a minute" in chart
