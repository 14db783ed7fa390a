//! The line by which a board reports that it has started.

/// What may stand in a banner beside literal text: any text, and words that the bench knows.
const PLACES: [&str; 4] = ["*", "{version}", "{node}", "{image}"];

/// Checks a banner as a board file writes it: [`PLACES`] and text of its own.
///
/// # Errors
/// What is wrong with it, in words.
pub(super) fn check(text: &str) -> Result<(), String> {
    let mut rest = text.trim_end_matches(['\r', '\n']);
    let mut has_text = false;
    while !rest.is_empty() {
        let (literal, behind) = rest.split_at(rest.find(['{', '}', '*']).unwrap_or(rest.len()));
        has_text |= !literal.trim().is_empty();
        rest = behind;
        match PLACES.into_iter().find_map(|place| rest.strip_prefix(place)) {
            Some(behind) => rest = behind,
            None if rest.is_empty() => {}
            None => {
                let shown: String = rest.chars().take(16).collect();
                return Err(format!("a banner with `{shown}`"));
            }
        }
    }
    if !has_text {
        return Err("a banner without any text of its own fits every line".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn what_is_no_banner_is_refused() {
        assert_eq!(check("LASTMETER meter {version} node {node} image {image}\r\n"), Ok(()));
        assert_eq!(check("* ready v{version}!*"), Ok(()));
        assert!(check("{name} x").unwrap_err().contains("{name}"));
        assert!(check("*{version}").unwrap_err().contains("every line"));
        assert!(check("a } b").unwrap_err().contains('}'));
    }
}
