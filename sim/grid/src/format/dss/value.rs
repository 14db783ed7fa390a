//! Values: numbers (also worked out in reverse Polish notation), lists, matrices, units.

use super::lex::Tokens;

#[derive(Clone, Copy, Debug)]
pub(super) struct Value<'a> {
    /// Without its quotes.
    pub(super) text: &'a str,
    /// Whether it had some.
    pub(super) quoted: bool,
}

/// What is wrong with a value.
pub(super) type ValueResult<T> = Result<T, String>;

impl<'a> Value<'a> {
    pub(super) fn number(self) -> ValueResult<f64> {
        let text = self.text.trim();
        let number = match text.parse::<f64>() {
            Ok(number) => number,
            Err(_) if self.quoted => reverse_polish(text)?,
            Err(_) => return Err(format!("{text:?} is no number")),
        };
        if number.is_finite() { Ok(number) } else { Err(format!("{text:?} is not finite")) }
    }

    /// A number above zero.
    pub(super) fn positive(self) -> ValueResult<f64> {
        let number = self.number()?;
        if number > 0.0 { Ok(number) } else { Err(format!("{number} is not more than 0")) }
    }

    /// A whole number within limits.
    pub(super) fn whole(self, lowest: i32, highest: i32) -> ValueResult<i32> {
        let number = self.number()?;
        if number.fract() == 0.0 && number >= f64::from(lowest) && number <= f64::from(highest) {
            Ok(number as i32)
        } else {
            Err(format!("{number} is no whole number from {lowest} to {highest}"))
        }
    }

    /// Yes or no, true or false.
    pub(super) fn truth(self) -> ValueResult<bool> {
        match self.text.bytes().next().map(|byte| byte.to_ascii_lowercase()) {
            Some(b'y' | b't') => Ok(true),
            Some(b'n' | b'f') => Ok(false),
            _ => Err(format!("{:?} is neither yes nor no", self.text)),
        }
    }

    /// Whether it is a delta; otherwise it is a star.
    pub(super) fn delta(self) -> ValueResult<bool> {
        match self.text.to_ascii_lowercase().as_str() {
            "d" | "delta" | "ll" => Ok(true),
            "w" | "wye" | "y" | "ln" | "star" => Ok(false),
            other => Err(format!("{other:?} is neither wye nor delta")),
        }
    }

    pub(super) fn list(self) -> impl Iterator<Item = Value<'a>> {
        let mut tokens = Tokens::of_list(self.text);
        std::iter::from_fn(move || tokens.value().map(|(text, quoted, _)| Value { text, quoted }))
    }

    pub(super) fn numbers(self) -> ValueResult<Vec<f64>> {
        self.list().map(Value::number).collect()
    }

    /// A symmetric matrix of this order: by its lower triangle, or in full.
    pub(super) fn matrix(self, order: usize) -> ValueResult<Vec<Vec<f64>>> {
        let mut rows: Vec<Vec<f64>> = vec![Vec::new()];
        let mut tokens = Tokens::of_list(self.text);
        while let Some((text, quoted, ends)) = tokens.value() {
            let number = Value { text, quoted }.number()?;
            if let Some(row) = rows.last_mut() {
                row.push(number);
            }
            if ends && !tokens.rest.is_empty() {
                rows.push(Vec::new());
            }
        }
        if rows.len() == 1 && order > 1 && rows[0].len() == order * order {
            rows = rows[0].chunks(order).map(<[f64]>::to_vec).collect();
        }
        let whole = rows.len() == order
            && rows.iter().enumerate().all(|(i, row)| row.len() == i + 1 || row.len() == order);
        if !whole {
            let lengths: Vec<_> = rows.iter().map(|row| row.len().to_string()).collect();
            return Err(format!(
                "{} rows of {} numbers are no matrix of {order} conductors",
                rows.len(),
                lengths.join(", ")
            ));
        }
        let mut matrix = vec![vec![0.0; order]; order];
        for (i, row) in rows.iter().enumerate() {
            for (j, &number) in row.iter().enumerate() {
                matrix[i][j] = number;
                matrix[j][i] = number;
            }
        }
        Ok(matrix)
    }

    /// A unit of length, metres.
    pub(super) fn length_unit(self) -> ValueResult<Option<f64>> {
        let text = self.text.to_ascii_lowercase();
        Ok(Some(match text.get(..2).unwrap_or(&text) {
            "no" => return Ok(None),
            "mi" => 1609.344,
            "kf" => 304.8,
            "km" => 1000.0,
            "m" | "me" => 1.0,
            "ft" => 0.3048,
            "in" => 0.0254,
            "cm" => 0.01,
            "mm" => 0.001,
            _ => return Err(format!("{text:?} is no unit of length")),
        }))
    }
}

/// How many of the second unit one of the first is; 1 where either is unknown.
pub(super) fn units_in(one: Option<f64>, other: Option<f64>) -> f64 {
    match (one, other) {
        (Some(one), Some(other)) => one / other,
        _ => 1.0,
    }
}

/// Works out an expression in reverse Polish notation, angles in degrees.
fn reverse_polish(text: &str) -> ValueResult<f64> {
    let mut stack: Vec<f64> = Vec::new();
    for Value { text: word, .. } in (Value { text, quoted: true }).list() {
        if let Ok(number) = word.parse::<f64>() {
            stack.push(number);
            continue;
        }
        let short = || format!("{text:?} is no number, nor an expression: {word:?} lacks operands");
        let x = stack.pop();
        let mut second = || stack.pop().ok_or_else(short);
        let result = match (word.to_ascii_lowercase().as_str(), x) {
            ("pi", x) => {
                stack.extend(x);
                std::f64::consts::PI
            }
            (_, None) => return Err(short()),
            ("+", Some(x)) => second()? + x,
            ("-", Some(x)) => second()? - x,
            ("*", Some(x)) => second()? * x,
            ("/", Some(x)) => second()? / x,
            ("^", Some(x)) => libm::pow(second()?, x),
            ("atan2", Some(x)) => libm::atan2(second()?, x).to_degrees(),
            ("sqrt", Some(x)) => x.sqrt(),
            ("sqr", Some(x)) => x * x,
            ("sin", Some(x)) => libm::sin(x.to_radians()),
            ("cos", Some(x)) => libm::cos(x.to_radians()),
            ("tan", Some(x)) => libm::tan(x.to_radians()),
            ("asin", Some(x)) => libm::asin(x).to_degrees(),
            ("acos", Some(x)) => libm::acos(x).to_degrees(),
            ("atan", Some(x)) => libm::atan(x).to_degrees(),
            ("ln", Some(x)) => libm::log(x),
            ("log10", Some(x)) => libm::log10(x),
            ("exp", Some(x)) => libm::exp(x),
            ("inv", Some(x)) => 1.0 / x,
            _ => return Err(format!("{text:?} is no number: {word:?} is no operation")),
        };
        stack.push(result);
    }
    match stack[..] {
        [result] => Ok(result),
        _ => Err(format!("{text:?} is no number, nor an expression with one result")),
    }
}
