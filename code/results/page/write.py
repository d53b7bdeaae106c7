"""Write a run's page: verdict, charts and full record in one HTML file without scripts or network access."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path
from typing import Any

from code.common.files import atomic_write
from code.harness.schema.lengths import lengths_of
from code.machine.systems import intervals
from code.results import loadgen_log, machine, provenance
from code.results.loadgen_log import LoadGenLog
from code.results.page import beside, charts, limits, measured, nearest, tracks
from code.results.page.measured import Floats
from code.results.page.style import CSS
from code.results.page.text import PAGE, folded, section, table
from code.rules.metrics import metric_with

ACCURACY_MODE = "AccuracyOnly"
GOOD = ("VALID", "PASSED")


class RunPage:
    """Data for one run's page.

    Args:
        folder: the run's folder.
        metadata: its metadata.json.
        spec: its run.json; {} if missing.
        provenance: its provenance.json; {} if missing.
        started: when LoadGen started.
    """

    def __init__(
        self, folder: Path, metadata: Mapping[str, Any], spec: Mapping[str, Any], provenance: Mapping[str, Any], started: str
    ) -> None:
        self.folder, self.metadata, self.spec, self.provenance, self.started = folder, metadata, spec, provenance, started

    @property
    def file_name(self) -> str:
        """The page's file name, unique to the run."""
        words = (
            self.started or self.folder.parent.parent.parent.name,
            *self.title_words,
            self.metadata["system_name"],
            self.folder.name,
        )
        return re.sub(r"[^\w.-]+", "-", "_".join(str(word) for word in words)) + ".html"

    @property
    def title_words(self) -> tuple[str, ...]:
        """'bert-99', 'Offline', 'PerformanceOnly'."""
        return tuple(str(self.metadata[key]) for key in ("benchmark_full", "scenario", "test_mode"))

    @property
    def accuracy(self) -> bool:
        """Whether it is an accuracy run."""
        return bool(self.metadata["test_mode"] == ACCURACY_MODE)

    @property
    def word(self) -> str:
        """VALID, INVALID, PASSED or FAILED."""
        if self.accuracy:
            return "PASSED" if self.metadata.get("accuracy_pass") else "FAILED"
        return str(self.metadata.get("result_validity", "INVALID"))

    @property
    def value(self) -> str:
        """The result formatted with its unit."""
        if self.accuracy:
            return ", ".join(f"{e['name']} {float(e['value']):.3f}" for e in self.metadata.get("accuracy", []))
        metric = metric_with(str(self.metadata["scenario"]), self.metadata.get("scenario_key"))
        found = self.metadata.get(metric.key)
        simulated = " SIMULATED" if self.metadata.get("simulated") else ""
        return metric.shown(float(found)) + simulated if isinstance(found, (int, float)) else "no result"


def write_run(run: RunPage, folder: Path) -> Path:
    """Write one run's page into `folder`. RunError if its log cannot be read."""
    log = loadgen_log.read_detail(run.folder)
    parts = [
        _head(run),
        section("Charts", _charts(run, log)),
        section("Latency percentiles", _percentiles(run, log)),
        section("What limits it", _limits(run)),
        section("Nearest public results", _nearest(run)),
        section("Accuracy", _accuracy(run)),
        section("Neighbours", beside.part(run.metadata)),
        section("Devices", _devices(run)),
        section("Configuration", _config(run)),
        section("Engine", _engine(run)),
        section("System", _system(run)),
        section("LoadGen", _loadgen(log)),
        section("LoadGen warnings and errors", _events(log)),
    ]
    title = " ".join(run.title_words)
    footer = f"Generated from {escape(str(run.folder))} by harness {escape(str(run.provenance.get('harness_version', '')))}"
    path = folder / run.file_name
    with atomic_write(path) as out:
        out.write(PAGE.format(title=escape(title), css=CSS, body="\n".join(parts), footer=footer))
    return path


def _tone(word: str) -> str:
    return "good" if word in GOOD else "bad"


def _head(run: RunPage) -> str:
    metadata = run.metadata
    system = escape(str(metadata["system_name"])).replace("_", "_<wbr>")
    out = [f"<h1>{escape(' '.join(run.title_words))} on {system}</h1>"]
    out.append(f'<div class="verdict {_tone(run.word)}"><span class="word">{escape(run.word)}</span>')
    out.append(f'<div class="value">{escape(run.value)}</div>')
    out.append(f"<div>{escape(str(metadata.get('summary_string', '')))}</div></div>")
    if metadata.get("division_note"):
        out.append(f'<p class="note">{escape(str(metadata["division_note"]))}</p>')
    out.append(_reasons("Why", metadata.get("reasons", [])) + _reasons("Notes", metadata.get("notes", [])))
    out.append(f'<p class="soft">Started {escape(run.started or "at an unknown time")} · <a href="index.html">all runs</a></p>')
    return "\n".join(out)


