//! How REST is asked: `/api-doc` and the OpenAPI description, open to everybody. The page is plain:
//! no script, nothing from elsewhere, one style sheet.

use std::sync::LazyLock;

use axum::http::HeaderName;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::response::{IntoResponse, Response};
use lastmeter_text::{append, escape};

use super::openapi::{self, PROBLEMS};
use super::parameter::ParameterValue;
use super::routes::{Access, Gives, Route, all, routes};

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const OPENAPI: Gives = Gives::json::<serde_json::Map<String, serde_json::Value>>(200);

// Where there is no free connection they are answered with 503, and with 429 to an address that
// sends too many requests.
routes! {
    "about" {
        Get "/api-doc" => api_doc: "A page that lists every route",
            Open, [], gives Gives::text(HTML), refuses [429, 503];
        Get "/style.css" => style: "The style sheet of `/api-doc`",
            Open, [], gives Gives::text(CSS), refuses [429, 503];
        Get "/openapi.json" => openapi: "Every route as OpenAPI 3.1",
            Open, [], gives OPENAPI, refuses [429, 503];
    }
}

/// What may be loaded and embedded: the style sheet, and nothing else by nobody.
const POLICY: &str = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

fn answer(media_type: &'static str, body: impl IntoResponse) -> Response {
    let headers: [(HeaderName, &str); 5] = [
        (CONTENT_TYPE, media_type),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "same-origin"),
        (CACHE_CONTROL, "no-store"),
    ];
    (headers, body).into_response()
}

/// `GET /openapi.json`
async fn openapi() -> Response {
    answer("application/json", openapi::TEXT.as_str())
}

/// `GET /style.css`
async fn style() -> Response {
    answer(CSS, include_str!("about.css"))
}

/// `GET /api-doc`
async fn api_doc() -> Response {
    static PAGE: LazyLock<String> = LazyLock::new(|| html("REST interface", &routes()));
    answer(HTML, PAGE.as_str())
}

/// A whole page.
fn html(title: &str, body: &str) -> String {
    let title = escape(title);
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<link rel=\"stylesheet\" href=\"/style.css\">\n</head>\n<body>\n\
         <main>\n<h1>{title}</h1>\n{body}</main>\n</body>\n</html>\n"
    )
}

/// Every route under the heading of its resource.
fn routes() -> String {
    let mut resources: Vec<&str> = Vec::new();
    for route in all() {
        if !resources.contains(&route.resource) {
            resources.push(route.resource);
        }
    }
    let mut out = String::from(
        "<p>Requests carry <code>Authorization: Bearer TOKEN</code> except where a route is open. \
         Problems are <code>application/problem+json</code> (RFC 9457). The types of bodies and \
         answers are in <a href=\"/openapi.json\">/openapi.json</a>.</p>\n<nav>\n<ul>\n",
    );
    for resource in &resources {
        append(&mut out, format_args!("<li><a href=\"#{resource}\">{resource}</a></li>\n"));
    }
    out.push_str("</ul>\n</nav>\n");
    for resource in resources {
        append(&mut out, format_args!("<section id=\"{resource}\">\n<h2>{resource}</h2>\n"));
        for route in all().filter(|route| route.resource == resource) {
            write_route(&mut out, route);
        }
        out.push_str("</section>\n");
    }
    out
}

fn write_route(out: &mut String, route: &Route) {
    let access = match route.access {
        Access::Open => "open".to_owned(),
        Access::To(kind, action) | Access::Within(kind, action) => format!("{action} of {kind}"),
        Access::Platform => "the platform's token".to_owned(),
    };
    append(
        out,
        format_args!(
            "<h3><code>{} {}</code></h3>\n<p>{}. Access: {access}.</p>\n<table>\n\
             <thead><tr><th scope=\"col\">Part</th><th scope=\"col\">Values</th>\
             <th scope=\"col\">Meaning</th></tr></thead>\n<tbody>\n",
            route.method.word(),
            escape(route.path),
            with_code(route.summary)
        ),
    );
    for parameter in route.parameters {
        let values = match parameter.value {
            ParameterValue::Text => "text".to_owned(),
            ParameterValue::Texts => "texts".to_owned(),
            ParameterValue::Word(words) => format!("one of {}", words.join(", ")),
            ParameterValue::Instant => "instant (RFC 3339)".to_owned(),
            ParameterValue::Whole { least, most, default } => {
                format!("{least} to {most}; {default} if not given")
            }
        };
        let is_needed = route.has_in_path(parameter) || parameter.is_required;
        let values = if is_needed { format!("{values}, required") } else { values };
        write_row(out, parameter.name, &values, parameter.summary);
    }
    if route.takes.is_some() {
        write_row(out, "body", "application/json", "what is asked for");
    }
    let media_types = [Some(route.gives.media_type), route.gives.or_text];
    let media_types: Vec<&str> = media_types.into_iter().flatten().collect();
    write_row(out, &route.gives.status.to_string(), &media_types.join(" or "), "success");
    for problem in PROBLEMS.iter().filter(|known| route.problems().contains(&known.status)) {
        write_row(out, &problem.status.to_string(), "problem", problem.meaning);
    }
    out.push_str("</tbody>\n</table>\n");
}

fn write_row(out: &mut String, part: &str, values: &str, meaning: &str) {
    let ([part, values], meaning) = ([part, values].map(escape), with_code(meaning));
    append(
        out,
        format_args!(
            "<tr><th scope=\"row\"><code>{part}</code></th><td>{values}</td><td>{meaning}</td></tr>\n"
        ),
    );
}

/// Text whose words in backticks are code.
fn with_code(text: &str) -> String {
    let parts = text.split('`').enumerate();
    parts.fold(String::new(), |html, (place, part)| {
        let part = escape(part);
        html + &if place % 2 == 0 { part } else { format!("<code>{part}</code>") }
    })
}
