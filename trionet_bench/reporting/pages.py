"""How every HTML page is made from its template: all values escaped, a missing one an error."""

import jinja2

from trionet_bench.reporting.style import dark_colours


def page_environment() -> jinja2.Environment:
    """Of the templates of this package."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("trionet_bench.reporting"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.globals["dark_colours"] = dark_colours()
    return environment
