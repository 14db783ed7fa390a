//! Jobs of maintenance: each a document that has how it stands, so that every step is in the audit.
//! They are done one after the other. One that a stop interrupts is begun again at the next start,
//! and is such that doing it twice does no harm.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::Path;
use std::sync::Arc;

use lastmeter_model::access::{Principal, PrincipalRef};
use lastmeter_model::document::{Document, Edit, Transaction};
use lastmeter_model::entity::{Assignment, Body as _, Job, JobKind, JobState};
use lastmeter_model::refusal::shortened;
use lastmeter_model::standing::Standing;
use lastmeter_store::{Stretch, files};
use serde_json::{Value, json};

use super::Caller;
use super::assignments;
use super::documents::{self, Repeatable};
use crate::access::administrators;
use crate::backup::{self, Manifest};
use crate::identity;
use crate::ingest::NO_DOOR;
use crate::port::{Arrival, Verdict};
use crate::problem::{Problem, wrong};
use crate::tenant::Tenant;

/// Jobs that have not ended, at most.
const OPEN_MAX: usize = 16;
/// Backups that are kept beside the store.
const BACKUPS_MAX: usize = 16;
/// The folder of backups, in the tenant's.
const BACKUPS_FOLDER: &str = "backups";
/// Begins the names of those that jobs made; tokens alone may be `..`.
const BACKUP_PREFIX: &str = "job-";
/// The longest result, bytes.
const RESULT_BYTES_MAX: usize = 900;
/// Parameters of jobs.
const REFUSAL: &str = "refusal";
const ASSIGNMENT: &str = "assignment";
/// Whose changes of a job its steps are.
const BY: &str = "platform";

/// A job as it is asked for.
pub(crate) struct NewJob {
    pub(crate) token: Option<String>,
    pub(crate) kind: String,
    pub(crate) parameters: BTreeMap<String, String>,
}

/// What is to be done.
enum Task {
    Backup,
    /// Removal of what is kept no longer.
    Retention,
    /// A refusal, whose message is taken in again.
    Replay(u64),
    /// An assignment.
    End(String),
}

impl Task {
    /// That of a kind with its parameters: what is wrong, and what is expected.
    fn of(
        kind: Option<JobKind>,
        parameters: &BTreeMap<String, String>,
    ) -> Result<Self, (&'static str, &'static str)> {
        let only = |name: &str| parameters.keys().all(|given| given == name);
        let given = |name: &str| parameters.get(name).filter(|_| only(name));
        match kind {
            Some(JobKind::Backup) if parameters.is_empty() => Ok(Self::Backup),
            Some(JobKind::Retention) if parameters.is_empty() => Ok(Self::Retention),
            Some(JobKind::Backup | JobKind::Retention) => Err(("parameters", "expected none")),
            Some(JobKind::Replay) => {
                let number = given(REFUSAL).and_then(|text| text.parse().ok());
                let number = number.filter(|number| *number > 0);
                number
                    .map(Self::Replay)
                    .ok_or(("parameters", "expected `refusal` alone, the number of a refusal"))
            }
            Some(JobKind::AssignmentEnd) => given(ASSIGNMENT)
                .map(|token| Self::End(token.clone()))
                .ok_or(("parameters", "expected `assignment` alone, the token of one")),
            _ => Err(("kind", "expected `backup`, `retention`, `replay` or `assignment-end`")),
        }
    }
}

