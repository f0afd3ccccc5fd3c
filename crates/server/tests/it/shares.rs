//! Attackers without a credential, and single users, can't use up shared resources: others are
//! still served.

use std::{
    collections::{HashMap, VecDeque},
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use futures_util::future::{join_all, select_all};
use http::{Method, StatusCode};
use reqwest::RequestBuilder;
use serde_json::{Value, json};
use tempfile::TempDir;
use tidings_server::log::Sqlite;
use tidings_server_core::{
    retention_clock::Moment,
    store::{Answer, Op, Query, Retention, Store, StoreError, Ticket, Write, Written},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

use super::harness::{End, Process, Server, Socket, created, http, problem, text, within};

const HEALTH: &[u8] = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n";
/// The attackers' address.
const STRANGER: u8 = 66;

/// A TCP connection from this machine's address with this number: all of 127/8 belong to it.
async fn link(at: SocketAddr, from: u8) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((Ipv4Addr::new(127, 0, 0, from), 0).into()).unwrap();
    within("a link", socket.connect(at)).await.unwrap()
}

/// A socket from this address that has sent nothing yet.
async fn socket(at: SocketAddr, from: u8) -> Socket {
    let request = format!("ws://{at}/v1/ws").into_client_request().unwrap();
    Socket::over(link(at, from).await, request).await.unwrap()
}

/// A socket from this address that has sent `connect`.
async fn connecting(server: &Process, user: &str, from: u8) -> Socket {
    let body = json!({ "user": user });
    let ticket = created(server.backend("/v1/tickets").json(&body)).await;
    let mut socket = socket(server.at, from).await;
    let ticket = &ticket["ticket"];
    socket.say(json!({ "type": "connect", "version": 1, "ticket": ticket })).await;
    socket
}

/// Admits this many users, every second one from the attackers' address, the others each from their
/// own.
async fn members(server: &Process, count: u8) -> Vec<Socket> {
    come(server, count, |number| if number % 2 == 0 { STRANGER } else { number }).await
}

/// Admits this many users, from these addresses.
async fn come(server: &Process, count: u8, from: impl Fn(u8) -> u8) -> Vec<Socket> {
    let come = (1..=count).map(async |number| {
        let from = from(number);
        let mut socket = connecting(server, &format!("u{number}"), from).await;
        socket.hear("connected").await;
        socket.until("snapshot").await;
        socket
    });
    join_all(come).await
}

/// Each user receives its own notification.
async fn are_served(server: &Process, members: &mut [Socket]) {
    for (number, member) in (1..).zip(members) {
        let to = json!({ "user": format!("u{number}") });
        let body = json!({ "to": to, "type": "note", "title": "still here" });
        created(server.backend("/v1/notifications").json(&body)).await;
        assert_eq!(member.titles(1).await, ["still here"]);
    }
}

/// Reads an answer to its end. `false`: there is none.
async fn is_answered(link: &mut TcpStream) -> bool {
    let mut answer = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&answer).to_ascii_lowercase();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
            if length.is_some_and(|length| length.parse() == Ok(body.len())) {
                return true;
            }
        }
        if !matches!(link.read_buf(&mut answer).await, Ok(1..)) {
            return false;
        }
    }
}

