"""What can go wrong, as RFC 9457 problems. Rules and stores raise these; the door writes them out."""

from typing import Any


class Problem(Exception):
    """An answer the caller can act on: `slug` is stable, `detail` is for people, `extra` are further members."""

    def __init__(self, status: int, slug: str, title: str, detail: str = "", **extra: Any) -> None:
        super().__init__(detail or title)
        self.status, self.slug, self.title, self.detail, self.extra = status, slug, title, detail, extra

    def as_map(self, instance: str | None = None) -> dict[str, Any]:
        """The problem+json document."""
        body = {"type": f"/problems/{self.slug}", "title": self.title, "status": self.status}
        body |= {"detail": self.detail} if self.detail else {}
        body |= {"instance": instance} if instance else {}
        return body | self.extra


def not_found(what: str) -> Problem:
    """404, also for what exists but belongs to somebody else."""
    return Problem(404, "not-found", "Not found", f"There is no such {what}.")


def forbidden(scope: str) -> Problem:
    """403: the token is good, but lacks a scope."""
    return Problem(403, "forbidden", "Not allowed", f"This needs the scope {scope}.")


def elsewhere() -> Problem:
    """403: the scope is there, but this belongs to another location than the caller's."""
    return Problem(403, "forbidden", "Not allowed", "This belongs to another location than yours.")


def conflict(slug: str, detail: str, **extra: Any) -> Problem:
    """409: what was asked does not fit the present state."""
    return Problem(409, slug, slug.replace("-", " ").capitalize(), detail, **extra)


def invalid(location: list[str | int], message: str, kind: str = "value_error") -> Problem:
    """422 for a rule that only the whole request, or our data, can show to be broken."""
    error = {"loc": location, "msg": message, "type": kind}
    return Problem(422, "validation", "The request is not valid", message, errors=[error])


def busy(detail: str = "Please try again in a moment.") -> Problem:
    """503 with Retry-After: contention or throttling outlasted our own retries. Nothing was changed."""
    return Problem(503, "busy", "Too busy right now", detail)
