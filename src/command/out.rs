//! Top floor, the command: what is printed, and where. Imports [`report`](crate::report) and
//! [`survey`](crate::survey).

use std::io::{ErrorKind, Write};
use std::sync::Mutex;
use std::time::Duration;

use crate::report::{WIDTH, wrapped};
use crate::survey::Progress;
use indicatif::{ProgressBar, ProgressStyle};

use super::Failure;

const ERROR: &str = "error:";

/// Standard output. Nobody reading any more is no failure: what is left is done in silence, so
/// that the exit status still tells how it came out.
pub(super) struct Out {
    stdout: anstream::Stdout,
    closed: bool,
}

impl Out {
    pub(super) fn new() -> Out {
        Out { stdout: anstream::stdout(), closed: false }
    }

    pub(super) fn say(&mut self, text: &str) -> Result<(), Failure> {
        if self.closed {
            return Ok(());
        }
        match self.stdout.write_all(text.as_bytes()).and_then(|()| self.stdout.flush()) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.closed = true;
                Ok(())
            }
            done => Ok(done?),
        }
    }

    /// Lines no wider than a screen.
    pub(super) fn wrapped(&mut self, text: &str) -> Result<(), Failure> {
        wrapped(text, WIDTH).iter().try_for_each(|line| self.line(line))
    }

    pub(super) fn line(&mut self, text: &str) -> Result<(), Failure> {
        self.say(&format!("{text}\n"))
    }
}

/// Says what went wrong, on standard error.
pub(super) fn complain(failure: &Failure) {
    let red = anstyle::AnsiColor::Red.on_default().bold();
    let said = failure.to_string();
    let lines = said.lines().flat_map(|line| wrapped(line, WIDTH - ERROR.len() - 1));
    let said = lines.collect::<Vec<_>>().join("\n  ");
    // If not even this can be said, the exit status has to do.
    let _ = writeln!(anstream::stderr(), "{red}{ERROR}{red:#} {said}");
}

/// Says something beside the point, on standard error.
pub(super) fn note(text: &str) {
    let _ = writeln!(anstream::stderr(), "{text}");
}

/// A progress bar on standard error, where that is a terminal; elsewhere nothing.
pub(super) struct Bar(Mutex<ProgressBar>);

impl Bar {
    pub(super) fn new() -> Bar {
        let bar = ProgressBar::new(0);
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len}  {wide_msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.enable_steady_tick(Duration::from_millis(120));
        Bar(Mutex::new(bar))
    }

    /// For work of which nobody knows how much it is.
    pub(super) fn spinner(what: &'static str) -> Bar {
        let bar = ProgressBar::new_spinner().with_message(what);
        bar.enable_steady_tick(Duration::from_millis(120));
        Bar(Mutex::new(bar))
    }

    fn with(&self, tell: impl FnOnce(&ProgressBar)) {
        if let Ok(bar) = self.0.lock() {
            tell(&bar);
        }
    }

    pub(super) fn survey(&self, progress: Progress) {
        self.with(|bar| {
            bar.set_length(progress.systems as u64);
            bar.set_position(progress.finished as u64);
            let size = crate::report::sized(&progress.subject, progress.size);
            bar.set_message(format!("{:?} with {size}", progress.subject));
        });
    }

    pub(super) fn doing(&self, what: String) {
        self.with(|bar| bar.set_message(what));
    }

    pub(super) fn clear(&self) {
        self.with(ProgressBar::finish_and_clear);
    }
}
