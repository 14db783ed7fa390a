//! A tenant as files that any store takes: its documents, devices, readings, alerts, results and
//! blocks, and such files taken in, each row once however often that is done.

mod numbered;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, BufWriter, Read as _, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use lastmeter_model::access::Permit;
use lastmeter_model::consistency::consistency;
use lastmeter_model::document::{Document, Edit, Expect, KINDS, Transaction, kind_of_name};
use lastmeter_model::entity::{
    Batch, BatchElements, Body as _, DeviceRoute, FieldNetwork, FirmwareImage, FirmwareTransfer,
    Job,
};
use lastmeter_model::message::{Message, MessageBody};
use lastmeter_model::row::{AlertRow, ReadingRow};
use lastmeter_model::token::validate_token;
use lastmeter_store::{Rows, StoreResult, Stretch, files};
use lastmeter_units::{HardwareId, SimTime, TenantName};
use lastmeter_wire::flexmeter::{self, Request as Wire};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::DataFolder;
use crate::error::PlatformError;
use crate::ops::transfer::{
    CSV_HEAD, CsvReadings, Imported, Line, ROWS_AT_ONCE, alert_of, csv_lines, message_of,
    store_messages,
};
use crate::problem::Problem;
use crate::tenant::Tenant;

const DOCUMENTS: &str = "documents.jsonl";
const DEVICES: &str = "devices.jsonl";
const READINGS: &str = "readings.jsonl";
const READINGS_CSV: &str = "readings.csv";
const ALERTS: &str = "alerts.jsonl";
const RESULTS: &str = "results.jsonl";
const BLOCKS: &str = "blocks.jsonl";
/// Kinds of documents that are about what one platform was doing, and images, whose bytes are not
/// in an export.
const OWN_KINDS: [u8; 6] = [
    Batch::CODE,
    BatchElements::CODE,
    DeviceRoute::CODE,
    Job::CODE,
    FirmwareImage::CODE,
    FirmwareTransfer::CODE,
];
/// The longest line that is taken, bytes: that of the largest document.
const LINE_BYTES_MAX: u64 = 4 << 20;
/// Lines and bytes of messages that are taken together. Alerts have no numbers: for each such part
/// all that are stored are looked through.
const PART_LINES: usize = 10_000;
const PART_BYTES: usize = 16 << 20;
/// Documents or devices in one commit.
const TOGETHER_MAX: usize = 100;
/// Refusals that are listed.
const LISTED_MAX: usize = 20;
/// Who makes what an import takes in, in its audit.
const BY: &str = "import";

/// What was exported or imported, by file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Transferred {
    /// Rows that were written or stored.
    pub rows: BTreeMap<String, u64>,
    /// Rows of an import that were there already.
    pub repeated: u64,
    /// Rows of an import that were refused.
    pub refused: u64,
    /// The first of them.
    pub refusals: Vec<RefusedRow>,
}

/// A row of an import that was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RefusedRow {
    /// The file, with the line or what it is.
    pub place: String,
    /// What was found, or what stands in its way.
    pub why: String,
}

/// A line of documents.
#[derive(Serialize, Deserialize)]
struct DocumentLine {
    kind: String,
    token: String,
    version: u64,
    created: SimTime,
    changed: SimTime,
    by: String,
    body: Value,
}

/// A line of devices.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct DeviceLine {
    hardware_id: HardwareId,
    created: SimTime,
}

/// A file of an export while it is written.
struct Out {
    path: PathBuf,
    file: BufWriter<File>,
    rows: u64,
}

impl Out {
    fn create(folder: &Path, name: &str) -> Result<Self, PlatformError> {
        let path = folder.join(name);
        let file = files::private().create_new(true).write(true).open(&path);
        let file = file.map_err(PlatformError::io("make a file of the export", &path))?;
        Ok(Self { path, file: BufWriter::new(file), rows: 0 })
    }

    fn row(&mut self, lines: &[u8]) -> Result<(), PlatformError> {
        self.rows += 1;
        self.write(lines)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), PlatformError> {
        let written = self.file.write_all(bytes);
        written.map_err(PlatformError::io("write the export", &self.path))
    }

