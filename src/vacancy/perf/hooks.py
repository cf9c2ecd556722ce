"""The two ways to tell an operator's own program: run a command, or post to a webhook.

Both get one deadline for all they do, end when the server ends, and say what failed without what an
address may keep secret.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from http.client import HTTPConnection, HTTPMessage, HTTPResponse, HTTPSConnection
from threading import Event, Thread
from typing import IO, Any
from urllib.parse import urlsplit

from vacancy.perf.alerts import Hook, HookFailed

HOOK_S = 10.0
"""How long a command or a webhook may take."""
_LOOK_EVERY_S = 0.05
_LOOK_FIRST_S = 0.002


# -- commands


def command_hook(arguments: Sequence[str], *, wait_s: float = HOOK_S) -> Hook:
    """Runs a program with the alert on its stdin, without a shell. What it prints goes nowhere, and
    what it has started ends with it, unless that has made a session of its own."""
    name = f"the command {arguments[0]}"

    def run(line: bytes, ending: Event) -> None:
        deadline = time.monotonic() + wait_s
        try:
            started = subprocess.Popen(
                arguments,
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # a process group to end as one
            )
        except OSError as error:
            raise HookFailed(f"{name} cannot be run: {error.strerror}") from None
        with started as process:
            try:
                _follow(process, line, ending, deadline)
            finally:
                # Where only a dead leader is left, Linux says nothing and macOS refuses.
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, signal.SIGKILL)
        if process.returncode:
            raise HookFailed(f"{name} ended with {process.returncode}")

    def _follow(
        process: subprocess.Popen[bytes], line: bytes, ending: Event, deadline: float
    ) -> None:
        stdin = process.stdin
        assert stdin is not None
        os.set_blocking(stdin.fileno(), False)  # it may never read
        left, pause_s = line, _LOOK_FIRST_S
        while not _has_ended(process):
            if left:
                try:
                    left = left[stdin.write(left) or 0 :]
                except BrokenPipeError:  # it may do without
                    left = b""
                if not left:
                    stdin.close()
            if ending.wait(pause_s):
                raise HookFailed(f"the server ends; {name} was stopped")
            if time.monotonic() > deadline:
                raise HookFailed(f"{name} took over {wait_s:g} s")
            pause_s = min(2 * pause_s, _LOOK_EVERY_S)

    return run


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Whether it has. Nobody takes its exit status here: as long as that waits, no other process
    gets its number, and the signal to its group reaches no stranger."""
    if not hasattr(os, "waitid"):
        # macOS before Python 3.13. A group that has members keeps its number as well; one that
        # has none is gone for the moment in which the signal is sent.
        return process.poll() is not None
    options = os.WEXITED | os.WNOHANG | os.WNOWAIT
    return os.waitid(os.P_PID, process.pid, options) is not None


# -- webhooks


def url_hook(url: str, *, headers: Mapping[str, str] | None = None, wait_s: float = HOOK_S) -> Hook:
    """Posts the alert as JSON; anything but a 2xx is a failure. Redirects are not followed. A
    proxy is used where the environment names one.

    A failure is told by the host, and by its type or its status: the rest of the address may be
    secret, and so may be what an exception says.
    """
    name = f"the webhook at {urlsplit(url).hostname}"

    def post(line: bytes, ending: Event) -> None:
        request = urllib.request.Request(  # noqa: S310 - the settings let http and https through
            url,
            data=line,
            headers={"Content-Type": "application/json", **(headers or {})},
            method="POST",
        )
        deadline = time.monotonic() + wait_s
        exchange = _Exchange(request, wait_s)
        Thread(target=exchange.run, name="alert webhook", daemon=True).start()
        pause_s = _LOOK_FIRST_S
        while not exchange.done.wait(pause_s):
            if ending.is_set():
                exchange.give_up()
                raise HookFailed(f"the server ends; {name} was left")
            if time.monotonic() > deadline:
                exchange.give_up()
                raise HookFailed(f"{name} took over {wait_s:g} s")
            pause_s = _LOOK_EVERY_S
        if exchange.failure is not None:
            raise HookFailed(f"{name} {exchange.failure}")

    return post


class _Exchange:
    """One request and its answer, in a thread of its own.

    A timeout of a socket is one for each read, and the lookup of a name has none. So the thread is
    left when the time is over, and its socket is shut down, which ends its read.
    """

    def __init__(self, request: urllib.request.Request, wait_s: float) -> None:
        self.done = Event()
        self.failure: str | None = None
        """What went wrong, once it is done."""
        self._request = request
        self._wait_s = wait_s
        self._connection: HTTPConnection | None = None
        self._given_up = False

    def run(self) -> None:
        opener = urllib.request.build_opener(_NoRedirects, _Http(self), _Https(self))
        try:
            with opener.open(self._request, timeout=self._wait_s):
                pass  # the status is all we ask for
        except urllib.error.HTTPError as error:
            self.failure = f"answered {error.code}"
            error.close()
        except urllib.error.URLError as error:
            self.failure = f"was not reached: {type(error.reason).__name__}"
        except Exception as error:  # noqa: BLE001 - the thread that waits is the one to tell
            self.failure = f"did not answer: {type(error).__name__}"
        finally:
            self.done.set()

    def connected(self, connection: HTTPConnection) -> None:
        """Told before anything is sent. What is late sends nothing."""
        self._connection = connection
        if self._given_up:
            connection.close()
            raise TimeoutError

    def give_up(self) -> None:
        # First the flag, then the socket; the other thread does it the other way round. So one of
        # the two sees the other.
        self._given_up = True
        sock = None if self._connection is None else self._connection.sock
        if sock is not None:
            with suppress(OSError):
                # Not that of SSLSocket, which takes the encryption from under a read.
                socket.socket.shutdown(sock, socket.SHUT_RDWR)


class _Followed(HTTPConnection):
    """Tells its exchange when it is there."""

    def __init__(self, exchange: _Exchange, host: str, **arguments: Any) -> None:
        super().__init__(host, **arguments)
        self._exchange = exchange

    def connect(self) -> None:
        super().connect()
        self._exchange.connected(self)


class _FollowedTls(_Followed, HTTPSConnection):
    """The same, encrypted. The handshake has one deadline in OpenSSL's own hands."""


class _Http(urllib.request.HTTPHandler):
    def __init__(self, exchange: _Exchange) -> None:
        super().__init__()
        self._exchange = exchange

    def http_open(self, req: urllib.request.Request) -> HTTPResponse:
        return self.do_open(partial(_Followed, self._exchange), req)


class _Https(urllib.request.HTTPSHandler):
    def __init__(self, exchange: _Exchange) -> None:
        super().__init__()
        self._exchange = exchange

    def https_open(self, req: urllib.request.Request) -> HTTPResponse:
        return self.do_open(partial(_FollowedTls, self._exchange), req)


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Another address is not the one that the operator has named."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> None:
        return None
