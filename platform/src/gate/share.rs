//! How the process's file descriptors are shared out among connections. Pure but for asking the
//! system for its limit.
//!
//! A connection is a descriptor. What journal, store, log and runtime may ever need is set aside
//! first, so that no number of connections can keep a message from being made durable.

use rustix::process::{Resource, getrlimit};

/// Set aside at least for everything that is no connection: the journal's segments and folder, the
/// store's connections (three files each), the runtimes' own, the listening ports; and for
/// connections that are on their way out while others take their slots. About sixty are in use at
/// most with one tenant.
pub(crate) const RESERVED: usize = 192;
/// Of these, those that are needed without any tenant, and those of each.
const RESERVED_OF_PROCESS: usize = 64;
const RESERVED_OF_TENANT: usize = 40;
/// Connections to an HTTP listener beyond its limit that are answered about health, and otherwise
/// with 503 (see `rest::serve`).
pub(crate) const HEALTH_RESERVE: usize = 32;
/// A platform with fewer connections than this does not start.
const CONNECTIONS_MIN: usize = 16;

/// How many connections there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Share {
    /// MQTT and MQTT over TLS together.
    pub(crate) mqtt: usize,
    /// REST, without its reserve for health.
    pub(crate) rest: usize,
}

impl Share {
    /// Takes connections away from MQTT for another door, with a health reserve of its own: as many
    /// as it wants, but at most a quarter; returns how many it has.
    pub(crate) fn set_aside(&mut self, wanted: usize) -> usize {
        let given = wanted.min((self.mqtt / 4).saturating_sub(HEALTH_RESERVE)).max(1);
        self.mqtt = self.mqtt.saturating_sub(given + HEALTH_RESERVE).max(1);
        given
    }
}

/// There are not enough descriptors to run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the limit of open files is {limit}, and {} are needed; raise it, as with `ulimit -n {}`",
    RESERVED + HEALTH_RESERVE + CONNECTIONS_MIN,
    4096
)]
pub(crate) struct TooFewDescriptors {
    /// What the system grants.
    pub(crate) limit: usize,
}

/// Shares out what the system grants, and no more than asked for, with what is set aside for so
/// many tenants: at most a quarter to REST, what is left to MQTT. With it comes how many tenants
/// there is room for.
pub(crate) fn share(
    all: usize,
    rest: usize,
    tenants: usize,
) -> Result<(Share, usize), TooFewDescriptors> {
    let limit = limit();
    let share = share_of(limit, all, rest, tenants)?;
    Ok((share, tenants_within(limit, share)))
}

/// Open files that the system grants.
fn limit() -> usize {
    getrlimit(Resource::Nofile).current.map_or(usize::MAX, |limit| limit as usize)
}

/// Tenants that there is room for beside so many connections.
fn tenants_within(limit: usize, share: Share) -> usize {
    let left = limit.saturating_sub(share.mqtt + share.rest + HEALTH_RESERVE);
    left.saturating_sub(RESERVED_OF_PROCESS) / RESERVED_OF_TENANT
}

fn share_of(
    limit: usize,
    all: usize,
    rest: usize,
    tenants: usize,
) -> Result<Share, TooFewDescriptors> {
    let reserved = RESERVED.max(RESERVED_OF_PROCESS + RESERVED_OF_TENANT * tenants);
    let left = limit.saturating_sub(reserved + HEALTH_RESERVE);
    if left < CONNECTIONS_MIN {
        return Err(TooFewDescriptors { limit });
    }
    let left = left.min(all);
    let rest = rest.min((left / 4).max(1));
    Ok(Share { mqtt: (left - rest).max(1), rest })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_and_what_is_set_aside_never_exceed_the_limit() {
        for limit in [240, 256, 512, 1024, 4096, 65_536, 1 << 20, usize::MAX] {
            for (all, rest) in [(100_000, 256), (2, 1), (10, 100_000), (usize::MAX, usize::MAX)] {
                let share = share_of(limit, all, rest, 1).unwrap();
                let used = share.mqtt + share.rest;
                assert!(used <= all && share.rest <= rest, "{limit} {share:?}");
                assert!(used <= limit - RESERVED - HEALTH_RESERVE, "{limit} {share:?}");
                assert!(share.mqtt >= 1 && share.rest >= 1);
            }
        }
    }

    #[test]
    fn with_room_enough_everybody_has_what_was_asked_for() {
        let expected = Share { mqtt: 20_000, rest: 256 };
        assert_eq!(share_of(65_536, 20_256, 256, 1), Ok(expected));
        // The soft limit of most systems: 800 are left, of which REST has its quarter.
        assert_eq!(share_of(1024, 100_000, 256, 1), Ok(Share { mqtt: 600, rest: 200 }));
    }

    #[test]
    fn tenants_on_record_have_their_descriptors_before_connections_have_theirs() {
        let tenants = |limit, all, recorded| {
            tenants_within(limit, share_of(limit, all, 256, recorded).unwrap())
        };
        assert_eq!(tenants(1024, 100_000, 1), 3);
        assert_eq!(tenants(1024, 100_000, 16), 16);
        assert_eq!(tenants(1024, 300, 1), 15);
        assert!(tenants(65_536, 20_256, 1) > 1000);
    }

    #[test]
    fn what_a_door_has_mqtt_has_not() {
        let mut share = Share { mqtt: 20_000, rest: 256 };
        assert_eq!((share.set_aside(256), share.mqtt), (256, 19_712));
        let mut share = Share { mqtt: 600, rest: 200 };
        assert_eq!((share.set_aside(256), share.mqtt), (118, 450));
        let mut share = Share { mqtt: 1, rest: 1 };
        assert_eq!((share.set_aside(256), share.mqtt), (1, 1));
    }

    #[test]
    fn too_few_are_reported() {
        let error = share_of(239, 10, 10, 1).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the limit of open files is 239, and 240 are needed; raise it, as with `ulimit -n 4096`"
        );
        assert!(share_of(0, 10, 10, 1).is_err());
    }
}
