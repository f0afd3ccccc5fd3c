//! `cargo xtask demo --cluster`: two nodes on one PostgreSQL, with Redis between them and nginx in
//! front. The user may kill each part.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tidings_backing::{Postgres, Redis};

use super::children::{Child, pause};
use super::{API_KEY, AWAY, USER, Wanted, port, prepare, server, start_backend, stop_by_ctrl_c};
use crate::failure::Failure;
use crate::node;
use crate::package::Example;
use crate::repo;
use crate::steps::{Outcome, Steps};
use crate::system::{self, NGINX, POSTGRESQL, REDIS};

/// nginx's configuration, with names in place of ports.
const NGINX_CONF: &str = "deploy/nginx/cluster.conf";

/// Builds missing or stale results, and runs until Ctrl-C.
pub(super) fn run(wanted: Wanted) -> Result<(), Failure> {
    let logs = repo::scratch().join("logs");
    let mut steps = Steps::new(4 + wanted.built.steps());
    steps.run("Checking node and npm", &logs.join("demo-node.log"), |_| {
        node::check().map(|()| Outcome::Done)
    })?;
    let system = logs.join("demo-system.log");
    steps.run("Looking for PostgreSQL, Redis and nginx", &system, |step| {
        system::ensure(&[POSTGRESQL, REDIS, NGINX], step).map(|()| Outcome::Done)
    })?;
    prepare(wanted, &mut steps)?;
    let stop = stop_by_ctrl_c()?;

    let mut cluster = None;
    let log = logs.join("demo-start.log");
    steps.run("Starting PostgreSQL and Redis", &log, |_| {
        cluster = Some(Cluster::on(wanted.example, Postgres::start(), Redis::start())?);
        Ok(Outcome::Done)
    })?;
    let Some(mut cluster) = cluster else { return Ok(()) };
    steps.run("Starting two nodes, nginx and the example's backend", &log, |_| {
        cluster.start(&stop).map(|()| Outcome::Done)
    })?;
    if !stop.load(Ordering::SeqCst) {
        cluster.print_guide();
    }
    while !stop.load(Ordering::SeqCst) {
        cluster.tend(&stop)?;
        pause(Duration::from_millis(100), &stop);
    }
    println!("\nStopping.");
    Ok(())
}

/// All parts, in the order in which they are ended.
struct Cluster {
    backend: Option<Child>,
    nginx: Option<Child>,
    nodes: Vec<(u16, Child)>,
    redis: Redis,
    postgres: Postgres,
    example: Example,
    database: String,
    front: u16,
    page: u16,
}

impl Cluster {
    fn on(example: Example, postgres: Postgres, redis: Redis) -> Result<Self, Failure> {
        let database = postgres.database();
        let (front, page) = (port::free_from(8787)?, port::free_from(5173)?);
        Ok(Self {
            backend: None,
            nginx: None,
            nodes: Vec::new(),
            redis,
            postgres,
            example,
            database,
            front,
            page,
        })
    }

