//! What an application takes and gives.

use lastmeter_units::SimTime;
use lastmeter_wire::rest::{Answer, Request};

/// An application, as a machine without I/O and clock.
pub trait Application: Send {
    /// Takes what has come at an instant, and adds what it wants to `out`.
    fn step(&mut self, now: SimTime, input: AppInput, out: &mut Vec<AppOutput>);

    /// The instant at which it wants [`AppInput::Wake`] next.
    fn wake_at(&self) -> Option<SimTime>;

    /// The topic filters that it is subscribed to whenever it is connected.
    fn subscriptions(&self) -> Vec<String>;

    /// Why it cannot do what it is for, as far as that is not in the answers of REST; for people.
    fn trouble(&self) -> Option<&str> {
        None
    }
}

/// What comes to an application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AppInput {
    /// It is connected to the broker, for the first time or again: what it has to know it reads.
    Connected,
    /// The instant of [`Application::wake_at`] has come.
    Wake,
    /// A message of a topic that it has subscribed to.
    Message {
        /// The topic.
        topic: String,
        /// What was published.
        payload: Vec<u8>,
    },
    /// What REST has answered.
    Answer(Answer),
}

/// What an application wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AppOutput {
    /// Asks REST; its answer comes as [`AppInput::Answer`] with the same number.
    Ask(Request),
    /// Publishes at quality of service 1; what is not acknowledged is sent again.
    Publish {
        /// The topic.
        topic: String,
        /// What is published.
        payload: Vec<u8>,
    },
}
