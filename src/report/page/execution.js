// An execution as it is shown: what stands in each row, how it goes on, and what it comes to.

/** `1 step`, `2 steps`. */
function counted(number, noun) { return `${number} ${noun}${String(number) === '1' ? '' : 's'}`; }

/** A long number with its digits in groups of three; other text as it is. */
function grouped(text) { return /^\d{4,15}$/.test(text) ? text.replace(/\B(?=(\d{3})+$)/g, ',') : text; }

function sameTurns(one, other, length) {
  return one.slice(0, length).every(({ actor, way }, at) => other[at] !== undefined && other[at].actor === actor && other[at].way === way);
}

/** The turns of a property's own execution; none where there is nothing to show. */
function turnsOf(shown) {
  if (shown.schedule === null) return [];
  const ways = new Map(shown.schedule.ways);
  return shown.schedule.turns.map((actor, at) => ({ actor, way: ways.get(at) ?? 0 }));
}

/** The execution of these turns. Where there is no scene, it is the one that was told. */
function executionOf(shown, scene, turns) {
  return scene === null ? told(shown) : played(shown, scene, turns);
}

function told(shown) {
  const { trace } = shown;
  if (trace === null) return { actors: [], start: null, rows: [], left: [], states: null, shares: null, isOwn: true, turns: [] };
  const names = (actors) => actors.map((actor) => trace.actors[actor]).join(', ');
  return {
    actors: trace.actors,
    start: null,
    rows: trace.steps.map(({ actor, call, waits_for: them, output }) => ({ actor, call, waiting: them === null ? null : `⋯ waits for ${names(them)}`, output })),
    left: trace.unfinished.map(([actor, text]) => [actor, `⋯ ${text}`]),
    end: trace.end,
    states: null,
    shares: null,
    isOwn: true,
    turns: turnsOf(shown),
  };
}

function played(shown, scene, turns) {
  const { states, steps } = scene.play(turns);
  const names = (actors) => actors.map((actor) => scene.actors[actor]).join(', ');
  const own = turnsOf(shown);
  const isOwn = turns.length === own.length && sameTurns(turns, own, own.length);
  const raw = steps.map((step) => step.raw);
  const labels = resolveMarks(raw);
  const circles = new Map(shown.circles);
  const rows = steps.map(({ actor, waitsFor, output }, at) => ({
    actor,
    call: circles.has(at) && sameTurns(turns, own, at + 1) ? `${labels[at]} deadlock: ${circles.get(at)}` : labels[at],
    waiting: waitsFor === null ? null : `⋯ waits for ${names(waitsFor)}`,
    output,
  }));
  const last = states[states.length - 1];
  const left = scene.actors.flatMap((_, actor) => {
    if (scene.hasEnded(last[1 + actor])) return [];
    const stuck = scene.stuck(last, actor);
    if (stuck !== null && stuck.fault !== undefined) return [];
    if (stuck === null) return [[actor, '⋯ had not finished']];
    const them = scene.waitsFor(last, actor);
    return [[actor, them === null ? '⋯ waits' : `⋯ waits for ${them.length === 0 ? 'nobody' : names(them)}`]];
  });
  return {
    actors: scene.actors, start: scene.told.start, rows, left, end: null, states, isOwn, turns: turns.slice(0, steps.length), raw, called: calledIn(raw), asked: turns.length,
    shares: sharesOf(shown, scene, states, isOwn),
  };
}

/**
 * The rows that a picture shows, with their numbers: all but the questions about what may happen before a step
 * that are answered no. Of these, it shows the last row of all, and one at which the execution is lost.
 */
function shownRows(execution) {
  const lost = execution.shares === null ? null : lostAt(execution.shares);
  const rows = execution.rows.map((row, index) => ({ ...row, number: index + 1 }));
  return rows.filter(({ call, number }) => !call.endsWith('? no') || number === lost || number === rows.length);
}

/** How many continuations violate the property, as far as that is known. */
function sharesOf(shown, scene, states, isOwn) {
  if (shown.kind === 'reachable') return null;
  if (scene.whole) return scene.shares(shown.name, states);
  if (!isOwn || shown.lost.length === 0) return null;
  return shown.lost.map(([violating, all]) => ({ violating: BigInt(violating), all: BigInt(all) }));
}

/** What a share says. */
function shareWords(share) {
  if (isAll(share)) return share.all === 1n ? 'the one continuation violates it' : 'every continuation violates it';
  if (share.violating === 0n) return 'no continuation violates it';
  const told = `${share.violating} of ${share.all}`;
  const many = told.length <= 20 ? told : `${percent(share)} of the`;
  return `${many} continuations ${share.violating === 1n ? 'violates' : 'violate'} it`;
}

/** Where, along the execution, the property is decided for the first time; `null` if nowhere. */
function decidedAt(shown, scene, execution) {
  if (scene === null) return null;
  const at = execution.states.findIndex((state) => scene.decides(shown.name, state));
  return at < 0 ? null : at;
}

/** What the execution comes to, in sentences. */
function notesOf(shown, scene, execution) {
  const notes = execution.end === null || execution.end === undefined ? [] : execution.end.split('\n');
  if (execution.asked > execution.rows.length) {
    notes.push(`the address asks for ${counted(execution.asked, 'step')}, and the execution stops after ${execution.rows.length}`);
  }
  if (execution.isOwn && shown.verdict === 'violated') {
    const lost = execution.shares === null ? null : lostLine(execution.shares);
    return [...notes, ...(lost === null ? [] : [lost]), shown.closing];
  }
  if (execution.rows.length === 0 && shown.verdict === 'holds') {
    return [...notes, `${shown.name} holds${shown.interleavings === '–' ? '' : ` in all ${counted(grouped(shown.interleavings), shown.counted)}`} with ${shown.size}`];
  }
  const at = decidedAt(shown, scene, execution);
  const steps = counted(execution.rows.length, 'step');
  const verb = shown.kind === 'reachable' ? 'reached' : 'violated';
  if (at !== null) return [...notes, `${shown.name} ${verb} after ${counted(at, 'step')}`];
  return [...notes, `${shown.name} not ${verb} after ${steps}`];
}

/** The execution as a picture. */
function pictureOf(title, shown, scene, execution) {
  const lost = execution.shares === null ? null : lostAt(execution.shares);
  const cells = execution.shares === null ? [] : shareCells(execution.shares);
  const notes = notesOf(shown, scene, execution);
  return svgOf({
    title,
    about: notes[notes.length - 1],
    start: execution.start === '' ? null : execution.start,
    actors: execution.actors,
    rows: shownRows(execution).map(({ number, actor, call, waiting, output }) => ({
      number,
      actor,
      lines: [call, waiting, output === null ? null : `→ ${output}`].filter((line) => line !== null),
    })),
    left: execution.left,
    // Once it is lost, it is.
    shares: lost === null ? cells : cells.slice(0, lost + 1),
    lost: lost === 0 ? null : lost,
    notes,
  });
}
