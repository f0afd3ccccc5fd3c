//! The real nginx, configured as various networks.

use std::{fs, path::Path};

use tidings_backing::Nginx;

/// Settings that let WebSockets and streams through.
const OPEN: &str = "
    proxy_http_version 1.1;
    proxy_set_header Host $http_host;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection $http_connection;
    proxy_buffering off;
";

/// The configuration in `deploy/nginx`, with another target.
pub(crate) fn shipped(target: &str) -> Nginx {
    let (http, server) = shipped_files(target);
    Nginx::start(&http, &server)
}

/// The shipped configuration, which cuts connections that are silent for this many seconds.
pub(crate) fn impatient(target: &str, seconds: u64) -> Nginx {
    let (http, server) = shipped_files(target);
    let server = replaced(&server, "read_timeout 75s", &format!("read_timeout {seconds}s"));
    let server = replaced(&server, "send_timeout 75s", &format!("send_timeout {seconds}s"));
    Nginx::start(&http, &server)
}

/// The server under a path, as when a proxy serves other things, too.
pub(crate) fn nested(path: &str, target: &str) -> Nginx {
    Nginx::start("", &format!("location {path} {{ proxy_pass {target}/; {OPEN} }}"))
}

/// Lets all transports through.
pub(crate) fn open(target: &str) -> String {
    format!("location / {{ proxy_pass {target}; {OPEN} }}")
}

/// `proxy_pass` and nothing else, so no WebSocket.
pub(crate) fn plain(target: &str) -> String {
    format!("location / {{ proxy_pass {target}; }}")
}

/// Holds streams back, and lets no WebSocket through.
pub(crate) fn buffering(target: &str) -> String {
    let held = "proxy_buffering on; proxy_ignore_headers X-Accel-Buffering;";
    format!("location / {{ proxy_pass {target}; {held} }}")
}

/// Lets neither WebSockets nor streams through.
pub(crate) fn streamless(target: &str) -> String {
    format!("location = /v1/sse {{ return 404; }}\n{}", plain(target))
}

fn shipped_files(target: &str) -> (String, String) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/nginx");
    let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
    let target = target.strip_prefix("http://").unwrap();
    let http = replaced(&read("tidings-http.conf"), "127.0.0.1:8787", target);
    let server = read("tidings-server.conf");
    // Logs the query, too, which tests read; it holds no ticket here.
    let http = replaced(&http, "$uri", "$request_uri");
    (http, replaced(&server, "/var/log/nginx/tidings.log", "access.log"))
}

/// Fails if the text to replace is missing: otherwise the test would run with another configuration
/// than it says.
fn replaced(text: &str, what: &str, by: &str) -> String {
    assert!(text.contains(what), "deploy/nginx has no {what}");
    text.replace(what, by)
}
