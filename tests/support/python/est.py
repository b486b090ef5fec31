# SPDX-License-Identifier: Apache-2.0
"""A small EST server beside ours: openssl signs, Python's TLS asks for certificates. It says what a
test wants it to say, so that a renewal meets every answer there is."""
import base64
import http.server
import ssl
import subprocess
import tempfile
import threading


class Est:
    """Issues under an authority of pki.py. `answers` holds callables (handler, csr) -> True when they
    answered; the next request takes the first one."""

    def __init__(self, pki, server=None, days=30, extensions=None):
        self.pki = pki
        self.days = days
        self.extensions = extensions or {}
        self.answers = []
        self.asked = []     # (path, subject of the client's certificate or None)
        self.issued = 0
        server = server or pki.server(name="est")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(server.chain, server.key)
        context.load_verify_locations(pki.bundle)
        context.verify_mode = ssl.CERT_OPTIONAL
        est = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                est.asked.append((self.path, self.connection.getpeercert()))
                answer = est.answers.pop(0) if est.answers else None
                if answer is None or not answer(self, base64.b64decode(body)):
                    est.answer(self, base64.b64decode(body))

            def say(self, status, body=b"", **fields):
                self.send_response(status)
                for name, value in fields.items():
                    self.send_header(name.replace("_", "-"), value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.url = f"https://localhost:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    # -- answers

    def answer(self, handler, csr, issuer=None, **more):
        handler.say(200, base64.encodebytes(self.certs(csr, issuer=issuer, **more)),
                    Content_Type="application/pkcs7-mime; smime-type=certs-only",
                    Content_Transfer_Encoding="base64")

    def certs(self, csr, issuer=None, days=None, keep_names=True, names=None, eku=None,
              start=-60):
        """A degenerate PKCS#7 with the certificate for this request, made by openssl."""
        issuer = issuer or self.pki.issuer
        with tempfile.TemporaryDirectory() as directory:
            def at(name):
                return f"{directory}/{name}"
            run("req", "-inform", "DER", "-out", at("csr.pem"), input=csr)
            text = run("req", "-in", at("csr.pem"), "-noout", "-text").decode()
            lines = [line.strip() for line in text.splitlines()]
            wanted = next((lines[i + 1] for i, line in enumerate(lines)
                           if "Subject Alternative Name" in line), "")
            wanted = wanted.replace("IP Address:", "IP:")
            with open(at("ext"), "w", encoding="ascii") as file:
                file.write("basicConstraints=CA:FALSE\nkeyUsage=critical,digitalSignature\n"
                           "authorityKeyIdentifier=keyid\n"
                           f"extendedKeyUsage={eku or self.extensions.get('eku', 'serverAuth,clientAuth')}\n"
                           f"subjectAltName={names or wanted}\n")
            run("x509", "-req", "-in", at("csr.pem"), "-CA", str(issuer.cert), "-CAkey",
                str(issuer.pair.key), "-days", str(days or self.days), "-extfile", at("ext"),
                "-set_serial", str(1 << 70 | self.issued + 1), "-out", at("leaf.pem"))
            self.issued += 1
            run("crl2pkcs7", "-nocrl", "-certfile", at("leaf.pem"), "-certfile", str(issuer.cert),
                "-outform", "DER", "-out", at("out.p7"))
            with open(at("out.p7"), "rb") as file:
                return file.read()


def run(*args, input=None):
    return subprocess.run(["openssl", *args], check=True, capture_output=True, input=input).stdout
