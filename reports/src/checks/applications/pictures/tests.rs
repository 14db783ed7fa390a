//! Tests of the pictures: what is drawn is what the record has, whatever things are called, and
//! what is too much is left out with a sentence.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use lastmeter_chart::{BAD, DATA, INJECTED, REST, SHADE};
use lastmeter_params::{Diagnostics, SourceId, Table, parse_document};
use lastmeter_record::{Event, EventKind, RunFacts, RunState, field};
use lastmeter_units::SimDuration;
use serde_json::{Value, json};

use super::super::super::testing::{at, facts};
use super::super::missed::Missed;
use super::areas::supplies;
use super::drawing::Supply;
use super::plan::Plan;
use super::{Pictures, Story};
use crate::render::figure::Figure;

/// A source and a feeder of 400 m with a lateral of 250 m behind its first 100 m.
const FEEDER: &str = r#"
format = 1
name = "feeder"
frequency = "50 Hz"
voltage = "400 V"
code = [{ name = "c", r1 = "0.2 ohm/km", x1 = "0.1 ohm/km", r0 = "0.8 ohm/km", x0 = "0.3 ohm/km" }]
source = [{ name = "station", node = "0", short_circuit_power = "10 MVA" }]
node = [{ name = "0" }, { name = "1" }, { name = "2" }, { name = "3" }, { name = "<4>" }]
line = [
    { name = "main 1", from = "0", to = "1", length = "100 m", code = "c" },
    { name = "main 2", from = "1", to = "2", length = "300 m", code = "c" },
    { name = "side <b>&", from = "3", to = "1", length = "200 m", code = "c" },
    { name = "end", from = "3", to = "<4>", length = "50 m", code = "c" },
]
load = [
    { name = "a", node = "2", wires = "a", p = "1 kW", q = "0 kvar" },
    { name = "b", node = "2", wires = "b", p = "1 kW", q = "0 kvar" },
    { name = "c", node = "3", wires = "abc", p = "1 kW", q = "0 kvar" },
]
"#;

fn document(file: &str) -> Table {
    let text = format!("[grid]\nfile = \"{file}\"\n");
    parse_document(&text, SourceId::FILE, &mut Diagnostics::new())
}

/// A run with a network and a meter `m-NAME` at each of these loads.
fn run(file: &str, network: &str, loads: &[&str]) -> RunFacts {
    let mut facts = facts(RunState::Finished);
    facts.files.insert(file.to_owned(), network.to_owned());
    let device = |load: &&str| {
        let place = format!("load:{load}");
        json!({ "name": format!("m-{load}"), "model": "m", "as": "simulated", "at": place })
    };
    let devices: Value = loads.iter().map(device).collect();
    facts.devices = serde_json::from_value(devices).unwrap();
    facts
}

fn drawn_in(facts: &RunFacts, events: &[Event]) -> (Pictures, Vec<Figure>) {
    let (mut story, mut figures) = (Story::default(), Vec::new());
    for (line, event) in (1..).zip(events) {
        story.take(line, event);
    }
    (story.pictures(facts, &document("f.toml"), &mut figures), figures)
}

fn drawn(events: &[Event]) -> (Pictures, Vec<Figure>) {
    drawn_in(&run("f.toml", FEEDER, &["a", "b", "c"]), events)
}

fn supply(seconds: i64, kind: EventKind, meter: &str) -> Event {
    Event::new(at(seconds), "bench", kind).with(field::DEVICE, meter)
}

fn result(seconds: i64, kind: &str, subject: &str, content: Value, truth: Value) -> Event {
    Event::new(at(seconds), "platform", EventKind::Result)
        .with(field::DEVICE, "finder")
        .with(field::RESULT, kind)
        .with(field::SUBJECT, subject)
        .with(field::FROM, at(seconds - 10).to_string())
        .with(field::CONTENT, content)
        .with(field::TRUTH, truth)
}

fn outage(seconds: i64, subject: &str, state: &str, [expected, back]: [&[&str]; 2]) -> Event {
    let areas = json!([{ "element": "line", "name": "side <b>&", "phases": "abc" }]);
    let content = json!({ "state": state, "expected": expected, "restored": back, "areas": areas });
    result(seconds, "outage", subject, content, Value::Null)
}

