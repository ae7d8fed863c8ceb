"""What other runners on the same results folder have finished since a plan was made."""

from trionet_bench.errors import DamagedFile
from trionet_bench.execution.jobs import CellJob, PhaseJob
from trionet_bench.records.phase import damage, finished_content
from trionet_bench.records.record import RecordHead
from trionet_bench.records.store import read_head


def finished_phase(job: PhaseJob) -> str | None:
    """The content hash of a phase that is done and whole; None otherwise."""
    inputs = {name: item.content for name, item in job.inputs.items()}
    return None if damage(job.folder) else finished_content(job.folder, job.key, inputs)


def finished_cell(job: CellJob, planned: RecordHead | None) -> RecordHead | None:
    """The record of a cell, where it is newer than ``planned`` and its result would be taken for that of the job."""
    try:
        record = read_head(job.folder)
    except DamagedFile:
        return None
    if record is None or (planned and (planned.key, planned.started) == (record.key, record.started)):
        return None
    return None if record.key != job.key or failed_by_surroundings(record) else record


def failed_by_surroundings(record: RecordHead | None) -> bool:
    """Whether a cell failed by a full disk, a killed worker or the like, so that a plain rerun takes it up."""
    return record is not None and record.error is not None and record.error.surroundings
