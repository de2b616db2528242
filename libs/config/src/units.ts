import { z } from 'zod';

const MILLISECONDS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const BYTES: Record<string, number> = { b: 1, kib: 1024, mib: 1024 * 1024 };

/** `1500ms`, `30s`, `4h`; read as milliseconds. A bare number is refused: its unit would be a guess. */
export const duration = z.union([z.string(), z.number()]).transform((value, context) => {
  const match = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)$/.exec(String(value));
  if (match) return Number(match[1]) * MILLISECONDS[match[2]!]!;
  context.addIssue({ code: 'custom', message: `a duration with its unit, such as 1500ms, 30s, 5m or 4h` });
  return z.NEVER;
});

/** `8KiB`; read as bytes. */
export const size = z.union([z.string(), z.number()]).transform((value, context) => {
  const match = /^(\d+)\s*(b|kib|mib)$/i.exec(String(value));
  if (match) return Number(match[1]) * BYTES[match[2]!.toLowerCase()]!;
  context.addIssue({ code: 'custom', message: 'a size with its unit, such as 512B or 8KiB' });
  return z.NEVER;
});

/** `host:port`, `[::1]:port`. */
export const address = z
  .string()
  .regex(/^(\[[0-9a-fA-F:.]+\]|[^\s:[\]]+):\d{1,5}$/, 'host:port, such as 0.0.0.0:1064 or [::1]:1064')
  .refine((value) => Number(value.slice(value.lastIndexOf(':') + 1)) <= 65_535, 'a port of at most 65535');

/** An http or https address. */
export const httpUrl = z.string().refine((value) => {
  try {
    return ['http:', 'https:'].includes(new URL(value).protocol);
  } catch {
    return false;
  }
}, 'an address such as http://portal.example.com/stalker_portal');

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
