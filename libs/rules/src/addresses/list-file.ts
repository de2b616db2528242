import { setImmediate } from 'node:timers/promises';
import { ConfigError } from '#usher/config';
import { AddressList, VERDICTS, type Verdict } from './address-list.js';

/** So many lines are read before the loop turns: checks are answered meanwhile. */
const SLICE = 2_000;
const MAX_NETWORKS = 2_000_000;
/** More are not told. */
const MAX_PROBLEMS = 10;

/**
 * Reads a list: on each line `allow`, `deny` or `pass` and a network, or a network alone, which is refused. What follows
 * # or ; is a comment.
 * @throws ConfigError with file and line
 */
export async function readListFile(bytes: Buffer, name: string): Promise<AddressList> {
  const list = new AddressList();
  const problems: string[] = [];
  let line = 0;
  for (const text of linesOf(bytes.toString('latin1'))) {
    line += 1;
    const problem = addLine(list, text);
    if (problem !== undefined) problems.push(`${name}:${line}: ${problem}`);
    if (problems.length >= MAX_PROBLEMS || list.size > MAX_NETWORKS) break;
    if (line % SLICE === 0) await setImmediate();
  }
  if (list.size > MAX_NETWORKS) problems.push(`${name}: more than ${MAX_NETWORKS} networks`);
  if (problems.length > 0) throw new ConfigError(problems);
  return list.trim();
}

function* linesOf(text: string): Generator<string> {
  for (let start = 0; start < text.length;) {
    const end = text.indexOf('\n', start);
    yield end === -1 ? text.slice(start) : text.slice(start, end);
    if (end === -1) return;
    start = end + 1;
  }
}

function addLine(list: AddressList, text: string): string | undefined {
  const comment = text.search(/[#;]/);
  const [first = '', second, ...more] = (comment === -1 ? text : text.slice(0, comment)).trim().split(/\s+/);
  if (first === '') return undefined;
  const network = second ?? first;
  const verdict = second === undefined ? 'deny' : first;
  if (more.length > 0 || !isVerdict(verdict)) {
    return 'expected allow, deny or pass, and one network; a network alone is refused';
  }
  return list.add(network, verdict)
    ? undefined
    : `expected an IP address or a network, such as 10.0.0.11, 10.0.0.0/8 or 2001:db8::/32, not ${shown(network)}`;
}

const isVerdict = (word: string): word is Verdict => (VERDICTS as readonly string[]).includes(word);

const shown = (text: string): string => JSON.stringify(text.slice(0, 60));
