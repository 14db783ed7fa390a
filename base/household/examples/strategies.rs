//! Prints a day of each strategy in one household, side by side:
//! `cargo run -p lastmeter-household --example strategies`.

#![expect(clippy::print_stdout, reason = "the example prints")]
#![expect(clippy::unwrap_used, reason = "the household is a valid one")]

#[path = "../tests/household/home.rs"]
mod home;

use lastmeter_household::schedule::{Decision, Plan, Strategy, plan};
use lastmeter_units::SimTime;

/// Of the loads, in their order.
const NAMES: [&str; 4] = ["washing machine", "dishwasher", "tumble dryer", "water heater"];

/// Time of day as `HH:MM`.
fn clock(at: SimTime) -> String {
    let minutes = (at - home::midnight()).0 / 60_000_000_000;
    format!("{:02}:{:02}", minutes / 60, minutes % 60)
}

/// A start with its reason: what it costs, beside the alternative, and what limits it.
fn reason(decision: &Decision) -> String {
    let cents = decision.chosen.cost.as_cents_f64();
    let other = decision.alternative.map_or(String::new(), |other| {
        format!(" ({} {:.1})", clock(other.start), other.cost.as_cents_f64())
    });
    format!("{} {cents:.1}{other}, {}", clock(decision.chosen.start), decision.binding)
}

fn row(title: &str, cells: impl Iterator<Item = String>) {
    println!(
        "{title:16}{}",
        cells.map(|cell| format!(" {cell:38}")).collect::<Vec<String>>().concat().trim_end()
    );
}

fn main() {
    let (forecast, loads) = (home::forecast(), home::loads());
    let plans: Vec<Plan> =
        Strategy::ALL.iter().map(|strategy| plan(&forecast, *strategy, &loads).unwrap()).collect();
    let produced: i64 = (0..home::SLOTS).map(home::production_w).sum();
    let produced_wh = produced as f64 / 4.0;
    let own_share = |plan: &Plan| 1.0 - plan.export.as_watt_hours_f64() / produced_wh;

    println!("start and cost in cents (alternative), what limits it");
    row("", Strategy::ALL.iter().map(ToString::to_string));
    for (at, name) in NAMES.iter().enumerate() {
        let cell = |plan: &Plan| {
            plan.decisions[at].map_or_else(|why| why.to_string(), |decision| reason(&decision))
        };
        row(name, plans.iter().map(cell));
    }
    let each = |title: &str, cell: &dyn Fn(&Plan) -> String| row(title, plans.iter().map(cell));
    each("cost", &|plan| format!("{} cents", plan.cost.cents()));
    each("import", &|plan| format!("{:.0} Wh", plan.import.as_watt_hours_f64()));
    each("own share", &|plan| format!("{:.1} % of production", 100.0 * own_share(plan)));
    each("peak", &|plan| format!("{} W", plan.peak_w));
    println!("\nnet power in W, mean of each hour");
    for hour in 0..24 {
        let mean = |plan: &Plan| plan.net_w[4 * hour..][..4].iter().sum::<i64>() / 4;
        row(&format!("{hour:02}:00"), plans.iter().map(|plan| format!("{:6}", mean(plan))));
    }
}
