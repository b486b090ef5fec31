"""The report of run.py: who is ahead is said, whoever it is; the chart is well-formed."""
import xml.dom.minidom

import pytest

import changes
import report
import report_axes
import revoked
import sections

RESULTS = {
    "full": {"mutual": [500.0, 510.0, 900.0], "haproxy": [1000.0, 1020.0, 1800.0],
             "nginx-tuned": [625.0, 600.0, 1000.0]},
    "up4": {"mutual": [0.9] * 3, "haproxy": [1.0] * 3, "nginx-tuned": [0.6] * 3},
    "idlecpu": {"mutual": [0.0] * 3, "haproxy": [700.0] * 3, "nginx-tuned": [0.0] * 3},
}


def test_a_ratio_is_taken_round_by_round_to_the_best_other_peer():
    assert report.ratio(RESULTS["full"], stock_only=True) == (pytest.approx(0.5), "haproxy")
    assert report.ratio(RESULTS["full"], stock_only=False) == (pytest.approx(0.85), "nginx-tuned")
    assert report.ratio({"haproxy": [1.0]}, stock_only=False) is None


def test_the_table_has_a_row_for_each_figure_and_no_ratio_of_nothing():
    lines = report.table(RESULTS).splitlines()
    assert len(lines) == 2 + len(RESULTS)
    assert "510 [500–900]" in lines[2] and "**0.50**" in lines[2]
    assert lines[4].endswith("| – | – |")


def test_a_figure_stands_below_its_peer_whatever_was_measured_first():
    table = report.table({"full": {"mutual": [2.0], "hitch": [4.0]},
                          "unseen": {"hitch": [8.0], "nginx": [5.0], "mutual": [3.0]}})
    head, _, full, unseen = table.splitlines()
    assert head.split(" | ")[1:4] == ["mutual", "hitch", "nginx"]
    assert full.split(" | ")[1:4] == ["2 [2–2]", "4 [4–4]", "–"]
    assert unseen.split(" | ")[1:4] == ["3 [3–3]", "8 [8–8]", "5 [5–5]"]


def test_a_peer_that_is_ahead_is_named():
    told = report.behind(RESULTS)
    assert "nginx-tuned is ahead, ours costs 1.50 times" in told
    assert "full mutual handshake" not in told


AXES = {
    "workers": {"full ops_per_s": {"mutual": {"1": [100.0], "2": [192.0]}, "nginx-tuned": {"1": [9.0], "2": [9.0]}}},
    "grants": {"full cpu_us_per_op": {"mutual": {"1": [100.0], "1000": [100.0], "100000": [121.0]}}},
    "alg": {"full cpu_us_per_op": {"mutual": {"P-256": [100.0], "RSA-2048": [150.0]}}},
}


def test_every_axis_has_its_slope():
    text = report_axes.tables(AXES)
    assert "× 1.50 in all" in text          # names have no tenfold
    assert "× 1.04 per tenfold" in text     # 1.21 over five tenfolds
    assert "Two workers of mutual do 1.92 times" in text
    assert report_axes.slope(["0", "10"], [100.0, 150.0]) == "× 1.50 in all"
    assert report_axes.slope(["1", "10"], [0.0, 5.0]) == "–"


def test_the_page_and_the_chart_are_whole():
    measured = {
        "results": RESULTS,
        "axes": AXES,
        "where": {"full": {"[kernel.kallsyms]": 20.0, "libcrypto.so.3": 60.0}},
        "roles": {"full": {"worker": 95.0, "keys": 5.0}},
        "surroundings": {
            "versions": {"nginx": "nginx 1"}, "cpu": "2 x cpu", "load": "0 before, 0 after",
            "date": "2030-01-01", "alg": "ECDSA P-256", "version": "TLSv1.3", "cipher": "AES",
            "sizes": {"handshakes": 4000, "pings": 1, "bulk_mib": 256, "idle": 3000},
        },
    }
    page = report.page(measured)
    assert "| full mutual handshake, client seen before | 20 % | 60 % |" in page and "{" not in page
    assert "4,000 of them" in page
    xml.dom.minidom.parseString(report.chart(RESULTS))


def test_sections_that_are_measured_apart_are_replaced_and_kept():
    found = {"open": 10000, "closed": 1000, "p50_ms": 1, "p99_ms": 2, "max_ms": 3, "gateway_ms": 4,
             "ping_p99_us": {"quiet": 5000, "during": 6000}, "ping_max_us": {}}
    page = f"# P\n\ntop\n\n{sections.BEFORE}\n\nend\n"
    first = changes.section(found, "2030-01-01")
    page = sections.put(page, f"{revoked.HEAD}\n\na list\n\n")
    page = sections.put(page, first)
    assert page.index("a list") < page.index(changes.HEAD) < page.index(sections.BEFORE)
    second = changes.section({**found, "max_ms": 77}, "2030-01-02")
    page = sections.put(page, second)
    assert page.count(changes.HEAD) == 1 and "77 ms" in page and "2030-01-01" not in page
    assert sections.section_of(page, changes.HEAD) == second
    assert sections.put(page, "") == page


def test_a_peer_that_was_not_measured_everywhere_has_a_dash():
    axes_of = {"knocks": {"flooded p99_us": {"mutual": {"0": [1.0], "10": [2.0]}, "hitch": {"0": [3.0]}}}}
    lines = report_axes.tables(axes_of).splitlines()
    assert "| hitch | 3 | – | × 1.00 in all |" in lines and "| mutual | 1 | 2 | × 2.00 in all |" in lines


def test_whoever_is_ahead_where_an_axis_ends_is_named():
    axes_of = {"knocks": {"flooded p99_us": {"mutual": {"0": [1.0], "10": [9.0]}, "hitch": {"0": [3.0], "10": [4.0]}},
                          "flooded ops_per_s": {"mutual": {"10": [9.0]}, "hitch": {"10": [4.0]}}}}
    told = report_axes.ahead(axes_of)
    assert "hitch 4, ours 9" in told and told.count("hitch") == 1
    assert report_axes.ahead({}) == ""
