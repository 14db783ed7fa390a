//! A clock that is watched minute by minute: at each, the price is looked up by what it shows. A
//! step is charged if all of its minutes have one price. Nothing of this is used by the bill.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use proptest::prelude::*;

use super::*;

const MINUTE: i64 = 60_000_000_000;
const WORDS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// A price zone: its days from Monday, its minutes of the day, its price in 1e-6.
type Part = (Vec<usize>, i64, i64, i64);
/// Minutes from the first to the first after it, a price in 1e-6.
type Dated = (i64, i64, i64);

/// All that a case is made of; instants are minutes since 1970.
#[derive(Clone, Debug)]
struct Case {
    base: i64,
    parts: Vec<Part>,
    dated: Vec<Dated>,
    valid: (i64, i64),
    period: (i64, i64),
    is_export: bool,
    readings: Vec<(i64, i64)>,
}

fn rome() -> TimeZone {
    TimeZoneDatabase::bundled().get("Europe/Rome").unwrap()
}

fn instant(minute: i64) -> SimTime {
    SimTime(minute * MINUTE)
}

fn cases() -> impl Strategy<Value = Case> {
    // Two days before the changes of 2027, a year's end, and a day without anything.
    const DAYS: [&str; 4] = ["2027-03-27", "2027-10-30", "2027-12-30", "2027-06-02"];
    let day = proptest::sample::select(&DAYS[..]).prop_map(|day| {
        let at: SimTime = format!("{day}T00:00:00Z").parse().unwrap();
        at.0 / MINUTE
    });
    let time = || prop_oneof![0..96_i64, Just(8), Just(10), Just(12)].prop_map(|at| at * 15);
    let price = || prop_oneof![Just(200_000), -50_000..900_000_i64];
    let part =
        (proptest::sample::subsequence((0..7).collect::<Vec<_>>(), 0..=7), time(), time(), price());
    let dated = (0..4000_i64, 1..500_i64, price());
    let step = (prop_oneof![Just(15), 1..200_i64], prop_oneof![Just(0), 0..3000_i64, Just(-1)]);
    (
        day,
        price(),
        prop::collection::vec(part, 0..4),
        prop::collection::vec(dated, 0..3),
        (-200..400_i64, 2500..4600_i64),
        (-100..300_i64, 300..4400_i64),
        any::<bool>(),
        (-400..200_i64, prop::collection::vec(step, 0..60)),
    )
        .prop_map(|(day, base, parts, dated, valid, period, is_export, (first, steps))| {
            let mut end = 0;
            let dated = dated.into_iter().map(|(after, length, price)| {
                let from = end + after;
                end = from + length;
                (day + from, day + end, price)
            });
            let dated = dated.collect();
            let mut last = (day + first, 10_000);
            let mut readings = vec![last];
            for (minutes, energy) in steps {
                last = (last.0 + minutes, last.1 + energy);
                readings.push(last);
            }
            let around = |(from, until)| (day + from, day + until);
            let (valid, period) = (around(valid), around(period));
            Case { base, parts, dated, valid, period, is_export, readings }
        })
}

/// An amount of 1e-6 as a text.
fn micros(price: i64) -> String {
    let sign = if price < 0 { "-" } else { "" };
    format!("{sign}{}.{:06}", price.abs() / 1_000_000, price.abs() % 1_000_000)
}

fn clock(minute: i64) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

impl Case {
    fn tariff(&self) -> Tariff {
        let mut zones = vec![json!({"name": "base", "price": micros(self.base)})];
        zones.extend(self.parts.iter().enumerate().map(|(index, (days, from, until, price))| {
            let days: Vec<_> = days.iter().map(|day| WORDS[*day]).collect();
            json!({
                "name": format!("part {index}"), "weekdays": days, "from": clock(*from),
                "until": clock(*until), "price": micros(*price),
            })
        }));
        let direction = if self.is_export { "export" } else { "import" };
        let dated: Vec<_> = self
            .dated
            .iter()
            .map(|(from, until, price)| {
                json!({
                    "name": "dated", "direction": direction, "from": instant(*from),
                    "until": instant(*until), "price": micros(*price),
                })
            })
            .collect();
        let (imports, exports) =
            if self.is_export { (json!([]), json!(zones)) } else { (json!(zones), json!([])) };
        read(&json!({
            "name": "Tariff", "currency": "EUR", "zone": "Europe/Rome", "imports": imports,
            "exports": exports, "prices": dated, "validFrom": instant(self.valid.0),
            "validUntil": instant(self.valid.1),
            "peak": {"name": "Peak", "perKwMonth": "1", "window": "15m"},
        }))
        .unwrap()
    }

