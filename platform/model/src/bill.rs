//! The arithmetic of bills: registers and tariffs give lines and a total, without an estimate.
//!
//! A step is what a register counted from one reading to the next. One that lies within one price
//! is charged at it. One over a change of price has an unknown part at each price, unless it
//! counted nothing. Amounts are exact until a line is rounded, once, to the minor unit of the
//! currency, half away from zero; the total is the sum of the rounded lines.
//!
//! Energy that is taken costs something at every instant: where no tariff has a price, the bill is
//! open. Energy that is fed in is paid for only where a tariff has a price for it.

use std::collections::BTreeMap;

use lastmeter_units::{HardwareId, SimDuration, SimTime};

use crate::access::PrincipalRef;
use crate::calendar::{Stretch, Width, Zone, stretches};
use crate::entity::{
    Bill, Currency, Decimal, Direction, EnergyLine, FixedLine, GapLine, GapPrice, Line, Metadata,
    Money, Name, OpenCause, OpenLine, PeakLine, PeakTerm, Piece, RegisterSpan, Tariff, Token,
};

/// The longest period of a bill, in days.
const DAYS_MAX: i64 = 400;
/// What a price is counted in (1e-6 of the currency for 1 kWh) times Wh, in one unit of it.
const MICROS_WH: i128 = 1_000_000_000;
/// The length of the window of a peak.
const WINDOW: i64 = SimDuration::from_seconds(15 * 60).0;
/// Mean power in W of 1 Wh in a window.
const WATTS_PER_WH: i64 = 4;

/// A register at an instant, as it was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// When.
    pub at: SimTime,
    /// What it showed, in Wh; it only rises.
    pub register_wh: i64,
}

/// What is known of one direction of a meter. Of a meter that was exchanged, the old one and the
/// new one have a register each, with a reading at the end of the one service and at the beginning
/// of the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Register {
    /// The meter.
    pub meter: HardwareId,
    /// Which way the energy flows that it counts.
    pub direction: Direction,
    /// When it counts for the customer.
    pub service: Stretch,
    /// How often it is read.
    pub reading_period: SimDuration,
    /// Its readings, by instant; those around the service and the period too.
    pub readings: Vec<Reading>,
}

/// What a bill is made of.
#[derive(Clone, Debug)]
pub struct Account<'a> {
    /// The person asset that is the customer.
    pub customer: Token,
    /// Whose the bill is; nobody's: the tenant's.
    pub owner: Option<PrincipalRef>,
    /// For which time; whole months are [`month`].
    pub period: Stretch,
    /// The tariffs of the customer; at an instant at most one has a price for a direction.
    pub tariffs: &'a [Tariff],
    /// The registers of the customer's connection.
    pub registers: &'a [Register],
}

/// Why there is no bill.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BillError {
    /// A period that is empty or long.
    #[error("period: {from} to {until}, expected an end after the beginning, at most 400 days")]
    Period {
        /// Its first instant.
        from: SimTime,
        /// The first instant after it.
        until: SimTime,
    },
    /// A month that no calendar has.
    #[error("month: {year}-{month}, expected a year from 1678 to 2261 and a month from 1 to 12")]
    Month {
        /// The year.
        year: i16,
        /// The month of it.
        month: i8,
    },
    /// No tariff.
    #[error("tariffs: none, expected at least one")]
    NoTariff,
    /// Tariffs of several currencies.
    #[error("tariffs: {0} and {1}, expected one currency")]
    Currencies(Currency, Currency),
    /// Two prices at an instant.
    #[error("tariffs: two prices at {at}, `{first}` and `{second}`, expected one")]
    Overlap {
        /// The instant.
        at: SimTime,
        /// What one of them is called.
        first: Name,
        /// What the other one is called.
        second: Name,
    },
    /// Readings that are not in order.
    #[error("readings of `{meter}`: {at} after a later one, expected them by instant")]
    Order {
        /// The meter.
        meter: HardwareId,
        /// The instant of the reading that comes too late.
        at: SimTime,
    },
    /// A meter without a period.
    #[error("reading period of `{0}`: not above 0, expected a length")]
    ReadingPeriod(HardwareId),
    /// Numbers beyond what is counted.
    #[error("{0}: a number beyond what is counted, expected registers and prices of a customer")]
    TooLarge(String),
}

