"""The systems by name. Adding one: its folder, and a line here (``docs/adding-system.md``)."""

from trionet_bench.registry import Registry
from trionet_bench.systems.base import AnySystem
from trionet_bench.systems.correlation.system import Correlation
from trionet_bench.systems.fab.system import Fab
from trionet_bench.systems.fab_correlation.system import FabCorrelation
from trionet_bench.systems.glit.system import GLiT
from trionet_bench.systems.halving.system import Halving
from trionet_bench.systems.pretrained.system import Pretrained
from trionet_bench.systems.standalone.system import Standalone
from trionet_bench.systems.trionet.system import TrioNet

SYSTEMS: Registry[AnySystem] = Registry(
    "system", [Correlation(), Fab(), FabCorrelation(), GLiT(), Halving(), Pretrained(), Standalone(), TrioNet()]
)
