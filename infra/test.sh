#!/bin/sh
# Runs the test tiers in two groups side by side: rules, contract and journeys, shown as they run; explorations and
# whatever runs other processes beside them, shown at the end.
# Usage: infra/test.sh [pytest options]        COVERAGE=1 traces the first group, which takes half as long again
set -u
cd "$(dirname "$0")/.."
python=.venv/bin/python
log=.mandje/logs/test-beside.log
mkdir -p .mandje/logs

$python -m pytest -p no:cacheprovider tests/faults tests/engines tests/local tests/install tests/third_party "$@" >"$log" 2>&1 &
beside=$!
trap 'kill $beside 2>/dev/null; exit 130' INT TERM
# Explorations branch by forking and the local tier runs other processes: neither could be traced.
$python -m pytest ${COVERAGE:+--cov --cov-report=term:skip-covered} tests/unit tests/contract tests/template tests/journey "$@"
first=$?
wait $beside
second=$?
cat "$log"
# 5: the options chose no test of this group; of both, and there was nothing to run.
[ $first -ne 5 ] || [ $second -ne 5 ] || { echo "mandje: no test was chosen." >&2; exit 5; }
for status in $first $second; do
    [ $status -eq 0 ] || [ $status -eq 5 ] || exit $status
done
