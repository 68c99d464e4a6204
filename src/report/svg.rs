//! Fourth floor, `report`: an execution as a picture for a page that is not ours: a review, an issue. Imports
//! [`check`](crate::check).
//!
//! It is on white, whatever is around it, and its text is text: it can be searched and read aloud. The HTML page
//! draws the same (`page/svg.js`); a test compares the two.

use std::fmt::Write;

use crate::check::{Lost, NoReturn, Trace, TraceStep, Unfinished, lost_cells, lost_lines};

/// The width of a letter, and the height of a line.
const CHARACTER: usize = 8;
const LINE: usize = 18;
const MARGIN: usize = 12;
/// Letters between columns, and before the first.
const GAP: usize = 3;
const GUTTER: usize = 4;
/// Longer lines of a column are broken.
const WIDEST: usize = 46;
/// No picture is narrower, in letters.
const NARROWEST: usize = 40;
const STYLE: &str = "text { font: 13px ui-monospace, 'SFMono-Regular', Menlo, Consolas, 'DejaVu Sans Mono', \
                     monospace; fill: #1b1b1f; white-space: pre } .head { font-weight: 700 } .faint { fill: \
                     #5c5c66 } .end { text-anchor: end } line { stroke: #dcdce2 } .lost { fill: #fdeeea }";

/// What is drawn.
struct Picture<'t> {
    title: &'t str,
    start: Option<&'t str>,
    actors: &'t [String],
    /// The number of the step, who stepped, and what stands there.
    rows: Vec<(usize, usize, Vec<String>)>,
    /// Who had not ended.
    left: Vec<(usize, String)>,
    /// Before the first step and after each, as far as it is not lost.
    shares: Vec<String>,
    /// The step at which it is lost.
    lost: Option<usize>,
    notes: Vec<String>,
}

/// The execution as columns, one an actor, one row a step; below, what it comes to. `title` says of which
/// system.
pub fn svg(trace: &Trace, title: &str, closing: &str) -> String {
    let rows = trace.shown().map(|(number, step)| (number, step.actor, told(trace, step)));
    let left = trace.unfinished.iter().map(|left| (left.actor, unfinished(trace, left))).collect();
    let lines = trace.end.iter().flat_map(|end| end.lines().map(str::to_owned));
    let notes = lines.chain(lost_lines(&trace.lost)).chain([closing.to_owned()]).collect();
    let lost = trace.lost.first().and_then(Lost::no_return).and_then(|lost| match lost {
        NoReturn::AtStep(step) => Some(step),
        NoReturn::BeforeTheFirst => None,
    });
    let picture = Picture {
        title,
        start: trace.start.as_deref().filter(|start| !start.is_empty()),
        actors: &trace.actors,
        rows: rows.collect(),
        left,
        shares: lost_cells(&trace.lost),
        lost,
        notes,
    };
    picture.drawn(closing)
}

/// What stands in the row of a step.
fn told(trace: &Trace, step: &TraceStep) -> Vec<String> {
    let waiting = step.waits_for.as_ref().map(|them| format!("⋯ waits for {}", trace.names(them)));
    let ending = step.output.as_ref().map(|output| format!("→ {output}"));
    [Some(trace.call(step)), waiting, ending].into_iter().flatten().collect()
}

fn unfinished(trace: &Trace, left: &Unfinished) -> String {
    match (left.waits, &left.waits_for) {
        (false, _) => "⋯ had not finished".to_owned(),
        (true, None) => "⋯ waits".to_owned(),
        (true, Some(nobody)) if nobody.is_empty() => "⋯ waits for nobody".to_owned(),
        (true, Some(them)) => format!("⋯ waits for {}", trace.names(them)),
    }
}

/// The lines of a picture, from above.
struct Drawing {
    out: Vec<String>,
    y: usize,
}

impl Drawing {
    fn text(&mut self, x: usize, y: usize, style: &str, told: &str) {
        self.out.push(format!("<text x=\"{x}\" y=\"{y}\"{style}>{}</text>", escaped(told)));
    }

