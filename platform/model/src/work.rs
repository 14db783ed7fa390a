//! What a store is given to do, in the order in which it is committed.
//!
//! Terms: a *delivery* is one durable journal entry on its way into the store; a *change* is what
//! the platform itself wants stored.

use bytes::Bytes;
use lastmeter_units::SimTime;

use crate::document::{Answer, Edited, Transaction, VersionConflict};
use crate::invocation::{InvocationId, NewInvocation};
use crate::message::Message;
use crate::refusal::RefusalRecord;

/// One thing for a store to do.
#[derive(Clone, Copy, Debug)]
pub enum Work<'a> {
    /// A durable journal entry.
    Delivery(&'a Delivery),
    /// Something the platform itself wants stored.
    Change(&'a Change),
    /// What is missing up to here has been reported: it is not looked for again.
    Settle {
        /// The last sequence of the journal that was acknowledged.
        committed: u64,
        /// Changes there ever were.
        changes: u64,
    },
}

/// A durable journal entry.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Its place in the journal.
    pub sequence: u64,
    /// When it arrived, by the platform's clock.
    pub received: SimTime,
    /// The topic it came on.
    pub topic: String,
    /// What it holds.
    pub body: Body,
    /// The message as it came, in case it is refused only now.
    pub content: Bytes,
}

/// What a journal entry holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// What keeps to its format: the messages it holds, at least one.
    Messages(Vec<Message>),
    /// What was refused before it was journalled.
    Refusal(RefusalRecord),
}

/// What the platform itself stores.
#[derive(Clone, Debug)]
pub enum Change {
    /// A new command invocation, `Pending`.
    Invoke(Box<NewInvocation>),
    /// It was handed to at least one subscriber.
    Sent(InvocationId, SimTime),
    /// It could not be handed over and never will be.
    Failed(InvocationId, SimTime, String),
    /// Nobody answered in time.
    Expire(InvocationId, SimTime),
    /// The driven clock's new time, so that a restart does not go back.
    Clock(SimTime),
    /// Documents, commands, audit rows and an answer, together.
    Apply(Box<Transaction>),
}

/// The answer to a change, after its commit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changed {
    /// The invocation that was made.
    pub invocation: Option<InvocationId>,
    /// Whether anything is different.
    pub changed: bool,
    /// The documents of a transaction, one for each edit.
    pub documents: Vec<Edited>,
    /// The invocations of a transaction, in their order.
    pub invocations: Vec<InvocationId>,
    /// Nothing of the transaction was done: a document is not as it was expected.
    pub conflict: Option<VersionConflict>,
    /// Nothing of the transaction was done: it would exceed this limit of the store.
    pub limit: Option<&'static str>,
    /// Nothing of the transaction was done: its request has been answered before.
    pub repeated: Option<Box<Answer>>,
}
