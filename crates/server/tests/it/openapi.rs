//! `openapi.json` is written by hand; these tests hold it against the routes, the types and itself.

use std::collections::BTreeSet;

use http::{Method, StatusCode};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use tidings_protocol::{
    ClientMessage, Item, ServerMessage,
    rest::{
        InboxPage, MarkAnswer, MarkRequest, Problem, PublishMessage, PublishNotification,
        PublishResults, PublishedMessage, RevocationRequest, TicketAnswer, TicketRequest,
    },
};

use super::harness::{Server, answered};

const ROUTES: &str = include_str!("../../src/api/mod.rs");

fn spec() -> Value {
    serde_json::from_str(include_str!("../../openapi.json")).unwrap()
}

/// Path, method and description of each operation.
fn operations(spec: &Value) -> Vec<(&String, Method, &Value)> {
    let paths = spec["paths"].as_object().unwrap();
    paths
        .iter()
        .flat_map(|(path, item)| {
            let methods =
                item.as_object().unwrap().iter().filter(|(name, _)| *name != "parameters");
            methods.map(move |(name, operation)| {
                (path, name.to_ascii_uppercase().parse().unwrap(), operation)
            })
        })
        .collect()
}

#[tokio::test]
async fn it_is_served_as_it_is_committed() {
    let server = Server::start().await;
    let served = answered(server.request(Method::GET, "/openapi.json"), StatusCode::OK).await;
    assert_eq!(served, spec());
}

#[tokio::test]
async fn each_operation_of_it_is_routed() {
    let server = Server::start().await;
    let spec = spec();
    for (path, method, _) in operations(&spec) {
        let path = path.replace("{channel}", "room:1");
        let answer = server.request(method.clone(), &path).send().await.unwrap();
        let status = answer.status();
        let unrouted = [StatusCode::NOT_FOUND, StatusCode::METHOD_NOT_ALLOWED];
        // Without a recorder, which only the binary installs, there are no metrics.
        if path != "/metrics" {
            assert!(!unrouted.contains(&status), "{method} {path}: {status}");
        }
    }
}

/// Path and methods of each `.route("…", get(…).post(…))`.
fn routed() -> BTreeSet<(String, &'static str)> {
    ROUTES
        .split(".route(")
        .skip(1)
        .flat_map(|route| {
            let path = route.split('"').nth(1).unwrap();
            let handlers = route.split(';').next().unwrap();
            let methods = ["get", "post", "put", "delete", "patch"];
            methods
                .into_iter()
                .filter(|method| handlers.contains(&format!("{method}(")))
                .map(|method| (path.to_owned(), method))
                .collect::<Vec<_>>()
        })
        .collect()
}

#[test]
fn each_route_is_in_it() {
    let spec = spec();
    let routed = routed();
    assert!(routed.len() >= 12, "the routes were not found where they are expected: {routed:?}");
    for (path, method) in routed {
        assert!(spec["paths"][&path].get(method).is_some(), "{method} {path} is not described");
    }
}

/// Parses an example as the server's type, and serializes it again.
fn through<T: DeserializeOwned + Serialize>(example: &Value) -> Result<Value, String> {
    let read: T = serde_json::from_value(example.clone()).map_err(|error| error.to_string())?;
    serde_json::to_value(&read).map_err(|error| error.to_string())
}

fn checked<T: DeserializeOwned, E: ToString>(
    example: &Value,
    check: impl FnOnce(T) -> Result<(), E>,
) {
    let body = serde_json::from_value(example.clone()).unwrap();
    assert_eq!(check(body).map_err(|error| error.to_string()), Ok(()));
}

#[test]
fn examples_are_what_the_servers_types_read_and_write() {
    let spec = spec();
    let mut seen = BTreeSet::new();
    for (place, schema, example) in examples(&spec) {
        let Some(name) = schema["$ref"].as_str().and_then(|link| link.rsplit('/').next()) else {
            continue;
        };
        seen.insert(name.to_owned());
        let written = match name {
            "PublishNotification" => through::<PublishNotification>(&example),
            "PublishResults" => through::<PublishResults>(&example),
            "PublishMessage" => through::<PublishMessage>(&example),
            "PublishedMessage" => through::<PublishedMessage>(&example),
            "InboxPage" => through::<InboxPage>(&example),
            "MarkRequest" => through::<MarkRequest>(&example),
            "MarkAnswer" => through::<MarkAnswer>(&example),
            "TicketRequest" => through::<TicketRequest>(&example),
            "TicketAnswer" => through::<TicketAnswer>(&example),
            "RevocationRequest" => through::<RevocationRequest>(&example),
            "Problem" => through::<Problem>(&example),
            "MessagePage" => {
                for message in example["messages"].as_array().unwrap() {
                    assert!(ServerMessage::decode(&message.to_string()).is_ok(), "{message}");
                }
                Ok(example.clone())
            }
            "Connect" => {
                assert!(ClientMessage::decode(&example.to_string()).is_ok(), "{example}");
                Ok(example.clone())
            }
            "DevTokenRequest" | "DevToken" => Ok(example.clone()),
            other => panic!("{place}: no type is known for {other}"),
        };
        assert_eq!(written, Ok(example.clone()), "{place}");
        match name {
            "PublishNotification" => {
                checked(&example, |body: PublishNotification| body.check().map(drop));
            }
            "PublishMessage" => checked(&example, |body: PublishMessage| body.check()),
            "MarkRequest" => checked(&example, |body: MarkRequest| body.check()),
            "TicketRequest" => checked(&example, |body: TicketRequest| body.check()),
            "RevocationRequest" => {
                checked(&example, |body: RevocationRequest| body.check().map(drop));
            }
            "Problem" => {
                let code =
                    example["code"].as_str().and_then(tidings_protocol::ErrorCode::from_name);
                let told = Problem::new(code.unwrap(), "", "");
                assert_eq!(example["status"], told.status, "{place}");
                assert_eq!(example["title"], told.title, "{place}");
                assert_eq!(example["type"], told.kind, "{place}");
            }
            _ => {}
        }
    }
    assert_eq!(seen.len(), 15, "{seen:?}");
}

