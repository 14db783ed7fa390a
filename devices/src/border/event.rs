//! Kinds of events: of a device, for the record, and of a voltage.

lastmeter_units::words! {
    /// What a device notes about itself.
    pub enum EventKind in files {
        /// A command was carried out.
        CommandObeyed = "command_obeyed",
        /// An invocation that had been carried out came again, and was only answered.
        CommandRepeated = "command_repeated",
        /// A command was answered with an error.
        CommandRefused = "command_refused",
        /// A command was neither carried out nor answered.
        CommandIgnored = "command_ignored",
        /// Something arrived that is no command.
        CommandMalformed = "command_malformed",
        /// A fault that was asked for has begun.
        FaultBegun = "fault_begun",
        /// It is a member of its radio network, under the short address that is named.
        Joined = "joined",
        /// It is a member of its radio network no more.
        Left = "left",
        /// Its controller has another state on a CAN bus: error-active, error-passive or bus-off.
        BusState = "bus_state",
        /// Its controller has lost a frame, as its software took none in time.
        FrameLost = "frame_lost",
        /// The main task of a node has enabled or disabled another one.
        TaskSwitched = "task_switched",
        /// The switching unit of a node has opened or closed.
        SwitchSet = "switch_set",
        /// Another node of a CAN bus has its number, and it is silent.
        NumberLost = "number_lost",
        /// What a node has to keep is not stored: its memory is worn, or slower than it is asked.
        NotStored = "not_stored",
        /// It runs the program image that is named.
        ImageInstalled = "image_installed",
        /// It does not run the program image that is named.
        ImageRefused = "image_refused",
        /// A reading was due, but no window had been completed since the last.
        ReadingWithoutWindow = "reading_without_window",
        /// The waveform may exceed the converter's range, which `windows` does not model.
        BeyondRange = "beyond_range",
        /// Samples were clipped at the end of the converter's range.
        Clipped = "clipped",
        /// An input that does not fit this device or does not follow the last one; it was not used.
        InputRefused = "input_refused",
        /// A board was asked again, since it had not answered, or had refused what it was sent.
        BoardRetried = "board_retried",
        /// A board has not answered.
        BoardSilent = "board_silent",
        /// The port of a board is gone.
        BoardLost = "board_lost",
        /// A board has started again by itself, or by an injection.
        BoardRestarted = "board_restarted",
        /// Something that a board sent was late, or not of its language, and was discarded.
        BoardDiscarded = "board_discarded",
        /// A reading was due that the board could not give, or not of all the time it covers.
        ReadingLeftOut = "reading_left_out",
        /// The voltage that it lives on was away for longer than it can hold out: it does not work.
        Dark = "dark",
        /// The voltage is back, and it has booted.
        WorksAgain = "works_again",
        /// Its last gasp was sent, and lost on the way.
        LastGaspLost = "last_gasp_lost",
        /// Its power-up message was sent, and lost on the way.
        PowerUpLost = "power_up_lost",
    }
}

lastmeter_units::words! {
    /// Voltage events (IEC 61000-4-30, 5.4 and 5.5).
    pub enum VoltageEventKind in files {
        /// Below the dip threshold.
        Dip = "dip",
        /// Above the swell threshold.
        Swell = "swell",
        /// Below the interruption threshold.
        Interruption = "interruption",
    }
}

impl VoltageEventKind {
    /// The type of the alert that reports it.
    pub const fn alert_type(self) -> &'static str {
        match self {
            Self::Dip => "voltage.dip",
            Self::Swell => "voltage.swell",
            Self::Interruption => "voltage.interruption",
        }
    }
}
