import { isIP } from 'node:net';
import { z } from 'zod';
import { parseTemplate } from './call-template.js';

/** What a schema's `.meta()` may say besides its description; read by the loader and by the generated documents. */
declare module 'zod' {
  interface GlobalMeta {
    /** How its value is written and shown. */
    kind?: 'duration' | 'size' | 'fail mode';
    /** Never shown: `all` of it, or what an address hides (user, password, query). May come from a file. */
    secret?: 'all' | 'address';
  }
}

const MILLISECONDS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const BYTES: Record<string, number> = { b: 1, kib: 1024, mib: 1024 * 1024 };

/** Longer, a timer of Node's would fire at once (2^31 ms). */
const LONGEST = 24 * MILLISECONDS.d!;

/** `1500ms`, `30s`, `4h`; read as milliseconds. A bare number is refused: its unit would be a guess. */
export const durationOf = (least: number) => {
  const bound = least > 0 ? ` (at least ${showDuration(least)}, at most 24d)` : ' (at most 24d)';
  const expected = `a duration with its unit, such as 1500ms, 30s, 5m or 4h${bound}`;
  return z
    .union([z.string(), z.number()], expected)
    .transform((value, context) => {
      const match = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)$/.exec(String(value));
      const milliseconds = match ? Number(match[1]) * MILLISECONDS[match[2]!]! : Number.NaN;
      if (milliseconds >= least && milliseconds <= LONGEST) return milliseconds;
      context.addIssue({ code: 'custom', message: expected });
      return z.NEVER;
    })
    .meta({ kind: 'duration' });
};

/** Any duration, 0 included: nothing is kept, or waited for. */
export const duration = durationOf(0);

/** `8KiB`; read as bytes. */
export const sizeOf = (least: number) => {
  const expected = `a size with its unit, such as 512B or 8KiB (at least ${showSize(least)})`;
  return z
    .union([z.string(), z.number()], expected)
    .transform((value, context) => {
      const match = /^(\d+)\s*(b|kib|mib)$/i.exec(String(value));
      const bytes = match ? Number(match[1]) * BYTES[match[2]!.toLowerCase()]! : Number.NaN;
      if (bytes >= least && Number.isSafeInteger(bytes)) return bytes;
      context.addIssue({ code: 'custom', message: expected });
      return z.NEVER;
    })
    .meta({ kind: 'size' });
};

/** Milliseconds as a person would write them: 1500 is `1500ms`, 30000 is `30s`. */
export function showDuration(milliseconds: number): string {
  for (const unit of ['d', 'h', 'm', 's']) {
    const count = milliseconds / MILLISECONDS[unit]!;
    // 24h, not 1d; 60s, not 1m: what people say.
    if (Number.isInteger(count) && (count > 1 || unit === 's')) return `${count}${unit}`;
  }
  return `${milliseconds}ms`;
}

/** Bytes as a person would write them: 8192 is `8KiB`. */
export function showSize(bytes: number): string {
  return bytes >= 1024 && bytes % 1024 === 0 ? `${bytes / 1024}KiB` : `${bytes}B`;
}

/** `host:port`, `[::1]:port`. */
export const address = z
  .string()
  .regex(/^(\[[0-9a-fA-F:.]+\]|[^\s:[\]]+):\d{1,5}$/, 'host:port, such as 0.0.0.0:1064 or [::1]:1064')
  .refine((value) => Number(value.slice(value.lastIndexOf(':') + 1)) <= 65_535, 'a port of at most 65535');

/** An IP address, or a network: `10.0.0.11`, `10.0.0.0/8`, `2001:db8::/32`. */
export const network = z.string().refine((value) => {
  const [ip, bits, ...more] = value.split('/');
  const family = isIP(ip!);
  if (family === 0 || ip!.includes('%') || more.length > 0) return false;
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128));
}, 'an IP address or a network, such as 10.0.0.11, 10.0.0.0/8 or 2001:db8::/32');

const hasScheme = (value: string, schemes: readonly string[]): boolean =>
  URL.canParse(value) && schemes.includes(new URL(value).protocol) && new URL(value).hostname !== '';

/** An http or https address. */
export const httpUrl = z
  .string()
  .refine(
    (value) => hasScheme(value, ['http:', 'https:']),
    'an address such as http://portal.example.com/stalker_portal',
  );

/** A text with placeholders; a word that is none is refused here. */
export const template = z
  .string()
  .max(4096)
  .superRefine((value, context) => {
    try {
      parseTemplate(value);
    } catch (error) {
      context.addIssue({ code: 'custom', message: (error as Error).message });
    }
  });

/** An http or https address, perhaps with placeholders: never in user, host or port. */
export const callUrl = template.refine(
  (value) => hasScheme(value, ['http:', 'https:']) && /^\s*https?:\/\/[^/\\?#{}]+(?:[/?#]|\s*$)/i.test(value),
  'an address such as http://10.0.0.11:8000, placeholders after the host',
);

/** `Name: value`, the value perhaps with placeholders. The name is a token (RFC 9110); the value is visible ASCII. */
export const headerLine = template.refine(
  (value) => /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}:[ -~]*$/.test(value),
  'a header, such as "X-Api-Key: …"',
);

/** One Redis address, or several of a Cluster, separated by commas. */
export const redisUrl = z
  .string()
  .refine(
    (value) => value.split(',').every((one) => hasScheme(one.trim(), ['redis:', 'rediss:'])),
    'redis://host:6379 or rediss://user:password@host:6379, several separated by commas',
  );

/** A glob with * and ?; compiled where it is used. */
export const glob = z.string().min(1).max(256);

/** A regular expression; refused here if it does not compile. */
export const pattern = z
  .string()
  .max(512)
  .refine((value) => {
    try {
      return new RegExp(value) instanceof RegExp;
    } catch {
      return false;
    }
  }, 'a regular expression, such as ^[0-9a-f]{32}$');
