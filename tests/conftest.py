"""What every test may use, and what every test run keeps to."""

from __future__ import annotations

import gc
import os
import random
from collections import Counter
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from tests import compiled, left_behind, workers
from tests.surroundings import LIKE_A_USER, ROOT, Surroundings, differences, seen

compiled.keep()

REFERENCE_ABSENT = (
    "no reference data: MLPERF_TEST_DATA names no folder with facts/, data/ and models/, which the project may not publish "
    "(README.md, 'Tests that skip')"
)

OFFICIAL_ABSENT = (
    "they compare with MLCommons' own scripts; for these: git clone https://github.com/mlcommons/inference, then "
    "MLPERF_INFERENCE_DIR=inference make test"
)


def reference_folder() -> Path:
    """The folder of real data, models and facts that some tests compare with: MLPERF_TEST_DATA, else `shared` beside the project."""
    return Path(os.environ.get("MLPERF_TEST_DATA") or ROOT.parent / "shared")


class House:
    """What one process of a test run knows.

    Args:
        worker: it runs tests for another process (pytest-xdist), which looks at the checkout.
    """

    def __init__(self, worker: bool) -> None:
        self.surroundings = Surroundings()
        self.before = {} if worker else seen()
        self.worker = worker
        self.left_out: dict[str, int] = {}
        self.builds = False
        self.process: dict[str, Any] = {}
        self.served: set[str] = set()
        self.touched: list[str] = []

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Let a worker tell less."""
        workers.brief(session.config)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection(self) -> Generator[None, object, object]:
        """Keep the garbage collector from what collecting makes and imports: it stays, and going through it takes longer than the tests."""
        gc.disable()
        try:
            return (yield)
        finally:
            gc.freeze()
            gc.enable()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """BUILD_DIR, HOME and caches of the test's own, before its fixtures of any scope are made."""
        self.surroundings.enter(item)
        self.process = self.process or left_behind.state()  # later that in which the test before has left it

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any]) -> Generator[None, Any, Any]:
        """Processes that a fixture of several tests starts, such as a server, are not left by one of these."""
        before = left_behind.children() if fixturedef.scope != "function" else []
        made = yield
        if fixturedef.scope != "function":
            self.served |= {left_behind.number(line) for line in left_behind.children()} - set(map(left_behind.number, before))
        return made

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, None, None]:
        """Fail a test that leaves its process in another state, which a test after it would meet."""
        yield
        before, self.process = self.process, left_behind.state()
        if lines := left_behind.changed(before, self.served, self.process):
            pytest.fail("this test leaves to the next: " + "; ".join(lines), pytrace=False)

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Leave out tests on reference data, official scripts or a whole product where there are none, and say so once."""
        reasons: dict[pytest.Item, str] = {}
        for item in items:
            if "shared" in getattr(item, "fixturenames", ()) and not (reference_folder() / "facts").is_dir():
                reasons[item] = REFERENCE_ABSENT
            elif item.get_closest_marker("official") and not os.environ.get("MLPERF_INFERENCE_DIR"):
                reasons[item] = OFFICIAL_ABSENT
            elif absent := item.get_closest_marker("absent"):
                reasons[item] = str(absent.args[0])
        if (seed := config.getoption("order_seed")) is not None:
            items[:] = mixed(items, seed)
        if names := config.getoption("first"):
            items[:] = ahead(items, names.split(","))
        self.left_out = dict(Counter(reasons.values()))
        config.hook.pytest_deselected(items=list(reasons))
        items[:] = [item for item in items if item not in reasons]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Notice tests that use the build folder as a user does."""
        self.builds |= any(name in report.keywords for name in LIKE_A_USER)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take over what a worker left out; every worker leaves out the same."""
        self.left_out = getattr(node, "workeroutput", {}).get("left_out", {})

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fail a run that has written to the checkout, and in continuous integration, where nobody else does, to the home folder.

        Tests like a user's may fill the caches of a user's home.
        """
        alone = bool(os.environ.get("CI"))
        if self.worker:
            session.config.workeroutput["left_out"] = self.left_out  # type: ignore[attr-defined]
            return
        self.touched = differences(self.before, seen(), self.builds)
        ours = [line for line in self.touched if str(ROOT) in line or (alone and not self.builds)]
        if ours and session.exitstatus == 0:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Name what was left out, and what the run has touched."""
        for reason, count in self.left_out.items():
            terminalreporter.write_line(f"{count} tests were left out: {reason}")
        if self.touched:
            terminalreporter.section("files of the checkout or the home folder changed during the tests", sep="=", red=True)
            for line in self.touched[:40]:
                terminalreporter.write_line(line)

    def pytest_unconfigure(self) -> None:
        """Remove what the tests have written."""
        self.surroundings.leave()


def mixed(items: list[pytest.Item], seed: int) -> list[pytest.Item]:
    """Tests in a random order, the same one for the same seed: first the files, then those of each file, which share fixtures."""
    order = random.Random(seed)
    files: dict[Path, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.path, []).append(item)
    names = order.sample(sorted(files), len(files))
    return [item for name in names for item in order.sample(files[name], len(files[name]))]


def ahead(items: list[pytest.Item], names: list[str]) -> list[pytest.Item]:
    """The tests with those of some files first, in the order of their names: 'run_bert' is test_run_bert.py.

    pytest takes no order from its arguments: a folder stands for the files in it that are named before it.
    """
    places = {f"test_{name}.py": place for place, name in enumerate(names)}
    if absent := places.keys() - {item.path.name for item in items}:
        raise pytest.UsageError(f"--first names no file with tests of this run: {', '.join(sorted(absent))}")
    return sorted(items, key=lambda item: places.get(item.path.name, len(places)))


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options that change the order of the tests."""
    parser.addoption("--first", default="", help="begin with the tests of these files: run_bert,simulate")
    parser.addoption("--order-seed", type=int, default=None, help="run the tests in a random order, the one of this seed")


def pytest_configure(config: pytest.Config) -> None:
    """Keep this run to itself."""
    config.pluginmanager.register(House(worker=hasattr(config, "workerinput")), "house")


@pytest.fixture(scope="session")
def project() -> Path:
    """The project's root."""
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference data; tests that need it are left out where it is absent."""
    return reference_folder()
