//! The tables of the reference are generated from the program: routes, bodies, settings and fields
//! of the services file. `UPDATE_DOCS=1 cargo test docs::reference` rewrites them.

use super::{read, root};
use crate::harness::{Astra, Instance, Server, binary};
use llm_shell::settings::{SETTINGS, is_allowed_in_dotenv};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// Compares a file with the generated text, or writes it.
#[track_caller]
fn check(path: &str, text: &str) {
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(root().join(path), text).unwrap();
    }
    let advice = "run UPDATE_DOCS=1 cargo test docs::reference";
    assert!(read(path) == text, "{path} is not what the program says: {advice}");
}

/// Compares or writes the part of a document between two comments.
#[track_caller]
fn check_part(path: &str, name: &str, part: &str) {
    let (begin, end) = (format!("<!-- generated: {name} -->\n"), "<!-- end of generated -->");
    let document = read(path);
    let (before, rest) = document.split_once(&begin).unwrap_or_else(|| panic!("no {begin}"));
    let (_, after) = rest.split_once(end).unwrap_or_else(|| panic!("no {end}"));
    check(path, &format!("{before}{begin}{part}{end}{after}"));
}

fn object(value: &Value) -> &Map<String, Value> {
    value.as_object().unwrap_or_else(|| panic!("no object: {value}"))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}

/// Escapes a text for a table cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

/// Returns the `OpenAPI` document of a server.
struct Document(Value);

impl Document {
    fn of(server: &Instance) -> Self {
        Self(server.get("/openapi.json").expect(200).json())
    }

    /// Returns operations in the order of their groups: method, path, operation.
    fn operations(&self) -> Vec<(String, &str, &Value)> {
        let mut all = Vec::new();
        for tag in self.0["tags"].as_array().unwrap() {
            for (path, item) in object(&self.0["paths"]) {
                for (method, operation) in object(item).iter().filter(|(key, _)| *key != "servers")
                {
                    if operation["tags"][0] == tag["name"] {
                        all.push((method.to_uppercase(), path.as_str(), operation));
                    }
                }
            }
        }
        all
    }

    fn routes(&self) -> String {
        let mut table = "| route | does | answers |\n|---|---|---|\n".to_owned();
        for (method, path, operation) in self.operations() {
            let does =
                format!("{}. {}", text(&operation["summary"]), text(&operation["description"]));
            // Errors of all routes are described once.
            let common = ["400", "401", "403", "408", "413", "429", "500"];
            let answers: Vec<String> = object(&operation["responses"])
                .iter()
                .filter(|(status, answer)| {
                    !common.contains(&status.as_str()) && answer["$ref"].is_null()
                })
                .map(|(status, answer)| match text(&answer["description"]) {
                    "See `detail`." | "" => status.clone(),
                    says => format!("{status} {}", says.trim_end_matches('.')),
                })
                .collect();
            let answers = answers.join(" · ");
            writeln!(table, "| `{method} {path}` | {} | {} |", cell(&does), cell(&answers))
                .unwrap();
        }
        table
    }

    /// Describes the parameters of each route: path, query, headers and body.
    fn parameters(&self) -> String {
        let mut all = String::new();
        let mut of_logs = None;
        for (method, path, operation) in self.operations() {
            let mut rows = Vec::new();
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            let names: BTreeSet<&str> = parameters.clone().map(|it| text(&it["name"])).collect();
            let reads_lines = names.contains("grep");
            for parameter in parameters {
                let name = text(&parameter["name"]);
                let is_of_logs = reads_lines && !["run_id", "run", "service"].contains(&name);
                if parameter["in"] == "path" || name == "Idempotency-Key" {
                    continue;
                }
                if is_of_logs && of_logs.as_ref().is_some_and(|first| *first != path) {
                    continue;
                }
                rows.push((name, self.kind(&parameter["schema"]), text(&parameter["description"])));
            }
            let body = &operation["requestBody"]["content"]["application/json"]["schema"];
            if let Some(to) = body["$ref"].as_str().filter(|_| !path.ends_with("/mcp")) {
                rows.extend(self.fields(to.rsplit('/').next().unwrap()));
            }
            let others = match of_logs {
                Some(first) if reads_lines => format!("All that `GET {first}` takes"),
                _ => String::new(),
            };
            if reads_lines && of_logs.is_none() {
                of_logs = Some(path);
            }
            if rows.is_empty() && others.is_empty() {
                continue;
            }
            write!(all, "\n### `{method} {path}`\n\n").unwrap();
            match (others.is_empty(), rows.is_empty()) {
                (true, _) => all.push_str(&table("parameter or field", &rows)),
                (false, true) => writeln!(all, "{others}.").unwrap(),
                (false, false) => {
                    writeln!(all, "{others}, and:\n\n{}", table("parameter", &rows).trim_end())
                        .unwrap();
                }
            }
        }
        all
    }

