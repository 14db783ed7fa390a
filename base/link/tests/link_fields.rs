//! The keys of a link in a scenario: layers, presets, mistakes, and the way back to text.

#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails its test")]

use chacha20::ChaCha8Rng;
use lastmeter_link::impair::{
    Breakage, IMPAIR_FIELDS, Impairment, JitterLaw, LINK_FIELDS, Leg, LegName, LinkSpec, PRESETS,
    Preset, read_impairment, read_link,
};
use lastmeter_params::{Diagnostics, Kind, Values, read_text, schema};
use proptest::prelude::*;
use rand::SeedableRng as _;

fn values(text: &str) -> Values {
    read_text(text, &[LINK_FIELDS]).unwrap_or_else(|errors| panic!("{text}: {errors:?}"))
}

fn link(text: &str) -> LinkSpec {
    let mut out = Diagnostics::new();
    let link = read_link(&values(text), &mut out);
    link.unwrap_or_else(|| panic!("{text}: {:?}", out.into_sorted()))
}

/// Codes and marked texts of the mistakes.
fn mistakes(text: &str) -> Vec<(&'static str, String)> {
    let found = match read_text(text, &[LINK_FIELDS]) {
        Err(found) => found,
        Ok(values) => {
            let mut out = Diagnostics::new();
            assert_eq!(read_link(&values, &mut out), None, "{text}");
            out.into_sorted()
        }
    };
    let marked = |span: lastmeter_params::Span| text[span.start..span.end].to_owned();
    found.into_iter().map(|one| (one.code.code(), marked(one.span))).collect()
}

fn impairment(text: &str) -> Result<Impairment, &'static str> {
    let values = read_text(text, &[IMPAIR_FIELDS]).unwrap();
    let mut out = Diagnostics::new();
    read_impairment(&values, &mut out).ok_or_else(|| out.into_sorted()[0].code.code())
}

#[test]
fn a_link_without_keys_is_perfect() {
    assert_eq!(link(""), LinkSpec::PERFECT);
    assert!(link("").nodelay);
}

#[test]
fn the_published_network_is_the_one_of_its_description() {
    // Written down key by key, in the units of the description.
    let leg = "delay = \"50 ms\"\n\
        jitter = { law = \"gamma\", shape = 0.5625, scale = \"9 ms\", correlation = 0.3 }\n\
        rare = { probability = \"1.8 %\", median = \"180 ms\", sigma = 0.9 }\n";
    let shift = "up = { shift = { mean = \"39 ms\", deviation = \"5 ms\", fast = \"20 s\", \
        slow = \"27.6 s\" } }\n";
    assert_eq!(link("preset = \"flexmeter-wan\""), link(&format!("{leg}{shift}")));
    assert_eq!(
        link("preset = \"flexmeter-nagle\""),
        link(&format!("{leg}nodelay = false\ntwo_writes = true"))
    );
}

#[test]
fn every_preset_names_the_source_of_its_values() {
    let words = LINK_FIELDS.iter().find_map(|field| match field.kind {
        Kind::Choice(words) if field.name == "preset" => Some(words),
        _ => None,
    });
    let names: Vec<&str> = PRESETS.iter().map(|preset| preset.name).collect();
    assert_eq!(words, Some(&names[..]));
    for preset in PRESETS {
        assert_eq!(link(&format!("preset = \"{}\"", preset.name)), preset.link);
        assert_eq!(Preset::find(preset.name).map(|found| found.link), Some(preset.link));
        assert!(!preset.summary.ends_with('.') && preset.description.ends_with('.'));
        let published = preset.name.starts_with("flexmeter");
        assert_eq!(
            published,
            preset.description.contains("published histogram")
                || preset.description.contains("published box plot"),
            "{}",
            preset.name
        );
        assert_ne!(published, preset.description.contains("of this project's own"));
    }
}

