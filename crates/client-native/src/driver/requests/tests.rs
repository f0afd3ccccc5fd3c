//! Tests against a server that sends the bytes a test gives it.

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::yield_now,
    time::timeout,
};

use super::*;

/// A hang is a failure that names its place.
const PATIENCE: Duration = Duration::from_secs(30);

async fn patiently<T>(what: &str, future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("waited too long for {what}"))
}

async fn server() -> (TcpListener, Requests) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/rt/v1/", listener.local_addr().unwrap());
    (listener, Requests::new(base))
}

/// The server's side of a connection, with the request on it. The client's side must be driven
/// meanwhile.
async fn accept(listener: &TcpListener, requests: &mut Requests) -> (TcpStream, String) {
    let received = async {
        let (mut link, _) = listener.accept().await.unwrap();
        let head = hear(&mut link).await;
        (link, head)
    };
    tokio::select! {
        received = patiently("a request", received) => received,
        event = requests.next() => panic!("{event:?}"),
    }
}

/// Reads one request with its body.
async fn hear(link: &mut TcpStream) -> String {
    let mut text = String::new();
    loop {
        let mut bytes = [0; 4096];
        let count = link.read(&mut bytes).await.unwrap();
        assert!(count > 0, "the link ended after {text}");
        text.push_str(str::from_utf8(&bytes[..count]).unwrap());
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        if body.len() == length.unwrap().parse::<usize>().unwrap() {
            return text;
        }
    }
}

async fn next(requests: &mut Requests) -> Event {
    patiently("an event", requests.next()).await
}

fn answered(request: u64, status: u16) -> Event {
    Event::RequestAnswered { request, status, retry_after_ms: None }
}

fn received(request: u64, text: &str) -> Event {
    Event::RequestReceived { request, text: text.into() }
}

fn ended(request: u64) -> Event {
    Event::RequestEnded { request, reason: None }
}