/// A month of the local calendar.
///
/// # Errors
/// There is no such month, or it is not within the years that instants can have.
pub fn month(zone: &Zone, year: i16, month: i8) -> Result<Stretch, BillError> {
    let whole = || {
        let first = jiff::civil::Date::new(year, month, 1).ok()?;
        let next = first.checked_add(jiff::Span::new().months(1)).ok()?;
        let [from, until] = [first, next].map(|day| zone.instant(day.at(0, 0, 0, 0)));
        // Instants end in the years 1677 and 2262.
        (1678..=2261).contains(&year).then_some(Stretch { from, until })
    };
    whole().ok_or(BillError::Month { year, month })
}

/// Makes a bill.
///
/// # Errors
/// What it is to be made of contradicts itself, or has numbers beyond what is counted. Readings
/// that are missing or wrong are no error but lines of the bill.
pub fn bill(account: &Account<'_>) -> Result<Bill, BillError> {
    let period = account.period;
    let currency = checked(account)?;
    let mut ledger = Ledger::new(period, currency.minor_places());
    let [imports, exports] = [Direction::Import, Direction::Export].map(|direction| {
        let clip = |tariff: &Tariff| tariff.pieces(direction, period.from, period.until);
        merged(account.tariffs.iter().flat_map(clip).collect())
    });
    let (imports, exports) = (imports?, exports?);
    // A peak is that of all registers together.
    let mut taken = Vec::new();
    for register in account.registers {
        let Some(within) = intersection(register.service, period) else { continue };
        let steps = steps(register, within)?;
        let pieces = if register.direction == Direction::Import { &imports } else { &exports };
        for step in &steps {
            ledger.post(register, within, step, pieces)?;
        }
        if register.direction == Direction::Import {
            taken.push((within, steps));
        }
    }
    for tariff in account.tariffs {
        for share in shares(tariff, period) {
            ledger.fix(tariff, &share)?;
            if let Some(term) = &tariff.peak {
                ledger.peak(tariff, term, &share, &taken)?;
            }
        }
    }
    let complete_until = ledger.complete_until;
    let lines = ledger.lines()?;
    let total = Bill::sum(&lines, currency).ok_or_else(|| too_large("total"))?;
    Ok(Bill {
        customer: account.customer.clone(),
        owner: account.owner.clone(),
        from: period.from,
        until: period.until,
        currency: currency.clone(),
        is_open: lines.iter().any(|line| line.amount().is_none()),
        lines,
        total,
        price_feeds: Vec::new(),
        prices_changed: false,
        complete_until,
        metadata: Metadata::default(),
    })
}

/// Checks what contradicts itself; returns the currency.
fn checked<'a>(account: &Account<'a>) -> Result<&'a Currency, BillError> {
    let Stretch { from, until } = account.period;
    let longest = i128::from(SimDuration::from_seconds(DAYS_MAX * 86_400).0);
    if !(1..=longest).contains(&length(account.period)) {
        return Err(BillError::Period { from, until });
    }
    let currency = account.tariffs.first().map(|tariff| &tariff.currency);
    let currency = currency.ok_or(BillError::NoTariff)?;
    if let Some(other) = account.tariffs.iter().find(|tariff| tariff.currency != *currency) {
        return Err(BillError::Currencies(currency.clone(), other.currency.clone()));
    }
    for register in account.registers {
        let meter = || register.meter.clone();
        if register.reading_period.0 <= 0 {
            return Err(BillError::ReadingPeriod(meter()));
        }
        let late = register.readings.windows(2).find(|pair| pair[1].at < pair[0].at);
        if let Some(pair) = late {
            return Err(BillError::Order { meter: meter(), at: pair[1].at });
        }
    }
    Ok(currency)
}

fn too_large(what: &(impl ToString + ?Sized)) -> BillError {
    BillError::TooLarge(what.to_string())
}

fn length(stretch: Stretch) -> i128 {
    i128::from(stretch.until.0) - i128::from(stretch.from.0)
}

