"""The typed result record: all that a table or figure needs about one cell, without its checkpoint.

Fractions are 0 to 1, times are seconds, cost is in MACs (one multiply-accumulate), memory is bytes, dates are UTC
ISO 8601. A change of meaning raises ``SCHEMA``.
"""

from collections.abc import Mapping
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from trionet_bench.jsontypes import JsonObject
from trionet_bench.records.task_info import TaskInfo
from trionet_bench.records.upgrade import upgraded
from trionet_bench.records.values import Strict, Versioned

SCHEMA = 2


class Placement(Strict):
    """A spatial operator in a block of the network: with which options, at what cost.

    A block of several operators that divide its channels has an entry for each. ``macs`` counts the operator and, by
    its share, all else in the block. Options that the operator does not have are None.
    """

    stage: int
    block: int
    operator: str
    macs: int
    share: float = Field(default=1.0, description="Of the block's channels.")
    resolution: int
    width: int
    mid_width: int = Field(description="Channels inside the operator.")
    expansion: float | None = None
    kernel: int | None = None
    window: int | None = None
    heads: int | None = None
    qk: float | None = None
    v: float | None = None
    mlp: float | None = Field(default=None, description="Width of the feed-forward part over the block's.")
    options: dict[str, float] = Field(default_factory=dict, description="Of the operator, where it has others.")


class OperatorPrior(Strict):
    """Mean share of ``operator`` at this block over sampled children that have the block at all."""

    stage: int
    block: int
    operator: str
    share: float


class Generation(Strict):
    """State of a search after one generation; ``best_fitness`` is the best so far."""

    generation: int
    evaluations: int
    best_fitness: float
    best_macs: int
    level: int = Field(default=1, description="Of a search in several levels; evaluations go on counting.")


class Evaluated(Strict):
    """One candidate that a search scored, in the order of evaluation."""

    macs: int
    fitness: float
    operators: str = Field(description="One code per block, in order.")
    level: int = 1


class Retrained(Strict):
    """A candidate of a search's first level that was trained alone.

    ``fitness`` is what the search measured with the supernet's weights, ``fitness_alone`` the same quantity of the
    network that was trained from scratch.
    """

    macs: int
    fitness: float
    operators: str
    fitness_alone: float


class Probe(Strict):
    """Fitness of one fixed child on the search-validation images, after recalibration, during supernet training."""

    epoch: int
    probe: str
    fitness: float
    level: int = 1


class Search(Strict):
    """How a searched architecture was found."""

    algorithm: str
    sampler: str
    sharing: str
    evaluations: int
    fitness: Literal["loss", "metric"] = Field(
        default="metric", description="What was maximised: minus the task's loss, or its primary metric."
    )
    pretext: str | None = Field(
        default=None,
        description="Name of the task that the supernet was trained for and searched by, where it is not the record's. "
        "Fitness and probes are in its terms.",
    )
    at_chance: str | None = Field(
        default=None,
        description="Why no search was begun: the supernet is at chance, and one network was drawn blindly.",
    )
    acceptance_rate: float = Field(description="Candidates that could be brought within the budget, over drawn ones.")
    calibration_images: int
    best_by_generation: list[Generation]
    evaluated: list[Evaluated]
    operator_prior: list[OperatorPrior]
    operator_draws: dict[str, int] = Field(description="How often supernet training drew each operator, over blocks.")
    probes: list[Probe]
    retrained: list[Retrained] = Field(default_factory=list)


class Ranked(Strict):
    """One architecture of a correlation, by the primary metric on the validation images.

    ``val`` is of the network that was trained alone, the mean of ``runs`` trainings with standard deviation ``val_sd``,
    which are ``alone`` one by one (records of before have their mean only); ``inherited_val`` of the child with the
    supernet's weights and recalibrated batch norms, ``inherited_val_not_recalibrated`` of the child with running
    statistics that all children share. These two are the primary metric too, or, where ``scored_by`` says so, what a
    search would maximise, in the direction of the primary metric.
    """

    architecture: JsonObject
    macs: int
    params: int
    operators: str = Field(description="One code per block, in order.")
    val: float
    val_sd: float | None = None
    runs: int = 1
    alone: list[float] | None = None
    inherited_val: float
    inherited_val_not_recalibrated: float
    scored_by: Literal["metric", "fitness"] = "metric"


