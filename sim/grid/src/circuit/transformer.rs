//! Transformers as admittances between the wires of their windings' nodes.
//!
//! Two ways, as there are two ways to describe where the magnetising current flows.
//!
//! *By sequence* ([`Magnetising::BySequence`]), as power-grid-model has it (documentation of its
//! component `transformer`, and `transformer.hpp`): positive and negative sequence are two-ports
//! with half of the magnetising admittance at each end, the zero sequence follows from the
//! connections, and where it has no path a susceptance of 1e-8 times the rated one keeps the matrix
//! regular.
//!
//! *By coils* ([`Magnetising::AtWinding`]), as `OpenDSS` has it (`Transformer.pas`,
//! `CalcY_Terminal`): each limb is a single-phase transformer whose coils are put between wires and
//! star points, and small reactors between each coil's ends and earth let a side without any earth
//! keep to a definite potential.

use num_complex::Complex64;

use crate::block::{Block, inverse, magnitude, zero};
use crate::network::{Fault, Magnetising, Neutral, Transformer, WindingKind, Wire};

/// Currents into the wires of the windings' nodes by the voltages there, siemens: block by block of
/// two windings.
pub(crate) type Windings = Box<[[Block<4>; 3]; 3]>;

/// The zero sequence's susceptance where it has no path, as a share of the short-circuit one.
const LOW_SUSCEPTANCE: f64 = 1e-8;
/// The zero-sequence impedance of a zigzag winding, as a share of the positive sequence's.
const ZIGZAG: f64 = 0.1;

/// The admittances of a transformer, taps and breakers as they stand.
pub(crate) fn transformer_admittance(transformer: &Transformer) -> Result<Windings, Fault> {
    let result = match transformer.magnetising {
        Magnetising::BySequence { y1_pu, y0_pu } => by_sequence(transformer, y1_pu, y0_pu),
        Magnetising::AtWinding { winding, y_pu, antifloat_pu } => {
            by_coils(transformer, winding, y_pu, antifloat_pu)
        }
    };
    result.map_err(|what| Fault::new("transformer", &transformer.name, transformer.place, what))
}

fn turned(twelfths: u8) -> Complex64 {
    const HALF_ROOT_3: f64 = 0.866_025_403_784_438_6;
    let (re, im) = match twelfths % 12 {
        0 => (1.0, 0.0),
        1 => (HALF_ROOT_3, 0.5),
        2 => (0.5, HALF_ROOT_3),
        3 => (0.0, 1.0),
        4 => (-0.5, HALF_ROOT_3),
        5 => (-HALF_ROOT_3, 0.5),
        6 => (-1.0, 0.0),
        7 => (-HALF_ROOT_3, -0.5),
        8 => (-0.5, -HALF_ROOT_3),
        9 => (0.0, -1.0),
        10 => (0.5, -HALF_ROOT_3),
        _ => (HALF_ROOT_3, -0.5),
    };
    Complex64::new(re, im)
}

/// The first phase's phasor and those of the two that follow, of a positive-sequence system.
pub(crate) fn positive_sequence() -> [Complex64; 3] {
    [turned(0), turned(8), turned(4)]
}

/// A two-port of one sequence.
#[derive(Clone, Copy, Default)]
struct Port {
    ff: Complex64,
    ft: Complex64,
    tf: Complex64,
    tt: Complex64,
}

fn port(series: Complex64, shunt: Complex64, ratio: Complex64, [from, to]: [bool; 2]) -> Port {
    let tap = ratio.norm_sqr();
    if from && to {
        let own = series + shunt * 0.5;
        return Port { ff: own / tap, ft: -series / ratio.conj(), tf: -series / ratio, tt: own };
    }
    let mut seen = Complex64::ZERO;
    if shunt != Complex64::ZERO {
        seen = shunt * 0.5 + Complex64::ONE / (Complex64::ONE / series + 2.0 / shunt);
    }
    let mut port = Port::default();
    if from {
        port.ff = seen / tap;
    }
    if to {
        port.tt = seen;
    }
    port
}

