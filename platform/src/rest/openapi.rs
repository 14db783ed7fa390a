//! The OpenAPI 3.1 description, made from `ROUTES` and the schemas of the types that its rows name.

use std::borrow::Cow;
use std::sync::LazyLock;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

use super::parameter::{Parameter, ParameterValue};
use super::routes::{Access, Route, TEXTS, all};

/// Where references to schemas lead.
const SCHEMAS: &str = "/components/schemas";
const SCHEME: &str = "administrator";
const PASSWORD: &str = "password";

/// An instant as it is written: RFC 3339, UTC.
pub(super) struct Instant;

impl JsonSchema for Instant {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Instant".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "date-time" })
    }
}

/// The description as it is served.
pub(super) static TEXT: LazyLock<String> = LazyLock::new(|| format!("{:#}\n", document()));

/// The whole description.
pub(super) fn document() -> Value {
    // An answer has all its members, a body may leave some out.
    let settings = SchemaSettings::draft2020_12().with(|all| all.definitions_path = SCHEMAS.into());
    let mut taken = SchemaGenerator::new(settings.clone().for_deserialize());
    let mut given = SchemaGenerator::new(settings.for_serialize());
    let mut paths: Map<String, Value> = Map::new();
    for route in all() {
        let at_path = paths.entry(route.path).or_insert_with(|| json!({}));
        at_path[route.method.word().to_lowercase()] = operation(route, &mut taken, &mut given);
    }
    let mut schemas = given.take_definitions(true);
    schemas.extend(taken.take_definitions(true));
    schemas.insert("Problem".to_owned(), problem_schema());
    let responses: Map<String, Value> =
        PROBLEMS.iter().map(|known| (known.component(), known.response())).collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "lastmeter platform",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "Devices, what they report, and commands to them; the paths below \
                        /sitewhere/api are those of SiteWhere 1.9",
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": responses,
            "securitySchemes": {
                SCHEME: {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "the setting `token`, an API key or an access token",
                },
                PASSWORD: {
                    "type": "http",
                    "scheme": "basic",
                    "description": "a user of `default`, or of the tenant of `X-SiteWhere-Tenant`",
                },
            },
        },
    })
}

fn operation(route: &Route, taken: &mut SchemaGenerator, given: &mut SchemaGenerator) -> Value {
    let schema = (route.gives.schema)(given);
    let media_type = route.gives.media_type;
    let mut answer =
        json!({ "description": "success", "content": { media_type: { "schema": schema } } });
    if let Some(other) = route.gives.or_text {
        answer["content"][other] = json!({ "schema": { "type": "string" } });
    }
    let mut responses = Map::from_iter([(route.gives.status.to_string(), answer)]);
    for problem in PROBLEMS.iter().filter(|known| route.problems().contains(&known.status)) {
        let reference = format!("#/components/responses/{}", problem.component());
        responses.insert(problem.status.to_string(), json!({ "$ref": reference }));
    }
    let parameters: Vec<Value> =
        route.parameters.iter().map(|parameter| parameter_object(route, parameter)).collect();
    let mut operation = json!({
        "operationId": operation_id(route),
        "summary": route.summary,
        "tags": [route.resource],
        "parameters": parameters,
        "responses": responses,
        "security": security(route),
    });
    if let Access::To(kind, action) | Access::Within(kind, action) = route.access {
        operation["x-lastmeter-right"] = json!({ "kind": kind.word(), "action": action.word() });
    }
    if let Some(body) = route.takes {
        let schema = body(taken);
        let content = match schema.get("type").and_then(Value::as_str) {
            Some("string") => json!({
                TEXTS[0]: { "schema": schema }, TEXTS[1]: { "schema": schema },
            }),
            _ => json!({ "application/json": { "schema": schema } }),
        };
        operation["requestBody"] = json!({ "required": true, "content": content });
    }
    operation
}

/// What a request has to present: nothing, or one of several things, of which nothing may be one.
fn security(route: &Route) -> Value {
    if route.access.is_open() {
        json!([])
    } else if route.is_for_everybody() {
        json!([{}, { SCHEME: [] }, { PASSWORD: [] }])
    } else {
        json!([{ SCHEME: [] }, { PASSWORD: [] }])
    }
}

