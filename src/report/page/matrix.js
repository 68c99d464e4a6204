// The matrix: a section for each case, a cell for each variant in each scenario.

/** More columns than this do not fit: then the table is turned. */
const MOST_COLUMNS = 9;

function matrixOf(index, places, addressOf) {
  const count = counted(places.length, 'system');
  const cases = index.cases;
  const legend = h('dl', { class: 'legend' },
    h('dt', {}, '✓'), h('dd', {}, 'Every property holds with every size that was checked.'),
    h('dt', {}, '✓ ∞'), h('dd', {}, 'What is counted among clients holds for any number of them, too.'),
    h('dt', {}, '✗ 2'), h('dd', {}, 'Some property breaks, and 2 is the smallest size that breaks it.'),
    h('dt', {}, '?'), h('dd', {}, 'Not decided within the limits.'),
    h('dt', {}, '–'), h('dd', {}, 'There is no such system.'));
  return [
    h('h1', { tabindex: '-1' }, 'What holds, and what breaks it'),
    h('p', {}, `Each row is one way to write a protocol. Each column is one scenario: who else acts, and what may fail. A cell is a system: ${count} in ${counted(cases.length, 'case')}. Open a cell to walk through the shortest interleaving that breaks it, or through one that holds.`),
    legend,
    cases.length > 1 ? h('nav', { 'aria-label': 'Cases' }, h('ul', { class: 'cases' }, cases.map(({ name }) => h('li', {}, h('a', { href: `#${encodeURIComponent(name)}` }, name))))) : null,
    cases.map((known) => caseSection(known, places.filter((place) => place.known === known), addressOf)),
  ].flat().filter((part) => part !== null);
}

function caseSection(known, places, addressOf) {
  const turned = known.scenarios.length > MOST_COLUMNS && known.variants.length < known.scenarios.length;
  const [across, down] = turned ? [known.variants, known.scenarios] : [known.scenarios, known.variants];
  const place = (row, column) => places.find(({ variant, scenario }) =>
    (turned ? variant === column && scenario === row : variant === row && scenario === column));
  const cell = (found) => (found === undefined ? h('td', { class: 'none' }, h('span', { 'aria-hidden': 'true' }, '–'), unseen('no such system'))
    : h('td', { class: { '✓': 'good', '✗': 'bad' }[found.mark.sign[0]] ?? 'unsure' }, h('a', {
      href: addressOf(found),
      title: found.mark.words,
      'aria-label': `${found.variant.name} in ${found.scenario.name}: ${found.mark.words}`,
      'data-cell': placeOf(found),
    }, found.mark.sign)));
  const head = (way, scope) => h('th', { scope, title: way.about }, breakable(way.name), way.origin === '' || scope === 'col' ? null : h('small', {}, way.origin));
  const explained = (ways, title) => [h('h3', {}, title), h('dl', {}, ways.flatMap(({ name, origin, about }) => [h('dt', {}, name),
    h('dd', {}, [origin, about].filter((part) => part !== '').join(': '))]))];
  return h('section', { class: 'case', id: `case-${known.name}` }, h('h2', {}, known.name), h('p', {}, known.about),
    h('table', { class: 'matrix' },
      h('caption', { class: 'unseen' }, `Verdicts of ${known.name}: ${turned ? 'scenarios down, variants across' : 'variants down, scenarios across'}; sizes are ${known.sizes}`),
      h('thead', {}, h('tr', {}, h('td', {}), across.map((way) => head(way, 'col')))),
      h('tbody', {}, down.map((row) => h('tr', {}, head(row, 'row'), across.map((column) => cell(place(row, column))))))),
    h('p', { class: 'note' }, `Sizes are ${known.sizes}.`),
    h('details', {}, h('summary', {}, 'What the names mean'), explained(known.variants, 'Variants'), explained(known.scenarios, 'Scenarios')));
}

// A link acts on the space bar, too, as the other controls of the page do.
document.addEventListener('keydown', (event) => {
  if (event.key === ' ' && event.target.matches('a[data-cell]')) {
    event.preventDefault();
    event.target.click();
  }
});
