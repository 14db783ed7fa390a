//! The attributes of each kind of component, as they are documented.

use std::sync::LazyLock;

use super::Component;

impl Component {
    /// Its attributes of input in one text, as [`Self::attributes`].
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::Node => NODE,
            Self::Line => LINE,
            Self::AsymLine => ASYM_LINE,
            Self::Link => LINK,
            Self::GenericBranch => GENERIC_BRANCH,
            Self::Transformer => TRANSFORMER,
            Self::ThreeWindingTransformer => THREE_WINDING_TRANSFORMER,
            Self::Shunt => SHUNT,
            Self::Source => SOURCE,
            Self::SymLoad | Self::SymGen | Self::AsymLoad | Self::AsymGen => LOAD,
            Self::Fault => FAULT,
        }
    }

    /// Its attributes of input; the first is its number.
    pub(super) fn attributes(self) -> &'static [&'static str] {
        static ALL: LazyLock<[Vec<&str>; Component::ALL.len()]> =
            LazyLock::new(|| Component::ALL.map(|it| it.words().split(' ').collect()));
        &ALL[self as usize]
    }
}

const NODE: &str = "id u_rated";

const LINE: &str = "id from_node to_node from_status to_status r1 x1 c1 tan1 r0 x0 c0 tan0 i_n";

const ASYM_LINE: &str = "\
    id from_node to_node from_status to_status r_aa r_ba r_bb r_ca r_cb r_cc r_na r_nb r_nc \
    r_nn x_aa x_ba x_bb x_ca x_cb x_cc x_na x_nb x_nc x_nn c_aa c_ba c_bb c_ca c_cb c_cc c0 \
    c1 i_n";

const LINK: &str = "id from_node to_node from_status to_status";

const GENERIC_BRANCH: &str = "id from_node to_node from_status to_status r1 x1 g1 b1 k theta sn";

const TRANSFORMER: &str = "\
    id from_node to_node from_status to_status u1 u2 sn uk pk i0 p0 i0_zero_sequence \
    p0_zero_sequence winding_from winding_to clock tap_side tap_pos tap_min tap_max tap_nom \
    tap_size uk_min uk_max pk_min pk_max r_grounding_from x_grounding_from r_grounding_to \
    x_grounding_to";

const THREE_WINDING_TRANSFORMER: &str = "\
    id node_1 node_2 node_3 status_1 status_2 status_3 u1 u2 u3 sn_1 sn_2 sn_3 uk_12 uk_13 \
    uk_23 pk_12 pk_13 pk_23 i0 p0 winding_1 winding_2 winding_3 clock_12 clock_13 tap_side \
    tap_pos tap_min tap_max tap_nom tap_size uk_12_min uk_12_max uk_13_min uk_13_max \
    uk_23_min uk_23_max pk_12_min pk_12_max pk_13_min pk_13_max pk_23_min pk_23_max \
    r_grounding_1 x_grounding_1 r_grounding_2 x_grounding_2 r_grounding_3 x_grounding_3";

const SHUNT: &str = "id node status g1 b1 g0 b0";

const SOURCE: &str = "id node status u_ref u_ref_angle sk rx_ratio z01_ratio";

const LOAD: &str = "id node status type p_specified q_specified";

const FAULT: &str = "id status fault_type fault_phase fault_object r_f x_f";
