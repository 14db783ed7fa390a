"""An application by REST alone, with the standard library: asks for the last values of a device, and has it report
every five seconds once its voltage is beyond a limit. Copy it and change what `act` does.

REST=http://127.0.0.1:8080 TOKEN=lmk_... DEVICE=meter-1 LIMIT=240 python3 app_rest.py
"""

import json
import os
import time
import urllib.request

REST, TOKEN, DEVICE = (os.environ[name] for name in ("REST", "TOKEN", "DEVICE"))
LIMIT = float(os.environ["LIMIT"])
VOLTAGE = "electricity.voltage.rms.l1"


def ask(path, body=None):
    request = urllib.request.Request(REST + path)
    request.add_header("Authorization", f"Bearer {TOKEN}")
    if body is not None:
        request.data = json.dumps(body).encode()
        request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def act():
    token = ask(f"/sitewhere/api/devices/{DEVICE}/assignment")["token"]
    command = {"commandToken": "setReportingPeriod", "parameterValues": {"seconds": "5"}}
    made = ask(f"/sitewhere/api/assignments/{token}/invocations", command)
    print(f"asked {DEVICE}: {made['id']}")


while True:
    found = ask(f"/api/v1/latest?device={DEVICE}")["results"]
    values = {one["quantity"]: one["value"] for row in found for one in row["values"]}
    print(f"{DEVICE}: {values.get(VOLTAGE)} V")
    if values.get(VOLTAGE, LIMIT) > LIMIT:
        act()
        break
    time.sleep(1)
