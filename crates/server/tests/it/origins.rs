//! Origins and host names: pages that may connect, pages that may send the user's cookie, and the
//! host names of a development server.

use http::{Method, StatusCode};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_tungstenite::tungstenite;

use super::harness::{Server, Socket, problem, text_of, within};

/// The status of an upgrade with these headers.
async fn upgraded(server: &Server, headers: &[(&'static str, &str)]) -> u16 {
    let mut request = server.upgrade("");
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    match Socket::open(server.at, request).await {
        Ok(_) => 101,
        Err(tungstenite::Error::Http(answer)) => answer.status().as_u16(),
        Err(error) => panic!("{error}"),
    }
}

/// With DNS rebinding, another site's name points to this machine; for the browser, that site's
/// page then has the server's own origin.
#[tokio::test]
async fn a_development_server_answers_to_no_other_name() {
    let server = Server::with(|config| config.dev_hosts = vec!["box.example".to_owned()]).await;
    let port = server.at.port();
    for name in
        ["evil.example", "127.0.0.1.evil.example", "localhost:1.evil.example", "a.box.example"]
    {
        let host = if name.contains(':') { name.to_owned() } else { format!("{name}:{port}") };
        let origin = format!("http://{host}");
        for path in ["/dev/tokens", "/v1/notifications", "/v1/tickets"] {
            let ask = server.backend(path).header("host", &host).header("origin", &origin);
            let answer = ask.json(&json!({ "user": "mina" })).send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{path} of {host}");
            assert_eq!(text_of(&answer, "access-control-allow-origin"), None, "{path} of {host}");
            assert_eq!(text_of(&answer, "timing-allow-origin"), None, "{path} of {host}");
            let problem = problem(answer).await;
            assert!(problem["detail"].as_str().unwrap().contains("`dev_hosts`"), "{problem}");
        }
        for path in ["/v1/inbox", "/healthz", "/openapi.json", "/v1/sse", "/v1/poll"] {
            let ask = server.request(Method::GET, path).header("host", &host);
            assert_eq!(
                ask.send().await.unwrap().status(),
                StatusCode::FORBIDDEN,
                "{path} of {host}"
            );
        }
        assert_eq!(upgraded(&server, &[("host", &host), ("origin", &origin)]).await, 403, "{host}");
    }
    for name in ["localhost", "app.localhost", "127.0.0.1", "[::1]", "box.example", "Box.Example"] {
        let host = format!("{name}:{port}");
        let origin = format!("http://{}", host.to_lowercase());
        let ask = server.backend("/dev/tokens").header("host", &host).header("origin", &origin);
        let answer = ask.json(&json!({ "user": "mina" })).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::CREATED, "{host}");
        assert_eq!(text_of(&answer, "access-control-allow-origin"), Some(origin.clone()), "{host}");
        assert_eq!(text_of(&answer, "timing-allow-origin"), Some(origin), "{host}");
    }
}

#[tokio::test]
async fn a_server_behind_a_proxy_is_asked_by_any_name() {
    let server = Server::with(|config| config.dev = false).await;
    let ask = server.request(Method::GET, "/healthz").header("host", "rt.example");
    assert_eq!(ask.send().await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn what_begins_like_this_machine_is_not_this_machine() {
    let server = Server::start().await;
    for origin in [
        "http://127.0.0.1:8787.evil.test",
        "http://localhost:5173.evil.test",
        "http://[::1]:80.evil.test",
        "http://localhost:",
        "http://localhost@evil.test",
        "https://127.0.0.1.evil.test",
        "null",
        "file://",
    ] {
        assert_eq!(upgraded(&server, &[("origin", origin)]).await, 403, "{origin}");
        let ask = server.backend("/dev/tokens").header("origin", origin);
        let answer = ask.json(&json!({ "user": "mina" })).send().await.unwrap();
        assert_eq!(text_of(&answer, "access-control-allow-origin"), None, "{origin}");
    }
}

#[tokio::test]
async fn apps_and_extensions_come_in_by_their_own_scheme() {
    let own = [
        "tauri://localhost",
        "capacitor://localhost",
        "ionic://localhost",
        "app://.",
        "chrome-extension://nkbihfbeogaeaoehlefnkodbefgpgknn",
        "moz-extension://6e9a1f4b-6e0b-4a6e-8b39-2f0c0f7f6b53",
        "file://",
    ];
    let server = Server::with(|config| config.origins = own.map(str::to_owned).to_vec()).await;
    for origin in own {
        assert_eq!(upgraded(&server, &[("origin", origin)]).await, 101, "{origin}");
        let ask = server.request(Method::OPTIONS, "/v1/sse").header("origin", origin);
        let ask = ask.header("access-control-request-method", "POST");
        let answer = ask.send().await.unwrap();
        let allowed = text_of(&answer, "access-control-allow-origin");
        assert_eq!(allowed.as_deref(), Some(origin));
    }
    for origin in ["tauri://evil", "chrome-extension://other", "null", "ionic://localhost.evil"] {
        assert_eq!(upgraded(&server, &[("origin", origin)]).await, 403, "{origin}");
    }
    // A ticket for one of them is invalid elsewhere.
    for (page, opens) in [("tauri://localhost", true), ("capacitor://localhost", false)] {
        let ticket = server.ticket("mina", json!({ "origin": "tauri://localhost" })).await;
        let mut request = server.upgrade(&format!("?ticket={ticket}"));
        request.headers_mut().insert("origin", page.parse().unwrap());
        let mut socket = Socket::open(server.at, request).await.unwrap();
        assert_eq!(socket.next().await["type"] == "connected", opens, "{page}");
    }
}

/// Browsers hide the answer to a request with cookies, unless the server allows exactly this origin
/// to read it.
#[tokio::test]
async fn a_cookie_works_for_pages_of_allowed_origins_and_no_others() {
    let app = "https://app.example";
    let server = Server::with(|config| {
        config.auth.cookie = "session".to_owned();
        config.origins = vec![app.to_owned()];
    })
    .await;
    let cookie = format!("session={}", server.token("mina").await);
    let inbox = async |origin: &str| {
        let ask = server.request(Method::GET, "/v1/inbox").header("origin", origin);
        ask.header("cookie", &cookie).send().await.unwrap()
    };
    let answer = inbox(app).await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(text_of(&answer, "access-control-allow-origin").as_deref(), Some(app));
    assert_eq!(text_of(&answer, "access-control-allow-credentials").as_deref(), Some("true"));
    let vary: Vec<_> =
        answer.headers().get_all("vary").iter().map(|vary| vary.to_str().unwrap()).collect();
    assert!(vary.join(",").to_lowercase().contains("origin"), "{vary:?}");
    let stream = server.request(Method::GET, "/v1/sse").header("origin", app);
    let stream = stream.header("cookie", &cookie).send().await.unwrap();
    assert_eq!(stream.status(), StatusCode::OK);
    assert_eq!(text_of(&stream, "access-control-allow-credentials").as_deref(), Some("true"));
    let preflight = server.request(Method::OPTIONS, "/v1/inbox/marks").header("origin", app);
    let preflight = preflight.header("access-control-request-method", "POST").send().await.unwrap();
    assert_eq!(text_of(&preflight, "access-control-allow-credentials").as_deref(), Some("true"));
    for origin in ["https://evil.example", "http://app.example", "null"] {
        let answer = inbox(origin).await;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{origin}");
        for header in ["access-control-allow-origin", "access-control-allow-credentials"] {
            assert_eq!(text_of(&answer, header), None, "{origin}");
        }
    }
    // With `*`, any page may send requests, but none with the user's cookie.
    let open = Server::with(|config| config.origins = vec!["*".to_owned()]).await;
    let ask = open.request(Method::GET, "/healthz").header("origin", "https://any.example");
    let answer = ask.send().await.unwrap();
    let allowed = text_of(&answer, "access-control-allow-origin");
    assert_eq!(allowed.as_deref(), Some("https://any.example"));
    assert_eq!(text_of(&answer, "access-control-allow-credentials"), None);
}

/// RFC 9112, 3.2: otherwise a cache or proxy in front may see another host than the server.
#[tokio::test]
async fn a_request_names_one_host() {
    let server = Server::with(|config| config.dev = false).await;
    for (hosts, status) in [
        ("host: localhost\r\n", "200"),
        ("", "400"),
        ("host: localhost\r\nhost: localhost\r\n", "400"),
        ("host: a.example\r\nhost: b.example\r\n", "400"),
    ] {
        let mut link = TcpStream::connect(server.at).await.unwrap();
        let request = format!("GET /healthz HTTP/1.1\r\n{hosts}connection: close\r\n\r\n");
        link.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        within("an answer", link.read_to_string(&mut answer)).await.unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{hosts:?}: {answer}");
    }
}
