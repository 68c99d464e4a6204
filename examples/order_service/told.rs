//! An example, `order_service`: how a drive is told. Imports `drive`.

use std::fmt;

use crate::drive::{Counted, Replay, Report, Stopped, Tally};

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { counted, replay } = self;
        let Counted { vulnerable, fixed, .. } = counted;
        write!(f, "{counted}")?;
        if vulnerable.refunded_again == 0 {
            writeln!(
                f,
                "Chance did not find the race this time, which shows nothing. The proof that it is there:\n\
                 cargo run --release -- show order/check-then-update\n"
            )?;
        }
        replayed(f, replay)?;
        let verdict = match (self.is_well(), fixed.refunded_again) {
            (true, _) => "The fixed endpoint refunded every order once, and no more.",
            (false, 0) => "The fixed endpoint did not do all that it should.",
            (false, _) => "The fixed endpoint refunded an order twice.",
        };
        writeln!(f, "\n{verdict}")
    }
}

impl fmt::Display for Stopped {
    /// What was counted, if anything was; why there is no more of it is for who prints the error.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.counted.vulnerable.orders {
            0 => Ok(()),
            _ => writeln!(f, "{}That is what was counted until it stopped.", self.counted),
        }
    }
}

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counted { load, vulnerable, fixed } = self;
        writeln!(
            f,
            "{} orders for each endpoint; for each order {} signed requests to cancel it, at once.\n",
            load.rounds, load.concurrent
        )?;
        let head = ["told", "refunded", "", "", ""];
        line(f, "", head.map(str::to_owned))?;
        let head = ["\"cancelled\"", "twice or more", "money lost", "409", "errors"];
        line(f, "endpoint", head.map(str::to_owned))?;
        tally(f, "POST /vulnerable/orders/{id}/cancel", vulnerable)?;
        tally(f, "POST /orders/{id}/cancel", fixed)?;
        writeln!(f)?;
        for (name, Tally { first_error, errors, untold, .. }) in
            [("vulnerable", vulnerable), ("fixed", fixed)]
        {
            if *untold > 0 {
                writeln!(
                    f,
                    "orders that the {name} endpoint told nobody to have cancelled: {untold}"
                )?;
            }
            if let Some(error) = first_error {
                let error: String = error.chars().take(60).collect();
                writeln!(f, "errors of the {name} endpoint: {errors}, the first: {error}")?;
            }
        }
        Ok(())
    }
}

fn line(f: &mut fmt::Formatter<'_>, name: &str, cells: [String; 5]) -> fmt::Result {
    let [told, again, lost, conflicts, errors] = cells;
    let line = format!("{name:<36}{told:>12}{again:>16}{lost:>15}{conflicts:>8}{errors:>8}");
    writeln!(f, "{}", line.trim_end())
}

fn tally(f: &mut fmt::Formatter<'_>, name: &str, tally: &Tally) -> fmt::Result {
    let told = match tally.most_told {
        0 | 1 => tally.most_told.to_string(),
        most => format!("up to {most}"),
    };
    let again = format!("{} of {}", tally.refunded_again, tally.orders);
    let (conflicts, errors) = (tally.conflicts.to_string(), tally.errors.to_string());
    line(f, name, [told, again, dollars(tally.lost_cents), conflicts, errors])
}

fn replayed(f: &mut fmt::Formatter<'_>, replay: &Replay) -> fmt::Result {
    writeln!(f, "One request to cancel, recorded, and sent again byte for byte:")?;
    writeln!(f, "  {:<50}{}", "at first", replay.first)?;
    writeln!(f, "  {:<50}{}", "again", replay.again)?;
    if let Some(answer) = &replay.sibling {
        let name = "again, to another server of the same database";
        writeln!(f, "  {name:<50}{answer}")?;
    }
    writeln!(f, "  {:<50}{}", "refunds of that order", replay.order.refunds)?;
    writeln!(f, "One that was not sent yet, with one part changed:")?;
    // Alike answers are told together; they should all be.
    let mut answers: Vec<(String, Vec<&str>)> = Vec::new();
    for (part, answer) in &replay.tampered {
        let answer = answer.to_string();
        match answers.iter_mut().find(|(known, _)| *known == answer) {
            Some((_, parts)) => parts.push(part),
            None => answers.push((answer, vec![part])),
        }
    }
    for (answer, parts) in answers {
        writeln!(f, "  {}", parts.join(", "))?;
        writeln!(f, "  {:<50}{answer}", "")?;
    }
    writeln!(f, "  {:<50}{}", "refunds of that order", replay.untouched.refunds)
}

/// `$1,234.50`.
fn dollars(cents: i64) -> String {
    let whole = (cents / 100).to_string();
    let mut grouped = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("${grouped}.{:02}", cents % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_told_in_groups_of_three() {
        let told = [0, 5, 4_999, 100_000, 123_456_789].map(dollars);
        assert_eq!(told, ["$0.00", "$0.05", "$49.99", "$1,000.00", "$1,234,567.89"]);
    }
}
