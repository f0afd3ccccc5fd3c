//! A separate server for each test, and clients that use the wire protocol directly, without code
//! of the SDK.

use std::{future::Future, net::SocketAddr, path::Path, time::Duration};

use futures_util::{SinkExt as _, StreamExt as _};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use tidings_server::{Config, StartError, Tidings, listen};
use tidings_server_core::{fair, store::Store};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinHandle,
    time::{Instant, timeout},
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{
        self, Message,
        client::IntoClientRequest as _,
        handshake::client::Request,
        protocol::frame::{
            Frame,
            coding::{Data, OpCode},
        },
    },
};

/// Time after which a wait counts as failed. It measures nothing: tests wait for messages.
const PATIENCE: Duration = Duration::from_secs(30);

/// The API key of development servers.
pub(crate) const KEY: &str = "dev";

/// Waits for an event that must happen.
pub(crate) async fn within<T>(what: &str, wait: impl Future<Output = T>) -> T {
    timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("{what} did not happen"))
}

/// A server in this process, on a free port and with its own folder.
pub(crate) struct Server {
    pub(crate) at: SocketAddr,
    http: reqwest::Client,
    stop: Option<oneshot::Sender<()>>,
    running: JoinHandle<Result<(), StartError>>,
    _folder: TempDir,
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// A server with changed development settings.
    pub(crate) async fn with(set: impl FnOnce(&mut Config)) -> Self {
        Self::serving(set, |config, listener, stopped| async {
            let stopped = async { drop(stopped.await) };
            tidings_server::run(config, listener, stopped).await
        })
        .await
    }

    /// A server on the test's own store.
    pub(crate) async fn on(store: impl Store) -> Self {
        Self::on_with(store, |_| {}).await
    }

    /// The same with changed settings.
    pub(crate) async fn on_with(store: impl Store, set: impl FnOnce(&mut Config)) -> Self {
        Self::serving(set, |config, listener, stopped| async {
            let bounds = listen::Bounds {
                header_timeout: PATIENCE,
                keep_alive: PATIENCE,
                user_timeout: PATIENCE,
                send_timeout: PATIENCE,
                accept_rate: 100,
                waiting: fair::Bounds { each: 100, total: 100 },
                links: 100,
                files: 2_000,
                strangers: fair::Bounds { each: 100, total: 100 },
                links_per_user: 100,
            };
            let tidings = Tidings::builder(config).store(store).build()?;
            let stopped = async {
                let _asked = stopped.await;
                Instant::now()
            };
            listen::serve(listener, tidings.router(), bounds, tidings.gate(), stopped).await;
            Ok(())
        })
        .await
    }

    async fn serving<S>(
        set: impl FnOnce(&mut Config),
        serve: impl FnOnce(Config, TcpListener, oneshot::Receiver<()>) -> S,
    ) -> Self
    where
        S: Future<Output = Result<(), StartError>> + Send + 'static,
    {
        let folder = TempDir::new().unwrap();
        let mut config = Config { dev: true, data: folder.path().to_owned(), ..Config::default() };
        set(&mut config);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let running = tokio::spawn(serve(config, listener, stopped));
        Self { at, http: http(), stop: Some(stop), running, _folder: folder }
    }

    /// Asks it to drain, as SIGTERM does.
    pub(crate) fn drain(&mut self) {
        drop(self.stop.take());
    }

    /// Waits until it has ended.
    pub(crate) async fn gone(self) {
        within("the server's end", self.running).await.unwrap().unwrap();
    }

