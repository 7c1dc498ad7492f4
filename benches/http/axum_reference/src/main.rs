//! What the same two routes are on axum: for wrk.py. `axum-reference PORT`.

use axum::{Json, Router, routing::get};
use serde_json::{Value, json};
use std::time::Instant;

async fn health(began: Instant) -> Json<Value> {
    Json(json!({"status": "healthy", "version": "0.1.0", "uptime": began.elapsed().as_secs()}))
}

async fn status(began: Instant) -> Json<Value> {
    Json(json!({
        "process_pid": 4242, "command": "sleep 600", "status": "running",
        "created_at": "2026-01-02T03:04:05.678901Z", "stopped_at": null, "exit_code": null,
        "log_file": "logs/2026-01-02_03-04-05.log", "signal": null, "ended_by": null,
        "run_id": "0123456789abcdef", "uptime": began.elapsed().as_secs_f64(),
        "cpu_percent": 0.0, "memory_mb": 1.3, "idle": null, "pty": false, "stdin_open": false,
        "cwd": "/home/ann", "leftover_pids": [], "log_dropped_lines": 0,
    }))
}

fn main() -> std::io::Result<()> {
    let port = std::env::args().nth(1).unwrap_or_else(|| "8003".to_owned());
    let began = Instant::now();
    let router = Router::new()
        .route("/health", get(move || health(began)))
        .route("/status", get(move || status(began)));
    tokio::runtime::Runtime::new()?.block_on(async {
        let listener = tokio::net::TcpListener::bind(format!("127.0.0.1:{port}")).await?;
        axum::serve(listener, router).await
    })
}
