"""Who is calling, as the authorizer established it. Object keys are built from this, never from the request."""

from dataclasses import dataclass, field
from typing import Any, Literal

from commerce import problems

Kind = Literal["guest", "customer", "staff", "device"]

OWN_LOCATION = "location:own"
"""The scope that binds a member of staff to the location of the token, as every device is bound."""


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller: `id` is the basket of a guest, the customer id of a customer, the subject of staff and devices."""

    kind: Kind
    id: str
    scopes: frozenset[str] = field(default_factory=frozenset)
    location_id: str | None = None

    @property
    def key(self) -> str:
        """Distinguishes callers in stored keys (`customer:<id>`)."""
        return f"{self.kind}:{self.id}"

    @property
    def serves(self) -> bool:
        """Staff and tills act for others, within their scopes."""
        return self.kind in ("staff", "device")

    def has(self, scope: str) -> bool:
        """Whether staff or a device holds this scope. Shoppers hold none."""
        return self.serves and scope in self.scopes

    def need(self, scope: str) -> None:
        """Raises 403 without the scope."""
        if not self.has(scope):
            raise problems.forbidden(scope)

    @property
    def bound(self) -> bool:
        """Whether this caller acts for its own location only: every device, and staff whose token says so."""
        return self.kind == "device" or (self.kind == "staff" and OWN_LOCATION in self.scopes)

    def acts_at(self, *places: str | None) -> bool:
        """Whether this caller may act on what belongs to these places: a bound one, if one of them is its own."""
        return not self.bound or (self.location_id is not None and self.location_id in places)

    def need_place(self, *places: str | None) -> None:
        """Raises 403 for a bound caller that stands elsewhere. What belongs to no place is not its own either."""
        if not self.acts_at(*places):
            raise problems.elsewhere()

    def need_place_if_any(self, *places: str | None) -> None:
        """As `need_place`, but what belongs to no place at all may be looked at and served everywhere."""
        if any(places):
            self.need_place(*places)

    def as_context(self) -> dict[str, str]:
        """The flat strings that API Gateway passes from the authorizer to a function."""
        context = {"kind": self.kind, "id": self.id, "scopes": " ".join(sorted(self.scopes))}
        return context | ({"location_id": self.location_id} if self.location_id else {})

    @classmethod
    def of_event(cls, event: dict[str, Any]) -> "Principal":
        """The caller of a proxy event. Raises 401 if no authorizer ran: a private route fails closed."""
        context = (event.get("requestContext") or {}).get("authorizer") or {}
        if context.get("kind") not in ("guest", "customer", "staff", "device"):
            raise problems.Problem(401, "unauthorized", "Who are you?", "This needs a bearer token.")
        scopes = frozenset((context.get("scopes") or "").split())
        return cls(context["kind"], context["id"], scopes, context.get("location_id") or None)