    /// Makes it durable; how many rows it has.
    fn end(mut self) -> Result<u64, PlatformError> {
        let ended = self.file.flush().and_then(|()| self.file.get_ref().sync_all());
        ended.map_err(PlatformError::io("write the export", &self.path))?;
        Ok(self.rows)
    }
}

fn line_of(row: &impl Serialize) -> Vec<u8> {
    // A structure of texts, numbers and JSON is JSON.
    let mut line = serde_json::to_vec(row).unwrap_or_default();
    line.push(b'\n');
    line
}

/// A message as a line, with when it came, which no reader of messages minds.
fn message_line(message: &Wire, received: SimTime) -> Vec<u8> {
    let mut line = Vec::new();
    flexmeter::encode(message, &mut line);
    with_received(line, received)
}

/// An object as a line, with when it came.
fn with_received(mut line: Vec<u8>, received: SimTime) -> Vec<u8> {
    line.pop();
    line.extend(format!(",\"received\":{}}}\n", json!(received)).into_bytes());
    line
}

impl DataFolder {
    /// Writes the documents, devices, readings, alerts, results and blocks of a tenant into a
    /// folder, which is made or is empty. What its journal has and its store has not is stored
    /// before.
    ///
    /// # Errors
    /// If the tenant cannot be started or read, or the folder not be written.
    pub async fn export(
        &self,
        name: &TenantName,
        to: &Path,
        is_csv: bool,
    ) -> Result<Transferred, PlatformError> {
        files::make_folder(to).map_err(PlatformError::io("make the folder of the export", to))?;
        let first = std::fs::read_dir(to).map(|mut entries| entries.next().is_some());
        if first.map_err(PlatformError::io("read the folder of the export", to))? {
            let found = "it is not empty; name a folder that is, or is not there";
            return Err(PlatformError::unusable(to, found));
        }
        self.with(name, async |tenant| {
            let mut rows = BTreeMap::new();
            let mut done = |name: &str, count| rows.insert(name.to_owned(), count);
            done(DOCUMENTS, documents_out(tenant, Out::create(to, DOCUMENTS)?)?);
            done(DEVICES, devices_out(tenant, Out::create(to, DEVICES)?)?);
            let name = if is_csv { READINGS_CSV } else { READINGS };
            done(name, readings_out(tenant, Out::create(to, name)?, is_csv).await?);
            done(ALERTS, alerts_out(tenant, Out::create(to, ALERTS)?).await?);
            done(RESULTS, numbered::results_out(tenant, Out::create(to, RESULTS)?).await?);
            done(BLOCKS, numbered::blocks_out(tenant, Out::create(to, BLOCKS)?).await?);
            Ok(Transferred { rows, ..Transferred::default() })
        })
        .await
    }

    /// Takes in what an export wrote: a file that is missing is left out, and a row that is there
    /// already too, so that doing it twice changes nothing.
    ///
    /// # Errors
    /// If the tenant cannot be started, a file not be read, or nothing be stored.
    pub async fn import(
        &self,
        name: &TenantName,
        from: &Path,
    ) -> Result<Transferred, PlatformError> {
        let all = [DOCUMENTS, DEVICES, READINGS, READINGS_CSV, ALERTS, RESULTS, BLOCKS];
        if !all.iter().any(|name| from.join(name).is_file()) {
            let found = all.join(", ");
            let found = format!("none of {found} is there; name the folder of an export");
            return Err(PlatformError::unusable(from, found));
        }
        self.with(name, async |tenant| {
            let mut done = Transferred::default();
            if let Some(lines) = Lines::open(from, DOCUMENTS)? {
                documents_in(tenant, lines, &mut done).await?;
            }
            if let Some(lines) = Lines::open(from, DEVICES)? {
                devices_in(tenant, lines, &mut done).await?;
            }
            for name in [READINGS, ALERTS] {
                if let Some(lines) = Lines::open(from, name)? {
                    messages_in(tenant, (from, name), lines, &mut done).await?;
                }
            }
            let path = from.join(READINGS_CSV);
            if path.is_file() {
                let io = PlatformError::io("open a file of the export", &path);
                let table = BufReader::new(File::open(&path).map_err(io)?);
                let wrong = |(line, found): (u64, String)| {
                    let found = format!("line {line}: {found}; what stands before it is stored");
                    PlatformError::unusable(&path, found)
                };
                let lines = CsvReadings::new(table).map_err(wrong)?;
                let lines = lines.map(|line| line.map_err(wrong));
                messages_in(tenant, (from, READINGS_CSV), lines, &mut done).await?;
            }
            for list in [&numbered::RESULTS, &numbered::BLOCKS] {
                if let Some(lines) = Lines::open(from, list.file)? {
                    numbered::lines_in(tenant, list, lines, &mut done).await?;
                }
            }
            Ok(done)
        })
        .await
    }
}

