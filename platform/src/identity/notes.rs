//! What is written into a tenant's audit besides changes: log-ins, denials, and who read the data
//! of others. Nobody waits for it.

use std::sync::Arc;

use lastmeter_model::access::{Action, Facts as _, Kind, Principal, PrincipalRef, Target};
use lastmeter_model::document::{Note, Transaction};
use lastmeter_model::work::Change;
use lastmeter_units::HardwareId;
use tokio::sync::oneshot;

use crate::access::{DENIALS_MAX, MINUTE};
use crate::journal::Journal;
use crate::pipeline::Job;
use crate::tenant::Tenant;

const DAY_NS: i64 = 86_400_000_000_000;

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
    if tenant.notes.has_reading(&one) {
        return;
    }
    let tenures = tenant.facts().tenures(&Target::Device(device.clone()));
    let mut owners = tenures.iter().filter_map(|tenure| tenure.owner.as_ref());
    if !owners.any(|owner| *owner != who.reference) {
        return;
    }
    if tenant.notes.add_reading(one) {
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
