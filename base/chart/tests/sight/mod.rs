//! How colours are seen: contrast after WCAG 2.2, the difference CIEDE2000, and sight without one
//! kind of cone, after Machado, Oliveira and Fernandes 2009.

use lastmeter_chart::Colour;

/// Red, green and blue in proportion to light, from 0 to 1.
pub(crate) type Light = [f64; 3];

/// L*, a* and b*.
pub(crate) type Lab = [f64; 3];

/// Kinds of sight, each with its matrix at severity 1.0.
pub(crate) const SIGHTS: [(&str, [Light; 3]); 4] = [
    ("normal", [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]),
    (
        "protan",
        [
            [0.152_286, 1.052_583, -0.204_868],
            [0.114_503, 0.786_281, 0.099_216],
            [-0.003_882, -0.048_116, 1.051_998],
        ],
    ),
    (
        "deutan",
        [
            [0.367_322, 0.860_646, -0.227_968],
            [0.280_085, 0.672_501, 0.047_413],
            [-0.011_820, 0.042_940, 0.968_881],
        ],
    ),
    (
        "tritan",
        [
            [1.255_528, -0.076_749, -0.178_779],
            [-0.078_411, 0.930_809, 0.147_602],
            [0.004_733, 0.691_367, 0.303_900],
        ],
    ),
];

/// From sRGB to X, Y and Z, and the white of D65.
const TO_XYZ: [Light; 3] = [
    [0.412_456_4, 0.357_576_1, 0.180_437_5],
    [0.212_672_9, 0.715_152_2, 0.072_175_0],
    [0.019_333_9, 0.119_192_0, 0.950_304_1],
];
const WHITE: [f64; 3] = [0.950_47, 1.0, 1.088_83];

fn times(matrix: &[Light; 3], light: Light) -> [f64; 3] {
    matrix.map(|row| row.iter().zip(light).map(|(factor, part)| factor * part).sum())
}

pub(crate) fn light(Colour(red, green, blue): Colour) -> Light {
    [red, green, blue].map(|part| {
        let part = f64::from(part) / 255.0;
        if part <= 0.040_45 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
    })
}

/// The contrast ratio of two colours, from 1 to 21.
pub(crate) fn contrast(one: Colour, other: Colour) -> f64 {
    let luminance = |colour| {
        let [red, green, blue] = light(colour);
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    };
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

/// What a sight makes of a colour.
pub(crate) fn seen(matrix: &[Light; 3], colour: Colour) -> Lab {
    let light = times(matrix, light(colour)).map(|part| part.clamp(0.0, 1.0));
    let edge = 6.0_f64 / 29.0;
    let mut places = times(&TO_XYZ, light);
    for (place, white) in places.iter_mut().zip(WHITE) {
        let share = *place / white;
        *place = if share > edge.powi(3) {
            share.cbrt()
        } else {
            share / (3.0 * edge * edge) + 4.0 / 29.0
        };
    }
    let [x, y, z] = places;
    [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
}

/// The difference of two colours after CIEDE2000, with all weights 1.
pub(crate) fn difference([l1, a1, b1]: Lab, [l2, a2, b2]: Lab) -> f64 {
    let share = |chroma: f64| (chroma.powi(7) / (chroma.powi(7) + 25.0_f64.powi(7))).sqrt();
    let cosine = |degrees: f64| degrees.to_radians().cos();
    let grey = 1.5 - 0.5 * share(f64::midpoint(a1.hypot(b1), a2.hypot(b2)));
    let polar =
        |a: f64, b: f64| ((grey * a).hypot(b), b.atan2(grey * a).to_degrees().rem_euclid(360.0));
    let ((c1, h1), (c2, h2)) = (polar(a1, b1), polar(a2, b2));
    let turn = match h2 - h1 {
        _ if c1 * c2 == 0.0 => 0.0,
        turn if turn > 180.0 => turn - 360.0,
        turn if turn < -180.0 => turn + 360.0,
        turn => turn,
    };
    let hue = match h1 + h2 {
        sum if c1 * c2 == 0.0 => sum,
        sum if (h1 - h2).abs() <= 180.0 => sum / 2.0,
        sum if sum < 360.0 => sum / 2.0 + 180.0,
        sum => sum / 2.0 - 180.0,
    };
    let (lightness, chroma) = (f64::midpoint(l1, l2) - 50.0, f64::midpoint(c1, c2));
    let t =
        1.0 - 0.17 * cosine(hue - 30.0) + 0.24 * cosine(2.0 * hue) + 0.32 * cosine(3.0 * hue + 6.0)
            - 0.20 * cosine(4.0 * hue - 63.0);
    let along_l = (l2 - l1) / (1.0 + 0.015 * lightness.powi(2) / (20.0 + lightness.powi(2)).sqrt());
    let along_c = (c2 - c1) / (1.0 + 0.045 * chroma);
    let along_h = 2.0 * (c1 * c2).sqrt() * (turn / 2.0).to_radians().sin();
    let along_h = along_h / (1.0 + 0.015 * chroma * t);
    let angle = 60.0 * (-((hue - 275.0) / 25.0).powi(2)).exp();
    let mixed = -angle.to_radians().sin() * 2.0 * share(chroma);
    (along_l.powi(2) + along_c.powi(2) + along_h.powi(2) + mixed * along_c * along_h).sqrt()
}
