export type Family = 4 | 6;

/** A network, its address as words of 32 bits: one of IPv4, four of IPv6. */
export interface Network {
  readonly family: Family;
  readonly words: Uint32Array;
  readonly bits: number;
}

const groups = new Uint16Array(8);
const MAPPED = 0xffff;

/**
 * Reads an IP address into `into` (four words). An IPv4-mapped one (`::ffff:192.0.2.7`) is IPv4, a zone (`%eth0`) is
 * left out. 0: it is none. Allocates nothing.
 */
export function readAddress(text: string, into: Uint32Array): Family | 0 {
  const zone = text.indexOf('%');
  const end = zone === -1 ? text.length : zone;
  if (!text.includes(':')) return zone === -1 && readV4(text, 0, end, into) ? 4 : 0;
  if (!readGroups(text, end, into)) return 0;
  for (let word = 0; word < 4; word += 1) {
    into[word] = ((groups[word * 2]! << 16) | groups[word * 2 + 1]!) >>> 0;
  }
  if (into[0] !== 0 || into[1] !== 0 || into[2] !== MAPPED) return 6;
  into[0] = into[3]!;
  return 4;
}

/** Four decimal numbers without leading zeros, from `start` to `end`, into the first word. */
function readV4(text: string, start: number, end: number, into: Uint32Array): boolean {
  let word = 0;
  let octet = 0;
  let digits = 0;
  let dots = 0;
  for (let at = start; at <= end; at += 1) {
    const code = at === end ? 46 : text.charCodeAt(at);
    if (code === 46) {
      if (digits === 0 || octet > 255) return false;
      word = word * 256 + octet;
      octet = 0;
      digits = 0;
      dots += 1;
      if (dots > 4) return false;
    } else {
      if (code < 48 || code > 57 || (digits > 0 && octet === 0) || digits === 3) return false;
      octet = octet * 10 + (code - 48);
      digits += 1;
    }
  }
  into[0] = word;
  return dots === 4;
}

/** The eight groups of an IPv6 address. */
function readGroups(text: string, end: number, scratch: Uint32Array): boolean {
  let at = 0;
  let count = 0;
  let gap = -1;
  if (text.startsWith('::')) {
    gap = 0;
    at = 2;
  }
  while (at < end) {
    if (count === 8) return false;
    const start = at;
    let value = 0;
    while (at < end && at - start < 4) {
      const digit = hexDigit(text.charCodeAt(at));
      if (digit === -1) break;
      value = value * 16 + digit;
      at += 1;
    }
    if (at < end && text.charCodeAt(at) === 46) {
      if (count > 6 || !readV4(text, start, end, scratch)) return false;
      groups[count] = scratch[0]! >>> 16;
      groups[count + 1] = scratch[0]! & 0xffff;
      count += 2;
      at = end;
      break;
    }
    if (at === start) return false;
    groups[count] = value;
    count += 1;
    if (at === end) break;
    if (text.charCodeAt(at) !== 58 || at + 1 === end) return false;
    at += 1;
    if (text.charCodeAt(at) === 58) {
      if (gap !== -1) return false;
      gap = count;
      at += 1;
    }
  }
  return gap === -1 ? count === 8 : spread(gap, count);
}

/** Puts the groups behind `::` to the end. It stands for one group at least. */
function spread(gap: number, count: number): boolean {
  if (count > 7) return false;
  groups.copyWithin(8 - (count - gap), gap, count);
  groups.fill(0, gap, 8 - (count - gap));
  return true;
}

function hexDigit(code: number): number {
  if (code >= 48 && code <= 57) return code - 48;
  const letter = code | 32;
  return letter >= 97 && letter <= 102 ? letter - 87 : -1;
}

/** Reads `192.0.2.7`, `192.0.2.0/24`, `2001:db8::/32`; undefined: it is none. Bits behind the prefix are cleared. */
export function readNetwork(text: string): Network | undefined {
  const slash = text.indexOf('/');
  const words = new Uint32Array(4);
  const address = slash === -1 ? text : text.slice(0, slash);
  const family = address.includes('%') ? 0 : readAddress(address, words);
  if (family === 0) return undefined;
  const most = address.includes(':') ? 128 : 32;
  const written = slash === -1 ? String(most) : text.slice(slash + 1);
  // An IPv4-mapped network is the IPv4 network at its end.
  const bits = /^\d{1,3}$/.test(written) ? Number(written) - (family === 4 ? most - 32 : 0) : -1;
  if (bits < 0 || Number(written) > most) return undefined;
  const own = words.subarray(0, family === 4 ? 1 : 4);
  clearBehind(own, bits);
  return { family, words: own, bits };
}

/** Whether the address, as `readAddress` read it, is in the network. */
export function isIn(network: Network, family: Family | 0, words: Uint32Array): boolean {
  return family === network.family && sharedBits(network.words, 0, words, network.bits) >= network.bits;
}

/** How many leading bits are the same, `most` at most. */
export function sharedBits(a: Uint32Array, offset: number, b: Uint32Array, most: number): number {
  for (let word = 0, bits = 0; bits < most; word += 1, bits += 32) {
    const differs = a[offset + word]! ^ b[word]!;
    if (differs !== 0) return Math.min(most, bits + Math.clz32(differs));
  }
  return most;
}

function clearBehind(words: Uint32Array, bits: number): void {
  for (let word = 0; word < words.length; word += 1) {
    const kept = Math.min(32, Math.max(0, bits - word * 32));
    if (kept < 32) words[word] = kept === 0 ? 0 : words[word]! & (0xffffffff << (32 - kept));
  }
}
