//! The limits of one tenant, and the pace at which its messages are taken.

use std::sync::Mutex;
use std::time::Duration;

use lastmeter_store::lock;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::config::Limits;

/// How much of a second's messages may come at once.
const BURST: Duration = Duration::from_millis(100);

/// What a tenant may take of the process. What is left out is as in the settings' `limits`, and
/// messages are as many as can be taken.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TenantLimits {
    /// Messages that are taken in a second; senders of more wait. Holds at once.
    #[schemars(range(min = 1))]
    pub(crate) messages_per_s: Option<u32>,
    /// MQTT connections at a time; more of them are rejected. Holds at once.
    #[schemars(range(min = 1))]
    pub(crate) mqtt_connections: Option<u32>,
    /// Devices that may register themselves. Holds from the tenant's next start.
    #[schemars(range(min = 1))]
    pub(crate) devices: Option<u32>,
    /// Payload bytes that may be between arrival and commit. Holds from the tenant's next start.
    #[schemars(range(min = 1))]
    pub(crate) in_flight_bytes: Option<u32>,
    /// Days after which readings, alerts and refusals are removed. Holds from the tenant's next
    /// start.
    #[schemars(range(min = 1))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reading_days: Option<u32>,
    /// Days after which roll-ups are removed. Holds from the tenant's next start.
    #[schemars(range(min = 1))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rollup_days: Option<u32>,
}

impl TenantLimits {
    /// Describes a limit with which nothing works.
    pub(crate) fn fault(&self, process: &Limits) -> Option<String> {
        let least = process.packet_bytes.saturating_mul(2);
        let bounds = [
            ("messages_per_s", self.messages_per_s, 1),
            ("mqtt_connections", self.mqtt_connections, 1),
            ("devices", self.devices, 1),
            ("in_flight_bytes", self.in_flight_bytes, least),
            ("reading_days", self.reading_days, 1),
            ("rollup_days", self.rollup_days, 1),
        ];
        let is_small =
            |(_, given, least): &(_, Option<u32>, u32)| given.is_some_and(|n| n < *least);
        let (name, given, least) = bounds.into_iter().find(is_small)?;
        Some(format!("`{name}` is {}, expected at least {least}", given.unwrap_or_default()))
    }

    /// The process's limits with those of the tenant in their place.
    pub(crate) fn within(&self, process: &Limits) -> Limits {
        Limits {
            devices: self.devices.map_or(process.devices, |devices| devices as usize),
            in_flight_bytes: self.in_flight_bytes.unwrap_or(process.in_flight_bytes),
            reading_days: self.reading_days.unwrap_or(process.reading_days),
            rollup_days: self.rollup_days.unwrap_or(process.rollup_days),
            ..process.clone()
        }
    }
}

/// Lets messages pass at a rate on the wall's clock, in the order in which they came.
#[derive(Debug, Default)]
pub(crate) struct Pace(Mutex<Option<Rate>>);

#[derive(Debug)]
struct Rate {
    per_s: u32,
    /// When everything that has been let pass is used up.
    paid_until: Option<Instant>,
}

impl Rate {
    /// When so many messages may pass.
    fn turn(&mut self, messages: usize, now: Instant) -> Instant {
        let earliest = now.checked_sub(BURST).unwrap_or(now);
        let turn = self.paid_until.map_or(earliest, |until| until.max(earliest));
        let price = Duration::from_secs_f64(messages as f64 / f64::from(self.per_s));
        self.paid_until = Some(turn + price);
        turn
    }
}

impl Pace {
    /// From now on so many pass in a second, or as many as come.
    pub(crate) fn set(&self, per_s: Option<u32>) {
        *lock(&self.0) = per_s.map(|per_s| Rate { per_s, paid_until: None });
    }

    /// Returns when so many messages may pass.
    pub(crate) async fn pass(&self, messages: usize) {
        let turn = lock(&self.0).as_mut().map(|rate| rate.turn(messages, Instant::now()));
        if let Some(turn) = turn {
            tokio::time::sleep_until(turn).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// In no stretch of time pass more than the rate, the burst and the last arrival allow.
        #[test]
        fn a_rate_is_never_exceeded(
            per_s in 1_u32..5000,
            arrivals in prop::collection::vec((0_u64..20_000, 1_usize..50), 1..200),
        ) {
            let begin = Instant::now() + Duration::from_secs(1);
            let mut rate = Rate { per_s, paid_until: None };
            let mut now = begin;
            let mut passed: Vec<(Instant, usize)> = Vec::new();
            for (later_us, messages) in arrivals {
                now += Duration::from_micros(later_us);
                let at = rate.turn(messages, now).max(now);
                prop_assert!(passed.last().is_none_or(|(last, _)| *last <= at), "in order");
                passed.push((at, messages));
            }
            for (index, (from, _)) in passed.iter().enumerate() {
                let mut sum = 0.0;
                for (until, messages) in &passed[index..] {
                    let allowed = (*until - *from + BURST).as_secs_f64() * f64::from(per_s);
                    prop_assert!(sum <= allowed + 1e-3, "{sum} of {allowed}");
                    sum += *messages as f64;
                }
            }
        }
    }

    #[test]
    fn without_a_rate_nobody_waits_and_a_quiet_sender_does_not_either() {
        let mut rate = Rate { per_s: 10, paid_until: None };
        let mut now = Instant::now() + Duration::from_secs(1);
        for _ in 0..20 {
            assert!(rate.turn(1, now) <= now);
            now += Duration::from_millis(100);
        }
        let limits = TenantLimits { in_flight_bytes: Some(1000), ..TenantLimits::default() };
        assert!(limits.fault(&Limits::default()).unwrap().contains("in_flight_bytes"));
        assert_eq!(TenantLimits::default().within(&Limits::default()), Limits::default());
    }
}
