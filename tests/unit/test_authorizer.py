"""The authorizer, with real keys: who gets in, who does not, and what happens when the issuer is away."""

import base64
import contextlib
import hashlib
import hmac
import json
import logging
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from authorizer import issuer, on_request
from authorizer.claims import NotGood, principal_of
from commerce import clock, secrets, tokens, web
from commerce.principal import Principal

ISSUER = "https://issuer.test"
ARN = "arn:aws:execute-api:eu-west-1:000000000000:api/v1/GET/me/basket"
ANNA = "0190a1b2-0000-7000-8000-000000000001"
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
CURVE_KEY = ec.generate_private_key(ec.SECP256R1())
NOW = 1_795_000_000.0


class Issuer:
    """What the issuer answers, and how often it was asked for its keys."""

    def __init__(self) -> None:
        self.keys = [_public(KEY, "k1")]
        self.configuration: dict[str, Any] = {"issuer": ISSUER, "jwks_uri": f"{ISSUER}/keys"}
        self.up = True
        self.hangs_for = 0.0
        self.asked = 0
        self.called = 0

    def __call__(self, method: str, url: str, headers: Any, body: Any, timeout: float) -> web.Response:
        self.called += 1
        if self.hangs_for:
            clock.source.now += min(self.hangs_for, timeout)  # type: ignore[attr-defined]
            raise web.UnknownOutcome("no answer in time")
        if not self.up:
            raise web.Unreachable("down")
        if url == f"{ISSUER}/.well-known/openid-configuration":
            return web.Response(200, {}, json.dumps(self.configuration).encode())
        assert url == f"{ISSUER}/keys"
        self.asked += 1
        return web.Response(200, {}, json.dumps({"keys": self.keys}).encode())


class Time:
    now = NOW

    def __call__(self) -> float:
        return self.now


def _public(key: rsa.RSAPrivateKey, key_id: str) -> dict[str, Any]:
    return RSAAlgorithm.to_jwk(key.public_key(), as_dict=True) | {"kid": key_id, "use": "sig"}


def _pem(key: rsa.RSAPrivateKey) -> bytes:
    return key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    moment = Time()
    monkeypatch.setattr(clock, "source", moment)
    return moment


@pytest.fixture(autouse=True)
def oidc(monkeypatch: pytest.MonkeyPatch, time: Time) -> Iterator[Issuer]:
    """GIVEN an issuer with one key, and the secret that signs guest tokens."""
    one = Issuer()
    monkeypatch.setattr(web, "transport", one)
    monkeypatch.setenv("OIDC_ISSUER", ISSUER)
    monkeypatch.setenv("OIDC_AUDIENCE", "mandje")
    monkeypatch.setattr(secrets, "read", lambda name: {"current": "g1", "keys": {"g1": "ab" * 32}})
    issuer.forget()
    yield one
    issuer.forget()  # a world made afterwards takes what it finds in the module for what a new process knows


def _claims(**changes: Any) -> dict[str, Any]:
    claims = {"iss": ISSUER, "aud": "mandje", "sub": ANNA, "iat": NOW, "exp": NOW + 600, "kind": "customer"}
    return {name: value for name, value in (claims | changes).items() if value is not None}


def _token(key: Any = KEY, key_id: str | None = "k1", algorithm: str = "RS256", **changes: Any) -> str:
    return jwt.encode(_claims(**changes), key, algorithm, headers={"kid": key_id} if key_id else None)


def _ask(header: str | None) -> dict[str, Any]:
    return on_request.handler({"type": "TOKEN", "authorizationToken": header, "methodArn": ARN}, None)


def _refused(header: str | None) -> None:
    # The very text is what the gateway looks for.
    with pytest.raises(Exception, match=r"^Unauthorized$"):
        _ask(header)


# ------------------------------------------------------------------------------------------------------ who gets in


def test_a_customer_is_let_in_to_the_whole_stage() -> None:
    answer = _ask(f"Bearer {_token()}")

    assert answer["principalId"] == f"customer:{ANNA}"
    assert answer["context"] == {"kind": "customer", "id": ANNA, "scopes": ""}
    (statement,) = answer["policyDocument"]["Statement"]
    assert statement["Effect"] == "Allow"
    assert statement["Resource"] == "arn:aws:execute-api:eu-west-1:000000000000:api/v1/*/*"


