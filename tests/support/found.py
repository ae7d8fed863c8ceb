"""Results of searches as frames, without records: which operators stand where, under one prior."""

from collections.abc import Collection, Sequence

import pandas as pd
from support.tasks import CLASSIFICATION

from trionet_bench.analysis.merging import CELL
from trionet_bench.analysis.results import Declared, Results

THIRDS = {"conv": 1 / 3, "local": 1 / 3, "axial": 1 / 3}
Network = Sequence[Sequence[str]]  # operators of each stage's blocks


def found(
    networks: dict[str, Sequence[Network]],
    model: str = "m",
    sources: dict[str, str] | None = None,
    at_chance: Collection[int] = (),
) -> Results:
    """Networks by data set, one a seed, each block with equal prior for the three operators; some seeds drew theirs
    blindly, since their supernet was at chance.
    """
    cells, blocks, priors = [], [], []
    for dataset, of_set in networks.items():
        source = (sources or {}).get(dataset, f"folder:{dataset}")
        for seed, network in enumerate(of_set):
            cell = (dataset, 1, model, seed)
            cells.append((*cell, "complete", source, "evolution", "at chance" if seed in at_chance else None))
            for stage, operators in enumerate(network):
                for block, operator in enumerate(operators):
                    blocks.append((*cell, stage, block, operator, 10, 1.0))
                    priors += [(*cell, stage, block, each, share) for each, share in THIRDS.items()]
    frame = pd.DataFrame(cells, columns=[*CELL, "status", "source", "algorithm", "at_chance"])
    empty = pd.DataFrame()
    return Results(
        Declared((), (), (), frame[CELL]),
        CLASSIFICATION,
        frame,
        pd.DataFrame(blocks, columns=[*CELL, "stage", "block", "operator", "macs", "share"]),
        pd.DataFrame(priors, columns=[*CELL, "stage", "block", "operator", "share"]),
        empty,
        empty,
        empty,
        models=(model,),
        datasets=tuple(networks),
    )
