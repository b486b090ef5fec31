"""What run.py measured along the axes of axes.py, as tables with the slope of every figure."""
import math
import statistics

import axes

UNITS = {"cpu_us_per_op": ("CPU µs each", 0), "pss_mib": ("MiB of all its processes", 1),
         "pss_kib_per_conn": ("KiB each", 1), "idle_cpu_us_per_s": ("CPU µs a second, of all", 0),
         "open_secs": ("s until all are open", 2), "p50_us": ("µs, median", 0),
         "p99_us": ("µs, 99th of 100", 0), "p999_us": ("µs, 999th of 1,000", 0), "ops_per_s": ("a second", 0)}
MODES = {"full": "full handshake", "unseen": "handshake of a client never seen", "resumed": "resumed handshake",
         "idle": "connections held", "latency": "full handshake, until the service has answered",
         "flooded": "64-byte message and answer of established connections"}


def slope(labels, values):
    """How a figure follows its axis: per tenfold growth where the axis has numbers, else the last over
    the first."""
    first, last = values[0], values[-1]
    if first <= 0 or last <= 0:
        return "–"
    numbers = [float(label) for label in labels] if all(label.isdigit() for label in labels) else []
    if len(numbers) < 2 or numbers[0] == 0:
        return f"× {last / first:.2f} in all"
    tenfolds = math.log10(numbers[-1] / numbers[0])
    return f"× {(last / first) ** (1 / tenfolds):.2f} per tenfold" if tenfolds > 1 else f"× {last / first:.2f} in all"


def rows(by_peer, labels, digits):
    """A peer that was not measured everywhere, or gave up, has a dash there, and its slope ends before."""
    for peer, by_label in by_peer.items():
        values = [statistics.median(v) for v in by_label.values()]
        cells = " | ".join(f"{statistics.median(by_label[label]):,.{digits}f}" if label in by_label else "–"
                           for label in labels)
        yield f"| {peer} | {cells} | {slope(list(by_label), values)} |"


def two_over_one(by_peer):
    """What two processors do over what one does."""
    lines = []
    for peer, by_label in by_peer.items():
        if {"1", "2"} <= set(by_label):
            one, two = (statistics.median(by_label[label]) for label in ("1", "2"))
            lines.append(f"Two workers of {peer} do {two / one:.2f} times the handshakes of one.")
    return lines


def table(name, axis, by_figure):
    lines = [f"### {axis.what[0].upper()}{axis.what[1:]}", ""]
    for figure, by_peer in by_figure.items():
        mode, key = figure.split(" ")
        unit, digits = UNITS[key]
        labels = max((list(by_label) for by_label in by_peer.values()), key=len)
        lines += [f"| {MODES[mode]}, {unit} | " + " | ".join(labels) + " | slope |",
                  "|---" * (len(labels) + 2) + "|"]
        lines += rows(by_peer, labels, digits)
        lines.append("")
        if name == "workers" and key == "ops_per_s":
            lines += [line + "\n" for line in two_over_one(by_peer)]
    return lines


def ahead(measured):
    """A sentence for each figure in which somebody else is better where an axis ends for us."""
    lines = []
    for name, axis in axes.axes(9000).items():
        for figure, by_peer in measured.get(name, {}).items():
            mode, key = figure.split(" ")
            label = list(by_peer.get("mutual", {}))[-1:]
            found = {peer: statistics.median(by_label[label[0]]) for peer, by_label in by_peer.items()
                     if label and label[0] in by_label}
            if len(found) < 2:
                continue
            ours, more = found.pop("mutual"), key == "ops_per_s"
            best = (max if more else min)(found, key=found.get)
            if (found[best] > ours * 1.05) if more else (found[best] * 1.05 < ours):
                unit, digits = UNITS[key]
                lines.append(f"- {axis.what}, {label[0]}: {MODES[mode]}, {unit}: {best} {found[best]:,.{digits}f}, "
                             f"ours {ours:,.{digits}f}.")
    return "\n".join(lines)


def tables(measured):
    lines = []
    for name, axis in axes.axes(9000).items():
        if name in measured:
            lines += table(name, axis, measured[name])
    return "\n".join(lines)
