//! The bill so far, from the registers of the connection as they come, and kept through restarts.
//!
//! It is that of `lastmeter_household::tariff::bill` over all readings: a step of a register is
//! charged where one price holds for all of it. A step over a change of price, and one in which the
//! register restarted, stay open and are named; one whose price is not known yet stays open until
//! it is. Nothing is estimated.

use lastmeter_household::tariff::{Direction, PriceFault, PriceSeries, Reading, Register, Step};
use lastmeter_household::{Amount, Energy, Rate};
use lastmeter_units::{SimDuration, SimTime};
use serde::{Deserialize, Serialize};

use super::record::Billed;
use super::view::BillView;

/// So many open steps are kept one by one; further ones are counted.
const OPEN_MAX: usize = 1000;

lastmeter_units::words! {
    /// Why a step is open.
    enum Why in files {
        /// No price is known for it yet.
        Unknown = "no price is known",
        /// The price changes in it.
        Changes = "the price changes in it",
        /// The register fell.
        Restarted = "the register restarted",
    }
}

/// A step that is not charged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct OpenStep {
    is_export: bool,
    from_ns: i64,
    until_ns: i64,
    energy: i128,
    why: Why,
}

/// What is kept: energies in microjoules, amounts in the unit of their sums, instants in
/// nanoseconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Ledger {
    first_ns: Option<i64>,
    /// Instant, import and export of the last reading.
    last: Option<(i64, i128, i128)>,
    /// Of both directions.
    energies: [i128; 2],
    amounts: [i128; 2],
    open: Vec<OpenStep>,
    /// Steps that stay open and are not listed.
    more: u64,
}

/// Prices of a direction; `None`: nothing is ever paid.
pub(super) type Prices<'a> = Option<&'a PriceSeries>;

impl Ledger {
    /// The instant of the last reading.
    pub(super) fn until(&self) -> Option<SimTime> {
        self.last.map(|last| SimTime(last.0))
    }

    /// Takes a reading; what is remarkable of it, for people. One that is not later than the last
    /// one is not used.
    pub(super) fn reading<'a>(
        &mut self,
        reading: Reading,
        register: &Register,
        prices: impl Fn(Direction) -> Prices<'a>,
    ) -> Vec<String> {
        let Reading { at, import, export } = reading;
        let mut remarks = Vec::new();
        let Some(last) = self.last else {
            (self.first_ns, self.last) = (Some(at.0), Some((at.0, import.0, export.0)));
            return remarks;
        };
        if at.0 <= last.0 {
            return remarks;
        }
        self.last = Some((at.0, import.0, export.0));
        let span = SimDuration(at.0 - last.0);
        let counts = [(last.1, import), (last.2, export)];
        for (direction, (earlier, later)) in Direction::ALL.into_iter().zip(counts) {
            let mut step = OpenStep {
                is_export: direction == Direction::Export,
                from_ns: last.0,
                until_ns: at.0,
                energy: 0,
                why: Why::Restarted,
            };
            match register.step(Energy(earlier), later, span) {
                Step::Counted(Energy(0)) => continue,
                Step::Counted(energy) | Step::Wrapped(energy) => {
                    step.energy = energy.0;
                    match self.charge(&step, prices(direction)) {
                        Ok(()) => continue,
                        Err(why) => step.why = why,
                    }
                }
                Step::Restarted => {}
            }
            // An outage of the feed is remarked once.
            let is_same = self.open.last().is_some_and(|open| open.why == step.why);
            if !(is_same && step.why == Why::Unknown) {
                let (from, until) = (SimTime(last.0), at);
                let energy = Energy(step.energy).as_watt_hours_f64();
                remarks.push(format!(
                    "{direction} of {energy:.3} Wh from {from} to {until}: {}",
                    step.why
                ));
            }
            self.leave_open(step);
        }
        remarks
    }

    fn leave_open(&mut self, step: OpenStep) {
        if self.open.len() < OPEN_MAX {
            self.open.push(step);
        } else {
            self.more = self.more.saturating_add(1);
        }
    }

    fn charge(&mut self, step: &OpenStep, prices: Prices<'_>) -> Result<(), Why> {
        let direction = if step.is_export { Direction::Export } else { Direction::Import };
        let (from, until) = (SimTime(step.from_ns), SimTime(step.until_ns));
        let rate = match prices.map_or(Ok(Rate(0)), |prices| prices.over(direction, from, until)) {
            Ok(rate) => rate,
            Err(PriceFault::Changes(_)) => return Err(Why::Changes),
            Err(PriceFault::Unknown(_)) => return Err(Why::Unknown),
        };
        let place = usize::from(step.is_export);
        self.energies[place] += step.energy;
        self.amounts[place] += (Energy(step.energy) * rate).parts();
        Ok(())
    }

    /// Charges open steps whose price has become known.
    pub(super) fn charge_open<'a>(&mut self, prices: impl Fn(Direction) -> Prices<'a>) {
        for mut step in std::mem::take(&mut self.open) {
            let direction = if step.is_export { Direction::Export } else { Direction::Import };
            if step.why == Why::Unknown {
                match self.charge(&step, prices(direction)) {
                    Ok(()) => continue,
                    Err(why) => step.why = why,
                }
            }
            self.open.push(step);
        }
    }

    pub(super) fn view(&self, currency: &str, fixed: Amount) -> BillView {
        let open = u64::try_from(self.open.len()).unwrap_or(u64::MAX).saturating_add(self.more);
        BillView {
            from: self.first_ns.map(SimTime),
            currency: currency.to_owned(),
            import: Energy(self.energies[0]),
            export: Energy(self.energies[1]),
            total: Amount::from_parts(self.amounts[0] - self.amounts[1]) + fixed,
            open_steps: usize::try_from(open).unwrap_or(usize::MAX),
        }
    }

    /// The bill for the record, once there is a reading.
    pub(super) fn billed(&self, currency: &str, fixed: Amount) -> Option<Billed> {
        let BillView { from, currency, import, export, total, open_steps } =
            self.view(currency, fixed);
        let until = self.until()?;
        Some(Billed { from: from?, until, import, export, total, currency, open_steps })
    }
}

#[cfg(test)]
#[path = "bill_tests.rs"]
mod tests;
