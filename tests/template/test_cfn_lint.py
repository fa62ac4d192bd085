"""CloudFormation's own rules, through cfn-lint."""

import subprocess
import sys
from pathlib import Path

from infra import sam


def test_the_template_is_valid_cloudformation() -> None:
    lint = Path(sys.executable).with_name("cfn-lint")
    found = subprocess.run(
        [str(lint), "--non-zero-exit-code", "warning", str(sam.TEMPLATE)], capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stdout + found.stderr
