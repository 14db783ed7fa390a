//! What holds of any grammar, any values and any bytes.

use std::collections::VecDeque;
use std::fmt::Write as _;

use proptest::prelude::*;

use super::render::render;
use super::{DESK_METER, grammar, lines_of, parse};
use crate::grammar::{
    Answer, AnswerText, Exchange, FieldRole, Grammar, Line, LineReader, Meaning, NumberBase,
    Outcome,
};

/// Quantities with units that fit.
const QUANTITIES: &[(&str, &[&str])] = &[
    ("electricity.voltage.rms.l1", &["V", "mV", "kV"]),
    ("electricity.current.rms.l2", &["A", "mA"]),
    ("electricity.power.active.consumed.l3", &["W", "kW"]),
    ("electricity.frequency", &["Hz"]),
];

const SEPARATORS: &[&str] = &[" ", ",", "V ", "; x = ", " * ", "ä", "|", " {{b}}", "\\\\", "(\\t"];

#[derive(Clone, Debug)]
struct RandomField {
    quantity: usize,
    unit: usize,
    is_hexadecimal: bool,
    is_comma: bool,
    decimals: usize,
    scale: f64,
    offset: f64,
    separator: usize,
    number: f64,
}

fn field(quantity: usize) -> impl Strategy<Value = RandomField> {
    let units = QUANTITIES[quantity].1.len();
    let scale = prop_oneof![Just(1.0), Just(0.1), Just(-2.0), 0.001..1000.0];
    let form = (any::<bool>(), any::<bool>(), 0..10_usize);
    (0..units, form, scale, -10.0..10.0, 1..SEPARATORS.len(), -1e5..1e5).prop_map(
        move |(unit, (is_hexadecimal, is_comma, decimals), scale, offset, separator, number)| {
            let separator = if is_comma && separator == 1 { 0 } else { separator };
            let number = if is_hexadecimal { f64::abs(number) } else { number };
            RandomField {
                quantity,
                unit,
                is_hexadecimal,
                is_comma,
                decimals,
                scale,
                offset,
                separator,
                number,
            }
        },
    )
}

#[derive(Clone, Debug)]
struct RandomGrammar {
    fields: Vec<RandomField>,
    head: &'static str,
    line_end: &'static str,
    modulo: u64,
    sequence: u32,
    node: String,
}

fn random_grammar() -> impl Strategy<Value = RandomGrammar> {
    let fields = proptest::sample::subsequence((0..QUANTITIES.len()).collect::<Vec<_>>(), 1..4);
    let fields = fields
        .prop_shuffle()
        .prop_flat_map(|quantities| quantities.into_iter().map(field).collect::<Vec<_>>());
    let heads = prop_oneof![Just(""), Just("# "), Just("U ="), Just("\\u0002")];
    let ends = prop_oneof![Just("\\r\\n"), Just("\\n"), Just("\\r"), Just(">"), Just("\\u0003")];
    let sequence = (2_u64..1 << 33).prop_map(|modulo| modulo.min(1 << 32));
    (fields, heads, ends, sequence, any::<u32>(), "[a-zA-Z0-9_.]{1,8}").prop_map(
        |(fields, head, line_end, modulo, sequence, node)| {
            let sequence = (u64::from(sequence) % modulo) as u32;
            RandomGrammar { fields, head, line_end, modulo, sequence, node }
        },
    )
}

impl RandomGrammar {
    fn text(&self, send: &str) -> String {
        let mut answer = format!("{}{{node}} ", self.head);
        let mut tables = String::from("[request.field.node]\nrole = \"node\"\n");
        for (index, field) in self.fields.iter().enumerate() {
            let (name, units) = QUANTITIES[field.quantity];
            write!(answer, "{{f{index}}}{}", SEPARATORS[field.separator]).unwrap();
            let decimal = if field.is_comma { "," } else { "." };
            let base = if field.is_hexadecimal { 16 } else { 10 };
            write!(
                tables,
                "[request.field.f{index}]\nquantity = \"{name}\"\nunit = \"{}\"\nscale = {}\n\
                 offset = {}\ndecimals = {}\ndecimal = \"{decimal}\"\nbase = {base}\n",
                units[field.unit],
                toml(field.scale),
                toml(field.offset),
                field.decimals,
            )
            .unwrap();
        }
        let modulo = self.modulo;
        writeln!(tables, "[request.field.n]\nrole = \"sequence\"\nmodulo = {modulo}").unwrap();
        let end = self.line_end;
        format!("[[request]]\n{send}\nanswer = \"{answer} n= {{n}}{end}\"\n{tables}")
    }

