//! Top floor, the command: the files of `sql`: PostgreSQL's isolation tests, and the plain form. Imports its
//! neighbours in `sql`.

use super::place::{Parses, Wrong, wrong};
use super::statements::{Part, Reader, Sql, is_of_name, script};

/// What a file says.
#[derive(Clone, Debug, Default)]
pub(super) struct File {
    pub(super) setup: Vec<Sql>,
    pub(super) sessions: Vec<Session>,
    pub(super) claims: Vec<Claim>,
    /// How many permutations it lists.
    pub(super) permutations: usize,
    /// How many of them are no order of all steps: they leave some out, or have some twice.
    pub(super) partial: usize,
    /// Whether one of them says which step waits for which.
    pub(super) has_blockers: bool,
}

/// A session, or several that run the same.
#[derive(Clone, Debug)]
pub(super) struct Session {
    pub(super) name: String,
    /// How many of them; none where the file does not say.
    pub(super) count: Option<usize>,
    /// What it does before anybody else does anything.
    pub(super) setup: Vec<Part>,
    pub(super) script: Vec<Part>,
    /// The names of its steps.
    pub(super) steps: Vec<String>,
}

impl Session {
    /// Whether these steps have all of this session's in their order, and each once.
    fn is_whole_in(&self, steps: &[String]) -> bool {
        self.steps.iter().eq(steps.iter().filter(|step| self.steps.contains(step)))
    }
}

/// A property.
#[derive(Clone, Debug)]
pub(super) struct Claim {
    pub(super) kind: Kind,
    pub(super) query: Sql,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Never,
    Always,
    Finally,
    FinallyNever,
    Reachable,
}

impl Kind {
    /// As it is written, the longer before what it begins with.
    const ALL: [(&'static str, Kind); 5] = [
        ("finally never", Kind::FinallyNever),
        ("never", Kind::Never),
        ("always", Kind::Always),
        ("finally", Kind::Finally),
        ("reachable", Kind::Reachable),
    ];
}

const ITEMS: &str = "`setup`, `session`, `teardown`, `permutation`, or a property (`never:`, `always:`, `finally:`, \
                     `finally never:`, `reachable:`)";

/// Reads a file.
pub(super) fn file(text: &str) -> Parses<File> {
    let mut file = File::default();
    let mut reader = Reader { text, at: 0, end: text.len() };
    loop {
        reader.blanks()?;
        let at = reader.at;
        if reader.next().is_none() {
            break;
        }
        if let Some(kind) = reader.claim() {
            let query = reader.query()?;
            file.claims.push(Claim { kind, query });
            continue;
        }
        match reader.word() {
            "setup" => file.setup.extend(only_sql(reader.script()?, at)?),
            "teardown" => {
                // Nobody is left to see it.
                reader.block()?;
            }
            "session" => {
                let session = reader.session()?;
                if file.sessions.iter().any(|known| known.name == session.name) {
                    return wrong(at, format!("there is a session `{}` already", session.name));
                }
                file.sessions.push(session);
            }
            "permutation" => {
                let (steps, has_blockers) = reader.permutation()?;
                file.permutations += 1;
                file.partial +=
                    usize::from(!file.sessions.iter().all(|session| session.is_whole_in(&steps)));
                file.has_blockers |= has_blockers;
            }
            other => return wrong(at, unknown(other, reader.rest())),
        }
    }
    if file.sessions.is_empty() {
        let said = "there is no session: write one, as in `session redeem * 2 { … }`";
        return wrong(text.trim_end().len(), said);
    }
    Ok(file)
}

/// Why a line is none of a file.
fn unknown(word: &str, rest: &str) -> String {
    let line = rest.lines().next().unwrap_or_default();
    let of_words = |it: &str| it.len() < 12 && it.chars().all(|it| it.is_alphabetic() || it == ' ');
    let said = match line.split_once(':').filter(|(more, _)| of_words(more)) {
        _ if word.is_empty() => "this is not understood".to_owned(),
        Some((more, _)) => format!("there is no property `{word}{more}:`"),
        None => format!("`{word}` is not understood"),
    };
    format!("{said}: expected {ITEMS}")
}

/// The statements of a setup that begins here.
fn only_sql(parts: Vec<Part>, begin: usize) -> Parses<Vec<Sql>> {
    let sql = parts.into_iter().map(|part| match part {
        Part::Statement(Sql { at, gset: Some(_), .. }) => {
            wrong(at, "`\\gset` stands in a setup, which has no variables")
        }
        Part::Statement(sql) => Ok(sql),
        _ => wrong(begin, "a setup has statements alone, and no meta commands"),
    });
    sql.collect()
}

impl<'t> Reader<'t> {
    /// Passes over blanks and comments.
    fn blanks(&mut self) -> Parses<()> {
        loop {
            self.take_while(char::is_whitespace);
            let rest = self.rest();
            if rest.starts_with('#') {
                self.take_while(|it| it != '\n');
            } else if rest.starts_with("--") || rest.starts_with("/*") {
                self.token()?;
            } else {
                return Ok(());
            }
        }
    }

