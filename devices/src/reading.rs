//! From windows to readings: what is averaged, what is registered, what is sent.
//!
//! A reading is made of all windows completed since the last one, each weighted with its
//! length: the RMS mean of voltages and currents, the arithmetic mean of powers and of the
//! frequency. The power factor is that of the means, `P/S`. The total apparent power is the
//! arithmetic sum of the phases. Registers add up every window, imports and exports apart; total
//! and direction are made of each window's powers by `netting` (docs/decisions.md).

use lastmeter_metrology::{Phasor, Sequence};
use lastmeter_sim::Netting;
use lastmeter_units::{Direction, MEASUREMENTS, MeasurementId, Phase, Quantity, SimDuration};

use num_complex::Complex64;

use crate::window::{MeasuredPhase, MeasuredWindow, ORDERS, Orders, PHASES_MAX};

/// A group of quantities a scenario can ask for, by its word.
pub(crate) const GROUPS: &[&str] = &[
    "voltage",
    "current",
    "active_power",
    "reactive_power",
    "apparent_power",
    "power_factor",
    "frequency",
    "active_energy",
    "reactive_energy",
    "apparent_energy",
    "thd",
    "harmonics",
    "interharmonics",
    "unbalance",
    "flicker",
    "non_active_power",
    "phase_angle",
    "pulses",
    "mean",
    "neutral_current",
    "breaker",
    PROFILE_GROUP,
];

/// The group that only a meter with a power profile has, which leaves it to its way out.
pub(crate) const PROFILE_GROUP: &str = "profile";

/// Groups that only a meter with a breaker has.
pub(crate) const BREAKER_GROUPS: &[&str] = &["neutral_current", "breaker"];

/// The group that only a three-phase meter has.
pub(crate) const UNBALANCE_GROUP: &str = "unbalance";

/// Groups whose sums rest on more of a window than its powers and RMS values.
const EXTRA_GROUPS: &[&str] = &["thd", "phase_angle", "mean", "neutral_current", "breaker"];

/// Groups for which every sample has to be looked at.
pub(crate) const SAMPLE_GROUPS: &[&str] = &["harmonics", "interharmonics", "flicker"];

/// The group a meter reports a quantity with, by its word in `quantities`; `None` if none does.
pub fn group_of(quantity: Quantity) -> Option<&'static str> {
    Some(match quantity {
        Quantity::VoltageRms => "voltage",
        Quantity::CurrentRms => "current",
        Quantity::ActivePower(_) => "active_power",
        Quantity::ReactivePower(_) => "reactive_power",
        Quantity::ApparentPower => "apparent_power",
        Quantity::PowerFactor => "power_factor",
        Quantity::Frequency => "frequency",
        Quantity::ActiveEnergy(_) => "active_energy",
        Quantity::ReactiveEnergy(_) => "reactive_energy",
        Quantity::ApparentEnergy => "apparent_energy",
        Quantity::VoltageThd | Quantity::CurrentThd => "thd",
        Quantity::VoltageHarmonic(_) | Quantity::CurrentHarmonic(_) => "harmonics",
        Quantity::VoltageInterharmonics | Quantity::CurrentInterharmonics => "interharmonics",
        Quantity::VoltageUnbalanceNegative | Quantity::VoltageUnbalanceZero => UNBALANCE_GROUP,
        Quantity::FlickerShortTerm => "flicker",
        Quantity::NonActivePower => "non_active_power",
        Quantity::VoltagePhase | Quantity::CurrentPhase => "phase_angle",
        Quantity::ActivePulses | Quantity::ReactivePulses => "pulses",
        Quantity::VoltageMean | Quantity::CurrentMean => "mean",
        Quantity::NeutralCurrentRms => "neutral_current",
        Quantity::BreakerClosed | Quantity::BreakerVoltageRms => "breaker",
        Quantity::ProfilePower | Quantity::ProfileInterval => PROFILE_GROUP,
        _ => return None,
    })
}