/// The mark or the stroke of a picture that has this title.
fn titled<'a>(svg: &'a str, title: &str) -> &'a str {
    let title = format!("<title>{title}</title>");
    let mut own = svg.lines().filter(|line| line.contains(&title));
    own.next().unwrap_or_else(|| panic!("{title} is not in {svg}"))
}

fn assert_has(mark: &str, parts: &[&str]) {
    for part in parts {
        assert!(mark.contains(part), "{part} is not in {mark}");
    }
}

/// Who is without supply by the marks of a picture, and how many diamonds it has.
fn marked(figure: &Figure) -> (BTreeSet<String>, usize) {
    let svg = figure.svg.clone().unwrap();
    let titles = svg.split("<title>").skip(1).filter_map(|it| it.split_once("</title>"));
    let lists = titles.filter_map(|(title, _)| title.split_once(" without supply of "));
    let meters = lists.flat_map(|(_, list)| list.split_once(": ").unwrap().1.split(", "));
    // Other paths that are closed have a colour behind, or are flashes and sources.
    (meters.map(str::to_owned).collect(), svg.matches("z\"/><title>").count())
}

fn names(of: &[&str]) -> BTreeSet<String> {
    of.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn both_pictures_have_the_meters_of_the_record() {
    let events = [
        supply(5, EventKind::SupplyLost, "m-a"),
        supply(5, EventKind::SupplyLost, "m-c"),
        outage(20, "outage-1", "detected", [&["m-a", "m-b"], &[]]),
        supply(25, EventKind::SupplyReturned, "m-a"),
        outage(30, "outage-1", "partly_restored", [&["m-a", "m-b"], &["m-a"]]),
        supply(40, EventKind::SupplyReturned, "m-c"),
        outage(50, "outage-1", "restored", [&["m-a", "m-b"], &["m-a", "m-b"]]),
        // This one is over when it is reported, and then lasted from 60 s to 70 s.
        supply(55, EventKind::SupplyLost, "m-b"),
        supply(58, EventKind::SupplyReturned, "m-b"),
        supply(61, EventKind::SupplyLost, "m-c"),
        supply(65, EventKind::SupplyReturned, "m-c"),
        outage(70, "outage-2", "restored", [&["m-c"], &["m-c"]]),
    ];
    let (pictures, figures) = drawn(&events);
    assert_eq!((pictures.areas.len(), figures.len()), (4, 4));
    assert!(pictures.area_notes.is_empty() && pictures.places.is_empty());
    // Meters a and b share a mark: it is a diamond, as one of both is false, and so is c.
    assert_eq!(marked(&figures[0]), (names(&["m-a", "m-b"]), 2));
    assert_eq!(marked(&figures[1]), (names(&["m-a", "m-c"]), 2));
    let csv = "meter,load,concluded,without_supply\nm-a,a,1,1\nm-b,b,1,0\nm-c,c,0,1\n";
    assert!(figures[..2].iter().all(|figure| figure.csv.as_deref() == Some(csv)));
    assert_eq!(marked(&figures[2]), (names(&["m-c"]), 0));
    assert_eq!(marked(&figures[3]), (names(&["m-c"]), 0));
    assert!(pictures.areas[0].caption.starts_with("reported at "));
    assert!(pictures.areas[2].caption.starts_with("reported when it was over at "));
    let again = drawn(&events).1;
    assert!(figures.iter().zip(&again).all(|(one, other)| one.svg == other.svg));
}

#[test]
fn names_are_escaped_and_what_was_named_stands_out() {
    let fault = Event::new(at(4), "bench", EventKind::Operated)
        .with(field::ELEMENT, "fault:<f>")
        .with(field::WHAT, "ignited")
        .with(field::NODE, "main 2 at 0.25");
    let lost = supply(5, EventKind::SupplyLost, "m-c");
    let (_, figures) = drawn(&[fault, lost, outage(20, "<o>&", "detected", [&["m-c"], &[]])]);
    let [concluded, truth] = [0, 1].map(|at| figures[at].svg.clone().unwrap());
    for svg in [&concluded, &truth] {
        assert!(!svg.contains("<b>") && !svg.contains("<o>") && !svg.contains("<f>"));
        assert!(svg.contains("line side &lt;b&gt;&amp;") && svg.contains("&lt;o&gt;&amp;"));
    }
    assert!(concluded.contains("<title>line side &lt;b&gt;&amp; (abc)</title>"));
    assert!(!truth.contains("(abc)") && !concluded.contains("fault &lt;f&gt;"));
    assert!(truth.contains("fault &lt;f&gt;"));
    // Three elements fill 336 pixels, and it is a quarter of the second away from the first.
    assert!(truth.contains(&format!("d=\"M{:.1} ", 20.0 + 336.0 / 3.0 * 1.25)), "{truth}");
}

/// Places by hand: 112 pixels a step, 30 a row, from (20, 22) on; node 3 is in the second row.
#[test]
fn each_element_looks_as_it_is_supplied_where_it_stands() {
    let events = [
        supply(5, EventKind::SupplyLost, "m-c"),
        supply(6, EventKind::SupplyLost, "m-a"),
        outage(20, "outage-1", "detected", [&["m-c"], &[]]),
    ];
    let figures = drawn(&events).1;
    let [concluded, truth] = [0, 1].map(|at| figures[at].svg.clone().unwrap());
    let [none, partly, whole] =
        [(BAD, "2.4"), (INJECTED, "2.4\" stroke-dasharray=\"5 2"), (REST, "1.2")]
            .map(|(colour, width)| [format!("{colour}"), format!("stroke-width=\"{width}\"")]);
    let stroke = |svg: &str, name: &str, [colour, width]: &[String; 2], way: &str| {
        assert_has(titled(svg, name), &[colour, width, &format!("d=\"{way}\"")]);
    };
    for (svg, of_main_2) in [(&concluded, &whole), (&truth, &partly)] {
        // Only meter c has the third phase.
        stroke(svg, "line main 1", &partly, "M20.0 22.0H132.0");
        stroke(svg, "line main 2", of_main_2, "M132.0 22.0H244.0");
        stroke(svg, "line side &lt;b&gt;&amp;", &none, "M132.0 22.0V52.0H244.0");
        stroke(svg, "line end", &none, "M244.0 52.0H356.0");
        let mark = titled(svg, "1 without supply of 1: m-c");
        assert_has(mark, &[&format!("fill=\"{BAD}\""), "cx=\"244.0\" cy=\"52.0\""]);
        assert_has(titled(svg, "source station"), &["M15.0 17.0h10v10h-10z"]);
        for ([colour, width], word) in
            [(&none, "no supply"), (&partly, "some phases"), (&whole, "supplied")]
        {
            let mut legend = svg.lines().filter(|line| line.contains(&format!(">{word}<")));
            assert_has(legend.next().unwrap(), &[colour, width]);
        }
    }
    let halo = titled(&concluded, "line side &lt;b&gt;&amp; (abc)");
    assert_has(halo, &[&format!("{DATA}"), "d=\"M132.0 22.0V52.0H244.0\""]);
    // Both meters at node 2 are lit as concluded, and one of them is not: a diamond in both.
    let lit = titled(&concluded, "2 meters");
    assert_has(lit, &[&format!("fill=\"{SHADE}\""), "M244.0 14.4l7.6"]);
    assert_has(titled(&truth, "1 without supply of 2: m-a"), &[&format!("fill=\"{BAD}\"")]);
}

#[test]
fn transformers_and_switches_have_their_symbols_on_one_stroke() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../scenarios/grids");
    let network = std::fs::read_to_string(format!("{folder}/low-voltage-it.toml")).unwrap();
    let areas = json!([{ "element": "switch", "name": "F1", "phases": "abc" }]);
    let content = json!({ "state": "detected", "expected": [], "areas": areas });
    let events = [result(20, "outage", "outage-1", content, Value::Null)];
    let svg = drawn_in(&run("f.toml", &network, &[]), &events).1[0].svg.clone().unwrap();
    // Five steps fill 336 pixels; each symbol is in the middle of its own one.
    let stroke = titled(&svg, "transformer T1, switch F1, line main");
    assert_has(stroke, &["cx=\"51.1\"", "cx=\"56.1\"", "M117.8 19.0h6v6h-6z"]);
    assert_has(titled(&svg, "switch F1 (abc)"), &["d=\"M87.2 22.0H154.4\""]);
}

