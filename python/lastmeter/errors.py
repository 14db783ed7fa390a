"""What can go wrong that is no verdict."""

from __future__ import annotations

from dataclasses import dataclass, fields
from os import PathLike, fspath
from typing import Any


class LastmeterError(Exception):
    """Anything that this package reports as an error."""


class ProgramNotFound(LastmeterError):
    """The program is in none of the places in which it was looked for."""


class RecordError(LastmeterError):
    """A folder is no run or suite folder, or lacks what was asked for."""

    def __init__(self, folder: str | PathLike[str], what: str) -> None:
        super().__init__(f"{fspath(folder)}: {what}")
        self.folder = fspath(folder)


@dataclass(frozen=True)
class Message:
    """A mistake of a scenario, or a warning about one, with its place in the file."""

    code: str
    severity: str
    message: str
    file: str
    line: int
    column: int
    scenario: str = ""
    end_line: int | None = None
    end_column: int | None = None
    label: str = ""
    help: str | None = None

    @classmethod
    def of(cls, value: dict[str, Any]) -> Message:
        """That of a line of `--format json`; keys of later versions are left out."""
        known = {field.name for field in fields(cls)}
        return cls(**{key: each for key, each in value.items() if key in known})

    def __str__(self) -> str:
        label = f": {self.label}" if self.label else ""
        help_ = f" (help: {self.help})" if self.help else ""
        place = f"{self.file}:{self.line}:{self.column}"
        return f"{place}: {self.severity}[{self.code}]: {self.message}{label}{help_}"


class CommandError(LastmeterError):
    """The program ended without a folder of results: a bad command line, or nothing to run."""

    def __init__(self, exit_code: int, text: str) -> None:
        super().__init__(f"lastmeter exited with {exit_code}: {text}")
        self.exit_code = exit_code


class ScenarioError(CommandError):
    """The scenario is not valid; `messages` has each mistake with its place."""

    def __init__(self, exit_code: int, messages: list[Message]) -> None:
        super().__init__(exit_code, "\n".join(str(each) for each in messages))
        self.messages = messages


class CheckFailed(LastmeterError, AssertionError):
    """With `check=True`: what was run is no pass; `result` has it."""

    def __init__(self, result: Any) -> None:
        super().__init__(result.explanation())
        self.result = result