    /// Which property begins here, if one does.
    fn claim(&mut self) -> Option<Kind> {
        Kind::ALL.iter().find_map(|(words, kind)| {
            let mut ahead = self.clone();
            for word in words.split(' ') {
                ahead.take_while(|it| it == ' ' || it == '\t');
                if ahead.word() != word {
                    return None;
                }
            }
            ahead.take_while(|it| it == ' ' || it == '\t');
            let is_claim = ahead.takes(":");
            if is_claim {
                self.at = ahead.at;
            }
            is_claim.then_some(*kind)
        })
    }

    /// A query: to the end of the line, or to a `;` on a later one.
    fn query(&mut self) -> Parses<Sql> {
        let begin = self.at;
        let mut ahead = self.clone();
        let mut end = None;
        // Whether a `;` comes before anything else of a file.
        loop {
            let at = ahead.at;
            match ahead.next() {
                Some(';') => {
                    end = Some(at);
                    break;
                }
                Some('\n') => {
                    end.get_or_insert(at);
                    ahead.take();
                    if ahead.begins_an_item() {
                        break;
                    }
                }
                Some(_) => {
                    ahead.token()?;
                }
                None => {
                    end.get_or_insert(at);
                    break;
                }
            }
        }
        let end = end.unwrap_or(begin);
        let mut parts = script(Reader { text: self.text, at: begin, end })?;
        self.at = end;
        self.takes(";");
        match (parts.pop(), parts.len()) {
            (Some(Part::Statement(sql)), 0) if sql.gset.is_none() => Ok(sql),
            _ => wrong(begin, "a query is missing: `never: SELECT … FROM … WHERE …`"),
        }
    }

    /// Whether the line that begins here is blank, a comment of the file, or another item.
    fn begins_an_item(&self) -> bool {
        let mut ahead = self.clone();
        ahead.take_while(|it| it == ' ' || it == '\t' || it == '\r');
        if matches!(ahead.next(), None | Some('\n' | '#')) || ahead.clone().claim().is_some() {
            return true;
        }
        ["setup", "teardown", "session", "permutation", "step"].contains(&ahead.word())
    }

    /// What stands between `{` and `}`.
    fn block(&mut self) -> Parses<Reader<'t>> {
        self.blanks()?;
        let open = self.at;
        if !self.takes("{") {
            return wrong(open, "expected `{`");
        }
        let begin = self.at;
        loop {
            let at = self.at;
            match self.next() {
                Some('}') => {
                    self.take();
                    return Ok(Reader { text: self.text, at: begin, end: at });
                }
                // Whether there is a variable.
                Some(':') if self.takes(":{?") => {
                    self.take_while(|it| it != '}' && it != '\n');
                    self.takes("}");
                }
                Some(_) => {
                    self.token()?;
                }
                None => return wrong(open, "the block is not closed: `}` is missing"),
            }
        }
    }

    fn script(&mut self) -> Parses<Vec<Part>> {
        script(self.block()?)
    }

    /// A name, quoted or not.
    fn name(&mut self, of: &str) -> Parses<String> {
        self.blanks()?;
        let at = self.at;
        if self.takes("\"") {
            let name = self.take_while(|it| it != '"' && it != '\n').to_owned();
            return match self.takes("\"") {
                true => Ok(name),
                false => wrong(at, "the name is not closed: \" is missing"),
            };
        }
        match self.take_while(|it| is_of_name(it) || it == '-' || it == '.') {
            "" => wrong(at, format!("expected the name of a {of}")),
            name => Ok(name.to_owned()),
        }
    }

    fn session(&mut self) -> Parses<Session> {
        let name = self.name("session")?;
        self.blanks()?;
        let mut count = None;
        if self.takes("*") {
            self.blanks()?;
            let at = self.at;
            let digits = self.take_while(|it| it.is_ascii_digit());
            count = Some(match digits.parse::<usize>() {
                Ok(count @ 1..) => count,
                _ => return wrong(at, "expected how many sessions run this: `session redeem * 2`"),
            });
            self.blanks()?;
        }
        let (mut setup, mut script) = (Vec::new(), Vec::new());
        if self.next() == Some('{') {
            script = self.script()?;
            return Ok(Session { name, count, setup, script, steps: Vec::new() });
        }
        let begin = self.at;
        let mut end = Vec::new();
        let mut steps = Vec::new();
        loop {
            self.blanks()?;
            let before = self.at;
            match self.word() {
                "setup" if steps.is_empty() => setup.push(together(self.script()?)),
                "step" => {
                    steps.push(self.name("step")?);
                    script.push(together(self.script()?));
                }
                "teardown" if !steps.is_empty() => end.push(together(self.script()?)),
                _ => {
                    self.at = before;
                    break;
                }
            }
        }
        if steps.is_empty() {
            let said = format!(
                "the session `{name}` has no step: write `step NAME {{ … }}`, or `{{ … }}`"
            );
            return wrong(begin, said);
        }
        script.extend(end);
        Ok(Session { name, count, setup, script, steps })
    }

