//! Tests of `energy_balance`: what adds up, what does not, and what cannot be known.

use super::*;
use crate::checks::testing::{at, check, facts, id, row};
use lastmeter_record::{DeviceFacts, Evidence, RunState};
use lastmeter_units::SimDuration;

const CHECK: &str = "substation = \"all\"\nlimit = \"1 %\"";

fn run_facts() -> RunFacts {
    let device = |(name, at): (&str, &str)| DeviceFacts {
        name: name.to_owned(),
        model: "ideal-1ph".to_owned(),
        evidence: Evidence::Simulated,
        at: at.to_owned(),
        under_test: false,
        fidelity: None,
        serial: None,
        firmware: None,
        reports: Vec::new(),
    };
    let places =
        [("all", "source:supply"), ("one", "load:1"), ("two", "load:2"), ("lab", "source:g")];
    RunFacts { devices: places.map(device).to_vec(), end: at(20), ..facts(RunState::Finished) }
}

/// Losses of 2 W in each of ten steps of 10 s.
fn steps() -> Vec<GridRow> {
    let step = |number: i64| GridRow {
        time: at(10 * number),
        length: SimDuration::from_seconds(10),
        p_w: [40.0, 10.0, -2.0],
        q_var: [0.0; 3],
        loads: (0.0, 0.0),
        losses: (50.0, 0.0),
        declared_losses: (2.0, 0.0),
        lowest: (1.0, String::new()),
        highest: (1.0, String::new()),
    };
    (0..10).map(step).collect()
}

/// A check that has seen registers of devices: device, serial (every 10 s), consumed, injected.
fn judged(toml: &str, registers: &[(&str, u64, Option<f64>, f64)]) -> Verdict {
    let (mut check, facts) = (check("energy_balance", toml), run_facts());
    check.begin(&facts);
    for (device, serial, consumed, injected) in registers {
        check.observation(&row(device, *serial, CONSUMED, Some(1.0), *consumed));
        check.observation(&row(device, *serial, INJECTED, Some(1.0), Some(*injected)));
    }
    for step in steps() {
        check.grid(&step);
    }
    check.verdict(&facts)
}

/// Over 20 s: homes 300 J and 700 J less 100 J that a roof gave back, losses 40 J.
fn balanced(substation: f64) -> Vec<(&'static str, u64, Option<f64>, f64)> {
    vec![
        ("one", 1, Some(100.0), 0.0),
        ("two", 1, Some(300.0), 100.0),
        ("all", 1, Some(320.0), 0.0),
        ("one", 2, Some(300.0), 0.0),
        ("two", 2, Some(700.0), 100.0),
        ("all", 2, Some(substation), 0.0),
        ("lab", 2, Some(1e9), 0.0),
    ]
}

#[test]
fn what_adds_up_passes_and_what_is_missing_fails() {
    assert_eq!(id(CONSUMED).name(), CONSUMED);
    let verdict = judged(CHECK, &balanced(940.0));
    assert_eq!((verdict.status, verdict.n, verdict.limit), (Status::Pass, 1, Some(1.0)));
    assert!(verdict.measured.unwrap() < 1e-9, "{verdict:?}");
    // 8 J of 800 J are one hundredth to the last bit: the limit itself is allowed.
    let mut exact = balanced(800.0);
    (exact[3].2, exact[4].2) = (Some(252.0), Some(600.0));
    let verdict = judged(CHECK, &exact);
    assert_eq!((verdict.status, verdict.measured), (Status::Pass, Some(1.0)), "{}", verdict.why);
    for (substation, status) in
        [(949.0, Status::Pass), (950.0, Status::Fail), (931.0, Status::Pass), (930.0, Status::Fail)]
    {
        let verdict = judged(CHECK, &balanced(substation));
        let measured = verdict.measured.unwrap();
        let expected = 100.0 * (substation - 940.0).abs() / substation;
        assert_eq!(verdict.status, status, "{substation}: {}", verdict.why);
        assert!((measured - expected).abs() < 1e-9, "{measured}");
    }
}

