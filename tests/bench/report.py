"""What run.py measured, as tables, as the page docs/performance.md and as a chart."""
import html
import statistics

import report_axes
from proxies import TUNING

# figure: (what it is, its unit, digits)
FIGURES = {
    "full": ("full mutual handshake, client seen before", "CPU µs", 0),
    "unseen": ("full mutual handshake, client never seen", "CPU µs", 0),
    "resumed": ("resumed handshake", "CPU µs", 0),
    "up4": ("to the service, 4 connections", "CPU s/GiB", 2),
    "down4": ("from the service, 4 connections", "CPU s/GiB", 2),
    "up64": ("to the service, 64 connections", "CPU s/GiB", 2),
    "down64": ("from the service, 64 connections", "CPU s/GiB", 2),
    "ping64": ("64-byte message and answer, 64 connections", "CPU µs", 1),
    "ping1000": ("64-byte message and answer, 1,000 connections", "CPU µs", 1),
    "idle": ("memory of an idle connection", "KiB", 1),
    "idlecpu": ("CPU while all are idle", "µs/s", 0),
}
RATIOS = [f for f in FIGURES if f != "idlecpu"]  # nearly nothing over nothing is no ratio
COLOURS = {"mutual": "#1b6e53", "haproxy": "#9db4c8", "nginx": "#c8b79d", "haproxy-tuned": "#5d83a6",
           "nginx-tuned": "#a6885d", "hitch": "#b7a9c9", "stunnel": "#c9a9b1"}


def peers_of(results):
    return list(dict.fromkeys(peer for by_peer in results.values() for peer in by_peer))


def middles(by_peer):
    return {peer: statistics.median(values) for peer, values in by_peer.items()}


def paired(by_peer, peer):
    """Ours over a peer's, round by round, and of that the median: a machine that is slower in one
    round than in another is slower for both."""
    return statistics.median(a / b for a, b in zip(by_peer["mutual"], by_peer[peer]))


def ratio(by_peer, stock_only):
    """Ours over the best of the others, and who that is; None when one of the two is missing."""
    others = [p for p in by_peer if p != "mutual" and not (stock_only and p.endswith("-tuned"))]
    if "mutual" not in by_peer or not others:
        return None
    return max((paired(by_peer, peer), peer) for peer in others)


def row_of(figure, by_peer, peers):
    what, unit, digits = FIGURES[figure]
    rounds = len(next(iter(by_peer.values())))
    cells = [f"{what}, {unit} ({rounds} rounds)"]
    values = middles(by_peer)
    for peer in peers:
        if peer in values:
            low, high = min(by_peer[peer]), max(by_peer[peer])
            cells.append(f"{values[peer]:.{digits}f} [{low:.{digits}f}–{high:.{digits}f}]")
        else:
            cells.append("–")
    for stock_only in (True, False):
        found = ratio(by_peer, stock_only) if figure in RATIOS else None
        cells.append("–" if found is None else f"**{found[0]:.2f}**")
    return "| " + " | ".join(cells) + " |"


def table(results):
    peers = peers_of(results)
    lines = ["| per operation | " + " | ".join(peers) + " | ours / best stock | ours / best |",
             "|---" * (len(peers) + 3) + "|"]
    lines += [row_of(figure, results[figure], peers) for figure in FIGURES if figure in results]
    return "\n".join(lines)


# ---- where it goes --------------------------------------------------------------------------------

PARTS = [("kernel", "[kernel"), ("libcrypto", "libcrypto"), ("libipsec-mb", "libIPSec_MB"),
         ("libssl", "libssl"), ("libc", "libc."),
         ("mutual itself", "mutual")]


