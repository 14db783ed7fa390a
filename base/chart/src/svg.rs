//! The drawing surface that the plotting library draws on: SVG in few bytes.
//!
//! The library counts in whole pixels; here they are tenths of one, so that coordinates are rounded
//! to that and the same data gives the same bytes. Neighbouring strokes and dots of one style are
//! one element, lines can be dashed, and shapes can have a text that shows on being pointed at.

use std::cell::RefCell;
use std::convert::Infallible;
use std::rc::Rc;

use lastmeter_text::{append, escape};
use plotters_backend::text_anchor::{HPos, VPos};
use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind,
    FontTransform,
};

use crate::layout::{Letters, SIZE};

/// The library's pixels in one of the picture.
pub(crate) const FINE: f64 = 10.0;

/// A length as the library counts it.
pub(crate) fn fine(length: f64) -> i32 {
    (length * FINE).round() as i32
}

/// A surface; its copies are the same one.
#[derive(Clone)]
pub(crate) struct Surface(Rc<RefCell<Drawn>>);

struct Drawn {
    size: (u32, u32),
    letters: Letters,
    text: String,
    /// The style of strokes that are not written yet, and their path.
    strokes: (String, String),
    dashes: &'static str,
    hint: String,
}

impl Surface {
    pub(crate) fn new(width: f64, height: f64, letters: Letters) -> Self {
        let size = (fine(width).max(1) as u32, fine(height).max(1) as u32);
        let strokes = (String::new(), String::new());
        let (text, hint) = (String::new(), String::new());
        Self(Rc::new(RefCell::new(Drawn { size, letters, text, strokes, dashes: "", hint })))
    }

    /// Lines from here on are dashed like this, as SVG has it: `6 4`; empty for solid ones.
    pub(crate) fn dash(&self, dashes: &'static str) {
        self.0.borrow_mut().dashes = dashes;
    }

    /// The text of the next rectangle.
    pub(crate) fn hint(&self, text: &str) {
        text.clone_into(&mut self.0.borrow_mut().hint);
    }

    /// All that was drawn.
    pub(crate) fn take(&self) -> String {
        let mut drawn = self.0.borrow_mut();
        drawn.flush();
        std::mem::take(&mut drawn.text)
    }
}

impl Drawn {
    fn flush(&mut self) {
        let (style, path) = std::mem::take(&mut self.strokes);
        if !path.is_empty() {
            append(&mut self.text, format_args!("<path d=\"{path}\"{style}/>"));
        }
    }

    /// Strokes of a style, which may go on the ones before.
    fn stroke(&mut self, style: String, path: std::fmt::Arguments<'_>) {
        if self.strokes.0 != style {
            self.flush();
            self.strokes.0 = style;
        }
        append(&mut self.strokes.1, path);
    }

    fn element(&mut self, element: std::fmt::Arguments<'_>) {
        self.flush();
        append(&mut self.text, element);
    }

    fn line_style(&self, style: &impl BackendStyle) -> String {
        let (colour, width) = (word(style.color()), pixels(style.stroke_width() as i32));
        let dashes = match self.dashes {
            "" => String::new(),
            dashes => format!(" stroke-dasharray=\"{dashes}\""),
        };
        let opacity = opacity(style.color());
        format!(" fill=\"none\" stroke=\"{colour}\" stroke-width=\"{width}\"{dashes}{opacity}")
    }
}

fn word(colour: BackendColor) -> crate::Colour {
    crate::Colour(colour.rgb.0, colour.rgb.1, colour.rgb.2)
}

fn opacity(colour: BackendColor) -> String {
    let hundredths = (colour.alpha * 100.0).round() / 100.0;
    if hundredths < 1.0 { format!(" opacity=\"{hundredths}\"") } else { String::new() }
}

/// A coordinate of the picture, without needless digits.
fn pixels(fine: i32) -> f64 {
    f64::from(fine) / FINE
}

fn list(points: impl IntoIterator<Item = BackendCoord>) -> String {
    let points = points.into_iter().map(|(x, y)| format!("{},{}", pixels(x), pixels(y)));
    points.collect::<Vec<_>>().join(" ")
}

type Done = Result<(), DrawingErrorKind<Infallible>>;

impl DrawingBackend for Surface {
    type ErrorType = Infallible;

    fn get_size(&self) -> (u32, u32) {
        self.0.borrow().size
    }

    fn ensure_prepared(&mut self) -> Done {
        Ok(())
    }

    fn present(&mut self) -> Done {
        Ok(())
    }

