//! Answers are bounded in bytes and read as fast as the client takes them: a small request can't
//! fill the memory.

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{
    harness::{Process, Server, Socket, answered, created, http, text, within},
    postgres,
};

const LARGE: usize = 60_000;
const ROOM: &str = "room:1";

/// A hundred messages of 60 kB.
async fn fill(process: &Process) {
    for number in 0..100 {
        let body = json!({ "data": { "number": number, "text": "x".repeat(LARGE) } });
        created(process.backend(&format!("/v1/channels/{ROOM}/messages")).json(&body)).await;
    }
}

/// A member's socket, its session and the session token.
async fn member(process: &Process, user: &str) -> (Socket, String, String) {
    let rights = json!([{ "pattern": "room:*", "allow": ["subscribe", "publish", "history"] }]);
    let body = json!({ "user": user, "channels": rights });
    let ticket = created(process.backend("/v1/tickets").json(&body)).await;
    let mut socket = process.open().await;
    socket
        .say(json!({ "type": "connect", "version": 1, "ticket": ticket["ticket"], "batch": false }))
        .await;
    let connected = socket.hear("connected").await;
    socket.until("snapshot").await;
    (socket, text(&connected["session"]), text(&connected["session_token"]))
}

/// A hundred lines, each asking for the largest page.
fn hundred() -> String {
    let line = |id| json!({ "type": "history", "id": id, "channel": ROOM, "limit": 100 });
    (0..100).map(|id| format!("{}\n", line(id))).collect()
}

fn post(process: &Process, session: &str, token: &str, lines: String) -> reqwest::RequestBuilder {
    http()
        .post(format!("http://{}/v1/sessions/{session}/messages", process.at))
        .bearer_auth(token)
        .header("content-type", "application/json")
        .body(lines)
}

/// Each line has an answer: a page, or the error that it was one too many. Some are pages.
fn all_answered(answers: &[Value]) {
    assert_eq!(answers.len(), 100);
    let pages: Vec<_> = answers.iter().filter(|answer| answer["type"] == "page").collect();
    assert!(!pages.is_empty(), "{}", answers[0]);
    for page in pages {
        let size = page.to_string().len();
        assert!(page["more"] == true && size > LARGE && size < 270_000, "{size} bytes");
    }
    assert!(answers.iter().all(|answer| answer["type"] == "page" || answer["code"] == "flood"));
}

/// A process' memory from now on.
#[cfg(target_os = "linux")]
struct Memory {
    process: u32,
    start: u64,
}

#[cfg(target_os = "linux")]
impl Memory {
    fn of(process: &Process) -> Self {
        let process = process.id();
        // Resets the peak.
        std::fs::write(format!("/proc/{process}/clear_refs"), "5").unwrap();
        Self { process, start: Self::kibibytes(process, "VmRSS") }
    }

