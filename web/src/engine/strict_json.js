// JSON that means the same everywhere: no name twice in one object, not nested deeper than 64.

const MARKS = /"(?:[^"\\]|\\.)*"|[[\]{}:]/gs;
const DEEPEST = 64;

/**
 * @param {string} text
 * @returns {any}
 * @throws {Error} not JSON, nested too deep, or a name that stands twice
 */
export function parseJson(text) {
  const open = [];
  let last = "";
  for (const [mark] of text.matchAll(MARKS)) {
    if (mark === "{" || mark === "[") open.push(new Set());
    else if (mark === "}" || mark === "]") open.pop();
    else if (mark === ":") refuseTwice(open.at(-1), last);
    if (open.length > DEEPEST) throw new Error(`nested deeper than ${DEEPEST}`);
    last = mark;
  }
  return JSON.parse(text);
}

function refuseTwice(names, mark) {
  if (!names || !mark.startsWith('"')) return; // not JSON, as JSON.parse will say
  const name = JSON.parse(mark);
  if (names.has(name)) throw new Error(`"${name.slice(0, 80)}" stands twice in one object`);
  names.add(name);
}