    /// A request without credentials.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("http://{}{path}", self.at))
    }

    /// A backend's request.
    pub(crate) fn backend(&self, path: &str) -> RequestBuilder {
        self.request(Method::POST, path).bearer_auth(KEY)
    }

    /// A user's JWT.
    pub(crate) async fn token(&self, user: &str) -> String {
        let ask = self.request(Method::POST, "/dev/tokens").json(&json!({ "user": user }));
        text(&created(ask).await["token"])
    }

    /// A user's ticket, requested by a backend; `more` are further fields.
    pub(crate) async fn ticket(&self, user: &str, more: Value) -> String {
        let mut body = json!({ "user": user });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        text(&created(self.backend("/v1/tickets").json(&body)).await["ticket"])
    }

    /// Publishes a notification to a user. Returns its address.
    pub(crate) async fn notify(&self, user: &str, title: &str) -> Value {
        self.notify_to(json!({ "user": user }), title).await
    }

    /// Publishes a notification. Returns the first record's address.
    pub(crate) async fn notify_to(&self, to: Value, title: &str) -> Value {
        let body = json!({ "to": to, "type": "note", "title": title });
        created(self.backend("/v1/notifications").json(&body)).await["results"][0].clone()
    }

    /// A socket that has sent nothing yet.
    pub(crate) async fn open(&self) -> Socket {
        Socket::open(self.at, self.upgrade("")).await.unwrap()
    }

    /// The upgrade request, which a test may change.
    pub(crate) fn upgrade(&self, query: &str) -> Request {
        format!("ws://{}/v1/ws{query}", self.at).into_client_request().unwrap()
    }

    /// A socket that has sent `connect` with a new JWT and these fields.
    pub(crate) async fn connecting(&self, user: &str, more: Value) -> Socket {
        let mut message =
            json!({ "type": "connect", "version": 1, "token": self.token(user).await });
        message.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let mut socket = self.open().await;
        socket.say(message).await;
        socket
    }

    /// An admitted socket that has received its snapshot.
    pub(crate) async fn connect(&self, user: &str) -> Socket {
        let mut socket = self.connecting(user, json!({})).await;
        socket.hear("connected").await;
        socket.until("snapshot").await;
        socket
    }
}

/// A client that ignores proxies in the environment, so that tests stay on this machine.
pub(crate) fn http() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

/// The body of a 201.
pub(crate) async fn created(request: RequestBuilder) -> Value {
    answered(request, StatusCode::CREATED).await
}

/// The body of an answer with this status.
pub(crate) async fn answered(request: RequestBuilder, status: StatusCode) -> Value {
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), status, "{}", answer.text().await.unwrap());
    answer.json().await.unwrap()
}

/// The code of a refusal. Its form is checked.
pub(crate) async fn refused(request: RequestBuilder) -> (u16, String) {
    let answer = request.send().await.unwrap();
    let problem = problem(answer).await;
    (problem["status"].as_u64().unwrap() as u16, text(&problem["code"]))
}

/// A problem+json body. Its form is checked.
pub(crate) async fn problem(answer: Response) -> Value {
    let status = answer.status();
    let header = |name: &str| text_of(&answer, name);
    assert_eq!(header("content-type").as_deref(), Some("application/problem+json"), "{status}");
    assert_eq!(header("cache-control").as_deref(), Some("no-store"));
    let id = header("x-request-id").expect("a request id");
    let body: Value = answer.json().await.unwrap();
    assert_eq!(body["status"], status.as_u16());
    assert_eq!(body["request_id"], id);
    let code = body["code"].as_str().unwrap();
    assert!(body["type"].as_str().unwrap().ends_with(&format!("#{code}")), "{body}");
    assert!(!body["title"].as_str().unwrap().is_empty(), "{body}");
    assert!(body["detail"].is_string(), "{body}");
    body
}

pub(crate) fn text_of(answer: &Response, header: &str) -> Option<String> {
    answer.headers().get(header).map(|value| value.to_str().unwrap().to_owned())
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

/// The end of a socket.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct End {
    /// Close code; 0 if the connection broke without one.
    pub(crate) close: u16,
    /// Code of the last `error`; empty if there was none.
    pub(crate) error: String,
}

impl End {
    pub(crate) fn new(close: u16, error: &str) -> Self {
        Self { close, error: error.to_owned() }
    }
}

/// A plain WebSocket client.
#[derive(Debug)]
pub(crate) struct Socket(WebSocketStream<TcpStream>);

impl Socket {
    pub(crate) async fn open(at: SocketAddr, request: Request) -> Result<Self, tungstenite::Error> {
        Self::over(TcpStream::connect(at).await?, request).await
    }

