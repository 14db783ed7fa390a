//! Judges made-up messages by the latency rule, for whoever computes the verdicts again: a design a
//! line on standard input, its verdict a line on standard output, both as JSON.

use std::io::BufRead;

use lastmeter_record::{LatencyRow, Point};
use lastmeter_reports::latency::{Claim, Limit, Population, Span, Window};

/// Instants in ns; a message is its device, when it was due, published and received.
#[derive(serde::Deserialize)]
struct Design {
    from: i64,
    to: i64,
    waited: i64,
    limit: Option<i64>,
    coverage: f64,
    stall: i64,
    messages: Vec<(String, i64, i64, Option<i64>)>,
}

#[expect(clippy::print_stdout, reason = "it answers whoever runs it")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    for line in std::io::stdin().lock().lines() {
        let design: Design = serde_json::from_str(&line?)?;
        let limit = Limit::of(design.limit);
        let window =
            Window { from_ns: design.from, to_ns: design.to, waited_until_ns: design.waited };
        let span = Span { from: Point::Intended, to: Point::Received };
        let mut population = Population::new(span, window, &[limit]);
        for (number, (device, due, published, received)) in design.messages.iter().enumerate() {
            let mut points = [None; Point::COUNT];
            points[Point::Intended.index()] = Some(*due);
            points[Point::Published.index()] = Some(*published);
            points[Point::Received.index()] = *received;
            let id = format!("{device}/1/{number}");
            let copies = u32::from(received.is_some());
            population.row(&LatencyRow { path: "reading>o", id: &id, points, bytes: 1, copies });
        }
        let claim = Claim { coverage: design.coverage, stall_ns: design.stall };
        let judged = population.judge(limit, claim).ok_or("the limit is not the population's")?;
        let answer = serde_json::json!({
            "reason": judged.reason().word(),
            "n": judged.tally.n,
            "over": judged.tally.over,
            "open": judged.tally.open,
            "deff": judged.deff.estimate,
            "per_stall": judged.per_stall,
            "longest_run": judged.longest_run,
            "pass_weight": judged.pass_weight,
            "fail_weight": judged.fail_weight,
            "upper": judged.upper,
            "lower": judged.lower,
            "holds_up_to": judged.holds_up_to_ns,
            "needs": judged.needs_ns,
        });
        println!("{answer}");
    }
    Ok(())
}
