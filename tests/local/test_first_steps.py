"""What somebody meets who has just run `make up`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import urllib3

from infra import sam
from infra.client import Api


def test_the_platform_describes_itself(platform: dict[str, Any]) -> None:
    assert set(platform["tokens"]) == {"customer", "customer2", "staff", "device"}
    assert {"ams-kalverstraat", "nl-warehouse"} <= set(platform["locations"])
    assert len(platform["skus"]) >= 60
    for provider in ("stripe", "mollie"):
        assert platform["providers"][provider]["url"].startswith("http://127.0.0.1:")
        assert platform["providers"][provider]["webhook_secret"]


def test_the_printed_curl_lines_work(mandje: Any, platform: dict[str, Any]) -> None:
    # GIVEN what `up` printed (a second `up` only says where it runs)
    assert "already running" in mandje("up").stdout
    api, sku = platform["api_url"], "TEE-NAVY-M"
    for address in (f"{api}/products/{sku}", f"{api}/stock/{sku}?near=52.37,4.90"):
        answer = subprocess.run(["curl", "-s", address], capture_output=True, text=True, check=True).stdout
        assert json.loads(answer)["sku"] == sku


def test_a_browser_page_may_call_it(platform: dict[str, Any]) -> None:
    asked = {"Origin": "https://shop.example", "Access-Control-Request-Method": "POST",
             "Access-Control-Request-Headers": "authorization,idempotency-key"}  # fmt: skip
    preflight = urllib3.request("OPTIONS", f"{platform['api_url']}/baskets", headers=asked)
    assert preflight.status in (200, 204)
    assert preflight.headers["Access-Control-Allow-Origin"] == "*"
    assert "idempotency-key" in preflight.headers["Access-Control-Allow-Headers"].lower()
    for method, path, status in (("GET", "/products/TEE-NAVY-M", 200), ("GET", "/me", 401), ("GET", "/nowhere", 404)):
        answer = urllib3.request(method, platform["api_url"] + path, headers={"Origin": "https://shop.example"})
        assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (status, "*")


def test_the_contract_is_served(anyone: Api) -> None:
    document = anyone.get("/openapi.json")
    assert document["openapi"].startswith("3.1")
    assert "/checkouts" in document["paths"]
    page = anyone.call("GET", "/docs")
    assert page.headers["content-type"].startswith("text/html")


def test_the_demo_ends_well_and_the_doctor_agrees(mandje: Any, platform: dict[str, Any]) -> None:
    told = mandje("demo")
    assert told.returncode == 0, told.stdout + told.stderr
    assert "order.paid" in told.stdout
    seen = mandje("doctor")
    assert seen.returncode == 0, seen.stdout + seen.stderr
    # AND it says which of the twelve it has looked at, and which not
    assert "9 ok, 0 WRONG with 0 violations, 3 not looked at (I7, I8, I11)" in seen.stdout


def test_a_till_may_sell_but_not_erase_and_what_it_does_is_kept(mandje: Any, platform: dict[str, Any]) -> None:
    till, staff = (Api(platform["api_url"], platform["tokens"][who]) for who in ("device", "staff"))
    person = till.post("/profiles", {"given_name": "Ann"})["profile_id"]
    for method, path in (("DELETE", f"/profiles/{person}"), ("GET", f"/profiles/{person}/export")):
        refused = till.call(method, path)
        assert (refused.status, refused.body["type"]) == (403, "/problems/forbidden")
    assert staff.ask("DELETE", f"/profiles/{person}")["state"] in ("running", "done")
    told = mandje("audit", f"profile/{person}", "--json")
    (entry,) = [json.loads(line) for line in told.stdout.splitlines()]
    assert (entry["action"], entry["by"].split(":")[0]) == ("profile.erased", "staff")


_STAGES = """
import json
from infra.client import emulator, running_platform
client = emulator(running_platform(), "apigateway")
apis = [api["id"] for api in client.get_rest_apis()["items"]]
print(json.dumps([stage["stageName"] for api in apis for stage in client.get_stages(restApiId=api)["item"]]))
"""


def test_there_is_one_stage(platform: dict[str, Any], platform_home: Path) -> None:
    """SAM's second one, `Stage`, would have no throttle. Asked in another process: in this one, AWS may be a world."""
    environment = os.environ | {"MANDJE_RUN": str(platform_home)}
    command = [sys.executable, "-c", _STAGES]
    done = subprocess.run(command, cwd=sam.ROOT, env=environment, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == ["v1"]


def test_live_invoke_shows_the_calls(mandje: Any, platform: dict[str, Any]) -> None:
    shown = mandje("invoke", "catalog.api", "events/catalog/get-product.json", "--live", "--json")
    assert shown.returncode == 0, shown.stdout + shown.stderr
    outcome = json.loads(shown.stdout)
    assert outcome["answer"]["statusCode"] == 200
    assert any("GetItem" in call["name"] for call in outcome["calls"])
