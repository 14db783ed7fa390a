//! What is injected into a network: from which step on it holds, and its mistakes.

use lastmeter_grid::Complex64;
use lastmeter_sim::grid::{BreakerAt, GridChange, GridInput};

use super::grid::{Folder, with};
use super::{assert_printed, change, load};

fn inject(at: &str, rest: &str) -> String {
    format!("[[inject]]\nat = \"{at}\"\n{rest}\n")
}

const OPENS: &str = "kind = \"breaker\"\ninto = \"breaker:L1\"\nstate = \"open\"";
const CLOSES: &str = "kind = \"breaker\"\ninto = \"breaker:L1\"\nstate = \"closed\"";

#[test]
fn injections_hold_from_the_first_step_that_begins_at_their_instant_or_after_it() {
    let more = inject("0 s", "kind = \"load-step\"\ninto = \"load:h1\"\nactive_power = \"500 W\"")
        + &inject(
            "1 s",
            "kind = \"set-point\"\ninto = \"load:h2\"\nactive_power = \"-3 kW\"\n\
             reactive_power = \"1 kvar\"",
        )
        + &inject("5 min", "kind = \"set-point\"\ninto = \"source:supply\"\nvoltage = \"105 %\"")
        + &inject("4 min", OPENS);
    let scenario = Folder::new().load(&with(&more)).unwrap();
    let changes = scenario.network_changes();
    let changes: Vec<GridChange> = changes.iter().copied().map(Option::unwrap).collect();
    let power_va = Some(Complex64::new(-3000.0, 1000.0));
    let expected = [
        (0, GridInput::LoadStep { load: 0, change_va: Complex64::new(500.0, 0.0) }),
        (1, GridInput::LoadSetPoint { load: 1, power_va }),
        (1, GridInput::SourceVoltage { source: 0, voltage_pu: 1.05 }),
        (1, GridInput::Breaker { at: BreakerAt::Line(0), is_closed: false }),
    ];
    assert_eq!(changes, expected.map(|(step, input)| GridChange { step, input }));
    let steps = scenario.feeder().unwrap().steps();
    let drawn = |step: usize, load: usize| steps[step].loads[load].power_va[0].re.round();
    assert_eq!([drawn(0, 0), drawn(0, 1), drawn(1, 0)], [2500.0, 1000.0, 0.0]);
    assert!(!steps[1].nodes[1].energized);
    assert!((steps[1].nodes[0].voltage_v[0].norm() - 1.05 * 400.0 / 3f64.sqrt()).abs() < 0.5);
}

#[test]
fn mistakes_of_injections_into_a_network_are_located() {
    let folder = Folder::new();
    let mistakes = [
        inject("1 min", &OPENS.replace("L1", "L7")),
        inject("1 min", &OPENS.replace("breaker:L1", "load:h1")),
        inject("1 min", "kind = \"load-step\"\ninto = \"load:h9\"\nactive_power = \"1 W\""),
        inject("1 min", "kind = \"set-point\"\ninto = \"source:main\"\nvoltage = 1.0"),
        inject("1 min", "kind = \"set-point\"\ninto = \"source:supply\"\nactive_power = \"1 W\""),
        inject("1 min", "kind = \"set-point\"\ninto = \"load:h1\"\nvoltage = 1.0"),
        inject("1 min", "kind = \"set-point\"\ninto = \"load:h1\""),
        inject("6 min", OPENS),
        inject("1 min", CLOSES),
        inject("1 min", OPENS) + &inject("2 min", CLOSES),
    ];
    let cases = mistakes.map(|more| (change("", &more), folder.load(&with(&more))));
    assert_printed("injections_into_networks", cases);
    // Closed again one step later is as it should be.
    folder.load(&with(&(inject("0 s", OPENS) + &inject("2 min", CLOSES)))).unwrap();
}

#[test]
fn a_load_that_cannot_be_carried_is_found_before_anything_runs() {
    let more = inject("5 min", "kind = \"set-point\"\ninto = \"load:h1\"\nactive_power = \"9 MW\"");
    let found = Folder::new().mistake(&with(&more));
    assert!(found.contains("step 2, at 2027-06-21T11:05:00"), "{found}");
}

#[test]
fn without_a_network_there_is_nothing_to_inject_it_into() {
    let text = format!(
        "format = 1\n[scenario]\nname = \"none\"\nstart = 2027-06-21T11:00:00Z\n\
         duration = \"10 min\"\n[[source]]\nname = \"grid\"\nkind = \"synthetic\"\n\
         voltage = \"230 V\"\ncurrent = \"5 A\"\n[[device]]\nname = \"m\"\nat = \"source:grid\"\n\
         model = \"ideal-3ph\"\nreport_every = \"1 min\"\n[[check]]\nname = \"once\"\n\
         kind = \"no_loss\"\n{}",
        inject("1 min", OPENS)
    );
    let failure = load(&text).unwrap_err();
    let found: Vec<_> = failure.diagnostics().iter().map(|it| it.message.clone()).collect();
    assert_eq!(found, ["a `breaker` needs a network, and there is no `[grid]`"]);
}
