//! `household_bill`: the last bill of a household's aggregator is what its registers, or the energy
//! of the plant, come to at the prices.
//!
//! Energy is counted in microjoules here, prices in millionths of a cent for 1 kWh; their products
//! are added up exactly and rounded once, half to even.

use std::collections::BTreeMap;

use lastmeter_params::{Code, Diagnostics, Dimension, Entry, Field, Kind, Values};
use lastmeter_text::{append, plural};
use lastmeter_units::{MeasurementId, SimDuration, SimTime};

use super::{named_in, section};
use crate::check::kind::{Check, CheckContext, CheckKind, RecordTable, Section, finish};
use crate::verdict::{At, Reason, Verdict};
use lastmeter_record::{Event, EventKind, Observation, RunFacts, field};

/// Registers of what is taken, and of what is fed in.
const QUANTITIES: [&str; 2] =
    ["electricity.energy.active.consumed.total", "electricity.energy.active.injected.total"];
/// Microjoules of 1 kWh.
const KWH_UJ: i128 = 3_600_000_000_000;
const CENT: i128 = 1_000_000;

static PRICES: [Field; 3] = [
    Field::required(
        "from",
        Kind::Quantity { dimension: Dimension::Time, min: 0.0, max: 1e9 },
        "since when, after the scenario's start; up to the next",
    ),
    Field::required("import", Kind::Text, "of 1 kWh that is taken, such as \"0.20\""),
    Field::default("export", Kind::Text, "\"0\"", "of 1 kWh that is fed in"),
];

const PRICE_LIST: Kind = Kind::List(&Kind::Table(&PRICES));

pub(in crate::checks) const KIND: CheckKind = CheckKind {
    entry: Entry {
        name: "household_bill",
        summary: "a household's bill is what its energy comes to at the prices",
        description: "Takes the last `household_bill` of `gateway`, and the readings of `meter` \
            from the one that it begins with to its last. From one of them to the next each \
            register has counted a step, which is charged, or paid for, at the price that holds; \
            the bill has to be their sum and `fixed`. `against = \"registers\"` takes what came \
            back from the platform, and the bill has to be equal to the millionth of a cent; \
            `\"truth\"` takes the plant's energy, and it may be off by `within`. Without a bill, with \
            steps left open or over a change of price, without the readings, or where more than \
            `unbilled` of the run lies before the bill's first reading or after its last the check \
            is inconclusive. `measured` is the difference in cents, `n` counts steps.",
        fields: &[
            Field::required("gateway", Kind::Name, "the aggregator"),
            Field::required("meter", Kind::Name, "the device at the feed-in"),
            Field::required("prices", PRICE_LIST, "in order"),
            Field::default("fixed", Kind::Text, "\"0\"", "what is to be paid beside energy"),
            Field::default(
                "against",
                Kind::Choice(&["registers", "truth"]),
                "\"registers\"",
                "what the bill is compared with",
            ),
            Field::default(
                "unbilled",
                Kind::Quantity { dimension: Dimension::Time, min: 0.0, max: 1e9 },
                "\"2 min\"",
                "the most of the run before the bill's first reading, and after its last",
            ),
            Field::optional("within", Kind::Text, "the largest difference to truth, as \"0.05\""),
        ],
    },
    build: |values, context, out| Some(Box::new(HouseholdBill::new(values, context, out)?)),
    tables: &[RecordTable::Events, RecordTable::Observations],
    fits: |values, bench, out| {
        named_in(values, "gateway", &bench.gateway_names, out);
        named_in(values, "meter", &bench.device_names, out);
    },
    section: Some(Section { place: 47, make: section::section }),
    ..CheckKind::PLAIN
};

/// What 1 kWh costs that is taken, and what it brings that is fed in, in millionths of a cent.
type Price = [i128; 2];

/// The bill, as it stands in the record.
struct Bill {
    at: At,
    from: SimTime,
    until: SimTime,
    total_ucent: i128,
    open_steps: u64,
}

impl Bill {
    fn read(line: u64, event: &Event) -> Option<Self> {
        let time = |name| event.text(name)?.parse().ok();
        Some(Self {
            at: At { time: Some(event.time), event: Some(line), ..At::default() },
            from: time(field::FROM)?,
            until: time(field::UNTIL)?,
            total_ucent: event.text(field::TOTAL_UCENT)?.parse().ok()?,
            open_steps: event.number(field::OPEN_STEPS)?,
        })
    }
}

