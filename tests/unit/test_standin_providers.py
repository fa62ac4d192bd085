"""What the stand-ins share: misbehaving webhooks, injected faults, forms, QR codes, the issuer and the server."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Queue
from threading import Thread

import jwt
import pytest

from infra.local.providers.issuer import Issuer
from infra.local.providers.qr import modules
from infra.local.providers.wire import read_form
from tests.unit.standins import START, Client, Clock, genuine, mollie, stripe

ROOT = Path(__file__).resolve().parents[2]
BODY = {
    "description": "Order 7",
    "amount": {"currency": "EUR", "value": "1.00"},
    "redirectUrl": "https://shop.example/back",
    "webhookUrl": "https://shop.example/hook",
}


@pytest.fixture
def clock() -> Clock:
    return Clock()


def start(client: Client, times: int = 1) -> list[str]:
    return [client.ok("POST", "/v1/payment_intents", {"amount": 500, "currency": "eur"})["id"] for _ in range(times)]


def told(client: Client) -> list[str]:
    return [event["data"]["object"]["id"] for event in client.webhooks()]


# webhook misbehaviour


def test_paused_webhooks_wait(clock: Clock) -> None:
    client = stripe(clock)
    client.ok("POST", "/_test/webhooks", {"paused": True})
    made = start(client, 2)
    assert told(client) == []
    assert len(client.ok("GET", "/_test/webhooks")["waiting"]) == 2
    client.ok("POST", "/_test/webhooks", {"paused": False})
    assert told(client) == made


def test_webhooks_come_twice_in_another_order_or_never(clock: Clock) -> None:
    client = stripe(clock)
    client.ok("POST", "/_test/webhooks", {"copies": 2})
    [one] = start(client)
    assert told(client) == [one, one]
    client.ok("POST", "/_test/webhooks", {"copies": 1, "order": "lifo"})
    made = start(client, 3)
    assert told(client) == made[::-1]
    client.ok("POST", "/_test/webhooks", {"order": "shuffled"})
    made = start(client, 20)
    shuffled = told(client)
    assert sorted(shuffled) == sorted(made)
    assert shuffled != made
    client.ok("POST", "/_test/webhooks", {"order": "fifo", "drop": 2})
    made = start(client, 3)
    assert told(client) == made[2:]
    assert len(client.ok("GET", "/v1/events?delivery_success=false")["data"]) == 2
    client.ok("POST", "/_test/webhooks", {"drop": -1})
    start(client, 3)
    assert told(client) == []


def test_late_webhooks_overtake_each_other(clock: Clock) -> None:
    client = stripe(clock)
    client.ok("POST", "/_test/webhooks", {"delay_s": 60})
    made, seen = start(client, 10), []
    for _ in range(61):
        seen += told(client)
        clock.later(1)
    assert sorted(seen) == sorted(made)
    assert seen != made


def test_a_delivery_in_flight_is_not_made_twice_and_a_flush_hurries(clock: Clock) -> None:
    client = mollie(clock)
    payment = client.ok("POST", "/v2/payments", BODY)
    client.ok("POST", "/_test/pay", {"id": payment["id"]})
    [delivery] = client.provider.due(clock.now)
    assert client.provider.due(clock.now + 1e6) == []
    client.provider.delivered(delivery, 0)
    assert client.webhooks() == []
    client.ok("POST", "/_test/webhooks/flush")
    assert client.webhooks() == [payment["id"]]


@pytest.mark.parametrize("wrong", [{"order": "random"}, {"paused": 1.5}, {"secrets": []}])
def test_wrong_settings_change_nothing(clock: Clock, wrong: dict) -> None:
    client = stripe(clock)
    before = client.ok("GET", "/_test/webhooks")
    assert client.json("POST", "/_test/webhooks", {"copies": 3, **wrong})[0] == 400
    assert client.ok("GET", "/_test/webhooks") == before


# faults


def test_a_request_fails_before_or_after_it_was_done(clock: Clock) -> None:
    client = stripe(clock)
    wanted = {"amount": 500, "currency": "eur"}
    client.ok("POST", "/_test/faults", {"when": "before", "status": 503, "match": "POST /v1/payment_intents"})
    assert client.json("POST", "/v1/payment_intents", wanted, key="k")[0] == 503
    assert client.ok("GET", "/v1/payment_intents")["data"] == []
    client.ok("POST", "/_test/faults", {"when": "after", "status": 0, "count": 2, "match": "POST"})
    assert [client.json("POST", "/v1/payment_intents", wanted, key="k")[0] for _ in range(3)] == [0, 0, 200]
    assert len(client.ok("GET", "/v1/payment_intents")["data"]) == 1


def test_mollie_fails_the_same_way(clock: Clock) -> None:
    client = mollie(clock)
    client.ok("POST", "/_test/faults", {"when": "after", "status": 502, "match": "POST /v2/payments"})
    assert client.json("POST", "/v2/payments", BODY, key="k")[0] == 502
    made = client.ok("POST", "/v2/payments", BODY, key="k")
    assert [one["id"] for one in client.ok("GET", "/v2/payments")["_embedded"]["payments"]] == [made["id"]]


# forms and QR codes


def test_forms_nest() -> None:
    text = "a=1&m[0]=x&e[]=p&e[]=q&l[1][n]=b&l[0][n]=a&metadata[0]=zero&metadata[b]=c%26d&empty="
    assert read_form(text) == {
        "a": "1",
        "m": ["x"],
        "e": ["p", "q"],
        "l": [{"n": "a"}, {"n": "b"}],
        "metadata": {"0": "zero", "b": "c&d"},
        "empty": "",
    }
    with pytest.raises(ValueError, match="Invalid parameter"):
        read_form("a=1&a[b]=2")


def test_a_qr_code_is_the_one_the_standard_says() -> None:
    # GIVEN the code for "a" (version 1, level L, mask 0), as another writer makes it and a reader reads it
    drawn = ["".join("#" if dark else "." for dark in row) for row in modules("a")]
    assert drawn[:3] == ["#######..#.##.#######", "#.....#..###..#.....#", "#.###.#.##.##.#.###.#"]
    assert drawn[8:12] == [
        "###.########.##...#..",
        "..#.##.#..#...#...##.",
        "....#.#####.#...#...#",
        "##.#.#...##...#...#..",
    ]
    assert len(modules("x" * 106)) == 37
    with pytest.raises(ValueError, match="do not fit"):
        modules("x" * 107)


# the issuer


def test_tokens_verify_against_the_published_keys(tmp_path: Path, clock: Clock) -> None:
    issuer = Issuer("https://issuer.test", "mandje", tmp_path, clock)
    token = issuer.mint("s-1", "staff", ["orders:read", "stock:write"], location_id="loc-1", name="Jo", lifetime_s=60)
    claims = verified(issuer, token)
    assert claims == {
        "iss": "https://issuer.test",
        "aud": "mandje",
        "sub": "s-1",
        "kind": "staff",
        "scope": "orders:read stock:write",
        "location_id": "loc-1",
        "name": "Jo",
        "iat": int(START),
        "exp": int(START) + 60,
    }
    with pytest.raises(ValueError, match="kind"):
        issuer.mint("s-1", "king")


def test_keys_survive_a_restart_and_a_rotation(tmp_path: Path, clock: Clock) -> None:
    first = Issuer("https://issuer.test", "mandje", tmp_path, clock)
    old = first.mint("c-1", "customer")
    again = Issuer("https://issuer.test", "mandje", tmp_path, clock)
    assert again.jwks() == first.jwks()
    assert again.handle("POST", "/_test/rotate", "", {}, b"")[0] == 200
    new = again.mint("c-1", "customer")
    assert jwt.get_unverified_header(old)["kid"] != jwt.get_unverified_header(new)["kid"]
    third = Issuer("https://issuer.test", "mandje", tmp_path, clock)
    assert verified(third, old)["sub"] == verified(third, new)["sub"] == "c-1"
    assert (tmp_path / "issuer-keys.pem").stat().st_mode & 0o077 == 0


def test_the_token_endpoint(tmp_path: Path, clock: Clock) -> None:
    issuer = Issuer("https://issuer.test", "mandje", tmp_path, clock)
    found = json.loads(issuer.handle("GET", "/.well-known/openid-configuration", "", {}, b"")[2])
    assert found["jwks_uri"] == "https://issuer.test/jwks.json"
    form = b"grant_type=client_credentials&sub=d-1&kind=device&scope=basket:serve&location_id=loc-2"
    status, headers, reply = issuer.handle("POST", "/token", "", {}, form)
    assert (status, headers["Cache-Control"]) == (200, "no-store")
    claims = verified(issuer, json.loads(reply)["access_token"])
    assert (claims["kind"], claims["scope"], claims["location_id"]) == ("device", "basket:serve", "loc-2")
    for wrong in (b"", b"sub=x&kind=king", b"sub=x&lifetime_s=soon", b"sub=x&grant_type=password", b"sub=\xff"):
        assert issuer.handle("POST", "/token", "", {}, wrong)[0] == 400


def verified(issuer: Issuer, token: str) -> dict:
    """The claims, if a library that knows nothing of the issuer accepts the token."""
    wanted = jwt.get_unverified_header(token)["kid"]
    published = json.loads(issuer.handle("GET", "/jwks.json", "", {}, b"")[2])["keys"]
    key = next(jwt.PyJWK(one).key for one in published if one["kid"] == wanted)
    checks = {"verify_exp": False, "verify_iat": False}  # the tests' time is not today's
    return jwt.decode(token, key, algorithms=["RS256"], audience="mandje", options=checks)


# the server


@pytest.fixture
def shop() -> Iterator[tuple[str, Queue]]:
    """A shop that answers its first webhook with 500 and the rest with 200, and keeps them all."""
    seen: Queue = Queue()
    answers = iter([500])

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            seen.put((self.path, self.headers, body))
            self.send_response(next(answers, 200))
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Silence."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", seen
    server.shutdown()
    server.server_close()


class Running:
    """The server as a process of its own."""

    def __init__(self, *arguments: str) -> None:
        command = [sys.executable, "-m", "infra.local.providers.server", "--stripe-port", "0", "--mollie-port", "0"]
        self.process = subprocess.Popen(
            [*command, "--issuer-port", "0", *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.urls = json.loads(self.process.stdout.readline())

    def post(self, name: str, path: str, form: dict) -> dict:
        request = urllib.request.Request(
            self.urls[name] + path, urllib.parse.urlencode(form).encode(), {"Authorization": "Bearer sk_test_9"}
        )
        with urllib.request.urlopen(request, timeout=5) as reply:
            return json.load(reply)

    def get(self, name: str, path: str) -> dict:
        with urllib.request.urlopen(self.urls[name] + path, timeout=5) as reply:
            return json.load(reply)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        self.process.communicate(timeout=5)
        return self.process.returncode


def test_the_server_delivers_retries_and_keeps_its_books(tmp_path: Path, shop: tuple[str, Queue]) -> None:
    hook, seen = shop
    keep = ("--state", str(tmp_path), "--keep", str(tmp_path / "books.json"))
    keep += ("--stripe-key", "sk_test_9", "--retry-scale", "0.001")
    # GIVEN a server that tells a shop
    first = Running(*keep, "--stripe-webhook", f"{hook}/w", "--stripe-webhook-secret", "whsec_9")
    try:
        assert first.get("stripe", "/healthz")["ok"] is True
        made = first.post("stripe", "/v1/payment_intents", {"amount": 500, "currency": "eur"})
        # THEN the webhook that failed comes again, signed
        deliveries = [seen.get(timeout=5) for _ in range(2)]
        for path, headers, body in deliveries:
            moment = int(headers["Stripe-Signature"].split(",")[0][2:])
            assert path == "/w"
            assert genuine(body, headers["Stripe-Signature"], "whsec_9", moment)
            assert json.loads(body)["data"]["object"]["id"] == made["id"]
    finally:
        assert first.stop() == 0
    # AND a restart knows the payment and the token keys
    second = Running(*keep)
    try:
        assert second.get("issuer", "/jwks.json") == json.loads(json.dumps(jwks_of(tmp_path)))
        assert [one["id"] for one in second.get("stripe", "/_test/books")["payments"]] == [made["id"]]
        taken = subprocess.run(
            [
                sys.executable,
                "-m",
                "infra.local.providers.server",
                "--state",
                str(tmp_path),
                "--stripe-port",
                second.urls["stripe"].rsplit(":", 1)[1],
            ],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
        assert taken.returncode == 2
        assert "Choose another with --stripe-port" in taken.stderr
    finally:
        assert second.stop() == 0


def jwks_of(folder: Path) -> dict:
    return Issuer("https://anything.test", "mandje", folder, lambda: START).jwks()


# anything at all

ODD = [None, True, 0, -1, 2**70, 1.5, "", "x", "\x00", "é" * 300, [], ["x"], [[]], {}, {"a": "b"}, {"a": {"b": []}}]


@pytest.mark.parametrize("path", ["/v2/payments", "/v2/payment-links", "/v2/payments/{id}/refunds", "/_test/pay"])
def test_mollie_never_breaks_on_odd_values(clock: Clock, path: str) -> None:
    client = mollie(clock)
    path = path.replace("{id}", client.ok("POST", "/v2/payments", BODY)["id"])
    names = "amount description method captureMode webhookUrl expiresAt allowedMethods terminalId id"
    for name in names.split():
        for value in ODD:
            for body in ({**BODY, name: value}, {"amount": BODY["amount"], "description": "x", name: value}, value):
                status, _ = client.json("POST", path, body)
                assert status < 500, (name, value)
    assert client.ok("GET", "/v2/payments")["count"] > 0


@pytest.mark.parametrize(
    "path",
    ["/v1/payment_intents", "/v1/refunds", "/v1/checkout/sessions", "/v1/payment_methods", "/v1/webhook_endpoints"],
)
def test_stripe_never_breaks_on_odd_values(clock: Clock, path: str) -> None:
    client = stripe(clock)
    names = "amount currency metadata payment_method payment_method_types payment_method_data expand line_items"
    names += " payment_intent_data mode type card url enabled_events charge confirm"
    shapes = [
        "{}={}",
        "{}[]={}",
        "{}[a]={}",
        "{}[0]={}",
        "{}[0][type]={}",
        "{}[price_data]={}",
        "{}[0][0][0]={}",
        "{}[={}",
    ]
    for name in names.split():
        for shape in shapes:
            for value in ("", "x", "-1", "%00", "%FF", "9" * 40, "true"):
                given = f"amount=500&currency=eur&mode=payment&{shape.format(name, value)}"
                assert client.raw("POST", path, given.encode())[0] < 500, given
                assert client.raw("GET", f"{path}?{shape.format(name, value)}")[0] < 500
    for wrong in ("created=x", "created[]=1", "created[near]=1", "created[gte]=x", "limit=x", "limit[]=1"):
        assert client.raw("GET", f"/v1/events?{wrong}")[0] == 400, wrong
