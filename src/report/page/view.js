// What is on the page for one cell of the matrix. Text is set as text everywhere: nothing that was told is HTML.

/** An element with attributes and children; strings are text, `null` is nothing. */
function h(name, attributes, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes ?? {})) {
    if (key === 'on') Object.entries(value).forEach(([event, listener]) => element.addEventListener(event, listener));
    else if (value === true) element.setAttribute(key, '');
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(key, value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null));
  return element;
}

function unseen(text) { return h('span', { class: 'unseen' }, text); }

/** Text that may be broken after hyphens and slashes, but not within the `--` of a comment in SQL. */
function breakable(text) {
  return text.split(/(--)|(?<=[-/_.]|\w\()(?=\w)/).filter((part) => part !== undefined && part !== '').flatMap((part, at) => {
    if (part === '--') return [h('span', { class: 'whole' }, part)];
    return at === 0 ? [part] : [h('wbr'), part];
  });
}

const SIGNS = { violated: '✗', holds: '✓', unfinished: '?' };
const WORDS = { violated: 'violated', holds: 'holds', unfinished: 'undecided' };

/** The buttons that choose a property. */
function propertyChoice(cell, current, choose) {
  const button = (shown) => h('button', {
    type: 'button',
    class: `choice ${shown.verdict}`,
    'aria-pressed': String(shown === current),
    'data-property': shown.name,
    on: { click: () => choose(shown) },
  }, h('span', { class: 'sign', 'aria-hidden': 'true' }, SIGNS[shown.verdict]), ` ${shown.name} `,
  h('span', { class: 'note' }, `${shown.kind}, ${WORDS[shown.verdict]} with ${shown.size}`));
  return h('div', { class: 'choices', role: 'group', 'aria-label': 'Properties' }, cell.properties.map(button));
}

/** For more actors than this there are no columns: each row begins with the name instead. */
const MOST_ACTORS = 5;

/** The execution: columns, one an actor, one row a step. */
function stepsTable(shown, scene, execution, go) {
  const { actors, rows, shares } = execution;
  const cells = shares === null ? null : shareCells(shares);
  const lost = shares === null ? null : lostAt(shares);
  const decided = decidedAt(shown, scene, execution);
  const isListed = actors.length > MOST_ACTORS;
  const verb = shown.kind === 'reachable' ? 'reached' : 'violated';
  const share = (number) => (cells === null ? null : h('td', { class: 'share', title: shareWords(shares[number]) }, cells[number]));
  const number = (step, label) => h('th', { scope: 'row' }, h('button', {
    type: 'button', class: 'step', 'data-step': step, on: { click: () => go(step) },
  }, label));
  const marks = (step) => [
    lost === step && step > 0 ? h('span', { class: 'mark bad' }, 'lost here') : null,
    decided === step ? h('span', { class: `mark ${shown.kind === 'reachable' ? 'good' : 'bad'}` }, `${verb} here`) : null,
  ];
  /** What an actor did, in its column or behind its name. */
  const placed = (actor, content) => (isListed ? [h('td', {}, actors[actor]), h('td', {}, content)]
    : actors.map((_, other) => h('td', {}, other === actor ? content : [])));
  const row = ({ number: step, actor, call, waiting, output }) => {
    const content = [h('span', { class: 'call' }, breakable(call)),
      waiting === null ? null : h('span', { class: 'beside' }, waiting),
      output === null ? null : h('span', { class: 'output' }, '→\u00a0', breakable(output)), marks(step)];
    return h('tr', { 'data-row': step, class: lost !== null && step >= lost ? 'is-lost' : null, on: { click: () => go(step) } },
      number(step, String(step)), placed(actor, content), share(step));
  };
  const begins = execution.start === null || execution.start === '' ? 'before the first step' : execution.start;
  return h('table', { class: 'steps' },
    h('caption', { class: 'unseen' }, `The execution of ${counted(rows.length, 'step')}, ${isListed ? 'a row a step' : 'one column an actor'}`),
    h('thead', {}, h('tr', {}, h('th', { scope: 'col' }, 'step'), (isListed ? ['actor', 'what it does'] : actors).map((name) => h('th', { scope: 'col' }, name)),
      cells === null ? null : h('th', { scope: 'col', class: 'share' }, 'continuations that violate it'))),
    h('tbody', {}, h('tr', { 'data-row': 0, on: { click: () => go(0) } }, number(0, 'start'),
      h('td', { colspan: isListed ? 2 : actors.length, class: 'begins' }, begins, marks(0)), share(0)),
    shownRows(execution).map(row), rows.length === 0 ? null : leftRows(execution, isListed, cells !== null)));
}

/** Who had not ended when the execution did. */
function leftRows({ actors, left }, isListed, hasShares) {
  const share = hasShares ? h('td') : null;
  const head = () => h('th', { scope: 'row' }, unseen('in the end'));
  if (left.length === 0) return null;
  if (isListed) return left.map(([actor, text]) => h('tr', { class: 'left' }, head(), h('td', {}, actors[actor]), h('td', {}, text), hasShares ? h('td') : null));
  const told = (actor) => (left.find(([who]) => who === actor) ?? [null, ''])[1];
  return h('tr', { class: 'left' }, head(), actors.map((_, actor) => h('td', {}, told(actor))), share);
}

const CHANGES = { new: 'new', changed: 'changed', gone: 'gone' };

/** A world as tables; what changed is marked, in words as well. */
function worldTables(sections) {
  const cell = (row, index) => {
    const was = row.was === null ? null : row.was[index];
    if (was === null || was === row.cells[index]) return breakable(row.cells[index]);
    return [was === '' ? null : h('del', {}, unseen('was '), breakable(was)), was === '' ? null : ' ', row.cells[index] === '' ? h('ins', {}, 'nothing') : h('ins', {}, unseen('is '), breakable(row.cells[index]))];
  };
  const table = ({ title, columns, rows }) => h('section', { class: 'world' }, h('h3', {}, title), rows.length === 0 ? h('p', { class: 'none' }, 'none') : h('table', {},
    h('caption', { class: 'unseen' }, title),
    h('thead', {}, h('tr', {}, columns.map((column) => h('th', { scope: 'col' }, column)), h('th', { scope: 'col' }, unseen('change')))),
    h('tbody', {}, rows.map((row) => h('tr', { class: row.status === '' ? null : row.status }, columns.map((_, index) => (index === 0
      ? h('th', { scope: 'row' }, cell(row, index)) : h('td', {}, cell(row, index)))),
    h('td', { class: 'change' }, row.status === '' ? null : h('span', { class: 'mark' }, CHANGES[row.status])))))));
  return sections.map(table);
}

/** What can happen next: for each actor what it would do, or why it does nothing. */
function nextChoices(shown, scene, execution, at, take) {
  const state = execution.states[at];
  const before = execution.turns.slice(0, at);
  const taken = execution.turns[at];
  let position = 0;
  const choice = (actor, way, label) => {
    position += 1;
    const isTaken = taken !== undefined && taken.actor === actor && taken.way === way;
    const turns = [...before, { actor, way }];
    const after = scene.play(turns);
    const shares = sharesOf(shown, scene, after.states, false);
    const share = shares === null ? null : shares[shares.length - 1];
    const decides = scene.decides(shown.name, after.states[after.states.length - 1]);
    const about = [
      decides ? `${shown.name} ${shown.kind === 'reachable' ? 'is reached' : 'is violated'}` : null,
      share === null ? null : shareWords(share),
    ].filter((part) => part !== null).join('; ');
    return h('li', {}, h('button', {
      type: 'button', class: 'take', 'data-actor': actor, 'data-way': way, 'data-share': share === null ? null : ratio(share),
      'aria-keyshortcuts': position < 10 ? String(position) : null, on: { click: () => take(turns) },
    }, h('span', { class: 'who' }, scene.actors[actor]), ' ', h('span', { class: 'call' }, breakable(label)), ' ',
    h('span', { class: 'note' }, [isTaken ? 'the step shown next' : taken === undefined ? '' : 'another way', about].filter((part) => part !== '').join('; '))));
  };
  const items = scene.actors.flatMap((name, actor) => {
    const ways = scene.ways(state, actor);
    const labels = ways.map(({ label }) => resolveMarks([...execution.raw.slice(0, at), label]).pop());
    if (ways.length > 0) return ways.map((_, way) => choice(actor, way, labels[way]));
    const why = scene.hasEnded(state[1 + actor]) ? 'has ended' : standing(scene, state, actor);
    return [h('li', { class: 'none' }, h('span', { class: 'who' }, name), ` ${why}`)];
  });
  if (!scene.isKnown(state)) {
    return [h('p', { class: 'none' }, 'The page does not have what follows here: the system is too large for it.')];
  }
  return [h('ul', { class: 'next' }, items)];
}

/** What each engine did. */
function enginesTable(cell) {
  const columns = [['size', 'size'], ['engine', 'engine'], ['states', 'states'], ['executions', 'executions'], ['interleavings', 'interleavings'], ['bound', 'how far']];
  return h('div', { class: 'columns' }, h('table', { class: 'engines' }, h('caption', { class: 'unseen' }, 'What each engine explored'),
    h('thead', {}, h('tr', {}, columns.map(([, head]) => h('th', { scope: 'col' }, head)))),
    h('tbody', {}, cell.engines.map((row) => h('tr', {}, columns.map(([key], at) => h(at === 0 ? 'th' : 'td', at === 0 ? { scope: 'row' } : {}, row[key])))))));
}

/** For paper: what changed at each step. */
function printedChanges(scene, execution) {
  const world = (at) => shownWorld(scene, execution, at);
  const step = ({ number, actor, call }) => {
    const changes = changesOf(compared(world(number - 1), world(number)));
    return h('li', { value: number }, `${execution.actors[actor]}: ${call}`, h('ul', {}, changes.map((change) => h('li', {}, change))));
  };
  return h('section', { class: 'printed' }, h('h2', {}, 'Before the first step'), worldTables(compared(null, world(0))),
    h('h2', {}, 'What each step changes'), h('ol', {}, shownRows(execution).map(step)));
}
