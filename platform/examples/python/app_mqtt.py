"""An application by MQTT alone, with paho: hears each reading of a device, and publishes how far its voltage is from a
limit as a reading of a device of its own, `DEVICE-distance`.

MQTT=127.0.0.1:1883 TOKEN=... DEVICE=meter-1 LIMIT=240 python3 app_mqtt.py; the token is the administrators'.
"""

import json
import os

import paho.mqtt.client as mqtt

MQTT, TOKEN, DEVICE = (os.environ[name] for name in ("MQTT", "TOKEN", "DEVICE"))
LIMIT = float(os.environ["LIMIT"])
VOLTAGE = "electricity.voltage.rms.l1"


def heard(client, _userdata, message):
    volts = json.loads(message.payload)["values"].get(VOLTAGE)
    if volts is not None:
        request = {"measurements": {VOLTAGE: LIMIT - volts}, "updateState": True}
        own = {"hardwareId": f"{DEVICE}-distance", "type": "DeviceMeasurements", "request": request}
        client.publish("default/SiteWhere/input/json", json.dumps(own), qos=1)


client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=f"{DEVICE}-distance")
client.username_pw_set("default", TOKEN)
client.on_connect = lambda client, *_: client.subscribe(f"default/live/device/{DEVICE}", qos=1)
client.on_subscribe = lambda *_: print("listening", flush=True)
client.on_message = heard
client.on_publish = lambda client, *_: client.disconnect()
host, port = MQTT.rsplit(":", 1)
client.connect(host, int(port))
client.loop_forever()
