"""MACs of the networks of a cell's space on the cell's images."""

from trionet_bench.networks.skeletons import architecture_macs
from trionet_bench.spaces.choice import Cost, Genes, Space
from trionet_bench.systems.cell import AnyCell


def cost_in(cell: AnyCell, space: Space | None = None) -> Cost:
    """MACs of a child of the cell's space, or of another ``space``, for one image of the cell."""
    chosen, index = space or cell.space, cell.data.index
    outputs, channels, resolution = cell.data.task.outputs(index), index.channels, cell.resolution

    def macs(genes: Genes) -> int:
        return architecture_macs(chosen.decode(genes), outputs, channels, resolution)

    return macs
