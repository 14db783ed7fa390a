//! The commands of a board's user: supply and flash.

use std::process::Stdio;
use std::time::Duration;

use lastmeter_board::description::Hardware;
use lastmeter_units::SimDuration;
use tokio::process::Command;

/// Writes the image and gives the supply, as far as there are commands for that.
pub(super) async fn prepare(hardware: &Hardware) -> Result<(), String> {
    if !hardware.power_on.is_empty() && !hardware.power_off.is_empty() {
        run("power_off", &hardware.power_off, hardware).await?;
        settle(hardware.power_settle).await;
    }
    if !hardware.power_on.is_empty() {
        run("power_on", &hardware.power_on, hardware).await?;
        settle(hardware.power_settle).await;
    }
    if !hardware.flash.is_empty() {
        run("flash", &hardware.flash, hardware).await?;
        settle(hardware.power_settle).await;
    }
    Ok(())
}

/// Takes the supply away, if there is a command for that.
pub(super) async fn make_safe(hardware: &Hardware) -> Result<(), String> {
    if hardware.power_off.is_empty() {
        return Ok(());
    }
    run("power_off", &hardware.power_off, hardware).await
}

async fn run(key: &str, words: &[String], hardware: &Hardware) -> Result<(), String> {
    let image = hardware.image.as_deref().unwrap_or("");
    let words: Vec<String> = words.iter().map(|word| word.replace("{image}", image)).collect();
    let shown = words.join(" ");
    let Some((program, arguments)) = words.split_first() else { return Ok(()) };
    let limit = wall(hardware.command_within);
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(limit, command.output()).await;
    let output = output
        .map_err(|_| format!("`{key}` ({shown}) did not end within {} s", limit.as_secs_f64()))?
        .map_err(|error| format!("`{key}` ({shown}) cannot be run: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let printed = String::from_utf8_lossy(&output.stderr);
    let last = printed.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("nothing");
    Err(format!("`{key}` ({shown}) failed: {}; it printed: {last}", output.status))
}

/// Lets a supply settle: what is waited for is time itself.
async fn settle(time: SimDuration) {
    let never = std::future::pending::<()>();
    // That it ends by the limit is what is wanted.
    let _ = tokio::time::timeout(wall(time), never).await;
}

fn wall(time: SimDuration) -> Duration {
    Duration::from_nanos(u64::try_from(time.0).unwrap_or(0))
}
