//! Top floor, the command: scripts of SQL as `psql` reads them: statements, variables and meta commands. Imports
//! its neighbours in `sql`.

use super::place::{Parses, wrong};

/// One piece of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Statement(Sql),
    /// `\set name value`.
    Set(String, Vec<Piece>),
    /// `\unset name`.
    Unset(String),
    /// `\if … \elif … \else … \endif`: each condition with what follows it, and what is done else.
    If(Vec<(Condition, Vec<Part>)>, Vec<Part>),
    /// Statements that are sent in one message: after an error in one of them the others are left out.
    Together(Vec<Part>),
}

/// One statement, with its variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sql {
    /// Its place in the file.
    pub(super) at: usize,
    /// How long it is there.
    pub(super) length: usize,
    /// Without comments, on one line.
    pub(super) pieces: Vec<Piece>,
    /// `\gset`: what stands before the names of the columns.
    pub(super) gset: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Text(String),
    /// `:name`: a value as a literal of its type.
    Variable {
        name: String,
        at: usize,
    },
    /// `:'name'`: a value as a text.
    Quoted {
        name: String,
        at: usize,
    },
}

/// What comes after `\if` and `\elif`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    Is(bool),
    Variable {
        name: String,
        at: usize,
    },
    /// `:{?name}`: whether there is such a variable.
    IsSet(String),
}

/// A part of a file that is read from its begin to its end.
#[derive(Clone, Debug)]
pub(super) struct Reader<'t> {
    pub(super) text: &'t str,
    pub(super) at: usize,
    pub(super) end: usize,
}

impl<'t> Reader<'t> {
    pub(super) fn rest(&self) -> &'t str {
        self.text.get(self.at..self.end).unwrap_or_default()
    }

    pub(super) fn next(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(super) fn take(&mut self) -> Option<char> {
        let next = self.next()?;
        self.at += next.len_utf8();
        Some(next)
    }

    /// Passes over this, if it comes next.
    pub(super) fn takes(&mut self, what: &str) -> bool {
        let is_next = self.rest().starts_with(what);
        if is_next {
            self.at += what.len();
        }
        is_next
    }

    pub(super) fn take_while(&mut self, goes_on: impl Fn(char) -> bool) -> &'t str {
        let rest = self.rest();
        let length = rest.find(|it| !goes_on(it)).unwrap_or(rest.len());
        self.at += length;
        rest.get(..length).unwrap_or_default()
    }

    /// A name of letters, digits and underscores; empty if there is none.
    pub(super) fn word(&mut self) -> &'t str {
        match self.next() {
            Some(first) if is_first(first) => self.take_while(is_of_name),
            _ => "",
        }
    }

    /// Passes over one token of SQL: what stands between quotation marks, a comment, or a character. Says what
    /// it was.
    pub(super) fn token(&mut self) -> Parses<Token> {
        let begin = self.at;
        if self.takes("--") {
            self.take_while(|it| it != '\n');
            return Ok(Token::Comment);
        }
        if self.takes("/*") {
            let mut depth = 1;
            while depth > 0 {
                match (self.takes("*/"), self.takes("/*")) {
                    (true, _) => depth -= 1,
                    (false, true) => depth += 1,
                    (false, false) if self.take().is_none() => {
                        return wrong(begin, "the comment is not closed: `*/` is missing");
                    }
                    (false, false) => {}
                }
            }
            return Ok(Token::Comment);
        }
        if let Some(tag) = self.dollar_tag() {
            self.at += tag.len();
            let Some(length) = self.rest().find(tag) else {
                return wrong(begin, format!("the text is not closed: `{tag}` is missing"));
            };
            self.at += length + tag.len();
            return Ok(Token::Quoted);
        }
        match self.take() {
            Some(mark @ ('\'' | '"')) => {
                loop {
                    match self.take() {
                        Some(it) if it == mark => break,
                        Some(_) => {}
                        None => {
                            return wrong(
                                begin,
                                format!("the text is not closed: {mark} is missing"),
                            );
                        }
                    }
                }
                Ok(Token::Quoted)
            }
            Some(_) => Ok(Token::Character),
            None => Ok(Token::End),
        }
    }

    /// `$$` or `$tag$`.
    fn dollar_tag(&self) -> Option<&'t str> {
        let rest = self.rest().strip_prefix('$')?;
        let length = rest.find('$')?;
        let tag = rest.get(..length)?;
        let is_tag =
            tag.chars().all(is_of_name) && !tag.starts_with(|it: char| it.is_ascii_digit());
        is_tag.then(|| self.rest().get(..length + 2)).flatten()
    }
}

/// What was passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token {
    Comment,
    Quoted,
    Character,
    End,
}

fn is_first(it: char) -> bool {
    it.is_alphabetic() || it == '_'
}

