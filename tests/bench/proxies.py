"""The proxies that are measured: equal work for each (certificates, cipher, verification of the
client, workers), and the same again with what its manual offers to make it cheaper."""
import pathlib

HAPROXY = """
global
    maxconn {most}
    nbthread {workers}{tune}
    ssl-default-bind-options ssl-min-ver TLSv{tls} ssl-max-ver TLSv{tls}
    ssl-default-server-options ssl-min-ver TLSv{tls} ssl-max-ver TLSv{tls}
defaults
    timeout connect 10s
    timeout client 600s
    timeout server 600s
frontend f
    mode tcp
{listens}
    default_backend b
backend b
    mode tcp
    server s 127.0.0.1:{back}{server}
"""
HAPROXY_LISTEN = {
    "in": "    bind 127.0.0.1:{port} ssl crt {pki}/{alg}-server.pem ca-file {pki}/{alg}-root.crt"
          " verify required{bind}\n",
    "out": "    bind 127.0.0.1:{port}\n",
}
HAPROXY_SERVER = {"in": "", "out": " ssl crt {pki}/{alg}-client.pem ca-file {pki}/{alg}-root.crt"
                                   " verify required sni str(localhost)"}

NGINX = """
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
daemon off;
user root;
worker_processes {workers};
error_log {tmp}/error.log error;
pid {tmp}/nginx.pid;
events {{ worker_connections 19000; accept_mutex off; multi_accept on; }}
stream {{
    server {{
{listens}{tls_words}{tune}
        proxy_pass 127.0.0.1:{back};
        proxy_timeout 600s;
    }}
}}
"""
NGINX_LISTEN = {"in": "        listen 127.0.0.1:{port} ssl backlog=4096{reuse};\n",
                "out": "        listen 127.0.0.1:{port} backlog=4096{reuse};\n"}
NGINX_TLS = {
    "in": """
        ssl_certificate {pki}/{alg}-server.chain;
        ssl_certificate_key {pki}/{alg}-server.key;
        ssl_client_certificate {pki}/{alg}-root.crt;
        ssl_verify_client on;
        ssl_verify_depth 3;
        ssl_protocols TLSv{tls};""",
    "out": """
        proxy_ssl on;
        proxy_ssl_certificate {pki}/{alg}-client.chain;
        proxy_ssl_certificate_key {pki}/{alg}-client.key;
        proxy_ssl_trusted_certificate {pki}/{alg}-root.crt;
        proxy_ssl_verify on;
        proxy_ssl_verify_depth 3;
        proxy_ssl_name localhost;
        proxy_ssl_protocols TLSv{tls};""",
}

HITCH = """
{listens}
backend = "[127.0.0.1]:{back}"
pem-file = "{pki}/{alg}-server.pem"
client-verify = required
client-verify-ca = "{pki}/{alg}-root.crt"
tls-protos = TLSv{tls}
workers = {workers}
backlog = 4096
daemon = off
ocsp-dir = ""
log-level = 0
user = "nobody"
"""
HITCH_LISTEN = {"in": 'frontend = {{ host = "127.0.0.1" port = "{port}" }}\n'}

STUNNEL = """
foreground = yes
pid =
debug = 3
[s]
{listens}
connect = 127.0.0.1:{back}
CAfile = {pki}/{alg}-root.crt
verifyChain = yes
sslVersion = TLSv{tls}
TIMEOUTidle = 600
TIMEOUTclose = 0
socket = l:TCP_NODELAY=1
socket = r:TCP_NODELAY=1
{role}
"""
STUNNEL_LISTEN = {side: "accept = 127.0.0.1:{port}\n" for side in ("in", "out")}
STUNNEL_ROLE = {
    "in": "cert = {pki}/{alg}-server.chain\nkey = {pki}/{alg}-server.key",
    "out": "client = yes\ncert = {pki}/{alg}-client.chain\nkey = {pki}/{alg}-client.key\n"
           "sni = localhost\ncheckHost = localhost",
}

