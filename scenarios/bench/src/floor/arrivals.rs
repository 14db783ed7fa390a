//! When each echo was due and when it came: pure bookkeeping.

use super::options::FloorOptions;

/// The schedule of a measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// Echoes that count.
    pub(super) messages: u32,
    /// Time between two, ns.
    pub(super) pace_ns: i64,
    /// Size of each, bytes.
    pub(super) payload_bytes: usize,
}

/// The size of an echo: about that of a message.
const PAYLOAD_BYTES: usize = 1300;

/// Echoes sent first and not counted: they fill caches and buffers, and show that echoes arrive.
pub(super) const WARM_UP: u32 = 20;

impl Plan {
    pub(super) fn of(options: &FloorOptions) -> Self {
        Self {
            messages: options.messages,
            pace_ns: i64::try_from(options.pace.as_nanos()).unwrap_or(i64::MAX),
            payload_bytes: PAYLOAD_BYTES,
        }
    }

    /// When an echo is due, the first being due at `start_ns`.
    pub(super) fn due_ns(&self, start_ns: i64, number: u32) -> i64 {
        start_ns.saturating_add(self.pace_ns.saturating_mul(i64::from(number)))
    }

    pub(super) fn length_ns(&self) -> i64 {
        self.pace_ns.saturating_mul(i64::from(self.messages))
    }

    /// The bytes of an echo.
    pub(super) fn payload(&self, tag: u64, number: u32) -> Vec<u8> {
        let mut payload = Vec::with_capacity(self.payload_bytes);
        payload.extend(tag.to_le_bytes());
        payload.extend(u64::from(number).to_le_bytes());
        payload.resize(self.payload_bytes, b'x');
        payload
    }
}

/// What has come so far.
#[derive(Clone, Debug)]
pub(super) struct Arrivals {
    tag: u64,
    at_ns: Vec<Option<i64>>,
    missing: usize,
    warm: bool,
}

impl Arrivals {
    /// Nothing yet. Echoes of another tag are somebody else's.
    pub(super) fn new(tag: u64, messages: u32) -> Self {
        let messages = messages as usize;
        Self { tag, at_ns: vec![None; messages], missing: messages, warm: false }
    }

    /// Takes what came at an instant. The first of several copies counts; what is no echo of this
    /// measurement does not.
    pub(super) fn take(&mut self, payload: &[u8], now_ns: i64) {
        let Some((tag, rest)) = payload.split_first_chunk::<8>() else { return };
        let Some(number) = rest.first_chunk::<8>() else { return };
        if u64::from_le_bytes(*tag) != self.tag {
            return;
        }
        let number = usize::try_from(u64::from_le_bytes(*number)).unwrap_or(usize::MAX);
        match self.at_ns.get_mut(number) {
            Some(at @ None) => {
                *at = Some(now_ns);
                self.missing -= 1;
            }
            Some(_) => {}
            None => self.warm = true,
        }
    }

    /// Whether an echo of the warm-up, whose numbers lie behind the others, has come.
    pub(super) fn is_warm(&self) -> bool {
        self.warm
    }

    pub(super) fn is_complete(&self) -> bool {
        self.missing == 0
    }

    /// From when each was due until it came, ns; [`i64::MAX`] for those that have not.
    pub(super) fn latencies_ns(&self, plan: &Plan, start_ns: i64) -> Vec<i64> {
        let latency = |(number, at): (u32, &Option<i64>)| {
            at.map_or(i64::MAX, |at| at.saturating_sub(plan.due_ns(start_ns, number)))
        };
        (0..).zip(&self.at_ns).map(latency).collect()
    }
}
