//! Reads a database's URL as people paste it. Parameters of libpq that this client supports are
//! applied. Parameters that it can't support, and those of other drivers, are refused by name. No
//! parameter is ignored that an operator may rely on.

use std::path::PathBuf;

use tokio_postgres::{
    Config,
    config::{ChannelBinding, SslMode},
};

use super::{open::ConnectError, row::words};

/// The content of a URL.
pub(super) struct Location {
    pub(super) config: Config,
    /// From `sslrootcert`.
    pub(super) ca_file: Option<PathBuf>,
}

/// How a parameter is treated.
enum Fate {
    /// The client supports it under this name.
    Known(&'static str),
    /// It asks for the behaviour that the client has anyway.
    Done,
    /// It names authorities to trust.
    Authorities,
    /// It chooses how TLS is used.
    Tls(SslMode),
    /// It is refused, with the reason or the right value.
    Refused(&'static str),
}

pub(super) fn read(url: &str) -> Result<Location, ConnectError> {
    // A password may hold a question mark.
    let behind = url.find('@').unwrap_or(0);
    let (base, query) = match url[behind..].find('?') {
        Some(at) => (&url[..behind + at], &url[behind + at + 1..]),
        None => (url, ""),
    };
    // An attacker on the network can suppress optional TLS, so `prefer` counts as `disable`.
    let mut mode = SslMode::Disable;
    let mut ca_file = None;
    let mut kept = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, raw) = pair.split_once('=').unwrap_or((pair, ""));
        let value = decoded(raw);
        match fate(name, &value) {
            Fate::Known(name) => kept.push(format!("{name}={raw}")),
            Fate::Done => {}
            Fate::Authorities => {
                ca_file = Some(PathBuf::from(value)).filter(|path| path.as_os_str() != "system");
            }
            Fate::Tls(asked) => mode = asked,
            Fate::Refused(why) => {
                return Err(ConnectError::Parameter(format!("`{name}` {why}")));
            }
        }
    }
    let query = if kept.is_empty() { String::new() } else { format!("?{}", kept.join("&")) };
    let mut config: Config =
        format!("{base}{query}").parse().map_err(|error| ConnectError::Url(words(&error)))?;
    config.ssl_mode(mode);
    if mode == SslMode::Disable && config.get_channel_binding() == ChannelBinding::Require {
        let why = "`channel_binding=require` needs `sslmode=require`: it binds the password to TLS";
        return Err(ConnectError::Parameter(why.to_owned()));
    }
    Ok(Location { config, ca_file })
}

fn fate(name: &str, value: &str) -> Fate {
    let done_if = |done: bool, why| if done { Fate::Done } else { Fate::Refused(why) };
    match name {
        "user" => Fate::Known("user"),
        "password" => Fate::Known("password"),
        "host" => Fate::Known("host"),
        "hostaddr" => Fate::Known("hostaddr"),
        "port" => Fate::Known("port"),
        "dbname" => Fate::Known("dbname"),
        "options" => Fate::Known("options"),
        "application_name" | "fallback_application_name" => Fate::Known("application_name"),
        "channel_binding" => Fate::Known("channel_binding"),
        "sslnegotiation" => Fate::Known("sslnegotiation"),
        "load_balance_hosts" => Fate::Known("load_balance_hosts"),
        "keepalives" => Fate::Known("keepalives"),
        "keepalives_idle" => Fate::Known("keepalives_idle"),
        "keepalives_interval" => Fate::Known("keepalives_interval"),
        "keepalives_count" | "keepalives_retries" => Fate::Known("keepalives_retries"),
        "target_session_attrs" => match value {
            "any" | "read-write" => Fate::Known("target_session_attrs"),
            // The same, except for a standby that is not promoted yet. That one can't be written
            // to.
            "primary" => Fate::Done,
            _ => Fate::Refused("must be any, read-write or primary: the server writes"),
        },
        // Certificates are always verified here, so the stricter values mean the same.
        "sslmode" => match value {
            "require" | "verify-ca" | "verify-full" => Fate::Tls(SslMode::Require),
            "disable" | "allow" | "prefer" => Fate::Tls(SslMode::Disable),
            _ => Fate::Refused("is disable, allow, prefer, require, verify-ca or verify-full"),
        },
        "sslrootcert" => Fate::Authorities,
        // `store.timeout_ms` bounds both.
        "connect_timeout" | "tcp_user_timeout" => Fate::Done,
        "sslsni" => done_if(value == "1", "can't be left out"),
        "sslcompression" => done_if(value == "0", "is not done by TLS any more"),
        "client_encoding" => done_if(
            matches!(&*value.to_ascii_lowercase(), "utf8" | "utf-8" | "unicode" | "auto"),
            "is always UTF8",
        ),
        "gssencmode" => done_if(value != "require", "can't be met: use TLS (sslmode=require)"),
        "sslcertmode" => {
            done_if(value != "require", "can't be met: client certificates are not supported")
        }
        "ssl_min_protocol_version" => done_if(
            matches!(value, "TLSv1" | "TLSv1.1" | "TLSv1.2"),
            "can't be raised here: let the database refuse what is older",
        ),
        "ssl_max_protocol_version" => done_if(value == "TLSv1.3", "can't be lowered"),
        "min_protocol_version" => done_if(value == "3.0", "is 3.0: later ones are not spoken"),
        "max_protocol_version" => Fate::Done,
        "sslcert" | "sslkey" | "sslpassword" => {
            Fate::Refused("is not supported: the server has no client certificate, only a password")
        }
        "sslcrl" | "sslcrldir" => Fate::Refused("is not supported: revocation lists are not read"),
        "require_auth" => Fate::Refused(
            "is not supported: with sslmode=require and channel_binding=require no attacker on the network can learn the password",
        ),
        "passfile" | "service" | "servicefile" => {
            Fate::Refused("is not read: write what it says into the URL, in TIDINGS_STORE_URL")
        }
        "requirepeer" | "replication" | "krbsrvname" | "gsslib" | "gssdelegation" => {
            Fate::Refused("is not supported")
        }
        "ssl" => Fate::Refused("is another driver's: write sslmode=require"),
        "schema" | "currentSchema" | "search_path" => {
            Fate::Refused("is another driver's: write options=-c%20search_path%3Dname")
        }
        "pgbouncer"
        | "connection_limit"
        | "pool_timeout"
        | "pool_mode"
        | "statement_cache_size"
        | "prepareThreshold"
        | "uselibpqcompat"
        | "sslaccept"
        | "sslidentity"
        | "supa" => Fate::Refused("is another driver's and means nothing here: leave it out"),
        _ => Fate::Refused("is no parameter of PostgreSQL's libpq"),
    }
}

