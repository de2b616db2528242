import { maskedPath } from '#usher/domain';
import { PathPatterns } from './path-patterns.js';

/** Where a request leads: which channel, by which part of its path. Byte strings. */
export interface Place {
  readonly channel: string;
  /** Up to the end of the channel's name: the same for its playlists and segments. */
  readonly path: string;
  /** False: no pattern fits, and its folder stands in for the channel. */
  readonly isFound: boolean;
  /** The whole of it, where what a panel asks for may stand in the folder's name: `path` names the place, and is a secret. */
  readonly login?: string;
}

const MAX_CHANNEL = 256;

/** By character code: what a path is made of that can be read in one way only. */
const PLAIN = Uint8Array.from({ length: 256 }, (_, code) => {
  const isControl = code < 0x21 || code === 0x7f;
  return isControl || '%\\#?;'.includes(String.fromCharCode(code)) ? 0 : 1;
});
const SLASH = 47;
const DOT = 46;

/** No escapes, no empty pieces, and none that begins with a dot: any server reads it as it stands. */
export function isPlain(path: string): boolean {
  if (path.charCodeAt(0) !== SLASH) return false;
  let before = 0;
  for (let i = 0; i < path.length; i += 1) {
    const code = path.charCodeAt(i);
    if (PLAIN[code] !== 1 || (before === SLASH && (code === SLASH || code === DOT))) return false;
    before = code;
  }
  return true;
}

/** User and password of an Xtream panel's players stand before the channel. */
const LOGIN = /\/\*\/\*\/.*\{channel\}/;
/** A stream in a folder: of what stands before one a panel's players write their password into. */
const STREAM = '/1';

/** Reads paths: which servers could read in two ways, so that they lead to two channels, lead nowhere. */
export class Places {
  /** There are players of an Xtream panel, whose logins stand in their paths. */
  readonly hasLogins: boolean;
  private readonly patterns: PathPatterns;

  constructor(patterns: readonly string[]) {
    this.patterns = new PathPatterns(patterns);
    this.hasLogins = patterns.some((pattern) => LOGIN.test(pattern));
  }

  /** Undefined: no server of good faith is asked so. */
  of(path: string): Place | undefined {
    if (isPlain(path)) return this.ofPlain(path);
    const pieces = piecesOf(path);
    if (pieces === undefined) return undefined;
    const meant = climbed(pieces);
    if (meant === undefined) return undefined;
    const place = this.ofPlain(`/${meant.join('/')}`);
    // A server that does not resolve dots plays what stands there.
    const literal = meant === pieces ? place : this.ofPlain(`/${pieces.join('/')}`);
    const isOne = place?.path === literal?.path && place?.channel === literal?.channel;
    // A server that knows parameters plays what stands before them.
    return isOne && place?.path.includes(';') === false ? place : undefined;
  }

  /** Of a plain path: true where a pattern fits; `from` and `to` say where the channel is. */
  find(path: string): boolean {
    return this.patterns.find(path);
  }

  get from(): number {
    return this.patterns.from;
  }

  get to(): number {
    return this.patterns.to;
  }

  private ofPlain(path: string): Place | undefined {
    if (!this.find(path)) return this.folderOf(path);
    const channel = path.slice(this.from, this.to);
    return channel.length > MAX_CHANNEL
      ? undefined
      : { channel, path: path.slice(0, this.to), isFound: true };
  }

  /** The same for all of its files. A channel is told, logged and written down: nobody's password is in it. */
  private folderOf(path: string): Place | undefined {
    const folder = path.slice(0, folderEnd(path));
    if (folder.length > MAX_CHANNEL) return undefined;
    const channel = this.hasLogins ? maskedPath(folder + STREAM).slice(0, -STREAM.length) : folder;
    if (channel === folder) return { channel, path: folder, isFound: false };
    // Whoever shows a path masks it as we do: what does not look like a login there has none for a panel either.
    const login = maskedPath(path) === path ? channel : path;
    return { channel, path: folder, isFound: false, login };
  }
}

/** Where the name of the folder ends; that of the top is a slash. */
export function folderEnd(path: string): number {
  return Math.max(1, path.lastIndexOf('/'));
}

const ESCAPED = /%([0-9A-Fa-f]{2})/g;
/** What must not come out of an escape: it would be read again by somebody as what it stands for. */
// oxlint-disable-next-line no-control-regex -- control characters are what must not pass
const TELLING = /[\u0000-\u001f\u007f/\\?#]|%[0-9A-Fa-f]{2}/;
// oxlint-disable-next-line no-control-regex -- as above
const UNSENDABLE = /[\u0000-\u0020\u007f\\#?]|%(?![0-9A-Fa-f]{2})/;

/** Servers that know parameters of pieces take it for dots, or for nothing. */
const BARE_PARAMETERS = /^\.{0,2};/;

/** Its pieces, unescaped; without empty ones, but for the last. Undefined: it has what no path of good faith has. */
function piecesOf(path: string): string[] | undefined {
  if (!path.startsWith('/') || UNSENDABLE.test(path)) return undefined;
  const words = path.slice(1).split('/');
  const pieces = words.filter((word, at) => word !== '' || at === words.length - 1).map(unescaped);
  return pieces.some((piece) => TELLING.test(piece) || BARE_PARAMETERS.test(piece)) ? undefined : pieces;
}

const unescaped = (piece: string): string =>
  piece.replace(ESCAPED, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));

/** Without dots; the same list where there are none. Undefined: it leads out at the top. */
function climbed(pieces: string[]): string[] | undefined {
  if (!pieces.some(isDots)) return pieces;
  const left: string[] = [];
  for (const piece of pieces) {
    if (piece === '..') {
      if (left.pop() === undefined) return undefined;
    } else if (piece !== '.') left.push(piece);
  }
  if (isDots(pieces.at(-1)!)) left.push('');
  return left;
}

const isDots = (piece: string): boolean => piece === '.' || piece === '..';