    fn lines(&mut self, style: &str, told: Vec<String>) {
        for line in told {
            self.y += LINE;
            self.text(MARGIN, self.y, style, &line);
        }
    }

    fn rule(&mut self, width: usize) {
        let (y, end) = (self.y, width - MARGIN);
        self.out.push(format!("<line x1=\"{MARGIN}\" x2=\"{end}\" y1=\"{y}\" y2=\"{y}\"/>"));
    }
}

impl Picture<'_> {
    /// How wide each column is, in letters.
    fn widths(&self) -> Vec<usize> {
        let mut widths: Vec<usize> = self.actors.iter().map(|name| letters(name)).collect();
        let rows =
            self.rows.iter().flat_map(|(_, actor, lines)| lines.iter().map(|it| (*actor, it)));
        let left = self.left.iter().map(|(actor, text)| (*actor, text));
        for (actor, text) in rows.chain(left) {
            if let Some(width) = widths.get_mut(actor) {
                *width = letters(text).min(WIDEST).max(*width);
            }
        }
        widths
    }

    fn drawn(&self, about: &str) -> String {
        let widths = self.widths();
        let share = self.shares.iter().map(|cell| letters(cell)).max().unwrap_or(0);
        let columns: usize = GUTTER + widths.iter().map(|width| width + GAP).sum::<usize>();
        let across = (columns + share).max(NARROWEST);
        let width = 2 * MARGIN + across * CHARACTER;
        let mut drawing = Drawing { out: Vec::new(), y: MARGIN };
        drawing.lines(" class=\"head\"", wrapped(self.title, across));
        if let Some(start) = self.start {
            drawing.lines(" class=\"faint\"", wrapped(start, across));
        }
        drawing.y += 8;
        self.draw_rows(&mut drawing, &widths, width);
        self.draw_left(&mut drawing, &widths);
        drawing.y += 4;
        for note in &self.notes {
            drawing.lines("", wrapped(note, across));
        }
        let height = drawing.y + MARGIN;
        let mut out = String::new();
        let _ = write!(
            out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
             width=\"{width}\" height=\"{height}\" role=\"img\" aria-labelledby=\"title about\">\n\
             <title id=\"title\">{}</title>\n<desc id=\"about\">{}</desc>\n<style>{STYLE}</style>\n\
             <rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>\n{}\n</svg>\n",
            escaped(self.title),
            escaped(about),
            drawing.out.join("\n")
        );
        out
    }

    fn draw_rows(&self, drawing: &mut Drawing, widths: &[usize], width: usize) {
        let end = width - MARGIN;
        drawing.y += LINE;
        for (actor, name) in self.actors.iter().enumerate() {
            drawing.text(at(widths, actor), drawing.y, " class=\"head\"", name);
        }
        if let Some(share) = self.shares.first() {
            drawing.text(end, drawing.y, " class=\"faint end\"", share);
        }
        drawing.y += 6;
        drawing.rule(width);
        for (number, actor, lines) in &self.rows {
            let folded =
                |line: &String| wrapped(line, widths.get(*actor).copied().unwrap_or(WIDEST));
            let folded: Vec<String> = lines.iter().flat_map(folded).collect();
            if self.lost == Some(*number) {
                let (x, y) = (MARGIN - 6, drawing.y + 2);
                let (width, height) = (width - 2 * MARGIN + 12, folded.len() * LINE + 4);
                drawing.out.push(format!(
                    "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" class=\"lost\"/>"
                ));
            }
            let first = drawing.y + LINE;
            drawing.text(MARGIN, first, " class=\"faint\"", &number.to_string());
            if let Some(share) = self.shares.get(*number) {
                drawing.text(end, first, " class=\"faint end\"", share);
            }
            for (line, text) in folded.iter().enumerate() {
                drawing.text(at(widths, *actor), first + line * LINE, "", text);
            }
            drawing.y += folded.len() * LINE + 6;
            drawing.rule(width);
        }
    }

    fn draw_left(&self, drawing: &mut Drawing, widths: &[usize]) {
        let mut most = None;
        for (actor, told) in &self.left {
            let folded = wrapped(told, widths.get(*actor).copied().unwrap_or(WIDEST));
            for (line, text) in (1..).zip(&folded) {
                drawing.text(at(widths, *actor), drawing.y + line * LINE, " class=\"faint\"", text);
            }
            most = most.max(Some(folded.len()));
        }
        drawing.y += most.map_or(0, |most| most * LINE + 6);
    }
}

