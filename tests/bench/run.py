#!/usr/bin/env python3
"""Measures mutual beside HAProxy and nginx: the CPU that the proxy's processes use per operation.

The proxy is alone on CPU 0, the load generator and the backend are on CPU 1, everything is on
127.0.0.1. Rounds are interleaved, every round starts fresh processes; medians and ratios are
printed, and with --write they become docs/performance.md and its chart. All processes of a proxy
count.

It ends, loudly, when a peer did other work than the rest: let somebody in without a certificate or
with a stranger's, spoke another version or cipher, resumed where it should not have or did not
where it should, failed an operation, or replaced one of its processes meanwhile.
"""
import argparse
import contextlib
import json
import os
import pathlib
import platform
import resource
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import report
import revoked
from proxies import PEERS, VERSIONS

HERE = pathlib.Path(__file__).resolve().parent
VERSION, CIPHER = "TLSv1.3", "TLS_AES_256_GCM_SHA384"  # the generator offers nothing else
# mode: (arguments of mtls_load, what its answer is counted by)
MODES = {
    "full": ("-m hs -V -c 32 -n {handshakes} -w 4", ["cpu_us_per_op"]),
    "resumed": ("-m resume -V -c 32 -n {handshakes} -w 4", ["cpu_us_per_op"]),
    "up4": ("-m up -c 4 -b {bulk}", ["cpu_s_per_gib"]),
    "down4": ("-m down -c 4 -b {bulk}", ["cpu_s_per_gib"]),
    "up64": ("-m up -c 64 -b {bulk64}", ["cpu_s_per_gib"]),
    "down64": ("-m down -c 64 -b {bulk64}", ["cpu_s_per_gib"]),
    "ping64": ("-m ping -s 64 -c 64 -n {pings} -w 50", ["cpu_us_per_op"]),
    "ping1000": ("-m ping -s 64 -c 1000 -n {pings} -w 20", ["cpu_us_per_op"]),
    "idle": ("-m hold -V -c {idle} -b 1 -H 3", ["pss_kib_per_conn", "idle_cpu_us_per_s"]),
}


# ---- processes ------------------------------------------------------------------------------------


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
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            for task in os.listdir(f"/proc/{one}/task"):
                left += map(int, pathlib.Path(f"/proc/{one}/task/{task}/children").read_text().split())
    return sorted(found)


def process_name(pid):
    """What a process is for: ours tell it as their first argument."""
    words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    role = [w[7:].decode() for w in words if w.startswith(b"--role=")]
    return role[0] if role else "parent"