async fn reason(requests: &mut Requests) -> String {
    match next(requests).await {
        Event::RequestEnded { reason: Some(reason), .. } => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn says_what_it_was_given_and_hears_the_answer_as_it_comes() {
    let (listener, mut requests) = server().await;
    requests.begin(1, "sse?heartbeat=25000", Some("st_secret"), String::from("{\"ä\":1}"));
    let (mut link, request) = accept(&listener, &mut requests).await;
    assert!(request.starts_with("POST /rt/v1/sse?heartbeat=25000 HTTP/1.1\r\n"), "{request}");
    assert!(request.ends_with("\r\n\r\n{\"ä\":1}"), "{request}");
    for line in ["authorization: Bearer st_secret", "content-type: application/json"] {
        assert!(request.contains(&format!("\r\n{line}\r\n")), "{request}");
    }
    assert!(!request.contains("cookie") && !request.contains("accept-encoding"), "{request}");
    let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nset-cookie: a=b\r\n\r\n";
    link.write_all(head).await.unwrap();
    assert_eq!(next(&mut requests).await, answered(1, 200));
    link.write_all(b"2\r\na\n\r\n").await.unwrap();
    assert_eq!(next(&mut requests).await, received(1, "a\n"));
    // The first half of a character gives no text yet.
    link.write_all(b"2\r\nb\xc3\r\n").await.unwrap();
    assert_eq!(next(&mut requests).await, received(1, "b"));
    link.write_all(b"1\r\n\xa4\r\n0\r\n\r\n").await.unwrap();
    assert_eq!(next(&mut requests).await, received(1, "ä"));
    assert_eq!(next(&mut requests).await, ended(1));

    // The connection is reused, and the cookie is ignored.
    requests.begin(2, "poll", None, String::from("{}"));
    let again = tokio::select! {
        again = hear(&mut link) => again,
        event = requests.next() => panic!("{event:?}"),
    };
    assert!(again.starts_with("POST /rt/v1/poll ") && !again.contains("cookie"), "{again}");
    assert!(!again.contains("authorization"), "{again}");
}

/// How the server ends a connection.
#[derive(Clone, Copy)]
enum Ends {
    /// With a FIN: it has read everything.
    Closed,
    /// With a RST: it has not read the request.
    Reset,
}

impl Ends {
    fn end(self, link: TcpStream) {
        if matches!(self, Self::Reset) {
            link.set_zero_linger().unwrap();
        }
        drop(link);
    }
}

/// Two idle connections, each of which has carried a request.
async fn idle(listener: &TcpListener, requests: &mut Requests) -> [TcpStream; KEPT_MAX] {
    requests.begin(1, "poll", None, String::from("{}"));
    let (mut one, _) = accept(listener, requests).await;
    requests.begin(2, "poll", None, String::from("{}"));
    let (mut two, _) = accept(listener, requests).await;
    for (request, link) in [(1, &mut one), (2, &mut two)] {
        link.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
        assert_eq!(next(requests).await, answered(request, 200));
        assert_eq!(next(requests).await, ended(request));
    }
    [one, two]
}

#[tokio::test]
async fn connections_that_were_closed_while_idle_cost_no_request() {
    for ends in [Ends::Closed, Ends::Reset] {
        let (listener, mut requests) = server().await;
        let mut links = Vec::from(idle(&listener, &mut requests).await);
        requests.begin(3, "poll", None, String::from("{\"n\":3}"));
        // The request takes one of them, and after its end the other.
        while let Some(mut link) = links.pop() {
            let mut other = links.pop();
            let received = async {
                match &mut other {
                    Some(other) => tokio::select! {
                        text = hear(&mut link) => (text, true),
                        text = hear(other) => (text, false),
                    },
                    None => (hear(&mut link).await, true),
                }
            };
            let (text, first) = tokio::select! {
                received = patiently("the request", received) => received,
                event = requests.next() => panic!("{event:?}"),
            };
            assert!(text.ends_with("{\"n\":3}"), "{text}");
            if first {
                ends.end(link);
                links.extend(other);
            } else {
                ends.end(other.unwrap());
                links.push(link);
            }
        }
        let (link, again) = accept(&listener, &mut requests).await;
        assert!(again.ends_with("{\"n\":3}"), "{again}");
        // A server that never answers gives an error.
        ends.end(link);
        let reason = reason(&mut requests).await;
        assert!(reason.contains("closed") || reason.contains("reset"), "{reason}");
    }
}

#[tokio::test]
async fn several_are_under_way_and_an_abort_closes_one() {
    let (listener, mut requests) = server().await;
    for request in [1, 2] {
        requests.begin(request, "sse", None, String::from("{}"));
    }
    let (mut one, _) = accept(&listener, &mut requests).await;
    let (mut two, _) = accept(&listener, &mut requests).await;
    for link in [&mut one, &mut two] {
        let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\n.\r\n";
        link.write_all(head).await.unwrap();
    }
    for _ in 0..4 {
        let event = next(&mut requests).await;
        assert!(!matches!(event, Event::RequestEnded { .. }), "{event:?}");
    }
    requests.abort(1);
    requests.abort(7);
    // One connection ends, and the other goes on; which request uses which is up to the sockets.
    let mut bytes = [0; 64];
    let closed = async {
        tokio::select! {
            count = one.read(&mut bytes) => (count, &mut two),
            count = async { two.read(&mut [0; 64]).await } => (count, &mut one),
        }
    };
    let (count, other) = patiently("the end of a link", closed).await;
    assert!(matches!(count, Ok(0) | Err(_)), "{count:?}");
    other.write_all(b"1\r\n!\r\n").await.unwrap();
    assert_eq!(next(&mut requests).await, received(2, "!"));
}

#[tokio::test]
async fn one_that_waits_for_its_head_is_aborted_as_well() {
    let (listener, mut requests) = server().await;
    requests.begin(1, "poll", None, String::from("{}"));
    let (mut link, _) = accept(&listener, &mut requests).await;
    requests.abort(1);
    let read = patiently("the end of the link", link.read(&mut [0; 1])).await;
    assert!(matches!(read, Ok(0) | Err(_)), "{read:?}");
}

#[tokio::test]
async fn nothing_is_read_ahead_of_the_core() {
    const WHOLE: usize = 64 << 20;
    /// The kernel's buffers may hold this much, besides the driver's.
    const HELD_MAX: usize = 24 << 20;

    let (listener, mut requests) = server().await;
    requests.begin(1, "sse", None, String::from("{}"));
    let (link, _) = accept(&listener, &mut requests).await;
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {WHOLE}\r\n\r\n");
    link.writable().await.unwrap();
    assert_eq!(link.try_write(head.as_bytes()).unwrap(), head.len());
    assert_eq!(next(&mut requests).await, answered(1, 200));
    // No event is taken, so only as much can be written as the buffers hold.
    let (piece, mut written) = (vec![b'x'; 64 << 10], 0);
    for _ in 0..20_000 {
        match link.try_write(&piece[..piece.len().min(WHOLE - written)]) {
            Ok(count) => written += count,
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
        }
        assert!(written <= HELD_MAX, "the body was read though nobody wanted it");
        yield_now().await;
    }
    let writing = tokio::spawn(async move {
        let mut link = link;
        while written < WHOLE {
            let end = piece.len().min(WHOLE - written);
            written += link.write(&piece[..end]).await.unwrap();
        }
        link
    });
    let mut read = 0;
    while read < WHOLE {
        match next(&mut requests).await {
            Event::RequestReceived { text, .. } => {
                assert!(text.len() <= 2 * READ_MAX, "{} at once", text.len());
                read += text.len();
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(next(&mut requests).await, ended(1));
    drop(writing.await.unwrap());
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_a_wait_is_told() {
    let (listener, mut requests) = server().await;
    requests.begin(1, "sse", Some("st_secret"), String::from("{}"));
    let (mut link, _) = accept(&listener, &mut requests).await;
    let elsewhere = listener.local_addr().unwrap();
    let head = format!(
        "HTTP/1.1 307 No\r\nlocation: http://{elsewhere}/\r\nretry-after: 7\r\ncontent-length: 0\r\n\r\n"
    );
    link.write_all(head.as_bytes()).await.unwrap();
    let expected = Event::RequestAnswered { request: 1, status: 307, retry_after_ms: Some(7_000) };
    assert_eq!(next(&mut requests).await, expected);
    assert_eq!(next(&mut requests).await, ended(1));
    assert!(requests.running.is_empty());
}

#[tokio::test]
async fn says_why_there_is_no_answer_and_no_secret() {
    // No server listens there.
    let (listener, mut requests) = server().await;
    drop(listener);
    requests.begin(1, "sse?ticket=tk_secret", Some("st_secret"), String::from("{}"));
    let refused = reason(&mut requests).await;
    assert!(refused.contains("refused") && !refused.contains("secret"), "{refused}");
    // A token that is not valid in a header.
    requests.begin(2, "sse", Some("st_\nsecret"), String::from("{}"));
    let header = reason(&mut requests).await;
    assert!(header.contains("header") && !header.contains("secret"), "{header}");

    let answers: [(&[u8], u16, &str); 3] = [
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n", 200, "end of file"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n\xff\xfe", 200, "not UTF-8"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", 0, "invalid"),
    ];
    for (answer, status, why) in answers {
        let (listener, mut requests) = server().await;
        requests.begin(1, "sse", None, String::from("{}"));
        let (mut link, _) = accept(&listener, &mut requests).await;
        link.write_all(answer).await.unwrap();
        drop(link);
        if status > 0 {
            assert_eq!(next(&mut requests).await, answered(1, status));
        }
        let reason = reason(&mut requests).await;
        assert!(reason.contains(why), "{reason}");
    }
}
