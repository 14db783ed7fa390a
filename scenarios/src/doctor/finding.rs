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
        /// Not there, not allowed, not told.
        No = "no",
    }
}

/// One line.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Finding {
    /// What it is about.
    pub(super) section: Section,
    /// Its stable name.
    pub(super) name: &'static str,
    /// How it stands.
    pub(super) status: Status,
    /// What was found.
    pub(super) found: String,
    /// What to do about it; nothing where it is as it should be.
    pub(super) advice: Option<String>,
    /// Nothing could be found out, though there was something to measure.
    #[serde(skip)]
    pub(super) unmeasured: bool,
}

impl Finding {
    /// All is well.
    pub(super) fn ok(section: Section, name: &'static str, found: impl Into<String>) -> Self {
        let (status, found) = (Status::Ok, found.into());
        Self { section, name, status, found, advice: None, unmeasured: false }
    }

    /// It works, but not well.
    pub(super) fn limited(
        section: Section,
        name: &'static str,
        found: impl Into<String>,
        advice: &str,
    ) -> Self {
        let advice = Some(advice.to_owned());
        Self { status: Status::Limited, advice, ..Self::ok(section, name, found) }
    }

    /// It does not work, or is not there.
    pub(super) fn no(
        section: Section,
        name: &'static str,
        found: impl Into<String>,
        advice: &str,
    ) -> Self {
        Self { status: Status::No, ..Self::limited(section, name, found, advice) }
    }

    /// It could not be measured, and why.
    pub(super) fn unmeasured(
        section: Section,
        name: &'static str,
        why: &str,
        advice: &str,
    ) -> Self {
        Self { unmeasured: true, ..Self::no(section, name, why, advice) }
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
