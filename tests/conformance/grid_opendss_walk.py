"""Every command, option and property of OpenDSS, one after another: obeyed, noted or rejected.

The table is `docs/opendss.md`, which a test of the reader holds against the reader's own. This walks
over its rows. What is obeyed is set in a small circuit: that has to move the voltages of OpenDSS, and
`lastmeter grid` has to find them where OpenDSS does. What is noted must not move OpenDSS, and has to
be in the notes. What is rejected has to be an error with its line and its name; values that are
accepted all the same must not move OpenDSS. The rows have to be all that OpenDSS has, in its order.

`UPDATE_GOLDEN=1` writes the last column of the page: what was set, and by how much it moved OpenDSS.
"""

import json
import os
import re
import sys
import tempfile

from opendssdirect import dss

from peer.bench import Comparison, call
from peer.opendss import apart, by_lastmeter, by_opendss

PAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs", "opendss.md")
# Shares of the voltage at a node: what counts as moved, as the same, and as not moved.
MOVED, SAME, STILL = 1e-5, 1e-6, 1e-9

HEAD = "clear\nset defaultbasefrequency=50\nnew circuit.t basekv=10 bus1=s mvasc3=40 mvasc1=30\n"
LINE = "new line.l bus1=s bus2=b r1=2 x1=3 r0=5 x0=8 c1=400 c0=200 length=1.5\n"
UNEVEN = (
    "new load.u1 bus1=b.1 phases=1 kv=5.8 kw=300 kvar=90 model=2\n"
    "new load.u2 bus1=b.2.3 phases=1 kv=10 kw=200 kvar=-40 conn=delta model=2\n"
)
# Of each class a circuit with an object of it that is called `x`. `{}` is where its properties go,
# the command behind it what they are compared with.
CODE = "new linecode.x nphases=3 {}\nnew line.k bus1=b bus2=d linecode=x length=2\n"
BANK = UNEVEN + "new load.y bus1=b kv=10 kw=100 kvar=30 model=2\n"
LOW = "new load.a bus1=d.1 phases=1 kv=.23 kw=30 kvar=9 model=2\n" \
      "new load.b bus1=d.2.3 phases=1 kv=.4 kw=40 kvar=5 conn=delta model=2\n"
REGULATED = (
    "new transformer.t phases=3 windings=2 buses=[b d] conns=[delta wye] kvs=[10 .4] kvas=[400 400]\n"
    "new transformer.r phases=3 windings=2 buses=[d e] conns=[wye wye] kvs=[.4 .4] kvas=[400 400] "
    "xhl=1\n" + LOW.replace("bus1=d", "bus1=e")
)
BASES = {
    "vsource": HEAD + LINE + UNEVEN + "edit vsource.source {}\n",
    "linecode": HEAD + LINE + UNEVEN.replace("bus1=b", "bus1=d") + CODE,
    "line": HEAD + LINE + UNEVEN.replace("bus1=b", "bus1=d") + "new linecode.q r1=.9 x1=.4 r0=3 "
    "x0=2 c1=0 c0=0\nnew line.x bus1=b bus2=d {}\n",
    "load": HEAD + LINE + UNEVEN + "new load.x bus1=b kv=10 kw=500 kvar=200 {}\n",
    "loadshape": HEAD + LINE + UNEVEN + "new loadshape.x npts=2 interval=1 mult=[.5 .7] {}\n"
    "load.u1.daily=x\n",
    "transformer": HEAD + LINE + "new transformer.x phases=3 windings=2 buses=[b d] conns=[delta wye] "
    "kvs=[10 .4] kvas=[400 400] {}\n" + LOW,
    "regcontrol": HEAD + LINE + REGULATED + "new regcontrol.x transformer=r winding=2 ptratio=2 "
    "vreg=120 band=2 {}\n",
    "capacitor": HEAD + LINE + BANK + "new capacitor.x bus1=b kv=10 kvar=300 {}\n",
    "reactor": HEAD + LINE + BANK + "new reactor.x bus1=b kv=10 kvar=300 {}\n",
}
THREE = HEAD + LINE + "new transformer.x phases=3 windings=3 buses=[b d e] conns=[wye wye delta] " \
    "kvs=[10 .4 1] kvas=[400 400 400] {}\n" + LOW + \
    "new load.e bus1=e.1.2 phases=1 kv=1 kw=50 conn=delta model=2\n" \
    "new load.f bus1=e.2.3 phases=1 kv=1 kw=20 conn=delta model=2\n" \
    "new reactor.e bus1=e kv=1 kvar=1\n"
NEUTRAL = HEAD + LINE + "new transformer.x phases=3 windings=2 buses=[b d.1.2.3.4] conns=[delta wye] " \
    "kvs=[10 .4] kvas=[400 400] {}\n" + LOW + "new reactor.n bus1=d.4 phases=1 r=.1 x=0\n"
TWO_REGULATORS = HEAD + LINE + REGULATED + "new transformer.v phases=1 windings=2 buses=[e.1 f.1] " \
    "kvs=[.23 .23] kvas=[100 100] xhl=1\nnew load.f bus1=f.1 phases=1 kv=.23 kw=20 model=2\n" \
    "new regcontrol.v transformer=v winding=2 ptratio=2 vreg=121 band=2 delay=30\n" \
    "new regcontrol.x transformer=r winding=2 ptratio=2 vreg=118 band=2 {}\n"
