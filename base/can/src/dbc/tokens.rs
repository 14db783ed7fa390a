//! The words, texts and marks of a database, each with its line.

use super::error::{DatabaseError, wrong};

/// A piece of the text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind<'t> {
    /// A name, a keyword or a number.
    Word(&'t str),
    /// What stands between quotes.
    Text(&'t str),
    /// Any other character.
    Mark(char),
}

/// A piece, and where it stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token<'t> {
    pub(super) kind: Kind<'t>,
    /// Counted from 1.
    pub(super) line: usize,
    /// Whether nothing stands before it in its line.
    pub(super) is_first: bool,
}

impl<'t> Token<'t> {
    pub(super) fn is_word(self, fits: impl Fn(&'t str) -> bool) -> bool {
        matches!(self.kind, Kind::Word(word) if fits(word))
    }
}

/// Tokens, read from the front.
pub(super) struct Tokens<'t> {
    tokens: Vec<Token<'t>>,
    at: usize,
}

fn is_of_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '+' | '-')
}

impl<'t> Tokens<'t> {
    pub(super) fn of(text: &'t str) -> Result<Self, DatabaseError> {
        let (mut tokens, mut rest, mut line) = (Vec::new(), text, 1);
        let mut last_line = 0;
        while let Some(c) = rest.chars().next() {
            let (kind, taken) = if c.is_whitespace() || c == '\u{feff}' {
                line += usize::from(c == '\n');
                rest = &rest[c.len_utf8()..];
                continue;
            } else if rest.starts_with("//") {
                rest = &rest[rest.find('\n').unwrap_or(rest.len())..];
                continue;
            } else if c == '"' {
                let Some(end) = end_of_text(&rest[1..]) else {
                    let fault = "found a text without end, expected a closing quote; add it";
                    return wrong(line, fault.to_owned());
                };
                (Kind::Text(&rest[1..=end]), end + 2)
            } else if is_of_word(c) {
                let end = rest.find(|c| !is_of_word(c)).unwrap_or(rest.len());
                (Kind::Word(&rest[..end]), end)
            } else {
                (Kind::Mark(c), c.len_utf8())
            };
            tokens.push(Token { kind, line, is_first: line != last_line });
            line += rest[..taken].matches('\n').count();
            last_line = line;
            rest = &rest[taken..];
        }
        Ok(Self { tokens, at: 0 })
    }

    pub(super) fn peek(&self) -> Option<Token<'t>> {
        self.tokens.get(self.at).copied()
    }

    pub(super) fn take(&mut self) -> Option<Token<'t>> {
        let token = self.peek();
        self.at += usize::from(token.is_some());
        token
    }

    /// Takes the next one if it fulfils a condition.
    pub(super) fn take_if(&mut self, fits: impl Fn(Token<'t>) -> bool) -> Option<Token<'t>> {
        if self.peek().is_some_and(fits) { self.take() } else { None }
    }

    /// Takes a mark, if it is the next one.
    pub(super) fn has_mark(&mut self, mark: char) -> bool {
        self.take_if(|token| token.kind == Kind::Mark(mark)).is_some()
    }

    /// Takes a word, if it is the next one and nothing else stands in its line.
    pub(super) fn has_lone_word(&mut self) -> bool {
        let is_last = self.tokens.get(self.at + 1).is_none_or(|next| next.is_first);
        self.take_if(|token| token.is_first && is_last && token.is_word(|_| true)).is_some()
    }

    /// The line of the next one, or of the last.
    pub(super) fn line(&self) -> usize {
        self.peek().or(self.tokens.last().copied()).map_or(1, |token| token.line)
    }

    /// The next one is not what the statement has there.
    pub(super) fn unexpected(&self, expected: &'static str) -> DatabaseError {
        let found = match self.peek().map(|token| token.kind) {
            None => "the end of the file".to_owned(),
            Some(Kind::Word(word)) => format!("'{word}'"),
            Some(Kind::Text(_)) => "a text".to_owned(),
            Some(Kind::Mark(mark)) => format!("'{mark}'"),
        };
        let fault = format!("found {found}, expected {expected}; correct the statement");
        DatabaseError { line: self.line(), fault }
    }

    pub(super) fn mark(&mut self, mark: char, expected: &'static str) -> Result<(), DatabaseError> {
        if self.has_mark(mark) { Ok(()) } else { Err(self.unexpected(expected)) }
    }

    pub(super) fn word(&mut self, expected: &'static str) -> Result<&'t str, DatabaseError> {
        let Some(Token { kind: Kind::Word(word), .. }) = self.peek() else {
            return Err(self.unexpected(expected));
        };
        self.at += 1;
        Ok(word)
    }

    pub(super) fn text(&mut self, expected: &'static str) -> Result<String, DatabaseError> {
        let Some(Token { kind: Kind::Text(text), .. }) = self.peek() else {
            return Err(self.unexpected(expected));
        };
        self.at += 1;
        Ok(text.replace("\\\"", "\""))
    }

    /// A word that is something else, such as a number.
    pub(super) fn parsed<T>(
        &mut self,
        expected: &'static str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<T, DatabaseError> {
        let word = self.peek().and_then(|token| match token.kind {
            Kind::Word(word) => parse(word),
            Kind::Text(_) | Kind::Mark(_) => None,
        });
        let value = word.ok_or_else(|| self.unexpected(expected))?;
        self.at += 1;
        Ok(value)
    }

    pub(super) fn whole(&mut self, expected: &'static str) -> Result<u64, DatabaseError> {
        self.parsed(expected, |word| word.parse().ok())
    }

    pub(super) fn number(&mut self, expected: &'static str) -> Result<f64, DatabaseError> {
        self.parsed(expected, |word| word.parse().ok().filter(|value: &f64| value.is_finite()))
    }
}

/// Where the quote is that ends a text; one behind a backslash does not.
fn end_of_text(text: &str) -> Option<usize> {
    let mut quotes = text.match_indices('"').map(|(at, _)| at);
    quotes.find(|&at| !text[..at].ends_with('\\'))
}
