#!/bin/sh
# Makes the environments of this repository from their lock files; does nothing when they are up to date.
# Usage: infra/install.sh dev|ministack|lock ...        PYTHON=python3.12 chooses the interpreter
#
# A lock file names everything, so installing never resolves (--no-deps) and never builds (--only-binary): what is
# installed cannot depend on the day, on the age of pip, or on a compiler. `pip check` then proves that it is complete.
# Where packages come from is the user's own pip configuration: an index, a mirror, a folder of wheels.
set -eu
cd "$(dirname "$0")/.."

# Settings of the user's shell that would change what is installed, or where to.
unset PYTHONPATH PYTHONHOME PIP_TARGET PIP_PREFIX PIP_NO_BINARY PIP_CONSTRAINT PIP_REQUIRE_HASHES 2>/dev/null || true
export PIP_USER=0 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PIP_NO_COLOR=1

die() { printf 'mandje: %s\n' "$*" >&2; exit 1; }

is_python() { command -v "$1" >/dev/null 2>&1 && "$1" -c "import sys; sys.exit(not ($2))" 2>/dev/null; }

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        is_python "$PYTHON" 'sys.version_info >= (3, 11)' || die "PYTHON=$PYTHON is not a Python 3.11 or newer."
        echo "$PYTHON"; return
    fi
    # The versions that the locks are proved for come first; a newer one may do as well.
    for versions in '(3, 11) <= sys.version_info < (3, 14)' 'sys.version_info >= (3, 14)'; do
        for candidate in python3 python python3.13 python3.12 python3.11 python3.14; do
            if is_python "$candidate" "$versions"; then echo "$candidate"; return; fi
        done
    done
    die "Python 3.11 or newer is needed, and 'python3' is $(python3 --version 2>/dev/null || echo missing); install one or say which: make ... PYTHON=/path/to/python3.12"
}

hash_of() { # of the files' contents and of this folder: an environment does not survive being moved
    "$python" -c 'import hashlib, os, sys
sys.stdout.write(hashlib.sha256(b"\0".join([os.getcwd().encode(), *(open(f, "rb").read() for f in sys.argv[1:])])).hexdigest())' "$@"
}

# up_to_date <folder> <lock file>
up_to_date() { [ "$(cat "$1/.installed" 2>/dev/null)" = "$(hash_of "$2" infra/install.sh)" ] && "$1/bin/python" -c '' 2>/dev/null; }

# why_not <folder> <lock file> <log>: one sentence about a failed installation
why_not() {
    folder=$1; shift
    machine=$("$python" -c 'import platform as p; print("Python", p.python_version(), "on", p.system(), p.machine())')
    package=$(sed -n 's/^ERROR: No matching distribution found for \([^ ]*\).*/\1/p' "$2" | head -n 1)
    if [ -n "$package" ]; then
        # pip says the same of a package that is not there and of an index that is not; asked to talk, it tells them apart.
        "$folder/bin/python" -m pip download -vv --no-deps --only-binary :all: --dest "$folder" "$package" >>"$2" 2>&1 || true
    fi
    if grep -qE 'Could not fetch URL .*(onnection|timed out|SSL|roxy)|NewConnectionError|NameResolutionError|ConnectTimeout|ReadTimeout|ProxyError|SSLError' "$2"; then
        echo "your package index cannot be reached; see 'pip config list' for where pip looks, or try again when you are online."
    elif grep -q 'DO NOT MATCH THE HASHES' "$2"; then
        echo "your package index sent other files than $1 names (their hashes differ); ask who runs the mirror."
    elif [ -n "$package" ]; then
        echo "there is no ready-made package of $package for $machine on your package index; use Python 3.11, 3.12 or 3.13 (make up PYTHON=python3.13), or an index that has it."
    elif grep -qi 'No space left on device' "$2"; then
        echo "the disk is full; 1 GB is needed."
    else
        echo "installing from $1 failed: $(grep -m1 -E '^ERROR' "$2" || echo 'see the log')"
    fi
}

# environment <folder> <lock file> <name>: runs in a process of its own, so that environments are made side by side
environment() {
    folder=$1 lock=$2 log=.mandje/logs/install-$3.log
    rm -rf "$folder"
    mkdir -p "$(dirname "$folder")"
    "$python" -m venv "$folder" >"$log" 2>&1 ||
        die "this Python cannot make virtual environments; on Debian or Ubuntu: apt install python3-venv   (details: $log)"
    # Python compiles what it imports by itself: compiling all of it would be half of the waiting.
    "$folder/bin/python" -m pip install --no-deps --require-hashes --only-binary :all: --no-compile -r "$lock" >>"$log" 2>&1 ||
        die "$(why_not "$folder" "$lock" "$log")   (details: $log)"
    "$folder/bin/python" -m pip check >>"$log" 2>&1 ||
        die "$lock is not complete: $(tail -n 1 "$log")   (details: $log)"
}

python=$(find_python)
dev='' ministack=''
for which in "$@"; do
    case $which in
        dev) up_to_date .venv requirements/dev.txt || dev=missing ;;
        ministack) up_to_date .mandje/ministack requirements/ministack.txt || ministack=missing ;;
        lock)
            [ -x .mandje/lock/bin/uv ] || {
                mkdir -p .mandje && "$python" -m venv .mandje/lock && .mandje/lock/bin/pip install --quiet uv==0.13.9 packaging==26.3
            } || die "uv and packaging, which write the lock files, could not be installed." ;;
        *) die "no environment is called '$which'." ;;
    esac
done
[ -n "$dev$ministack" ] || exit 0

started=$(date +%s)
mkdir -p .mandje/logs
printf 'Installing Python packages into .venv and .mandje (once per lock file) ... '
dev_process='' ministack_process=''
if [ -n "$dev" ]; then environment .venv requirements/dev.txt development & dev_process=$!; fi
if [ -n "$ministack" ]; then environment .mandje/ministack requirements/ministack.txt ministack & ministack_process=$!; fi
trap 'kill $dev_process $ministack_process 2>/dev/null; exit 130' INT TERM
failed=''
for process in $dev_process $ministack_process; do wait "$process" || failed=yes; done
[ -z "$failed" ] || exit 1

if [ -n "$dev" ]; then
    # The `mandje` command; everything it needs is already there, so nothing is fetched or isolated.
    log=.mandje/logs/install-development.log
    .venv/bin/python -m pip --isolated install --no-deps --no-build-isolation --no-index -e . >>"$log" 2>&1 ||
        die "installing the mandje command failed   (details: $log)"
    hash_of requirements/dev.txt infra/install.sh >.venv/.installed
fi
if [ -n "$ministack" ]; then
    hash_of requirements/ministack.txt infra/install.sh >.mandje/ministack/.installed
    if [ -x .venv/bin/python ]; then
        # Part of installing rather than of every first start; what is wrong with it, `mandje up` says better.
        .venv/bin/python -m infra.cli build --target local >>.mandje/logs/install-ministack.log 2>&1 || true
    fi
fi
echo "$(($(date +%s) - started)) s"
