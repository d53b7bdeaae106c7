"""What a power measurement needs: power-dev's server and a time server that answer, and clocks that agree."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

from code.common.errors import HarnessError
from code.power import ask, tools
from code.power.session import address
from code.preflight.finding import Finding, Reporter, Subject

report = Reporter("power")
SERVER_FIX = "start it beside the analyser: python3 ptd_client_server/server.py -c server.conf"


def check(subject: Subject) -> Iterator[Finding]:
    """Findings on the servers of a power measurement; none where none is asked for."""
    if subject.ntp_server:
        yield _time(subject.ntp_server)
    if subject.power_server:
        yield _server(subject.power_server)
    if subject.ntp_server or subject.power_server:
        yield _setting()
        yield _tools()


def _time(host: str) -> Finding:
    try:
        offset = ask.time_offset(host)
    except OSError as error:
        text = f"{host} does not answer NTP: {str(error) or type(error).__name__}"
        return report.error("time server", text, "name another with --ntp_server, or let UDP port 123 through")
    return _agrees("time server", host, offset, f"sudo ntpdate -b {host}")


def _server(text: str) -> Finding:
    try:
        host, port = address(text)
        offset = ask.server_offset(host, port)
    except HarnessError as error:
        return report.error("server", error.what, error.next_step)
    except TimeoutError:
        what = f"{text} does not answer: a measurement may be going on, or its port is closed"
        return report.error("server", what, SERVER_FIX)
    except OSError as error:
        return report.error("server", f"{text} is not power-dev's server: {error}", SERVER_FIX)
    return _agrees("server", f"{host}:{port}", offset, f"sudo ntpdate -b NTP_SERVER  # on {host} and here")


def _agrees(name: str, who: str, offset: float, fix: str) -> Finding:
    """Whether a clock is near enough to this machine's."""
    if abs(offset) >= ask.CLOCKS_S:
        limit = f"power-dev allows {ask.CLOCKS_S * 1000:.0f} ms"
        return report.error(name, f"the clock of {who} is {offset * 1000:+,.0f} ms off this machine's; {limit}", fix)
    return report.ok(name, f"{who} answers; its clock is {offset * 1000:+.1f} ms off this machine's")


def _setting() -> Finding:
    """power-dev sets this machine's clock by ntpdate where it is off."""
    if shutil.which("ntpdate") is None:
        what = "ntpdate is not installed: power-dev cannot correct the clock if it drifts"
        return report.warning("ntpdate", what, "sudo apt-get install ntpsec-ntpdate")
    return report.ok("ntpdate", "installed")


def _tools() -> Finding:
    try:
        found = tools.present()
    except HarnessError as error:
        return report.error("power-dev", error.what, error.next_step)
    if found is None:
        return report.warning(
            "power-dev", "not here: the first run fetches it", f"set {tools.VARIABLE} where there is no network"
        )
    commit = tools.commit_of(found)
    if commit not in ("", tools.COMMIT):
        return report.warning(
            "power-dev", f"{found} is at {commit[:12]}, not at {tools.COMMIT[:12]}", f"git -C {found} checkout {tools.COMMIT}"
        )
    return report.ok("power-dev", str(found))
