"""A foreign MQTT client (paho on OpenSSL) at the TLS port of `lastmeter serve`, in MQTT 3.1.1 and 5.

The certificates come from `lastmeter certificates`; OpenSSL judges them and the handshakes by
itself. Who is refused has to be counted and recorded by its reason, and the others go on.
"""

import os
import shutil
import socket
import ssl
import subprocess
import tempfile

from peer.bench import Comparison, run
from peer.meter import VERSIONS, Meter, reading
from peer.platform import LIMIT_S, Platform

U1 = "electricity.voltage.rms.l1"


class Folder:
    """Certificates made by the program."""

    def __init__(self, path, *options):
        self.path = path
        run("certificates", path, *options)

    def file(self, name):
        return os.path.join(self.path, name)

    def context(self, device=None, trusted=None):
        """What a client needs, as OpenSSL takes it."""
        context = ssl.create_default_context(cafile=(trusted or self).file("authority.pem"))
        if device is not None:
            own = f"device-{device}"
            context.load_cert_chain(self.file(f"{own}.pem"), self.file(f"{own}.key"))
        return context


def good(comparison, version, platform, folder, device):
    """Readings of a device that has sent none yet come back over TLS as they were."""
    before = len(platform.everything("readings"))
    meter = Meter(platform, version, device, context=folder.context(device))
    sent = [reading(device, n, {U1: 230.0 + n / 7}, "2027-01-18T17:00:00Z") for n in range(1, 101)]
    codes = meter.await_acknowledged([meter.send(message) for message in sent])
    comparison.same(f"{version}: PUBACKs", set(codes), {(0, None)})
    rows = platform.await_rows("readings", before + len(sent))
    found = [(row["serial"], row["values"]) for row in rows if row["device"] == device]
    expected = [(n, m["request"]["measurements"]) for n, m in enumerate(sent, start=1)]
    comparison.same(f"{version}: {len(found)} readings, as they were sent", found == expected, True)
    comparison.true(f"{version}: still connected", meter.losses.empty())
    return meter


def identities(comparison, version, platform, folder):
    """A device cannot take another's name: not authorised, in the words of its protocol."""
    before = len(platform.everything("readings"))
    owner = Meter(platform, version, "home-9", context=folder.context("home-9"))
    context = folder.context("home-8")
    thief = Meter(platform, version, "home-9", context=context, connect=False)
    # 3.1.1 return code 5 is shown by the client as this MQTT 5 code.
    comparison.same(f"{version}: another's name", thief.connected.value, 0x87)
    thief.close()
    answer = owner.await_acknowledged([owner.send(reading("home-9", 1, {U1: 230.0}, epoch=version[5]))])
    comparison.same(f"{version}: the owner goes on", answer, [(0, None)])
    platform.await_rows("readings", before + 1)
    comparison.true(f"{version}: the owner was not thrown out", owner.losses.empty())
    owner.close()


def shake(platform, context, name="localhost", version=None):
    """A handshake and the first byte after it; gives the version, or OpenSSL's reason."""
    if version is not None:
        context.minimum_version = context.maximum_version = version
    try:
        with socket.create_connection((platform.host, platform.tls_port), LIMIT_S) as plain:
            with context.wrap_socket(plain, server_hostname=name) as stream:
                # With TLS 1.3 a refusal of the client's certificate comes after its last flight.
                stream.settimeout(0.5)
                try:
                    stream.recv(1)
                except TimeoutError:
                    pass
                return stream.version()
    except ssl.SSLError as error:
        return error.reason
    except OSError as error:
        return type(error).__name__


def handshakes(comparison, platform, folder, stranger, expired, elsewhere):
    """What OpenSSL says of handshakes that must not succeed, and which reason is counted."""
    device = folder.context("home-1")
    # The verifier of Python says whose fault it is in its own words.
    failed = "CERTIFICATE_VERIFY_FAILED"
    untrusting = folder.context("home-1", trusted=stranger)
    cases = [
        ("a good one", device, "localhost", None, "TLSv1.3", None),
        ("by address", device, "127.0.0.1", None, "TLSv1.3", None),
        ("TLS 1.2", folder.context("home-1"), "localhost", ssl.TLSVersion.TLSv1_2, "TLSv1.2", None),
        ("no certificate", folder.context(), "localhost", None,
         "TLSV13_ALERT_CERTIFICATE_REQUIRED", "tls_no_certificate"),
        ("of another authority", stranger.context("home-1", trusted=folder), "localhost", None,
         "TLSV1_ALERT_UNKNOWN_CA", "tls_unknown_authority"),
        ("expired", expired.context("home-1"), "localhost", None,
         "SSLV3_ALERT_CERTIFICATE_EXPIRED", "tls_expired"),
        ("expired, TLS 1.2", expired.context("home-1"), "localhost", ssl.TLSVersion.TLSv1_2,
         "SSLV3_ALERT_CERTIFICATE_EXPIRED", "tls_expired"),
        ("the platform is not trusted", untrusting, "localhost", None, failed, "tls_distrusted"),
        ("the platform has another name", device, "elsewhere.test", None, failed, "tls_distrusted"),
    ]
    for what, context, name, version, told, reason in cases:
        before = counted(platform)
        found = shake(platform, context, name, version)
        comparison.same(f"{what}: OpenSSL says", found, told)
        await_counted(comparison, what, platform, before, reason)
    what = "the platform's certificate has expired"
    before = counted(elsewhere)
    comparison.same(f"{what}: OpenSSL says", shake(elsewhere, folder.context("home-1")), failed)
    await_counted(comparison, what, elsewhere, before, "tls_distrusted")


