# SPDX-License-Identifier: Apache-2.0
"""The authority's command line: names that are paths or SQL, links in the way, open umasks."""
import json
import os
import pathlib
import stat
import subprocess

import pytest

MUTUAL = os.environ.get("MUTUAL", str(pathlib.Path(__file__).parents[3] / "build" / "mutual"))


def run(*command, umask=-1, env=None):
    return subprocess.run([MUTUAL, *map(str, command)], capture_output=True, text=True, timeout=60,
                          check=False, umask=umask, env={**os.environ, **(env or {})})


@pytest.fixture(scope="module")
def ca(tmp_path_factory):
    place = tmp_path_factory.mktemp("attacked")
    done = run("init", "example.org", "--dir", place / "ca", umask=0)
    assert done.returncode == 0, done.stderr
    return place / "ca"


def everything(directory):
    return sorted(str(path) for path in directory.rglob("*") if path.suffix != ".lock")


NAMES = ["../../evil", "..", ".", ".hidden", "a/b", "/tmp/evil", "", "a\nb", "a\x1b[2Jb", "-rf",
         "x'; DROP TABLE certificate; --", "%s%s%n", "a" * 65, "caf\u00e9"]


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_a_name_that_is_no_name(ca, name):
    before = everything(ca.parent)
    done = run("issue", "--dir", ca, "--", name)
    assert done.returncode not in (0, 70) and done.returncode > 0, done
    assert "\x1b" not in done.stderr and "\na b" not in done.stderr
    assert everything(ca.parent) == before


@pytest.mark.parametrize("option", ["--owner", "--place", "--purpose"])
def test_facts_that_would_break_lines_or_terminals(ca, option):
    done = run("issue", "web", "--dir", ca, option, "x\n\x1b[31mcertificate revoked")
    assert done.returncode != 0 and "\x1b" not in done.stderr


@pytest.mark.parametrize("who", ["x' OR '1'='1", "%", "_", "*", "' UNION SELECT 1; --"])
def test_nobody_is_found_by_sql(ca, who):
    if not (ca / "tls" / "victim").exists():
        assert run("issue", "victim", "--dir", ca).returncode == 0
    done = run("revoke", "--dir", ca, "--yes", who)
    done = done if "NOT_FOUND" in done.stderr else run("revoke", "--dir", ca, who)
    assert done.returncode != 0 and "NOT_FOUND" in done.stderr, done
    listed = json.loads(run("list", "--dir", ca, "--json").stdout)["certificates"]
    assert all(not one.get("revoked") for one in listed)


def test_links_in_the_way_are_not_followed(ca, tmp_path):
    target = tmp_path / "target"
    target.mkdir()
    out = tmp_path / "out"
    out.mkdir()
    (out / "web").symlink_to(target)
    (out / "gone").symlink_to(tmp_path / "nowhere")
    for name in ("web", "gone"):
        done = run("issue", name, "--dir", ca, "--out", out)
        assert done.returncode != 0 and "FILE_EXISTS" in done.stderr, done
    assert list(target.iterdir()) == [] and not (tmp_path / "nowhere").exists()
    precious = tmp_path / "precious"
    precious.write_text("precious")
    (tmp_path / "link").symlink_to(precious)
    assert run("export", "root", "--dir", ca, "--out", tmp_path / "link").returncode == 0
    assert precious.read_text() == "precious"


def test_modes_do_not_depend_on_the_umask(ca):
    done = run("issue", "private", "--dir", ca, umask=0)
    assert done.returncode == 0, done.stderr
    secret = [path for path in ca.rglob("*") if path.suffix in (".key", ".p12", ".db") or
              "store" in path.name]
    assert len(secret) >= 3
    for path in secret:
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
    assert stat.S_IMODE((ca / "authority").stat().st_mode) & 0o077 == 0
    for path in ca.rglob("*"):
        assert stat.S_IMODE(path.lstat().st_mode) & 0o022 == 0 or path.is_symlink(), path


def test_a_configuration_of_openssls_changes_nothing(ca, tmp_path):
    conf = tmp_path / "openssl.cnf"
    conf.write_text("openssl_conf = i\n[i]\nproviders = p\n[p]\nevil = e\n[e]\n"
                    f"module = {tmp_path}/evil.so\nactivate = 1\n")
    done = run("issue", "calm", "--dir", ca, env={"OPENSSL_CONF": str(conf)})
    assert done.returncode == 0, done.stderr
