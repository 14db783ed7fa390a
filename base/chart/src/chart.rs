//! A chart: panels below each other, with a legend above them.

use lastmeter_text::{append, escape};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use crate::colour::Colour;
use crate::draw::{Drawn, Plan, Sheet, style};
use crate::layout::{Letters, WIDTH};
use crate::palette::INK;
use crate::panel::Panel;
use crate::svg::{Surface, fine};

/// How wide a picture is that fills the page.
const WIDE: f64 = 640.0;
/// The letters of this one and of others: the style sheet of the page has those of a phone.
const LETTERS: Letters = Letters { phone: 15.0, screen: 10.5 };
const WIDE_LETTERS: Letters = Letters { phone: 17.0, screen: 8.5 };
/// How large a picture is where nothing else determines it.
const MAGNIFIED: f64 = 1.3;
/// The length of a line in the legend, in heights of a letter.
const SAMPLE: f64 = 1.1;

/// What a colour means.
#[derive(Clone, Debug)]
struct Key {
    colour: Colour,
    name: String,
    dashes: &'static str,
}

/// A picture with axes.
#[derive(Clone, Debug)]
pub struct Chart {
    label: String,
    is_wide: bool,
    data: Vec<(&'static str, String)>,
    keys: Vec<Key>,
    panels: Vec<Panel>,
}

impl Chart {
    /// An empty one; the label is for those who do not see it.
    #[must_use]
    pub fn new(label: impl Into<String>) -> Self {
        let (label, data, keys, panels) = (label.into(), Vec::new(), Vec::new(), Vec::new());
        Self { label, is_wide: false, data, keys, panels }
    }

    /// The chart for the width of a page.
    #[must_use]
    pub fn wide(self) -> Self {
        Self { is_wide: true, ..self }
    }

    /// The chart with an attribute for programs.
    #[must_use]
    pub fn with_data(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.data.push((name, value.into()));
        self
    }

    /// The chart with a line in its legend.
    #[must_use]
    pub fn with_key(self, colour: Colour, name: impl Into<String>) -> Self {
        self.with_dashed_key(colour, name, "")
    }

    /// The chart with a dashed line in its legend.
    #[must_use]
    pub fn with_dashed_key(
        mut self,
        colour: Colour,
        name: impl Into<String>,
        dashes: &'static str,
    ) -> Self {
        self.keys.push(Key { colour, name: name.into(), dashes });
        self
    }

    /// The chart with another panel below.
    #[must_use]
    pub fn with_panel(mut self, panel: Panel) -> Self {
        self.panels.push(panel);
        self
    }

    /// The picture.
    ///
    /// # Panics
    /// Never: the library can fail only where its surface does, and text in memory does not.
    #[must_use]
    pub fn svg(&self) -> String {
        let (width, letters) = if self.is_wide { (WIDE, WIDE_LETTERS) } else { (WIDTH, LETTERS) };
        // All panels have their axes below each other.
        let sides = self.panels.iter().map(|panel| panel.sides(letters));
        let (left, right) =
            sides.fold((0.0, 0.0), |(l, r), (left, right)| (f64::max(l, left), f64::max(r, right)));
        let plans: Vec<Plan> =
            self.panels.iter().map(|panel| panel.plan(width, (left, right), letters)).collect();
        let legend = Legend::of(&self.keys, width, letters);
        let height = (legend.height + plans.iter().map(|plan| plan.height).sum::<f64>()).ceil();
        let surface = Surface::new(width, height, letters);
        self.draw(&surface, (&legend, &plans), letters).expect("text in memory takes everything");
        let class = if self.is_wide { "chart wide" } else { "chart" };
        let [shown_width, shown_height] =
            [width, height].map(|length| (length * MAGNIFIED).round());
        let label = escape(&self.label);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"{class}\" width=\"{shown_width}\" \
             height=\"{shown_height}\" viewBox=\"0 0 {width} {height}\" role=\"img\" \
             aria-label=\"{label}\""
        );
        for (name, value) in &self.data {
            append(&mut svg, format_args!(" {name}=\"{}\"", escape(value)));
        }
        let (size, drawn) = (letters.screen, surface.take());
        append(
            &mut svg,
            format_args!(
                " font-family=\"sans-serif\" font-size=\"{size}\"><title>{label}</title>{drawn}</svg>\n"
            ),
        );
        svg
    }

    fn draw(&self, surface: &Surface, planned: (&Legend<'_>, &[Plan]), letters: Letters) -> Drawn {
        let (legend, plans) = planned;
        let mut rest = surface.clone().into_drawing_area();
        if legend.height > 0.0 {
            let (area, below) = rest.split_vertically(fine(legend.height));
            legend.draw(&area, surface, letters)?;
            rest = below;
        }
        for (panel, plan) in self.panels.iter().zip(plans) {
            let (area, below) = rest.split_vertically(fine(plan.height));
            panel.draw((&area, surface), plan, letters)?;
            rest = below;
        }
        Ok(())
    }
}

/// The legend: keys in rows, each with its place and the lines of its name.
struct Legend<'a> {
    keys: Vec<(&'a Key, (f64, f64), Vec<String>)>,
    height: f64,
}

impl<'a> Legend<'a> {
    fn of(keys: &'a [Key], width: f64, letters: Letters) -> Self {
        let beside = (SAMPLE + 0.4) * letters.phone;
        let (mut placed, mut x, mut y, mut bottom) = (Vec::new(), 0.0, 0.0, 0.0);
        for key in keys {
            let lines = letters.wrapped(&key.name, width - beside);
            let wide = lines.iter().map(|line| letters.width_of(line)).fold(0.0, f64::max);
            if x > 0.0 && x + beside + wide > width {
                (x, y) = (0.0, bottom);
            }
            let tall = letters.line() * lines.len() as f64;
            placed.push((key, (x, y), lines));
            (x, bottom) = (x + beside + wide + letters.phone, f64::max(bottom, y + tall));
        }
        let height = if bottom > 0.0 { bottom + 0.3 * letters.phone } else { 0.0 };
        Self { keys: placed, height }
    }

    fn draw(&self, area: &Sheet, surface: &Surface, letters: Letters) -> Drawn {
        for (key, (x, y), lines) in &self.keys {
            let middle = fine(y + 0.55 * letters.phone);
            let ends = [*x, x + SAMPLE * letters.phone].map(|x| (fine(x), middle));
            surface.dash(key.dashes);
            let line = key.colour.rgb().stroke_width(fine(3.0) as u32);
            area.draw(&PathElement::new(ends.to_vec(), line))?;
            surface.dash("");
            for (row, line) in lines.iter().enumerate() {
                let left = x + (SAMPLE + 0.4) * letters.phone;
                let at = (fine(left), fine(y + letters.line() * row as f64));
                let style = style(letters, INK, (HPos::Left, VPos::Top));
                area.draw(&Text::new(line.clone(), at, style))?;
            }
        }
        Ok(())
    }
}