LOW_VOLTAGE = HEAD + LINE + "new load.x bus1=b kv=10.9 kw=2500 kvar=800 {}\n"
HIGH_VOLTAGE = HEAD + LINE + "new load.x bus1=b kv=9 kw=500 kvar=200 {}\n"
MATRICES = "rmatrix=[.9|.1 .9|.1 .1 .9] xmatrix=[.8|.2 .8|.2 .2 .8] cmatrix=[9|-1 9|-1 -1 9]"
# The neutral of a code with four conductors, which are eliminated, by number.
FOUR = HEAD + LINE + UNEVEN.replace("bus1=b", "bus1=d") + "new linecode.x nphases=4 " \
    "rmatrix=[.9|.1 .7|.1 .1 .8|.1 .1 .1 .6] xmatrix=[.8|.2 .9|.2 .2 .7|.2 .2 .2 .6] " \
    "cmatrix=[9|-1 9|-1 -1 9|-1 -1 -1 9] {}\nnew line.k bus1=b bus2=d linecode=x length=2\n" \
    "new reactor.b bus1=b.4 phases=1 r=.1 x=0\nnew reactor.d bus1=d.4 phases=1 r=.1 x=0\n"


class Case:
    """What is set, in which circuit, and what it is compared with."""

    def __init__(self, setting, base=None, without="", loading=False, per_unit=False):
        self.setting, self.base, self.without = setting, base, without
        self.loading, self.per_unit = loading, per_unit


def simple(**settings):
    return {name: Case(f"{name}={value}") for name, value in settings.items()}