    /// Its steps, and whether it says which of them waits for which.
    fn permutation(&mut self) -> Parses<(Vec<String>, bool)> {
        let mut steps = Vec::new();
        let mut has_blockers = false;
        loop {
            self.blanks()?;
            let mut ahead = self.clone();
            let is_item = ahead.claim().is_some()
                || ["permutation", "session", "setup", "teardown"].contains(&ahead.word());
            let is_name = self.next().is_some_and(|it| is_of_name(it) || it == '"');
            if is_item || !is_name {
                return Ok((steps, has_blockers));
            }
            steps.push(self.name("step")?);
            self.take_while(|it| it == ' ' || it == '\t');
            if self.next() == Some('(') {
                has_blockers = true;
                let at = self.at;
                self.take_while(|it| it != ')' && it != '\n');
                if !self.takes(")") {
                    return Err(Wrong { at, said: "`)` is missing".to_owned() });
                }
            }
        }
    }
}

/// What one message has.
fn together(parts: Vec<Part>) -> Part {
    Part::Together(parts)
}

#[cfg(test)]
mod tests {
    use super::super::psql::filled;
    use super::*;

    fn statements(parts: &[Part]) -> Vec<String> {
        let told = parts.iter().flat_map(|part| match part {
            Part::Statement(sql) => vec![filled(&sql.pieces, |_| None)],
            Part::Together(parts) => statements(parts),
            other => vec![format!("{other:?}")],
        });
        told.collect()
    }

    #[test]
    fn an_isolation_test_is_read() {
        let text = "# a test\nsetup { CREATE TABLE t (x int); }\nsetup\n{\n  INSERT INTO t VALUES (1) }\n\
                    teardown { DROP TABLE t; }\nsession \"s 1\"\nsetup { BEGIN; }\n# more\n\
                    step s1a { SELECT '}' -- not here }\n ; SELECT 2 }\nstep \"s1b\" { COMMIT; }\n\
                    teardown { ROLLBACK; }\nsession s2\nstep s2a { SELECT 3; }\n\
                    permutation s1a s1b(*) \"s2a\"(s1a, other notices 2)\npermutation s2a s1b\n s1a\n";
        let file = file(text).unwrap();
        assert_eq!(file.setup.len(), 2);
        let [one, two] = &file.sessions[..] else { panic!("{:?}", file.sessions) };
        assert_eq!((&*one.name, &*two.name), ("s 1", "s2"));
        assert_eq!(statements(&one.setup), ["BEGIN"]);
        assert_eq!(statements(&one.script), ["SELECT '}'", "SELECT 2", "COMMIT", "ROLLBACK"]);
        assert_eq!(statements(&two.script), ["SELECT 3"]);
        assert_eq!((file.permutations, file.partial, file.has_blockers), (2, 1, true));
    }

    #[test]
    fn a_plain_file_is_read() {
        let text = "session a * 3 {\n  BEGIN; SET TRANSACTION ISOLATION LEVEL SERIALIZABLE;\n\
                    SELECT x::text, :y, ':z' /* no */ FROM t\n \\gset p_\n}\n\
                    never: SELECT 1 FROM t\nfinally never:\n  SELECT ';'\n  FROM t;\nalways: SELECT 3";
        let file = file(text).unwrap();
        let [one] = &file.sessions[..] else { panic!("{:?}", file.sessions) };
        assert_eq!(one.count, Some(3));
        let begin = "BEGIN ISOLATION LEVEL SERIALIZABLE";
        assert_eq!(statements(&one.script), [begin, "SELECT x::text, :y, ':z' FROM t"]);
        let Some(Part::Statement(sql)) = one.script.last() else { panic!("{:?}", one.script) };
        assert_eq!(sql.gset.as_deref(), Some("p_"));
        let claims: Vec<(Kind, String)> = file
            .claims
            .iter()
            .map(|claim| (claim.kind, filled(&claim.query.pieces, |_| None)))
            .collect();
        let claim = |kind, text: &str| (kind, text.to_owned());
        assert_eq!(
            claims,
            [
                claim(Kind::Never, "SELECT 1 FROM t"),
                claim(Kind::FinallyNever, "SELECT ';' FROM t"),
                claim(Kind::Always, "SELECT 3"),
            ]
        );
    }
}
