"""Parts that a submission tree is made and judged by: who submits, paths, system descriptions, folders, scores in accuracy.txt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from code.common.errors import MissingError, UsageError
from code.plan.request import parse
from code.rules.rounds import NEWEST, round_named
from code.submission.check import accuracy_text, stray_folders, system_checks
from code.submission.check.finding import Finding
from code.submission.check.tree_structure import Tree
from code.submission.stage import identity, layout
from code.submission.stage.layout import LAYOUTS, Place
from code.systems.data.description_fields import ALLOWED, MEANINGFUL, NETWORK_FIELDS, REQUIRED

V61, V50, V41 = (round_named(name) for name in ("v6.1", "v5.0", "v4.1"))
GIVEN = {"submitter": "Example", "division": "open", "category": "edge", "status": "available"}


# ── who submits ────────────────────────────────────────────────────────


def file_of(folder: Path, text: str) -> Path:
    path = folder / "submission.toml"
    path.write_text(text, encoding="utf-8")
    return path


def read(path: Path | None, *words: str, **needed: Any) -> identity.Identity:
    named = [f"--submission_file={path}"] if path else []
    return identity.read(parse([*words, *named], {}), **needed)


def test_the_command_line_goes_before_the_file(tmp_path: Path) -> None:
    lines = [f'{name} = "{value}"' for name, value in {**GIVEN, "round": "v5.0", "passphrase_file": "~/x"}.items()]
    path = file_of(tmp_path, "\n".join([*lines, "[system]", 'cooling = "Air"', "[system.A]", 'cooling = "Liquid"', "[system.B]"]))
    one = read(path)
    assert (one.submitter, one.division, one.category, one.status) == tuple(GIVEN.values())
    assert one.round is V50 and one.passphrase_file == "~/x" and one.file == path
    assert one.fields_of("A") == {"cooling": "Liquid"} and one.fields_of("B") == {"cooling": "Air"} == one.fields_of("C")
    other = read(path, "--division=closed", "--round=v6.1")
    assert other.division == "closed" and other.round is V61 == identity.chosen_round(other)
    assert identity.chosen_round(read(file_of(tmp_path, "\n".join(lines[:4])))) is round_named(NEWEST)


@pytest.mark.parametrize("name", GIVEN)
def test_what_is_needed_is_named(tmp_path: Path, name: str) -> None:
    path = file_of(tmp_path, "\n".join(f'{key} = "{value}"' for key, value in GIVEN.items() if key != name))
    with pytest.raises(MissingError) as caught:
        read(path)
    assert caught.value.what == f"{name} must be given" and caught.value.why == identity.HINTS[name]
    assert getattr(read(path, needed=("submitter",) if name != "submitter" else ("division",)), name) == ""


@pytest.mark.parametrize(
    ("category", "folded"),
    [
        ("Edge", "edge"),
        ("datacenter,edge", "datacenter,edge"),
        ("edge, Datacenter", "datacenter,edge"),
        ("datacenter", "datacenter"),
    ],
)
def test_words_in_any_spelling(tmp_path: Path, category: str, folded: str) -> None:
    path = file_of(tmp_path, "\n".join(f'{key} = "{value}"' for key, value in {**GIVEN, "category": category}.items()))
    assert read(path, "--division=CLOSED").category == folded and read(path, "--division=CLOSED").division == "closed"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("submitter = ", "is not valid TOML"),
        ("submiter = 'x'", "unknown key 'submiter'"),
        ("zzzz = 'x'", "unknown key 'zzzz'"),
        ("submitter = 5", "submitter is not a string"),
        ("system = 'x'", "system is not a table"),
        ("division = 'half'", "half"),
        ("submitter = 'a b'", "submitter cannot be 'a b'"),
        ("submitter = 'a/b'", "submitter cannot be 'a/b'"),
        ("submitter = '.a'", "submitter cannot be '.a'"),
    ],
)
def test_a_wrong_file_says_what_and_where(tmp_path: Path, text: str, what: str) -> None:
    path = file_of(tmp_path, text)
    with pytest.raises(UsageError) as caught:
        read(path, needed=())
    assert what in caught.value.what
    assert caught.value.where in (str(path), "") and (caught.value.where or "cannot be" in what)
    assert "nearest" not in str(caught.value.why) or "'submitter'" in caught.value.why
    assert text != "zzzz = 'x'" or caught.value.why == "no known key has a similar name"


def test_a_named_file_must_exist_and_the_projects_own_need_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MissingError, match="does not exist"):
        read(tmp_path / "none.toml")
    monkeypatch.setattr(identity, "project_root", lambda: tmp_path)
    assert identity.read_file(None) == ({}, None)
    path = file_of(tmp_path, "\ufeffsubmitter = 'Mine'")
    assert identity.read_file(None) == ({"submitter": "Mine"}, path) and read(None, needed=()).submitter == "Mine"


# ── paths ──────────────────────────────────────────────────────────────


PLACE = Place("closed", "Example", "S", "bert-99", "Offline")


@pytest.mark.parametrize(
    ("name", "paths"),
    [
        (
            "beside",
            (
                "results/S/bert-99/Offline",
                "measurements/S/bert-99/Offline",
                "compliance/S/bert-99/Offline",
                "code",
                "S_impl_Offline.json",
            ),
        ),
        (
            "inside",
            ("results/S/bert-99/Offline", "results/S/bert-99/Offline", "results/S/bert-99/Offline", "src", "measurements.json"),
        ),
    ],
)
def test_where_everything_of_a_result_is(name: str, paths: tuple[str, ...]) -> None:
    shape, root = LAYOUTS[name], Path("/t")
    base = root / "closed/Example"
    assert [
        shape.results_dir(root, PLACE),
        shape.measurements_dir(root, PLACE),
        shape.compliance_dir(root, PLACE),
        shape.source_dir(root, PLACE),
    ] == [base / path for path in paths[:4]]
    assert shape.measurements_json(root, PLACE, "impl") == base / paths[1] / paths[4]
    assert shape.performance_dir(root, PLACE) == base / paths[0] / "performance/run_1"
    assert shape.accuracy_dir(root, PLACE) == base / paths[0] / "accuracy"
    assert (
        shape.system_json(root, PLACE) == base / "systems/S.json"
        and shape.documentation_dir(root, PLACE) == base / "documentation"
    )
    lower = Place("closed", "Example", "S", "bert-99", "Offline", "offline")
    assert (
        shape.results_dir(root, lower).name == "offline"
        and lower.label == "bert-99 Offline on S"
        and lower.parts["scenario"] == "offline"
    )


def test_limits_of_files() -> None:
    assert (layout.FILE_LIMIT_BYTES, layout.ACCURACY_LOG_LIMIT, layout.VIEWABLE) == (52_428_800, 10_240, 4096)
    assert layout.SCENARIOS["interactive"] == "Interactive" and len(layout.SCENARIOS) == 10


def test_results_of_a_tree_in_order(tmp_path: Path) -> None:
    for path in ("b/Offline", "a/server", "a/Other", "a/.Offline", ".hidden/Offline"):
        (tmp_path / "open/Me/results/S" / path).mkdir(parents=True)
    (tmp_path / "open/Me/results/S/a/Offline").write_text("a file")
    found = LAYOUTS["inside"].places(tmp_path)
    assert [(one.benchmark, one.scenario, one.folder) for one in found] == [("a", "Server", "server"), ("b", "Offline", "")]


def test_the_measurements_of_any_implementation(tmp_path: Path) -> None:
    beside = LAYOUTS["beside"]
    folder = beside.measurements_dir(tmp_path, Place("closed", "Example", "S[1]", "bert-99", "Offline"))
    place = Place("closed", "Example", "S[1]", "bert-99", "Offline")
    assert beside.find_measurements_json(tmp_path, place) is None
    folder.mkdir(parents=True)
    for name in ("S[1].json", "S1_b_Offline.json"):
        (folder / name).write_text("{}")
    assert beside.find_measurements_json(tmp_path, place) == folder / "S[1].json"
    for name in ("S[1]_b_Offline.json", "S[1]_a_Offline.json"):
        (folder / name).write_text("{}")
    assert beside.find_measurements_json(tmp_path, place) == folder / "S[1]_a_Offline.json"
    inside = LAYOUTS["inside"]
    assert inside.find_measurements_json(tmp_path, PLACE) is None
    path = inside.measurements_dir(tmp_path, PLACE) / "measurements.json"
    path.parent.mkdir(parents=True)
    path.write_text("{}")
    assert inside.find_measurements_json(tmp_path, PLACE) == path


# ── system descriptions ────────────────────────────────────────────────


def good() -> dict[str, Any]:
    content: dict[str, Any] = dict.fromkeys(REQUIRED, "x")
    content |= {name: allowed[0] for name, allowed in ALLOWED.items()}
    return {**content, "submitter": "Example", "division": "closed", "number_of_nodes": "1", "accelerators_per_node": "8"}


def of_system(round_: Any = V61, where: str = "closed", **changed: Any) -> list[str]:
    content = {name: value for name, value in {**good(), "division": where, **changed}.items() if value != "REMOVE"}
    place = Place(where, "Example", "S", "bert-99", "Offline")
    found = list(system_checks.check(Path("/none/S.json"), content, place, round_))
    assert all(one.next_step and one.check == "system" and one.error for one in found)
    return [one.what for one in found]


def test_a_good_description_has_no_finding() -> None:
    assert of_system() == [] == of_system(V41) and of_system(submitter="EXAMPLE", division="Closed") == []


@pytest.mark.parametrize("name", REQUIRED)
def test_every_required_field_is_missed(name: str) -> None:
    assert of_system(**{name: "REMOVE"}) == [f"the field {name} is missing"]


@pytest.mark.parametrize("name", sorted(MEANINGFUL))
def test_fields_that_may_not_be_empty(name: str) -> None:
    assert f"the field {name} is empty" in of_system(**{name: ""})
    assert f'the field {name} is empty (write "0", as a string)' in of_system(**{name: 0})


@pytest.mark.parametrize("name", sorted(ALLOWED))
def test_fields_of_a_few_words(name: str) -> None:
    assert any(one.startswith(f"{name} cannot be 'nonsense'; it must be one of ") for one in of_system(**{name: "nonsense"}))
    for word in ALLOWED[name]:
        assert (
            of_system(
                V61,
                word if name == "division" and word != "network" else "closed",
                **({name: word.upper()} if name != "division" else {}),
            )
            == []
        )


def test_names_of_the_folders() -> None:
    assert of_system(submitter="Other") == ["submitter is 'Other', but its folder is 'Example'"]
    assert of_system(division="open") == ["division is 'open', but its folder is 'closed'"]


@pytest.mark.parametrize("name", ["number_of_nodes", "accelerators_per_node"])
def test_counts_are_whole_numbers_for_the_checkers_since_v6(name: str) -> None:
    for value, wrong in (("8", False), (" 8 ", False), (8, False), ("eight", True), ("8.0", True), ("-1", True)):
        assert [one for one in of_system(V61, **{name: value}) if "whole number" in one] == (
            [f"{name} is {value!r}; the official checker needs a whole number"] if wrong else []
        )
        assert of_system(V41, **{name: value}) == []


NETWORK = dict.fromkeys(NETWORK_FIELDS, "x")


@pytest.mark.parametrize(
    ("value", "division", "fields", "words"),
    [
        ("true", "network", NETWORK, []),
        ("True", "open", NETWORK, []),
        ("true", "closed", NETWORK, ["is_network is true, which the closed division does not allow"]),
        ("false", "network", NETWORK, ["is_network is not true, which the network division requires"]),
        ("REMOVE", "closed", {}, []),
        ("REMOVE", "network", {}, ["is_network is not true, which the network division requires"]),
        ("true", "network", {}, ["fields are missing: "]),
        ("false", "closed", {}, ["fields are missing: "]),
        ("", "closed", {}, []),
        (True, "open", NETWORK, ['is_network is True; the official checker needs a string, "true" or "false"']),
    ],
)
def test_the_network_division(value: object, division: str, fields: dict[str, str], words: list[str]) -> None:
    found = of_system(V61, division, is_network=value, **fields)
    assert len(found) == len(words) and all(one.startswith(word) for one, word in zip(found, words, strict=True)), found
    assert not any("missing" in one for one in found) or all(name in found[0] for name in NETWORK_FIELDS)


def test_a_nameplate_is_yaml(tmp_path: Path) -> None:
    path = tmp_path / "S_power.yaml"

    def findings(round_: Any) -> list[Finding]:
        return list(system_checks.check(tmp_path / "S.json", good(), PLACE, round_))

    assert findings(V61) == []
    path.write_text("supplies: [1, 2]\n")
    assert findings(V61) == []
    path.write_text("a: [1\nb: }")
    [newest], [older] = findings(V61), findings(V50)
    assert newest.what.startswith("not valid YAML: ") and "\n" not in newest.what and newest.path == path
    assert older.own and not newest.own, "the checker of v6.1 reads it"


@pytest.mark.parametrize(("text", "words"), [(None, "is missing"), ("{", "cannot be read"), ("[1]", "not a JSON object")])
def test_a_description_that_is_none(tmp_path: Path, text: str | None, words: str) -> None:
    path = tmp_path / "x.json"
    if text is not None:
        path.write_text(text)
    content, found = system_checks.read_object(path, "the description")
    assert content == {} and found is not None and words in found.what and found.check == "files"
    path.write_text('{"a": 1}')
    assert system_checks.read_object(path, "the description") == ({"a": 1}, None)


# ── folders ────────────────────────────────────────────────────────────


def stray(root: Path, *folders: str, round_: Any = V61, division: str = "open", mapping: str = "") -> dict[str, Finding]:
    me = root / division / "Me"
    for folder in folders:
        (me / "results" / folder).mkdir(parents=True, exist_ok=True)
    (me / "systems").mkdir(exist_ok=True)
    (me / "systems/S.json").write_text("{}")
    if mapping:
        (me / "model_mapping.json").write_text(mapping)
    return {str(one.path.relative_to(me)): one for one in stray_folders.check(Tree(root, round_))}


def test_folders_that_a_result_has(tmp_path: Path) -> None:
    usual = [
        f"S/bert-99/Offline/{name}"
        for name in ("accuracy", "performance/run_1", "performance/power", "performance/ranging", "TEST01", "TEST06")
    ]
    assert stray(tmp_path, *usual, "S/bert-99/offline") == {}
    odd = stray(tmp_path, "S/bert-99/Offline/TEST1", "S/bert-99/Offline/mine", "S/bert-99/Offline/performance/run_2")
    assert {name.rpartition("/")[2] for name in odd} == {"TEST1", "mine", "run_2"}
    assert all(one.own and one.check == "stray" and one.what.startswith("not a folder that a result has") for one in odd.values())


def test_folders_that_are_no_system_benchmark_or_scenario(tmp_path: Path) -> None:
    found = stray(tmp_path, "S/bert-99/Ofline", "S/bert-99/zzzzzz", "S/bert-77/Offline", "S/qqqqqqq", "T/bert-99/Offline")
    assert {name: one.what for name, one in found.items()} == {
        "results/S/bert-99/Ofline": "not a scenario; the nearest name is Offline",
        "results/S/bert-99/zzzzzz": "not a scenario",
        "results/S/bert-77": "v6.1 has no benchmark bert-77; the nearest name is bert-99",
        "results/S/qqqqqqq": "v6.1 has no benchmark qqqqqqq",
        "results/T": "not a system: there is no systems/T.json",
    }
    assert found["results/S/qqqqqqq"].own and not found["results/S/bert-77"].own, "an empty one in open is passed over"
    assert "model_mapping.json" in found["results/S/bert-77"].next_step
    closed = stray(tmp_path / "c", "S/bert-77/Offline", "S/qqqqqqq", division="closed")
    assert not any(one.own for one in closed.values()) and "choose another ROUND" in closed["results/S/bert-77"].next_step
    older = stray(tmp_path / "v", "S/qqqqqqq", round_=round_named("v4.1"))
    assert not older["results/S/qqqqqqq"].own


@pytest.mark.parametrize(
    ("mapping", "words"),
    [('{"mine": "bert-99"}', ""), ("{", "cannot be read"), ('["a"]', "not a JSON object of names"), ('{"a": 1}', "not a JSON")],
)
def test_a_mapping_holds_in_the_open_division(tmp_path: Path, mapping: str, words: str) -> None:
    found = stray(tmp_path, "S/mine/Offline", mapping=mapping)
    assert ("results/S/mine" in found) == bool(words) and ("model_mapping.json" in found) == bool(words)
    assert not words or (words in found["model_mapping.json"].what and found["model_mapping.json"].check == "mapping")
    closed = stray(tmp_path / "c", "S/mine/Offline", division="closed", mapping=mapping)
    assert set(closed) == {"results/S/mine"}


# ── scores ─────────────────────────────────────────────────────────────


ROUGE = "{'rouge1': 42.9865, 'rouge2': '20.1235', 'rougeL': 29.9881, 'rougeLsum': 40.1, 'gen_len': 4016878, 'gen_num': 13368}"


@pytest.mark.parametrize(
    ("text", "scores"),
    [
        ('{"exact_match": 83.67, "f1": 90.874}\n', {"F1": 90.874}),
        ("x\n{'exact_match': 83.67, 'f1': 90.9}\nhash=ab1\n", {"F1": 90.9}),
        (' {"exact_match": 83.67, "f1": 90.874}', {"F1": None}),
        ("Accuracy: mean = 0.86170, kidney = 0.93\n", {"DICE": 0.8617}),
        ("an Accuracy: mean = 0.86170\n", {"DICE": None}),
        (ROUGE, {"ROUGE1": 42.9865, "ROUGE2": 20.1235, "ROUGEL": 29.9881, "ROUGELSUM": 40.1, "GEN_LEN": 4016878.0}),
        ("Accuracy: mean = 0.8.6", {"DICE": None}),
        ("", {"F1": None, "DICE": None, "ROUGE1": None}),
    ],
)
def test_scores_of_every_metric(tmp_path: Path, text: str, scores: dict[str, float | None]) -> None:
    path = tmp_path / "accuracy.txt"
    path.write_text(text)
    assert accuracy_text.scores(path, tuple(scores)) == scores


def test_the_hash_and_the_rounding_of_a_score(tmp_path: Path) -> None:
    path = tmp_path / "accuracy.txt"
    path.write_text(f"{ROUGE}\nhash=abc123\n")
    assert accuracy_text.hash_of(path) == "abc123"
    found = {metric: accuracy_text.resolution(path, metric) for metric in ("ROUGE1", "ROUGELSUM", "GEN_LEN", "F1")}
    assert found == pytest.approx({"ROUGE1": 0.00005, "ROUGELSUM": 0.05, "GEN_LEN": 0.5, "F1": 0.0})
    path.write_text("my hash=abc\nhash=a b\n")
    assert accuracy_text.hash_of(path) == ""
