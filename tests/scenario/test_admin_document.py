# SPDX-License-Identifier: Apache-2.0
"""docs/admin-api.md, command by command."""
import os
import pathlib
import re
import shutil
import subprocess

import pytest
from served import Served

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PAGE = (ROOT / "docs" / "admin-api.md").read_text()


def test_the_commands_of_the_document(mutual, gateway, tmp_path):
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    place = Served(mutual, gateway, tmp_path, authority={
        "admins": [{"role": "admin", "who": {"spiffe": "spiffe://example.org/user/carol"},
                    "owner": "tests", "why": "testing"}]})
    place.issue("carol", "--profile", "user")
    shutil.copytree(place.dir / "tls" / "carol", tmp_path / "tls" / "carol")
    place.serve()
    blocks = re.findall(r"^```sh\n(.*?)^```", PAGE, re.M | re.S)
    script = "".join(blocks).replace("https://ca.example.org:8443", place.url())
    commands = [line for line in script.splitlines() if line]
    assert len(commands) == 15
    said = ""
    for command in commands:
        said += f"{command} || echo \"FAILED: $?\"\n"
    done = subprocess.run(
        ["bash", "-c", said], capture_output=True, text=True, timeout=120, cwd=tmp_path, check=False,
        env={**os.environ, "MUTUAL_CONTROL": str(place.gateway.control),
             "PATH": f"{pathlib.Path(mutual).parent}:{os.environ['PATH']}"})
    assert "FAILED" not in done.stdout, done.stdout + done.stderr
    assert '"code":"' not in done.stdout, done.stdout
    assert "revoked  web" in done.stdout and "whole  " in done.stdout
    assert '"openapi":"3.1.0"' in done.stdout and done.stdout.count("mutual-") >= 2


def test_the_configuration_of_the_document(mutual, gateway, tmp_path):
    """Copied as it stands, with a directory of its own, it is good and says no warning."""
    text = re.search(r"^```yaml\n(.*?)^```", PAGE, re.M | re.S).group(1)
    place = Served(mutual, gateway, tmp_path)
    place.issue("ca.example.org", "--dns", "localhost")
    (tmp_path / "page.yaml").write_text(text.replace("/var/lib/mutual", str(place.dir)).replace("0.0.0.0:8443", "127.0.0.1:0"))
    done = subprocess.run([mutual, "check", "-c", str(tmp_path / "page.yaml")], capture_output=True, text=True,
                          timeout=60, check=False)
    assert done.returncode == 0 and "warning" not in done.stdout, done.stdout + done.stderr


def test_the_roles_of_the_document_are_those_of_the_table():
    """Every operation that somebody may is told in the row of the least role that may."""
    routes = (ROOT / "src" / "admin" / "routes.def").read_text()
    least = set(re.findall(r"^ROUTE\(\w+, \S+ \w+, (\w+),", routes, re.M))
    told = set(re.findall(r"^\| (auditor|operator|admin) \|", PAGE, re.M))
    assert {one.lower() for one in least} == told