fn intersection(one: Stretch, other: Stretch) -> Option<Stretch> {
    let (from, until) = (one.from.max(other.from), one.until.min(other.until));
    (from < until).then_some(Stretch { from, until })
}

/// The pieces of several tariffs in order, as few as possible.
fn merged(mut pieces: Vec<Piece>) -> Result<Vec<Piece>, BillError> {
    pieces.sort_by_key(|piece| piece.from);
    let twice = pieces.windows(2).find(|pair| pair[1].from < pair[0].until);
    if let Some([first, second]) = twice {
        let (at, first, second) = (second.from, first.name.clone(), second.name.clone());
        return Err(BillError::Overlap { at, first, second });
    }
    let mut all = Vec::new();
    for piece in pieces {
        piece.push(&mut all);
    }
    Ok(all)
}

/// From one reading of a register to the next.
enum Step {
    /// It counted, or stood still.
    Counted(Counted),
    /// What it counted is not known.
    Open(Open),
}

struct Counted {
    span: Stretch,
    first_wh: i64,
    last_wh: i64,
    energy_wh: i64,
}

/// Where one of the readings is missing, it goes from or to the end of the service or period.
struct Open {
    span: Stretch,
    cause: OpenCause,
    first_wh: Option<i64>,
    last_wh: Option<i64>,
}

impl Step {
    const fn span(&self) -> Stretch {
        match self {
            Self::Counted(counted) => counted.span,
            Self::Open(open) => open.span,
        }
    }
}

/// The steps of a register that have a part in a stretch.
fn steps(register: &Register, within: Stretch) -> Result<Vec<Step>, BillError> {
    let open = |from: SimTime, until: SimTime, [first_wh, last_wh]: [Option<i64>; 2]| {
        let span = Stretch { from, until };
        Step::Open(Open { span, cause: OpenCause::NoReading, first_wh, last_wh })
    };
    let (first, last) = (register.readings.first(), register.readings.last());
    let (Some(first), Some(last)) = (first, last) else {
        return Ok(vec![open(within.from, within.until, [None; 2])]);
    };
    let mut steps = Vec::new();
    if within.from < first.at {
        let until = first.at.min(within.until);
        steps.push(open(within.from, until, [None, Some(first.register_wh)]));
    }
    for pair in register.readings.windows(2) {
        let span = Stretch { from: pair[0].at, until: pair[1].at };
        let [first_wh, last_wh] = [pair[0].register_wh, pair[1].register_wh];
        let energy_wh = last_wh.checked_sub(first_wh).ok_or_else(|| too_large(&register.meter))?;
        let is_instant = span.from == span.until;
        // Two values at an end of the service or period concern it too.
        let is_apart = span.until < within.from || within.until < span.from;
        let touches = span.until == within.from || span.from == within.until;
        if is_apart || is_instant && energy_wh == 0 || !is_instant && touches {
            continue;
        }
        let open = |cause| {
            Step::Open(Open { span, cause, first_wh: Some(first_wh), last_wh: Some(last_wh) })
        };
        steps.push(match energy_wh {
            _ if is_instant => open(OpenCause::Conflict),
            ..0 => open(OpenCause::Fall),
            0.. => Step::Counted(Counted { span, first_wh, last_wh, energy_wh }),
        });
    }
    if last.at < within.until {
        let from = last.at.max(within.from);
        steps.push(open(from, within.until, [Some(last.register_wh), None]));
    }
    Ok(steps)
}

/// A part of a month in which a tariff is valid.
struct Share {
    stretch: Stretch,
    days: u32,
    days_of_month: u32,
}

impl Share {
    /// An amount by month, given as a fraction, for the part; rounded.
    fn of(&self, numerator: i128, denominator: i128, places: u32) -> Option<Money> {
        let numerator = numerator.checked_mul(self.days.into())?;
        Money::rounded(numerator, denominator * i128::from(self.days_of_month), places)
    }
}