/// Where a column begins.
fn at(widths: &[usize], actor: usize) -> usize {
    let before = widths.iter().take(actor).map(|width| width + GAP).sum::<usize>();
    MARGIN + (GUTTER + before) * CHARACTER
}

fn letters(text: &str) -> usize {
    text.chars().count()
}

/// Lines of at most so many letters, broken at spaces, and within a word that is longer than a line.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let (mut lines, mut line) = (Vec::new(), String::new());
    for word in text.split(' ') {
        let mut word = word.to_owned();
        if !line.is_empty() && letters(&line) + 1 + letters(&word) > width {
            lines.push(std::mem::take(&mut line));
        }
        while letters(&word) > width.max(1) {
            let rest: String = word.chars().skip(width.max(1)).collect();
            lines.push(word.chars().take(width.max(1)).collect());
            word = rest;
        }
        line = if line.is_empty() { word } else { format!("{line} {word}") };
    }
    lines.push(line);
    lines
}

/// Text that is text inside of XML, on one line.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            control if control.is_control() => out.push(' '),
            letter => out.push(letter),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Share;

    fn trace() -> Trace {
        let share =
            |violating: u32, all: u32| Share { violating: violating.into(), all: all.into() };
        Trace {
            start: None,
            actors: vec!["client 1".into(), "client 2".into()],
            steps: vec![
                TraceStep::new(0, "read = \"<a & b>\""),
                TraceStep { output: Some("mine".into()), ..TraceStep::new(1, "take = ok") },
            ],
            unfinished: vec![Unfinished { actor: 0, waits: true, waits_for: Some(vec![1]) }],
            end: None,
            lost: vec![Lost {
                property: "one".into(),
                shares: vec![share(1, 3), share(1, 2), share(1, 1)],
            }],
        }
    }

    #[test]
    fn a_picture_has_its_text_as_text_and_says_where_it_is_lost() {
        let drawn = svg(&trace(), "shelf/take", "one violated after 2 steps");
        for part in [
            "<title id=\"title\">shelf/take</title>",
            "<desc id=\"about\">one violated after 2 steps</desc>",
            ">read = &quot;&lt;a &amp; b&gt;&quot;</text>",
            ">→ mine</text>",
            ">⋯ waits for client 2</text>",
            ">1/3</text>",
            ">all</text>",
            "class=\"lost\"",
            ">lost at step 2: before it 1 of 2",
        ] {
            assert!(drawn.contains(part), "{part}: {drawn}");
        }
        assert!(drawn.starts_with("<svg xmlns=") && drawn.ends_with("</svg>\n"));
    }

    #[test]
    fn a_question_that_is_answered_no_has_no_row_and_the_numbers_stay() {
        let labels = ["is it killed? no", "take", "is it killed? yes"];
        let steps = labels.map(|label| TraceStep::new(0, label)).into();
        let drawn = svg(&Trace { steps, lost: Vec::new(), ..trace() }, "shelf/take", "done");
        assert!(!drawn.contains("killed? no") && drawn.contains(">is it killed? yes</text>"));
        let number = |number: usize| format!(" class=\"faint\">{number}</text>");
        assert!(!drawn.contains(&number(1)) && drawn.contains(&number(2)), "{drawn}");
        assert!(drawn.contains(&number(3)), "{drawn}");
    }

    #[test]
    fn long_lines_are_broken_at_spaces_and_long_words_anywhere() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("abcdefghij", 4), ["abcd", "efgh", "ij"]);
        assert_eq!(wrapped("", 4), [""]);
    }
}
