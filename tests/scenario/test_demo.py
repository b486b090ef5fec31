# SPDX-License-Identifier: Apache-2.0
"""The demo is a story that checks itself: everybody who knocks gets the right answer, for the right
reason, and what was made is removed."""
import json
import os
import signal
import subprocess
import time

MUTUAL = os.environ.get("MUTUAL", "build/mutual")


def run(*words, cwd):
    return subprocess.run([os.path.abspath(MUTUAL), "demo", *words], cwd=cwd, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, check=False)


def test_check_ends_by_itself_and_leaves_nothing(tmp_path):
    done = run("--check", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "not right" not in done.stdout
    for word in ("not_tls", "no_client_cert", "unknown_issuer", "policy_denied", "resumed", "revoked"):
        assert word in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_every_answer_is_told_as_json(tmp_path):
    done = run("--check", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    assert [row["answer"] for row in rows] == ["refused"] * 4 + ["200", "200", "closed", "refused"]
    assert all(row["right"] for row in rows)


def test_another_directory_is_not_touched(tmp_path):
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "thesis.txt").write_text("years of work")
    for words in (["--check"], ["--clean"]):
        done = run(*words, cwd=tmp_path)
        assert done.returncode == 73
        assert "not a demo's directory" in done.stderr
    assert (tmp_path / "demo" / "thesis.txt").read_text() == "years of work"


def test_it_waits_for_ctrl_c_and_lets_try(tmp_path):
    demo = subprocess.Popen([os.path.abspath(MUTUAL), "demo"], cwd=tmp_path, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        lines = []
        end = time.monotonic() + 30
        while not any("Ctrl-C" in line for line in lines) and time.monotonic() < end:
            lines.append(demo.stdout.readline())
        assert any(line.lstrip().startswith("try") for line in lines)
        demo.send_signal(signal.SIGINT)
        demo.wait(20)
        assert demo.returncode == 0
    finally:
        if demo.poll() is None:
            demo.kill()
        demo.stdout.close()
        demo.stderr.close()
    assert run("--clean", cwd=tmp_path).returncode == 0
    assert list(tmp_path.iterdir()) == []
