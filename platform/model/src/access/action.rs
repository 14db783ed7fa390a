//! What a principal wants to do with a resource.

lastmeter_units::words! {
    /// What a principal wants to do with a resource; of a topic, `write` publishes and `read`
    /// subscribes.
    pub enum Action in files {
        /// Reads all of it.
        Read = "read",
        /// Reads what is open to more principals than the whole: the presence behind latest
        /// values, the states of a rule, the name of a zone, keys and place of a refusal, the
        /// states of an electric network's switches.
        Outline = "outline",
        /// Reads the content that a refusal kept.
        Content = "content",
        /// Makes, changes, removes it.
        Write = "write",
        /// Acknowledges an alarm or a refusal.
        Acknowledge = "acknowledge",
        /// Changes the state of a switch.
        Switch = "switch",
        /// Replaces its own secret.
        Rotate = "rotate",
        /// Makes, schedules and cancels commands.
        Command = "command",
        /// Answers a command, as the device that it is for.
        Answer = "answer",
        /// Hands a command to a device and its answer back.
        Carry = "carry",
        /// Makes and revokes a grant.
        Grant = "grant",
    }
}
