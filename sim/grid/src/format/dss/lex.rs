//! Lines into parameters: `name=value`, or values by position; quotes of any of five kinds.

/// One parameter of a line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Parameter {
    /// Before the `=`, if there was one.
    pub(super) name: Option<String>,
    /// The value without its quotes.
    pub(super) value: String,
    /// Whether it was quoted: then a number may be worked out in it.
    pub(super) quoted: bool,
}

/// Takes tokens from a line.
pub(super) struct Tokens<'a> {
    pub(super) rest: &'a str,
    also: &'static str,
}

/// A token, and whether it was quoted, and the delimiter behind it (a blank if there was none).
struct Token<'a> {
    text: &'a str,
    quoted: bool,
    delimiter: char,
}

impl<'a> Tokens<'a> {
    pub(super) fn of_line(line: &'a str) -> Self {
        Self { rest: line.trim_start(), also: "" }
    }

    /// Tokens of a list; rows of matrices end with `|`.
    pub(super) fn of_list(list: &'a str) -> Self {
        Self { rest: list.trim_start(), also: "|" }
    }

    fn is_delimiter(&self, character: char) -> bool {
        character == ',' || character == '=' || self.also.contains(character)
    }

    fn token(&mut self) -> Option<Token<'a>> {
        let rest = self.rest;
        let first = rest.chars().next()?;
        if starts_comment(rest) {
            self.rest = "";
            return None;
        }
        let quote = match first {
            '(' => Some(')'),
            '[' => Some(']'),
            '{' => Some('}'),
            '"' | '\'' => Some(first),
            _ => None,
        };
        let (text, after, quoted) = if let Some(end) = quote {
            let inside = &rest[1..];
            let (text, after) = inside.split_once(end).unwrap_or((inside, ""));
            (text, after, true)
        } else {
            let end = rest
                .char_indices()
                .find(|&(at, character)| {
                    character.is_whitespace()
                        || self.is_delimiter(character)
                        || starts_comment(&rest[at..])
                })
                .map_or(rest.len(), |(at, _)| at);
            (&rest[..end], &rest[end..], false)
        };
        let after = after.trim_start();
        let next = after.chars().next().filter(|&next| self.is_delimiter(next));
        self.rest = next.map_or(after, |next| after[next.len_utf8()..].trim_start());
        Some(Token { text, quoted, delimiter: next.unwrap_or(' ') })
    }

    /// The next value of a list, whether it was quoted, and whether a row ends behind it.
    pub(super) fn value(&mut self) -> Option<(&'a str, bool, bool)> {
        let token = self.token()?;
        Some((token.text, token.quoted, token.delimiter == '|'))
    }
}

impl Iterator for Tokens<'_> {
    type Item = Parameter;

    fn next(&mut self) -> Option<Parameter> {
        let token = self.token()?;
        if token.delimiter != '=' {
            let (value, quoted) = (token.text.to_owned(), token.quoted);
            return Some(Parameter { name: None, value, quoted });
        }
        let name = Some(token.text.to_owned());
        Some(match self.token() {
            None => Parameter { name, ..Parameter::default() },
            Some(value) => Parameter { name, value: value.text.to_owned(), quoted: value.quoted },
        })
    }
}

fn starts_comment(text: &str) -> bool {
    text.starts_with('!') || text.starts_with("//")
}
