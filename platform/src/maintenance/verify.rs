//! What is stored of a tenant, held against what it has to be, while its platform does not run.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use lastmeter_model::audit::{Chain, ChainError, ChainHead, Verification};
use lastmeter_model::standing::Standing;
use lastmeter_store::{
    Damages, Readable, Rows, StoreError, StoreKind, StorePlace, StoreReader, StoreResult, Stretch,
};
use lastmeter_units::TenantName;
use serde::Serialize;

use super::DataFolder;
use crate::backup::{hex, rows};
use crate::database;
use crate::error::PlatformError;
use crate::folder::Places;
use crate::journal::{self, Found, RealDirectory, Survey};
use crate::losses::{LossKind, Losses};
use crate::process::blocking;
use crate::start::shortfalls;

/// Rows that are read at once.
const ROWS_AT_ONCE: u32 = 500;
/// Damaged rows of one table after which it is not looked at any further.
const DAMAGED_MAX: u32 = 100;

/// How much is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// The audit.
    Audit,
    /// Every row, the journal, the head and the audit.
    Everything,
}

/// What was looked at of a tenant, and what is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// The tenant.
    pub tenant: String,
    /// Rows of the store by their kind, as it counts them.
    pub rows: BTreeMap<String, u64>,
    /// The end of its audit.
    pub audit: AuditEnd,
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// Further damaged parts, which are not listed.
    pub further: u64,
    /// What is as it may be, and good to know.
    pub notes: Vec<String>,
}

/// The end of an audit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AuditEnd {
    /// Rows that fit.
    pub rows: u64,
    /// Hash of the last of them, hexadecimal.
    pub hash: String,
    /// Rows that the head knows of.
    pub head_rows: u64,
}

/// Something that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What it is: a kind of losses, or `audit_chain`.
    pub kind: String,
    /// Where.
    pub place: String,
    /// What was found, and what it means.
    pub detail: String,
}

impl Finding {
    fn of_chain(error: &ChainError) -> Self {
        let place = match error {
            ChainError::Number { expected, .. } => expected.to_string(),
            ChainError::Hash { number }
            | ChainError::Head { number }
            | ChainError::StatedHash { number } => number.to_string(),
            ChainError::Cut { expected: to, found } | ChainError::Stated { stated: to, found } => {
                format!("{}-{}", found.min(to) + 1, found.max(to))
            }
        };
        Self { kind: "audit_chain".to_owned(), place, detail: error.to_string() }
    }
}

impl DataFolder {
    /// Looks at a tenant; nothing of it is changed.
    ///
    /// # Errors
    /// If it cannot be opened or read; what is damaged within is a finding.
    pub async fn verify(
        &self,
        name: &TenantName,
        extent: Extent,
    ) -> Result<Verified, PlatformError> {
        let places = Places::of(name, &self.config);
        let head = journal::read_head(&places.head)
            .map_err(PlatformError::io("read the head", &places.head))?;
        let known = match head {
            Found::Facts(facts) => facts.audit,
            Found::Missing | Found::Unreadable => ChainHead::default(),
        };
        let damages = Arc::new(Damages::default());
        let place = StorePlace {
            database: database::of(&self.config.store, name)?,
            deadline: Duration::from_secs(self.config.limits.query_s),
            ..StorePlace::new(name.clone(), places.tenant.clone(), Arc::clone(&damages) as _)
        };
        let kind = self.config.store.kind()?;
        let content = blocking(move || open(kind, &place, extent)).await?;
        let Readable { reader, standing, .. } = content;
        if extent == Extent::Everything && kind.inspect.is_none() {
            look_in_order(&*reader, &standing, &damages).await?;
        }
        let (chain, error) = walk_audit(&*reader, standing.chain, known, &damages).await?;
        reader.close();
        let (mut findings, mut notes) = around(&places, head, &standing, extent)?;
        findings.extend(error.as_ref().map(Finding::of_chain));
        let (all, further) = damages.all();
        findings.extend(all.into_iter().map(|damage| Finding {
            kind: LossKind::DamagedStore.word().to_owned(),
            place: format!("{} {}", damage.part, damage.key),
            detail: damage.found,
        }));
        if known.count == 0 && chain.count > 0 {
            notes
                .push("the head has nothing of the audit yet; a cut end would not show".to_owned());
        }
        let audit = AuditEnd { rows: chain.count, hash: hex(&chain.hash), head_rows: known.count };
        let (tenant, rows) = (name.to_string(), rows(&standing));
        Ok(Verified { tenant, rows, audit, findings, further, notes })
    }
}

