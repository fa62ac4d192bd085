"""The parts of an update, and how long things of a guest are kept."""

from typing import Any

from commerce import clock, due

GUEST_KEPT_S = 30 * 24 * 3600
"""A guest's basket goes after 30 days without an edit. Owned baskets stay."""
GUEST_TOKEN_S = 180 * 24 * 3600
"""How long a guest's token works, and how long a merged basket's old address and the merge's undo do."""


class Parts:
    """The parts of an update, gathered."""

    def __init__(self) -> None:
        self.set: list[str] = []
        self.remove: list[str] = []
        self.when: list[str] = []
        self.values: dict[str, Any] = {}
        self.names: dict[str, str] = {}

    def look_after(self, pk: str, seconds: int) -> None:
        """The sweeper looks at the basket then, unless it is to do so sooner.

        Only a basket that fell silent gets a new moment: moving it with every edit would write the index each time.
        """
        at = due.fields(pk, clock.after(seconds))
        self.set += [f"{name} = if_not_exists({name}, :{name})" for name in at]
        self.values |= {f":{name}": value for name, value in at.items()}
