"""What the paper's meter has to deviate by, in closed form: noise, steps and wandering gains of its front end, straight
lines between samples, digits of a display, and the published formulae as they are printed. From the points of the
sweep, which are the plant's, and the parameters of the device; nothing of what the device reported.
"""

import functools
import math

# One step of the converter: 3.6 V / 4096 behind the transducer.
STEP_V, STEP_A = 0.381, 0.0249
REPORT_S, CYCLES, BAND = 0.3, 10, 0.2
DISPLAY = {
    "voltage": "display_voltage", "current": "display_current", "frequency": "display_frequency",
    "active-power": "display_active_power", "apparent-power": "display_apparent_power",
    "non-active-power": "display_non_active_power", "power-factor": "display_power_factor",
    "voltage-thd": "display_thd", "current-thd": "display_thd",
}
UNITS = {"%": 0.01, "mV": 1e-3, "mA": 1e-3, "kHz": 1e3, "mHz": 1e-3, "ms": 1e-3}


def amount(text, default=0.0):
    """A parameter in SI units."""
    if text is None:
        return default
    if not isinstance(text, str):
        return float(text)
    number, _, unit = text.partition(" ")
    return float(number) * UNITS.get(unit, 1.0)


@functools.lru_cache(maxsize=None)
def crossings(per_cycle, orders, places=64):
    """Where the line through the samples about a rising zero is zero, by where the samples lie; and the slope there."""
    turn = 2 * math.pi / per_cycle

    def wave(at):
        return math.sin(turn * at) + sum(a * math.sin(h * turn * at + t) for h, a, t in orders)

    band, found = BAND * math.sqrt(1 + sum(a * a for _, a, _ in orders)), []
    reach = int(per_cycle / 5)
    for place in range(places):
        shift = (place + 0.5) / places
        values, below = [wave(k - reach - shift) for k in range(2 * reach + 1)], None
        for k, value in enumerate(values):
            if value <= -band:
                below = k
            elif below is not None and value >= band:
                first, last = (below + 1, k) if k - below > 2 else (below, k + 1)
                near, middle = values[first:last], (last - first - 1) / 2
                slope = sum((n - middle) * x for n, x in enumerate(near))
                count = last - first
                zero = middle - sum(near) / count * count * (count * count - 1) / 12 / slope
                found.append((first + zero - reach - shift, 12 * slope / (count * (count * count - 1)), count))
                break
    return found


def moved(zeros, samples):
    """Mean square of the difference of two crossings that are so many samples apart."""
    count = len(zeros)
    steps = samples % 1.0 * count

    def at(place):
        low, part = int(place) % count, place % 1.0
        return zeros[low] * (1 - part) + zeros[(low + 1) % count] * part

    return sum((at(place + steps) - zeros[place]) ** 2 for place in range(count)) / count


class Point:
    """One reading's true values and conditions."""

    def __init__(self, true, orders, currents):
        self.volts, self.amperes = true["electricity.voltage.rms.l1"], true["electricity.current.rms.l1"]
        self.hertz, self.apparent = true["electricity.frequency"], self.volts * self.amperes
        self.orders, self.currents = orders, currents
        self.factor = abs(true.get("electricity.powerFactor.l1", 0.0))


def squares(device, point):
    """Mean squares of the deviations at a point by row: relative ones but for frequency, power factor and THD."""
    rate = amount(device.get("sample_rate"), 10e3)
    window_s, samples = CYCLES / point.hertz, CYCLES * rate / point.hertz
    two = REPORT_S / window_s - 1
    totals = dict.fromkeys(DISPLAY, 0.0)
    for windows, share in ((1, 1 - two), (2, two)):
        for row, square in of_windows(device, point, windows, samples).items():
            totals[row] += share * square
    return totals


def deviation(device, row, true, square):
    """Mean square of the deviation of a row at a true value in SI units, of what the meter has by itself and of its
    display. A last digit that is coarser than the meter's noise rounds each true value in its own way.
    """
    is_absolute = row in ("frequency", "power-factor", "voltage-thd", "current-thd")
    noise = math.sqrt(square) * (1.0 if is_absolute else abs(true))
    digit = amount(device.get(DISPLAY[row]))
    if not digit:
        return noise**2
    # What a THD loses is lost at every point; the rest is normal.
    places = [-1.0] if row.endswith("-thd") else [(n - 40) / 10 for n in range(81)]
    weights = [math.exp(-z * z / 2) if len(places) > 1 else 1.0 for z in places]
    shown = (digit * round((true + noise * z) / digit) - true for z in places)
    return sum(w * x * x for w, x in zip(weights, shown)) / sum(weights)


