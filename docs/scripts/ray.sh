#!/usr/bin/env bash
# The cells of a suite on the Ray cluster at RAY_ADDRESS; without that, on a Ray that is started here for the run.
# Data and results must be at the same paths on every machine.
set -euo pipefail
SUITE=${SUITE:-imagenet}
DATA=${DATA:-data}
RESULTS=${RESULTS:-results}

exec trionet-bench run "$SUITE" --executor ray --data-root "$DATA" --results "$RESULTS"
