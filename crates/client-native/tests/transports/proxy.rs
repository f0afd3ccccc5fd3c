//! The real nginx as networks have it.

use std::{fs, path::Path};

use tidings_backing::Nginx;

/// What passes a WebSocket and streams.
const OPEN: &str = "
    proxy_http_version 1.1;
    proxy_set_header Host $http_host;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection $http_connection;
    proxy_buffering off;
";

/// The configuration in `deploy/nginx`. Only where it points is another.
pub(crate) fn shipped(target: &str) -> Nginx {
    let (http, server) = shipped_files(target);
    Nginx::start(&http, &server)
}

/// The shipped one, cutting links that are silent for as many seconds.
pub(crate) fn impatient(target: &str, seconds: u64) -> Nginx {
    let (http, server) = shipped_files(target);
    let server = replaced(&server, "read_timeout 75s", &format!("read_timeout {seconds}s"));
    let server = replaced(&server, "send_timeout 75s", &format!("send_timeout {seconds}s"));
    Nginx::start(&http, &server)
}

/// The server under a path, beside other things.
pub(crate) fn nested(path: &str, target: &str) -> Nginx {
    Nginx::start("", &format!("location {path} {{ proxy_pass {target}/; {OPEN} }}"))
}

/// Passes everything.
pub(crate) fn open(target: &str) -> String {
    format!("location / {{ proxy_pass {target}; {OPEN} }}")
}

/// `proxy_pass` and nothing else, so no WebSocket.
pub(crate) fn plain(target: &str) -> String {
    format!("location / {{ proxy_pass {target}; }}")
}

/// Holds back whatever streams, and lets no WebSocket through.
pub(crate) fn buffering(target: &str) -> String {
    let held = "proxy_buffering on; proxy_ignore_headers X-Accel-Buffering;";
    format!("location / {{ proxy_pass {target}; {held} }}")
}

/// Lets through neither WebSockets nor streams.
pub(crate) fn streamless(target: &str) -> String {
    format!("location = /v1/sse {{ return 404; }}\n{}", plain(target))
}

fn shipped_files(target: &str) -> (String, String) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/nginx");
    let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
    let target = target.strip_prefix("http://").unwrap();
    let http = replaced(&read("tidings-http.conf"), "127.0.0.1:8787", target);
    let server = read("tidings-server.conf");
    // With the query, which tests read; theirs holds no ticket.
    let http = replaced(&http, "$uri", "$request_uri");
    (http, replaced(&server, "/var/log/nginx/tidings.log", "access.log"))
}

/// Fails where there is nothing to replace: the test would else run against something else than it says.
fn replaced(text: &str, what: &str, by: &str) -> String {
    assert!(text.contains(what), "deploy/nginx has no {what}");
    text.replace(what, by)
}
