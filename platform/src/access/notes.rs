//! What is written into a tenant's audit besides changes: log-ins, denials, and who read the data
//! of others. Nobody waits for it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lastmeter_model::access::{Action, Facts as _, Kind, Principal, PrincipalRef, Target};
use lastmeter_model::document::{Note, Transaction};
use lastmeter_model::work::Change;
use lastmeter_store::lock;
use lastmeter_units::HardwareId;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::journal::Journal;
use crate::pipeline::Job;
use crate::tenant::Tenant;

/// Denials of a principal that are written in a minute; of more of them the sum is.
const DENIALS_MAX: u32 = 20;
const MINUTE: Duration = Duration::from_mins(1);
/// Principals whose denials are counted.
const DENIED_MAX: usize = 1000;
/// Readings of others' data that are remembered as written.
const READS_MAX: usize = 100_000;
const DAY_NS: i64 = 86_400_000_000_000;

/// What is written, and what of it a short time ago.
#[derive(Default)]
pub(crate) struct Notes {
    denials: Mutex<BTreeMap<String, Denials>>,
    /// Day, reader and device.
    reads: Mutex<BTreeSet<(i64, String, HardwareId)>>,
}

/// Denials of a principal in a minute.
#[derive(Clone, Copy)]
struct Denials {
    began: Instant,
    count: u32,
}

impl Notes {
    /// Counts a denial; how many there were in its minute.
    fn count(&self, who: &str) -> u32 {
        let mut all = lock(&self.denials);
        let now = Instant::now();
        let is_over = |denials: &Denials| now.duration_since(denials.began) >= MINUTE;
        if all.len() >= DENIED_MAX && !all.contains_key(who) {
            all.retain(|_, denials| !is_over(denials));
        }
        let who = if all.len() < DENIED_MAX || all.contains_key(who) { who } else { "others" };
        let denials = all.entry(who.to_owned()).or_insert(Denials { began: now, count: 0 });
        if is_over(denials) {
            *denials = Denials { began: now, count: 0 };
        }
        denials.count += 1;
        denials.count
    }

    /// Ends the minute of a principal; how many denials there were beyond those that were written.
    fn beyond(&self, who: &str) -> u32 {
        let ended = lock(&self.denials).remove(who);
        ended.map_or(0, |denials| denials.count.saturating_sub(DENIALS_MAX))
    }
}

/// Writes a note into the audit of a tenant.
pub(crate) fn write(tenant: &Tenant, by: String, note: Note) {
    let journal = tenant.journal.clone();
    tokio::spawn(async move { pass(&journal, by, note).await });
}

async fn pass(journal: &Journal, by: String, note: Note) {
    let (reply, done) = oneshot::channel();
    let transaction = Transaction { by, notes: vec![note], ..Transaction::default() };
    // What cannot be written any more was so at the end of the platform.
    if journal.pass(Job::Change(Change::Apply(Box::new(transaction)), reply)).await.is_ok() {
        let _ = done.await;
    }
}

/// Writes that somebody may not do something.
pub(crate) fn denied(tenant: &Arc<Tenant>, by: &str, [action, resource]: [&str; 2]) {
    let note = |outcome: String| Note {
        action: action.to_owned(),
        resource: resource.to_owned(),
        outcome,
    };
    let count = tenant.notes.count(by);
    if count <= DENIALS_MAX {
        write(tenant, by.to_owned(), note("denied".to_owned()));
    }
    if count == DENIALS_MAX + 1 {
        let (weak, by) = (Arc::downgrade(tenant), by.to_owned());
        tokio::spawn(async move {
            // Nothing else ends a minute.
            let _ = tokio::time::timeout(MINUTE, std::future::pending::<()>()).await;
            let Some(tenant) = weak.upgrade() else { return };
            let outcome = format!("{} more denied", tenant.notes.beyond(&by));
            let (action, resource) = ("denied".to_owned(), by.clone());
            write(&tenant, by, Note { action, resource, outcome });
        });
    }
}

/// Writes, once a day, that somebody reads what a device of others measured.
pub(crate) fn read(tenant: &Tenant, who: &Principal, device: &HardwareId) {
    if matches!(who.reference, PrincipalRef::Bench | PrincipalRef::Anonymous) {
        return;
    }
    let by = who.reference.to_string();
    let day = tenant.clock.now().0.div_euclid(DAY_NS);
    let one = (day, by.clone(), device.clone());
    if lock(&tenant.notes.reads).contains(&one) {
        return;
    }
    let tenures = tenant.facts().tenures(&Target::Device(device.clone()));
    let mut owners = tenures.iter().filter_map(|tenure| tenure.owner.as_ref());
    if !owners.any(|owner| *owner != who.reference) {
        return;
    }
    let mut reads = lock(&tenant.notes.reads);
    if reads.len() >= READS_MAX {
        reads.retain(|(of, ..)| *of == day);
    }
    let is_new = reads.len() >= READS_MAX || reads.insert(one);
    drop(reads);
    if is_new {
        let resource = Target::Device(device.clone()).to_string();
        let (action, outcome) = ("read".to_owned(), "done".to_owned());
        write(tenant, by, Note { action, resource, outcome });
    }
}

/// Whether reading is of what a device measured.
pub(crate) fn is_of_data(action: Action, kind: Kind) -> bool {
    let is_data = matches!(
        kind,
        Kind::Series | Kind::Latest | Kind::Alert | Kind::Location | Kind::Export | Kind::Live
    );
    action == Action::Read && is_data
}