    /// Over a TCP connection of the test.
    pub(crate) async fn over(
        stream: TcpStream,
        request: Request,
    ) -> Result<Self, tungstenite::Error> {
        let (socket, _) = within("the upgrade", client_async(request, stream)).await?;
        Ok(Self(socket))
    }

    /// Sends a message.
    pub(crate) async fn say(&mut self, message: Value) {
        self.say_text(&message.to_string()).await;
    }

    /// Sends a text frame.
    pub(crate) async fn say_text(&mut self, text: &str) {
        self.say_message(Message::text(text)).await;
    }

    /// Sends any frame. A connection that is closed meanwhile is no failure: the server's messages
    /// show the reason.
    pub(crate) async fn say_message(&mut self, message: Message) {
        let _closed = self.0.send(message).await;
    }

    /// Sends a part of a message in its own frame; `first` and `last` say which part.
    pub(crate) async fn say_part(&mut self, part: &[u8], first: bool, last: bool) {
        let kind = OpCode::Data(if first { Data::Text } else { Data::Continue });
        self.say_message(Message::Frame(Frame::message(part.to_vec(), kind, last))).await;
    }

    /// Waits until the server counts the connection, which is after the answer to the upgrade.
    pub(crate) async fn entered(&mut self) {
        self.say_message(Message::Ping(Default::default())).await;
        let frame = self.frame().await;
        assert!(matches!(frame, Some(Message::Pong(_))), "{frame:?}");
    }

    /// The next frame, pings included. `None` at the connection's end.
    pub(crate) async fn frame(&mut self) -> Option<Message> {
        within("a frame", self.0.next()).await?.ok()
    }

    /// The next message of any type.
    pub(crate) async fn next(&mut self) -> Value {
        loop {
            match self.frame().await {
                Some(Message::Text(text)) => return serde_json::from_str(&text).unwrap(),
                Some(Message::Ping(_) | Message::Pong(_)) => {}
                other => panic!("waited for a message, heard {other:?}"),
            }
        }
    }

    /// The next message, which must be of this type.
    pub(crate) async fn hear(&mut self, kind: &str) -> Value {
        let message = self.next().await;
        assert_eq!(message["type"], kind, "{message}");
        message
    }

    /// The first message of this type; earlier others are skipped.
    pub(crate) async fn until(&mut self, kind: &str) -> Value {
        loop {
            let message = self.next().await;
            if message["type"] == kind {
                return message;
            }
        }
    }

    /// Titles of the next `count` messages, which must be notifications.
    pub(crate) async fn titles(&mut self, count: usize) -> Vec<String> {
        let mut titles = Vec::new();
        while titles.len() < count {
            titles.push(text(&self.hear("notification").await["data"]["title"]));
        }
        titles
    }

    /// Reads to the end.
    pub(crate) async fn end(&mut self) -> End {
        let mut end = End::new(0, "");
        loop {
            match self.frame().await {
                Some(Message::Text(text)) => {
                    let message: Value = serde_json::from_str(&text).unwrap();
                    if message["type"] == "error" {
                        end.error = message["code"].as_str().unwrap().to_owned();
                    }
                }
                Some(Message::Close(frame)) => {
                    end.close = frame.map_or(1005, |frame| frame.code.into());
                }
                Some(_) => {}
                None => return end,
            }
        }
    }

    /// The TCP connection below, for tests that break the protocol. No frame may be in progress.
    pub(crate) fn raw(&mut self) -> &mut TcpStream {
        self.0.get_mut()
    }
}

/// A client that must not be harmed by others.
pub(crate) struct Bystander {
    socket: Socket,
    published: usize,
}

impl Bystander {
    pub(crate) async fn enter(server: &Server) -> Self {
        Self { socket: server.connect("bystander").await, published: 0 }
    }

    /// The server takes a publish, and the bystander receives exactly that one next.
    pub(crate) async fn is_unharmed(&mut self, server: &Server, after: &str) {
        self.published += 1;
        let title = format!("{} after {after}", self.published);
        let stored = server.notify("bystander", &title).await;
        assert_eq!(stored["offset"], self.published, "{after}");
        assert_eq!(self.socket.titles(1).await, [title], "{after}");
    }
}

