#!/usr/bin/env python3
"""Measures mutual beside HAProxy and nginx: the CPU that the proxy's processes use per operation.

The proxy is alone on CPU 0, the load generator and the backend are on CPU 1, everything is on
127.0.0.1. Rounds are interleaved, every round starts fresh processes; medians and ratios are
printed. All processes of a proxy count. A peer that lets a client in without a certificate ends
the run: it would be doing less work.
"""
import argparse
import json
import os
import pathlib
import resource
import shlex
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

from peers import PEERS

HERE = pathlib.Path(__file__).resolve().parent
# mode: (arguments of mtls_load, what counts, its unit)
MODES = {
    "full": ("-m hs -V -c 32 -n {handshakes} -w 4", "cpu_us_per_op", "CPU us per handshake"),
    "resumed": ("-m resume -V -c 32 -n {handshakes} -w 4", "cpu_us_per_op", "CPU us per handshake"),
    "up4": ("-m up -c 4 -b {bulk}", "cpu_s_per_gib", "CPU s per GiB to the backend"),
    "down4": ("-m down -c 4 -b {bulk}", "cpu_s_per_gib", "CPU s per GiB from the backend"),
    "up64": ("-m up -c 64 -b {bulk64}", "cpu_s_per_gib", "CPU s per GiB to the backend"),
    "down64": ("-m down -c 64 -b {bulk64}", "cpu_s_per_gib", "CPU s per GiB from the backend"),
    "ping64": ("-m ping -s 64 -c 64 -n {pings} -w 50", "cpu_us_per_op", "CPU us per 64-byte echo"),
    "ping1000": ("-m ping -s 64 -c 1000 -n {pings} -w 20", "cpu_us_per_op",
                 "CPU us per 64-byte echo"),
    "idle": ("-m hold -V -c {idle} -b 1 -H 3", "pss_kib_per_conn", "KiB per idle connection"),
}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def family(pid):
    """The process and all its descendants."""
    found, left = [], [pid]
    while left:
        one = left.pop()
        found.append(one)
        try:
            for task in os.listdir(f"/proc/{one}/task"):
                left += map(int, pathlib.Path(f"/proc/{one}/task/{task}/children").read_text().split())
        except (FileNotFoundError, ProcessLookupError):
            pass
    return found


def wait_for(port, process, seconds=10):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if process.poll() is not None:
            raise SystemExit(f"ended at once: {process.args}")
        listeners = pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]
        if any(l.split()[3] == "0A" and l.split()[1].endswith(f":{port:04X}") for l in listeners):
            return
        time.sleep(0.05)
    raise SystemExit(f"nothing listens on port {port}")


def stop(process):
    pids = family(process.pid)
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        process.wait(5)