#[test]
fn faults_of_its_time_and_other_outages_of_the_application_are_in_a_picture() {
    let fault = |seconds: i64, name: &str, what: &str, node: &str| {
        Event::new(at(seconds), "bench", EventKind::Operated)
            .with(field::ELEMENT, format!("fault:{name}"))
            .with(field::WHAT, what)
            .with(field::NODE, node)
    };
    // The outage began at 90 s, and what gives cause for it is at most 10 s before.
    let events = [
        fault(50, "old", "ignited", "1"),
        fault(79, "old", "cleared", "1"),
        fault(75, "new", "ignited", "main 2 at 0.25"),
        fault(81, "new", "cleared", "main 2 at 0.25"),
        outage(99, "outage-1", "detected", [&["m-a"], &[]]),
        outage(100, "outage-2", "detected", [&["m-c"], &[]]),
    ];
    let (pictures, figures) = drawn(&events);
    assert_eq!(pictures.areas[3].caption, "0 meters without supply; fault new on line main 2");
    let truth = figures[3].svg.as_deref().unwrap();
    assert!(truth.contains("fault new<") && !truth.contains("fault old<"));
    assert_eq!(marked(&figures[0]).0, names(&["m-a"]));
    assert_eq!(marked(&figures[2]).0, names(&["m-a", "m-c"]));
}

