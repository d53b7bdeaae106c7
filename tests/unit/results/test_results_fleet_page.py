"""The page of a fleet, and what a run's page says of its neighbours: verdicts, results in order and what they cost."""

from __future__ import annotations

import re
from typing import Any

import pytest

from code.results.page import beside, fleet
from code.results.page.fleet import FleetPage, Point, Workload

GOOD = Point("n1", "bert", 100.0, "100 samples/s", "", "pass")
SLOW = Point("n2", "bert", 80.0, "80 samples/s", "-5.1", "fail", ("20 % <worse>", "slow link"))
LATE = Point("n3", "bert", 110.0, "110 samples/s", "1.2", "rerun", ("disturbed",))
NONE = Point("n3", "gptj", None, "no result", "", "fail")
BERT, GPTJ = Workload("bert", "samples/s", 100.0, 5.0), Workload("gptj", "tokens/s", None, None)


def page(**changed: Any) -> FleetPage:
    given: dict[str, Any] = {
        "title": "Fleet & rack",
        "summary": "3 nodes: 1 pass",
        "accepted": False,
        "verdicts": (("n1", "pass"), ("n2", "fail"), ("n3", "rerun")),
        "workloads": (BERT, GPTJ),
        "points": (GOOD, SLOW, LATE, NONE),
        "rerun": "make campaign FILE=a<b",
        **changed,
    }
    return FleetPage(**given)


def rows(html: str) -> list[list[str]]:
    found = re.findall(r"<tr>(.*?)</tr>", html, flags=re.DOTALL)
    return [[re.sub(r"<[^>]*>", "|", cell).strip("|") for cell in re.findall(r"<td[^>]*>(.*?)</td>", row)] for row in found]


def test_the_verdict_comes_first_and_a_simulation_says_so() -> None:
    html = fleet.page(page())
    assert '<div class="verdict bad"><span class="word">NOT ACCEPTED</span><div>3 nodes: 1 pass</div></div>' in html
    assert "<h1>Fleet &amp; rack</h1>" in html and "SIMULATED" not in html and "<footer>3 nodes</footer>" in html
    assert "make campaign FILE=a&lt;b" in html
    heads = [html.index(f"<h2>{title}</h2>") for title in ("Nodes that do not pass", "Results in order", "All nodes")]
    assert heads == sorted(heads)
    good = fleet.page(page(accepted=True, simulated=True, rerun="", points=(GOOD,), workloads=(BERT,)))
    assert '<div class="verdict good"><span class="word">ACCEPTED</span>' in good and "SIMULATED" in good
    assert "Nodes that do not pass" not in good and 'class="command"' not in good


def test_each_result_that_does_not_pass_has_a_line_with_its_reasons() -> None:
    assert rows(fleet._problems(page()))[1:] == [
        ["n2", "bert", "80 samples/s", "-5.1", "fail", "20 % &lt;worse&gt;|slow link"],
        ["n3", "bert", "110 samples/s", "1.2", "rerun", "disturbed"],
        ["n3", "gptj", "no result", "", "fail", ""],
    ]
    assert 'class="word bad"' in fleet._problems(page(points=(SLOW,))) and 'class="word open"' in fleet._problems(
        page(points=(LATE,))
    )
    assert fleet._problems(page(points=(GOOD,))) == ""


def test_the_table_has_every_node_and_every_workload() -> None:
    html = fleet._table(page())
    assert rows(html)[1:] == [
        ["n1", "pass", "100 samples/s ", ""],
        ["n2", "fail", "80 samples/s (z -5.1)", ""],
        ["n3", "rerun", "110 samples/s (z 1.2)", "no result "],
    ]
    assert html.count(" title=") == 2 and 'title="20 % &lt;worse&gt;; slow link"' in html


def test_results_are_drawn_in_order_with_the_median() -> None:
    svg = fleet._chart(3, BERT, page())
    assert re.findall(r"<title>(n\d): ", svg) == ["n1", "n3", "n2"], "passed, to be run again, failed"
    dots = {hit[1]: float(hit[0]) for hit in re.findall(r'cx="([\d.]+)"[^>]*><title>(n\d)', svg)}
    assert dots["n2"] < dots["n1"] < dots["n3"], "in order of their results"
    classes = {hit[1]: hit[0] for hit in re.findall(r'class="dot (c\d)"[^>]*><title>(n\d)', svg)}
    assert classes == {"n1": "c0", "n3": "c2", "n2": "c1"}
    assert "median 100" in svg and 'id="fleet3-title"' in svg and "samples/s" in svg
    assert fleet._chart(0, GPTJ, page()) == "", "nobody has a result"
    assert fleet._chart(0, BERT, page(points=())) == ""


