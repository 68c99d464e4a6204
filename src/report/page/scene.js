// A system to explore by looking steps up. A step depends on the world and on one actor's local state alone.

const WAITS = 0, GOES = 1, CHOOSES = 2, FAULT = 3;
const DEADLOCK_FREE = 'deadlock-free';

/** How one way of a choice is told: as the answer to a question, as what concerns all, or by its number. */
function toldWay(label, ways, way) {
  if (label.endsWith('?')) return `${label} ${way === 0 ? 'no' : 'yes'}`;
  return label === 'the power fails' || label.endsWith(' to go') ? label : `choose(${ways}) = ${way}`;
}

class Scene {
  constructor(told) {
    this.told = told;
    this.actors = told.actors;
    this.whole = told.whole;
    this.table = new Map(told.steps.map((step) => [`${step[0]} ${step[1]}`, step]));
    this.waits = new Set(told.waits.map((triple) => triple.join(' ')));
    this.decided = new Map(told.properties.map(({ name, kind, decided }) => {
      const width = 1 + told.actors.length;
      const states = new Set();
      for (let at = 0; at < decided.length; at += width) states.add(decided.slice(at, at + width).join(' '));
      return [name, { kind, states }];
    }));
    this.counts = new Map();
  }

  text(number) { return this.told.texts[number]; }

  initial() { return this.told.initial; }

  hasEnded(local) { return this.told.locals[local][1] === 1; }

  localText(local) { return this.text(this.told.locals[local][0]); }

  /** What somebody there has open: kind, thing, how. */
  held(local) { return this.told.locals[local][2].map(([kind, thing, how]) => ({ kind, thing, how: this.text(how) })); }

  /** The sections of a world: title, columns, rows of key and cells. */
  sections(world) {
    const { sections, rows, worlds } = this.told;
    return worlds[world].map((number) => {
      const [title, width, ...rest] = sections[number];
      return {
        title: this.text(title),
        columns: rest.slice(0, width).map((text) => this.text(text)),
        rows: rest.slice(width).map((row) => {
          const [key, forHolders, ...cells] = rows[row];
          return { key: this.text(key), forHolders: forHolders === 1, cells: cells.map((text) => this.text(text)) };
        }),
      };
    });
  }

  /** The state as interchangeable actors are sorted. */
  key(state) {
    const sorted = [state[0]];
    for (const [start, end] of this.told.groups) {
      sorted.push(...state.slice(1 + start, 1 + end).sort((one, other) => one - other));
    }
    return sorted.join(' ');
  }

  step(state, actor) { return this.table.get(`${state[0]} ${state[1 + actor]}`); }

  /** Where the actor can go: for each way the label and the next state. Empty where it waits or has ended. */
  ways(state, actor) {
    const step = this.step(state, actor);
    if (step === undefined) return [];
    const label = this.text(step[2]);
    const to = (world, local) => {
      const next = state.slice();
      next[0] = world;
      next[1 + actor] = local;
      return next;
    };
    if (step[3] === GOES) return [{ label, next: to(step[4], step[5]) }];
    if (step[3] !== CHOOSES) return [];
    const locals = step.slice(5);
    return locals.map((local, way) => ({ label: toldWay(label, locals.length, way), next: to(step[4], local) }));
  }

  /** What the actor's step is, where it is none that leads anywhere: `waits`, a fault, or nothing. */
  stuck(state, actor) {
    const step = this.step(state, actor);
    if (step === undefined) return null;
    const label = this.text(step[2]);
    if (step[3] === WAITS) return { label, waits: true };
    return step[3] === FAULT ? { label, fault: this.text(step[4]) } : null;
  }

  /** For whom the actor waits, by index; `null` where nobody says. */
  waitsFor(state, actor) {
    if (!this.told.says_who_waits || this.hasEnded(state[1 + actor])) return null;
    const others = this.actors.map((_, other) => other);
    return others.filter((other) => other !== actor && this.waits.has(`${state[0]} ${state[1 + actor]} ${state[1 + other]}`));
  }

  isEnd(state) { return state.slice(1).every((local) => this.hasEnded(local)); }

  canGoOn(state) { return this.actors.some((_, actor) => this.ways(state, actor).length > 0); }

  /** Whether the page has what follows from the state: of a large system it has some states only. */
  isKnown(state) {
    return this.actors.every((_, actor) => this.hasEnded(state[1 + actor]) || this.step(state, actor) !== undefined);
  }

  isDeadlock(state) { return !this.isEnd(state) && this.isKnown(state) && !this.canGoOn(state); }

  /** Whether the state decides the property: violates it, or reaches what is to be reached. */
  decides(property, state) {
    if (property === DEADLOCK_FREE) return this.isDeadlock(state);
    const known = this.decided.get(property);
    return known !== undefined && known.states.has(this.key(state));
  }

