//! Prints the points of a built-in test plan with the limits of a class, as
//! `cargo run -p lastmeter-plans --example print_points -- iec-62053-22-2003 0.2S`.

use lastmeter_plans::standard::{Claim, Plan, TestPlan, embedded, value_text};
use lastmeter_units::SimDuration;

#[expect(clippy::print_stdout, reason = "it shows the points to whoever runs it")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().unwrap_or_else(|| "iec-62053-22-2003".to_owned());
    let text = embedded(&name).ok_or("no built-in test plan of this name")?;
    let test_plan = TestPlan::read(text).map_err(|_| "the test plan has mistakes")?;
    let class = match arguments.next() {
        Some(class) => test_plan.class(&class).ok_or("the test plan has no such class")?,
        None => test_plan.default_class,
    };
    let claim = Claim::usual(&test_plan, class, test_plan.connections[0]);
    let plan = Plan::new(test_plan, claim, SimDuration::from_seconds(1))?;
    for planned in &plan.tests {
        let test = &plan.test_plan.tests[planned.test];
        for item in &planned.items {
            let place = item.coordinates.describe(&plan.test_plan);
            let start_s = plan.points[item.point].start.as_seconds_f64();
            println!("{start_s:7} s  {} at {place}: {}", test.name, value_text(item.figure, "%"));
        }
    }
    Ok(())
}
