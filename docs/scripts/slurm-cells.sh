#!/usr/bin/env bash
#SBATCH --job-name=trionet
#SBATCH --array=0-15                 # workers side by side; each takes cells that no other has claimed
#SBATCH --ntasks=1
#SBATCH --gpus-per-task=1
#SBATCH --cpus-per-task=12
#SBATCH --time=24:00:00
#SBATCH --requeue                    # after a failure of the node or a preemption
#SBATCH --signal=B:TERM@120          # two minutes before the time limit, to the program itself: it ends in order
#SBATCH --output=slurm-%A-%a.log
# The cells of a suite on a Slurm cluster. All workers share one results folder on a file system that all see:
# a cell is claimed by a file before it starts, so none is done twice. Submit it again to go on after the time limit.
set -euo pipefail
SUITE=${SUITE:-imagenet}
DATA=${DATA:-data}
RESULTS=${RESULTS:-results}

exec trionet-bench run "$SUITE" --data-root "$DATA" --results "$RESULTS" --jobs "${JOBS:-1}" --no-report
