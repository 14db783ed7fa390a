"""Random OpenDSS scripts, solved by `lastmeter grid` and by OpenDSS, node by node.

For each class properties are drawn, with their order and the commands that set them: what OpenDSS
makes of a source whose impedance is given by short-circuit powers, currents, ohms and per unit one
after another; lines by codes, units, symmetrical components and matrices; loads by all kinds of
powers, with growth; transformers of two and three windings and of one phase; banks; regulators that
move. Both agree, or the script is rejected by `lastmeter` with its line: never another answer.
"""

import random
import re
import tempfile

from peer.bench import Comparison
from peer.opendss import apart, by_lastmeter, by_opendss

SAME = 2e-6
# How many scripts of each kind, and the least share of them that has to be compared.
KINDS = {
    "source": (120, 0.75), "line": (50, 0.35), "line of one phase": (40, 0.35), "load": (60, 0.75),
    "transformer": (50, 0.9), "three windings": (30, 0.9), "one phase": (30, 0.9),
    "capacitor": (40, 0.7), "reactor": (40, 0.7), "regulators": (60, 0.9),
}


class Draw:
    """Draws scripts; the seed decides all of them."""

    def __init__(self, seed):
        self.pick = random.Random(seed)

    def number(self, low, high):
        return f"{self.pick.uniform(low, high):.4g}"

    def pair(self, low, high):
        return f"[{self.number(low, high)} {self.number(low, high)}]"

    def matrix(self, order, low, high):
        rows = [
            " ".join(self.number(low, high) if i == j else self.number(0, low / 3)
                     for j in range(i + 1))
            for i in range(order)
        ]
        return "[" + "|".join(rows) + "]"

    def some(self, properties, least, most):
        """Some of the properties in any order; a list of values, a range, or a function."""
        count = min(self.pick.randint(least, most), len(properties))
        drawn = []
        for name in self.pick.sample(sorted(properties), count):
            of = properties[name]
            if callable(of):
                value = of()
            elif isinstance(of, tuple):
                value = self.number(*of)
            else:
                value = self.pick.choice(of)
            drawn.append(f"{name}={value}")
        return " ".join(drawn)

    def edits(self, properties, target):
        """Up to two commands that edit it."""
        lines = [f"edit {target} {self.some(properties, 1, 3)}\n" for _ in range(self.pick.randint(0, 2))]
        return "".join(lines)

    def head(self, circuit=""):
        return f"clear\nset defaultbasefrequency={self.pick.choice([50, 60])}\n" \
               f"new circuit.t basekv=10 bus1=s {circuit}\n"

    def script(self, kind):
        return getattr(self, "of_" + kind.replace(" ", "_"))()

    def of_source(self):
        own = {
            "basekv": (5, 20), "pu": (0.9, 1.1), "angle": (-60, 60), "mvasc3": (50, 500),
            "mvasc1": (40, 400), "x1r1": (1, 8), "x0r0": (1, 8), "isc3": (2000, 9000),
            "isc1": (2000, 9000), "r1": (0.05, 0.6), "x1": (0.1, 1), "r0": (0.05, 1), "x0": (0.1, 2),
            "z1": lambda: self.pair(0.1, 1), "z0": lambda: self.pair(0.1, 1),
            "puz1": lambda: self.pair(0.01, 0.1), "puz0": lambda: self.pair(0.01, 0.1),
            "basemva": (10, 100),
        }
        if self.pick.random() < 0.2:
            own |= {"z2": lambda: self.pair(0.1, 1), "puz2": lambda: self.pair(0.01, 0.1)}
        return self.head(self.some(own, 0, 4)) + self.edits(own, "vsource.source") + \
            "new load.a bus1=s.1 phases=1 kv=5.77 kw=900 kvar=300 model=2\n" \
            "new load.b bus1=s.2.3 phases=1 kv=10 kw=500 kvar=100 model=2\n"

    def line_properties(self, order):
        each = (lambda low, high: self.matrix(order, low, high))
        return {
            "r1": (0.1, 0.5), "x1": (0.1, 0.5), "r0": (0.3, 1), "x0": (0.3, 1), "c1": (5, 200),
            "c0": (5, 100), "b1": (2, 20), "b0": (1, 10), "rg": (0.01, 0.1), "xg": (0.05, 0.2),
            "rho": (50, 200), "rmatrix": lambda: each(0.2, 0.5), "xmatrix": lambda: each(0.3, 0.6),
            "cmatrix": lambda: each(5, 100), "units": ["km", "m", "mi", "kft", "none"],
        }

    def of_line(self, order=3, buses=("s", "b"), more=""):
        own = self.line_properties(order)
        code = own | {"nphases": [order], "basefreq": [50, 60]}
        line = own | {"length": (0.5, 3), "switch": ["y", "n"], "linecode": ["k", "m"],
                      "phases": [order], "units": ["km", "mi", "kft", "none"]}
        text = self.head()
        for name in "km":
            text += f"new linecode.{name} nphases={order} {self.some(code, 0, 5)}\n"
        text += f"new line.a bus1={buses[0]} bus2={buses[1]} phases={order} {more} " \
                f"{self.some(line, 0, 6)}\n{self.edits(line, 'line.a')}"
        text += f"new load.a bus1={'b.2' if order == 1 else 'b.1'} phases=1 kv=5.77 kw=90 kvar=30 model=2\n"
        return text + ("" if order == 1 else "new load.b bus1=b.2.3 phases=1 kv=10 kw=50 model=2\n")

    def of_line_of_one_phase(self):
        return self.of_line(1, ("s.2", "b.2"))

    def of_load(self):
        own = {
            "kw": (-50, 200), "kvar": (-50, 100), "kva": (20, 200), "model": [1, 2, 5, 8],
            "pf": lambda: self.pick.choice("- ").strip() + self.number(0.5, 1),
            "status": ["fixed", "exempt", "variable", "v", "e"], "vminpu": (0.7, 0.9),
            "vmaxpu": (1.1, 1.3), "vlowpu": (0.3, 0.6), "zipv": ["[.2 .3 .5 .4 .4 .2 0]"],
            "conn": ["wye", "delta", "ln", "ll"], "rneut": (0, 5), "xneut": (0, 4), "kv": [10, 11],
            "enabled": ["y", "y", "n"], "cvrwatts": (0.5, 2), "cvrvars": (1, 3),
        }
        at = self.pick.choice(["phases=3 bus1=b", "phases=1 bus1=b.2 kv=5.8", "phases=1 bus1=b.2.3",
                               "phases=2 bus1=b.1.3", "phases=3 bus1=b.2.3.1"])
        text = self.head("mvasc3=20 mvasc1=15") + "new line.l bus1=s bus2=b r1=4 x1=4 r0=8 x0=8 c1=0 " \
            f"c0=0\nnew load.c bus1=b kv=10 kw=100 model=2\nnew load.a {at} {self.some(own, 0, 5)}\n" \
            + self.edits(own, "load.a")
        if self.pick.random() < 0.3:
            text += f"new load.d like=a bus1={self.pick.choice(['b', 'b.2.3.1'])} {self.some(own, 0, 2)}\n"
        for option in (f"loadmult={self.number(0.5, 1.5)}", f"year={self.pick.randint(0, 12)}",
                       f"%growth={self.number(0, 4)}"):
            text += f"set {option}\n" if self.pick.random() < 0.5 else ""
        return text

    def of_transformer(self):
        own = {
            "xhl": (2, 8), "xht": (2, 8), "%loadloss": (0.2, 3), "%noloadloss": (0.1, 3),
            "%imag": (0.1, 5), "ppm_antifloat": (0.5, 5), "leadlag": ["lead", "lag", "euro", "ansi"],
            "%rs": ["[.6 .8]"], "kvas": ["[400 400]"], "taps": ["[1.02 .97]"], "wdg": [1, 2],
            "kva": (200, 600), "%r": (0.2, 1), "tap": (0.95, 1.05), "rneut": (-1, 3), "xneut": (0, 3),
            "xscarray": ["[5]", "[3.3]"], "kvs": ["[10 .4]"], "x12": (2, 8), "phases": [3], "sub": ["y"],
            "maxtap": (1.05, 1.2), "numtaps": [16],
        }
        kind = self.pick.choice(["[delta wye]", "[wye wye]"])
        text = self.head() + f"new transformer.t phases=3 windings=2 buses=[s b] conns={kind} " \
            f"kvs=[10 .4] kvas=[400 400] {self.some(own, 0, 5)}\n{self.edits(own, 'transformer.t')}" \
            "new load.a bus1=b.1 phases=1 kv=.231 kw=30 kvar=3 model=2\n" \
            "new load.b bus1=b.2.3 phases=1 kv=.4 kw=50 kvar=10 model=2\n"
        if self.pick.random() < 0.3:
            few = {name: own[name] for name in ("xhl", "%imag", "leadlag", "%loadloss")}
            text += f"new transformer.u like=t buses=[s d] {self.some(few, 0, 2)}\n" \
                "new load.d bus1=d.1.2 phases=1 kv=.4 kw=50 kvar=10 model=2\n"
        return text

    def of_three_windings(self):
        own = {
            "xhl": (2, 8), "xht": (2, 8), "xlt": (2, 8), "%loadloss": (0.2, 3), "%noloadloss": (0.1, 3),
            "%imag": (0.1, 5), "%rs": ["[.6 .8 .7]"], "kvas": ["[400 300 200]"], "x13": (2, 8),
            "taps": ["[1.02 .97 1.01]"], "xscarray": ["[4 5 6]"], "x23": (2, 8), "leadlag": ["lead", "lag"],
        }
        kind = self.pick.choice(["[delta wye wye]", "[wye wye delta]", "[wye wye wye]"])
        return self.head() + f"new transformer.t phases=3 windings=3 buses=[s b c] conns={kind} " \
            f"kvs=[10 .4 1] kvas=[400 400 400] {self.some(own, 0, 4)}\n{self.edits(own, 'transformer.t')}" \
            "new reactor.c bus1=c kv=1 kvar=20\nnew load.b bus1=b.2.3 phases=1 kv=.4 kw=50 model=2\n" \
            "new load.c bus1=c.1.2 phases=1 kv=1 kw=50 kvar=10 model=2\n"

    def of_one_phase(self):
        own = {"xhl": (2, 8), "%loadloss": (0.2, 3), "%noloadloss": (0.1, 3), "%imag": (0.1, 5),
               "kvas": ["[40 40]"], "taps": ["[1.02 .97]"]}
        buses, kv = self.pick.choice([
            ("s.2 b.2", 5.8), ("s.1.2 b.1", 10), ("s.3.0 b.3.0", 5.8), ("s.2 b.2.0", 5.8),
            ("s.1.2 b.1.0", 10)])
        return self.head() + f"new transformer.t phases=1 windings=2 buses=[{buses}] kvs=[{kv} .23] " \
            f"kvas=[40 40] {self.some(own, 0, 4)}\nnew load.b bus1={buses.split()[1]} phases=1 kv=.23 " \
            "kw=10 kvar=3 model=2\n"

    def bank(self, kind, own):
        at = self.pick.choice(["phases=3 bus1=b", "phases=1 bus1=b.2 kv=5.8",
                               "phases=1 bus1=b.2.3 conn=delta", "phases=2 bus1=b.1.3",
                               "phases=3 bus1=b.2.3.1"])
        text = self.head("mvasc3=20 mvasc1=15") + "new line.l bus1=s bus2=b r1=4 x1=4 r0=8 x0=8 c1=0 " \
            f"c0=0\nnew load.c bus1=b kv=10 kw=100 model=2\nnew {kind}.a {at} {self.some(own, 0, 4)}\n" \
            + self.edits(own, f"{kind}.a")
        if self.pick.random() < 0.3:
            text += f"new {kind}.d like=a bus1=b {self.some(own, 0, 2)}\n"
        return text

    def of_capacitor(self):
        return self.bank("capacitor", {
            "kvar": (50, 500), "kv": [10, 11], "cuf": (1, 20), "states": [0, 1],
            "enabled": ["y", "y", "n"], "bus2": ["b.0.0.0"]})

    def of_reactor(self):
        return self.bank("reactor", {
            "kvar": (50, 500), "kv": [10, 11], "r": (0, 20), "x": (100, 2000),
            "enabled": ["y", "y", "n"], "bus2": ["b.0.0.0", "c", "c.1.2.3", "c.2.3.1"]})

    def of_regulators(self):
        own = {
            "vreg": (110, 130), "band": (1, 4), "ptratio": [2], "ctprim": (50, 200), "r": (0, 5),
            "x": (0, 5), "maxtapchange": [0, 1, 2, 6, 16], "delay": (5, 50), "tapdelay": (1, 5),
            "ptphase": [1, 2, 3], "tapnum": list(range(-10, 11)), "enabled": ["y", "y", "y", "n"],
            "winding": [2],
        }
        text = self.head("mvasc3=200 mvasc1=150") + "new line.l1 bus1=s bus2=a r1=1 x1=1 r0=2 x0=2 " \
            "c1=0 c0=0 length=2\nnew transformer.t phases=3 windings=2 buses=[a b] conns=[delta wye] " \
            "kvs=[10 .4] kvas=[400 400] xhl=4\nnew regcontrol.t transformer=t winding=2 ptratio=2 " \
            f"vreg=120 band=2 {self.some(own, 0, 4)}\n{self.edits(own, 'regcontrol.t')}" \
            "new line.l bus1=b bus2=c phases=3 r1=.05 x1=.03 r0=.1 x0=.1 c1=0 c0=0\n"
        for phase in "123":
            more = self.some(own, 0, 3) if self.pick.random() < 0.5 else ""
            text += f"new transformer.r{phase} phases=1 windings=2 buses=[c.{phase} d.{phase}] " \
                "kvs=[.23 .23] kvas=[100 100] xhl=.1 %loadloss=.1\n" \
                f"new regcontrol.r{phase} transformer=r{phase} winding=2 ptratio=2 " \
                f"vreg={self.pick.randint(112, 122)} band={self.pick.choice(['2', '3', '1.5'])} " \
                f"delay={self.pick.choice([15, 30, 45])} {more}\n" \
                f"new load.l{phase} bus1=d.{phase} phases=1 kv=.231 kw={self.number(5, 40)} kvar=3 model=2\n"
        return text + ("set controlmode=off\n" if self.pick.random() < 0.2 else "")


def main():
    check = Comparison()
    with tempfile.TemporaryDirectory() as folder:
        for number, (kind, (count, least)) in enumerate(KINDS.items()):
            draw, compared, rejected, worst = Draw(number), 0, 0, 0.0
            for _ in range(count):
                script = draw.script(kind)
                expected, (found, _) = by_opendss(script), by_lastmeter(script, folder)
                if isinstance(found, str):
                    rejected += 1
                    check.count += 1
                    if not re.search(r"script\.dss:\d+: ", found):
                        check.true(f"{kind}: rejected with a line", False, f"{found}\n{script}")
                    continue
                if isinstance(expected, str):
                    check.true(f"{kind}: rejected as OpenDSS does", False, f"{expected}\n{script}")
                    continue
                compared += 1
                check.count += 1
                off = apart(expected, found)
                worst = max(worst, off)
                if off > SAME:
                    check.true(f"{kind}: agrees", False, f"off {off:.2e}\n{script}")
            check.true(f"{kind}: {compared} of {count} compared, {rejected} rejected, off by {worst:.1e} "
                       "at most", compared >= least * count)
    check.end()


if __name__ == "__main__":
    main()
