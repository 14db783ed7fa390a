//! Transactions: documents and their versions, commands, audit rows and the kept answer, done
//! together or not at all.
//!
//! Versions of a document count from 1 without gaps, its removal being one of them. The token of a
//! removed document is not given again. A body that is there already makes no version.

use std::collections::BTreeMap;

use bytes::Bytes;
use lastmeter_units::{SimDuration, SimTime};
use sha2::{Digest, Sha256};

use super::Deciding;
use super::seam::{Batch, Effect, Found, NewVersion};
use crate::audit::{AuditRow, Hash};
use crate::document::{
    Answer, AnswerBody, Document, Edit, Edited, Expect, Key, NewAnswer, NewAnswerBody, Note,
    Transaction, VersionConflict,
};
use crate::refusal::{REFUSAL_TEXT_BYTES_MAX, shortened};
use crate::token::entity_token;
use crate::work::{Body, Changed, Delivery};

/// Documents of a tenant, removed ones included.
pub const DOCUMENTS_MAX: u64 = 1_000_000;
/// Bytes of all versions of its documents.
pub const DOCUMENT_BYTES_MAX: u64 = 1 << 30;
/// Of both, one part in so many is for transactions of [`Transaction::reserve`] alone.
const RESERVE: u64 = 10;
/// Answers that are kept of one principal.
pub const ANSWERS_MAX: u32 = 10_000;
/// How long an answer is kept, by the tenant's clock.
pub const ANSWER_AGE_MAX: SimDuration = SimDuration(24 * 3_600_000_000_000);
/// Old answers that one transaction removes.
const ANSWERS_REMOVED_MAX: u32 = 16;
/// How everything ends that is done.
const DONE: &str = "done";

/// A transaction that can be done.
#[derive(Default)]
struct Plan {
    /// One for each edit.
    edited: Vec<Edited>,
    steps: Vec<Step>,
    /// Tokens that were made.
    tokens: u64,
    documents: u64,
    bytes: u64,
}

/// A new version of a document.
struct Step {
    document: Document,
    keys: Vec<Key>,
    before: Option<Hash>,
}

/// Why nothing of a transaction is done.
enum Refused {
    Conflict(VersionConflict),
    Limit(&'static str),
}

impl<B: Batch + ?Sized> Deciding<'_, B> {
    pub(super) fn apply(&mut self, transaction: &Transaction) -> Result<Changed, B::Error> {
        if let Some(answer) = self.answered(transaction.answer.as_ref())? {
            return Ok(Changed { repeated: Some(Box::new(answer)), ..Changed::default() });
        }
        let plan = match self.plan(transaction)? {
            Ok(plan) => plan,
            Err(Refused::Conflict(conflict)) => {
                return Ok(Changed { conflict: Some(conflict), ..Changed::default() });
            }
            Err(Refused::Limit(limit)) => {
                return Ok(Changed { limit: Some(limit), ..Changed::default() });
            }
        };
        let is_known = |asked: &crate::invocation::NewInvocation| self.device_of(asked.device);
        if !transaction.invocations.iter().all(|asked| is_known(asked).is_some()) {
            return Ok(Changed::default());
        }
        let changed = !plan.steps.is_empty()
            || !transaction.invocations.is_empty()
            || !transaction.messages.is_empty();
        let documents = self.carry_out(plan, &transaction.by)?;
        let mut invocations = Vec::new();
        for asked in &transaction.invocations {
            let Some(id) = self.invoke(asked)?.invocation else { continue };
            invocations.push(id);
            let done = ["command", &format!("invocation:{id}"), DONE];
            self.audit(&transaction.by, done, [None, None])?;
        }
        for message in &transaction.messages {
            let (topic, content, body) = (String::new(), Bytes::new(), Body::Messages(Vec::new()));
            let delivery = Delivery { sequence: 0, received: self.commit, topic, body, content };
            // It has no number and answers nothing, so nothing is refused.
            drop(self.store(message, &delivery)?);
        }
        for Note { action, resource, outcome } in &transaction.notes {
            self.audit(&transaction.by, [action, resource, outcome], [None, None])?;
        }
        for cursor in &transaction.cursors {
            self.batch.put(Effect::Cursor(cursor))?;
        }
        let changed = Changed { changed, documents, invocations, ..Changed::default() };
        if let Some(answer) = &transaction.answer {
            self.answer(answer, transaction, &changed)?;
        }
        Ok(changed)
    }