#[test]
fn a_phase_is_without_where_all_behind_are() {
    let plan = Plan::of(&run("f.toml", FEEDER, &["a", "b", "c"]), &document("f.toml")).unwrap();
    let of = |dark: &[&str], name: &str| {
        supplies(&plan, &names(dark))[plan.network.node(name).unwrap().index()]
    };
    assert_eq!(of(&[], "1"), Supply::Whole);
    assert_eq!(of(&["m-a"], "2"), Supply::Partly);
    assert_eq!(of(&["m-a"], "1"), Supply::Whole);
    assert_eq!(of(&["m-a", "m-b"], "2"), Supply::None);
    assert_eq!(of(&["m-a", "m-b"], "1"), Supply::Whole);
    assert_eq!(of(&["m-a", "m-c"], "1"), Supply::Partly);
    assert_eq!(of(&["m-a", "m-b", "m-c"], "1"), Supply::None);
    // Nothing is metered behind node 4.
    assert_eq!(of(&["m-c"], "<4>"), Supply::None);
}

fn located(number: usize, places: &[(&str, f64, f64)], truth: (&str, f64, f64)) -> Event {
    let of = |(line, along_m, distance_m): (&str, f64, f64)| {
        let mut place = json!({ "line": line, "along_m": along_m, "distance_m": distance_m });
        place["likelihood"] = json!(0.5);
        place
    };
    let candidates: Vec<Value> = places.iter().map(|it| of(*it)).collect();
    let content = json!({ "loop": "AG", "candidates": candidates });
    let mut known = of(truth);
    known["deviations_m"] = json!([(places[0].2 - truth.2).abs()]);
    result(10, "fault", &format!("fault-{number}"), content, known)
}

/// Where the circles with a radius stand, from the left.
fn circles(svg: &str, radius: &str) -> Vec<f64> {
    let all = svg.split("<circle cx=\"").skip(1).filter_map(|it| it.split("/>").next());
    let own = all.filter(|it| it.contains(&format!("r=\"{radius}\"")));
    own.map(|it| it.split_once('"').unwrap().0.parse().unwrap()).collect()
}

#[test]
fn candidates_and_the_true_place_stand_as_far_along_as_they_are() {
    // The lateral's first line begins at its far end.
    let places = [("main 2", 150.0, 250.0), ("side <b>&", 50.0, 250.0), ("end", 20.0, 320.0)];
    let events = [located(1, &places, ("main 1", 40.0, 40.0))];
    let (pictures, figures) = drawn(&events);
    let svg = figures[0].svg.clone().unwrap();
    // The farthest node is 400 m away.
    let expected = |metres: f64| 20.0 + 336.0 * metres / 400.0;
    assert_eq!(circles(&svg, "3.2"), [250.0, 250.0, 320.0].map(expected));
    assert_eq!(circles(&svg, "8"), [expected(40.0)]);
    assert!(svg.contains("candidate 2: side &lt;b&gt;&amp;, 250 m") && !svg.contains("<b>"));
    assert_eq!(pictures.places[0].caption.matches("main").count(), 2);
    let csv = "place,line,rank,along_m,distance_m,likelihood\ntrue,main 1,,40,40,\n\
        candidate,main 2,1,150,250,0.5\ncandidate,side <b>&,2,50,250,0.5\n\
        candidate,end,3,20,320,0.5\n";
    assert_eq!(figures[0].csv.as_deref(), Some(csv));
    assert_eq!(drawn(&events).1[0].svg, figures[0].svg);
}