def test_staff_and_devices_bring_scopes_and_their_location() -> None:
    staff = _ask(f"Bearer {_token(sub='staff-anna', kind='staff', scope='stock:write orders:read')}")
    till = _ask(
        f"Bearer {_token(sub='till-ams-1', kind='device', location_id='ams-kalverstraat', scope='basket:serve')}"
    )

    assert staff["context"] == {"kind": "staff", "id": "staff-anna", "scopes": "orders:read stock:write"}
    assert till["principalId"] == "device:till-ams-1"
    assert till["context"]["location_id"] == "ams-kalverstraat"


def test_a_customer_never_brings_scopes() -> None:
    answer = _ask(f"Bearer {_token(scope='orders:write profiles:read', location_id='ams-kalverstraat')}")
    assert answer["context"] == {"kind": "customer", "id": ANNA, "scopes": ""}


def test_a_cognito_access_token_is_understood() -> None:
    token = _token(aud=None, client_id="mandje", kind=None, sub=ANNA, scope="mandje/orders:read",
                   **{"cognito:groups": ["other", "staff"], "token_use": "access"})  # fmt: skip
    context = _ask(f"Bearer {token}")["context"]
    assert context == {"kind": "staff", "id": ANNA, "scopes": "orders:read"}


def test_without_kind_or_groups_a_token_is_a_customers() -> None:
    assert _ask(f"Bearer {_token(kind=None)}")["context"]["kind"] == "customer"


def test_one_of_several_audiences_is_enough() -> None:
    assert _ask(f"Bearer {_token(aud=['other', 'mandje'])}")["principalId"] == f"customer:{ANNA}"


def test_a_subject_that_is_no_uuid_becomes_a_stable_customer_id() -> None:
    first = _ask(f"Bearer {_token(sub='auth0|5f7c8ec7c33c6c004bbafe82')}")["context"]["id"]
    again = _ask(f"Bearer {_token(sub='auth0|5f7c8ec7c33c6c004bbafe82')}")["context"]["id"]
    other = _ask(f"Bearer {_token(sub='auth0|5f7c8ec7c33c6c004bbafe83')}")["context"]["id"]
    assert first == again != other


def test_a_guest_is_let_in_for_one_basket() -> None:
    token = tokens.sign("basket", {"basket_id": "b-1", "exp": NOW + 60})
    answer = _ask(f"bearer {token}")
    assert answer["context"] == {"kind": "guest", "id": "b-1", "scopes": ""}


def test_elliptic_curve_keys_work_too(oidc: Issuer) -> None:
    oidc.keys.append(ECAlgorithm.to_jwk(CURVE_KEY.public_key(), as_dict=True) | {"kid": "e1"})
    assert _ask(f"Bearer {_token(CURVE_KEY, 'e1', 'ES256')}")["context"]["kind"] == "customer"


@pytest.mark.parametrize("exp", [NOW - 29, NOW + 1])
def test_clocks_may_be_thirty_seconds_apart(exp: float) -> None:
    assert _ask(f"Bearer {_token(exp=exp)}")
    assert _ask(f"Bearer {_token(nbf=NOW + 29)}")


# --------------------------------------------------------------------------------------------------- who does not


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": NOW - 31}, {"exp": None}, {"exp": "tomorrow"}, {"exp": True}, {"exp": float("nan")}, {"nbf": NOW + 31},
        {"nbf": "now"}, {"aud": "other"}, {"aud": None}, {"aud": []}, {"aud": {"mandje": 1}}, {"aud": "mandje2"},
        {"aud": "other", "client_id": "mandje"}, {"iss": "https://evil.test"}, {"iss": f"{ISSUER}/"}, {"iss": None},
        {"sub": None}, {"sub": ""}, {"sub": 7}, {"sub": "x" * 256}, {"sub": "a\nb"}, {"kind": "guest"},
        {"kind": "admin"}, {"kind": ["staff"]}, {"kind": "staff", "scope": ["orders:read"]},
        {"kind": "staff", "sub": "a#b"}, {"kind": "device", "location_id": 7},
    ],
    ids=str,
)  # fmt: skip
def test_wrong_claims_are_refused(changes: dict[str, Any]) -> None:
    # PyJWT will not sign some of these, so the rule is asked, and the door where it can be.
    with pytest.raises(NotGood):
        principal_of(_claims(**changes), issuer=ISSUER, audience="mandje", now=NOW)


