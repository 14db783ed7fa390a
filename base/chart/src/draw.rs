//! How a panel is laid out and drawn.

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::axis::{Axis, Ruled, Tick};
use crate::colour::Colour;
use crate::layout::{Area, Free, Letters, SIZE, Stairs, WIDTH};
use crate::palette::{INK, LINE, SHADE, STRONG};
use crate::panel::{Block, Panel, Series, Shape};
use crate::svg::{FINE, Surface, fine};

/// The most ticks of an upright axis, and of one with names.
const UPRIGHT_MAX: [usize; 2] = [7, 200];
/// The length of a tick in heights of a letter; figures begin as far beyond its end.
const TICK: f64 = 0.28;
/// The most places of a curve that words avoid.
const AREAS_MAX: usize = 400;

/// The library's surface and result; drawing into memory cannot fail.
pub(crate) type Sheet = DrawingArea<Surface, Shift>;
pub(crate) type Drawn = Result<(), DrawingAreaErrorKind<std::convert::Infallible>>;

/// What stands where in a panel, in units of the picture from its upper left corner.
pub(crate) struct Plan {
    pub(crate) height: f64,
    lines: Vec<(String, Colour, HPos)>,
    stairs: Stairs,
    x_ticks: Vec<Tick>,
    are_turned: bool,
    /// Above, below, left and right of what is between the axes.
    around: [f64; 4],
    below_x_figures: f64,
}

/// The library's style of letters.
pub(crate) fn style(letters: Letters, colour: Colour, (x, y): (HPos, VPos)) -> TextStyle<'static> {
    let font = ("sans-serif", SIZE * letters.phone).into_font();
    font.color(&colour.rgb()).pos(Pos::new(x, y))
}

const TOP_LEFT: (HPos, VPos) = (HPos::Left, VPos::Top);

fn stroke(colour: Colour, width: f64, opacity: f64) -> ShapeStyle {
    colour.rgb().mix(opacity).stroke_width(fine(width) as u32)
}

fn widest(ticks: &[Tick], letters: Letters) -> f64 {
    ticks.iter().map(|(_, text)| letters.width_of(text)).fold(0.0, f64::max)
}

/// The ticks along a flat axis, with the figures that have room; the others keep their lines.
fn flat_ticks(axis: &Axis, [left, length, width]: [f64; 3], letters: Letters) -> Vec<Tick> {
    let gap = 0.5 * letters.phone;
    let thinned = |mut ticks: Vec<Tick>| {
        // Figures are found by their place.
        ticks.dedup_by(|next, tick| next.0 == tick.0);
        let (mut free_from, mut count, all) = (0.0, 0, ticks.len());
        for (at, text) in &mut ticks {
            let (middle, half) = (left + *at * length, letters.width_of(text) / 2.0);
            if middle - half >= free_from && middle + half <= width {
                (free_from, count) = (middle + half + gap, count + 1);
            } else {
                text.clear();
            }
        }
        (ticks, count, count == all)
    };
    let tried = || (3..=9).rev().map(|most| thinned(axis.ticks(most)));
    // At equal steps each has its figure; elsewhere the more figures the better.
    let whole = tried().find(|(.., is_whole)| axis.has_equal_steps() && *is_whole);
    let best = || tried().max_by_key(|(_, count, is_whole)| (*count, *is_whole));
    whole.or_else(best).map(|(ticks, ..)| ticks).unwrap_or_default()
}

impl Panel {
    /// The letters of the upright axis: small ones for names that are near each other.
    fn upright_letters(&self, letters: Letters) -> Letters {
        let rows = self.y.ticks(UPRIGHT_MAX[1]).len() as f64;
        let is_dense = self.y.has_categories() && self.height < rows * letters.line();
        if is_dense { letters.small() } else { letters }
    }

    /// The most ticks of an upright axis whose figures do not touch.
    fn upright(&self, axis: &Axis, letters: Letters) -> Vec<Tick> {
        let letters = self.upright_letters(letters);
        let is_free = |pair: &[Tick]| (pair[1].0 - pair[0].0) * self.height >= letters.line();
        let most = UPRIGHT_MAX[usize::from(axis.has_categories())];
        let mut all = (2..=most).rev().map(|most| axis.ticks(most));
        let mut ticks = all.find(|ticks| ticks.windows(2).all(is_free)).unwrap_or_default();
        let most = (0.4 * WIDTH / letters.width_of("x")) as usize;
        for (_, text) in ticks.iter_mut().filter(|(_, text)| text.chars().count() > most) {
            *text = text.chars().take(most - 1).chain(['…']).collect();
        }
        ticks
    }