    /// Describes the objects of answers.
    fn objects(&self) -> String {
        let schemas = object(&self.0["components"]["schemas"]);
        let mut wanted = BTreeSet::new();
        for (_, _, operation) in self.operations() {
            for answer in object(&operation["responses"]).values() {
                collect(&answer["content"]["application/json"]["schema"], schemas, &mut wanted);
            }
        }
        let mut all = String::new();
        for name in wanted.iter().filter(|name| schemas[**name]["properties"].is_object()) {
            write!(all, "\n### {name}\n\n").unwrap();
            if let Some(description) = schemas[*name]["description"].as_str() {
                write!(all, "{description}\n\n").unwrap();
            }
            all.push_str(&table("field", &self.fields(name)));
        }
        all
    }

    fn fields(&self, name: &str) -> Vec<(&str, String, &str)> {
        let schema = &self.0["components"]["schemas"][name];
        let fields = schema["properties"].as_object().into_iter().flatten();
        let described = fields.map(|(field, schema)| {
            let description = schema["description"].as_str().unwrap_or_default();
            (field.as_str(), self.kind(schema), description)
        });
        described.collect()
    }

    /// Describes a schema briefly.
    fn kind(&self, schema: &Value) -> String {
        kind(schema, &|to| self.0.pointer(&to[1..]).unwrap_or_else(|| panic!("there is no {to}")))
    }
}

/// Adds the names of the schemas that a schema refers to.
fn collect<'a>(schema: &'a Value, schemas: &'a Map<String, Value>, names: &mut BTreeSet<&'a str>) {
    match schema {
        Value::Object(fields) => {
            if let Some(to) = fields.get("$ref").and_then(Value::as_str) {
                let name = to.rsplit('/').next().unwrap();
                if names.insert(name) {
                    collect(&schemas[name], schemas, names);
                }
            }
            fields.values().for_each(|value| collect(value, schemas, names));
        }
        Value::Array(values) => values.iter().for_each(|value| collect(value, schemas, names)),
        _ => {}
    }
}

fn kind<'a>(schema: &'a Value, resolve: &dyn Fn(&str) -> &'a Value) -> String {
    if let Some(to) = schema["$ref"].as_str() {
        let target = resolve(to);
        let is_object = target["properties"].is_object();
        let name = to.rsplit('/').next().unwrap().to_owned();
        return if is_object { name } else { kind(target, resolve) };
    }
    for word in ["anyOf", "oneOf"] {
        if let Some(choices) = schema[word].as_array() {
            let choices: Vec<String> = choices.iter().map(|it| kind(it, resolve)).collect();
            return choices.join(" or ");
        }
    }
    if let Some(words) = schema["enum"].as_array() {
        let words: Vec<String> = words.iter().map(|word| format!("`{}`", text(word))).collect();
        return words.join(", ");
    }
    if schema["const"].is_string() {
        return format!("`{}`", text(&schema["const"]));
    }
    let types = match &schema["type"] {
        Value::Array(types) => types.iter().map(text).collect::<Vec<_>>().join(" or "),
        Value::String(one) if one == "array" => {
            format!("array of {}", kind(&schema["items"], resolve))
        }
        Value::String(one) if one == "object" && schema["additionalProperties"].is_object() => {
            format!("object of {}", kind(&schema["additionalProperties"], resolve))
        }
        Value::String(one) => one.clone(),
        _ => "any".to_owned(),
    };
    let limit = |key: &str| schema[key].as_f64().map(|number| json!(number).to_string());
    let limit = |key: &str| limit(key).map(|it| it.trim_end_matches(".0").to_owned());
    match (limit("minimum"), limit("maximum")) {
        (Some(least), Some(most)) if schema["maximum"] != json!(u64::MAX) => {
            format!("{types}, {least} to {most}")
        }
        _ => types,
    }
}

