//! Sectionalisers.

use super::{Action, SettingError, above_zero, not_negative, passes};

/// What makes a sectionaliser count and open.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SectionalizerSettings {
    /// A current above this, in amperes, is that of a fault.
    pub actuating_a: f64,
    /// A current of at most this, in amperes, is none: the line is de-energised.
    pub dead_a: f64,
    /// An interruption counts if the line is de-energised within this time after the last fault
    /// current, in seconds; a load current for longer means that something else cleared the fault.
    pub interruption_s: f64,
    /// It opens after so many interruptions of a fault current.
    pub counts: u32,
    /// From the last of them until it opens, in seconds.
    pub opening_s: f64,
    /// It forgets its counts after this time in seconds without a further one.
    pub memory_s: f64,
}

/// A sectionaliser: a switch that cannot interrupt a fault current, and so counts how often an
/// upstream device does, and opens in a dead time.
#[derive(Clone, Debug, PartialEq)]
pub struct Sectionalizer {
    settings: SectionalizerSettings,
    counted: u32,
    /// The time since a fault current that was not yet interrupted.
    since_fault_s: Option<f64>,
    pub(super) open: bool,
    since_count_s: f64,
    /// For how long the line has been de-energised after the last count that opens it.
    dead_s: Option<f64>,
}

impl Sectionalizer {
    /// A closed sectionaliser.
    ///
    /// # Errors
    /// If the actuating current is not above the other one, there is no count, or a time is
    /// negative (the memory: zero) or not finite.
    pub fn new(settings: SectionalizerSettings) -> Result<Self, SettingError> {
        not_negative("current in A of a de-energised line", settings.dead_a)?;
        above_zero("actuating current in A", settings.actuating_a)?;
        if settings.actuating_a <= settings.dead_a {
            let expected = format!("more than {} of a de-energised line", settings.dead_a);
            let setting = "actuating current in A";
            return Err(SettingError::new(setting, &settings.actuating_a, &expected));
        }
        if settings.counts == 0 {
            return Err(SettingError::new("number of counts", &settings.counts, "1 or more"));
        }
        not_negative("opening time in s", settings.opening_s)?;
        above_zero("memory in s", settings.memory_s)?;
        not_negative("time of an interruption in s", settings.interruption_s)?;
        let (counted, open, since_count_s) = (0, false, 0.0);
        Ok(Self { settings, counted, since_fault_s: None, open, since_count_s, dead_s: None })
    }

    /// How many interruptions it has counted.
    pub fn counted(&self) -> u32 {
        self.counted
    }

    /// The time in seconds until it opens if the largest phase current in amperes stays.
    pub fn due_in(&self, current_a: f64) -> Option<f64> {
        let SectionalizerSettings { counts, opening_s, .. } = self.settings;
        if self.open || current_a.is_nan() || current_a.abs() > self.settings.dead_a {
            return None;
        }
        let waits = self.interrupts() && self.counted.saturating_add(1) >= counts;
        match self.dead_s {
            Some(dead_s) => Some((opening_s - dead_s).max(0.0)),
            None => waits.then_some(opening_s),
        }
    }

    /// A step of `dt_s` seconds with a constant largest phase current in amperes (RMS), in which it
    /// may open. An interruption counts at the beginning of the first step without current.
    pub fn step(&mut self, dt_s: f64, current_a: f64) -> Option<Action<()>> {
        if !passes(dt_s) || self.open {
            return None;
        }
        let current = current_a.abs();
        if current > self.settings.dead_a {
            // It must not open under current; the next dead time is the next chance.
            self.dead_s = None;
            if current > self.settings.actuating_a {
                self.since_fault_s = Some(-dt_s);
            }
        } else if current <= self.settings.dead_a {
            let counts = self.interrupts();
            self.since_fault_s = None;
            if counts {
                (self.counted, self.since_count_s) = (self.counted.saturating_add(1), 0.0);
                self.dead_s = (self.counted >= self.settings.counts).then_some(0.0);
            }
            if let Some(dead_s) = &mut self.dead_s {
                let left_s = (self.settings.opening_s - *dead_s).max(0.0);
                if left_s <= dt_s {
                    self.open = true;
                    return Some(Action { after_s: left_s, event: () });
                }
                *dead_s += dt_s;
            }
        }
        self.since_fault_s = self.since_fault_s.map(|since_s| since_s + dt_s);
        self.since_count_s += dt_s;
        if self.since_count_s >= self.settings.memory_s && self.dead_s.is_none() {
            self.counted = 0;
        }
        None
    }

    /// Whether a line that is de-energised now is an interruption of a fault current.
    fn interrupts(&self) -> bool {
        self.since_fault_s.is_some_and(|since_s| since_s <= self.settings.interruption_s)
    }
}
