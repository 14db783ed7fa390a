//! What applications conclude about networks, for those who may read all results: the last result
//! of each application's subject, and its history. The store has results in the order of commit;
//! what came since the last look is added to what is held in memory, and what the store keeps no
//! longer is taken from it.

use lastmeter_model::row::ResultRow;
use lastmeter_model::token::validate_token;
use lastmeter_store::{StoreError, Stretch};
use tokio::sync::MutexGuard;

use super::Caller;
use super::grid;
use crate::concluded::Concluded;
pub(crate) use crate::concluded::{FAULT, OUTAGE};
use crate::problem::Problem;

/// Rows that are read at once.
const ROWS_AT_ONCE: u32 = 256;

/// Between an application's hardware id and its subject in a token.
const BETWEEN: char = '~';

/// `APPLICATION~SUBJECT`: each application counts its subjects by itself. None where these make no
/// token, or one that could be another's.
pub(crate) fn token(of: &ResultRow) -> Option<String> {
    let token = format!("{}{BETWEEN}{}", of.device, of.subject);
    (validate_token(&token).is_ok() && !of.subject.contains(BETWEEN)).then_some(token)
}

/// The last result of each application's subject of a kind.
///
/// # Errors
/// 404 for who may not read all results; 500 if the store cannot be read.
pub(crate) async fn last(caller: &Caller, kind: &str) -> Result<Vec<ResultRow>, Problem> {
    Ok(read(caller).await?.last(kind).cloned().collect())
}

/// The results under a token, in their order.
///
/// # Errors
/// As [`last`].
pub(crate) async fn history(
    caller: &Caller,
    kind: &str,
    token: &str,
) -> Result<Vec<ResultRow>, Problem> {
    let (device, subject) = token.rsplit_once(BETWEEN).unwrap_or_default();
    let of = (kind.to_owned(), device.to_owned(), subject.to_owned());
    Ok(read(caller).await?.history(&of).cloned().collect())
}

/// What is held in memory, once it is as the store has it.
async fn read(caller: &Caller) -> Result<MutexGuard<'_, Concluded>, Problem> {
    grid::require(caller)?;
    let mut concluded = caller.tenant.concluded.lock().await;
    let last = caller.tenant.progress.totals().results;
    forget(caller, &mut concluded, last).await?;
    while concluded.after < last {
        let stretch = Stretch { after: concluded.after, limit: ROWS_AT_ONCE, last };
        let found = match caller.tenant.readers.permitted().results(stretch).await {
            // One that is damaged is reported where that is found, and takes no other along.
            Err(StoreError::DamagedPart(_)) => {
                concluded.after += 1;
                continue;
            }
            found => found?,
        };
        let is_more = found.is_more;
        found.rows.into_iter().for_each(|row| concluded.take(row));
        if !is_more {
            concluded.after = last;
        }
    }
    Ok(concluded)
}

/// Forgets what stands before the first result that the store keeps.
async fn forget(caller: &Caller, concluded: &mut Concluded, last: u64) -> Result<(), Problem> {
    let first = Stretch { after: 0, limit: 1, last };
    match caller.tenant.readers.permitted().results(first).await {
        Ok(found) => {
            let kept = found.rows.first().map_or(last, |row| row.sequence - 1);
            concluded.forget(kept);
            Ok(())
        }
        // Where they begin is not known then.
        Err(StoreError::DamagedPart(_)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
