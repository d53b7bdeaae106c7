"""Acceptance of a fleet: who is an outlier, what telemetry changes, and what has to run again."""

from __future__ import annotations

from pathlib import Path

import pytest

from code.campaign import fleet, measures, rerun
from code.campaign import plan as plans
from code.campaign.acceptance import DEFAULTS, Acceptance
from code.campaign.fleet import FAIL, PASS, RERUN, judge
from code.campaign.measures import Measure
from code.common import tomlfile
from code.common.errors import UsageError
from tests.e2e.in_process import called

OFFLINE, STREAM = "bert-99 Offline fp32", "bert-99 SingleStream fp32"
NODES = [f"n{number}" for number in range(10)]


def rate(node: str, value: float | None, *causes: tuple[str, str], valid: bool = True) -> Measure:
    return Measure(node, OFFLINE, value, "samples/s", True, valid, "VALID" if valid else "INVALID", causes, f"/logs/{node}")


def even(**other: float) -> list[Measure]:
    """Ten nodes of about 1,000 samples/s, but for those that are named."""
    return [rate(node, other.get(node, 1000 + number % 3)) for number, node in enumerate(NODES)]


def verdicts(found: fleet.Fleet) -> dict[str, str]:
    return {node: found.verdict(node) for node in found.nodes if found.verdict(node) != PASS}


def test_a_slow_node_fails_and_a_fast_one_and_one_within_the_least_difference_do_not() -> None:
    found = judge(NODES, [OFFLINE], even(n3=900.0, n5=1200.0, n7=985.0), Acceptance())
    assert verdicts(found) == {"n3": FAIL} and not found.accepted
    (cell,) = [one for one in found.cells if one.node == "n3"]
    assert cell.difference == pytest.approx(-0.1, abs=0.001) and cell.z is not None and cell.z < -3.5
    assert "10.0 % worse than the fleet's median" in cell.reasons[0]
    assert judge(NODES, [OFFLINE], even(), Acceptance()).accepted


def test_of_a_latency_more_is_worse() -> None:
    found = [Measure(node, STREAM, 2.0 if node == "n4" else 1.0, "ms (90 %)", False, True, "VALID") for node in NODES]
    assert verdicts(judge(NODES, [STREAM], found, Acceptance())) == {"n4": FAIL}
    found = [Measure(node, STREAM, 0.5 if node == "n4" else 1.0, "ms (90 %)", False, True, "VALID") for node in NODES]
    assert judge(NODES, [STREAM], found, Acceptance()).accepted


def test_an_outlier_that_was_disturbed_is_measured_again_and_other_causes_are_said() -> None:
    busy = [one if one.node != "n3" else rate("n3", 800.0, ("busy", "other work took 31 % of core 1")) for one in even()]
    assert verdicts(judge(NODES, [OFFLINE], busy, Acceptance())) == {"n3": RERUN}
    throttled = [one if one.node != "n3" else rate("n3", 800.0, ("throttled", "gpu0 was held back")) for one in even()]
    found = judge(NODES, [OFFLINE], throttled, Acceptance())
    assert verdicts(found) == {"n3": FAIL} and ("throttled", "gpu0 was held back") in found.cells[3].causes
    fast = [one if one.node != "n3" else rate("n3", 1000.0, ("busy", "other work")) for one in even()]
    assert judge(NODES, [OFFLINE], fast, Acceptance()).accepted, "disturbed, and as fast as the others all the same"
    broken = [one if one.node != "n3" else rate("n3", 1000.0, ("ecc", "gpu0 met 2 memory errors")) for one in even()]
    assert verdicts(judge(NODES, [OFFLINE], broken, Acceptance())) == {"n3": FAIL}
    assert judge(NODES, [OFFLINE], broken, Acceptance(severities={**DEFAULTS, "ecc": "note"})).accepted


def test_what_is_missing_invalid_uneven_or_below_the_file_does_not_pass() -> None:
    found = judge(NODES, [OFFLINE], [one for one in even() if one.node != "n1"], Acceptance())
    assert verdicts(found) == {"n1": RERUN} and found.cells[1].reasons == ("it has not run",)
    invalid = [one if one.node != "n2" else rate("n2", 1000.0, valid=False) for one in even()]
    assert verdicts(judge(NODES, [OFFLINE], invalid, Acceptance())) == {"n2": RERUN}
    failed = [
        one if one.node != "n2" else Measure("n2", OFFLINE, None, "", True, False, "failed", failed="no memory") for one in even()
    ]
    assert verdicts(judge(NODES, [OFFLINE], failed, Acceptance())) == {"n2": FAIL}
    assert verdicts(judge(NODES, [OFFLINE], [*even(), rate("n6", 1100.0)], Acceptance())) == {"n6": RERUN}
    low = judge(NODES, [OFFLINE], even(), Acceptance(least={"bert Offline": 1001.0}))
    assert set(low.with_verdict(FAIL)) == {"n0", "n3", "n6", "n9"}
    assert not judge(NODES, [OFFLINE], even(), Acceptance(), absent=1).accepted
    three = judge(NODES[:3], [OFFLINE], [rate("n0", 1.0), rate("n1", 1.0), rate("n2", 0.5)], Acceptance())
    assert three.accepted and three.cells[2].z is None, "three nodes do not tell who is the outlier"


