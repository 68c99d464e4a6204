// The page: where one is, by the address; and how one gets elsewhere.

const index = JSON.parse(document.getElementById('index').textContent);
const packed = document.getElementById('cells').textContent.trim().split('\n');
const main = document.getElementById('main');
const live = document.getElementById('live');
const opened = new Map();
/** What is shown: the cell's place, the property, the scene, the execution and the step; `null` for the matrix. */
let here = null;
/** How many times something was drawn. */
let drawing = 0;
/** The address of the step that is shown, as long as it is not in the address bar. */
let later = null;

/** All cells with their places, in the order in which they are packed. */
const places = index.cases.flatMap((known) => known.cells.map((mark) => ({
  known,
  mark,
  variant: known.variants[mark.variant],
  scenario: known.scenarios[mark.scenario],
})));

async function unpacked(number) {
  if (!opened.has(number)) {
    const bytes = Uint8Array.from(atob(packed[number]), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate-raw'));
    const cell = await new Response(stream).json();
    opened.set(number, { cell, scenes: cell.scenes.map((told) => new Scene(told)) });
  }
  return opened.get(number);
}

function placeOf({ known, variant, scenario }) { return [known.name, variant.name, scenario.name].join('/'); }

function addressOf(place, property, turns, step) {
  const path = [place.known.name, place.variant.name, place.scenario.name].map(encodeURIComponent).join('/');
  if (property === undefined) return `#${path}`;
  const schedule = turns.map(({ actor, way }) => (way === 0 ? `${actor}` : `${actor}:${way}`)).join('.');
  return `#${path}?property=${encodeURIComponent(property)}&schedule=${schedule}&step=${step}`;
}

function addressed(hash) {
  const [path, query] = hash.slice(1).split('?');
  const names = path.split('/').map((name) => { try { return decodeURIComponent(name); } catch { return name; } });
  const parameters = new URLSearchParams(query ?? '');
  const schedule = parameters.get('schedule');
  const turns = schedule === null ? null : schedule.split('.').filter((turn) => /^\d+(:\d+)?$/.test(turn)).map((turn) => {
    const [actor, way] = turn.split(':').map(Number);
    return { actor, way: way ?? 0 };
  });
  return { names, property: parameters.get('property'), turns, step: Number.parseInt(parameters.get('step') ?? '0', 10) || 0 };
}

/** Shows what the address says; or why it cannot be shown. */
async function show(hash = location.hash) {
  try {
    await draw(hash);
  } catch (error) {
    here = null;
    main.replaceChildren(h('h1', {}, 'This cannot be shown'), h('p', { role: 'alert' }, `${error}. The file may be damaged, or the browser too old: it takes DecompressionStream.`), h('p', {}, h('a', { href: '#' }, 'All cases')));
  }
}

async function draw(hash) {
  drawing += 1;
  const turn = drawing;
  const { names, property, turns, step } = addressed(hash);
  const number = places.findIndex(({ known, variant, scenario }) =>
    known.name === names[0] && variant.name === names[1] && scenario.name === names[2]);
  if (number < 0) {
    showMatrix(names);
    return;
  }
  const { cell, scenes } = await unpacked(number);
  // Somebody went elsewhere meanwhile.
  if (turn !== drawing) return;
  const shown = cell.properties.find(({ name }) => name === property)
    ?? cell.properties.find(({ verdict }) => verdict === 'violated')
    // Of what holds, that which something can be seen of: a state that is reached.
    ?? cell.properties.find(({ schedule }) => schedule !== null)
    ?? cell.properties.find(({ name }) => name !== DEADLOCK_FREE) ?? cell.properties[0];
  const scene = shown.scene === null ? null : scenes[shown.scene];
  const isSameCell = here !== null && here.number === number;
  const isNew = !isSameCell || here.shown !== shown;
  const execution = executionOf(shown, scene, turns ?? turnsOf(shown));
  here = { number, place: places[number], cell, shown, scene, execution, at: 0 };
  here.at = Math.max(0, Math.min(step, execution.rows.length));
  if (isNew) buildCell();
  if (hasExecution()) {
    drawExecution();
    drawStep(isNew);
  }
  // The focus is where one goes on: at the property that was chosen, or at the beginning.
  if (isNew) main.querySelector(isSameCell ? '.choice[aria-pressed="true"]' : 'h1').focus({ preventScroll: true });
}

/** Whether there is something to walk through: of threads there may be a verdict alone. */
function hasExecution() { return here.scene !== null || here.shown.trace !== null; }

function push(address) {
  settle();
  history.pushState(null, '', address);
  return show();
}

/** Puts the step that is shown into the address bar. */
function settle() {
  if (later === null) return;
  clearTimeout(later.timer);
  history.replaceState(null, '', later.address);
  later = null;
}

/** The same in a moment: a browser takes so many addresses a second, and a key that is held down has more steps. */
function settleSoon(address) {
  if (later !== null) clearTimeout(later.timer);
  later = { address, timer: setTimeout(settle, 100) };
}

function choose(shown) { return push(addressOf(here.place, shown.name, turnsOf(shown), 0)); }

function take(turns) { return push(addressOf(here.place, here.shown.name, along(turns), turns.length)); }

/** These turns, and what follows in the execution shown, where they are a part of it. */
function along(turns) {
  return sameTurns(turns, here.execution.turns, turns.length) ? here.execution.turns : turns;
}

function go(step) {
  const { execution } = here;
  const shown = new Set(shownRows(execution).map(({ number }) => number)).add(0);
  let at = Math.max(0, Math.min(step, execution.rows.length));
  // What the picture leaves out, one walks past. It leaves out neither end.
  while (!shown.has(at)) at += step < here.at ? -1 : 1;
  if (at === here.at) return;
  here.at = at;
  settleSoon(addressOf(here.place, here.shown.name, execution.turns, at));
  drawStep(false);
}

function save() {
  const { place, shown, scene, execution } = here;
  const name = [place.known.name, place.variant.name, place.scenario.name, shown.name].join('-').replaceAll(/[^\w.-]+/g, '-');
  const link = h('a', { href: URL.createObjectURL(new Blob([pictureOf(titleOf(), shown, scene, execution)], { type: 'image/svg+xml' })), download: `${name}.svg` });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

function titleOf() {
  const { place, shown } = here;
  return `${place.known.name}/${place.variant.name} · ${place.scenario.name} · ${shown.size}`;
}

/** The parts of the cell's page that are drawn anew while one walks through it. */
let parts = {};

function buildCell() {
  const { place, cell, shown, scene } = here;
  const control = (name, label, keys, act) => h('button', { type: 'button', class: 'control', id: name, 'aria-keyshortcuts': keys, on: { click: act } }, label);
  parts = {
    status: h('p', { class: 'status', id: 'status' }),
    steps: h('div', { class: 'columns' }),
    next: h('div', { class: 'choices-next' }),
    world: h('div', { class: 'worlds' }),
    notes: h('div', { class: 'notes' }),
    back: control('own', shown.verdict === 'violated' ? 'Back to the counterexample' : 'Begin again', null, () => choose(shown)),
    printed: h('div', { class: 'printed' }),
  };
  const controls = h('div', { class: 'controls', role: 'group', 'aria-label': 'Steps' },
    control('first', 'Start', 'Home', () => go(0)), control('back', '← Back', 'ArrowLeft', () => go(here.at - 1)),
    control('forward', 'Forward →', 'ArrowRight', () => go(here.at + 1)), control('last', 'End', 'End', () => go(Infinity)),
    parts.back, control('svg', 'Save as SVG', null, save));
  // What one looks at while stepping stays in sight.
  parts.now = h('div', { class: 'now' }, controls, parts.status,
    scene === null ? null : h('div', { class: 'onward' }, h('h3', {}, 'What can happen next'), parts.next));
  main.replaceChildren(
    h('nav', { 'aria-label': 'Place' }, h('a', { href: '#' }, 'All cases'), ' / ', h('a', { href: `#${encodeURIComponent(place.known.name)}` }, place.known.name)),
    h('h1', { tabindex: '-1' }, place.variant.name, ' ', h('small', {}, `in ${place.scenario.name}`)),
    h('p', { class: 'about' }, h('span', { class: 'unseen' }, 'The verdict: '), h('strong', {}, `${place.mark.sign} `), place.mark.words, '.'),
    h('dl', { class: 'about' }, ...[[place.variant.name, place.variant], [place.scenario.name, place.scenario]]
      .filter(([, { about, origin }]) => about !== '' || origin !== '')
      .flatMap(([name, { about, origin }]) => [h('dt', {}, name), h('dd', {}, [origin, about].filter((part) => part !== '').join(': '))])),
    propertyChoice(cell, shown, choose),
    hasExecution() ? h('section', { class: 'execution', 'aria-label': `${shown.name} with ${shown.size}` },
      h('h2', {}, shown.name, ' ', h('small', {}, `with ${shown.size}`)),
      parts.notes, parts.now,
      h('div', { class: scene === null ? 'sides one' : 'sides' }, parts.steps,
        scene === null ? null : h('div', { class: 'side', tabindex: '0', role: 'region', 'aria-label': 'The world after this step' }, parts.world)),
      parts.printed)
      : h('p', {}, `${shown.name}: ${WORDS[shown.verdict]}. There is no execution to show.`),
    h('section', { class: 'engines' }, h('h2', {}, 'What was explored'), sizeNote(), enginesTable(cell)));
  document.title = `toctou: ${titleOf()}`;
  window.scrollTo(0, 0);
}

function sizeNote() {
  const { shown, scene } = here;
  const isCounted = /^\d+$/.test(shown.interleavings);
  const all = isCounted ? ` There are ${counted(grouped(shown.interleavings), shown.counted)} with ${shown.size}.` : '';
  if (scene === null) return h('p', {}, `The code under test is threads. loom and shuttle run it, so there are no states to explore here.${all}`);
  if (!scene.whole) return h('p', {}, `This system has more states than the page has room for. The page has those of the execution shown, and one step beside it.${all}`);
  const start = scene.told.start === null ? '' : ' that can be reached from this start';
  return h('p', {}, `The page has every state${start}: ${grouped(String(scene.told.states))}.${all} Take any step to explore them.`);
}

function drawExecution() {
  const { shown, scene, execution } = here;
  parts.steps.replaceChildren(stepsTable(shown, scene, execution, go));
  parts.notes.replaceChildren(...[...notesOf(shown, scene, execution), ...(execution.isOwn ? shown.counts : [])].map((note) => h('p', {}, note)));
  if (execution.isOwn && document.activeElement === parts.back) document.getElementById('forward').focus();
  parts.back.hidden = execution.isOwn;
  parts.printed.replaceChildren();
}

function drawStep(isNew) {
  const { shown, scene, execution, at } = here;
  let current = null;
  for (const row of parts.steps.querySelectorAll('tr[data-row]')) {
    if (Number(row.dataset.row) === at) {
      row.setAttribute('aria-current', 'step');
      current = row;
    } else row.removeAttribute('aria-current');
  }
  for (const [id, isOff] of [['first', at === 0], ['back', at === 0], ['forward', at === execution.rows.length], ['last', at === execution.rows.length]]) {
    document.getElementById(id).setAttribute('aria-disabled', String(isOff));
  }
  let changes = [];
  if (scene !== null) {
    const focused = parts.next.contains(document.activeElement);
    const world = (step) => (step < 0 ? null : shownWorld(scene, execution, step));
    const sections = compared(world(at - 1), world(at));
    changes = changesOf(sections);
    parts.world.replaceChildren(...worldTables(sections));
    parts.next.replaceChildren(...nextChoices(shown, scene, execution, at, take));
    if (focused) (parts.next.querySelector('button') ?? document.getElementById('back')).focus();
  }
  const row = execution.rows[at - 1];
  const said = row === undefined ? 'before the first step' : `${execution.actors[row.actor]}: ${row.call}${row.output === null ? '' : ` → ${row.output}`}`;
  const share = execution.shares === null ? '' : ` ${capital(shareWords(execution.shares[at]))}.`;
  const place = `Step ${at} of ${execution.rows.length}`;
  parts.status.replaceChildren(h('strong', {}, place), `: ${said}.${share}`);
  document.documentElement.style.setProperty('--now', `${parts.now.offsetHeight}px`);
  if (!isNew && current !== null) current.scrollIntoView({ block: 'nearest' });
  live.textContent = `${place}: ${said}.${share} ${changes.join('. ')}`;
}

function capital(text) { return text[0].toUpperCase() + text.slice(1); }

function showMatrix(names) {
  const from = here;
  here = null;
  document.title = 'toctou: report';
  const isUnknown = names.length === 3;
  main.replaceChildren(isUnknown ? h('p', { role: 'alert' }, `This file has no system ${names.join('/')}.`) : '', ...matrixOf(index, places, addressOf));
  main.querySelector('h1').focus({ preventScroll: true });
  const section = document.getElementById(`case-${names[0]}`);
  // Whoever comes back is where they were.
  const cell = from === null ? undefined : [...main.querySelectorAll('[data-cell]')].find(({ dataset }) => dataset.cell === placeOf(from.place));
  if (names[0] === '' && cell !== undefined) {
    cell.focus({ preventScroll: true });
    cell.scrollIntoView({ block: 'center' });
  } else if (section !== null) section.scrollIntoView();
}

/** What a key does; nothing, where it has a meaning of its own. A number acts only while one walks through the execution. */
function actOf({ key, target }) {
  if (target.closest('.side') !== null) return null;
  const steps = { ArrowLeft: () => go(here.at - 1), ArrowRight: () => go(here.at + 1), Home: () => go(0), End: () => go(Infinity) };
  if (steps[key] !== undefined) return steps[key];
  const isWalking = target.closest('.execution') !== null;
  return isWalking && /^[1-9]$/.test(key) ? () => parts.next.querySelectorAll('button')[Number(key) - 1]?.click() : null;
}

document.addEventListener('keydown', (event) => {
  if (here === null || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey || !hasExecution()) return;
  const act = actOf(event);
  if (act !== null) {
    event.preventDefault();
    act();
  }
});
window.addEventListener('beforeprint', () => {
  if (here !== null && here.scene !== null) parts.printed.replaceChildren(printedChanges(here.scene, here.execution));
});
window.addEventListener('popstate', () => {
  // The address has changed by now: what was to be put into it belongs to the one before.
  if (later !== null) clearTimeout(later.timer);
  later = null;
  show();
});
document.getElementById('foot').append(`toctou ${index.version}. This file is complete: it loads nothing.`);

/** What a script can ask of the page. */
window.toctou = {
  state: () => (here === null || here.scene === null ? null : worldText(here.scene, here.execution.states[here.at])),
  labels: () => here.execution.rows.map(({ call }) => call),
  outputs: () => here.execution.rows.map(({ output }) => output),
  shares: () => (here.execution.shares === null ? null : here.execution.shares.map(({ violating, all }) => [String(violating), String(all)])),
  schedule: () => here.execution.turns.map(({ actor, way }) => [actor, way]),
  svg: () => pictureOf(titleOf(), here.shown, here.scene, here.execution),
  open: unpacked,
};
show();