#[test]
fn candidates_have_their_ranks_and_are_the_larger_the_likelier() {
    let place = |along_m: f64, likelihood: f64| {
        json!({
            "line": "main 1", "along_m": along_m, "distance_m": along_m, "likelihood": likelihood,
        })
    };
    let content = json!({ "loop": "AG", "candidates": [place(50.0, 1.0), place(75.0, 0.0)] });
    let svg = drawn(&[result(10, "fault", "fault-1", content, Value::Null)]).1[0].svg.clone();
    let svg = svg.unwrap();
    // The farthest node is 400 m away; ranks are 6 pixels to the left and to the right.
    for (title, circle, number) in [
        ("candidate 1: main 1, 50 m", "cx=\"62.0\" cy=\"22.0\" r=\"4.5\"", (56.0, ">1</text>")),
        ("candidate 2: main 1, 75 m", "cx=\"83.0\" cy=\"22.0\" r=\"2.0\"", (89.0, ">2</text>")),
    ] {
        let rank = format!("<text x=\"{:.1}\"", number.0);
        assert_has(titled(&svg, title), &[circle, &rank, number.1]);
    }
    for metres in [0, 100, 200, 300, 400] {
        let mut tick = svg.lines().filter(|line| line.contains(&format!(">{metres}</text>")));
        let x = 20.0 + 336.0 * f64::from(metres) / 400.0;
        assert_has(tick.next().unwrap(), &[&format!("M{x:.1} "), &format!("<text x=\"{x:.1}\"")]);
    }
}

#[test]
fn of_many_the_widest_and_the_farthest_off_are_drawn() {
    let mut events = Vec::new();
    for number in 1..=10 {
        let metres = number as f64;
        events.push(located(number, &[("main 1", metres, metres)], ("main 1", 0.0, 0.0)));
        let subject = format!("outage-{number}");
        let meters: &[&str] = if number == 9 { &["m-a", "m-b"] } else { &["m-c"] };
        events.push(outage(10, &subject, "restored", [meters, meters]));
    }
    let (pictures, figures) = drawn(&events);
    assert_eq!((pictures.areas.len(), pictures.places.len()), (12, 8));
    assert_eq!(pictures.area_notes, ["4 outages with fewer meters are not drawn."]);
    assert_eq!(pictures.place_notes, ["2 faults that were located more closely are not drawn."]);
    let labels: String = figures.iter().filter_map(|it| it.svg.as_deref()).collect();
    let has = |what: &str| labels.contains(&format!("finder, {what}"));
    assert!(has("outage-9 as") && !has("outage-6 as") && has("outage-5 as"));
    assert!(has("fault-3:") && !has("fault-2:"));
}

#[test]
fn what_nobody_concluded_is_drawn_as_it_was() {
    let inject = Event::new(at(6), "bench", EventKind::Inject)
        .with(field::INJECT, "line-fault")
        .with(field::INTO, "line:main 2");
    // Two of one line: the one that was to be then is the one that was.
    let plan = "[[inject]]\nkind = \"line-fault\"\ninto = \"line:main 2\"\n";
    let plan = format!(
        "{plan}at = \"3 min\"\nposition = \"20 %\"\nphases = \"bc\"\nearth = false\n\
         {plan}at = \"6 s\"\ndistance_m = 150\n"
    );
    let plan = parse_document(&plan, SourceId::FILE, &mut Diagnostics::new());
    let events = [
        supply(5, EventKind::SupplyLost, "m-a"),
        inject.clone(),
        supply(20, EventKind::SupplyLost, "m-c"),
        supply(90, EventKind::SupplyReturned, "m-c"),
        supply(95, EventKind::SupplyReturned, "m-a"),
        // Too short, and one that is found.
        supply(100, EventKind::SupplyLost, "m-b"),
        supply(101, EventKind::SupplyReturned, "m-b"),
        supply(110, EventKind::SupplyLost, "m-c"),
        outage(120, "outage-1", "detected", [&["m-c"], &[]]),
    ];
    let (mut story, mut figures) = (Story::default(), Vec::new());
    let mut missed = Missed::new(at(0), &plan);
    for (line, event) in (1..).zip(&events) {
        story.take(line, event);
        missed.take(event);
    }
    let least = SimDuration::from_seconds(35);
    let outages = missed.outages(&story.areas.dark, (least, at(200)));
    assert_eq!(outages.len(), 1);
    let own = (outages[0].since, outages[0].widest, outages[0].meters.clone());
    assert_eq!(own, (at(5), at(20), names(&["m-a", "m-c"])));
    let faults: Vec<_> = missed.faults().collect();
    assert_eq!((faults.len(), &*faults[0].conductors), (1, "AG"));
    assert_eq!(faults[0].text(), "main 2, 150 m along it");
    story.add_missed(&outages, &faults);
    let run = run("f.toml", FEEDER, &["a", "b", "c"]);
    let pictures = story.pictures(&run, &document("f.toml"), &mut figures);
    // Two of the outage that was found, one of that which was not, one of the fault.
    assert_eq!((pictures.areas.len(), pictures.places.len()), (3, 1));
    assert_eq!(marked(&figures[2]).0, names(&["m-a", "m-c"]));
    assert_eq!(figures[3].svg.as_ref().unwrap().matches("r=\"8\" fill=\"none\"").count(), 1);
    // A result with candidates is what locates it.
    let truth = json!({ "at": at(6).to_string() });
    missed.take(&result(9, "fault", "fault-1", json!({ "candidates": [] }), truth.clone()));
    assert_eq!(missed.faults().count(), 1);
    missed.take(&result(9, "fault", "fault-1", json!({ "candidates": [{}] }), truth));
    assert_eq!(missed.faults().count(), 0);
    let mut later = inject;
    later.time = at(181);
    missed.take(&later);
    let faults: Vec<_> = missed.faults().map(|it| (it.text(), &*it.conductors)).collect();
    assert_eq!(faults, [("main 2, at 20 % of its length".to_owned(), "BC")]);
}