/// Decodes a value. A plus stays a plus, unlike in forms.
fn decoded(raw: &str) -> String {
    let raw = raw.replace('+', "%2B");
    let mut pairs = form_urlencoded::parse(raw.as_bytes());
    pairs.next().map(|(value, _)| value.into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(query: &str) -> Result<Location, String> {
        read(&format!("postgres://u:p@db.example/t{query}")).map_err(|error| error.to_string())
    }

    #[test]
    fn what_people_paste_is_taken() {
        for query in [
            "",
            "?",
            "?sslmode=require&channel_binding=require",
            "?options=endpoint%3Dep-cool-darkness-123456&sslmode=require",
            "?sslmode=verify-full&sslrootcert=/etc/ssl/rds.pem&application_name=shop",
            "?sslmode=verify-full&sslrootcert=system",
            "?sslmode=allow",
            "?sslmode=require&sslnegotiation=direct",
            "?target_session_attrs=read-write&load_balance_hosts=random",
            "?target_session_attrs=primary",
            "?connect_timeout=10&keepalives_idle=30&keepalives_count=3",
            "?gssencmode=disable&sslsni=1&client_encoding=UTF8&fallback_application_name=x",
        ] {
            assert!(config(query).is_ok(), "{query}: {:?}", config(query).err());
        }
    }

    #[test]
    fn tls_is_on_or_off_and_nothing_between() {
        for (query, mode) in [
            ("", SslMode::Disable),
            ("?sslmode=prefer", SslMode::Disable),
            ("?sslmode=require", SslMode::Require),
            ("?sslmode=verify-ca", SslMode::Require),
            ("?application_name=a&sslmode=verify-full", SslMode::Require),
        ] {
            assert_eq!(config(query).unwrap().config.get_ssl_mode(), mode, "{query}");
        }
        let location = config("?sslmode=verify-ca&sslrootcert=%2Fetc%2Fa+b.pem").unwrap();
        assert_eq!(location.ca_file, Some("/etc/a+b.pem".into()));
        let asked = read("postgres://u:p?q@db.example/t?sslmode=require").unwrap();
        assert_eq!(asked.config.get_password(), Some(&b"p?q"[..]));
        assert_eq!(asked.config.get_ssl_mode(), SslMode::Require);
    }

    #[test]
    fn what_cannot_be_met_is_refused_by_name() {
        for (query, text) in [
            ("?sslmode=on", "`sslmode` is disable, allow"),
            ("?sslcert=a.pem", "`sslcert` is not supported"),
            ("?ssl=true", "write sslmode=require"),
            ("?pgbouncer=true", "`pgbouncer` is another driver's"),
            ("?schema=app", "search_path"),
            ("?gssencmode=require", "`gssencmode` can't be met"),
            ("?target_session_attrs=standby", "the server writes"),
            ("?sslmod=require", "`sslmod` is no parameter"),
            ("?channel_binding=require", "needs `sslmode=require`"),
            ("?client_encoding=latin1", "always UTF8"),
        ] {
            let error = config(query).err().unwrap();
            assert!(error.contains(text) && !error.contains("u:p"), "{query}: {error}");
        }
    }
}
