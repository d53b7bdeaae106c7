"""One request over HTTP, with a time limit for all of it, and the words for each way in which it fails."""

from __future__ import annotations

import base64
import functools
import os
import queue
import re
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from http.client import HTTPException, HTTPResponse, HTTPSConnection, IncompleteRead
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from code.common.download.patience import LostError, RefusedError
from code.common.typed import natural

LOGINS = (".cloudflareaccess.com", "login.microsoftonline.com", "accounts.google.com")
_NOT_PASSING = {501, 505}
_TUNNEL = re.compile(r"Tunnel connection failed: (\d{3})")
_USER = re.compile(r"//[^/]*@")
_BY_STATUS = {
    401: ("it asks for an account", "log in to it with a browser and fetch the file there"),
    402: ("it asks for a payment", ""),
    403: ("it refuses access: a licence that was not accepted, an expired link or a blocked address", ""),
    404: ("it does not have the file; the file may have moved", ""),
    410: ("the file was removed", ""),
    451: ("it may not serve the file here, for legal reasons", ""),
}


def host_of(url: str) -> str:
    """The host of a URL, for messages; the URL itself for one that is not valid."""
    try:
        return urlsplit(url).hostname or url
    except ValueError:
        return url


def shown(url: str) -> str:
    """A URL without a user name, password or query's signature."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return _USER.sub("//", url).partition("?")[0]
    if "@" in parts.netloc:
        parts = parts._replace(netloc=parts.netloc.rpartition("@")[2])
    if len(parts.query) > 80:
        parts = parts._replace(query="…")
    return parts.geturl()


def fault_of(url: str) -> str:
    """Why a URL is not an address that can be asked; '' for one that is."""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  # ValueError for a port that is none
        (parts.hostname or "").encode("idna")
    except ValueError as error:
        return str(error)
    if parts.scheme not in ("http", "https"):
        return f"its scheme is {parts.scheme!r}" if parts.scheme else "it has no scheme"
    if not parts.hostname:
        return "it names no host"
    return "" if url.isascii() and url.isprintable() and " " not in url else "it has characters that a URL cannot have"


def first_bytes(answer: HTTPResponse | urllib.error.HTTPError, most: int, seconds: float) -> tuple[bytes, bool]:
    """What a server sends in some seconds, at most `most` bytes, and whether that is all. Raises OSError and HTTPException."""
    end, received = time.monotonic() + seconds, b""
    while len(received) < most and time.monotonic() < end:
        block = answer.read1(most - len(received))
        if not block:
            return received, not getattr(answer, "length", None)
        received += block
    return received, False


def ask(url: str, headers: Mapping[str, str], limit: float) -> HTTPResponse:
    """The answer to a GET request, made in its own thread because name resolution has no time-out.

    Args:
        limit: seconds until the head of the answer must be there.

    Raises:
        LostError: it failed in a way that may pass.
        RefusedError: it would fail again.
        urllib.error.HTTPError: the server answered with an error status.
    """
    box: queue.Queue[HTTPResponse | BaseException] = queue.Queue(1)
    request, redirects = _request(url, headers), _Redirects()

    def attempt() -> None:
        try:
            opener = urllib.request.build_opener(redirects, _Encrypted())
            box.put(opener.open(request, timeout=limit))
        except BaseException as error:
            box.put(error)

    threading.Thread(target=attempt, daemon=True).start()
    try:
        answer = box.get(timeout=limit + 0.5)
    except queue.Empty:
        raise _redirected(LostError(f"no answer within {max(1, round(limit))} s"), url, redirects.to) from None
    if isinstance(answer, urllib.error.HTTPError):
        raise answer
    if not isinstance(answer, BaseException):
        return answer
    reason = answer.reason if isinstance(answer, urllib.error.URLError) else answer
    error = reason if isinstance(reason, BaseException) else OSError(reason)
    if isinstance(error, (OSError, HTTPException, ValueError, LostError, RefusedError)):
        raise _redirected(_failure(error, redirects.to or url), url, redirects.to) from answer
    raise answer


def _redirected(failure: LostError | RefusedError, url: str, to: str) -> LostError | RefusedError:
    """A failure, with the words for one of the host to which `url` redirects, if that is another."""
    if isinstance(failure, RefusedError) or host_of(to or url) == host_of(url):
        return failure
    return LostError(f"it redirects to {host_of(to)}, and there: {failure}", failure.wait, answered=True)


def failure_of_status(error: urllib.error.HTTPError, url: str) -> LostError | RefusedError:
    """The LostError or RefusedError for an error status."""
    code = error.code
    answered = f"{host_of(url)} answered {code} {error.reason}".rstrip()
    wait = retry_after(error.headers.get("Retry-After", ""))
    if code == 407:
        return _proxy_login(url)
    if code == 429:
        return LostError(f"{answered}: too many requests from this address", wait)
    if code in (408, 425) or (code >= 500 and code not in _NOT_PASSING):
        return LostError(answered, wait)
    if 300 <= code < 400 and code != 304:
        return RefusedError(f"{answered}: its redirects lead nowhere; the file may have moved")
    words, fix = _BY_STATUS.get(code, ("the file may have moved", ""))
    return RefusedError(f"{answered}: {words}", fix)


def retry_after(text: str) -> float:
    """Seconds in a Retry-After header: a number or a date (RFC 9110 §10.2.3); 0 for none or an invalid one."""
    number = natural(text.strip(), 10**9)
    if number is not None:
        return float(number)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (TypeError, ValueError, OverflowError):
        return 0.0


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects, including 308 on every Python version, but never from https to http, nor to a login.

    Attributes:
        to: the last address that was followed; '' for none.
    """

    to = ""
    http_error_308 = urllib.request.HTTPRedirectHandler.http_error_302

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        """The redirected request, without the password where the host is another. RefusedError where it must not be followed."""
        why = fault_of(newurl)
        if why:
            raise RefusedError(f"it redirects to {shown(newurl)!r}: {why}")
        if req.full_url.startswith("https:") and not newurl.startswith("https:"):
            raise RefusedError(f"it redirects to the unencrypted {shown(newurl)}")
        if host_of(newurl).endswith(LOGINS):
            raise RefusedError(f"it asks for an account: it redirects to the login at {host_of(newurl)}", _BY_STATUS[401][1])
        if code == 308:
            code = 307  # Python 3.10 does not know 308
        request = super().redirect_request(req, fp, code, msg, headers, newurl)
        self.to = newurl
        if request is not None and host_of(newurl) != host_of(req.full_url):
            request.remove_header("Authorization")
        return request