    /// How wide its figures are, to the left and to the right.
    pub(crate) fn sides(&self, letters: Letters) -> (f64, f64) {
        let beside = |axis: &Axis| {
            let own = self.upright_letters(letters);
            widest(&self.upright(axis, letters), own) + 0.75 * letters.phone
        };
        // Figures at the ends of the flat axis reach beyond it.
        let figures = if self.has_x_figures { self.x.ticks(6) } else { Vec::new() };
        let beyond = |tick: Option<&Tick>, end: f64| {
            tick.map_or(0.0, |(at, text)| {
                letters.width_of(text) / 2.0 + 2.0 - (at - end).abs() * 0.7 * WIDTH
            })
        };
        let right = self.second.as_ref().map_or(0.6 * letters.phone, beside);
        let left = beside(&self.y).max(beyond(figures.first(), 0.0));
        (left, right.max(beyond(figures.last(), 1.0)))
    }

    pub(crate) fn plan(&self, width: f64, (left, right): (f64, f64), letters: Letters) -> Plan {
        let length = width - left - right;
        let notes = self.notes.iter().map(|(text, colour)| (text, *colour));
        let above = [(&self.y.name, INK)].into_iter().chain(notes);
        let wrapped = above.filter(|(text, _)| !text.is_empty()).flat_map(|(text, colour)| {
            let lines = letters.wrapped(text, width).into_iter();
            lines.map(move |line| (line, colour, HPos::Left))
        });
        let second = self.second.iter().filter(|axis| !axis.name.is_empty());
        let second = second.map(|axis| (axis.name.clone(), INK, HPos::Right));
        let lines: Vec<_> = wrapped.chain(second).collect();
        let words = self.marks.iter().map(|mark| match self.x.place(mark.from) {
            Some(at) if self.x.holds(mark.from) || mark.from < mark.to => {
                (left + at * length, &*mark.name)
            }
            _ => (0.0, ""),
        });
        let stairs = Stairs::of(&words.collect::<Vec<_>>(), width, letters);
        let names = self.x.ticks(UPRIGHT_MAX[1]);
        let (field, wide) = (length / names.len().max(1) as f64, widest(&names, letters));
        // Names that have no room beside each other are read upwards.
        let has_names = self.x.has_categories() && self.has_x_figures;
        let are_turned = has_names && wide + 0.3 * letters.phone > field && field >= letters.phone;
        let x_ticks = if has_names && (are_turned || wide <= field) {
            names
        } else {
            flat_ticks(&self.x, [left, length, width], letters)
        };
        let figures = match (self.has_x_figures && !self.x.is_bare(), are_turned) {
            (false, _) => 0.0,
            (true, true) => wide,
            (true, false) => letters.phone,
        };
        let below_x_figures = (2.0 * TICK + 0.1) * letters.phone + figures;
        let name = if self.x.name.is_empty() || !self.has_x_figures { 0.0 } else { letters.line() };
        let above = letters.line() * (lines.len() + stairs.rows) as f64 + 0.45 * letters.phone;
        let below = below_x_figures + name + 0.3 * letters.phone;
        let (around, height) = ([above, below, left, right], above + self.height + below);
        Plan { height, lines, stairs, x_ticks, are_turned, around, below_x_figures }
    }

    pub(crate) fn draw(
        &self,
        (sheet, surface): (&Sheet, &Surface),
        plan: &Plan,
        letters: Letters,
    ) -> Drawn {
        let [above, _, left, right] = plan.around;
        let width = f64::from(sheet.dim_in_pixel().0) / FINE;
        let area = [left, above, width - right, above + self.height];
        let inside = Inside { panel: self, sheet, surface, letters, area };
        for (row, (text, colour, side)) in plan.lines.iter().enumerate() {
            let x = if matches!(side, HPos::Right) { width } else { 0.0 };
            let at = (x, row as f64 * letters.line());
            let style = style(letters, colour.of_letters(), (*side, VPos::Top));
            inside.text(text, at, style)?;
        }
        self.draw_axes(sheet, plan, letters)?;
        if self.has_x_figures {
            let at = (f64::midpoint(left, width - right), area[3] + plan.below_x_figures);
            inside.text(&self.x.name, at, style(letters, INK, (HPos::Center, VPos::Top)))?;
        }
        inside.marks(&plan.stairs, plan.lines.len())?;
        inside.blocks()?;
        for series in &self.series {
            inside.series(series)?;
        }
        inside.limits_and_labels()
    }

