"""Fixtures of the template tier."""

from __future__ import annotations

from typing import Any

import pytest

from infra import sam
from tests.template.translated import translate


@pytest.fixture(scope="session")
def translated() -> dict[str, Any]:
    """`template.yaml` after the SAM transform, as CloudFormation would deploy it. Read it, do not change it."""
    return translate(sam.load())
