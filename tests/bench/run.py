#!/usr/bin/env python3
"""Measures mutual beside HAProxy, nginx, hitch and stunnel: the CPU that the proxy's processes use per
operation.

The proxy is alone on CPU 0, the load generator and the backend are on CPU 1, everything is on
127.0.0.1. Rounds are interleaved, every round starts fresh processes; medians and ratios are
printed, and with --write they become docs/performance.md and its chart. All processes of a proxy
count. With --axes it measures instead how cost follows what axes.py names.

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

import axes
import changes
import proxies
import report
import report_axes
import revoked
import sections

HERE = pathlib.Path(__file__).resolve().parent
PAGE = HERE.parent.parent / "docs/performance.md"
# tls: what the generator offers and nothing else, and how it says so
OFFERS = {"1.3": ("TLSv1.3", ["TLS_AES_256_GCM_SHA384"], ""),
          "1.2": ("TLSv1.2", ["ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-GCM-SHA384"],
                  "-2 -G X25519:P-256 -x ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384")}
# mode: (arguments of mtls_load, what its answer is counted by)
MODES = {
    "full": ("-m hs -V -c 32 -n {handshakes} -w 4", ["cpu_us_per_op"]),
    "unseen": ("-m hs -V -U {pki}/{alg}-inter.key -c 32 -n {handshakes} -w 4", ["cpu_us_per_op"]),
    "resumed": ("-m resume -V -c 32 -n {handshakes} -w 4", ["cpu_us_per_op"]),
    "up4": ("-m up -c 4 -b {bulk}", ["cpu_s_per_gib"]),
    "down4": ("-m down -c 4 -b {bulk}", ["cpu_s_per_gib"]),
    "up64": ("-m up -c 64 -b {bulk64}", ["cpu_s_per_gib"]),
    "down64": ("-m down -c 64 -b {bulk64}", ["cpu_s_per_gib"]),
    "ping64": ("-m ping -s 64 -c 64 -n {pings} -w 50", ["cpu_us_per_op"]),
    "ping1000": ("-m ping -s 64 -c 1000 -n {pings} -w 20", ["cpu_us_per_op"]),
    "idle": ("-m hold -V -c {idle} -b 1 -H 3", ["pss_kib_per_conn", "idle_cpu_us_per_s"]),
}
# ... and those that only the axes need
AXIS_MODES = {
    "latency": "-m hs -V -c {parallel} -n {handshakes} -w 4",
    "flooded": "-m ping -s 64 -c 8 -n 2000000 -w 50 -W 1000 -T 4",
}


# ---- processes ------------------------------------------------------------------------------------


def free_ports(count):
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


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


def pss_kib(pid):
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))


def wait_for(port, process, seconds=60):
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


PROXY_CPUS = {1: "0", 2: "0,1"}


def beside(point):
    """The processors of whoever is not the proxy."""
    return PROXY_CPUS[point["workers"]] if point["workers"] > 1 or point["together"] else "1"


AHEAD = ["chrt", "--rr", "1"]


@contextlib.contextmanager
def ahead(process):
    """Meanwhile it runs before whatever is not in the real-time class."""
    try:
        os.sched_setscheduler(process.pid, os.SCHED_RR, os.sched_param(1))
    except PermissionError:
        raise SystemExit("hellos that go no further are measured by root: the load must run before who sends them")
    try:
        yield
    finally:
        os.sched_setscheduler(process.pid, os.SCHED_OTHER, os.sched_param(0))


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
        self.axes = {}     # axis -> mode, figure -> peer -> label -> values
        self.behind = None # the service behind the proxies
        subprocess.run([HERE / "pki.sh", self.pki], check=True)

    def command(self, arguments, front, point, who="client"):
        o = self.options
        words = ["taskset", "-c", beside(point), str(self.tools / "mtls_load")]
        words += shlex.split(arguments.format(
            handshakes=o.handshakes, pings=o.pings, bulk=o.bulk << 20, bulk64=(o.bulk << 20) // 16,
            pki=self.pki, **{"idle": o.idle, "parallel": 32, **point}))
        words += ["-t", f"127.0.0.1:{front}", "-d", "300"]
        if point["side"] == "out":
            return words + ["-P"]
        pair = f"{self.pki}/{point['alg']}-{who}"
        return (words + shlex.split(OFFERS[point["tls"]][2])
                + ["-A", f"{self.pki}/{point['alg']}-root.crt", "-C", f"{pair}.chain", "-K", f"{pair}.key"])

    def load(self, arguments, front, point, pids=(), who="client", quiet=False):
        """Runs the generator; its answer, or None when it failed and that was to be quiet."""
        command = self.command(arguments, front, point, who)
        if pids:
            command += ["-p", ",".join(map(str, pids))]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False,
                              stderr=subprocess.DEVNULL if quiet else None)
        if done.returncode == 0:
            return json.loads(done.stdout)
        if quiet:
            return None
        raise SystemExit(f"failed: {' '.join(command)}\n{done.stdout}")

    def flood(self, arguments, front, point):
        """Runs the generator, and from the moment its connections stand, somebody who knocks. They share a
        processor: who knocks has what the generator and the service leave, or it would be these that wait.
        A low class is not enough for that: Linux 6.18 lets an idle task run before one of the usual class
        that had more than its share just now, and then for a tick. So these two are of the real-time one."""
        able = self.load("-m hs -V -c 32 -n 300 -w 1", front, point)["ops_per_s"]
        rate = point["knocks"] * able
        with ahead(self.behind), subprocess.Popen(
                AHEAD + self.command(arguments, front, point), stdout=subprocess.PIPE,
                stderr=subprocess.PIPE, text=True) as load:
            while load.poll() is None and "WARM" not in load.stderr.readline():
                pass
            knocker = rate and subprocess.Popen(
                ["taskset", "-c", "1", "chrt", "--idle", "0", str(self.tools / "knock"), "-t", f"127.0.0.1:{front}", "-r",
                 str(rate), "-d", "100"], stdout=subprocess.DEVNULL)
            answer, errors = load.communicate()
            if knocker:
                if knocker.poll() is not None:
                    raise SystemExit("the knocks ended before the measurement did")
                knocker.terminate()
                knocker.wait()
        if load.returncode != 0:
            raise SystemExit(f"failed under {rate:.0f} knocks a second:\n{errors}{answer}")
        return json.loads(answer)

    def crowd(self, peer, mode, arguments, front, point, pids):
        """A generator for each worker, all at once; what they answer together."""
        before = sum(cpu_seconds(pid) for pid in pids)
        loads = [subprocess.Popen(self.command(arguments, front, point), stdout=subprocess.PIPE, text=True)
                 for _ in range(point["workers"])]
        answers = [load.communicate()[0] for load in loads]
        if any(load.returncode != 0 for load in loads):
            raise SystemExit(f"{peer}, {mode}: a generator of {len(loads)} failed\n" + "\n".join(answers))
        answers = [json.loads(answer) for answer in answers]
        for answer in answers:
            self.judge(peer, mode, answer, point)
        spent = sum(cpu_seconds(pid) for pid in pids) - before
        return {**answers[0], "ops_per_s": sum(answer["ops_per_s"] for answer in answers),
                "cpu_us_per_op": 1e6 * spent / sum(answer["ops"] for answer in answers)}

    def prove(self, peer, front, point):
        """The peer does mutual authentication: it takes the right certificate, before and after it
        refused to do without one and to take a stranger's. Of an outbound the service behind tells,
        for it asks everybody for a certificate."""
        self.load("-m hs -c 1 -n 4", front, point)
        if point["side"] == "in":
            if self.load("-m hs -X -c 1 -n 1", front, point, quiet=True) is not None:
                raise SystemExit(f"{peer} let a client in without a certificate")
            if self.load("-m hs -c 1 -n 1", front, point, who="stranger", quiet=True) is not None:
                raise SystemExit(f"{peer} let a stranger's certificate in")
        self.load("-m hs -c 8 -n 100", front, point)  # and one-time costs are not the connection's

    def judge(self, peer, mode, found, point):
        """What was measured is what was meant."""
        version, ciphers, _ = OFFERS[point["tls"]]
        wanted = {"version": [version], "cipher": ciphers, "failed": [0]}
        if point["side"] == "out":
            wanted = {"failed": [0]}
        if mode in ("full", "unseen", "resumed"):
            wanted["ops"] = [self.options.handshakes]
            wanted["resumed"] = [self.options.handshakes if mode == "resumed" else 0]
        if mode == "idle":
            wanted["live"] = [point.get("idle", self.options.idle)]
        for key, values in wanted.items():
            if found.get(key) not in values:
                raise SystemExit(f"{peer}, {mode}: {key} is {found.get(key)}, {values} was meant")

    def measure(self, peer, mode, front, proxy, tmp, point):
        arguments = MODES[mode][0] if mode in MODES else AXIS_MODES[mode]
        self.prove(peer, front, point)
        if mode.startswith(("up", "down")):
            self.load(arguments, front, point)  # a guest may have given free pages back: touch them
        pids = family(proxy.pid)
        before = {pid: cpu_seconds(pid) for pid in pids}
        if "knocks" in point:
            found = self.flood(arguments, front, point)
        elif point["together"]:
            found = self.crowd(peer, mode, arguments, front, point, pids)
        else:
            found = self.load(arguments, front, point, pids)
        if family(proxy.pid) != pids:
            raise SystemExit(f"{peer}, {mode}: its processes changed while it was measured")
        self.judge(peer, mode, found, point)
        found["pss_mib"] = sum(pss_kib(pid) for pid in pids) / 1024
        if peer == "mutual" and mode not in self.roles and mode in MODES:
            used = {process_name(pid): cpu_seconds(pid) - before[pid] for pid in pids}
            self.roles[mode] = {k: 100 * v / sum(used.values()) for k, v in used.items()}
            if mode != "idle":
                profile = Profile(pids, tmp)  # a run of its own: perf costs something too
                self.load(arguments, front, point)
                profile.end()
                self.where[mode] = profile.shares
        return found

    @contextlib.contextmanager
    def running(self, command, port, cpus):
        """A process that listens there; what it says is shown when something fails. It is not kept
        beside the configuration, where it would be watched."""
        with open(f"{self.directory}/err-{port}", "w+", encoding="utf-8") as errors:
            process = subprocess.Popen(["taskset", "-c", cpus] + shlex.split(command),
                                       stdout=errors, stderr=errors)
            try:
                wait_for(port, process)
                time.sleep(0.3)
                yield process
            except SystemExit:
                errors.seek(0)
                sys.stderr.write(errors.read()[-3000:])
                raise
            finally:
                stop(process)

    def one(self, peer, mode, back, changed=None):
        point = {**proxies.POINT, "alg": self.options.alg, **(changed or {})}
        ports = free_ports(point["listeners"])
        with tempfile.TemporaryDirectory(dir=self.directory) as tmp, contextlib.ExitStack() as stack:
            if point["together"]:
                back = free_ports(1)[0]
                stack.enter_context(self.running(f"{self.tools}/load_backend -p {back}", back, beside(point)))
            if point["side"] == "out":
                service = free_ports(1)[0]
                stack.enter_context(self.running(
                    proxies.tls_service(point, service, back, tmp, self.pki), service, "1"))
                back = service
            command = proxies.write(peer, point, ports, tmp, back=back, pki=self.pki,
                                    build=self.options.build)
            proxy = stack.enter_context(self.running(command, ports[0], PROXY_CPUS[point["workers"]]))
            return self.measure(peer, mode, ports[0], proxy, tmp, point)

    def round_of_modes(self, number, back):
        for mode in self.options.modes.split(","):
            for peer in self.options.peers.split(","):
                found = self.one(peer, mode, back)
                for figure in MODES[mode][1]:
                    key = mode if figure != "idle_cpu_us_per_s" else "idlecpu"
                    self.results.setdefault(key, {}).setdefault(peer, []).append(found[figure])
                    print(f"round {number + 1} {key:9} {peer:14} {found[figure]:10.3f}", flush=True)

    def round_of_axes(self, number, back):
        wanted = self.options.axes.split(",")
        for name, axis in axes.axes(self.options.idle_most).items():
            if name not in wanted and wanted != ["all"]:
                continue
            for mode in axis.modes:
                for label, changed in axis.points:
                    for peer in axis.peers:
                        found = self.one(peer, mode, back, changed)
                        for figure in axis.figures:
                            row = self.axes.setdefault(name, {}).setdefault(f"{mode} {figure}", {})
                            row.setdefault(peer, {}).setdefault(str(label), []).append(found[figure])
                            print(f"round {number + 1} {name:9} {label!s:8} {mode:8} {peer:14} {figure} "
                                  f"{found[figure]:.3f}", flush=True)

    def run(self):
        back = free_ports(1)[0]
        with tempfile.TemporaryDirectory(dir=self.directory) as tmp, self.running(
                f"{self.tools}/load_backend -p {back}", back, "1") as self.behind:
            for number in range(self.options.rounds):
                if self.options.axes:
                    self.round_of_axes(number, back)
                else:
                    self.round_of_modes(number, back)


# ---- the report -----------------------------------------------------------------------------------


def first_line(command):
    done = subprocess.run(shlex.split(command), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, check=False)
    return done.stdout.strip().splitlines()[0] if done.stdout.strip() else "unknown"


def surroundings(options, load_before):
    cpu = [l.split(":")[1].strip() for l in open("/proc/cpuinfo", encoding="utf-8")
           if l.startswith("model name")]
    return {
        "versions": {k: first_line(v.format(build=options.build)) for k, v in proxies.VERSIONS.items()},
        "cpu": f"{len(cpu)} x {cpu[0] if cpu else platform.machine()}",
        "load": f"{load_before[0]:.1f} before, {os.getloadavg()[0]:.1f} after",
        "date": time.strftime("%Y-%m-%d"),
        "alg": {"ec": "ECDSA P-256", "rsa": "RSA-2048", "ed25519": "Ed25519"}[options.alg],
        "sizes": {"handshakes": options.handshakes, "pings": options.pings, "bulk_mib": options.bulk,
                  "idle": options.idle},
        "version": OFFERS["1.3"][0], "cipher": OFFERS["1.3"][1][0],
    }


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build-release")
    parser.add_argument("--peers", default=",".join(proxies.PEERS))
    parser.add_argument("--modes", default=",".join(MODES))
    parser.add_argument("--axes", nargs="?", const="all", default="",
                        help="measure along these axes of axes.py, or all of them")
    parser.add_argument("--idle-most", type=int, default=9600,
                        help="idle connections of one worker on that axis; it has two descriptors for each")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--alg", choices=["ec", "rsa", "ed25519"], default="ec")
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
    # not below /tmp, where everybody makes files: ours watches the directories above its configuration
    with tempfile.TemporaryDirectory(prefix="mutual-bench-", dir="/var/tmp") as directory:
        bench = Bench(options, directory)
        bench.run()
    return {"results": bench.results, "where": bench.where, "roles": bench.roles, "axes": bench.axes,
            "surroundings": surroundings(options, load_before)}


def measure_list(options):
    measured = revoked.measure(pathlib.Path(options.build).resolve() / "mutual", options.crl, options.rounds)
    write_section(options, revoked.section(measured))


def measure_changes(options):
    done = subprocess.run([HERE / "changes.py", "--build", options.build], check=True,
                          stdout=subprocess.PIPE, text=True)
    found = json.loads(done.stdout.splitlines()[-1])
    write_section(options, changes.section(found, time.strftime("%Y-%m-%d")))


def write_section(options, section):
    print("\n" + section)
    if options.write:
        PAGE.write_text(sections.put(PAGE.read_text(encoding="utf-8"), section), encoding="utf-8")


def main():
    options = parse_arguments()
    if options.crl:
        measure_list(options)
        return
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if options.changes:
        measure_changes(options)
        return
    if options.source:
        measured = json.loads(pathlib.Path(options.source).read_text(encoding="utf-8"))
    else:
        if not options.no_micro and not options.axes:
            run_micro(options.build)
        if options.micro:
            return
        measured = measure_all(options)
    if options.merge:
        earlier = json.loads(pathlib.Path(options.merge).read_text(encoding="utf-8"))
        for part in ("results", "where", "roles", "axes"):
            measured[part] = {**earlier.get(part, {}), **measured[part]}
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(measured, indent=1), encoding="utf-8")
    if measured["results"]:
        print("\n" + report.table(measured["results"]))
    print("\n" + report_axes.tables(measured.get("axes", {})))
    if options.write:
        earlier, page = PAGE.read_text(encoding="utf-8"), report.page(measured)
        for head in (revoked.HEAD, changes.HEAD):
            page = sections.put(page, sections.section_of(earlier, head))
        PAGE.write_text(page, encoding="utf-8")
        PAGE.with_suffix(".svg").write_text(report.chart(measured["results"]), encoding="utf-8")
        print(f"\nwrote {PAGE} and its chart")


if __name__ == "__main__":
    main()