@pytest.mark.parametrize(
    "header",
    [None, "", "Bearer", "Bearer ", "Basic YTpi", "Bearer a b", "Bearer \ud800", "x" * 9000, "Bearer " + "a" * 9000,
     "Bearer ..", "Bearer a.b.c", "Bearer g1.x.y"],
)  # fmt: skip
def test_garbage_is_refused(header: str | None) -> None:
    _refused(header)


def test_an_expired_token_is_refused(time: Time) -> None:
    token = _token()
    assert _ask(f"Bearer {token}")
    time.now += 631
    _refused(f"Bearer {token}")


def test_a_token_of_another_key_under_a_known_id_is_refused() -> None:
    _refused(f"Bearer {_token(OTHER_KEY)}")


def test_a_changed_token_is_refused() -> None:
    header, body, signature = _token().split(".")
    staff = base64.urlsafe_b64encode(json.dumps(_claims(kind="staff")).encode()).rstrip(b"=").decode()
    _refused(f"Bearer {header}.{staff}.{signature}")
    _refused(f"Bearer {header}.{body}.")
    _refused(f"Bearer {header}.{body}")


def test_an_unsigned_token_is_refused_without_asking_anybody(oidc: Issuer) -> None:
    token = jwt.encode(_claims(), None, "none", headers={"kid": "k1"})
    _refused(f"Bearer {token}")
    assert oidc.asked == 0


def test_the_public_key_is_no_shared_secret() -> None:
    """The classic attack: an HMAC made with the issuer's published key, under `HS256`."""
    head = base64.urlsafe_b64encode(b'{"alg":"HS256","kid":"k1","typ":"JWT"}').rstrip(b"=")
    body = base64.urlsafe_b64encode(json.dumps(_claims(kind="staff")).encode()).rstrip(b"=")
    mac = hmac.new(_pem(KEY), head + b"." + body, hashlib.sha256).digest()
    forged = b".".join([head, body, base64.urlsafe_b64encode(mac).rstrip(b"=")]).decode()
    _refused(f"Bearer {forged}")


def test_a_published_shared_secret_signs_nothing(oidc: Issuer) -> None:
    """Even if the issuer published an `oct` key: HMAC is not among the pinned algorithms."""
    secret = b"0" * 32
    oidc.keys.append({"kty": "oct", "kid": "h1", "alg": "HS256", "k": base64.urlsafe_b64encode(secret).decode()})
    _refused(f"Bearer {_token(secret, 'h1', 'HS256')}")


def test_an_encryption_key_verifies_nothing(oidc: Issuer) -> None:
    oidc.keys[0]["use"] = "enc"
    _refused(f"Bearer {_token()}")


def test_a_token_without_a_key_id_is_refused() -> None:
    _refused(f"Bearer {_token(key_id=None)}")


def test_a_guest_token_changed_expired_or_made_for_something_else_is_refused(time: Time) -> None:
    good = tokens.sign("basket", {"basket_id": "b-1", "exp": NOW + 60})
    _refused(f"Bearer {good[:-2]}xx")
    _refused(f"Bearer {tokens.sign('cursor', {'basket_id': 'b-1', 'exp': NOW + 60})}")
    time.now += 61
    _refused(f"Bearer {good}")


@given(st.text(max_size=300))
def test_no_text_whatever_gets_in(text: str) -> None:
    _refused(f"Bearer {text}")


# ------------------------------------------------------------------------------------------------------- the keys


def test_keys_are_kept_for_ten_minutes(oidc: Issuer, time: Time) -> None:
    for _ in range(3):
        _ask(f"Bearer {_token()}")
    assert oidc.asked == 1
    time.now += 599
    _ask(f"Bearer {_token(exp=NOW + 10_000)}")
    assert oidc.asked == 1
    time.now += 2
    _ask(f"Bearer {_token(exp=NOW + 10_000)}")
    assert oidc.asked == 2


def test_a_new_key_is_found_at_once_but_unknown_ids_ask_at_most_once_a_minute(oidc: Issuer, time: Time) -> None:
    # GIVEN keys fetched more than a minute ago
    _ask(f"Bearer {_token()}")
    time.now += 61
    # WHEN the issuer rotates
    oidc.keys = [_public(OTHER_KEY, "k2")]
    # THEN its new key works at once, and the withdrawn one no longer does
    assert _ask(f"Bearer {_token(OTHER_KEY, 'k2')}")
    assert oidc.asked == 2
    _refused(f"Bearer {_token()}")
    # AND made-up key ids do not reach the issuer again
    for number in range(50):
        _refused(f"Bearer {_token(key_id=f'made-up-{number}')}")
    assert oidc.asked == 2


