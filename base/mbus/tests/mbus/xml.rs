//! The little XML that libmbus writes, without a parser: its elements have no attributes that
//! matter and no nesting beyond two levels.

/// The text of the first element with this name.
pub(crate) fn text(xml: &str, name: &str) -> Option<String> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    let named = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&amp;", "&")];
    Some(named.iter().fold(text.to_owned(), |text, (name, sign)| text.replace(name, sign)))
}

/// The contents of all elements with this name.
pub(crate) fn all<'a>(xml: &'a str, name: &str) -> Vec<&'a str> {
    let end = format!("</{name}>");
    let begin = format!("<{name}");
    let parts = xml.split(&begin).skip(1);
    parts.filter_map(|part| part.split_once(&end).map(|(inside, _)| inside)).collect()
}
