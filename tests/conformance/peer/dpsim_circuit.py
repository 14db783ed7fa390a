"""A circuit in DPsim, in real time: a settable source behind 1 ohm before 9 ohm, so that v2 = 0.9 v1.

Run as a program with one argument, JSON: `interface` is the node of VILLASnode that carries it, `seconds` how
long (`python -P`: its folder has a `platform` of its own). It imports the level of the source and exports v1, v2, the current i = v1 / 10 and the level. A module of others only
by its folder: it is started as a process of its own, since DPsim holds the interpreter while it runs.
"""

import json
import os
import sys

# As root VILLASnode would change the huge pages of the machine; the libraries are loaded before, as the folder
# they are in may be root's alone.
import numpy  # noqa: F401
import dpsimpy
import dpsimpyvillas

UNPRIVILEGED = 65534


def main():
    told = json.loads(sys.argv[1])
    if os.getuid() == 0:
        os.setgroups([])
        os.setgid(UNPRIVILEGED)
        os.setuid(UNPRIVILEGED)
    ground, n1, n2 = dpsimpy.dp.SimNode.gnd, dpsimpy.dp.SimNode("n1"), dpsimpy.dp.SimNode("n2")
    source = dpsimpy.dp.ph1.VoltageSource("source")
    source.set_parameters(complex(200, 0))
    r1, r2 = dpsimpy.dp.ph1.Resistor("r1"), dpsimpy.dp.ph1.Resistor("r2")
    r1.set_parameters(1.0)
    r2.set_parameters(9.0)
    source.connect([ground, n1])
    r1.connect([n1, n2])
    r2.connect([n2, ground])
    simulation = dpsimpy.RealTimeSimulation("circuit")
    simulation.set_domain(dpsimpy.Domain.DP)
    simulation.set_system(dpsimpy.SystemTopology(50, [n1, n2], [source, r1, r2]))
    simulation.set_time_step(0.01)
    simulation.set_final_time(told["seconds"])
    interface = dpsimpyvillas.InterfaceVillas(told["interface"])
    level = source.attr("V_ref").derive_real()
    interface.import_attribute(level, 0, False, True)
    measured = [(n1, "v"), (n2, "v"), (r2, "i_intf")]
    for place, (of, name) in enumerate(measured):
        interface.export_attribute(of.attr(name).derive_coeff(0, 0).derive_mag(), place)
    # DPsim imports step by step only what something else depends on: of what is not exported as well it takes
    # the first value alone.
    interface.export_attribute(level, len(measured))
    simulation.add_interface(interface)
    simulation.run(1)


if __name__ == "__main__":
    main()
