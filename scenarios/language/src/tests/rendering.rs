//! How mistakes look, for people and for programs, whatever the text and the span.

use lastmeter_params::{Code, Diagnostic, SourceId, Span};
use proptest::prelude::*;

use super::{VALID, load, mistakes};
use crate::render;
use crate::texts::Texts;

/// Five mistakes of five sorts, in five places.
pub(crate) fn five_mistakes() -> String {
    VALID
        .replace("duration = \"10 min\"", "duration = 10 min")
        .replace("voltage = \"230 V\"", "voltage = \"230 A\"")
        .replace("at = \"source:g\"", "at = \"source:h\"")
        .replace("report_every", "report_evry")
        .replace("kind = \"no_loss\"", "kind = \"no_los\"")
}

#[test]
fn five_mistakes_are_five_located_errors() {
    let failure = load(&five_mistakes()).expect_err("five mistakes");
    assert_eq!(failure.diagnostics().len(), 5);
    insta::assert_snapshot!(failure.to_string().trim_end(), @r#"
        error[S001]: this is not valid TOML: the value has no quotes
         --> test.toml:8:12
          |
        8 | duration = 10 min
          |            ^^^^^^ texts and quantities stand between double quotes
          |
          = hint: run lastmeter explain S001

        error[S010]: `A` is a unit of current, not of voltage
          --> test.toml:18:11
           |
        18 | voltage = "230 A"
           |           ^^^^^^^ expected a voltage with its unit, as text
           |
           = help: units that fit: V, kV, mV, uV
           = hint: run lastmeter explain S010

        error[S018]: there is no source named `h`
          --> test.toml:22:6
           |
        22 | at = "source:h"
           |      ^^^^^^^^^^ not in this scenario
           |
           = help: the only source is `g`
           = hint: run lastmeter explain S018

        error[S003]: unknown key `report_evry`
          --> test.toml:24:1
           |
        24 | report_evry = "10 s"
           | ^^^^^^^^^^^ unexpected here
           |
           = help: did you mean `report_every`?
           = hint: run lastmeter explain S003

        error[S012]: unknown check `no_los`
          --> test.toml:52:8
           |
        52 | kind = "no_los"
           |        ^^^^^^^^ nothing of this name is registered
           |
           = help: did you mean `no_loss`?
           = hint: run lastmeter explain S012
    "#);
}

#[test]
fn for_programs_each_mistake_is_an_object() {
    let failure = load(&five_mistakes()).expect_err("five mistakes");
    let objects = failure.to_json();
    assert_eq!(objects.len(), 5);
    assert_eq!(
        objects[1],
        serde_json::json!({
            "code": "S010",
            "severity": "error",
            "scenario": "test.toml",
            "message": "`A` is a unit of current, not of voltage",
            "file": "test.toml",
            "line": 18,
            "column": 11,
            "end_line": 18,
            "end_column": 18,
            "label": "expected a voltage with its unit, as text",
            "help": "units that fit: V, kV, mV, uV",
        })
    );
}

#[test]
fn colours_come_only_when_asked_for() {
    let failure = load("").expect_err("empty");
    assert!(!failure.render(false).contains('\u{1b}'));
    assert!(failure.render(true).contains('\u{1b}'));
}

#[test]
fn what_a_scenario_contains_cannot_steer_the_terminal() {
    let text =
        VALID.replace("kind = \"no_loss\"", "kind = \"\\u001b[31mno\"\n\"a\\u001bb\" = 1 # \u{85}");
    let rendered = load(&text).expect_err("unknown check").to_string();
    assert!(!rendered.chars().any(|c| c.is_control() && c != '\n'), "{rendered:?}");
}

#[test]
fn line_ends_of_dos_and_a_byte_order_mark_do_not_move_places() {
    let plain = five_mistakes();
    let dos = format!("\u{feff}{}", plain.replace('\n', "\r\n"));
    assert_eq!(mistakes(&dos), mistakes(&plain));
}

#[test]
fn a_text_that_is_not_utf8_is_refused_where_it_stops_being() {
    let failure = crate::Scenario::from_bytes(
        std::path::Path::new("x.toml"),
        b"format = 1\n# caf\xe9\n",
        &crate::LoadOptions::default(),
    )
    .expect_err("not UTF-8");
    let [found] = failure.diagnostics() else { panic!("{failure}") };
    let place = failure.texts().place(found.span);
    assert_eq!((found.code, place.line, place.column), (Code::SYNTAX, 2, 6));
}

proptest! {
    #[test]
    fn no_span_in_no_text_makes_the_renderer_panic(
        text in prop_oneof![
            any::<String>(),
            "[a-zé\u{feff}\u{200d}字\r\n\t\u{1b}]{0,60}",
            Just(String::new()),
            Just("\u{feff}".to_owned()),
            "[a字]{0,1000}",
        ],
        start in 0_usize..1200,
        length in 0_usize..1200,
        backwards: bool,
        source in 0_u16..3,
        color: bool,
    ) {
        let texts = Texts::new("a.toml", text);
        let far = if length == 1199 { usize::MAX } else { start + length };
        let (start, end) = if backwards { (far, start) } else { (start, far) };
        let diagnostic = Diagnostic {
            code: Code::SYNTAX,
            message: "message".to_owned(),
            span: Span { source: SourceId(source), start, end },
            label: "label".to_owned(),
            help: Some("help".to_owned()),
        };
        let list = [diagnostic];
        let rendered = render::human(&list, &texts, color);
        prop_assert!(rendered.contains("S001"));
        let object = &render::json(&list, &texts)[0];
        prop_assert!(object["line"].as_u64() >= Some(1) && object["column"].as_u64() >= Some(1));
        prop_assert!(object["end_line"].as_u64() >= object["line"].as_u64());
    }
}
