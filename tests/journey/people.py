"""What tests about people do over and over: create, merge, look, let things happen."""

from __future__ import annotations

import json
from typing import Any

from tests.world import World
from tests.world.doctor_hook import violations
from tests.world.world import Response

ANNA = "0190a1b2-0000-7000-8000-000000000001"
BART = "0190a1b2-0000-7000-8000-000000000002"
CARL = "0190a1b2-0000-7000-8000-000000000003"
NOBODY = "0190a1b2-0000-7000-8000-00000000ffff"
CANARIES = [
    "canary-given", "canary-family", "canary@example.com", "+31699999999", "canary-because", "CANARY1", "1990-12-31",
]  # fmt: skip


def sound(world: World) -> list[str]:
    """What is wrong once everything has arrived."""
    world.settle()
    return violations(world)


def staff(world: World, scopes: str = "profiles:read profiles:write profiles:export profiles:erase") -> str:
    return world.token("staff", scopes=scopes)


def created(world: World, **body: Any) -> str:
    answer = world.call("POST", "/profiles", staff(world), json=body)
    assert answer.status == 201, answer
    profile_id: str = answer.json["profile_id"]
    return profile_id


def merged(world: World, survivor: str, absorbed: str, key: str = "merge-1", reason: str = "same card") -> Response:
    body = {"survivor_id": survivor, "absorbed_id": absorbed, "reason": reason}
    return world.call("POST", "/profiles/merges", staff(world), json=body, key=key)


def read(world: World, profile_id: str, token: str | None = None) -> Any:
    answer = world.call("GET", f"/profiles/{profile_id}", token or staff(world))
    assert answer.status == 200, answer
    return answer.json


def happened(world: World, customer_id: str, kind: str, order_id: str, at: str, version: int = 1) -> dict[str, Any]:
    """The bus message of something that happened to an order."""
    data = {
        "order_id": order_id, "order_number": order_id, "market": "nl", "channel": "web", "currency": "EUR",
        "total": 1995, "customer_id": customer_id, "lines": [], "pay_by": at, "paid_at": at,
    }  # fmt: skip
    detail = {
        "specversion": "1.0", "id": f"order/{order_id}@{version}", "source": "mandje.checkout", "type": kind,
        "subject": f"order/{order_id}", "time": at, "dataschema": f"/events/schemas/{kind}.json", "data": data,
    }  # fmt: skip
    return {"source": "mandje.checkout", "detail-type": kind, "detail": detail}


def deliver(world: World, *messages: dict[str, Any]) -> Any:
    records = [
        {"messageId": f"m{number}", "body": json.dumps(message), "eventSource": "aws:sqs", "attributes": {}}
        for number, message in enumerate(messages)
    ]
    return world.invoke("profiles.on_event", {"Records": records})


def snapshot(world: World, *profile_ids: str) -> dict[str, Any]:
    """Everything that can be read about these people, and the stored pointers behind it."""
    read = {
        f"{one}{part}": world.call("GET", f"/profiles/{one}{part}", staff(world)).json
        for one in profile_ids
        for part in ("", "/timeline")
    }
    roots = {item["profile_id"]: item["root"] for item in world.items("ProfilesTable") if item["pk"].startswith("P#")}
    return read | {"roots": roots}


def canaries(world: World) -> str:
    """Two merged profiles of one person, full of what must never be seen where it does not belong."""
    anna = world.token("customer", ANNA)
    world.call("PUT", "/me", anna, json={"given_name": "canary-given", "birth_date": "1990-12-31"})
    other = created(
        world,
        family_name="canary-family",
        preferences={"note": "canary-given too"},
        identities=[
            {"kind": "email", "value": "canary@example.com"}, {"kind": "phone", "value": "06 99999999"},
            {"kind": "loyalty_card", "value": "canary1"},
        ],
    )  # fmt: skip
    deliver(world, happened(world, ANNA, "order.placed", "AAAA", "2026-11-01T10:00:00.000Z"))
    merge_id: str = merged(world, ANNA, other, reason="canary-because").json["merge_id"]
    world.settle()
    return merge_id


def assert_erased(world: World) -> None:
    for item in world.items("ProfilesTable"):
        assert not item["pk"].startswith(("ID#", "LINK#", "T#")), item["pk"]
        assert "sealed" not in item
    assert all("wrapped" not in item for item in world.items("ProfileKeysTable"))
    receipts = [item for item in world.items("ProfilesTable") if item["pk"].startswith("ERASURE#")]
    assert [item["state"] for item in receipts] == ["done"]
    assert len(world.events("profile.erased")) >= 2