OBEYED = {
    "vsource": {
        **simple(bus1="s.1.2.3", basekv=11, pu=1.03, angle=20, mvasc3=90, mvasc1=20, x1r1=9, x0r0=9,
                 isc3=900, isc1=2500, r1=0.5, x1=3, r0=0.5, x0=9, z1="[1 2]", z0="[1 9]",
                 puz1="[.2 .9]"),
        "bus1": Case("bus1=b", without="bus1=s"),
        "puz0": Case("puz1=[.2 .9] puz0=[.2 3]", without="puz1=[.2 .9]"),
        "basemva": Case("puz1=[.2 .9] basemva=50", without="puz1=[.2 .9]"),
        "enabled": Case("enabled=no", HEAD + LINE + UNEVEN + "new vsource.x bus1=b basekv=10 "
                        "mvasc3=40 mvasc1=30 {}\n"),
        "like": Case("like=source bus1=b", HEAD + LINE + UNEVEN + "new vsource.x bus1=b basekv=10.2 {}\n"),
    },
    "linecode": {
        **simple(r1=1, x1=1, r0=1, x0=1, c1=4000, c0=2000, rmatrix="[.9|.1 .8|.1 .1 .7]",
                 xmatrix="[.9|.1 .8|.1 .1 .7]", cmatrix="[4000|-100 3000|-100 -100 2000]",
                 b1=900, b0=700, basefreq=60),
        "nphases": Case("nphases=2", BASES["linecode"].replace("nphases=3", "").replace(
            "b bus2=d", "b.1.2 bus2=d.1.2").replace("d.2.3", "d.2.1")),
        "units": Case("units=km", BASES["linecode"].replace("length=2", "length=2 units=mi")),
        "normamps": Case("normamps=321", loading=True),
        "kron": Case("kron=yes", FOUR, without="kron=no"),
        "rg": Case("basefreq=60 rg=.1", without="basefreq=60"),
        "xg": Case("basefreq=60 xg=.9", without="basefreq=60"),
        "rho": Case("basefreq=60 rho=1", without="basefreq=60"),
        "neutral": Case("neutral=1 kron=yes", FOUR, without="neutral=4 kron=yes"),
        "like": Case("like=w", HEAD + LINE + UNEVEN.replace("bus1=b", "bus1=d") +
                     "new linecode.w r1=2 x1=3\n" + CODE),
    },
    "line": {
        **simple(bus1="s", bus2="d.2.3.1", linecode="q", length=9, r1=1, x1=1, r0=1, x0=1, c1=4000,
                 c0=2000, rmatrix="[.9|.1 .8|.1 .1 .7]", xmatrix="[.9|.1 .8|.1 .1 .7]",
                 cmatrix="[4000|-100 3000|-100 -100 2000]", switch="yes", b1=900, b0=700,
                 enabled="no"),
        "bus2": Case("bus2=d.2.1.3"),
        "phases": Case("phases=2", HEAD + LINE + "new load.d bus1=d.1 phases=1 kv=5.8 kw=200 model=2\n"
                       "new line.x bus1=b.1.2 bus2=d.1.2 {}\n", without="phases=2 r1=2 r0=2"),
        "rg": Case("linecode=f rg=.1", without="linecode=f"),
        "xg": Case("linecode=f xg=.9", without="linecode=f"),
        "rho": Case("linecode=f rho=.01", without="linecode=f"),
        "units": Case("linecode=u length=2 units=mi", without="linecode=u length=2 units=km"),
        "normamps": Case("normamps=321", loading=True),
        "enabled": Case("enabled=no", BASES["line"] + "new line.y bus1=b bus2=d r1=1 x1=1 r0=1 x0=1\n"),
    },
    "load": {
        **simple(bus1="s", kv=11, kw=900, model=2, conn="delta", kvar=900, status="fixed",
                 kva=900, enabled="no"),
        "phases": Case("phases=1 bus1=b.2 kv=5.8", without="phases=2 bus1=b.2.3 kv=10"),
        "kv": Case("kv=11 model=2", without="model=2"),
        "pf": Case("pf=.7", BASES["load"].replace("kvar=200 ", "")),
        "conn": Case("phases=1 bus1=b.2.3 kv=10 conn=delta", without="phases=1 bus1=b.2 kv=5.8"),
        "status": Case("status=exempt", BASES["load"] + "set loadmult=.5\n"),
        "vminpu": Case("vminpu=.5", LOW_VOLTAGE),
        "vmaxpu": Case("vmaxpu=1.02", HIGH_VOLTAGE, without="vmaxpu=1.3"),
        "vlowpu": Case("vlowpu=.9", LOW_VOLTAGE),
        "cvrwatts": Case("model=4 vminpu=.5 cvrwatts=2", without="model=4 vminpu=.5"),
        "cvrvars": Case("model=4 vminpu=.5 cvrvars=3", without="model=4 vminpu=.5"),
        "zipv": Case("model=8 zipv=[.2 .3 .5 .1 .2 .7 0]",
                     without="model=8 zipv=[1 0 0 1 0 0 0]"),
        "like": Case("like=u1 bus1=b.3"),
    },
    "transformer": {
        **simple(conns="[wye wye]", kvs="[10 .42]", kvas="[300 300]", taps="[1 1.03]", xhl=9, xscarray="[9]",
                 **{"%loadloss": 4, "%noloadloss": 6, "%imag": 9, "%rs": "[2 2]"}, x12=9,
                 leadlag="lead"),
        "enabled": Case("enabled=no", BASES["transformer"] + "new transformer.y buses=[b d] "
                        "conns=[delta wye] kvs=[10 .4] kvas=[90 90]\n"),
        "phases": Case("phases=1 buses=[b.2 d.2] kvs=[5.8 .23]", HEAD + LINE +
                       "new transformer.x windings=2 kvas=[400 400] {}\nnew load.a bus1=d.2 phases=1 "
                       "kv=.23 kw=30 model=2\nnew load.c bus1=d.1 phases=1 kv=.23 kw=9 model=2\n"
                       "new transformer.y buses=[b d] conns=[wye wye] kvs=[10 .4] kvas=[50 50]\n",
                       without="phases=3 buses=[b d] kvs=[10 .4]"),
        "windings": Case("windings=3 buses=[b d e] kvs=[10 .4 1] kvas=[400 400 400]",
                         HEAD + LINE + "new transformer.x {}\n" + LOW +
                         "new line.e bus1=d bus2=e r1=.1 x1=.1 r0=.1 x0=.1 c1=0 c0=0\n",
                         without="windings=2 buses=[b d] kvs=[10 .4] kvas=[400 400]"),
        "wdg": Case("wdg=1 tap=1.05", without="wdg=2 tap=1.05"),
        "bus": Case("wdg=1 bus=s", without="wdg=1 bus=b"),
        "conn": Case("wdg=1 conn=wye", without="wdg=1 conn=delta"),
        "kv": Case("wdg=2 kv=.43", without="wdg=2 kv=.4"),
        "kva": Case("wdg=1 kva=150", without="wdg=1 kva=400"),
        "tap": Case("wdg=2 tap=1.04", without="wdg=2 tap=1"),
        "%r": Case("wdg=2 %r=3", without="wdg=2 %r=.2"),
        "buses": Case("buses=[s d]"),
        "xht": Case("xht=20", THREE),
        "xlt": Case("xlt=20", THREE),
        "x13": Case("x13=20", THREE),
        "x23": Case("x23=20", THREE),
        "maxtap": Case("maxtap=1.05 numtaps=24", BASES["transformer"] + "new regcontrol.r "
                       "transformer=x winding=2 vreg=130 band=2 ptratio=2\n"),
        "mintap": Case("mintap=.95 numtaps=24", BASES["transformer"] + "new regcontrol.r "
                       "transformer=x winding=2 vreg=90 band=2 ptratio=2\n"),
        "numtaps": Case("numtaps=4", BASES["transformer"] + "new regcontrol.r "
                        "transformer=x winding=2 vreg=118 band=2 ptratio=2\n"),
        "ppm_antifloat": Case("conns=[wye delta] ppm_antifloat=90000", HEAD + LINE +
                              "new transformer.x phases=3 windings=2 buses=[b d] kvs=[10 .4] "
                              "kvas=[400 400] {}\nnew load.b bus1=d.2.3 phases=1 kv=.4 kw=40 "
                              "conn=delta model=2\n", without="conns=[wye delta]"),
        "like": Case("like=w buses=[b d]", HEAD + LINE + "new transformer.w phases=3 windings=2 "
                     "buses=[b e] conns=[delta wye] kvs=[10 .4] kvas=[90 90] xhl=9\n"
                     "new transformer.x {}\n" + LOW, without="windings=2 buses=[b d] "
                     "conns=[delta wye] kvs=[10 .4] kvas=[400 400]"),
    },
    "regcontrol": {
        **simple(vreg=125, band=9, ptratio=1.9, r=9, x=9, ptphase=2, tapnum=3, enabled="no"),
        "transformer": Case("transformer=r", HEAD + LINE + REGULATED + "new regcontrol.x {} winding=2 "
                            "ptratio=2 vreg=120 band=2\n", without="transformer=t"),
        "winding": Case("winding=1", HEAD + LINE + REGULATED + "new regcontrol.x transformer=t {} "
                        "ptratio=2 vreg=118 band=2\n", without="winding=2"),
        "ctprim": Case("r=9 ctprim=50", without="r=9"),
        "delay": Case("delay=90", TWO_REGULATORS),
        "maxtapchange": Case("maxtapchange=0", BASES["regcontrol"].replace("vreg=120", "vreg=126")),
        "tapnum": Case("tapnum=3 enabled=no", without="enabled=no"),
        "like": Case("transformer=t winding=2 like=w", HEAD + LINE + REGULATED +
                     "new regcontrol.w transformer=r winding=2 vreg=124 band=1 ptratio=2\n"
                     "new regcontrol.x {}\n", without="transformer=t winding=2 ptratio=2 vreg=120 band=2"),
    },
    "capacitor": {
        **simple(bus1="s", kvar=900, kv=12, conn="delta", cuf=90, states="[0]", enabled="no"),
        "phases": Case("phases=2"),
        "conn": Case("phases=1 bus1=b.2.3 kv=10 conn=delta", without="phases=1 bus1=b.2 kv=5.8"),
        "like": Case("like=w bus1=b", BASES["capacitor"].replace(
            "new capacitor.x", "new capacitor.w bus1=s kv=10 kvar=900\nnew capacitor.x")),
    },
    "reactor": {
        **simple(bus1="s", bus2="d", kvar=900, kv=12, r=300, x=90, enabled="no"),
        "bus2": Case("bus2=d r=1 x=2", BASES["reactor"] + "new load.d bus1=d kv=10 kw=90 model=2\n"
                     "new line.d bus1=b bus2=d r1=5 x1=5 r0=5 x0=5 c1=0 c0=0\n"),
        "phases": Case("phases=2"),
        "conn": Case("phases=1 bus1=b.2.3 kv=10 conn=delta", without="phases=1 bus1=b.2 kv=5.8"),
        "like": Case("like=w bus1=b", BASES["reactor"].replace(
            "new reactor.x", "new reactor.w bus1=s kv=10 kvar=900 r=30\nnew reactor.x")),
    },
}
OPENS = HEAD + LINE + UNEVEN + "new line.m bus1=b bus2=c r1=2 x1=2 r0=3 x0=3\nnew load.m bus1=c kv=10 " \
    "kw=200 model=2\nnew line.n bus1=b bus2=c r1=1 x1=2 r0=3 x0=3 \n{}\n"