struct HouseholdBill {
    context: CheckContext,
    gateway: String,
    meter: String,
    /// By their beginnings since the start.
    prices: Vec<(SimDuration, Price)>,
    fixed: i128,
    is_truth: bool,
    within: i128,
    unbilled: SimDuration,
    start: SimTime,
    quantities: [Option<MeasurementId>; 2],
    /// Both registers by the time of the reading, in microjoules.
    registers: BTreeMap<SimTime, [Option<i128>; 2]>,
    bill: Option<Bill>,
}

/// A decimal number of the currency, in millionths of a cent.
fn money(values: &Values, key: &str, out: &mut Diagnostics) -> Option<i128> {
    let text = values.text(key);
    let found = decimal(text);
    if found.is_none() {
        let message = format!("`{text}` is no amount of money");
        let label = "expected a number such as \"0.20\", with at most eight decimals";
        out.report(Code::DOES_NOT_FIT, values.span_of(key), message, label);
    }
    found
}

fn decimal(text: &str) -> Option<i128> {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let is_number = !whole.is_empty() && whole.len() <= 9 && fraction.len() <= 8;
    let all = format!("{whole}{fraction:0<8}");
    (is_number && is_digits(&all)).then(|| all.parse().ok().map(|value: i128| sign * value))?
}

/// A whole number of parts of this size, half to even.
fn rounded(value: i128, size: i128) -> i128 {
    let (below, rest) = (value.div_euclid(size), value.rem_euclid(size));
    match (2 * rest).cmp(&size) {
        std::cmp::Ordering::Less => below,
        std::cmp::Ordering::Equal => below + below.rem_euclid(2),
        std::cmp::Ordering::Greater => below + 1,
    }
}

impl HouseholdBill {
    fn new(values: &Values, context: CheckContext, out: &mut Diagnostics) -> Option<Self> {
        let mut prices: Vec<(SimDuration, Price)> = Vec::new();
        for row in values.tables("prices") {
            let price = [money(row, "import", out)?, money(row, "export", out)?];
            let from = row.duration("from");
            if prices.last().is_some_and(|(last, _)| *last >= from) {
                let message = "a price from no later than the one before".to_owned();
                let label = "expected prices in the order of time";
                out.report(Code::DOES_NOT_FIT, row.span_of("from"), message, label);
                return None;
            }
            prices.push((from, price));
        }
        if prices.first().is_none_or(|(from, _)| from.0 > 0) {
            let message = "no price holds at the start".to_owned();
            let label = "expected a first one with `from = \"0 s\"`";
            out.report(Code::DOES_NOT_FIT, values.span_of("prices"), message, label);
            return None;
        }
        let is_truth = values.text("against") == "truth";
        if is_truth != values.is_written("within") {
            let message = "`within` is of a comparison with truth".to_owned();
            let label = "expected with `against = \"truth\"`, and with that only";
            out.report(Code::DOES_NOT_FIT, values.span_of("against"), message, label);
            return None;
        }
        Some(Self {
            context,
            gateway: values.text("gateway").to_owned(),
            meter: values.text("meter").to_owned(),
            prices,
            fixed: money(values, "fixed", out)?,
            is_truth,
            within: if is_truth { money(values, "within", out)? } else { 0 },
            unbilled: values.duration("unbilled"),
            start: SimTime(0),
            quantities: QUANTITIES.map(MeasurementId::lookup),
            registers: BTreeMap::new(),
            bill: None,
        })
    }

    /// The price that holds from an instant on, and up to when.
    fn price_at(&self, at: SimTime) -> Option<(Price, Option<SimTime>)> {
        let since = at - self.start;
        let place = self.prices.iter().rposition(|(from, _)| *from <= since)?;
        let next = self.prices.get(place + 1).map(|(from, _)| self.start + *from);
        Some((self.prices[place].1, next))
    }

