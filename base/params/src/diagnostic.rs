//! One mistake of a scenario's author, at one place.

use crate::code::Code;

/// Which text a span points into: the scenario file, or one of the `--set` overrides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct SourceId(pub u16);

impl SourceId {
    /// The scenario file itself.
    pub const FILE: Self = Self(0);
}

/// A range of bytes in one of the texts a scenario is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// The text it lies in.
    pub source: SourceId,
    /// Offset of the first byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

/// One located mistake.
#[derive(Clone, Debug, PartialEq)]
pub struct Diagnostic {
    /// What kind of mistake; `lastmeter explain CODE` describes it.
    pub code: Code,
    /// What is wrong, as a lower-case sentence without full stop.
    pub message: String,
    /// The place it is about.
    pub span: Span,
    /// What was expected there, beside the marked span.
    pub label: String,
    /// What to do about it.
    pub help: Option<String>,
}

/// The mistakes found so far. Reading goes on after a mistake, so that all come at once. Beside
/// them stand warnings: what makes sense and is odd. They are no mistakes, and count as none.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Diagnostics {
    list: Vec<Diagnostic>,
    warnings: Vec<Diagnostic>,
}

impl Diagnostics {
    /// An empty list.
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes a mistake.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.list.push(diagnostic);
    }

    /// Notes a mistake without help text.
    pub fn report(
        &mut self,
        code: Code,
        span: Span,
        message: impl Into<String>,
        label: impl Into<String>,
    ) {
        self.report_with_help(code, span, message, label, None);
    }

    /// Notes a mistake, with what to do about it.
    pub fn report_with_help(
        &mut self,
        code: Code,
        span: Span,
        message: impl Into<String>,
        label: impl Into<String>,
        help: Option<String>,
    ) {
        let (message, label) = (message.into(), label.into());
        self.list.push(Diagnostic { code, message, span, label, help });
    }

    /// Notes something odd that is no mistake; its code is a warning's.
    pub fn warn(&mut self, warning: Diagnostic) {
        debug_assert!(warning.code.is_warning(), "{} is printed as an error", warning.code);
        self.warnings.push(warning);
    }

    /// The warnings so far, ordered by place; none is left.
    pub fn take_warnings(&mut self) -> Vec<Diagnostic> {
        let mut warnings = std::mem::take(&mut self.warnings);
        warnings.sort_by_key(|warning| warning.span);
        warnings
    }

    /// Whether there is no mistake.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// How many mistakes there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// All mistakes, ordered by place. What was found again at one place, as of each member of a
    /// group whose tables are one in the file, is one mistake.
    pub fn into_sorted(mut self) -> Vec<Diagnostic> {
        self.list.sort_by_key(|diagnostic| diagnostic.span);
        self.list.dedup_by(|a, b| a == b);
        self.list
    }
}