def test_an_issuer_that_is_down_is_asked_once_for_many_tokens(oidc: Issuer, time: Time) -> None:
    # GIVEN an issuer that does not answer, and a function that knows none of its keys
    oidc.up = False
    # WHEN twenty tokens come at a time
    for number in range(20):
        with pytest.raises(issuer.IssuerUnavailable):
            _ask(f"Bearer {_token(key_id=f'k{number}')}")
    # THEN it was called once
    assert oidc.called == 1
    # AND is asked again soon after it is back
    oidc.up = True
    time.now += issuer.PAUSES_S[0]
    assert _ask(f"Bearer {_token()}")


def test_an_issuer_that_hangs_costs_one_token_a_second_and_the_others_nothing(oidc: Issuer, time: Time) -> None:
    oidc.hangs_for = 60
    for _ in range(20):
        with pytest.raises(issuer.IssuerUnavailable):
            _ask(f"Bearer {_token()}")
    assert oidc.called == 1
    assert time.now - NOW <= 1


def test_the_longer_the_issuer_is_away_the_less_it_is_asked(oidc: Issuer, time: Time) -> None:
    oidc.up = False
    for _ in range(600):
        with pytest.raises(issuer.IssuerUnavailable):
            _ask(f"Bearer {_token()}")
        time.now += 1
    assert oidc.called <= len(issuer.PAUSES_S) + 600 / issuer.PAUSES_S[-1]


@pytest.mark.parametrize("trouble", ["down", "hangs"])
def test_known_keys_are_good_for_an_hour_while_the_issuer_does_not_answer(
    oidc: Issuer, time: Time, trouble: str
) -> None:
    # GIVEN the issuer's keys, and then an issuer that does not answer
    _ask(f"Bearer {_token()}")
    oidc.up, oidc.hangs_for, oidc.called = False, 60.0 if trouble == "hangs" else 0.0, 0
    known = _token(exp=NOW + 10_000)
    # WHEN tokens come for nearly an hour THEN those that a known key signed get in
    for after in (300, 601, 1200, 3000, 3590):
        time.now = NOW + after
        for _ in range(20):
            assert _ask(f"Bearer {known}")
        # AND what another key signed is not called bad: nobody knows
        with pytest.raises(issuer.IssuerUnavailable):
            _ask(f"Bearer {_token(OTHER_KEY, 'k2', exp=NOW + 10_000)}")
    assert oidc.called <= 2 * 5
    # AND then nobody gets in, until the issuer says again which its keys are
    time.now = NOW + 3601
    with pytest.raises(issuer.IssuerUnavailable):
        _ask(f"Bearer {known}")
    oidc.up, oidc.hangs_for = True, 0.0
    time.now += issuer.PAUSES_S[-1]
    assert _ask(f"Bearer {known}")


def test_a_token_of_a_wrong_key_stays_refused_while_the_issuer_is_away(oidc: Issuer, time: Time) -> None:
    _ask(f"Bearer {_token()}")
    oidc.up = False
    time.now += 700
    _refused(f"Bearer {_token(OTHER_KEY, 'k1', exp=NOW + 10_000)}")
    _refused(f"Bearer {_token(exp=NOW + 1)}")


def test_a_rotation_is_picked_up_as_soon_as_the_issuer_answers_again(oidc: Issuer, time: Time) -> None:
    _ask(f"Bearer {_token()}")
    oidc.up = False
    time.now += 61
    new = _token(OTHER_KEY, "k2", exp=NOW + 10_000)
    with pytest.raises(issuer.IssuerUnavailable):
        _ask(f"Bearer {new}")
    oidc.up, oidc.keys = True, [_public(OTHER_KEY, "k2")]
    time.now += issuer.PAUSES_S[0]
    assert _ask(f"Bearer {new}")
    # AND the key it withdrew meanwhile is good for nothing
    _refused(f"Bearer {_token(exp=NOW + 10_000)}")


