//! From TOML tables to a grammar; each mistake is reported, and reading goes on.

use std::collections::BTreeMap;

use lastmeter_params::{
    Code, Diagnostics, Node, NodeValue, Span, Table, Values, nearest, read_table,
};
use lastmeter_units::MeasurementId;

use super::field::{FieldDraft, read_field};
use super::keys::REQUEST_KEYS;
use super::pattern::{self, PatternDraft, PatternFault};
use super::{AnswerField, FieldRole, Grammar, Request};

/// One `[[request]]`, as far as it could be read.
struct RequestDraft<'a> {
    table: &'a Table,
    span: Span,
    values: Option<Values>,
    answer: Option<PatternDraft>,
    fields: Vec<FieldDraft<'a>>,
}

impl RequestDraft<'_> {
    fn span_of(&self, key: &str) -> Span {
        self.table.get(key).map_or(self.span, |node| node.span)
    }
}

impl Grammar {
    /// Reads the value of the key `request` of a document. `None` if there is a mistake, which is
    /// then in `out`.
    pub fn from_tables(requests: Option<&Node>, out: &mut Diagnostics) -> Option<Self> {
        let mistakes = out.len();
        let tables = tables(requests, out).into_iter();
        let drafts: Vec<RequestDraft<'_>> =
            tables.map(|(table, span)| read_request(table, span, out)).collect();
        check_line_ends(&drafts, out);
        check_quantities(&drafts, out);
        if out.len() > mistakes {
            return None;
        }
        let requests: Option<Vec<Request>> = drafts.into_iter().map(finish).collect();
        let requests = requests.filter(|requests| !requests.is_empty())?;
        let line_end = requests[0].line_end.as_bytes().to_vec();
        Some(Self { requests, line_end })
    }
}

/// The tables of the section, with their places.
fn tables<'a>(node: Option<&'a Node>, out: &mut Diagnostics) -> Vec<(&'a Table, Span)> {
    let list = match node.map(|node| (&node.value, node.span)) {
        None => {
            let label = "expected at least one `[[request]]`";
            let help =
                Some("write `[[request]]` with the `answer` that the meter gives".to_owned());
            let (code, message) = (Code::MISSING_KEY, "there is no request");
            out.report_with_help(code, Span::default(), message, label, help);
            return Vec::new();
        }
        Some((NodeValue::Array(list), _)) if !list.is_empty() => list,
        Some((NodeValue::Invalid, _)) => return Vec::new(),
        Some((_, span)) => {
            report_no_request(span, out);
            return Vec::new();
        }
    };
    let mut tables = Vec::new();
    for node in list {
        match &node.value {
            NodeValue::Table(table) => tables.push((table, node.span)),
            NodeValue::Invalid => {}
            _ => report_no_request(node.span, out),
        }
    }
    tables
}

fn report_no_request(span: Span, out: &mut Diagnostics) {
    let message = "`request` is a section whose tables repeat";
    let help = Some("write `[[request]]` with double brackets".to_owned());
    out.report_with_help(Code::WRONG_KIND, span, message, "expected `[[request]]`", help);
}

fn read_request<'a>(table: &'a Table, span: Span, out: &mut Diagnostics) -> RequestDraft<'a> {
    let mut rest = table.clone();
    rest.entries.retain(|entry| entry.key != "field");
    let values = read_table(&rest, span, REQUEST_KEYS, out);
    let is_known = |key: &str| REQUEST_KEYS.iter().any(|field| field.name == key);
    let has_misspelt = table.entries.iter().any(|entry| !is_known(&entry.key));
    let mut faults = Vec::new();
    let answer = table.text("answer").map(|answer| pattern::read(answer, &mut faults));
    let fields = read_fields(table, out);
    let draft = RequestDraft { table, span, values, answer, fields };
    for fault in faults {
        report_fault(&fault, draft.span_of("answer"), out);
    }
    check_send(&draft, has_misspelt, out);
    check_fields(&draft, out);
    draft
}