/// A metric of the server.
async fn figure(at: SocketAddr, name: &str) -> Option<u64> {
    let figures = http().get(format!("http://{at}/metrics")).send().await.unwrap();
    let figures = figures.text().await.unwrap();
    let line = figures.lines().find(|line| line.starts_with(name))?;
    line.rsplit(' ').next()?.parse().ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn links_of_one_address_wait_behind_each_other_and_not_before_those_of_others() {
    const STRANGERS: usize = 600;
    let folder = TempDir::new().unwrap();
    let server = Process::serve(folder.path(), "[limits]\naccept_per_second = 10");
    let answered = Arc::new(AtomicUsize::new(0));
    let mut waiting = Vec::new();
    for _ in 0..STRANGERS {
        let mut link = link(server.at, STRANGER).await;
        link.write_all(HEALTH).await.unwrap();
        let answered = Arc::clone(&answered);
        waiting.push(tokio::spawn(async move {
            if is_answered(&mut link).await {
                answered.fetch_add(1, Ordering::SeqCst);
            }
        }));
    }
    // A minute's worth of connections waits. A new one from another address is served next.
    for from in 1..=10 {
        let mut link = link(server.at, from).await;
        link.write_all(HEALTH).await.unwrap();
        assert!(within("an answer", is_answered(&mut link)).await);
    }
    let answered = answered.load(Ordering::SeqCst);
    assert!(answered < STRANGERS / 2, "{answered} of {STRANGERS} strangers came before");
    waiting.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_opens_more_links_than_its_share_of_the_queue_is_closed_and_others_are_not() {
    let folder = TempDir::new().unwrap();
    let settings = "[limits]\naccept_per_second = 5\naccept_queue_per_address = 20";
    let server = Process::serve(folder.path(), settings);
    let mut strangers = Vec::new();
    for _ in 0..60 {
        strangers.push(link(server.at, STRANGER).await);
    }
    // The closed connections got no answer.
    let mut closed = 0;
    for link in &mut strangers[40..] {
        closed +=
            usize::from(matches!(within("its end", link.read(&mut [0])).await, Ok(0) | Err(_)));
    }
    assert_eq!(closed, 20);
    let mut link = link(server.at, 1).await;
    link.write_all(HEALTH).await.unwrap();
    assert!(within("an answer", is_answered(&mut link)).await);
    let hits = figure(server.at, "tidings_shares_hit_total{share=\"accept_queue\",of=\"address\"}");
    assert!(hits.await.is_some_and(|hits| hits >= 20));
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_sockets_take_no_place_of_a_member() {
    let folder = TempDir::new().unwrap();
    let settings = "[limits]\nconnections = 20\nlinks = 80\nconnect_ms = 600000";
    let server = Process::serve(folder.path(), settings);
    let mut strangers = Vec::new();
    for _ in 0..60 {
        strangers.push(socket(server.at, STRANGER).await);
    }
    let mut members = members(&server, 20).await;
    are_served(&server, &mut members).await;
    // The next member finds the server full, and gets a code that says so.
    let mut next = connecting(&server, "one more", 1).await;
    assert_eq!(next.end().await, End::new(1013, "busy"));
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_links_make_room_where_all_are_taken() {
    let folder = TempDir::new().unwrap();
    let settings =
        "[limits]\nconnections = 20\nlinks = 40\nconnect_ms = 600000\nheader_timeout_ms = 600000";
    let server = Process::serve(folder.path(), settings);
    let mut strangers = Vec::new();
    // Some are silent, some have sent half of a head, some became a silent WebSocket.
    for number in 0..60 {
        let mut link = link(server.at, STRANGER).await;
        if number % 3 == 0 {
            link.write_all(&HEALTH[..30]).await.unwrap();
        }
        strangers.push(link);
        if number % 3 == 1 && number < 30 {
            std::mem::forget(socket(server.at, STRANGER).await);
        }
    }
    // Each comes with a link of the backend, which stays. All together leave room for a figure.
    let mut members = members(&server, 15).await;
    are_served(&server, &mut members).await;
    let hits = figure(server.at, "tidings_shares_hit_total{share=\"links\",of=\"all\"}").await;
    assert!(hits.is_some());
}

/// The binary where this process may open so many files.
#[cfg(target_os = "linux")]
fn with_files(folder: &TempDir, files: u64, settings: &str) -> Process {
    let mut command = std::process::Command::new("sh");
    let program = env!("CARGO_BIN_EXE_tidings");
    command.arg("-c").arg(format!("ulimit -n {files}; exec \"{program}\" \"$@\"")).arg("sh");
    Process::serve_by(command, folder.path(), settings)
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn who_floods_gives_the_files_and_those_of_other_addresses_come_in() {
    let folder = TempDir::new().unwrap();
    // The queue of new links is slow, so that the flood waits in it.
    let settings = "[limits]\nlinks = 300\nconnections = 300\naccept_per_second = 50\nheader_timeout_ms = 600000";
    let server = with_files(&folder, 100, settings);
    let came = Arc::new(AtomicUsize::new(0));
    let flood: Vec<_> = (0..4)
        .map(|_| {
            let (at, came) = (server.at, Arc::clone(&came));
            tokio::spawn(async move {
                let mut held = VecDeque::new();
                loop {
                    held.push_back(link(at, STRANGER).await);
                    came.fetch_add(1, Ordering::SeqCst);
                    if held.len() > 50 {
                        held.pop_front();
                    }
                }
            })
        })
        .collect();
    within("a flood", async {
        while came.load(Ordering::SeqCst) < 200 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let mut members = come(&server, 10, |number| number).await;
    are_served(&server, &mut members).await;
    flood.iter().for_each(tokio::task::JoinHandle::abort);
    assert!(figure(server.at, "tidings_shares_hit_total{share=\"files\"").await.is_some());
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn silent_links_give_their_files_where_there_are_no_more() {
    let folder = TempDir::new().unwrap();
    let settings = "[limits]\nlinks = 300\nconnections = 300\nheader_timeout_ms = 600000";
    let server = with_files(&folder, 100, settings);
    let mut strangers = Vec::new();
    for _ in 0..200 {
        strangers.push(link(server.at, STRANGER).await);
    }
    // Until those that are left have left the queue: this one is behind them, or closed for them.
    within("their turn", async { while !is_healthy(server.at, STRANGER).await {} }).await;
    // Those of the strangers' address are let in too: links that are silent longer go first.
    let mut members = members(&server, 10).await;
    are_served(&server, &mut members).await;
    assert!(figure(server.at, "tidings_shares_hit_total{share=\"files\"").await.is_some());
}

/// Whether a request of this address is answered.
#[cfg(target_os = "linux")]
async fn is_healthy(at: SocketAddr, from: u8) -> bool {
    let mut link = link(at, from).await;
    link.write_all(HEALTH).await.is_ok() && is_answered(&mut link).await
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_on_open_links_is_stored_and_read_where_no_file_can_be_opened() {
    use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};

    let folder = TempDir::new().unwrap();
    let server = Process::serve(folder.path(), "");
    let publish =
        json!({ "to": { "user": "mina" }, "type": "note", "title": "stored" }).to_string();
    let publish = format!(
        "POST /v1/notifications HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer dev\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{publish}",
        publish.len()
    );
    let (mut socket, _) = server.connect("mina").await;
    let mut link = link(server.at, 1).await;
    // So that it is taken, and known.
    link.write_all(publish.as_bytes()).await.unwrap();
    assert!(within("an answer", is_answered(&mut link)).await);
    let id = Pid::from_raw(i32::try_from(server.id()).unwrap());
    // Servers leave the hard limit as it is.
    let maximum = getrlimit(Resource::Nofile).maximum;
    let before = prlimit(id, Resource::Nofile, Rlimit { current: Some(0), maximum }).unwrap();
    let newcomer = tokio::spawn(is_healthy(server.at, 2));
    for _ in 0..100 {
        link.write_all(publish.as_bytes()).await.unwrap();
        assert!(within("an answer", is_answered(&mut link)).await);
    }
    assert_eq!(socket.titles(101).await, vec!["stored"; 101]);
    prlimit(id, Resource::Nofile, before).unwrap();
    assert!(within("its turn", newcomer).await.unwrap());
    let (_, snapshot) = server.connect("mina").await;
    assert_eq!(snapshot["counts"]["inbox"]["unread"], 101);
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_one_address_whoever_has_been_silent_longest_makes_room() {
    let folder = TempDir::new().unwrap();
    let settings = "[limits]\nunauthenticated_per_address = 8\nconnect_ms = 600000";
    let server = Process::serve(folder.path(), settings);
    let mut strangers = Vec::new();
    for _ in 0..8 {
        strangers.push(socket(server.at, STRANGER).await);
    }
    // Members of the same address connect, while attackers go on.
    let mut members = Vec::new();
    for number in 1..=20 {
        let mut member = connecting(&server, &format!("u{number}"), STRANGER).await;
        member.hear("connected").await;
        member.until("snapshot").await;
        members.push(member);
        strangers.push(socket(server.at, STRANGER).await);
    }
    for stranger in &mut strangers[..20] {
        let end = stranger.end().await;
        // The TCP connection's own share may have been reached first.
        assert!(end == End::new(1013, "busy") || end == End::new(0, ""), "{end:?}");
    }
    are_served(&server, &mut members).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_makes_room_is_told_when_to_come_again_and_cut_off_if_it_does_not_go() {
    let folder = TempDir::new().unwrap();
    let settings = "trusted_proxies = [\"127.0.0.9\"]\n[limits]\nunauthenticated_per_address = 1\nconnect_ms = 600000\nclose_timeout_ms = 3000";
    let server = Process::serve(folder.path(), settings);
    let mut first = forwarded(server.at, "192.0.2.1").await;
    let mut second = forwarded(server.at, "192.0.2.1").await;
    let error = first.hear("error").await;
    assert_eq!((&error["code"], &error["retry_after_ms"]), (&json!("busy"), &json!(2_000)));
    // It never agrees to the close, because its socket is not read.
    within("the cut", first.raw().read_to_end(&mut Vec::new())).await.unwrap();
    let _third = forwarded(server.at, "192.0.2.1").await;
    assert_eq!(second.end().await, End::new(1013, "busy"));
}

#[tokio::test(flavor = "multi_thread")]
async fn all_who_come_at_once_are_taken() {
    let folder = TempDir::new().unwrap();
    let server = Process::serve(folder.path(), "");
    // The page of an office after a restart: more connections than a kernel's queue of five or of
    // 128 would hold.
    let come = (0..500).map(async |_| {
        let mut link = link(server.at, STRANGER).await;
        link.write_all(HEALTH).await.unwrap();
        within("an answer", is_answered(&mut link)).await
    });
    assert!(join_all(come).await.into_iter().all(|is_answered| is_answered));
    assert_eq!(figure(server.at, "tidings_shares_hit_total").await, None);
}

/// A socket through a proxy that forwards this address.
async fn forwarded(at: SocketAddr, client: &str) -> Socket {
    let mut request = format!("ws://{at}/v1/ws").into_client_request().unwrap();
    request.headers_mut().insert("x-forwarded-for", client.parse().unwrap());
    let mut socket = Socket::over(link(at, 9).await, request).await.unwrap();
    socket.entered().await;
    socket
}

#[tokio::test(flavor = "multi_thread")]
async fn links_of_a_trusted_proxy_have_no_share_and_its_clients_have() {
    let folder = TempDir::new().unwrap();
    let settings = "trusted_proxies = [\"127.0.0.9\"]\n[limits]\nunauthenticated_per_address = 3\naccept_queue_per_address = 1\nconnect_ms = 600000";
    let server = Process::serve(folder.path(), settings);
    let mut others = Vec::new();
    for number in 0..30 {
        others.push(forwarded(server.at, &format!("192.0.2.{number}")).await);
    }
    // An IPv6 network counts as one client, whatever the last 64 bits are.
    let mut same = Vec::new();
    for number in 0..5 {
        same.push(forwarded(server.at, &format!("2001:db8:0:1::{number}")).await);
    }
    for socket in &mut same[..2] {
        assert_eq!(socket.end().await, End::new(1013, "busy"));
    }
    for (number, socket) in others.iter_mut().chain(&mut same[2..]).enumerate() {
        let body = json!({ "user": format!("u{number}") });
        let ticket = created(server.backend("/v1/tickets").json(&body)).await;
        let ticket = &ticket["ticket"];
        socket.say(json!({ "type": "connect", "version": 1, "ticket": ticket })).await;
        socket.hear("connected").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_users_links_make_room_for_each_other_and_for_nobody_else() {
    let server = Server::with(|config| config.limits.links_per_user = 3).await;
    let ask = async |user: &str| {
        let token = server.token(user).await;
        let request = format!(
            "GET /v1/inbox HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n\r\n"
        );
        let mut link = link(server.at, 1).await;
        link.write_all(request.as_bytes()).await.unwrap();
        assert!(within("an answer", is_answered(&mut link)).await);
        link
    };
    let mut toms = ask("tom").await;
    // An open connection has its own bound: other TCP connections must not close it.
    let mut socket = server.connect("mina").await;
    let mut minas = Vec::new();
    for _ in 0..5 {
        minas.push(ask("mina").await);
    }
    for link in &mut minas[..2] {
        assert!(!within("its end", is_answered(link)).await);
    }
    for link in minas[2..].iter_mut().chain([&mut toms]) {
        link.write_all(HEALTH).await.unwrap();
        assert!(within("an answer", is_answered(link)).await);
    }
    server.notify("mina", "still here").await;
    assert_eq!(socket.titles(1).await, ["still here"]);
}

/// Whether the gate is open, and a wakeup for when it opens.
type Gate = (Mutex<bool>, Condvar);

/// SQLite whose reads of one user's inbox, and commits of messages, wait for the gate.
#[derive(Debug)]
struct Gated {
    sqlite: Sqlite,
    /// Waiting calls.
    held: Arc<AtomicUsize>,
    gate: Arc<Gate>,
    _folder: TempDir,
}

impl Gated {
    fn new() -> (Self, Arc<AtomicUsize>, Arc<Gate>) {
        let folder = TempDir::new().unwrap();
        let sqlite = Sqlite::open(folder.path()).unwrap();
        let (held, gate) = (Arc::default(), Arc::default());
        let store =
            Self { sqlite, held: Arc::clone(&held), gate: Arc::clone(&gate), _folder: folder };
        (store, held, gate)
    }

    fn wait(&self) {
        self.held.fetch_add(1, Ordering::SeqCst);
        let (is_open, bell) = &*self.gate;
        drop(bell.wait_while(is_open.lock().unwrap(), |is_open| !*is_open).unwrap());
    }
}

impl Store for Gated {
    fn commit(
        &self,
        stored: u64,
        writes: &[Write],
    ) -> Result<Vec<Result<Written, StoreError>>, StoreError> {
        if writes.iter().any(|write| matches!(write.op, Op::Message { .. })) {
            self.wait();
        }
        self.sqlite.commit(stored, writes)
    }

    fn read(&self, queries: &[Query]) -> Result<Vec<Result<Answer, StoreError>>, StoreError> {
        let is_minas = |query: &Query| matches!(query, Query::Items(ask) if ask.user == "mina");
        if queries.iter().any(is_minas) {
            self.wait();
        }
        self.sqlite.read(queries)
    }

    fn put_ticket(&self, wall: u64, ticket: &Ticket) -> Result<(), StoreError> {
        self.sqlite.put_ticket(wall, ticket)
    }

    fn take_ticket(&self, wall: u64, hash: [u8; 32]) -> Result<Option<bytes::Bytes>, StoreError> {
        self.sqlite.take_ticket(wall, hash)
    }

    fn trim(&self, now: Moment, retention: &Retention) -> Result<bool, StoreError> {
        self.sqlite.trim(now, retention)
    }

    fn health(&self) -> Result<(), StoreError> {
        self.sqlite.health()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_users_reads_leave_a_thread_for_others() {
    let (store, held, gate) = Gated::new();
    let server = Server::on(store).await;
    let token = server.token("mina").await;
    let asks = (0..40).map(|_| {
        let ask = server.request(Method::GET, "/v1/inbox").bearer_auth(&token);
        tokio::spawn(async move { ask.send().await.unwrap().status() })
    });
    let asks: Vec<_> = asks.collect();
    within("a read that waits", async {
        while held.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    // Everything of other users goes on meanwhile: tickets, connects, inboxes.
    for number in 0..20 {
        let user = format!("u{number}");
        let _in = server.connect(&user).await;
        let token = server.token(&user).await;
        let inbox = server.request(Method::GET, "/v1/inbox").bearer_auth(token);
        super::harness::answered(inbox, StatusCode::OK).await;
    }
    assert!(asks.iter().all(|ask| !ask.is_finished()), "the one who waits, waits");
    assert_eq!(held.load(Ordering::SeqCst), 1);
    *gate.0.lock().unwrap() = true;
    gate.1.notify_all();
    for ask in asks {
        assert_eq!(within("an answer", ask).await.unwrap(), StatusCode::OK);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_users_writes_fill_its_own_share_and_no_others() {
    const SHARE: usize = 8;
    const FLOOD: usize = 40;
    let (store, held, gate) = Gated::new();
    let server = Server::on_with(store, |config| config.store.write_queue_each = SHARE).await;
    let publish = async |user: &str| {
        let token = server.token(user).await;
        let ask = server.request(Method::POST, "/v1/channels/room:1/messages").bearer_auth(token);
        ask.json(&json!({ "data": 1 }))
    };
    let sent = |ask: RequestBuilder| tokio::spawn(async move { ask.send().await.unwrap() });
    let _first = sent(publish("mina").await);
    within("a commit that waits", async {
        while held.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let mut flood = Vec::new();
    for _ in 0..FLOOD {
        flood.push(sent(publish("mina").await));
    }
    // As many as its share wait, in any order; the others are answered at once.
    let mut busy = 0;
    while busy < FLOOD - SHARE {
        let (answer, _, rest) = within("an answer", select_all(flood)).await;
        let answer = answer.unwrap();
        assert_eq!(answer.headers()["retry-after"], "1");
        assert_eq!(problem(answer).await["code"], "busy");
        flood = rest;
        busy += 1;
    }
    let others = [sent(publish("tom").await), sent(publish("ann").await)];
    *gate.0.lock().unwrap() = true;
    gate.1.notify_all();
    for stored in flood.into_iter().chain(others) {
        assert_eq!(within("an answer", stored).await.unwrap().status(), StatusCode::CREATED);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_reads_is_told_busy_beyond_its_share_and_a_hundred_others_are_served() {
    let folder = TempDir::new().unwrap();
    let server = Process::serve(
        folder.path(),
        "[limits]\nuser_read_burst = 100000\n[store]\nread_queue_each = 8",
    );
    let body =
        json!({ "user": "mina", "channels": [{ "pattern": "room:*", "allow": ["history"] }] });
    let ticket = text(&created(server.backend("/v1/tickets").json(&body)).await["ticket"]);
    let poll = http().get(format!("http://{}/v1/poll?ticket={ticket}", server.at));
    let lines = poll.send().await.unwrap().text().await.unwrap();
    let head: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    let token = text(&head["session_token"]);
    let flood: Vec<_> = (0..64)
        .map(|_| {
            let (client, token, at) = (http(), token.clone(), server.at);
            tokio::spawn(async move {
                let mut answers: HashMap<u16, u32> = HashMap::new();
                for _ in 0..40 {
                    let ask = client.get(format!("http://{at}/v1/inbox")).bearer_auth(&token);
                    let answer = ask.send().await.unwrap();
                    *answers.entry(answer.status().as_u16()).or_default() += 1;
                    if answer.status() == StatusCode::SERVICE_UNAVAILABLE {
                        assert_eq!(answer.headers()["retry-after"], "1");
                        assert_eq!(problem(answer).await["code"], "busy");
                    }
                }
                answers
            })
        })
        .collect();
    let mut members = come(&server, 100, |number| number).await;
    let mut answers: HashMap<u16, u32> = HashMap::new();
    for ask in flood {
        for (status, count) in within("the flood's end", ask).await.unwrap() {
            *answers.entry(status).or_default() += count;
        }
    }
    assert_eq!(answers.values().sum::<u32>(), 64 * 40);
    assert!(answers.keys().all(|status| [200, 503].contains(status)), "{answers:?}");
    assert!(answers.get(&200).is_some_and(|served| *served > 0), "{answers:?}");
    are_served(&server, &mut members).await;
}