# Scripts with and without what is obeyed; `COMMAND` is in the page's last column.
COMMANDS = {
    "New": Case("new load.z bus1=b kv=10 kw=500", OPENS),
    "Edit": Case("edit load.m kw=900", OPENS),
    "More": Case("edit load.m\nmore kw=900", OPENS),
    "M": Case("edit load.m\nm kw=900", OPENS),
    "~": Case("edit load.m\n~ kw=900", OPENS),
    "Solve": Case("solve loadmult=1.5", OPENS),
    "Enable": Case("enable line.m", OPENS.replace("{}", "disable line.m\n{}")),
    "Disable": Case("disable line.m", OPENS),
    "Compile": Case("compile other.dss", OPENS),
    "Set": Case("set loadmult=1.5", OPENS),
    "Open": Case("open line.m 2", OPENS),
    "Close": Case("close line.m 2", OPENS.replace("{}", "open line.m 2\n{}")),
    "//": Case("// edit load.m kw=900", OPENS, without="edit load.m kw=900"),
    "Redirect": Case("redirect other.dss", OPENS),
    "Clear": Case("clear\n" + (HEAD + LINE).replace("clear\n", "") + UNEVEN, OPENS),
    "ClearAll": Case("clearall\n" + (HEAD + LINE).replace("clear\n", "") + UNEVEN, OPENS),
    "CD": Case("cd inner\nredirect other.dss", OPENS, without="redirect other.dss"),
    "BatchEdit": Case("batchedit load..* kw=400", OPENS),
    "Calcvoltagebases": Case("set voltagebases=[9]\ncalcvoltagebases", OPENS, per_unit=True,
                             without="set voltagebases=[12]\ncalcvoltagebases"),
    "SetkVBase": Case("setkvbase bus=b kvll=8", OPENS.replace(
        "{}", "set voltagebases=[9]\ncalcvoltagebases\n{}"), per_unit=True),
    "Buscoords": Case("buscoords places.csv", OPENS, loading=True),
}
GROWN = OPENS.replace("{}", "set year=5\n{}")
OPTIONS = {
    "year": Case("set year=10", OPENS),
    "Loadmult": Case("set loadmult=1.5", OPENS),
    "%growth": Case("set %growth=6", GROWN),
    "Voltagebases": Case("set voltagebases=[9]\ncalcvoltagebases", OPENS, per_unit=True,
                         without="set voltagebases=[12]\ncalcvoltagebases"),
    "Controlmode": Case("set controlmode=off", BASES["regcontrol"].replace("{}", "") + "{}\n"),
    "Datapath": Case("set datapath=inner\nredirect other.dss", OPENS, without="redirect other.dss"),
    "DefaultBaseFrequency": Case("set defaultbasefreq=60", "clear\n{}\n" + "\n".join(
        (HEAD + LINE + UNEVEN).splitlines()[2:]) + "\n", without="set defaultbasefreq=50"),
}
# Scripts as people write them: what is left to the defaults is what OpenDSS makes of it.
FEEDER = "new line.l bus1=src bus2=b length=5 units=km r1=.3 x1=.3 r0=.6 x0=.9 c1=0 c0=0\n" \
    "new load.a bus1=b.1 phases=1 kv=5.8 kw=400 pf=.95\nnew load.b bus1=b.2.3 phases=1 kv=10 " \
    "kw=300 kvar=90 conn=delta\nset voltagebases=[10]\ncalcv\n"
