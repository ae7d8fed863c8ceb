#!/usr/bin/env bash
# The cells of a suite on a Ray cluster. Data and results must be at the same paths on every machine.
# Before it, on the head node:   ray start --head --port=6379
# and on every other machine:    ray start --address=HEAD:6379
# Without RAY_ADDRESS a Ray is started here for the run.
set -euo pipefail
SUITE=${SUITE:-imagenet}
DATA=${DATA:-data}
RESULTS=${RESULTS:-results}

exec trionet-bench run "$SUITE" --executor ray --data-root "$DATA" --results "$RESULTS"
