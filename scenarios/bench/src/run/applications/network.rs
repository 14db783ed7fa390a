//! The electric network that an application is given: the declared one, known as badly as its table
//! states, never the plant's own.

use lastmeter_grid::Complex64;
use lastmeter_grid::format::{Refusal, pgm};
use lastmeter_grid::network::{LineImpedance, Matrix, Network, SequenceImpedance};
use lastmeter_language::{ApplicationRow, KnownNetwork, Scenario};
use lastmeter_link::http::{Client, HttpError};
use lastmeter_sim::Streams;
use rand::RngExt as _;
use rand_distr::{Distribution, StandardNormal};
use serde_json::{Value, json};

use crate::run::error::BenchError;

/// An electric network that an application is given.
pub(super) struct GivenNetwork {
    /// The token of its document.
    pub(super) token: String,
    /// Its model: input data of power-grid-model.
    pub(super) model: String,
    document: Value,
}

/// The network of a scenario as an application is given it.
///
/// # Errors
/// If the scenario has none, or it has what power-grid-model cannot express.
pub(super) fn given(scenario: &Scenario, row: &ApplicationRow) -> Result<GivenNetwork, BenchError> {
    let failed = |why: String| BenchError::device(&row.name, why);
    let declared = scenario.declared_network();
    let declared = declared.ok_or_else(|| failed("there is no network to be given".to_owned()))?;
    let network = known(declared, &row.known, scenario.streams(), &row.name);
    let of = scenario.network_name().unwrap_or_default();
    let token = format!("{}-network", row.name);
    GivenNetwork::of(&network, token, Some(&of)).map_err(|refusal| failed(refusal.to_string()))
}

/// The declared network, which people see.
///
/// # Errors
/// As [`given`].
pub(super) fn declared(scenario: &Scenario) -> Result<GivenNetwork, BenchError> {
    let token = scenario.network_name().unwrap_or_default();
    let failed = |why: String| BenchError::Rest(format!("the network `{token}`: {why}"));
    let declared = scenario.declared_network();
    let declared = declared.ok_or_else(|| failed("there is none to be given".to_owned()))?;
    let network = known(declared, &KnownNetwork::default(), scenario.streams(), "");
    GivenNetwork::of(&network, token.clone(), None).map_err(|refusal| failed(refusal.to_string()))
}

impl GivenNetwork {
    fn of(network: &Network, token: String, of: Option<&str>) -> Result<Self, Refusal> {
        let written = pgm::write(network)?;
        let switches = network.switches.iter().zip(&written.switches);
        let switches = switches
            .map(|(switch, id)| json!({ "id": id, "normal": switch.closed, "remote": true }))
            .collect::<Vec<_>>();
        let metadata = of.map_or_else(|| json!({}), |of| json!({ "of": of }));
        let document = json!({
            "token": token, "name": network.name, "model": written.json, "switches": switches,
            "metadata": metadata,
        });
        Ok(Self { token, model: written.json, document })
    }

    /// Puts it on the platform.
    pub(super) async fn put(&self, client: &Client) -> Result<(), HttpError> {
        let path = "/api/v1/electric-networks";
        client.post_json::<_, Value>(path, &self.document).await.map(drop)
    }
}

/// What is known of a network: its lines' resistances and reactances are each off by a draw of a
/// normal distribution, on top of what all are off by together; its loads by a draw of a uniform
/// one.
fn known(declared: &Network, known: &KnownNetwork, streams: Streams, name: &str) -> Network {
    let mut random = streams.stream(&format!("application/{name}/network"));
    let mut network = declared.clone();
    for line in &mut network.lines {
        let [r, x] = std::array::from_fn(|_| {
            let drawn: f64 = StandardNormal.sample(&mut random);
            // Of a line that is known that badly something is left all the same.
            (1.0 + known.line_error + known.line_spread * drawn).max(0.05)
        });
        scale(&mut line.impedance, r, x);
    }
    for load in &mut network.loads {
        let factor = 1.0 + known.load_spread * random.random_range(-1.0..=1.0);
        load.power_va = load.power_va.map(|power| power * factor);
        // How loads follow a voltage far from the rated one is not known.
        load.band = None;
    }
    leave_out(&mut network);
    network
}

/// Leaves out what power-grid-model has no form for: taps at a second winding, which stand at their
/// neutral position then, and angles between the zero and the positive sequence of a source.
fn leave_out(network: &mut Network) {
    for transformer in &mut network.transformers {
        let mut windings = transformer.windings.iter_mut();
        if windings.any(|winding| winding.tap.is_some()) {
            windings.for_each(|winding| winding.tap = None);
        }
    }
    for source in &mut network.sources {
        let ratio = source.z0_ohm.norm() / source.z1_ohm.norm();
        if ratio.is_finite() && ratio > 0.0 {
            source.z0_ohm = source.z1_ohm * ratio;
        }
    }
}

fn scale(impedance: &mut LineImpedance, r: f64, x: f64) {
    let scaled = |z: Complex64| Complex64::new(z.re * r, z.im * x);
    match impedance {
        LineImpedance::Sequence(it) => {
            let (z1_ohm, z0_ohm) = (scaled(it.z1_ohm), scaled(it.z0_ohm));
            *it = SequenceImpedance { z1_ohm, z0_ohm, ..*it };
        }
        LineImpedance::Matrix { series_ohm, .. } => {
            let rows = series_ohm.rows;
            **series_ohm = Matrix::from_fn(series_ohm.size, |i, j| scaled(rows[i][j]));
        }
    }
}