def counted(platform):
    """Refusals by reason, as the metrics have them."""
    refused = {}
    for line in platform.metrics().splitlines():
        if line.startswith("lastmeter_refused_total{"):
            name, _, count = line.rpartition(" ")
            refused[name.split('"')[1]] = int(count)
    return refused


def await_counted(comparison, what, platform, before, reason):
    """One more of this reason, and of no other; it is recorded too."""
    expected = dict(before)
    if reason is not None:
        expected[reason] = before.get(reason, 0) + 1
    total = sum(expected.values())
    rows = platform.await_rows("refusals", total)
    comparison.same(f"{what}: counted", counted(platform), expected)
    comparison.same(f"{what}: recorded", len(rows), total)
    if reason is not None:
        comparison.same(f"{what}: reason", rows[-1]["reason"], reason)


def plain_clients(comparison, platform, folder):
    """Plain MQTT and noise at the TLS port: closed in order, counted, and nobody else minds."""
    meter = good(comparison, "MQTT 5", platform, folder, "home-1")
    for what, sent in (
        ("plain MQTT", b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00"),
        ("HTTP", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    ):
        before = counted(platform)
        with socket.create_connection((platform.host, platform.tls_port), LIMIT_S) as plain:
            plain.sendall(sent)
            comparison.same(f"{what} at the TLS port gets", plain.recv(100), b"")
        await_counted(comparison, what, platform, before, "tls_not_tls")
    comparison.true("a device beside them is still connected", meter.losses.empty())
    meter.close()


def verified(comparison, folder):
    """OpenSSL's own verdict about the certificates, and the names in them."""
    if shutil.which("openssl") is None:
        print("note  openssl is not installed; the module ssl of Python judges alone")
        return
    for name, purpose in (("server", "sslserver"), ("device-home-1", "sslclient")):
        for asked in ("sslserver", "sslclient"):
            command = ["openssl", "verify", "-purpose", asked, "-x509_strict"]
            command += ["-CAfile", folder.file("authority.pem"), folder.file(f"{name}.pem")]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            comparison.same(f"openssl verify {name} as {asked}", done.returncode == 0, asked == purpose)
    command = ["openssl", "x509", "-noout", "-subject", "-ext", "subjectAltName"]
    for name, subject, alternative in (
        ("device-home-1", "subject=CN = home-1", "URI:urn:lastmeter:device:home-1"),
        ("server", "subject=CN = localhost", "DNS:localhost, IP Address:127.0.0.1"),
    ):
        arguments = [*command, "-in", folder.file(f"{name}.pem")]
        done = subprocess.run(arguments, capture_output=True, text=True, check=False)
        lines = [line.strip() for line in done.stdout.splitlines()]
        found = (lines[0].replace("CN=", "CN = "), lines[-1])
        comparison.same(f"openssl x509 {name}", found, (subject, alternative))


def serve(folder, data, *options):
    """A platform with the certificates of a folder."""
    tls = ["--mqtts", "127.0.0.1:0", "--certificate", folder.file("server.pem")]
    tls += ["--key", folder.file("server.key")]
    tls += ["--client-authority", folder.file("authority.pem"), "--require-client-certificate"]
    return Platform(data, *tls, *options)


if __name__ == "__main__":
    outcome = Comparison()
    devices = [f"--device=home-{number}" for number in (1, 3, 5, 8, 9)]
    server = "--server=localhost,127.0.0.1"
    with tempfile.TemporaryDirectory() as scratch:
        place = lambda name: os.path.join(scratch, name)
        made = Folder(place("certificates"), server, *devices)
        another = Folder(place("another"), server, *devices)
        # What is signed by the same authority, but over: in a folder with a copy of it.
        for name in ("authority.pem", "authority.key"):
            with open(made.file(name), encoding="utf-8") as source:
                text = source.read()
            os.makedirs(place("expired"), exist_ok=True)
            with open(os.path.join(place("expired"), name), "w", encoding="utf-8") as target:
                target.write(text)
        over = Folder(place("expired"), server, "--device=home-1", "--expired")
        verified(outcome, made)
        common = serve(made, place("common"))
        old = serve(over, place("old"))
        for mqtt_version in VERSIONS:
            good(outcome, mqtt_version, common, made, f"home-{mqtt_version[5]}").close()
            identities(outcome, mqtt_version, common, made)
        handshakes(outcome, common, made, another, over, old)
        plain_clients(outcome, common, made)
        outcome.same("exit code after SIGTERM", common.stop(), 0)
        outcome.same("exit code after SIGTERM, expired", old.stop(), 0)
        closed = serve(made, place("closed"), "--no-plain")
        outcome.same("without plain MQTT", "mqtt" in closed.ready, False)
        good(outcome, "MQTT 3.1.1", closed, made, "home-3").close()
        outcome.same("exit code after SIGTERM, no plain", closed.stop(), 0)
    outcome.end()