    fn answer(&self, grammar: &Grammar) -> Answer {
        let measured = grammar.requests[0].fields.iter().filter_map(|field| match &field.meaning {
            Meaning::Measured(measured) => Some(measured),
            _ => None,
        });
        let values = measured.zip(&self.fields).map(|(measured, field)| {
            let si = (field.number * measured.scale + measured.offset) * measured.factor;
            (measured.quantity, si)
        });
        let node =
            AnswerText { field: "node".to_owned(), role: FieldRole::Node, text: self.node.clone() };
        Answer { values: values.collect(), sequence: Some(self.sequence), texts: vec![node] }
    }
}

/// A number as TOML has it.
fn toml(number: f64) -> String {
    format!("{number:?}")
}

/// Half a unit of the last digit, and the rounding of binary fractions.
fn is_within_rounding(grammar: &Grammar, given: &Answer, read: &Answer) -> bool {
    let fields = &grammar.requests[0].fields;
    let measured: Vec<_> = fields
        .iter()
        .filter_map(|field| match &field.meaning {
            Meaning::Measured(measured) => Some(measured),
            _ => None,
        })
        .collect();
    let is_near = |((given, read), index): ((f64, f64), usize)| {
        let measured = measured[index];
        let step = match measured.base {
            NumberBase::Hexadecimal => 1.0,
            NumberBase::Decimal => 0.1_f64.powi(measured.decimals as i32),
        };
        let step = (step * measured.scale * measured.factor).abs();
        (given - read).abs() <= 0.500_001 * step + 1e-9 * given.abs().max(measured.factor)
    };
    let pairs = given.values.iter().zip(&read.values).map(|(a, b)| (a.1, b.1));
    given.values.len() == read.values.len() && pairs.zip(0..).all(is_near)
}