    fn start(&mut self, stop: &AtomicBool) -> Result<(), Failure> {
        let first = port::free_from(self.front + 1)?;
        let second = port::free_from(first + 1)?;
        for port in [first, second] {
            let mut node = self.start_node(port)?;
            node.wait_until_it_answers(port, "/readyz", stop)?;
            self.nodes.push((port, node));
        }
        let mut nginx = self.start_nginx(first, second)?;
        nginx.wait_until_it_answers(self.front, "/readyz", stop)?;
        self.nginx = Some(nginx);
        let mut backend = start_backend(self.example, self.page, &self.url())?;
        backend.wait_until_it_answers(self.page, "/", stop)?;
        self.backend = Some(backend);
        Ok(())
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.front)
    }

    fn start_node(&self, port: u16) -> Result<Child, Failure> {
        let mut command = Command::new(server());
        command.current_dir(repo::root()).args(["serve", "--dev", "--listen"]);
        command.arg(format!("127.0.0.1:{port}"));
        let config = repo::root().join("examples/react/tidings.toml");
        if config.is_file() {
            command.arg("--config").arg(config);
        }
        command.env("TIDINGS_STORE_URL", &self.database).env("TIDINGS_BUS_URL", self.redis.url());
        command.env("TIDINGS_TRUSTED_PROXIES", "127.0.0.1");
        Child::start(command, &format!("demo-node-{port}"))
    }

    fn start_nginx(&self, first: u16, second: u16) -> Result<Child, Failure> {
        let template = repo::root().join(NGINX_CONF);
        let text = fs::read_to_string(&template).map_err(Failure::io("read", &template))?;
        let text = text
            .replace("LISTEN;", &format!("{};", self.front))
            .replace("ONE ", &format!("{first} "))
            .replace("TWO ", &format!("{second} "));
        let folder = repo::scratch().join("nginx");
        let config = folder.join("cluster.conf");
        repo::write(&config, text.as_bytes())?;
        let nginx = system::find("nginx").unwrap_or_else(|| PathBuf::from("/usr/sbin/nginx"));
        let mut command = Command::new(nginx);
        command.arg("-p").arg(&folder).arg("-c").arg(&config).args(["-e", "stderr"]);
        // As root, nginx's workers would run as another user, who can't write into the folder.
        let user = if system::is_root() { "user root;" } else { "" };
        command.arg("-g").arg(format!("daemon off; {user}"));
        Child::start(command, "demo-nginx")
    }

    /// Restarts killed parts after a while, in which the others show how they work without them.
    fn tend(&mut self, stop: &AtomicBool) -> Result<(), Failure> {
        for place in 0..self.nodes.len() {
            let Some((port, node)) = self.nodes.get_mut(place) else { continue };
            let port = *port;
            let Some(status) = node.ended()? else { continue };
            if is_to_return(&format!("The node on port {port}"), &format!(" ({status})"), stop) {
                let mut node = self.start_node(port)?;
                node.wait_until_it_answers(port, "/readyz", stop)?;
                is_back(node.pid());
                self.nodes[place].1 = node;
            }
        }
        let polls = ": nodes find each other's records by polling";
        if !self.redis.runs() && is_to_return("Redis", polls, stop) {
            self.redis.restart();
            is_back(self.redis.pid());
        }
        let refuses = ": publishes are answered 503 with Retry-After";
        if !self.postgres.runs() && is_to_return("PostgreSQL", refuses, stop) {
            self.postgres.restart();
            is_back(self.postgres.pid());
        }
        for child in [&mut self.nginx, &mut self.backend].into_iter().flatten() {
            if let Some(status) = child.ended()? {
                let log = repo::shown(child.log());
                return Err(Failure::Check(format!("a part ended with {status}: see {log}")));
            }
        }
        Ok(())
    }

    fn print_guide(&self) {
        let pids: Vec<String> = self
            .nodes
            .iter()
            .map(|(port, node)| format!("kill -9 {:<8} the node on port {port}", node.pid()))
            .collect();
        println!(
            r#"
  Open        http://127.0.0.1:{page}   (in two tabs, if you like)
  Nodes       {front}, in front of 127.0.0.1:{first} and 127.0.0.1:{second}
  PostgreSQL  {database}
  Redis       {redis}

  Publish     curl {front}/v1/notifications \
                -H 'Authorization: Bearer {API_KEY}' -H 'Content-Type: application/json' \
                -d '{{"to":{{"user":"{USER}"}},"type":"message","title":"Hello","message":"from curl"}}'

  Break it    {one}
              {two}
              kill -9 {redis_pid:<8} Redis
              kill -9 {postgres_pid:<8} PostgreSQL
              Each is back after {away} s; the page shows each acknowledged notification once.

  Logs        {logs}
  End         Ctrl-C
"#,
            page = self.page,
            front = self.url(),
            first = self.nodes[0].0,
            second = self.nodes[1].0,
            database = self.database,
            redis = self.redis.url(),
            one = pids[0],
            two = pids[1],
            redis_pid = self.redis.pid(),
            postgres_pid = self.postgres.pid(),
            away = AWAY.as_secs(),
            logs = repo::shown(&repo::scratch().join("logs")),
        );
    }
}

/// Reports that a part is gone, and waits a while; `false` if the demo is stopped meanwhile.
fn is_to_return(what: &str, and: &str, stop: &AtomicBool) -> bool {
    println!("{what} is gone{and}; starting it again in {} s.", AWAY.as_secs());
    pause(AWAY, stop);
    !stop.load(Ordering::SeqCst)
}

fn is_back(pid: u32) {
    println!("It is back. Kill it again: kill -9 {pid}");
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The containers change nginx's configuration with `sed`, which reports nothing if the pattern
    /// is missing.
    #[test]
    fn deploy_compose_yml_replaces_what_the_configuration_has() {
        let text = |name: &str| fs::read_to_string(repo::root().join(name)).unwrap();
        let (compose, nginx) = (text("deploy/compose.yml"), text(NGINX_CONF));
        for place in ["127.0.0.1:LISTEN", "127.0.0.1:ONE", "127.0.0.1:TWO"] {
            assert!(compose.contains(&format!("s/{place}/")), "{place}");
            assert_eq!(nginx.matches(place).count(), 1, "{place}");
        }
    }
}