@pytest.mark.parametrize("answer", [b"", b"[]", b"{}", b'{"keys": 7}', b"<html>", b"[" * 100_000])
def test_an_answer_that_makes_no_sense_is_no_answer(
    oidc: Issuer, time: Time, monkeypatch: pytest.MonkeyPatch, answer: bytes
) -> None:
    """It neither empties the keys that are known nor is it asked for again with every token."""
    _ask(f"Bearer {_token()}")
    called = []
    monkeypatch.setattr(web, "transport", lambda *_: called.append(1) or web.Response(200, {}, answer))
    time.now += 601
    for _ in range(20):
        assert _ask(f"Bearer {_token(exp=NOW + 10_000)}")
    assert len(called) == 1


def test_twenty_at_once_are_one_question(oidc: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, go = threading.Semaphore(0), threading.Event()

    def slow(*args: Any) -> web.Response:
        asked.release()
        go.wait(5)
        return oidc(*args)

    monkeypatch.setattr(web, "transport", slow)
    with ThreadPoolExecutor(20) as pool:
        answers = [pool.submit(issuer.key, ISSUER, "k1") for _ in range(20)]
        assert asked.acquire(timeout=5)
        go.set()
        assert all(answer.result(5) is not None for answer in answers)
    assert oidc.asked == 1


def test_who_has_a_good_key_does_not_wait_for_an_issuer_that_hangs(
    oidc: Issuer, time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    issuer.key(ISSUER, "k1")
    time.now += 601
    asked, go = threading.Event(), threading.Event()

    def hanging(*args: Any) -> web.Response:
        asked.set()
        go.wait(5)
        raise web.UnknownOutcome("no answer in time")

    monkeypatch.setattr(web, "transport", hanging)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(issuer.key, ISSUER, "k1")
        assert asked.wait(5)
        assert issuer.key(ISSUER, "k1") is not None, "while somebody else is asking"
        assert not first.done()
        go.set()
        assert first.result(5) is not None


def test_guests_shop_on_while_the_issuer_is_away(oidc: Issuer) -> None:
    oidc.up = False
    assert _ask(f"Bearer {tokens.sign('basket', {'basket_id': 'b-1', 'exp': NOW + 60})}")


@pytest.mark.parametrize(
    "configuration",
    [{"issuer": "https://evil.test", "jwks_uri": f"{ISSUER}/keys"}, {"issuer": ISSUER},
     {"issuer": ISSUER, "jwks_uri": 7}, {"issuer": ISSUER, "jwks_uri": "http://issuer.test/keys"}],
)  # fmt: skip
def test_a_strange_configuration_is_not_believed(oidc: Issuer, configuration: dict[str, Any]) -> None:
    oidc.configuration = configuration
    with pytest.raises(issuer.IssuerUnavailable):
        _ask(f"Bearer {_token()}")


def test_keys_that_cannot_be_read_are_passed_over(oidc: Issuer) -> None:
    oidc.keys[:0] = [{"kid": "bad", "kty": "RSA"}, {"kty": "RSA"}, {"kid": "x", "kty": "??"}, "text"]  # type: ignore[list-item]
    assert _ask(f"Bearer {_token()}")


def test_a_weak_key_verifies_nothing(oidc: Issuer) -> None:
    weak = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    oidc.keys.append(_public(weak, "weak"))
    with pytest.warns(jwt.InsecureKeyLengthWarning):
        token = _token(weak, "weak")
    _refused(f"Bearer {token}")


# -------------------------------------------------------------------------------------------------------- the log


def test_every_invocation_logs_one_line_and_never_the_token(caplog: pytest.LogCaptureFixture, oidc: Issuer) -> None:
    caplog.set_level(logging.INFO)
    canary = "secret-subject-of-anna"
    good = _token(sub=canary)
    for header in (f"Bearer {good}", f"Bearer {good}x", "Bearer nonsense"):
        caplog.clear()
        with contextlib.suppress(Exception):
            _ask(header)
        (line,) = caplog.records
        assert canary not in json.dumps(vars(line), default=str)
        assert header.split()[1] not in json.dumps(vars(line), default=str)


def test_the_context_crosses_the_gateway_unchanged() -> None:
    context = _ask(f"Bearer {_token(sub='till-1', kind='device', location_id='utr-oudegracht', scope='a b')}")[
        "context"
    ]
    who = Principal.of_event({"requestContext": {"authorizer": context}})
    assert who == Principal("device", "till-1", frozenset({"a", "b"}), "utr-oudegracht")
