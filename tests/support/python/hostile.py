# SPDX-License-Identifier: Apache-2.0
"""What no well-behaved client does and Python's ssl cannot: libssl itself, by ctypes."""
import ctypes
import ctypes.util
import socket

KEY_UPDATE_NOT_REQUESTED, KEY_UPDATE_REQUESTED = 0, 1


def library():
    ssl = ctypes.CDLL(ctypes.util.find_library("ssl"))
    for name in ("TLS_client_method", "SSL_CTX_new", "SSL_new"):
        getattr(ssl, name).restype = ctypes.c_void_p
    return ssl


class RawClient:
    """A client that verifies nobody, with a certificate; `connect` is done when it is made."""

    def __init__(self, address, pair):
        self.lib = library()
        host, port = address.rsplit(":", 1)
        self.context = ctypes.c_void_p(
            self.lib.SSL_CTX_new(ctypes.c_void_p(self.lib.TLS_client_method())))
        assert self.lib.SSL_CTX_use_certificate_chain_file(
            self.context, str(pair.chain).encode()) == 1
        assert self.lib.SSL_CTX_use_PrivateKey_file(self.context, str(pair.key).encode(), 1) == 1
        self.socket = socket.create_connection((host, int(port)))
        self.ssl = ctypes.c_void_p(self.lib.SSL_new(self.context))
        self.lib.SSL_set_fd(self.ssl, self.socket.fileno())
        assert self.lib.SSL_connect(self.ssl) == 1

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.lib.SSL_free(self.ssl)
        self.lib.SSL_CTX_free(self.context)
        self.socket.close()

    def write(self, data):
        return self.lib.SSL_write(self.ssl, data, len(data)) == len(data)

    def update_key(self, kind):
        return (self.lib.SSL_key_update(self.ssl, kind) == 1 and
                self.lib.SSL_do_handshake(self.ssl) == 1)