#[test]
fn each_interval_is_judged_by_itself() {
    let every = format!("{CHECK}\nevery = \"10 s\"");
    assert_eq!(judged(&every, &balanced(940.0)).n, 2);
    // Over the whole what is too much first and too little then adds up; by intervals it does not.
    let mut shifted = balanced(940.0);
    shifted[2].2 = Some(330.0);
    assert_eq!(judged(CHECK, &shifted).status, Status::Pass);
    let verdict = judged(&every, &shifted);
    assert_eq!(verdict.status, Status::Fail);
    assert!((verdict.measured.unwrap() - 1000.0 / 330.0).abs() < 1e-9, "{verdict:?}");
    let place = verdict.at.unwrap();
    assert_eq!((place.device.as_deref(), place.time), (Some("all"), Some(at(10))));
    assert_eq!(place.quantity.as_deref(), Some(CONSUMED));
    // Of intervals of 20 s only the second register counts.
    let twenty = format!("{CHECK}\nevery = \"20 s\"");
    assert_eq!(judged(&twenty, &shifted).status, Status::Pass);
}

#[test]
fn without_a_register_it_is_inconclusive() {
    let mut lost = balanced(940.0);
    lost[3].2 = None;
    let verdict = judged(CHECK, &lost);
    assert_eq!((verdict.status, verdict.n), (Status::Inconclusive, 0));
    assert!(verdict.why.to_string().contains("no energy of `one`"), "{}", verdict.why);
    let every = format!("{CHECK}\nevery = \"10 s\"");
    let verdict = judged(&every, &lost);
    assert_eq!((verdict.status, verdict.n), (Status::Inconclusive, 1));
    // What is seen and wrong fails, whatever else is missing.
    lost[2].2 = Some(400.0);
    assert_eq!(judged(&every, &lost).status, Status::Fail);
    // A meter whose last reading was never due is missing too.
    let mut early = balanced(940.0);
    early.remove(4);
    assert_eq!(judged(CHECK, &early).status, Status::Inconclusive);
}

#[test]
fn where_nothing_flows_nothing_is_added_up() {
    let nothing = |device| (device, 2, Some(0.0), 0.0);
    let mut registers: Vec<_> = ["one", "two"].map(nothing).into();
    registers.push(("all", 2, Some(0.02), 0.0));
    let (mut check, facts) = (check("energy_balance", CHECK), run_facts());
    check.begin(&facts);
    for (device, serial, consumed, injected) in registers {
        check.observation(&row(device, serial, CONSUMED, Some(1.0), consumed));
        check.observation(&row(device, serial, INJECTED, Some(1.0), Some(injected)));
    }
    for step in steps() {
        check.grid(&GridRow { declared_losses: (0.001, 0.0), p_w: [0.001; 3], ..step });
    }
    let verdict = check.verdict(&facts);
    assert_eq!(verdict.status, Status::Inconclusive, "{verdict:?}");
    assert!(verdict.why.to_string().contains("no energy flowed"), "{}", verdict.why);
}

/// Registers in both directions run up the noise of a meter at rest; the plant knows that it rests.
#[test]
fn the_noise_of_meters_at_rest_adds_up_to_nothing() {
    let registers = [("one", 0.0, 0.0), ("two", 0.0, 0.0), ("all", 242.0, 241.9)];
    for (p_w, expected) in
        [([0.0; 3], Reason::NothingToJudge), ([0.03, -0.03, 0.0], Reason::WithinLimit)]
    {
        let (mut check, facts) = (check("energy_balance", CHECK), run_facts());
        check.begin(&facts);
        for (device, consumed, injected) in registers {
            check.observation(&row(device, 2, CONSUMED, Some(1.0), Some(consumed)));
            check.observation(&row(device, 2, INJECTED, Some(1.0), Some(injected)));
        }
        for step in steps() {
            check.grid(&GridRow { declared_losses: (0.0, 0.0), p_w, ..step });
        }
        assert_eq!(check.verdict(&facts).reason, expected, "{p_w:?}");
    }
}

