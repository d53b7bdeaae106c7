"""Values of options: every number is finite and has a range, wherever it is written."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from code.common.errors import UsageError
from code.fields.field import Field
from code.fields.table import FIELDS, field_table
from code.plan.request import parse

NUMERIC = [f for f in FIELDS if f.numeric and not f.placed]


@pytest.mark.parametrize("field", NUMERIC, ids=lambda f: f.name)
def test_every_number_has_a_range_that_holds_its_default(field: Field) -> None:
    assert field.least is not None and field.most is not None and field.least < field.most and field.finite
    if field.default is not None:
        assert field.least <= field.default <= field.most
    whole = field.type != "float"
    for value in (field.least, field.most):
        text = str(int(value)) if whole else repr(float(value))
        assert field.parse(text, "x") == value == field.check(int(value) if whole else float(value), "x")


def refused(field: Field, text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse([f"--{field.name}={text}"], {})
    assert field.name in caught.value.what and field.range in caught.value.why, text
    assert caught.value.next_step and caught.value.where == f"--{field.name}"


def outside(field: Field) -> Iterator[str]:
    assert field.least is not None and field.most is not None
    yield str(int(field.least) - 1)
    yield str(int(field.most) * 2 + 1)


@pytest.mark.parametrize("field", NUMERIC, ids=lambda f: f.name)
def test_a_number_out_of_range_is_an_error_that_names_the_range(field: Field) -> None:
    for text in outside(field):
        refused(field, text)
    for text in (
        "nan",
        "-nan",
        "inf",
        "-inf",
        "Infinity",
        "1e400",
        "-1e400",
        "9" * 400,
        "9" * 6000,
        "٣",
        "３",
        "²",
        "0x10",
        "1__0",
        "",
    ):
        refused(field, text)


@pytest.mark.parametrize("field", NUMERIC, ids=lambda f: f.name)
def test_config_classes_are_checked_like_the_command_line(field: Field) -> None:
    assert field.most is not None
    for value in (
        float("nan"),
        float("inf"),
        -float("inf"),
        10**5000,
        int(field.most) * 2 + 1,
        "3",
        1.5 if field.type != "float" else "x",
    ):
        with pytest.raises(UsageError) as caught:
            field.check(value, "x.py:3")
        assert field.range in caught.value.why and caught.value.where == "x.py:3"


def test_batch_sizes_by_network_are_checked_one_by_one() -> None:
    field = field_table()["gpu_batch_size"]
    assert field.parse("{'bert': 64}", "x") == {"bert": 64}
    for text in (
        "{'bert': 0}",
        "{'bert': 2097153}",
        "{'bert': NaN}",
        "{'bert': 1e400}",
        "{'bert': " + "9" * 6000 + "}",
        "{}",
        "[" * 100_000,
    ):
        with pytest.raises(UsageError):
            field.parse(text, "x")
    with pytest.raises(UsageError):
        field.check({"bert": 10**5000}, "x")


def test_spellings_of_numbers() -> None:
    whole, share = field_table()["min_duration"], field_table()["batch_padding"]
    assert [whole.parse(text, "x") for text in ("600_000", "6e5", "+5", " 7 ", "5.0")] == [600_000, 600_000, 5, 7, 5]
    assert [share.parse(text, "x") for text in (".5", "1", "1e-3")] == [0.5, 1.0, 0.001]
    assert field_table()["gpu_copy_streams"].check(True, "x") == 1


def test_a_list_is_not_a_number() -> None:
    with pytest.raises(UsageError, match="length_buckets cannot be 128"):
        field_table()["length_buckets"].check(128, "x")


def test_only_numbers_have_ranges() -> None:
    with pytest.raises(ValueError, match="limits"):
        Field("x", "int", "A number.", "group")
    with pytest.raises(ValueError, match="limits"):
        Field("x", "str", "A text.", "group", limits=(0, 1))
    assert Field("x", "float", "A number.", "group", limits=(0, 1), finite=False).parse("inf", "x") == float("inf")
