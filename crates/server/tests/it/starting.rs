//! A process' start: its environment, its folder's name, its limits.

use std::{ffi::OsString, os::unix::ffi::OsStringExt as _, process::Command};

use serde_json::json;

use super::harness::{Process, created};

#[tokio::test]
async fn it_starts_where_names_and_variables_are_no_text() {
    let folder = tempfile::tempdir().unwrap();
    let latin = OsString::from_vec(vec![b'M', 0xfc, b'n']);
    let folder = folder.path().join(&latin);
    std::fs::create_dir(&folder).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidings"));
    command.env("CITY", &latin).env(&latin, "x");
    let server = Process::serve_by(command, &folder, "");
    let body = json!({ "to": { "user": "mina" }, "type": "note", "title": "here" });
    created(server.backend("/v1/notifications").json(&body)).await;
    server.terminate();
    server.gone().await;
}

/// The process' soft limit on open files.
fn open_files(limits: &str) -> u64 {
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    line.split_whitespace().nth(3).unwrap().parse().unwrap()
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn it_may_open_as_many_files_as_its_links_need_or_says_that_it_may_not() {
    let folder = tempfile::tempdir().unwrap();
    let limited = |limits: &str| {
        let mut command = Command::new("sh");
        let program = env!("CARGO_BIN_EXE_tidings");
        command.arg("-c").arg(format!("{limits}; exec \"{program}\" \"$@\"")).arg("sh");
        Process::serve_by(command, folder.path(), "[limits]\nlinks = 300\nconnections = 300")
    };
    let about_files = |server: &Process| {
        server.said().iter().filter(|line| line.get("allowed").is_some()).count()
    };
    let of = |server: &Process| {
        open_files(&std::fs::read_to_string(format!("/proc/{}/limits", server.id())).unwrap())
    };
    let server = limited("ulimit -Sn 128");
    assert!(of(&server) > 300);
    assert_eq!(about_files(&server), 0, "{:?}", server.said());
    server.terminate();
    server.gone().await;
    let server = limited("ulimit -Sn 128; ulimit -Hn 256");
    assert_eq!(of(&server), 256);
    assert_eq!(about_files(&server), 1, "{:?}", server.said());
    server.terminate();
    server.gone().await;
}