fn documents_out(tenant: &Tenant, mut out: Out) -> Result<u64, PlatformError> {
    let kinds = KINDS.iter().copied().flatten();
    for kind in kinds.filter(|kind| kind.is_resident && !OWN_KINDS.contains(&kind.code)) {
        for document in tenant.documents.all(kind) {
            let Document { token, version, created, changed, by, .. } = &*document;
            let line = DocumentLine {
                kind: kind.name.to_owned(),
                token: token.clone(),
                version: *version,
                created: *created,
                changed: *changed,
                by: by.clone(),
                body: exported(&document),
            };
            out.row(&line_of(&line))?;
        }
    }
    out.end()
}

/// The body of a document but for the key of a network: that opens nothing under another
/// platform's, and is nobody else's.
fn exported(document: &Document) -> Value {
    let mut members = document.members();
    if document.kind.code == FieldNetwork::CODE {
        members.remove("sealedKey");
    }
    members.into()
}

fn devices_out(tenant: &Tenant, mut out: Out) -> Result<u64, PlatformError> {
    for row in 1..=tenant.devices.count() as i64 {
        if let Some(device) = tenant.devices.device(row) {
            let (hardware_id, created) = (device.hardware_id, device.created);
            out.row(&line_of(&DeviceLine { hardware_id, created }))?;
        }
    }
    out.end()
}

async fn readings_out(tenant: &Tenant, mut out: Out, is_csv: bool) -> Result<u64, PlatformError> {
    if is_csv {
        out.write(format!("{CSV_HEAD},received\n").as_bytes())?;
    }
    let (store, last) = (tenant.readers.permitted(), tenant.progress.totals().readings);
    let line = |row: ReadingRow| {
        let lines = if is_csv {
            csv_lines(&row, &format!(",{}", row.received)).into_bytes()
        } else {
            message_line(&Wire::Measurements(message_of(&row)), row.received)
        };
        (row.sequence, lines)
    };
    rows_out((out, last), async |stretch| store.readings(stretch).await, line).await
}

async fn alerts_out(tenant: &Tenant, out: Out) -> Result<u64, PlatformError> {
    let (store, last) = (tenant.readers.permitted(), tenant.progress.totals().alerts);
    let line = |row: AlertRow| {
        let (sequence, received) = (row.sequence, row.received);
        (sequence, message_line(&Wire::Alert(alert_of(row)), received))
    };
    rows_out((out, last), async |stretch| store.alerts(stretch).await, line).await
}

/// Writes the rows of a list up to the last, each as its lines, which come with its sequence.
async fn rows_out<R>(
    (mut out, last): (Out, u64),
    read: impl AsyncFn(Stretch) -> StoreResult<Rows<R>>,
    line: impl Fn(R) -> (u64, Vec<u8>),
) -> Result<u64, PlatformError> {
    let mut after = 0;
    while after < last {
        let Rows { rows, .. } = read(Stretch { after, limit: ROWS_AT_ONCE, last }).await?;
        if rows.is_empty() {
            // None of them is kept any more.
            break;
        }
        for (sequence, lines) in rows.into_iter().map(&line) {
            after = sequence;
            out.row(&lines)?;
        }
    }
    out.end()
}

