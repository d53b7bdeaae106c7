"""GPT-J's checkpoint arrives whole from MLCommons' metadata, from a mirror or from the older archive, or not at all."""

from __future__ import annotations

import hashlib
import io
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from code.benchmarks.gptj import data, facts, fetching, tiny
from code.common import download
from code.common.download import Patience, mirror
from code.common.errors import MissingError
from code.rules.benchmark_facts import PublishedFile

QUICK = Patience(offline=2.0, silence=2.0, attempts=2, pause=0.01, longest_pause=0.02)
SHARDS = ("pytorch_model-00001-of-00002.bin", "pytorch_model-00002-of-00002.bin")


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


def torch_file() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(zipfile.ZipInfo("archive/data.pkl"), b"weights")  # its time of change is fixed
    return out.getvalue()


def checkpoint() -> dict[str, bytes]:
    """The files of a small checkpoint in two shards."""
    files = {path.name: path.read_bytes() for path in tiny.MODEL.iterdir() if path.is_file() and path.suffix in (".json", ".txt")}
    files.pop("model.safetensors.index.json", None)
    names = {f"layer.{number}": shard for number, shard in enumerate(SHARDS)}
    index = '{"weight_map": {' + ", ".join(f'"{key}": "{shard}"' for key, shard in names.items()) + "}}"
    return {**files, "pytorch_model.bin.index.json": index.encode(), **{shard: torch_file() for shard in SHARDS}}


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that is served on this machine; both published places are in it."""
    root = tmp_path / "site"
    root.mkdir()
    listening = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(root)))
    threading.Thread(target=listening.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{listening.server_port}"
    (root / "url").write_text(url, encoding="utf-8")
    monkeypatch.setenv("BUILD_DIR", str(tmp_path / "build"))
    monkeypatch.delenv(mirror.VARIABLE, raising=False)
    monkeypatch.setattr(facts, "MODEL_METADATA", f"{url}/metadata/gpt-j.uri")
    monkeypatch.setattr(fetching, "UNPACKED_GB", 0.001)
    monkeypatch.setattr(facts, "ARCHIVE", PublishedFile(facts.ARCHIVE.path, f"{url}/gptj6b.zip", "the archive", megabytes=1))
    yield root
    listening.shutdown()


def publish(site: Path, files: dict[str, bytes], below: str = "checkpoint-final", base: str = "") -> None:
    """Publish files as MLCommons does."""
    folder = site / "store" / below
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    sums = "".join(f"{hashlib.md5(content).hexdigest()}  ./{below}/{name}\n" for name, content in files.items())
    (site / "metadata").mkdir(exist_ok=True)
    (site / "metadata/gpt-j.uri").write_text(base or (site / "url").read_text() + "/store\n", encoding="utf-8")
    (site / "metadata/gpt-j.md5").write_text(sums, encoding="utf-8")


def pack(path: Path, files: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(f"gpt-j/checkpoint-final/{name}", content)


def fetch() -> Path:
    target = data.sources("reference").model
    fetching.fetch_checkpoint(target, QUICK)
    fetching.require_checkpoint(target)
    return target


def failed() -> MissingError:
    with pytest.raises(MissingError) as caught:
        fetch()
    return caught.value


def test_the_files_that_the_metadata_lists(site: Path) -> None:
    publish(site, checkpoint())
    target = fetch()
    assert {path.name for path in target.iterdir() if path.suffix != ".sha256"} == set(checkpoint())
    assert [path.name for path in target.parent.iterdir() if "incomplete" in path.name] == []


def test_what_was_fetched_before_a_failure_is_kept(site: Path) -> None:
    publish(site, checkpoint())
    hidden = site / "store/checkpoint-final" / SHARDS[1]
    content = hidden.read_bytes()
    hidden.unlink()
    assert "404" in failed().why
    assert not data.sources("reference").model.exists()
    publish(site, checkpoint())
    (site / "store/checkpoint-final" / SHARDS[0]).unlink()
    hidden.write_bytes(content)
    fetch()


def test_a_shard_that_the_metadata_lacks_is_named_and_nothing_is_visible(site: Path) -> None:
    publish(site, {name: content for name, content in checkpoint().items() if name != SHARDS[1]})
    error = failed()
    assert f"a shard of the checkpoint is missing: {data.sources('reference').model}.incomplete/{SHARDS[1]}" in error.why
    assert "mlc-r2-downloader.sh" in error.next_step
    assert not data.sources("reference").model.exists()


def test_a_file_with_another_digest_is_refused(site: Path) -> None:
    publish(site, checkpoint())
    (site / "store/checkpoint-final" / SHARDS[0]).write_bytes(torch_file() + b"\0")
    assert "its MD5 is" in failed().why


@pytest.mark.parametrize(
    ("text", "base", "words"),
    [
        ("0" * 32 + "  ../../etc/passwd\n", "", "a path outside its folder"),
        ("0" * 32 + "  /etc/passwd\n", "", "a path outside its folder"),
        ("hello\n", "", "not one of digests and paths"),
        (None, "http://files.example.org/store", "not on the same server"),
    ],
)
def test_metadata_that_cannot_be_trusted(site: Path, text: str | None, base: str, words: str) -> None:
    publish(site, checkpoint(), base=base)
    if text is not None:
        (site / "metadata/gpt-j.md5").write_text(text, encoding="utf-8")
    assert words in failed().why
    assert not data.sources("reference").model.exists()
    assert not list(data.sources("reference").model.parent.glob("gpt-j.*[!6]"))


def test_a_list_is_fetched_again_and_the_one_kept_is_for_a_machine_without_a_network(site: Path) -> None:
    (site / "store/moved").mkdir(parents=True)
    publish(site, checkpoint(), base=(site / "url").read_text() + "/gone\n")
    assert "404" in failed().why
    publish(site, checkpoint())
    kept = data.sources("reference").model.parent / "gpt-j.uri"
    assert kept.read_text().endswith("/gone\n")
    assert fetch().is_dir()
    assert kept.read_text().endswith("/store\n")
    steps = {"label": "GPT-J", "manual_steps": "by hand", "patience": QUICK}
    elsewhere = "http://127.0.0.1:9/metadata/gpt-j.uri"
    with pytest.raises(MissingError, match="not on the same server"):
        download.read_metadata(elsewhere, kept.parent, **steps)  # the list that is kept was read
    with pytest.raises(download.OfflineError):
        download.read_metadata(elsewhere, kept.parent, **steps)
    assert not list(kept.parent.glob(".new-*"))


def test_the_older_archive_is_the_second_source(site: Path) -> None:
    old = {name.replace("00002.bin", "00002-003.bin") if name in SHARDS else name: text for name, text in checkpoint().items()}
    pack(site / "gptj6b.zip", old)
    target = fetch()
    assert (target / SHARDS[0]).read_bytes() == torch_file()
    assert not (target.parent / "gptj6b.zip").exists()


def test_an_archive_without_a_shard_leaves_no_folder(site: Path) -> None:
    pack(site / "gptj6b.zip", {name: content for name, content in checkpoint().items() if name != SHARDS[1]})
    error = failed()
    assert f"a shard of the checkpoint is missing: {SHARDS[1]}; fetching the same archive again does not help" in error.why
    assert not data.sources("reference").model.exists()
    publish(site, checkpoint())  # it is not in the way once another source has the files
    fetch()


def test_a_folder_with_a_fault_is_replaced(site: Path) -> None:
    publish(site, checkpoint())
    target = fetch()
    (target / SHARDS[0]).unlink()
    (site / "store/checkpoint-final" / SHARDS[1]).unlink()  # the good files are taken over, so this one is not asked for
    assert fetch() == target


def test_a_mirror_is_asked_first(site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(site, checkpoint())
    fetch()
    mirror.export([facts.MODEL_PATH], tmp_path / "mirror")
    monkeypatch.setenv("BUILD_DIR", str(tmp_path / "second"))
    monkeypatch.setenv(mirror.VARIABLE, str(tmp_path / "mirror"))
    monkeypatch.setattr(facts, "MODEL_METADATA", "http://127.0.0.1:9/gpt-j.uri")
    target = fetch()
    assert target.is_relative_to(tmp_path / "second")
    assert {path.name for path in target.iterdir() if path.suffix != ".sha256"} == set(checkpoint())
