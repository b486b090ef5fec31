# SPDX-License-Identifier: Apache-2.0
"""A revocation list with a million entries: how long until a proxy serves with it, what memory it
takes, and what clients notice when the next list comes. Ours beside HAProxy's crl-file and nginx's
ssl_crl, the same list for all, in interleaved rounds."""
import json
import os
import pathlib
import signal
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support/python"))
from net import Backend  # noqa: E402
from pki import Authority, Pair, make_key, openssl  # noqa: E402

HAPROXY = """
global
    nbthread 1
    stats socket {tmp}/haproxy.sock
defaults
    timeout connect 10s
    timeout client 60s
    timeout server 60s
frontend f
    mode tcp
    bind 127.0.0.1:{front} ssl crt {tmp}/both.pem ca-file {root} verify required crl-file {crl}
    default_backend b
backend b
    mode tcp
    server s {back}
"""
NGINX = """
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
daemon off;
user root;
worker_processes 1;
error_log {tmp}/error.log error;
pid {tmp}/nginx.pid;
events {{ worker_connections 1000; }}
stream {{
    server {{
        listen 127.0.0.1:{front} ssl;
        ssl_certificate {chain};
        ssl_certificate_key {key};
        ssl_client_certificate {root};
        ssl_verify_client on;
        ssl_crl {crl};
        ssl_protocols TLSv1.3;
        proxy_pass {back};
    }}
}}
"""
OURS = """
version: 1
workers: 1
trust:
  - {{name: bench, bundle: {root}, revocation: {{crl: {crl}, required: true}}}}
inbound:
  - name: bench
    listen: 127.0.0.1:{front}
    forward: {back}
    certificate: {{chain: {chain}, key: {key}}}
    clients: {{mode: require, trust: bench}}
policy:
  - {{grant: bench, to: bench, from: [{{spiffe: "spiffe://bench.test/client"}}], owner: b, why: measuring}}
"""
PEERS = {"mutual": (OURS, signal.SIGHUP), "haproxy": (HAPROXY, signal.SIGUSR2),
         "nginx": (NGINX, signal.SIGHUP)}
FIGURES = {  # key: (what, unit, digits)
    "load": ("from the start to the first handshake", "s", 2),
    "memory": ("memory, all processes (PSS)", "MiB", 0),
    "peak": ("the most memory while the next list is loaded (PSS)", "MiB", 0),
    "pause": ("longest pause of an established connection meanwhile", "ms", 1),
    "wait": ("longest new handshake meanwhile", "ms", 0),
    "until": ("from the signal until the next list counts", "s", 2),
    "cost": ("processor time for a new connection, all processes", "µs", 0),
}
WATCH_S = 40
HANDSHAKES = 300


def make_list(root, entries, number, path):
    """A list with so many entries; the serials are spread like random ones."""
    with open(root.directory / "index.txt", "w", encoding="ascii") as index:
        for i in range(entries):
            serial = (i * 0x9E3779B97F4A7C15F39CC0605CEDC835 + 1) % (1 << 127) | 1 << 126
            index.write(f"R\t350101000000Z\t250101000000Z\t{serial:032X}\tunknown\t/CN=x\n")
    (root.directory / "crlnumber").write_text(f"{number:02X}\n")
    root.crl(path)


class Place:
    """Certificates, and two lists: in the second one the second client is revoked."""

    def __init__(self, directory, entries):
        self.tmp = pathlib.Path(directory)
        self.root = Authority(self.tmp, "Bench")
        self.server = self.pair("server", "serverAuth", "DNS:localhost")
        self.good = self.pair("client", "clientAuth", "URI:spiffe://bench.test/client")
        self.bad = self.pair("later", "clientAuth", "URI:spiffe://bench.test/client")
        (self.tmp / "both.pem").write_text(self.server.chain.read_text() + self.server.key.read_text())
        self.lists = [self.tmp / "1.crl", self.tmp / "2.crl"]
        make_list(self.root, entries, 1, self.lists[0])
        make_list(self.root, entries, 2, self.lists[1])
        self.revoke_second(entries)
        self.crl = self.tmp / "used.crl"

    def pair(self, name, eku, san):
        pair = Pair(self.tmp, name)
        make_key(pair.key, "ec-p256")
        self.root.sign(pair, f"/CN={name}", ["basicConstraints=CA:FALSE", "keyUsage=digitalSignature",
                                             f"extendedKeyUsage={eku}", f"subjectAltName={san}",
                                             "authorityKeyIdentifier=keyid"], (-1, 30))
        return pair

    def revoke_second(self, entries):
        serial = openssl("x509", "-in", self.bad.cert, "-noout", "-serial").decode().strip()[7:]
        with open(self.root.directory / "index.txt", "a", encoding="ascii") as index:
            index.write(f"R\t350101000000Z\t250101000000Z\t{serial}\tunknown\t/CN=later\n")
        (self.root.directory / "crlnumber").write_text("02\n")
        self.root.crl(self.lists[1])
        assert entries > 0

    def use(self, which):
        aside = self.tmp / "aside.crl"
        aside.write_bytes(self.lists[which].read_bytes())
        aside.rename(self.crl)

    def context(self, pair):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self.root.cert)
        context.load_cert_chain(pair.chain, pair.key)
        return context