/// Makes a job, and has it done; it is durable when this returns.
pub(crate) async fn make(
    caller: &Caller,
    asked: NewJob,
    repeatable: Option<Repeatable>,
) -> Result<Value, Problem> {
    let NewJob { token, kind: word, parameters } = asked;
    let task = Task::of(JobKind::from_word(&word), &parameters);
    let task = task.map_err(|(field, expected)| wrong(field, expected))?;
    let body = json!({ "kind": word, "parameters": parameters, "state": JobState::Waiting });
    let kind_of_jobs = Job::kind();
    (kind_of_jobs.check)(&body)?;
    documents::permitted(caller, kind_of_jobs, token.as_deref().unwrap_or_default(), &body)?;
    if let Some(token) = &token {
        documents::check_token(kind_of_jobs, token)?;
    }
    if let Task::End(assignment) = &task {
        documents::one(caller, Assignment::kind(), assignment, None).await?;
    }
    if open(&caller.tenant).len() >= OPEN_MAX {
        let detail = format!("{OPEN_MAX} jobs have not ended; wait for them");
        return Err(Problem::conflict("too_many_jobs", detail));
    }
    let document = (token, body);
    let made = documents::make_with(caller, kind_of_jobs, document, repeatable, Vec::new()).await?;
    start(&caller.tenant, made.token.clone());
    Ok(documents::shown(&made))
}

/// Begins again what a stop interrupted.
pub(crate) fn resume(tenant: &Arc<Tenant>) {
    for token in open(tenant) {
        start(tenant, token);
    }
}

/// Jobs that have not ended, in the order in which they were made.
fn open(tenant: &Tenant) -> Vec<String> {
    let states = [JobState::Waiting, JobState::Running];
    let with = |state: JobState| tenant.documents.with_key(Job::kind(), "state", state.word());
    let mut open: Vec<Arc<Document>> = states.into_iter().flat_map(with).collect();
    open.sort_by(|one, other| (one.created, &one.token).cmp(&(other.created, &other.token)));
    open.into_iter().map(|document| document.token.clone()).collect()
}

fn start(tenant: &Arc<Tenant>, token: String) {
    let tenant = Arc::clone(tenant);
    tokio::spawn(async move {
        let _one_at_a_time = tenant.maintaining.lock().await;
        let job = tenant.documents.body::<Job>(&token);
        let Some(job) = job.filter(|job| !matches!(job.state, JobState::Done | JobState::Failed))
        else {
            return;
        };
        if set(&tenant, &token, JobState::Running, None).await.is_err() {
            return;
        }
        let (state, result) = match work(&tenant, &token, &job).await {
            Ok(result) => (JobState::Done, result),
            Err(why) => (JobState::Failed, why),
        };
        tracing::info!(token, state = state.word(), result, "a job of maintenance has ended");
        // Where this cannot be stored, the next start begins it again.
        let _ = set(&tenant, &token, state, Some(&result)).await;
    });
}

/// Has it stored how a job stands.
async fn set(
    tenant: &Tenant,
    token: &str,
    state: JobState,
    result: Option<&str>,
) -> Result<(), Problem> {
    let kind = Job::kind();
    let none = || documents::unknown(kind, token);
    let document = tenant.documents.find(kind, token).ok_or_else(none)?;
    let mut body = document.members();
    body.insert("state".to_owned(), json!(state));
    if let Some(result) = result {
        body.insert("result".to_owned(), json!(shortened(result, RESULT_BYTES_MAX)));
    }
    let edits = vec![Edit::of(&document, Some(body.into()))];
    let change = Transaction::of(BY.to_owned(), edits);
    let changed = tenant.apply(Transaction { reserve: true, ..change }).await?;
    changed.limit.map_or(Ok(()), |limit| Err(Problem::limit_reached(limit)))
}

/// What a job came to, or why it failed.
async fn work(tenant: &Arc<Tenant>, token: &str, job: &Job) -> Result<String, String> {
    let task = Task::of(Some(job.kind), &job.parameters.0);
    match task.map_err(|(field, expected)| format!("{field}: {expected}"))? {
        Task::Backup => back_up(tenant, token).await,
        Task::Retention => retain(tenant).await,
        Task::Replay(number) => replay(tenant, number).await,
        Task::End(assignment) => {
            let caller = maker(tenant, token).await?;
            let ended = assignments::end(&caller, &assignment).await;
            let document = ended.map_err(|problem| problem.detail().to_owned())?;
            Ok(format!("the assignment `{assignment}` ends in version {}", document.version))
        }
    }
}

