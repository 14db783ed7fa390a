//! Where the platform of a run keeps its store.

use std::sync::atomic::{AtomicU32, Ordering};

use lastmeter_language::{Scenario, StoreUse, postgres_address};
use lastmeter_platform::StoreConfig;

/// The store of a run: a file, or a schema of its own in the database of the environment.
pub(super) fn of(scenario: &Scenario) -> StoreConfig {
    static RUNS: AtomicU32 = AtomicU32::new(0);
    match (scenario.platform.store, postgres_address()) {
        (StoreUse::Postgres, Some(address)) => {
            let (process, run) = (std::process::id(), RUNS.fetch_add(1, Ordering::Relaxed));
            let schema_prefix = format!("run_{process}_{run}_");
            StoreConfig { schema_prefix, ..StoreConfig::postgres(address) }
        }
        _ => StoreConfig::default(),
    }
}

/// The table of it in the settings of a child; a file has none.
pub(super) fn table(config: &StoreConfig) -> Option<toml::Table> {
    let StoreConfig { kind, url, schema_prefix, .. } = config;
    let url = url.as_ref()?.reveal();
    let keys = [("kind", kind.as_str()), ("url", url), ("schema_prefix", schema_prefix)];
    Some(keys.map(|(name, value)| (name.to_owned(), value.into())).into_iter().collect())
}