fn read_fields<'a>(table: &'a Table, out: &mut Diagnostics) -> Vec<FieldDraft<'a>> {
    let report_kind = |node: &Node, out: &mut Diagnostics| {
        let message =
            format!("a field is described by a table, and this is {}", node.value.describe());
        let help = Some("write `[request.field.NAME]` with `quantity` or `role`".to_owned());
        out.report_with_help(Code::WRONG_KIND, node.span, message, "expected a table", help);
    };
    let fields = match table.get("field") {
        None | Some(Node { value: NodeValue::Invalid, .. }) => return Vec::new(),
        Some(Node { value: NodeValue::Table(fields), .. }) => fields,
        Some(node) => {
            report_kind(node, out);
            return Vec::new();
        }
    };
    let mut drafts = Vec::new();
    for entry in &fields.entries {
        let own = match &entry.node.value {
            NodeValue::Table(table) => Some((table, entry.node.span)),
            NodeValue::Invalid => None,
            _ => {
                report_kind(&entry.node, out);
                None
            }
        };
        drafts.push(read_field(&entry.key, entry.key_span, own, out));
    }
    drafts
}

fn report_fault(fault: &PatternFault, span: Span, out: &mut Diagnostics) {
    let (message, label, help) = match fault {
        PatternFault::Empty => (
            "`answer` is empty".to_owned(),
            "expected text or fields".to_owned(),
            "write the line that the meter sends, such as `\"U={u} V\\r\\n\"`",
        ),
        PatternFault::NoLineEnd => (
            "`answer` has no line end".to_owned(),
            "expected `\\r\\n`, `\\n`, `\\r` or a character such as `;` as its last one".to_owned(),
            "without it nobody knows when the line is whole: a number could be cut",
        ),
        PatternFault::LineEndWithin => (
            "the line end stands within `answer` as well".to_owned(),
            "expected one line".to_owned(),
            "write one `[[request]]` for each line",
        ),
        PatternFault::Brace => (
            "a brace of `answer` has no other".to_owned(),
            "expected `{name}`".to_owned(),
            "write `{{` and `}}` for braces that the meter sends",
        ),
        PatternFault::NoName => (
            "a field of `answer` has no name".to_owned(),
            "expected `{name}`".to_owned(),
            "write `*` for text that is not needed",
        ),
        PatternFault::Repeated(name) => (
            format!("field `{name}` stands twice in `answer`"),
            "expected each name once".to_owned(),
            "give the second field a name of its own, or write `*` in its place",
        ),
        PatternFault::Adjacent(first, second) => (
            format!("there is nothing between `{first}` and `{second}`"),
            "expected text or a blank between them".to_owned(),
            "nobody could know where the one ends and the other begins",
        ),
        PatternFault::Ignored => (
            "whatever stands behind a number would be ignored, also `SENSOR FAULT`".to_owned(),
            "expected no `*` behind a field, and none at the end".to_owned(),
            "write the text that stands there, or a field: of role `status` with its `good` text, or \
             of role `time-stamp` for what varies and means nothing",
        ),
    };
    let code = match fault {
        PatternFault::Repeated(_) => Code::NAME_TAKEN,
        _ => Code::DOES_NOT_FIT,
    };
    out.report_with_help(code, span, message, label, Some(help.to_owned()));
}

fn check_send(draft: &RequestDraft<'_>, has_misspelt: bool, out: &mut Diagnostics) {
    match draft.table.get("send") {
        Some(Node { value: NodeValue::String(text), span }) if text.is_empty() => {
            let help = Some("leave `send` out if the meter sends by itself".to_owned());
            let (code, label) = (Code::OUT_OF_RANGE, "expected at least one byte");
            out.report_with_help(code, *span, "`send` is empty", label, help);
        }
        Some(_) => {}
        // Perhaps `send` is what is misspelt.
        None if has_misspelt || draft.table.incomplete => {}
        None => {
            for key in ["timeout", "settle"] {
                let Some(entry) = draft.table.entry(key) else { continue };
                let message = format!("`{key}` without `send`");
                let label = "a meter that sends by itself is not waited for";
                let help = Some(format!("leave `{key}` out, or add `send`"));
                let (code, span) = (Code::DOES_NOT_FIT, entry.key_span);
                out.report_with_help(code, span, message, label, help);
            }
        }
    }
}

