// The world after a step as tables, and what changed in it.

const REFERENCE = /\u0001([a-z])(\d+)\u0002/g;

/** A world and where the actors stand, as sections whose cells are plain text. */
function worldOf(scene, state) {
  const holders = new Map();
  scene.actors.forEach((name, actor) => {
    for (const { kind, thing, how } of scene.held(state[1 + actor])) {
      const key = kind + thing;
      if (!holders.has(key)) holders.set(key, []);
      holders.get(key).push(kind === 'f' ? `${name} (${how})` : name);
    }
  });
  const unknown = (kind, thing) => (kind === 't' ? `transaction ${thing}` : '');
  const resolved = (cell) => cell.replace(REFERENCE, (_, kind, thing) =>
    holders.has(kind + thing) ? holders.get(kind + thing).join(', ') : unknown(kind, thing));
  const isHeld = (row) => row.cells.some((cell) =>
    [...cell.matchAll(REFERENCE)].some(([, kind, thing]) => holders.has(kind + thing)));
  const sections = scene.sections(state[0]).map(({ title, columns, rows }) => ({
    title,
    columns,
    isForHolders: rows.some(({ forHolders }) => forHolders),
    rows: rows.filter((row) => !row.forHolders || isHeld(row))
      .map(({ key, cells }) => ({ key, cells: cells.map(resolved) })),
  }));
  return [...sections, actorsSection(scene, state)];
}

/**
 * The same for a person: columns that no world of the system ever has anything in are left out, and an inode is
 * called as the lines of the execution call it, too.
 */
function shownWorld(scene, execution, at) {
  const named = (text) => text.replace(/\binode (\d+)/g, (whole, number) => called(whole, number));
  const called = (text, number) => {
    const name = execution.called.get(Number(number));
    return name === undefined ? text : `${text} (${name})`;
  };
  return worldOf(scene, execution.states[at])
    .filter(({ rows, isForHolders }) => rows.length > 0 || !isForHolders)
    .map(withoutEmptyColumns(scene))
    .map(({ title, columns, rows }) => ({
      title,
      columns,
      rows: rows.map(({ key, cells }) => ({
        key,
        cells: cells.map((cell, column) => (columns[column] === 'inode' ? called(cell, cell) : columns[column] === 'what it holds' ? named(cell) : cell)),
      })),
    }));
}

function withoutEmptyColumns(scene) {
  if (scene.used === undefined) {
    scene.used = new Map();
    for (let world = 0; world < scene.told.worlds.length; world += 1) {
      for (const { title, columns, rows } of scene.sections(world)) {
        const used = scene.used.get(title) ?? new Set();
        rows.forEach(({ cells }) => cells.forEach((cell, at) => { if (cell !== '') used.add(columns[at]); }));
        scene.used.set(title, used);
      }
    }
    const holds = scene.told.locals.some(([, , held]) => held.length > 0);
    scene.used.set('Actors', new Set(holds ? ACTORS : ACTORS.slice(0, 2)));
  }
  return ({ title, columns, rows }) => {
    const used = scene.used.get(title) ?? new Set();
    const kept = (_, at) => used.size === 0 || used.has(columns[at]);
    return { title, columns: columns.filter(kept), rows: rows.map(({ key, cells }) => ({ key, cells: cells.filter(kept) })) };
  };
}

const HELD = { f: (thing, how) => `inode ${thing}: ${how}`, t: (thing, how) => how, c: (thing, how) => `connection to ${how}`, s: (thing, how) => how };

const ACTORS = ['actor', 'where it stands', 'what it holds'];

function actorsSection(scene, state) {
  const rows = scene.actors.map((name, actor) => {
    const held = scene.held(state[1 + actor]).map(({ kind, thing, how }) => HELD[kind](thing, how)).join('; ');
    return { key: String(actor), cells: [name, standing(scene, state, actor), held] };
  });
  return { title: 'Actors', columns: ACTORS, rows };
}

/** Where an actor stands: what it is about to do, for whom it waits, or what it ended with. */
function standing(scene, state, actor) {
  const local = state[1 + actor];
  if (scene.hasEnded(local)) return `ended with ${scene.localText(local)}`;
  const them = scene.waitsFor(state, actor) ?? [];
  const stuck = scene.stuck(state, actor);
  if (stuck === null || !stuck.waits) return scene.localText(local);
  return them.length > 0 ? `waits for ${them.map((other) => scene.actors[other]).join(', ')}` : 'waits';
}

/** What differs between two worlds: each section with its rows, and of each row and cell what it was. */
function compared(before, after) {
  if (before === null) return after.map((section) => ({ ...section, rows: section.rows.map((row) => ({ ...row, status: '', was: null })) }));
  const gone = before.filter(({ title }) => !after.some((section) => section.title === title))
    .map((section) => ({ ...section, rows: [] }));
  return [...after, ...gone].map((section) => {
    const old = before.find(({ title }) => title === section.title) ?? { rows: [] };
    const rows = section.rows.map((row) => {
      const was = old.rows.find(({ key }) => key === row.key);
      if (was === undefined) return { ...row, status: 'new', was: null };
      const changed = row.cells.some((cell, at) => cell !== was.cells[at]);
      return { ...row, status: changed ? 'changed' : '', was: changed ? was.cells : null };
    });
    const removed = old.rows.filter(({ key }) => !section.rows.some((row) => row.key === key))
      .map((row) => ({ ...row, status: 'gone', was: null }));
    return { ...section, rows: [...rows, ...removed] };
  });
}

/** The same in sentences: `Files: content.download is new`. */
function changesOf(sections) {
  return sections.flatMap(({ title, columns, rows }) => rows.filter(({ status }) => status !== '').map((row) => {
    const name = row.cells[0] === '' ? row.key : row.cells[0];
    if (row.status === 'new') {
      const about = columns.map((column, at) => [column, row.cells[at]]).slice(1).filter(([, cell]) => cell !== '');
      return `${title}: ${name} is new${about.length > 0 ? ` (${about.map(([column, cell]) => `${column}: ${cell}`).join(', ')})` : ''}`;
    }
    if (row.status === 'gone') return `${title}: ${name} is gone`;
    const changed = columns.map((column, at) => [column, row.was[at], row.cells[at]]).filter(([, was, is]) => was !== is);
    return `${title}: ${name}: ${changed.map(([column, was, is]) => `${column}: ${was === '' ? 'nothing' : was} → ${is === '' ? 'nothing' : is}`).join('; ')}`;
  }));
}

/** The whole state as text: what a test compares. */
function worldText(scene, state) {
  return worldOf(scene, state).map(({ title, columns, rows }) =>
    [`${title}: ${columns.join(' | ')}`, ...rows.map(({ cells }) => `  ${cells.join(' | ')}`)].join('\n')).join('\n');
}
