#!/usr/bin/env bash
#SBATCH --job-name=trionet-supernet
#SBATCH --nodes=1
#SBATCH --gpus-per-node=8
#SBATCH --cpus-per-task=96
#SBATCH --time=48:00:00
#SBATCH --requeue                    # after a failure of the node or a preemption
#SBATCH --output=slurm-%j.log
# The supernet of a suite on the eight GPUs of a node, before slurm-cells.sh. Submit it again where the time limit ends it.
set -euo pipefail
SUITE=${SUITE:-imagenet}
DATA=${DATA:-data}
RESULTS=${RESULTS:-results}

exec torchrun --standalone --nproc-per-node "${NPROC:-8}" -m trionet_bench search supernet "$SUITE" \
    --data-root "$DATA" --results "$RESULTS"