    /// The instant from which on answers are kept.
    fn answers_end(&self) -> SimTime {
        SimTime(self.commit.0.saturating_sub(ANSWER_AGE_MAX.0))
    }

    /// What a request was answered with before.
    fn answered(&mut self, new: Option<&NewAnswer>) -> Result<Option<Answer>, B::Error> {
        let Some(new) = new else { return Ok(None) };
        let known = self.batch.answer(&new.key)?.sound();
        Ok(known.filter(|answer| answer.at > self.answers_end()))
    }

    /// Checks all edits, each after those before it.
    fn plan(&mut self, transaction: &Transaction) -> Result<Result<Plan, Refused>, B::Error> {
        let mut plan = Plan::default();
        let mut changed: BTreeMap<(u8, String), Document> = BTreeMap::new();
        for (index, edit) in transaction.edits.iter().enumerate() {
            let token = self.token(edit, &mut plan.tokens, &changed)?;
            let found = match changed.get(&(edit.kind.code, token.clone())) {
                Some(document) => Found::Sound(document.clone()),
                None => self.batch.document(edit.kind, &token)?,
            };
            let current = match as_expected(edit, found) {
                Ok(current) => current,
                Err(found) => {
                    return Ok(Err(Refused::Conflict(VersionConflict { edit: index, found })));
                }
            };
            let body = edit.body.as_ref().map(ToString::to_string);
            let there = current.as_ref().filter(|document| !document.is_deleted);
            if there.map(|document| &document.body) == body.as_ref() {
                let version = current.map_or(0, |document| document.version);
                plan.edited.push(Edited { token, version });
                continue;
            }
            let step = self.step((edit, &transaction.by), token, body, current);
            plan.documents += u64::from(step.document.version == 1);
            plan.bytes += step.document.body.len() as u64;
            let Edited { token, version } = step.edited();
            changed.insert((edit.kind.code, token.clone()), step.document.clone());
            plan.edited.push(Edited { token, version });
            plan.steps.push(step);
        }
        let standing = self.standing();
        let is_removal = plan.steps.iter().all(|step| step.document.is_deleted);
        let room = |most: u64| if transaction.reserve { most } else { most - most / RESERVE };
        let (documents, bytes) =
            (standing.documents + plan.documents, standing.document_bytes + plan.bytes);
        Ok(if documents > room(DOCUMENTS_MAX) && plan.documents > 0 {
            Err(Refused::Limit("documents"))
        } else if bytes > room(DOCUMENT_BYTES_MAX) && !is_removal {
            Err(Refused::Limit("document_bytes"))
        } else {
            Ok(plan)
        })
    }

    /// The token of an edit, made here if it gives none.
    fn token(
        &mut self,
        edit: &Edit,
        made: &mut u64,
        changed: &BTreeMap<(u8, String), Document>,
    ) -> Result<String, B::Error> {
        if let Some(token) = &edit.token {
            return Ok(token.clone());
        }
        loop {
            *made += 1;
            let number = self.standing().tokens + *made;
            let token = entity_token(&self.decider.tenant, edit.kind.name, number);
            // Somebody may have given the next one as their own.
            let is_stored = self.batch.document(edit.kind, &token)? != Found::Absent;
            if !is_stored && !changed.contains_key(&(edit.kind.code, token.clone())) {
                return Ok(token);
            }
        }
    }

    fn step(
        &self,
        (edit, by): (&Edit, &str),
        token: String,
        body: Option<String>,
        current: Option<Document>,
    ) -> Step {
        // Whoever made the edit has checked its body.
        let keys = edit.body.as_ref().and_then(|body| (edit.kind.check)(body).ok());
        let mut keys = keys.unwrap_or_default();
        keys.sort_unstable();
        keys.dedup();
        let before = current.as_ref().map(|current| hash(&current.body));
        let (version, created) =
            current.as_ref().map_or((0, self.commit), |current| (current.version, current.created));
        let is_deleted = body.is_none();
        let body = body.or(current.map(|current| current.body)).unwrap_or_default();
        let document = Document {
            kind: edit.kind,
            token,
            version: version + 1,
            created,
            changed: self.commit,
            by: by.to_owned(),
            is_deleted,
            body,
        };
        Step { document, keys, before }
    }

