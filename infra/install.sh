#!/bin/sh
# Makes the environments of this repository from their lock files; does nothing when they are up to date.
# Usage: infra/install.sh dev|ministack ...         PYTHON=python3.12 chooses the interpreter
set -eu
cd "$(dirname "$0")/.."

die() { printf 'mandje: %s\n' "$*" >&2; exit 1; }

new_enough() { command -v "$1" >/dev/null 2>&1 && "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        new_enough "$PYTHON" || die "PYTHON=$PYTHON is not a Python 3.11 or newer."
        echo "$PYTHON"; return
    fi
    for candidate in python3 python python3.13 python3.12 python3.11; do
        if new_enough "$candidate"; then echo "$candidate"; return; fi
    done
    die "Python 3.11 or newer is needed, and 'python3' is $(python3 --version 2>/dev/null || echo missing); install one or say which: make ... PYTHON=/path/to/python3.12"
}

hash_of() { # of the files' contents and of this folder: an environment does not survive being moved
    "$python" -c 'import hashlib, os, sys
sys.stdout.write(hashlib.sha256(b"\0".join([os.getcwd().encode(), *(open(f, "rb").read() for f in sys.argv[1:])])).hexdigest())' "$@"
}

# environment <folder> <lock file> <what to call it>
environment() {
    folder=$1 lock=$2 name=$3
    want=$(hash_of "$lock" infra/install.sh)
    if [ "$(cat "$folder/.installed" 2>/dev/null)" = "$want" ] && "$folder/bin/python" -c '' 2>/dev/null; then return; fi

    mkdir -p .mandje/logs
    log=.mandje/logs/install-$name.log
    started=$(date +%s)
    printf 'Installing %s (once per lock file) ... ' "$name"
    rm -rf "$folder"
    mkdir -p "$(dirname "$folder")"
    "$python" -m venv "$folder" >"$log" 2>&1 ||
        die "this Python cannot make virtual environments; on Debian or Ubuntu: apt install python3-venv   (details: $log)"
    "$folder/bin/python" -m pip install --require-hashes --disable-pip-version-check -r "$lock" >>"$log" 2>&1 ||
        die "installing from $lock failed: $(grep -m1 -E '^ERROR' "$log" || echo 'see the log')   (details: $log)"
    if [ "$name" = development ]; then
        # The `mandje` command; everything it needs is already there, so nothing is fetched or isolated.
        "$folder/bin/python" -m pip install --no-deps --no-build-isolation --disable-pip-version-check --no-index -e . >>"$log" 2>&1 ||
            die "installing the mandje command failed   (details: $log)"
    fi
    if [ "$name" = ministack ] && [ -x .venv/bin/python ]; then
        # Part of installing rather than of every first start; what is wrong with it, `mandje up` says better.
        .venv/bin/python -m infra.cli build --target local >>"$log" 2>&1 || true
    fi
    echo "$want" >"$folder/.installed"
    echo "$(($(date +%s) - started)) s"
}

python=$(find_python)
for which in "$@"; do
    case $which in
        dev) environment .venv requirements/dev.txt development ;;
        ministack) environment .mandje/ministack requirements/ministack.txt ministack ;;
        lock)
            [ -x .mandje/lock/bin/uv ] || {
                mkdir -p .mandje && "$python" -m venv .mandje/lock && .mandje/lock/bin/pip install --quiet --disable-pip-version-check uv==0.13.9
            } || die "uv, which writes the lock files, could not be installed." ;;
        *) die "no environment is called '$which'." ;;
    esac
done
