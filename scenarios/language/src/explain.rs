//! What `lastmeter explain` prints: the rows of the registries, and the texts of error codes that
//! stand in `base/params/src/code.rs`.

use lastmeter_params::{Code, Entry, Field, Kind, Presence, describe_kind};
use lastmeter_rts::point_map::documented_keys;
use lastmeter_text::append;

use super::draft::{Section, once_first};
use super::section::{SECTIONS, registry};

/// All there is to know about a registered name, a section or an error code; `None` if it is none.
pub fn explain(name: &str) -> Option<String> {
    if let Some(code) = Code::lookup(name) {
        return Some(format!("{code}: {}\n\n{}\n", code.title(), wrap(code.description(), WIDTH)));
    }
    let registered = registry().filter(|(_, entry)| entry.name == name);
    let mut texts: Vec<String> = registered.map(|(section, it)| of_entry(section, it)).collect();
    texts.extend(once_first(SECTIONS).filter(|section| section.name == name).map(of_section));
    texts.extend(of_point_map(name));
    if texts.is_empty() {
        texts = of_key(name);
    }
    (!texts.is_empty()).then(|| texts.join("\n"))
}

/// A key by itself: each of its meanings, with where it has that one.
fn of_key(name: &str) -> Vec<String> {
    let mut meanings: Vec<(&Field, &Section, Vec<&str>)> = Vec::new();
    for section in once_first(SECTIONS) {
        let entries = (section.entries)();
        let own = entries.iter().map(|entry| (Some(entry.name), entry.fields));
        for (entry, fields) in std::iter::once((None, section.fields)).chain(own) {
            let Some(field) = fields.iter().find(|field| field.name == name) else { continue };
            let is_known = |it: &&mut (&Field, &Section, Vec<&str>)| {
                it.0 == field && it.1.name == section.name
            };
            match meanings.iter_mut().find(is_known) {
                Some((.., entries)) => entries.extend(entry),
                None => meanings.push((field, section, entry.into_iter().collect())),
            }
        }
    }
    let texts = meanings.into_iter().map(|(field, section, entries)| {
        let of =
            if entries.is_empty() { String::new() } else { format!(" {}", entries.join(", ")) };
        let head = wrap(&format!("A key of {}{of}:", section.header()), WIDTH);
        format!("{head}\n{}", fields_table(std::slice::from_ref(field)))
    });
    texts.collect()
}

/// The keys of a table of point maps.
fn of_point_map(table: &str) -> Option<String> {
    let keys = documented_keys(table)?;
    let header = if table == "point" { "[[point]]" } else { "[simulator]" };
    let mut text = format!("{header} (in a point map, `lastmeter rts check`)\n");
    for (format, fields) in keys {
        if !format.is_empty() {
            append(&mut text, format_args!("\nWith `wire_format = \"{format}\"`:"));
        }
        append(&mut text, format_args!("\n{}", fields_table(&fields)));
    }
    if table == "point" {
        let values = "Values have their unit, as in `\"0.23 kV\"`, and are bare numbers where the \
                      point has none; those of a boolean are 0 and 1.";
        append(&mut text, format_args!("\n{}\n", wrap(values, WIDTH)));
    }
    Some(text)
}

fn of_section(section: &Section) -> String {
    let kinds = section.kind.map_or_else(String::new, |(key, _)| {
        let names: Vec<&str> = (section.entries)().iter().map(|entry| entry.name).collect();
        format!("\n{}\n", wrap(&format!("`{key}` is one of {}", names.join(", ")), WIDTH))
    });
    let (doc, fields) = (wrap(section.doc, WIDTH), fields_table(section.fields));
    format!("{}\n\n{doc}\n\n{fields}{kinds}", section.header())
}

fn of_entry(section: &Section, entry: Entry) -> String {
    let Entry { name, summary, description, fields } = entry;
    let Section { name: section, fields: common, .. } = *section;
    let own = if fields.is_empty() {
        String::new()
    } else {
        format!("Its keys:\n{}\n", fields_table(fields))
    };
    format!(
        "{name} ({section}): {summary}\n\n{}\n\n{own}Keys of every [[{section}]]:\n{}",
        wrap(description, WIDTH),
        fields_table(common),
    )
}

/// One key a line: name, what it takes, default, meaning; below a table its own keys.
fn fields_table(fields: &[Field]) -> String {
    let mut text = String::new();
    add_fields(&mut text, fields, &[], "  ");
    text
}

/// Adds keys; of those a table repeats from the table around it, only the names.
fn add_fields(text: &mut String, fields: &[Field], around: &[Field], indent: &str) {
    let (again, own): (Vec<Field>, Vec<Field>) =
        fields.iter().partition(|field| around.contains(field));
    let width = own.iter().map(|field| field.name.len()).max().unwrap_or(0);
    for field in &own {
        let presence = match field.presence {
            Presence::Required => "required".to_owned(),
            Presence::Optional => "optional".to_owned(),
            Presence::Default(default) => format!("default {default}"),
            Presence::Retired => "no longer supported".to_owned(),
        };
        let deeper = format!("{indent}{:width$}    ", "");
        let doc = wrap(field.doc, WIDTH.saturating_sub(deeper.len()).max(WIDTH / 2));
        let doc = doc.replace('\n', &format!("\n{deeper}"));
        let kind = describe_kind(&field.kind);
        let name = field.name;
        append(text, format_args!("{indent}{name:width$}  {kind} ({presence})\n{deeper}{doc}\n"));
        let one = if let Kind::List(of) = field.kind { *of } else { field.kind };
        if let Kind::Table(inner) = one {
            add_fields(text, inner, fields, &format!("{indent}    "));
        }
    }
    if !again.is_empty() {
        let names: Vec<&str> = again.iter().map(|field| field.name).collect();
        append(text, format_args!("{indent}{}: as above\n", names.join(", ")));
    }
}

/// Columns of a line on a terminal.
const WIDTH: usize = 88;

fn wrap(text: &str, width: usize) -> String {
    let paragraph = |text: &str| {
        let mut lines: Vec<String> = Vec::new();
        for word in text.split_whitespace() {
            match lines.last_mut() {
                Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                    line.push(' ');
                    line.push_str(word);
                }
                _ => lines.push(word.to_owned()),
            }
        }
        lines.join("\n")
    };
    let paragraphs: Vec<String> = text.split("\n\n").map(paragraph).collect();
    paragraphs.join("\n\n")
}
