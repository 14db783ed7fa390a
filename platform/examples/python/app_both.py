"""An application by both, with paho and the standard library: hears each reading of a device by MQTT, and has it report
every five seconds by REST once its voltage is beyond a limit.

MQTT=127.0.0.1:1883 REST=http://127.0.0.1:8080 TOKEN=... DEVICE=meter-1 LIMIT=240 python3 app_both.py; the token is
the administrators'.
"""

import json
import os
import urllib.request

import paho.mqtt.client as mqtt

MQTT, REST, TOKEN, DEVICE = (os.environ[name] for name in ("MQTT", "REST", "TOKEN", "DEVICE"))
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


def heard(client, _userdata, message):
    if json.loads(message.payload)["values"].get(VOLTAGE, LIMIT) <= LIMIT:
        return
    token = ask(f"/sitewhere/api/devices/{DEVICE}/assignment")["token"]
    command = {"commandToken": "setReportingPeriod", "parameterValues": {"seconds": "5"}}
    made = ask(f"/sitewhere/api/assignments/{token}/invocations", command)
    print(f"asked {DEVICE}: {made['id']}")
    client.disconnect()


client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=f"{DEVICE}-watch")
client.username_pw_set("default", TOKEN)
client.on_connect = lambda client, *_: client.subscribe(f"default/live/device/{DEVICE}", qos=1)
client.on_subscribe = lambda *_: print("listening", flush=True)
client.on_message = heard
host, port = MQTT.rsplit(":", 1)
client.connect(host, int(port))
client.loop_forever()