    fn draw_pixel(&mut self, _: BackendCoord, _: BackendColor) -> Done {
        Ok(())
    }

    fn draw_line<S: BackendStyle>(&mut self, from: BackendCoord, to: BackendCoord, s: &S) -> Done {
        self.draw_path([from, to], s)
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        path: I,
        style: &S,
    ) -> Done {
        let drawn = &mut *self.0.borrow_mut();
        let (style, points) = (drawn.line_style(style), path.into_iter().collect::<Vec<_>>());
        if let [from, to] = points[..] {
            let [x1, y1, x2, y2] = [from.0, from.1, to.0, to.1].map(pixels);
            let path = match (x1 == x2, y1 == y2) {
                (true, _) => format!("M{x1} {y1}V{y2}"),
                (_, true) => format!("M{x1} {y1}H{x2}"),
                _ => format!("M{x1} {y1}L{x2} {y2}"),
            };
            drawn.stroke(style, format_args!("{path}"));
        } else {
            let points = list(points);
            let join = " stroke-linejoin=\"round\"";
            drawn.element(format_args!("<polyline points=\"{points}\"{style}{join}/>"));
        }
        Ok(())
    }

    fn draw_rect<S: BackendStyle>(
        &mut self,
        from: BackendCoord,
        to: BackendCoord,
        style: &S,
        _: bool,
    ) -> Done {
        let drawn = &mut *self.0.borrow_mut();
        let [x, y] = [from.0.min(to.0), from.1.min(to.1)].map(pixels);
        let [width, height] = [(to.0 - from.0).abs(), (to.1 - from.1).abs()].map(pixels);
        let (colour, opacity) = (word(style.color()), opacity(style.color()));
        let end = match std::mem::take(&mut drawn.hint) {
            hint if hint.is_empty() => "/>".to_owned(),
            hint => format!("><title>{}</title></rect>", escape(&hint)),
        };
        drawn.element(format_args!(
            "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" \
             fill=\"{colour}\"{opacity}{end}"
        ));
        Ok(())
    }

    /// A dot: a stroke without a length, with round ends.
    fn draw_circle<S: BackendStyle>(
        &mut self,
        centre: BackendCoord,
        radius: u32,
        style: &S,
        _: bool,
    ) -> Done {
        let (colour, opacity) = (word(style.color()), opacity(style.color()));
        let (width, [x, y]) = (pixels(2 * radius as i32), [centre.0, centre.1].map(pixels));
        let style = format!(
            " fill=\"none\" stroke=\"{colour}\" stroke-width=\"{width}\" \
             stroke-linecap=\"round\"{opacity}"
        );
        self.0.borrow_mut().stroke(style, format_args!("M{x} {y}h.01"));
        Ok(())
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        outline: I,
        style: &S,
    ) -> Done {
        let points = list(outline);
        if !points.is_empty() {
            let (colour, opacity) = (word(style.color()), opacity(style.color()));
            let polygon = format_args!("<polygon points=\"{points}\" fill=\"{colour}\"{opacity}/>");
            self.0.borrow_mut().element(polygon);
        }
        Ok(())
    }

    fn draw_text<S: BackendTextStyle>(&mut self, text: &str, style: &S, at: BackendCoord) -> Done {
        if text.is_empty() {
            return Ok(());
        }
        let ([x, y], anchor) = ([at.0, at.1].map(pixels), style.anchor());
        let (mut side, mut down) = (
            match anchor.h_pos {
                HPos::Left => "",
                HPos::Center => " text-anchor=\"middle\"",
                HPos::Right => " text-anchor=\"end\"",
            },
            match anchor.v_pos {
                VPos::Top => "0.8em",
                VPos::Center => "0.35em",
                VPos::Bottom => "-0.25em",
            },
        );
        let mut turn = String::new();
        if matches!(style.transform(), FontTransform::Rotate270) {
            // Upright below its place, and read upwards.
            (side, down) = (" text-anchor=\"end\"", "0.35em");
            turn = format!(" transform=\"rotate(-90 {x} {y})\"");
        }
        let (colour, text) = (word(style.color()), escape(text));
        let drawn = &mut *self.0.borrow_mut();
        let small = match drawn.letters {
            letters if style.size() < SIZE * letters.phone * 0.9 => {
                format!(" font-size=\"{}\"", letters.small().screen)
            }
            _ => String::new(),
        };
        drawn.element(format_args!(
            "<text x=\"{x}\" y=\"{y}\" dy=\"{down}\" fill=\"{colour}\"{side}{small}{turn}>{text}</text>"
        ));
        Ok(())
    }
}
