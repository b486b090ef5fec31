# SPDX-License-Identifier: Apache-2.0
"""Both ends of a connection: services behind the gateway, and clients of several temperaments."""
import contextlib
import itertools
import os
import select
import socket
import ssl
import threading
import time

TIMEOUT = 10


# Below the ports that the system gives by itself (ip_local_port_range), which would be given to somebody
# else before a test comes to use its own; each worker of a run has a range of these.
PORTS = 4000
_ports = itertools.count(os.getpid())
_first = 12000 + PORTS * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))


def free_port():
    """A port of loopback, TCP and UDP, that nobody has; it is not given again soon."""
    for number in _ports:
        port = _first + number % PORTS
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            try:
                tcp.bind(("127.0.0.1", port))
                udp.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


class Backend:
    """A service in a thread: echoes what it gets until the end, then ends too. Other behaviour is a
    function of the accepted socket."""

    def __init__(self, behave=None, path=None, port=0):
        self.behave = behave or self.echo
        self.accepted = 0
        self.lost = []
        if path is None:
            self.socket = socket.socket()
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.socket.bind(("127.0.0.1", port))
            self.port = self.socket.getsockname()[1]
            self.address = f"127.0.0.1:{self.port}"
        else:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.bind(str(path))
            path.chmod(0o777)
            self.address = f"unix:{path}"
        self.socket.listen(128)
        self.thread = threading.Thread(target=self.run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        """Wakes the thread first: an accept that outlives its socket takes the connections of
        whoever has the descriptor's number next."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.thread.join(TIMEOUT)
        self.socket.close()

    def run(self):
        while True:
            try:
                one, _ = self.socket.accept()
            except OSError:
                return
            self.accepted += 1
            one.settimeout(TIMEOUT * 3)
            threading.Thread(target=self.serve, args=(one,), daemon=True).start()

    def serve(self, one):
        with one:
            try:
                self.behave(one)
            except OSError as error:
                self.lost.append(error)

    @staticmethod
    def echo(one):
        while data := one.recv(65536):
            one.sendall(data)
        one.shutdown(socket.SHUT_WR)


def client_context(pki, pair=None, version=None, ca=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(ca or pki.bundle)
    if pair is not None:
        context.load_cert_chain(pair.chain, pair.key)
    if version is not None:
        context.minimum_version = context.maximum_version = version
    return context


class TlsClient:
    """A client of Python's ssl; raises what ssl raises."""

    def __init__(self, address, context, name="localhost", timeout=TIMEOUT, session=None):
        host, port = address.rsplit(":", 1)
        self.raw = socket.create_connection((host, int(port)), timeout=timeout)
        try:
            self.tls = context.wrap_socket(self.raw, server_hostname=name, session=session)
        except BaseException:
            self.raw.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        """Says goodbye as TLS wants it; a peer that is gone already does not matter."""
        with contextlib.suppress(OSError, ValueError):
            self.tls.settimeout(2)
            self.raw = self.tls.unwrap()
            self.raw.close()
        self.tls.close()

    def exchange(self, data):
        """Sends and at the same time reads as many bytes back; in one thread, for OpenSSL's connection
        objects bear no two at once."""
        sent, got = 0, bytearray()
        self.tls.setblocking(False)
        while len(got) < len(data):
            wants_write = False
            if sent < len(data):
                try:
                    sent += self.tls.send(data[sent:sent + 65536])
                    wants_write = True
                except ssl.SSLWantWriteError:
                    wants_write = True
                except ssl.SSLWantReadError:
                    pass
            try:
                more = self.tls.recv(65536)
                if not more:
                    raise EOFError(f"ended after {len(got)} of {len(data)} bytes")
                got += more
                continue
            except ssl.SSLWantReadError:
                pass
            ready = select.select([self.tls], [self.tls] if wants_write else [], [],
                                  TIMEOUT)
            if not any(ready):
                raise TimeoutError(f"silent after {sent} bytes sent and {len(got)} read")
        self.tls.settimeout(TIMEOUT)
        return bytes(got)

    def ask(self, data=b"hello"):
        """Sends and reads as many bytes back."""
        self.tls.sendall(data)
        got = b""
        while len(got) < len(data):
            more = self.tls.recv(65536)
            if not more:
                raise EOFError(f"ended after {len(got)} of {len(data)} bytes")
            got += more
        assert got == data
        return got


def refused(address, context, **more):
    """Connects and returns the error by which the connection is refused; in TLS 1.3 it comes only
    with the first read."""
    try:
        with TlsClient(address, context, **more) as client:
            client.ask()
    except (ssl.SSLError, ConnectionError, EOFError) as error:
        return error
    raise AssertionError("the connection was not refused")


def say(address, data, timeout=TIMEOUT):
    """Sends bytes as they are and returns everything that comes back until the end."""
    host, port = address.rsplit(":", 1)
    got = b""
    with contextlib.suppress(ConnectionResetError), \
            socket.create_connection((host, int(port)), timeout=timeout) as raw, \
            contextlib.suppress(ConnectionError):
        raw.sendall(data)
        while more := raw.recv(65536):
            got += more
    return got


def until(condition, seconds=TIMEOUT, step=0.02):
    """Waits until the condition yields something true, and returns that."""
    end = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > end:
            raise AssertionError("it did not come about in time")
        time.sleep(step)
