//! Commands for a gateway whose devices take none: each is answered, once.

use lastmeter_units::{HardwareId, SimTime};

use super::store::Store;
use super::{GatewayEventKind as Kind, Out, event};
use crate::answer::{CommandDesk, ERROR_PREFIX, ReceivedCommand};
use crate::message;

const NO_COMMANDS: &str = "this gateway's devices take no commands";

/// Answers a command for `owner` with an error, and a repeated one as before; what is no command is
/// noted.
pub(super) fn refuse_command(
    (desk, store): (&mut CommandDesk, &mut Store),
    (owner, now): (&HardwareId, SimTime),
    payload: &[u8],
    out: &mut Out,
) {
    let (invocation, response) = match desk.judge(payload) {
        Ok(ReceivedCommand::Repeated { invocation, response }) => (invocation, response),
        Ok(ReceivedCommand::New { invocation, .. }) => {
            let response = format!("{ERROR_PREFIX}{NO_COMMANDS}");
            desk.answered(&invocation, &response);
            (invocation, response)
        }
        Err(refusal) => {
            return event(out, Kind::CommandMalformed, format!("for {owner}: {refusal}"));
        }
    };
    event(out, Kind::CommandRefused, format!("{invocation} for {owner}: {response}"));
    store.put(owner, None, message::answer(owner, now, invocation, response), out);
}
