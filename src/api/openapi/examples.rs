//! Examples of answers in the document.

use serde_json::{Value, json};

/// An error for parameters that exclude each other.
pub const EXCLUDED: &str =
    "The parameters lines, seconds and after exclude each other: give one of them.";

/// An event stream of a log.
pub const EVENTS: &str = "id: dcf70dd5071ec0f4:1\n\
    data: {\"timestamp\":\"2026-01-02T03:04:05.678901Z\",\"line\":\"Hello World\"}\n\n\
    event: end\ndata: {\"status\":\"exited\"}\n\n";

/// A log entry.
pub const ENTRY: &str =
    "{\"timestamp\":\"2026-01-02T03:04:05.678901Z\",\"line\":\"Hello World\"}\n";

/// Returns the status of a command that has ended.
pub fn status() -> Value {
    json!({
        "process_pid": 4242, "command": "echo Hello World", "status": "exited",
        "created_at": "2026-01-02T03:04:05.678901Z", "stopped_at": "2026-01-02T03:04:05.680012Z",
        "exit_code": 0, "log_file": "logs/2026-01-02_03-04-05.log", "signal": null,
        "ended_by": "itself", "run_id": "dcf70dd5071ec0f4", "uptime": 0.001, "cpu_percent": 0.0,
        "memory_mb": 0.0, "idle": 0.2, "pty": false, "stdin_open": false, "cwd": "/home/ann",
        "leftover_pids": [], "log_dropped_lines": 0,
    })
}

/// Returns an answer to a kill.
pub fn kill() -> Value {
    json!({
        "stopped_at": "2026-01-02T03:04:05.680012Z", "exit_code": -15, "type": "SIGTERM",
        "status": "killed", "signal": "SIGTERM",
    })
}

/// Returns lines of a command.
pub fn logs() -> Value {
    json!({
        "log_file": "logs/2026-01-02_03-04-05.log", "run_id": "dcf70dd5071ec0f4",
        "total_lines": 1, "content": "Hello World", "lines_returned": 1, "first": 1,
        "next": 1, "truncated": false, "omitted_lines": 0, "running": false,
    })
}

/// Returns the screen of a terminal.
pub fn screen() -> Value {
    json!({
        "rows": 2, "cols": 40, "cursor": {"row": 1, "col": 6},
        "lines": ["Hello World", "name?"], "title": null,
    })
}

/// Returns the status of a running service.
pub fn service() -> Value {
    json!({
        "status": "running", "pid": 4242, "uptime": 60.0, "port": 8003, "cpu_percent": 3.0,
        "memory_mb": 81.5, "last_restart": null, "restart_count": 0, "exit_code": null,
        "signal": null, "health": "healthy", "optional": false,
        "started_at": "2026-01-02T03:04:05.678901Z", "stopped_at": null, "next_restart_at": null,
        "depends_on": ["web"], "log_dropped_lines": 0, "message": "tts is up.",
    })
}

/// Returns the status of all services.
pub fn system() -> Value {
    let totals = json!({
        "total_services": 1, "running_services": 1, "total_memory_mb": 81.5,
        "total_cpu_percent": 3.0,
    });
    json!({"services": {"tts": service()}, "system": totals})
}

/// Returns lines of a service.
pub fn service_logs() -> Value {
    json!({
        "service": "tts", "total_lines": 1, "logs": ["[2026-01-02 03:04:05] Hello World"],
        "lines_returned": 1, "first": 1, "next": 1, "truncated": false, "omitted_lines": 0,
        "running": true,
        "prompt": null,
    })
}