pub(super) fn is_of_name(it: char) -> bool {
    it.is_alphanumeric() || it == '_'
}

/// The parts of a script.
pub(super) fn script(mut reader: Reader<'_>) -> Parses<Vec<Part>> {
    let mut parts = Vec::new();
    match parts_until(&mut reader, &mut parts)? {
        None => Ok(parts),
        Some((word, at)) => wrong(at, format!("`\\{word}` without an `\\if` before it")),
    }
}

/// Adds the parts up to the end, or to an `\elif`, `\else` or `\endif` that does not belong to an `\if` among them;
/// says which, and where it stands.
fn parts_until<'t>(
    reader: &mut Reader<'t>,
    parts: &mut Vec<Part>,
) -> Parses<Option<(&'t str, usize)>> {
    loop {
        let mut sql = statement(reader)?;
        let at = reader.at;
        if !reader.takes("\\") {
            reader.takes(";");
            match sql {
                Some(sql) if is_level_of_the_last(&sql, parts) => {}
                Some(sql) => parts.push(Part::Statement(sql)),
                None if reader.next().is_none() => return Ok(None),
                None => {}
            }
            continue;
        }
        let command = reader.word();
        if command == "gset" {
            let prefix = argument(reader).unwrap_or_default().to_owned();
            let Some(mut sql) = sql.take() else {
                let said = "no statement stands before `\\gset`: write it in place of the `;`";
                return wrong(at, said);
            };
            sql.gset = Some(prefix);
            parts.push(Part::Statement(sql));
        } else if let Some(sql) = &sql {
            let said = format!("the statement before `\\{command}` is not closed: `;` is missing");
            return wrong(sql.at, said);
        }
        match command {
            "gset" => {}
            "set" => {
                let Some(name) = argument(reader) else {
                    return wrong(at, "`\\set` needs a name and a value: `\\set id 1`");
                };
                let name = name.to_owned();
                parts.push(Part::Set(name, value(reader)?));
            }
            "unset" => match argument(reader) {
                Some(name) => parts.push(Part::Unset(name.to_owned())),
                None => return wrong(at, "`\\unset` needs the name of a variable"),
            },
            "if" => parts.push(branches(reader, at)?),
            "elif" | "else" | "endif" => return Ok(Some((command, at))),
            "echo" | "qecho" | "warn" => {
                reader.take_while(|it| it != '\n');
            }
            other => {
                let said = format!(
                    "`\\{other}` is not known here: `\\gset`, `\\set`, `\\unset`, `\\if`, `\\elif`, `\\else`, \
                     `\\endif` and `\\echo` are"
                );
                return wrong(at, said);
            }
        }
    }
}

/// Whether this is the `SET TRANSACTION` of the `BEGIN` just before it, which then has its level.
fn is_level_of_the_last(sql: &Sql, parts: &mut [Part]) -> bool {
    let ([Piece::Text(text)], Some(Part::Statement(last))) = (&sql.pieces[..], parts.last_mut())
    else {
        return false;
    };
    let [Piece::Text(begin)] = &mut last.pieces[..] else { return false };
    let plain = ["begin", "begin transaction", "begin work", "start transaction"];
    let words = text.to_ascii_lowercase();
    let is_level = words.starts_with("set transaction isolation level ")
        && plain.contains(&begin.to_ascii_lowercase().as_str());
    if is_level && let Some(level) = text.get("set transaction".len()..) {
        *begin = format!("BEGIN{level}");
    }
    is_level
}

/// What follows an `\if`.
fn branches(reader: &mut Reader<'_>, at: usize) -> Parses<Part> {
    let mut branches = Vec::new();
    let mut otherwise = Vec::new();
    let mut condition = Some(self::condition(reader)?);
    loop {
        let mut parts = Vec::new();
        let ended = parts_until(reader, &mut parts)?;
        match condition.take() {
            Some(condition) => branches.push((condition, parts)),
            None => otherwise = parts,
        }
        match ended {
            Some(("endif", _)) => return Ok(Part::If(branches, otherwise)),
            Some(("elif", _)) if otherwise.is_empty() => condition = Some(self::condition(reader)?),
            Some(("else", _)) => {}
            Some((word, at)) => return wrong(at, format!("`\\{word}` after the `\\else`")),
            None => return wrong(at, "the `\\if` is not closed: `\\endif` is missing"),
        }
    }
}