/// Location, schema and value of each example of a body.
fn examples(spec: &Value) -> Vec<(String, Value, Value)> {
    let mut bodies = Vec::new();
    for (path, method, operation) in operations(spec) {
        bodies.push((format!("{method} {path}"), operation["requestBody"].clone()));
        for (status, answer) in operation["responses"].as_object().unwrap() {
            bodies.push((format!("{method} {path} {status}"), answer.clone()));
        }
    }
    for (name, answer) in spec["components"]["responses"].as_object().unwrap() {
        bodies.push((name.clone(), answer.clone()));
    }
    let mut found = Vec::new();
    for (place, body) in bodies {
        for (_, content) in body["content"].as_object().into_iter().flatten() {
            if content["schema"].get("$ref").is_some() {
                let example = content.get("example").unwrap_or_else(|| panic!("{place} has none"));
                found.push((place.clone(), content["schema"].clone(), example.clone()));
            }
        }
    }
    found
}

#[test]
fn examples_fit_its_schemas() {
    let spec = spec();
    for (place, schema, example) in examples(&spec) {
        fits(&spec, &schema, &example, &place);
    }
}

/// The part of JSON Schema that the description uses.
fn fits(spec: &Value, schema: &Value, value: &Value, place: &str) {
    if let Some(link) = schema["$ref"].as_str() {
        return fits(spec, spec.pointer(link.trim_start_matches('#')).expect(link), value, place);
    }
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    // A value that may be `null` instead.
    if let (None, Some(ways)) = (schema.get("type"), schema["anyOf"].as_array()) {
        return fits(spec, &ways[0], value, place);
    }
    assert!(
        schema.get("type").is_none_or(|wanted| match wanted.as_array() {
            Some(kinds) => kinds.iter().any(|wanted| wanted == kind),
            None => wanted == kind,
        }),
        "{place}: {value} is no {schema}"
    );
    if let Some(allowed) = schema["enum"].as_array() {
        assert!(allowed.contains(value), "{place}: {value}");
    }
    if let Some(text) = value.as_str() {
        let chars = text.chars().count() as u64;
        assert!(schema["minLength"].as_u64().is_none_or(|least| chars >= least), "{place}: {text}");
        assert!(schema["maxLength"].as_u64().is_none_or(|most| chars <= most), "{place}: {text}");
    }
    for item in value.as_array().into_iter().flatten() {
        fits(spec, &schema["items"], item, place);
    }
    let (Some(fields), Some(known)) = (value.as_object(), schema["properties"].as_object()) else {
        return;
    };
    for name in schema["required"].as_array().into_iter().flatten() {
        assert!(fields.contains_key(name.as_str().unwrap()), "{place} lacks {name}");
    }
    for (name, field) in fields {
        let described =
            known.get(name).unwrap_or_else(|| panic!("{place}: {name} is not described"));
        fits(spec, described, field, &format!("{place}.{name}"));
    }
}

#[test]
fn every_link_leads_somewhere_and_every_component_is_used() {
    let spec = spec();
    let mut links = BTreeSet::new();
    collect_links(&spec, &mut links);
    for link in &links {
        assert!(spec.pointer(link.trim_start_matches('#')).is_some(), "{link}");
    }
    for kind in ["schemas", "responses", "parameters", "headers"] {
        for name in spec["components"][kind].as_object().unwrap().keys() {
            let link = format!("#/components/{kind}/{name}");
            assert!(links.contains(&link), "{link} is used nowhere");
        }
    }
}

fn collect_links(value: &Value, links: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            links.extend(fields.get("$ref").and_then(Value::as_str).map(str::to_owned));
            fields.values().for_each(|field| collect_links(field, links));
        }
        Value::Array(items) => items.iter().for_each(|item| collect_links(item, links)),
        _ => {}
    }
}

#[test]
fn operations_are_complete() {
    let spec = spec();
    let schemes = spec["components"]["securitySchemes"].as_object().unwrap();
    let mut names = BTreeSet::new();
    for (path, method, operation) in operations(&spec) {
        let place = format!("{method} {path}");
        assert!(names.insert(operation["operationId"].as_str().unwrap().to_owned()), "{place}");
        assert!(!operation["summary"].as_str().unwrap().is_empty(), "{place}");
        for way in operation["security"].as_array().unwrap() {
            assert!(
                way.as_object().unwrap().keys().all(|name| schemes.contains_key(name)),
                "{place}"
            );
        }
        for (name, answer) in operation["responses"].as_object().unwrap() {
            assert!(name.parse::<StatusCode>().is_ok(), "{place}: {name}");
            assert!(
                answer.get("$ref").is_some() || answer["description"].is_string(),
                "{place}: {name}"
            );
        }
    }
}

/// The description lists the fields of an item on the wire; a field added there must be added here.
#[test]
fn an_item_has_every_field_it_is_described_with() {
    let spec = spec();
    let page =
        &spec["paths"]["/v1/inbox"]["get"]["responses"]["200"]["content"]["application/json"];
    let item = &page["example"]["items"][1];
    let written = through::<Item>(item).unwrap();
    let described = spec["components"]["schemas"]["Item"]["properties"].as_object().unwrap();
    assert!(written.as_object().unwrap().keys().eq(described.keys()), "{written}");
}
