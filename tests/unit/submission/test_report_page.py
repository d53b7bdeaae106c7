"""Report pages, the list of runs, and comparisons."""

from __future__ import annotations

import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from code import main
from code.actions import list_results
from code.common.errors import UsageError
from code.results.loadgen_log import read_detail
from code.results.page import charts, measured, write
from code.results.page.measured import Latencies
from code.submission.audit import comparison
from code.submission.stage import runs
from tests.unit.submission import made


class Page(HTMLParser):
    """What matters of a page: its text, and everything that would be fetched."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text, self.open, self.fetched, self.ids = "", [], [], []  # type: ignore[var-annotated]
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value)
            if name in ("src", "srcset", "data") or (
                name == "href" and tag in ("link", "image", "use") and not str(value).startswith("#")
            ):
                self.fetched.append(value)

    def handle_data(self, data: str) -> None:
        self.text += data


def page(folder: Path, target: Path) -> Page:
    """The parsed page of a run."""
    run = runs.read_run(folder)
    assert run is not None
    made_of = write.RunPage(folder, run.metadata, run.spec, run.provenance, run.started)
    return Page(write.write_run(made_of, target).read_text())


def test_a_page_says_the_verdict_first_and_needs_no_network(logs: Path, tmp_path: Path) -> None:
    folder = made.run_folder(logs, "Server")
    np.save(folder / "batches.npy", np.array([[0.0, 0.5, 4, 100], [0.5, 2.0, 2, 80], [1.0, 3.0, 4, 90]]))
    found = page(folder, tmp_path)
    assert found.fetched == ["data:,"]  # an empty icon, so that a browser asks for none
    text = re.sub(r"\s+", " ", found.text)
    order = [
        text.index(word) for word in ("INVALID", "Latency", "Throughput over the run", "Batch sizes", "Configuration", "Engine")
    ]
    assert order == sorted(order)
    assert "open division only" in text and "max_query_count" in text
    assert len(found.ids) == len(set(found.ids)), "ids of the charts do not clash"
    assert "script" not in found.open


def test_the_page_of_an_accuracy_run_shows_scores_against_targets(logs: Path, tmp_path: Path) -> None:
    text = re.sub(r"\s+", " ", page(made.run_folder(logs, "Offline", "AccuracyOnly"), tmp_path).text)
    assert "PASSED" in text and "F1 95.500" in text and "94" in text


def test_text_from_a_run_cannot_become_markup(logs: Path, tmp_path: Path) -> None:
    folder = made.run_folder(logs, "Offline")
    path = folder / "metadata.json"
    content = json.loads(path.read_text())
    content["reasons"] = [{"what": "<script>alert(1)</script>", "field": "", "suggestion": ""}]
    path.write_text(json.dumps(content))
    found = page(folder, tmp_path)
    assert "script" not in found.open and "<script>alert(1)</script>" in found.text


def test_the_latency_distribution_is_loadgens(logs: Path) -> None:
    folder = made.run_folder(logs, "SingleStream")
    log = read_detail(folder)
    found = measured.latencies(folder, log)
    assert found is not None and found.points
    table = dict(measured.percentiles(log))
    assert list(table) == ["least", "50 %", "90 %", "95 %", "97 %", "99 %", "99.9 %", "mean", "most"]
    assert table["90 %"] == pytest.approx(log.get("result_90.00_percentile_latency_ns") / 1e6)
    at_90 = found.ms[np.searchsorted(found.share, 0.9)]
    assert at_90 == pytest.approx(log.get("result_90.00_percentile_latency_ns") / 1e6)
    begin = '{{"name":"Sample","cat":"default","ph":"b","pid":1,"id":{0},"ts":1.0,"args":{{"sample_seq":{0},"query_seq":{1},'
    begin += '"sample_idx":7,"issue_start_ns":0,"complete_ns":{2}}}}},\n'
    lines = [
        '{"traceEvents":[\n',
        '{"name":"LogDetail","ph":"X","args":{"key":""loadgen_version""}},\n',
    ]  # as LoadGen 6.0.17 has it
    for sample, query, complete in ((0, 0, 4_000_000), (1, 0, 6_000_000), (2, 1, 2_000_000)):
        lines += [
            begin.format(sample, query, complete),
            f'{{"name":"Sample","cat":"default","ph":"e","id":{sample},"ts":9.0}},\n',
        ]
    (folder / measured.TRACE_FILE).write_text("".join(lines))
    every = measured.latencies(folder, log)
    assert (
        every is not None and not every.points and every.ms.tolist() == pytest.approx([2.0, 6.0])
    )  # a query ends with its last sample


def test_the_timeline_counts_every_sample_once() -> None:
    recorded = np.array([[0.0, 0.4, 4, 1], [0.0, 1.6, 6, 1], [1.0, 3.9, 10, 1]])
    seconds, rate = measured.timeline(recorded)
    width = seconds[1] - seconds[0]
    assert float((rate * width).sum()) == pytest.approx(20)


def labels(svg: str) -> list[str]:
    """The texts of a chart."""
    return re.findall(r"<text[^>]*>([^<]*)</text>", svg)


def test_a_chart_of_batches_counts_whole_samples() -> None:
    found = labels(charts.batch_sizes(np.ones(43)))
    assert "1" in found and not any("." in text for text in found)


def test_a_few_percentiles_are_points_without_a_line_between_them() -> None:
    ms, share = np.array([1.0, 2.0, 3.0]), np.array([0.0, 0.5, 1.0])

    def lines(points: bool) -> int:
        """Curves drawn in the colour of the data."""
        svg = charts.latency_cdf(Latencies(ms, share, "", points), None, None, "queries")
        return len(re.findall(r'<polyline class="line', svg))

    assert lines(points=True) == 0 and lines(points=False) == 1


@pytest.mark.parametrize(("scale", "unit"), [(1.0, "ms"), (1000.0, "s")])
def test_long_latencies_are_drawn_in_seconds(scale: float, unit: str) -> None:
    ms = np.array([16.0, 115.0, 159.0, 166.0]) * scale
    found = labels(charts.latency_cdf(Latencies(ms, np.array([0.0, 0.5, 0.9, 1.0]), "", True), 200 * scale, 0.9, "queries"))
    assert f"latency ({unit})" in found and f"bound 200 {unit}" in found
    assert max(len(text) for text in found if text.isdigit()) == 3, "no row of zeros along the axis"


def test_the_list_of_runs_gives_each_folder_whole_on_a_line_of_its_own(logs: Path) -> None:
    found = runs.find_runs(logs)
    lines = list_results.listing(found)
    assert [line.strip() for line in lines[1::2]] == [str(one.folder) for one in found]
    assert all(one.scenario in line and one.mode in line for one, line in zip(found, lines[::2], strict=True))


def test_two_runs_are_compared_with_their_differences(logs: Path) -> None:
    ours, theirs = made.run_folder(logs, "Offline"), made.run_folder(logs, "Offline", "AccuracyOnly")
    a, b = comparison.read_pair(str(ours), str(ours))
    assert comparison.change_percent(a, b) == 0 and comparison.differences(a, b) == []
    path = theirs / "provenance.json"
    content = json.loads(path.read_text())
    content["plan"]["values"]["precision"]["value"] = "bf16"
    path.write_text(json.dumps(content))
    a, b = comparison.read_pair(str(ours), str(theirs))
    assert comparison.differences(a, b) == [("precision", "fp32", "bf16")]


def test_repeated_runs_tell_a_difference_from_noise(logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = made.run_folder(logs, "Offline")
    values = {}
    for root, factor in (("one", 1.0), ("two", 1.5)):
        values[root] = [factor * 100, factor * 101, factor * 99]
        for number, value in enumerate(values[root], start=1):
            folder = logs / root / made.SYSTEM_ID / "bert-99" / ("Offline" if number == 1 else f"Offline.{number}")
            shutil.copytree(first, folder)
            made.sealed(folder, result_samples_per_second=value)
    other = logs / "one" / made.SYSTEM_ID / "bert-99" / "Offline.4"  # of another config: no repetition
    shutil.copytree(first, other)
    content = json.loads((other / "run.json").read_text())
    content["record"] = {**content["record"], "precision": "bf16"}
    (other / "run.json").write_text(json.dumps(content))
    folders = [str(logs / root / made.SYSTEM_ID / "bert-99" / "Offline") for root in values]
    a, b = comparison.read_pair(*folders)
    assert sorted(a.repeats) == sorted(values["one"]) and sorted(b.repeats) == sorted(values["two"])
    assert main.main(["--action=compare", f"--a={folders[0]}", f"--b={folders[1]}"]) == 0
    assert "more than the noise of 3 and 3 runs" in capsys.readouterr().out.replace("\n", " ")


def test_a_run_is_compared_with_a_public_result_per_accelerator(logs: Path) -> None:
    ours = made.run_folder(logs, "Offline")
    a, b = comparison.read_pair(str(ours), "h100_nvlx4")
    assert b.value == 24173.2 and b.per_accelerator == pytest.approx(24173.2 / 4)
    change = comparison.change_percent(a, b)
    assert change is not None and change == pytest.approx((b.per_accelerator / a.value - 1) * 100)
    with pytest.raises(UsageError, match="neither") as caught:
        comparison.read_pair(str(ours), "H100_NVLx5")
    assert "H100_NVLx" in caught.value.why
    with pytest.raises(UsageError, match="no public result of bert-99 SingleStream"):
        comparison.read_pair(str(made.run_folder(logs, "SingleStream")), "H100_NVLx4")
    with pytest.raises(UsageError, match="different workloads"):
        comparison.read_pair(str(ours), str(made.run_folder(logs, "Server")))
