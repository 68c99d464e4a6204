//! Fourth floor: how results are printed. Imports [`check`](crate::check),
//! [`survey`](crate::survey)
//! and [`models`](crate::models).
//!
//! Texts are styled with ANSI escapes. Print them through `anstream`, which removes the escapes
//! where they are not wanted. No text is wider than [`WIDTH`] columns, except for long names.

pub mod attacks;
mod cells;
pub mod diagram;
pub mod json;
mod layout;
mod legend;
mod matrix;
pub mod merged;
pub mod mermaid;
pub mod overview;
pub mod page;
pub mod replay;
mod style;
pub mod summary;
pub mod svg;
pub mod table;

use crate::check::Interleavings;
use crate::survey::{Example, Subject};

/// The greatest width of a text, in columns.
pub const WIDTH: usize = 100;

/// `1 system`, `2 systems`.
pub fn count(number: impl std::fmt::Display, noun: &str) -> String {
    let number = number.to_string();
    let plural = if number == "1" { "" } else { "s" };
    format!("{} {noun}{plural}", grouped(&number))
}

/// Text in lines of at most so many columns, broken at spaces.
pub fn wrapped(text: &str, width: usize) -> Vec<String> {
    style::wrap(text, width).into_iter().map(|line| line.trim().to_owned()).collect()
}

/// The size of a system of this subject: `2 clients`.
pub fn sized(subject: &Subject, size: usize) -> String {
    count(size, subject.model.size().noun)
}

/// A long number with its digits in groups of three: `1,933,954`. Other text stays as it is.
pub fn grouped(number: &str) -> String {
    if !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return number.to_owned();
    }
    // Nobody counts the digits of these.
    if number.len() > 15 {
        return format!("{}.{}e{}", &number[..1], &number[1..3], number.len() - 1);
    }
    let mut out = String::new();
    for (position, digit) in number.chars().enumerate() {
        if position > 0 && (number.len() - position).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `40 of 46 interleavings`, or `executions`. Without the first number if it was not counted.
pub fn share(example: &Example) -> String {
    let all = count(&example.interleavings, example.counted);
    match violating(example) {
        Some(violating) => format!("{violating} of {all}"),
        None => all,
    }
}

/// How many of the interleavings violate it, where that was counted: `40`; or `all but 12`, where
/// the two numbers are long and would look alike.
fn violating(example: &Example) -> Option<String> {
    let violating = example.violating.as_ref()?;
    let told = grouped(&violating.to_string());
    Some(match &example.interleavings {
        Interleavings::Exactly(all) if violating < all && told == grouped(&all.to_string()) => {
            format!("all but {}", grouped(&(all - violating).to_string()))
        }
        _ => told,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_numbers_can_be_read() {
        assert_eq!(grouped("999"), "999");
        assert_eq!(grouped("1933954"), "1,933,954");
        assert_eq!(grouped("1234567890123456"), "1.23e15");
        assert_eq!(grouped("infinite"), "infinite");
        assert_eq!(count(1, "system"), "1 system");
        assert_eq!(count(1000, "step"), "1,000 steps");
    }
}