#[test]
fn a_key_replaces_that_of_the_layer_before() {
    let found = link(
        "preset = \"flexmeter-wan\"\n\
        delay = \"10 ms\"\n\
        bandwidth = \"1 Mbit/s\"\n\
        up = { delay = \"20 ms\", jitter = { law = \"none\" } }\n\
        down = { burst_bytes = 5000, rare = { probability = 0, median = \"0 s\" } }\n",
    );
    let preset = Preset::find("flexmeter-wan").unwrap().link;
    assert_eq!((found.up.delay_ns, found.down.delay_ns), (20e6, 10e6));
    assert_eq!(found.up.jitter.law, JitterLaw::None);
    assert_eq!(found.down.jitter, preset.down.jitter);
    assert_eq!((found.up.shift, found.down.shift), (preset.up.shift, None));
    assert_eq!(found.up.rare, preset.up.rare);
    assert_eq!(found.down.rare.map(|rare| rare.probability), Some(0.0));
    assert_eq!([found.up.bandwidth.bits_per_s, found.down.bandwidth.bits_per_s], [1e6, 1e6]);
    assert_eq!([found.up.bandwidth.burst_bytes, found.down.bandwidth.burst_bytes], [0, 5000]);
    let slow = link("preset = \"plc-slow\"\nbandwidth = \"unlimited\"\nnodelay = false");
    assert!(slow.up.bandwidth.bits_per_s.is_infinite() && !slow.nodelay);
}

#[test]
fn each_mistake_is_reported_once_with_its_place() {
    for (text, expected) in [
        ("preset = \"flexmeter-wam\"", vec![("S007", "\"flexmeter-wam\"")]),
        ("latency = \"1 ms\"", vec![("S003", "latency")]),
        ("delay = \"5 h\"", vec![("S006", "\"5 h\"")]),
        ("delay = 5", vec![("S008", "5")]),
        ("bandwidth = \"5 MB/s\"", vec![("S009", "\"5 MB/s\"")]),
        ("loss = \"96 %\"", vec![("S006", "\"96 %\"")]),
        ("burst_bytes = 100", vec![("S027", "100")]),
        ("up = { burst_bytes = 100 }", vec![("S027", "100")]),
        (
            "jitter = { law = \"gamma\", shape = 2, half_width = \"1 ms\" }",
            vec![
                ("S004", "{ law = \"gamma\", shape = 2, half_width = \"1 ms\" }"),
                ("S027", "\"1 ms\""),
            ],
        ),
        ("jitter = { law = \"none\", sigma = 1 }", vec![("S027", "1")]),
        (
            "up = { jitter = { law = \"normal\" } }\ndown = { bandwidth = \"x\" }",
            vec![("S004", "{ law = \"normal\" }"), ("S011", "\"x\"")],
        ),
        ("up = { preset = \"lan\" }", vec![("S003", "preset")]),
    ] {
        let found = mistakes(text);
        let found: Vec<(&str, &str)> = found.iter().map(|(code, at)| (*code, &at[..])).collect();
        assert_eq!(found, expected, "{text}");
    }
}

#[test]
fn a_burst_may_stand_before_the_line_it_belongs_to() {
    let found = link("burst_bytes = 100\nup = { bandwidth = \"1 kbit/s\" }");
    assert_eq!((found.up.bandwidth.bits_per_s, found.up.bandwidth.burst_bytes), (1e3, 100));
}

#[test]
fn an_impairment_is_on_both_legs_or_on_one() {
    let both = impairment("delay = \"200 ms\"\nloss = \"5 %\"").unwrap();
    assert_eq!(both.up, both.down);
    let leg = both.on(LegName::Up).unwrap();
    assert_eq!((leg.delay_ns, leg.loss.probability), (200e6, 0.05));
    let down = impairment("leg = \"down\"\nbandwidth = \"64 kbit/s\"").unwrap();
    assert_eq!(down.up, None);
    assert_eq!(down.down.unwrap().bandwidth.bits_per_s, 64e3);
}

#[test]
fn an_impairment_that_changes_nothing_is_refused() {
    assert_eq!(impairment(""), Err("S027"));
    assert_eq!(impairment("leg = \"up\""), Err("S027"));
    assert_eq!(impairment("burst_bytes = 5"), Err("S027"));
}

#[test]
fn the_schema_knows_every_key_and_what_it_is_for() {
    for fields in [LINK_FIELDS, IMPAIR_FIELDS] {
        let schema = schema::object(&[fields]);
        for field in fields {
            let property = &schema["properties"][field.name];
            assert!(property["description"].as_str().is_some_and(|doc| doc.len() > 20));
        }
    }
    assert_eq!(
        schema::object(&[LINK_FIELDS])["properties"]["up"]["properties"]["jitter"]["properties"]["law"]
            ["enum"][3],
        "gamma"
    );
}