/// The lines of a file, from 1.
struct Lines {
    path: PathBuf,
    file: BufReader<File>,
    at: u64,
}

impl Lines {
    fn open(folder: &Path, name: &str) -> Result<Option<Self>, PlatformError> {
        let path = folder.join(name);
        match File::open(&path) {
            Ok(file) => Ok(Some(Self { path, file: BufReader::new(file), at: 0 })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(PlatformError::io("open a file of the export", &path)(error)),
        }
    }

    fn read(&mut self) -> Result<Option<Line>, PlatformError> {
        let mut line = Vec::new();
        let io = PlatformError::io("read a file of the export", &self.path);
        let mut limited = self.file.by_ref().take(LINE_BYTES_MAX);
        let count = limited.read_until(b'\n', &mut line).map_err(io)?;
        self.at += 1;
        if count as u64 == LINE_BYTES_MAX && line.last() != Some(&b'\n') {
            let found = format!("line {} is longer than {LINE_BYTES_MAX} bytes", self.at);
            return Err(PlatformError::unusable(&self.path, found));
        }
        Ok((count > 0).then(|| (self.at, Bytes::from(line.trim_ascii().to_vec()))))
    }
}

impl Iterator for Lines {
    type Item = Result<Line, PlatformError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.read().transpose()? {
                Ok((_, line)) if line.is_empty() => {}
                read => return Some(read),
            }
        }
    }
}

fn in_line(file: &str, line: u64) -> String {
    format!("{file}, line {line}")
}

impl Transferred {
    fn refuse(&mut self, place: String, why: String) {
        self.refused += 1;
        if self.refusals.len() < LISTED_MAX {
            self.refusals.push(RefusedRow { place, why });
        }
    }

    fn count(&mut self, file: &str, rows: u64) {
        *self.rows.entry(file.to_owned()).or_default() += rows;
    }

    fn add(&mut self, file: &str, imported: Imported) {
        self.count(file, imported.stored);
        self.repeated += imported.repeated;
        let listed = imported.refusals.len() as u64;
        for one in imported.refusals {
            let place = in_line(file, one.line);
            self.refuse(place, format!("{}: {}", one.reason, one.detail));
        }
        self.refused += imported.refused - listed;
    }
}

/// Takes messages part by part, so that any number fits in memory.
async fn messages_in(
    tenant: &Arc<Tenant>,
    (folder, name): (&Path, &str),
    lines: impl Iterator<Item = Result<Line, PlatformError>>,
    done: &mut Transferred,
) -> Result<(), PlatformError> {
    let failed = |problem: Problem| {
        let found = format!("it could not be stored: {}", problem.detail());
        PlatformError::unusable(&folder.join(name), found)
    };
    done.count(name, 0);
    let (mut part, mut bytes) = (Vec::new(), 0);
    for line in lines {
        let line = line?;
        bytes += line.1.len();
        part.push(line);
        if part.len() >= PART_LINES || bytes >= PART_BYTES {
            let part = std::mem::take(&mut part);
            bytes = 0;
            let stored = store_messages(tenant, Permit::whole_tenant(), part).await;
            done.add(name, stored.map_err(failed)?);
        }
    }
    let stored = store_messages(tenant, Permit::whole_tenant(), part).await;
    done.add(name, stored.map_err(failed)?);
    Ok(())
}

async fn documents_in(
    tenant: &Arc<Tenant>,
    lines: Lines,
    done: &mut Transferred,
) -> Result<(), PlatformError> {
    done.count(DOCUMENTS, 0);
    let mut edits = Vec::new();
    for line in lines {
        let (at, text) = line?;
        match edit_of(tenant, &text) {
            Ok(Some(edit)) => edits.push(edit),
            Ok(None) => done.repeated += 1,
            Err(why) => done.refuse(in_line(DOCUMENTS, at), why),
        }
        if edits.len() >= TOGETHER_MAX {
            apply(tenant, std::mem::take(&mut edits), done).await?;
        }
    }
    apply(tenant, edits, done).await
}

