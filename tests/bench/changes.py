#!/usr/bin/env python3
"""How long a change takes to reach open connections: from the moment a file is written until the
peers that it concerns see the end, while a load runs beside them.

Of --conns open connections in two workers a twentieth loses its grant and a twentieth its
certificates, in one rename each of the configuration and of the list. The gateway notices the files
by itself (--signal: it is told by SIGHUP). The load's latencies are told twice, without a change and
with one, from the same process."""
import argparse
import json
import pathlib
import resource
import select
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support" / "python"))

from gateway import Gateway, inbound  # noqa: E402
from net import client_context, free_port, until  # noqa: E402
from pki import Pki  # noqa: E402

KINDS = 5  # certificates that are revoked, and as many whose grant goes


def connect(address, context):
    """A handshake, and the socket to wait on."""
    raw = socket.create_connection(address)
    return context.wrap_socket(raw, server_hostname="localhost")


def quantiles(values):
    values = sorted(values)
    at = lambda q: round(1000 * values[min(len(values) - 1, int(q * len(values)))], 1)
    return {"p50_ms": at(0.5), "p99_ms": at(0.99), "max_ms": round(1000 * values[-1], 1)}


class Bench:
    def __init__(self, options, directory):
        self.options = options
        self.directory = pathlib.Path(directory)
        self.tools = pathlib.Path(options.build).resolve() / "tests/bench"
        self.pki = Pki(self.directory)
        self.crl = self.pki.issuer.crl(self.directory / "issuer.crl")
        self.revoked = [self.pki.client(f"revoked-{n}") for n in range(KINDS)]
        self.ungranted = [self.pki.client(f"ungranted-{n}") for n in range(KINDS)]

    def config(self, back):
        config = inbound(self.pki, f"127.0.0.1:{back}",
                         trust={"intermediates": str(self.pki.issuer.cert),
                                "revocation": {"crl": str(self.crl)}},
                         grants=[{"spiffe": "spiffe://example.org/client"}]
                         + [{"spiffe": f"spiffe://example.org/revoked-{n}"} for n in range(KINDS)],
                         connections={"max": 10 * self.options.conns}, timeouts={"idle": "1h"})
        config["workers"] = 2
        config["watch"] = not self.options.signal
        config["log"] = {"level": "info"}
        config["policy"].append({
            "grant": "going", "to": "db", "owner": "bench", "why": "to be removed",
            "from": [{"spiffe": f"spiffe://example.org/ungranted-{n}"} for n in range(KINDS)]})
        return config

    def generator(self, arguments, front):
        who = self.pki.client()
        return subprocess.Popen(
            [self.tools / "mtls_load", *arguments.split(), "-A", self.pki.bundle, "-C", who.chain,
             "-K", who.key, "-t", front, "-d", "600"], stdout=subprocess.PIPE, text=True)

    def ping(self, front):
        return self.generator(f"-m ping -s 64 -c 32 -n {self.options.pings} -w 50", front)

    @staticmethod
    def answer(process):
        out, _ = process.communicate(timeout=600)
        if process.returncode != 0:
            raise SystemExit(f"the load failed: {out}")
        return json.loads(out)

    def victims(self, address):
        host, port = address.rsplit(":", 1)
        found = {}
        each = self.options.conns // 20 // KINDS
        for pair in self.revoked + self.ungranted:
            context = client_context(self.pki, pair)
            for _ in range(each):
                one = connect((host, int(port)), context)
                one.setblocking(False)
                found[one.fileno()] = one
        return found

    def change(self, gateway, config, victims):
        """Writes and tells when each of them fell, in seconds."""
        for pair in self.revoked:
            self.pki.issuer.revoke(pair)
        self.pki.issuer.crl(self.directory / "next.crl")
        config["policy"].pop()
        following = self.directory / "next.yaml"
        following.write_text(json.dumps(config))
        waiting = select.epoll()
        for number in victims:
            waiting.register(number, select.EPOLLRDHUP)
        fell = {}
        started = time.monotonic()
        (self.directory / "next.crl").rename(self.crl)
        following.rename(gateway.config)
        if self.options.signal:
            gateway.signal(signal.SIGHUP)
        while len(fell) < len(victims) and time.monotonic() < started + 30:
            for number, _ in waiting.poll(1):
                fell[number] = time.monotonic() - started
                waiting.unregister(number)
        return list(fell.values())

    def run(self):
        back = free_port()
        backend = subprocess.Popen([self.tools / "load_backend", "-p", str(back)])
        config = self.config(back)
        gateway = Gateway(str(pathlib.Path(self.options.build).resolve() / "mutual"),
                          self.directory, config)
        try:
            gateway.start()
            front = gateway.address()
            keep = self.options.conns - self.options.conns // 10
            hold = self.generator(f"-m hold -c {keep} -b 1 -H {self.options.hold}", front)
            victims = self.victims(front)
            until(lambda: gateway.figures("db")["open"] >= self.options.conns, 300, 0.5)
            quiet = self.answer(self.ping(front))
            load = self.ping(front)
            time.sleep(self.options.into)
            if load.poll() is not None:
                raise SystemExit("the load was over before the change: more --pings")
            times = self.change(gateway, config, victims)
            during = self.answer(load)
            line = gateway.event("change")
            still = self.answer(hold)
            if len(times) != len(victims) or line["closed"] != len(victims) \
                    or line["affected"] != len(victims) or still["live"] != keep:
                raise SystemExit(f"{len(times)} of {len(victims)} fell, {still['live']} of {keep} "
                                 f"live: {line}")
            return {"open": self.options.conns, "closed": len(times), **quantiles(times),
                    "gateway_ms": line["took_ms"],
                    "ping_p99_us": {"quiet": quiet["p99_us"], "during": during["p99_us"]},
                    "ping_max_us": {"quiet": quiet["max_us"], "during": during["max_us"]}}
        finally:
            gateway.stop()
            backend.terminate()
            backend.wait()


HEAD = "## A change that ends connections"
SECTION = HEAD + """

Measured on {date} by `./dev bench --changes --write`, one run: two workers hold {open:,} connections; at one moment
a revocation list appears that names the certificates of half of {closed:,} of them, and a configuration without the
grant that let in the other half. The last of these is closed {max_ms:.0f} ms after (median {p50_ms:.0f} ms): the watcher
waits for a writer to finish, and the gateway itself works for {gateway_ms:.0f} ms. Messages of the connections
that stay have a 99th percentile of {quiet:.1f} ms before and {during:.1f} ms during the change, the generator being on the
same two processors.

"""


def section(found, date):
    return SECTION.format(date=date, quiet=found["ping_p99_us"]["quiet"] / 1000,
                          during=found["ping_p99_us"]["during"] / 1000, **found)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build-release")
    parser.add_argument("--conns", type=int, default=10000)
    parser.add_argument("--pings", type=int, default=200000)
    parser.add_argument("--into", type=float, default=2, help="seconds of load before the change")
    parser.add_argument("--hold", type=int, default=120, help="seconds that the others stay")
    parser.add_argument("--signal", action="store_true", help="tell it by SIGHUP, watch no files")
    options = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    directory = tempfile.mkdtemp(prefix="mutual-bench-")
    try:
        print(json.dumps(Bench(options, directory).run()))
    finally:
        shutil.rmtree(directory)


if __name__ == "__main__":
    main()
