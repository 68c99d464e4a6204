//! Top floor, the command: `sql --levels`. Imports [`check`](crate::check), [`db`](crate::db), [`report`](crate::report)
//! and its neighbours in `sql`.

use crate::check::{DEADLOCK_FREE, Examination, Finding, Verdict};
use crate::command::arguments::{Shape, Sql};
use crate::command::out::Out;
use crate::command::{AsItShould, Failure};
use crate::db::Isolation;
use crate::report::{WIDTH, json, wrapped};

use super::race::Race;
use super::{examined, is_well, unfinished};

/// Isolation levels down, properties across; whether all of them hold at each level.
pub(super) fn levels(out: &mut Out, asked: &Sql, race: &Race) -> Result<AsItShould, Failure> {
    if race.claims.is_empty() {
        return Err(Failure::Usage(format!(
            "{}: `--levels` compares properties, and the file has none",
            asked.file.display()
        )));
    }
    let mut rows = Vec::with_capacity(Isolation::ALL.len());
    for level in Isolation::ALL {
        rows.push((level, examined(asked, race, level)?));
    }
    match asked.format {
        Shape::Text => out.say(&table(race, &rows))?,
        Shape::Json => {
            for (level, examination) in &rows {
                out.line(&serde_json::json!({ "level": level.sql() }).to_string())?;
                out.say(&json::examination(examination)?)?;
            }
        }
        Shape::Mermaid => {
            for (level, examination) in &rows {
                out.line(&format!("%% {}", level.sql()))?;
                super::pictures(out, examination)?;
            }
        }
    }
    Ok(AsItShould::be_if(rows.iter().all(|(_, examination)| is_well(examination))))
}

fn table(race: &Race, rows: &[(Isolation, Examination)]) -> String {
    let names = race.claims.iter().map(|claim| &*claim.name);
    let names: Vec<&str> = std::iter::once(DEADLOCK_FREE).chain(names).collect();
    let width = Isolation::ALL.iter().map(|level| level.sql().len()).max().unwrap_or(0);
    let numbers = (1..=names.len()).map(|number| format!("{number:>4}")).collect::<String>();
    let mut told = format!("{:width$}{numbers}\n", "");
    for (level, examination) in rows {
        let marks = names.iter().map(|name| format!("{:>4}", mark(examination, name)));
        told += &format!("{:width$}{}\n", level.sql(), marks.collect::<String>());
    }
    told.push('\n');
    for (number, name) in (1..).zip(&names) {
        let finding = rows.iter().find_map(|(_, it)| found(it, name));
        let kind = finding.map_or("", |finding| finding.kind.word());
        let said = format!("{kind} {name}");
        for (position, line) in wrapped(&said, WIDTH - 4).into_iter().enumerate() {
            let number = if position == 0 { number.to_string() } else { String::new() };
            told += &format!("{number:>2}  {line}\n");
        }
    }
    let mut told_of: Vec<String> = Vec::new();
    for (level, examination) in rows {
        if let Some(why) = unfinished(examination) {
            told_of.push(format!("{}: unfinished: {why}", level.sql()));
        }
        for vacuous in &examination.vacuous {
            told_of.push(format!("{}: nothing is proved: {vacuous}", level.sql()));
        }
    }
    for said in told_of {
        told += &format!("\n{}\n", wrapped(&said, WIDTH).join("\n"));
    }
    told
}

fn found<'e>(examination: &'e Examination, name: &str) -> Option<&'e Finding> {
    examination.reports.first()?.finding(name)
}

fn mark(examination: &Examination, name: &str) -> &'static str {
    match found(examination, name).map(|finding| &finding.verdict) {
        _ if unfinished(examination).is_some() => "?",
        Some(Verdict::Holds(_)) => "✓",
        Some(Verdict::Violated(_)) => "✗",
        Some(Verdict::Unfinished(_)) | None => "?",
    }
}
