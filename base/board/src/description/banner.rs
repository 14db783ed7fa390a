//! The line by which a board reports that it has started.

/// Literal text with the places of words that the bench looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Banner {
    parts: Vec<Part>,
    text: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Literal(String),
    /// A word without blanks.
    Word(Word),
    Anything,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    Version,
    Node,
    Image,
}

/// What a banner says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// The program's version.
    pub version: Option<String>,
    /// Its number on the network.
    pub node: Option<String>,
    /// What identifies the image: of a meter node its CRC-32 in hexadecimal digits.
    pub image: Option<String>,
}

impl Banner {
    /// Reads a banner as a board file writes it.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text.trim_end_matches(['\r', '\n']);
        let whole = rest.to_owned();
        while !rest.is_empty() {
            let at = rest.find(['{', '}', '*']).unwrap_or(rest.len());
            if at > 0 {
                parts.push(Part::Literal(rest[..at].to_owned()));
            }
            rest = &rest[at..];
            if let Some(behind) = rest.strip_prefix('*') {
                parts.push(Part::Anything);
                rest = behind;
                continue;
            }
            let known =
                [("{version}", Word::Version), ("{node}", Word::Node), ("{image}", Word::Image)];
            let found = known.into_iter().find_map(|(name, word)| {
                rest.strip_prefix(name).map(|behind| (Part::Word(word), behind))
            });
            match found {
                Some((part, behind)) => {
                    parts.push(part);
                    rest = behind;
                }
                None if rest.is_empty() => {}
                None => {
                    let shown: String = rest.chars().take(16).collect();
                    return Err(format!("a banner with `{shown}`"));
                }
            }
        }
        if !parts.iter().any(|part| matches!(part, Part::Literal(text) if !text.trim().is_empty()))
        {
            return Err("a banner without any text of its own fits every line".to_owned());
        }
        Ok(Self { parts, text: whole })
    }

    /// As it is written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What a line says, if it is the banner. What stands before its first literal text on the
    /// line is noise of the start.
    pub fn read(&self, line: &str) -> Option<Identity> {
        let line = line.trim_end_matches(['\r', '\n']);
        let starts: Vec<usize> = match self.parts.first() {
            Some(Part::Literal(text)) => line.match_indices(text.as_str()).map(|it| it.0).collect(),
            _ => vec![0],
        };
        starts.into_iter().find_map(|at| {
            let mut identity = Identity::default();
            fits(&self.parts, &line[at..], &mut identity).then_some(identity)
        })
    }
}

fn fits(parts: &[Part], line: &str, identity: &mut Identity) -> bool {
    match parts.split_first() {
        None => line.trim().is_empty(),
        Some((Part::Literal(text), behind)) => {
            line.strip_prefix(text.as_str()).is_some_and(|rest| fits(behind, rest, identity))
        }
        Some((Part::Word(word), behind)) => {
            let end = line.find(char::is_whitespace).unwrap_or(line.len());
            // The shortest word that lets the rest fit.
            let ends = line.char_indices().map(|(at, c)| at + c.len_utf8());
            ends.take_while(|&at| at <= end).any(|at| {
                let (found, rest) = line.split_at(at);
                let is_right = fits(behind, rest, identity);
                if is_right {
                    let place = match word {
                        Word::Version => &mut identity.version,
                        Word::Node => &mut identity.node,
                        Word::Image => &mut identity.image,
                    };
                    *place = Some(found.to_owned());
                }
                is_right
            })
        }
        Some((Part::Anything, behind)) => {
            let places = line.char_indices().map(|(at, _)| at).chain([line.len()]);
            places.into_iter().any(|at| fits(behind, &line[at..], identity))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const METER: &str = "LASTMETER meter {version} node {node} image {image}";

    #[test]
    fn words_are_found_behind_noise() {
        let banner = Banner::parse(METER).unwrap();
        let line = "\u{fffd}xLASTMETER meter 1.0 node 12 image 00c0ffee\r";
        let found = banner.read(line).unwrap();
        assert_eq!(found.version.as_deref(), Some("1.0"));
        assert_eq!(found.node.as_deref(), Some("12"));
        assert_eq!(found.image.as_deref(), Some("00c0ffee"));
        assert_eq!(banner.read("LASTMETER meter 1.0 node 12"), None);
        assert_eq!(banner.read("LASTMETER meter 1.0 node 1 image 0 more"), None);
    }

    #[test]
    fn anything_may_stand_at_a_star() {
        let banner = Banner::parse("* ready v{version}!*").unwrap();
        let found = banner.read("boot 12 ready v2.1! (c)").unwrap();
        assert_eq!(found.version.as_deref(), Some("2.1"));
    }

    #[test]
    fn what_is_no_banner_is_refused() {
        assert!(Banner::parse("{name} x").unwrap_err().contains("{name}"));
        assert!(Banner::parse("*{version}").unwrap_err().contains("every line"));
        assert!(Banner::parse("a } b").unwrap_err().contains('}'));
    }
}
