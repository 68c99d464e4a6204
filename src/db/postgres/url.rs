//! First floor, `db`: the words of a connection URL that `tokio-postgres` does not read. Imports
//! nothing of this crate.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// A URL or libpq's words, without the parameters that are about encryption.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Split {
    /// What is left.
    pub(super) rest: String,
    /// `sslmode`, the last one.
    pub(super) mode: Option<String>,
    /// `sslrootcert`, the last one.
    pub(super) roots: Option<String>,
    /// The parameters that are left, by name.
    names: Vec<String>,
}

impl Split {
    /// Whatever makes no sense is left for others to complain of.
    pub(super) fn of(url: &str) -> Self {
        let is_url = ["postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme));
        if is_url { of_url(url) } else { of_words(url) }
    }

    /// Whether a parameter of this name is given.
    pub(super) fn has(&self, name: &str) -> bool {
        self.names.iter().any(|known| known == name)
    }

    /// Takes a parameter if it is about encryption; says whether it has.
    fn takes(&mut self, name: &str, value: Cow<'_, str>) -> bool {
        match (name, &*value) {
            ("sslmode", _) => self.mode = Some(value.into_owned()),
            ("sslrootcert", _) => self.roots = Some(value.into_owned()),
            // As JDBC has it, and libpq after it.
            ("ssl", "true") => self.mode = Some("require".to_owned()),
            _ => {
                self.names.push(name.to_owned());
                return false;
            }
        }
        true
    }
}

fn of_url(url: &str) -> Split {
    // A password may have a question mark in it, but nothing before the host an unescaped `@`.
    let host = url.find('@').map_or(0, |at| at + 1);
    let Some(query) = url[host..].find('?').map(|at| host + at) else {
        return Split { rest: url.to_owned(), ..Split::default() };
    };
    let mut split = Split::default();
    let mut kept = Vec::new();
    for parameter in url[query + 1..].split('&') {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let name = percent_decode_str(name).decode_utf8_lossy();
        if !split.takes(&name, percent_decode_str(value).decode_utf8_lossy()) {
            kept.push(parameter);
        }
    }
    split.rest = url[..query].to_owned();
    if !kept.is_empty() {
        split.rest = format!("{}?{}", split.rest, kept.join("&"));
    }
    split
}

fn of_words(words: &str) -> Split {
    let mut split = Split::default();
    let mut left = words;
    while let Some((name, value, after)) = word(left) {
        let whole = &left[..left.len() - after.len()];
        if !split.takes(name, value.into()) {
            split.rest.push_str(whole);
        }
        left = after;
    }
    split.rest.push_str(left);
    split
}

/// The first `name = value`, and what comes after it.
fn word(text: &str) -> Option<(&str, String, &str)> {
    let text = text.trim_start();
    let end = text.find(|c: char| c == '=' || c.is_whitespace()).filter(|end| *end > 0)?;
    let (name, text) = text.split_at(end);
    let text = text.trim_start().strip_prefix('=')?.trim_start();
    let is_quoted = text.starts_with('\'');
    let mut value = String::new();
    let mut characters = text.char_indices().skip(usize::from(is_quoted));
    while let Some((at, c)) = characters.next() {
        match c {
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            '\'' if is_quoted => return Some((name, value, &text[at + 1..])),
            c if c.is_whitespace() && !is_quoted => return Some((name, value, &text[at..])),
            c => value.push(c),
        }
    }
    (!is_quoted && !value.is_empty()).then_some((name, value, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn assert_split(url: &str, rest: &str, mode: Option<&str>, roots: Option<&str>) {
        let split = Split::of(url);
        let taken = (split.mode.as_deref(), split.roots.as_deref());
        assert_eq!((&*split.rest, taken), (rest, (mode, roots)), "{url}");
    }

    #[test]
    fn what_is_about_encryption_is_taken_out_of_a_url_wherever_it_stands() {
        let require = Some("require");
        for (url, rest, mode, roots) in [
            ("postgres://h/d", "postgres://h/d", None, None),
            ("postgres://h/d?sslmode=require", "postgres://h/d", require, None),
            ("postgresql://h?sslmode=require&a=b", "postgresql://h?a=b", require, None),
            ("postgres://h/d?a=b&sslmode=require&c=d", "postgres://h/d?a=b&c=d", require, None),
            ("postgres://h/d?ssl=true", "postgres://h/d", require, None),
            ("postgres://h/d?ssl%6Dode=re%71uire", "postgres://h/d", require, None),
            ("postgres://h/d?sslrootcert=%2Fa%20b.pem", "postgres://h/d", None, Some("/a b.pem")),
            ("postgres://h/d?sslmode=disable&sslmode=require", "postgres://h/d", require, None),
            // Of a name, a password, or the text of another parameter it is a part.
            ("postgres://u:?sslmode=x@h/d", "postgres://u:?sslmode=x@h/d", None, None),
            ("postgres://h/sslmode=x", "postgres://h/sslmode=x", None, None),
            ("postgres://h/d?options=sslmode=x", "postgres://h/d?options=sslmode=x", None, None),
            ("postgres://h/d?sslmode", "postgres://h/d", Some(""), None),
        ] {
            assert_split(url, rest, mode, roots);
        }
    }

    #[test]
    fn what_is_about_encryption_is_taken_out_of_words_wherever_it_stands() {
        let require = Some("require");
        for (url, rest, mode, roots) in [
            ("host=h user=u", "host=h user=u", None, None),
            ("sslmode=require host=h", " host=h", require, None),
            ("host=h sslmode = require  user=u", "host=h  user=u", require, None),
            ("host=h sslmode='require'", "host=h", require, None),
            (r"sslrootcert='/it\'s a.pem' host=h", " host=h", None, Some("/it's a.pem")),
            (r"sslrootcert=/it\ s.pem host=h", " host=h", None, Some("/it s.pem")),
            ("password='a sslmode=x' host=h", "password='a sslmode=x' host=h", None, None),
            (r"password=\ sslmode=x host=h", r"password=\ sslmode=x host=h", None, None),
            // Nonsense stays what it is.
            ("host=h sslmode=", "host=h sslmode=", None, None),
            ("host='h sslmode=x", "host='h sslmode=x", None, None),
            ("nonsense", "nonsense", None, None),
            ("=x sslmode=y", "=x sslmode=y", None, None),
            ("é=ü sslmode=require", "é=ü", require, None),
        ] {
            assert_split(url, rest, mode, roots);
        }
    }

    #[test]
    fn what_is_left_is_known_by_name() {
        for url in ["postgres://h/d?keepalives=0&sslmode=x", "host=h keepalives=0 sslmode=x"] {
            let split = Split::of(url);
            assert!(split.has("keepalives") && !split.has("sslmode") && !split.has("0"), "{url}");
        }
    }
}
