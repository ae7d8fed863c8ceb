#!/usr/bin/env bash
# ImageNet on one machine with eight GPUs: the supernet on all of them, then a cell on each.
# Start it again after any interruption: what is done is not done again.
set -euo pipefail
SUITE=${SUITE:-imagenet}
DATA=${DATA:-data}                # holds imagenet/train and imagenet/val
ONLY=${ONLY:-budget=2.3G}         # one budget first; ONLY='*' takes all
RESULTS=${RESULTS:-results}
NPROC=${NPROC:-8}

only=(); [ "$ONLY" = '*' ] || only=(--only "$ONLY")
torchrun --standalone --nproc-per-node "$NPROC" -m trionet_bench search supernet "$SUITE" \
    --data-root "$DATA" --results "$RESULTS" "${only[@]}"
trionet-bench run "$SUITE" --data-root "$DATA" --results "$RESULTS" "${only[@]}"