WHOLE = {
    "growth by the year": "clear\nnew circuit.t basekv=10 bus1=src mvasc3=200 mvasc1=150\n" + FEEDER
    + "set year=10\nsolve\n",
    "r1 and x1 alone": "clear\nset defaultbasefrequency=50\nnew circuit.t basekv=10 bus1=src r1=.1 "
    "x1=.5\n" + FEEDER + "solve\n",
    "mvasc3 alone": "clear\nnew circuit.t basekv=10 bus1=src mvasc3=200\n" + FEEDER + "solve\n",
    "mvasc1 alone": "clear\nnew circuit.t basekv=10 bus1=src mvasc1=200\n" + FEEDER + "solve\n",
    "isc3 alone": "clear\nnew circuit.t basekv=10 bus1=src isc3=9000\n" + FEEDER + "solve\n",
    "nothing of the source": "clear\nnew circuit.t bus1=src basekv=10\n" + FEEDER + "solve\n",
    "set defaultbasefreq": "clear\nset defaultbasefreq=50\nnew circuit.t basekv=10 bus1=src "
    "mvasc3=200 mvasc1=150\n" + FEEDER.replace("c1=0 c0=0", "c1=4000 c0=2000") + "solve\n",
}
FILES = {
    "other.dss": "new load.other bus1=b kv=10 kw=700 model=2\n",
    "inner/other.dss": "new load.other bus1=b kv=10 kw=1700 model=2\n",
    "shape.csv": ".9\n.8\n",
    "places.csv": "s, 1, 2\nb, 3, 4\nc, 5, 6\n",
}
# What is set for a look at what is noted or rejected, where 1 is no value of it.
VALUES = {
    "bus2": "b.1.2.3", "z2": "[9 9]", "puz2": "[9 9] puz1=[.2 .9]", "yearly": "p", "daily": "p", "duty": "p",
    "growth": "g", "cvrcurve": "p", "spectrum": "default", "model": "ideal", "puzideal": "[1 1]",
    "scantype": "zero", "sequence": "negative", "seasons": 1, "ratings": "[100]", "linetype": "oh",
    "earthmodel": "carson", "geometry": "g", "wires": "[w]", "spacing": "w", "cncables": "[w]",
    "tscables": "[w]", "xfmrcode": "c", "core": "shell", "subname": "here", "sub": "yes", "bank": "k",
    "wdgcurrents": "0", "inversetime": "yes", "reversible": "yes", "cogen": "yes", "debugtrace": "no",
    "eventlog": "yes", "revneutral": "yes", "reset": "yes", "parallel": "yes", "cmatrix": "[1]",
    "rcurve": "c", "lcurve": "c", "z": "[1 1]", "z1": "[1 1]", "z0": "[1 1]", "rmatrix": "[1]",
    "xmatrix": "[1]", "bus": "s", "tapwinding": 1, "winding": 2, "frequency": 60, "basefreq": 60,
    "phases": 1, "numsteps": 2, "action": "normalize", "sngfile": "f", "dblfile": "f",
    "pqcsvfile": "f", "hour": "[1 2]", "csvfile": "shape.csv", "mult": "[.9 .8]", "pmult": "[.9 .8]",
    "qmult": "[.9 .8]", "useactual": "no", "npts": 2, "memorymapping": "no",
    "interpolation": "avg", "like": "y", "rneut": 5, "xneut": 5, "xrconst": "yes",
    "%seriesrl": 30, "class": 2, "harm": 5,
}
# What of the rejected ones is accepted, with nothing moved; by class and name.
ACCEPTED = {
    ("vsource", "Frequency"): "frequency=50", ("vsource", "Phases"): "phases=3",
    ("vsource", "Sequence"): "sequence=pos", ("vsource", "Bus2"): "bus2=s.0.0.0",
    ("vsource", "puZ2"): "puz2=[9 9]", ("vsource", "Model"): "model=thevenin", ("vsource", "BaseFreq"): "basefreq=50",
    ("line", "BaseFreq"): "basefreq=50", ("transformer", "BaseFreq"): "basefreq=50",
    ("regcontrol", "Reversible"): "reversible=no", ("regcontrol", "InverseTime"): "inversetime=no",
    ("regcontrol", "TapWinding"): "tapwinding=2", ("regcontrol", "VLimit"): "vlimit=0",
    ("regcontrol", "LDC_Z"): "ldc_z=0", ("regcontrol", "Cogen"): "cogen=no",
    ("capacitor", "Bus2"): "bus2=b.0.0.0", ("capacitor", "R"): "r=0", ("capacitor", "XL"): "xl=0",
    ("capacitor", "Harm"): "harm=0", ("capacitor", "NumSteps"): "numsteps=1",
    ("capacitor", "BaseFreq"): "basefreq=50", ("reactor", "Parallel"): "parallel=no",
    ("reactor", "Rp"): "rp=0", ("reactor", "BaseFreq"): "basefreq=50",
}
ACCEPTED_OPTIONS = {
    "frequency": "set frequency=50", "Basefrequency": "set basefrequency=50",
    "Loadmodel": "set loadmodel=powerflow", "Cktmodel": "set cktmodel=multiphase",
    "LongLineCorrection": "set longlinecorrection=no",
}
OPTION_VALUES = {
    "mode": "daily", "time": "(1 0)", "random": "uniform", "LDCurve": "p", "Addtype": "capacitor",
    "UEregs": "[1]", "Lossregs": "[1]", "Autobuslist": "(b)", "Algorithm": "newton",
    "Defaultdaily": "p", "Defaultyearly": "p", "Pricecurve": "", "Harmonics": "all", "Bus": "b",
    "KeepList": "(b)", "ReduceOption": "default", "Casename": "here", "LoadShapeClass": "daily",
    "EarthModel": "carson", "SeasonSignal": "p", "editor": "vi", "tolerance": 1e-11,
    "emergvminpu": 0.8, "maxiterations": 500, "Maxcontroliter": 200, "h": 1, "hour": 0, "stepsize": "1h",
    "Cktmodel": "positive", "Loadmodel": "admittance", "number": 1, "LineTypes": "",
    "Frequency": 60, "frequency": 60, "Basefrequency": 60, "LongLineCorrection": "yes",
}
# What OpenDSS cannot be asked without a window, arguments, or files of other runs.
UNASKED = {
    "AlignFile", "COMHelp", "CalcLaplacian", "Comparecases", "DI_plot", "Export", "Help", "NodeDiff",
    "Panel", "Pstcalc", "RelCalc", "Show", "TOP", "Vdiff", "Visualize", "YearlyCurves",
}
UNASKED_OPTIONS = {"DSSVisualizationTool", "RegistryUpdate"}


