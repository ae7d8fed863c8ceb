"""Studies from Python: the operators compared on a data set, or a suite run, as the command line does it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Unpack

import pandas as pd
from matplotlib.figure import Figure

from trionet_bench.api.results import Results
from trionet_bench.api.results import results as read_results
from trionet_bench.api.running import Ran, carry_out, comparison, open_session, quick_without_gpu
from trionet_bench.api.settings import RunOptions, RunSettings
from trionet_bench.execution.plan import State
from trionet_bench.records.layout import parse_budget
from trionet_bench.suite.autosuite import CompareOptions
from trionet_bench.suite.changes import Changes, as_settings, changed
from trionet_bench.suite.specification import Suite, read_document, suite_of


@dataclass(frozen=True, eq=False)
class Study:
    """A suite that was run here. A notebook shows the answer and the main table.

    Attributes:
        ran: the state of its cells, how many this run carried out, and the page that it wrote.
        suite_file: the file that ``compare`` wrote; it can be edited and run again.
    """

    ran: Ran
    suite_file: Path | None = None

    @property
    def name(self) -> str:
        """Of the suite."""
        return self.ran.session.plan.suite.name

    @property
    def folder(self) -> Path:
        """Where its records are."""
        return self.ran.session.plan.folder

    @property
    def counts(self) -> Mapping[State, int]:
        """Cells in each state: complete, failed, missing, stale."""
        return self.ran.session.plan.counts()

    @property
    def page(self) -> Path | None:
        """The HTML report that the run wrote."""
        return self.ran.page

    @cached_property
    def results(self) -> Results:
        """Records as data frames. UsageError where no cell has one."""
        return read_results(self.folder, data_root=self.ran.settings.data_root)

    def table(self, name: str = "main") -> pd.DataFrame:
        """``Results.table``."""
        return self.results.table(name)

    def figure(self, name: str = "cost") -> Figure:
        """``Results.figure``."""
        return self.results.figure(name)

    def report(self, out: str | Path | None = None, formats: Sequence[str] = ("html",)) -> Path:
        """Write the report, by default where the run writes it; returns its main file."""
        settings = self.ran.settings
        place = out or Path(settings.reports) / self.name
        return self.results.report(place, formats, data_root=settings.data_root)

    def cell(self, model: str, dataset: str | None = None, seed: int | None = None) -> Path:
        """The folder of the complete cell of a model with the best validation value, for ``load``.

        Test images choose nothing. LookupError where there is none.
        """
        cells = self.results.records.complete
        cells = cells[cells.model == model]
        if dataset is not None:
            cells = cells[cells.dataset == dataset]
        if seed is not None:
            cells = cells[cells.seed == seed]
        if cells.empty:
            raise LookupError(f"{self.name} has no complete cell of {model}.")
        records = self.results.records
        ascending = not records.primary.higher_is_better
        best = cells.sort_values([records.measured("val"), "seed"], ascending=[ascending, True]).iloc[0]
        return Path(best.folder)

    def __repr__(self) -> str:
        states = ", ".join(f"{count} {state}" for state, count in self.counts.items() if count)
        return f"Study {self.name}: {states}"

    def _repr_html_(self) -> str:
        return self.results._repr_html_()


def run(
    suite: str | Path | Suite,
    *,
    seeds: int | None = None,
    epochs: int | None = None,
    changes: Mapping[str, object] | None = None,
    name: str | None = None,
    **options: Unpack[RunOptions],
) -> Study:
    """Run the missing cells of a suite, then write its report; what is finished is never run again.

    A run that was interrupted goes on where it stood. Nothing is downloaded. Progress goes to stderr. Failed cells do
    not stop it: see ``Study.counts``.

    Args:
        suite: a suite file or the name of a shipped one.
        seeds: how many, instead of those of the suite.
        epochs: of each network; warm-up, fine-tuning and supernets change in proportion.
        changes: other values of the suite by their path in its file, such as ``{"recipe.optimizer.lr": 1e-3}``.
        name: of the changed study; None is that of the suite with the changes behind it.
        options: see ``RunSettings``.

    UsageError for a wrong suite or option, StoreError where results cannot be written.

    Examples:
        >>> study = trionet_bench.run("quickstart", device="cpu", only="seed=0,model=conv")  # doctest: +SKIP
        >>> study.counts  # doctest: +SKIP
        {'complete': 1, 'failed': 0, 'missing': 0, 'stale': 0}
    """
    settings = RunSettings(**options)
    document = suite.document if isinstance(suite, Suite) else read_document(str(suite))
    checked = suite_of(changed(document, Changes(seeds, epochs, as_settings(changes), name)))
    return Study(carry_out(open_session(checked, settings), settings, f"trionet_bench.run({checked.name!r})"))


def compare(
    data: str | Path,
    models: str | Sequence[str] = CompareOptions.models,
    *,
    budget: int | str | None = None,
    seeds: int | None = None,
    epochs: int | None = None,
    resolution: int | None = None,
    recipe: str | None = None,
    quick: bool | None = None,
    name: str | None = None,
    changes: Mapping[str, object] | None = None,
    **options: Unpack[RunOptions],
) -> Study:
    """Compare operators on a data set that no suite was written for; the suite is written, run and reported.

    Args:
        data: a folder of images in class folders, a folder of Parquet files, a .csv or .npz file, or the URI of a
            source such as ``torchvision:Flowers102``.
        models: conv, local, axial, trionet, ..., as a sequence or "conv,axial"; the first is the baseline.
        budget: MACs, as 30000000 or "30M"; None follows from the data, as all that is None.
        seeds: how many.
        epochs: of each network.
        resolution: side of the images in pixels.
        recipe: name of a recipe.
        quick: a first look instead of the full recipe; None is quick where there is no GPU.
        name: of the study.
        changes: other values of the suite that is written, as in ``run``.
        options: see ``RunSettings``.

    UsageError and DataError as ``run``; also for data that are not there.

    Examples:
        >>> study = trionet_bench.compare("photos", ["conv", "axial"], seeds=5)  # doctest: +SKIP
        >>> study.table()  # doctest: +SKIP
    """
    settings = RunSettings(**options)
    quick = quick_without_gpu(settings.device) if quick is None else quick
    macs = None if budget is None else parse_budget(budget)
    names = models.split(",") if isinstance(models, str) else models
    asked = CompareOptions(tuple(name.strip() for name in names), macs, seeds, epochs, resolution, recipe, quick, name)
    suite, path = comparison(str(data), asked, settings, named=name is not None, changes=as_settings(changes))
    command = f"trionet_bench.compare({Path(data).name!r})"
    return Study(carry_out(open_session(suite, settings), settings, command), path)
