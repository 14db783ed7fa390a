//! Reads one `[request.field.NAME]`.

use lastmeter_params::{
    Code, Diagnostics, Dimension, NodeValue, QuantityError, Span, Table, Values, WrittenUnit,
    read_measurement, read_number_alone, read_table_of,
};
use lastmeter_units::MeasurementId;

use super::keys::{FIELD_KEYS, range_keys};
use super::{DecimalSeparator, FieldRole, Meaning, Measured, NumberBase};

/// Keys of quantities alone.
const QUANTITY_KEYS: [&str; 8] =
    ["quantity", "unit", "scale", "offset", "decimals", "decimal", "least", "greatest"];

/// A field's table, as far as it could be read.
pub(super) struct FieldDraft<'a> {
    pub(super) name: &'a str,
    pub(super) key_span: Span,
    pub(super) role: Option<FieldRole>,
    pub(super) quantity: Option<(MeasurementId, Span)>,
    /// How its number is written; `None` where it is none, or something of it is wrong.
    number: Option<(NumberBase, DecimalSeparator)>,
    /// `None` where something is wrong.
    pub(super) meaning: Option<Meaning>,
}

impl FieldDraft<'_> {
    /// Whether a character may be part of the field's number.
    pub(super) fn may_hold(&self, c: char) -> bool {
        match self.number {
            None => false,
            Some((NumberBase::Hexadecimal, _)) => c.is_ascii_hexdigit() || matches!(c, 'x' | 'X'),
            Some((NumberBase::Decimal, separator)) => {
                c.is_ascii_digit()
                    || matches!(c, '+' | '-' | 'e' | 'E')
                    || separator.word().contains(c)
            }
        }
    }
}

/// Reads a field; `own` is its table, where it is one.
pub(super) fn read_field<'a>(
    name: &'a str,
    key_span: Span,
    own: Option<(&'a Table, Span)>,
    out: &mut Diagnostics,
) -> FieldDraft<'a> {
    let mut draft =
        FieldDraft { name, key_span, role: None, quantity: None, number: None, meaning: None };
    let Some((table, span)) = own else { return draft };
    draft.role = table.text("role").and_then(FieldRole::from_word);
    let rest = without_foreign_keys(table, draft.role, out);
    check_base(table, out);
    if table.get("role").is_some() {
        let values = read_table_of(&rest, span, &[FIELD_KEYS], out);
        if draft.role == Some(FieldRole::Sequence) {
            draft.number = number_of(table);
        }
        draft.meaning = meaning_of_role(draft.role, table, span, values.as_ref(), out);
        return draft;
    }
    draft.number = number_of(table);
    let quantity = read_measurement(table, out);
    draft.quantity = quantity.zip(table.get("quantity").map(|node| node.span));
    check_presence(name, table, span, out);
    let unit = unit(name, table, span, quantity, out);
    let of_quantity = quantity.map(|id| Dimension::of_unit(id.row().si_unit));
    // Without any dimension nothing can be stated about the range.
    let range = unit.as_ref().map(|unit| unit.dimension).or(of_quantity).map(range_keys);
    let mut rest = rest;
    if range.is_none() {
        rest.entries.retain(|entry| !matches!(entry.key.as_str(), "least" | "greatest"));
    }
    let values = read_table_of(&rest, span, &[FIELD_KEYS, range.unwrap_or(&[])], out);
    check_numbers(name, table, span, range.unwrap_or(&[]), out);
    draft.meaning = measured(&draft, unit, values.as_ref()).map(Meaning::Measured);
    draft
}

/// The table without keys that belong to other roles, which are reported.
fn without_foreign_keys(table: &Table, role: Option<FieldRole>, out: &mut Diagnostics) -> Table {
    let mut rest = table.clone();
    let has_role = table.get("role").is_some();
    // Of a role that is misspelt nobody knows which keys it has.
    let is_other = |wanted| if has_role { role.is_some_and(|role| role != wanted) } else { true };
    for entry in &table.entries {
        let (is_foreign, owner) = match entry.key.as_str() {
            key if QUANTITY_KEYS.contains(&key) => (has_role, "of fields that carry a quantity"),
            "modulo" => (is_other(FieldRole::Sequence), "of fields of role `sequence`"),
            "good" => (is_other(FieldRole::Status), "of fields of role `status`"),
            "base" => (has_role && is_other(FieldRole::Sequence), "of fields that are numbers"),
            _ => (false, ""),
        };
        if !is_foreign {
            continue;
        }
        rest.entries.retain(|other| other.key != entry.key);
        let message = format!("`{}` is a key {owner}", entry.key);
        let label = match role {
            Some(role) => format!("the field is of role `{role}`"),
            None => "the field has no such role".to_owned(),
        };
        let help = Some("leave the key out".to_owned());
        out.report_with_help(Code::DOES_NOT_FIT, entry.key_span, message, label, help);
    }
    rest
}

/// The kind of integer that `base` is allows all that lies between.
fn check_base(table: &Table, out: &mut Diagnostics) {
    let Some(node) = table.get("base") else { return };
    if let NodeValue::Integer(found @ 11..16) = node.value {
        let message = format!("numbers of base {found} are unsupported");
        out.report(Code::OUT_OF_RANGE, node.span, message, "expected 10 or 16");
    }
}

fn number_of(table: &Table) -> Option<(NumberBase, DecimalSeparator)> {
    let base = match table.get("base").map(|node| &node.value) {
        None | Some(NodeValue::Integer(10)) => NumberBase::Decimal,
        Some(NodeValue::Integer(16)) => NumberBase::Hexadecimal,
        Some(_) => return None,
    };
    let separator = match table.get("decimal") {
        None => DecimalSeparator::Point,
        Some(_) => DecimalSeparator::from_word(table.text("decimal")?)?,
    };
    Some((base, separator))
}