/// Bytes in pieces of these lengths, in turn.
fn pieces<'b>(bytes: &'b [u8], lengths: &[usize]) -> Vec<&'b [u8]> {
    let (mut rest, mut all) = (bytes, Vec::new());
    for length in lengths.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (piece, after) = rest.split_at((*length).clamp(1, rest.len()));
        all.push(piece);
        rest = after;
    }
    all
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(random in random_grammar()) {
        let grammar = grammar(&random.text(""));
        let request = &grammar.requests[0];
        let given = random.answer(&grammar);
        let line = render(request, &given).unwrap();
        let line = line.strip_suffix(std::str::from_utf8(&grammar.line_end).unwrap()).unwrap();
        let read = request.read_line(line.as_bytes()).unwrap();
        prop_assert!(is_within_rounding(&grammar, &given, &read), "{line}: {given:?} {read:?}");
        prop_assert_eq!(read.sequence, given.sequence);
        prop_assert_eq!(&read.texts, &given.texts);
        // More blanks change nothing, where there are any.
        let wide = request.read_line(line.replace(' ', " \t ").as_bytes());
        prop_assert_eq!(wide.unwrap(), read);
    }

    #[test]
    fn segmentation_changes_nothing(
        random in random_grammar(),
        count in 1..5_u32,
        noise in proptest::collection::vec(any::<u8>(), 0..40),
        lengths in proptest::collection::vec(1..30_usize, 1..8),
    ) {
        let grammar = grammar(&random.text(""));
        let line = render(&grammar.requests[0], &random.answer(&grammar)).unwrap();
        let mut bytes = line.repeat(count as usize).into_bytes();
        bytes.extend(&noise);
        bytes.extend(&grammar.line_end);
        bytes.extend(line.as_bytes());
        let mut whole = Exchange::new(grammar.clone());
        let mut cut = Exchange::new(grammar.clone());
        let expected = whole.take(&bytes, 0);
        let found: Vec<Outcome> =
            pieces(&bytes, &lengths).into_iter().flat_map(|piece| cut.take(piece, 0)).collect();
        prop_assert_eq!(&found, &expected);
        prop_assert_eq!(cut.counts(), whole.counts());
        // The first may be torn; noise costs no line behind its end.
        prop_assert!(whole.counts().answered >= u64::from(count));
        let mut reader = LineReader::new(&grammar.line_end);
        let lines = lines_of(&mut reader, &bytes);
        let joined: Vec<u8> = lines
            .iter()
            .flat_map(|line| match line {
                Line::Whole(line) => [line, &grammar.line_end[..]].concat(),
                Line::TooLong => Vec::new(),
            })
            .collect();
        prop_assert_eq!(joined, bytes);
    }

    #[test]
    fn random_bytes_make_no_answer_and_no_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
        times in proptest::collection::vec(0..900_000_000_u64, 1..8),
    ) {
        let mut port = Exchange::new(grammar(DESK_METER));
        let mut now_ns = 0;
        for (piece, step) in pieces(&bytes, &[7, 40]).into_iter().zip(times.iter().cycle()) {
            let _ = port.begin(0, now_ns);
            now_ns += step;
            let outcomes = port.take(piece, now_ns);
            let is_answer = |it: &Outcome| matches!(it, Outcome::Answered { .. });
            prop_assert!(!outcomes.iter().any(is_answer));
        }
    }

    #[test]
    fn lines_like_answers_make_no_panic(
        line in r"(U=|[0-9.eE+-]{0,5}|[VAnk =]|nan|kW|\PC){0,30}",
        answer in r"([a-z {}*\\n;]|\{[a-c]\}){0,12}",
    ) {
        let _ = grammar(DESK_METER).requests[0].read_line(line.as_bytes());
        let table = |name| format!("[request.field.{name}]\nrole = \"node\"\n");
        let tables = ["a", "b", "c"].map(table);
        let answer = lastmeter_params::quote(&answer.replace("\\n", "\n"));
        let text = format!("[[request]]\nanswer = {answer}\n{}", tables.concat());
        if let Ok(grammar) = parse(&text) {
            let _ = grammar.requests[0].read_line(line.as_bytes());
        }
    }

    #[test]
    fn any_text_is_a_grammar_or_has_mistakes(
        text in r"(\[\[request\]\]\n|answer = .{0,9}\n|.){0,20}",
    ) {
        match parse(&text) {
            Ok(grammar) => prop_assert!(!grammar.requests.is_empty()),
            Err(mistakes) => prop_assert!(!mistakes.0.is_empty()),
        }
    }

    /// A meter that answers each request once, in order and up to the end of the silence that is
    /// waited for: every accepted value is that of its own request.
    #[test]
    fn no_late_answer_is_taken_for_another(
        delays in proptest::collection::vec(
            prop_oneof![0..600_000_000_u64, Just(499_999_999_u64), Just(549_999_999_u64)], 1..30,
        ),
        has_number in any::<bool>(),
    ) {
        let text = if has_number {
            DESK_METER.to_owned()
        } else {
            DESK_METER.replace("\"sequence\"", "\"time-stamp\"")
        };
        let mut port = Exchange::new(grammar(&text));
        let mut now_ns = 0_u64;
        for (number, delay) in delays.iter().enumerate() {
            // Without a number, later than the silence cannot be noticed.
            let delay = (*delay).min(549_999_999);
            let sent_ns = loop {
                match port.begin(0, now_ns) {
                    Ok(_) => break now_ns,
                    Err(_) => now_ns = port.wake_at_ns().unwrap(),
                }
            };
            let line = format!("U={number}V I=1A P=1kW n={number}\r\n");
            let (first, second) = line.as_bytes().split_at(number % line.len());
            let mut outcomes = port.take(first, sent_ns + delay * 2 / 3);
            outcomes.extend(port.take(second, sent_ns + delay));
            let is_late = delay >= 500_000_000;
            let values: Vec<f64> = outcomes
                .iter()
                .filter_map(|outcome| match outcome {
                    Outcome::Answered { answer, .. } => Some(answer.values[0].1),
                    _ => None,
                })
                .collect();
            let expected = if is_late { vec![] } else { vec![number as f64] };
            prop_assert_eq!(values, expected);
            now_ns = sent_ns + delay;
        }
        let late = delays.iter().filter(|delay| **delay >= 500_000_000).count() as u64;
        prop_assert_eq!((port.counts().late, port.counts().timed_out), (late, late));
    }

    /// A meter that numbers its answers, keeps their order, gets not every request and may be
    /// twice as slow as it should be: every accepted value is that of its own request.
    #[test]
    fn numbered_answers_are_of_their_own_requests(
        delays in proptest::collection::vec(
            proptest::option::weighted(0.8, prop_oneof![3 => 0..499_u64, 2 => 499..1049_u64]),
            1..40,
        ),
        is_lost in proptest::collection::vec(proptest::bool::weighted(0.1), 40),
    ) {
        let mut port = Exchange::new(grammar(DESK_METER));
        let (mut now_ns, mut number, mut due) = (0_u64, 0_u32, VecDeque::new());
        let mut before_ns = 0;
        for (request, delay) in delays.iter().enumerate() {
            while port.begin(0, now_ns).is_err() {
                let wake_ns = port.wake_at_ns().unwrap();
                let is_before = |(at_ns, _): &mut (u64, String)| *at_ns < wake_ns;
                if let Some((at_ns, line)) = due.pop_front_if(is_before) {
                    now_ns = at_ns;
                    for outcome in port.take(line.as_bytes(), now_ns) {
                        if let Outcome::Answered { answer, .. } = outcome {
                            prop_assert_eq!(answer.values[0].1, (request - 1) as f64);
                        }
                    }
                } else {
                    now_ns = wake_ns;
                    port.tick(now_ns);
                }
            }
            let Some(delay) = delay else { continue };
            number += 1;
            before_ns = (now_ns + delay * 1_000_000).max(before_ns);
            if !is_lost[request] {
                let line = format!("U={request}V I=1A P=1kW n={number}\r\n");
                due.push_back((before_ns, line));
            }
        }
    }
}