/// Method and path as one word, which is theirs alone.
fn operation_id(route: &Route) -> String {
    let words =
        route.path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.fold(route.method.word().to_lowercase(), |id, word| {
        let (first, rest) = word.split_at(1);
        id + &first.to_ascii_uppercase() + rest
    })
}

fn parameter_object(route: &Route, parameter: &Parameter) -> Value {
    let is_in_path = route.has_in_path(parameter);
    let mut object = json!({
        "name": parameter.name,
        "in": if is_in_path { "path" } else { "query" },
        "description": parameter.summary,
        "required": is_in_path || parameter.is_required,
        "schema": match parameter.value {
            ParameterValue::Text => json!({ "type": "string" }),
            ParameterValue::Texts => json!({ "type": "array", "items": { "type": "string" } }),
            ParameterValue::Word(words) => json!({ "type": "string", "enum": words }),
            ParameterValue::Instant => json!({ "type": "string", "format": "date-time" }),
            ParameterValue::Whole { least, most, default } => json!({
                "type": "integer", "minimum": least, "maximum": most, "default": default
            }),
        },
    });
    if is_in_path {
        object["schema"]["minLength"] = json!(1);
    }
    if let Some(example) = parameter.example {
        object["example"] = match parameter.value {
            ParameterValue::Texts => json!([example]),
            _ => json!(example),
        };
    }
    object
}

fn problem_schema() -> Value {
    json!({
        "type": "object",
        "description": "what is wrong (RFC 9457)",
        "properties": {
            "type": { "const": "about:blank" },
            "title": { "type": "string" },
            "status": { "type": "integer" },
            "detail": { "type": "string", "description": "for people" },
            "code": { "type": "string", "description": "a stable word for programs" },
        },
        "required": ["type", "title", "status", "detail", "code"],
    })
}

/// A status of a problem and what it means here.
pub(super) struct KnownProblem {
    pub(super) status: u16,
    pub(super) meaning: &'static str,
    /// A header that comes with it.
    header: Option<&'static str>,
}

impl KnownProblem {
    const fn new(status: u16, meaning: &'static str) -> Self {
        Self { status, meaning, header: None }
    }

    fn component(&self) -> String {
        format!("Problem{}", self.status)
    }

    fn response(&self) -> Value {
        let schema = json!({ "$ref": "#/components/schemas/Problem" });
        let mut response = json!({
            "description": self.meaning,
            "content": { "application/problem+json": { "schema": schema } },
        });
        if let Some(header) = self.header {
            response["headers"] = json!({ header: { "schema": { "type": "string" } } });
        }
        response
    }
}

/// Every status of a problem that routes declare.
pub(super) const PROBLEMS: &[KnownProblem] = &[
    KnownProblem::new(
        400,
        "the path, a parameter, the body or `Host` cannot be read or is out of range",
    ),
    KnownProblem {
        header: Some("WWW-Authenticate"),
        ..KnownProblem::new(401, "the token is missing or wrong")
    },
    KnownProblem::new(
        403,
        "it is not permitted, another tenant's token, or `X-SiteWhere-Tenant` names another tenant",
    ),
    KnownProblem::new(404, "what the request names does not exist"),
    KnownProblem::new(408, "the body did not arrive in time"),
    KnownProblem::new(409, "the state of the platform does not permit it"),
    KnownProblem::new(413, "the body is larger than `limits.rest_body_bytes`"),
    KnownProblem::new(415, "the body is not declared as `application/json`"),
    KnownProblem::new(421, "`Host` is no name of the loopback, on which the server listens"),
    KnownProblem::new(422, "the body is JSON, but not what is taken here"),
    KnownProblem {
        header: Some("Retry-After"),
        ..KnownProblem::new(
            429,
            "too many wrong tokens came from the address, or too many requests from it or with the \
             token",
        )
    },
    KnownProblem::new(500, "what is stored is damaged in this place and not given"),
    KnownProblem::new(503, "not now: no free connection, a slow query, a full disk, or stopping"),
    KnownProblem::new(507, "a limit of the tenant is reached"),
];
