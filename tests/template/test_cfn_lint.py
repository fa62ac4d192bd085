"""CloudFormation's own rules, through cfn-lint."""

import subprocess
import sys

from infra import sam


def test_the_template_is_valid_cloudformation() -> None:
    found = subprocess.run(
        [sys.executable, "-m", "cfnlint", "--non-zero-exit-code", "informational", str(sam.TEMPLATE)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert found.returncode == 0, found.stdout + found.stderr
