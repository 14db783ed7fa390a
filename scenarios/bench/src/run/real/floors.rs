//! The floor before and after a run in real time: what bench and machine add by themselves, and
//! which checks can be judged on it. It is measured if the scenario has one: if a check needs it,
//! or something is written about it.

use std::path::Path;
use std::time::Duration;

use lastmeter_language::FloorRow;
use lastmeter_link::clock::monotonic_ns;
use lastmeter_record::Floor;
use lastmeter_units::TenantName;

use super::bench::RealBench;
use crate::floor::{FloorOptions, ROOT, measure, pressure};
use crate::run::console::Console;
use crate::run::error::{BenchError, chain};

/// So often the floor before a run is measured if checks could show nothing on it.
const FLOORS_MAX: u32 = 3;

/// Between two of these times, in ns.
const FLOOR_PAUSE_NS: i64 = 1_000_000_000;

/// A machine on which something waits for a processor for a larger share of the time is not quiet,
/// in % (PSI, `some`).
const QUIET_PRESSURE: f64 = 10.0;

impl RealBench<'_> {
    /// Measures the floor, and once more for as long as checks could not be judged on it: at most
    /// [`FLOORS_MAX`] times, or until the time to wait for a quiet machine is over. Without a floor
    /// the wait is for the pressure alone.
    pub(super) async fn measure_floor_before(
        &mut self,
        console: &Console<'_>,
        wait_quiet: Option<Duration>,
    ) -> Result<(), BenchError> {
        let began_ns = monotonic_ns();
        let limit_ns = wait_quiet.map(|limit| limit.as_nanos() as i64);
        for measured in 1.. {
            let (not_measurable, pressure) = match &self.scenario.floor {
                Some(row) => {
                    let floor = self.measure_floor(row).await?;
                    console.floor(&floor, "before");
                    let not_measurable = self.recording.live.judge.not_measurable(&floor);
                    let pressure = floor.pressure;
                    self.floors.before = Some(floor);
                    (not_measurable, pressure)
                }
                None => (Vec::new(), pressure(Path::new(ROOT))),
            };
            let is_busy =
                wait_quiet.is_some() && pressure.is_some_and(|share| share > QUIET_PRESSURE);
            let is_quiet = not_measurable.is_empty() && !is_busy;
            let is_over = match limit_ns {
                Some(limit_ns) => monotonic_ns() - began_ns >= limit_ns,
                None => measured >= FLOORS_MAX,
            };
            if is_quiet || is_over {
                console.not_measurable(&not_measurable, wait_quiet.is_some());
                break;
            }
            let alarm = self.workers.alarm.clone();
            alarm.until(monotonic_ns() + FLOOR_PAUSE_NS).await;
        }
        Ok(())
    }

    /// Measures the floor after the run; once more if that one was worse: what disturbs the machine
    /// for the few seconds this takes was not there during the run, of which the record has the
    /// load.
    pub(super) async fn measure_floor_after(
        &mut self,
        console: &Console<'_>,
    ) -> Result<(), BenchError> {
        if let Some(row) = &self.scenario.floor {
            let mut floor = self.measure_floor(row).await?;
            let before_ns = self.floors.before.as_ref().map_or(i64::MAX, Floor::p99_ns);
            if floor.p99_ns() > before_ns.saturating_mul(3) {
                console.floor(&floor, "after");
                let again = self.measure_floor(row).await?;
                if again.p99_ns() < floor.p99_ns() {
                    floor = again;
                }
            }
            console.floor(&floor, "after");
            self.floors.after = Some(floor);
        }
        console.cost(self.recorder_cpu_per_message_ns(), &self.access.links.facts(self.scenario));
        Ok(())
    }

    /// How the floor is measured: two sessions like those of devices and observers.
    async fn floor_options(&self, row: &FloorRow) -> Result<FloorOptions, BenchError> {
        let tenant = TenantName::default();
        let publisher = self.access.session_options(&tenant, "floor-out", row.via).await?;
        let mut subscriber = self.access.session_options(&tenant, "floor-in", None).await?;
        subscriber.password.clone_from(&self.access.under_test.profile.token);
        let mut options = FloorOptions::new(publisher, subscriber);
        options.messages = row.messages;
        options.probes = row.messages;
        options.pace = row.period;
        Ok(options)
    }

    async fn measure_floor(&mut self, row: &FloorRow) -> Result<Floor, BenchError> {
        let options = self.floor_options(row).await?;
        let rng = self.scenario.streams().stream("floor");
        let measuring = self.access.handle.spawn(async move { measure(&options, rng).await });
        let measured = measuring
            .await
            .map_err(|error| BenchError::Record(format!("the floor was not measured: {error}")))?;
        let floor = measured
            .map_err(|error| BenchError::Record(format!("the floor: {}", chain(&error))))?;
        if self.access.under_test.is_own() && floor.is_past_broker() {
            // Its broker passes echoes on; that it did not is no reason to measure something else.
            return Err(BenchError::Record(format!("no floor was measured: {}", floor.echo_kind)));
        }
        Ok(floor)
    }
}