/// The identifiers of the given groups that a meter of so many phases has, in the registry's order.
/// Quantities that Table 2 knows come by its identifiers only. With `totals_only`, what has a total
/// comes without its phases.
pub(crate) fn identifiers(groups: &[&str], totals_only: bool, phases: usize) -> Vec<MeasurementId> {
    let total = |quantity| MeasurementId::of(quantity, Phase::Total).is_some_and(is_offered);
    let wanted = |id: &MeasurementId| {
        let row = id.row();
        // What is offered takes searches, so it is asked last but one.
        group_of(row.quantity).is_some_and(|group| groups.contains(&group))
            && is_offered(*id)
            && row
                .phase
                .index()
                .is_none_or(|phase| phase < phases && !(totals_only && total(row.quantity)))
    };
    (0..MEASUREMENTS.len()).filter_map(MeasurementId::from_index).filter(wanted).collect()
}

/// Whether an identifier is the one its quantity goes by: Table 2's, or, where that has none for
/// any phase, that of the `x.*` namespace.
fn is_offered(id: MeasurementId) -> bool {
    let in_table2 = |phase| {
        MeasurementId::of(id.row().quantity, phase).is_some_and(|other| other.row().is_table2())
    };
    id.row().is_table2() || !(in_table2(Phase::L1) || in_table2(Phase::None))
}

/// The part of a power that flows in a direction, never negative.
fn part(value: f64, direction: Direction) -> f64 {
    match direction {
        Direction::Consumed if value > 0.0 => value,
        Direction::Injected if value < 0.0 => -value,
        Direction::Consumed | Direction::Injected => 0.0,
    }
}

fn total_part(phases: &[f64; PHASES_MAX], direction: Direction, netting: Netting) -> f64 {
    match netting {
        Netting::Net => part(phases.iter().sum(), direction),
        Netting::PerPhase => phases.iter().map(|&value| part(value, direction)).sum(),
    }
}

/// Energies of one phase or of all, in joules, var-seconds and volt-ampere-seconds.
#[derive(Clone, Copy, Debug, Default)]
struct Register {
    /// Active energy in J: consumed, injected.
    active: [f64; 2],
    reactive: [f64; 2],
    apparent: f64,
}

const DIRECTIONS: [Direction; 2] = [Direction::Consumed, Direction::Injected];

fn index(direction: Direction) -> usize {
    match direction {
        Direction::Consumed => 0,
        Direction::Injected => 1,
    }
}

/// How energies are registered.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Energy {
    /// What a phase's window has of active power below this, in watts, is not registered; nor what
    /// it has of reactive and of apparent power below as many var and volt-amperes.
    pub(crate) no_load_w: f64,
    /// Pulses per joule of active energy, or per var-second, of both directions together.
    pub(crate) pulses_per_joule: f64,
}

/// What has come together since the last reading. Sums over windows are times their length.
#[derive(Clone, Debug, Default)]
struct Sums {
    /// Squares of the second channels, and of the distortions; fundamentals relative to the first
    /// voltage's.
    second: [f64; 2],
    thd2: [[f64; PHASES_MAX]; 2],
    angles: [[Complex64; PHASES_MAX]; 2],
    /// Mean values of voltages and currents.
    direct: [[f64; PHASES_MAX]; 2],
    /// Squares of the unbalances, negative and zero sequence.
    unbalance2: [f64; 2],
    /// Squares of the harmonics, where they are reported.
    orders2: Option<Box<Orders>>,
    /// Squares of the interharmonics, likewise.
    between2: Option<[[f64; PHASES_MAX]; 2]>,
    /// Seconds of windows in the sums.
    length_s: f64,
    span: Option<(SimDuration, SimDuration)>,
    u2: [f64; PHASES_MAX],
    i2: [f64; PHASES_MAX],
    p: [f64; PHASES_MAX],
    q: [f64; PHASES_MAX],
    s: [f64; PHASES_MAX],
    frequency: f64,
}

/// The reading to come, and the registers since the start.
#[derive(Clone, Debug)]
pub(crate) struct Totaliser {
    pub(crate) netting: Netting,
    energy: Energy,
    is_open: bool,
    /// Whether distortions, angles, mean values and second channels are asked for.
    has_extras: bool,
    has_unbalance: bool,
    sums: Sums,
    /// Energies that make pulses: whatever way they flow.
    pulsed: [f64; 2],
    /// The last known Pst of each phase; not a number before there is one.
    pst: [f64; PHASES_MAX],
    last_to: Option<SimDuration>,
    registers: [Register; PHASES_MAX],
    total: Register,
    /// When the registers stood at zero.
    registers_from: Option<SimDuration>,
}

