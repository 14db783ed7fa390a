//! Documents: what people and programs declare (specifications, sites, grants and so on), each a
//! JSON body under a token, with a version and its history.
//!
//! A kind is one row of [`KINDS`] (see [`crate::entity`]); stores, change and history are the same
//! for all of them.

use std::fmt;

use lastmeter_units::SimTime;
use serde_json::{Map, Value};

use crate::audit::Hash;
use crate::invocation::NewInvocation;
use crate::message::Message;

pub use crate::entity::{DocumentKind, FieldError, KINDS, Key, kind_of_code, kind_of_name};

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

impl Document {
    /// The members of its body.
    #[must_use]
    pub fn members(&self) -> Map<String, Value> {
        serde_json::from_str(&self.body).unwrap_or_default()
    }
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

impl Edit {
    /// A change of a document as it is, if nobody else changes it meanwhile.
    #[must_use]
    pub fn of(document: &Document, body: Option<Value>) -> Self {
        let expect = Expect::Version(document.version);
        Self { kind: document.kind, token: Some(document.token.clone()), expect, body }
    }
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
    /// What the platform itself raises with it: alerts of its own, devices that are registered.
    pub messages: Vec<Message>,
    /// What else belongs into the audit: a log-in, a denial, a reading of somebody's data.
    pub notes: Vec<Note>,
    /// What is answered if the request comes again.
    pub answer: Option<NewAnswer>,
    /// How far those have come who follow what is stored, and whose effects these are.
    pub cursors: Vec<Cursor>,
    /// Whether it may take of the room that is kept for administrators and for what takes rights
    /// away.
    pub reserve: bool,
}

impl Transaction {
    /// Changes of documents by a principal.
    #[must_use]
    pub fn of(by: String, edits: Vec<Edit>) -> Self {
        Self { by, edits, ..Self::default() }
    }
}

/// How far somebody has come who follows what is stored, and what they have to remember.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// Whose it is.
    pub name: String,
    /// Its content, in whatever form.
    pub value: Vec<u8>,
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
    pub body: NewAnswerBody,
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
pub enum NewAnswerBody {
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