    fn kibibytes(process: u32, what: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
        let line = status.lines().find(|line| line.starts_with(what)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// The peak was at most 64 MiB above the start.
    fn is_bounded(&self, what: &str) {
        let grown = Self::kibibytes(self.process, "VmHWM").saturating_sub(self.start) / 1_024;
        println!("{what}: {grown} MiB more than at the start");
        assert!(grown <= 64, "{what}: {grown} MiB more than at the start");
    }
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_pages_asked_for_at_once_cost_what_a_few_do() {
    let folder = TempDir::new().unwrap();
    let process = Process::serve(folder.path(), "");
    fill(&process).await;
    let mut members = Vec::new();
    for number in 0..9 {
        members.push(member(&process, &format!("u{number}")).await);
    }
    let memory = Memory::of(&process);

    // By POST, with answers taken late.
    let mut late = Vec::new();
    for (_, session, token) in &members[..3] {
        late.push(
            within("a head", post(&process, session, token, hundred()).send()).await.unwrap(),
        );
    }
    for (socket, ..) in &mut members[3..6] {
        socket.say(json!({ "type": "ping" })).await;
        socket.hear("pong").await;
    }
    memory.is_bounded("three who take their answers late");
    for answer in late {
        let text = within("the answers", answer.text()).await.unwrap();
        let lines: Vec<_> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        all_answered(&lines);
    }

    // By a socket that is read only after all lines are sent.
    for (socket, ..) in &mut members[3..6] {
        for line in hundred().lines() {
            socket.say_text(line).await;
        }
    }
    for (socket, ..) in &mut members[3..6] {
        let mut answers = Vec::new();
        while answers.len() < 100 {
            answers.push(socket.next().await);
        }
        all_answered(&answers);
    }
    memory.is_bounded("three sockets");

    // By POST, from clients that disconnect. Their messages are carried out.
    let (listener, ..) = &mut members[8];
    listener.say(json!({ "type": "subscribe", "channel": ROOM })).await;
    listener.hear("subscribed").await;
    let words =
        json!({ "type": "publish", "channel": ROOM, "data": "last words" }).to_string() + "\n";
    // After the full number of lines, this one would be one too many.
    let all: String = hundred().lines().skip(1).map(|line| format!("{line}\n")).collect();
    for (_, session, token) in &members[6..8] {
        drop(post(&process, session, token, all.clone() + &words).send().await.unwrap());
    }
    let (listener, ..) = &mut members[8];
    for _ in 0..2 {
        assert_eq!(listener.hear("message").await["data"], "last words");
    }
    memory.is_bounded("who hung up");
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_slow_readers_of_history_hold_a_page_each_and_are_served() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    let folder = TempDir::new().unwrap();
    let process = Process::serve(folder.path(), "");
    fill(&process).await;
    let memory = Memory::of(&process);
    let ask = format!(
        "GET /v1/channels/{ROOM}/messages?limit=100 HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer dev\r\nconnection: close\r\n\r\n"
    );
    let mut links = Vec::new();
    for _ in 0..100 {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4_096).unwrap();
        let mut link = within("a link", socket.connect(process.at)).await.unwrap();
        link.write_all(ask.as_bytes()).await.unwrap();
        links.push(link);
    }
    // Each has the head of its answer before the rest is read.
    for link in &mut links {
        let mut first = [0; 12];
        within("a head", link.read_exact(&mut first)).await.unwrap();
        assert_eq!(&first, b"HTTP/1.1 200");
    }
    memory.is_bounded("a hundred slow readers");
    for mut link in links {
        let mut rest = Vec::new();
        within("the rest", link.read_to_end(&mut rest)).await.unwrap();
        let rest = String::from_utf8(rest).unwrap();
        let page: Value = serde_json::from_str(rest.split_once("\r\n\r\n").unwrap().1).unwrap();
        assert_eq!(page["more"], true);
        assert!(rest.len() < 270_000 && page["messages"].as_array().unwrap().len() >= 4);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_takes_nothing_of_an_answer_is_cut() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    let folder = TempDir::new().unwrap();
    let process = Process::serve(
        folder.path(),
        "[limits]\nsend_timeout_ms = 200\npage_bytes = 2000000\nmailbox_bytes = 4000000",
    );
    fill(&process).await;
    let ask = format!(
        "GET /v1/channels/{ROOM}/messages?limit=100 HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer dev\r\n\r\n"
    );
    let mut link = tokio::net::TcpStream::connect(process.at).await.unwrap();
    // More than the kernel buffers for one connection.
    link.write_all(ask.repeat(40).as_bytes()).await.unwrap();
    let cut = "tidings_slow_consumers_total{transport=\"http\"} 1";
    within("the cut", async {
        loop {
            let metrics = http().get(format!("http://{}/metrics", process.at)).send().await;
            if metrics.unwrap().text().await.unwrap().contains(cut) {
                break;
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
    let mut all = Vec::new();
    // The connection ended or was reset; either way, not all answers came.
    let _reset = within("the end", link.read_to_end(&mut all)).await;
    assert!(all.len() < 40 * 2_000_000, "{} bytes", all.len());
}

/// A server on each store.
async fn servers() -> [Server; 2] {
    let url = postgres::server().database();
    [Server::start().await, Server::with(|config| config.store.url.0 = url).await]
}

async fn notify(server: &Server, user: &str, number: usize, bytes: usize) {
    let data = json!({ "text": "x".repeat(bytes) });
    let body = json!({ "to": { "user": user }, "type": "note", "title": number.to_string(), "data": data });
    created(server.backend("/v1/notifications").json(&body)).await;
}

fn titles(items: &Value) -> Vec<String> {
    items.as_array().unwrap().iter().map(|item| text(&item["data"]["title"])).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_inbox_of_large_items_is_entered_and_read_to_its_end() {
    for server in servers().await {
        for (count, bytes) in [(9, LARGE), (50, 11_000)] {
            let user = format!("u{count}");
            for number in 0..count {
                notify(&server, &user, number, bytes).await;
            }
            let mut socket = server.connecting(&user, json!({})).await;
            let snapshot = socket.until("snapshot").await;
            let mut found = titles(&snapshot["items"]);
            assert!(snapshot.to_string().len() < 140_000 && !found.is_empty());
            assert_eq!(
                (&snapshot["more"], &snapshot["system_more"]),
                (&json!(true), &json!(false))
            );
            assert_eq!(snapshot["counts"]["inbox"]["unread"], count, "of all items");
            let mut more = true;
            while more {
                let before = count - found.len() + 1;
                socket
                    .say(json!({ "type": "history", "channel": format!("inbox:{user}"), "before": before }))
                    .await;
                let page = socket.hear("page").await;
                assert!(page.to_string().len() < 270_000);
                found.extend(titles(&page["items"]));
                more = page["more"] == true;
            }
            let all: Vec<_> = (0..count).rev().map(|number| number.to_string()).collect();
            assert_eq!(found, all);
            notify(&server, &user, 99, bytes).await;
            assert_eq!(socket.titles(1).await, ["99"], "and what comes now is heard");

            // The same items by REST.
            let token = server.token(&user).await;
            let (mut found, mut next) = (Vec::new(), String::new());
            loop {
                let path = format!("/v1/inbox?limit=100{next}");
                let ask = server.request(http::Method::GET, &path).bearer_auth(&token);
                let page = answered(ask, http::StatusCode::OK).await;
                assert!(page.to_string().len() < 270_000);
                found.extend(titles(&page["items"]));
                match page["next"].as_str() {
                    Some(place) => next = format!("&before={place}"),
                    None => break,
                }
            }
            assert_eq!(found, [vec!["99".to_owned()], all].concat());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn history_of_large_records_comes_page_by_page_in_both_directions() {
    for server in servers().await {
        for number in 0..9 {
            let body = json!({ "data": { "number": number, "text": "x".repeat(LARGE) } });
            let path = format!("/v1/channels/{ROOM}/messages");
            created(server.backend(&path).json(&body)).await;
        }
        let offsets = |page: &Value| -> Vec<u64> {
            let messages = page["messages"].as_array().unwrap();
            messages.iter().map(|one| one["offset"].as_u64().unwrap()).collect()
        };
        let get = |query: String| {
            let path = format!("/v1/channels/{ROOM}/messages?limit=100&{query}");
            answered(
                server.request(http::Method::GET, &path).bearer_auth("dev"),
                http::StatusCode::OK,
            )
        };
        let rights = json!([{ "pattern": "room:*", "allow": ["history"] }]);
        let ticket = server.ticket("mina", json!({ "channels": rights })).await;
        let mut socket = server.open().await;
        socket.say(json!({ "type": "connect", "version": 1, "ticket": ticket })).await;
        socket.until("snapshot").await;
        for (way, begin, whole) in
            [("before", 10, (1..10).rev().collect::<Vec<u64>>()), ("after", 0, (1..10).collect())]
        {
            let (mut by_socket, mut by_rest) = (Vec::<u64>::new(), Vec::<u64>::new());
            loop {
                let from = by_socket.last().copied().unwrap_or(begin);
                socket
                    .say(json!({ "type": "history", "channel": ROOM, way: from, "limit": 100 }))
                    .await;
                let page = socket.hear("page").await;
                by_socket.extend(offsets(&page));
                if page["more"] == false {
                    break;
                }
            }
            loop {
                let from = by_rest.last().copied().unwrap_or(begin);
                let page = get(format!("{way}={from}")).await;
                by_rest.extend(offsets(&page));
                if page["more"] == false {
                    break;
                }
            }
            assert_eq!((&by_socket, &by_rest), (&whole, &whole), "{way}");
        }
    }
}

/// A poll: its head, and the text of its messages.
async fn poll(server: &Server, connect: &Value) -> (Value, String) {
    let ask = http().post(format!("http://{}/v1/poll", server.at)).json(connect);
    let answer = within("an answer", ask.send()).await.unwrap().error_for_status().unwrap();
    let text = answer.text().await.unwrap();
    let (head, lines) = text.split_once('\n').unwrap();
    (serde_json::from_str(head).unwrap(), lines.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poll_keeps_to_its_bytes_and_still_brings_everything_in_order() {
    // The last size has room for only one message.
    for bytes in [262_144, 150_000, 70_000] {
        let server = Server::with(|config| config.limits.poll_bytes = bytes).await;
        for number in 0..9 {
            notify(&server, "mina", number, LARGE).await;
            let body = json!({ "data": { "number": number, "text": "x".repeat(LARGE) } });
            created(server.backend(&format!("/v1/channels/{ROOM}/messages")).json(&body)).await;
        }
        let rights = json!([{ "pattern": "room:*", "allow": ["subscribe", "history"] }]);
        let ticket = server.ticket("mina", json!({ "channels": rights })).await;
        let mut connect = json!({ "type": "connect", "version": 1, "ticket": ticket,
            "cursors": { ROOM: { "epoch": "AAAAAAAA", "offset": 0 } } });
        let (mut snapshots, mut offsets) = (0, Vec::new());
        while offsets.len() < 9 || snapshots == 0 {
            let (head, lines) = poll(&server, &connect).await;
            let messages: Vec<Value> =
                lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            let large = lines.lines().filter(|line| line.len() > LARGE).count();
            assert!(lines.len() <= bytes || large == 1, "{} of {bytes} bytes", lines.len());
            snapshots += messages.iter().filter(|one| one["type"] == "snapshot").count();
            let records = messages.iter().filter(|one| one["type"] == "message");
            offsets.extend(records.map(|one| one["offset"].as_u64().unwrap()));
            connect = json!({ "type": "connect", "version": 1,
                "session_token": head["session_token"], "cursors": head["cursors"] });
        }
        assert_eq!((snapshots, offsets), (1, (1..10).collect()), "{bytes}");
    }
}
