/** All names of keys in Redis. People read them with redis-cli; what belongs together shares a hash tag, `{07}`. */

/** Made anew with an empty Redis: who sees it change offers back what it remembers. */
export const EPOCH = 'usher:epoch';
/** Stream: who changed what through the admin API. */
export const AUDIT = 'usher:audit';

const PLAIN = /^[A-Za-z0-9._@-]*$/;
const ESCAPED = Array.from({ length: 256 }, (_, byte) => {
  const char = String.fromCharCode(byte);
  return PLAIN.test(char) ? char : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
});

/**
 * A byte string (one character per byte) as part of a key: each byte outside [A-Za-z0-9._@-] becomes %XX, so no two
 * names share one key and no name holds a separator or a hash tag. A character over 255 counts as its UTF-8 bytes.
 */
export function encodeName(name: string): string {
  if (PLAIN.test(name)) return name;
  let text = '';
  for (const byte of bytesOf(name)) text += ESCAPED[byte]!;
  return text;
}

/** The byte string that `encodeName` made a name of. */
export function decodeName(name: string): string {
  return name.replace(/%([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

function bytesOf(name: string): Buffer {
  const isByteString = Array.prototype.every.call(name, (char: string) => char.charCodeAt(0) <= 255);
  if (isByteString) return Buffer.from(name, 'latin1');
  return Buffer.concat(
    Array.from(name, (char) => Buffer.from(char, char.charCodeAt(0) <= 255 ? 'latin1' : 'utf8')),
  );
}

/** CRC16-XMODEM, as Redis Cluster computes slots with it. */
const CRC16 = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit += 1) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
  return crc;
});

export function crc16(text: string): number {
  let crc = 0;
  for (let i = 0; i < text.length; i += 1) {
    const byte = text.charCodeAt(i);
    if (byte > 255) return crc16(bytesOf(text).toString('latin1'));
    crc = ((crc << 8) ^ CRC16[((crc >> 8) ^ byte) & 0xff]!) & 0xffff;
  }
  return crc;
}

/** Two digits: which shard of sessions a `namespace/user`, or else an `edge/session id`, belongs to. */
export function shardOf(text: string, shards: number): string {
  return String(crc16(text) % shards).padStart(2, '0');
}

/** Small entries of one shard stand together in so many keys: a key of its own costs Redis more than what is in it. */
const PARTS = 256;

/** Three digits: which part of its shard (`shardOf` the same text) an entry stands in. */
export function partOf(text: string, shards: number): string {
  return String(Math.floor(crc16(text) / shards) % PARTS).padStart(3, '0');
}

/** The parts of one shard: 000, 001 … */
export function allParts(): string[] {
  return Array.from({ length: PARTS }, (_, part) => String(part).padStart(3, '0'));
}

/** Hash: one session. */
export function sessionKey(shard: string, edge: string, id: string): string {
  return `usher:session:{${shard}}:${encodeName(edge)}:${encodeName(id)}`;
}

/** Sorted set: `<edge>:<id>` by alive-until. */
export function aliveKey(shard: string): string {
  return `usher:alive:{${shard}}`;
}

/** Hash: the sessions of one user. */
export function userKey(shard: string, namespace: string, user: string): string {
  return `usher:user:{${shard}}:${encodeName(namespace)}/${encodeName(user)}`;
}

/** Sorted set: the sessions on one channel. */
export function channelKey(shard: string, channel: string): string {
  return `usher:channel:{${shard}}:${encodeName(channel)}`;
}

/** Stream, written by the script that changes the session. */
export function eventsKey(shard: string): string {
  return `usher:events:{${shard}}`;
}

/** Hash: viewers whom a backend allowed lately, those of one part. */
export function knownKey(shard: string, backend: string, part: string): string {
  return `usher:known:{${shard}}:${encodeName(backend)}:${part}`;
}

/** Hash: `<edge>:<id>` → the shard, of sessions that are at home in this shard and part, and live in another shard. */
export function whereKey(home: string, part: string): string {
  return `usher:where:{${home}}:${part}`;
}

/** A backend's breaker: its state, or a part of it such as the lease or the votes; one slot a backend. */
export function breakerKey(backend: string, part?: string): string {
  const key = `usher:breaker:{${encodeName(backend)}}`;
  return part === undefined ? key : `${key}:${encodeName(part)}`;
}

/** String: what a backend's canaries have shown. */
export function canaryKey(backend: string): string {
  return `usher:canary:{${encodeName(backend)}}`;
}

/** List: the last answers that a user got. */
export function whyUserKey(shard: string, namespace: string, user: string): string {
  return `usher:why:{${shard}}:user:${encodeName(namespace)}/${encodeName(user)}`;
}

/** List: the last answers that an address got. */
export function whyAddressKey(shard: string, ip: string): string {
  return `usher:why:{${shard}}:ip:${encodeName(ip)}`;
}

/** Sorted set: the lists of a shard by their last answer, so that their number is bounded. */
export function whyListsKey(shard: string): string {
  return `usher:why:{${shard}}:lists`;
}

/** Stream: answers of one kind that were not plain allows. */
export function whyKindKey(shard: string, kind: string): string {
  return `usher:why:{${shard}}:${encodeName(kind)}`;
}

/** Stream: as the version before wrote them, all kinds in one. */
export function whyNotableKey(shard: string): string {
  return `usher:why:{${shard}}:notable`;
}

/** Set: what was seen of one suspect, by what is counted. */
export function suspectKey(shard: string, measure: string, subject: string): string {
  return `usher:suspect:{${shard}}:${encodeName(measure)}:${encodeName(subject)}`;
}
