"""Packets of the gateway's protocol, written from docs/gateway-protocol.md with the package `cryptography`."""

import secrets
import socket
import struct
import time

from cryptography.hazmat.primitives.ciphers.aead import AESCCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.cmac import CMAC

HELLO, ACCEPT, REJECT, KEEP_ALIVE, TIME, DELIVERED, ORDER_RESULT = range(1, 8)
NODE_TABLE, RELAY_UP, RELAY_DOWN = 0x0E, 0x100, 0x101
REASONS = ("version length handshake silent unknown_gateway wrong_name wrong_key closed other_gateway "
           "direction repeated_serial wrong_tag wrong_time unknown_opcode bad_payload").split()
HEAD_BYTES = 22


def cmac(key, data):
    mac = CMAC(AES(key))
    mac.update(data)
    return mac.finalize()


def derive(key, label, context):
    return cmac(key, b"\x01" + label + b"\x00" + context + b"\x00\x80")


def dial(port, key, name, gateway, timeout_s=10):
    """A gateway's handshake: the link and up to where its packets are on disk, or why it is refused and None."""
    stream = socket.create_connection(("127.0.0.1", port), timeout=timeout_s)
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    link, nonce = Link(stream, True, gateway), secrets.token_bytes(16)
    payload = nonce + bytes([len(name)]) + name.encode()
    header = head(HELLO, len(payload), 0, gateway)
    handshake = derive(key, b"handshake", struct.pack(">Q", gateway))
    stream.sendall(header + payload + cmac(handshake, b"hello" + header + payload)[:8])
    opcode, body, header, tag = link.take()
    if opcode == REJECT:
        return REASONS[body[0]], None
    assert tag == cmac(handshake, b"accept" + nonce + header + body)[:8], "the tag of accept"
    link.session(key, body[:16], nonce)
    link.send(KEEP_ALIVE)
    return link, struct.unpack(">II", body[16:])


def relayed(node, address, cluster, counter, frame):
    """A frame of a node as its gateway relays it."""
    return struct.pack(">HQBBHHBB", address, node, 1, 1, 0x0104, cluster, 200, counter) + frame


def head(opcode, length, serial, gateway):
    return struct.pack(">HHQHII", 1, length + 8, gateway, opcode, int(time.time()), serial)


class Link:
    """Packets over a socket; `up` is whether this end is the gateway's."""

    def __init__(self, stream, up, gateway):
        self.stream, self.up, self.gateway = stream, up, gateway
        self.serial, self.bytes, self.keys = 0, b"", None

    def session(self, key, platform_nonce, gateway_nonce):
        context = struct.pack(">Q", self.gateway) + platform_nonce + gateway_nonce
        self.keys = {way: AESCCM(derive(key, way, context), tag_length=8) for way in (b"up", b"down")}

    def nonce(self, up, serial):
        return struct.pack(">QIB", self.gateway, serial, 0 if up else 1)

    def sealed(self, opcode, payload):
        self.serial += 1
        header = head(opcode, len(payload), self.serial, self.gateway)
        key = self.keys[b"up" if self.up else b"down"]
        return header + key.encrypt(self.nonce(self.up, self.serial), payload, header)

    def send(self, opcode, payload=b""):
        self.stream.sendall(self.sealed(opcode, payload))

    def ready(self):
        """The next packet of the bytes that are there: opcode and payload, decrypted; None if it is not whole."""
        if len(self.bytes) < HEAD_BYTES:
            return None
        end = HEAD_BYTES + struct.unpack(">H", self.bytes[2:4])[0]
        if len(self.bytes) < end:
            return None
        header, body, self.bytes = self.bytes[:HEAD_BYTES], self.bytes[HEAD_BYTES:end], self.bytes[end:]
        opcode, _, serial = struct.unpack(">HII", header[12:])
        if opcode in (HELLO, ACCEPT, REJECT):
            return opcode, body[:-8], header, body[-8:]
        key = self.keys[b"down" if self.up else b"up"]
        return opcode, key.decrypt(self.nonce(not self.up, serial), body, header), header, b""

    def take(self):
        """The next packet, as soon as it is there; None at the end."""
        while (packet := self.ready()) is None:
            piece = self.stream.recv(4096)
            if not piece:
                return None
            self.bytes += piece
        return packet
