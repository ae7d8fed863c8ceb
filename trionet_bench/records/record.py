"""The typed result record: all that a table or figure needs about one cell, without its checkpoint.

Fractions are 0 to 1, times are seconds, cost is in MACs (one multiply-accumulate), memory is bytes, dates are UTC
ISO 8601. A change of meaning raises ``SCHEMA``.
"""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

SCHEMA = 1


class Strict(BaseModel):
    """Base of every stored value: unknown keys are refused, values do not change once made."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


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
    """A candidate of a search's first level that was trained alone: with which accuracy on the search-validation
    images, beside its fitness.
    """

    macs: int
    fitness: float
    operators: str
    search_val_top1: float


class Probe(Strict):
    """Accuracy of one fixed child on the search-validation images, after recalibration, during supernet training."""

    epoch: int
    probe: str
    top1: float
    level: int = 1


class Search(Strict):
    """How a searched architecture was found."""

    algorithm: str
    sampler: str
    sharing: str
    evaluations: int
    acceptance_rate: float = Field(description="Legal candidates over drawn candidates.")
    calibration_images: int
    best_by_generation: list[Generation]
    evaluated: list[Evaluated]
    operator_prior: list[OperatorPrior]
    operator_draws: dict[str, int] = Field(description="How often supernet training drew each operator, over blocks.")
    probes: list[Probe]
    retrained: list[Retrained] = []


class Ranked(Strict):
    """One architecture of a correlation: validation accuracy when trained alone and with a supernet's weights, there
    with batch-norm statistics of its own or with those that all children have in common.
    """

    architecture: dict[str, Any]
    macs: int
    params: int
    operators: str = Field(description="One code per block, in order.")
    val_top1: float
    inherited_val_top1: float
    inherited_val_top1_not_recalibrated: float


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


class Versioned(BaseModel):
    """Base of what lies in a file of its own and may be read in part: a model of some keys passes over the others."""

    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True, defer_build=True)

    schema_: int = Field(alias="schema")


class RecordHead(Versioned):
    """How a cell stands: what a plan of a thousand cells reads of their records, a tenth of the work of reading all."""

    schema_: int = Field(default=SCHEMA, alias="schema")
    key: str
    status: Literal["complete", "failed"]
    error: Failure | None = None
    metrics: dict[str, float] = Field(default_factory=dict)
    inputs: dict[str, Input] = Field(default_factory=dict)
    started: str
    finished: str


class Record(RecordHead):
    """One cell's result. ``test_top1`` is always the accuracy of the network trained from scratch with the recipe.

    Searched models also carry ``inherited_val_top1`` and ``inherited_test_top1`` (supernet weights, recalibrated) and
    ``finetuned_test_top1`` (those weights trained on for the recipe's fine-tuning epochs).
    """

    model_config = ConfigDict(extra="forbid")

    suite: str
    dataset: str
    model: str
    system: str
    budget: int
    seed: int
    fidelity: Literal["full", "smoke"] = "full"

    data: dict[str, Any] = Field(
        default_factory=dict, description="source, fingerprint, split hash, classes, channels."
    )
    recipe: dict[str, Any] = Field(default_factory=dict)
    options: dict[str, Any] = Field(default_factory=dict, description="The model's options, resolved.")
    space: dict[str, Any] = Field(default_factory=dict)
    resolution: int | None = None

    architecture: dict[str, Any] | None = None
    macs: int | None = None
    params: int | None = None
    macs_by_operator: dict[str, int] = Field(default_factory=dict)
    macs_by_stage: dict[str, int] = Field(default_factory=dict)
    placement: list[Placement] = Field(default_factory=list)

    counts: Counts | None = None
    search: Search | None = None
    ranked: list[Ranked] = Field(default_factory=list, description="Of a correlation, which has no network of its own.")
    artifacts: dict[str, str] = Field(default_factory=dict, description="File name beside the record -> SHA-256.")
    timings: dict[str, float] = Field(default_factory=dict)
    peak_memory_bytes: int | None = None
    warnings: list[str] = Field(default_factory=list)

    environment: Environment
    code: Code
    determinism: dict[str, Any] = Field(default_factory=dict)
    command: str
