"""A meter as somebody else would write it: MQTT by paho, JSON by hand from the data format."""

import json
import queue
import threading
import time

import paho.mqtt.client as mqtt

from peer.platform import LIMIT_S, TOKEN

INPUT = "default/SiteWhere/input/json"
VERSIONS = {"MQTT 3.1.1": mqtt.MQTTv311, "MQTT 5": mqtt.MQTTv5}


class Meter:
    """One connection; publishes at QoS 1 and remembers what was acknowledged and how.

    With a `context` of the module ssl it speaks TLS, with a server called `localhost`.
    """

    def __init__(
        self, platform, version, name, user="default", password=TOKEN, connect=True, context=None
    ):
        self.client = mqtt.Client(
            mqtt.CallbackAPIVersion.VERSION2, client_id=name, protocol=VERSIONS[version]
        )
        self.is_five = version == "MQTT 5"
        if user is not None:
            self.client.username_pw_set(user, password)
        self.client.reconnect_delay_set(1, 2)
        self.client.max_inflight_messages_set(20)
        self.acknowledged = {}
        self.connections, self.losses = queue.Queue(), queue.Queue()
        self.subscribed, self.received = queue.Queue(), queue.Queue()
        self.changed = threading.Condition()
        self.greeting = None
        self.client.on_connect = self._connected
        self.client.on_disconnect = lambda _c, _u, _f, reason, _p: self.losses.put(reason)
        self.client.on_publish = self._published
        self.client.on_subscribe = lambda _c, _u, _m, codes, _p: self.subscribed.put(codes)
        self.client.on_message = lambda _c, _u, message: self.received.put(message)
        host, port = platform.host, platform.port
        if context is not None:
            self.client.tls_set_context(context)
            host, port = "localhost", platform.tls_port
        self.client.connect(host, port, keepalive=30)
        self.client.loop_start()
        self.connected = self.connections.get(timeout=LIMIT_S)
        if connect and self.connected.is_failure:
            raise ConnectionError(str(self.connected))

    def _connected(self, _client, _userdata, _flags, reason, properties):
        self.greeting = properties
        self.connections.put(reason)

    def _published(self, _client, _userdata, number, reason, properties):
        with self.changed:
            text = getattr(properties, "ReasonString", None)
            self.acknowledged[number] = (reason.value, text)
            self.changed.notify_all()

    def send(self, payload, topic=INPUT):
        """Publishes bytes, text or a message; gives its number."""
        if isinstance(payload, dict):
            payload = json.dumps(payload)
        return self.client.publish(topic, payload, qos=1).mid

    def await_acknowledged(self, numbers):
        """Waits for the PUBACK of each; gives code and reason of each, None for what is lost."""
        deadline = time.monotonic() + LIMIT_S
        with self.changed:
            while any(number not in self.acknowledged for number in numbers):
                left = deadline - time.monotonic()
                if left <= 0:
                    break
                self.changed.wait(left)
            return [self.acknowledged.get(number) for number in numbers]

    def subscribe(self, topic):
        """Subscribes at QoS 1; gives the reason code of the SUBACK."""
        self.client.subscribe(topic, qos=1)
        return self.subscribed.get(timeout=LIMIT_S)[0]

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()


def reading(device, serial, values, date=None, epoch=1, **more):
    """A DeviceMeasurements message with a serial number."""
    request = {"measurements": values, "updateState": True}
    request["metadata"] = {"epoch": str(epoch), "serial": str(serial)}
    if date is not None:
        request["eventDate"] = date
    request.update(more)
    return {"hardwareId": device, "type": "DeviceMeasurements", "request": request}
