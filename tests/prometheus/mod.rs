//! The Prometheus rules and the Grafana dashboard, compared with the exported metrics.

use crate::harness::{Answer, Astra, Server, eventually};
use llm_shell::protocol::HealthStatus;
use llm_shell::protocol::ServiceState;
use llm_shell::settings::SETTINGS;
use regex::Regex;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Keywords of expressions.
const KEYWORDS: [&str; 10] = [
    "and",
    "or",
    "on",
    "by",
    "sum",
    "increase",
    "rate",
    "max_over_time",
    "predict_linear",
    "vector",
];

/// Labels that Prometheus adds to every series.
const ADDED: [&str; 2] = ["instance", "job"];

fn file(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// Returns the expressions of the rules, by alert.
fn rules() -> BTreeMap<String, String> {
    let pattern = Regex::new(r"- alert: (\w+)\n +expr: (.+)\n").unwrap();
    let text = file("examples/prometheus/alerts.yml");
    let rules: BTreeMap<_, _> =
        pattern.captures_iter(&text).map(|rule| (rule[1].to_owned(), rule[2].to_owned())).collect();
    assert_eq!(rules.len(), text.matches("alert:").count());
    rules
}

fn dashboard() -> Value {
    serde_json::from_str(&file("examples/prometheus/dashboard.json")).unwrap()
}

fn panels(dashboard: &Value) -> Vec<&Value> {
    dashboard["panels"].as_array().unwrap().iter().filter(|panel| panel["type"] != "row").collect()
}

/// Returns the expressions of the panels and the queries of the variables.
fn dashboard_expressions() -> Vec<String> {
    let dashboard = dashboard();
    let targets = panels(&dashboard).into_iter().flat_map(|panel| {
        panel["targets"].as_array().unwrap().iter().map(|target| target["expr"].clone())
    });
    let variables = dashboard["templating"]["list"].as_array().unwrap().iter();
    let queries = variables.filter_map(|variable| variable["query"].get("query").cloned());
    let all = targets.chain(queries).map(|text| text.as_str().unwrap().to_owned());
    all.map(|text| {
        // label_values(SELECTOR, LABEL)
        let inside = text.strip_prefix("label_values(").and_then(|rest| rest.strip_suffix(')'));
        inside.map_or(text.clone(), |inside| {
            let (selector, label) = inside.rsplit_once(", ").unwrap();
            format!("sum by ({label}) ({selector})")
        })
    })
    .collect()
}

/// The metrics of an expression, and its labels with the compared values.
#[derive(Debug, Default)]
struct Named {
    metrics: BTreeSet<String>,
    labels: BTreeMap<String, BTreeSet<String>>,
}

fn named(expression: &str) -> Named {
    let token = Regex::new(concat!(
        r#"(?P<label>[a-z_]+) *(=~|!~|!=|=) *"(?P<values>[^"]*)""#,
        r"|(on|by) \((?P<list>[a-z_, ]+)\)",
        r"|\[[^\]]*\]|(?P<word>[a-z_]+)",
    ));
    let mut named = Named::default();
    for found in token.unwrap().captures_iter(expression) {
        if let Some(label) = found.name("label") {
            let values = named.labels.entry(label.as_str().to_owned()).or_default();
            values.extend(found["values"].split('|').map(str::to_owned));
        } else if let Some(list) = found.name("list") {
            for label in list.as_str().split(", ") {
                named.labels.entry(label.to_owned()).or_default();
            }
        } else if let Some(word) =
            found.name("word").filter(|word| !KEYWORDS.contains(&word.as_str()))
        {
            named.metrics.insert(word.as_str().to_owned());
        }
    }
    named
}

/// Returns the labels of every metric in an answer.
fn exported_labels(answer: &Answer) -> BTreeMap<String, BTreeSet<String>> {
    let sample = Regex::new(r"(?m)^([a-z_]+)(?:\{(.*)\})? \S+$").unwrap();
    let label = Regex::new(r#"([a-z_]+)=""#).unwrap();
    let mut exported: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let text = answer.text();
    for found in sample.captures_iter(&text) {
        let labels = found.get(2).map_or("", |labels| labels.as_str());
        let names = label.captures_iter(labels).map(|label| label[1].to_owned());
        exported.entry(found[1].to_owned()).or_default().extend(names);
    }
    exported
}

/// Returns the metrics that both modes export while something runs.
fn labels_of_both_modes() -> BTreeMap<String, BTreeSet<String>> {
    let server = Server::start();
    server.run("sleep 60");
    let astra = Astra::start(json!({"web": {"cmd": "exec sleep 60"}}));
    astra.wait_for("web", "running");
    let mut both = exported_labels(&server.get("/metrics").expect(200));
    both.extend(eventually("the service is sampled", || {
        let exported = exported_labels(&astra.get("/metrics").expect(200));
        exported.contains_key("astra_service_memory_bytes").then_some(exported)
    }));
    both
}

#[test]
fn rules_and_dashboard_use_exactly_the_exported_metrics() {
    let exported = labels_of_both_modes();
    let mut shown = BTreeSet::new();
    for expression in dashboard_expressions().into_iter().chain(rules().into_values()) {
        let named = named(&expression);
        assert!(!named.metrics.is_empty(), "{expression}");
        let mut labels: BTreeSet<_> = ADDED.map(str::to_owned).into();
        for metric in named.metrics.iter().filter(|metric| *metric != "up") {
            let of_it = exported.get(metric).unwrap_or_else(|| panic!("{metric} of {expression}"));
            labels.extend(of_it.iter().cloned());
        }
        for label in named.labels.keys() {
            assert!(labels.contains(label), "the label {label} of {expression}");
        }
        shown.extend(named.metrics);
    }
    for metric in exported.keys() {
        assert!(shown.contains(metric), "{metric} is exported, and neither shown nor watched");
    }
}

#[test]
fn compared_label_values_exist() {
    let scrapes = file("examples/prometheus/prometheus.yml");
    let dashboard = dashboard();
    let variables = dashboard["templating"]["list"].as_array().unwrap();
    let is_variable =
        |name: &str| variables.iter().any(|variable| variable["name"] == name.trim_matches('$'));
    for expression in dashboard_expressions().into_iter().chain(rules().into_values()) {
        for (label, values) in named(&expression).labels {
            for value in values {
                let exists = match &*label {
                    "state" => ServiceState::ALL.iter().any(|state| state.as_str() == value),
                    "health" => HealthStatus::ALL.iter().any(|health| health.as_str() == value),
                    "job" => scrapes.contains(&format!("job_name: {value}\n")),
                    _ => value.starts_with('$') && is_variable(&value),
                };
                assert!(exists, "{label} {value:?} of {expression}");
            }
        }
    }
}

#[test]
fn scrape_targets_match_both_default_ports() {
    let scrapes = file("examples/prometheus/prometheus.yml");
    let port = SETTINGS.iter().find(|setting| setting.flag == Some("port")).unwrap();
    for port in [port.default, port.astra_default.unwrap()] {
        assert!(scrapes.contains(&format!("127.0.0.1:{port}\"")), "{port}");
    }
}

#[test]
fn every_alert_is_tested_firing_and_silent() {
    let tests = file("tests/prometheus/alerts_test.yml");
    let page = file("examples/prometheus/README.md");
    for alert in rules().keys() {
        assert!(page.contains(&format!("`{alert}`")), "{alert} is not in the README");
        let silent = Regex::new(&format!("alertname: {alert}, .*exp_alerts: \\[\\]")).unwrap();
        assert!(silent.is_match(&tests), "{alert} is nowhere silent");
        let fires = format!("alertname: {alert}\n *eval_time: .*\n *exp_alerts:\n *- exp_labels: ");
        assert!(Regex::new(&fires).unwrap().is_match(&tests), "{alert} fires nowhere");
    }
}

#[test]
fn dashboard_panels_do_not_overlap_and_use_the_data_source() {
    let dashboard = dashboard();
    let source = json!({"type": "prometheus", "uid": "${datasource}"});
    let (mut ids, mut cells) = (BTreeSet::new(), BTreeSet::new());
    for panel in dashboard["panels"].as_array().unwrap() {
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{panel}");
        let side = |name: &str| panel["gridPos"][name].as_u64().unwrap();
        assert!(side("x") + side("w") <= 24, "{panel}");
        for x in side("x")..side("x") + side("w") {
            for y in side("y")..side("y") + side("h") {
                assert!(cells.insert((x, y)), "two panels are at {x}, {y}: {panel}");
            }
        }
    }
    for panel in panels(&dashboard) {
        assert_eq!(panel["datasource"], source, "{panel}");
        for target in panel["targets"].as_array().unwrap() {
            assert_eq!(target["datasource"], source, "{panel}");
        }
    }
}