impl Totaliser {
    pub(crate) fn new(netting: Netting, energy: Energy) -> Self {
        Self {
            netting,
            energy,
            is_open: false,
            has_extras: true,
            has_unbalance: true,
            sums: Sums::default(),
            pulsed: Default::default(),
            pst: [f64::NAN; PHASES_MAX],
            last_to: None,
            registers: Default::default(),
            total: Register::default(),
            registers_from: None,
        }
    }

    /// For these quantities alone: what no reading has is not summed up, window by window.
    #[must_use]
    pub(crate) fn only(self, quantities: &[MeasurementId]) -> Self {
        let has = |groups: &[&str]| {
            let group = |id: &MeasurementId| group_of(id.row().quantity);
            quantities.iter().filter_map(group).any(|group| groups.contains(&group))
        };
        let has_unbalance = has(&[UNBALANCE_GROUP]);
        Self { has_extras: has(EXTRA_GROUPS), has_unbalance, ..self }
    }

    /// Takes over the threshold of a register, if there is one.
    pub(crate) fn set_no_load(&mut self, no_load_w: Option<f64>) {
        self.energy.no_load_w = no_load_w.unwrap_or(self.energy.no_load_w);
    }

    pub(crate) fn set_open(&mut self, is_open: bool) {
        self.is_open = is_open;
    }

    pub(crate) fn set_flicker(&mut self, phase: usize, pst: f64) {
        if let Some(known) = self.pst.get_mut(phase) {
            *known = pst;
        }
    }

    /// Takes a window into the reading to come and into the registers.
    pub(crate) fn add(&mut self, window: &MeasuredWindow) {
        let t = window.duration_s;
        let (from, to) = window.span();
        // A window begins where the last one ended; half a nanosecond may be rounded either way.
        let from = self.last_to.filter(|last| (from - *last).0.abs() <= 1).unwrap_or(from);
        self.last_to = Some(to);
        self.sums.span = Some((self.sums.span.map_or(from, |(from, _)| from), to));
        self.registers_from.get_or_insert(from);
        self.sums.length_s += t;
        self.sums.frequency += window.frequency_hz * t;
        for (n, phase) in window.phases.iter().enumerate() {
            self.sums.u2[n] += phase.u_rms_v * phase.u_rms_v * t;
            self.sums.i2[n] += phase.i_rms_a * phase.i_rms_a * t;
            self.sums.p[n] += phase.p_w * t;
            self.sums.q[n] += phase.q1_var * t;
            self.sums.s[n] += phase.s_va * t;
        }
        if self.has_extras {
            self.add_extras(window);
        }
        if self.has_unbalance {
            self.add_unbalance(window);
        }
        self.add_quality(window);
        self.register(window);
    }

    /// Distortions, angles and second channels.
    fn add_extras(&mut self, window: &MeasuredWindow) {
        let t = window.duration_s;
        let first = window.phases[0].u1;
        let back = if first.norm() > 0.0 { first.conj() / first.norm() } else { Complex64::ZERO };
        for (n, phase) in window.phases.iter().enumerate() {
            self.sums.thd2[0][n] += phase.u_thd2 * t;
            self.sums.thd2[1][n] += phase.i_thd2 * t;
            self.sums.angles[0][n] += phase.u1 * back * t;
            self.sums.angles[1][n] += phase.i1 * back * t;
            self.sums.direct[0][n] += phase.u_mean_v * t;
            self.sums.direct[1][n] += phase.i_mean_a * t;
        }
        self.sums.second[0] += window.second.u_rms_v * window.second.u_rms_v * t;
        self.sums.second[1] += window.second.i_rms_a * window.second.i_rms_a * t;
    }

    /// Unbalance: means of squares, as IEC 61000-4-30 aggregates them.
    fn add_unbalance(&mut self, window: &MeasuredWindow) {
        let t = window.duration_s;
        let u1 = window.phases.map(|phase| Phasor { re: phase.u1.re, im: phase.u1.im });
        let unbalance = Sequence::of(u1).unbalance();
        for (sum, percent) in
            self.sums.unbalance2.iter_mut().zip([unbalance.negative_pct, unbalance.zero_pct])
        {
            let part = percent.unwrap_or(f64::NAN) / 100.0;
            *sum += part * part * t;
        }
    }

