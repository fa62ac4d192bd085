#!/bin/sh
# Writes the lock files: one version set for every Python from 3.11 and every platform, hashes, no index address.
# Usage: infra/lock.sh [--upgrade]     (through `make lock`)
set -eu
cd "$(dirname "$0")/.."

compile() {
    # The header and the origins are left out: they would carry file paths of the machine that ran this.
    "${UV:-uv}" pip compile --quiet --universal --python-version 3.11 --generate-hashes \
        --no-emit-index-url --no-emit-find-links --no-header --no-annotate "$@"
}

compile pyproject.toml --extra dev --output-file requirements/dev.txt "$@"
compile requirements/ministack.in --output-file requirements/ministack.txt "$@"
# What ships is what was tested: the layers take their versions from the development lock.
compile pyproject.toml --constraint requirements/dev.txt --output-file layers/vendor/requirements.txt
compile layers/crypto/requirements.in --constraint requirements/dev.txt --output-file layers/crypto/requirements.txt
compile layers/people/requirements.in --constraint requirements/dev.txt --output-file layers/people/requirements.txt
# What the locked packages require, so that a test can prove the locks complete without the network.
"${PYTHON:-python3}" infra/locks.py