def test_fewer_lanes_than_most_of_the_fleet_are_a_slow_link() -> None:
    usual = {"pcie_generation": 5, "pcie_width": 16, "pcie_width_now": 16, "nvlinks": 18}
    slow = {**usual, "pcie_width": 8, "nvlinks": 17}
    facts = {node: [usual, slow if node == "n3" else usual] for node in NODES}
    found = judge(NODES, [OFFLINE], even(), Acceptance(severities={**DEFAULTS, "slow_link": "fail"}), facts)
    assert verdicts(found) == {"n3": FAIL}
    assert found.cells[3].causes == (
        ("slow_link", "PCIe lanes of GPU 1: 8, of the fleet 16"),
        ("slow_link", "NVLinks of GPU 1: 17, of the fleet 18"),
    )


def test_a_link_that_came_up_with_fewer_lanes_than_it_has_is_a_slow_link() -> None:
    usual = {"pcie_width": 16, "pcie_width_now": 16}
    facts = {node: [{**usual, "pcie_width_now": 4} if node == "n3" else usual] for node in NODES}
    found = judge(NODES, [OFFLINE], even(), Acceptance(severities={**DEFAULTS, "slow_link": "fail"}), facts)
    assert verdicts(found) == {"n3": FAIL}
    assert found.cells[3].causes == (("slow_link", "PCIe lanes in use of GPU 0: 4, of the fleet 16"),)


def test_a_rerun_file_is_a_campaign_of_what_did_not_pass(tmp_path: Path) -> None:
    path = tmp_path / "campaign.toml"
    path.write_text(
        'name = "rack"\nnodes = 10\nargs = "--fast"\nrepeats = 2\n[[workload]]\nbenchmarks = "bert"\nscenarios = ["offline", "server"]\n'
        '[accept]\nrobust_z = 4\nbusy = "note"\n[accept.least]\n"bert Offline" = 990\n'
    )
    plan = plans.read(path)
    workloads = list(dict.fromkeys(measures.workload_of(one) for one in plan.runs))
    assert workloads == ["bert Offline", "bert Server"]
    found = [
        Measure(node, workload, 500.0 if (node, workload) == ("n3", "bert Server") else 1000.0, "samples/s", True, True, "VALID")
        for node in NODES
        for workload in workloads
    ]
    judged = judge(NODES, workloads, found, plan.acceptance)
    page = rerun.write(judged, "rack", tmp_path / "out", plan)
    again = plans.read(tmp_path / "out" / "rerun.toml")
    assert (
        again.name == "rack-again"
        and again.nodes == ("n3",)
        and [one.label for one in again.runs] == ["bert server (1)", "bert server (2)"]
    )
    assert again.acceptance == plan.acceptance and {"--fast"} <= set(again.runs[0].words)
    assert rerun.campaign(again, [cell for cell in judged.cells if cell.verdict != PASS]).count('name = "rack-again2"') == 1
    assert "NOT ACCEPTED" in page.read_text() and "1 fail" in page.read_text()
    rerun.write(
        judge(NODES, workloads[:1], [one for one in found if one.workload == workloads[0]], plan.acceptance),
        "rack",
        tmp_path / "out",
        plan,
    )
    assert not (tmp_path / "out" / "rerun.toml").exists() and ">ACCEPTED" in page.read_text()


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("[accept]\nrobust = 3", 2, "'robust_z'"),
        ("[accept]\nrobust_z = -1", 2, "from 0.1 to 1000"),
        ('[accept]\n\nbusy = "fial"', 3, "'fail'"),
        ('[accept.least]\n"bert Ofline" = 3', 2, "no workload"),
    ],
)
def test_thresholds_are_checked_with_their_line(text: str, line: int, words: str, tmp_path: Path) -> None:
    path = tmp_path / "campaign.toml"
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        Acceptance.read(tomlfile.read(path).table("accept"))
    assert f"campaign.toml:{line}:" in str(caught.value) and words in str(caught.value)


def test_a_fleet_without_nodes_or_results_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "campaign.toml"
    path.write_text('[[workload]]\nbenchmarks = "bert"\nscenarios = "offline"\n')
    where = f"--campaign_dir={tmp_path / 'state'}"
    done = called("--action=fleet", f"--campaign_file={path}", where)
    assert done.returncode == 2 and "has no nodes" in done.stderr
    path.write_text("nodes = 4\n" + path.read_text())
    assert called("--action=fleet", f"--campaign_file={path}", where).returncode == 3
    assert called("--action=fleet", f"--fleet_dir={tmp_path / 'none'}").returncode == 2
