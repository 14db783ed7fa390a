"""A circuit in DPsim, instant by instant: told as JSON in the only argument, answered as JSON in a file.

`sections` of R and L in a row behind an ideal source of three phases, before a resistance; a switch to earth at
the node `fault.node` that closes at `fault.at_s`; a capacitance at the last node. The answer in the file `answer`
has the currents of the source (into the circuit) at each step, and the processor time of a step.
"""

import csv
import json
import sys
import time

import dpsimpy
import numpy as np


def main():
    told = json.loads(sys.argv[1])
    emt, phases = dpsimpy.emt, dpsimpy.PhaseType.ABC
    ground, one = emt.SimNode.gnd, np.eye(3)
    last = told["sections"]
    nodes = [emt.SimNode(f"n{number}", phases) for number in range(last + 1)]
    joints = [emt.SimNode(f"m{number}", phases) for number in range(last)]
    source = emt.ph3.VoltageSource("source")
    # Given between lines (RMS), it makes the peak of a phase of it.
    volts = dpsimpy.Math.single_phase_variable_to_three_phase(complex(told["volts"], 0))
    source.set_parameters(V_ref=volts, f_src=50)
    source.connect([ground, nodes[0]])
    parts = [source]
    for number, joint in enumerate(joints):
        resistor, inductor = emt.ph3.Resistor(f"r{number}"), emt.ph3.Inductor(f"l{number}")
        resistor.set_parameters(told["ohm"] * one)
        inductor.set_parameters(told["henry"] * one)
        resistor.connect([nodes[number], joint])
        inductor.connect([joint, nodes[number + 1]])
        parts += [resistor, inductor]
    load = emt.ph3.Resistor("load")
    load.set_parameters(told["load_ohm"] * one)
    load.connect([nodes[last], ground])
    parts.append(load)
    if told.get("farad"):
        capacitor = emt.ph3.Capacitor("capacitor")
        capacitor.set_parameters(told["farad"] * one)
        capacitor.connect([nodes[last], ground])
        parts.append(capacitor)
    simulation = dpsimpy.Simulation("transient", dpsimpy.LogLevel.off)
    simulation.set_domain(dpsimpy.Domain.EMT)
    fault = told.get("fault")
    if fault:
        switch = emt.ph3.Switch("fault")
        switch.set_parameters(1e9 * one, fault["ohm"] * one, False)
        switch.connect([nodes[fault["node"]], ground])
        parts.append(switch)
        simulation.add_event(dpsimpy.event.SwitchEvent3Ph(fault["at_s"], switch, True))
    simulation.set_system(dpsimpy.SystemTopology(50, nodes + joints, parts))
    simulation.set_time_step(told["step_s"])
    simulation.set_final_time(told["until_s"])
    log = None
    if told["answer"]:
        log = dpsimpy.Logger("transient")
        log.log_attribute("i", "i_intf", source)
        simulation.add_logger(log)
    simulation.start()
    begin, steps = time.process_time(), 0
    while simulation.next() < told["until_s"]:
        steps += 1
    took_s = (time.process_time() - begin) / max(steps, 1)
    simulation.stop()
    rows = []
    if log:
        with open("logs/transient.csv", encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file, skipinitialspace=True):
                rows.append([float(row[key]) for key in ("time", "i_0", "i_1", "i_2")])
        with open(told["answer"], "w", encoding="utf-8") as file:
            json.dump(rows, file)
    print(json.dumps({"step_us": took_s * 1e6}))


if __name__ == "__main__":
    main()