/// What lies around the store, held against it.
fn around(
    places: &Places,
    head: Found,
    standing: &Standing,
    extent: Extent,
) -> Result<(Vec<Finding>, Vec<String>), PlatformError> {
    let mut notes = Vec::new();
    let (count, open, unreadable) = Losses::look(&places.losses)
        .map_err(PlatformError::io("read the reports of losses", &places.losses))?;
    let is_audit = extent == Extent::Audit;
    let synced = match head {
        Found::Facts(facts) => facts.synced,
        Found::Missing | Found::Unreadable => 0,
    };
    let survey = if is_audit || !places.journal.is_dir() {
        let durable = synced.max(standing.journal_committed);
        Survey { durable, used: durable, ..Survey::default() }
    } else {
        let directory = RealDirectory::at(&places.journal);
        let looked = journal::look(&directory, standing.journal_committed, synced);
        looked.map_err(|error| PlatformError::Journal(Box::new(error)))?.0
    };
    let behind = survey.durable.saturating_sub(standing.journal_committed);
    if !is_audit && behind > 0 {
        notes.push(format!("the journal has {behind} entries more; the next start stores them"));
    }
    if open > 0 {
        notes.push(format!("{open} reports of losses have not been acknowledged"));
    }
    let all = shortfalls((&places.head, head), standing, &survey, (count, unreadable));
    // The walk along the chain shows where exactly.
    let is_shown = |kind: LossKind| match kind {
        LossKind::MissingAudit => false,
        LossKind::MissingHead => true,
        _ => !is_audit,
    };
    let shown = all.into_iter().filter(|(kind, ..)| is_shown(*kind));
    let finding = |(kind, place, detail): (LossKind, String, String)| Finding {
        kind: kind.word().to_owned(),
        place,
        detail,
    };
    Ok((shown.map(finding).collect(), notes))
}

/// Opens a store that has to be there for reading, and looks at all of it first if asked.
fn open(kind: &StoreKind, place: &StorePlace, extent: Extent) -> Result<Readable, PlatformError> {
    if let Some(database) = &place.database
        && !database.is_there()?
    {
        let found = format!("there is no {database}; name the settings of the platform");
        return Err(PlatformError::unusable(&place.folder, found));
    }
    if let Some(inspect) = kind.inspect.filter(|_| extent == Extent::Everything) {
        inspect(place)?;
    }
    Ok((kind.open_alone)(place)?)
}

/// Reads all rows that are numbered without gaps, of a store that does not look at itself.
async fn look_in_order(
    reader: &dyn StoreReader,
    standing: &Standing,
    damages: &Damages,
) -> Result<(), PlatformError> {
    let lists = [
        (standing.reading_floor, standing.readings),
        (standing.refusal_floor, standing.refusals),
        (standing.alert_floor, standing.alerts),
        (standing.result_floor, standing.results),
        (standing.block_floor, standing.blocks),
    ];
    for (part, (floor, total)) in lists.into_iter().enumerate() {
        let (mut after, mut damaged) = (floor, 0);
        while after < total && damaged < DAMAGED_MAX {
            let stretch = Stretch { after, limit: ROWS_AT_ONCE, last: total };
            let read: StoreResult<u64> = match part {
                0 => reader.readings(stretch).await.map(|read| read.rows.len() as u64),
                1 => reader.refusals(stretch).await.map(|read| read.rows.len() as u64),
                2 => reader.alerts(stretch).await.map(|read| read.rows.len() as u64),
                3 => reader.results(stretch).await.map(|read| read.rows.len() as u64),
                _ => reader.blocks(stretch).await.map(|read| read.rows.len() as u64),
            };
            match read {
                Ok(rows) => after += rows.max(1),
                Err(StoreError::DamagedPart(damage)) => {
                    damages.add(&damage);
                    (after, damaged) = (after + 1, damaged + 1);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(())
}

/// Walks along the chain of a store that keeps this of it: the chain as far as it fits, and where
/// it does not.
async fn walk_audit(
    reader: &dyn StoreReader,
    stated: Chain,
    head: ChainHead,
    damages: &Damages,
) -> Result<(Chain, Option<ChainError>), PlatformError> {
    let mut verification = Verification::new(head);
    while verification.chain().count < stated.count {
        let after = verification.chain().count;
        let stretch = Stretch { after, limit: ROWS_AT_ONCE, last: stated.count };
        match reader.audit(stretch).await {
            Ok(Rows { rows, .. }) if rows.is_empty() => break,
            Ok(Rows { rows, .. }) => {
                for (row, hash) in rows {
                    if let Err(error) = verification.row(&row, hash) {
                        return Ok((verification.chain(), Some(error)));
                    }
                }
            }
            Err(StoreError::DamagedPart(damage)) => {
                damages.add(&damage);
                break;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok((verification.chain(), verification.end_as(stated).err()))
}