/// The months of a period, as far as a tariff is valid. A day counts where it begins, so that no
/// day counts twice where one tariff follows another.
fn shares(tariff: &Tariff, period: Stretch) -> Vec<Share> {
    let Some(valid) = intersection(tariff.validity(), period) else { return Vec::new() };
    let months = stretches(&tariff.zone, Width::Month, valid.from, valid.until);
    let share = |month: Stretch| {
        let stretch = intersection(month, valid)?;
        let (mut days, mut days_of_month) = (0, 0);
        for day in stretches(&tariff.zone, Width::Day, month.from, month.until) {
            days_of_month += 1;
            days += u32::from(stretch.from <= day.from && day.from < stretch.until);
        }
        (days > 0).then_some(Share { stretch, days, days_of_month })
    };
    months.filter_map(share).collect()
}

/// The meter, the direction, and the name and amount of the price of a line.
type PriceKey = (HardwareId, Direction, Name, Decimal);

/// The lines of a bill while they come about.
struct Ledger {
    period: Stretch,
    places: u32,
    /// What was charged at each price, in Wh.
    energy: BTreeMap<PriceKey, (i64, Vec<RegisterSpan>)>,
    others: Vec<Line>,
    complete_until: SimTime,
}

impl Ledger {
    fn new(period: Stretch, places: u32) -> Self {
        let (energy, others) = (BTreeMap::new(), Vec::new());
        Self { period, places, energy, others, complete_until: period.until }
    }

    /// Adds a line whose amount is not known from an instant.
    fn open(&mut self, from: SimTime, line: Line) {
        self.complete_until = self.complete_until.min(from.max(self.period.from));
        self.others.push(line);
    }

    /// Charges a step, or adds it as a gap.
    fn post(
        &mut self,
        register: &Register,
        within: Stretch,
        step: &Step,
        pieces: &[Piece],
    ) -> Result<(), BillError> {
        let span = step.span();
        let first = pieces.partition_point(|piece| piece.until <= span.from.max(within.from));
        let until = span.until.min(within.until);
        let touched: Vec<_> =
            pieces[first..].iter().take_while(|piece| piece.from < until).collect();
        let is_paid = register.direction == Direction::Import || !touched.is_empty();
        match step {
            Step::Counted(counted) => match touched[..] {
                [piece]
                    if is_covered(span, &touched) && intersection(span, within) == Some(span) =>
                {
                    self.charge(register, counted, piece)
                }
                _ if counted.energy_wh == 0 || !is_paid => Ok(()),
                _ => self.gap(register, within, counted, &touched),
            },
            // One of an instant touches nothing.
            Step::Open(open) => {
                if is_paid || span.from == span.until && !pieces.is_empty() {
                    self.open(span.from, Line::GapOpen(open_line(register, open)));
                }
                Ok(())
            }
        }
    }

    /// Adds a step within one price to the line of that price.
    fn charge(
        &mut self,
        register: &Register,
        counted: &Counted,
        piece: &Piece,
    ) -> Result<(), BillError> {
        let Counted { span: Stretch { from, until }, first_wh, last_wh, energy_wh } = *counted;
        let key = (register.meter.clone(), register.direction, piece.name.clone(), piece.price);
        let (sum, spans) = self.energy.entry(key).or_default();
        *sum = sum.checked_add(energy_wh).ok_or_else(|| too_large(&register.meter))?;
        // Longer than 2.5 reading periods.
        let only_total = 2 * length(counted.span) > 5 * i128::from(register.reading_period.0);
        match spans.last_mut() {
            Some(last) if last.until == from && !last.only_total && !only_total => {
                (last.until, last.last_wh) = (until, last_wh);
            }
            _ => spans.push(RegisterSpan { from, until, first_wh, last_wh, only_total }),
        }
        Ok(())
    }

