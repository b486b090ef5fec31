"""The axes along which cost is followed: what is changed, in which steps, and what is measured."""
import dataclasses
import math


@dataclasses.dataclass
class Axis:
    what: str        # for people
    points: list     # (label, what differs from proxies.POINT or from the sizes of the run)
    modes: list
    peers: list
    figures: list    # of what the generator answers


BOTH = ["mutual", "nginx-tuned"]
ALL = ["mutual", "haproxy-tuned", "nginx-tuned", "hitch", "stunnel"]
CPU = ["cpu_us_per_op"]


def axes(idle_most):
    """`idle_most`: how many connections the limit of open files allows a worker; more are held by more
    workers."""
    idle = [(n, {"idle": n, "workers": math.ceil(n / idle_most)}) for n in (1000, 5000, 9000, 15000)]
    return {
        "workers": Axis("workers, on as many processors, which a generator for each and the service share with them",
                        [(n, {"workers": n, "together": True}) for n in (1, 2)], ["full"], BOTH,
                        ["ops_per_s"] + CPU),
        "tls": Axis("version of TLS", [(v, {"tls": v}) for v in ("1.3", "1.2")],
                    ["full", "resumed"], BOTH, CPU),
        "alg": Axis("key of all certificates",
                    [(name, {"alg": alg}) for name, alg in
                     (("P-256", "ec"), ("RSA-2048", "rsa"), ("Ed25519", "ed25519"))],
                    ["full", "unseen"], BOTH, CPU),
        "listeners": Axis("listeners", [(n, {"listeners": n}) for n in (1, 100, 1000)], ["full"],
                          ["mutual", "haproxy-tuned", "nginx-tuned"], CPU + ["pss_mib"]),
        "grants": Axis("grants in the policy", [(n, {"grants": n}) for n in (1, 1000, 100000)],
                       ["full", "resumed"], ["mutual"], CPU + ["pss_mib"]),
        "idle": Axis("idle connections, of as many workers as may open their files", idle, ["idle"], BOTH,
                     ["pss_kib_per_conn", "open_secs"]),
        "side": Axis("side of the connection that is TLS", [(s, {"side": s}) for s in ("in", "out")],
                     ["full"], ["mutual", "haproxy", "nginx", "stunnel"], CPU),
        "parallel": Axis("handshakes at once, as the client sees them",
                         [(n, {"parallel": n}) for n in (1, 8, 32, 128)], ["latency"], ALL,
                         ["p50_us", "p99_us", "ops_per_s"]),
        "knocks": Axis("hellos a second that go no further, in what a processor could answer",
                       [(n, {"knocks": n}) for n in (0, 1, 3, 10)], ["flooded"], ALL,
                       ["p50_us", "p99_us", "p999_us", "ops_per_s"]),
    }