def cpu_seconds(pid):
    return int(pathlib.Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


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
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait(5)


class Profile:
    """Where the CPU goes while it lasts: samples of perf by shared object, or nothing without perf."""

    def __init__(self, pids, directory):
        self.data = f"{directory}/perf.data"
        self.shares = {}
        self.perf = None
        if shutil.which("perf"):
            self.perf = subprocess.Popen(
                ["perf", "record", "-e", "cpu-clock", "-F", "999", "-o", self.data, "-p",
                 ",".join(map(str, pids))], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(0.5)

    def end(self):
        if self.perf is None:
            return
        self.perf.send_signal(signal.SIGINT)
        self.perf.wait()
        text = subprocess.run(["perf", "report", "-i", self.data, "--sort", "dso", "-F", "overhead,dso",
                               "--stdio"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                              check=False).stdout
        for line in text.splitlines():
            words = line.split()
            if len(words) == 2 and words[0].endswith("%"):
                self.shares[words[1]] = float(words[0][:-1])


# ---- measuring ------------------------------------------------------------------------------------


class Bench:
    def __init__(self, options, directory):
        self.options = options
        self.directory = pathlib.Path(directory)
        self.pki = self.directory / "pki"
        self.tools = pathlib.Path(options.build).resolve() / "tests/bench"
        self.results = {}  # figure -> peer -> values, one a round
        self.where = {}    # mode -> share of each part, ours only
        self.roles = {}    # mode -> share of each of our processes
        subprocess.run([HERE / "pki.sh", self.pki], check=True)

    def load(self, arguments, front, pids=(), who="client", quiet=False):
        """Runs the generator; its answer, or None when it failed and that was to be quiet."""
        o = self.options
        sizes = {"handshakes": o.handshakes, "pings": o.pings, "bulk": o.bulk << 20,
                 "bulk64": (o.bulk << 20) // 16, "idle": o.idle}
        command = (["taskset", "-c", "1", str(self.tools / "mtls_load")]
                   + shlex.split(arguments.format(**sizes))
                   + ["-A", f"{self.pki}/{o.alg}-root.crt", "-C", f"{self.pki}/{o.alg}-{who}.chain",
                      "-K", f"{self.pki}/{o.alg}-{who}.key", "-t", f"127.0.0.1:{front}", "-d", "300"])
        if pids:
            command += ["-p", ",".join(map(str, pids))]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False,
                              stderr=subprocess.DEVNULL if quiet else None)
        if done.returncode == 0:
            return json.loads(done.stdout)
        if quiet:
            return None
        raise SystemExit(f"failed: {' '.join(command)}\n{done.stdout}")

    def prove(self, peer, front):
        """The peer does mutual authentication: it takes the right certificate, before and after it
        refused to do without one and to take a stranger's."""
        self.load("-m hs -c 1 -n 4", front)
        if self.load("-m hs -X -c 1 -n 1", front, quiet=True) is not None:
            raise SystemExit(f"{peer} let a client in without a certificate")
        if self.load("-m hs -c 1 -n 1", front, who="stranger", quiet=True) is not None:
            raise SystemExit(f"{peer} let a stranger's certificate in")
        self.load("-m hs -c 8 -n 100", front)  # and one-time costs are not the connection's

    def judge(self, peer, mode, found):
        """What was measured is what was meant."""
        wanted = {"version": VERSION, "cipher": CIPHER, "failed": 0}
        if mode in ("full", "resumed"):
            wanted["ops"] = self.options.handshakes
            wanted["resumed"] = self.options.handshakes if mode == "resumed" else 0
        if mode == "idle":
            wanted["live"] = self.options.idle
        for key, value in wanted.items():
            if found.get(key) != value:
                raise SystemExit(f"{peer}, {mode}: {key} is {found.get(key)}, {value} was meant")

    def measure(self, peer, mode, front, proxy, tmp):
        arguments = MODES[mode][0]
        self.prove(peer, front)
        if mode.startswith(("up", "down")):
            self.load(arguments, front)  # a guest may have given free pages back: touch them
        pids = family(proxy.pid)
        before = {pid: cpu_seconds(pid) for pid in pids}
        found = self.load(arguments, front, pids)
        if family(proxy.pid) != pids:
            raise SystemExit(f"{peer}, {mode}: its processes changed while it was measured")
        self.judge(peer, mode, found)
        if peer == "mutual" and mode not in self.roles:
            used = {process_name(pid): cpu_seconds(pid) - before[pid] for pid in pids}
            self.roles[mode] = {k: 100 * v / sum(used.values()) for k, v in used.items()}
            if mode != "idle":
                profile = Profile(pids, tmp)  # a run of its own: perf costs something too
                self.load(arguments, front)
                profile.end()
                self.where[mode] = profile.shares
        return found

    def one(self, peer, mode, back):
        template, command, holes = PEERS[peer]
        front = free_port()
        with tempfile.TemporaryDirectory(dir=self.directory) as tmp:
            values = {"front": front, "back": back, "pki": self.pki, "alg": self.options.alg,
                      "tmp": tmp, "conf": f"{tmp}/conf", "build": self.options.build, **holes}
            pathlib.Path(values["conf"]).write_text(template.format(**values), encoding="utf-8")
            with open(f"{tmp}/err", "w+", encoding="utf-8") as errors:
                proxy = subprocess.Popen(["taskset", "-c", "0"] + shlex.split(command.format(**values)),
                                         stdout=errors, stderr=errors)
                try:
                    wait_for(front, proxy)
                    time.sleep(0.3)
                    return self.measure(peer, mode, front, proxy, tmp)
                except SystemExit:
                    errors.seek(0)
                    sys.stderr.write(errors.read()[-3000:])
                    raise
                finally:
                    stop(proxy)

    def run(self):
        back = free_port()
        backend = subprocess.Popen(["taskset", "-c", "1", str(self.tools / "load_backend"),
                                    "-p", str(back)])
        try:
            wait_for(back, backend)
            for number in range(self.options.rounds):
                for mode in self.options.modes.split(","):
                    for peer in self.options.peers.split(","):
                        found = self.one(peer, mode, back)
                        for figure in MODES[mode][1]:
                            key = mode if figure != "idle_cpu_us_per_s" else "idlecpu"
                            self.results.setdefault(key, {}).setdefault(peer, []).append(found[figure])
                            print(f"round {number + 1} {key:9} {peer:14} {found[figure]:10.3f}",
                                  flush=True)
        finally:
            stop(backend)


# ---- the report -----------------------------------------------------------------------------------


def first_line(command):
    done = subprocess.run(shlex.split(command), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, check=False)
    return done.stdout.strip().splitlines()[0] if done.stdout.strip() else "unknown"


def surroundings(options, load_before):
    cpu = [l.split(":")[1].strip() for l in open("/proc/cpuinfo", encoding="utf-8")
           if l.startswith("model name")]
    return {
        "versions": {k: first_line(v.format(build=options.build)) for k, v in VERSIONS.items()},
        "cpu": f"{len(cpu)} x {cpu[0] if cpu else platform.machine()}",
        "load": f"{load_before[0]:.1f} before, {os.getloadavg()[0]:.1f} after",
        "date": time.strftime("%Y-%m-%d"),
        "alg": {"ec": "ECDSA P-256", "rsa": "RSA-2048"}[options.alg],
        "sizes": {"handshakes": options.handshakes, "pings": options.pings, "bulk_mib": options.bulk,
                  "idle": options.idle},
        "version": VERSION, "cipher": CIPHER,
    }


def parse_arguments():
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
    parser.add_argument("--crl", type=int, metavar="ENTRIES",
                        help="measure a revocation list of so many entries, and nothing else")
    parser.add_argument("--changes", action="store_true",
                        help="only how long a change takes to reach 10,000 open connections")
    parser.add_argument("--micro", action="store_true", help="only the micro benchmarks")
    parser.add_argument("--no-micro", action="store_true", help="without the micro benchmarks")
    parser.add_argument("--write", action="store_true", help="write docs/performance.md and its chart")
    parser.add_argument("--json", help="keep everything that was measured in this file")
    parser.add_argument("--merge", help="put what is measured in place of the same figures of such a file")
    parser.add_argument("--from", dest="source", help="report what such a file holds, measure nothing")
    return parser.parse_args()


def run_micro(build):
    for program in sorted(pathlib.Path(build, "tests/bench").glob("bench_*")):
        if program.is_file() and os.access(program, os.X_OK):
            print(f"\n-- {program.name}", flush=True)
            subprocess.run([program], check=True)


def measure_all(options):
    load_before = os.getloadavg()
    with tempfile.TemporaryDirectory(prefix="mutual-bench-") as directory:
        bench = Bench(options, directory)
        bench.run()
    return {"results": bench.results, "where": bench.where, "roles": bench.roles,
            "surroundings": surroundings(options, load_before)}


def measure_list(options):
    measured = revoked.measure(pathlib.Path(options.build).resolve() / "mutual", options.crl, options.rounds)
    print("\n" + revoked.section(measured))
    page = HERE.parent.parent / "docs/performance.md"
    if options.write:
        page.write_text(revoked.put(page.read_text(encoding="utf-8"), revoked.section(measured)),
                        encoding="utf-8")


def main():
    options = parse_arguments()
    if options.crl:
        measure_list(options)
        return
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if options.changes:
        subprocess.run([HERE / "changes.py", "--build", options.build], check=True)
        return
    if options.source:
        measured = json.loads(pathlib.Path(options.source).read_text(encoding="utf-8"))
    else:
        if not options.no_micro:
            run_micro(options.build)
        if options.micro:
            return
        measured = measure_all(options)
    if options.merge:
        earlier = json.loads(pathlib.Path(options.merge).read_text(encoding="utf-8"))
        for part in ("results", "where", "roles"):
            measured[part] = {**earlier[part], **measured[part]}
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(measured, indent=1), encoding="utf-8")
    print("\n" + report.table(measured["results"]))
    if options.write:
        docs = HERE.parent.parent / "docs"
        docs.mkdir(exist_ok=True)
        page = docs / "performance.md"
        lists = revoked.section_of(page.read_text(encoding="utf-8")) if page.exists() else ""
        page.write_text(revoked.put(report.page(measured), lists), encoding="utf-8")
        (docs / "performance.svg").write_text(report.chart(measured["results"]), encoding="utf-8")
        print(f"\nwrote {docs}/performance.md and performance.svg")


if __name__ == "__main__":
    main()