#[test]
fn each_breakage_has_its_word() {
    let words: Vec<&str> = Breakage::ALL.iter().map(|how| how.word()).collect();
    assert_eq!(words, Breakage::WORDS);
    for how in Breakage::ALL {
        assert_eq!(Breakage::from_word(how.word()), Some(how));
    }
    assert_eq!(Breakage::from_word("melt"), None);
}

/// A leg's keys with any values that are allowed, as TOML.
fn any_leg() -> impl Strategy<Value = Vec<String>> {
    let time = || prop_oneof![(0_u32..4000).prop_map(|ms| format!("{ms} ms")), Just("1 h".into())];
    let share = || (0.0_f64..=1.0).prop_map(|share| share.to_string());
    let jitter = prop_oneof![
        Just("law = \"none\"".to_owned()),
        time().prop_map(|t| format!("law = \"uniform\", half_width = \"{t}\"")),
        time().prop_map(|t| format!("law = \"normal\", deviation = \"{t}\"")),
        (0.05_f64..1000.0, time())
            .prop_map(|(a, t)| format!("law = \"gamma\", shape = {a}, scale = \"{t}\"")),
        (time(), 0.0_f64..5.0)
            .prop_map(|(t, s)| format!("law = \"lognormal\", median = \"{t}\", sigma = {s}")),
    ];
    let keys = (
        time().prop_map(|t| format!("delay = \"{t}\"")),
        (jitter, share())
            .prop_map(|(law, rho)| format!("jitter = {{ {law}, correlation = {rho} }}")),
        (time(), time(), 1_u32..100_000).prop_map(|(mean, deviation, dwell)| {
            format!(
                "shift = {{ mean = \"{mean}\", deviation = \"{deviation}\", fast = \"{dwell} ms\", \
                slow = \"{dwell} s\" }}"
            )
        }),
        (share(), time())
            .prop_map(|(p, t)| format!("rare = {{ probability = {p}, median = \"{t}\" }}")),
        (0.0_f64..=0.95).prop_map(|p| format!("loss = {p}")),
        (1_u32..100_000).prop_map(|ms| format!("retransmission_timeout = \"{ms} ms\"")),
        (1_u32..1_000_000, 0_u32..1 << 30).prop_map(|(rate, burst)| {
            format!("bandwidth = \"{rate} bit/s\"\nburst_bytes = {burst}")
        }),
        share().prop_map(|p| format!("byte_flip = {p}")),
    );
    (keys, proptest::collection::vec(any::<bool>(), 8)).prop_map(|(k, chosen)| {
        let all = [k.0, k.1, k.2, k.3, k.4, k.5, k.6, k.7];
        all.into_iter().zip(chosen).filter_map(|(key, chosen)| chosen.then_some(key)).collect()
    })
}

proptest! {
    #[test]
    fn what_is_accepted_runs_and_comes_back_from_its_own_text(
        preset in proptest::option::of(0..PRESETS.len()),
        common in any_leg(), up in any_leg(), down in any_leg(), nodelay in any::<bool>(),
    ) {
        let inline = |keys: Vec<String>| keys.join(", ").replace('\n', ", ");
        let preset =
            preset.map_or(String::new(), |index| format!("preset = \"{}\"\n", PRESETS[index].name));
        let text = format!(
            "nodelay = {nodelay}\n{preset}{}\nup = {{ {} }}\ndown = {{ {} }}\n",
            common.join("\n"), inline(up), inline(down),
        );
        let first = values(&text);
        let spec = link(&text);
        let again = values(&first.to_toml());
        prop_assert!(first.same_values(&again));
        prop_assert_eq!(link(&first.to_toml()), spec);
        for name in LegName::ALL {
            let mut leg = Leg::new(&spec, name, &ChaCha8Rng::from_seed([1; 32]));
            let mut last = i64::MIN;
            for at in [0, 1, 1_000_000, 1_000_000_000, 3_600_000_000_000] {
                let out = leg.send(at, &mut [0; 1300]);
                prop_assert!(out >= at && out >= last);
                last = out;
            }
        }
    }
}
