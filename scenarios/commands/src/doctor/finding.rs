//! One line of the answer, and how durations are written in it.

use serde::Serialize;

/// What a line is about; lines are shown in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Section {
    /// What the process may do.
    Rights,
    /// The processors and how busy they are.
    Processors,
    /// Clocks and timers.
    Time,
    /// The disk results go to.
    Disk,
    /// The way through a broker.
    Broker,
    /// What can be plugged in, and other programs.
    Equipment,
}

lastmeter_units::words! {
    /// How it stands.
    pub(super) enum Status in files {
        /// As it should be.
        Ok = "ok",
        /// It works, and results are worse for it.
        Limited = "limited",
        /// Not there, not allowed, not reported.
        No = "no",
    }
}

/// One line of the examination.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Finding {
    pub(super) section: Section,
    /// Its stable name.
    pub(super) name: &'static str,
    pub(super) status: Status,
    pub(super) found: String,
    /// What to do about it; nothing where it is as it should be.
    pub(super) advice: Option<String>,
    /// Nothing could be found out, though there was something to measure.
    #[serde(skip)]
    pub(super) unmeasured: bool,
}

impl Section {
    /// A line of it, by its stable name.
    pub(super) const fn topic(self, name: &'static str) -> Topic {
        Topic { section: self, name }
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Topic {
    section: Section,
    name: &'static str,
}

impl Topic {
    pub(super) fn ok(self, found: impl Into<String>) -> Finding {
        let (Self { section, name }, found) = (self, found.into());
        Finding { section, name, status: Status::Ok, found, advice: None, unmeasured: false }
    }

    /// It works, but not well.
    pub(super) fn limited(self, found: impl Into<String>, advice: &str) -> Finding {
        let advice = Some(advice.to_owned());
        Finding { status: Status::Limited, advice, ..self.ok(found) }
    }

    /// All is well, or it works, but not well.
    pub(super) fn graded(self, is_well: bool, found: String, advice: &str) -> Finding {
        if is_well { self.ok(found) } else { self.limited(found, advice) }
    }

    /// It does not work, or is not there.
    pub(super) fn no(self, found: impl Into<String>, advice: &str) -> Finding {
        Finding { status: Status::No, ..self.limited(found, advice) }
    }

    /// It could not be measured, and why.
    pub(super) fn unmeasured(self, why: &str, advice: &str) -> Finding {
        Finding { unmeasured: true, ..self.no(why, advice) }
    }
}

/// A duration in ms with as many digits as it deserves; what never came is `lost`.
pub(super) fn ms(duration_ns: i64) -> String {
    if duration_ns == i64::MAX {
        return "lost".to_owned();
    }
    let ms = duration_ns as f64 / 1e6;
    let decimals = match ms.abs() {
        ms if ms < 10.0 => 2,
        ms if ms < 100.0 => 1,
        _ => 0,
    };
    format!("{ms:.decimals$} ms")
}