def _reasons(title: str, entries: Iterable[Mapping[str, Any]]) -> str:
    items = []
    for entry in entries:
        knob = ": ".join(str(entry[key]) for key in ("field", "suggestion") if entry.get(key))
        items.append(f"<li>{escape(str(entry.get('what', '')))}{f'<br><code>{escape(knob)}</code>' if knob else ''}</li>")
    return f'<p><strong>{title}</strong></p><ul class="reasons">{"".join(items)}</ul>' if items else ""


def _charts(run: RunPage, log: LoadGenLog) -> str:
    figures = []
    found = measured.latencies(run.folder, log)
    if found is not None:
        bound = log.get("effective_target_latency_ns") if log.scenario == "Server" else None
        percentile = log.get("effective_target_latency_percentile") if log.scenario != "Offline" else None
        what = "samples" if log.scenario == "Offline" else "queries"
        svg = charts.latency_cdf(found, float(bound) / 1e6 if bound else None, float(percentile) if percentile else None, what)
        figures.append(_figure("cdf", "Latency", svg, found.source))
    figures += _load(run, log)
    recorded = measured.batches(run.folder)
    if recorded is not None:
        answered = sum(int(one.get("samples") or 0) for one in run.metadata.get("devices") or [])
        seconds, rate = measured.timeline(recorded, samples=answered)
        figures.append(_figure("timeline", "Throughput over the run", charts.throughput(seconds, rate), "completed samples"))
        figures += _lanes(recorded)
        figures.append(_figure("batches", "Batch sizes", charts.batch_sizes(recorded[:, 2]), f"{len(recorded):,} batches"))
    lengths = lengths_of(run.spec.get("dataset", {}))
    if lengths is not None:
        figures.append(
            _figure("lengths", "Sample lengths", charts.sample_lengths(lengths), f"{len(lengths):,} samples of the data set")
        )
    figures += _texts(run)
    figures += [_figure(*one) for one in tracks.drawn(run.folder, log)]
    missing = "" if recorded is not None else '<p class="soft">This run recorded no batches: no timeline available.</p>'
    return f'<div class="charts">{"".join(figures)}</div>{missing}'


def _load(run: RunPage, log: LoadGenLog) -> Iterable[str]:
    """What was offered and answered, and what was between the two: where LoadGen decides when a query arrives."""
    recorded = measured.intervals(run.folder)
    if recorded is not None and log.scenario == "Server":
        edges, rates, between = measured.load(recorded)
        yield _figure("offered", "Offered and answered", charts.offered(edges, rates), "from the harness")
        yield _figure("queue", "Queue depth", charts.waiting(edges, between), "samples that wait or are computed")


def _texts(run: RunPage) -> Iterable[str]:
    found = measured.texts(run.folder)
    if found is None:
        return
    first, each = measured.token_times(found)
    for name, title, label, ms in (
        ("ttft", "Time to first token", "ms from the query to the first token", first),
        ("tpot", "Time per output token", "ms per token after the first", each),
    ):
        if len(ms) > 1:
            yield _figure(name, title, charts.shares(name, label, ms), f"{len(ms):,} texts")
    yield _figure("outputs", "Output lengths", charts.output_lengths(found[:, 3]), f"{len(found):,} texts")


def _lanes(recorded: Floats) -> Iterable[str]:
    spans = limits.lanes(recorded)
    if spans:
        count = sum(map(len, spans))
        source = f"{count:,} of {len(recorded):,} batches" if count < len(recorded) else "each batch"
        yield _figure("lanes", "Batches at once", charts.lanes(spans), source)


def _limits(run: RunPage) -> str:
    found = limits.rows(run.metadata, run.spec, measured.batches(run.folder), lengths_of(run.spec.get("dataset", {})))
    return table(("What", "Share", "Meaning"), found)


def _nearest(run: RunPage) -> str:
    own, found = nearest.nearest(run.metadata)
    rows = [(one.system, one.accelerators, f"{one.rate:,.5g}", f"{one.rate / own:.3g}", one.when) for one in found]
    note = (
        f'<p class="soft">This run: {own:,.5g} a second for each device. Closed division, for each accelerator.</p>'
        if rows
        else ""
    )
    return note + table(("System", "Accelerators", "Each, per second", "Times this run", "Round"), rows, "names")


