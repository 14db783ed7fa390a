"""Run folders and suite folders, read without the program."""

from __future__ import annotations

import csv
import enum
import io
import json
import tomllib
import warnings
from functools import cached_property
from os import PathLike
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, BinaryIO

from .errors import Message, RecordError

if TYPE_CHECKING:
    import pandas

_TEXTS = ("device", "quantity", "unit", "path", "id", "signal", "way", "element")
_COUNTS = ("epoch", "serial", "bytes", "copies")
_TIMES = ("time", "event_time")
_NUMBERS = ("reference", "reported", "value", "spread")
_JSON_TYPES = {
    frozenset([str]): "string",
    frozenset([bool]): "boolean",
    frozenset([int]): "Int64",
    frozenset([float]): "float64",
    frozenset([int, float]): "float64",
}


class Verdict(str, enum.Enum):
    """What checks, runs and suites come to, from best to worst."""

    PASS = "pass"
    SKIPPED = "skipped"
    INCONCLUSIVE = "inconclusive"
    FAIL = "fail"
    ERROR = "error"

    @classmethod
    def of_exit_code(cls, exit_code: int) -> Verdict:
        """That of an exit code of `lastmeter run`; what a signal ended is inconclusive."""
        words = {0: cls.PASS, 1: cls.FAIL, 4: cls.SKIPPED, 5: cls.INCONCLUSIVE}
        return words.get(exit_code, cls.INCONCLUSIVE if exit_code > 128 else cls.ERROR)

    def __str__(self) -> str:
        return self.value


def _pandas() -> ModuleType:
    try:
        import pandas
    except ImportError as error:
        text = "data frames need pandas, which is not installed: `pip install pandas`"
        raise ImportError(text) from error
    return pandas


class _Folder:
    """What a run folder and a suite folder have in common."""

    _facts = ""

    def __init__(self, folder: str | PathLike[str]) -> None:
        self.folder = Path(folder)
        #: Warnings about the scenario, and mistakes of others beside it, if it was run from here.
        self.messages: list[Message] = []
        if not self.folder.is_dir():
            raise RecordError(self.folder, "there is no such folder")
        if not (self.folder / self._facts).is_file():
            other = {"run.json": "suite.json", "suite.json": "run.json"}[self._facts]
            if (self.folder / other).is_file():
                hint = f"; it has {other}: read it as a {other[:-5].capitalize()}"
            else:
                hint = "; a suite has it once all runs are over" * (self._facts == "suite.json")
            raise RecordError(self.folder, f"{self._facts} is not there{hint}")

    def _text(self, name: str) -> str:
        try:
            return (self.folder / name).read_text("utf-8")
        except FileNotFoundError:
            raise RecordError(self.folder, f"{name} is not there{self._hint()}") from None

    def _json(self, name: str) -> Any:
        try:
            return json.loads(self._text(name))
        except ValueError as error:
            raise RecordError(self.folder, f"{name} cannot be read: {error}") from error

    def _hint(self) -> str:
        return ""

    def _statuses(self) -> list[str]:
        raise NotImplementedError

    @cached_property
    def info(self) -> dict[str, Any]:
        """What is known of it as a whole: `run.json` or `suite.json`."""
        info: dict[str, Any] = self._json(self._facts)
        return info

    @property
    def exit_code(self) -> int:
        """What `lastmeter run` exits with; of a killed run what `lastmeter report` does."""
        code: int | None = self.info.get("exit_code")
        if code is None and not (self.folder / "verdicts.json").exists():
            raise RecordError(self.folder, f"it has not been judged{self._hint()}")
        return 130 if code is None else code

    @property
    def verdict(self) -> Verdict:
        """What it came to as a whole; what a signal ended is as bad as its worst part, and no pass."""
        code = self.exit_code
        parts = [Verdict.of_exit_code(code), *map(Verdict, self._statuses() if code > 128 else ())]
        return max(parts, key=list(Verdict).index)

    @property
    def passed(self) -> bool:
        """Whether at least one check passed and none failed, was inconclusive or in error."""
        return self.verdict is Verdict.PASS

    def __repr__(self) -> str:
        try:
            return f"<{type(self).__name__} {self.folder}: {self.verdict}>"
        except RecordError:
            return f"<{type(self).__name__} {self.folder}: not judged>"