def connect(port, context):
    raw = socket.create_connection(("127.0.0.1", port), timeout=WATCH_S)
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return context.wrap_socket(raw, server_hostname="localhost")


def ask(tls):
    tls.sendall(b"x")
    if tls.recv(1) != b"x":
        raise ConnectionError("no answer")


def accepted(port, context):
    try:
        with connect(port, context) as tls:
            ask(tls)
            return True
    except (OSError, ssl.SSLError):
        return False


class Pinger(threading.Thread):
    """An established connection: a byte there and back, as fast as it goes; the longest pause."""

    def __init__(self, port, context):
        super().__init__()
        self.tls = connect(port, context)
        ask(self.tls)
        self.longest = 0.0
        self.ending = False

    def run(self):
        while not self.ending:
            begin = time.monotonic()
            ask(self.tls)
            self.longest = max(self.longest, time.monotonic() - begin)
            time.sleep(0.0005)

    def end(self):
        self.ending = True
        self.join()
        self.tls.close()
        return self.longest


class Caller(threading.Thread):
    """New connections, one after the other; the longest wait."""

    def __init__(self, port, context):
        super().__init__()
        self.port, self.context = port, context
        self.longest = 0.0
        self.refused = 0
        self.ending = False

    def run(self):
        while not self.ending:
            begin = time.monotonic()
            self.refused += not accepted(self.port, self.context)
            self.longest = max(self.longest, time.monotonic() - begin)
            time.sleep(0.02)

    def end(self):
        self.ending = True
        self.join()
        return self.longest


def family(pid):
    found = [pid]
    for one in found:
        try:
            children = pathlib.Path(f"/proc/{one}/task/{one}/children").read_text().split()
        except OSError:
            continue
        found += [int(child) for child in children]
    return found


def memory_mib(pid):
    """PSS of all; but memory files whole and once, for their pages are there whoever has touched
    them."""
    total, files = 0, {}
    for one in family(pid):
        try:
            smaps = pathlib.Path(f"/proc/{one}/smaps").read_text(errors="replace")
        except OSError:
            continue
        inode = None
        for line in smaps.splitlines():
            words = line.split()
            if not words[0].endswith(":"):
                inode = words[4] if "/memfd:" in line else None
            elif words[0] == "Size:" and inode:
                files[inode] = max(files.get(inode, 0), int(words[1]))
            elif words[0] == "Pss:" and not inode:
                total += int(words[1])
    return (total + sum(files.values())) / 1024


def cpu_us(pid):
    """Processor time of all, of each thread as the scheduler counts it."""
    total = 0
    for one in family(pid):
        for task in pathlib.Path(f"/proc/{one}/task").glob("*/schedstat"):
            try:
                total += int(task.read_text().split()[0])
            except OSError:
                continue
    return total / 1000


def cost_us(process, front, context):
    """Of a new connection with a full handshake, a byte there and back."""
    for _ in range(20):
        accepted(front, context)
    before = cpu_us(process.pid)
    good = sum(accepted(front, context) for _ in range(HANDSHAKES))
    if good != HANDSHAKES:
        raise SystemExit(f"{HANDSHAKES - good} of {HANDSHAKES} connections were refused")
    return (cpu_us(process.pid) - before) / HANDSHAKES


def look_up(build, place):
    """What our table costs one chain, without a handshake around it."""
    done = subprocess.run([build / "tests/bench/bench_crl", place.root.cert, place.lists[0],
                           place.good.chain], check=True, capture_output=True)
    return json.loads(done.stdout)


