/** Deeper than this a path is read only as far. */
const MOST_PIECES = 32;
const SLASH = 47;
const DIGIT_0 = 48;
const DIGIT_9 = 57;

/** What varies in a piece of a path: `*` and a channel are anything but empty, a number is digits. */
type Varying = 'channel' | 'number' | 'any';

/** Behind the first that varies, from left to right: letters, what varies behind them. */
interface Part {
  readonly before: string;
  readonly varying: Varying;
}

/** What stands between two slashes. */
interface Piece {
  readonly prefix: string;
  /** Undefined: nothing varies. */
  readonly first?: Varying;
  readonly parts: readonly Part[];
  readonly suffix: string;
}

interface Pattern {
  readonly pieces: readonly Piece[];
  /** More may follow, and a slash does. */
  readonly isOpen: boolean;
}

/**
 * Finds the channel in a path, by the first pattern that fits. No regular expressions and no backtracking: each piece of
 * the path is looked at once for each pattern. Of what could be read in two ways the channel is the longer part.
 */
export class PathPatterns {
  /** Where the channel stands in the path that was found last. */
  from = 0;
  to = 0;
  private readonly patterns: readonly Pattern[];
  /** Where the slashes of the path are, and where it ends. */
  private readonly slashes = new Int32Array(MOST_PIECES + 1);

  /** The configuration has checked how they are written. */
  constructor(patterns: readonly string[]) {
    this.patterns = patterns.map(compiled);
  }

  /** `path` starts with a slash, and has no empty piece but at its end. True: `from` and `to` say where the channel is. */
  find(path: string): boolean {
    const pieces = this.split(path);
    for (const pattern of this.patterns) if (this.fits(path, pieces, pattern)) return true;
    return false;
  }

  /** How many pieces there are, MOST_PIECES at most. */
  private split(path: string): number {
    let count = 0;
    for (let i = 0; i < path.length && count < MOST_PIECES; i += 1) {
      if (path.charCodeAt(i) === SLASH) this.slashes[count++] = i;
    }
    const rest = path.indexOf('/', this.slashes[count - 1]! + 1);
    this.slashes[count] = rest === -1 ? path.length : rest;
    return count;
  }

  private fits(path: string, count: number, { pieces, isOpen }: Pattern): boolean {
    if (isOpen ? count <= pieces.length : count !== pieces.length) return false;
    for (let i = 0; i < pieces.length; i += 1) {
      if (!this.fitsPiece(path, this.slashes[i]! + 1, this.slashes[i + 1]!, pieces[i]!)) return false;
    }
    // The path is deeper than what was split.
    return isOpen || this.slashes[count] === path.length;
  }

  private fitsPiece(path: string, start: number, end: number, piece: Piece): boolean {
    const { prefix, first, parts, suffix } = piece;
    if (!path.startsWith(prefix, start)) return false;
    const from = start + prefix.length;
    if (first === undefined) return from === end;
    let to = end - suffix.length;
    if (to <= from || !path.startsWith(suffix, to)) return false;
    for (let i = parts.length - 1; i >= 0; i -= 1) {
      to = partStart(path, to, from, parts[i]!);
      if (to <= from) return false;
    }
    if (first === 'number' && digitsBack(path, to, from) !== from) return false;
    if (first === 'channel') {
      this.from = from;
      this.to = to;
    }
    return true;
  }
}

/** Where a part that ends there begins, its letters included; not behind `least`, or it is none. */
function partStart(path: string, end: number, least: number, { before, varying }: Part): number {
  if (varying !== 'number') return path.lastIndexOf(before, end - 1 - before.length);
  const at = digitsBack(path, end, least) - before.length;
  return at > least && path.startsWith(before, at) ? at : -1;
}

/** Where the digits that end there begin; where there are none, before all. */
function digitsBack(path: string, end: number, least: number): number {
  let at = end;
  while (at > least && path.charCodeAt(at - 1) >= DIGIT_0 && path.charCodeAt(at - 1) <= DIGIT_9) at -= 1;
  return at === end ? -1 : at;
}

/** A path's bytes are compared with the pattern's. */
const bytes = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');

function compiled(pattern: string): Pattern {
  const isOpen = pattern.endsWith('/**');
  const pieces = (isOpen ? pattern.slice(0, -'/**'.length) : pattern).slice(1).split('/');
  return { pieces: pieces.map((piece) => compiledPiece(bytes(piece))), isOpen };
}

const VARYING: Readonly<Record<string, Varying>> = {
  '{channel}': 'channel',
  '{number}': 'number',
  '*': 'any',
};

function compiledPiece(text: string): Piece {
  const words = text.split(/(\{channel\}|\{number\}|\*)/);
  const [prefix = '', first = ''] = words;
  if (words.length === 1) return { prefix, parts: [], suffix: '' };
  const parts: Part[] = [];
  for (let i = 2; i + 1 < words.length; i += 2)
    parts.push({ before: words[i]!, varying: VARYING[words[i + 1]!]! });
  return { prefix, first: VARYING[first]!, parts, suffix: words.at(-1)! };
}