fn check_fields(draft: &RequestDraft<'_>, out: &mut Diagnostics) {
    let Some(answer) = &draft.answer else { return };
    let span = draft.span_of("answer");
    let has_table = |name: &str| draft.fields.iter().any(|field| field.name == name);
    for (index, name) in answer.names.iter().enumerate() {
        let is_first = !answer.names[..index].contains(name);
        if is_first && !name.is_empty() && !has_table(name) && !draft.table.incomplete {
            let message = format!("field `{name}` of `answer` is not described");
            let label = format!("expected a table `[request.field.{name}]`");
            let help = Some("describe it, or write `*` in its place".to_owned());
            out.report_with_help(Code::UNKNOWN_REFERENCE, span, message, label, help);
        }
    }
    let mut sequence: Option<&str> = None;
    for field in &draft.fields {
        let Some(index) = answer.names.iter().position(|name| name == field.name) else {
            let free = answer.names.iter().map(String::as_str).filter(|name| !has_table(name));
            let help = nearest(field.name, free).map(|near| format!("did you mean `{near}`?"));
            let message = format!("field `{}` does not stand in `answer`", field.name);
            let label = format!("expected `{{{}}}` in `answer`", field.name);
            let (code, span) = (Code::UNKNOWN_REFERENCE, field.key_span);
            out.report_with_help(code, span, message, label, help);
            continue;
        };
        if let Some(c) = answer.pattern.behind(index).filter(|c| field.may_hold(*c)) {
            let message = format!("`{c}` behind `{{{}}}` may be part of its number", field.name);
            let label = "expected a character that ends a number";
            let help = Some("put a blank between them, if the meter does".to_owned());
            out.report_with_help(Code::DOES_NOT_FIT, span, message, label, help);
        }
        if field.role != Some(FieldRole::Sequence) {
            continue;
        }
        if let Some(first) = sequence.replace(field.name) {
            let message = "two fields are of role `sequence`";
            let label = format!("already the role of field `{first}`");
            out.report(Code::NAME_TAKEN, field.key_span, message, label);
        }
    }
}

fn check_line_ends(drafts: &[RequestDraft<'_>], out: &mut Diagnostics) {
    let end_of = |draft: &RequestDraft<'_>| draft.answer.as_ref()?.line_end.clone();
    let Some(first) = drafts.iter().find_map(end_of) else { return };
    for draft in drafts {
        let Some(own) = end_of(draft).filter(|own| *own != first) else { continue };
        let (own, first) = (own.escape_default(), first.escape_default());
        let message = format!("this answer ends in `{own}`, and the first one in `{first}`");
        let label = format!("expected `{first}`");
        let help = Some("all lines of a port end alike".to_owned());
        let span = draft.span_of("answer");
        out.report_with_help(Code::DOES_NOT_FIT, span, message, label, help);
    }
}

fn check_quantities(drafts: &[RequestDraft<'_>], out: &mut Diagnostics) {
    let mut first: BTreeMap<MeasurementId, &str> = BTreeMap::new();
    for field in drafts.iter().flat_map(|draft| &draft.fields) {
        let Some((quantity, span)) = field.quantity else { continue };
        if let Some(earlier) = first.get(&quantity) {
            let message = format!("two fields carry `{}`", quantity.name());
            let label = format!("already carried by field `{earlier}`");
            out.report(Code::NAME_TAKEN, span, message, label);
        } else {
            first.insert(quantity, field.name);
        }
    }
}

/// The request of a draft in which no mistake was found.
fn finish(draft: RequestDraft<'_>) -> Option<Request> {
    let values = draft.values?;
    let answer = draft.answer?;
    let mut fields = Vec::new();
    for name in answer.names {
        let field = draft.fields.iter().find(|field| field.name == name)?;
        fields.push(AnswerField { name, meaning: field.meaning.clone()? });
    }
    let nanoseconds = |key: &str| (values.si(key) * 1e9).round() as u64;
    Some(Request {
        send: values.text_opt("send").map(|text| text.as_bytes().to_vec()),
        answer: values.text("answer").to_owned(),
        timeout_ns: nanoseconds("timeout"),
        settle_ns: nanoseconds("settle"),
        fields,
        pattern: answer.pattern,
        line_end: answer.line_end?,
    })
}
