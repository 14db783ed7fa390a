"""A gateway with one plug that can be switched, over the gateway's protocol."""

import struct
import threading
import time

from peer.gateway import DELIVERED, NODE_TABLE, ORDER_RESULT, RELAY_DOWN, RELAY_UP, dial, relayed

ON_OFF, ELECTRICAL = 0x0006, 0x0B04
BOOL, U16, I16 = 0x10, 0x21, 0x29
WIDTHS = {BOOL: 1, U16: 2, I16: 2}
# Of a relayed frame, what goes before the node's own frame.
RELAY_BYTES = 18


class Plug:
    """Joins the network of its gateway, reports its power and its relay, and does what it is ordered to."""

    def __init__(self, port, key, name, gateway, node, address):
        self.link, why = dial(port, key, name, gateway)
        assert why is not None, f"the gateway is refused: {self.link}"
        self.link.stream.settimeout(None)
        self.node, self.address, self.next, self.delivered = node, address, 0, 0
        self.is_on, self.orders = True, []
        self.changed = threading.Condition(threading.RLock())
        self.thread = threading.Thread(target=self._listen, daemon=True)
        self.thread.start()
        self.number(NODE_TABLE, struct.pack(">QHB", node, address, 0))
        self.report(ELECTRICAL, [(0x0604, U16, 1)])
        self.rescale(10)

    def number(self, opcode, content):
        with self.changed:
            self.link.send(opcode, struct.pack(">III", 0, self.next, int(time.time())) + content)
            self.next += 1

    def relay(self, cluster, frame):
        self.number(RELAY_UP, relayed(self.node, self.address, cluster, self.next & 0xFF, frame))

    def report(self, cluster, records):
        frame = struct.pack("<BBB", 0x18, self.next & 0xFF, 0x0A)
        for attribute, kind, number in records:
            frame += struct.pack("<HB", attribute, kind) + number.to_bytes(WIDTHS[kind], "little", signed=kind == I16)
        self.relay(cluster, frame)

    def rescale(self, per_watt):
        """Its power is so many of the number on the wire for a watt from now on."""
        self.report(ELECTRICAL, [(0x0605, U16, per_watt)])

    def measure(self, tenths_w):
        self.report(ELECTRICAL, [(0x050B, I16, tenths_w)])
        self.report(ON_OFF, [(0x0000, BOOL, int(self.is_on))])

    def await_delivered(self, limit_s=10):
        with self.changed:
            return self.changed.wait_for(lambda: self.delivered == self.next, limit_s)

    def await_orders(self, count, limit_s=10):
        """What it was ordered, once that is so much."""
        with self.changed:
            self.changed.wait_for(lambda: len(self.orders) >= count, limit_s)
            return list(self.orders)

    def _listen(self):
        while (packet := self.link.take()) is not None:
            with self.changed:
                if packet[0] == DELIVERED:
                    self.delivered = struct.unpack(">II", packet[1])[1]
                elif packet[0] == RELAY_DOWN:
                    self._obey(packet[1])
                self.changed.notify_all()

    def _obey(self, payload):
        order, frame = payload[:8], payload[8:]
        node, _, _, _, cluster = struct.unpack(">QBBHH", frame[2:16])
        _, sequence, command = frame[RELAY_BYTES:RELAY_BYTES + 3]
        self.link.send(ORDER_RESULT, order + bytes([1]))
        if (node, cluster) != (self.node, ON_OFF) or command > 1:
            self.orders.append(f"{cluster:#06x} {command}")
            return
        self.orders.append("on" if command else "off")
        self.is_on = bool(command)
        # A default response, then what its relay shows.
        self.relay(ON_OFF, bytes([0x18, sequence, 0x0B, command, 0]))
        self.report(ON_OFF, [(0x0000, BOOL, command)])

    def close(self):
        self.link.stream.close()
