//! The error codes of the scenario language: one per kind of mistake, each with its long text.
//! Those that begin with W are warnings: what they name makes sense, and is odd.
//!
//! A code is a promise to those who search for it: it keeps its meaning from version to version,
//! and a retired one is not given out again.

use std::fmt;

/// What `lastmeter explain CODE` prints about one kind of mistake.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    code: &'static str,
    title: &'static str,
    description: &'static str,
}

/// One kind of mistake.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Code(&'static Row);

impl Code {
    /// The code as printed, such as `S012`.
    pub const fn code(self) -> &'static str {
        self.0.code
    }

    /// Whether it only warns.
    pub fn is_warning(self) -> bool {
        self.0.code.starts_with('W')
    }

    /// What kind of mistake it is, in a few words.
    pub const fn title(self) -> &'static str {
        self.0.title
    }

    /// Why it is refused and how to mend it.
    pub const fn description(self) -> &'static str {
        self.0.description
    }

    /// Finds a code by its printed form, in either case.
    pub fn lookup(text: &str) -> Option<Self> {
        CODES.iter().copied().find(|code| code.code().eq_ignore_ascii_case(text))
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

macro_rules! codes {
    ($($name:ident $code:literal $title:literal $description:literal;)*) => {
        impl Code {
            $(
                #[doc = concat!($code, ": ", $title, ".")]
                pub const $name: Self = Self(&Row {
                    code: $code,
                    title: $title,
                    description: $description,
                });
            )*
        }

        /// Every code, in order.
        pub static CODES: &[Code] = &[$(Code::$name),*];
    };
}

codes! {
    SYNTAX "S001" "not valid TOML"
        "The text cannot be read as TOML 1.0. Text values stand between double quotes \
         (`duration = \"10 min\"`), dates do not (`start = 2027-01-18T17:00:00Z`). Where a line \
         cannot be read, what seems to be missing is not reported: it may stand on that line.";
    DUPLICATE_KEY "S002" "key or table written twice"
        "A key may stand once in its table, and a `[table]` once in a file. Sections that may \
         repeat are written with double brackets, such as `[[device]]`.";
    UNKNOWN_KEY "S003" "unknown key"
        "The table knows no such key. Nothing is ignored silently: a misspelt limit would let a \
         bad meter pass. `lastmeter explain KIND` lists the keys of each source, device, \
         injection and check.";
    MISSING_KEY "S004" "missing key"
        "The table needs this key and it has no default.";
    WRONG_KIND "S005" "value of the wrong kind"
        "The key takes another kind of value: text, a whole number, true or false, a date, a \
         list or a table.";
    OUT_OF_RANGE "S006" "value out of range"
        "The value is of the right kind but outside of what is allowed or makes sense here. Both \
         bounds are allowed values themselves.";
    UNKNOWN_WORD "S007" "none of the allowed words"
        "The key takes one of a few words, spelt exactly as listed.";
    MISSING_UNIT "S008" "number without unit"
        "A quantity is written with its unit, as text: `\"230 V\"`, `\"10 s\"`, `\"1 h 30 min\"`. \
         Only ratios may be bare numbers. Guessing the unit would turn a typing slip into a \
         wrong verdict.";
    UNKNOWN_UNIT "S009" "unknown unit"
        "No such unit is known. Case matters: `mW` is a thousandth of a watt, `MW` a million.";
    WRONG_DIMENSION "S010" "unit of another dimension"
        "The unit exists but measures something else than this key does, such as amperes where \
         a voltage is due.";
    BAD_NUMBER "S011" "not a number"
        "The text is not a number with a unit. Numbers use a decimal point and no thousands \
         separators, and are finite; only times may have several parts, as in `\"1 h 30 min\"`.";
    UNKNOWN_THING "S012" "unknown kind"
        "No source, device model, injection or check of that name is registered. `lastmeter \
         list` shows what there is.";
    BAD_NAME "S013" "not usable as a name"
        "Names are made of letters, digits, `-`, `_` and `.`, start with a letter or digit, and \
         have at most 64 characters. They become parts of file names, topics and addresses.";
    UNKNOWN_MEASUREMENT "S014" "unknown measurement identifier"
        "Measurement identifiers are those of the registry: Table 2 of the data format, and the \
         `x.*` namespace, spelt exactly, such as `electricity.voltage.rms.l1`.";
    BAD_INSTANT "S015" "not an instant"
        "An instant is a date with time and offset, without quotes: `2027-01-18T17:00:00Z` or \
         `2027-01-18T18:00:00+01:00`. Without an offset it could mean any of a day's hours.";
    FORMAT_VERSION "S016" "unknown format version"
        "The first line of a scenario is `format = 1`. Another number belongs to another version \
         of lastmeter.";
    NAME_TAKEN "S017" "name used twice"
        "Within a section each name stands once, since checks, injections and overrides refer \
         to things by name.";
    UNKNOWN_REFERENCE "S018" "refers to something that is not there"
        "The named source, device or check does not exist in this scenario.";
    NOT_AVAILABLE "S019" "not available in this version"
        "The word belongs to the language, but this version of lastmeter cannot do it yet. \
         Refusing is better than running something else than what was asked for.";
    OUTSIDE_SCENARIO "S020" "time outside the scenario"
        "Injections happen at a time since the start that lies within the duration; what happens \
         later would never happen.";
    PLATFORM_CANNOT "S021" "the platform cannot do this"
        "An embedded platform lives in the bench's own process, so it cannot be killed. Write \
         `use = \"child\"` under `[platform]`, or give `--platform child`.";
    NO_CHECKS "S022" "no checks"
        "A scenario without a check judges nothing and could never fail. Add a `[[check]]`.";
    OVERRIDE_ADDRESS "S023" "override of something that is not there"
        "The part of `--set` before `=` addresses a value by section and name, such as \
         `device.home.report_every`, `scenario.duration` or, without a name, by number: \
         `inject.1.at`. Tables of `[grid]` are addressed alike: `grid.load.h1.scale`, \
         `grid.defect.1.share`. Several tables may be about one load; then the number among those \
         stands behind its name: `grid.load.h1.2.scale`.";
    OVERRIDE_FORM "S024" "not an override"
        "An override is written `--set ADDRESS=VALUE`, such as \
         `--set device.home.report_every=\"5 s\"`.";
    FILE_UNREADABLE "S025" "file cannot be read"
        "A file that the scenario names cannot be opened. Paths are relative to the scenario's \
         folder; `recordings:NAME` is looked up in the folder that the environment variable \
         LASTMETER_RECORDINGS names.";
    FILE_REFUSED "S026" "file content refused"
        "A file that the scenario names was read, but its content is not what it should be: \
         truncated, of another format, or not fitting its own header.";
    DOES_NOT_FIT "S027" "parts that do not fit together"
        "Each part is right by itself but not with the others, such as a recording connected to \
         a device that works on spectra, or two keys of which only one may be given.";
    BAD_REQUIREMENT "S028" "not a requirement"
        "`covers` lists requirement rows: a letter L, C, F or K, a dash and two digits, such as \
         `F-04`.";
    BAD_TWIN "S029" "expectation that cannot be met"
        "A must-fail twin names a check that has to end as stated, one of the scenario's checks \
         that it mirrors (in a file of its own: `twin_of`, as `SCENARIO/CHECK`), and a defect that \
         changes something.";
    CANNOT_MEASURE "S030" "the check cannot judge this"
        "The check is about something that the named device does not report, or that this kind \
         of scenario does not produce, so it could never end in a verdict.";
    OVERLAP "S031" "injections that overlap"
        "A link can be broken in one way at a time, and carry one impairment at a time; so an \
         application is stopped, a device frozen and a bus shorted once at a time. The next may \
         begin at the instant at which the one before ends; without `for` one lasts to the end \
         of the scenario.";
    NEEDS_REAL_TIME "S032" "needs real time"
        "What a platform or a link really takes can be judged by the clock on the wall only; in \
         virtual time a delay is the model's. Write `time = \"real\"` under `[scenario]`. Run with \
         `--time virtual`, such a scenario skips these checks.";
    NOT_OBSERVED "S033" "nobody receives this"
        "A path that ends in `received`, or at the leg down of a link, is about an observer, a \
         subscriber of the bench: add an `[[observer]]` that subscribes to all devices of the \
         check, and name it with `observer` where there are several.";
    TOO_FEW_MESSAGES "S034" "too few messages for this claim"
        "With so few messages even a flawless run could not pass: a coverage of 99 % needs 299 \
         messages of which none is late, 99.9 % needs 2,995 (exact binomial bound at 95 % \
         confidence). Messages that one stall can hit count as one, so where several are due \
         within `stall` (1 s unless given) time is what is needed: 100 stalls after the warm-up at \
         97 %, 300 at 99 %, 3,000 at 99.9 %. Counted are the readings due, or the commands \
         injected, after the warm-up. Lengthen the scenario, shorten `warm_up`, claim a lower \
         `coverage`, or declare a shorter `stall` if nothing makes the messages of all devices \
         late for longer; where no two are due within one stall, more devices help as well.";
    BAD_COMMAND "S035" "command that would not be carried out"
        "The device's model has no such command, register or value, or does not exist for the \
         platform yet: it learns of a device by its first reading. Without this the run would end \
         in an error, or test another device than it names. If the refusal itself is tested, write \
         `refused = true` beside the command; then `command_ack` fails if it is obeyed.";
    BAD_MATRIX "S036" "matrix that makes no cases"
        "`[matrix]` gives addresses their values: a list, a range `{ from, to, step }` or `{ from, \
         to, count }` of one unit, or `{ draw, count }` with a distribution. Each value stands once; \
         what is zipped has as many values; what is left out or shown would be there.";
    NO_DEVICE "W001" "no device"
        "A scenario without a `[[device]]` measures nothing and reports nothing, so its checks have \
         nothing to judge. It runs all the same; warnings never change an exit code.";
    NO_READING "W002" "no reading is due"
        "The scenario is over before the device's first reading is due, so nothing of it can be \
         judged. Lengthen `duration`, or shorten `report_every`.";
    FAR_FROM_RATED "W003" "far from the rated voltage"
        "The voltage at the device lies far from what it is rated for: `nominal_voltage` at its \
         terminals, times `voltage_ratio`. A meter's accuracy is specified near its rated voltage \
         (IEC 62052-11: 0.8 to 1.15 times), and above its headroom it clips. If that is what is to \
         be tested, leave it so: warnings never change an exit code.";
    DOUBTFUL_FILE "W004" "file that is hardly what was meant"
        "A file that the scenario names can be played, and its content is hardly what was meant: a \
         recording that lacks samples, whose time stamps stand still or go back, whose header \
         contradicts them or whose values leave the range that it declares; a network whose rated \
         voltages do not belong together; a table whose last line has no end, so that it may be cut \
         in its last number. `lastmeter measure` shows the same notes of a recording, `lastmeter \
         grid` those of a network. Get the whole file, or mend it; if the damage is what is to be \
         tested, leave it so: warnings never change an exit code.";
    COARSE_STEP "W005" "step of waveforms that is too long"
        "The network has an offset of short circuits, or an oscillation of capacitors with their \
         supply, that is over within fewer than ten steps of its waveforms. The steps damp it, so \
         powers, truth and slower events stay as they are, but what meters and recorders see of \
         this part is not what a network does. Shorten `waveform_step` to what is recommended if \
         that part is of interest; warnings never change an exit code.";
    SHORT_RUN "W006" "run too short for what is judged"
        "The run is over before what the check counts can have come about, as an interruption that \
         lasts `sustained_from`, so that the check is inconclusive. Lengthen `duration`, or give \
         the check another limit. Warnings never change an exit code.";
    IDLE_KEY "W007" "key without effect"
        "The key is obeyed with another value of a second one only, which the message names. Leave \
         it out, or write the other one. Warnings never change an exit code.";
    NOT_JUDGED "W008" "reported and not judged"
        "The device is the thing itself, it is asked for these quantities, and no check is about \
         them: whatever it reports of them, the run passes. Add an `accuracy` check of each (of \
         registers, which stood somewhere before, with `difference = true`), or leave them out of \
         `quantities` or `reports`. Warnings never change an exit code.";
    COMMAND_UNSEEN "W009" "nothing due behind a command"
        "A `command_ack` check judges what the device answers. What the command did to the plant is \
         seen in readings behind it, and here none is due before the end: a device that only \
         answers would pass. Give the command earlier or lengthen `duration`, and add a check of \
         what it changes. Warnings never change an exit code.";
    TWO_MAPS "W010" "two maps of one line"
        "A simulator and the adapter on its line have maps that differ, so that one may read another \
         value, unit or device than the other sends. Write the same `map` twice; if what an adapter \
         with a wrong map does is what is tested, leave it so: warnings never change an exit code.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_numbered_without_gaps_and_documented() {
        let errors = CODES.iter().filter(|code| !code.is_warning()).count();
        for (index, code) in CODES.iter().enumerate() {
            let numbered = match index.checked_sub(errors) {
                None => format!("S{:03}", index + 1),
                Some(index) => format!("W{:03}", index + 1),
            };
            assert_eq!(code.code(), numbered);
            assert!(!code.title().is_empty() && code.description().ends_with('.'), "{code}");
            assert_eq!(Code::lookup(&code.code().to_lowercase()), Some(*code));
        }
        assert_eq!(Code::lookup("S000"), None);
    }
}