def _request(url: str, headers: Mapping[str, str]) -> urllib.request.Request:
    """A request; a user name and password in the URL become a header. RefusedError for a proxy of another kind."""
    why = fault_of(url)
    if why:
        raise RefusedError(f"the address {shown(url)!r} is invalid: {why}")
    parts = urlsplit(url)
    request = urllib.request.Request(url, headers={"User-Agent": "mlperf-inference-harness", **headers})
    if parts.username is not None:
        user = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        request = urllib.request.Request(
            parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl(), headers=dict(request.header_items())
        )
        request.add_header("Authorization", "Basic " + base64.b64encode(user.encode()).decode())
    proxy = _proxy(url)
    fault = fault_of(proxy if "://" in proxy else f"http://{proxy}") if proxy else ""
    if fault:
        raise RefusedError(
            f"the proxy {shown(proxy)!r} cannot be used: {fault}",
            f"set {parts.scheme.upper()}_PROXY=http://HOST:PORT, or unset it",
        )
    return request


class _Encrypted(urllib.request.HTTPSHandler):
    """https, whose certificates are read when a request needs them: that takes longer than a small file does."""

    def __init__(self) -> None:
        urllib.request.AbstractHTTPHandler.__init__(self)

    def https_open(self, req: urllib.request.Request) -> HTTPResponse:
        """The answer to a request over https."""
        trust = _context(os.environ.get("SSL_CERT_FILE", ""), os.environ.get("SSL_CERT_DIR", ""))
        return self.do_open(HTTPSConnection, req, context=trust)


@functools.lru_cache(maxsize=4)
def _context(file: str, _folder: str) -> ssl.SSLContext:
    """Trust as Python has it by default: the system's certificates, or those of SSL_CERT_FILE and SSL_CERT_DIR."""
    if file and not Path(file).is_file():
        raise RefusedError(f"SSL_CERT_FILE names {file}, which is not a file", "correct or unset SSL_CERT_FILE")
    context = ssl.create_default_context()
    if file and not context.cert_store_stats()["x509"]:
        raise RefusedError(
            f"SSL_CERT_FILE names {file}, which has no certificate that can be read", "name a PEM file, or unset SSL_CERT_FILE"
        )
    return context


def _proxy(url: str) -> str:
    """The proxy that is used for a URL; '' for none."""
    parts = urlsplit(url)
    if urllib.request.proxy_bypass(parts.hostname or ""):
        return ""
    return urllib.request.getproxies().get(parts.scheme, "")


def _proxy_login(url: str) -> RefusedError:
    return RefusedError(
        f"the proxy {shown(_proxy(url)) or 'on the way'} asks for a user name and password (407)",
        "set HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT (and HTTP_PROXY), then run the same command again",
    )


def _failure(error: BaseException, url: str) -> LostError | RefusedError:
    """The LostError or RefusedError for a connection that could not be made or broke."""
    host, proxy = host_of(url), _proxy(url)
    tunnel = _TUNNEL.search(str(error))
    if isinstance(error, (LostError, RefusedError)):
        return error
    if not isinstance(error, OSError):
        return _not_http(error, host)
    if tunnel is not None and tunnel[1] == "407":
        return _proxy_login(url)
    if tunnel is not None:
        return RefusedError(
            f"the proxy {shown(proxy)} does not let {host} through: it answered {tunnel[1]}",
            f"allow {host} in the proxy, or add it to NO_PROXY if it can be reached directly",
        )
    if isinstance(error, ssl.SSLCertVerificationError):
        return RefusedError(
            f"the certificate of {host} is not trusted: {error.verify_message or error.reason}",
            "if a proxy inspects connections, set SSL_CERT_FILE to a PEM file with its root certificate; otherwise install the "
            "package ca-certificates and check this machine's clock",
        )
    if isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLEOFError):
        return RefusedError(
            f"no encrypted connection to {host}: {error.reason or words(error)}",
            "check HTTPS_PROXY: its own address usually begins with http://" if proxy else "",
        )
    if proxy and not isinstance(error, ssl.SSLError):
        return LostError(f"the proxy {shown(proxy)} (HTTPS_PROXY, HTTP_PROXY) does not answer: {words(error)}")
    return LostError(words(error))


def _not_http(error: BaseException, host: str) -> LostError | RefusedError:
    """The failure where something answers that is not HTTP as it should be; a ValueError comes from a redirect."""
    if isinstance(error, ValueError):
        return RefusedError(f"{host} redirects to an invalid address: {error}")
    return LostError(f"{host} does not answer in valid HTTP: {words(error)}", answered=True)


def words(error: BaseException) -> str:
    """An exception's message, or its class name if it has none."""
    if isinstance(error, IncompleteRead):
        return "the connection ended within the answer"
    return str(error) or type(error).__name__
