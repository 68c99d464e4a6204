//! First floor, `db`: where a PostgreSQL server is, and how it is spoken to. Imports its neighbours in
//! `db`, and tokio-postgres.

use std::time::Duration;

use tokio_postgres::Config;

use super::super::SqlError;
use super::PostgresOptions;
use super::encryption::Encryption;
use super::error::refused;
use super::url::Split;

/// The shortest and the longest limit that the server takes, in milliseconds.
const LIMITS: (u128, u128) = (1, i32::MAX as u128);

/// What a URL says, and limits.
#[derive(Clone, Debug)]
pub(in crate::db) struct Target {
    pub(super) config: Config,
    /// `None`: plain.
    pub(super) encryption: Option<Encryption>,
    /// How long the making of a connection may take, all in all.
    pub(super) opening: Option<Duration>,
    /// How long to wait for an answer.
    pub(super) answer: Option<Duration>,
}

impl Target {
    /// What a URL says, without any limits.
    pub(in crate::db) fn unlimited(url: &str) -> Result<Self, SqlError> {
        Self::of(&Split::of(url))
    }

    /// What a URL says; where it is silent, what the options say.
    pub(super) fn limited(url: &str, options: &PostgresOptions) -> Result<Self, SqlError> {
        let split = Split::of(url);
        let mut target = Self::of(&split)?;
        target.limit_sockets(&split, options.silence);
        let patience = options.pooling.patience.max(Duration::from_millis(2));
        let config = &mut target.config;
        // A name may have two addresses, of which the first leads nowhere.
        let address = config.get_connect_timeout().copied().unwrap_or(patience / 2);
        config.connect_timeout(address);
        let hosts = config.get_hosts().len().max(config.get_hostaddrs().len()).max(1);
        target.opening = Some(address.saturating_mul(2).saturating_mul(hosts as u32));
        let own = config.get_options().unwrap_or_default().to_owned();
        let names = own.to_lowercase().replace('-', "_");
        let mut asked = String::new();
        let mut limit = |name: &str, limit: Option<Duration>| {
            let limit = limit.filter(|_| !names.contains(name))?;
            let limit = limit.as_millis().clamp(LIMITS.0, LIMITS.1);
            asked.push_str(&format!("-c {name}={limit} "));
            Some(Duration::from_millis(limit as u64))
        };
        limit("lock_timeout", options.lock);
        let statement = limit("statement_timeout", options.statement);
        target.answer = statement.map(|limit| limit.saturating_add(patience));
        if !asked.is_empty() {
            target.config.options(format!("{asked}{own}").trim_end());
        }
        Ok(target)
    }

    fn of(split: &Split) -> Result<Self, SqlError> {
        let mut config = split.rest.parse::<Config>().map_err(|error| refused(&error))?;
        let encryption = Encryption::of(split, &mut config)?;
        Ok(Target { config, encryption, opening: None, answer: None })
    }

    /// Has the system look whether the other host is still there.
    fn limit_sockets(&mut self, split: &Split, silence: Option<Duration>) {
        let Some(silence) = silence else { return };
        let second = Duration::from_secs(1);
        if !split.has("tcp_user_timeout") {
            self.config.tcp_user_timeout(silence.max(second));
        }
        if !split.has("keepalives_idle") {
            self.config.keepalives_idle((silence / 2).max(second));
        }
        if !split.has("keepalives_interval") {
            self.config.keepalives_interval((silence / 6).max(second));
        }
        if !split.has("keepalives_retries") {
            self.config.keepalives_retries(3);
        }
    }

    /// Command line options of the server, after those that are there.
    pub(in crate::db) fn add_options(&mut self, options: &str) {
        let own = self.config.get_options().unwrap_or_default();
        let options = format!("{own} {options}");
        self.config.options(options);
    }

