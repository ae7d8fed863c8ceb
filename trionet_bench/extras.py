"""How to get the packages that only some commands need, from a checkout as well as from a wheel."""

import shlex
from importlib.metadata import PackageNotFoundError, requires


def install_command(extra: str) -> str:
    """What to type for the packages of an extra of this package."""
    try:
        listed = requires("trionet_bench") or ()
    except PackageNotFoundError:  # run from a folder that was never installed
        listed = ()
    packages = [line.partition(";")[0].strip() for line in listed if f'extra == "{extra}"' in line]
    if not packages:  # installed before there was this extra
        return f"pip install -e '.[{extra}]' in the checkout"
    return shlex.join(["pip", "install", *packages])
