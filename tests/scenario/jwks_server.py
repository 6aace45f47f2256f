"""Issuers' HTTPS servers for scenarios, on loopback: good ones, and ones that misbehave.

usage: jwks_server.py DIR CERT...    (writes DIR/ports once it listens, one port per certificate)

While DIR/phase says `good`, every path serves DIR/jwks.json and every port shows the certificate
good.pem. When it says `bad`, path and port do what they are called: /slow is slow, and so on. /ok stays
good. DIR/max-age is the Cache-Control header (empty: none). Each request is a line in DIR/requests.
"""

import hashlib
import http.server
import os
import socketserver
import ssl
import sys
import threading
import time

folder = sys.argv[1]


def setting(name):
    with open(os.path.join(folder, name), encoding="utf-8") as f:
        return f.read().strip()


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def head(self, status, headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()

    def do_GET(self):
        mode = self.path.strip("/") if setting("phase") == "bad" else "ok"
        etag = self.headers.get("If-None-Match", "-")
        with open(os.path.join(folder, "requests"), "a", encoding="utf-8") as f:
            f.write("%s %s %s\n" % (mode, self.path, etag))
        try:
            getattr(self, "serve_" + mode)(etag)
        except (BrokenPipeError, ConnectionError, ssl.SSLError):
            pass

    def serve_ok(self, etag):
        body = setting("jwks.json").encode()
        mine = '"%s"' % hashlib.sha256(body).hexdigest()[:16]
        headers = [("ETag", mine)]
        if setting("max-age"):
            headers.append(("Cache-Control", "public, max-age=" + setting("max-age")))
        if etag == mine:
            self.head(304, headers)
        else:
            self.head(200, headers + [("Content-Length", str(len(body)))])
            self.wfile.write(body)

    def serve_error(self, _):
        self.head(500)
        self.wfile.write(b"sorry")

    def serve_redirect(self, _):
        self.head(302, [("Location", self.path + "?elsewhere")])

    def serve_text(self, _):
        self.head(200)
        self.wfile.write(b"<html>maintenance</html>")

    def serve_none(self, _):
        self.head(200)
        self.wfile.write(b'{"keys": []}')

    def serve_huge(self, _):  # says so
        self.head(200, [("Content-Length", str(1 << 40))])
        self.wfile.write(b" " * 1024)

    def serve_endless(self, _):  # does not say so
        self.head(200)
        while True:
            self.wfile.write(b" " * 65536)

    def serve_heads(self, _):
        self.send_response(200)
        for i in range(2000):
            self.send_header("X-%d" % i, "x" * 60)
        self.end_headers()

    def serve_slow(self, _):
        self.head(200)
        while True:
            self.wfile.write(b" ")
            self.wfile.flush()
            time.sleep(0.1)


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, certificate):
        super().__init__(("127.0.0.1", 0), Handler)
        self.certificate = certificate

    def get_request(self):
        connection, address = super().get_request()
        connection.settimeout(20)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        name = self.certificate if setting("phase") == "bad" else "good"
        path = os.path.join(folder, name + ".pem")
        context.load_cert_chain(path)
        secured = context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        return secured, address

    def handle_error(self, request, client_address):
        pass  # a client that does not like the certificate goes away


servers = [Server(name) for name in sys.argv[2:]]
for server in servers:
    threading.Thread(target=server.serve_forever, daemon=True).start()
ports = os.path.join(folder, "ports")
with open(ports + ".new", "w", encoding="utf-8") as out:
    out.write(" ".join(str(server.server_address[1]) for server in servers) + "\n")
os.rename(ports + ".new", ports)
threading.Event().wait()