    /// An error of making a connection, and what to do about it.
    pub(super) fn refused(&self, error: &tokio_postgres::Error) -> SqlError {
        if let Some(told) = self.encryption.as_ref().and_then(|wanted| wanted.failed(error)) {
            return told;
        }
        let told = refused(error);
        let Some(db) = error.as_db_error() else { return told };
        let message = db.message().to_lowercase();
        let has = |words: &[&str]| words.iter().any(|word| message.contains(word));
        let advice = if self.encryption.is_none()
            && has(&["no encryption", "ssl off", "ssl connection", "sslmode", "insecure"])
        {
            "sslmode=verify-full in the URL encrypts the connection"
        } else if has(&["unsupported startup parameter"]) && self.answer.is_some() {
            "a pooler in between passes no limits on: open with `PostgresOptions` that have none"
        } else {
            return told;
        };
        SqlError::new(told.state, &format!("{}; {advice}", db.message()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limited(url: &str) -> Target {
        Target::limited(url, &PostgresOptions::default()).expect("it makes sense")
    }

    #[test]
    fn limits_are_asked_of_the_server_unless_the_url_has_its_own() {
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        for (own, options, answer) in [
            ("", "-c statement_timeout=30000", seconds(35)),
            ("-c search_path=a", "-c statement_timeout=30000 -c search_path=a", seconds(35)),
            ("-c statement_timeout=5min", "-c statement_timeout=5min", None),
            ("--statement-timeout=0", "--statement-timeout=0", None),
            ("-c lock_timeout=1s", "-c statement_timeout=30000 -c lock_timeout=1s", seconds(35)),
        ] {
            let target = limited(&format!("host=h options='{own}'"));
            assert_eq!(target.config.get_options(), Some(options));
            assert_eq!(target.answer, answer, "{own}");
        }
    }

    #[test]
    fn limits_that_are_none_are_not_asked_for_and_those_too_small_or_large_for_the_server_bent() {
        let options = |statement, lock| {
            let options = PostgresOptions { statement, lock, ..PostgresOptions::default() };
            let target = Target::limited("host=h", &options).expect("it makes sense");
            (target.config.get_options().map(str::to_owned), target.answer)
        };
        assert_eq!(options(None, None), (None, None));
        let (asked, answer) = options(Some(Duration::MAX), Some(Duration::ZERO));
        let all = "-c lock_timeout=1 -c statement_timeout=2147483647";
        assert_eq!(asked.as_deref(), Some(all));
        assert!(answer > Some(Duration::from_millis(i32::MAX as u64)));
    }

    #[test]
    fn the_system_looks_after_a_silent_host_unless_the_url_says_otherwise() {
        let told = |url: &str| {
            let config = limited(url).config;
            let user = config.get_tcp_user_timeout().map(Duration::as_secs);
            let interval = config.get_keepalives_interval().map(|interval| interval.as_secs());
            let idle = config.get_keepalives_idle().as_secs();
            (user, idle, interval, config.get_keepalives_retries())
        };
        assert_eq!(told("host=h"), (Some(30), 15, Some(5), Some(3)));
        let own = "keepalives_idle=7200 keepalives_interval=70 keepalives_retries=9";
        let own = format!("host=h tcp_user_timeout=0 {own}");
        assert_eq!(told(&own), (None, 7200, Some(70), Some(9)));
    }

    #[test]
    fn a_connection_is_made_in_time_whatever_the_number_of_hosts() {
        for (url, seconds) in [
            ("host=h", 5),
            ("host=a,b", 10),
            ("hostaddr=10.0.0.1,10.0.0.2,10.0.0.3", 15),
            ("host=h connect_timeout=10", 20),
        ] {
            assert_eq!(limited(url).opening, Some(Duration::from_secs(seconds)), "{url}");
        }
    }

    #[test]
    fn plain_or_encrypted_and_nothing_between() {
        let file = "sslrootcert=system";
        for (words, is_encrypted) in [
            ("host=h", false),
            ("host=h sslmode=disable", false),
            ("host=h sslmode=allow", false),
            ("host=h sslmode=prefer", false),
            ("host=h sslmode=require", true),
            ("host=h sslmode=verify-ca", true),
            ("host=h sslmode=verify-full", true),
            (&format!("host=h {file}"), true),
            (&format!("host=h sslmode=require {file}"), true),
            ("host=h sslmode=require sslnegotiation=direct", true),
            ("host=h hostaddr=127.0.0.1 sslmode=require", true),
            // As libpq has it.
            ("host=/run/postgresql sslmode=verify-full", false),
        ] {
            let target = limited(words);
            assert_eq!(target.encryption.is_some(), is_encrypted, "{words}");
            let mode = target.config.get_ssl_mode();
            let required = mode == tokio_postgres::config::SslMode::Require;
            assert_eq!(required, is_encrypted, "{words}");
        }
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        for (words, said) in [
            ("host=h sslmode=full", "sslmode=full is none of disable, prefer (not encrypted), "),
            ("host=h sslmode=''", "sslmode= is none of "),
            ("host=h sslmode=prefer sslrootcert=system", "there is nothing that sslrootcert "),
            ("host=h sslnegotiation=direct", "needs sslmode=verify-full"),
            ("host=h,/run sslmode=require", "a Unix socket is not encrypted"),
            ("hostaddr=127.0.0.1 sslmode=require", "hostaddr says where the server is, and not "),
            ("host=h sslcert=a.pem sslmode=require", "unknown option `sslcert`"),
        ] {
            let error = Target::unlimited(words).map(drop).expect_err(words);
            assert_eq!(error.state.code(), "08001", "{words}");
            assert!(error.to_string().contains(said), "{words}: {error}");
        }
    }
}