def sections(page):
    """The rows of each section of the page: name, fate, remark, what it was compared with."""
    found = {}
    for part in page.split("\n## ")[1:]:
        title, _, text = part.partition("\n")
        rows = [line for line in text.splitlines() if line.startswith("| `")]
        cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in rows]
        found[title] = [[name.strip("`"), *rest] for name, *rest in cells]
    return found


class Walk:
    """Counts, and what goes into the page."""

    def __init__(self, check, folder):
        self.check, self.folder = check, folder
        self.walked = {}
        for name, text in FILES.items():
            path = os.path.join(folder, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)

    def opendss(self, script):
        """From the folder of the files, as the other program finds them."""
        before = os.getcwd()
        os.chdir(self.folder)
        try:
            dss.Text.Command(f'set datapath="{self.folder}"')
            return by_opendss(script)
        finally:
            os.chdir(before)

    def whole(self, where, script):
        """A script solved by both, bolted short circuits of one phase and of three with it."""
        found, _ = by_lastmeter(script, self.folder)
        expected = self.opendss(script)
        off = float("inf") if isinstance(found, str) or isinstance(expected, str) else \
            apart(expected, found)
        self.check.true(f"{where}: voltages", off <= SAME, f"off {off:.1e} {found if off > 1 else ''}")
        for kind in ("ag", "abc"):
            bus = "src.1" if kind == "ag" else "src"
            fault = f"new fault.f bus1={bus} phases={1 if kind == 'ag' else 3} r=1e-8\nset voltageb"
            lines = [line for line in script.splitlines() if not line.startswith("new load")]
            self.opendss("\n".join(lines).replace("set voltageb", fault))
            dss.Circuit.SetActiveElement("fault.f")
            expected = dss.CktElement.CurrentsMagAng()[0]
            _, out, err = call(
                "grid", os.path.join(self.folder, "script.dss"), "--sc", "--sources", "actual",
                "--format", "json", "--fault", f"{kind}@src")
            if not out:
                self.check.true(f"{where}: {kind} at src", False, err)
                continue
            own = json.loads(out)["short_circuits"][0]["current_a_rad"][0][0]
            self.check.close(f"{where}: {kind} at src", own, expected, 1e-5 * expected, "A")

    def compare(self, where, case, base):
        """What is obeyed: moves OpenDSS, and is where OpenDSS is."""
        without, script = base.replace("{}", case.without), base.replace("{}", case.setting)
        before, after = self.opendss(without), self.opendss(script)
        for answer, text in ((before, without), (after, script)):
            if isinstance(answer, str):
                return self.check.true(f"{where}: OpenDSS", False, f"{answer}\n{text}")
        (own_before, _), (own, _) = by_lastmeter(without, self.folder), by_lastmeter(script, self.folder)
        for answer, text in ((own_before, without), (own, script)):
            if isinstance(answer, str):
                return self.check.true(f"{where}: lastmeter", False, f"{answer}\n{text}")
        if case.loading or case.per_unit:
            return self.compare_more(where, case, script, without)
        moved = apart(before, after) if set(before) == set(after) else 1.0
        off = max(apart(before, own_before), apart(after, own))
        good = moved >= MOVED and off <= SAME
        self.check.true(where, good, f"`{case.setting}` moves OpenDSS by {moved:.1e}, off {off:.1e}")
        return f"`{one_line(case.setting)}` ({moved:.0e})"

    def compare_more(self, where, case, script, without):
        """What moves no voltage: per unit, ratings, places in a picture."""
        if case.per_unit:
            answers = []
            for text in (without, script):
                self.opendss(text)
                dss.Circuit.SetActiveBus("b")
                expected = dss.Bus.puVmagAngle()[0]
                row = json_rows(text, self.folder, "node")["b"]
                answers.append((expected, row["u_pu"][0]))
            moved = abs(answers[0][0] - answers[1][0])
            off = max(abs(one - other) for one, other in answers)
            self.check.true(where, moved > MOVED and off < SAME, f"moves {moved:.1e}, off {off:.1e}")
            return f"`{one_line(case.setting)}` (voltages per unit, {moved:.0e})"
        if "buscoords" in case.setting:
            picture = os.path.join(self.folder, "picture.svg")
            drawn = []
            for text in (without, script):
                by_lastmeter(text, self.folder, "--svg", picture)
                with open(picture, encoding="utf-8") as file:
                    drawn.append(file.read())
            self.check.true(where, drawn[0] != drawn[1], "another picture")
            return f"`{one_line(case.setting)}` (the picture)"
        self.opendss(script)
        dss.Circuit.SetActiveElement("line.k" if "linecode.x" in script else "line.x")
        currents = dss.CktElement.CurrentsMagAng()[0::2]
        expected = max(currents) / dss.CktElement.NormalAmps()
        rows = json_rows(script, self.folder, "line")
        own = rows["k" if "linecode.x" in script else "x"]["loading"]
        self.check.close(f"{where}: loading", own, expected, 1e-6)
        return f"`{one_line(case.setting)}` (loading)"

    def still(self, where, script, without):
        """What is noted or accepted must not move OpenDSS."""
        before, after = self.opendss(without), self.opendss(script)
        if isinstance(after, str) or isinstance(before, str):
            return self.check.true(f"{where}: OpenDSS", False, f"{before} {after}"[:300])
        moved = apart(before, after)
        return self.check.true(f"{where}: does not move OpenDSS", moved <= STILL, f"{moved:.1e}")

    def noted(self, where, name, script):
        """It is in the notes of an answer."""
        own, notes = by_lastmeter(script, self.folder)
        there = any(re.search(rf"\b{re.escape(name)}(,| left out)", " " + note) or f" {name}," in note
                    or f" {name} left" in note for note in notes)
        self.check.true(f"{where}: noted", there, "" if there else f"{notes} {own if isinstance(own, str) else ''}")

    def rejected(self, where, name, script):
        """An error with its line and its name, and nothing on standard output."""
        own, _ = by_lastmeter(script, self.folder)
        good = isinstance(own, str) and bool(re.search(r"script\.dss:\d+: ", own)) \
            and name.lower() in own.lower()
        self.check.true(f"{where}: rejected", good, own if isinstance(own, str) else "accepted")

    def accepted(self, where, setting, remark, base):
        """A value of what is rejected that is accepted all the same must not move OpenDSS."""
        if setting is None:
            return self.check.true(f"{where}: no value is accepted", "accepted" not in remark, remark)
        script = base.replace("{}", setting)
        self.still(where, script, base.replace("{}", ""))
        own, _ = by_lastmeter(script, self.folder)
        good = not isinstance(own, str)
        return self.check.true(f"{where}: {setting} is accepted", good, "" if good else own[:200])

    def properties(self, name, rows):
        """All properties of a class."""
        own = [row[0] for row in rows]
        self.check.same(f"{name}: OpenDSS's properties", [it.lower() for it in own],
                        [it.lower() for it in properties_of(name)])
        cases = OBEYED.get(name, {})
        left = set(cases) - {row[0].lower() for row in rows if row[1] == "obeyed"}
        self.check.true(f"{name}: no case for something else", not left, " ".join(sorted(left)))
        shape = "new loadshape.p npts=2 interval=1 mult=[.5 .7]\n"
        code = "new linecode.f basefreq=60\nnew linecode.u units=km r1=1 x1=1 r0=2 x0=2 c1=0 c0=0\n"
        for property_name, fate, remark, _ in rows:
            key, where = property_name.lower(), f"{name}.{property_name}"
            base = BASES[name].replace(LINE, LINE + shape + (code if name == "line" else ""))
            setting = f"{property_name}={VALUES.get(key, 1)}"
            if fate == "obeyed":
                case = cases.get(key)
                if case is None:
                    self.check.true(where, False, "no case")
                    continue
                told = self.compare(where, case, case.base or base)
                self.walked[f"Class `{name}`", property_name] = told
            elif fate == "noted":
                if key == "like":
                    base = base.replace("new loadshape.x", "new loadshape.y npts=2 mult=[1 2]\nnew loadshape.x")
                self.still(where, base.replace("{}", setting), base.replace("{}", ""))
                self.noted(where, property_name, base.replace("{}", setting))
            else:
                self.rejected(where, property_name, base.replace("{}", setting))
                accepted = ACCEPTED.get((name, property_name))
                self.accepted(where, accepted, remark, base)

    def options(self, rows):
        """All options of `set`."""
        executive = dss.Executive
        theirs = [executive.Option(at) for at in range(1, executive.NumOptions() + 1)]
        self.check.same("OpenDSS's options", [row[0].lower() for row in rows],
                        [it.lower() for it in theirs])
        base = OPENS.replace("new line.m", "new loadshape.p npts=2 interval=1 mult=[.5 .7]\nnew line.m")
        for name, fate, remark, _ in rows:
            where, setting = f"set {name}", f"set {name}={OPTION_VALUES.get(name, 1)}"
            script, without = base.replace("{}", setting), base.replace("{}", "")
            if fate == "obeyed":
                case = OPTIONS[name]
                told = self.compare(where, case, case.base)
                self.walked["Options of `set` and `solve`", name] = told
            elif fate == "noted":
                if name not in UNASKED_OPTIONS and name != "mode":
                    self.still(where, script, without)
                self.noted(where, name, script.replace("=\n", "=1\n"))
            else:
                self.rejected(where, name, script)
                self.accepted(where, ACCEPTED_OPTIONS.get(name), remark, base)

    def commands(self, rows):
        """All commands."""
        executive = dss.Executive
        theirs = [executive.Command(at) for at in range(1, executive.NumCommands() + 1)]
        self.check.same("OpenDSS's commands", [row[0].lower() for row in rows],
                        [it.lower() for it in theirs])
        for name, fate, *_ in rows:
            # Reports are of a solution: without one OpenDSS crashes in some of them.
            without = OPENS.replace("{}", "solve")
            script = f"{without}{'? load.m.kw' if name == '?' else name}\n"
            if fate == "obeyed":
                told = self.compare(name, COMMANDS[name], COMMANDS[name].base)
                self.walked["Commands", name] = told
            elif fate == "noted":
                if name not in UNASKED:
                    self.still(name, script, without)
                self.noted(name, name, script)
            else:
                self.rejected(name, name, script)

    def classes(self, rows):
        """Classes whose objects are left out, and those that are rejected."""
        objects = {
            "EnergyMeter": "element=line.m terminal=1", "Monitor": "element=line.m terminal=1",
            "Sensor": "element=line.m terminal=1", "Spectrum": "numharm=1 harmonic=[1] %mag=[100]",
            "TCC_Curve": "npts=1 c_array=[1] t_array=[1]", "GrowthShape": "npts=1 year=[1] mult=[2]",
            "TShape": "npts=1 temp=[20]", "PriceShape": "npts=1 price=[1]",
            "XYCurve": "npts=1 xarray=[1] yarray=[1]",
        }
        without = OPENS.replace("{}", "")
        for name, *_ in rows:
            script = OPENS.replace("{}", f"new {name}.z {objects[name]}")
            self.still(f"class {name}", script, without)
            self.noted(f"class {name}", name, script)
        taken = {row[0].lower() for row in rows} | set(BASES) | {"solution"}
        for name in dss.Basic.Classes():
            if name.lower() not in taken:
                self.rejected(f"class {name}", name, OPENS.replace("{}", f"new {name}.z"))


