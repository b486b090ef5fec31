# SPDX-License-Identifier: Apache-2.0
"""Ways around the door: data before the verdict, and verdicts that the rules have overtaken."""
import socket
import ssl
import time

from gateway import inbound
from net import Backend, TlsClient, client_context, until


class Recorder(Backend):
    """Keeps every byte that reached it."""

    def __init__(self):
        super().__init__(self.record)
        self.got = b""

    def record(self, one):
        while data := one.recv(65536):
            self.got += data


def test_data_sent_with_the_handshake_of_somebody_without_grant_reach_nobody(gateway, pki):
    with Recorder() as service:
        g = gateway(inbound(pki, service, proxy_protocol="v2",
                            grants=[{"spiffe": "spiffe://example.org/somebody-else"}]))
        context = client_context(pki, pki.client())
        with socket.create_connection(tuple(g.address().rsplit(":", 1))) as raw:
            incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            tls = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
            for _ in range(3):
                try:
                    tls.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    raw.sendall(outgoing.read())
                    incoming.write(raw.recv(65536))
            tls.write(b"secret order " * 1000)  # in one segment with Certificate and Finished
            raw.sendall(outgoing.read())
            g.end(decision="refused")
        assert service.accepted == 0 and service.got == b""


class FullBackend:
    """A service whose queue is full until it is told to accept."""

    def __init__(self):
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        self.socket.listen(0)
        self.address = "127.0.0.1:%d" % self.socket.getsockname()[1]
        self.fillers = []
        for _ in range(4):
            one = socket.socket()
            one.setblocking(False)
            one.connect_ex(self.socket.getsockname())
            self.fillers.append(one)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def get_through(self, seconds):
        """Accepts everybody; the bytes of the first that sends some."""
        for one in self.fillers:
            one.close()
        self.socket.settimeout(0.2)
        open_ones, end = [], time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                open_ones.append(self.socket.accept()[0])
                open_ones[-1].settimeout(0.2)
            except TimeoutError:
                pass
            for one in open_ones:
                try:
                    if data := one.recv(65536):
                        return data
                except OSError:
                    pass
        return b""


def test_a_grant_that_is_withdrawn_while_the_service_is_dialled(gateway, pki):
    with FullBackend() as service:
        config = inbound(pki, service.address, timeouts={"connect": "20s"})
        g = gateway(config)
        with TlsClient(g.address(), client_context(pki, pki.client())) as client:
            client.tls.sendall(b"by the old rules")
            until(lambda: g.figures("db")["admitted"] == 1)
            config["policy"][0]["from"] = [{"spiffe": "spiffe://example.org/somebody-else"}]
            g.write(config)
            assert g.reload()
            assert g.end(reason="policy_denied")["decision"] == "refused"
            assert service.get_through(2) == b""


def test_a_reload_that_withdraws_nothing_does_not_end_who_is_dialling(gateway, pki):
    with FullBackend() as service:
        config = inbound(pki, service.address, timeouts={"connect": "20s"})
        g = gateway(config)
        with TlsClient(g.address(), client_context(pki, pki.client())) as client:
            client.tls.sendall(b"by either rules")
            until(lambda: g.figures("db")["admitted"] == 1)
            config["policy"][0]["why"] = "testing again"
            g.write(config)
            assert g.reload()
            assert service.get_through(6) == b"by either rules"
