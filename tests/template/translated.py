"""The template as CloudFormation gets it: SAM's own translator has made every resource out of it.

The translator is installed with the local cloud (`requirements/ministack.txt`), which deploys through the very same
version, so it runs under that environment's Python.
"""

from __future__ import annotations

import copy
import json
import os
import subprocess
from typing import Any

from infra import sam
from infra.local import laptop

Template = dict[str, Any]

_TRANSLATE = """
import json, sys
from types import SimpleNamespace
from samtranslator.translator.transform import transform
asked = json.load(sys.stdin)
json.dump(transform(asked["template"], asked["parameters"], SimpleNamespace(load=dict)), sys.stdout)
"""


def translate(template: Template, parameters: dict[str, str] | None = None) -> Template:
    """What the SAM transform makes of a template. `parameters` are the values given beside the template's defaults."""
    uploaded = copy.deepcopy(template)
    # SAM takes code from S3 only; `mandje deploy` puts it there first.
    uploaded["Globals"]["Function"]["CodeUri"] = "s3://artefacts/function"
    for layer in sam.of_type(uploaded, sam.LAYER).values():
        layer["ContentUri"] = "s3://artefacts/layer"
    defaults = {name: str(each["Default"]) for name, each in template["Parameters"].items() if "Default" in each}
    asked = {"template": uploaded, "parameters": defaults | (parameters or {})}
    python = laptop.CLOUD_PYTHON
    assert python.exists(), "the local cloud is not installed: make up, or infra/install.sh ministack"
    done = subprocess.run(
        [str(python), "-c", _TRANSLATE],
        input=json.dumps(asked),
        env=os.environ | {"AWS_DEFAULT_REGION": laptop.REGION},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    translated: Template = json.loads(done.stdout)
    return translated
