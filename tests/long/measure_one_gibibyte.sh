#!/usr/bin/env bash
# A recording of 1 GiB is measured in under 256 MiB of memory, and right: as COMTRADE FLOAT32 and as
# CSV, 230 V and 5 A in three phases with a fifth harmonic in the currents, against their closed form.
# Needs 1.1 GiB under the folder RUNS while it runs; removes what it wrote.
set -euo pipefail
out="$RUNS/one-gibibyte"
rm -rf "$out"
mkdir -p "$out"
trap 'rm -rf "$out"' EXIT

write() { # KIND: the recording of that kind
    python3 - "$out" "$1" <<'PYTHON'
import array, math, sys

folder, kind = sys.argv[1:]
GIBIBYTE, RATE, CYCLE = 1 << 30, 10_000, 200


def value(channel, sample):
    """Volts of phases a, b, c, then amperes: 30 degrees late, 5 % of the fifth harmonic."""
    phase = 2 * math.pi * (sample % CYCLE / CYCLE - channel % 3 / 3)
    if channel < 3:
        return 230 * math.sqrt(2) * math.cos(phase)
    first = math.cos(phase - math.pi / 6)
    return 5 * math.sqrt(2) * (first + 0.05 * math.cos(5 * phase))


cycle = [[value(channel, sample) for channel in range(6)] for sample in range(CYCLE)]
if kind == "comtrade":
    words = 2 + 6
    records = GIBIBYTE // (4 * words)
    lines = ["one gibibyte,1,2013", "6,6A,0D"]
    for number, name in enumerate(["Ua", "Ub", "Uc", "Ia", "Ib", "Ic"], 1):
        unit = "V" if number < 4 else "A"
        lines.append(f"{number},{name},{name[1]},,{unit},1,0,0,-9e9,9e9,1,1,P")
    start = "01/01/2026,00:00:00.000000"
    lines += ["50", "1", f"{RATE},{records}", start, start, "FLOAT32", "1", "0,x", "0,0", ""]
    open(f"{folder}/big.cfg", "w").write("\r\n".join(lines))
    floats = array.array("f", [number for row in cycle for number in [0, 0, *row]])
    block = array.array("I", floats.tobytes() * 500)
    if sys.byteorder == "big":
        sys.exit("this writer is for little-endian machines")
    at = 0
    with open(f"{folder}/big.dat", "wb") as file:
        while at < records:
            count = min(500 * CYCLE, records - at)
            part = block if count == 500 * CYCLE else block[: count * words]
            step = 1_000_000 // RATE
            part[0::words] = array.array("I", range(at + 1, at + count + 1))
            part[1::words] = array.array("I", range(at * step, (at + count) * step, step))
            file.write(part)
            at += count
else:
    rests = [",".join(["", *(f"{number:.7f}" for number in row)]) + "\n" for row in cycle]
    at, size = 0, 0
    with open(f"{folder}/big.csv", "w") as file:
        file.write("t,Ua,Ub,Uc,Ia,Ib,Ic\n")
        while size < GIBIBYTE:
            rows = [f"{k // RATE}.{k % RATE:04d}{rests[k % CYCLE]}" for k in range(at, at + 100 * CYCLE)]
            size += file.write("".join(rows))
            at += 100 * CYCLE
PYTHON
}

measure() { # FILE: measures it and judges memory and values
    python3 - "$LASTMETER" "$1" <<'PYTHON'
import json, math, os, subprocess, sys, tempfile

lastmeter, path = sys.argv[1:]
data = path.replace(".cfg", ".dat")
assert os.path.getsize(data) >= 1 << 30, os.path.getsize(data)
folder = os.path.dirname(path)
call = [lastmeter, "measure", path, "--format", "json", "--spectrum", f"{folder}/table.csv"]
with tempfile.TemporaryFile(dir=folder) as shown:
    process = subprocess.Popen(call, stdout=shown)
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0, status
    shown.seek(0)
    told = json.load(shown)
most = usage.ru_maxrss / 1024
seconds = usage.ru_utime + usage.ru_stime
print(f"{path}: {most:.0f} MiB at most, {seconds:.1f} s of CPU, {told['basis']}")
assert most < 256, f"{most} MiB"


def near(name, found, expected, by):
    assert found is not None and abs(found - expected) <= by, f"{name}: {found}, not {expected}"


near("frequency", told["frequency_hz"], 50, 1e-4)
current = 5 * math.sqrt(1 + 0.05**2)
for phase in told["phases"]:
    name = phase["name"]
    # 10 ppm of the values, 20 ppm of the apparent power, as for an ideal front end.
    near(f"U {name}", phase["u_rms_v"], 230, 230e-5)
    near(f"I {name}", phase["i_rms_a"], current, current * 1e-5)
    near(f"P {name}", phase["p_w"], 1150 * math.cos(math.pi / 6), 1150 * 2e-5)
    near(f"THD U {name}", phase["thd_u_harm_pct"], 0, 5e-3)
    near(f"THD I {name}", phase["thd_i_harm_pct"], 5, 5e-3)
near("P", told["total"]["p_w"], 3450 * math.cos(math.pi / 6), 3450 * 2e-5)
PYTHON
}

write comtrade
measure "$out/big.cfg"
rm "$out/big.dat"
write csv
measure "$out/big.csv"
