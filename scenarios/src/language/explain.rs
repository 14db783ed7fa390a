//! The long texts of `lastmeter explain`, from the same definitions that reading uses.

use std::fmt::Write as _;

use lastmeter_params::{Code, Field, Presence, describe_kind};

use super::sections::{Registered, Section, registry, sections, single_sections};

/// All there is to know about a registered name, a section or an error code; `None` if it is none.
pub fn explain(name: &str) -> Option<String> {
    if let Some(code) = Code::lookup(name) {
        return Some(format!("{code}: {}\n\n{}\n", code.title(), wrap(code.description())));
    }
    let entries = registry().into_iter().filter(|registered| registered.entry.name == name);
    let mut texts: Vec<String> = entries.map(|registered| of_entry(&registered)).collect();
    texts.extend(single_sections().iter().filter(|section| section.name == name).map(|section| {
        let doc = wrap(section.doc);
        format!("[{name}]\n\n{doc}\n\n{}", fields_table(section.fields))
    }));
    texts.extend(sections().iter().filter(|section| section.name == name).map(of_section));
    (!texts.is_empty()).then(|| texts.join("\n"))
}

fn of_section(section: &Section) -> String {
    let kinds = section.kind_key.map_or_else(String::new, |key| {
        let names: Vec<&str> = section.entries().iter().map(|entry| entry.name).collect();
        format!("\n{}\n", wrap(&format!("`{key}` is one of {}", names.join(", "))))
    });
    let (doc, fields) = (wrap(section.doc), fields_table(section.fields));
    format!("[[{}]]\n\n{doc}\n\n{fields}{kinds}", section.name)
}

fn of_entry(registered: &Registered) -> String {
    let entry = registered.entry;
    let section = sections().into_iter().find(|section| section.name == registered.section);
    let common = section.map_or(&[][..], |section| section.fields);
    let own = if entry.fields.is_empty() {
        String::new()
    } else {
        format!("Its keys:\n{}\n", fields_table(entry.fields))
    };
    format!(
        "{} ({}): {}\n\n{}\n\n{own}Keys of every [[{}]]:\n{}",
        entry.name,
        registered.section,
        entry.summary,
        wrap(entry.description),
        registered.section,
        fields_table(common),
    )
}

/// One key a line: name, what it takes, default, meaning.
fn fields_table(fields: &[Field]) -> String {
    let width = fields.iter().map(|field| field.name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for field in fields {
        let presence = match field.presence {
            Presence::Required => "required".to_owned(),
            Presence::Optional => "optional".to_owned(),
            Presence::Default(default) => format!("default {default}"),
        };
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "  {:width$}  {} ({presence})\n  {:width$}    {}",
            field.name,
            describe_kind(&field.kind),
            "",
            field.doc,
        );
    }
    text
}

/// Breaks paragraphs into lines for a terminal.
fn wrap(text: &str) -> String {
    const WIDTH: usize = 88;
    let paragraph = |text: &str| {
        let mut lines: Vec<String> = Vec::new();
        for word in text.split_whitespace() {
            match lines.last_mut() {
                Some(line) if line.chars().count() + 1 + word.chars().count() <= WIDTH => {
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
