//! Connections now and connections rejected, for `/metrics`. Label sets are closed.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};

lastmeter_units::words! {
    /// A port that is listened on.
    pub(crate) enum Listener {
        /// MQTT without TLS.
        Mqtt = "mqtt",
        /// MQTT over TLS.
        Mqtts = "mqtts",
        /// REST.
        Rest = "rest",
        /// Messages and commands over HTTP.
        Http = "http",
        /// Gateways of field networks.
        Gateways = "gateways",
    }
}

lastmeter_units::words! {
    /// Why an unauthenticated connection was rejected.
    pub(crate) enum RejectReason {
        /// It sent nothing in time.
        Silent = "silent",
        /// It began and did not get to the end of its CONNECT, or its request's head, in time.
        Slow = "slow",
        /// It went away before that.
        GaveUp = "gave_up",
        /// What it sent is no CONNECT.
        NotMqtt = "not_mqtt",
        /// Its CONNECT is larger than one may be.
        TooLarge = "too_large",
        /// It was the oldest unauthenticated one, and a new one needed the slot.
        CrowdedOut = "crowded_out",
        /// Every slot was in use by an authenticated one.
        Full = "full",
        /// Its address has as many connections as one may have.
        FullOfPeer = "full_of_peer",
        /// Its tenant has as many connections as one may have.
        FullOfTenant = "full_of_tenant",
        /// Its address has sent too many wrong secrets.
        Guessing = "guessing",
    }
}

/// The counters, and the slots in use now.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    rejected: [[AtomicU64; RejectReason::ALL.len()]; Listener::ALL.len()],
    wrong_secrets: [AtomicU64; Listener::ALL.len()],
    accept_failures: [AtomicU64; Listener::ALL.len()],
    slots: [AtomicU64; Listener::ALL.len()],
    unauthenticated: [AtomicU64; Listener::ALL.len()],
    queued_bytes: AtomicU64,
    too_many_requests: AtomicU64,
}

impl Tally {
    pub(super) fn rejected(&self, listener: Listener, reason: RejectReason) {
        self.rejected[listener as usize][reason as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn wrong_secret(&self, listener: Listener) {
        self.wrong_secrets[listener as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn too_many_requests(&self) {
        self.too_many_requests.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn accept_failed(&self, listener: Listener) {
        self.accept_failures[listener as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// An unauthenticated connection has a slot.
    pub(super) fn connected(&self, listener: Listener) {
        self.slots[listener as usize].fetch_add(1, Ordering::Relaxed);
        self.unauthenticated[listener as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// A connection is authenticated, or was closed before.
    pub(super) fn authenticated(&self, listener: Listener) {
        self.unauthenticated[listener as usize].fetch_sub(1, Ordering::Relaxed);
    }

    /// A slot is free.
    pub(super) fn closed(&self, listener: Listener, was_unauthenticated: bool) {
        self.slots[listener as usize].fetch_sub(1, Ordering::Relaxed);
        if was_unauthenticated {
            self.authenticated(listener);
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
        for listener in Listener::ALL {
            for reason in RejectReason::ALL {
                let count =
                    self.rejected[listener as usize][reason as usize].load(Ordering::Relaxed);
                let (door, reason) = (listener.word(), reason.word());
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
            ("connections", "connections now", "gauge", &self.slots),
            ("connections_unknown", "of them unauthenticated", "gauge", &self.unauthenticated),
        ];
        for (name, help, kind, counts) in families {
            head(out, name, help, kind);
            for listener in Listener::ALL {
                let count = counts[listener as usize].load(Ordering::Relaxed);
                // Writing into memory does not fail.
                let _ = writeln!(out, "lastmeter_{name}{{door=\"{}\"}} {count}", listener.word());
            }
        }
        let (name, count) =
            ("too_many_requests_total", self.too_many_requests.load(Ordering::Relaxed));
        head(out, name, "REST requests beyond the rate of their address or token", "counter");
        // Writing into memory does not fail.
        let _ = writeln!(out, "lastmeter_{name} {count}");
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

        /// How many a listener rejected for a reason.
        pub(crate) fn count(&self, listener: Listener, reason: RejectReason) -> u64 {
            self.rejected[listener as usize][reason as usize].load(Ordering::Relaxed)
        }

        /// Wrong secrets that came to a listener.
        pub(crate) fn wrong_secrets(&self, listener: Listener) -> u64 {
            self.wrong_secrets[listener as usize].load(Ordering::Relaxed)
        }
    }

    #[test]
    fn every_listener_and_reason_has_a_line_of_its_own() {
        let tally = Tally::default();
        tally.rejected(Listener::Mqtts, RejectReason::Slow);
        tally.rejected(Listener::Mqtts, RejectReason::Slow);
        tally.wrong_secret(Listener::Rest);
        for _ in 0..7 {
            tally.connected(Listener::Mqtt);
        }
        tally.authenticated(Listener::Mqtt);
        tally.closed(Listener::Mqtt, false);
        tally.closed(Listener::Mqtt, true);
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
        assert_eq!(samples.len(), 5 * 10 + 5 * 4 + 2);
        let once: std::collections::BTreeSet<_> = samples.iter().collect();
        assert_eq!(once.len(), samples.len());
    }
}