    /// Harmonics and interharmonics, likewise.
    fn add_quality(&mut self, window: &MeasuredWindow) {
        let t = window.duration_s;
        if let Some(squares) = window.between2 {
            let sums = self.sums.between2.get_or_insert([[0.0; PHASES_MAX]; 2]);
            for (sum, square) in sums.iter_mut().flatten().zip(squares.iter().flatten()) {
                *sum += square * t;
            }
        }
        let Some(orders) = &window.orders else { return };
        let sums = &mut self.sums.orders2;
        let sums = sums.get_or_insert_with(|| Box::new([[[0.0; ORDERS]; PHASES_MAX]; 2]));
        let sums = sums.iter_mut().flatten().flatten();
        for (sum, rms) in sums.zip(orders.iter().flatten().flatten()) {
            *sum += rms * rms * t;
        }
    }

    /// Adds energies up, by the meter's own clock, where there is a load: each power has to reach
    /// the threshold by itself, for a load may be reactive only.
    fn register(&mut self, window: &MeasuredWindow) {
        let t = window.counted_s() * (1.0 + window.clock_error);
        let more_w = window.before_tick.map_or([0.0; PHASES_MAX], |before| before.p_more_w);
        let gate = |power: f64| if power.abs() >= self.energy.no_load_w { power } else { 0.0 };
        let loaded = |power: fn(&MeasuredPhase) -> f64| {
            window.phases.each_ref().map(|phase| gate(power(phase)))
        };
        let p = std::array::from_fn(|n| gate(window.phases[n].p_w + more_w[n]));
        let q = loaded(|phase| phase.q1_var);
        let s = loaded(|phase| phase.s_va);
        for direction in DIRECTIONS {
            let d = index(direction);
            for n in 0..PHASES_MAX {
                self.registers[n].active[d] += part(p[n], direction) * t;
                self.registers[n].reactive[d] += part(q[n], direction) * t;
            }
            let active = total_part(&p, direction, self.netting) * t;
            let reactive = total_part(&q, direction, self.netting) * t;
            self.total.active[d] += active;
            self.total.reactive[d] += reactive;
            self.pulsed[0] += active;
            self.pulsed[1] += reactive;
        }
        for (register, s) in self.registers.iter_mut().zip(s) {
            register.apparent += s * t;
        }
        self.total.apparent += s.iter().sum::<f64>() * t;
    }

    /// What the reading to come spans: from, to, and since when the registers count. `None` if no
    /// window has been completed.
    pub(crate) fn span(&self) -> Option<(SimDuration, SimDuration, SimDuration)> {
        let (from, to) = self.sums.span?;
        Some((from, to, self.registers_from?))
    }

