//! `[matrix]`: variants of the scenario, each a run of its own.

use lastmeter_params::{Diagnostics, Field, Kind};

use crate::draft::{Draft, Section};
use crate::matrix::Matrix;

pub(crate) static MATRIX: Section = Section {
    name: "matrix",
    noun: "matrix",
    doc: "Variants of this scenario. Each address of `vary` takes its values in turn, each with each \
          of the others, and each combination is a case: a run of its own, called by its values, in \
          `SCENARIO/CASE`. `lastmeter run --vary` and `--seeds` add to it or stand for it. \
          Must-fail twins are those of the scenario as it is written.",
    fields: &[
        Field::optional(
            "vary",
            Kind::Open,
            "by address, as `--set` takes it, the values: a list; `{ from = \"207 V\", to = \"253 V\", \
             step = \"23 V\" }`, or with `count` in place of `step`; or `{ draw = \"normal(0 %, 0.3 \
             %)\", count = 10 }`, drawn by the scenario's seed",
        ),
        Field::optional(
            "zip",
            Kind::List(&Kind::List(&Kind::Text)),
            "addresses of `vary` that take their values together, the first with the first: lists of \
             one length",
        ),
        Field::optional(
            "seeds",
            Kind::Text,
            "seeds, both included, as in `1..20`: each case with each of them",
        ),
        Field::optional(
            "exclude",
            Kind::List(&Kind::Open),
            "combinations that are left out: all values of one table, by their addresses, together",
        ),
        Field::optional(
            "sample",
            Kind::Integer { min: 1, max: 1_000_000 },
            "so many of the cases, drawn by the scenario's seed",
        ),
        Field::optional(
            "map",
            Kind::List(&Kind::Text),
            "the two addresses over which the index of a suite shows verdicts and margins; the first \
             two that vary otherwise",
        ),
    ],
    rules: &[report_matrix],
    ..Section::ONCE
};

/// Each address addresses something, each axis has values, and what is left out would be there.
fn report_matrix(draft: &Draft<'_>, out: &mut Diagnostics) {
    if let Some(row) = draft.single(&MATRIX) {
        Matrix::read(row.table, draft.root, out);
    }
}