def start(place, peer, program, front, back):
    text = PEERS[peer][0].format(tmp=place.tmp, front=front, back=back, crl=place.crl,
                                 root=place.root.cert, chain=place.server.chain,
                                 key=place.server.key)
    config = place.tmp / f"{peer}.conf"
    config.write_text(text)
    command = {"mutual": [program, "serve", "-c", config, "--control", place.tmp / "control"],
               "haproxy": ["haproxy", "-W", "-f", config],
               "nginx": ["nginx", "-c", config, "-e", place.tmp / "error.log"]}[peer]
    log = open(place.tmp / f"{peer}.log", "wb")
    return subprocess.Popen(["taskset", "-c", "0", *map(str, command)], stdout=log, stderr=log)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def stop(process):
    process.terminate()
    process.terminate()
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def wait_until(condition, step=0.01):
    begin = time.monotonic()
    while not condition():
        if time.monotonic() - begin > WATCH_S:
            raise SystemExit("a proxy did not do what it should in time")
        time.sleep(step)
    return time.monotonic() - begin


def one(place, peer, program, back):
    front = free_port()
    good, bad = place.context(place.good), place.context(place.bad)
    place.use(0)
    process = start(place, peer, program, front, back)
    try:
        found = {"load": wait_until(lambda: accepted(front, good))}
        if not accepted(front, bad):
            raise SystemExit(f"{peer} refuses who is not listed yet")
        time.sleep(1)
        found["memory"] = found["peak"] = memory_mib(process.pid)
        found["cost"] = cost_us(process, front, good)
        pinger, caller = Pinger(front, good), Caller(front, good)
        pinger.start(), caller.start()
        time.sleep(1)
        pinger.longest = caller.longest = 0
        place.use(1)
        os.kill(process.pid, PEERS[peer][1])

        def counts():
            found["peak"] = max(found["peak"], memory_mib(process.pid))
            return not accepted(front, bad)
        found["until"] = wait_until(counts, 0.05)
        time.sleep(1)
        found["pause"], found["wait"] = 1000 * pinger.end(), 1000 * caller.end()
        if caller.refused:
            print(f"{peer}: {caller.refused} new connections failed meanwhile")
        return found
    finally:
        stop(process)


def measure(program, entries, rounds):
    results = {}
    with tempfile.TemporaryDirectory(prefix="mutual-bench-") as directory:
        place = Place(directory, entries)
        looked = look_up(pathlib.Path(program).parent, place)
        print("look-up of a chain: {with_ns} ns with the list, {without_ns} ns without".format(
            **looked), flush=True)
        with Backend() as backend:
            for number in range(rounds):
                for peer in PEERS:
                    found = one(place, peer, program, backend.address)
                    for figure, value in found.items():
                        results.setdefault(figure, {}).setdefault(peer, []).append(value)
                    print(f"round {number + 1} {peer:8} " + "  ".join(
                        f"{figure} {value:.1f}" for figure, value in found.items()), flush=True)
    return {"entries": entries, "rounds": rounds, "results": results, "looked": looked,
            "date": time.strftime("%Y-%m-%d")}


# ---- the section of docs/performance.md -----------------------------------------------------------

HEAD = "## A revocation list of a million entries"
SECTION = HEAD + """

Measured on {date} by `./dev bench --crl {entries} --write`: the same list of {entries:,} entries
for each, one worker, the proxy on CPU 0 with all its processes, the clients on the other. Medians of
{rounds} interleaved rounds, [lowest–highest]. The next list revokes one more certificate; it counts
when a client with that certificate is refused.

{table}

To judge time and revocation of one chain, no handshake around it, takes us {looked[with_ns]} ns of processor
time with the list and {looked[without_ns]} ns without any.
Each of the hundred thousand chains that are asked about has another serial number.

An established connection sends a byte there and back every half millisecond; new connections are made
one after the other. Ours verifies the next list in a helper of low priority, and the workers map the
result; the helper has the same CPU as the worker here, which is what the pause is. HAProxy and nginx
load the list in a new process; what holds their established connections up we did not look into.
Memory is PSS over all processes, the table counted whole.

"""


def section(measured):
    results = measured["results"]
    peers = list(next(iter(results.values())))
    lines = ["| | " + " | ".join(peers) + " | ours / best |", "|---" * (len(peers) + 2) + "|"]
    for figure, (what, unit, digits) in FIGURES.items():
        cells = [f"{what}, {unit}"]
        for peer in peers:
            values = results[figure][peer]
            cells.append(f"{statistics.median(values):.{digits}f} "
                         f"[{min(values):.{digits}f}–{max(values):.{digits}f}]")
        ours = statistics.median(results[figure]["mutual"])
        best = min(statistics.median(results[figure][p]) for p in peers if p != "mutual")
        cells.append(f"**{ours / best:.2f}**")
        lines.append("| " + " | ".join(cells) + " |")
    return SECTION.format(table="\n".join(lines), **measured)
