//! What energy costs, and the bill of it from registers.
//!
//! Rule: bill = sum over the steps of registers (import x its price - export x its price) + fixed.
//! A step is what a register counted from one reading to the next. It is charged where one price
//! holds for all of it; a step over a change of price, one beyond the last known price, and one in
//! which the register restarted are named and left open, never estimated.

use lastmeter_units::{SimDuration, SimTime};

use crate::quantity::{Amount, Energy, POWER_MAX_W, Rate};

lastmeter_units::words! {
    /// Which way energy flows, seen from the household.
    pub enum Direction {
        /// Taken from the grid.
        Import = "import",
        /// Fed into it, for which the household is paid.
        Export = "export",
    }
}

/// What 1 kWh costs when it is taken, and what is paid for it when it is fed in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Price {
    /// For energy that is taken.
    pub import: Rate,
    /// For energy that is fed in.
    pub export: Rate,
}

impl Price {
    /// That of one direction.
    pub const fn of(self, direction: Direction) -> Rate {
        match direction {
            Direction::Import => self.import,
            Direction::Export => self.export,
        }
    }

    /// What energy costs that flows at net: below zero it is fed in, and so is the amount.
    pub fn of_net(self, net: Energy) -> Amount {
        let rate = if net > Energy::ZERO { self.import } else { self.export };
        net * rate
    }
}

/// A price and when it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval {
    /// Its first instant.
    pub from: SimTime,
    /// The first instant after it.
    pub until: SimTime,
    /// What holds in it.
    pub price: Price,
}

/// Prices as far as they are known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PriceSeries {
    intervals: Vec<Interval>,
}

/// What is wrong with intervals of prices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SeriesError {
    /// An interval that is empty, or begins before the end of the one before it.
    #[error("price from {0}: expected intervals in order, each with an end after its beginning")]
    Order(SimTime),
    /// A price beyond [`RATE_MAX`](crate::RATE_MAX).
    #[error("price from {0}: expected at most 100 units of the currency for 1 kWh")]
    Range(SimTime),
}

/// Why a span has no single price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PriceFault {
    /// No price is known from this instant on.
    Unknown(SimTime),
    /// Another price begins at this instant.
    Changes(SimTime),
}

impl PriceSeries {
    /// Of intervals in order; between two of them there may be time without a known price.
    ///
    /// # Errors
    /// Intervals are not in order, or a price is out of range.
    pub fn new(intervals: Vec<Interval>) -> Result<Self, SeriesError> {
        let mut end = None;
        for Interval { from, until, price } in &intervals {
            if from >= until || end.is_some_and(|end| *from < end) {
                return Err(SeriesError::Order(*from));
            }
            if ![price.import, price.export].into_iter().all(Rate::is_within_range) {
                return Err(SeriesError::Range(*from));
            }
            end = Some(*until);
        }
        Ok(Self { intervals })
    }

    /// The first instant beyond which no price is known; none of a series without prices.
    pub fn horizon(&self) -> Option<SimTime> {
        self.intervals.last().map(|last| last.until)
    }

    /// The one price of a direction from an instant until before another one.
    ///
    /// # Errors
    /// The price is unknown for some of that time, or changes in it: the earlier of both.
    pub fn over(
        &self,
        direction: Direction,
        from: SimTime,
        until: SimTime,
    ) -> Result<Rate, PriceFault> {
        let first = self.intervals.partition_point(|interval| interval.until <= from);
        let (mut known, mut rate) = (from, None);
        for interval in &self.intervals[first..] {
            if interval.from > known {
                return Err(PriceFault::Unknown(known));
            }
            let own = interval.price.of(direction);
            if rate.is_some_and(|rate| rate != own) {
                return Err(PriceFault::Changes(known));
            }
            (known, rate) = (interval.until, Some(own));
            if known >= until {
                return Ok(own);
            }
        }
        Err(PriceFault::Unknown(known))
    }
}

/// What the contract has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tariff {
    /// Prices of energy.
    pub prices: PriceSeries,
    /// What each bill has beside energy.
    pub fixed: Amount,
}

/// How a register counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Register {
    /// The count at which it begins at zero again; none if it never does.
    pub wraps_at: Option<Energy>,
    /// The most power in W that the connection carries: a fall of the register that takes more is
    /// no wrap.
    pub power_max_w: i64,
}

/// What a register did from one reading to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It counted this much.
    Counted(Energy),
    /// It passed its end, and counted this much.
    Wrapped(Energy),
    /// It fell without having wrapped: what it counted before that is lost.
    Restarted,
}

