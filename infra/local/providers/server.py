"""The stand-in providers on 127.0.0.1: ``python -m infra.local.providers.server --help``."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol

import aiohttp
from aiohttp import web

from .issuer import Issuer
from .mollie import Mollie
from .outbox import Delivery
from .stripe import Stripe
from .wire import Json, Reply, random_ids

_TIMEOUT_S = 15
_AT_ONCE = 8
_LARGEST_BODY = 1024 * 1024


class Handles(Protocol):
    """Anything that answers requests the way the providers and the issuer do."""

    def handle(self, method: str, path: str, query: str, headers: dict[str, str], body: bytes) -> Reply: ...


def options(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m infra.local.providers.server",
        description="Stand-ins for Stripe, Mollie and an OIDC issuer on 127.0.0.1. Prints one line of JSON when ready.",
        epilog="Keys not given are made up once and kept in STATE/secrets.json. Every port answers GET /healthz.",
    )
    add = parser.add_argument
    add("--state", type=Path, required=True, metavar="DIR", help="folder for keys, secrets and saved state")
    add("--stripe-port", type=int, default=12111, metavar="N", help="default 12111; 0 takes any free port")
    add("--mollie-port", type=int, default=12112, metavar="N", help="default 12112")
    add("--issuer-port", type=int, default=12113, metavar="N", help="default 12113")
    add("--stripe-key", metavar="sk_test_..", help="the secret key clients must show")
    add(
        "--stripe-webhook",
        metavar="URL",
        help="where Stripe events go (also: POST /_test/listen, /v1/webhook_endpoints)",
    )
    add(
        "--stripe-webhook-secret", action="append", metavar="whsec_..", help="repeat for a rotation: one signature each"
    )
    add("--mollie-key", metavar="test_..", help="the API key clients must show")
    add("--issuer-url", metavar="URL", help="the iss of tokens; default http://127.0.0.1:<issuer-port>")
    add("--audience", default="mandje", metavar="NAME", help="the aud of tokens; default mandje")
    add(
        "--retry-scale",
        type=float,
        default=0.02,
        metavar="X",
        help="real retry waits times X; default 0.02 (60 s is 1.2 s)",
    )
    add(
        "--webhook-delay",
        type=float,
        default=0.0,
        metavar="S",
        help="deliver each webhook up to S seconds late, unordered",
    )
    add("--refund-delay", type=float, default=2.0, metavar="S", help="seconds for each step of a refund or capture")
    add(
        "--keep",
        type=Path,
        metavar="FILE",
        help="load the books from FILE and save them, every few seconds and on exit",
    )
    return parser.parse_args(arguments)


def secrets(folder: Path, given: argparse.Namespace) -> Json:
    """Keys from the command line, else those made up earlier, else new ones; kept readable by the owner only."""
    file = folder / "secrets.json"
    known = json.loads(file.read_text()) if file.exists() else {}
    ids = random_ids()
    chosen = {
        "stripe_key": given.stripe_key or known.get("stripe_key") or f"sk_test_{ids()}",
        "stripe_webhook_secrets": given.stripe_webhook_secret
        or known.get("stripe_webhook_secrets")
        or [f"whsec_{ids()}"],
        "mollie_key": given.mollie_key or known.get("mollie_key") or f"test_{ids()}",
    }
    _write(file, chosen)
    return chosen


def _write(file: Path, content: Json) -> None:
    """Replace ``file`` in one step, so that a kill leaves the old or the new one, never half of it."""
    temporary = file.with_suffix(".new")
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
        json.dump(content, out)
    temporary.replace(file)


class Server:
    """One process, one event loop: requests and deliveries take turns, so the providers need no locks."""

    def __init__(self, given: argparse.Namespace, sockets: dict[str, socket.socket]) -> None:
        given.state.mkdir(parents=True, exist_ok=True)
        self.given = given
        self.sockets = sockets
        self.urls = {name: f"http://127.0.0.1:{one.getsockname()[1]}" for name, one in sockets.items()}
        self.secrets = secrets(given.state, given)
        self.stripe = Stripe(
            self.secrets["stripe_key"],
            self.secrets["stripe_webhook_secrets"],
            time.time,
            random_ids(),
            public_url=self.urls["stripe"],
        )
        self.mollie = Mollie(self.secrets["mollie_key"], time.time, random_ids(), public_url=self.urls["mollie"])
        self.issuer = Issuer(given.issuer_url or self.urls["issuer"], given.audience, given.state, time.time)
        if given.keep and given.keep.exists():
            saved = json.loads(given.keep.read_text())
            self.stripe.load(saved["stripe"])
            self.mollie.load(saved["mollie"])
        if given.stripe_webhook:
            self.stripe.listen(given.stripe_webhook)
        for provider in (self.stripe, self.mollie):
            provider.outbox.backoff = tuple(wait * given.retry_scale for wait in provider.outbox.backoff)
            provider.outbox.delay_s = given.webhook_delay
            provider.account.refund_delay_s = given.refund_delay
        self.changed = False
        self.woken = asyncio.Event()
        self.stop = asyncio.Event()

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop.set)
        runners = [await self._serve(name, target) for name, target in self._targets().items()]
        ready = {**self.urls, "pid": os.getpid(), "secrets": str(self.given.state / "secrets.json")}
        print(json.dumps(ready), flush=True)
        work = [asyncio.create_task(self._deliver())]
        if self.given.keep:
            work.append(asyncio.create_task(self._save_regularly()))
        await self.stop.wait()
        for task in work:
            task.cancel()
        await asyncio.gather(*work, return_exceptions=True)
        for runner in runners:
            await runner.cleanup()
        if self.given.keep:
            self._save()

    def _targets(self) -> dict[str, Handles]:
        return {"stripe": self.stripe, "mollie": self.mollie, "issuer": self.issuer}

    async def _serve(self, name: str, target: Handles) -> web.AppRunner:
        app = web.Application(client_max_size=_LARGEST_BODY)
        app.router.add_route("*", "/{path:.*}", self._door(name, target))
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await runner.setup()
        await web.SockSite(runner, self.sockets[name], backlog=512).start()
        return runner

    def _door(self, name: str, target: Handles) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def answer(request: web.Request) -> web.Response:
            if request.path == "/healthz":
                waiting = {"stripe": len(self.stripe.outbox), "mollie": len(self.mollie.outbox)}
                return web.json_response({"ok": True, "name": name, "webhooks_waiting": waiting.get(name, 0)})
            body = await request.read()
            headers = dict(request.headers)
            status, out, content = target.handle(request.method, request.path, request.query_string, headers, body)
            self.changed = True
            self.woken.set()
            if status == 0 and request.transport is not None:
                request.transport.abort()
            return web.Response(status=status or 500, headers=out, body=content)

        return answer

    async def _deliver(self) -> None:
        """Make deliveries as they become due, a few at a time."""
        room = asyncio.Semaphore(_AT_ONCE)
        timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
        async with aiohttp.ClientSession(timeout=timeout) as session, asyncio.TaskGroup() as group:
            while True:
                self.woken.clear()
                for provider in (self.stripe, self.mollie):
                    for delivery in provider.due(time.time()):
                        await room.acquire()
                        group.create_task(self._attempt(session, provider, delivery, room))
                times = [one for one in (self.stripe.next_due(), self.mollie.next_due()) if one is not None]
                wait = max(min(times) - time.time(), 0.005) if times else None
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self.woken.wait(), wait)

    async def _attempt(
        self, session: aiohttp.ClientSession, provider: Stripe | Mollie, delivery: Delivery, room: asyncio.Semaphore
    ) -> None:
        status = 0
        try:
            target = session.post(delivery.url, data=delivery.body, headers=delivery.headers, allow_redirects=False)
            async with target as reply:
                await reply.read()
                status = reply.status
        except (aiohttp.ClientError, TimeoutError, ValueError, OSError):
            pass  # no answer counts as a failed attempt, and is tried again
        finally:
            room.release()
            provider.delivered(delivery, status)
            self.changed = True
            self.woken.set()

    async def _save_regularly(self) -> None:
        wait = 3.0
        while True:
            await asyncio.sleep(wait)
            if self.changed:
                began = time.monotonic()
                self._save()
                wait = max(3.0, 20 * (time.monotonic() - began))  # large books must not keep the loop busy

    def _save(self) -> None:
        self.changed = False
        _write(self.given.keep, {"stripe": self.stripe.dump(), "mollie": self.mollie.dump()})


def main() -> int:
    given = options()
    sockets = {}
    for name in ("stripe", "mollie", "issuer"):
        port = getattr(given, f"{name}_port")
        sockets[name] = socket.socket()
        sockets[name].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sockets[name].bind(("127.0.0.1", port))
        except (OSError, OverflowError) as taken:
            print(
                f"Cannot use port {port} for the {name} stand-in: {taken}. Choose another with --{name}-port.",
                file=sys.stderr,
            )
            return 2
    asyncio.run(_run(given, sockets))
    return 0


async def _run(given: argparse.Namespace, sockets: dict[str, socket.socket]) -> None:
    await Server(given, sockets).run()


if __name__ == "__main__":
    sys.exit(main())
