import { BadRequest } from './dialect.js';

/** Characters of one text: as long as a request line may be, in which the backend is asked. */
const MAX_TEXT = 8_192;

/** An edge's question as a JSON object. Of a name that is there twice the last one counts. */
export type JsonBody = Readonly<Record<string, unknown>>;

/** @throws BadRequest where it is no JSON, or no object */
export function jsonBody(body: Buffer): JsonBody {
  const value = parsed(body);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new BadRequest('the body is no JSON object');
  }
  return value as JsonBody;
}

/**
 * A text as the bytes that it stands for; empty where it is missing or null. Fields that nobody asks for may hold
 * anything.
 * @throws BadRequest where it is no text, or longer than `most` bytes
 */
export function textIn(body: JsonBody, name: string, most = MAX_TEXT): string {
  // A name that all objects have (`constructor`) is not there.
  const value = Object.hasOwn(body, name) ? body[name] : undefined;
  if (value === undefined || value === null) return '';
  if (typeof value !== 'string') throw new BadRequest(`${name} is no text`);
  const bytes = Buffer.from(value, 'utf8').toString('latin1');
  if (bytes.length > most) throw new BadRequest(`${name} is longer than ${most} bytes`);
  return bytes;
}

function parsed(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8')) as unknown;
  } catch {
    throw new BadRequest('the body is no JSON');
  }
}