    fn bill(&self) -> Bill {
        let readings = self.readings.iter();
        let mut register = register(&[]);
        register.readings = readings
            .map(|(at, register_wh)| Reading { at: instant(*at), register_wh: *register_wh })
            .collect();
        register.direction = if self.is_export { Direction::Export } else { Direction::Import };
        let period = Stretch { from: instant(self.period.0), until: instant(self.period.1) };
        bill(&account(period, &[self.tariff()], &[register])).unwrap()
    }

    /// The name and price that the clock shows at a minute; nothing where the tariff is not valid.
    fn price(&self, zone: &TimeZone, minute: i64) -> Option<(String, i64)> {
        if minute < self.valid.0 || minute >= self.valid.1 {
            return None;
        }
        for (from, until, price) in &self.dated {
            if *from <= minute && minute < *until {
                return Some(("dated".to_owned(), *price));
            }
        }
        let shown = zone.to_datetime(Timestamp::from_second(minute * 60).unwrap());
        let now = i64::from(shown.hour()) * 60 + i64::from(shown.minute());
        let today = shown.date().weekday().to_monday_zero_offset() as usize;
        let yesterday = (today + 6) % 7;
        for (index, (days, from, until, price)) in self.parts.iter().enumerate().rev() {
            let on = |day: usize| days.is_empty() || days.contains(&day);
            let holds = if from < until {
                on(today) && *from <= now && now < *until
            } else {
                (on(today) && *from <= now) || (on(yesterday) && now < *until)
            };
            if holds {
                return Some((format!("part {index}"), *price));
            }
        }
        Some(("base".to_owned(), self.base))
    }

    /// Minutes from one instant to another that are of the period.
    fn minutes(&self, from: i64, until: i64) -> std::ops::Range<i64> {
        from.max(self.period.0)..until.min(self.period.1)
    }
}

/// Minutes, Wh, and bounds in cents, where there are some.
type Gap = (i64, i64, i64, Option<(i64, i64)>);

/// What a bill has, or should have.
#[derive(Debug, Default, PartialEq)]
struct Outcome {
    /// Wh by name and price in 1e-6.
    charged: BTreeMap<(String, i64), i64>,
    /// Energy of which the price is not known.
    gaps: Vec<Gap>,
    /// Minutes without known energy.
    open: BTreeSet<(i64, i64)>,
    cents: i64,
}

fn cents(nano: i64) -> i64 {
    let half_up = (nano.abs() * 2 + 10_000_000) / 20_000_000;
    half_up * nano.signum()
}

fn watched(case: &Case) -> Outcome {
    let (zone, mut outcome) = (rome(), Outcome::default());
    let sign = if case.is_export { -1 } else { 1 };
    let is_paid = |from, until| {
        !case.is_export
            || case.minutes(from, until).any(|minute| case.price(&zone, minute).is_some())
    };
    let (first, last) = (case.readings[0].0, case.readings[case.readings.len() - 1].0);
    for (from, until) in
        [(case.period.0, first.min(case.period.1)), (last.max(case.period.0), case.period.1)]
    {
        if from < until && is_paid(from, until) {
            outcome.open.insert((from, until));
        }
    }
    for pair in case.readings.windows(2) {
        let ((from, before), (until, after)) = (pair[0], pair[1]);
        let energy = after - before;
        if case.minutes(from, until).is_empty() || !is_paid(from, until) {
            continue;
        }
        if energy < 0 {
            outcome.open.insert((from, until));
            continue;
        }
        let inside: BTreeSet<_> =
            case.minutes(from, until).map(|minute| case.price(&zone, minute)).collect();
        // Minutes outside of the period are in none.
        let is_inside = case.minutes(from, until) == (from..until);
        let known: Vec<_> = inside.iter().flatten().collect();
        if let ([one], true) = (&known[..], is_inside && inside.len() == 1) {
            *outcome.charged.entry((*one).clone()).or_default() += energy;
        } else if energy > 0 {
            let mut costs: Vec<_> = known.iter().map(|(_, price)| sign * price * energy).collect();
            if !is_inside || case.is_export && inside.contains(&None) {
                costs.push(0);
            }
            let bounds = (case.is_export || !inside.contains(&None))
                .then(|| (*costs.iter().min().unwrap(), *costs.iter().max().unwrap()));
            outcome.cents +=
                bounds.filter(|(low, high)| low == high).map_or(0, |(low, _)| cents(low));
            let bounds = bounds.map(|(low, high)| (cents(low), cents(high)));
            outcome.gaps.push((from, until, energy, bounds));
        }
    }
    let charged = outcome.charged.iter();
    outcome.cents += charged.map(|((_, price), energy)| cents(sign * price * energy)).sum::<i64>();
    outcome
}