impl Register {
    /// The step between two readings, at most as long as the span between them.
    pub fn step(&self, earlier: Energy, later: Energy, span: SimDuration) -> Step {
        if later >= earlier {
            return Step::Counted(later - earlier);
        }
        let most = Energy::of_power(self.power_max_w.min(POWER_MAX_W), span);
        let wrapped = self.wraps_at.filter(|end| earlier < *end).map(|end| end - earlier + later);
        match wrapped {
            Some(energy) if energy <= most => Step::Wrapped(energy),
            _ => Step::Restarted,
        }
    }
}

/// Both registers of the connection at an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// When.
    pub at: SimTime,
    /// Energy taken, as counted.
    pub import: Energy,
    /// Energy fed in, as counted.
    pub export: Energy,
}

impl Reading {
    const fn of(&self, direction: Direction) -> Energy {
        match direction {
            Direction::Import => self.import,
            Direction::Export => self.export,
        }
    }
}

/// What is remarkable of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The register passed its end; the step is charged.
    Wrapped(Energy),
    /// The register restarted: what it counted is unknown.
    Restarted,
    /// The step counted this much, which has no single price.
    Unpriced(Energy, PriceFault),
}

/// A step that is not like others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remark {
    /// Which register.
    pub direction: Direction,
    /// The reading before the step.
    pub from: SimTime,
    /// The reading after it.
    pub until: SimTime,
    /// What is remarkable.
    pub cause: Cause,
}

/// A bill so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bill {
    /// Energy taken that is charged.
    pub import: Energy,
    /// Energy fed in that is paid for.
    pub export: Energy,
    /// What the energy taken costs.
    pub import_cost: Amount,
    /// What is paid for the energy fed in.
    pub export_pay: Amount,
    /// What is charged beside energy.
    pub fixed: Amount,
    /// Steps that wrapped, and those that are left open.
    pub remarks: Vec<Remark>,
}

impl Bill {
    /// What is to be paid, exactly.
    pub fn total(&self) -> Amount {
        self.import_cost - self.export_pay + self.fixed
    }

    fn charge(&mut self, direction: Direction, energy: Energy, rate: Rate) {
        let (counted, money) = match direction {
            Direction::Import => (&mut self.import, &mut self.import_cost),
            Direction::Export => (&mut self.export, &mut self.export_pay),
        };
        *counted += energy;
        *money += energy * rate;
    }

    /// Whether nothing is left open.
    pub fn is_complete(&self) -> bool {
        self.remarks.iter().all(|remark| matches!(remark.cause, Cause::Wrapped(_)))
    }
}

/// What is wrong with readings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BillError {
    /// A reading that is not later than the one before it.
    #[error("reading at {0}: expected readings in order, one for each instant")]
    Order(SimTime),
    /// A register below zero or beyond what is counted.
    #[error("reading at {0}: expected registers from 0 to 1e8 kWh")]
    Range(SimTime),
}

/// The highest register: 1e8 kWh. At the highest price the exact sum has room for 47 million steps
/// as large as that.
const REGISTER_MAX: Energy = Energy::from_watt_hours(100_000_000_000);

/// The bill of the steps between readings, which are in order.
///
/// # Errors
/// Readings are not in order, or a register is out of range.
pub fn bill(tariff: &Tariff, register: &Register, readings: &[Reading]) -> Result<Bill, BillError> {
    let range = Energy::ZERO..=REGISTER_MAX;
    let is_counted = |reading: &Reading| {
        Direction::ALL.into_iter().all(|direction| range.contains(&reading.of(direction)))
    };
    if let Some(wrong) = readings.iter().find(|reading| !is_counted(reading)) {
        return Err(BillError::Range(wrong.at));
    }
    let mut bill = Bill { fixed: tariff.fixed, ..Bill::default() };
    for pair in readings.windows(2) {
        let (earlier, later) = (&pair[0], &pair[1]);
        let (from, until) = (earlier.at, later.at);
        if until <= from {
            return Err(BillError::Order(until));
        }
        for direction in Direction::ALL {
            let counts = [earlier, later].map(|reading| reading.of(direction));
            let step = register.step(counts[0], counts[1], until - from);
            let (energy, remark) = match step {
                Step::Counted(energy) => (energy, None),
                Step::Wrapped(energy) => (energy, Some(Cause::Wrapped(energy))),
                Step::Restarted => (Energy::ZERO, Some(Cause::Restarted)),
            };
            let priced = match energy {
                Energy::ZERO => Ok(Rate(0)),
                _ => tariff.prices.over(direction, from, until),
            };
            let open = priced.err().map(|fault| Cause::Unpriced(energy, fault));
            if let Ok(rate) = priced {
                bill.charge(direction, energy, rate);
            }
            let causes = remark.into_iter().chain(open);
            bill.remarks.extend(causes.map(|cause| Remark { direction, from, until, cause }));
        }
    }
    Ok(bill)
}