fn table(first: &str, rows: &[(&str, String, &str)]) -> String {
    let mut table = format!("| {first} | type | meaning |\n|---|---|---|\n");
    for (name, kind, meaning) in rows {
        writeln!(table, "| `{name}` | {} | {} |", cell(kind), cell(meaning)).unwrap();
    }
    table
}

#[test]
fn shell_reference_matches_its_openapi_document() {
    let document = Document::of(&Server::start());
    check_part("docs/api-shell.md", "routes", &document.routes());
    check_part("docs/api-shell.md", "parameters", &document.parameters());
    check_part("docs/api-shell.md", "objects", &document.objects());
}

#[test]
fn astra_reference_matches_its_openapi_document() {
    let document = Document::of(&Astra::start(json!({})));
    check_part("docs/api-astra.md", "routes", &document.routes());
    check_part("docs/api-astra.md", "parameters", &document.parameters());
    check_part("docs/api-astra.md", "objects", &document.objects());
}

#[test]
fn services_file_reference_matches_its_schema() {
    let output = binary().arg("schema").output().unwrap();
    let schema: Value = serde_json::from_slice(&output.stdout).unwrap();
    let resolve = |to: &str| schema.pointer(&to[1..]).unwrap();
    let mut all = String::new();
    let definitions = object(&schema["$defs"]);
    let others = definitions.keys().filter(|name| *name != "Service");
    for name in ["Service"].into_iter().chain(others.map(String::as_str)) {
        let Some(fields) = definitions[name]["properties"].as_object() else { continue };
        write!(all, "\n### {name}\n\n| field | type | default | meaning |\n|---|---|---|---|\n")
            .unwrap();
        for (field, about) in fields {
            let default = match &about["default"] {
                Value::Null => "–".to_owned(),
                default => format!("`{default}`"),
            };
            let (kind, meaning) = (kind(about, &resolve), about["description"].as_str());
            let meaning = meaning.unwrap_or_else(|| panic!("{field} has no description"));
            writeln!(all, "| `{field}` | {} | {default} | {} |", cell(&kind), cell(meaning))
                .unwrap();
        }
    }
    check_part("docs/services-file.md", "fields", &all);
}

#[test]
fn settings_reference_matches_the_table() {
    let mut all = "| flag | environment | default | meaning |\n|---|---|---|---|\n".to_owned();
    for setting in SETTINGS {
        let flag = setting.flag.map_or("–".to_owned(), |flag| format!("`--{flag}`"));
        let default = match setting.default {
            "" => "–".to_owned(),
            default => format!("`{default}`"),
        };
        let default = match setting.astra_default {
            Some(astra) => format!("{default}, Astra `{astra}`"),
            None => default,
        };
        let (name, help) = (setting.environment, setting.help);
        writeln!(all, "| {flag} | `{name}` | {default} | {help} |").unwrap();
    }
    check_part("docs/configuration.md", "settings", &all);
}

#[test]
fn dotenv_example_matches_the_table() {
    let mut all = String::from(
        "# Settings of llm-shell that serve and astra read from .env in the working directory, each \
         with its\n# default. Precedence: flags, environment, .env, defaults. The shell, the allowed \
         origins and the\n# allowed hosts are not read from there. Copy this file to .env and remove \
         the # before what you set;\n# it must belong to the server's user or root, and nobody else \
         may be able to write it.\n",
    );
    for setting in SETTINGS {
        let (help, name, default) = (setting.help, setting.environment, setting.default);
        if is_allowed_in_dotenv(name) {
            write!(all, "\n# {help}\n#{name}={default}\n").unwrap();
        }
    }
    check(".env.example", &all);
}
