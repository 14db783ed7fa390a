"""Run lastmeter's scenarios from Python, and read what they leave.

`run` calls the program and returns a `Run`, or a `Suite` where it made several; both read their
folder, whoever made it. A failed check is data. Nothing but the standard library is needed, except
for data frames: they need pandas.
"""

from .errors import (
    CheckFailed,
    CommandError,
    LastmeterError,
    Message,
    ProgramNotFound,
    RecordError,
    ScenarioError,
)
from .program import find_program, run
from .record import Run, Suite, Verdict

__version__ = "0.2.0"
__all__ = [
    "CheckFailed",
    "CommandError",
    "LastmeterError",
    "Message",
    "ProgramNotFound",
    "RecordError",
    "Run",
    "ScenarioError",
    "Suite",
    "Verdict",
    "find_program",
    "run",
]
