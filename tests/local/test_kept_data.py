"""KEEP=1 on a machine that is not kind: the cloud is killed, and its ledger and the providers' books still agree."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3

from infra import sam
from infra.client import Api, confirm_stripe
from infra.local.laptop import CLOUD_PYTHON
from tests.local.platform_fixture import free_ports

_SKU = "KEPT-1"
_EXAMINE = """
import json
from infra.doctor import examine, look
print(json.dumps([each.as_json() for each in examine(look.at_platform(), grace_s=0)]))
"""


class Laptop:
    """A platform of its own with KEEP=1, which a test may kill."""

    def __init__(self, home: Path) -> None:
        self.home = home
        names = ("--port", "--ministack-port", "--stripe-port", "--mollie-port", "--issuer-port")
        self.ports = [item for pair in zip(names, free_ports(len(names)), strict=True) for item in pair]
        self.environment = os.environ | {"MANDJE_RUN": str(home), "NO_COLOR": "1"}

    def run(self, *command: str) -> str:
        """A `mandje` command that must end well; what it said."""
        done = subprocess.run(
            [sys.executable, "-m", "infra.cli", *command],
            cwd=sam.ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def up(self) -> str:
        told = self.run("up", "--keep", "--no-seed", *self.ports)
        self.platform: dict[str, Any] = json.loads((self.home / "platform.json").read_text())
        return told

    def kill_cloud(self) -> None:
        """As the kernel would: no time to save anything."""
        os.kill(self.platform["pids"]["cloud"], signal.SIGKILL)

    def api(self, who: str | None = None) -> Api:
        return Api(self.platform["api_url"], self.platform["tokens"][who] if who else None)

    def buy(self) -> str:
        """Somebody orders one and pays it by card; the order's id."""
        guest = self.api().post("/baskets", {"channel": "web"})
        shopper, basket = Api(self.platform["api_url"], guest["token"]), guest["basket"]["basket_id"]
        shopper.post(f"/baskets/{basket}/lines", {"sku": _SKU, "quantity": 1})
        address = {"line1": "Dam 1", "postal_code": "1012 JS", "city": "Amsterdam"}
        asked = {
            "basket_id": basket,
            "contact": {"name": "Ann"},
            "fulfilment": {"kind": "delivery", "address": address},
        }
        order: str = shopper.post("/checkouts", asked)["order_id"]
        started = shopper.post(f"/orders/{order}/payments", {"provider": "stripe", "method": "online"})
        confirm_stripe(self.platform["providers"]["stripe"]["url"], started["client_secret"])
        give_up = time.monotonic() + 120
        while shopper.get(f"/orders/{order}")["state"] != "paid":
            assert time.monotonic() < give_up, "nobody heard of the payment"
            time.sleep(0.3)
        return order

    def stock_up(self) -> None:
        staff = self.api("staff")
        staff.put("/locations/nl-warehouse", {"name": "Warehouse", "kind": "warehouse"})
        staff.put(f"/products/{_SKU}", {"name": "Kept", "prices": [{"amount": 1000, "currency": "EUR"}]})
        body = {"location_id": "nl-warehouse", "sku": _SKU, "kind": "receipt", "quantity": 9, "reference": "r"}
        staff.post("/stock/movements", body, key=str(uuid.uuid4()))

    def captured(self) -> int:
        """What the stand-in for Stripe says it took in all."""
        answer = urllib3.request("GET", f"{self.platform['providers']['stripe']['url']}/_test/books")
        return sum(payment["captured"] for payment in answer.json()["payments"])

    def wrong(self) -> list[dict[str, Any]]:
        """What the doctor finds, without any allowance for what is under way."""
        rooms = os.pathsep.join(("functions", "layers/commerce/python", "."))
        done = subprocess.run(
            [sys.executable, "-c", _EXAMINE],
            cwd=sam.ROOT,
            env=self.environment | {"PYTHONPATH": rooms},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        said = json.loads(done.stdout.splitlines()[-1])
        assert [each["result"] for each in said if each["invariant"] == "I2"] != ["not looked at"]
        return [each for each in said if each["result"] == "WRONG"]


@pytest.fixture
def laptop(tmp_path: Path) -> Iterator[Laptop]:
    if not CLOUD_PYTHON.exists():
        pytest.skip("the local cloud is not installed here; `make test` installs it")
    made = Laptop(tmp_path)
    try:
        yield made
    finally:
        made.run("down", "--quiet", "--forget")


def test_after_a_kill_ledger_and_books_are_of_the_same_saved_moment(laptop: Laptop) -> None:
    # GIVEN an order that was paid and saved, and one that was paid afterwards
    assert "make down" not in laptop.up().split("Mandje is up")[0]
    laptop.stock_up()
    saved = laptop.buy()
    assert "for the next KEEP=1" in laptop.run("down")
    saved_at = json.loads((laptop.home / "state" / "kept.json").read_text())["saved_at"]
    laptop.up()
    assert laptop.captured() == 1000
    lost = laptop.buy()
    assert laptop.captured() == 2000
    time.sleep(4)  # the stand-ins save their books every three seconds
    # WHEN the cloud is killed and everything is started again
    laptop.kill_cloud()
    told = laptop.up()
    # THEN one line says so, and until when data is there
    (line,) = [each for each in told.splitlines() if "did not end by make down" in each]
    assert f"as saved at {saved_at}" in line
    # AND that is so, here and at the provider
    staff = laptop.api("staff")
    assert staff.get(f"/orders/{saved}")["state"] == "paid"
    assert staff.call("GET", f"/orders/{lost}").status == 404
    assert laptop.captured() == 1000
    assert laptop.wrong() == []
    # AND life goes on
    laptop.buy()
    assert laptop.captured() == 2000