    /// What the energy of a bill comes to in millionths of a cent, and how many steps it has; or
    /// why that is not known.
    fn reference(&self, bill: &Bill, facts: &RunFacts) -> Result<(i128, u64), (Reason, String)> {
        let apart = [bill.from - facts.start, facts.end - bill.until];
        if apart.iter().any(|apart| *apart > self.unbilled) {
            let (from, until) = (bill.from, bill.until);
            let why = format!("the bill is of {from} to {until} only, and not of the whole run");
            return Err((Reason::Incomplete, why));
        }
        if bill.open_steps > 0 {
            let open = plural(bill.open_steps, "step");
            return Err((
                Reason::Incomplete,
                format!("the bill leaves {open} open, whose price is not known or changes within"),
            ));
        }
        let lacking = |at| {
            let meter = &self.meter;
            (Reason::Incomplete, format!("`{meter}` has no register of {at}"))
        };
        for at in [bill.from, bill.until] {
            let row = self.registers.get(&at);
            row.filter(|row| row[0].is_some()).ok_or_else(|| lacking(at))?;
        }
        let known = self.registers.range(bill.from..=bill.until);
        let known: Vec<_> = known.filter(|(_, row)| row[0].is_some()).collect();
        let mut sum = 0;
        for pair in known.windows(2) {
            let [(begin, first), (end, second)] = pair else { continue };
            let unpriced = || (Reason::Incomplete, format!("no price is known from {begin} on"));
            let (price, next) = self.price_at(**begin).ok_or_else(unpriced)?;
            let mut steps = [0; 2];
            for ((step, before), after) in steps.iter_mut().zip(**first).zip(**second) {
                *step = after.zip(before).map_or(0, |(after, before)| after - before);
            }
            if steps.iter().any(|step| *step < 0) && !self.is_truth {
                return Err((Reason::Incomplete, format!("a register fell after {begin}")));
            }
            if next.is_some_and(|next| next < **end) && steps != [0, 0] {
                let why = format!("the price changes within the step from {begin} to {end}");
                return Err((Reason::Incomplete, why));
            }
            sum += steps[0] * price[0] - steps[1] * price[1];
        }
        Ok((rounded(sum + self.fixed * KWH_UJ, KWH_UJ), known.len() as u64 - 1))
    }

    fn compared(&self, bill: &Bill, (reference, steps): (i128, u64)) -> Verdict {
        let (billed, ours) = (bill.total_ucent, reference);
        let cents = |ucents: i128| ucents as f64 / CENT as f64;
        let difference = cents((billed - ours).abs());
        let limit = cents(self.within);
        let is_within = difference <= limit;
        let what = if self.is_truth { "the plant's energy" } else { "the registers" };
        let why = format!(
            "the bill is {:.3} cents, {what} come to {:.3}; {}",
            cents(billed),
            cents(ours),
            plural(steps, "step")
        );
        let reason = if is_within { Reason::WithinLimit } else { Reason::OutsideLimit };
        Verdict {
            measured: Some(difference),
            limit: Some(limit),
            n: steps,
            at: (!is_within).then(|| bill.at.clone()),
            ..self.context.verdict(reason, "cent", why)
        }
    }
}

impl Check for HouseholdBill {
    fn begin(&mut self, facts: &RunFacts) {
        self.start = facts.start;
    }

    fn observation(&mut self, row: &Observation<'_>) {
        let place = self.quantities.iter().position(|own| *own == Some(row.quantity));
        let Some(place) = place.filter(|_| row.device == self.meter) else { return };
        let value = if self.is_truth { row.reference } else { row.reported };
        if let Some(joules) = value.filter(|value| value.is_finite() && value.abs() < 1e15) {
            let registers = self.registers.entry(row.event_time).or_default();
            registers[place] = Some((joules * 1e6).round() as i128);
        }
    }

    fn event(&mut self, line: u64, event: &Event) {
        if event.kind != EventKind::HouseholdBill || event.source != self.gateway {
            return;
        }
        self.bill = Bill::read(line, event);
    }

    fn verdict(&self, facts: &RunFacts) -> Verdict {
        let none = || (Reason::NothingToJudge, format!("`{}` made no bill", self.gateway));
        let found = self.bill.as_ref().ok_or_else(none);
        let verdict = match found.and_then(|bill| Ok((bill, self.reference(bill, facts)?))) {
            Ok((_, (_, 0))) => {
                let why = "the bill has no step of a register";
                self.context.verdict(Reason::NothingToJudge, "cent", why)
            }
            Ok((bill, reference)) => self.compared(bill, reference),
            Err((reason, mut why)) => {
                append(&mut why, format_args!("; nothing is compared"));
                self.context.verdict(reason, "cent", why)
            }
        };
        finish(verdict, facts)
    }
}

#[cfg(test)]
#[path = "bill_tests.rs"]
mod tests;