class Bench:
    def __init__(self, options, directory):
        self.options = options
        self.directory = pathlib.Path(directory)
        self.pki = self.directory / "pki"
        self.tools = pathlib.Path(options.build).resolve() / "tests/bench"
        self.results = {}
        subprocess.run([HERE / "pki.sh", self.pki], check=True)

    def load(self, arguments, front, pids=(), check=True):
        o = self.options
        sizes = {"handshakes": o.handshakes, "pings": o.pings, "bulk": o.bulk << 20,
                 "bulk64": (o.bulk << 20) // 16, "idle": o.idle}
        command = (["taskset", "-c", "1", str(self.tools / "mtls_load")]
                   + shlex.split(arguments.format(**sizes))
                   + ["-A", f"{self.pki}/{o.alg}-root.crt", "-C", f"{self.pki}/{o.alg}-client.chain",
                      "-K", f"{self.pki}/{o.alg}-client.key", "-t", f"127.0.0.1:{front}", "-d", "60"])
        if pids:
            command += ["-p", ",".join(map(str, pids))]
        done = subprocess.run(command, stdout=subprocess.PIPE,
                              stderr=None if check else subprocess.DEVNULL, text=True, check=False)
        if check and done.returncode != 0:
            raise SystemExit(f"failed: {' '.join(command)}\n{done.stdout}")
        return json.loads(done.stdout) if check else done.returncode

    def one(self, peer, mode, back):
        template, command, holes = PEERS[peer]
        arguments, figure, _ = MODES[mode]
        front = free_port()
        with tempfile.TemporaryDirectory(dir=self.directory) as tmp:
            values = {"front": front, "back": back, "pki": self.pki, "alg": self.options.alg,
                      "tmp": tmp, "conf": f"{tmp}/conf", "build": self.options.build, **holes}
            pathlib.Path(values["conf"]).write_text(template.format(**values))
            with open(f"{tmp}/err", "w+", encoding="utf-8") as errors:
                proxy = subprocess.Popen(["taskset", "-c", "0"] + shlex.split(command.format(**values)),
                                         stdout=errors, stderr=errors)
                try:
                    wait_for(front, proxy)
                    time.sleep(0.3)
                    if self.load("-m hs -X -c 1 -n 4", front, check=False) == 0:
                        raise SystemExit(f"{peer} let a client in without a certificate")
                    self.load("-m hs -c 8 -n 100", front)  # one-time costs are not the connection's
                    if figure == "cpu_s_per_gib":
                        self.load(arguments, front)  # a guest may have given free pages back: touch them
                    found = self.load(arguments, front, family(proxy.pid))
                except SystemExit:
                    errors.seek(0)
                    sys.stderr.write(errors.read()[-3000:])
                    raise
                finally:
                    stop(proxy)
        if mode == "resumed" and found.get("resumed") != self.options.handshakes:
            raise SystemExit(f"{peer}: only {found.get('resumed')} connections were resumed")
        return found[figure]

    def run(self):
        back = free_port()
        backend = subprocess.Popen(["taskset", "-c", "1", str(self.tools / "load_backend"),
                                    "-p", str(back)])
        try:
            wait_for(back, backend)
            for round_number in range(self.options.rounds):
                for mode in self.options.modes.split(","):
                    for peer in self.options.peers.split(","):
                        value = self.one(peer, mode, back)
                        self.results.setdefault(mode, {}).setdefault(peer, []).append(value)
                        print(f"round {round_number + 1} {mode:9} {peer:14} {value:10.3f}", flush=True)
        finally:
            stop(backend)

    def table(self):
        peers = self.options.peers.split(",")
        others = [p for p in peers if p != "mutual"]
        lines = ["", "| per operation | " + " | ".join(peers) + " | ours / best stock | ours / best |",
                 "|---" * (len(peers) + 3) + "|"]
        for mode, by_peer in self.results.items():
            middle = {p: statistics.median(v) for p, v in by_peer.items()}
            cells = [f"{middle[p]:.2f} [{min(by_peer[p]):.2f} .. {max(by_peer[p]):.2f}]" for p in peers]
            stock = [middle[p] for p in others if not p.endswith("-tuned")]
            ratios = ["-", "-"]
            if "mutual" in middle and others:
                ratios = [f"{middle['mutual'] / min(stock):.2f}" if stock else "-",
                          f"{middle['mutual'] / min(middle[p] for p in others):.2f}"]
            lines.append(f"| {mode}: {MODES[mode][2]} | " + " | ".join(cells + ratios) + " |")
        return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build-release")
    parser.add_argument("--peers", default="mutual,haproxy,nginx,haproxy-tuned,nginx-tuned")
    parser.add_argument("--modes", default=",".join(MODES))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--alg", choices=["ec", "rsa"], default="ec")
    parser.add_argument("--handshakes", type=int, default=4000)
    parser.add_argument("--pings", type=int, default=150000)
    parser.add_argument("--bulk", type=int, default=256, help="MiB per connection of the up4, down4 modes")
    parser.add_argument("--idle", type=int, default=3000)
    parser.add_argument("--micro", action="store_true", help="only the micro benchmarks")
    options = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    for program in sorted(pathlib.Path(options.build, "tests/bench").glob("bench_*")):
        if program.is_file() and os.access(program, os.X_OK):
            print(f"\n-- {program.name}", flush=True)
            subprocess.run([program], check=True)
    if options.micro:
        return
    with tempfile.TemporaryDirectory(prefix="mutual-bench-") as directory:
        bench = Bench(options, directory)
        bench.run()
        print(bench.table())


if __name__ == "__main__":
    main()
