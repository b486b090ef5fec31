"""The proxies that are measured: equal work for each (certificates, cipher, verification of the
client, one worker), and the same again with what its manual offers to make it cheaper."""

HAPROXY = """
global
    maxconn 9000
    nbthread 1{tune}
    ssl-default-bind-options ssl-min-ver TLSv1.3
defaults
    timeout connect 10s
    timeout client 600s
    timeout server 600s
frontend f
    mode tcp
    bind 127.0.0.1:{front} ssl crt {pki}/{alg}-server.pem ca-file {pki}/{alg}-root.crt verify required{bind}
    default_backend b
backend b
    mode tcp
    server s 127.0.0.1:{back}
"""

NGINX = """
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
daemon off;
user root;
worker_processes 1;
error_log {tmp}/error.log error;
pid {tmp}/nginx.pid;
events {{ worker_connections 19000; accept_mutex off; multi_accept on; }}
stream {{
    server {{
        listen 127.0.0.1:{front} ssl backlog=4096;
        ssl_certificate {pki}/{alg}-server.chain;
        ssl_certificate_key {pki}/{alg}-server.key;
        ssl_client_certificate {pki}/{alg}-root.crt;
        ssl_verify_client on;
        ssl_verify_depth 3;
        ssl_protocols TLSv1.3;{tune}
        proxy_pass 127.0.0.1:{back};
        proxy_timeout 600s;
    }}
}}
"""

OURS = """
version: 1
workers: 1
trust:
  - {{name: bench, bundle: {pki}/{alg}-root.crt}}
inbound:
  - name: bench
    listen: 127.0.0.1:{front}
    forward: 127.0.0.1:{back}
    certificate: {pki}/{alg}-server
    clients: {{mode: require, trust: bench}}
    connections: {{max: 9000}}
policy:
  - {{grant: bench, to: bench, from: [{{spiffe: "spiffe://bench.test/client"}}], owner: bench, why: measuring}}
"""

# name: (configuration, command, what fills the configuration's holes)
PEERS = {
    "mutual": (OURS, "{build}/mutual serve -c {conf}", {}),
    "haproxy": (HAPROXY, "haproxy -db -f {conf}", {"tune": "", "bind": ""}),
    "nginx": (NGINX, "nginx -c {conf}", {"tune": ""}),
    "haproxy-tuned": (HAPROXY, "haproxy -db -f {conf}",
                      {"tune": "\n    tune.bufsize 65536", "bind": " no-tls-tickets"}),
    "nginx-tuned": (NGINX, "nginx -c {conf}",
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
    "OpenSSL": "openssl version",
    "Linux": "uname -sr",
    "compiler": "cc --version",
}