@pytest.mark.parametrize(
    ("values", "median", "least", "most"),
    [((80.0, 120.0), 100.0, 76.0, 124.0), ((100.0, 100.0), 100.0, 95.0, 105.0), ((0.0, 0.0), 0.0, -1.0, 1.0)],
)
def test_the_axis_leaves_room_at_both_ends(
    values: tuple[float, ...], median: float, least: float, most: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []
    plot = fleet.Plot
    monkeypatch.setattr(fleet, "Plot", lambda *given, **named: (seen.append((given, named)), plot(*given, **named))[1])
    points = tuple(Point(f"n{number}", "bert", value, "", "", "pass") for number, value in enumerate(values))
    fleet._chart(0, Workload("bert", "samples/s", median, 1.0), page(points=points))
    [((_, x, y, labels), named)] = seen
    assert x == (0.5, len(values) + 0.5) and y == pytest.approx((least, most)) and labels[1] == "samples/s"
    assert named == {"whole": "x"}


# ── neighbours of a run ────────────────────────────────────────────────


def neighbours(**changed: Any) -> dict[str, Any]:
    one = {"label": "3d-unet <1>", "devices": ["gpu0", "gpu1"], "samples": 12345, "samples_per_second": 17.256}
    return {"scenario": "Offline", "beside": {"neighbours": [one, {"label": "x", "devices": []}], **changed}}


@pytest.mark.parametrize(
    ("key", "least", "most", "beyond"),
    [
        ("label", "", "x" * 200, "x" * 201),
        ("devices", [], ["d" * 200], ["d" * 201]),
        ("samples", 0, 2**53, 2**53 + 1),
        ("samples_per_second", 0, 1e12, 1.1e12),
    ],
)
def test_what_is_recorded_of_a_neighbour_has_limits(key: str, least: Any, most: Any, beyond: Any) -> None:
    def passes(value: Any) -> bool:
        notes: list[str] = []
        found = beside.BESIDE.read({"neighbours": [{"label": "a", "devices": ["b"], key: value}]}, "beside", notes)
        return [one.get(key) for one in found["neighbours"]] == [value] and not notes

    assert [passes(value) for value in (least, most, beyond)] == [True, True, False]


@pytest.mark.parametrize(("key", "least", "most"), [("alone", 0, 1e18), ("price", -1e9, 1)])
def test_what_is_recorded_of_a_price_has_limits(key: str, least: float, most: float) -> None:
    for value, known in ((least, True), (most, True), (most * 1.5, False), (least - 1e6, False)):
        assert (beside.BESIDE.read({"neighbours": [], key: value}, "beside", []).get(key) == value) is known, value


def test_neighbours_have_their_devices_and_rates() -> None:
    assert rows(beside.part(neighbours()))[1:] == [["3d-unet &lt;1&gt;", "gpu0, gpu1", "12,345", "17.26"], ["x", "", "0", "0"]]
    assert beside.part({"scenario": "Offline"}) == "" and "alone" not in beside.part(neighbours())


@pytest.mark.parametrize(
    ("price", "words"),
    [
        (0.113, "its neighbours cost 11.3%"),
        (0.0, "its neighbours cost 0.0%"),
        (-0.02, "its neighbours cost nothing: it was 2.0% faster"),
    ],
)
def test_what_neighbours_cost(price: float, words: str) -> None:
    html = beside.part(neighbours(price=price, alone=378.2))
    assert f'<p class="note">378.2 samples/s alone; {words}</p>' in html
    assert "alone;" not in beside.part(neighbours(price=price))
    assert "alone;" not in beside.part({**neighbours(price=price, alone=378.2), "scenario": "Backwards"})
    assert "queries/s alone" in beside.part({**neighbours(price=price, alone=378.2), "scenario": "Interactive"})
