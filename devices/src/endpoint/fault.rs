//! What goes wrong inside a simulator, on purpose.

use std::fmt;

use lastmeter_units::SimTime;

/// A fault of a simulator; `until` is when it is over, `None`: not before the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndpointFault {
    /// It sends nothing.
    Silent {
        /// When that is over.
        until: Option<SimTime>,
    },
    /// Measured values stay as they were in the last frame, while frames go on.
    Stale {
        /// When that is over.
        until: Option<SimTime>,
    },
    /// One frame in so many is lost on its way, the one in the middle.
    Lossy {
        /// 1: all of them.
        every: u64,
        /// When that is over.
        until: Option<SimTime>,
    },
    /// It is operated by hand: what is written to it is not obeyed.
    Manual {
        /// When that is over.
        until: Option<SimTime>,
    },
}

impl EndpointFault {
    const fn until(self) -> Option<SimTime> {
        match self {
            Self::Silent { until }
            | Self::Stale { until }
            | Self::Lossy { until, .. }
            | Self::Manual { until } => until,
        }
    }
}

impl fmt::Display for EndpointFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Silent { .. } => f.write_str("silent"),
            Self::Stale { .. } => f.write_str("stale"),
            Self::Lossy { every, .. } => write!(f, "lossy, each {every}th frame"),
            Self::Manual { .. } => f.write_str("manual"),
        }?;
        self.until().map_or(Ok(()), |until| write!(f, ", until {until}"))
    }
}

/// The faults that have begun.
#[derive(Clone, Debug, Default)]
pub(super) struct Faults(Vec<EndpointFault>);

impl Faults {
    pub(super) fn begin(&mut self, fault: EndpointFault) {
        self.0.push(fault);
    }

    fn any(&self, at: SimTime, is_one: impl Fn(&EndpointFault) -> bool) -> bool {
        let lasts = |fault: &&EndpointFault| fault.until().is_none_or(|until| at < until);
        self.0.iter().filter(lasts).any(is_one)
    }

    pub(super) fn is_silent(&self, at: SimTime) -> bool {
        self.any(at, |fault| matches!(fault, EndpointFault::Silent { .. }))
    }

    pub(super) fn is_stale(&self, at: SimTime) -> bool {
        self.any(at, |fault| matches!(fault, EndpointFault::Stale { .. }))
    }

    pub(super) fn is_manual(&self, at: SimTime) -> bool {
        self.any(at, |fault| matches!(fault, EndpointFault::Manual { .. }))
    }

    /// Whether the frame of this number is lost.
    pub(super) fn is_lost(&self, at: SimTime, number: u64) -> bool {
        let is_its = |fault: &EndpointFault| matches!(fault, EndpointFault::Lossy { every, .. } if number % (*every).max(1) == every / 2);
        self.any(at, is_its)
    }
}
