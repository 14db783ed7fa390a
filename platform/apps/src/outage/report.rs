//! One outage: who is in it, how it stands, and what is reported of it.

use std::collections::BTreeSet;

use lastmeter_grid::network::{Wire, Wires};
use lastmeter_units::{HardwareId, SimTime, words};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::areas::ElementKind;

words! {
    /// How an outage stands.
    pub enum OutageState in files {
        /// There is one, and nobody is back.
        Detected = "detected",
        /// Some are back.
        PartlyRestored = "partly_restored",
        /// It is over.
        Restored = "restored",
        /// There was none, or it is part of another one.
        Withdrawn = "withdrawn",
    }
}

impl OutageState {
    /// Whether nothing more comes of it.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Restored | Self::Withdrawn)
    }
}

/// An area of an outage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FoundArea {
    /// What its element is.
    #[serde(rename = "element")]
    pub kind: ElementKind,
    /// The element's name in the model.
    pub name: String,
    /// The phases that are out.
    #[serde(serialize_with = "letters", deserialize_with = "phases")]
    pub phases: Wires,
    /// How many meters are expected in it.
    pub meters: usize,
    /// How many of them sent a last gasp.
    pub gasps: usize,
    /// How likely there is an outage rather than none, 0 to 1.
    pub likelihood: f64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn letters<S: Serializer>(phases: &Wires, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(phases)
}

/// Phases by their letters; others are none.
fn phases<'de, D: Deserializer<'de>>(from: D) -> Result<Wires, D::Error> {
    let text = String::deserialize(from)?;
    Ok(Wire::PHASES.into_iter().filter(|wire| text.contains(&wire.to_string())).collect())
}

/// What is reported of an outage; the last report of a number is what holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Its number, from 1.
    #[serde(skip)]
    pub number: u32,
    /// How it stands.
    pub state: OutageState,
    /// Whether a switch was opened on purpose.
    #[serde(rename = "planned", default, skip_serializing_if = "std::ops::Not::not")]
    pub is_planned: bool,
    /// What is out; of an outage that is over, what was.
    pub areas: Vec<FoundArea>,
    /// The meters below.
    pub expected: Vec<HardwareId>,
    /// Those that sent a last gasp.
    pub reported: Vec<HardwareId>,
    /// Those that were heard from all the same.
    pub contradicted: Vec<HardwareId>,
    /// Those that are back.
    pub restored: Vec<HardwareId>,
    /// The first last gasp.
    pub first_gasp: Option<SimTime>,
    /// The latest one.
    pub last_gasp: Option<SimTime>,
    /// When it was found.
    pub window_closed: SimTime,
    /// When the first sign of it came.
    pub since: SimTime,
    /// When it was over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<SimTime>,
}

impl Report {
    /// Whether another report has the same areas and state.
    pub(super) fn is_alike(&self, other: &Self) -> bool {
        let areas = |of: &Self| -> Vec<_> {
            of.areas.iter().map(|it| (it.kind, it.name.clone(), it.phases)).collect()
        };
        self.state == other.state && areas(self) == areas(other)
    }

    /// Whether another report has the same meters as well: then it is no news.
    pub fn is_like(&self, other: &Self) -> bool {
        self.is_alike(other)
            && self.expected == other.expected
            && self.reported == other.reported
            && self.contradicted == other.contradicted
            && self.restored == other.restored
    }
}

/// An outage that is not over; meters by their places in the detector's list.
#[derive(Clone, Debug, Default)]
pub(super) struct Outage {
    pub(super) is_planned: bool,
    /// Whether its members stay as they are: supply is coming back, or switches have changed.
    pub(super) is_fixed: bool,
    pub(super) areas: Vec<FoundArea>,
    pub(super) members: BTreeSet<usize>,
    pub(super) reported: BTreeSet<usize>,
    pub(super) contradicted: BTreeSet<usize>,
    pub(super) restored: BTreeSet<usize>,
    pub(super) gasps: Option<(SimTime, SimTime)>,
    pub(super) found: SimTime,
    pub(super) since: SimTime,
    /// When somebody came back last.
    pub(super) returned: Option<SimTime>,
    /// What was reported last.
    pub(super) shown: Option<Report>,
}

impl Outage {
    /// A member's last gasp, and when that was.
    pub(super) fn gasped(&mut self, meter: usize, at: SimTime) {
        self.reported.insert(meter);
        let (first, last) = self.gasps.unwrap_or((at, at));
        self.gasps = Some((first.min(at), last.max(at)));
    }

    /// How it stands, if it ends when a share of its members is back.
    pub(super) fn state(&self, restored_share: f64) -> OutageState {
        let dark = self.members.difference(&self.contradicted).count();
        let back = self.restored.len();
        match (dark, back) {
            (0, _) => OutageState::Withdrawn,
            (_, 0) => OutageState::Detected,
            _ if back as f64 >= restored_share * dark as f64 => OutageState::Restored,
            _ => OutageState::PartlyRestored,
        }
    }
}