def _percentiles(run: RunPage, log: LoadGenLog) -> str:
    """LoadGen's percentiles, lowest to highest, with its minimum, mean and maximum, and the harness's last one before those."""
    found = measured.percentiles(log)
    last = next((place for place, (name, _) in enumerate(found) if name == "mean"), len(found))
    found[last:last] = measured.tail(run.folder, log)
    rows = [(name, f"{value:,.6g}") for name, value in found]
    tokens = [(name, f"{first:,.6g}", f"{each:,.6g}") for name, first, each in measured.token_percentiles(log)]
    columns = ("Share of texts", "First token (ms)", "Each token after it (ms)")
    return table(("Share of queries", "Latency (ms)"), rows) + table(columns, tokens)


def _figure(name: str, title: str, svg: str, source: str) -> str:
    caption = f'<figcaption id="{name}-title">{escape(title)} <span class="soft">({escape(source)})</span></figcaption>'
    return f"<figure>{caption}{svg}</figure>"


def _accuracy(run: RunPage) -> str:
    rows = [
        (e["name"], f"{float(e['value']):.6g}", f"{float(e['threshold']):.6g}", "PASSED" if e["pass"] else "FAILED")
        for e in run.metadata.get("accuracy", [])
    ]
    return table(("Metric", "Value", "Target", "Verdict"), rows)


def _config(run: RunPage) -> str:
    values = run.provenance.get("plan", {}).get("values", {})
    if not values:
        return table(("Field", "Value"), sorted(run.spec.get("record", {}).items()))
    rows = [(name, entry.get("value"), entry.get("origin")) for name, entry in sorted(values.items())]
    columns = ("Field", "Value", "Origin")
    chosen = table(columns, [row for row in rows if row[2] != "default"])
    rest = table(columns[:2], [row[:2] for row in rows if row[2] == "default" and row[1] is not None])
    return chosen + folded("Fields with default values", rest)


def _devices(run: RunPage) -> str:
    """Per device: completed samples, streams, threads and cores."""
    placed = {int(one["index"]): one for one in run.spec.get("devices", []) if "index" in one}
    rows = []
    for one in run.metadata.get("devices", []):
        entry = placed.get(int(one["index"]), {})
        cores = ",".join(map(str, intervals(list(entry.get("cores", []))))) or "any"
        busy = f"{float(one.get('busy_share', 0)):.1%}"
        rows.append(
            (one["name"], f"{one.get('samples', 0):,}", f"{one.get('batches', 0):,}", busy, entry.get("streams", ""), cores)
        )
    return table(("Device", "Samples", "Batches", "Busy", "Streams", "Cores"), rows)


def _engine(run: RunPage) -> str:
    entry = (run.spec.get("engines") or [{}])[0]
    engine = {**entry, **run.provenance.get("engine", {})}
    rows: list[tuple[str, Any]] = [(name, value) for name, value in sorted(engine.items()) if not isinstance(value, dict)]
    for name, value in sorted(engine.items()):
        if isinstance(value, dict):
            rows += [(f"{name}: {key}", item) for key, item in sorted(value.items())]
    return table(("Engine", "Value"), rows)


def _system(run: RunPage) -> str:
    metadata = run.metadata
    rows = [
        ("System", metadata["system_name"]),
        ("Detected", metadata.get("detected_summary") or metadata.get("detected_system", "")),
    ]
    rows += [(key, value) for key, value in sorted(metadata.items()) if key.endswith("_version")]
    state = machine.of_json(metadata["machine"]) if isinstance(metadata.get("machine"), dict) else None
    if state is not None:
        rows.append(("Other work during the run", state.words()))
    if isinstance(metadata.get("telemetry"), dict):
        rows += tracks.rows(metadata["telemetry"])
    rows += [
        ("Commit", run.provenance.get("commit") or "not recorded"),
        ("Command", " ".join(run.provenance.get("arguments", []))),
    ]
    command = provenance.command(run.provenance, str(run.metadata["test_mode"]))
    pasted = f'<p>To run it again:</p><pre class="command"><code>{escape(command)}</code></pre>' if command else ""
    return table(("What", "Is"), [row for row in rows if row[1]]) + pasted


def _loadgen(log: LoadGenLog) -> str:
    settings = table(("Setting", "Value"), sorted(log.effective.items()))
    results = table(("Figure", "Value"), sorted(log.results.items()))
    return folded("Results", results) + folded("Settings in effect", settings)


def _events(log: LoadGenLog) -> str:
    rows = [("error" if e.is_error else "warning", e.row, e.value) for e in (*log.errors, *log.warnings)]
    return table(("Kind", "Line", "Text"), rows[:50])