fn by_sequence(it: &Transformer, y1_pu: Complex64, y0_pu: Complex64) -> Result<Windings, String> {
    let [first, second] = it.windings.as_slice() else {
        return Err("magnetising by sequence is for two windings, it has three".into());
    };
    let wires = [first, second].map(|winding| winding.connection.wires);
    if wires.iter().any(|wires| wires.as_slice().len() != 3) {
        return Err("magnetising by sequence is for three phases, it has one".into());
    }
    let [u1, u2] = [first, second]
        .map(|winding| winding.rated_voltage_v * winding.tap.map_or(1.0, |tap| tap.ratio()));
    let base = it.rated_power_va / (u2 * u2);
    let series = base / it.short_circuit_pu[0];
    let shunt = y1_pu * base;
    let ratio = u1 / u2;
    let closed = [it.closed[0], it.closed[1]];
    let clock = it.clock[0];
    let one = port(series, shunt, turned(clock) * ratio, closed);
    let two = port(series, shunt, turned(12 - clock % 12) * ratio, closed);
    let none = zero_sequence(it, series, y0_pu * base, ratio);

    let matrices = [
        from_sequences([none.ff, one.ff, two.ff]),
        from_sequences([none.ft, one.ft, two.ft]),
        from_sequences([none.tf, one.tf, two.tf]),
        from_sequences([none.tt, one.tt, two.tt]),
    ];
    let mut result: Windings = Box::new([[zero(); 3]; 3]);
    for (matrix, (a, b)) in matrices.iter().zip([(0, 0), (0, 1), (1, 0), (1, 1)]) {
        for (row, &at) in wires[a].as_slice().iter().enumerate() {
            for (column, &by) in wires[b].as_slice().iter().enumerate() {
                result[a][b][at.index()][by.index()] = matrix[row][column];
            }
        }
    }
    to_neutral_wires(it, &mut result);
    Ok(result)
}

/// `A diag(y0, y1, y2) A^-1` with the columns of `A` being the sequences.
fn from_sequences([none, one, two]: [Complex64; 3]) -> [[Complex64; 3]; 3] {
    let phasor = positive_sequence();
    std::array::from_fn(|row| {
        std::array::from_fn(|column| {
            let turn = phasor[row] * phasor[column].conj();
            (none + one * turn + two * turn.conj()) / 3.0
        })
    })
}

fn zero_sequence(it: &Transformer, series: Complex64, shunt: Complex64, ratio: f64) -> Port {
    #[derive(PartialEq)]
    enum Path {
        Star(Complex64),
        Zigzag(Complex64),
        Delta,
        None,
    }
    let path = |winding: usize| match it.windings[winding].kind {
        WindingKind::Star(Neutral::Earthed(through)) => Path::Star(through),
        WindingKind::Zigzag(Neutral::Earthed(through)) => Path::Zigzag(through),
        WindingKind::Star(Neutral::Isolated) | WindingKind::Zigzag(Neutral::Isolated) => Path::None,
        WindingKind::Star(_) => Path::Star(Complex64::ZERO),
        WindingKind::Zigzag(_) => Path::Zigzag(Complex64::ZERO),
        WindingKind::Delta => Path::Delta,
    };
    let ends = [path(0), path(1)];
    let closed = [it.closed[0], it.closed[1]];
    let squared = ratio * ratio;
    let behind = |admittance: Complex64, through: Complex64| {
        if admittance == Complex64::ZERO {
            return Complex64::ZERO;
        }
        Complex64::ONE / (Complex64::ONE / admittance + through * 3.0)
    };
    let mut result = Port::default();
    match &ends {
        [Path::Star(from), Path::Star(to)] => {
            let sign = if matches!(it.clock[0] % 12, 2 | 6 | 10) { -1.0 } else { 1.0 };
            let through = *to + *from / squared;
            result =
                port(behind(series, through), shunt, Complex64::new(ratio * sign, 0.0), closed);
        }
        [Path::Star(from), other] if closed[0] => {
            let path = if *other == Path::Delta { shunt + series } else { shunt };
            result.ff = behind(path, *from / squared) / squared;
        }
        [other, Path::Star(to)] if closed[1] => {
            let path = if *other == Path::Delta { shunt + series } else { shunt };
            result.tt = behind(path, *to);
        }
        _ => {}
    }
    let has_path = |at: usize| match ends[at] {
        Path::Star(_) => matches!(ends[1 - at], Path::Star(_) | Path::Delta),
        Path::Zigzag(_) => true,
        Path::Delta | Path::None => false,
    };
    if let (Path::Zigzag(from), true) = (&ends[0], closed[0]) {
        result.ff = behind(series / ZIGZAG, *from / squared) / squared;
    }
    if let (Path::Zigzag(to), true) = (&ends[1], closed[1]) {
        result.tt = behind(series / ZIGZAG, *to);
    }
    for at in [0, 1] {
        if !has_path(at) && closed[at] {
            let rated = it.rated_power_va / it.windings[at].rated_voltage_v.powi(2);
            let low = -LOW_SUSCEPTANCE * rated / magnitude(it.short_circuit_pu[0]);
            let own = if at == 0 { &mut result.ff } else { &mut result.tt };
            *own += Complex64::new(0.0, low);
        }
    }
    result
}

