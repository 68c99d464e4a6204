'use strict';
// Which thing a line of an execution speaks of. The same as `marks::resolve` in Rust: things are numbered as
// they appear, and a number is shown only where a reader could take one thing for another.

const MARK = /\u0001([^\u0002]*)\u0002([^\u0002]*)\u0002([^\u0002]*)\u0002([^\u0002]*)\u0002([^\u0003]*)\u0003/g;

function marksOf(line) {
  return [...line.matchAll(MARK)].map(([, thing, name, plain, word, tail]) => ({ thing, name, plain, word, tail }));
}

function collect(map, key, value) {
  if (!map.has(key)) map.set(key, new Set());
  map.get(key).add(value);
}

/** The numbers of the things that need one. */
function numbersOf(lines) {
  const marks = lines.flatMap(marksOf);
  const kinds = new Map(), named = new Map(), names = new Map();
  for (const mark of marks) {
    collect(kinds, mark.word, mark.thing);
    if (mark.name !== '') {
      collect(named, mark.name, mark.thing);
      collect(names, mark.thing, mark.name);
    }
  }
  const many = (set) => set !== undefined && set.size > 1;
  const confused = new Set(marks
    .filter((mark) => many(mark.name === '' ? kinds.get(mark.word) : named.get(mark.name)) || many(names.get(mark.thing)))
    .map((mark) => mark.thing));
  const numbers = new Map();
  for (const mark of marks) {
    if (confused.has(mark.thing) && !numbers.has(mark.thing)) numbers.set(mark.thing, numbers.size + 1);
  }
  return numbers;
}

/** What the lines of an execution call the things of its world: `file 1`, by the number of the inode. */
function calledIn(lines) {
  const numbers = numbersOf(lines);
  const words = new Map(lines.flatMap(marksOf).map(({ thing, word }) => [thing, word]));
  return new Map([...numbers].map(([thing, number]) => [Number.parseInt(thing.split('.')[1], 16), `${words.get(thing)} ${number}`]));
}

/** The lines of one execution, as a person reads them. */
function resolveMarks(lines) {
  const numbers = numbersOf(lines);
  return lines.map((line) => line.replace(MARK, (_, thing, name, plain, word, tail) =>
    numbers.has(thing) ? `${word} ${numbers.get(thing)}${tail}` : plain));
}