class Start(Strict):
    """Where the weights came from that training started with."""

    network: str = Field(description="The library and its name for the network, or the record of this project.")
    trained_on: str = Field(default="", description="Data set of the record; empty where nothing is known.")
    fingerprint: str = Field(default="", description="Of that data set.")
    weights: str = Field(description="SHA-256 of the file of weights.")
    adapted: list[str] = Field(default_factory=list, description="Weights that were fitted to another size.")

    @property
    def division(self) -> str:
        """What results from it are ranked among."""
        return f"pretrained on {self.trained_on}" if self.trained_on else "pretrained elsewhere"


class Input(Strict):
    """A shared phase that this cell hangs from: its key (what was asked) and content hash (what came out)."""

    key: str
    content: str
    path: str = Field(description="Relative to the suite's results folder.")


class Counts(Strict):
    """Images in each part, and how many test images were really evaluated."""

    train: int
    search_val: int
    val: int
    test: int
    evaluated: int
    skipped: int = 0


class Environment(Strict):
    """The machine and the libraries."""

    python: str
    torch: str
    torchvision: str
    numpy: str
    platform: str
    cpu: str
    cores: int
    device: str
    device_name: str


class Code(Strict):
    """The code that ran. ``commit`` is None outside a git checkout."""

    version: str
    commit: str | None
    dirty: bool | None


class Failure(Strict):
    """Why a cell failed."""

    type: str
    message: str
    traceback: str
    surroundings: bool = Field(
        default=False,
        description="Its machine, disk or data were the cause, not what it computes: a rerun tries again.",
    )


class CellResult(BaseModel):
    """What carrying a cell out gives: the part of a record that only its system can know.

    ``metrics`` are named as the task's ``Metric`` says. ``test_...`` without a prefix is always measured on the network
    that was trained with the recipe, from scratch or from ``start``. Searched models also carry ``inherited_...``
    (supernet weights, recalibrated) and ``finetuned_...`` (those weights trained on for the recipe's fine-tuning
    epochs).
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    architecture: JsonObject | None = None
    macs: int | None = None
    params: int | None = None
    macs_by_operator: dict[str, int] = Field(default_factory=dict)
    macs_by_stage: dict[str, int] = Field(default_factory=dict)
    placement: list[Placement] = Field(default_factory=list)
    metrics: dict[str, float] = Field(default_factory=dict)
    counts: Counts | None = None
    search: Search | None = None
    ranked: list[Ranked] = Field(default_factory=list, description="Of a correlation, which has no network of its own.")
    timings: dict[str, float] = Field(default_factory=dict)
    warnings: list[str] = Field(default_factory=list)
    start: Start | None = Field(default=None, description="Of a network that was not trained from scratch.")

    def with_measured(
        self, metrics: Mapping[str, float] | None = None, timings: Mapping[str, float] | None = None
    ) -> Self:
        """The same result with more metrics and timings."""
        return self.model_copy(
            update={"metrics": {**self.metrics, **(metrics or {})}, "timings": {**self.timings, **(timings or {})}}
        )


class RecordHead(Versioned):
    """How a cell stands: what a plan of a thousand cells reads of their records, a tenth of the work of reading all."""

    schema_: int = Field(default=SCHEMA, alias="schema")
    computation: int = Field(default=1, description="Which code computed it, see systems.cell.COMPUTATION.")
    key: str
    status: Literal["complete", "failed"]
    error: Failure | None = None
    metrics: dict[str, float] = Field(default_factory=dict)
    inputs: dict[str, Input] = Field(default_factory=dict)
    started: str
    finished: str


class Record(RecordHead, CellResult):
    """One cell's result, and all that it depends on. Records of schema 1 are read as what they mean in this one."""

    model_config = ConfigDict(extra="forbid")

    suite: str
    dataset: str
    model: str
    system: str
    budget: int
    seed: int
    fidelity: Literal["full", "quick", "smoke"] = Field(
        default="full", description="As the suite says: smoke; else as the recipe: quick for a first look."
    )

    task: TaskInfo
    data: JsonObject = Field(default_factory=dict, description="source, fingerprint, split hash, classes, channels.")
    recipe: JsonObject = Field(default_factory=dict)
    options: JsonObject = Field(default_factory=dict, description="The model's options, resolved.")
    space: JsonObject = Field(default_factory=dict)
    resolution: int | None = None

    artifacts: dict[str, str] = Field(default_factory=dict, description="File name beside the record -> SHA-256.")
    peak_memory_bytes: int | None = None

    environment: Environment
    code: Code
    determinism: JsonObject = Field(default_factory=dict)
    command: str
    digest: str | None = Field(default=None, description="SHA-256 of the text of the record before this line.")

    @model_validator(mode="before")
    @classmethod
    def _of_an_earlier_schema(cls, value: object) -> object:
        return upgraded(value) if isinstance(value, dict) else value
