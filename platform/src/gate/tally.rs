//! Who is at the doors and who was turned away, for `/metrics`. Label sets are closed.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};

lastmeter_units::words! {
    /// A port that is listened on.
    pub(crate) enum Door {
        /// MQTT without TLS.
        Mqtt = "mqtt",
        /// MQTT over TLS.
        Mqtts = "mqtts",
        /// REST.
        Rest = "rest",
        /// Messages and commands over HTTP.
        Http = "http",
    }
}

lastmeter_units::words! {
    /// Why a connection was turned away before anything of it was known.
    pub(crate) enum Turned {
        /// It said nothing in time.
        Silent = "silent",
        /// It began and did not get to the end of its CONNECT, or its request's head, in time.
        Slow = "slow",
        /// It went away before that.
        GaveUp = "gave_up",
        /// What it said is no CONNECT.
        NotMqtt = "not_mqtt",
        /// Its CONNECT is larger than one may be.
        TooLarge = "too_large",
        /// It was the oldest of those who had said nothing yet, and somebody else needed the seat.
        CrowdedOut = "crowded_out",
        /// Every seat was taken by somebody who is known.
        Full = "full",
        /// Its address has as many connections as one may have.
        FullOfPeer = "full_of_peer",
        /// Its address has sent too many wrong secrets.
        Guessing = "guessing",
    }
}

/// The counters, and the seats taken now.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    turned_away: [[AtomicU64; Turned::ALL.len()]; Door::ALL.len()],
    wrong_secrets: [AtomicU64; Door::ALL.len()],
    accept_failures: [AtomicU64; Door::ALL.len()],
    seats: [AtomicU64; Door::ALL.len()],
    guests: [AtomicU64; Door::ALL.len()],
    queued_bytes: AtomicU64,
}

impl Tally {
    pub(super) fn turned_away(&self, door: Door, reason: Turned) {
        self.turned_away[door as usize][reason as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn wrong_secret(&self, door: Door) {
        self.wrong_secrets[door as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn accept_failed(&self, door: Door) {
        self.accept_failures[door as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Somebody sits down, as a guest.
    pub(super) fn came(&self, door: Door) {
        self.seats[door as usize].fetch_add(1, Ordering::Relaxed);
        self.guests[door as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// A guest is a guest no more.
    pub(super) fn became_known(&self, door: Door) {
        self.guests[door as usize].fetch_sub(1, Ordering::Relaxed);
    }

    /// A seat is free.
    pub(super) fn left(&self, door: Door, was_guest: bool) {
        self.seats[door as usize].fetch_sub(1, Ordering::Relaxed);
        if was_guest {
            self.became_known(door);
        }
    }

    /// So many bytes more wait for subscribers; returns how many do now.
    pub(crate) fn queued(&self, bytes: usize) -> usize {
        let before = self.queued_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        before as usize + bytes
    }

    /// So many bytes do not wait any more.
    pub(crate) fn unqueued(&self, bytes: usize) {
        self.queued_bytes.fetch_sub(bytes as u64, Ordering::Relaxed);
    }

    /// All of it as Prometheus text.
    pub(crate) fn write(&self, out: &mut String) {
        let name = "connections_refused_total";
        head(out, name, "connections rejected, by interface (`door`) and reason", "counter");
        for door in Door::ALL {
            for reason in Turned::ALL {
                let count =
                    self.turned_away[door as usize][reason as usize].load(Ordering::Relaxed);
                let (door, reason) = (door.word(), reason.word());
                // Writing into memory does not fail.
                let _ = writeln!(
                    out,
                    "lastmeter_{name}{{door=\"{door}\",reason=\"{reason}\"}} {count}"
                );
            }
        }
        let families = [
            ("wrong_secrets_total", "wrong passwords and tokens", "counter", &self.wrong_secrets),
            ("accept_failures_total", "times that accepting failed", "counter", {
                &self.accept_failures
            }),
            ("connections", "connections now", "gauge", &self.seats),
            ("connections_unknown", "of them unauthenticated", "gauge", &self.guests),
        ];
        for (name, help, kind, counts) in families {
            head(out, name, help, kind);
            for door in Door::ALL {
                let count = counts[door as usize].load(Ordering::Relaxed);
                // Writing into memory does not fail.
                let _ = writeln!(out, "lastmeter_{name}{{door=\"{}\"}} {count}", door.word());
            }
        }
        let (name, queued) = ("queued_bytes", self.queued_bytes.load(Ordering::Relaxed));
        head(out, name, "bytes that wait for subscribers", "gauge");
        // Writing into memory does not fail.
        let _ = writeln!(out, "lastmeter_{name} {queued}");
    }
}

fn head(out: &mut String, name: &str, help: &str, kind: &str) {
    // Writing into memory does not fail.
    let _ = writeln!(out, "# HELP lastmeter_{name} {help}\n# TYPE lastmeter_{name} {kind}");
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Tally {
        /// Bytes that wait for subscribers.
        pub(crate) fn queued_bytes(&self) -> u64 {
            self.queued_bytes.load(Ordering::Relaxed)
        }

        /// How many were turned away at a door for a reason.
        pub(crate) fn count(&self, door: Door, reason: Turned) -> u64 {
            self.turned_away[door as usize][reason as usize].load(Ordering::Relaxed)
        }

        /// Wrong secrets that came to a door.
        pub(crate) fn wrong_secrets(&self, door: Door) -> u64 {
            self.wrong_secrets[door as usize].load(Ordering::Relaxed)
        }
    }

    #[test]
    fn every_door_and_reason_has_a_line_of_its_own() {
        let tally = Tally::default();
        tally.turned_away(Door::Mqtts, Turned::Slow);
        tally.turned_away(Door::Mqtts, Turned::Slow);
        tally.wrong_secret(Door::Rest);
        for _ in 0..7 {
            tally.came(Door::Mqtt);
        }
        tally.became_known(Door::Mqtt);
        tally.left(Door::Mqtt, false);
        tally.left(Door::Mqtt, true);
        let mut text = String::new();
        tally.write(&mut text);
        for line in [
            "lastmeter_connections_refused_total{door=\"mqtts\",reason=\"slow\"} 2",
            "lastmeter_connections_refused_total{door=\"mqtt\",reason=\"slow\"} 0",
            "lastmeter_wrong_secrets_total{door=\"rest\"} 1",
            "lastmeter_connections{door=\"mqtt\"} 5",
            "lastmeter_connections_unknown{door=\"mqtt\"} 5",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}");
        }
        let samples: Vec<&str> = text
            .lines()
            .filter(|line| !line.starts_with('#'))
            .map(|line| line.split(' ').next().unwrap())
            .collect();
        assert_eq!(samples.len(), 4 * 9 + 4 * 4 + 1);
        let once: std::collections::BTreeSet<_> = samples.iter().collect();
        assert_eq!(once.len(), samples.len());
    }
}
