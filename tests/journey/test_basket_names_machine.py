"""Two logs of one name, any interleaving: every add is in a basket, in an order, or its batch was refused.

The machine of `test_basket_machine` plays the rest of the shop around them: simple clients that set and remove, sign-in
and its undo, orders that are placed and given back. Each operation says its own moment, as a device's clock does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule, run_state_machine_as_test

from tests.journey.test_basket_machine import Baskets, Device, settings_for


class TwoOfOneName(Baskets):
    """As `Baskets`; and beside each device stands another one that uses its name, token and address."""

    def __init__(self) -> None:
        super().__init__()
        self.twins = [Device(each.name, each.entry, each.token) for each in self.devices]
        self.applied: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
        """What was applied at each place of a log, by address, token and name."""
        self.moment = 0

    SENDER = st.sampled_from([0, 4, 0, 4, 1, 5, 3, 7])
    """Places in `device`: mostly the guest's app and its twin."""
    KIND = st.sampled_from(["add", "add", "add", "set", "remove", "save_for_later", "move_to_basket"])

    def device(self, which: int) -> Device:
        return [*self.devices, *self.twins][which]

    @rule(which=SENDER, kind=KIND, sku=Baskets.SKU, quantity=Baskets.QUANTITY, says=st.booleans())
    def edit_online(self, which: int, kind: str, sku: str, quantity: int, says: bool) -> None:
        self.edit_on_a_device(which, kind, sku, quantity, says, online=True)

    @rule(which=SENDER, kind=KIND, sku=Baskets.SKU, quantity=Baskets.QUANTITY, says=st.booleans())
    def edit_online_too(self, which: int, kind: str, sku: str, quantity: int, says: bool) -> None:
        self.edit_on_a_device(which, kind, sku, quantity, says, online=True)

    @rule(which=SENDER, kind=KIND, sku=Baskets.SKU, quantity=Baskets.QUANTITY, says=st.booleans(), online=st.booleans())
    def edit_on_a_device(self, which: int, kind: str, sku: str, quantity: int, says: bool, online: bool) -> None:
        device = self.device(which)
        device.seq += 1
        self.moment += 1
        at = f"2026-11-21T09:30:00.{self.moment:06}Z"
        operation: dict[str, Any] = {"seq": device.seq, "op": kind, "sku": sku, "at": at}
        if kind in ("add", "set"):
            operation["quantity"] = quantity
        if kind not in ("add", "save_for_later", "move_to_basket") and says:
            operation["seen"] = []
        device.queue.append(operation)
        if online:
            self.push(which, 5, 0, False)

    @rule(which=SENDER, count=st.integers(1, 5), again=st.integers(0, 2), lost=st.booleans())
    def push(self, which: int, count: int, again: int, lost: bool) -> None:
        """Send the next part of a log. A refusal is an answer; whatever is not refused is in the log for good."""
        device = self.device(which)
        fresh = device.queue[:count]
        batch = (device.sent[len(device.sent) - again :] if again else []) + fresh
        if not batch:
            return
        log = self.applied.setdefault((device.entry.address, device.token, device.name), [])
        before = len(log)
        body = {"device_id": device.name, "operations": batch}
        path = f"/baskets/{self.ids[device.entry.address]}/operations"
        answer = self.world.call("POST", path, device.token, json=body)
        if answer.status == 409:
            assert answer.json["type"] in ("/problems/sequence-conflict", "/problems/sequence-gap"), answer
            return
        assert answer.status == 200, answer
        for operation in batch:
            if operation["seq"] <= before:
                assert log[operation["seq"] - 1] == operation, "an add was taken for another one"
                continue
            log.append(operation)
            self._carry_out(device, operation)
        assert answer.json["applied_seq"] == len(log)
        device.sent += fresh
        del device.queue[: len(fresh)]
        if lost:
            repeat = self.world.call("POST", path, device.token, json=body)
            assert repeat.headers.get("idempotent-replayed") == "true"

    def _carry_out(self, device: Device, operation: dict[str, Any]) -> None:
        writer = device.name if device.token not in (self.guest_token, self.customer) else f"~{device.name}"
        seen = [] if "seen" in operation else None
        name = f"{writer}|{operation['seq']}"
        self.spec.carry_out(device.entry, name, operation["op"], operation["sku"], operation.get("quantity", 0), seen)

    @precondition(lambda self: any(device.queue for device in self.twins))
    @rule(which=st.integers(0, 3))
    def start_again_under_the_name(self, which: int) -> None:
        """An installation that lost its log: it begins at one, under the old name."""
        self.twins[which] = Device(self.twins[which].name, self.twins[which].entry, self.twins[which].token)

    def teardown(self) -> None:
        for device in [*self.devices, *self.twins]:
            device.queue.clear()  # what was refused for good is for its device to take up under a new name
        super().teardown()


def play(examples: int, steps: int = 30) -> None:
    run_state_machine_as_test(TwoOfOneName, settings=settings_for(examples, steps))


def test_no_add_of_two_logs_of_one_name_is_lost() -> None:
    play(examples=15)


# ------------------------------------------------------------------------------------------------- seeded mistakes


def only_dots_prove(monkeypatch: pytest.MonkeyPatch) -> None:
    """Repeats are compared with what is still in the basket only: what is gone counts as the same."""
    from basket import logs

    proofs = logs.proofs

    def of_dots(at: Any, writer: str, applied: int, first: int) -> Any:
        known = proofs(at, writer, applied, first)
        return AnyProof({seq: proof for seq, proof in known.items() if f"{writer}|{seq}" in at.item["dots"]})

    monkeypatch.setattr(logs, "proofs", of_dots)


class AnyProof(dict[int, Any]):
    """Where it knows nothing, whatever comes is right."""

    def get(self, seq: int, default: Any = None) -> Any:
        return super().get(seq, Whatever())


class Whatever:
    """Equal to everything."""

    def __eq__(self, other: object) -> bool:
        return True

    def __ne__(self, other: object) -> bool:
        return False

    def __hash__(self) -> int:
        return 0


def repeats_are_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was applied before is skipped unseen."""
    from basket import operations

    monkeypatch.setattr(operations, "check_repeats", lambda *said: None)


@pytest.mark.parametrize("mistake", [only_dots_prove, repeats_are_skipped], ids=lambda mistake: mistake.__name__)
def test_the_machine_finds(mistake: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch) -> None:
    mistake(monkeypatch)
    with pytest.raises(BaseException) as found:
        play(examples=60)
    assert "AssertionError" in repr(found.value), found
