"""What a worker's process asks of the library that its system computes with."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from trionet_bench.jsontypes import JsonObject
from trionet_bench.records.record import Environment


@dataclass(frozen=True)
class Resources:
    """What one worker process works with: a device, and a number of threads, which can change sums of floats."""

    device: str
    threads: int


class Platform(ABC):
    """Prepares a process for the resources that it was given, and says what they are."""

    def __init__(self, resources: Resources) -> None:
        self.resources = resources

    @abstractmethod
    def prepare(self) -> JsonObject:
        """Set threads and ask for repeatable results; returns the settings in force, for the record."""

    @abstractmethod
    def environment(self) -> Environment:
        """Machine and libraries."""

    @abstractmethod
    def peak_memory(self) -> int:
        """Most bytes in use since ``prepare``, or since the process began."""

    @property
    @abstractmethod
    def decoding_workers(self) -> int:
        """Processes that decode images beside training; 0 decodes in between steps."""