fn found(bill: &Bill) -> Outcome {
    let mut outcome = Outcome { cents: bill.total.minor(), ..Outcome::default() };
    let minute = |at: SimTime| at.0 / MINUTE;
    for line in &bill.lines {
        match line {
            Line::Energy(line) => {
                let counted = line.registers.iter().map(|span| span.last_wh - span.first_wh);
                assert_eq!(counted.sum::<i64>(), line.energy_wh);
                let key = (line.name.to_string(), line.price.micros());
                assert_eq!(outcome.charged.insert(key, line.energy_wh), None);
            }
            Line::Gap(line) => {
                let bounds = line.lower.zip(line.upper);
                let bounds = bounds.map(|(low, high)| (low.minor(), high.minor()));
                outcome.gaps.push((minute(line.from), minute(line.until), line.energy_wh, bounds));
            }
            Line::GapOpen(line) => _ = outcome.open.insert((minute(line.from), minute(line.until))),
            Line::Peak(line) => outcome.cents -= line.amount.map_or(0, Money::minor),
            Line::Fixed(_) => unreachable!(),
        }
    }
    outcome
}

/// The highest power that is certain and the highest one that is possible, window by window.
fn watched_peak(case: &Case) -> Option<(i64, Option<i64>)> {
    let (from, until) = (case.period.0.max(case.valid.0), case.period.1.min(case.valid.1));
    let windows = (from..until).filter(|at| at % 15 == 0 && at + 15 <= until);
    let mut steps: Vec<_> = case
        .readings
        .windows(2)
        .map(|pair| {
            (pair[0].0, pair[1].0, Some(pair[1].1 - pair[0].1).filter(|energy| *energy >= 0))
        })
        .collect();
    steps.push((i64::MIN, case.readings[0].0, None));
    steps.push((case.readings[case.readings.len() - 1].0, i64::MAX, None));
    let mut peak: Option<(i64, Option<i64>)> = None;
    for window in windows {
        let (mut low, mut high) = (0, Some(0));
        for (from, until, energy) in &steps {
            if case.is_export || *until <= window || *from >= window + 15 {
                continue;
            }
            if *from >= window
                && *until <= window + 15
                && energy.is_some()
                && *from >= case.period.0
            {
                low += energy.unwrap() * 4;
            }
            high = high.zip(*energy).map(|(high, energy)| high + energy * 4);
        }
        let before = peak.unwrap_or((0, Some(0)));
        let highest = before.1.zip(high).map(|(one, other)| one.max(other));
        peak = Some((before.0.max(low), highest));
    }
    peak
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn bills_are_those_of_a_clock_that_is_watched(case in cases()) {
        let bill = case.bill();
        prop_assert_eq!(found(&bill), watched(&case));
        let sum: i64 = bill.lines.iter().filter_map(Line::amount).map(Money::minor).sum();
        prop_assert_eq!(sum, bill.total.minor());
        prop_assert_eq!(bill.is_open, bill.complete_until < bill.until);
        let mut whole = read::<Bill>(&json!(bill)).unwrap();
        prop_assert_eq!(&whole, &bill);
        // Several months have a peak each.
        whole.lines.retain(|line| matches!(line, Line::Peak(_)));
        if let [Line::Peak(line)] = &whole.lines[..]
            && line.from == bill.from.max(instant(case.valid.0))
            && line.until == bill.until.min(instant(case.valid.1))
        {
            prop_assert_eq!(Some((line.lower_w, line.upper_w)), watched_peak(&case));
        }
    }

    #[test]
    fn a_reading_within_one_price_changes_no_amount(
        mut case in cases(),
        which in any::<prop::sample::Index>(),
        part in 0..=100_i64,
    ) {
        prop_assume!(case.readings.len() > 1);
        let index = which.index(case.readings.len() - 1);
        let ((from, before), (until, after)) = (case.readings[index], case.readings[index + 1]);
        let prices: BTreeSet<_> = (from..until).map(|minute| case.price(&rome(), minute)).collect();
        let minutes = case.minutes(from, until);
        prop_assume!(before <= after && prices.len() == 1 && minutes == (from..until));
        let first = case.bill();
        let middle = from + (until - from) * part / 100;
        prop_assume!(from < middle && middle < until);
        case.readings.insert(index + 1, (middle, before + (after - before) * (100 - part) / 100));
        let second = case.bill();
        prop_assert_eq!(found(&first).charged, found(&second).charged);
        prop_assert_eq!(found(&first).cents, found(&second).cents);
        prop_assert_eq!(first.complete_until <= second.complete_until, true);
    }

    #[test]
    fn pieces_are_in_order_and_maximal(case in cases()) {
        let direction = if case.is_export { Direction::Export } else { Direction::Import };
        let (from, until) = (instant(case.period.0), instant(case.period.1));
        let pieces = case.tariff().pieces(direction, from, until);
        for pair in pieces.windows(2) {
            prop_assert!(pair[0].until <= pair[1].from);
            let differ = (pair[0].price, &pair[0].name) != (pair[1].price, &pair[1].name);
            prop_assert!(differ || pair[0].until < pair[1].from);
        }
        for piece in &pieces {
            prop_assert!(from <= piece.from && piece.from < piece.until && piece.until <= until);
        }
    }

    #[test]
    fn no_numbers_are_too_much(
        period in (any::<i64>(), prop_oneof![any::<i64>(), 0..DAYS_MAX * 86_400_000_000_000]),
        mut readings in prop::collection::vec((any::<i64>(), any::<i64>()), 0..8),
        near in prop::collection::vec((0..DAYS_MAX * 86_400_000_000_000, any::<i64>()), 0..8),
        amounts in prop::array::uniform4(any::<i64>()),
        service in (any::<i64>(), any::<i64>()),
        is_export: bool,
    ) {
        let amounts = amounts.map(|amount| Decimal::from_micros(amount.saturating_abs()));
        let [base, part, fixed, peak] = amounts;
        let until = period.0.saturating_add(period.1);
        let tariff = tariff(json!({
            "imports": [
                {"name": "a", "price": base}, {"name": "b", "from": "12:00", "price": part},
            ],
            "exports": [{"name": "a", "price": base}], "fixed": [{"name": "f", "perMonth": fixed}],
            "validFrom": "1677-09-22T00:00:00Z",
            "peak": {"name": "p", "perKwMonth": peak, "window": "15m"},
        }));
        readings.extend(near.into_iter().map(|(after, wh)| (period.0.saturating_add(after), wh)));
        readings.sort_unstable();
        let mut register = register(&[]);
        register.readings = readings
            .into_iter()
            .map(|(at, register_wh)| Reading { at: SimTime(at), register_wh })
            .collect();
        register.service = Stretch { from: SimTime(service.0), until: SimTime(service.1) };
        register.direction = if is_export { Direction::Export } else { Direction::Import };
        let period = Stretch { from: SimTime(period.0), until: SimTime(until) };
        if let Ok(bill) = bill(&account(period, &[tariff], &[register])) {
            prop_assert_eq!(read::<Bill>(&json!(bill)).unwrap(), bill);
        }
    }

    #[test]
    fn decimals_are_read_as_they_are_written(
        micros: i64,
        text in "-?[0-9.]{0,24}",
        any in ".{0,12}",
    ) {
        let decimal = Decimal::from_micros(micros);
        prop_assert_eq!(Decimal::try_from(decimal.to_string()).unwrap(), decimal);
        for text in [text, any] {
            if let Ok(read) = Decimal::try_from(text.clone()) {
                prop_assert_eq!(Decimal::try_from(read.to_string()).unwrap(), read);
            }
            if let Ok(read) = Money::try_from(text) {
                prop_assert_eq!(Money::try_from(read.to_string()).unwrap(), read);
            }
        }
    }

    #[test]
    fn bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = serde_json::from_slice::<Tariff>(&bytes);
        let _ = serde_json::from_slice::<Bill>(&bytes);
    }
}