/// Brings star points that were taken as earth to the neutral wires of their nodes: what a winding
/// draws follows the voltages of its phases against that wire, into which it comes back.
fn to_neutral_wires(it: &Transformer, of: &mut Windings) {
    const N: usize = Wire::Neutral.index();
    let points = [0, 1].map(|at| it.windings[at].kind.neutral());
    let floats = |at: usize| matches!(points[at], Some(Neutral::Wire | Neutral::WireThrough(_)));
    for (a, b) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
        let block = &mut of[a][b];
        if floats(b) {
            block[..N].iter_mut().for_each(|row| row[N] = -row[..N].iter().sum::<Complex64>());
        }
        if floats(a) {
            block[N] = std::array::from_fn(|column| {
                -block[..N].iter().map(|row| row[column]).sum::<Complex64>()
            });
        }
    }
    earth_wires(it, |at, siemens| of[at][at][N][N] += siemens);
}

/// Adds the admittances through which neutral wires are earthed at star points.
fn earth_wires(it: &Transformer, mut add: impl FnMut(usize, Complex64)) {
    for (at, winding) in it.windings.iter().enumerate().filter(|(at, _)| it.closed[*at]) {
        if let Some(Neutral::WireThrough(through)) = winding.kind.neutral() {
            add(at, Complex64::ONE / through);
        }
    }
}

/// Wires of three windings, then their star points.
const TERMINALS: usize = 15;

/// One coil: from this terminal to that one.
pub(crate) type Coil = (usize, usize);

fn by_coils(
    it: &Transformer,
    at: u8,
    magnetising: Complex64,
    antifloat: f64,
) -> Result<Windings, String> {
    let phases = if it.windings[0].connection.wires.as_slice().len() == 3 { 3 } else { 1 };
    let count = it.windings.len();
    let mut limb = one_limb(it, phases)?;
    let base = it.rated_power_va / phases as f64;
    if usize::from(at) >= count {
        return Err(format!("winding {at} magnetises it, but there are {count} windings"));
    }
    limb[usize::from(at)][usize::from(at)] += magnetising * base;
    open_breakers(it, &mut limb);

    let volts: Vec<f64> = (0..count).map(|winding| coil_volts(it, winding, phases)).collect();
    let mut all = [[Complex64::ZERO; TERMINALS]; TERMINALS];
    let coils: Vec<[Coil; 3]> =
        (0..count).map(|winding| coils(it, winding, phases)).collect::<Result<_, _>>()?;
    for a in (0..count).filter(|&a| it.closed[a]) {
        let rated = base / (volts[a] / tap_ratio(it, a)).powi(2);
        for &(plus, minus) in &coils[a][..phases] {
            for terminal in [plus, minus] {
                all[terminal][terminal] -= Complex64::new(0.0, 0.5 * antifloat * rated);
            }
        }
        for b in (0..count).filter(|&b| it.closed[b]) {
            let mutual = limb[a][b] / (volts[a] * volts[b]);
            for (&(plus, minus), &(by_plus, by_minus)) in
                coils[a][..phases].iter().zip(&coils[b][..phases])
            {
                all[plus][by_plus] += mutual;
                all[minus][by_minus] += mutual;
                all[plus][by_minus] -= mutual;
                all[minus][by_plus] -= mutual;
            }
        }
    }
    star_points(it, &mut all);
    earth_wires(it, |at, siemens| {
        let wire = 4 * at + Wire::Neutral.index();
        all[wire][wire] += siemens;
    });

    let mut result: Windings = Box::new([[zero(); 3]; 3]);
    for a in 0..count {
        for b in 0..count {
            for row in 0..4 {
                for column in 0..4 {
                    result[a][b][row][column] = all[4 * a + row][4 * b + column];
                }
            }
        }
    }
    Ok(result)
}

/// Of one limb, at one volt for each winding: current into the windings by their voltages.
fn one_limb(it: &Transformer, phases: usize) -> Result<[[Complex64; 3]; 3], String> {
    let base = phases as f64 / it.rated_power_va;
    let z: Vec<Complex64> = it.short_circuit_pu.iter().map(|z| z * base).collect();
    let mut limb = [[Complex64::ZERO; 3]; 3];
    let y = match *z.as_slice() {
        [z12] => inverse(&[[z12]]).map(|[[y]]| [[y, Complex64::ZERO], [Complex64::ZERO; 2]]),
        [z12, z13, z23] => {
            let mutual = (z12 + z13 - z23) * 0.5;
            inverse(&[[z12, mutual], [mutual, z13]])
        }
        _ => None,
    };
    let y = y.ok_or("its short-circuit impedances cannot be inverted")?;
    for a in 0..it.windings.len() - 1 {
        for b in 0..it.windings.len() - 1 {
            limb[a + 1][b + 1] += y[a][b];
            limb[0][b + 1] -= y[a][b];
            limb[a + 1][0] -= y[a][b];
            limb[0][0] += y[a][b];
        }
    }
    Ok(limb)
}

