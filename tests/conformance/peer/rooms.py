"""References of sensors in rooms, from the times of their source: whether a window is open just before an
instant, and between which temperatures the room can be. Shares nothing with the program."""

from decimal import Decimal

from peer.polled import seconds_of

DAY_S = 86400


def number(text):
    """The number of `21 °C`."""
    return float(str(text).split()[0])


class Rooms:
    def __init__(self, run):
        sources = {f"source:{source['name']}": source for source in run.scenario.get("source", [])}
        found = {device["name"]: sources.get(device["at"], {}) for device in run.scenario.get("device", [])}
        self.rooms = {name: source for name, source in found.items() if source.get("kind") == "room"}
        self.seen, self.wrong = {name: [0, 0] for name in self.rooms}, []

    def row(self, fields, reference, at_s):
        """A row of the record at seconds since 1970."""
        source = self.rooms.get(fields[0])
        if source is None or reference is None:
            return
        if fields[3] == "x.contact.open":
            times = ((Decimal(seconds_of(one["at"])), seconds_of(one["for"])) for one in source.get("open", []))
            # What begins at an instant is not there before it.
            is_open = any(0 < (at_s - at) % DAY_S <= length or length >= DAY_S for at, length in times)
            self.seen[fields[0]][is_open] += 1
            is_right = reference == float(is_open)
        else:
            warmest, setback, more = (
                number(source[key]) for key in ("temperature", "setback", "temperature_variation")
            )
            is_right = warmest - setback - more <= reference <= warmest + more
        if not is_right:
            self.wrong.append(f"{fields[0]} {fields[3]} at {fields[5]}: {reference}")

    def compare(self, comparison, name):
        for device, (closed, opened) in self.seen.items():
            comparison.true(f"{name}: room of {device}", closed > 0, f"{closed} closed, {opened} open")
        if self.rooms:
            comparison.true(f"{name}: rooms", not self.wrong, "; ".join(self.wrong[:3]))
