//! Where the texts of a chart are on a page of 360 pixels, read back from its SVG: none is cut and
//! no two overlap. There the style sheet has its largest letters, in units of the picture.

/// A text with its rectangle: left, top, right, bottom.
type Placed = (String, [f64; 4]);

/// The heights of letters on a phone: in a chart, in one that fills the page, and how much smaller
/// small ones are.
const LETTERS: (f64, f64) = (15.0, 17.0);
const SMALL: f64 = 0.75;
/// A letter is about so wide, in heights.
const WIDTH: f64 = 0.55;

fn attribute<'a>(element: &'a str, name: &str) -> Option<&'a str> {
    let from = element.find(&format!(" {name}=\""))? + name.len() + 3;
    element[from..].split('"').next()
}

fn number(element: &str, name: &str) -> f64 {
    attribute(element, name).unwrap().trim_end_matches("em").parse().unwrap()
}

fn placed(element: &str, height: f64) -> Placed {
    let (head, rest) = element.split_once('>').unwrap();
    let text = rest.split("</text>").next().unwrap();
    // Every entity is one letter.
    let plain: String = text.split('&').map(|it| it.split(';').next_back().unwrap()).collect();
    let entities = text.matches('&').count();
    let height = if head.contains("font-size") { SMALL * height } else { height };
    let wide = WIDTH * height * (plain.chars().count() + entities) as f64;
    let (x, y) = (number(head, "x"), number(head, "y"));
    if head.contains("transform=") {
        return (plain, [x - 0.4 * height, y, x + 0.4 * height, y + wide]);
    }
    let left = match attribute(head, "text-anchor") {
        Some("middle") => x - wide / 2.0,
        Some("end") => x - wide,
        _ => x,
    };
    let base = y + number(head, "dy") * height;
    (plain, [left, base - 0.75 * height, left + wide, base + 0.2 * height])
}

/// What is wrong with the texts of an SVG; nothing of one that is not a chart.
pub(crate) fn faults(svg: &str) -> Vec<String> {
    let head = svg.split('>').next().unwrap();
    let height = match attribute(head, "class") {
        Some("chart") => LETTERS.0,
        Some("chart wide") => LETTERS.1,
        _ => return Vec::new(),
    };
    let size = attribute(head, "viewBox").unwrap().split(' ').map(|it| it.parse::<f64>().unwrap());
    let [_, _, right, bottom] = size.collect::<Vec<_>>()[..] else { panic!("{head}") };
    let texts: Vec<Placed> = svg.split("<text").skip(1).map(|it| placed(it, height)).collect();
    let mut faults = Vec::new();
    for (at, (text, own)) in texts.iter().enumerate() {
        if own[0] < -0.1 || own[1] < -0.1 || own[2] > right + 0.1 || own[3] > bottom + 0.1 {
            faults.push(format!("`{text}` is cut: {own:?} of {right} x {bottom}"));
        }
        for (other, theirs) in &texts[..at] {
            let is_beside = own[2] <= theirs[0] || theirs[2] <= own[0];
            if !is_beside && own[1] < theirs[3] && theirs[1] < own[3] {
                faults.push(format!("`{text}` overlaps `{other}`: {own:?} {theirs:?}"));
            }
        }
    }
    faults
}