def of_windows(device, point, windows, samples):
    """The same for a reading of so many windows, without a display."""
    rate, long_s = samples * point.hertz / CYCLES, windows * CYCLES / point.hertz
    noise_v = math.hypot(amount(device.get("voltage_noise")), STEP_V / math.sqrt(12))
    noise_a = math.hypot(amount(device.get("current_noise")), STEP_A / math.sqrt(12))
    # A Gauss-Markov process seen through a mean.
    time = amount(device.get("gain_wander_time"), 1.0) / long_s
    seen = 2 * (time - time * time * (1 - math.exp(-1 / time)))
    gains = [amount(device.get(f"{of}_gain_wander")) ** 2 * seen for of in ("voltage", "current")]
    count = windows * samples
    of_u, of_i = (noise_v / point.volts) ** 2 / count, (noise_a / point.amperes) ** 2 / count if point.amperes else 0.0
    both, all_gains = of_u + of_i, sum(gains)
    active, reactive = point.factor**2, max(0.0, 1 - point.factor**2)
    found = crossings(rate / point.hertz, tuple(point.orders))
    peak = math.sqrt(2) * point.volts / math.sqrt(1 + sum(a * a for _, a, _ in point.orders))
    crossing = sum((noise_v / (peak * slope)) ** 2 / near for _, slope, near in found) / len(found)
    method = moved([zero for zero, _, _ in found], count)
    rows = {
        "voltage": gains[0] + of_u, "current": gains[1] + of_i,
        "frequency": (2 * crossing + method) * (point.hertz / count) ** 2,
        "active-power": all_gains + both / active if active else 0.0, "apparent-power": all_gains + both,
        "power-factor": reactive * both, "non-active-power": all_gains + both / reactive if reactive else 0.0,
        "voltage-thd": lost(point.orders, rate / point.hertz) ** 2,
        "current-thd": lost(point.currents, rate / point.hertz) ** 2,
    }
    if device.get("recursions") == "as-printed":
        for row, square in printed(point, windows, samples, active, reactive).items():
            rows[row] += square
        for row, orders in (("voltage-thd", point.orders), ("current-thd", point.currents)):
            rows[row] = lost_as_printed(orders, rate / point.hertz, samples)
    return rows


def lost(orders, per_cycle, stretched=0.0):
    """What straight lines between samples lose of a THD; and, in a window that is too long by a share of it, what does
    not fall on the lines of the orders."""
    if not orders:
        return 0.0
    gain = lambda order: math.sqrt((2 + math.cos(2 * math.pi * order / per_cycle)) / 3)
    sinc = lambda x: math.sin(math.pi * x) / (math.pi * x) if x else 1.0
    caught = lambda order: (gain(order) * sinc(CYCLES * order * stretched)) ** 2
    kept = math.sqrt(sum(caught(h) * a * a for h, a, _ in orders) / caught(1))
    return kept - math.sqrt(sum(a * a for _, a, _ in orders))


def lost_as_printed(orders, per_cycle, samples, places=32):
    """Mean square of that, with a window that is two residuals too long."""
    all_ = (lost(orders, per_cycle, 2 * (n + 0.5) / places / samples) ** 2 for n in range(places))
    return sum(all_) / places


def printed(point, windows, samples, active, reactive):
    """What the misprints add. The residual d of the first crossing is added to a window's length: it is 2 d samples too
    long, d anywhere from 0 to 1. The first sample is missing in the sums of squares: the current's, at the voltage's zero.
    """
    mean, square = 1 / samples, (2 / samples) ** 2 * (1 / 4 + 1 / (12 * windows))
    turned = 1 - 2 * reactive

    def both(of_length, of_sample):
        return of_length**2 * square + 2 * of_length * of_sample * mean + of_sample**2

    return {
        "voltage": square / 4, "current": both(turned / 2, reactive / samples), "active-power": square,
        "apparent-power": both(active, reactive / samples), "frequency": point.hertz**2 * square,
        "power-factor": active * reactive**2 * both(-1, 1 / samples), "non-active-power": 1 / samples**2,
    }