OURS = """
version: 1
workers: {workers}
include: {tmp}/grants-*.yaml
trust:
  - {{name: bench, bundle: {pki}/{alg}-root.crt}}
{side}bound:
{listens}"""
OURS_LISTEN = {
    "in": """  - name: bench{number}
    listen: 127.0.0.1:{port}
    forward: 127.0.0.1:{back}
    certificate: {pki}/{alg}-server
    clients: {{mode: require, trust: bench}}
    connections: {{max: 20000}}
    tls: {{min: "{tls}"}}
""",
    "out": """  - name: bench{number}
    listen: 127.0.0.1:{port}
    connect: 127.0.0.1:{back}
    server-name: localhost
    expect: {{dns: localhost}}
    certificate: {pki}/{alg}-client
    trust: bench
    connections: {{max: 20000}}
    tls: {{min: "{tls}"}}
""",
}
GRANT = ('  - {{grant: bench{number}, to: "*", from: [{{spiffe: "spiffe://bench.test/{who}"}}],'
         " owner: bench, why: measuring}}\n")

# What may differ from one measurement to another; see axes.py.
POINT = {"workers": 1, "together": False, "tls": "1.3", "alg": "ec", "listeners": 1, "grants": 1, "side": "in"}

# name: (configuration, its listeners, command, what fills the configuration's holes)
PEERS = {
    "mutual": (OURS, OURS_LISTEN, "{build}/mutual serve -c {conf}", {}),
    "haproxy": (HAPROXY, HAPROXY_LISTEN, "haproxy -db -f {conf}", {"tune": "", "bind": ""}),
    "nginx": (NGINX, NGINX_LISTEN, "nginx -c {conf}", {"tune": ""}),
    "hitch": (HITCH, HITCH_LISTEN, "hitch --config={conf}", {}),
    "stunnel": (STUNNEL, STUNNEL_LISTEN, "stunnel {conf}", {}),
    "haproxy-tuned": (HAPROXY, HAPROXY_LISTEN, "haproxy -db -f {conf}",
                      {"tune": "\n    tune.bufsize 65536", "bind": " no-tls-tickets"}),
    "nginx-tuned": (NGINX, NGINX_LISTEN, "nginx -c {conf}",
                    {"tune": " ssl_session_tickets off; ssl_session_cache shared:S:64m;"
                             " proxy_buffer_size 32k;"}),
}

# What the tuning is, and each version, for the report.
TUNING = {
    "haproxy-tuned": "`tune.bufsize 65536`, `no-tls-tickets`",
    "nginx-tuned": "`ssl_session_tickets off`, `ssl_session_cache shared:S:64m`, `proxy_buffer_size 32k`",
}
VERSIONS = {
    "mutual": "{build}/mutual version",
    "haproxy": "haproxy -v",
    "nginx": "nginx -v",
    "hitch": "hitch --version",
    "stunnel": "stunnel -version",
    "OpenSSL": "openssl version",
    "Linux": "uname -sr",
    "compiler": "cc --version",
}


def can(peer, point):
    """Hitch serves only."""
    return point["side"] in PEERS[peer][1]


def write(peer, point, ports, directory, **values):
    """Writes the peer's configuration, listening on all the ports; returns its command."""
    template, listens, command, holes = PEERS[peer]
    side = point["side"]
    values = {**point, **values, **holes, "tmp": directory, "conf": f"{directory}/conf",
              "reuse": " reuseport" if point["workers"] > 1 else "",
              "most": 9900 - point["listeners"]}  # it wants the descriptors for all at once
    values["listens"] = "".join(listens[side].format(port=port, number=number or "", **values)
                                for number, port in enumerate(ports))
    for first in range(0, point["grants"], 20000):  # a file has a limit
        rows = (GRANT.format(number=number, who=f"nobody-{number}" if number else "client")
                for number in range(first, min(first + 20000, point["grants"])))
        pathlib.Path(directory, f"grants-{first}.yaml").write_text("policy:\n" + "".join(rows), encoding="utf-8")
    for hole, by_side in (("server", HAPROXY_SERVER), ("tls_words", NGINX_TLS), ("role", STUNNEL_ROLE)):
        values[hole] = by_side[side].format(**values)
    pathlib.Path(values["conf"]).write_text(template.format(**values), encoding="utf-8")
    return command.format(**values)


def tls_service(point, port, back, directory, pki):
    """What an outbound proxy connects to: nginx, which asks for the client's certificate and lets no
    session be resumed; returns its command."""
    values = {**point, "pki": pki, "tmp": directory, "workers": 1, "back": back,
              "tune": " ssl_session_tickets off; ssl_session_cache off;",
              "listens": f"        listen 127.0.0.1:{port} ssl backlog=4096;\n"}
    values["tls_words"] = NGINX_TLS["in"].format(**values)
    conf = pathlib.Path(directory, "service.conf")
    conf.write_text(NGINX.format(**values).replace("nginx.pid", "service.pid"), encoding="utf-8")
    return f"nginx -c {conf}"