class Run(_Folder):
    """One run, read from its folder."""

    _facts = "run.json"
    #: The values of a case of a matrix by address, where it is read as a part of its suite.
    case: dict[str, Any] = {}

    def _hint(self) -> str:
        state = self.info.get("state") if (self.folder / self._facts).is_file() else None
        if state != "running":
            return ""
        return (
            "; the run is still going, or its process was killed: `lastmeter report "
            f"{self.folder}` judges what it has recorded"
        )

    @property
    def name(self) -> str:
        """The scenario's name, of a case with the case."""
        return str(self.info["scenario"])

    @property
    def state(self) -> str:
        """`finished`, or how it ended otherwise: `interrupted`, `stopped`, `error`, `skipped`;
        `running` of one that goes on or whose process was killed."""
        return str(self.info["state"])

    @cached_property
    def verdicts(self) -> list[dict[str, Any]]:
        """What each check came to, with the keys of `verdicts.json`."""
        verdicts: list[dict[str, Any]] = self._json("verdicts.json")
        return verdicts

    def _statuses(self) -> list[str]:
        return [each["status"] for each in self.verdicts]

    @property
    def failed(self) -> list[dict[str, Any]]:
        """The verdicts that are neither a pass nor skipped."""
        return [each for each in self.verdicts if each["status"] not in ("pass", "skipped")]

    def explanation(self) -> str:
        """Which checks did not pass, and why, for people."""
        cause = self.info.get("cause")
        lines = [f"{self.name}: {self.verdict}" + (f" ({cause})" if cause else "")]
        lines += [
            f"  {each['status']:<12} {each['check']} ({each['reason']}): {each['why']}"
            for each in self.failed
        ]
        return "\n".join([*lines, f"  {self.report}"])

    @property
    def report(self) -> Path:
        """The page for people."""
        return self.folder / "report.html"

    @cached_property
    def scenario(self) -> dict[str, Any]:
        """The scenario as it was run, with every default and override."""
        return tomllib.loads(self._text("scenario.toml"))

    @cached_property
    def observations(self) -> pandas.DataFrame:
        """One row for each value that was due or came unexpected.

        `due` is false of what came unexpected; a `reference` that is due and NaN is unknown, a
        `reported` that is NaN did not come.
        """
        frame = self.table("observations.csv")
        frame["due"] = True
        if frame["reference"].isna().any():
            # Where nothing was due the field is empty; NaN stands for what the plant does not know.
            with self._open("observations.csv") as file:
                how = {"usecols": ["reference"], "dtype": str, "keep_default_na": False}
                frame["due"] = _pandas().read_csv(file, **how)["reference"] != ""
        return frame

    @cached_property
    def latency(self) -> pandas.DataFrame:
        """One row for each message: its instants in ns since the schedule began, lost ones `<NA>`."""
        return self.table("latency.csv")

    @cached_property
    def signals(self) -> pandas.DataFrame:
        """The values of recorded signals, with `time` besides ns since the start."""
        frame = self.table("signals.csv")
        pandas = _pandas()
        start = pandas.Timestamp(self.info["start"]).as_unit("ns")
        frame["time"] = start + pandas.to_timedelta(frame["time_ns"].astype("int64"), unit="ns")
        return frame

    @cached_property
    def events(self) -> pandas.DataFrame:
        """What happened: `time`, `source`, `kind`, and a column for each field that one has."""
        pandas = _pandas()
        with self._open("events.jsonl") as file:
            rows = [json.loads(line) for line in file]
        frame = (
            pandas.DataFrame(rows, dtype=object)
            if rows
            else pandas.DataFrame(columns=["time", "source", "kind"], dtype=object)
        )
        for name in frame.columns:
            if name in _TIMES:
                frame[name] = _times(frame[name])
            else:
                values = frame[name].dropna()
                kind = _JSON_TYPES.get(frozenset(map(type, values)), object)
                is_large = kind == "Int64" and values.max() >= 2**63
                frame[name] = frame[name].astype("UInt64" if is_large else kind)
        return frame

    def table(self, name: str) -> pandas.DataFrame:
        """Any table of the folder, such as `grid.csv`: times with their zone, numbers exact."""
        pandas = _pandas()
        how: dict[str, Any] = {"keep_default_na": False, "encoding": "utf-8"}
        if tuple(map(int, pandas.__version__.split(".")[:2])) < (3, 1):
            how["float_precision"] = "round_trip"  # later versions know no other
        with self._open(name) as file:
            columns = next(csv.reader([file.readline().decode()]), [])
            if not columns:
                raise RecordError(self.folder, f"{name} is empty{self._hint()}")
            texts = [each for each in columns if each in (*_TEXTS, *_TIMES)]
            whole = [each for each in columns if each in _COUNTS or each.endswith("_ns")]
            types = {
                **dict.fromkeys(texts, "str"),
                **dict.fromkeys(whole, "Int64"),
                **{each: "float64" for each in columns if each in _NUMBERS},
            }
            how["na_values"] = {each: ["", "NaN"] for each in columns if each not in texts}
            try:
                file.seek(0)
                frame = pandas.read_csv(file, dtype=types, **how)
            except OverflowError:  # a device may count its epochs by 64 random bits
                types.update(dict.fromkeys({"epoch", "serial"} & {*columns}, "UInt64"))
                file.seek(0)
                frame = pandas.read_csv(file, dtype=types, **how)
        for each in columns:
            if each in _TIMES:
                frame[each] = _times(frame[each])
        return frame

    def _open(self, name: str) -> BinaryIO:
        """A file of lines, without the last one where that is torn."""
        path = self.folder / name
        try:
            file = path.open("rb")
        except FileNotFoundError:
            raise RecordError(self.folder, f"{name} is not there{self._hint()}") from None
        end = file.seek(0, io.SEEK_END)
        file.seek(max(end - 1, 0))
        is_whole = file.read() in (b"", b"\n")
        file.seek(0)
        if is_whole:
            return file
        with file:
            lines, end_of_line, torn = file.read().rpartition(b"\n")
        text = f"{path}: its last line has no end and is left out: {torn[:80]!r}"
        warnings.warn(text, stacklevel=2)
        return io.BytesIO(lines + end_of_line)


