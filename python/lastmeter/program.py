"""The program: where it is, how it is called, what it left."""

from __future__ import annotations

import datetime
import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from .errors import CheckFailed, CommandError, Message, ProgramNotFound, ScenarioError
from .record import Run, Suite

_INSIDE = Path(__file__).parent / "bin" / "lastmeter"
_PATIENCE_S = 5.0  # for a program that an interrupt has reached as well


def find_program(program: str | PathLike[str] | None = None) -> str:
    """The path of the program.

    It is the one that is given; else that of the environment variable `LASTMETER`, the one inside
    this package, the first on `PATH`. One that is named and is not there is an error: another one
    does not stand in for it.
    """
    for place, named in (("argument", program), ("LASTMETER", os.environ.get("LASTMETER"))):
        if named:
            found = shutil.which(os.fspath(named))
            if found is None:
                raise ProgramNotFound(f"{place}: {os.fspath(named)} is no program that can be run")
            return found
    if os.access(_INSIDE, os.X_OK):
        return str(_INSIDE)
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    for folder in folders:
        found = shutil.which("lastmeter", path=folder) if folder else None
        if found and not _is_ours(found):
            return found
    raise ProgramNotFound(
        "the program `lastmeter` was not found. Looked for: the argument `program` (not given); the "
        f"environment variable LASTMETER (not set); {_INSIDE}, inside this package (a wheel made by "
        f"`build-wheel` has it); `lastmeter` in the folders of PATH: {', '.join(folders)}"
    )


def _is_ours(path: str) -> bool:
    """Whether it is the command of this package, which would only call itself."""
    with open(path, "rb") as file:
        return b"lastmeter.__main__" in file.read(4096)


def toml(value: Any) -> str:
    """A value of Python as one of TOML, as `--set` reads it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, (str, PathLike)):
        text = json.dumps(os.fspath(value), ensure_ascii=False)
        return text.replace("\x7f", "\\u007F")
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, Mapping):
        pairs = (f"{toml(str(key))} = {toml(each)}" for key, each in value.items())
        return "{ " + ", ".join(pairs) + " }"
    if isinstance(value, Iterable):
        return "[" + ", ".join(toml(each) for each in value) + "]"
    if hasattr(value, "item"):  # a number of numpy
        return toml(value.item())
    raise TypeError(f"{value!r} is no value of a scenario")


def _seeds(seeds: str | range | tuple[int, int]) -> str:
    if isinstance(seeds, str):
        return seeds
    first, last = (seeds[0], seeds[-1]) if seeds else (1, 0)
    if isinstance(seeds, range) and seeds.step != 1:
        raise ValueError(f"seeds: expected one after the other, found {seeds!r}")
    return f"{first}..{last}"


def _new_folder(path: str) -> Path:
    """`runs/NAME-TIME`, which does not exist yet."""
    now = datetime.datetime.now(datetime.timezone.utc)
    name = re.sub(r"[^A-Za-z0-9_.-]", "-", Path(path).stem.partition(":")[2] or Path(path).stem)
    base = Path("runs") / f"{name or 'suite'}-{now:%Y%m%dT%H%M%S.%f}Z"
    return base


def run(
    path: str | PathLike[str] | Sequence[str | PathLike[str]],
    out: str | PathLike[str] | None = None,
    *,
    set: Mapping[str, Any] | None = None,
    seed: int | None = None,
    vary: Mapping[str, Any] | None = None,
    seeds: str | range | tuple[int, int] | None = None,
    time: str | None = None,
    platform: str | PathLike[str] | None = None,
    filter: str | None = None,
    jobs: int | None = None,
    shard: str | None = None,
    timeout: str | None = None,
    options: Sequence[str] = (),
    check: bool = False,
    program: str | PathLike[str] | None = None,
) -> Run | Suite:
    """Runs a scenario, or several, and returns what came out.

    `path` is a file, a folder, or several of them; `out` a folder that does not exist yet (else one
    below `runs`). `set` gives values by their address (`{"source.mains.voltage": "207 V"}`), `vary`
    a list of values each, or a table as `[matrix]` has it; `seeds` is `"1..20"`, `range(1, 21)` or
    `(1, 20)`. The others are the options of `lastmeter run`, of which `options` takes any.

    What the checks came to is in the result. With `check` anything but a pass raises `CheckFailed`.
    A scenario with mistakes raises `ScenarioError`, which has them with their places; beside others
    in a folder it is an error of the `Suite`, in its `messages`.
    """
    paths = [path] if isinstance(path, (str, PathLike)) else list(path)
    if not paths:
        raise ValueError("path: expected one or more, found none")
    folder = Path(out) if out is not None else _new_folder(os.fspath(paths[0]))
    command = [find_program(program), "run", *(os.fspath(each) for each in paths)]
    command += ["--out", str(folder), "--format", "json"]
    for option, table in (("--set", set), ("--vary", vary)):
        for address, value in (table or {}).items():
            command += [option, f"{address}={toml(value)}"]
    given = {
        "--seed": seed,
        "--seeds": None if seeds is None else _seeds(seeds),
        "--time": time,
        "--platform": platform,
        "--filter": filter,
        "--jobs": jobs,
        "--shard": shard,
        "--timeout": timeout,
    }
    for option, value in given.items():
        if value is not None:
            command += [option, os.fspath(value) if isinstance(value, PathLike) else str(value)]
    is_taken = any((folder / name).exists() for name in ("suite.json", "run.json"))
    exit_code, output, errors = _call([*command, *options])
    messages = _messages(output)
    result: Run | Suite
    if is_taken:  # what is there is of another run
        raise CommandError(exit_code, errors.strip())
    if (folder / "suite.json").exists():
        result = Suite(folder)
    elif (folder / "run.json").exists():
        result = Run(folder)
    elif wrong := [each for each in messages if each.severity == "error"]:
        raise ScenarioError(exit_code, wrong)
    else:
        raise CommandError(exit_code, errors.strip() or output.strip())
    result.messages = messages
    if check and not result.passed:
        raise CheckFailed(result)
    return result


def _messages(output: str) -> list[Message]:
    """The mistakes and warnings among the lines of `--format json`."""
    values = (json.loads(line) for line in output.split("\n") if line.startswith("{"))
    return [Message.of(value) for value in values if "severity" in value]


def _call(command: list[str]) -> tuple[int, str, str]:
    """Exit code, standard output, standard error. Interrupted, the program finishes its record."""
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        errors="replace",
    ) as process:
        try:
            output, errors = process.communicate()
        except KeyboardInterrupt:
            # A terminal has sent it to the program too; who else interrupts has not. A second one
            # would end it at once.
            try:
                process.communicate(timeout=_PATIENCE_S)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGINT)
                process.communicate()
            raise
    return process.returncode, output, errors