    /// One value of the reading in the unit of messages; `None` where it does not exist (the power
    /// factor without apparent power).
    pub(crate) fn value(&self, id: MeasurementId) -> Option<f64> {
        let (row, sums) = (id.row(), &self.sums);
        let means = |of: &[f64; PHASES_MAX]| of.map(|sum| sum / sums.length_s);
        let split = |of: &[f64; PHASES_MAX], direction| match row.phase {
            Phase::Total => Some(total_part(&means(of), direction, self.netting)),
            phase => Some(part(means(of)[phase.index()?], direction)),
        };
        let register = || match row.phase {
            Phase::Total => Some(&self.total),
            phase => self.registers.get(phase.index()?),
        };
        let of_phase = |values: [f64; PHASES_MAX]| match row.phase {
            Phase::Total => Some(values.iter().sum()),
            phase => values.get(phase.index()?).copied(),
        };
        let value = match row.quantity {
            Quantity::VoltageRms => means(&sums.u2)[row.phase.index()?].sqrt(),
            Quantity::CurrentRms => means(&sums.i2)[row.phase.index()?].sqrt(),
            Quantity::ActivePower(direction) => split(&sums.p, direction)?,
            Quantity::ReactivePower(direction) => split(&sums.q, direction)?,
            Quantity::ApparentPower => of_phase(means(&sums.s))?,
            // Where nothing flows there is no factor; a meter shows 0.
            Quantity::PowerFactor => match of_phase(sums.s)? {
                0.0 => 0.0,
                apparent => of_phase(sums.p)? / apparent,
            },
            Quantity::Frequency => sums.frequency / sums.length_s,
            Quantity::ActiveEnergy(direction) => register()?.active[index(direction)],
            Quantity::ReactiveEnergy(direction) => register()?.reactive[index(direction)],
            Quantity::ApparentEnergy => register()?.apparent,
            Quantity::VoltageThd => means(&sums.thd2[0])[row.phase.index()?].sqrt(),
            Quantity::CurrentThd => means(&sums.thd2[1])[row.phase.index()?].sqrt(),
            Quantity::VoltageHarmonic(order) => self.order(0, row.phase, order)?,
            Quantity::CurrentHarmonic(order) => self.order(1, row.phase, order)?,
            Quantity::VoltageInterharmonics => means(&sums.between2?[0])[row.phase.index()?].sqrt(),
            Quantity::CurrentInterharmonics => means(&sums.between2?[1])[row.phase.index()?].sqrt(),
            Quantity::VoltageUnbalanceNegative => (sums.unbalance2[0] / sums.length_s).sqrt(),
            Quantity::VoltageUnbalanceZero => (sums.unbalance2[1] / sums.length_s).sqrt(),
            Quantity::FlickerShortTerm => *self.pst.get(row.phase.index()?)?,
            Quantity::NonActivePower => {
                let (s, p) = (of_phase(means(&sums.s))?, of_phase(means(&sums.p))?);
                ((s - p) * (s + p)).max(0.0).sqrt()
            }
            Quantity::VoltageMean => means(&sums.direct[0])[row.phase.index()?],
            Quantity::CurrentMean => means(&sums.direct[1])[row.phase.index()?],
            Quantity::VoltagePhase => angle(sums.angles[0][row.phase.index()?]),
            Quantity::CurrentPhase => angle(sums.angles[1][row.phase.index()?]),
            // A pulse that is due to the last bit is given.
            Quantity::ActivePulses => {
                (self.pulsed[0] * self.energy.pulses_per_joule + 1e-9).floor()
            }
            Quantity::ReactivePulses => {
                (self.pulsed[1] * self.energy.pulses_per_joule + 1e-9).floor()
            }
            Quantity::BreakerClosed => f64::from(u8::from(!self.is_open)),
            Quantity::BreakerVoltageRms => (sums.second[0] / sums.length_s).sqrt(),
            Quantity::NeutralCurrentRms => (sums.second[1] / sums.length_s).sqrt(),
            _ => return None,
        };
        Some(value / row.si_factor).filter(|value| value.is_finite())
    }

    /// RMS value of a harmonic; `side` 0 is the voltage.
    fn order(&self, side: usize, phase: Phase, order: u8) -> Option<f64> {
        let orders = &self.sums.orders2.as_ref()?[side][phase.index()?];
        let square = orders.get(usize::from(order).checked_sub(2)?)?;
        Some((square / self.sums.length_s).sqrt())
    }

    /// What comes is not joined to what came before; the registers go on.
    pub(crate) fn begin_again(&mut self) {
        self.begin_next();
        self.pst = [f64::NAN; PHASES_MAX];
        self.last_to = None;
    }

    /// The reading has been made; the registers go on.
    pub(crate) fn begin_next(&mut self) {
        self.sums = Sums::default();
    }
}