    /// Adds a step over a change of price, or over an end of the time that counts.
    fn gap(
        &mut self,
        register: &Register,
        within: Stretch,
        counted: &Counted,
        touched: &[&Piece],
    ) -> Result<(), BillError> {
        let Counted { span, first_wh, last_wh, energy_wh } = *counted;
        let (meter, direction) = (register.meter.clone(), register.direction);
        let places = self.places;
        let cost = |price: Decimal| {
            let cost = Money::rounded(cost(direction, price, energy_wh), MICROS_WH, places);
            cost.ok_or_else(|| too_large(&register.meter))
        };
        let mut prices: Vec<GapPrice> = Vec::new();
        for Piece { name, price, .. } in touched {
            if !prices.iter().any(|one| (&one.name, one.price) == (name, *price)) {
                prices.push(GapPrice { name: name.clone(), price: *price, amount: cost(*price)? });
            }
        }
        let bounds = bounds(direction, span, within, touched);
        let [lower, upper] = bounds.map(|price| price.map(cost).transpose());
        let (lower, upper) = (lower?, upper?);
        // Bounds that are rounded to the same amount are not the same.
        let amount = lower.filter(|_| bounds[0] == bounds[1]);
        let missed = length(span) > register.reading_period.0.into();
        let Stretch { from, until } = span;
        let line = Line::Gap(GapLine {
            meter,
            direction,
            from,
            until,
            first_wh,
            last_wh,
            energy_wh,
            missed,
            prices,
            amount,
            lower,
            upper,
        });
        match amount {
            Some(_) => self.others.push(line),
            None => self.open(from, line),
        }
        Ok(())
    }

    /// Adds the terms by month.
    fn fix(&mut self, tariff: &Tariff, share: &Share) -> Result<(), BillError> {
        let Share { stretch: Stretch { from, until }, days, days_of_month } = *share;
        for term in &tariff.fixed {
            let (name, per_month) = (term.name.clone(), term.per_month);
            let amount = share.of(per_month.micros().into(), 1_000_000, self.places);
            let amount = amount.ok_or_else(|| too_large(&name))?;
            let line = FixedLine { name, per_month, from, until, days, days_of_month, amount };
            self.others.push(Line::Fixed(line));
        }
        Ok(())
    }

    /// Adds the term by the highest power.
    fn peak(
        &mut self,
        tariff: &Tariff,
        term: &PeakTerm,
        share: &Share,
        taken: &[(Stretch, Vec<Step>)],
    ) -> Result<(), BillError> {
        let Share { stretch: Stretch { from, until }, days, days_of_month } = *share;
        let large = || too_large(&term.name);
        let windows = powers(&tariff.zone, share.stretch, taken).ok_or_else(large)?;
        // The first one of those that are equal.
        let highest = windows.iter().rev().max_by_key(|window| window.lower_w);
        let Some(&Power { at: window, lower_w, .. }) = highest else { return Ok(()) };
        let uppers = windows.iter().map(|window| window.upper_w);
        let upper_w = uppers.reduce(|one, other| Some(one?.max(other?))).flatten();
        let cost = |watts: i64| {
            let micros = i128::from(term.per_kw_month.micros()) * i128::from(watts);
            share.of(micros, 1_000_000_000, self.places).ok_or_else(large)
        };
        let (lower, upper) = (cost(lower_w)?, upper_w.map(cost).transpose()?);
        let (name, per_kw_month) = (term.name.clone(), term.per_kw_month);
        let amount = upper.filter(|_| upper_w == Some(lower_w));
        let line = Line::Peak(PeakLine {
            name,
            per_kw_month,
            from,
            until,
            days,
            days_of_month,
            window,
            lower_w,
            upper_w,
            amount,
            lower,
            upper,
        });
        let may_be_higher =
            |window: &&Power| window.upper_w.is_none_or(|upper_w| upper_w > lower_w);
        match windows.iter().find(may_be_higher) {
            Some(window) => self.open(window.at, line),
            None => self.others.push(line),
        }
        Ok(())
    }

    /// All lines: energy by meter, direction and price, then the others as they came.
    fn lines(self) -> Result<Vec<Line>, BillError> {
        let mut lines = Vec::with_capacity(self.energy.len() + self.others.len());
        let places = self.places;
        for ((meter, direction, name, price), (energy_wh, registers)) in self.energy {
            let amount = Money::rounded(cost(direction, price, energy_wh), MICROS_WH, places);
            let amount = amount.ok_or_else(|| too_large(&meter))?;
            let line = EnergyLine { meter, direction, name, price, energy_wh, amount, registers };
            lines.push(Line::Energy(line));
        }
        lines.extend(self.others);
        Ok(lines)
    }
}

