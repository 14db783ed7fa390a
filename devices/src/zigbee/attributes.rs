//! The attributes of a node: their values, which may be written, and when each is reported
//! (ZCL 075123, 2.5.7 and 2.5.11).

use std::collections::BTreeMap;

use lastmeter_units::{SimDuration, SimTime};
use lastmeter_zigbee::zcl::cluster::attribute;
use lastmeter_zigbee::zcl::global::{Reportable, ReportingRecord};
use lastmeter_zigbee::zcl::{Status, Type, Value};

/// An interval that stands for "no reports at all".
const NO_REPORTS: u16 = 0xFFFF;

/// When an attribute is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reporting {
    /// Time between two reports, at least.
    pub min: SimDuration,
    /// Time between two reports, at most; none: only changes are reported.
    pub max: Option<SimDuration>,
    /// The change to report, in steps of the number; 0 of an attribute that has no amounts.
    pub change: i64,
}

/// What is wrong with a multiplier or divisor, on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScalingFault {
    /// The node has no such attribute.
    Absent,
    /// It reads 0.
    Zero,
    /// It is another number from now on, and values are scaled by it.
    Changed(u32),
}

/// Whether a client may write a number; none is no value.
type Allowed = fn(Option<i64>) -> bool;

#[derive(Clone, Debug)]
struct Row {
    value: Value<'static>,
    /// The numbers that a client may write; none may be written without it.
    writable: Option<Allowed>,
    is_reportable: bool,
    reporting: Option<Reporting>,
    /// When it was reported last, and what.
    reported: Option<(SimTime, Value<'static>)>,
    fault: Option<ScalingFault>,
}

/// What is reported, by cluster.
pub type Reports = BTreeMap<u16, Vec<(u16, Value<'static>)>>;

/// The attributes of one endpoint, by cluster and identifier.
#[derive(Clone, Debug, Default)]
pub struct Attributes(BTreeMap<(u16, u16), Row>);

/// A number as a value of a type; no value where the type cannot hold it, or stands for none by it.
fn typed(kind: Type, number: Option<i64>) -> Value<'static> {
    let within = |low: i64, high: i64| number.filter(|number| (low..=high).contains(number));
    match kind {
        Type::Bool => Value::Bool(number.map(|number| number != 0)),
        Type::Map8 => Value::Map8(number.unwrap_or(0) as u8),
        Type::Map16 => Value::Map16(number.unwrap_or(0) as u16),
        Type::Map32 => Value::Map32(number.unwrap_or(0) as u32),
        Type::U8 => Value::U8(within(0, 0xFE).map(|number| number as u8)),
        Type::U16 => Value::U16(within(0, 0xFFFE).map(|number| number as u16)),
        Type::U24 => Value::U24(within(0, 0xFF_FFFE).map(|number| number as u32)),
        Type::U32 => Value::U32(within(0, 0xFFFF_FFFE).map(|number| number as u32)),
        Type::U48 => Value::U48(within(0, 0xFFFF_FFFF_FFFE).map(|number| number as u64)),
        Type::I8 => Value::I8(within(-0x7F, 0x7F).map(|number| number as i8)),
        Type::I16 => Value::I16(within(-0x7FFF, 0x7FFF).map(|number| number as i16)),
        Type::I24 => Value::I24(within(-0x7F_FFFF, 0x7F_FFFF).map(|number| number as i32)),
        Type::I32 => Value::I32(within(-0x7FFF_FFFF, 0x7FFF_FFFF).map(|number| number as i32)),
        Type::Enum8 => Value::Enum8(within(0, 0xFE).map(|number| number as u8)),
        Type::Enum16 => Value::Enum16(within(0, 0xFFFE).map(|number| number as u16)),
        Type::Octets => Value::Octets(None),
        Type::Text => Value::Text(None),
        Type::Utc => Value::Utc(within(0, 0xFFFF_FFFE).map(|number| number as u32)),
    }
}

impl Attributes {
    fn put(mut self, at: (u16, u16), row: Row) -> Self {
        self.0.insert(at, row);
        self
    }

    /// With an attribute that is the same always.
    #[must_use]
    pub fn fixed(self, cluster: u16, id: u16, value: Value<'static>) -> Self {
        self.put((cluster, id), Row::of(value))
    }

    /// With an attribute that a client may write, if its number is allowed.
    #[must_use]
    pub fn setting(
        self,
        (cluster, id): (u16, u16),
        value: Value<'static>,
        allowed: fn(Option<i64>) -> bool,
    ) -> Self {
        self.put((cluster, id), Row { writable: Some(allowed), ..Row::of(value) })
    }

    /// With an attribute that is measured and can be reported. It has no value yet.
    #[must_use]
    pub fn measured(self, cluster: u16, id: u16) -> Self {
        let kind = attribute(cluster, id).map_or(Type::U8, |row| row.kind);
        self.put((cluster, id), Row { is_reportable: true, ..Row::of(typed(kind, None)) })
    }

    /// Sets a number; none, or one that its type cannot hold, is no value.
    pub fn set(&mut self, cluster: u16, id: u16, number: Option<i64>) {
        if let Some(row) = self.0.get_mut(&(cluster, id)) {
            row.value = typed(row.value.kind(), number);
        }
    }

    /// What the node answers when it is asked for an attribute.
    pub fn read(&self, cluster: u16, id: u16) -> Result<Value<'static>, Status> {
        let row = self.0.get(&(cluster, id)).ok_or(Status::UNSUPPORTED_ATTRIBUTE)?;
        match row.fault {
            None => Ok(row.value),
            Some(ScalingFault::Absent) => Err(Status::UNSUPPORTED_ATTRIBUTE),
            Some(ScalingFault::Zero) => Ok(typed(row.value.kind(), Some(0))),
            Some(ScalingFault::Changed(to)) => Ok(typed(row.value.kind(), Some(to.into()))),
        }
    }

