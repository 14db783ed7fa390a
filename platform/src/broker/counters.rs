//! What the broker counts since its start.
//!
//! Every refusal, every drop and every disconnect for cause shows up in exactly one of them.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident)*) => {
        /// The counters at one moment.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub(crate) struct BrokerCounters {
            $($(#[$doc])* pub(crate) $name: u64,)*
        }

        impl BrokerCounters {
            /// Name and value of each, in a fixed order, for `/metrics`.
            pub(crate) fn list(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($name), self.$name)),*]
            }
        }

        /// The counters as they run.
        #[derive(Debug, Default)]
        pub(super) struct Running {
            $(pub(super) $name: AtomicU64,)*
        }

        impl Running {
            pub(super) fn now(&self) -> BrokerCounters {
                BrokerCounters { $($name: self.$name.load(Ordering::Relaxed),)* }
            }
        }
    };
}

counters! {
    /// Connections accepted with a CONNACK.
    connected
    /// Connections that have ended, of those accepted.
    disconnected
    /// Connections refused for user name or password.
    not_authenticated
    /// Connections refused because their last will's topic is not theirs.
    wills_refused
    /// Publications that are in the journal.
    publications_stored
    /// Publications refused with a durable record, wherever it was decided.
    publications_refused
    /// Publications on their sender's own echo topic, passed on to subscribers and not stored.
    publications_echoed
    /// Connections ended without PUBACK because nothing could be made durable.
    publications_failed
    /// Last wills that are in the journal.
    wills_stored
    /// Last wills that could be neither stored nor refused durably. Their sender is gone, so these
    /// are lost.
    wills_lost
    /// Connections ended because a packet was above the limit.
    packets_too_large
    /// Connections ended because of a broken packet.
    packets_malformed
    /// Subscriptions refused because the filter is not below the client's tenant.
    subscriptions_refused
    /// TLS handshakes that were completed.
    tls_handshakes
    /// TLS connections that their clients gave up before the first packet.
    tls_abandoned
    /// Connections refused for a client identifier with control characters.
    client_ids_refused
    /// Messages that subscribers acknowledged.
    deliveries_acknowledged
    /// Messages a subscriber will not get because its queue is full, for which it is disconnected.
    deliveries_dropped
    /// Messages a subscriber had not acknowledged when it went away.
    deliveries_abandoned
    /// Subscribers disconnected because too many messages waited for them.
    subscribers_cut_for_messages
    /// Subscribers disconnected because too many bytes waited for them.
    subscribers_cut_for_bytes
    /// Subscribers disconnected because too many bytes waited for their tenant's, most for them.
    subscribers_cut_for_tenant_bytes
    /// Subscribers disconnected because too many bytes waited for all together, most for them.
    subscribers_cut_for_all_bytes
}

pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
