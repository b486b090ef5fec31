# SPDX-License-Identifier: Apache-2.0
"""Revocation lists and servers that give them, well or badly."""
import contextlib
import http.server
import ssl
import threading
import time

from net import Backend, until
from pki import openssl


def der(authority, path, **more):
    """The authority's next list, in DER; `path` without its ending."""
    authority.crl(path.with_suffix(".pem"), **more)
    openssl("crl", "-in", path.with_suffix(".pem"), "-outform", "DER", "-out", path)
    return path.read_bytes()


def respond(content, status="200 OK", fields=""):
    """One whole response."""
    return (f"HTTP/1.1 {status}\r\nContent-Length: {len(content)}\r\n{fields}\r\n"
            .encode() + content)


class Scripted(Backend):
    """Answers each request with what `answer` yields: bytes, or a function of the socket."""

    def __init__(self, answer, **more):
        super().__init__(self.speak, **more)
        self.answer = answer
        self.requests = []

    @property
    def url(self):
        return f"http://{self.address}/list.crl"

    def speak(self, one):
        asked = b""
        while b"\r\n\r\n" not in asked:
            more = one.recv(65536)
            if not more:
                return
            asked += more
        self.requests.append(asked)
        answer = self.answer
        if callable(answer):
            answer(one)
        else:
            one.sendall(answer)

    def asked(self, count=1, seconds=10):
        until(lambda: len(self.requests) >= count, seconds)
        return self.requests[count - 1]


@contextlib.contextmanager
def files(directory, pair=None):
    """Python's own server of files, with TLS when a pair is given."""
    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args):
            super().__init__(*args, directory=str(directory))

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if pair is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair.chain, pair.key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        scheme = "http" if pair is None else "https"
        yield f"{scheme}://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


def drip(head, seconds):
    """A function that sends the head and then a byte now and then, until it is cut off."""
    def speak(one):
        one.sendall(head)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            one.sendall(b"0")
            time.sleep(0.1)
    return speak
