#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Draws docs/renewing.svg from what the simulated week says of itself:
tests/bench/week.py build/tests/unit/enroll/test_enroll_week > docs/renewing.svg"""
import csv
import io
import subprocess
import sys

WIDTH, HEIGHT, LEFT, GAP = 900, 150, 70, 62
BIN = 10     # minutes
CAPACITY = 5 * 60


def read(program):
    text = subprocess.run([program, "--table"], check=True, capture_output=True, text=True).stdout
    fleets = {}
    for row in csv.DictReader(io.StringIO(text)):
        fleets.setdefault(row["fleet"], []).append(row)
    return fleets


def path(values, top, most, colour, fill="none"):
    points = [f"{LEFT + i * WIDTH / (len(values) - 1):.1f},{top + HEIGHT * (1 - v / most):.1f}"
              for i, v in enumerate(values)]
    if fill != "none":
        points = [f"{LEFT},{top + HEIGHT}", *points, f"{LEFT + WIDTH},{top + HEIGHT}"]
    return (f'<polyline points="{" ".join(points)}" fill="{fill}" stroke="{colour}" '
            'stroke-width="1"/>')


def text(x, y, words, anchor="start", size=12, colour="#333"):
    return (f'<text x="{x:.0f}" y="{y:.0f}" font-size="{size}" text-anchor="{anchor}" '
            f'fill="{colour}">{words}</text>')


def panel(name, rows, top):
    groups = [rows[i:i + BIN] for i in range(0, len(rows), BIN)]
    asked = [sum(int(r["asked"]) for r in g) / len(g) for g in groups]
    issued = [sum(int(r["issued"]) for r in g) / len(g) for g in groups]
    left = [min(float(r["least_left"]) for r in g) for g in groups]
    down = [i for i, r in enumerate(rows) if r["down"] == "1"]
    most = max(asked) * 1.1
    scale = WIDTH / len(rows)
    peak = max(int(r["asked"]) for r in rows[down[-1] + 1:down[-1] + 1441])
    hour = sum(int(r["issued"]) for r in rows[down[-1] + 1:down[-1] + 61]) / 60
    least = min(float(r["least_left"]) for r in rows)
    out = [text(LEFT, top - 24, f"issued {name}", size=15),
           text(LEFT, top - 8, f"after the return at most {peak} requests a minute, {hour:.0f} "
                f"certificates a minute in the first hour; nobody had less than "
                f"{100 * least:.0f} % of its life left", colour="#666"),
           f'<rect x="{LEFT + down[0] * scale:.1f}" y="{top}" width="{len(down) * scale:.1f}" '
           f'height="{2 * HEIGHT + 20}" fill="#f3d9d2"/>',
           path(asked, top, most, "#5d83a6", "#c9d8e6"), path(issued, top, most, "#1b6e53")]
    for mark in (0, round(most / 2, -1), round(most, -1)):
        y = top + HEIGHT * (1 - mark / most)
        if y > top - 6:
            out.append(text(LEFT - 6, y + 4, f"{mark:.0f}", "end", 11, "#666"))
    if CAPACITY < most:
        y = top + HEIGHT * (1 - CAPACITY / most)
        out.append(f'<line x1="{LEFT}" x2="{LEFT + WIDTH}" y1="{y:.1f}" y2="{y:.1f}" '
                   'stroke="#b5523b" stroke-dasharray="5 4"/>')
        out.append(text(LEFT + WIDTH, y - 4, "what the authority can sign", "end", 11, "#b5523b"))
    below = top + HEIGHT + 20
    out.append(path(left, below, 1.0, "#8a5fa8", "#e6dbee"))
    out.append(text(LEFT - 6, below + 10, "100 %", "end", 11, "#666"))
    out.append(text(LEFT - 6, below + HEIGHT, "0 %", "end", 11, "#666"))
    out.append(text(LEFT + WIDTH, below + 12, "life left to whoever has least", "end", 11,
                    "#8a5fa8"))
    for day in range(8):
        x = LEFT + day * WIDTH / 7
        out.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{below + HEIGHT}" '
                   'stroke="#999" stroke-width="0.3"/>')
        if day < 7:
            out.append(text(x + WIDTH / 14, below + HEIGHT + 15, f"day {day + 1}", "middle", 11,
                            "#666"))
    return out


def main():
    fleets = read(sys.argv[1])
    each = 2 * HEIGHT + 20 + GAP + 40
    height = each * len(fleets) + 60
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + WIDTH + 20} {height}" '
           'font-family="sans-serif">', f'<rect width="100%" height="100%" fill="white"/>',
           text(LEFT, 24, "10,000 certificates of a day, one week, the authority away for eight "
                "hours (red)", size=16),
           text(LEFT, 42, "requests a minute (blue), certificates a minute (green)",
                colour="#666")]
    for i, (name, rows) in enumerate(fleets.items()):
        out += panel(name, rows, 100 + i * each)
    print("\n".join(out + ["</svg>"]))


if __name__ == "__main__":
    main()
