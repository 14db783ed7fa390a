//! Documents: what people and programs declare (specifications, sites, grants and so on), each a
//! JSON body under a token, with a version and its history.
//!
//! A kind is one row of [`KINDS`]; stores, change and history are the same for all of them.

use std::fmt;

use lastmeter_units::SimTime;
use serde_json::Value;

use crate::access::Kind;
use crate::audit::Hash;
use crate::invocation::NewInvocation;

/// A kind of document.
#[derive(Debug)]
pub struct DocumentKind {
    /// Its name, as tokens, audit rows and exports have it.
    pub name: &'static str,
    /// Its number in stores; never given to another kind.
    pub code: u8,
    /// What rights call it.
    pub resource: Kind,
    /// Whether all documents of it are held in memory while the tenant is open.
    pub is_resident: bool,
    /// Checks a body, and names the keys under which the document is found.
    pub check: fn(&Value) -> Result<Vec<Key>, FieldError>,
}

/// Every kind there is, one slice per file of kinds; a new one is a row.
pub static KINDS: &[&[DocumentKind]] = &[];

/// The kind with a code.
pub fn kind_of_code(code: u8) -> Option<&'static DocumentKind> {
    KINDS.iter().copied().flatten().find(|kind| kind.code == code)
}

/// The kind with a name.
pub fn kind_of_name(name: &str) -> Option<&'static DocumentKind> {
    KINDS.iter().copied().flatten().find(|kind| kind.name == name)
}

impl PartialEq for DocumentKind {
    fn eq(&self, other: &Self) -> bool {
        self.code == other.code
    }
}

impl Eq for DocumentKind {}

/// A secondary key: documents of a kind are listed by it. A key may have several values in one
/// document, and one value in several documents.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// What it is, such as `device` or `site`.
    pub name: &'static str,
    /// Its value.
    pub value: String,
}

/// Why a body is none of its kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {found}, expected {expected}")]
pub struct FieldError {
    /// The field, as `parameters[2].min`.
    pub field: String,
    /// What it has, or that it is missing.
    pub found: String,
    /// What it should have.
    pub expected: String,
}

/// A document in one version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// What it is.
    pub kind: &'static DocumentKind,
    /// Its token, unique within its kind for ever.
    pub token: String,
    /// From 1, one more with each change, its removal included.
    pub version: u64,
    /// When the first version was made.
    pub created: SimTime,
    /// When this version was made.
    pub changed: SimTime,
    /// The principal that made this version.
    pub by: String,
    /// Whether it has been removed; its body is the last one that it had.
    pub is_deleted: bool,
    /// JSON, members in the order of their names.
    pub body: String,
}

/// A change of one document.
#[derive(Clone, Debug, PartialEq)]
pub struct Edit {
    /// What it is.
    pub kind: &'static DocumentKind,
    /// Its token; `None` makes one, of a document that is new.
    pub token: Option<String>,
    /// What the document has to be before; otherwise nothing of the transaction is done.
    pub expect: Expect,
    /// The new body, which passed the kind's check; `None` removes the document.
    pub body: Option<Value>,
}

/// What a document has to be before a change of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// Anything.
    Anything,
    /// Not there, and it never was.
    New,
    /// There, in this version.
    Version(u64),
}

/// Changes that are done together or not at all, in one commit with their audit rows and their
/// answer.
#[derive(Clone, Debug, Default)]
pub struct Transaction {
    /// The principal.
    pub by: String,
    /// Documents, in order; each leaves an audit row.
    pub edits: Vec<Edit>,
    /// Commands, in order; each leaves an audit row.
    pub invocations: Vec<NewInvocation>,
    /// What else belongs into the audit: a log-in, a denial, a reading of somebody's data.
    pub notes: Vec<Note>,
    /// What is answered if the request comes again.
    pub answer: Option<NewAnswer>,
}

/// An audit row that no edit leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// What was done.
    pub action: String,
    /// What it was done to.
    pub resource: String,
    /// How it ended.
    pub outcome: String,
}

/// The answer to a request that may be repeated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAnswer {
    /// What identifies the request: the principal and the key that it gave.
    pub key: AnswerKey,
    /// Method, path and body of the request, hashed: a repetition has the same.
    pub request: Hash,
    /// HTTP status.
    pub status: u16,
    /// What was answered.
    pub gives: Given,
}

/// What identifies a request that may be repeated.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AnswerKey {
    /// The principal.
    pub by: String,
    /// What it gave as `Idempotency-Key`.
    pub key: String,
}

/// What was answered. A document or an invocation is rendered again for a repetition, so that
/// rights are asked again as for the first answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Given {
    /// The document of an edit of the transaction, by its index.
    Edited(usize),
    /// An invocation of the transaction, by its index.
    Invoked(usize),
    /// A text of at most [`ANSWER_BYTES_MAX`].
    Text(String),
    /// A secret, which is shown once and kept nowhere.
    Secret,
}

/// The longest text of an answer that is kept.
pub const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// A kept answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// What identifies the request.
    pub key: AnswerKey,
    /// Hash of the request.
    pub request: Hash,
    /// HTTP status.
    pub status: u16,
    /// When it was answered, by the tenant's clock.
    pub at: SimTime,
    /// What it was.
    pub body: AnswerBody,
}

/// What a kept answer was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AnswerBody {
    /// A version of a document: kind, token, version.
    Document(u8, String, u64),
    /// An invocation.
    Invocation(i64),
    /// A text.
    Text(String),
    /// A secret, which is not shown again.
    Secret,
}

/// A document that was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edited {
    /// Its token.
    pub token: String,
    /// Its version now.
    pub version: u64,
}

/// Why nothing of a transaction was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionConflict {
    /// The index of the edit.
    pub edit: usize,
    /// The version that there is; `None` if there is no such document, or it is removed.
    pub found: Option<u64>,
}

impl fmt::Display for VersionConflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.found {
            Some(version) => write!(f, "the document is there in version {version}"),
            None => f.write_str("there is no such document"),
        }
    }
}