fn words(error: impl Display) -> String {
    error.to_string()
}

/// Who made a job, with the rights of now.
async fn maker(tenant: &Arc<Tenant>, token: &str) -> Result<Caller, String> {
    let first = tenant.readers.permitted().document(Job::kind(), token.to_owned(), Some(1)).await;
    let by = first.map_err(words)?.map(|document| document.by).unwrap_or_default();
    let who: Vec<Principal> = match by.parse::<PrincipalRef>() {
        Ok(PrincipalRef::Bench) => administrators(&tenant.name),
        Ok(of) => identity::principal(tenant, &of).into_iter().collect(),
        Err(_) => Vec::new(),
    };
    if who.is_empty() {
        return Err(format!("`{by}`, who made the job, has no rights any more"));
    }
    Ok(Caller { tenant: Arc::clone(tenant), who: who.into() })
}

async fn retain(tenant: &Tenant) -> Result<String, String> {
    loop {
        let (standing, is_more) = tenant.tend().await.map_err(words)?;
        if !is_more {
            let Standing { reading_floor, alert_floor, refusal_floor, .. } = standing;
            let Standing { result_floor, block_floor, .. } = standing;
            return Ok(format!(
                "gone are the first {reading_floor} readings, {alert_floor} alerts, \
                 {refusal_floor} refusals, {result_floor} results and {block_floor} blocks"
            ));
        }
    }
}

async fn back_up(tenant: &Arc<Tenant>, token: &str) -> Result<String, String> {
    let folder = tenant.places.tenant.join(BACKUPS_FOLDER);
    let name = format!("{BACKUP_PREFIX}{token}");
    let (tenant, to) = (Arc::clone(tenant), folder.join(&name));
    let made = tokio::task::spawn_blocking(move || backed_up(&tenant, &folder, &to));
    let manifest = made.await.map_err(words)??;
    let count = |of: &str| manifest.rows.get(of).copied().unwrap_or_default();
    let (readings, audit) = (count("readings"), count("audit"));
    Ok(format!("{BACKUPS_FOLDER}/{name}: {readings} readings, {audit} rows of the audit"))
}

fn backed_up(tenant: &Tenant, folder: &Path, to: &Path) -> Result<Manifest, String> {
    // One that was made before a stop is whole, or is not there.
    if to.exists() {
        return backup::check(to).map_err(|error| error.in_full());
    }
    files::make_folder(folder).map_err(words)?;
    let entries = std::fs::read_dir(folder).map_err(words)?.flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    if names.filter(|name| name.starts_with(BACKUP_PREFIX)).count() >= BACKUPS_MAX {
        return Err(format!("there are {BACKUPS_MAX} backups in {BACKUPS_FOLDER}; move some away"));
    }
    backup::back_up(tenant, to).map_err(|error| error.in_full())
}

/// Takes in again what was refused; a reading with a number is stored once, however often.
async fn replay(tenant: &Tenant, number: u64) -> Result<String, String> {
    let last = tenant.progress.totals().refusals;
    let row = if number <= last {
        let stretch = Stretch { after: number - 1, limit: 1, last };
        tenant.readers.permitted().refusals(stretch).await.map_err(words)?.rows.pop()
    } else {
        None
    };
    let row = row.ok_or_else(|| format!("there is no refusal {number}; the last one is {last}"))?;
    let none = || format!("of refusal {number} (`{}`) no content is kept", row.reason);
    let payload = row.content.as_deref().ok_or_else(none)?.to_vec().into();
    let (sender, topic) = ("replay".to_owned(), row.topic.clone());
    let arrival = Arrival { door: NO_DOOR, sender, topic, payload, is_shared: false };
    match tenant.ingest.accept(arrival).await.map_err(words)? {
        Verdict::Stored => {
            tenant.barrier().await.map_err(words)?;
            Ok(format!("the message of refusal {number} is taken in"))
        }
        Verdict::Refused { reason, detail } => {
            Err(format!("it was refused again: {}: {detail}", reason.word()))
        }
    }
}
