# SPDX-License-Identifier: Apache-2.0
"""A running gateway: its configuration, processes, log and status."""
import contextlib
import json
import os
import signal
import subprocess

from net import until

READY_S = 20


class Gateway:
    def __init__(self, program, directory, config, args=None, env=None, name="gateway",
                 expect_failure=False, pass_fds=(), stderr=None, prefix=()):
        self.program = program
        self.name = name
        self.config = directory / f"{name}.yaml"
        self.log_path = directory / f"{name}.log"
        self.control = directory / f"{name}.sock"
        self.args = args
        self.env = env or {}
        self.expect_failure = expect_failure
        self.pass_fds = pass_fds
        self.stderr = stderr
        self.prefix = list(prefix)
        self.process = None
        if config is not None:
            self.write(config)

    def write(self, config):
        """JSON is YAML."""
        self.config.write_text(config if isinstance(config, str) else json.dumps(config, indent=1))

    def start(self):
        args = self.args or ["serve", "-c", str(self.config), "--control", str(self.control)]
        self.log_file = open(self.log_path, "ab")
        self.process = subprocess.Popen(
            [*self.prefix, self.program, *args], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=self.stderr or self.log_file,
            env={**os.environ, **self.env}, pass_fds=self.pass_fds)
        if self.expect_failure:
            self.status = self.process.wait(READY_S)
        elif self.stderr is None:
            self.event("ready", READY_S)

    def stop(self):
        if self.process is None or self.process.poll() is not None:
            return
        self.process.terminate()
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    # -- the log

    def text(self):
        return self.log_path.read_text(errors="replace")

    def lines(self):
        found = []
        for line in self.text().splitlines():
            try:
                found.append(json.loads(line))
            except ValueError:
                pass
        return found

    def events(self, event):
        return [line for line in self.lines() if line.get("event") == event]

    def event(self, event, seconds=10, count=1):
        """Waits for the count-th line of that event."""
        def look():
            if self.process.poll() is not None:
                raise AssertionError(f"the gateway ended: {self.text()}")
            found = self.events(event)
            return found[count - 1] if len(found) >= count else None
        try:
            return until(look, seconds)
        except AssertionError as error:
            raise AssertionError(f"no event {event} ({count}) in: {self.text()}") from error

    def ends(self):
        """The lines of connections."""
        return [line for line in self.lines() if "peer.addr" in line]

    def end(self, seconds=10, **fields):
        """Waits for the line of a connection with these fields."""
        def look():
            for line in self.ends():
                if all(line.get(key.replace("_", ".")) == value or line.get(key) == value
                       for key, value in fields.items()):
                    return line
            return None
        try:
            return until(look, seconds)
        except AssertionError as error:
            raise AssertionError(f"no connection with {fields} in: {self.text()}") from error

    # -- what runs

    def address(self, service=None):
        """Where the service listens."""
        for line in self.events("listening"):
            if service is None or f'"{service}"' in line["msg"]:
                return line["msg"].rsplit(" ", 1)[1]
        raise AssertionError(f"nothing listens: {self.text()}")

    def status(self):
        out = subprocess.run([self.program, "status", "--json", "--control", str(self.control)],
                             capture_output=True, timeout=20)
        return json.loads(out.stdout)

    def pids(self, role):
        return [process["pid"] for process in self.status()["processes"]
                if process["role"] == role]

    def figures(self, service):
        for one in self.status()["services"]:
            if one["name"] == service:
                return one["figures"]
        return None

    # -- signals

    def reload(self):
        """Tells it to reload and waits for the outcome: True when the new one is in use."""
        before = len(self.events("reloaded")) + len(self.events("reload_refused"))
        done = len(self.events("reloaded"))
        self.process.send_signal(signal.SIGHUP)
        until(lambda: len(self.events("reloaded")) + len(self.events("reload_refused")) > before)
        return len(self.events("reloaded")) > done

    def signal(self, number):
        self.process.send_signal(number)


@contextlib.contextmanager
def starting(program, directory):
    """Starts gateways; all of them are ended with the block."""
    started = []

    def start(config, **more):
        one = Gateway(program, directory, config, **more)
        started.append(one)
        one.start()
        return one

    try:
        yield start
    finally:
        for one in started:
            one.stop()


def inbound(pki, backend, *, name="db", server=None, grants=None, trust=None, **more):
    """A configuration with one inbound, and a grant for spiffe://example.org/**;
    it reloads when it is told to."""
    server = server or pki.server()
    return {
        "version": 1,
        "workers": 1,
        "watch": False,
        "trust": [{"name": "corp", "bundle": str(pki.bundle), **(trust or {})}],
        "inbound": [{
            "name": name,
            "listen": "127.0.0.1:0",
            "forward": backend if isinstance(backend, str) else backend.address,
            "certificate": {"chain": str(server.chain), "key": str(server.key)},
            "clients": {"mode": "require", "trust": "corp"},
            **more,
        }],
        "policy": [{"grant": "all", "to": name, "from": grants or
                    [{"spiffe": "spiffe://example.org/**"}],
                    "owner": "tests", "why": "testing"}],
    }
