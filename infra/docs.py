"""Write what is published about the code: docs/openapi.json, the reference page and the event schemas.

`--check` writes nothing and fails if something on disk is not what the code says.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from infra import openapi, openapi_page, sam
from infra.say import Sorry

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`--check` for continuous integration."""
    parser.add_argument("--check", action="store_true", help="write nothing; fail if anything is out of date")


def run(args: argparse.Namespace) -> int:
    """Write or check."""
    files = generated()
    stale = sorted(path for path, text in files.items() if _read(path) != text)
    orphans = sorted(set((sam.ROOT / "events" / "schemas").glob("*.json")) - files.keys())
    if args.check:
        if stale or orphans:
            names = ", ".join(str(path.relative_to(sam.ROOT)) for path in [*stale, *orphans])
            raise Sorry(f"out of date: {names}. Run `make docs` and commit what it writes.")
        return 0
    for path in stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(files[path], encoding="utf-8")
    for path in orphans:
        path.unlink()
    print(f"{len(files)} files, {len(stale)} changed, {len(orphans)} removed")
    return 0


def generated() -> dict[Path, str]:
    """Every generated file and what must be in it. Raises `Sorry` when the code contradicts itself."""
    document = openapi.document()
    contract = openapi.as_text(document)
    reference = sam.ROOT / "functions" / "reference"
    files = {
        sam.ROOT / "docs" / "openapi.json": contract,
        reference / "openapi.json": contract,
        reference / "docs.html": openapi_page.page(document),
    }
    return files | {sam.ROOT / "events" / "schemas" / name: text for name, text in event_schemas().items()}


def event_schemas() -> dict[str, str]:
    """File name -> JSON Schema of each event's `data`, and of the envelope all of them travel in."""
    from commerce import events  # the kernel is on the path only once the command runs

    schemas: dict[str, dict[str, Any]] = {"envelope": events.Envelope.model_json_schema()}
    for kind, model in events.TYPES.items():
        about = f"{(model.__doc__ or '').strip()} Source: `mandje.{model.source}`, subject: `{model.subject}`."
        schema = model.model_json_schema(mode="serialization")
        schemas[kind] = schema | {"title": kind, "description": " ".join(about.split())}
    return {
        f"{name}.json": json.dumps(
            {"$schema": _DIALECT, "$id": f"/events/schemas/{name}.json"} | schema, indent=2, sort_keys=False
        )
        + "\n"
        for name, schema in schemas.items()
    }


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None