def where_table(measured):
    lines = ["| | " + " | ".join(name for name, _ in PARTS) + " | worker | keys | parent |",
             "|---" * (len(PARTS) + 4) + "|"]
    for figure, shares in measured["where"].items():
        cells = []
        for _, start in PARTS:
            part = sum(v for dso, v in shares.items() if dso.startswith(start))
            cells.append(f"{part:.0f} %" if shares else "–")
        roles = measured["roles"].get(figure, {})
        cells += [f"{roles.get(role, 0):.1f} %" for role in ("worker", "keys", "parent")]
        lines.append(f"| {FIGURES[figure][0]} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


# ---- honesty --------------------------------------------------------------------------------------


def behind(results):
    """A sentence for each figure in which somebody else is better, or that is too close to tell."""
    lines = []
    for figure in RATIOS:
        if figure not in results:
            continue
        found = ratio(results[figure], stock_only=False)
        if found is None:
            continue
        value, best = found
        what = FIGURES[figure][0]
        if value > 1.0:
            lines.append(f"- **{what}**: {best} is ahead, ours costs {value:.2f} times as much.")
        elif value > 0.95:
            lines.append(f"- {what}: no more than level with {best} ({value:.2f}).")
    return "\n".join(lines) or "In this run, nowhere by more than 5 %."


PAGE = """# Performance

What a connection costs, measured beside HAProxy, nginx (stream module), hitch and stunnel as Debian
ships them, and the first two again tuned by what their manuals offer. Written by `./dev bench --write` on {date}; the
figures are of that run. **CPU** is the time of all the proxy's processes together, user and system,
per operation: it says how many connections a machine can carry, and hardly depends on how fast the
load generator is. Smaller is better. Medians of interleaved rounds, [lowest–highest].

{table}

![Ratios to the best peer](performance.svg)

A ratio is ours over the peer's in the same round, the median over the rounds, for the peer that comes
out best: a machine that is slower for a while is slower for both. So a ratio need not be that of the
two medians beside it, where the rounds differ more than the peers do. Compare no absolute figure with one
from another machine, or another day.

## Where a peer is ahead

{behind}

Along what grows (further down), at the end of each row of ours:

{ahead}

## Where our time goes

By samples of `perf` in a run of its own, share of all our CPU; and by process.

{where}

- **Full handshake.** What is left is mostly what TLS needs: one ECDSA verification (the client's
  signature; one more for a client that was not seen before, whose authority was), one X25519 exchange,
  one signature, which goes to the key process and back. Reading the two certificates is about a tenth;
  it was a third before workers had a lean library context, because OpenSSL 3.0 goes through every key
  manager and decoder that its context has, and a seventh before public keys that come again were copied.
  Asking the key process is about 8 %, both ends together.
- **Resumed handshake.** Sessions are kept by us and named by a short identifier, one for each
  handshake. The library's own encrypted tickets hold the client's certificate, which is decoded
  again for each ticket that is issued; stock peers issue two. Each resumption is admitted anew.
- **Bulk.** Two copies by the kernel, and AES-GCM: by libipsec-mb where the processor has VAES, which takes a
  third of what OpenSSL 3.0 takes (`mutual version` says which of the two it is). Each system call moves 64 KiB.
- **Small messages.** Four fifths are the kernel's: four system calls (receive and send, twice), none
  for changing interest or for timers.
- **Idle connection.** No buffer is held, and none of OpenSSL's objects: the connection object goes when our
  record layer takes over, and with it the client's certificates as the library parsed them. What is left
  is our slot, the session, its two keys and the facts of the chain, which connections of one client
  share; the rest is the allocator's, and what the handshakes that were under way at once needed. The
  kernel's socket buffers are not counted, for nobody.

## What was tried, and left

Counted in instructions by valgrind, since they are small.

- **Link-time optimisation** (`-Db_lto=true`) takes 8 % of our own instructions in a full handshake, 18 % in
  relayed bulk and 16 % in a small message. Of all that a worker executes outside the kernel that is
  0.2 %, 0.5 % and 6 %, for the library's cryptography is no part of it; four fifths of a small message are the
  kernel's. It is not on by default, and does no harm.
- **Profile-guided optimisation** (`-Db_pgo`), trained by the very operations that are counted, takes 9 % of our own
  instructions in a handshake and 14 % in bulk and small messages; of all outside the kernel 0.1 %, 0.4 % and 5 %. It
  would bind a build to a training run for that.
- **io_uring** made a plain relay's small messages 8 % cheaper in an experiment. What a process asks of it is not seen
  by seccomp, which is what holds a worker; so it is not used.
- **Kernel TLS** is offered by no kernel that this was run on.

## Along what grows

{axes}

## What is measured, and how

- The proxy has CPU 0 for itself, the generator (`tests/bench/mtls_load.c`) and the service behind
  (`tests/bench/load_backend.c`) share CPU 1; everything goes over 127.0.0.1. One worker each. {cpu}.
- {version}, {cipher}, X25519, {alg}: root, intermediate, leaf on both sides. The proxy verifies the
  client against the root; the client verifies the proxy.
- A *handshake* is: connect, handshake, one byte echoed by the service (so the certificate was
  accepted), close; {handshakes} of them, 32 at a time, all by one client, or each by a client with a
  certificate of its own that is never seen again. Bulk: {bulk_mib} MiB for each of 4
  connections, or the same in all over 64. Messages: {pings}. Idle: {idle} connections after one byte
  each, memory as PSS over all processes.
- Before each measurement the runner proves that the peer does mutual authentication: the right
  certificate gets through, none does not, a stranger's does not. It ends if version, cipher, count of
  resumed handshakes or the proxy's processes are not what they should be.
- Every peer is a fresh process in every round. The first 100 connections are not counted.
- Ours runs with its log on, one line for each connection, as it does by default; HAProxy and nginx
  here write none. Ours checks a policy for every connection and keeps its private key in another
  process; theirs do neither. stunnel has a thread for each connection, and is pinned to one processor like
  the rest.
- *Along what grows*: one run of its own. Knocks are connections that send a hello and nothing more, at a
  steady rate, by `tests/bench/knock.c`. It shares CPU 1 and has what the generator and the service leave, for these
  are of the real-time class then; an idle class for who knocks was not enough, it ran up to a tick while they
  waited. The messages measured go over eight connections that stood before, for four seconds, and the knocks last
  longer; a message that has no answer by then counts with its age.
  Two workers are measured with everything on one processor, and then with everything on two, for there is no
  third one for the generator.
- Tuned: {tuned}.
- Caveats: the machine also did other work (load average {load}), so absolute figures wobble
  and ratios are what counts; one machine, one kernel; the CPU of an idle HAProxy differs much between
  rounds, and we did not look for the reason; a virtual machine has no cycle counter, so `perf` samples by the
  clock.

| | version |
|---|---|
{versions}

To repeat it: `./dev bench --json FILE`, then `./dev bench --axes --merge FILE --write`. `--from FILE` writes
the page again from what `--json` kept.
"""


def page(measured):
    around = measured["surroundings"]
    sizes = {k: f"{v:,}" for k, v in around["sizes"].items()}
    return PAGE.format(
        table=table(measured["results"]), behind=behind(measured["results"]),
        ahead=report_axes.ahead(measured.get("axes", {})) or "Nowhere.",
        where=where_table(measured), axes=report_axes.tables(measured.get("axes", {})) or "Not measured.",
        tuned="; ".join(f"{peer}: {what}" for peer, what in TUNING.items()),
        versions="\n".join(f"| {k} | {v} |" for k, v in around["versions"].items()),
        **sizes, **{k: v for k, v in around.items() if k not in ("sizes", "versions")})


# ---- the chart ------------------------------------------------------------------------------------

LEFT, WIDTH, BAR, GAP, TOP = 320, 420, 11, 14, 62


def text(x, y, words, size=12, anchor="start", weight="normal"):
    return (f'<text x="{x}" y="{y}" font-size="{size}" text-anchor="{anchor}" '
            f'font-weight="{weight}">{html.escape(words)}</text>')


def bars(figure, by_peer, y, scale):
    """One group: every peer over the best of the others, as in the table."""
    best = ratio(by_peer, stock_only=False)[1]
    out = [text(LEFT - 10, y + len(by_peer) * BAR / 2 + 4, FIGURES[figure][0], anchor="end")]
    for i, (peer, values) in enumerate(by_peer.items()):
        value = statistics.median(a / b for a, b in zip(values, by_peer[best]))
        top = y + i * BAR
        shown = min(value * scale, WIDTH)
        out.append(f'<rect x="{LEFT}" y="{top}" width="{shown:.1f}" height="{BAR - 1}" '
                   f'fill="{COLOURS.get(peer, "#888888")}"/>')
        weight = "bold" if peer == "mutual" else "normal"
        out.append(text(LEFT + shown + 5, top + BAR - 2, f"{value:.2f}", 9, weight=weight))
    return out


def chart(results):
    """Ratios to the best other peer, as bars; the line is 1."""
    figures = [f for f in RATIOS if f in results]
    peers = peers_of(results)
    step = len(peers) * BAR + GAP
    height = TOP + step * len(figures) + 10
    scale = WIDTH / 2  # a bar twice as long as the best other peer's fills the width
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + WIDTH + 60} {height}" '
           'font-family="sans-serif" fill="#222222">',
           '<rect width="100%" height="100%" fill="#ffffff"/>',
           text(LEFT, 20, "Cost as a ratio to the best other peer; shorter is better", 14, weight="bold")]
    x = LEFT
    for peer in peers:
        out.append(f'<rect x="{x}" y="32" width="11" height="11" fill="{COLOURS.get(peer, "#888888")}"/>')
        out.append(text(x + 15, 42, peer, 11))
        x += 32 + 7 * len(peer)
    line = LEFT + scale
    out.append(f'<line x1="{line}" x2="{line}" y1="{TOP - 8}" y2="{height - 8}" stroke="#bbbbbb"/>')
    for i, figure in enumerate(figures):
        out += bars(figure, results[figure], TOP + i * step, scale)
    return "\n".join(out + ["</svg>", ""])
