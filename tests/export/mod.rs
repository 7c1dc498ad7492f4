//! `llm-shell export kubernetes`: manifests of a services file, and of shells for agents.

use crate::harness::{Server, binary};
use llm_shell::supervisor::services_file::{Mapping, ServiceConfig};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Output;

/// Returns exit code, stdout and stderr of an export in this folder.
fn export_in(folder: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = binary();
    command.args(["export", "kubernetes"]).args(arguments).current_dir(folder);
    let Output { status, stdout, stderr } = command.output().expect("the binary runs");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (status.code(), text(stdout), text(stderr))
}

fn export(arguments: &[&str]) -> (Option<i32>, String, String) {
    export_in(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/export")), arguments)
}

/// Returns the manifest and the warnings of these services, all in one image.
#[track_caller]
fn exported(services: &str) -> (String, String) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("astra_services.json"), services).unwrap();
    let (code, stdout, stderr) = export_in(folder.path(), &["--image", "app:1"]);
    assert_eq!(code, Some(0), "{stderr}");
    (stdout, stderr)
}

/// Returns the only document of a manifest with this line.
#[track_caller]
fn document<'a>(manifest: &'a str, kind: &str, name: &str) -> &'a str {
    let is_it = |document: &&str| {
        document.contains(&format!("\nkind: {kind}\n"))
            && document.contains(&format!("\nmetadata:\n  name: {name}\n"))
    };
    let mut found = manifest.split("---\n").filter(is_it);
    let document = found.next().unwrap_or_else(|| panic!("no {kind} {name} in\n{manifest}"));
    assert!(found.next().is_none(), "{kind} {name} stands twice");
    document
}

#[test]
fn exported_fields_match_the_documentation() {
    let arguments = ["everything.json", "--image", "app:1", "--image", "Data_Base.v2=postgres:17"];
    let (code, manifest, warnings) =
        export(&[&arguments[..], &["--namespace", "astra", "--wait-image", "busybox:1"]].concat());
    assert_eq!(code, Some(0), "{warnings}");
    // After an intended change: print both again, and review the difference.
    assert_eq!(manifest, include_str!("everything.yaml"));
    assert_eq!(warnings, include_str!("everything.warnings"));
}

#[test]
fn the_fixture_has_every_field_that_can_be_exported() {
    let fixture = include_str!("everything.json");
    for (path, mapping) in ServiceConfig::export_mappings() {
        let field = path.rsplit('.').next().unwrap_or_default();
        let is_there = fixture.contains(&format!("\"{field}\":"));
        assert!(is_there || matches!(mapping, Mapping::Unsupported(_)), "{path}");
    }
}

#[test]
fn services_become_jobs_or_deployments() {
    let (manifest, warnings) = exported(
        r#"{"never": {"cmd": "x", "restart_policy": {"mode": "never"}},
        "task": {"cmd": "x", "restart_policy": {"max_restarts": 7}},
        "always": {"cmd": "x", "restart_policy": {"mode": "always"}}, "plain": {"cmd": "x"},
        "last": {"cmd": "x", "depends_on": {"task": "completed", "always": "completed"}}}"#,
    );
    assert!(document(&manifest, "Job", "never").contains("\n  backoffLimit: 0\n"));
    assert!(document(&manifest, "Job", "task").contains("\n  backoffLimit: 7\n"));
    for name in ["always", "plain", "last"] {
        document(&manifest, "Deployment", name);
    }
    let lines: Vec<&str> = warnings.lines().collect();
    assert_eq!(lines.len(), 2, "{warnings}");
    assert!(lines[0].starts_with("warning: last.depends_on.always: is left out: it always"));
    assert!(lines[1].starts_with("warning: last.depends_on.task: is left out: a pod can only"));
    assert!(lines[1].ends_with("job/task`"), "{}", lines[1]);
}

#[test]
fn services_without_autostart_are_exported_scaled_down() {
    let (manifest, _) = exported(
        r#"{"idle": {"cmd": "x", "autostart": false}, "needed": {"cmd": "x", "autostart": false},
        "never": {"cmd": "x", "autostart": false, "restart_policy": {"mode": "never"}},
        "needs": {"cmd": "x", "depends_on": ["needed"]}}"#,
    );
    for (name, replicas) in [("idle", 0), ("needed", 1), ("needs", 1)] {
        let expected = format!("\n  replicas: {replicas}\n");
        assert!(document(&manifest, "Deployment", name).contains(&expected), "{name}");
    }
    assert!(document(&manifest, "Job", "never").contains("\n  suspend: true\n"));
}

