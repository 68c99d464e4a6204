// An execution as a picture. The same as `report::svg` in Rust, letter by letter.

const CHARACTER = 8, LINE = 18, MARGIN = 12, GAP = 3, GUTTER = 4, WIDEST = 46;
const FONT = "ui-monospace, 'SFMono-Regular', Menlo, Consolas, 'DejaVu Sans Mono', monospace";

function lettersIn(text) { return [...text].length; }

/** Lines of at most so many letters, broken at spaces, and within a word that is longer than a line. */
function wrapped(text, width) {
  const lines = [];
  let line = '';
  for (let word of text.split(' ')) {
    if (line !== '' && lettersIn(line) + 1 + lettersIn(word) > width) {
      lines.push(line);
      line = '';
    }
    while (lettersIn(word) > width) {
      const letters = [...word];
      lines.push(letters.slice(0, width).join(''));
      word = letters.slice(width).join('');
    }
    line = line === '' ? word : `${line} ${word}`;
  }
  lines.push(line);
  return lines;
}

function escaped(text) {
  return text.replace(/[&<>"']/g, (letter) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' })[letter])
    .replace(/[\u0000-\u001f\u007f-\u009f]/g, ' ');
}

/**
 * The picture: `{ title, about, start, actors, rows: [{ number, actor, lines }], left: [[actor, text]], shares, lost,
 * notes }`.
 */
function svgOf(picture) {
  const { title, about, start, actors, rows, left, shares, lost, notes } = picture;
  const widths = actors.map((name) => lettersIn(name));
  const want = (actor, text) => { widths[actor] = Math.max(widths[actor], Math.min(WIDEST, lettersIn(text))); };
  rows.forEach(({ actor, lines }) => lines.forEach((line) => want(actor, line)));
  left.forEach(([actor, text]) => want(actor, text));
  const share = Math.max(0, ...shares.map(lettersIn));
  const columns = widths.reduce((sum, width) => sum + width + GAP, GUTTER);
  const letters = Math.max(columns + share, 40);
  const width = 2 * MARGIN + letters * CHARACTER;
  const at = (actor) => MARGIN + widths.slice(0, actor).reduce((sum, other) => sum + other + GAP, GUTTER) * CHARACTER;
  const out = [];
  let y = MARGIN;
  const text = (x, y, style, told) => out.push(`<text x="${x}" y="${y}"${style}>${escaped(told)}</text>`);
  const lines = (x, style, told) => told.forEach((line) => { y += LINE; text(x, y, style, line); });
  lines(MARGIN, ' class="head"', wrapped(title, letters));
  if (start !== null) lines(MARGIN, ' class="faint"', wrapped(start, letters));
  y += 8;
  const rule = () => out.push(`<line x1="${MARGIN}" x2="${width - MARGIN}" y1="${y}" y2="${y}"/>`);
  const end = width - MARGIN;
  y += LINE;
  actors.forEach((name, actor) => text(at(actor), y, ' class="head"', name));
  if (shares.length > 0) text(end, y, ' class="faint end"', shares[0]);
  y += 6;
  rule();
  rows.forEach(({ number, actor, lines }) => {
    const folded = lines.flatMap((line) => wrapped(line, widths[actor]));
    if (lost === number) {
      out.push(`<rect x="${MARGIN - 6}" y="${y + 2}" width="${width - 2 * MARGIN + 12}" height="${folded.length * LINE + 4}" class="lost"/>`);
    }
    const first = y + LINE;
    text(MARGIN, first, ' class="faint"', String(number));
    if (number < shares.length) text(end, first, ' class="faint end"', shares[number]);
    folded.forEach((line, index) => text(at(actor), first + index * LINE, '', line));
    y += folded.length * LINE + 6;
    rule();
  });
  if (left.length > 0) {
    let most = 0;
    left.forEach(([actor, told]) => {
      const folded = wrapped(told, widths[actor]);
      folded.forEach((line, number) => text(at(actor), y + (number + 1) * LINE, ' class="faint"', line));
      most = Math.max(most, folded.length);
    });
    y += most * LINE + 6;
  }
  y += 4;
  notes.forEach((note) => lines(MARGIN, '', wrapped(note, letters)));
  const height = y + MARGIN;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-labelledby="title about">
<title id="title">${escaped(title)}</title>
<desc id="about">${escaped(about)}</desc>
<style>text { font: 13px ${FONT}; fill: #1b1b1f; white-space: pre } .head { font-weight: 700 } .faint { fill: #5c5c66 } .end { text-anchor: end } line { stroke: #dcdce2 } .lost { fill: #fdeeea }</style>
<rect width="${width}" height="${height}" fill="#ffffff"/>
${out.join('\n')}
</svg>
`;
}
