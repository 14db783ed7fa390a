//! A picture with its data, as files and as links inside a page.

use std::path::Path;

use serde::Serialize;

use lastmeter_record::{RecordError, write_number, write_whole};
use lastmeter_text::{append, escape};

/// A picture and the data it shows; either may be absent.
pub(crate) struct Figure {
    /// The name of its files, without ending.
    pub(crate) name: String,
    pub(crate) svg: Option<String>,
    /// The data, with a header line.
    pub(crate) csv: Option<String>,
}

impl Figure {
    /// A picture with its data.
    pub(crate) fn drawn(name: impl Into<String>, svg: String, csv: String) -> Self {
        Self { name: name.into(), svg: Some(svg), csv: Some(csv) }
    }

    /// Data without a picture.
    pub(crate) fn table(name: impl Into<String>, csv: String) -> Self {
        Self { name: name.into(), svg: None, csv: Some(csv) }
    }

    /// Keeps it for its files, and gives the links to them.
    pub(crate) fn keep(self, figures: &mut Vec<Self>) -> String {
        let links = self.links();
        figures.push(self);
        links
    }

    pub(crate) fn write(&self, folder: &Path) -> Result<(), RecordError> {
        for (ending, content) in [("svg", &self.svg), ("csv", &self.csv)] {
            if let Some(content) = content {
                write_whole(&folder.join(format!("{}.{ending}", self.name)), content.as_bytes())?;
            }
        }
        Ok(())
    }

    /// Links that hold the files themselves, so that a page works alone.
    pub(crate) fn links(&self) -> String {
        let files = [
            ("svg", "SVG", "image/svg+xml", &self.svg),
            ("csv", "CSV", "text/csv;charset=utf-8", &self.csv),
        ];
        let links: Vec<String> = files
            .into_iter()
            .filter_map(|(ending, label, kind, content)| {
                let data = percent_encoded(content.as_ref()?);
                let name = escape(&self.name);
                Some(format!(
                    "<a download=\"{name}.{ending}\" href=\"data:{kind},{data}\">{label}</a>"
                ))
            })
            .collect();
        links.join(" · ")
    }
}

/// The text with everything encoded that a `data:` link inside an attribute may not hold.
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len() * 5 / 4);
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => encoded.push(byte as char),
            b'-' | b'_' | b'.' | b'~' | b',' | b';' | b':' | b'=' | b'/' | b'(' | b')' | b'+' => {
                encoded.push(byte as char);
            }
            other => append(&mut encoded, format_args!("%{other:02X}")),
        }
    }
    encoded
}

/// Lines of CSV from texts and numbers.
pub(crate) struct Csv {
    text: String,
}

impl Csv {
    /// A table with this header line: the names of its columns, a comma between each.
    pub(crate) fn new(header: &str) -> Self {
        Self { text: format!("{header}\n") }
    }

    /// Adds a line: texts first, numbers behind. What is no number is an empty cell; what is
    /// infinite, as the delay of a message that never came, is written so.
    pub(crate) fn line(&mut self, texts: &[&str], numbers: &[f64]) {
        let mut cells: Vec<String> = texts.iter().map(|text| quoted(text)).collect();
        cells.extend(numbers.iter().map(|&value| {
            if value.is_nan() {
                return String::new();
            }
            let mut bytes = Vec::new();
            write_number(&mut bytes, value).expect("writing to memory cannot fail");
            String::from_utf8_lossy(&bytes).into_owned()
        }));
        self.text.push_str(&cells.join(","));
        self.text.push('\n');
    }

    /// The whole table.
    pub(crate) fn finish(self) -> String {
        self.text
    }
}

fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[derive(Serialize)]
pub(crate) struct Picture {
    title: String,
    pub(crate) svg: String,
    pub(crate) caption: String,
    pub(crate) links: String,
    /// What a phone has no room for inside the picture.
    pub(crate) notes: Vec<String>,
}

impl Picture {
    /// The picture of a figure, which is kept for its files.
    pub(crate) fn of(
        figure: Figure,
        title: impl Into<String>,
        caption: impl Into<String>,
        figures: &mut Vec<Figure>,
    ) -> Self {
        let svg = figure.svg.clone().unwrap_or_default();
        let (title, caption, links) = (title.into(), caption.into(), figure.links());
        figures.push(figure);
        Self { title, svg, caption, links, notes: Vec::new() }
    }

    /// The picture with links to files of the run's folder, in which its page stands.
    pub(crate) fn with_files(mut self, files: &[String]) -> Self {
        for file in files {
            let (name, address) = (escape(file), percent_encoded(file));
            append(&mut self.links, format_args!(" · <a href=\"{address}\">{name}</a>"));
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_cannot_break_out_of_its_attribute() {
        let figure = Figure {
            name: "a\"b".to_owned(),
            svg: Some("<svg \"'&>\u{e9}</svg>".to_owned()),
            csv: Some("x,y\n1,2\n".to_owned()),
        };
        let links = figure.links();
        assert!(links.contains("data:image/svg+xml,%3Csvg%20%22%27%26%3E%C3%A9%3C/svg%3E"));
        assert!(links.contains("data:text/csv;charset=utf-8,x,y%0A1,2%0A"));
        assert!(links.contains("download=\"a&quot;b.svg\""));
    }

    #[test]
    fn cells_with_commas_or_quotes_are_quoted() {
        let mut csv = Csv::new("a,b,c");
        csv.line(&["x,y", "an \"a\""], &[0.1]);
        csv.line(&["x", "y"], &[f64::NAN]);
        assert_eq!(csv.finish(), "a,b,c\n\"x,y\",\"an \"\"a\"\"\",0.1\nx,y,\n");
    }
}
