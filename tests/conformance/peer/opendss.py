"""Small scripts solved by OpenDSS and by `lastmeter grid`, as the conformance scripts compare them."""

import cmath
import json
import os

from opendssdirect import dss

from peer.bench import call

dss.Basic.AllowEditor(False)
dss.Basic.AllowForms(False)

# OpenDSS stops by this change of voltages; its regulators may move as long as they have to.
CLOSE = ["set tolerance=1e-11", "set maxiterations=500", "set maxcontroliter=200"]


def by_opendss(script, close=True):
    """The voltage of each node in volts by `bus.node`; or why there is none, as a text.

    Its lines are run one by one, then it is solved once more, closely."""
    try:
        dss.Text.Command("clear")
        for line in script.splitlines():
            if line.strip():
                dss.Text.Command(line)
        for line in [*CLOSE, "solve"] if close else []:
            dss.Text.Command(line)
        if not dss.Solution.Converged():
            return "it did not converge"
    except Exception as error:  # whatever it is, it is OpenDSS's answer
        return str(error).splitlines()[0]
    return node_voltages()


def node_voltages():
    """The voltages of the circuit that OpenDSS has now, volts."""
    nodes = {}
    for name in dss.Circuit.AllBusNames():
        dss.Circuit.SetActiveBus(name)
        volts = dss.Bus.Voltages()
        for at, node in enumerate(dss.Bus.Nodes()):
            nodes[f"{name.lower()}.{node}"] = complex(volts[2 * at], volts[2 * at + 1])
    return nodes


def by_lastmeter(script, folder, *arguments):
    """The same of `lastmeter grid`, and its notes; or what it prints instead."""
    path = os.path.join(folder, "script.dss")
    with open(path, "w", encoding="utf-8") as file:
        file.write(script)
    code, out, err = call("grid", path, "--format", "json", "--tolerance", "1e-10", *arguments)
    if code != 0:
        return err, []
    output = json.loads(out)
    nodes = {}
    for row in output["data"]["node"]:
        for wire, (size, angle) in enumerate(zip(row["u"], row["u_angle"])):
            if size is not None:
                nodes[f"{row['name'].lower()}.{wire + 1}"] = cmath.rect(size, angle)
    return nodes, output["lastmeter"]["notes"]


def apart(one, other):
    """The largest difference of two sets of voltages, as a share of the larger one at its node."""
    if set(one) != set(other):
        return float("inf")
    sizes = {}
    for at in one:
        bus = at.rsplit(".", 1)[0]
        sizes[bus] = max(sizes.get(bus, 1e-9), abs(one[at]), abs(other[at]))
    return max(abs(one[at] - other[at]) / sizes[at.rsplit(".", 1)[0]] for at in one)
