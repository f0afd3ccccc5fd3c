//! The log's lines about refusals.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use http::Method;
use reqwest::RequestBuilder;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

use super::harness::{End, Socket, http, text, within};

/// The binary, with its log in a file.
struct Logging {
    child: Child,
    at: SocketAddr,
    log: PathBuf,
}

impl Logging {
    fn start(folder: &Path) -> Self {
        let trusted = ("TIDINGS_TRUSTED_PROXIES", "127.0.0.0/8");
        Self::start_with(folder, &[trusted, ("TIDINGS_AUTH_FAILURES_PER_MINUTE", "5")])
    }

    fn start_with(folder: &Path, settings: &[(&str, &str)]) -> Self {
        let log = folder.join("log");
        let mut child = Command::new(env!("CARGO_BIN_EXE_tidings"))
            .args(["serve", "--dev", "--listen", "127.0.0.1:0", "--data"])
            .arg(folder.join("data"))
            .envs(settings.iter().copied())
            .env_remove("TIDINGS_API_KEY")
            .stdout(Stdio::piped())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let mut greeting = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut greeting).unwrap();
        let at = greeting.trim().rsplit_once("http://").unwrap().1.parse().unwrap();
        Self { child, at, log }
    }

    fn ask(&self, path: &str) -> RequestBuilder {
        http().request(Method::GET, format!("http://{}{path}", self.at))
    }

    /// Lines about refusals, once there is one with this code.
    async fn lines(&self, code: &str) -> Vec<Value> {
        self.lines_that(|line| line["code"] == code).await
    }

    /// Matching lines, once there is one.
    async fn lines_that(&self, are: impl Fn(&Value) -> bool) -> Vec<Value> {
        within("a line in the log", async {
            loop {
                let text = fs::read_to_string(&self.log).unwrap();
                let lines: Vec<Value> =
                    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
                let told: Vec<Value> = lines.into_iter().filter(|line| are(line)).collect();
                if !told.is_empty() {
                    return told;
                }
                tokio::task::yield_now().await;
            }
        })
        .await
    }
}

impl Drop for Logging {
    fn drop(&mut self) {
        // Fails only if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn a_refusal_has_one_line_with_its_reason_and_address_and_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let server = Logging::start(folder.path());
    let secrets = [
        "a-wrong-api-key-nobody-may-read",
        "tk_a-ticket-nobody-may-read",
        "st_a.token-nobody-may-read",
    ];
    for _ in 0..8 {
        for secret in secrets {
            let ask = server.ask("/v1/inbox").header("x-forwarded-for", "203.0.113.7:4711");
            assert!(ask.bearer_auth(secret).send().await.unwrap().status().is_client_error());
        }
    }
    let lines = server.lines("unauthorized").await;
    let wrong: Vec<_> =
        lines.iter().filter(|line| line["cause"].as_str().unwrap().contains("no JWT")).collect();
    assert_eq!(wrong.len(), 1, "{lines:?}");
    assert_eq!(wrong[0]["address"], "203.0.113.7");
    assert_eq!(wrong[0]["count"], 1);
    let slowed = server.lines("flood").await;
    assert_eq!(slowed.len(), 1, "{slowed:?}");
    assert_eq!(slowed[0]["address"], "203.0.113.7");
    let ask = server.ask("/v1/sse").header("origin", "https://evil.example");
    assert_eq!(ask.send().await.unwrap().status(), 204);
    let refused = server.lines("origin_refused").await;
    assert!(refused[0]["cause"].as_str().unwrap().contains("https://evil.example"), "{refused:?}");
    let log = fs::read_to_string(&server.log).unwrap();
    assert!(secrets.iter().all(|secret| !log.contains(&secret[3..])), "{log}");
}

#[tokio::test]
async fn what_is_too_large_has_an_error_a_close_code_and_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let server = Logging::start(folder.path());
    // Above the limit of a message, above the limit of the socket, and a message in too many
    // fragments.
    for bytes in [20_000, 100_000, 0] {
        for _ in 0..2 {
            let request = format!("ws://{}/v1/ws", server.at).into_client_request().unwrap();
            let mut socket = Socket::open(server.at, request).await.unwrap();
            let ask = http().post(format!("http://{}/dev/tokens", server.at));
            let token = ask.json(&json!({ "user": "mina" })).send().await.unwrap();
            let token = text(&token.json::<Value>().await.unwrap()["token"]);
            socket.say(json!({ "type": "connect", "version": 1, "token": token })).await;
            socket.until("snapshot").await;
            match bytes {
                0 => {
                    for part in 0..100 {
                        socket.say_part(b"", part == 0, false).await;
                    }
                }
                bytes => socket.say(json!({ "type": "ping", "x": "x".repeat(bytes) })).await,
            }
            assert_eq!(socket.end().await, End::new(1009, "too_large"), "{bytes}");
        }
    }
    let lines = server.lines("too_large").await;
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0]["cause"].as_str().unwrap().starts_with("ws: "), "{lines:?}");
    let large = http().post(format!("http://{}/v1/notifications", server.at)).bearer_auth("dev");
    let large = large.json(&json!({ "title": "x".repeat(100_000) })).send().await.unwrap();
    assert_eq!(large.status(), 413);
    let lines = server.lines("too_large").await;
    assert_eq!(lines.len(), 2, "{lines:?}");
}

#[tokio::test]
async fn a_share_that_is_used_up_has_one_line_with_its_setting_and_whose_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let share = ("TIDINGS_LIMITS_UNAUTHENTICATED_PER_ADDRESS", "2");
    let server =
        Logging::start_with(folder.path(), &[share, ("TIDINGS_TRUSTED_PROXIES", "127.0.0.1")]);
    let open = async || {
        let mut request = format!("ws://{}/v1/ws", server.at).into_client_request().unwrap();
        request.headers_mut().insert("x-forwarded-for", "203.0.113.7".parse().unwrap());
        let mut socket = Socket::open(server.at, request).await.unwrap();
        socket.entered().await;
        socket
    };
    let mut sockets = Vec::new();
    for _ in 0..6 {
        sockets.push(open().await);
    }
    for socket in &mut sockets[..4] {
        assert_eq!(socket.end().await, End::new(1013, "busy"));
    }
    let lines = server.lines("busy").await;
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!(lines[0]["message"], "a share is used up");
    assert!(lines[0]["cause"].as_str().unwrap().contains("`limits.unauthenticated_per_address`"));
    assert_eq!((&lines[0]["address"], &lines[0]["count"]), (&"203.0.113.7".into(), &1.into()));
}

#[tokio::test]
async fn a_proxy_that_the_settings_do_not_name_is_told_of_once() {
    let folder = tempfile::tempdir().unwrap();
    let server = Logging::start_with(folder.path(), &[]);
    for client in ["203.0.113.7", "203.0.113.8", "203.0.113.9"] {
        let ask = server.ask("/v1/inbox").header("x-forwarded-for", client);
        assert_eq!(ask.bearer_auth("wrong").send().await.unwrap().status(), 401);
    }
    // The line about the third credential comes after those about the proxy.
    server.lines("unauthorized").await;
    let is_about_proxy = |line: &Value| {
        line["message"].as_str().is_some_and(|text| text.contains("`trusted_proxies`"))
    };
    let lines = server.lines_that(is_about_proxy).await;
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!(lines[0]["address"], "127.0.0.1");
}
