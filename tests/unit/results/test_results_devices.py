"""What each device did: read from devices.json, and a device that falls behind is named."""

from __future__ import annotations

import json
from pathlib import Path

from code.results.devices import DeviceShare, laggards, read


def share(index: int, samples: int) -> DeviceShare:
    return DeviceShare(index, f"GPU {index}", samples, samples // 8, 0.9)


def test_devices_that_answer_alike_are_not_named() -> None:
    assert not laggards([share(0, 1000), share(1, 950), share(2, 900), share(3, 1010)])


def test_a_device_behind_the_others_by_a_third_is_named() -> None:
    (line,) = laggards([share(0, 1000), share(1, 640), share(2, 990)])
    assert "GPU 1 completed 640" in line


def test_a_device_that_answered_nothing_is_named_and_one_alone_is_not() -> None:
    assert "GPU 1 completed 0" in laggards([share(0, 500), share(1, 0)])[0]
    assert not laggards([share(0, 500)])


def test_a_few_samples_say_nothing() -> None:
    assert not laggards([share(0, 8), share(1, 2)])


def test_the_harness_file_is_read_and_a_broken_one_is_none(tmp_path: Path) -> None:
    row = {"index": 0, "name": "node 0", "samples": 10, "batches": 2, "busy_s": 1.5, "elapsed_s": 2.0}
    (tmp_path / "devices.json").write_text(json.dumps([row]))
    assert read(tmp_path)[0].as_json() == {"index": 0, "name": "node 0", "samples": 10, "batches": 2, "busy_share": 0.75}
    for broken in ("{", "{}", '[{"index": 0}]', "[1]"):
        (tmp_path / "devices.json").write_text(broken)
        assert read(tmp_path) == []
    assert read(tmp_path / "absent") == []