fn condition(reader: &mut Reader<'_>) -> Parses<Condition> {
    reader.take_while(|it| it == ' ' || it == '\t');
    let at = reader.at;
    let said = argument(reader).unwrap_or_default();
    if let Some(name) = said.strip_prefix(":{?").and_then(|it| it.strip_suffix('}')) {
        return Ok(Condition::IsSet(name.to_owned()));
    }
    if let Some(name) = said.strip_prefix(':') {
        return Ok(Condition::Variable { name: name.to_owned(), at });
    }
    match truth(said) {
        Some(truth) => Ok(Condition::Is(truth)),
        None => {
            let said = format!(
                "`{said}` is no condition: write `\\if :name`, where a query before it answers a truth value AS name"
            );
            wrong(at, said)
        }
    }
}

/// A truth value as `psql` reads it.
pub(super) fn truth(said: &str) -> Option<bool> {
    let said = said.to_ascii_lowercase();
    let begins = |word: &str| !said.is_empty() && word.starts_with(&said);
    if begins("true") || begins("yes") || said == "on" || said == "1" {
        return Some(true);
    }
    let is_false = begins("false") || begins("no") || said == "of" || said == "off" || said == "0";
    is_false.then_some(false)
}

/// The next word of a meta command, on its line.
fn argument<'t>(reader: &mut Reader<'t>) -> Option<&'t str> {
    reader.take_while(|it| it == ' ' || it == '\t' || it == '\r');
    let word = reader.take_while(|it| !it.is_whitespace() && it != '\\');
    (!word.is_empty()).then_some(word)
}

/// The value of a `\set`: all words to the end of the line, without quotation marks, side by side.
fn value(reader: &mut Reader<'_>) -> Parses<Vec<Piece>> {
    let mut pieces = Vec::new();
    let mut text = String::new();
    loop {
        match reader.next() {
            None | Some('\n' | '\\') => break,
            Some('\'') => {
                let begin = reader.at;
                reader.take();
                loop {
                    match reader.take() {
                        Some('\'') if reader.takes("'") => text.push('\''),
                        Some('\'') => break,
                        Some('\n') | None => {
                            return wrong(begin, "the text is not closed: ' is missing");
                        }
                        Some(it) => text.push(it),
                    }
                }
            }
            Some(':') => match variable(reader) {
                Some(variable) => {
                    push_text(&mut pieces, &mut text);
                    pieces.push(variable);
                }
                None => text.extend(reader.take()),
            },
            Some(it) => {
                reader.take();
                if !it.is_whitespace() {
                    text.push(it);
                }
            }
        }
    }
    push_text(&mut pieces, &mut text);
    Ok(pieces)
}

fn push_text(pieces: &mut Vec<Piece>, text: &mut String) {
    if !text.is_empty() {
        pieces.push(Piece::Text(std::mem::take(text)));
    }
}

/// `:name` or `:'name'`, if it comes next.
fn variable(reader: &mut Reader<'_>) -> Option<Piece> {
    let at = reader.at;
    let mut ahead = reader.clone();
    if !ahead.takes(":") {
        return None;
    }
    let is_quoted = ahead.takes("'");
    let name = ahead.take_while(is_of_name).to_owned();
    if name.is_empty() || (is_quoted && !ahead.takes("'")) {
        return None;
    }
    reader.at = ahead.at;
    Some(match is_quoted {
        true => Piece::Quoted { name, at },
        false => Piece::Variable { name, at },
    })
}

/// The next statement, up to a `;`, a meta command or the end; none if there is nothing.
fn statement(reader: &mut Reader<'_>) -> Parses<Option<Sql>> {
    let mut pieces = Vec::new();
    let mut text = String::new();
    let (mut begin, mut last) = (None, reader.at);
    loop {
        let at = reader.at;
        let previous = reader.text.get(..at).and_then(|before| before.chars().next_back());
        match reader.next() {
            None | Some(';' | '\\') => break,
            Some(':') if reader.takes("::") || reader.takes(":=") => {
                text.push_str(reader.text.get(at..reader.at).unwrap_or_default());
            }
            Some(':') if previous.is_none_or(|it| it != ':') => match variable(reader) {
                Some(variable) => {
                    push_text(&mut pieces, &mut text);
                    pieces.push(variable);
                }
                None => text.extend(reader.take()),
            },
            Some(it) if it.is_whitespace() => {
                reader.take();
                if begin.is_some() && !text.ends_with(' ') {
                    text.push(' ');
                }
                continue;
            }
            Some(_) => match reader.token()? {
                Token::Comment => {
                    if begin.is_some() && !text.ends_with(' ') {
                        text.push(' ');
                    }
                    continue;
                }
                _ => text.push_str(reader.text.get(at..reader.at).unwrap_or_default()),
            },
        }
        begin.get_or_insert(at);
        last = reader.at;
    }
    let Some(at) = begin else { return Ok(None) };
    text.truncate(text.trim_end().len());
    push_text(&mut pieces, &mut text);
    Ok(Some(Sql { at, length: last - at, pieces, gset: None }))
}