/// A feeder of so many nodes in a row, a load at every `every`th.
fn row(nodes: usize, every: usize) -> String {
    let mut text = FEEDER.split("node = [").next().unwrap().to_owned();
    for at in 0..nodes {
        let _ = writeln!(text, "[[node]]\nname = \"{at}\"");
    }
    for at in 1..nodes {
        let keys = format!("length = \"10 m\"\ncode = \"c\"\nto = \"{at}\"");
        let _ = writeln!(text, "[[line]]\nname = \"l{at}\"\nfrom = \"{}\"\n{keys}", at - 1);
    }
    for at in (1..nodes).filter(|at| at % every == 0) {
        let keys = format!("node = \"{at}\"\np = \"1 kW\"\nq = \"0 kvar\"");
        let _ = writeln!(text, "[[load]]\nname = \"{at}\"\n{keys}");
    }
    text
}

#[test]
fn large_networks_are_thinned_or_left_out_with_a_sentence() {
    let events = [outage(20, "outage-1", "detected", [&["m-100"], &[]])];
    let (pictures, figures) = drawn_in(&run("f.toml", &row(1_000, 20), &["100"]), &events);
    assert_eq!(pictures.areas.len(), 2);
    // The last load is at node 980.
    assert_eq!(pictures.area_notes, ["19 nodes behind which no load is connected are not drawn."]);
    let svg = figures[0].svg.clone().unwrap();
    // A stroke from load to load, and no line is lost.
    assert_eq!(svg.matches("<title>line l").count(), 49);
    assert_eq!(svg.matches("line l").count(), 980);
    for (count, why) in [(2_000, "too large"), (0, "could not be read again")] {
        let text = if count > 0 { row(count, 1) } else { "format = 2".to_owned() };
        let (pictures, figures) = drawn_in(&run("f.toml", &text, &["1"]), &events);
        assert!(pictures.areas.is_empty() && figures.is_empty());
        assert!(pictures.area_notes[0].contains(why), "{:?}", pictures.area_notes);
    }
    let (pictures, _) = drawn_in(&run("other.toml", FEEDER, &[]), &events);
    assert_eq!(pictures.area_notes, ["The run keeps no network that could be drawn."]);
    assert!(drawn(&[]).0.area_notes.is_empty());
}

#[test]
fn scripts_are_read_with_the_files_that_they_name() {
    let mut facts = run("g/m.dss", "new circuit.c basekv=11\nredirect lines.dss\n", &[]);
    let lines = "new line.one bus1=sourcebus bus2=2 r1=.1 x1=.1 c1=0 c0=0\n";
    assert!(Plan::of(&facts, &document("g/m.dss")).is_err());
    facts.files.insert("g/lines.dss".to_owned(), lines.to_owned());
    assert_eq!(Plan::of(&facts, &document("g/m.dss")).unwrap().network.lines.len(), 1);
}