def _times(texts: Any) -> Any:
    """Times as they are written, to the nanosecond."""
    return _pandas().to_datetime(texts, format="ISO8601", utc=True).astype("datetime64[ns, UTC]")


class Suite(_Folder):
    """Several runs, read from their folder."""

    _facts = "suite.json"

    @cached_property
    def runs(self) -> list[Run]:
        """The runs that have a folder, in the order of the suite; `cases` has the others too."""
        found = []
        for row in self.info["runs"]:
            folder = row["folder"] and self.folder / row["folder"]
            if folder and (folder / "run.json").is_file():
                run = Run(folder)
                run.case = _values(row)
                found.append(run)
        return found

    def _statuses(self) -> list[str]:
        return [row["status"] for row in self.info["runs"]]

    def explanation(self) -> str:
        """Which runs did not pass, and why, for people."""
        rows = [row for row in self.info["runs"] if row["status"] not in ("pass", "skipped")]
        lines = [f"{self.folder}: {self.verdict}, {len(rows)} of {len(self.info['runs'])} runs"]
        lines += [
            f"  {row['status']:<12} {row['scenario']} ({row['reason']}): {row['why']}"
            for row in rows
        ]
        return "\n".join([*lines, f"  {self.folder / 'index.html'}"])

    @cached_property
    def cases(self) -> pandas.DataFrame:
        """One row for each run, also for those that left nothing: what it came to, and a column for
        each address that varies, named as `--set` takes it."""
        columns = ("scenario", "status", "reason", "exit_code", "seed", "flaky", "why", "folder")
        rows = [
            {**{each: row.get(each) for each in columns}, **_values(row)}
            for row in self.info["runs"]
        ]
        return _pandas().DataFrame(rows, columns=None if rows else list(columns))

    @cached_property
    def verdicts(self) -> pandas.DataFrame:
        """One row for each check of each run, with the columns of what varies."""
        rows = [
            {"run": run.name, **run.case, **verdict}
            for run in self.runs
            for verdict in run.verdicts
        ]
        return _pandas().DataFrame(rows)


def _values(row: dict[str, Any]) -> dict[str, Any]:
    """The values of a case by their addresses."""
    case = row.get("case") or {"values": []}
    return {
        each["address"]: tomllib.loads(f"it = {each['value']}")["it"] for each in case["values"]
    }
