//! The name and the attributes of each kind of component, as they are documented.

use std::sync::LazyLock;

use super::Component;

impl Component {
    /// As it stands in a file.
    pub fn name(self) -> &'static str {
        KINDS[self as usize].0
    }

    /// Its attributes of input in one text, as [`Self::attributes`].
    pub(super) const fn words(self) -> &'static str {
        KINDS[self as usize].1
    }

    /// Its attributes of input; the first is its number.
    pub(super) fn attributes(self) -> &'static [&'static str] {
        static ALL: LazyLock<[Vec<&str>; Component::ALL.len()]> =
            LazyLock::new(|| Component::ALL.map(|it| it.words().split(' ').collect()));
        &ALL[self as usize]
    }
}

const LOAD: &str = "id node status type p_specified q_specified";

/// In the order of [`Component::ALL`].
const KINDS: [(&str, &str); Component::ALL.len()] = [
    ("node", "id u_rated"),
    ("line", "id from_node to_node from_status to_status r1 x1 c1 tan1 r0 x0 c0 tan0 i_n"),
    (
        "asym_line",
        "id from_node to_node from_status to_status r_aa r_ba r_bb r_ca r_cb r_cc r_na r_nb r_nc \
         r_nn x_aa x_ba x_bb x_ca x_cb x_cc x_na x_nb x_nc x_nn c_aa c_ba c_bb c_ca c_cb c_cc c0 \
         c1 i_n",
    ),
    ("link", "id from_node to_node from_status to_status"),
    ("generic_branch", "id from_node to_node from_status to_status r1 x1 g1 b1 k theta sn"),
    (
        "transformer",
        "id from_node to_node from_status to_status u1 u2 sn uk pk i0 p0 i0_zero_sequence \
         p0_zero_sequence winding_from winding_to clock tap_side tap_pos tap_min tap_max tap_nom \
         tap_size uk_min uk_max pk_min pk_max r_grounding_from x_grounding_from r_grounding_to \
         x_grounding_to",
    ),
    (
        "three_winding_transformer",
        "id node_1 node_2 node_3 status_1 status_2 status_3 u1 u2 u3 sn_1 sn_2 sn_3 uk_12 uk_13 \
         uk_23 pk_12 pk_13 pk_23 i0 p0 winding_1 winding_2 winding_3 clock_12 clock_13 tap_side \
         tap_pos tap_min tap_max tap_nom tap_size uk_12_min uk_12_max uk_13_min uk_13_max \
         uk_23_min uk_23_max pk_12_min pk_12_max pk_13_min pk_13_max pk_23_min pk_23_max \
         r_grounding_1 x_grounding_1 r_grounding_2 x_grounding_2 r_grounding_3 x_grounding_3",
    ),
    ("shunt", "id node status g1 b1 g0 b0"),
    ("source", "id node status u_ref u_ref_angle sk rx_ratio z01_ratio"),
    ("sym_load", LOAD),
    ("sym_gen", LOAD),
    ("asym_load", LOAD),
    ("asym_gen", LOAD),
    ("fault", "id status fault_type fault_phase fault_object r_f x_f"),
];
