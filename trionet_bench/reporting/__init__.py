"""Records to tables, figures and one HTML page. A kind of table or figure is one entry of a list."""

import os

from trionet_bench.caching import cache_folder, home_is_usable

# Where its folders cannot be written, matplotlib makes one anew in every process, and warns each time. It reads the
# variable when it is imported, which every module of this package comes before.
if "MPLCONFIGDIR" not in os.environ and not home_is_usable():
    os.environ["MPLCONFIGDIR"] = str(cache_folder() / "matplotlib")