def one_line(text):
    """A setting as the page has it."""
    lines = text.strip().splitlines()
    shown = "; ".join(lines if len(lines) < 4 else [*lines[:2], "..."])
    return shown.replace("|", "\\|")


def json_rows(script, folder, kind):
    """The rows of a kind of element by their names."""
    path = os.path.join(folder, "script.dss")
    with open(path, "w", encoding="utf-8") as file:
        file.write(script)
    _, out, _ = call("grid", path, "--format", "json", "--tolerance", "1e-10")
    return {row["name"]: row for row in json.loads(out)["data"][kind]}


def properties_of(name):
    """What OpenDSS calls the properties of a class, in order."""
    by_opendss(BASES[name].replace("{}", ""), close=False)
    dss.Circuit.SetActiveClass(name)
    if name in ("linecode", "loadshape"):
        dss.ActiveClass.Name("x")
    else:
        dss.Circuit.SetActiveElement(f"{name}.{'source' if name == 'vsource' else 'x'}")
    return dss.Element.AllPropertyNames()


def main():
    with open(PAGE, encoding="utf-8") as file:
        page = file.read()
    found = sections(page)
    check = Comparison()
    with tempfile.TemporaryDirectory() as folder:
        walk = Walk(check, folder)
        for where, script in WHOLE.items():
            walk.whole(where, script)
        walk.commands(found["Commands"])
        walk.options(found["Options of `set` and `solve`"])
        for name in BASES:
            walk.properties(name, found[f"Class `{name}`"])
        walk.classes(found["Classes that are left out"])
    check.same("sections", len(found), 3 + len(BASES))
    lines, title = [], ""
    for line in page.splitlines():
        title = line[3:] if line.startswith("## ") else title
        cells = re.split(r"(?<!\\)\|", line) if line.startswith("| `") else []
        told = walk.walked.get((title, cells[1].strip().strip("`"))) if cells else None
        if told:
            line = "|".join([*cells[:4], f" {told} ", ""])
        lines.append(line)
    fresh = "\n".join(lines) + "\n"
    if os.environ.get("UPDATE_GOLDEN"):
        with open(PAGE, "w", encoding="utf-8") as file:
            file.write(fresh)
    else:
        differ = [f"{old}\n{new}" for old, new in zip(page.splitlines(), lines) if old != new]
        check.true("the page's last column is what was compared", not differ, "\n".join(differ[:3]))
    check.end()


if __name__ == "__main__":
    main()