/// The binary, for tests that need a separate process.
pub(crate) struct Process {
    child: std::process::Child,
    pub(crate) at: SocketAddr,
    http: reqwest::Client,
    said: Vec<Value>,
}

impl Process {
    /// Starts it on a folder and waits for its greeting.
    pub(crate) fn start(folder: &Path) -> Self {
        use std::io::BufRead as _;

        let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_tidings"))
            .args(["serve", "--dev", "--listen", "127.0.0.1:0", "--data"])
            .arg(folder)
            .env_remove("TIDINGS_API_KEY")
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let mut greeting = String::new();
        std::io::BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut greeting).unwrap();
        let at = greeting.trim().rsplit_once("http://").expect("an address").1.parse().unwrap();
        Self { child, at, http: http(), said: Vec::new() }
    }

    /// Starts it with production's settings, changed by `settings`, and waits until it listens. The
    /// API key is that of development.
    pub(crate) fn serve(folder: &Path, settings: &str) -> Self {
        Self::serve_by(std::process::Command::new(env!("CARGO_BIN_EXE_tidings")), folder, settings)
    }

    /// The same with a given command to run it.
    pub(crate) fn serve_by(
        mut command: std::process::Command,
        folder: &Path,
        settings: &str,
    ) -> Self {
        use std::io::BufRead as _;

        let file = folder.join("tidings.toml");
        std::fs::write(&file, settings).unwrap();
        let mut child = command
            .args(["serve", "--listen", "127.0.0.1:0", "--config"])
            .arg(&file)
            .arg("--data")
            .arg(folder.join("data"))
            .env("TIDINGS_API_KEY", KEY)
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = std::io::BufReader::new(child.stderr.take().unwrap()).lines();
        let mut said = Vec::new();
        let at = loop {
            let line = lines.next().unwrap_or_else(|| panic!("it ended: {said:?}")).unwrap();
            let line: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line}"));
            let at = line["address"].as_str().filter(|_| line["message"] == "listening");
            if let Some(at) = at {
                break at.parse().unwrap();
            }
            said.push(line);
        };
        // If the pipe were not read, it would fill up and block the server's log.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, at, http: http(), said }
    }

    #[cfg(target_os = "linux")]
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its log before it listened.
    pub(crate) fn said(&self) -> &[Value] {
        &self.said
    }

    pub(crate) fn backend(&self, path: &str) -> RequestBuilder {
        self.http.post(format!("http://{}{path}", self.at)).bearer_auth(KEY)
    }

    /// A socket that has sent nothing yet.
    pub(crate) async fn open(&self) -> Socket {
        let request = format!("ws://{}/v1/ws", self.at).into_client_request().unwrap();
        Socket::open(self.at, request).await.unwrap()
    }

    /// An admitted socket that has received its snapshot, and that snapshot.
    pub(crate) async fn connect(&self, user: &str) -> (Socket, Value) {
        let body = json!({ "user": user });
        let ticket = created(self.backend("/v1/tickets").json(&body)).await;
        let mut socket = self.open().await;
        let ticket = &ticket["ticket"];
        socket.say(json!({ "type": "connect", "version": 1, "ticket": ticket })).await;
        socket.hear("connected").await;
        let snapshot = socket.until("snapshot").await;
        (socket, snapshot)
    }

    /// Asks it to drain.
    pub(crate) fn terminate(&self) {
        self.signal("TERM");
    }

    pub(crate) fn signal(&self, name: &str) {
        let (name, id) = (format!("-{name}"), self.child.id().to_string());
        let sent = std::process::Command::new("kill").args([&name, &id]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits until it has ended by itself.
    pub(crate) async fn gone(self) {
        assert!(self.ended().await.success());
    }

    /// Waits until it has ended, in any way.
    pub(crate) async fn ended(mut self) -> std::process::ExitStatus {
        let status = tokio::task::spawn_blocking(move || self.child.wait());
        within("the process' end", status).await.unwrap().unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Fails only if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
