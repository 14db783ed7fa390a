//! Reports: what is made of a period again and again, and what was made.

use lastmeter_units::{HardwareId, SimTime};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::DocumentKind;
use super::body::{About, Body, Fault, Key, Metadata, Name, Token, at_most, bodies, ensure, keys};
use crate::access::{Kind, PrincipalRef, Target};
use crate::calendar::{Stretch, Width, Zone, stretches};

pub(super) const KINDS: &[DocumentKind] = &[
    DocumentKind::of::<ReportPlan>("report_plan", Kind::ReportPlan),
    DocumentKind { is_resident: false, ..DocumentKind::of::<Report>("report", Kind::Report) },
];

/// Runs that a plan remembers.
const RUNS_MAX: usize = 16;

lastmeter_units::words! {
    /// The sub-service that makes a report.
    pub enum ReportKind in files {
        /// The loads of a home, and the rest that none of them explains.
        Nilm = "NILM",
        /// Commands of demand response, and the power around them.
        Eadrm = "EADRM",
        /// Faults and outages.
        Lgfa = "LGFA",
        /// Schedules, and what was followed.
        Dra = "DRA",
        /// What a user should be aware of.
        TiE = "TI.E",
        /// Energy by day.
        Consumption = "consumption",
        /// Readings that came, and those that did not.
        Delivery = "delivery",
    }
}

lastmeter_units::words! {
    /// How long the period of a report is.
    pub enum ReportPeriod in files {
        /// A local day.
        Day = "day",
        /// From Monday to Monday.
        Week = "week",
        /// A month of the calendar.
        Month = "month",
    }
}

lastmeter_units::words! {
    /// Why a report has no content.
    pub enum ReportFailure in files {
        /// It would rest on more rows than are looked at.
        TooMuch = "too-much",
        /// The store took too long.
        TooSlow = "too-slow",
        /// Something that it would rest on is damaged.
        Damaged = "damaged",
        /// There is no device of the subject that its owner may read.
        NoDevice = "no-device",
    }
}

lastmeter_units::words! {
    /// What a report lacks.
    pub enum Lack in files {
        /// The device has no register of energy.
        NoRegister = "no-register",
        /// The device has no readings in the period.
        NoReadings = "no-readings",
        /// Readings of the device are missing in the period.
        Readings = "readings",
        /// How often the device reports is not declared.
        ReportingPeriod = "reporting-period",
        /// No load behind the meter is measured.
        NoLoads = "no-loads",
        /// Nobody asked the devices for anything.
        NoCommands = "no-commands",
        /// There is no whole period before to compare with.
        NoPeriodBefore = "no-period-before",
    }
}

bodies! {
    /// What is made of each period.
    document ReportPlan {
        /// Name for people.
        name: Name,
        /// What is made.
        kind: ReportKind,
        /// About what: `device:ID`, `asset:TOKEN` or `zone:TOKEN`.
        subject: Target,
        /// How long a period is.
        period: ReportPeriod,
        /// At which full hour of the day after the period it is made.
        #[serde(default)]
        hour: u8,
        /// In whose name; nobody's: the tenant's.
        owner: Option<PrincipalRef>,
        /// Whether none is made by itself.
        #[serde(default)]
        disabled: bool,
        /// The last ones that were asked for.
        #[serde(default, deserialize_with = "at_most::<_, _, RUNS_MAX>")]
        runs: Vec<ReportRun>,
    }

    /// A report that was asked for.
    struct ReportRun {
        /// Which one, later ones being greater.
        number: u64,
        /// An instant of the period.
        at: SimTime,
    }

    /// What was made of a period.
    document Report {
        /// The plan.
        plan: Token,
        /// Name of the plan.
        name: Name,
        /// What is made.
        kind: ReportKind,
        /// About what.
        subject: Target,
        /// In whose name; nobody's: the tenant's.
        owner: Option<PrincipalRef>,
        /// The first instant of the period.
        from: SimTime,
        /// The first instant after it.
        until: SimTime,
        /// By which calendar.
        zone: Zone,
        /// When it was made.
        made: SimTime,
        /// Why it has no content, if that is so.
        failure: Option<ReportFailure>,
        /// What it rests on.
        inputs: Vec<ReportInput>,
        /// What was missing.
        missing: Vec<Missing>,
        /// The content, by kind.
        content: Map<String, Value>,
    }

    /// What a report rests on, of one device.
    struct ReportInput {
        /// The device.
        device: HardwareId,
        /// How many readings there are in the period.
        readings: u64,
        /// How many are expected, if that is declared.
        expected: Option<u64>,
        /// The instant of the first one.
        first: Option<SimTime>,
        /// The instant of the last one.
        last: Option<SimTime>,
    }

    /// Something that a report lacks.
    struct Missing {
        /// What.
        what: Lack,
        /// Of which device.
        device: Option<HardwareId>,
        /// How many.
        count: Option<u64>,
    }
}

impl ReportPeriod {
    /// Its width in the calendar.
    pub const fn width(self) -> Width {
        match self {
            Self::Day => Width::Day,
            Self::Week => Width::Week,
            Self::Month => Width::Month,
        }
    }

    /// The period that an instant lies in.
    pub fn around(self, zone: &Zone, at: SimTime) -> Option<Stretch> {
        stretches(zone, self.width(), at, SimTime(at.0.saturating_add(1))).next()
    }
}

impl ReportPlan {
    /// Notes that the report of the period of an instant was asked for.
    pub fn ask(&mut self, number: u64, at: SimTime) {
        self.runs.push(ReportRun { number, at });
        let gone = self.runs.len().saturating_sub(RUNS_MAX);
        self.runs.drain(..gone);
    }
}

/// The token of the report of a period: of a plan, and by the local date on which it begins.
pub fn report_token(plan: &str, zone: &Zone, from: SimTime) -> String {
    let local = zone.local(from);
    format!("{plan}-{:04}-{:02}-{:02}", local.year, local.month, local.day)
}

impl Body for ReportPlan {
    const CODE: u8 = 27;

    fn validate(&self) -> Result<(), Fault> {
        ensure(self.hour <= 23, "hour", "a full hour from 0 to 23")?;
        let is_subject =
            matches!(self.subject, Target::Device(_) | Target::Asset(_) | Target::Zone(_));
        ensure(is_subject, "subject", "`device:ID`, `asset:TOKEN` or `zone:TOKEN`")
    }

    fn keys(&self) -> Vec<Key> {
        [keys("kind", [self.kind]), keys("owner", &self.owner)].concat()
    }

    fn about(&self, _token: &str) -> About {
        let zone = Some(&self.subject).filter(|subject| matches!(subject, Target::Zone(_)));
        About { owner: self.owner.clone(), ..About::of(zone.cloned()) }
    }
}

impl Body for Report {
    const CODE: u8 = 28;

    fn validate(&self) -> Result<(), Fault> {
        ensure(self.from < self.until, "until", "an instant after `from`")
    }

    fn keys(&self) -> Vec<Key> {
        [keys("plan", [&self.plan]), keys("kind", [self.kind])].concat()
    }

    /// A report is its owner's: to whom a part of the subject is granted makes one of that part.
    fn about(&self, _token: &str) -> About {
        About { owner: self.owner.clone(), ..About::default() }
    }
}