/// The edit that makes a document, unless it is there.
fn edit_of(tenant: &Tenant, text: &[u8]) -> Result<Option<Edit>, String> {
    let line: DocumentLine = serde_json::from_slice(text).map_err(|error| error.to_string())?;
    let DocumentLine { kind, token, body, .. } = line;
    let is_taken = |code: u8| !OWN_KINDS.contains(&code);
    let kind = kind_of_name(&kind)
        .filter(|kind| is_taken(kind.code))
        .ok_or_else(|| format!("kind: `{kind}` is no kind of documents that is taken"))?;
    validate_token(&token).map_err(|error| format!("token: {error}"))?;
    (kind.check)(&body).map_err(|error| format!("body.{error}"))?;
    if let Some(there) = tenant.documents.find(kind, &token) {
        if exported(&there) == body {
            return Ok(None);
        }
        return Err(format!("the {} `{token}` is there with other content, and stays", kind.name));
    }
    let found = consistency(kind, &token, &body, &tenant.documents);
    if let Some(found) = found.map_err(|error| error.to_string())? {
        return Err(format!("{}: {found}", found.field));
    }
    Ok(Some(Edit { kind, token: Some(token), expect: Expect::New, body: Some(body) }))
}

/// Makes documents together, or, if one of them cannot be, each by itself.
async fn apply(
    tenant: &Arc<Tenant>,
    edits: Vec<Edit>,
    done: &mut Transferred,
) -> Result<(), PlatformError> {
    let with = |edits| Transaction { reserve: true, ..Transaction::of(BY.to_owned(), edits) };
    let stopped = |error| PlatformError::NotReady(Box::new(error));
    if edits.is_empty() {
        return Ok(());
    }
    let changed = tenant.apply(with(edits.clone())).await.map_err(stopped)?;
    if changed.conflict.is_none() && changed.limit.is_none() {
        done.count(DOCUMENTS, edits.len() as u64);
        return Ok(());
    }
    for edit in edits {
        let (kind, token) = (edit.kind.name, edit.token.clone().unwrap_or_default());
        let changed = tenant.apply(with(vec![edit])).await.map_err(stopped)?;
        let why = match (changed.conflict, changed.limit) {
            (None, None) => {
                done.count(DOCUMENTS, 1);
                continue;
            }
            (Some(_), _) => format!("the {kind} `{token}` was there, and has been removed"),
            (_, limit) => format!("the tenant is at its limit of `{}`", limit.unwrap_or_default()),
        };
        done.refuse(format!("{DOCUMENTS}, {kind} {token}"), why);
    }
    Ok(())
}

async fn devices_in(
    tenant: &Arc<Tenant>,
    lines: Lines,
    done: &mut Transferred,
) -> Result<(), PlatformError> {
    done.count(DEVICES, 0);
    let stopped = |error| PlatformError::NotReady(Box::new(error));
    let mut messages: Vec<Message> = Vec::new();
    let register = async |messages: &mut Vec<Message>, done: &mut Transferred| {
        done.count(DEVICES, messages.len() as u64);
        let (by, messages) = (BY.to_owned(), std::mem::take(messages));
        tenant.apply(Transaction { by, messages, ..Transaction::default() }).await.map_err(stopped)
    };
    for line in lines {
        let (at, text) = line?;
        match serde_json::from_slice::<DeviceLine>(&text) {
            Ok(line) if tenant.devices.row(&line.hardware_id).is_some() => done.repeated += 1,
            Ok(line) => messages.push(Message::new(line.hardware_id, MessageBody::Registration)),
            Err(error) => done.refuse(in_line(DEVICES, at), error.to_string()),
        }
        if messages.len() >= TOGETHER_MAX {
            register(&mut messages, done).await?;
        }
    }
    if !messages.is_empty() {
        register(&mut messages, done).await?;
    }
    Ok(())
}