  /** Plays a schedule: as far as it goes. */
  play(turns) {
    const states = [this.initial()];
    const steps = [];
    for (const { actor, way } of turns) {
      const before = states[states.length - 1];
      const fault = this.stuck(before, actor);
      if (fault !== null && fault.fault !== undefined) {
        steps.push({ actor, way, raw: fault.label, output: fault.fault, waitsFor: null });
        states.push(before);
        return { states, steps, isWhole: steps.length === turns.length };
      }
      const taken = this.ways(before, actor)[way];
      if (taken === undefined) return { states, steps, isWhole: false };
      const state = taken.next;
      const local = state[1 + actor];
      const waitsFor = this.waitsFor(state, actor);
      steps.push({
        actor,
        way,
        raw: taken.label,
        output: this.hasEnded(local) ? this.localText(local) : null,
        waitsFor: waitsFor !== null && waitsFor.length > 0 ? waitsFor : null,
      });
      states.push(state);
    }
    return { states, steps, isWhole: true };
  }

  /**
   * How many interleavings continue from a state, and how many of them do not violate the property. `null`
   * where some never end, or not all states are here.
   */
  continuations(property, state) {
    if (!this.whole) return null;
    if (!this.counts.has(property)) this.counts.set(property, new Map());
    const known = this.counts.get(property);
    if (known.cyclic) return null;
    const open = new Set();
    const stack = [state];
    while (stack.length > 0) {
      const here = stack[stack.length - 1];
      const key = this.key(here);
      if (known.has(key)) { stack.pop(); continue; }
      const next = this.actors.flatMap((_, actor) => this.ways(here, actor).map((way) => way.next));
      const missing = next.filter((state) => !known.has(this.key(state)));
      if (missing.length > 0) {
        open.add(key);
        if (missing.some((state) => open.has(this.key(state)))) { known.cyclic = true; return null; }
        stack.push(missing[0]);
        continue;
      }
      known.set(key, this.summed(property, here, next.map((state) => known.get(this.key(state)))));
      open.delete(key);
      stack.pop();
    }
    return known.get(this.key(state));
  }

  summed(property, state, next) {
    const kind = property === DEADLOCK_FREE ? 'always' : (this.decided.get(property) ?? {}).kind;
    const isBad = kind !== 'reachable' && this.decides(property, state);
    if (next.length === 0) return { all: 1n, sound: isBad ? 0n : 1n };
    const sum = (part) => next.reduce((sum, count) => sum + count[part], 0n);
    return { all: sum('all'), sound: isBad ? 0n : sum('sound') };
  }

  /** Before the first step and after each: how many continuations violate the property, of how many. */
  shares(property, states) {
    const shares = [];
    let isLost = false;
    for (const state of states) {
      const counts = this.continuations(property, state);
      if (counts === null) return null;
      isLost ||= counts.sound === 0n;
      shares.push({ violating: isLost ? counts.all : counts.all - counts.sound, all: counts.all });
    }
    return shares;
  }
}

/** A ratio is told by its two numbers up to so many letters, and by its percentage beyond. */
const RATIO = 9;

function ratio({ violating, all }) { return `${violating}/${all}`; }

/** Never more than it is, so that only all of them are a hundred. */
function percent({ violating, all }) {
  const thousandths = violating * 1000n / (all > 0n ? all : 1n);
  return thousandths === 0n ? (violating === 0n ? '0%' : '<0.1%') : `${thousandths / 10n}.${thousandths % 10n}%`;
}

function isAll({ violating, all }) { return violating === all; }

/** What is told beside each step: `4/6`, `all` where it is lost. */
function shareCells(shares) {
  const long = shares.some((share) => !isAll(share) && ratio(share).length > RATIO);
  return shares.map((share) => (isAll(share) ? 'all' : long ? percent(share) : ratio(share)));
}

/** The step after which every continuation violates the property: 0 where that is so from the start. */
function lostAt(shares) {
  const at = shares === null ? -1 : shares.findIndex(isAll);
  return at < 0 ? null : at;
}

/** `lost at step 2: before it 2 of 3 continuations violate, after it all`; or nothing. */
function lostLine(shares) {
  const at = lostAt(shares);
  if (at === null) return null;
  if (at === 0) return 'lost before step 1: from here every interleaving violates';
  const before = shares[at - 1];
  const told = `${before.violating} of ${before.all}`;
  const share = told.length <= 20 ? told : `${percent(before)} of the`;
  return `lost at step ${at}: before it ${share} continuations ${before.violating === 1n ? 'violates' : 'violate'}, after it all`;
}