/// The angle of a phasor; a meter shows 0 where there is none.
fn angle(phasor: Complex64) -> f64 {
    libm::atan2(phasor.im, phasor.re)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(from_s: f64, duration_s: f64, powers: [(f64, f64); 3]) -> MeasuredWindow {
        let phases = powers.map(|(p_w, q1_var)| MeasuredPhase {
            u_rms_v: 200.0,
            i_rms_a: 5.0,
            p_w,
            q1_var,
            s_va: 1000.0,
            ..MeasuredPhase::default()
        });
        MeasuredWindow { from_s, duration_s, frequency_hz: 50.0, phases, ..Default::default() }
    }

    fn value(totaliser: &Totaliser, name: &str) -> f64 {
        totaliser.value(MeasurementId::lookup(name).unwrap()).unwrap()
    }

    #[test]
    fn totals_alone_make_twenty_values_and_everything_fifty() {
        // Voltage 3, current 3, P 2, Q 2, S 1, PF 3, f 1, energies 2 + 2 + 1.
        assert_eq!(identifiers(&GROUPS[..10], true, 3).len(), 20);
        // Voltage 3, current 3, P 8, Q 8, S 4, PF 3, f 1, energies 8 + 8 + 4.
        let all = identifiers(&GROUPS[..10], false, 3);
        assert_eq!(all.len(), 50);
        assert!(all.iter().all(|id| id.row().is_table2()));
        assert!(all.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!(identifiers(&["frequency"], false, 3).len(), 1);
    }

    #[test]
    fn the_total_is_the_net_of_the_phases_or_their_parts_apart() {
        // One phase exports 300 W while the others import 500 W.
        let powers = [(-300.0, 100.0), (200.0, -40.0), (300.0, -40.0)];
        for (netting, consumed_w, injected_w, q_consumed_var, q_injected_var) in
            [(Netting::Net, 200.0, 0.0, 20.0, 0.0), (Netting::PerPhase, 500.0, 300.0, 100.0, 80.0)]
        {
            let mut totaliser = Totaliser::new(netting, Energy::default());
            totaliser.add(&window(0.0, 1800.0, powers));
            totaliser.add(&window(1800.0, 1800.0, powers));
            for (name, expected) in [
                ("electricity.power.active.consumed.total", consumed_w / 1e3),
                ("electricity.power.active.injected.total", injected_w / 1e3),
                ("electricity.power.reactive.consumed.total", q_consumed_var / 1e3),
                ("electricity.power.reactive.injected.total", q_injected_var / 1e3),
                // An hour: kW and kWh are one number.
                ("electricity.energy.active.consumed.total", consumed_w / 1e3),
                ("electricity.energy.active.injected.total", injected_w / 1e3),
                ("electricity.energy.reactive.consumed.total", q_consumed_var / 1e3),
                ("electricity.energy.reactive.injected.total", q_injected_var / 1e3),
                ("electricity.power.active.injected.l1", 0.3),
                ("electricity.power.active.consumed.l1", 0.0),
                ("electricity.energy.active.injected.l1", 0.3),
                ("electricity.energy.active.consumed.l3", 0.3),
                ("electricity.power.apparent.total", 3.0),
                ("electricity.energy.apparent.total", 3.0),
                ("electricity.powerFactor.l1", -0.3),
            ] {
                let found = value(&totaliser, name);
                assert!((found - expected).abs() < 1e-12, "{name}: {found} for {expected}");
            }
        }
    }

    #[test]
    fn a_register_keeps_both_directions_where_a_mean_power_cancels() {
        let mut totaliser = Totaliser::new(Netting::Net, Energy::default());
        totaliser.add(&window(0.0, 3600.0, [(1000.0, 0.0), (0.0, 0.0), (0.0, 0.0)]));
        totaliser.add(&window(3600.0, 3600.0, [(-1000.0, 0.0), (0.0, 0.0), (0.0, 0.0)]));
        for (name, expected) in [
            ("electricity.power.active.consumed.total", 0.0),
            ("electricity.power.active.injected.total", 0.0),
            ("electricity.energy.active.consumed.total", 1.0),
            ("electricity.energy.active.injected.total", 1.0),
        ] {
            assert!((value(&totaliser, name) - expected).abs() < 1e-12, "{name}");
        }
    }

    #[test]
    fn each_power_has_to_reach_the_threshold_by_itself() {
        let energy = Energy { no_load_w: 10.0, pulses_per_joule: 1.0 };
        let found = |p_w: f64, q1_var: f64, s_va: f64| {
            let mut totaliser = Totaliser::new(Netting::Net, energy);
            let mut window = window(0.0, 3600.0, [(p_w, q1_var), (0.0, 0.0), (0.0, 0.0)]);
            window.phases = window.phases.map(|phase| MeasuredPhase { s_va: 0.0, ..phase });
            window.phases[0].s_va = s_va;
            totaliser.add(&window);
            ["active.consumed", "reactive.injected", "apparent"]
                .map(|name| 1e3 * value(&totaliser, &format!("electricity.energy.{name}.total")))
        };
        for ([p, q, s], registered) in [
            // A capacitor, a heater, both on the threshold, nothing.
            ([1.0, -500.0, 500.001], [0.0, 500.0, 500.001]),
            ([500.0, -9.9, 500.1], [500.0, 0.0, 500.1]),
            ([10.0, -10.0, 14.1], [10.0, 10.0, 14.1]),
            ([9.9, -9.9, 9.95], [0.0; 3]),
        ] {
            for (found, expected) in found(p, q, s).iter().zip(registered) {
                assert!((found - expected).abs() < 1e-9, "{p} {q} {s}: {found} for {expected}");
            }
        }
    }

    #[test]
    fn voltages_are_averaged_as_squares_and_registers_outlive_a_reading() {
        let mut totaliser = Totaliser::new(Netting::Net, Energy::default());
        let mut first = window(0.0, 0.2, [(100.0, 0.0); 3]);
        let mut second = first.clone();
        (first.phases[0].u_rms_v, second.phases[0].u_rms_v) = (3.0, 4.0);
        second.from_s = 0.2;
        totaliser.add(&first);
        totaliser.add(&second);
        // sqrt((9 + 16)/2)
        let found = value(&totaliser, "electricity.voltage.rms.l1");
        assert!((found - 12.5_f64.sqrt()).abs() < 1e-12);
        let nanoseconds = SimDuration;
        assert_eq!(
            totaliser.span(),
            Some((nanoseconds(0), nanoseconds(400_000_000), nanoseconds(0)))
        );
        totaliser.begin_next();
        assert_eq!(totaliser.span(), None);
        first.from_s = 0.4;
        totaliser.add(&first);
        assert_eq!(
            totaliser.span(),
            Some((nanoseconds(400_000_000), nanoseconds(600_000_000), nanoseconds(0)))
        );
        // Three windows of 0.2 s at 300 W are 180 J.
        let found = value(&totaliser, "electricity.energy.active.consumed.total");
        assert!((found * 3.6e6 - 180.0).abs() < 1e-9);
    }

    /// A window's end and the next one's beginning are the same instant, computed twice: where it
    /// lies between two nanoseconds each may be rounded another way.
    #[test]
    fn readings_follow_each_other_without_a_nanosecond_between_them() {
        let nanoseconds = SimDuration;
        let mut totaliser = Totaliser::new(Netting::Net, Energy::default());
        totaliser.add(&window(677.0, 0.239_015_912_4, [(0.0, 0.0); 3]));
        let first = totaliser.span().unwrap();
        assert_eq!(first.1, nanoseconds(677_239_015_912));
        totaliser.begin_next();
        totaliser.add(&window(677.239_015_912_6, 0.2, [(0.0, 0.0); 3]));
        let second = totaliser.span().unwrap();
        assert_eq!((second.0, second.1), (first.1, nanoseconds(677_439_015_913)));
        // What is farther away than rounding is a gap, and stays one.
        totaliser.begin_next();
        totaliser.add(&window(677.5, 0.2, [(0.0, 0.0); 3]));
        assert_eq!(totaliser.span().unwrap().0, nanoseconds(677_500_000_000));
    }

    #[test]
    fn what_is_not_asked_for_changes_nothing_of_the_rest() {
        let all: Vec<MeasurementId> =
            (0..MEASUREMENTS.len()).filter_map(MeasurementId::from_index).collect();
        let mut window = window(0.0, 0.2, [(100.0, 7.0), (-30.0, 2.0), (0.5, -0.1)]);
        for (n, phase) in window.phases.iter_mut().enumerate() {
            let turn = Complex64::new(0.3 * n as f64, 1.0 - 0.2 * n as f64);
            (phase.u1, phase.i1, phase.u_thd2, phase.i_mean_a) = (turn * 200.0, turn, 0.01, 0.2);
        }
        window.second.u_rms_v = 3.0;
        let values = |asked: &[MeasurementId]| {
            let mut totaliser = Totaliser::new(Netting::Net, Energy::default()).only(asked);
            totaliser.add(&window);
            move |id: MeasurementId| totaliser.value(id)
        };
        let of_all = values(&all);
        let groups: Vec<&str> = GROUPS.iter().copied().chain(BREAKER_GROUPS.to_vec()).collect();
        for group in groups {
            let own = |id: &&MeasurementId| group_of(id.row().quantity) == Some(group);
            let asked: Vec<MeasurementId> = all.iter().filter(own).copied().collect();
            let alone = values(&asked);
            for id in asked {
                assert_eq!(alone(id), of_all(id), "{}", id.name());
            }
        }
    }

    #[test]
    fn without_apparent_power_the_power_factor_is_shown_as_zero() {
        let mut totaliser = Totaliser::new(Netting::Net, Energy::default());
        totaliser.add(&MeasuredWindow { duration_s: 0.2, ..MeasuredWindow::default() });
        assert_eq!(
            totaliser.value(MeasurementId::lookup("electricity.powerFactor.l1").unwrap()),
            Some(0.0)
        );
    }
}
