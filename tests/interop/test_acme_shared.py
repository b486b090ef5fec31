# SPDX-License-Identifier: Apache-2.0
"""ACME by two authorities on one PostgreSQL, as behind a balancer: whatever one began the other ends, no
nonce counts twice, and either may be killed."""
import os
import shutil
import signal
import threading

import pytest
from acme_client import b64, csr_for
from acme_place import Place
from net import free_port, until
from peers import need
from postgres import Postgres


@pytest.fixture(scope="module")
def postgres():
    need("psql")
    with Postgres() as server:
        yield server


@pytest.fixture
def two(mutual, gateway, postgres, tmp_path, request):
    """The place, and the address of the second authority."""
    here = Place(mutual, gateway, tmp_path, init=("--store", postgres.create(request.node.name)))
    copy = tmp_path / "second"
    shutil.copytree(here.served.dir, copy)
    port = free_port()
    config = here.served.config()
    config["authority"]["directory"] = str(copy)
    config["inbound"] = [{**config["inbound"][0], "listen": f"127.0.0.1:{port}"}]
    second = gateway(config)
    second.event("authority_ready")
    yield here, second, port
    here.close()


def at(client, here, port):
    """From now on the client's requests arrive there, whatever they are signed for."""
    client.via = {f"localhost:{here.port}": f"localhost:{port}"}


def test_what_one_began_the_other_ends(two):
    here, second, port = two
    client = here.client("shared.example.org")
    order = client.order("shared.example.org")
    at(client, here, port)
    challenge = client.challenge(order, "http-01")
    here.put_http(client, challenge)
    client.post(challenge["url"], {}, 200)
    at(client, here, here.port)
    until(lambda: client.post(order["authorizations"][0], "", 200).json()["status"] == "valid")
    at(client, here, port)
    chain = client.finalize(order, csr_for("shared.example.org")[1])
    at(client, here, here.port)
    client.revoke(chain)
    at(client, here, port)
    assert client.revoke(chain, status=400) is not None


def test_a_nonce_counts_once_for_both(two):
    """Attack: one signed request to both authorities at once, thirty times."""
    here, second, port = two
    client = here.client("shared.example.org")
    url = client.directory["newOrder"]
    payload = {"identifiers": [{"type": "dns", "value": "shared.example.org"}]}
    made = 0
    for _ in range(30):
        client.send(client.directory["newNonce"], method="HEAD")
        body = client.signed(url, payload)
        answers = []

        def ask(to):
            answers.append(client.once(url, body, {f"localhost:{here.port}": f"localhost:{to}"}).status)
        threads = [threading.Thread(target=ask, args=(to,)) for to in (here.port, port)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        assert sorted(answers) == [201, 400], answers
        made += answers.count(201)
    assert made == 30


def test_two_finalize_one_order(two):
    """Attack: both are asked to issue for one order at once; there is one certificate."""
    here, second, port = two
    client = here.client("once.example.org")
    order = client.order("once.example.org")
    challenge = client.challenge(order, "http-01")
    here.put_http(client, challenge)
    assert client.answer(order, challenge) == "valid"
    bodies = [client.signed(order["finalize"], {"csr": b64(csr_for("once.example.org")[1])}) for _ in range(2)]
    answers = []

    def ask(body, to):
        answers.append(client.once(order["finalize"], body, {f"localhost:{here.port}": f"localhost:{to}"}).status)
    threads = [threading.Thread(target=ask, args=pair) for pair in zip(bodies, (here.port, port))]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sorted(answers) == [200, 403], answers
    names = [one["name"] for one in here.served.json("list")["certificates"]]
    assert names.count("once.example.org") == 1


def test_either_may_be_killed(two):
    here, second, port = two
    client = here.client("killed.example.org")
    order = client.order("killed.example.org")
    challenge = client.challenge(order, "http-01")
    here.put_http(client, challenge)
    os.kill(here.served.gateway.process.pid, signal.SIGKILL)
    here.served.gateway.process.wait()
    at(client, here, port)
    assert client.answer(order, challenge) == "valid"
    assert "BEGIN" in client.finalize(order, csr_for("killed.example.org")[1])
