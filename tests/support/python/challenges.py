# SPDX-License-Identifier: Apache-2.0
"""What a challenge of ACME is answered by, on loopback: a name server, an HTTP server and a TLS
server of the protocol acme-tls/1."""
import http.server
import pathlib
import socket
import ssl
import struct
import threading


def labels(name):
    return b"".join(bytes([len(part)]) + part.encode() for part in name.split(".") if part) + b"\0"


class Dns:
    """Knows that every name is at 127.0.0.1 (but those in `elsewhere`), and the TXT records of `texts`."""

    def __init__(self):
        self.texts, self.elsewhere, self.asked = {}, {}, []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.socket.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def records(self, name, kind):
        if kind == 16:
            return [(16, bytes([len(text)]) + text.encode()) for text in self.texts.get(name, [])]
        if kind == 1 and not name.startswith("nowhere."):
            return [(1, socket.inet_aton(self.elsewhere.get(name, "127.0.0.1")))]
        return []

    def answer(self, question):
        at, parts = 12, []
        while question[at]:
            parts.append(question[at + 1:at + 1 + question[at]].decode().lower())
            at += question[at] + 1
        kind = struct.unpack(">H", question[at + 1:at + 3])[0]
        name = ".".join(parts)
        self.asked.append((name, kind))
        found = self.records(name, kind)
        head = question[:2] + struct.pack(">HHHHH", 0x8580, 1, len(found), 0, 0)
        body = b"".join(b"\xc0\x0c" + struct.pack(">HHIH", one, 1, 1, len(data)) + data for one, data in found)
        return head + question[12:at + 5] + body

    def serve(self):
        while True:
            try:
                question, peer = self.socket.recvfrom(4096)
                self.socket.sendto(self.answer(question), peer)
            except OSError:
                return  # closed

    def close(self):
        self.socket.close()


class Web:
    """Serves a directory, as the web server beside an ACME client does; `redirect` sends everybody away."""

    def __init__(self, directory, port=0):
        web = self
        self.redirect = self.body = None

        class Handler(http.server.SimpleHTTPRequestHandler):
            def __init__(self, *arguments):
                super().__init__(*arguments, directory=str(directory))

            def do_GET(self):
                if web.redirect is not None:
                    self.send_response(302)
                    self.send_header("Location", web.redirect)
                    self.end_headers()
                elif web.body is not None:
                    self.send_response(200)
                    self.end_headers()
                    self.wfile.write(web.body)
                else:
                    super().do_GET()

            def log_message(self, *_):
                pass
        pathlib.Path(directory).mkdir(parents=True, exist_ok=True)
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Alpn:
    """A TLS server of acme-tls/1 that presents the pair in `pair` (a path to both in PEM)."""

    def __init__(self, protocols=("acme-tls/1",)):
        self.pair, self.names, self.protocols = None, [], list(protocols)
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                plain, _ = self.socket.accept()
            except OSError:
                return
            try:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(self.pair)
                context.set_alpn_protocols(self.protocols)
                context.sni_callback = lambda _one, name, _context: self.names.append(name)
                plain.settimeout(5)
                with context.wrap_socket(plain, server_side=True) as one:
                    one.recv(1)
            except (OSError, TypeError):
                plain.close()

    def close(self):
        self.socket.close()