    fn draw_axes(&self, sheet: &Sheet, plan: &Plan, letters: Letters) -> Drawn {
        let [above, below, left, right] = plan.around;
        let second = self.second.as_ref().map(|axis| self.upright(axis, letters));
        let (beside, right) = if second.is_some() { (fine(right), 0) } else { (0, fine(right)) };
        let (y_ticks, second) = (self.upright(&self.y, letters), second.unwrap_or_default());
        let ruled = |ticks: &[Tick], fine| Ruled {
            with_figure: ticks.iter().map(|tick| tick.0).collect(),
            fine,
        };
        let mut chart = ChartBuilder::on(sheet)
            .margin_top(fine(above))
            .margin_right(right)
            .x_label_area_size(fine(below))
            .y_label_area_size(fine(left))
            .right_y_label_area_size(beside)
            .build_cartesian_2d(
                ruled(&plan.x_ticks, self.x.fine_lines()),
                ruled(&y_ticks, self.y.fine_lines()),
            )?
            .set_secondary_coord(ruled(&[], Vec::new()), ruled(&second, Vec::new()));
        // The library gives back the place of a line, and asks for what is written there.
        let figure = |ticks: &[Tick], place: f64| {
            let same = ticks.iter().find(|tick| tick.0 == place);
            same.map(|tick| tick.1.clone()).unwrap_or_default()
        };
        let shown = if self.has_x_figures { &plan.x_ticks[..] } else { &[] };
        let (x_figure, y_figure) =
            (|place: &f64| figure(shown, *place), |place: &f64| figure(&y_ticks, *place));
        let second_figure = |place: &f64| figure(&second, *place);
        let turn = if plan.are_turned { FontTransform::Rotate270 } else { FontTransform::None };
        let (line, ink) = (stroke(LINE, 1.0, 1.0), style(letters, INK, TOP_LEFT));
        let mut mesh = chart.configure_mesh();
        mesh.light_line_style(stroke(SHADE, 1.0, 1.0))
            .bold_line_style(line)
            .axis_style(line)
            .x_label_style(ink.transform(turn))
            .y_label_style(style(self.upright_letters(letters), INK, TOP_LEFT))
            .set_all_tick_mark_size(fine(TICK * letters.phone))
            .x_label_formatter(&x_figure)
            .y_label_formatter(&y_figure);
        if self.x.has_categories() {
            mesh.disable_x_mesh();
        }
        if self.y.has_categories() {
            mesh.disable_y_mesh();
        }
        mesh.draw()?;
        chart
            .configure_secondary_axes()
            .axis_style(line)
            .label_style(ink)
            .set_all_tick_mark_size(fine(TICK * letters.phone))
            .y_label_formatter(&second_figure)
            .draw()
    }
}

/// What is between the axes.
struct Inside<'a> {
    panel: &'a Panel,
    sheet: &'a Sheet,
    surface: &'a Surface,
    letters: Letters,
    area: Area,
}

fn fine_at((x, y): (f64, f64)) -> (i32, i32) {
    (fine(x), fine(y))
}