/// What energy costs that flows one way, exactly; below zero where the customer is paid.
fn cost(direction: Direction, price: Decimal, energy_wh: i64) -> i128 {
    let cost = i128::from(price.micros()) * i128::from(energy_wh);
    if direction == Direction::Import { cost } else { -cost }
}

/// The prices at which the energy of a step costs least and most; nothing if a part of the time has
/// no price.
fn bounds(
    direction: Direction,
    span: Stretch,
    within: Stretch,
    touched: &[&Piece],
) -> [Option<Decimal>; 2] {
    let inside = intersection(span, within).unwrap_or(span);
    let is_priced = is_covered(inside, touched);
    let is_free = !is_priced && direction == Direction::Export;
    // What lies outside costs nothing here, and all of it may.
    let nothing = (inside != span || is_free).then(Decimal::default);
    let prices = || touched.iter().map(|piece| piece.price).chain(nothing);
    let [lowest, highest] =
        [prices().min(), prices().max()].map(|price| price.filter(|_| is_priced || is_free));
    if direction == Direction::Import { [lowest, highest] } else { [highest, lowest] }
}

fn open_line(register: &Register, open: &Open) -> OpenLine {
    let Open { span: Stretch { from, until }, cause, first_wh, last_wh } = *open;
    let (meter, direction) = (register.meter.clone(), register.direction);
    OpenLine { meter, direction, from, until, cause, first_wh, last_wh }
}

/// Whether pieces that are in order fill a stretch.
fn is_covered(stretch: Stretch, pieces: &[&Piece]) -> bool {
    let end = pieces.iter().fold(stretch.from, |end, piece| {
        if piece.from <= end { end.max(piece.until) } else { end }
    });
    stretch.until <= end
}

/// Mean power in a window, as far as it is known.
struct Power {
    at: SimTime,
    lower_w: i64,
    upper_w: Option<i64>,
}

/// The mean power that all registers together took, in each whole window of a stretch. `None`
/// beyond what is counted.
fn powers(zone: &Zone, stretch: Stretch, taken: &[(Stretch, Vec<Step>)]) -> Option<Vec<Power>> {
    // A window that a change of offset or an end of the stretch cuts is none.
    let is_whole = |window: &Stretch| {
        stretch.from <= window.from
            && window.until <= stretch.until
            && window.until.0 - window.from.0 == WINDOW
    };
    let windows: Vec<_> =
        stretches(zone, Width::Minutes15, stretch.from, stretch.until).filter(is_whole).collect();
    let mut energies = vec![(0_i64, Some(0_i64)); windows.len()];
    let steps =
        taken.iter().flat_map(|(within, steps)| steps.iter().map(move |step| (*within, step)));
    for (within, step) in steps {
        // Two values at an instant have no length, and concern the windows on both sides.
        let span = intersection(step.span(), within).unwrap_or(step.span());
        let is_instant = span.from == span.until;
        let first = windows.partition_point(|window| window.until < span.from);
        let windows = windows[first..].iter().zip(&mut energies[first..]);
        for (window, (lower, upper)) in windows.take_while(|(window, _)| window.from <= span.until)
        {
            if !is_instant && (window.until == span.from || window.from == span.until) {
                continue;
            }
            let Step::Counted(Counted { energy_wh, .. }) = step else {
                *upper = None;
                continue;
            };
            // Otherwise all of it may lie in this window, or nothing.
            if intersection(step.span(), *window) == Some(step.span()) && span == step.span() {
                *lower = lower.checked_add(*energy_wh)?;
            }
            if let Some(upper) = upper {
                *upper = upper.checked_add(*energy_wh)?;
            }
        }
    }
    let power = |(window, (lower, upper)): (&Stretch, (i64, Option<i64>))| {
        let watts = |energy: i64| energy.checked_mul(WATTS_PER_WH);
        let upper_w = match upper {
            Some(upper) => Some(watts(upper)?),
            None => None,
        };
        Some(Power { at: window.from, lower_w: watts(lower)?, upper_w })
    };
    windows.iter().zip(energies).map(power).collect()
}

#[cfg(test)]
mod tests;