    /// The number by which values are scaled: what the attribute really is.
    pub fn scale(&self, cluster: u16, id: u16) -> Option<i64> {
        let row = self.0.get(&(cluster, id))?;
        match row.fault {
            Some(ScalingFault::Changed(to)) => Some(to.into()),
            _ => row.value.number(),
        }
    }

    /// Plays a fault of an attribute, or ends it. False if there is no such attribute.
    pub fn set_fault(&mut self, cluster: u16, id: u16, fault: Option<ScalingFault>) -> bool {
        let row = self.0.get_mut(&(cluster, id));
        row.map(|row| row.fault = fault).is_some()
    }

    /// Writes an attribute that a client asked for.
    pub fn write(&mut self, cluster: u16, id: u16, value: Value<'_>) -> Status {
        let Some(row) = self.0.get_mut(&(cluster, id)) else {
            return Status::UNSUPPORTED_ATTRIBUTE;
        };
        let Some(is_allowed) = row.writable else { return Status::READ_ONLY };
        if row.value.kind() != value.kind() {
            return Status::INVALID_DATA_TYPE;
        }
        if !is_allowed(value.number()) {
            return Status::INVALID_VALUE;
        }
        row.value = typed(value.kind(), value.number());
        Status::SUCCESS
    }

    /// Configures reports as a client asks for.
    pub fn configure(&mut self, cluster: u16, record: &ReportingRecord<'_>) -> Status {
        let ReportingRecord::Send { id, min_s, max_s, change } = *record else {
            // Nothing that others report is expected here.
            return Status::UNSUPPORTED_ATTRIBUTE;
        };
        let Some(row) = self.0.get_mut(&(cluster, id)) else {
            return Status::UNSUPPORTED_ATTRIBUTE;
        };
        let (kind, change) = match change {
            Reportable::Change(value) => (value.kind(), value.number()),
            Reportable::Any(kind) => (kind, Some(0)),
        };
        let is_periodic = max_s != 0 && max_s != NO_REPORTS;
        if !row.is_reportable {
            return Status::UNREPORTABLE_ATTRIBUTE;
        }
        if kind != row.value.kind() {
            return Status::INVALID_DATA_TYPE;
        }
        let Some(change) = change.filter(|change| *change >= 0) else {
            return Status::INVALID_VALUE;
        };
        if is_periodic && min_s > max_s {
            return Status::INVALID_VALUE;
        }
        let seconds = |seconds: u16| SimDuration::from_seconds(seconds.into());
        row.reporting = (max_s != NO_REPORTS).then(|| Reporting {
            min: seconds(min_s),
            max: is_periodic.then(|| seconds(max_s)),
            change,
        });
        row.reported = None;
        Status::SUCCESS
    }

    /// An attribute that can be reported, and is only if a client asks for it.
    pub fn leave_unreported(&mut self, cluster: u16, id: u16) {
        if let Some(row) = self.0.get_mut(&(cluster, id)) {
            row.reporting = None;
        }
    }

    /// Reports like this what can be reported of a cluster.
    pub fn report(&mut self, cluster: u16, reporting: Reporting) {
        for (_, row) in self.0.range_mut((cluster, 0)..=(cluster, u16::MAX)) {
            row.reporting = row.is_reportable.then_some(reporting);
            row.reported = None;
        }
    }

    /// How an attribute is reported.
    pub fn reporting(&self, cluster: u16, id: u16) -> Option<Reporting> {
        self.0.get(&(cluster, id))?.reporting
    }

    /// Measured values are unknown, as after a loss of power; what is configured stays.
    pub fn forget_measured(&mut self, keeps: impl Fn(u16, u16) -> bool) {
        for (&(cluster, id), row) in &mut self.0 {
            row.reported = None;
            if row.is_reportable && !keeps(cluster, id) {
                row.value = typed(row.value.kind(), None);
            }
        }
    }

    /// What of these clusters is to be reported now; it counts as reported.
    pub fn due(&mut self, now: SimTime, of: impl Fn(u16) -> bool) -> Reports {
        let mut all = Reports::new();
        for (&(cluster, id), row) in &mut self.0 {
            if of(cluster) && row.due().is_some_and(|due| due <= now) {
                row.reported = Some((now, row.value));
                all.entry(cluster).or_default().push((id, row.value));
            }
        }
        all
    }

    /// When something of these clusters is to be reported next, if nothing changes until then.
    pub fn next(&self, of: impl Fn(u16) -> bool) -> Option<SimTime> {
        let rows = self.0.iter().filter(|((cluster, _), _)| of(*cluster));
        rows.filter_map(|(_, row)| row.due()).min()
    }
}

impl Row {
    const fn of(value: Value<'static>) -> Self {
        let (writable, is_reportable, fault) = (None, false, None);
        Self { value, writable, is_reportable, reporting: None, reported: None, fault }
    }

    fn due(&self) -> Option<SimTime> {
        let reporting = self.reporting?;
        // The first report begins the intervals, once there is something to report.
        let Some((at, before)) = self.reported else {
            return self.value.number().map(|_| SimTime(i64::MIN));
        };
        let has_changed = match (before.number(), self.value.number()) {
            (Some(before), Some(now)) => {
                before != now && before.abs_diff(now) >= reporting.change.unsigned_abs()
            }
            (before, now) => before != now,
        };
        let changed = has_changed.then(|| at + reporting.min);
        let periodic = reporting.max.map(|max| at + max);
        changed.into_iter().chain(periodic).min()
    }
}
