"""The stand-in Stripe and localstripe, written by other people, answer the same requests the same way.

localstripe (PyPI, GPL-3.0) only ever runs as a process of its own. ``pip install localstripe`` to run this tier. Where
it is known to differ from Stripe (over-refunds, Idempotency-Key, refund webhooks), nothing is compared.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from queue import Queue
from threading import Thread

import pytest

from tests.unit.standins import Clock, genuine, stripe

pytestmark = pytest.mark.third_party

# its own command listens on every interface and reads a shared temporary file; this one does neither
LAUNCH = """
import asyncio
from aiohttp import web
from localstripe import resources
from localstripe.server import app

async def main():
    resources.store.dump_to_disk = lambda: None
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(site._server.sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


class Theirs:
    """Requests to localstripe."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    def json(self, method: str, path: str, form: dict | None = None) -> tuple[int, dict]:
        body = urllib.parse.urlencode(form).encode() if form else None
        request = urllib.request.Request(self.url + path, body, {"Authorization": "Bearer sk_test_1"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=5) as reply:
                return reply.status, json.loads(reply.read() or b"{}")
        except urllib.error.HTTPError as refused:
            return refused.code, json.load(refused)


@pytest.fixture(scope="module")
def theirs() -> Iterator[Theirs]:
    if importlib.util.find_spec("localstripe") is None:
        pytest.skip("localstripe is not installed (pip install localstripe)")
    process = subprocess.Popen(
        [sys.executable, "-c", LAUNCH], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdout is not None
    yield Theirs(int(process.stdout.readline()))
    process.terminate()
    process.communicate(timeout=5)


class Pair:
    """Sends the same request to both. ``{}`` stands for the payment intent each one made last."""

    def __init__(self, theirs: Theirs) -> None:
        self.sides = (stripe(Clock()), theirs)
        self.last = ["", ""]

    def agree(self, method: str, path: str, form: dict, *fields: str) -> None:
        """Both must answer with the same status, and the same values in ``fields``."""
        answers = []
        for at, side in enumerate(self.sides):
            own = self.last[at]
            filled = {name: own if value == "{}" else value for name, value in form.items()}
            status, reply = side.json(method, path.replace("{}", own), filled)
            if reply.get("object") == "payment_intent":
                self.last[at] = reply["id"]
            answers.append((status, {field: reply.get(field, "absent") for field in fields}))
        assert answers[0] == answers[1]


INTENT = ("amount", "currency", "status", "object", "livemode", "metadata", "capture_method")


def test_a_payment_and_its_refunds(theirs: Theirs) -> None:
    pair = Pair(theirs)
    form = {"amount": 4999, "currency": "eur", "payment_method": "pm_card_visa", "metadata[order]": "7"}
    pair.agree("POST", "/v1/payment_intents", form, *INTENT)
    pair.agree("POST", "/v1/payment_intents/{}/confirm", {}, *INTENT)
    refund = ("amount", "currency", "status", "object")
    pair.agree("POST", "/v1/refunds", {"payment_intent": "{}", "amount": 1000}, *refund)
    pair.agree("POST", "/v1/refunds", {"payment_intent": "{}", "amount": 3999}, *refund)
    pair.agree("GET", "/v1/payment_intents/{}", {}, *INTENT)


def test_a_hold_is_captured_or_cancelled(theirs: Theirs) -> None:
    pair = Pair(theirs)
    form = {"amount": 2000, "currency": "eur", "payment_method": "pm_card_visa", "capture_method": "manual"}
    form |= {"confirm": "true"}
    pair.agree("POST", "/v1/payment_intents", form, *INTENT)
    pair.agree("POST", "/v1/payment_intents/{}/capture", {"amount_to_capture": 1500}, "amount", "status")
    pair.agree("POST", "/v1/payment_intents", form, *INTENT)
    pair.agree("POST", "/v1/payment_intents/{}/cancel", {}, "amount", "status")
    # AND what is over is over, for both
    pair.agree("POST", "/v1/payment_intents/{}/confirm", {})
    pair.agree("GET", "/v1/payment_intents/pi_nobody", {})


def test_their_webhooks_pass_the_check_that_ours_pass(theirs: Theirs) -> None:
    seen: Queue = Queue()

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            seen.put((self.rfile.read(int(self.headers["Content-Length"])), self.headers["Stripe-Signature"]))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Silence."""

    server = HTTPServer(("127.0.0.1", 0), Hook)
    Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    hook = {"url": f"http://127.0.0.1:{server.server_port}/", "secret": "whsec_theirs"}
    theirs.json("POST", "/_config/webhooks/shop", hook)
    form = {"amount": 500, "currency": "eur", "payment_method": "pm_card_visa", "confirm": "true"}
    assert theirs.json("POST", "/v1/payment_intents", form)[0] == 200
    body, signature = seen.get(timeout=10)
    while json.loads(body)["data"]["object"]["amount"] != 500:  # theirs come a second late: some are of other tests
        body, signature = seen.get(timeout=10)
    server.shutdown()
    server.server_close()
    # WHEN ours tells the same story
    ours = stripe(Clock())
    ours.ok("POST", "/v1/payment_intents", form)
    event = next(one for one in ours.webhooks() if one["type"] == "payment_intent.succeeded")
    # THEN the same check accepts theirs, and the envelope has every member theirs has
    told = json.loads(body)
    assert genuine(body, signature, "whsec_theirs", told["created"])
    assert told["type"] == event["type"]
    assert set(told) <= set(event)
    assert event["data"]["object"]["amount"] == told["data"]["object"]["amount"]