#[test]
fn without_meters_or_losses_it_is_inconclusive() {
    for (toml, registers, expected) in [
        ("substation = \"x\"\nlimit = \"1 %\"", balanced(940.0), "no device fits `x`"),
        (
            "substation = \"all\"\nhomes = \"z*\"\nlimit = \"1 %\"",
            balanced(940.0),
            "no device at a load fits `z*`",
        ),
        (CHECK, Vec::new(), "nothing could be added up: no interval ends after"),
        // The network's record ends after 100 s.
        (
            CHECK,
            vec![
                ("one", 11, Some(1.0), 0.0),
                ("two", 11, Some(1.0), 0.0),
                ("all", 11, Some(2.0), 0.0),
            ],
            "nothing could be added up: no losses",
        ),
    ] {
        let verdict = judged(toml, &registers);
        assert_eq!((verdict.status, verdict.n), (Status::Inconclusive, 0), "{toml}");
        assert!(verdict.why.to_string().starts_with(expected), "{}", verdict.why);
    }
}

#[test]
fn what_no_interval_covers_is_not_passed_over() {
    // Of a run of 25 s nothing is known of the last 5; of one of 40 s in intervals nothing of 20.
    let judged_until = |toml: &str, end_s: i64| {
        let (mut check, facts) =
            (check("energy_balance", toml), RunFacts { end: at(end_s), ..run_facts() });
        check.begin(&facts);
        for (device, serial, consumed, injected) in balanced(940.0) {
            for (quantity, value) in [(CONSUMED, consumed), (INJECTED, Some(injected))] {
                check.observation(&row(device, serial, quantity, Some(1.0), value));
            }
        }
        for step in steps() {
            check.grid(&step);
        }
        check.verdict(&facts)
    };
    let every = format!("{CHECK}\nevery = \"10 s\"");
    for (toml, end_s, n) in [(CHECK, 25, 1), (&every, 25, 2), (&every, 40, 2)] {
        let verdict = judged_until(toml, end_s);
        assert_eq!((verdict.status, verdict.n), (Status::Inconclusive, n), "{}", verdict.why);
        assert!(verdict.why.to_string().contains("could not be judged"), "{}", verdict.why);
    }
    assert_eq!(judged_until(&every, 20).status, Status::Pass);
}

#[test]
fn a_meter_beyond_its_range_leaves_it_open() {
    for (about, status) in [("one", Status::Inconclusive), ("lab", Status::Pass)] {
        let (mut check, facts) = (check("energy_balance", CHECK), run_facts());
        check.begin(&facts);
        for (device, serial, consumed, injected) in balanced(940.0) {
            for (quantity, value) in [(CONSUMED, consumed), (INJECTED, Some(injected))] {
                check.observation(&row(device, serial, quantity, Some(1.0), value));
            }
        }
        check.event(1, &Event::device(at(5), about, "beyond_range", ""));
        for step in steps() {
            check.grid(&step);
        }
        let verdict = check.verdict(&facts);
        assert_eq!(verdict.status, status, "{}", verdict.why);
    }
}

#[test]
fn a_meter_that_began_anew_is_not_added_up() {
    let (mut check, facts) =
        (check("energy_balance", &format!("{CHECK}\nevery = \"10 s\"")), run_facts());
    check.begin(&facts);
    for (device, serial, consumed, injected) in balanced(940.0) {
        let epoch = Some(Epoch(if (device, serial) == ("one", 2) { 2 } else { 1 }));
        for (quantity, value) in [(CONSUMED, consumed), (INJECTED, Some(injected))] {
            let own = row(device, serial, quantity, Some(1.0), value);
            check.observation(&Observation { epoch, ..own });
        }
    }
    for step in steps() {
        check.grid(&step);
    }
    let verdict = check.verdict(&facts);
    assert_eq!((verdict.status, verdict.n), (Status::Inconclusive, 1), "{}", verdict.why);
}

/// Over 20 s by 10: much in the first 10, in the second the homes drew 10 J and 20 J were lost.
fn nearly_empty(substation: f64) -> Vec<(&'static str, u64, Option<f64>, f64)> {
    vec![
        ("one", 1, Some(1e5), 0.0),
        ("two", 1, Some(1e5), 0.0),
        ("all", 1, Some(2e5 + 20.0), 0.0),
        ("one", 2, Some(1e5 + 10.0), 0.0),
        ("two", 2, Some(1e5), 0.0),
        ("all", 2, Some(2e5 + 20.0 + substation), 0.0),
    ]
}