/// Takes out the windings that carry no current, as their breakers are open.
fn open_breakers(it: &Transformer, limb: &mut [[Complex64; 3]; 3]) {
    for open in (0..it.windings.len()).filter(|&winding| !it.closed[winding]) {
        let (row, own) = (limb[open], limb[open][open]);
        for a in 0..3 {
            let factor = limb[a][open];
            for b in 0..3 {
                if own != Complex64::ZERO {
                    limb[a][b] -= factor * row[b] / own;
                }
            }
        }
        for other in 0..3 {
            limb[open][other] = Complex64::ZERO;
            limb[other][open] = Complex64::ZERO;
        }
    }
}

fn tap_ratio(it: &Transformer, winding: usize) -> f64 {
    it.windings[winding].tap.map_or(1.0, |tap| tap.ratio())
}

/// The voltage across a coil of a winding at its taps, volts.
pub(crate) fn coil_volts(it: &Transformer, winding: usize, phases: usize) -> f64 {
    let rated = it.windings[winding].rated_voltage_v * tap_ratio(it, winding);
    match it.windings[winding].kind {
        WindingKind::Delta => rated,
        _ if phases == 1 => rated,
        WindingKind::Star(_) | WindingKind::Zigzag(_) => rated / 3.0_f64.sqrt(),
    }
}

/// The coils of a winding in the order of the limbs they are on.
pub(crate) fn coils(it: &Transformer, winding: usize, phases: usize) -> Result<[Coil; 3], String> {
    let this = &it.windings[winding];
    let wire = |k: usize| 4 * winding + this.connection.wires.as_slice()[k].index();
    let star_point = match this.kind {
        kind if kind.is_at_wire() => 4 * winding + Wire::Neutral.index(),
        _ => 12 + winding,
    };
    let coil = |k: usize| match this.kind {
        WindingKind::Delta if phases == 1 => Ok((wire(0), wire(1))),
        WindingKind::Delta => Ok((wire(k), wire((k + 1) % 3))),
        WindingKind::Star(_) => Ok((wire(k), star_point)),
        WindingKind::Zigzag(_) => {
            Err("zigzag windings need their magnetising admittance by sequence".to_owned())
        }
    };
    let delta = |winding: usize| it.windings[winding].kind == WindingKind::Delta;
    let clock = if winding == 0 { 0 } else { it.clock[winding - 1] % 12 };
    // A star's phase to earth is on the limb of the delta's phase to the next phase, which leads it
    // by a twelfth of a turn.
    let as_connected = match (phases, delta(0), delta(winding)) {
        (3, false, true) => 1,
        (3, true, false) => 11,
        _ => 0,
    };
    let (shift, reversed) = match (12 + clock - as_connected) % 12 {
        0 => (0, false),
        6 => (0, true),
        4 if phases == 3 => (1, false),
        8 if phases == 3 => (2, false),
        10 if phases == 3 => (1, true),
        2 if phases == 3 => (2, true),
        _ => {
            return Err(format!("its windings cannot be connected for clock number {clock}"));
        }
    };
    let mut result = [(0, 0); 3];
    for k in 0..phases {
        let (plus, minus) = coil(k)?;
        result[(k + shift) % phases] = if reversed { (minus, plus) } else { (plus, minus) };
    }
    Ok(result)
}

/// Takes out the star points: by what they are earthed through, or by nothing.
fn star_points(it: &Transformer, all: &mut [[Complex64; TERMINALS]; TERMINALS]) {
    for (winding, this) in it.windings.iter().enumerate() {
        let point = 12 + winding;
        let solid = match this.kind {
            WindingKind::Star(Neutral::Earthed(through)) => {
                if through != Complex64::ZERO {
                    all[point][point] += Complex64::ONE / through;
                }
                through == Complex64::ZERO
            }
            _ => false,
        };
        let (row, own) = (all[point], all[point][point]);
        if !solid && own != Complex64::ZERO {
            for a in 0..TERMINALS {
                let factor = all[a][point] / own;
                for b in 0..TERMINALS {
                    all[a][b] -= factor * row[b];
                }
            }
        }
        for other in 0..TERMINALS {
            all[point][other] = Complex64::ZERO;
            all[other][point] = Complex64::ZERO;
        }
    }
}