    /// Writes the versions of a plan, each with its audit row.
    fn carry_out(&mut self, plan: Plan, by: &str) -> Result<Vec<Edited>, B::Error> {
        let standing = self.standing();
        standing.documents += plan.documents;
        standing.document_bytes += plan.bytes;
        standing.tokens += plan.tokens;
        for Step { document, keys, before } in plan.steps {
            self.standing().versions += 1;
            let number = self.standing().versions;
            let version = NewVersion { number, document: &document, keys: &keys };
            self.batch.put(Effect::Document(version))?;
            let after = (!document.is_deleted).then(|| hash(&document.body));
            let action = match (document.version, document.is_deleted) {
                (1, _) => "make",
                (_, false) => "change",
                (_, true) => "remove",
            };
            let resource = format!("{}:{}", document.kind.name, document.token);
            self.audit(by, [action, &resource, DONE], [before, after])?;
            self.so_far.documents.push((document, keys));
        }
        Ok(plan.edited)
    }

    fn audit(
        &mut self,
        who: &str,
        what: [&str; 3],
        [before, after]: [Option<Hash>; 2],
    ) -> Result<(), B::Error> {
        let at = self.commit;
        let [action, resource, outcome] = what.map(|text| shortened(text, REFUSAL_TEXT_BYTES_MAX));
        let chain = &mut self.standing().chain;
        let (number, who) = (chain.count + 1, who.to_owned());
        let row = AuditRow { number, at, who, action, resource, before, after, outcome };
        let hash = chain.append(&row);
        self.batch.put(Effect::Audit(&row, hash)).map(drop)
    }

    /// Keeps the answer, and a few of the old ones no longer.
    fn answer(
        &mut self,
        new: &NewAnswer,
        transaction: &Transaction,
        changed: &Changed,
    ) -> Result<(), B::Error> {
        let body = match &new.body {
            NewAnswerBody::Edited(index) => {
                let edited = changed.documents.get(*index).zip(transaction.edits.get(*index));
                edited.map(|(document, edit)| {
                    let Edited { token, version } = document.clone();
                    AnswerBody::Document(edit.kind.code, token, version)
                })
            }
            NewAnswerBody::Invoked(index) => {
                changed.invocations.get(*index).map(|id| AnswerBody::Invocation(id.0))
            }
            NewAnswerBody::Text(text) => Some(AnswerBody::Text(text.clone())),
            NewAnswerBody::Secret => Some(AnswerBody::Secret),
        };
        let Some(body) = body else { return Ok(()) };
        let (key, request, status) = (new.key.clone(), new.request, new.status);
        let answer = Answer { key, request, status, at: self.commit, body };
        self.standing().answers += 1;
        let number = self.standing().answers;
        self.batch.put(Effect::Answer(number, &answer))?;
        let of = (answer.key.by.as_str(), ANSWERS_MAX);
        for old in self.batch.old_answers(self.answers_end(), of, ANSWERS_REMOVED_MAX)? {
            self.batch.put(Effect::AnswerGone(&old))?;
        }
        Ok(())
    }
}

impl Step {
    fn edited(&self) -> Edited {
        Edited { token: self.document.token.clone(), version: self.document.version }
    }
}

/// What an edit changes, if that is as it expects; otherwise the version that is there.
fn as_expected(edit: &Edit, found: Found<Document>) -> Result<Option<Document>, Option<u64>> {
    let current = match found {
        Found::Sound(document) => Some(document),
        Found::Absent => None,
        // It has been reported; nothing is put on top of it.
        Found::Damaged => return Err(None),
    };
    let there = current.as_ref().filter(|document| !document.is_deleted);
    let version = there.map(|document| document.version);
    let is_expected = match edit.expect {
        // What was removed is not made again; removing it once more changes nothing.
        Expect::Anything => current.is_none() || there.is_some() || edit.body.is_none(),
        Expect::New => current.is_none(),
        Expect::Version(expected) => version == Some(expected),
    };
    if is_expected { Ok(current) } else { Err(version) }
}

fn hash(body: &str) -> Hash {
    Sha256::digest(body).into()
}