#[test]
fn intervals_with_next_to_no_energy_are_left_out_and_counted() {
    let every = format!("{CHECK}\nevery = \"10 s\"");
    let minimum = |energy: &str| format!("{every}\nminimum = \"{energy}\"");
    // 31 J where 30 are right: a joule that the meter has not given out yet is 3 %.
    assert_eq!(judged(&every, &nearly_empty(31.0)).status, Status::Fail);
    let verdict = judged(&minimum("0.01 Wh"), &nearly_empty(31.0));
    assert_eq!((verdict.status, verdict.n), (Status::Pass, 1), "{}", verdict.why);
    assert!(
        verdict.why.to_string().contains("1 interval below `minimum` not judged"),
        "{}",
        verdict.why
    );
    // What reaches the minimum is judged: 30 J are not less than 30.
    let verdict = judged(&minimum("30 J"), &nearly_empty(31.0));
    assert_eq!((verdict.status, verdict.n), (Status::Fail, 2), "{}", verdict.why);
    // Where none is left out, none is spoken of.
    let why = judged(&minimum("30 J"), &nearly_empty(31.0)).why.to_string();
    assert!(!why.contains("minimum"), "{why}");
    // Of a run that was over at once none is spoken of either.
    let mut over = check("energy_balance", CHECK);
    over.begin(&run_facts());
    let why = over.verdict(&RunFacts { end: at(0), ..run_facts() }).why.to_string();
    assert_eq!(why, "no register was due");
    // All left out is no pass.
    let verdict = judged(&minimum("1 kWh"), &nearly_empty(31.0));
    assert_eq!((verdict.status, verdict.n), (Status::Inconclusive, 0), "{}", verdict.why);
    assert!(verdict.why.to_string().contains("`minimum`"), "{}", verdict.why);
    // Nor is a substation that stands still while homes draw: they are what is not empty.
    let mut dead = nearly_empty(0.0);
    dead[3].2 = Some(1.5e5);
    let verdict = judged(&minimum("1 Wh"), &dead);
    assert_eq!((verdict.status, verdict.n), (Status::Fail, 2), "{}", verdict.why);
    // What is missing is missing, however little it would have been.
    let mut lost = nearly_empty(31.0);
    lost[3].2 = None;
    let verdict = judged(&minimum("0.01 Wh"), &lost);
    assert_eq!((verdict.status, verdict.n), (Status::Inconclusive, 1), "{}", verdict.why);
}

/// A balance by its own type, before it has the facts of a run.
fn balance_every(every: SimDuration) -> EnergyBalance {
    EnergyBalance {
        context: CheckContext::default(),
        limit: 0.01,
        minimum_j: 0.0,
        wanted: BalancedMeters {
            substation: Pattern::new("all"),
            homes: Pattern::new("*"),
            every: Some(every),
        },
        start: None,
        meters: Vec::new(),
        number_of: BTreeMap::new(),
        losses: Vec::new(),
        beyond_range: BTreeSet::new(),
    }
}

#[test]
fn there_are_no_more_intervals_than_the_run_is_long() {
    let facts = run_facts();
    for seconds in [1, 3, 7, 20, 21] {
        let mut balance = balance_every(SimDuration::from_seconds(seconds));
        // Without the facts of the run it knows of no interval, whatever it has seen.
        balance.observation(&row("all", 1, CONSUMED, Some(1.0), Some(1.0)));
        let nameless = Meter {
            name: "all".to_owned(),
            is_substation: true,
            registers: BTreeMap::from([(at(10), Registers::default())]),
        };
        balance.meters.push(nameless);
        assert_eq!(balance.borders(facts.end), [], "every {seconds} s");
        assert_eq!(balance.verdict(&facts).status, Status::Inconclusive);
        balance.meters.clear();
        balance.begin(&facts);
        let expected: Vec<SimTime> = (0..=20 / seconds).map(|count| at(count * seconds)).collect();
        assert_eq!(balance.borders(facts.end), expected, "every {seconds} s");
    }
}
