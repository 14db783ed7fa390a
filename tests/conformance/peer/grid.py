"""A distributor's network as a document of the platform, and what an application concludes of it."""

import json
import time
import urllib.request

from peer.platform import LIMIT_S, TOKEN


def feeder(token, nodes, laterals=6, switches=20):
    """A tree of nodes with a connection at each; every so many nodes a lateral begins, or a switch stands."""
    rows = {"node": [], "line": [], "link": [], "source": [], "sym_load": []}
    closed = {"from_status": 1, "to_status": 1}
    declared, ends = [], []
    for node in range(nodes):
        rows["node"].append({"id": node, "u_rated": 400.0, "name": f"N{node}"})
        load = {"node": node, "status": 1, "type": 0, "p_specified": 3000.0, "q_specified": 0.0}
        rows["sym_load"].append({"id": 30_000 + node, "name": f"C{node}", **load})
        if node == 0:
            continue
        before = node - 1 if node % laterals else max(0, node - laterals - 1)
        of = {"id": 10_000 + node, "from_node": before, "to_node": node, **closed}
        if node % switches == 3:
            rows["link"].append({**of, "name": f"S{node}"})
            declared.append({"id": of["id"], "normal": True, "remote": True})
        else:
            rows["line"].append({**of, "r1": 0.1, "x1": 0.1, "c1": 0.0, "tan1": 0.0, "name": f"L{node}"})
        ends.append((before, node))
    rows["source"].append({"id": 20_000, "node": 0, "status": 1, "u_ref": 1.0, "name": "Station"})
    model = {"version": "1.0", "type": "input", "is_batch": False, "attributes": {}, "data": rows}
    return {"token": token, "name": "Feeder <b>&amp;", "model": json.dumps(model), "switches": declared}


def switch(platform, network, version, states, cause):
    """Puts the switches of a network, which is in a version, into states."""
    request = urllib.request.Request(f"{platform.rest}/api/v1/electric-networks/{network}/topology", method="PUT")
    request.add_header("Authorization", f"Bearer {TOKEN}")
    request.add_header("Content-Type", "application/json")
    request.data = json.dumps({"version": version, "states": states, "cause": cause}).encode()
    with urllib.request.urlopen(request, timeout=LIMIT_S):
        pass


def result(number, kind, subject, at, content):
    """A message of the application `outages`, and its topic."""
    request = {"kind": kind, "subject": subject, "from": instant(at), "content": content,
               "metadata": {"epoch": "1", "serial": str(number)}}
    return {"hardwareId": "outages", "type": "Result", "request": request}, "default/device/outages/input/result"


def instant(at):
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)) + ".000Z"


def outage(network, line, meters, at, state="detected"):
    """An outage behind a line, with one of its last gasps lost."""
    return {"network": network, "state": state, "since": instant(at),
            "areas": [{"element": "line", "name": line, "phases": "abc", "meters": len(meters),
                       "gasps": len(meters) - 1, "likelihood": 0.97}],
            "expected": meters, "reported": meters[1:], "first_gasp": instant(at), "last_gasp": instant(at + 4),
            "window_closed": instant(at + 10)}


def fault(network, lines, at, of):
    """A fault with a candidate on each line, the first the likeliest."""
    candidate = [{"line": line, "distance_m": 1310.0 + 560 * place, "along_m": 40.0, "resistance_ohm": 4.0,
                  "likelihood": 0.8 / (1 + place), "spread_m": 40.0 + 20 * place}
                 for place, line in enumerate(lines)]
    return {"network": network, "station": "N0", "at": instant(at), "loop": "AG", "candidates": candidate, "outage": of}