impl Inside<'_> {
    /// How far from the left a value is; `None` of NaN.
    fn x_of(&self, value: f64) -> Option<f64> {
        let [left, _, right, _] = self.area;
        self.panel.x.place(value).map(|place| left + place * (right - left))
    }

    fn y_of(&self, value: f64) -> Option<f64> {
        let [_, top, _, bottom] = self.area;
        self.panel.y.place(value).map(|place| bottom - place * (bottom - top))
    }

    fn at(&self, (x, y): (f64, f64)) -> Option<(f64, f64)> {
        Some((self.x_of(x)?, self.y_of(y)?))
    }

    fn text(&self, text: &str, at: (f64, f64), style: TextStyle<'static>) -> Drawn {
        self.sheet.draw(&Text::new(text.to_owned(), fine_at(at), style))
    }

    fn straight(&self, ends: [(f64, f64); 2], style: ShapeStyle, dashes: &'static str) -> Drawn {
        self.surface.dash(dashes);
        self.sheet.draw(&PathElement::new(ends.map(fine_at).to_vec(), style))?;
        self.surface.dash("");
        Ok(())
    }

    fn filled(&self, ends: [(f64, f64); 2], (colour, opacity): (Colour, f64), hint: &str) -> Drawn {
        self.surface.hint(hint);
        let fill = colour.rgb().mix(opacity).filled();
        self.sheet.draw(&Rectangle::new(ends.map(fine_at), fill))
    }

    /// Marks with their words in rows above, below so many lines.
    fn marks(&self, stairs: &Stairs, lines: usize) -> Drawn {
        let ([left, top, right, bottom], line) = (self.area, self.letters.line());
        for (mark, place) in self.panel.marks.iter().zip(&stairs.places) {
            let (Some(from), Some(to)) = (self.x_of(mark.from), self.x_of(mark.to)) else {
                continue;
            };
            if mark.opacity > 0.0 {
                self.filled([(from, top), (to, bottom)], (mark.colour, mark.opacity), &mark.name)?;
            } else if !self.panel.x.holds(mark.from) {
                continue;
            }
            let row_top = |row: usize| line * (lines + row) as f64;
            // A line begins beside its word, or below one that stands across it.
            let start = place.map_or(top, |(row, left)| {
                let right = left + self.letters.width_of(&mark.name);
                row_top(row) + if left < from && from < right { line } else { 0.2 * line }
            });
            // A plain shaded area has no line.
            if mark.colour != SHADE {
                let style = stroke(mark.colour, mark.width, 1.0);
                self.straight([(from, start), (from, bottom)], style, mark.dashes)?;
            }
            if let Some((row, left)) = place {
                let style = style(self.letters, mark.colour.of_letters(), TOP_LEFT);
                self.text(&mark.name, (*left, row_top(*row)), style)?;
            }
        }
        let broken = self.panel.x.break_at().map(|place| left + place * (right - left));
        broken.map_or(Ok(()), |x| {
            self.straight([(x, top), (x, bottom)], stroke(INK, 1.0, 1.0), "2 3")
        })
    }

    /// The fields, each with its text if all have room for theirs.
    fn blocks(&self) -> Drawn {
        let ends = |block: &Block| Some([self.at(block.from)?, self.at(block.to)?]);
        let has_room = |block: &Block| {
            ends(block).is_none_or(|[from, to]| {
                let wide = self.letters.width_of(&block.text) + 2.0;
                (to.0 - from.0).abs() >= wide && (to.1 - from.1).abs() >= self.letters.phone
            })
        };
        let mut written = self.panel.blocks.iter().filter(|block| !block.text.is_empty());
        let have_room = written.all(has_room);
        for block in &self.panel.blocks {
            let Some([from, to]) = ends(block) else { continue };
            self.filled([from, to], (block.colour, block.opacity), &block.hint)?;
            if have_room && !block.text.is_empty() {
                let middle = (f64::midpoint(from.0, to.0), f64::midpoint(from.1, to.1));
                let style = style(self.letters, STRONG, (HPos::Center, VPos::Center));
                self.text(&block.text, middle, style)?;
            }
        }
        Ok(())
    }

    fn series(&self, series: &Series) -> Drawn {
        let Series { shape, colour, size, opacity, .. } = *series;
        let fill = colour.rgb().mix(opacity).filled();
        if shape == Shape::Bars {
            for pair in series.points.chunks(2) {
                let ends = (self.at(pair[0]), self.at(pair[1]));
                let (Some(low), Some(high)) = ends else { continue };
                // What has no length still is a stroke.
                let low = (low.0, low.1.max(high.1 + 0.1));
                self.straight([high, low], stroke(colour, size, opacity), "")?;
            }
            return Ok(());
        }
        let places: Vec<_> =
            series.points.iter().filter_map(|it| self.at(*it)).map(fine_at).collect();
        match (shape, &places[..]) {
            (_, []) => Ok(()),
            (Shape::Area, _) => self.sheet.draw(&Polygon::new(places, colour.rgb().mix(opacity))),
            // A line through one point is a dot.
            (Shape::Line, [at]) => self.sheet.draw(&Circle::new(*at, fine(size), fill)),
            (Shape::Line, _) => {
                self.surface.dash(series.dashes);
                self.sheet.draw(&PathElement::new(places, stroke(colour, size, opacity)))?;
                self.surface.dash("");
                Ok(())
            }
            _ => places
                .into_iter()
                .try_for_each(|at| self.sheet.draw(&Circle::new(at, fine(size / 2.0), fill))),
        }
    }

    /// Small areas along curves and at dots, which words rather do not cover.
    fn data_areas(&self) -> Vec<Area> {
        let mut areas = Vec::new();
        let around = |(x, y): (f64, f64)| [x - 1.5, y - 1.5, x + 1.5, y + 1.5];
        let own = self.panel.series.iter();
        for series in own.filter(|it| matches!(it.shape, Shape::Line | Shape::Dots)) {
            let every = series.points.len().div_ceil(AREAS_MAX).max(1);
            let points = series.points.iter().step_by(every);
            let places: Vec<_> = points.filter_map(|it| self.at(*it)).collect();
            areas.extend(places.iter().copied().map(around));
            for pair in places.windows(2).filter(|_| series.shape == Shape::Line) {
                let (from, across, down) = (pair[0], pair[1].0 - pair[0].0, pair[1].1 - pair[0].1);
                let count = (across.abs().max(down.abs()) / 6.0) as u32;
                let shares = (1..=count).map(|it| f64::from(it) / f64::from(count + 1));
                areas.extend(shares.map(|it| around((from.0 + it * across, from.1 + it * down))));
            }
        }
        areas
    }

    /// Limits and their names, and words beside points: where they cover neither a dot that has
    /// words nor each other, and if they can no data.
    fn limits_and_labels(&self) -> Drawn {
        let ([left, top, right, bottom], letters, panel) = (self.area, self.letters, self.panel);
        let dots = panel.labels.iter().filter_map(|(at, ..)| self.at(*at));
        let mut taken: Vec<_> = dots.map(|(x, y)| [x - 5.0, y - 5.0, x + 5.0, y + 5.0]).collect();
        let own = panel.limits.iter().filter(|limit| panel.y.holds(limit.from));
        let mut limits: Vec<_> =
            own.filter_map(|limit| Some((limit, self.y_of(limit.from)?))).collect();
        taken.extend(limits.iter().map(|(_, y)| [left, *y, right, *y]));
        let marks = panel.marks.iter().filter(|mark| panel.x.holds(mark.from));
        let mut avoided = self.data_areas();
        avoided.extend(marks.filter_map(|it| self.x_of(it.from)).map(|x| [x, top, x, bottom]));
        let mut free = Free { within: self.area, taken, avoided };
        // A declared one has its name before others, and of two close ones the lower.
        limits
            .sort_by(|(a, _), (b, _)| b.width.total_cmp(&a.width).then(a.from.total_cmp(&b.from)));
        for (limit, y) in limits {
            let line = stroke(limit.colour, limit.width, 1.0);
            self.straight([(left, y), (right, y)], line, limit.dashes)?;
            let (wide, tall) = (letters.width_of(&limit.name), letters.phone);
            let sides = [right - wide - 2.0, f64::midpoint(left, right) - wide / 2.0, left + 2.0];
            let corners = sides.into_iter().flat_map(|x| [y - tall - 1.0, y + 1.0].map(|y| (x, y)));
            let named = Some(&limit.name).filter(|name| !name.is_empty());
            if let Some(corner) = named.and_then(|_| free.place(corners, (wide, tall))) {
                let style = style(letters, limit.colour.of_letters(), TOP_LEFT);
                self.text(&limit.name, corner, style)?;
            }
        }
        for (at, text, colour) in &panel.labels {
            let Some((x, y)) = self.at(*at) else { continue };
            let (wide, tall) = (letters.width_of(text), letters.phone);
            // To the right first, then to the left, from the height of the point outwards.
            let rows = [-0.9, 0.0, -1.8, 0.9, -2.7, 1.8, -3.6, 2.7, -4.5, 3.6];
            let sides = [x + 9.0, x - 9.0 - wide];
            let corners = rows.iter().flat_map(|row| sides.map(|side| (side, y + row * tall)));
            if let Some(corner) = free.place(corners, (wide, tall)) {
                self.text(text, corner, style(letters, colour.of_letters(), TOP_LEFT))?;
            }
        }
        Ok(())
    }
}