#[test]
fn secrets_are_exported_only_as_secrets() {
    let (manifest, warnings) = exported(
        r#"{"api": {"cmd": "x", "env": {"API_TOKEN": "sesame-1", "URL": "http://a:sesame-2@h/",
        "HEADER": "Bearer sesame-1", "MODE": "plain"}},
        "open": {"cmd": ["x", "--token", "hush"]}}"#,
    );
    let expected = "warning: open.cmd: appears to contain a secret";
    assert!(warnings.starts_with(expected) && warnings.lines().count() == 1, "{warnings}");
    let secret = document(&manifest, "Secret", "api-secrets");
    let others = manifest.replace(secret, "");
    assert!(secret.contains("sesame-1") && secret.contains("sesame-2"), "{secret}");
    assert!(!others.contains("sesame") && !warnings.contains("sesame"), "{others}");
    for name in ["API_TOKEN", "URL", "HEADER"] {
        let reference =
            format!("secretKeyRef:\n              name: api-secrets\n              key: {name}\n");
        assert!(others.contains(&reference), "{others}");
    }
    assert!(others.contains("- name: MODE\n          value: plain\n"));
}

#[test]
fn invalid_file_exits_with_2_without_manifest() {
    let folder = tempfile::tempdir().unwrap();
    let write = |text: &str| fs::write(folder.path().join("s.json"), text).unwrap();
    for (text, arguments, expected) in [
        (r#"{"a": {"cm": 1}}"#, &["--image", "x"][..], "s.json:1:8: a.cm: is unknown"),
        ("{}", &["--image", "x", "--namespace", "A"], "invalid --namespace \"A\""),
        ("{}", &["--image", "x", "--wait-image", "a b"], "invalid --wait-image \"a b\""),
        ("{}", &["--image", "x="], "invalid --image \"\""),
        ("{}", &["--image", "b=x"], "there is no service \"b\" in the file"),
        (r#"{"a": {"cmd": "x"}}"#, &["--image", "a="], "invalid --image \"\""),
        (
            r#"{"a": {"cmd": "x"}, "b": {"cmd": "x"}}"#,
            &["--image", "a=x"],
            "b has no image: give --image IMAGE for all, or --image b=IMAGE",
        ),
        (
            r#"{"a.b": {"cmd": "x"}, "A_b": {"cmd": "x"}}"#,
            &["--image", "x"],
            "\"a.b\" and \"A_b\" would both be \"a-b\"",
        ),
        (
            r#"{"a": {"cmd": "x", "env_file": "/no/such"}}"#,
            &["--image", "x"],
            "a.env_file: The env_file \"/no/such\" cannot be read",
        ),
        ("{}", &[], "--image"),
    ] {
        write(text);
        let (code, stdout, stderr) = export_in(folder.path(), &[&["s.json"], arguments].concat());
        assert_eq!((code, &*stdout), (Some(2), ""), "{stderr}");
        assert!(stderr.contains(expected), "{expected:?} in {stderr:?}");
    }
}

/// Returns the tokens of shells called `sh`, by pod.
fn tokens_of(manifest: &str) -> BTreeMap<String, String> {
    let data = document(manifest, "Secret", "sh-tokens").split("stringData:\n").nth(1).unwrap();
    let pairs = data.lines().map(|line| line.trim().split_once(": ").unwrap());
    pairs.map(|(name, token)| (name.to_owned(), token.to_owned())).collect()
}

#[test]
fn each_agent_gets_a_shell_with_a_token_of_its_own() {
    let arguments =
        ["--agents", "3", "--name", "sh", "--image", "shell:1", "--namespace", "agents"];
    let (code, manifest, warnings) = export(&arguments);
    assert_eq!((code, &*warnings), (Some(0), ""));
    let mut tokens = tokens_of(&manifest);
    assert_eq!(tokens.keys().collect::<Vec<_>>(), ["sh-0", "sh-1", "sh-2"]);
    let again = tokens_of(&export(&arguments).1);
    tokens.extend(again.into_iter().map(|(name, token)| (format!("{name} again"), token)));
    let values: BTreeSet<String> = tokens.into_values().collect();
    assert_eq!(values.len(), 6, "no token comes again");
    assert!(values.iter().all(|v| v.len() == 64 && v.bytes().all(|b| b.is_ascii_hexdigit())));
    let set = document(&manifest, "StatefulSet", "sh");
    for line in [
        "  replicas: 3",
        "  serviceName: sh",
        "      automountServiceAccountToken: false",
        "        runAsNonRoot: true",
        "          type: RuntimeDefault",
        "          readOnlyRootFilesystem: true",
        "          allowPrivilegeEscalation: false",
        "          value: /run/llm-shell/token",
        "          subPathExpr: $(POD_NAME)",
        "            path: /health",
        "          secretName: sh-tokens",
    ] {
        assert!(set.lines().any(|found| found == line), "{line:?} in\n{set}");
    }
    assert_eq!(set.matches("path: /health").count(), 3);
    assert!(values.iter().all(|token| !set.contains(&**token)));
    assert!(document(&manifest, "Service", "sh").contains("\n  clusterIP: None\n"));
    document(&manifest, "NetworkPolicy", "sh");
    assert_eq!(manifest.matches("  namespace: agents\n").count(), 4);
}

#[test]
fn exported_shell_accepts_its_pod_name_and_token() {
    let (_, manifest, _) = export(&["--agents", "2", "--name", "sh", "--image", "shell:1"]);
    let set = document(&manifest, "StatefulSet", "sh");
    let token = tempfile::NamedTempFile::new().unwrap();
    fs::write(token.path(), &tokens_of(&manifest)["sh-1"]).unwrap();
    let mut command = binary();
    let of_pod = |text: &str| text.replace("$(POD_NAME)", "sh-1").replace("$(POD_NAMESPACE)", "ns");
    for pair in set.split("        - name: LLM_SHELL_").skip(1) {
        let mut lines = pair.lines();
        let name = format!("LLM_SHELL_{}", lines.next().unwrap());
        let value = lines.next().unwrap().trim().strip_prefix("value: ").unwrap();
        let value = match &*name {
            "LLM_SHELL_HOST" => "127.0.0.1",
            "LLM_SHELL_LOG_DIR" => "logs",
            "LLM_SHELL_TOKEN_FILE" => token.path().to_str().unwrap(),
            _ => value.trim_matches('"'),
        };
        command.env(name, of_pod(value));
    }
    let server = Server::start_command(command);
    let bearer = format!("Authorization: Bearer {}", tokens_of(&manifest)["sh-1"]);
    let ask = |host: &str, headers: &[&str]| server.request_as(host, "GET /runs", headers, b"");
    for host in ["sh-1.sh:8000", "sh-1.sh.ns.svc", "sh-1.sh.ns.svc.cluster.local:8000", "10.0.0.7"]
    {
        ask(host, &[&bearer]).expect(200);
        ask(host, &[]).expect(401);
    }
    ask("sh-0.sh:8000", &[&bearer]).expect(403);
    // As the probes do.
    server.request_as("10.0.0.7:8000", "GET /health", &[], b"").expect(200);
}

#[test]
fn existing_secrets_and_volumes_are_used() {
    let (code, manifest, _) = export(&[
        "--agents",
        "2",
        "--image",
        "shell:1",
        "--token-secret",
        "mine",
        "--storage",
        "2Gi",
    ]);
    assert_eq!(code, Some(0));
    assert!(!manifest.contains("kind: Secret"), "{manifest}");
    let set = document(&manifest, "StatefulSet", "llm-shell");
    assert!(set.contains("secretName: mine\n") && set.contains("storage: 2Gi\n"), "{set}");
    assert!(set.contains("subPath: logs\n") && !set.contains("name: logs\n"), "{set}");
}

#[test]
fn invalid_shell_exports_are_refused() {
    for (arguments, expected) in [
        (&["--agents", "0"][..], "invalid --agents \"0\""),
        (&["--agents", "1001"], "invalid --agents \"1001\""),
        (&["--agents", "2", "--name", "A"], "invalid --name \"A\""),
        (&["--agents", "2", "--storage", "much"], "invalid --storage \"much\""),
        (&["--agents", "2", "--token-secret", "a/b"], "invalid --token-secret \"a/b\""),
        (&["--agents", "2", "--image", "a=x"], "one image for all agents"),
        (&["--agents", "2", "everything.json"], "cannot be used with"),
        (&["--agents", "2", "--wait-image", "x"], "cannot be used with"),
        (&["--name", "x"], "--agents"),
    ] {
        let (code, stdout, stderr) = export(&[&["--image", "x"], arguments].concat());
        assert_eq!((code, &*stdout), (Some(2), ""), "{stderr}");
        assert!(stderr.contains(expected), "{expected:?} in {stderr:?}");
    }
}

#[test]
fn completions_and_manual_pages_know_the_export() {
    let print = |arguments: &[&str]| {
        let output = binary().args(arguments).output().expect("the binary runs");
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap()
    };
    for word in ["kubernetes", "wait-image", "token-secret"] {
        assert!(print(&["completions", "bash"]).contains(word), "{word}");
    }
    let page = print(&["man", "export", "kubernetes"]);
    assert!(page.contains("agents") && page.contains("storage"), "{page}");
}