fn meaning_of_role(
    role: Option<FieldRole>,
    table: &Table,
    span: Span,
    values: Option<&Values>,
    out: &mut Diagnostics,
) -> Option<Meaning> {
    if role == Some(FieldRole::Status) && table.get("good").is_none() && !table.incomplete {
        let message = "a status without `good`";
        let help = Some("write the text that a healthy meter sends, as `good = \"OK\"`".to_owned());
        let label = "expected the text that is accepted";
        out.report_with_help(Code::MISSING_KEY, span, message, label, help);
    }
    let values = values?;
    match role? {
        FieldRole::Sequence => {
            let modulo = values.integer_opt("modulo").and_then(|modulo| u64::try_from(modulo).ok());
            let (base, _) = number_of(table)?;
            Some(Meaning::Sequence { modulo: modulo.unwrap_or(1 << 32), base })
        }
        FieldRole::Status => {
            Some(Meaning::Status { good: values.text_opt("good")?.trim().to_owned() })
        }
        role @ (FieldRole::Version | FieldRole::Node | FieldRole::TimeStamp) => {
            Some(Meaning::Text(role))
        }
    }
}

/// A field carries a quantity or has a role.
fn check_presence(name: &str, table: &Table, span: Span, out: &mut Diagnostics) {
    let is_key = |key: &str| {
        FIELD_KEYS.iter().chain(range_keys(Dimension::Ratio)).any(|field| field.name == key)
    };
    // A misspelt key is one mistake: the right one is then not missing as well.
    let is_spelt = table.entries.iter().all(|entry| is_key(&entry.key));
    if table.get("quantity").is_none() && is_spelt && !table.incomplete {
        let message = format!("field `{name}` has neither `quantity` nor `role`");
        let help = Some("write `*` in `answer` for text that is not needed".to_owned());
        let label = "expected one of them";
        out.report_with_help(Code::MISSING_KEY, span, message, label, help);
    }
}

/// The unit of a field; `None` where it is wrong, or missing.
fn unit(
    name: &str,
    table: &Table,
    span: Span,
    quantity: Option<MeasurementId>,
    out: &mut Diagnostics,
) -> Option<WrittenUnit> {
    let expected = quantity.map(|id| (Dimension::of_unit(id.row().si_unit), id.name()));
    let fitting = expected.map(|(dimension, _)| {
        let symbols: Vec<&str> = dimension.unit_symbols().collect();
        format!("units that fit: {}", symbols.join(", "))
    });
    let Some(node) = table.get("unit") else {
        let (dimension, _) = expected?;
        if dimension == Dimension::Ratio {
            return Some(WrittenUnit::BARE);
        }
        if !table.incomplete {
            let message = format!("field `{name}` has no `unit`");
            let label = format!("expected a unit of {dimension}");
            out.report_with_help(Code::MISSING_UNIT, span, message, label, fitting);
        }
        return None;
    };
    // What is no text is reported with the other keys.
    let NodeValue::String(text) = &node.value else { return None };
    let found = match WrittenUnit::parse(text) {
        Ok(found) => found,
        Err(error) => {
            let help = match error {
                QuantityError::UnknownUnit { nearest: Some(_), .. } => error.help(),
                _ => fitting.or_else(|| Some("such as `V`, `kW` or `%`".to_owned())),
            };
            let message = format!("unknown unit `{text}`");
            out.report_with_help(Code::UNKNOWN_UNIT, node.span, message, "expected a unit", help);
            return None;
        }
    };
    if let Some((dimension, id)) = expected.filter(|(dimension, _)| *dimension != found.dimension) {
        let message = format!("`{text}` is a unit of {}, not of {dimension}", found.dimension);
        let label = format!("`{id}` is of the dimension {dimension}");
        out.report_with_help(Code::WRONG_DIMENSION, node.span, message, label, fitting);
    }
    Some(found)
}

/// What numbers have to be among themselves.
fn check_numbers(
    name: &str,
    table: &Table,
    span: Span,
    range: &[lastmeter_params::Field],
    out: &mut Diagnostics,
) {
    let si = |key: &str| {
        let field = FIELD_KEYS.iter().chain(range).find(|field| field.name == key)?;
        read_number_alone(table, span, field)
    };
    let span_of = |key: &str| table.get(key).map_or(span, |node| node.span);
    if si("scale") == Some(0.0) {
        let message = format!("the scale of field `{name}` is 0");
        let label = "every number would be the same value";
        out.report(Code::OUT_OF_RANGE, span_of("scale"), message, label);
    }
    if let (Some(least), Some(greatest)) = (si("least"), si("greatest"))
        && least > greatest
    {
        let message = format!("`least` of field `{name}` lies above its `greatest`");
        let label = "expected at most `greatest`";
        let help = Some("exchange the two".to_owned());
        out.report_with_help(Code::OUT_OF_RANGE, span_of("least"), message, label, help);
    }
}

fn measured(
    draft: &FieldDraft<'_>,
    unit: Option<WrittenUnit>,
    values: Option<&Values>,
) -> Option<Measured> {
    let (values, unit) = (values?, unit?);
    let (base, decimal) = draft.number?;
    Some(Measured {
        quantity: draft.quantity?.0,
        dimension: unit.dimension,
        factor: unit.factor,
        scale: values.si("scale"),
        offset: values.si("offset"),
        least: values.si_opt("least"),
        greatest: values.si_opt("greatest"),
        decimals: usize::try_from(values.integer("decimals")).ok()?,
        base,
        decimal,
    })
}
